//! Mapping again: what is open of an event takes what the mapping gives now, what ended stays, and all is counted.

use std::sync::Arc;

use super::{Home, observing::observed, samples::*};
use crate::{
    event::{DeliveryPos, End, EventSeq, MappingHash, NewerData, Redelivery},
    store::{
        Acceptance, Finish, Hands, NewGroup, OpenFilter, RemapResult, RemapStep, Remapping,
        Standing, Store,
    },
};

fn remapping(event: EventSeq, groups: Vec<NewGroup>) -> Remapping {
    Remapping {
        event,
        source: source("crm"),
        organisation: organisation(),
        received_at: time(0),
        mapping: MappingHash::of(b"mapping: mended"),
        groups,
        how: Redelivery {
            at: time(100),
            newer: NewerData::Kept,
        },
    }
}

/// Remaps, after a dry run that must say the same and change nothing.
async fn remap(
    store: &Arc<dyn Store>,
    hands: &Arc<dyn Hands>,
    remapping: Remapping,
) -> Vec<RemapStep> {
    let before = store.totals().await.unwrap();
    let foreseen = hands.would_remap(remapping.clone()).await.unwrap();
    assert_eq!(store.totals().await.unwrap(), before);
    let done = hands.remap(remapping).await.unwrap();
    assert_eq!(foreseen.steps, done.steps);
    let totals = store.totals().await.unwrap();
    let ended: u64 = totals.ended.iter().sum();
    let open = totals.waiting + totals.looking + totals.dead;
    assert_eq!(totals.created, open + ended, "{totals:?}");
    done.steps
}

fn words(steps: &[RemapStep]) -> String {
    let words = steps.iter().map(|step| {
        let word = match step.result {
            RemapResult::Waits => "waits",
            RemapResult::Dies => "dies",
            RemapResult::Drops => "drops",
            RemapResult::Gone => "gone",
        };
        let sign = if step.is_new { "+" } else { "" };
        format!("{sign}{}.{} {word}", step.item, step.number)
    });
    words.collect::<Vec<_>>().join(", ")
}

async fn lane_of(store: &Arc<dyn Store>, who: &str) -> Vec<(DeliveryPos, DeliveryPos)> {
    let taken = store.take(&organisation(), lane(who), 100).await.unwrap();
    taken
        .iter()
        .map(|delivery| (delivery.pos, delivery.place()))
        .collect()
}

pub(in crate::store) async fn what_could_not_be_mapped_takes_its_place_when_it_can(
    home: &dyn Home,
) {
    let (store, hands) = home.open_hands().await;
    let failed = accept(&*store, event(vec![group(1, vec![dead(0, 0)])])).await;
    let later = accept_one(&*store, 2, "u1").await;
    let stored = hands.stored_event(failed).await.unwrap().unwrap();
    assert_eq!(stored.source, source("crm"));
    assert_eq!(stored.headers[0].0, "x-topic");
    assert!(stored.body.is_some());
    let mended = remapping(failed, vec![group(1, vec![waiting(0, 0, "u1")])]);
    assert_eq!(words(&remap(&store, &hands, mended).await), "0.0 waits");
    let first = DeliveryPos(1);
    assert_eq!(
        lane_of(&store, "u1").await,
        [(first, first), (later, later)]
    );
    let nothing = hands.stored_event(EventSeq(99)).await.unwrap();
    assert!(nothing.is_none());
}

pub(in crate::store) async fn what_ended_stays_and_what_is_new_counts_as_of_its_event(
    home: &dyn Home,
) {
    let (store, hands) = home.open_hands().await;
    let batch = event(vec![
        group(1, vec![waiting(0, 0, "u1")]),
        group(2, vec![dead(1, 0)]),
        group(3, vec![dropped(2, 0)]),
    ]);
    let batch = accept(&*store, batch).await;
    let delivered = finish(DeliveryPos(1), End::Delivered);
    assert!(store.finish(&organisation(), delivered).await.unwrap());
    accept_one(&*store, 4, "u2").await;
    let mended = remapping(
        batch,
        vec![
            group(1, vec![waiting(0, 0, "u9")]),
            group(2, vec![waiting(1, 0, "u2"), waiting(1, 1, "u3")]),
            group(3, vec![waiting(2, 0, "u9")]),
        ],
    );
    let steps = remap(&store, &hands, mended).await;
    assert_eq!(words(&steps), "1.0 waits, +1.1 waits");
    assert_eq!(lane_of(&store, "u9").await, []);
    let new = lane_of(&store, "u3").await;
    assert_eq!(new.len(), 1);
    assert!(new[0].0 > DeliveryPos(3), "at the end of its lane");
    assert_eq!(new[0].1, DeliveryPos(2), "and no newer than its event");
    assert_eq!(store.totals().await.unwrap().created, 5);
}

pub(in crate::store) async fn what_its_source_observes_now_is_kept_and_counts_as_of_its_place(
    home: &dyn Home,
) {
    let (store, hands) = home.open_hands().await;
    let seq = accept(&*store, event(vec![group(1, vec![dead(0, 0)])])).await;
    let later = accept_one(&*store, 2, "u2").await;
    let now = remapping(
        seq,
        vec![group(1, vec![observed(0, 0, "u2"), observed(0, 1, "u3")])],
    );
    let how = now.how;
    remap(&store, &hands, now).await;
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.created, totals.dead), (3, 0), "{totals:?}");
    assert_eq!(totals.ended.iter().sum::<u64>(), 2, "{totals:?}");
    let newest = hands.newest().await.unwrap();
    let kept = hands.observed_deliveries(source("crm"), DeliveryPos(0), newest, 9);
    let kept: Vec<_> = kept.await.unwrap().iter().map(|each| each.pos).collect();
    let heads = hands.send_observed(source("crm"), kept, how).await;
    assert_eq!(heads.unwrap().len(), 2);
    let places = lane_of(&store, "u2").await;
    assert_eq!(places[0], (later, later));
    assert_eq!(places[1].1, DeliveryPos(1), "older than what came later");
    assert_eq!(lane_of(&store, "u3").await[0].1, DeliveryPos(1));
}

pub(in crate::store) async fn fewer_and_other_outcomes_end_or_die_and_add_up(home: &dyn Home) {
    let (store, hands) = home.open_hands().await;
    let several = vec![dead(0, 0), dead(0, 1), dead(0, 2), waiting(0, 3, "u1")];
    let several = accept(&*store, event(vec![group(1, several)])).await;
    let now = vec![dropped(0, 0), dead(0, 1), waiting(0, 3, "u2")];
    let now = remapping(several, vec![group(1, now)]);
    let steps = remap(&store, &hands, now).await;
    assert_eq!(words(&steps), "0.0 drops, 0.1 dies, 0.2 gone, 0.3 waits");
    assert_eq!(lane_of(&store, "u1").await, []);
    assert_eq!(lane_of(&store, "u2").await.len(), 1);
    let records = store.deliveries_of(several).await.unwrap();
    let Standing::Ended { end, reason, .. } = &records[2].standing else {
        panic!("{records:?}")
    };
    assert_eq!(*end, End::Dropped);
    assert!(reason.as_deref().unwrap().contains("nothing here any more"));
    // Nobody needs an outcome that took the delivery before.
    let old = finish(DeliveryPos(4), End::Delivered);
    assert!(!store.finish(&organisation(), old).await.unwrap());
    let now = Finish {
        revision: 1,
        ..finish(DeliveryPos(4), End::Delivered)
    };
    assert!(store.finish(&organisation(), now).await.unwrap());
}

pub(in crate::store) async fn a_body_that_failed_whole_gives_the_items_that_nobody_else_holds(
    home: &dyn Home,
) {
    let (store, hands) = home.open_hands().await;
    accept_one(&*store, 12, "u2").await;
    let whole = accept(&*store, event(vec![group(1, vec![dead(0, 0)])])).await;
    let items = vec![
        group(11, vec![waiting(0, 0, "u1")]),
        group(12, vec![waiting(1, 0, "u2")]),
        group(13, vec![waiting(2, 0, "u3")]),
    ];
    let steps = remap(&store, &hands, remapping(whole, items)).await;
    assert_eq!(words(&steps), "0.0 waits, +2.0 waits");
    let again = event(vec![group(13, vec![waiting(0, 0, "u3")])]);
    let again = store.accept(again).await.unwrap();
    assert_eq!(
        again,
        Acceptance::Duplicate {
            event: whole,
            known: 1,
            differs: false
        }
    );
    let filter = OpenFilter {
        event: Some(whole),
        ..OpenFilter::default()
    };
    let open = hands.open_deliveries(filter, DeliveryPos(0), 9).await;
    assert_eq!(open.unwrap().deliveries.len(), 2);
}
