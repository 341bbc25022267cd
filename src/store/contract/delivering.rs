//! Delivering: what waits is seen in order, and what becomes of it is written down.

use std::time::Duration;

use super::{Home, samples::*};
use crate::{
    event::{
        AttemptOutcome, Delivery, DeliveryPos, DeliveryState, End, EventSeq, OrderBy,
        OrganisationName,
    },
    store::{Carried, DeliveryRecord, LaneHead, Standing, Store},
};

async fn only_record(store: &dyn Store, event: EventSeq) -> DeliveryRecord {
    let mut records = store.deliveries_of(event).await.unwrap();
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0)
}

async fn positions(store: &dyn Store, who: &str) -> Vec<DeliveryPos> {
    let taken = store.take(&organisation(), lane(who), 100).await.unwrap();
    taken.iter().map(|delivery| delivery.pos).collect()
}

pub(in crate::store) async fn a_waiting_delivery_is_taken_as_it_was_given(home: &dyn Home) {
    let store = home.open().await;
    let seq = accept(&*store, event(vec![group(1, vec![waiting(2, 3, "u1")])])).await;
    let taken = store.take(&organisation(), lane("u1"), 9).await.unwrap();
    let record = only_record(&*store, seq).await;
    assert_eq!(
        taken,
        [Delivery {
            pos: pos_of(&record),
            event: seq,
            item: 2,
            number: 3,
            source: source("crm"),
            organisation: organisation(),
            lane: lane("u1"),
            customer: reference("u1"),
            patch: patch(),
            order_by: Some(OrderBy(7)),
            accepted_at: time(0),
            attempts: 0,
            earlier_attempts: 0,
            spent: Duration::ZERO,
            redelivery: None,
            revision: 0,
            counts_as_of: None,
        }]
    );
    assert_eq!(record.fields, ["email", "phoneNumber"]);
    assert_eq!(record.warnings, ["phone: not a number"]);
    assert_eq!(record.rule.as_deref(), Some("contact"));
    assert_eq!(record.customer, None);
}

pub(in crate::store) async fn a_lane_gives_its_deliveries_in_order(home: &dyn Home) {
    let store = home.open().await;
    let mut expected = Vec::new();
    for number in 0..20 {
        expected.push(accept_one(&*store, number, "u1").await);
        accept_one(&*store, 100 + number, "u2").await;
    }
    assert!(expected.is_sorted());
    assert_eq!(positions(&*store, "u1").await, expected);
    let first = store.take(&organisation(), lane("u1"), 3).await.unwrap();
    let first: Vec<_> = first.iter().map(|delivery| delivery.pos).collect();
    assert_eq!(first, expected[..3]);
    assert!(positions(&*store, "nobody").await.is_empty());
}

pub(in crate::store) async fn lanes_show_their_heads_page_by_page(home: &dyn Home) {
    let store = home.open().await;
    let mut expected = Vec::new();
    for number in 0..25 {
        let who = format!("u{number}");
        let pos = accept_one(&*store, number, &who).await;
        accept_one(&*store, 100 + number, &who).await;
        expected.push(LaneHead {
            organisation: organisation(),
            lane: lane(&who),
            pos,
            state: DeliveryState::Waiting,
            next_attempt: time(0),
            redelivered: false,
            is_untried_again: false,
        });
    }
    expected.sort_by_key(|head| head.lane);
    let mut found = Vec::new();
    loop {
        let after = found.last().map(|head: &LaneHead| head.lane);
        let page = store.lanes(&organisation(), after, 10).await.unwrap();
        assert!(page.len() <= 10);
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    assert_eq!(found, expected);
}

pub(in crate::store) async fn arrivals_are_announced_and_listed_after_a_position(home: &dyn Home) {
    let store = home.open().await;
    let mut arrivals = store.arrivals();
    let start = *arrivals.borrow_and_update();
    let first = accept_one(&*store, 1, "u1").await;
    // The announcement comes before the answer, so it is there already.
    assert!(arrivals.has_changed().unwrap());
    assert_eq!(*arrivals.borrow_and_update(), first);
    let second = accept_one(&*store, 2, "u2").await;
    assert_eq!(*arrivals.borrow_and_update(), second);
    accept(
        &*store,
        event(vec![group(3, vec![dead(0, 0), dropped(0, 1)])]),
    )
    .await;
    assert!(!arrivals.has_changed().unwrap(), "nothing of it waits");

    let list = async |after, limit| -> Vec<DeliveryPos> {
        let heads = store.arrived(&organisation(), after, limit).await.unwrap();
        heads.iter().map(|head| head.pos).collect()
    };
    assert_eq!(list(start, 10).await, [first, second]);
    assert_eq!(list(start, 1).await, [first]);
    assert_eq!(list(first, 10).await, [second]);
    assert!(list(second, 10).await.is_empty());
    store
        .retry(&organisation(), retry(first, DeliveryState::Looking))
        .await
        .unwrap();
    assert_eq!(list(start, 10).await, [second], "the first is looking now");
    store.close().await;

    let store = home.open().await;
    assert!(*store.arrivals().borrow() >= second);
}

pub(in crate::store) async fn what_is_dead_is_in_no_lane(home: &dyn Home) {
    let store = home.open().await;
    let fate = crate::store::Fate::Dead {
        reason: reason(),
        update: Some((reference("u1"), patch())),
    };
    let seq = accept(&*store, event(vec![group(1, vec![delivery(0, 0, fate)])])).await;
    assert!(positions(&*store, "u1").await.is_empty());
    assert!(
        store
            .lanes(&organisation(), None, 9)
            .await
            .unwrap()
            .is_empty()
    );
    let record = only_record(&*store, seq).await;
    assert_eq!(record.fields, ["email", "phoneNumber"]);
    let Standing::Open { state, reason, .. } = record.standing else {
        panic!("{record:?}");
    };
    assert_eq!(state, DeliveryState::Dead);
    assert_eq!(
        reason,
        Some(format!("mapping: email: `{SECRET}` is not one"))
    );
}

pub(in crate::store) async fn an_end_moves_a_delivery_into_its_history(home: &dyn Home) {
    let store = home.open().await;
    for (number, end) in (1..).zip(End::ALL) {
        let seq = accept(
            &*store,
            event(vec![group(number, vec![waiting(0, 0, "u1")])]),
        )
        .await;
        let pos = pos_of(&only_record(&*store, seq).await);
        let mut finish = finish(pos, end);
        finish.reason = Some("because".into());
        finish.attempt = Some(attempt(1, AttemptOutcome::Delivered));
        assert!(store.finish(&organisation(), finish).await.unwrap());
        assert!(positions(&*store, "u1").await.is_empty());
        let record = only_record(&*store, seq).await;
        assert_eq!(
            record.standing,
            Standing::Ended {
                end,
                reason: Some("because".into()),
                at: time(20)
            }
        );
        assert_eq!(record.customer, Some(customer("cus_1")));
        assert_eq!(record.attempts, 1);
        let said = (record.fields, record.warnings);
        let attempts = store.attempts_of(seq, 0, 0).await.unwrap();
        if end == End::Erased {
            assert_eq!(said, (vec![], vec![]), "nothing is kept of what was in it");
            assert_eq!(attempts, [], "nor of what was tried");
        } else {
            assert_eq!(said.0, ["email", "phoneNumber"]);
            assert_eq!(said.1, ["phone: not a number"]);
            assert_eq!(attempts, [attempt(1, AttemptOutcome::Delivered)]);
        }
    }
    let totals = store.totals().await.unwrap();
    assert_eq!(totals.ended, [1; 7]);
    assert_eq!((totals.created, totals.waiting), (7, 0));
}

pub(in crate::store) async fn a_retry_stays_in_its_lane_with_its_attempt(home: &dyn Home) {
    let store = home.open().await;
    let pos = accept_one(&*store, 1, "u1").await;
    let behind = accept_one(&*store, 2, "u1").await;
    for state in [DeliveryState::Looking, DeliveryState::Waiting] {
        assert!(
            store
                .retry(&organisation(), retry(pos, state))
                .await
                .unwrap()
        );
        let heads = store.lanes(&organisation(), None, 9).await.unwrap();
        assert_eq!(heads.len(), 1);
        assert_eq!((heads[0].pos, heads[0].state), (pos, state));
        assert_eq!(heads[0].next_attempt, time(60));
        assert_eq!(positions(&*store, "u1").await, [pos, behind]);
    }
    let taken = store.take(&organisation(), lane("u1"), 1).await.unwrap();
    assert_eq!(taken[0].attempts, 1);
    assert_eq!(taken[0].spent, Duration::from_secs(50));
    let record = only_record(&*store, EventSeq(1)).await;
    let Standing::Open { reason, .. } = record.standing else {
        panic!("{record:?}");
    };
    assert_eq!(reason.as_deref(), Some("come back later"));
    assert_eq!(
        record.customer,
        Some(customer("cus_1")),
        "an attempt found it"
    );
    assert_eq!(
        store.attempts_of(EventSeq(1), 0, 0).await.unwrap(),
        [attempt(1, AttemptOutcome::Retry)]
    );
}

pub(in crate::store) async fn a_buried_delivery_waits_for_a_person_who_may_discard_it(
    home: &dyn Home,
) {
    let store = home.open().await;
    let pos = accept_one(&*store, 1, "u1").await;
    let mut bury = bury(pos);
    bury.attempt = Some(attempt(4, AttemptOutcome::Dead));
    assert!(store.bury(&organisation(), bury).await.unwrap());
    assert!(positions(&*store, "u1").await.is_empty());
    assert!(
        store
            .arrived(&organisation(), DeliveryPos(0), 9)
            .await
            .unwrap()
            .is_empty()
    );
    let dead = store.dead(None, 9).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!((pos_of(&dead[0]), dead[0].attempts), (pos, 4));
    assert_eq!(store.totals().await.unwrap().dead, 1);

    let discard = finish(pos, End::Discarded);
    assert!(store.finish(&organisation(), discard).await.unwrap());
    assert!(store.dead(None, 9).await.unwrap().is_empty());
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.dead, totals.ended.iter().sum::<u64>()), (0, 1));
}

pub(in crate::store) async fn what_a_delivery_carried_ends_with_it_and_is_counted_by_source(
    home: &dyn Home,
) {
    let store = home.open().await;
    let mut seqs = Vec::new();
    for (number, from) in [(1, "crm"), (2, "sis"), (3, "crm"), (4, "crm")] {
        let mut sent = event(vec![group(number, vec![waiting(0, 0, "u1")])]);
        sent.source = source(from);
        seqs.push(accept(&*store, sent).await);
    }
    let positions = positions(&*store, "u1").await;
    let discard = finish(positions[2], End::Discarded);
    assert!(store.finish(&organisation(), discard).await.unwrap());
    let carried = [(0, End::Superseded), (1, End::Stale), (2, End::Superseded)];
    let mut finish = finish(positions[3], End::Delivered);
    finish.carried = carried
        .map(|(place, end)| Carried {
            pos: positions[place],
            accepted_at: time(0),
            revision: 0,
            end,
            reason: Some("merged into event 4".into()),
        })
        .to_vec();
    assert!(store.finish(&organisation(), finish.clone()).await.unwrap());
    let mut ends = Vec::new();
    for seq in seqs {
        let record = only_record(&*store, seq).await;
        assert_eq!(record.customer, Some(customer("cus_1")));
        let Standing::Ended { end, reason, .. } = record.standing else {
            panic!("{record:?}");
        };
        ends.push((end, reason.is_some()));
    }
    assert_eq!(
        ends,
        [
            (End::Superseded, true),
            (End::Stale, true),
            (End::Discarded, false),
            (End::Delivered, false),
        ]
    );
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.waiting, totals.ended.iter().sum::<u64>()), (0, 4));
    store.close().await;
    // One that a person ended carries nothing.
    let store = home.open().await;
    let waits = accept_one(&*store, 5, "u1").await;
    finish.carried[0].pos = waits;
    assert!(!store.finish(&organisation(), finish).await.unwrap());
    let left = store.take(&organisation(), lane("u1"), 9).await.unwrap();
    assert_eq!(left.len(), 1);
}

pub(in crate::store) async fn what_is_not_open_cannot_be_changed(home: &dyn Home) {
    let store = home.open().await;
    let organisation = organisation();
    let ended = accept_one(&*store, 1, "u1").await;
    let buried = accept_one(&*store, 2, "u1").await;
    assert!(
        store
            .finish(&organisation, finish(ended, End::Delivered))
            .await
            .unwrap()
    );
    assert!(store.bury(&organisation, bury(buried)).await.unwrap());
    let before = (
        store.totals().await.unwrap(),
        store.deliveries_of(EventSeq(1)).await.unwrap(),
        store.deliveries_of(EventSeq(2)).await.unwrap(),
    );
    for pos in [ended, DeliveryPos(99), DeliveryPos(-1)] {
        assert!(
            !store
                .finish(&organisation, finish(pos, End::Stale))
                .await
                .unwrap()
        );
    }
    for pos in [ended, buried, DeliveryPos(99)] {
        assert!(!store.bury(&organisation, bury(pos)).await.unwrap());
        let retry = retry(pos, DeliveryState::Waiting);
        assert!(!store.retry(&organisation, retry).await.unwrap());
    }
    let after = (
        store.totals().await.unwrap(),
        store.deliveries_of(EventSeq(1)).await.unwrap(),
        store.deliveries_of(EventSeq(2)).await.unwrap(),
    );
    assert_eq!(before, after);
    assert!(
        store
            .attempts_of(EventSeq(2), 0, 0)
            .await
            .unwrap()
            .is_empty()
    );
}

/// A database that lost what it had committed gives positions again: what an attempt took before is another delivery.
pub(in crate::store) async fn what_an_attempt_took_counts_for_no_other_delivery_of_its_position(
    home: &dyn Home,
) {
    let store = home.open().await;
    let organisation = organisation();
    let mut later = event(vec![group(1, vec![waiting(0, 0, "u1")])]);
    later.received_at = time(60);
    let seq = accept(&*store, later).await;
    let pos = pos_of(&only_record(&*store, seq).await);
    let before = (
        store.totals().await.unwrap(),
        store.deliveries_of(seq).await.unwrap(),
    );
    // Taken before: accepted at another time.
    let old = finish(pos, End::Delivered);
    assert!(!store.finish(&organisation, old.clone()).await.unwrap());
    let waits = retry(pos, DeliveryState::Waiting);
    assert!(!store.retry(&organisation, waits).await.unwrap());
    assert!(!store.bury(&organisation, bury(pos)).await.unwrap());
    let carrier = accept_one(&*store, 2, "u1").await;
    let mut batch = finish(carrier, End::Delivered);
    batch.carried = vec![Carried {
        pos,
        accepted_at: old.accepted_at,
        revision: old.revision,
        end: End::Superseded,
        reason: None,
    }];
    assert!(store.finish(&organisation, batch).await.unwrap());
    let after = store.totals().await.unwrap();
    assert_eq!((before.0.waiting, after.waiting), (1, 1));
    assert_eq!(before.1, store.deliveries_of(seq).await.unwrap());
    assert_eq!(store.attempts_of(seq, 0, 0).await.unwrap(), []);

    let mut now = old;
    now.accepted_at = time(60);
    assert!(store.finish(&organisation, now).await.unwrap());
}

pub(in crate::store) async fn another_organisation_cannot_change_or_see_a_delivery(
    home: &dyn Home,
) {
    let store = home.open().await;
    let other: OrganisationName = "other".parse().unwrap();
    let pos = accept_one(&*store, 1, "u1").await;
    assert!(
        !store
            .finish(&other, finish(pos, End::Delivered))
            .await
            .unwrap()
    );
    assert!(
        !store
            .retry(&other, retry(pos, DeliveryState::Waiting))
            .await
            .unwrap()
    );
    assert!(!store.bury(&other, bury(pos)).await.unwrap());
    assert!(store.take(&other, lane("u1"), 9).await.unwrap().is_empty());
    assert!(store.lanes(&other, None, 9).await.unwrap().is_empty());
    assert!(
        store
            .arrived(&other, DeliveryPos(0), 9)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.oldest_waiting(&other).await.unwrap(), None);
    assert_eq!(positions(&*store, "u1").await, [pos]);
}

pub(in crate::store) async fn an_attempt_told_again_replaces_what_was_told(home: &dyn Home) {
    let store = home.open().await;
    let pos = accept_one(&*store, 1, "u1").await;
    let mut first = retry(pos, DeliveryState::Waiting);
    let mut second = first.clone();
    second.attempt.number = 2;
    second.attempt.status = None;
    store.retry(&organisation(), first.clone()).await.unwrap();
    store.retry(&organisation(), second.clone()).await.unwrap();
    first.attempt.status = Some(429);
    store.retry(&organisation(), first.clone()).await.unwrap();
    assert_eq!(
        store.attempts_of(EventSeq(1), 0, 0).await.unwrap(),
        [first.attempt, second.attempt]
    );
    let taken = store.take(&organisation(), lane("u1"), 1).await.unwrap();
    assert_eq!(taken[0].attempts, 2);
}

pub(in crate::store) async fn the_oldest_waiting_is_the_first_that_still_waits(home: &dyn Home) {
    let store = home.open().await;
    let organisation = organisation();
    assert_eq!(store.oldest_waiting(&organisation).await.unwrap(), None);
    let mut positions = Vec::new();
    for number in 0..3_u32 {
        let mut sent = event(vec![group(number.into(), vec![waiting(0, 0, "u1")])]);
        sent.received_at = time(number.into());
        let seq = accept(&*store, sent).await;
        positions.push(pos_of(&only_record(&*store, seq).await));
    }
    assert_eq!(
        store.oldest_waiting(&organisation).await.unwrap(),
        Some(time(0))
    );
    store.bury(&organisation, bury(positions[0])).await.unwrap();
    assert_eq!(
        store.oldest_waiting(&organisation).await.unwrap(),
        Some(time(1))
    );
    let mut second = finish(positions[1], End::Delivered);
    second.accepted_at = time(1);
    store.finish(&organisation, second).await.unwrap();
    assert_eq!(
        store.oldest_waiting(&organisation).await.unwrap(),
        Some(time(2))
    );
    let mut looking = retry(positions[2], DeliveryState::Looking);
    looking.accepted_at = time(2);
    store.retry(&organisation, looking).await.unwrap();
    assert_eq!(store.oldest_waiting(&organisation).await.unwrap(), None);
    // Behind a customer that is looked for nothing can be sent; another customer's delivery can.
    for (number, username) in [(3, "u1"), (4, "u2")] {
        let mut sent = event(vec![group(number, vec![waiting(0, 0, username)])]);
        sent.received_at = time(i64::try_from(number).unwrap());
        accept(&*store, sent).await;
    }
    assert_eq!(
        store.oldest_waiting(&organisation).await.unwrap(),
        Some(time(4))
    );
}

pub(in crate::store) async fn the_dead_are_listed_newest_first_and_by_source(home: &dyn Home) {
    let store = home.open().await;
    for number in 0..6 {
        let mut sent = event(vec![group(number, vec![dead(0, 0), waiting(0, 1, "u1")])]);
        sent.source = source(if number % 2 == 0 { "crm" } else { "sis" });
        accept(&*store, sent).await;
    }
    let events = async |name: Option<&str>, limit| -> Vec<i64> {
        let name = name.map(source);
        let dead = store.dead(name.as_ref(), limit).await.unwrap();
        dead.iter().map(|record| record.event.0).collect()
    };
    assert_eq!(events(None, 4).await, [6, 5, 4, 3]);
    assert_eq!(events(Some("crm"), 9).await, [5, 3, 1]);
    assert_eq!(events(Some("sis"), 2).await, [6, 4]);
    assert!(events(Some("lms"), 9).await.is_empty());
}

pub(in crate::store) async fn an_unknown_event_has_nothing(home: &dyn Home) {
    let store = home.open().await;
    assert!(store.deliveries_of(EventSeq(5)).await.unwrap().is_empty());
    assert!(
        store
            .attempts_of(EventSeq(5), 0, 0)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.body_of(EventSeq(5)).await.unwrap(), None);
}
