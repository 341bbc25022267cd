//! Accepting: durable, deduplicated, numbered, private.

use std::{collections::BTreeSet, sync::Arc};

use tokio::task::JoinSet;

use super::{Home, samples::*};
use crate::{
    customer::{Field, PartKey},
    event::{DeliveryPos, End, EventSeq},
    store::{
        Acceptance, AppliedPart, KnownRequest, NewEvent, ReusedId, Standing, Store, StoreError,
        Totals,
    },
};

pub(in crate::store) async fn an_accepted_event_is_there_after_a_restart(home: &dyn Home) {
    let store = home.open().await;
    let deliveries = vec![waiting(0, 0, "u1"), dead(0, 1), dropped(1, 0)];
    let sent = event(vec![group(1, deliveries)]);
    let body = sent.body.clone();
    let seq = accept(&*store, sent).await;
    let before = store.deliveries_of(seq).await.unwrap();
    assert_eq!(before.len(), 3);
    store.close().await;

    let store = home.open().await;
    assert_eq!(store.deliveries_of(seq).await.unwrap(), before);
    assert_eq!(store.body_of(seq).await.unwrap(), Some(body));
    assert_eq!(
        store
            .take(&organisation(), lane("u1"), 9)
            .await
            .unwrap()
            .len(),
        1
    );
}

pub(in crate::store) async fn a_known_key_is_a_duplicate_also_after_a_restart(home: &dyn Home) {
    let sent = || event(vec![group(1, vec![waiting(0, 0, "u1")])]);
    let store = home.open().await;
    let seq = accept(&*store, sent()).await;
    let again = store.accept(sent()).await.unwrap();
    assert_eq!(again, duplicate_of(seq, 1));
    store.close().await;

    let store = home.open().await;
    let again = store.accept(sent()).await.unwrap();
    assert_eq!(again, duplicate_of(seq, 1));
    let totals = store.totals().await.unwrap();
    assert_eq!(
        (totals.accepted, totals.duplicate, totals.known_groups),
        (1, 2, 2)
    );
    assert_eq!((totals.created, totals.waiting), (1, 1));
}

pub(in crate::store) async fn known_groups_are_left_out_and_counted(home: &dyn Home) {
    let store = home.open().await;
    accept(&*store, event(vec![group(1, vec![waiting(0, 0, "u1")])])).await;
    let batch = event(vec![
        group(1, vec![waiting(0, 0, "u1"), waiting(0, 1, "u1")]),
        group(2, vec![waiting(1, 0, "u2"), waiting(1, 1, "u2")]),
        group(3, vec![waiting(2, 0, "u3")]),
    ]);
    let answer = store.accept(batch.clone()).await.unwrap();
    let Acceptance::Accepted {
        event, new, known, ..
    } = answer
    else {
        panic!("{answer:?}");
    };
    assert_eq!((new, known), (2, 1));
    let records = store.deliveries_of(event).await.unwrap();
    let places: Vec<_> = records.iter().map(|r| (r.item, r.number)).collect();
    assert_eq!(places, [(1, 0), (1, 1), (2, 0)]);
    // All known by now; the first key belongs to the first event.
    assert_eq!(
        store.accept(batch).await.unwrap(),
        duplicate_of(EventSeq(1), 3)
    );
    let totals = store.totals().await.unwrap();
    assert_eq!(
        (totals.accepted, totals.duplicate, totals.known_groups),
        (2, 1, 4)
    );
    assert_eq!((totals.created, totals.waiting), (4, 4));
}

pub(in crate::store) async fn a_request_that_is_known_is_counted_without_being_stored(
    home: &dyn Home,
) {
    let store = home.open().await;
    let sent = event(vec![
        group(1, vec![waiting(0, 0, "u1")]),
        group(2, vec![waiting(1, 0, "u2")]),
    ]);
    let request = |keys: &[u64]| KnownRequest {
        source: source("crm"),
        received_at: time(5),
        keys: keys.iter().copied().map(key).collect(),
        body_hash: [7; 32],
    };
    assert_eq!(store.known(request(&[1, 2])).await.unwrap(), None);
    let seq = accept(&*store, sent).await;
    for keys in [&[1, 3][..], &[3], &[3, 1], &[]] {
        assert_eq!(store.known(request(keys)).await.unwrap(), None, "{keys:?}");
    }
    assert_eq!(store.totals().await.unwrap().duplicate, 0);
    let known = store.known(request(&[2, 1, 2])).await.unwrap();
    assert_eq!(known, Some(duplicate_of(seq, 3)));
    let totals = store.totals().await.unwrap();
    assert_eq!(
        (totals.accepted, totals.duplicate, totals.known_groups),
        (1, 1, 3)
    );
}

pub(in crate::store) async fn an_id_with_another_body_is_noticed_by_both_ways(home: &dyn Home) {
    let store = home.open().await;
    let first = event(vec![group(1, vec![dropped(0, 0)])]);
    let seq = accept(&*store, first.clone()).await;
    let batch = event(vec![
        group(2, vec![dropped(0, 0)]),
        group(3, vec![dropped(1, 0)]),
    ]);
    accept(&*store, batch).await;
    let mut other = first.clone();
    other.body = "another".into();
    other.received_at = time(60);
    let known = KnownRequest {
        source: source("crm"),
        received_at: time(90),
        keys: vec![key(1)],
        body_hash: [7; 32],
    };
    let differs = Acceptance::Duplicate {
        event: seq,
        known: 1,
        differs: true,
    };
    assert_eq!(store.accept(other.clone()).await.unwrap(), differs);
    assert_eq!(store.known(known).await.unwrap(), Some(differs));
    assert_eq!(store.accept(first).await.unwrap(), duplicate_of(seq, 1));
    // One item of a batch that comes again by itself has another body by nature.
    other.groups = vec![group(3, vec![dropped(0, 0)])];
    assert_eq!(
        store.accept(other).await.unwrap(),
        duplicate_of(EventSeq(2), 1)
    );
    let reused = ReusedId {
        event: seq,
        source: source("crm"),
        times: 2,
        first_at: time(60),
        last_at: time(90),
    };
    assert_eq!(store.reused_ids(9).await.unwrap(), [reused]);
}

pub(in crate::store) async fn a_key_given_twice_in_one_event_is_taken_once(home: &dyn Home) {
    let store = home.open().await;
    let answer = store
        .accept(event(vec![
            group(1, vec![waiting(0, 0, "u1")]),
            group(1, vec![waiting(1, 0, "u1")]),
        ]))
        .await
        .unwrap();
    let Acceptance::Accepted {
        event, new, known, ..
    } = answer
    else {
        panic!("{answer:?}");
    };
    assert_eq!((new, known), (1, 1));
    assert_eq!(store.deliveries_of(event).await.unwrap().len(), 1);
}

pub(in crate::store) async fn of_many_calls_with_the_same_keys_each_key_is_taken_once(
    home: &dyn Home,
) {
    const TASKS: u64 = 64;
    const KEYS: u64 = 40;
    let store: Arc<dyn Store> = home.open().await.into();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let mut new = 0;
            for step in 0..KEYS {
                // Each task begins elsewhere, so that all race for all.
                let number = (task * 7 + step) % KEYS;
                let sent = event(vec![group(number, vec![waiting(0, 0, "u1")])]);
                if let Acceptance::Accepted { .. } = store.accept(sent).await.unwrap() {
                    new += 1;
                }
            }
            new
        });
    }
    let new: u64 = tasks.join_all().await.into_iter().sum();
    assert_eq!(new, KEYS);
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.accepted, totals.waiting), (KEYS, KEYS));
    assert_eq!(totals.duplicate, TASKS * KEYS - KEYS);
    let taken = store.take(&organisation(), lane("u1"), 1000).await.unwrap();
    assert_eq!(taken.len(), usize::try_from(KEYS).unwrap());
}

pub(in crate::store) async fn numbers_grow_in_the_order_of_acceptance(home: &dyn Home) {
    let store: Arc<dyn Store> = home.open().await.into();
    // Others accept at the same time and must not disturb it.
    let mut others = JoinSet::new();
    for number in 1000..1100 {
        let store = Arc::clone(&store);
        others.spawn(async move {
            accept(
                &*store,
                event(vec![group(number, vec![waiting(0, 0, "u2")])]),
            )
            .await
        });
    }
    let (mut last_seq, mut last_pos) = (EventSeq(0), DeliveryPos(0));
    let mut seen = BTreeSet::new();
    for number in 0..30 {
        let both = vec![waiting(0, 0, "u1"), waiting(0, 1, "u1")];
        let seq = accept(&*store, event(vec![group(number, both)])).await;
        assert!(seq > last_seq && seen.insert(seq));
        last_seq = seq;
        for record in store.deliveries_of(seq).await.unwrap() {
            assert!(pos_of(&record) > last_pos, "{record:?} after {last_pos}");
            last_pos = pos_of(&record);
        }
    }
    for seq in others.join_all().await {
        assert!(seen.insert(seq), "event {seq} twice");
    }
}

pub(in crate::store) async fn numbers_are_not_used_again_after_the_newest_event_is_gone(
    home: &dyn Home,
) {
    let store = home.open().await;
    let pos = accept_one(&*store, 1, "u1").await;
    let seq = EventSeq(1);
    store.close().await;
    home.prune(seq).await;

    let store = home.open().await;
    assert!(store.deliveries_of(seq).await.unwrap().is_empty());
    let again = accept(&*store, event(vec![group(2, vec![waiting(0, 0, "u1")])])).await;
    assert!(again > seq);
    assert!(pos_of(&store.deliveries_of(again).await.unwrap()[0]) > pos);
}

pub(in crate::store) async fn an_event_without_deliveries_is_refused_and_leaves_nothing(
    home: &dyn Home,
) {
    let store = home.open().await;
    for groups in [vec![], vec![group(1, vec![])]] {
        let refused = store.accept(event(groups)).await.unwrap_err();
        assert!(matches!(refused, StoreError::Broken { .. }), "{refused}");
    }
    assert_eq!(store.totals().await.unwrap(), Totals::default());
    accept(&*store, event(vec![group(1, vec![waiting(0, 0, "u1")])])).await;
}

/// Two deliveries that claim the same place in the event: our bug, found by the database.
fn impossible(number: u64) -> NewEvent {
    event(vec![group(
        number,
        vec![waiting(0, 0, "u1"), waiting(0, 0, "u1")],
    )])
}

pub(in crate::store) async fn one_impossible_call_does_not_harm_those_beside_it(home: &dyn Home) {
    let store: Arc<dyn Store> = home.open().await.into();
    let mut tasks = JoinSet::new();
    for number in 0..200 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let sent = match number % 10 {
                0 => impossible(number),
                _ => event(vec![group(number, vec![waiting(0, 0, "u1")])]),
            };
            (number, store.accept(sent).await)
        });
    }
    for (number, answer) in tasks.join_all().await {
        match number % 10 {
            0 => assert!(
                matches!(answer, Err(StoreError::Broken { .. })),
                "{answer:?}"
            ),
            _ => assert!(
                matches!(answer, Ok(Acceptance::Accepted { .. })),
                "{answer:?}"
            ),
        }
    }
    let totals = store.totals().await.unwrap();
    assert_eq!(
        (totals.accepted, totals.created, totals.waiting),
        (180, 180, 180)
    );
    assert_eq!(
        store
            .take(&organisation(), lane("u1"), 1000)
            .await
            .unwrap()
            .len(),
        180
    );
    // The refused ones left no key behind.
    accept(&*store, event(vec![group(0, vec![waiting(0, 0, "u1")])])).await;
}

pub(in crate::store) async fn errors_and_debug_output_name_no_values(home: &dyn Home) {
    let store = home.open().await;
    let refused = store.accept(impossible(1)).await.unwrap_err();
    let first = format!("{refused} {refused:?} {store:?}");
    let mut failing = finish(accept_one(&*store, 2, "u1").await, End::Delivered);
    failing.reason = Some(SECRET.into());
    failing.customer = None;
    failing.confirmed = vec![AppliedPart {
        part: PartKey::Field(Field::Email),
        value: [7; 16],
        source: source("crm"),
        is_in_doubt: false,
        at: time(0),
        pos: DeliveryPos(1),
        versions: Vec::new(),
    }];
    let refused = store.finish(&organisation(), failing).await.unwrap_err();
    assert!(matches!(refused, StoreError::Broken { .. }), "{refused}");
    let seen = format!("{first} {refused} {refused:?}");
    assert!(!seen.contains(SECRET), "{seen}");
    assert!(!seen.contains("u1"), "{seen}");
}

pub(in crate::store) async fn the_value_key_stays(home: &dyn Home) {
    let store = home.open().await;
    let key = *store.value_key();
    assert_ne!(key, [0; 32]);
    store.close().await;
    assert_eq!(*home.open().await.value_key(), key);
}

pub(in crate::store) async fn after_close_every_call_is_refused(home: &dyn Home) {
    let store = home.open().await;
    let pos = accept_one(&*store, 1, "u1").await;
    assert!(store.is_writable().is_ok());
    store.close().await;
    store.close().await;
    let organisation = organisation();
    let refusals = [
        store.is_writable().err(),
        store
            .accept(event(vec![group(2, vec![waiting(0, 0, "u1")])]))
            .await
            .err(),
        store
            .finish(&organisation, finish(pos, End::Delivered))
            .await
            .err(),
        store.totals().await.err(),
        store.take(&organisation, lane("u1"), 1).await.err(),
    ];
    for refusal in refusals {
        assert!(
            matches!(refusal, Some(StoreError::Closed { .. })),
            "{refusal:?}"
        );
    }
    drop(store);
    let store = home.open().await;
    let records = store.deliveries_of(EventSeq(1)).await.unwrap();
    assert!(matches!(records[0].standing, Standing::Open { .. }));
}
