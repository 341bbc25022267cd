//! By hand: what people change of deliveries is seen at once, at its place, and counted.

use super::{
    Home,
    redelivering::{again, bury_one, lane_of, record_at, totals_add_up},
    samples::*,
};
use crate::{
    customer::{Field, PartKey},
    event::{AttemptOutcome, DeliveryPos, DeliveryState, End, OrderBy},
    store::{AppliedPart, Fate, Finish, OpenFilter, Pause, PauseScope, Retry, Standing},
};

pub(in crate::store) async fn open_deliveries_are_found_by_what_is_asked(home: &dyn Home) {
    let (store, hands) = home.open_hands().await;
    let dead = bury_one(&*store, 1, "u1").await;
    let waits = accept_one(&*store, 2, "u2").await;
    let looks = accept_one(&*store, 3, "u3").await;
    let looking = Retry {
        attempt: crate::event::Attempt {
            customer: None,
            ..attempt(1, AttemptOutcome::Retry)
        },
        ..retry(looks, DeliveryState::Looking)
    };
    store.retry(&organisation(), looking).await.unwrap();
    let mut other = event(vec![group(4, vec![super::samples::dead(0, 0)])]);
    other.source = source("sis");
    other.organisation = "norte".parse().unwrap();
    other.received_at = time(50);
    let other = accept(&*store, other).await;
    let failed = pos_of(&store.deliveries_of(other).await.unwrap()[0]);

    assert_eq!(
        hands.newest().await.unwrap(),
        failed,
        "also what never waited"
    );
    let all = OpenFilter::default;
    let of_states = |states: &[DeliveryState]| OpenFilter {
        states: states.to_vec(),
        ..all()
    };
    let table = [
        (all(), vec![dead, waits, looks, failed]),
        (of_states(&[DeliveryState::Dead]), vec![dead, failed]),
        (
            of_states(&[DeliveryState::Waiting, DeliveryState::Looking]),
            vec![waits, looks],
        ),
        (
            OpenFilter {
                source: Some(source("sis")),
                ..of_states(&[DeliveryState::Dead])
            },
            vec![failed],
        ),
        (
            OpenFilter {
                source: Some(source("crm")),
                ..all()
            },
            vec![dead, waits, looks],
        ),
        (
            OpenFilter {
                organisation: Some("norte".parse().unwrap()),
                ..all()
            },
            vec![failed],
        ),
        (
            OpenFilter {
                code: Some("mapping".to_owned()),
                ..all()
            },
            vec![dead, failed],
        ),
        (
            OpenFilter {
                code: Some("refused".to_owned()),
                ..all()
            },
            vec![],
        ),
        (
            OpenFilter {
                customer: Some(customer("cus_1")),
                ..all()
            },
            vec![dead],
        ),
        (
            OpenFilter {
                event: Some(other),
                ..all()
            },
            vec![failed],
        ),
        (
            OpenFilter {
                since: Some(time(50)),
                ..all()
            },
            vec![failed],
        ),
        (
            OpenFilter {
                until: Some(time(50)),
                ..all()
            },
            vec![dead, waits, looks],
        ),
        (
            OpenFilter {
                up_to: Some(waits),
                ..all()
            },
            vec![dead, waits],
        ),
    ];
    for (filter, expected) in table {
        for limit in [1, 2, 100] {
            let (mut found, mut after) = (Vec::new(), DeliveryPos(0));
            loop {
                let page = hands.open_deliveries(filter.clone(), after, limit).await;
                let page = page.unwrap();
                assert!(page.deliveries.len() <= usize::try_from(limit).unwrap());
                found.extend(page.deliveries.iter().map(|open| open.pos));
                let Some(next) = page.next else { break };
                assert!(next > after);
                after = next;
            }
            assert_eq!(found, expected, "{filter:?} by {limit}");
        }
    }
}

pub(in crate::store) async fn an_open_delivery_shows_what_would_be_sent(home: &dyn Home) {
    let (store, hands) = home.open_hands().await;
    let pos = bury_one(&*store, 1, "u1").await;
    let open = hands.open_delivery(pos).await.unwrap().unwrap();
    assert_eq!(open.code.as_deref(), Some("mapping"));
    assert_eq!(
        open.customer,
        Some(customer("cus_1")),
        "an attempt found it"
    );
    let delivery = open.delivery.unwrap();
    assert_eq!(delivery.patch, patch());
    assert_eq!(delivery.customer, reference("u1"));
    assert_eq!(delivery.order_by, Some(OrderBy(7)));
    let fate = Fate::Dead {
        reason: reason(),
        update: None,
    };
    let unmapped = event(vec![group(2, vec![super::samples::delivery(0, 0, fate)])]);
    let unmapped = accept(&*store, unmapped).await;
    let unmapped = pos_of(&store.deliveries_of(unmapped).await.unwrap()[0]);
    let open = hands.open_delivery(unmapped).await.unwrap().unwrap();
    assert_eq!((open.delivery, open.customer), (None, None));
    let nowhere = hands.open_delivery(DeliveryPos(999)).await.unwrap();
    assert_eq!(nowhere, None);
}

pub(in crate::store) async fn what_is_discarded_ends_and_says_why(home: &dyn Home) {
    let (store, hands) = home.open_hands().await;
    let dead = bury_one(&*store, 1, "u1").await;
    let waits = accept_one(&*store, 2, "u1").await;
    let looks = accept_one(&*store, 3, "u2").await;
    store
        .retry(&organisation(), retry(looks, DeliveryState::Looking))
        .await
        .unwrap();
    let reason = Some("a test event".to_owned());
    let positions = vec![dead, waits, looks, DeliveryPos(999)];
    let discarded = hands.discard(positions, reason.clone(), time(70)).await;
    assert_eq!(discarded.unwrap(), [dead, waits, looks]);
    assert_eq!(totals_add_up(&*store).await, (0, 0, 0));
    assert_eq!(lane_of(&*store, "u1").await, []);
    let record = record_at(&*store, 1).await;
    assert_eq!(
        record.standing,
        Standing::Ended {
            end: End::Discarded,
            reason,
            at: time(70)
        }
    );
    let again = hands.discard(vec![dead], None, time(80)).await.unwrap();
    assert_eq!(again, [], "it has ended");
}

pub(in crate::store) async fn what_was_perhaps_sent_is_in_doubt_once_a_person_changes_it(
    home: &dyn Home,
) {
    let (store, hands) = home.open_hands().await;
    let confirm = async |number, part: PartKey| {
        let carrier = accept_one(&*store, number, "carrier").await;
        let applied = AppliedPart {
            part,
            value: [7; 16],
            is_in_doubt: false,
            source: source("crm"),
            at: time(0),
            pos: carrier,
            versions: Vec::new(),
        };
        let finish = Finish {
            confirmed: vec![applied],
            ..finish(carrier, End::Delivered)
        };
        assert!(store.finish(&organisation(), finish).await.unwrap());
    };
    confirm(50, PartKey::Field(Field::Email)).await;
    let known = async || {
        let applied = store.applied(&organisation(), &customer("cus_1")).await;
        let applied = applied.unwrap();
        assert_eq!(applied.len(), 1);
        !applied[0].is_in_doubt
    };
    let dead = bury_one(&*store, 1, "u1").await;
    hands.redeliver(vec![dead], again()).await.unwrap();
    assert!(known().await, "its death said what is in doubt");
    hands.redeliver(vec![dead], again()).await.unwrap();
    assert!(!known().await, "it was back in its lane");
    confirm(51, PartKey::Field(Field::Email)).await;
    let tried = accept_one(&*store, 2, "u1").await;
    store
        .retry(&organisation(), retry(tried, DeliveryState::Waiting))
        .await
        .unwrap();
    assert!(known().await);
    hands.discard(vec![tried], None, time(70)).await.unwrap();
    assert!(!known().await);
}

pub(in crate::store) async fn a_pause_is_kept_until_somebody_ends_it(home: &dyn Home) {
    let (store, hands) = home.open_hands().await;
    let pause = |scope: PauseScope, who: &str| Pause {
        scope,
        at: time(5),
        ended_at: None,
        by: Some(who.to_owned()),
        reason: Some("the list is being mended".to_owned()),
    };
    let of_source = PauseScope::Source(source("sis"));
    let of_organisation = PauseScope::Organisation(organisation());
    let by_ana = pause(of_source.clone(), "ana");
    assert!(hands.pause(by_ana.clone()).await.unwrap());
    assert!(!hands.pause(pause(of_source.clone(), "luis")).await.unwrap());
    let whole = pause(of_organisation.clone(), "luis");
    assert!(hands.pause(whole.clone()).await.unwrap());
    store.close().await;
    drop((store, hands));

    let (_store, hands) = home.open_hands().await;
    assert_eq!(hands.pauses().await.unwrap(), [whole, by_ana]);
    assert!(hands.resume(of_source.clone(), time(9)).await.unwrap());
    assert!(!hands.resume(of_source.clone(), time(10)).await.unwrap());
    let left = hands.pauses().await.unwrap();
    let ends: Vec<_> = left.iter().map(|pause| pause.ended_at).collect();
    assert_eq!(ends, [None, Some(time(9))]);
    let again = pause(of_source, "luis");
    assert!(hands.pause(again.clone()).await.unwrap());
    assert_eq!(hands.pauses().await.unwrap()[1], again);
}

pub(in crate::store) async fn a_change_of_too_many_is_refused_whole(home: &dyn Home) {
    let (store, hands) = home.open_hands().await;
    let pos = bury_one(&*store, 1, "u1").await;
    let many = vec![pos; crate::store::MOST_CHANGED + 1];
    hands.redeliver(many.clone(), again()).await.unwrap_err();
    hands.discard(many, None, time(1)).await.unwrap_err();
    assert_eq!(totals_add_up(&*store).await, (0, 0, 1));
}
