//! What is old goes in small pieces, what is needed stays, and no clock but the date moves anything.

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{Home, samples::*};
use crate::{
    event::{AttemptOutcome, DeliveryState, End, EventSeq},
    store::{
        Acceptance, Store,
        upkeep::{Ahead, Calendar, Prune, Pruned, Retained, Upkeep},
    },
};

const DAY: Duration = Duration::from_hours(24);

fn date(days: i64) -> Timestamp {
    time(0) + SignedDuration::from_hours(24 * days)
}

async fn on(upkeep: &dyn Upkeep, days: i64) {
    let calendar = Calendar {
        date: date(days),
        ahead: None,
    };
    upkeep.set_calendar(calendar, Timestamp::MIN).await.unwrap();
}

/// Removes what is `age` old on a day, piece by piece.
async fn prune(upkeep: &dyn Upkeep, kind: Retained, days: i64, age: Duration, rows: u32) -> Pruned {
    let mut sum = Pruned::default();
    for _ in 0..10_000 {
        let piece = Prune {
            kind,
            date: date(days),
            age,
            rows,
        };
        let pruned = upkeep.prune(piece).await.unwrap();
        let size = pruned.bodies + pruned.dedup_keys + pruned.history + pruned.attempts;
        assert!(size <= u64::from(rows), "{pruned:?} in a piece of {rows}");
        sum = sum.plus(&pruned);
        if !pruned.more {
            return Pruned { more: false, ..sum };
        }
    }
    panic!("it never ends")
}

/// An event with one delivery that ended.
async fn delivered(store: &dyn Store, number: u64, at: Timestamp) -> EventSeq {
    let pos = accept_one(store, number, "u1").await;
    let mut ended = finish(pos, End::Delivered);
    ended.at = at;
    ended.attempt = Some(attempt(1, AttemptOutcome::Delivered));
    assert!(store.finish(&organisation(), ended).await.unwrap());
    EventSeq(i64::try_from(number).unwrap())
}

async fn is_known(store: &dyn Store, number: u64) -> bool {
    let again = event(vec![group(number, vec![waiting(0, 0, "u1")])]);
    matches!(
        store.accept(again).await.unwrap(),
        Acceptance::Duplicate { .. }
    )
}

pub(in crate::store) async fn the_calendar_is_as_it_was_set_also_after_a_restart(home: &dyn Home) {
    let (store, upkeep) = home.open_upkeep().await;
    assert_eq!(upkeep.calendar().await.unwrap(), None);
    let calendar = Calendar {
        date: date(3),
        ahead: Some(Ahead {
            since: date(300),
            seen: date(301),
        }),
    };
    upkeep.set_calendar(calendar, Timestamp::MIN).await.unwrap();
    store.close().await;
    drop((store, upkeep));
    let (_store, upkeep) = home.open_upkeep().await;
    assert_eq!(upkeep.calendar().await.unwrap(), Some(calendar));
}

pub(in crate::store) async fn what_was_accepted_after_the_date_stays(home: &dyn Home) {
    let (store, upkeep) = home.open_upkeep().await;
    let store = &*store;
    on(&*upkeep, 0).await;
    for number in 1..=5 {
        delivered(store, number, date(0)).await;
    }
    on(&*upkeep, 1).await;
    for number in 6..=9 {
        delivered(store, number, date(1)).await;
    }
    on(&*upkeep, 31).await;
    let kind = Retained::Bodies;
    let age = 30 * DAY;
    assert_eq!(upkeep.overdue(kind, date(31), age).await.unwrap(), 5);
    assert_eq!(upkeep.overdue(kind, date(30), age).await.unwrap(), 0);
    let pruned = prune(&*upkeep, kind, 31, age, 3).await;
    assert_eq!((pruned.bodies, pruned.events), (5, 0));
    assert_eq!(upkeep.overdue(kind, date(31), age).await.unwrap(), 0);
    for number in 1..=9 {
        let body = store.body_of(EventSeq(number)).await.unwrap();
        assert_eq!(body.is_some(), number > 5, "{number}");
        assert!(
            is_known(store, number.unsigned_abs()).await,
            "a pruned body keeps its key"
        );
    }
}

pub(in crate::store) async fn a_key_that_was_pruned_is_new_again_and_others_are_known(
    home: &dyn Home,
) {
    let (store, upkeep) = home.open_upkeep().await;
    on(&*upkeep, 0).await;
    let many = (1..=40).map(|key| group(key, vec![dropped(u32::try_from(key).unwrap(), 0)]));
    accept(&*store, event(many.collect())).await;
    on(&*upkeep, 1).await;
    delivered(&*store, 50, date(1)).await;
    on(&*upkeep, 31).await;
    // An event whose keys do not fit into one piece.
    let pruned = prune(&*upkeep, Retained::DedupKeys, 31, 30 * DAY, 7).await;
    assert_eq!(pruned.dedup_keys, 40);
    assert!(is_known(&*store, 50).await);
    for number in [1, 7, 8, 40] {
        assert!(!is_known(&*store, number).await, "{number}");
        assert!(is_known(&*store, number).await, "{number} again");
    }
    // The keys are held by younger events now, which the age of the old one does not touch.
    let pruned = prune(&*upkeep, Retained::DedupKeys, 31, 30 * DAY, 7).await;
    assert_eq!(pruned, Pruned::default());
    assert!(is_known(&*store, 40).await);
}

pub(in crate::store) async fn bodies_of_open_deliveries_stay_until_these_have_ended(
    home: &dyn Home,
) {
    let (store, upkeep) = home.open_upkeep().await;
    on(&*upkeep, 0).await;
    accept(&*store, event(vec![group(1, vec![waiting(0, 0, "u1")])])).await;
    accept(
        &*store,
        event(vec![group(2, vec![dead(0, 0), dropped(1, 0)])]),
    )
    .await;
    let looking = accept_one(&*store, 3, "u3").await;
    let looks = retry(looking, DeliveryState::Looking);
    assert!(store.retry(&organisation(), looks).await.unwrap());
    on(&*upkeep, 1).await;
    on(&*upkeep, 100).await;
    for kind in Retained::ALL {
        prune(&*upkeep, kind, 100, 14 * DAY, 50).await;
    }
    for number in 1..=3 {
        assert!(store.body_of(EventSeq(number)).await.unwrap().is_some());
        assert_ne!(store.deliveries_of(EventSeq(number)).await.unwrap(), []);
    }
    for number in 1..=3 {
        let records = store.deliveries_of(EventSeq(number)).await.unwrap();
        let mut ended = finish(pos_of(&records[0]), End::Discarded);
        ended.at = date(100);
        store.finish(&organisation(), ended).await.unwrap();
    }
    on(&*upkeep, 102).await;
    let pruned = prune(&*upkeep, Retained::Bodies, 102, 14 * DAY, 50).await;
    assert_eq!(pruned.bodies, 3);
    let pruned = prune(&*upkeep, Retained::History, 102, 14 * DAY, 50).await;
    assert_eq!(pruned.history, 0, "it ended two days ago");
    on(&*upkeep, 115).await;
    let pruned = prune(&*upkeep, Retained::History, 115, 14 * DAY, 50).await;
    assert_eq!((pruned.history, pruned.events), (4, 3));
}

pub(in crate::store) async fn an_event_goes_when_nothing_is_left_of_it_in_whatever_order(
    home: &dyn Home,
) {
    let orders = [
        [Retained::Bodies, Retained::DedupKeys, Retained::History],
        [Retained::History, Retained::Bodies, Retained::DedupKeys],
        [Retained::DedupKeys, Retained::History, Retained::Bodies],
    ];
    let (store, upkeep) = home.open_upkeep().await;
    let before = store.totals().await.unwrap();
    for (round, order) in (0..).zip(orders) {
        let day = round * 100;
        on(&*upkeep, day).await;
        let number = u64::try_from(round).unwrap() + 1;
        let event = delivered(&*store, number, date(day)).await;
        on(&*upkeep, day + 1).await;
        on(&*upkeep, day + 50).await;
        let mut sum = Pruned::default();
        for kind in order {
            assert_eq!(sum.events, 0);
            sum = sum.plus(&prune(&*upkeep, kind, day + 50, 40 * DAY, 50).await);
        }
        let expected = Pruned {
            bodies: 1,
            dedup_keys: 1,
            history: 1,
            attempts: 1,
            events: 1,
            more: false,
        };
        assert_eq!(sum, expected, "{order:?}");
        assert_eq!(store.deliveries_of(event).await.unwrap(), []);
        assert_eq!(store.attempts_of(event, 0, 0).await.unwrap(), []);
        assert_eq!(store.body_of(event).await.unwrap(), None);
    }
    let after = store.totals().await.unwrap();
    assert_eq!(after.accepted, before.accepted + 3, "counters stay");
}

pub(in crate::store) async fn no_time_of_an_event_moves_anything_only_the_date_does(
    home: &dyn Home,
) {
    let (store, upkeep) = home.open_upkeep().await;
    on(&*upkeep, 0).await;
    // Accepted and ended while the clock was years behind, years ahead, and right.
    for (number, days) in [(1, -20_000), (2, 4_000), (3, 0)] {
        let mut early = event(vec![group(number, vec![waiting(0, 0, "u1")])]);
        early.received_at = date(days);
        let seq = accept(&*store, early).await;
        let records = store.deliveries_of(seq).await.unwrap();
        let mut ended = finish(pos_of(&records[0]), End::Delivered);
        (ended.accepted_at, ended.at) = (date(days), date(days));
        store.finish(&organisation(), ended).await.unwrap();
    }
    on(&*upkeep, 1).await;
    on(&*upkeep, 20).await;
    for (day, expected) in [(13, 0), (14, 0), (15, 3)] {
        let pruned = prune(&*upkeep, Retained::Bodies, day, 14 * DAY, 50).await;
        assert_eq!(pruned.bodies, expected, "on day {day}");
    }
    let gone = prune(&*upkeep, Retained::History, 20, 14 * DAY, 50).await;
    // What ended in the future is taken for ended when it is looked at.
    assert_eq!(gone.history, 2);
    on(&*upkeep, 34).await;
    let gone = prune(&*upkeep, Retained::History, 34, 14 * DAY, 50).await;
    assert_eq!(gone.history, 1);
}

pub(in crate::store) async fn marks_that_no_date_needs_any_more_are_dropped_and_nothing_else_changes(
    home: &dyn Home,
) {
    let (store, upkeep) = home.open_upkeep().await;
    let mut kept = BTreeSet::new();
    for day in 0..60 {
        let calendar = Calendar {
            date: date(day),
            ahead: None,
        };
        upkeep.set_calendar(calendar, date(day - 14)).await.unwrap();
        delivered(&*store, day.unsigned_abs() + 1, date(day)).await;
        prune(&*upkeep, Retained::Bodies, day, 14 * DAY, 50).await;
        let body = store.body_of(EventSeq(day - 13)).await.unwrap();
        if day >= 14 {
            kept.insert(body.is_some());
            let before = store.body_of(EventSeq(day - 14)).await.unwrap();
            assert_eq!(before, None, "on day {day}");
        }
    }
    // Accepted on day n, after its mark: old enough from the mark of day n + 1 on.
    assert_eq!(kept, BTreeSet::from([true]));
}

pub(in crate::store) async fn history_of_many_deliveries_goes_in_pieces(home: &dyn Home) {
    let (store, upkeep) = home.open_upkeep().await;
    let store = &*store;
    on(&*upkeep, 0).await;
    for (key, count) in [(1, 40), (2, 3), (3, 1)] {
        let many = (0..count).map(|item| dropped(item, 0)).collect();
        accept(store, event(vec![group(key, many)])).await;
    }
    delivered(store, 4, date(0)).await;
    let mut many: Vec<_> = (0..20).map(|item| dropped(item, 0)).collect();
    many.push(waiting(20, 0, "u5"));
    let open = accept(store, event(vec![group(5, many)])).await;
    on(&*upkeep, 1).await;
    on(&*upkeep, 31).await;
    let kind = Retained::History;
    let pruned = prune(&*upkeep, kind, 31, 30 * DAY, 7).await;
    assert_eq!((pruned.history, pruned.attempts), (45, 1));
    assert_eq!(upkeep.overdue(kind, date(31), 30 * DAY).await.unwrap(), 0);
    for number in 1..=4 {
        let left = store.deliveries_of(EventSeq(number)).await.unwrap();
        assert_eq!(left, [], "{number}");
    }
    let records = store.deliveries_of(open).await.unwrap();
    let mut ended = finish(pos_of(&records[20]), End::Delivered);
    ended.at = date(0);
    assert!(store.finish(&organisation(), ended).await.unwrap());
    on(&*upkeep, 33).await;
    let pruned = prune(&*upkeep, kind, 33, 30 * DAY, 7).await;
    assert_eq!(pruned.history, 21);
    assert_eq!(store.deliveries_of(open).await.unwrap(), []);
}
