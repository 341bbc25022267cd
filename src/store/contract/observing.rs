//! What sources in the mode `observe` would have sent.

use std::time::Duration;

use super::{Home, samples::*};
use crate::{
    event::{End, OBSERVED, OrderBy},
    store::{
        DeliveryRecord, NewDelivery, ObservedPlace, Standing,
        upkeep::{Calendar, Prune, Retained},
    },
};

fn observed(item: u32, number: u32, who: &str) -> NewDelivery {
    let fate = crate::store::Fate::Observed {
        customer: reference(who),
        patch: patch(),
        order_by: Some(OrderBy(7)),
    };
    delivery(item, number, fate)
}

pub(in crate::store) async fn an_observed_update_ends_at_once_and_is_kept(home: &dyn Home) {
    let store = home.open().await;
    let before = store.totals().await.unwrap();
    let seq = accept(
        &*store,
        event(vec![group(
            1,
            vec![observed(0, 0, "ana"), waiting(0, 1, "ana")],
        )]),
    )
    .await;
    let records: Vec<DeliveryRecord> = store.deliveries_of(seq).await.unwrap();
    let Standing::Ended { end, reason, .. } = &records[0].standing else {
        panic!("not ended: {:?}", records[0]);
    };
    assert_eq!((*end, reason.as_deref()), (End::Dropped, Some(OBSERVED)));
    assert_eq!(records[0].fields, ["email", "phoneNumber"]);
    assert!(matches!(records[1].standing, Standing::Open { .. }));
    let totals = store.totals().await.unwrap();
    let dropped = End::ALL
        .iter()
        .position(|end| *end == End::Dropped)
        .unwrap();
    assert_eq!(totals.created, before.created + 2);
    assert_eq!(totals.ended[dropped], before.ended[dropped] + 1);
    assert_eq!(totals.waiting, before.waiting + 1);
    // Its dedup key is taken.
    let again = store
        .accept(event(vec![group(1, vec![observed(0, 0, "ana")])]))
        .await
        .unwrap();
    assert_eq!(again, duplicate_of(seq, 1));
    drop(store);

    let store = home.open_observed().await;
    let kept = store.observed(&source("crm"), None, 10).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(
        kept[0].place,
        ObservedPlace {
            event: seq,
            item: 0,
            number: 0
        }
    );
    assert_eq!(
        (&kept[0].customer, &kept[0].patch),
        (&reference("ana"), &patch())
    );
    assert_eq!(kept[0].order_by, Some(OrderBy(7)));
    assert_eq!(store.observed(&source("sis"), None, 10).await.unwrap(), []);
}

pub(in crate::store) async fn observed_updates_are_listed_oldest_first_and_page_by_page(
    home: &dyn Home,
) {
    let store = home.open().await;
    let mut places = Vec::new();
    for number in 0..3 {
        let updates = vec![
            observed(0, 0, "ana"),
            observed(0, 1, "eva"),
            observed(1, 0, "ivo"),
        ];
        let seq = accept(&*store, event(vec![group(number, updates)])).await;
        places.extend(
            [(0, 0), (0, 1), (1, 0)].map(|(item, number)| ObservedPlace {
                event: seq,
                item,
                number,
            }),
        );
    }
    drop(store);
    let store = home.open_observed().await;
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.observed(&source("crm"), after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.place);
        found.extend(page.iter().map(|update| update.place));
    }
    assert_eq!(found, places);
}

pub(in crate::store) async fn observed_updates_go_with_the_body_of_their_event(home: &dyn Home) {
    let (store, upkeep) = home.open_upkeep().await;
    let on = async |date| {
        let calendar = Calendar { date, ahead: None };
        upkeep
            .set_calendar(calendar, jiff::Timestamp::MIN)
            .await
            .unwrap();
    };
    on(time(0)).await;
    let updates = (0..5).map(|number| observed(0, number, "ana")).collect();
    accept(&*store, event(vec![group(1, updates)])).await;
    on(time(86_400)).await;
    let newer = accept(&*store, event(vec![group(2, vec![observed(0, 0, "eva")])])).await;
    on(time(3 * 86_400)).await;
    let piece = Prune {
        kind: Retained::Bodies,
        date: time(3 * 86_400),
        age: Duration::from_hours(47),
        rows: 2,
    };
    let mut pieces = 0;
    while upkeep.prune(piece).await.unwrap().more {
        pieces += 1;
        assert!(pieces < 20, "it never ends");
    }
    assert!(pieces > 1, "one piece took more than it may");
    store.close().await;
    drop((store, upkeep));
    let store = home.open_observed().await;
    let left = store.observed(&source("crm"), None, 10).await.unwrap();
    let left: Vec<_> = left.iter().map(|update| update.place.event).collect();
    assert_eq!(left, [newer]);
}
