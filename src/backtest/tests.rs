//! What is compared, counted and shown, on stored requests that a test makes up.

use async_trait::async_trait;
use jiff::Timestamp;

use super::*;
use crate::{
    config::Environment,
    source::{Seen, Set},
    store::RequestPage,
};

const FILE: &str = "
mapping: 1
source: sis
receive: {verify: none, dedup: body}
otherwise: drop
items: people[]
rules:
  - name: left
    when: left == true
    drop: has left
  - name: person
    customer: {find: [{username: who}]}
    set: {name: name, email: mail | lower | email}
tests:
  - {name: t, event: {people: [{who: a, name: b, mail: A@b.mx}]}, expect: [{customer: cus_1, patch: {name: b, email: a@b.mx}}], found: {username=a: cus_1}}
  - {name: l, event: {people: [{who: a, left: true}]}, expect: [{drop: has left}]}
";

/// Requests that are stored, oldest first.
#[derive(Debug)]
struct Kept(Vec<StoredRequest>);

#[async_trait]
impl StoredRequests for Kept {
    async fn latest_requests(
        &self,
        _source: &SourceName,
        before: Option<EventSeq>,
        limit: u32,
    ) -> Result<RequestPage, StoreError> {
        let before = before.map_or(i64::MAX, |event| event.0);
        let older = self
            .0
            .iter()
            .rev()
            .filter(|request| request.event.0 < before);
        let requests: Vec<_> = older
            .take(usize::try_from(limit).unwrap())
            .cloned()
            .collect();
        let next = requests.last().map(|last| last.event);
        Ok(RequestPage { requests, next })
    }
}

fn kept(bodies: &[&str]) -> Kept {
    let requests = bodies.iter().zip(1..).map(|(body, event)| StoredRequest {
        event: EventSeq(event),
        received_at: Timestamp::from_second(1_768_471_200 + event).unwrap(),
        content_type: Some("application/json".to_owned()),
        headers: Vec::new(),
        body: bytes::Bytes::copy_from_slice(body.as_bytes()),
    });
    Kept(requests.collect())
}

fn backtests(kept: Kept) -> Backtests {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sis.yaml"), FILE).unwrap();
    let clock = Clock::manual("2026-01-15T10:00:00Z".parse().unwrap());
    let set = Set::load(
        folder.path(),
        &Environment::default(),
        folder.path(),
        clock.now(),
        &mut Seen::default(),
    );
    Backtests::new(Sources::new(set.unwrap()), Arc::new(kept), clock)
}

fn wish(text: &str) -> Wish {
    Wish {
        source: "sis".parse().unwrap(),
        text: text.to_owned(),
        last: 500,
        examples: 10,
        reveals: false,
    }
}

const EVENTS: [&str; 6] = [
    r#"{"people": [{"who": "ana", "name": "Ana", "mail": "ANA@x.mx"}]}"#,
    r#"{"people": [{"who": "eva", "name": "Eva"}, {"who": "ivo", "name": "Ivo", "mail": "i@x.mx"}]}"#,
    r#"{"people": [{"who": "leo", "left": true}]}"#,
    r#"{"people": [{"who": "noa", "name": "Noa", "mail": "no address"}]}"#,
    r#"{"people": "#,
    r#"{"people": [{"name": "Nobody"}]}"#,
];

#[tokio::test]
async fn the_same_file_changes_nothing() {
    let report = backtests(kept(&EVENTS)).run(wish(FILE)).await.unwrap();
    let totals = report.totals;
    assert_eq!((totals.events, totals.same, totals.different), (6, 6, 0));
    assert_eq!((report.old, report.cut), (report.new, Some(Cut::NoMore)));
    assert!(report.fields.is_empty() && report.examples.is_empty());
}

#[tokio::test]
async fn what_would_be_sent_differently_is_counted_and_shown_without_values() {
    let changed = FILE
        .replace(
            "set: {name: name,",
            "set: {name: name | upper, metadata: {Correo: mail},",
        )
        .replace(
            "patch: {name: b,",
            "patch: {name: B, metadata.Correo: A@b.mx,",
        )
        .replace("when: left == true", "when: left == 'x'")
        .replace(
            "{people: [{who: a, left: true}]}",
            "{people: [{who: a, left: x}]}",
        );
    let report = backtests(kept(&EVENTS)).run(wish(&changed)).await.unwrap();
    let shown = serde_json::to_string_pretty(&report).unwrap();
    for value in ["Ana", "ANA", "ana", "Ivo", "ivo", "x.mx"] {
        assert!(!shown.contains(value), "{value}: {shown}");
    }
    let names = ["customer", "email", "metadata.Correo", "name"];
    assert!(
        report
            .fields
            .keys()
            .all(|name| names.contains(&name.as_str())),
        "{:?}",
        report.fields
    );
    assert_eq!(report.fields["name"].changed, 3);
    assert_eq!(report.fields["metadata.Correo"].added, 2);
    let totals = report.totals;
    assert_eq!((totals.events, totals.same + totals.different), (6, 6));
    let example = report.examples.last().unwrap();
    assert_eq!(example.event, 1);
    insta::assert_snapshot!(serde_json::to_string_pretty(&example.differences).unwrap(), @r#"
    [
      {
        "item": 0,
        "number": 0,
        "was": "update",
        "now": "update",
        "field": "metadata.Correo",
        "after": "text of 8 characters"
      },
      {
        "item": 0,
        "number": 0,
        "was": "update",
        "now": "update",
        "field": "name",
        "before": "text of 3 characters",
        "after": "text of 3 characters"
      }
    ]
    "#);
}

#[tokio::test]
async fn an_update_that_is_dropped_fails_or_works_is_counted_as_that() {
    let dropped = FILE.replace("left == true", "left == true or name == 'Ana'");
    let totals = backtests(kept(&EVENTS))
        .run(wish(&dropped))
        .await
        .unwrap()
        .totals;
    assert_eq!((totals.different, totals.now_dropped), (1, 1));
    let works = FILE.replace(
        "email: mail | lower | email",
        "email: {from: mail | lower | email, on_error: skip}",
    );
    let totals = backtests(kept(&EVENTS))
        .run(wish(&works))
        .await
        .unwrap()
        .totals;
    assert_eq!(
        (totals.different, totals.newly_works, totals.now_fails),
        (1, 1, 0)
    );
    let fails = FILE
        .replace("drop: has left", "fail: has left")
        .replace("{drop: has left}", "{fail: has left}");
    let totals = backtests(kept(&EVENTS))
        .run(wish(&fails))
        .await
        .unwrap()
        .totals;
    assert_eq!((totals.different, totals.now_fails), (1, 1));
}

#[tokio::test]
async fn values_are_shown_where_somebody_asks_and_examples_are_bounded() {
    let changed = FILE
        .replace("name: name,", "name: name | upper,")
        .replace("{name: b,", "{name: B,");
    let many: Vec<&str> = std::iter::repeat_n(EVENTS[0], 120).collect();
    let asked = Wish {
        reveals: true,
        examples: 3,
        last: 100,
        ..wish(&changed)
    };
    let report = backtests(kept(&many)).run(asked).await.unwrap();
    assert_eq!((report.totals.events, report.totals.different), (100, 100));
    assert_eq!((report.examples.len(), report.cut), (3, None));
    let difference = &report.examples[0].differences[0];
    assert_eq!(difference.before.as_deref(), Some("\"Ana\""));
    assert_eq!(difference.after.as_deref(), Some("\"ANA\""));
}

#[tokio::test]
async fn mistakes_and_other_sources_are_refused() {
    let tests = backtests(kept(&EVENTS));
    let broken = tests
        .run(wish(&FILE.replace("otherwise: drop", "otherwise: x")))
        .await;
    assert!(
        matches!(broken, Err(NoBacktest::Mistakes(lines)) if lines[0].starts_with("sis.yaml:"))
    );
    let unknown = Wish {
        source: "crm".parse().unwrap(),
        ..wish(FILE)
    };
    assert!(matches!(
        tests.run(unknown).await,
        Err(NoBacktest::NoSource)
    ));
    let turn = tests.turn.clone().try_acquire_owned().unwrap();
    assert!(matches!(tests.run(wish(FILE)).await, Err(NoBacktest::Busy)));
    drop(turn);
}
