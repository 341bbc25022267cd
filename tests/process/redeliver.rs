//! What `redeliver` and its like take, refuse and ask.

use quentli_gateway::sandbox::{Action, Fault, RetryAfter};
use serde_json::{Value, json};

use crate::{
    by_hand::{Begun, begun, refuse_changes, rename, run, totals, until_dead},
    support::{executable::Gateway, school::SOURCE_FILE, until},
};

async fn post(gateway: &Gateway, path: &str, wish: Value) -> (u16, Value) {
    let path = format!("/api/v1/{path}");
    gateway.wish("POST", &path, &wish).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_tried_now_and_the_dry_run_says_so() {
    let begun = begun().await;
    let busy = Action::Status {
        status: 503,
        retry_after: Some(RetryAfter::Seconds(3600)),
        message: None,
    };
    let fault = Fault::always(busy).on_method("PATCH");
    begun.sandbox.fault(fault).unwrap();
    rename(&begun.school, &begun.gateway, "1", &begun.customer).await;
    until("an attempt", async || {
        let (_, event) = begun.gateway.admin("GET", "/api/v1/events/1").await;
        let attempts = event["shown"][0]["attempts"].as_array().map(Vec::len);
        if attempts.unwrap_or_default() > 0 {
            Ok(())
        } else {
            Err(event)
        }
    })
    .await;
    begun.sandbox.lift_faults();
    let ask = |arguments: &[&str]| run(&begun.setup, &begun.gateway, arguments);
    let (code, page, _) = ask(&["redeliver", "--all", "--dry-run"]);
    assert_eq!((code, page.trim()), (0, "no dead delivery is like that"));
    let (code, page, _) = ask(&["redeliver", "--all", "--waiting", "--dry-run"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!(page, @"
          1  found
          1  to be sent
          1  of these wait already: they would be tried now, or as soon as those before them are through
    ");
    let (code, page, messages) = ask(&["redeliver", "--all", "--waiting"]);
    assert_eq!((code, page.trim()), (0, "1 sent again"), "{messages}");
    assert_eq!(totals(&begun.gateway).await["created"], 1);
    begun.gateway.settled().await;
    let customer = begun.sandbox.customer(&begun.customer).unwrap();
    assert_eq!(customer["name"], "1");
    begun.quentli.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_while_it_is_paused_waits_for_the_end_of_that_and_this_is_said() {
    let begun = begun().await;
    let ask = |arguments: &[&str]| run(&begun.setup, &begun.gateway, arguments);
    for (number, (kind, name)) in [("--source", "school"), ("--organisation", "default")]
        .into_iter()
        .enumerate()
    {
        let id = (number + 1).to_string();
        refuse_changes(&begun.sandbox);
        rename(&begun.school, &begun.gateway, &id, &begun.customer).await;
        until_dead(&begun.gateway, 1).await;
        begun.sandbox.lift_faults();
        assert_eq!(ask(&["pause", kind, name]).0, 0);
        let (code, page, _) = ask(&["redeliver", "--all", "--dry-run"]);
        assert_eq!(code, 0);
        insta::allow_duplicates! {
            insta::assert_snapshot!(page, @"
                  1  found
                  1  to be sent
                  1  of these are tried when the pause of their source or organisation ends; `status` shows it
            ");
        }
        let (code, page, _) = ask(&["redeliver", "--all"]);
        let said = "1 sent again, once the pause of their source or organisation ends";
        assert_eq!((code, page.trim()), (0, said));
        // Of what waits, too, which would be tried now otherwise.
        let (_, page, _) = ask(&["redeliver", "--all", "--waiting", "--dry-run"]);
        assert!(page.contains("1  of these are tried when"), "{page}");
        assert!(!page.contains("now"), "{page}");
        assert_eq!(totals(&begun.gateway).await["waiting"], 1);
        assert_eq!(ask(&["resume", kind, name]).0, 0);
        begun.gateway.settled().await;
        let customer = begun.sandbox.customer(&begun.customer).unwrap();
        assert_eq!(customer["name"], *id);
    }
    begun.quentli.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slip_in_a_filter_is_refused_with_what_was_meant() {
    let Begun {
        quentli,
        setup,
        gateway,
        ..
    } = begun().await;
    for (arguments, meant) in [
        (&["redeliver", "--source", "schol"][..], "`school`"),
        (&["discard", "--source", "schol"], "`school`"),
        (&["redeliver", "--reason", "refusd"], "`refused`"),
        (&["discard", "--organisation", "defualt"], "`default`"),
        (&["rejected", "--source", "schol"], "`school`"),
        (&["rejected", "--reason", "no-mach"], "`no-match`"),
        (&["audit", "--act", "redelver"], "`redeliver`"),
    ] {
        let (code, page, messages) = run(&setup, &gateway, arguments);
        assert_eq!((code, &*page), (1, ""), "{arguments:?}");
        let meant = format!("did you mean {meant}?");
        assert!(messages.contains(&meant), "{arguments:?}: {messages}");
    }
    let all = json!({"all": true});
    for (path, wish, part) in [
        (
            "redeliver",
            json!({"which": {"states": ["deed"]}}),
            "did you mean `dead`?",
        ),
        (
            "redeliver",
            json!({"which": all, "stretch": {"limit": 501}}),
            "from 1 to 500",
        ),
        (
            "discard",
            json!({"which": all, "stretch": {"limit": 0}}),
            "from 1 to 500",
        ),
        (
            "sources/school/rejected/accept?limit=0",
            Value::Null,
            "from 1 to 500",
        ),
    ] {
        let (status, answer) = post(&gateway, path, wish).await;
        let detail = answer["detail"].as_str().unwrap();
        assert_eq!(status, 400, "{path}: {answer}");
        assert!(detail.contains(part), "{path}: {answer}");
    }
    for (path, part) in [
        ("rejected?limit=501", "from 1 to 500"),
        ("audit?limit=0", "from 1 to 500"),
        ("audit?befor=3", "did you mean `before`?"),
    ] {
        let (status, answer) = gateway.admin("GET", &format!("/api/v1/{path}")).await;
        assert_eq!(status, 400, "{path}: {answer}");
        let detail = answer["detail"].as_str().unwrap();
        assert!(detail.contains(part), "{path}: {answer}");
    }
    quentli.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_said_twice_is_one_and_what_died_later_is_not_taken() {
    let begun = begun().await;
    refuse_changes(&begun.sandbox);
    rename(&begun.school, &begun.gateway, "1", &begun.customer).await;
    until_dead(&begun.gateway, 1).await;
    let id = begun.gateway.status().await["dead"][0]["id"].clone();
    let twice = json!({"which": {"ids": [id, id]}, "dry_run": true});
    let (_, answer) = post(&begun.gateway, "redeliver", twice).await;
    assert_eq!(
        (&answer["found"], &answer["expected"]["send"]),
        (&json!(1), &json!(1))
    );

    let all = json!({"which": {"all": true}, "dry_run": true});
    let (_, counted) = post(&begun.gateway, "redeliver", all).await;
    rename(&begun.school, &begun.gateway, "2", &begun.customer).await;
    until_dead(&begun.gateway, 2).await;
    begun.sandbox.lift_faults();
    for (path, part) in [("redeliver", "redelivered"), ("discard", "discarded")] {
        let stretch = json!({"up_to": counted["up_to"]});
        let wish = json!({"which": {"all": true}, "stretch": stretch});
        let (_, answer) = post(&begun.gateway, path, wish).await;
        let expected = u64::from(path == "redeliver");
        assert_eq!(answer[part], expected, "{path}: {answer}");
        let after = begun.gateway.settled().await;
        assert_eq!(after["dead"], 1, "what died later: {after}");
    }
    let customer = begun.sandbox.customer(&begun.customer).unwrap();
    assert_eq!(customer["name"], "1");
    begun.quentli.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mapping_again_asks_before_it_gives_anything_up_for_good() {
    let begun = begun().await;
    refuse_changes(&begun.sandbox);
    for number in 1..=2 {
        let name = number.to_string();
        rename(&begun.school, &begun.gateway, &name, &begun.customer).await;
    }
    until_dead(&begun.gateway, 2).await;
    begun.sandbox.lift_faults();
    let dropping = SOURCE_FILE.replace("contact.updated", "contact.other");
    std::fs::write(begun.setup.source_path("school"), dropping).unwrap();
    assert_eq!(begun.gateway.reload().await.0, 200);
    let ask = |arguments: &[&str]| run(&begun.setup, &begun.gateway, arguments);
    let (code, page, messages) = ask(&["redeliver", "--all", "--remap"]);
    assert_eq!((code, &*page), (64, ""), "{messages}");
    let question = "map these events again, send 0 deliveries, and give up 2 for good?";
    assert!(messages.contains(question), "{messages}");
    assert_eq!(totals(&begun.gateway).await["dead"], 2);
    let (code, _, messages) = ask(&["redeliver", "--all", "--remap", "--yes"]);
    assert_eq!(code, 0, "{messages}");
    let after = totals(&begun.gateway).await;
    assert_eq!(
        (&after["dead"], &after["ended"]["dropped"]),
        (&json!(0), &json!(2))
    );
    begun.quentli.stop().await;
}
