//! A person goes with every trace, others stay, and nothing brings the person back.

use super::{Erasing, Home, samples::*};
use crate::{
    customer::{CustomerReference, FindBy, OnConflict, OnMissing},
    event::{AttemptOutcome, DeliveryState, End, EventSeq},
    store::{
        Acceptance, Carried, Fate, NewDelivery, NewRefused, RefusedFilter, RefusedId,
        RefusedLimits, Standing, Store,
        erase::{EraseAfter, ErasePage, Erased, Person},
    },
};

/// Known by id, by user name, and by the address that is in the bodies of `samples`.
fn ana() -> Person {
    Person {
        organisation: organisation(),
        id: Some(customer("cus_1")),
        find: vec![
            FindBy::Username("ana-1".into()),
            FindBy::Email(SECRET.into()),
        ],
    }
}

async fn erase(erasure: &dyn Erasing, person: &Person, dry_run: bool) -> Erased {
    let mut sum = Erased::default();
    let mut after = EraseAfter::NOTHING;
    for _ in 0..1000 {
        let page = ErasePage {
            person: person.clone(),
            sources: vec![source("crm")],
            after,
            dry_run,
            at: time(100),
        };
        let done = erasure.erase(page).await.unwrap();
        sum = sum.plus(&done.erased);
        let Some(next) = done.next else { return sum };
        assert!(next > after);
        after = next;
    }
    panic!("it never ends")
}

fn lonely(person: &str) -> NewDelivery {
    let customer = CustomerReference {
        id: None,
        find: vec![FindBy::Username(person.into())],
        on_missing: OnMissing::Retry,
        on_conflict: OnConflict::Fail,
    };
    let fate = Fate::Waiting {
        lane: customer.lane().unwrap(),
        customer,
        patch: patch(),
        order_by: None,
    };
    delivery(0, 0, fate)
}

async fn accept_with(store: &dyn Store, number: u64, body: &str, one: NewDelivery) -> EventSeq {
    let mut sent = event(vec![group(number, vec![one])]);
    sent.body = body.to_owned().into();
    accept(store, sent).await
}

/// Waiting, looking, dead, ended, unmappable; and the same of somebody else.
async fn fill(store: &dyn Store) {
    accept_with(store, 1, "about ana-1", lonely("ana-1")).await;
    let looking = accept_with(store, 2, "about Ana-1", lonely("ana-1")).await;
    let pos = pos_of(&store.deliveries_of(looking).await.unwrap()[0]);
    let looks = retry(pos, DeliveryState::Looking);
    assert!(store.retry(&organisation(), looks).await.unwrap());
    let dead_one = accept_with(store, 3, "nothing", lonely("ana-1")).await;
    let pos = pos_of(&store.deliveries_of(dead_one).await.unwrap()[0]);
    assert!(store.bury(&organisation(), bury(pos)).await.unwrap());
    let ended = accept_with(store, 4, "nothing", lonely("other-name")).await;
    let pos = pos_of(&store.deliveries_of(ended).await.unwrap()[0]);
    let mut done = finish(pos, End::Delivered);
    done.attempt = Some(attempt(1, AttemptOutcome::Delivered));
    assert!(store.finish(&organisation(), done).await.unwrap());
    accept_with(store, 5, "{\"user\": \"ana-1\"", dead(0, 0)).await;
    // A batch with somebody else.
    let mut batch = event(vec![
        group(6, vec![lonely("ana-1")]),
        group(7, vec![waiting(1, 0, "luis")]),
        group(8, vec![dead(2, 0)]),
    ]);
    batch.body = "ana-1 and luis".into();
    accept(store, batch).await;
    accept_with(store, 9, "about luis and ana-12", lonely("luis")).await;
}

pub(in crate::store) async fn every_trace_of_a_person_goes_and_others_stay(home: &dyn Home) {
    let (store, erasure) = home.open_erasure().await;
    let store = &*store;
    fill(store).await;
    let before = store.totals().await.unwrap();
    let expected = Erased {
        events: 6,
        deliveries: 5,
        history: 1,
        attempts: 2,
        observed: 0,
        bodies: 6,
        applied: 0,
        refused: 0,
    };
    assert_eq!(erase(&*erasure, &ana(), true).await, expected);
    assert_eq!(store.totals().await.unwrap(), before, "it only counted");
    assert!(store.body_of(EventSeq(1)).await.unwrap().is_some());

    assert_eq!(erase(&*erasure, &ana(), false).await, expected);
    let after = store.totals().await.unwrap();
    let open = after.waiting + after.looking + after.dead;
    assert_eq!(after.created, open + after.ended.iter().sum::<u64>());
    assert_eq!((open, after.ended[6]), (3, 5));
    for event in 1..=6 {
        assert_eq!(
            store.body_of(EventSeq(event)).await.unwrap(),
            None,
            "{event}"
        );
        assert_eq!(store.attempts_of(EventSeq(event), 0, 0).await.unwrap(), []);
    }
    for record in store.deliveries_of(EventSeq(1)).await.unwrap() {
        assert!(matches!(
            record.standing,
            Standing::Ended {
                end: End::Erased,
                ..
            }
        ));
        assert_eq!(
            (record.customer, record.fields, record.warnings),
            (None, vec![], vec![])
        );
    }
    assert_eq!(store.deliveries_of(EventSeq(4)).await.unwrap(), []);
    // Luis keeps his update; what could not be mapped stays dead and quotes nothing.
    let batch = store.deliveries_of(EventSeq(6)).await.unwrap();
    assert_eq!(batch.len(), 3);
    let luis = store.take(&organisation(), lane("luis"), 9).await.unwrap();
    assert_eq!((luis.len(), &luis[0].patch), (2, &patch()));
    assert!(!format!("{batch:?}").contains(SECRET), "{batch:?}");
    assert!(store.body_of(EventSeq(7)).await.unwrap().is_some());

    assert_eq!(erase(&*erasure, &ana(), false).await, Erased::default());
}

pub(in crate::store) async fn an_item_beside_known_ones_of_the_person_stays(home: &dyn Home) {
    let (store, erasure) = home.open_erasure().await;
    let store = &*store;
    accept_with(store, 1, "about ana-1", lonely("ana-1")).await;
    let mut both = event(vec![
        group(1, vec![lonely("ana-1")]),
        group(2, vec![dead(1, 0)]),
    ]);
    both.body = "ana-1 again, and luis".into();
    let event = accept(store, both).await;
    let erased = erase(&*erasure, &ana(), false).await;
    assert_eq!((erased.deliveries, erased.bodies), (1, 2));
    let records = store.deliveries_of(event).await.unwrap();
    let [record] = &records[..] else {
        panic!("{records:?}")
    };
    assert!(matches!(record.standing, Standing::Open { .. }));
    assert!(!format!("{record:?}").contains(SECRET), "{record:?}");
}

pub(in crate::store) async fn a_late_repetition_does_not_bring_a_person_back(home: &dyn Home) {
    let (store, erasure) = home.open_erasure().await;
    accept_with(&*store, 1, "about ana-1", lonely("ana-1")).await;
    erase(&*erasure, &ana(), false).await;
    let again = event(vec![group(1, vec![lonely("ana-1")])]);
    let again = store.accept(again).await.unwrap();
    assert!(matches!(again, Acceptance::Duplicate { .. }), "{again:?}");
    assert_eq!(store.totals().await.unwrap().waiting, 0);
}

pub(in crate::store) async fn a_person_of_another_organisation_is_another_person(home: &dyn Home) {
    let (store, erasure) = home.open_erasure().await;
    fill(&*store).await;
    let other = Person {
        organisation: "other".parse().unwrap(),
        ..ana()
    };
    assert_eq!(erase(&*erasure, &other, false).await, Erased::default());
}

pub(in crate::store) async fn an_attempt_on_its_way_ends_without_a_delivery(home: &dyn Home) {
    let (store, erasure) = home.open_erasure().await;
    let event = accept_with(&*store, 1, "about ana-1", lonely("ana-1")).await;
    let pos = pos_of(&store.deliveries_of(event).await.unwrap()[0]);
    erase(&*erasure, &ana(), false).await;
    let late = finish(pos, End::Delivered);
    assert!(!store.finish(&organisation(), late).await.unwrap());
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.ended[0], totals.ended[6]), (0, 1));
}

/// Those of an attempt that was on its way when its customer was erased end before the search comes to their event.
pub(in crate::store) async fn what_ends_as_erased_leaves_no_attempt(home: &dyn Home) {
    let (store, erasure) = home.open_erasure().await;
    let mut batch = event(vec![
        group(1, vec![lonely("ana-1")]),
        group(2, vec![waiting(1, 0, "ana-1")]),
    ]);
    batch.body = "nothing".into();
    let event = accept(&*store, batch).await;
    let tried = store.deliveries_of(event).await.unwrap();
    let [first, second] = [0, 1].map(|place: usize| pos_of(&tried[place]));
    for pos in [first, second] {
        let waits = retry(pos, DeliveryState::Waiting);
        assert!(store.retry(&organisation(), waits).await.unwrap());
    }
    let mut end = finish(first, End::Erased);
    end.customer = None;
    end.carried = vec![Carried {
        pos: second,
        accepted_at: time(0),
        revision: 0,
        end: End::Erased,
        reason: None,
    }];
    assert!(store.finish(&organisation(), end).await.unwrap());
    for item in [0, 1] {
        let attempts = store.attempts_of(event, item, 0).await.unwrap();
        assert_eq!(attempts, [], "{item}");
    }
    assert_eq!(erase(&*erasure, &ana(), true).await, Erased::default());
}

pub(in crate::store) async fn what_was_tried_and_then_given_up_goes_too(home: &dyn Home) {
    let (store, hands) = home.open_hands().await;
    let mut batch = event(vec![
        group(1, vec![lonely("other-name")]),
        group(2, vec![waiting(1, 0, "luis")]),
    ]);
    batch.body = "nothing".into();
    let event = accept(&*store, batch).await;
    let tried = pos_of(&store.deliveries_of(event).await.unwrap()[0]);
    let waits = retry(tried, DeliveryState::Waiting);
    assert!(store.retry(&organisation(), waits).await.unwrap());
    let discarded = hands.discard(vec![tried], None, time(50)).await;
    assert_eq!(discarded.unwrap(), [tried]);
    drop((store, hands));

    let (store, erasure) = home.open_erasure().await;
    let erased = erase(&*erasure, &ana(), false).await;
    assert_eq!((erased.history, erased.attempts), (1, 1));
    assert_eq!(store.attempts_of(event, 0, 0).await.unwrap(), []);
    assert_eq!(erase(&*erasure, &ana(), true).await, Erased::default());
}

pub(in crate::store) async fn many_events_are_searched_page_by_page(home: &dyn Home) {
    let (store, erasure) = home.open_erasure().await;
    for number in 1..=450 {
        let who = if number % 100 == 0 { "ana-1" } else { "luis" };
        accept_with(&*store, number, "nothing", lonely(who)).await;
    }
    let erased = erase(&*erasure, &ana(), false).await;
    assert_eq!((erased.events, erased.deliveries, erased.bodies), (4, 4, 4));
    let person = format!("{:?}", ana());
    assert!(
        !person.contains("ana-1") && !person.contains(SECRET),
        "{person}"
    );
}

pub(in crate::store) async fn large_bodies_are_searched_page_by_page(home: &dyn Home) {
    let (store, erasure) = home.open_erasure().await;
    let large = " ".repeat(1_500_000);
    for number in 1..=8 {
        let about = if number % 2 == 0 { "ana-1" } else { "luis" };
        let body = format!("{large}{about}");
        accept_with(&*store, number, &body, lonely("luis")).await;
    }
    let page = ErasePage {
        person: ana(),
        sources: Vec::new(),
        after: EraseAfter::NOTHING,
        dry_run: true,
        at: time(100),
    };
    let first = erasure.erase(page).await.unwrap();
    assert_eq!(first.next, Some(EraseAfter::Event(EventSeq(3))));
    let erased = erase(&*erasure, &ana(), false).await;
    assert_eq!((erased.events, erased.deliveries, erased.bodies), (4, 0, 4));
}

const MUCH_REFUSED: RefusedLimits = RefusedLimits {
    rows: 1000,
    kept: 1000,
    kept_bytes: 100 << 20,
};

/// A refused request of a source that was kept whole.
fn kept(mark: u8, of: &str, body: &str) -> NewRefused {
    refused_and_kept(mark, of, &format!("/webhooks/{of}"), &[], body.as_bytes())
}

async fn still_kept(erasure: &dyn Erasing) -> Vec<i64> {
    let listed = erasure
        .refused(RefusedFilter::default(), 999)
        .await
        .unwrap();
    let kept = listed.iter().filter(|refused| refused.kept_until.is_some());
    let mut kept: Vec<i64> = kept.map(|refused| refused.id.0).collect();
    kept.sort_unstable();
    kept
}

pub(in crate::store) async fn refused_requests_are_searched_page_by_page(home: &dyn Home) {
    let (store, erasure) = home.open_erasure().await;
    accept_with(&*store, 1, "about ana-1", lonely("ana-1")).await;
    let large = " ".repeat(900_000);
    for number in 1..=7 {
        let about = if number % 2 == 0 { "ana-1" } else { "luis" };
        let refused = vec![kept(number, "crm", &format!("{large}{about}"))];
        erasure.record_refused(refused, MUCH_REFUSED).await.unwrap();
    }
    let ids = still_kept(&*erasure).await;
    assert_eq!(ids.len(), 7);
    let id = |place: usize| Some(EraseAfter::Refused(RefusedId(ids[place])));
    let mut page = ErasePage {
        person: ana(),
        sources: vec![source("crm")],
        after: EraseAfter::NOTHING,
        dry_run: true,
        at: time(100),
    };
    for (next, expected) in [
        (Some(EraseAfter::Refused(RefusedId(0))), 0),
        (id(2), 1),
        (id(5), 2),
        (None, 0),
    ] {
        let done = erasure.erase(page.clone()).await.unwrap();
        assert_eq!((done.next, done.erased.refused), (next, expected));
        page.after = next.unwrap_or(page.after);
    }
    assert_eq!(still_kept(&*erasure).await, ids, "it only counted");

    let erased = erase(&*erasure, &ana(), false).await;
    assert_eq!((erased.events, erased.bodies, erased.refused), (1, 1, 3));
    let expected = [0, 2, 4, 6].map(|place: usize| ids[place]);
    assert_eq!(still_kept(&*erasure).await, expected);
    assert_eq!(erase(&*erasure, &ana(), false).await, Erased::default());
}

pub(in crate::store) async fn what_a_source_without_events_refused_is_erased_where_it_is_the_organisations(
    home: &dyn Home,
) {
    let (store, erasure) = home.open_erasure().await;
    for (number, of, organisation) in [
        (1, "north", organisation()),
        (2, "south", "south".parse().unwrap()),
    ] {
        let mut sent = event(vec![group(number, vec![lonely("luis")])]);
        (sent.source, sent.organisation) = (source(of), organisation);
        accept(&*store, sent).await;
    }
    // `crm` is of the organisation by its file, `north` was by its latest event; of `nobody` nothing is known.
    for (mark, of) in [(1, "crm"), (2, "nobody"), (3, "north"), (4, "south")] {
        let refused = vec![kept(mark, of, "about ana-1")];
        erasure.record_refused(refused, MUCH_REFUSED).await.unwrap();
    }
    let ids = still_kept(&*erasure).await;
    assert_eq!(erase(&*erasure, &ana(), false).await.refused, 2);
    assert_eq!(still_kept(&*erasure).await, [ids[1], ids[3]]);
}
