//! Reloads that somebody asks for: what they put in force, what they refuse, and what they do not disturb.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use quentli_gateway::{
    event::MappingHash,
    sandbox::{Action, Fault},
};
use serde_json::{Value, json};

use crate::{
    World,
    support::{
        school::{SOURCE_FILE, event_of, marked},
        until,
    },
};

/// The source's file in a version.
fn version(number: u32) -> String {
    marked(&format!("v{number}"))
}

/// Puts a file in place of another as a careful editor does, so that nobody sees half of it.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, path).unwrap();
}

async fn rename(world: &World, id: &str, name: &str) -> u16 {
    let url = world.gateway.url();
    let answer = world.school.rename(&url, id, &world.customer, name).await;
    answer.unwrap().status
}

/// The status of a post to a source that is not signed.
async fn post(world: &World, source: &str) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}webhooks/{source}", world.gateway.url());
    client.post(url).send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_puts_what_the_files_hold_in_force_and_says_so() {
    let world = World::new().await;
    let path = world.setup.source_path("school");
    assert_eq!(rename(&world, "1", "A").await, 200);
    world.gateway.settled().await;

    replace(&path, &version(2));
    std::fs::write(
        world.setup.source_path("open"),
        "mapping: 1\nsource: open\nreceive: {verify: none}\notherwise: drop\nrules:\n  - {name: all, drop: x}\ntests:\n  - {name: all, event: {a: 1}, expect: [{drop: x}]}\n",
    )
    .unwrap();
    assert_eq!(post(&world, "open").await, 404);
    let (status, mut report) = world.gateway.reload().await;
    assert_eq!(status, 200, "{report}");
    assert_eq!(world.gateway.status().await["reload"], report);
    report["at"] = json!("(time)");
    insta::assert_snapshot!(format!("{report:#}"), @r#"
    {
      "at": "(time)",
      "keys": {
        "outcome": "unchanged",
        "renewed": [],
        "trouble": []
      },
      "settings_changed": false,
      "sources": {
        "added": [
          "open"
        ],
        "changed": [
          "school"
        ],
        "outcome": "loaded",
        "removed": [],
        "trouble": [],
        "warnings": [
          "mappings/open.yaml:3:19: warning recv/unverified: every request to this source is taken as genuine (anybody who knows the address can change customers; verify at least a token)",
          "mappings/school.yaml:14:10: warning recv/unsigned-dedup-header: the signature does not cover the header `x-event-id` (whoever captures a request could send it again under another number; take a field of the signed body, such as `dedup: [eventId]`, where there is one)"
        ]
      },
      "trigger": "request"
    }
    "#);
    assert_eq!(post(&world, "open").await, 200);
    assert_eq!(rename(&world, "2", "A").await, 200);
    world.gateway.settled().await;
    assert_eq!(world.names_sent(), ["A", "v2:A"]);

    let (status, report) = world.gateway.reload().await;
    assert_eq!(
        (status, &report["sources"]["outcome"]),
        (200, &json!("unchanged"))
    );
    let metrics = world.gateway.metrics().await;
    let hash = MappingHash::of(version(2).as_bytes());
    for line in [
        "reloads_total{part=\"sources\",trigger=\"request\",outcome=\"loaded\"} 1".to_owned(),
        "reloads_total{part=\"sources\",trigger=\"request\",outcome=\"unchanged\"} 1".to_owned(),
        "source_loaded{source=\"open\"} 1".to_owned(),
        format!("source_mapping{{source=\"school\",mapping=\"{hash}\"}} 1"),
    ] {
        assert!(
            metrics.contains(&format!("quentli_gateway_{line}\n")),
            "{line} is missing in {metrics}"
        );
    }
    assert_eq!(
        metrics.matches("source_mapping{source=\"school\"").count(),
        1,
        "the version before left nothing behind: {metrics}"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_leaves_everything_as_it_was_and_is_shown_everywhere() {
    let world = World::new().await;
    let path = world.setup.source_path("school");
    // One good change and one bad file: neither is taken.
    replace(&path, &version(2));
    let other = world.setup.source_path("other");
    std::fs::write(&other, "mapping: 1\nsource: other\n").unwrap();
    let (status, report) = world.gateway.reload().await;
    assert_eq!(status, 422, "{report}");
    assert_eq!(report["title"], "What the files hold cannot be used");
    assert_eq!(report["sources"]["outcome"], "refused");
    let place = "mappings/other.yaml:1:1: error";
    let trouble = report["sources"]["trouble"][0].as_str().unwrap();
    assert!(trouble.starts_with(place), "{report}");

    assert_eq!(rename(&world, "1", "A").await, 200);
    assert_eq!(post(&world, "other").await, 404, "it was never there");
    world.gateway.settled().await;
    assert_eq!(world.names_sent(), ["A"], "mapped by the old text");
    let status = world.gateway.status().await;
    assert_eq!(status["reload"]["sources"], report["sources"]);
    assert_eq!(status["sources"].as_array().unwrap().len(), 1, "{status}");
    let metrics = world.gateway.metrics().await;
    assert!(
        metrics.contains("quentli_gateway_reload_refused{part=\"sources\"} 1\n"),
        "{metrics}"
    );
    let line = &world.gateway.logged(place).await[0];
    assert!(
        line.contains("ERROR") && line.contains("all sources stay as they were"),
        "{line}"
    );

    std::fs::remove_file(&other).unwrap();
    let (status, report) = world.gateway.reload().await;
    assert_eq!(status, 200, "{report}");
    assert_eq!(report["sources"]["changed"], json!(["school"]));
    let metrics = world.gateway.metrics().await;
    assert!(metrics.contains("quentli_gateway_reload_refused{part=\"sources\"} 0\n"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_empty_or_gone_changes_nothing() {
    let world = World::new().await;
    let path = world.setup.source_path("school");
    let folder = path.parent().unwrap();
    let aside = world.setup.folder().join("aside");
    std::fs::rename(folder, &aside).unwrap();
    for reason in ["cannot read the folder", "holds no source file"] {
        let (status, report) = world.gateway.reload().await;
        assert_eq!(status, 422, "{report}");
        let trouble = report["sources"]["trouble"][0].as_str().unwrap();
        assert!(trouble.contains(reason), "{report}");
        assert_eq!(rename(&world, reason, reason).await, 200);
        std::fs::create_dir_all(folder).unwrap();
    }
    std::fs::remove_dir(folder).unwrap();
    std::fs::rename(&aside, folder).unwrap();
    let (status, report) = world.gateway.reload().await;
    assert_eq!(
        (status, &report["sources"]["outcome"]),
        (200, &json!("unchanged"))
    );
    world.gateway.settled().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_was_broken_at_the_start_hinders_nobody_and_receives_once_it_is_mended() {
    let world = World::with(|setup| {
        setup
            .source("second", "mapping: 1\nsource: second\n")
            .source("third", "mapping: 1\nsource: third\n")
    })
    .await;
    assert_eq!(post(&world, "second").await, 503);
    // What was broken before and is as it was does not keep the others from being changed.
    replace(&world.setup.source_path("school"), &version(2));
    let (status, report) = world.gateway.reload().await;
    assert_eq!(status, 200, "{report}");
    assert_eq!(report["sources"]["changed"], json!(["school"]));
    let trouble = report["sources"]["trouble"].to_string();
    assert!(
        trouble.contains("second.yaml") && trouble.contains("third.yaml"),
        "{trouble}"
    );
    assert_eq!(post(&world, "second").await, 503);
    // What somebody changed and did not mend does.
    let second = world.setup.source_path("second");
    replace(&second, "mapping: 1\nsource: second\nrules: []\n");
    let (status, report) = world.gateway.reload().await;
    assert_eq!(status, 422, "{report}");
    let trouble = report["sources"]["trouble"].to_string();
    assert!(
        trouble.contains("second.yaml") && !trouble.contains("third.yaml"),
        "{trouble}"
    );
    let mended = SOURCE_FILE.replace("source: school", "source: second");
    replace(&second, &mended);
    assert_eq!(world.gateway.reload().await.0, 200);
    assert_eq!(
        post(&world, "second").await,
        401,
        "it receives, and asks who it is"
    );
    let metrics = world.gateway.metrics().await;
    assert!(metrics.contains("quentli_gateway_source_loaded{source=\"second\"} 1\n"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_of_a_source_that_is_removed_is_delivered() {
    let world = World::with(|setup| {
        let other = SOURCE_FILE.replace("source: school", "source: other");
        setup.source("other", &other)
    })
    .await;
    let broken = Action::Status {
        status: 500,
        retry_after: None,
        message: None,
    };
    let fault = world.sandbox.fault(Fault::always(broken));
    fault.unwrap();
    assert_eq!(rename(&world, "1", "A").await, 200);
    std::fs::remove_file(world.setup.source_path("school")).unwrap();
    let (status, report) = world.gateway.reload().await;
    assert_eq!(status, 200, "{report}");
    assert_eq!(report["sources"]["removed"], json!(["school"]));
    assert_eq!(rename(&world, "2", "B").await, 404);
    world.gateway.logged("its address answers 404").await;
    let status = world.gateway.status().await;
    assert_eq!(status["store"]["totals"]["waiting"], 1, "{status}");
    let metrics = world.gateway.metrics().await;
    assert!(
        !metrics.contains("source_loaded{source=\"school\"}"),
        "{metrics}"
    );

    world.sandbox.lift_faults();
    let totals = world.gateway.settled().await;
    assert_eq!(totals["ended"]["delivered"], 1, "{totals}");
    assert_eq!(
        world.sandbox.customer(&world.customer).unwrap()["name"],
        "A"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_person_or_program_of_this_machine_may_ask() {
    let world = World::new().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/api/v1/reload", world.gateway.admin_listen);
    assert_eq!(client.get(&url).send().await.unwrap().status(), 405);
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("host", "evil.example"),
    ] {
        let answer = client.post(&url).header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{name}: {value}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    let last = world.gateway.status().await["reload"].clone();
    assert_eq!(last["trigger"], "start", "nobody was heard");
    // Nor may a page read what is there under a name that its owner points at this machine.
    for path in ["api/v1/status", "metrics"] {
        for (host, status) in [("evil.example", 403), ("localhost:8081", 200)] {
            let url = format!("http://{}/{path}", world.gateway.admin_listen);
            let answer = client.get(url).header("host", host).send().await.unwrap();
            assert_eq!(answer.status(), status, "{path} of {host}");
        }
    }

    let world = World::with(|setup| setup.variable("GATEWAY_ADMIN_TOKEN", "t0ken")).await;
    let url = format!("http://{}/api/v1/reload", world.gateway.admin_listen);
    let with = |token| client.post(&url).bearer_auth(token).send();
    assert_eq!(client.post(&url).send().await.unwrap().status(), 401);
    assert_eq!(with("wrong").await.unwrap().status(), 401);
    assert_eq!(with("t0ken").await.unwrap().status(), 200);
    world.end().await;
}

/// Which mapping each event was mapped by, as the store says.
fn mappings(world: &World) -> BTreeMap<i64, MappingHash> {
    let database = world.setup.data().join("gateway.db");
    let connection = rusqlite::Connection::open(database).unwrap();
    let mut events = connection
        .prepare("SELECT seq, mapping FROM event")
        .unwrap();
    let row = |row: &rusqlite::Row<'_>| {
        let hash: [u8; 16] = row.get(1)?;
        Ok((row.get(0)?, MappingHash::from_bytes(hash)))
    };
    events
        .query_map([], row)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_reloads_under_load_refuse_nothing_and_map_each_event_by_one_whole_set() {
    const RELOADS: u32 = 50;
    let world = World::with(|setup| setup.source("school", &version(0))).await;
    let path = world.setup.source_path("school");
    let stop = AtomicBool::new(false);
    let customers: Vec<String> = (0..4)
        .map(|number| {
            let customer = json!({"name": "0", "username": format!("u{number}")});
            world.sandbox.add(&customer).unwrap()
        })
        .collect();
    let (url, school) = (world.gateway.url(), &world.school);
    // One sender for each customer, which goes on until it is told to stop; gives its events' numbers.
    let send = async |customer: &str| {
        let mut events = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let id = format!("{customer}-{}", events.len());
            let answer = school.rename(&url, &id, customer, &id).await.unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
            events.push((id, event_of(&answer)));
        }
        events
    };
    let reload = async {
        for number in 1..=RELOADS {
            replace(&path, &version(number));
            if number % 2 == 0 {
                let (status, report) = world.gateway.reload().await;
                assert_eq!(status, 200, "{report}");
            } else {
                let hash = MappingHash::of(version(number).as_bytes()).to_string();
                world.gateway.signal("HUP");
                until("the signal to be heard", async || {
                    let sources = world.gateway.status().await["sources"].clone();
                    if sources[0]["mapping"] == hash {
                        Ok(())
                    } else {
                        Err(sources)
                    }
                })
                .await;
            }
        }
        stop.store(true, Ordering::Relaxed);
    };
    let (a, b, c, d, ()) = tokio::join!(
        send(&customers[0]),
        send(&customers[1]),
        send(&customers[2]),
        send(&customers[3]),
        reload
    );
    let events: BTreeMap<String, i64> = [a, b, c, d].into_iter().flatten().collect();
    let totals = world.gateway.settled().await;
    assert_eq!(totals["accepted"], json!(events.len()), "{totals}");
    let ended = |end: &str| totals["ended"][end].as_u64().unwrap();
    let applied = ended("delivered") + ended("superseded");
    assert_eq!(totals["created"], applied, "{totals}");
    let metrics = world.gateway.metrics().await;
    assert!(!metrics.contains("result=\"refused\""), "{metrics}");

    let mapped_by = mappings(&world);
    let number_of: BTreeMap<MappingHash, u32> = (0..=RELOADS)
        .map(|number| (MappingHash::of(version(number).as_bytes()), number))
        .collect();
    let mut seen = BTreeSet::new();
    let exchanges = world.sandbox.exchanges();
    let changes = exchanges
        .iter()
        .filter(|exchange| exchange.method == "PATCH");
    for change in changes {
        let body: Value = serde_json::from_slice(&change.request).unwrap();
        let data = &body["input"]["data"];
        let (number, id) = data["name"].as_str().unwrap().split_once(':').unwrap();
        // It is left out where the event before was of the same version.
        if let Some(other) = data["metadata"][0]["value"].as_str() {
            assert_eq!(other, number, "both fields are of one text");
        }
        let hash = mapped_by[&events[id]];
        assert_eq!(format!("v{}", number_of[&hash]), number, "event {id}");
        seen.insert(number_of[&hash]);
    }
    eprintln!("{} events by {} versions", events.len(), seen.len());
    assert!(
        seen.len() > 10,
        "the traffic must have met many versions: {seen:?}"
    );
    world.end().await;
}
