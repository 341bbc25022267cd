//! What sources in the mode `observe` would have sent.

use std::time::Duration;

use super::{Home, samples::*};
use crate::{
    event::{DeliveryPos, End, NewerData, OBSERVED, OrderBy, Redelivery},
    store::{
        DeliveryRecord, NewDelivery, ObservedPlace, Standing,
        upkeep::{Calendar, Prune, Retained},
    },
};

pub(super) fn observed(item: u32, number: u32, who: &str) -> NewDelivery {
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

pub(in crate::store) async fn what_was_observed_is_sent_at_its_own_place_and_counted_once(
    home: &dyn Home,
) {
    let (store, hands) = home.open_hands().await;
    let updates = vec![
        observed(0, 0, "ana"),
        observed(1, 0, "eva"),
        observed(2, 0, "ana"),
    ];
    let seq = accept(&*store, event(vec![group(1, updates)])).await;
    let later = accept_one(&*store, 2, "ana").await;
    let crm = source("crm");
    let page = async |after, limit| {
        let newest = hands.newest().await.unwrap();
        let page = hands.observed_deliveries(crm.clone(), after, newest, limit);
        page.await.unwrap()
    };
    let first = page(DeliveryPos(0), 2).await;
    let items: Vec<_> = first.iter().map(|each| (each.event, each.item)).collect();
    assert_eq!(items, [(seq, 0), (seq, 1)], "oldest first");
    let rest = page(first[1].pos, 9).await;
    assert_eq!(rest.len(), 1);
    assert!(first[0].pos < rest[0].pos && rest[0].pos < later);
    let nobody = hands.observed_deliveries(source("sis"), DeliveryPos(0), later, 9);
    assert_eq!(nobody.await.unwrap(), []);

    let how = Redelivery {
        at: time(100),
        newer: NewerData::Kept,
    };
    let both = vec![first[0].pos, rest[0].pos, later, DeliveryPos(999)];
    let sent = hands.send_observed(crm.clone(), both.clone(), how).await;
    let sent: Vec<_> = sent.unwrap().iter().map(|head| head.pos).collect();
    assert_eq!(sent, both[..2]);
    let again = hands.send_observed(crm.clone(), both.clone(), how).await;
    assert_eq!(again.unwrap(), [], "once");
    let left = page(DeliveryPos(0), 9).await;
    assert_eq!(left, first[1..]);
    store.close().await;
    drop((store, hands));

    let (store, _hands) = home.open_hands().await;
    let taken = store.take(&organisation(), lane("ana"), 9).await.unwrap();
    let places: Vec<_> = taken.iter().map(|each| (each.pos, each.place())).collect();
    let (a, b) = (first[0].pos, rest[0].pos);
    assert_eq!(places, [(a, a), (b, b), (later, later)]);
    assert_eq!(taken[0].redelivery, Some(how));
    assert_eq!(
        (&taken[0].patch, taken[0].order_by),
        (&patch(), Some(OrderBy(7)))
    );
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.created, totals.waiting), (4, 3), "{totals:?}");
    assert_eq!(totals.ended.iter().sum::<u64>(), 1, "{totals:?}");
    let finish = finish(a, End::Delivered);
    assert!(store.finish(&organisation(), finish).await.unwrap());
    let records = store.deliveries_of(seq).await.unwrap();
    let Standing::Ended { end, .. } = &records[0].standing else {
        panic!("{records:?}")
    };
    assert_eq!(*end, End::Delivered);
    assert_eq!(records[0].fields, ["email", "phoneNumber"]);
    assert!(matches!(records[2].standing, Standing::Open { .. }));
}
