//! Sending again: what a person wants sent again is back at its place, counted once, with all that was tried kept.

use std::time::Duration;

use super::{Home, samples::*};
use crate::{
    event::{AttemptOutcome, DeliveryPos, DeliveryState, End, EventSeq, NewerData, Redelivery},
    store::{Bury, DeliveryRecord, Fate, Finish, LaneHead, Retry, Standing, Store},
};

pub(super) fn again() -> Redelivery {
    Redelivery {
        at: time(100),
        newer: NewerData::Kept,
    }
}

/// Accepts one for `who` and buries it after an attempt.
pub(super) async fn bury_one(store: &dyn Store, number: u64, who: &str) -> DeliveryPos {
    let pos = accept_one(store, number, who).await;
    let bury = Bury {
        attempt: Some(attempt(1, AttemptOutcome::Dead)),
        ..bury(pos)
    };
    assert!(store.bury(&organisation(), bury).await.unwrap());
    pos
}

pub(super) async fn lane_of(store: &dyn Store, who: &str) -> Vec<DeliveryPos> {
    let taken = store.take(&organisation(), lane(who), 100).await.unwrap();
    taken.iter().map(|delivery| delivery.pos).collect()
}

pub(super) async fn record_at(store: &dyn Store, event: i64) -> DeliveryRecord {
    store
        .deliveries_of(EventSeq(event))
        .await
        .unwrap()
        .remove(0)
}

pub(super) async fn totals_add_up(store: &dyn Store) -> (u64, u64, u64) {
    let totals = store.totals().await.unwrap();
    let ended: u64 = totals.ended.iter().sum();
    let open = totals.waiting + totals.looking + totals.dead;
    assert_eq!(totals.created, open + ended, "{totals:?}");
    (totals.waiting, totals.looking, totals.dead)
}

pub(in crate::store) async fn a_redelivered_one_is_back_at_its_place_as_if_new(home: &dyn Home) {
    let (store, hands) = home.open_hands().await;
    let dead = bury_one(&*store, 1, "u1").await;
    let later = accept_one(&*store, 2, "u1").await;
    assert_eq!(lane_of(&*store, "u1").await, [later]);
    let heads = hands.redeliver(vec![dead], again()).await.unwrap();
    let head = LaneHead {
        organisation: organisation(),
        lane: lane("u1"),
        pos: dead,
        state: DeliveryState::Waiting,
        next_attempt: time(100),
        redelivered: false,
        is_untried_again: true,
    };
    assert_eq!(heads, std::slice::from_ref(&head), "something new waits");
    assert_eq!(
        store.lanes(&organisation(), None, 9).await.unwrap(),
        [head],
        "a sweep finds it as well"
    );
    let taken = store.take(&organisation(), lane("u1"), 9).await.unwrap();
    let [first, second] = &taken[..] else {
        panic!("{taken:?}")
    };
    assert_eq!((first.pos, second.pos), (dead, later));
    assert_eq!((first.attempts, first.earlier_attempts), (0, 1));
    assert_eq!(first.spent, Duration::ZERO);
    assert_eq!(first.redelivery, Some(again()));
    assert_eq!((first.revision, second.revision), (1, 0));
    assert_eq!(totals_add_up(&*store).await, (2, 0, 0));
    let record = record_at(&*store, first.event.0).await;
    assert_eq!(record.attempts, 1, "what was tried stays known");
    let Standing::Open { reason, .. } = record.standing else {
        panic!("{record:?}")
    };
    assert_eq!(reason, None);
    let attempts = store.attempts_of(first.event, 0, 0).await.unwrap();
    assert_eq!(attempts, [attempt(1, AttemptOutcome::Dead)]);
}

pub(in crate::store) async fn attempts_are_numbered_on_after_a_redelivery(home: &dyn Home) {
    let (store, hands) = home.open_hands().await;
    let pos = bury_one(&*store, 1, "u1").await;
    hands.redeliver(vec![pos], again()).await.unwrap();
    let second = Retry {
        revision: 1,
        attempt: attempt(2, AttemptOutcome::Retry),
        ..retry(pos, DeliveryState::Waiting)
    };
    assert!(store.retry(&organisation(), second).await.unwrap());
    let taken = store.take(&organisation(), lane("u1"), 1).await.unwrap();
    assert_eq!((taken[0].attempts, taken[0].earlier_attempts), (1, 1));
    let finish = Finish {
        revision: 1,
        attempt: Some(attempt(3, AttemptOutcome::Delivered)),
        ..finish(pos, End::Delivered)
    };
    assert!(store.finish(&organisation(), finish).await.unwrap());
    let record = record_at(&*store, taken[0].event.0).await;
    assert_eq!(record.attempts, 3);
    let attempts = store.attempts_of(taken[0].event, 0, 0).await.unwrap();
    let numbers: Vec<_> = attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

pub(in crate::store) async fn what_waits_or_is_looked_for_is_redelivered_at_its_place(
    home: &dyn Home,
) {
    let (store, hands) = home.open_hands().await;
    let states = [
        ("u1", DeliveryState::Waiting),
        ("u2", DeliveryState::Looking),
    ];
    for (number, (who, state)) in (1..).zip(states) {
        let first = accept_one(&*store, number, who).await;
        let second = accept_one(&*store, number + 10, who).await;
        let retry = Retry {
            spent: Duration::from_secs(9),
            next_attempt: time(5000),
            ..retry(first, state)
        };
        assert!(store.retry(&organisation(), retry).await.unwrap());
        let heads = hands.redeliver(vec![first, second], again()).await.unwrap();
        let shown: Vec<_> = heads
            .iter()
            .map(|head| (head.pos, head.state, head.next_attempt))
            .collect();
        let waiting = DeliveryState::Waiting;
        assert_eq!(
            shown,
            [(first, waiting, time(100)), (second, waiting, time(100))]
        );
        assert!(heads[1].redelivered, "nothing new waits behind it");
        let taken = store.take(&organisation(), lane(who), 9).await.unwrap();
        let shown: Vec<_> = taken
            .iter()
            .map(|one| (one.pos, one.revision, one.attempts, one.earlier_attempts))
            .collect();
        assert_eq!(shown, [(first, 1, 0, 1), (second, 1, 0, 0)], "{state:?}");
        assert!(taken.iter().all(|one| one.spent == Duration::ZERO));
    }
    assert_eq!(totals_add_up(&*store).await, (4, 0, 0));
    assert_eq!(store.totals().await.unwrap().created, 4, "none is new");
}

pub(in crate::store) async fn what_is_not_open_or_says_nothing_is_not_redelivered(home: &dyn Home) {
    let (store, hands) = home.open_hands().await;
    let ended = accept_one(&*store, 1, "u1").await;
    let owner = organisation();
    assert!(
        store
            .finish(&owner, finish(ended, End::Delivered))
            .await
            .unwrap()
    );
    let fate = Fate::Dead {
        reason: reason(),
        update: None,
    };
    let unmapped = event(vec![group(3, vec![delivery(0, 0, fate)])]);
    let unmapped = accept(&*store, unmapped).await;
    let unmapped = pos_of(&store.deliveries_of(unmapped).await.unwrap()[0]);
    let all = vec![ended, unmapped, DeliveryPos(999)];
    assert_eq!(hands.redeliver(all, again()).await.unwrap(), []);
    assert_eq!(totals_add_up(&*store).await, (0, 0, 1));
}

pub(in crate::store) async fn what_an_attempt_took_before_a_redelivery_counts_no_more(
    home: &dyn Home,
) {
    let (store, hands) = home.open_hands().await;
    let pos = bury_one(&*store, 1, "u1").await;
    hands.redeliver(vec![pos], again()).await.unwrap();
    let owner = organisation();
    assert!(
        !store
            .finish(&owner, finish(pos, End::Delivered))
            .await
            .unwrap()
    );
    let waiting = retry(pos, DeliveryState::Waiting);
    assert!(!store.retry(&owner, waiting).await.unwrap());
    assert!(!store.bury(&owner, bury(pos)).await.unwrap());
    assert_eq!(totals_add_up(&*store).await, (1, 0, 0));
    let now = Finish {
        revision: 1,
        ..finish(pos, End::Delivered)
    };
    assert!(store.finish(&owner, now).await.unwrap());
}

pub(in crate::store) async fn an_attempt_that_a_redelivery_overtook_is_among_the_earlier_ones(
    home: &dyn Home,
) {
    let (store, hands) = home.open_hands().await;
    let owner = organisation();
    for (number, outcome) in [
        (1, AttemptOutcome::Retry),
        (2, AttemptOutcome::Dead),
        (3, AttemptOutcome::Delivered),
    ] {
        let who = format!("u{number}");
        let pos = accept_one(&*store, number, &who).await;
        // It is on its way.
        hands.redeliver(vec![pos], again()).await.unwrap();
        let made = attempt(1, outcome);
        // Also where it is told twice.
        for _ in 0..2 {
            let attempt = Some(made.clone());
            let was_open = match outcome {
                AttemptOutcome::Retry => {
                    let retry = Retry {
                        attempt: made.clone(),
                        ..retry(pos, DeliveryState::Waiting)
                    };
                    store.retry(&owner, retry).await
                }
                AttemptOutcome::Dead => {
                    let bury = Bury {
                        attempt,
                        ..bury(pos)
                    };
                    store.bury(&owner, bury).await
                }
                AttemptOutcome::Delivered => {
                    let finish = Finish {
                        attempt,
                        ..finish(pos, End::Delivered)
                    };
                    store.finish(&owner, finish).await
                }
            };
            assert!(!was_open.unwrap(), "{outcome:?}");
        }
        let taken = store.take(&owner, lane(&who), 1).await.unwrap();
        assert_eq!((taken[0].attempts, taken[0].earlier_attempts), (0, 1));
        assert_eq!(taken[0].redelivery, Some(again()));
        let event = taken[0].event;
        let attempts = store.attempts_of(event, 0, 0).await.unwrap();
        assert_eq!(attempts, std::slice::from_ref(&made));
        let second = attempt(2, AttemptOutcome::Delivered);
        let finish = Finish {
            revision: 1,
            attempt: Some(second.clone()),
            ..finish(pos, End::Delivered)
        };
        assert!(store.finish(&owner, finish).await.unwrap());
        assert_eq!(record_at(&*store, event.0).await.attempts, 2);
        let attempts = store.attempts_of(event, 0, 0).await.unwrap();
        assert_eq!(attempts, [made, second], "{outcome:?}");
    }
    let gone = accept_one(&*store, 4, "u4").await;
    let event = store.take(&owner, lane("u4"), 1).await.unwrap()[0].event;
    hands.discard(vec![gone], None, time(50)).await.unwrap();
    let waiting = retry(gone, DeliveryState::Waiting);
    assert!(!store.retry(&owner, waiting).await.unwrap());
    let attempts = store.attempts_of(event, 0, 0).await.unwrap();
    assert_eq!(attempts, [], "it has ended");
}

pub(in crate::store) async fn something_new_in_a_lane_is_seen_wherever_it_waits(home: &dyn Home) {
    let (store, hands) = home.open_hands().await;
    let owner = organisation();
    let three = async |number: u64, who: &str| {
        [
            accept_one(&*store, number, who).await,
            accept_one(&*store, number + 1, who).await,
            accept_one(&*store, number + 2, who).await,
        ]
    };
    let redelivered = async |positions: Vec<DeliveryPos>| {
        let heads = hands.redeliver(positions, again()).await.unwrap();
        let told = heads.iter().map(|head| head.redelivered);
        told.collect::<Vec<_>>()
    };
    let swept = async || {
        let heads = store.lanes(&owner, None, 9).await.unwrap();
        let found = heads.iter();
        found
            .map(|head| (head.redelivered, head.is_untried_again))
            .collect::<Vec<_>>()
    };
    let [first, second, third] = three(1, "u1").await;
    assert_eq!(redelivered(vec![third]).await, [false], "two are new");
    assert_eq!(swept().await, [(false, false)]);
    assert_eq!(redelivered(vec![first]).await, [false], "one is new");
    assert_eq!(swept().await, [(false, true)]);
    assert_eq!(redelivered(vec![second]).await, [true]);
    assert_eq!(swept().await, [(true, true)]);
    let tried = Retry {
        revision: 1,
        next_attempt: time(160),
        ..retry(first, DeliveryState::Waiting)
    };
    assert!(store.retry(&owner, tried).await.unwrap());
    assert_eq!(swept().await, [(true, false)], "it was tried since");

    let [first, second, third] = three(11, "u2").await;
    assert_eq!(redelivered(vec![third, first]).await, [false, false]);
    let all = redelivered(vec![first, second, third]).await;
    assert_eq!(all, [true, true, true], "whichever of them came first");
}
