//! What a sender insists on holds for every stored request: new, repeated, or waiting for a person.

use http::Method;
use serde_json::json;

use crate::World;

/// A source with an answer; events without `n` cannot be mapped.
fn file(name: &str, answer: &str) -> String {
    format!(
        "mapping: 1\nsource: {name}\nreceive:\n  verify: none\n  answer: {answer}\notherwise: fail\nrules:\n  - {{name: \
         all, when: n > 0, drop: nothing to do}}\ntests:\n  - {{name: all, event: {{n: 1}}, expect: [{{drop: nothing to \
         do}}]}}\n"
    )
}

const ACK: &str = "<Ack>true</Ack>";

#[tokio::test(flavor = "multi_thread")]
async fn a_senders_own_answer_is_given_for_new_repeated_and_unmappable_events_alike() {
    let sources = [
        ("plain", "{status: 202}", 202, "application/json", None),
        (
            "ok",
            "{body: '{\"status\":\"ok\"}'}",
            200,
            "application/json",
            Some("{\"status\":\"ok\"}"),
        ),
        (
            "soap",
            "{content_type: text/xml, body: '<Ack>true</Ack>'}",
            200,
            "text/xml",
            Some(ACK),
        ),
        ("silent", "{status: 204}", 204, "", Some("")),
    ];
    let world = World::with(|setup| {
        sources.iter().fold(setup, |setup, (name, answer, ..)| {
            setup.source(name, &file(name, answer))
        })
    })
    .await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (name, _, status, kind, wanted) in sources {
        for (body, word) in [
            ("{\"n\":1}", "accepted"),
            ("{\"n\":1}", "duplicate"),
            ("{\"n\":0}", "accepted"),
            ("{\"n\":", "accepted"),
            ("", "accepted"),
            ("{\"n\":", "duplicate"),
        ] {
            let url = format!("{}webhooks/{name}", world.gateway.url());
            let request = client.request(Method::POST, url).body(body);
            let mut answer = request.send().await.unwrap();
            assert_eq!(answer.status(), status, "{name} {body:?}");
            let given = answer.headers().get("content-type");
            let given = given.map_or("", |kind| kind.to_str().unwrap()).to_owned();
            assert_eq!(given, kind, "{name} {body:?}");
            let mut text = Vec::new();
            while let Some(piece) = answer.chunk().await.unwrap() {
                text.extend_from_slice(&piece);
            }
            let text = String::from_utf8(text).unwrap();
            match wanted {
                Some(wanted) => assert_eq!(text, wanted, "{name} {body:?}"),
                None => assert!(text.contains(word), "{name} {body:?}: {text}"),
            }
        }
    }
    let totals = world.gateway.status().await["store"]["totals"].clone();
    assert_eq!(
        (&totals["accepted"], &totals["duplicate"]),
        (&json!(16), &json!(8))
    );
    assert_eq!(
        totals["dead"],
        json!(12),
        "what cannot be mapped waits for a person"
    );
    world.end().await;
}
