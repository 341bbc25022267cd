//! HubSpot numbers its attempts inside the body, so that a redelivered event never has the bytes of the first.

use std::{fs, path::Path};

use quentli_gateway::{
    clock::Clock,
    config::Environment,
    sender::{Answer, Sender, TestEvent},
    source::{Source, SourceFile, UnreadableSamples},
};
use serde_json::{Value, json};

use crate::{World, support::executable::Setup};

const SOURCE_FILE: &str = include_str!("../../mappings/hubspot.yaml");
const SECRET_VARIABLE: &str = "HUBSPOT_CLIENT_SECRET";
const SECRET: &str = "hubspot-and-the-gateway-know-this";
/// HubSpot signs the address that was registered there.
const PUBLIC_URL: &str = "https://hooks.colegio.example";

/// The own `dedup` of the mapping, which is also that of the presets.
const OWN_DEDUP: &str =
    "  dedup: [portalId, subscriptionId, eventId, objectId, occurredAt, propertyName ?? '-']\n";

fn samples() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/mappings"))
}

/// A gateway with this source file, its samples and its secret.
fn with_hubspot(setup: Setup, file: &str) -> Setup {
    let setup = setup
        .source("hubspot", file)
        .variable(SECRET_VARIABLE, SECRET)
        .variable("GATEWAY_PUBLIC_URL", PUBLIC_URL);
    let folder = setup.folder().join("mappings/samples/hubspot");
    fs::create_dir_all(&folder).unwrap();
    for sample in fs::read_dir(samples().join("samples/hubspot")).unwrap() {
        let sample = sample.unwrap();
        fs::copy(sample.path(), folder.join(sample.file_name())).unwrap();
    }
    setup
}

/// The sending side of the same source.
fn hubspot(file: &str) -> Source {
    let read = |path: &str| fs::read(samples().join(path));
    let file = SourceFile::check(
        "hubspot.yaml",
        "hubspot",
        file.to_owned(),
        &read,
        UnreadableSamples::Refuse,
    );
    assert!(!file.findings.has_errors(), "{:#?}", file.findings);
    let environment: Environment = [(SECRET_VARIABLE, SECRET)].into_iter().collect();
    let checked = file.checked.unwrap();
    checked.arm(&environment, Path::new("")).unwrap()
}

fn event(kind: &str, event: u64, attempt: u64) -> Value {
    // Each kind of event is a subscription of its own.
    let subscription = if kind == "contact.creation" {
        12345
    } else {
        12348
    };
    json!({
        "portalId": 62515, "appId": 54321, "occurredAt": 1_793_527_199_000_u64, "attemptNumber": attempt,
        "eventId": event, "subscriptionId": subscription, "subscriptionType": kind, "objectId": 301, "changeSource": "CRM",
    })
}

async fn send(world: &World, source: &Source, events: &[Value]) -> Answer {
    let body = Value::from(events).to_string();
    let event = TestEvent::new("", "application/json", body);
    let (gateway, public) = (world.gateway.url(), PUBLIC_URL.parse().unwrap());
    let sender = Sender::new().unwrap();
    let now = Clock::system().now();
    sender
        .send(source, &event, &gateway, &public, now)
        .await
        .unwrap()
}

/// What is answered to an event, to the next attempt to bring it, and to another event.
async fn answers(world: &World, source: &Source, kind: &str) -> [String; 3] {
    let mut words = Vec::new();
    for (number, attempt) in [(100, 0), (100, 1), (101, 0)] {
        let answer = send(world, source, &[event(kind, number, attempt)]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        words.push(answer.stored().unwrap().status);
    }
    words.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_attempt_of_an_event_without_a_property_is_a_duplicate() {
    assert!(SOURCE_FILE.contains(OWN_DEDUP));
    let by_preset = SOURCE_FILE.replace(OWN_DEDUP, "");
    let by_preset_v1 = by_preset.replace("verify: hubspot-v3", "verify: hubspot-v1");
    for file in [SOURCE_FILE, &by_preset, &by_preset_v1] {
        let world = World::with(|setup| with_hubspot(setup, file)).await;
        let source = hubspot(file);
        for kind in ["contact.creation", "contact.deletion"] {
            assert_eq!(
                answers(&world, &source, kind).await,
                ["accepted", "duplicate", "accepted"],
                "{kind}"
            );
        }
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_change_beside_a_known_one_is_the_only_one_that_is_taken() {
    let world = World::with(|setup| with_hubspot(setup, SOURCE_FILE)).await;
    let source = hubspot(SOURCE_FILE);
    send(&world, &source, &[event("contact.creation", 100, 0)]).await;
    let both = [
        event("contact.creation", 100, 1),
        event("contact.deletion", 104, 0),
    ];
    let answer: Value = serde_json::from_str(&send(&world, &source, &both).await.body).unwrap();
    assert_eq!(
        (&answer["status"], &answer["new"], &answer["known"]),
        (&json!("accepted"), &json!(1), &json!(1)),
        "{answer}"
    );
    world.end().await;
}
