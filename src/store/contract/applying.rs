//! Applying: what is known of customers grows with what Quentli confirms, and is doubted without being forgotten.

use super::{Home, samples::*};
use crate::{
    customer::{Field, PartKey},
    event::{DeadReason, DeliveryPos, DeliveryState, End, EventSeq, OrderBy, OrganisationName},
    store::{AppliedPart, LeftOut, Standing, Store},
};

fn email() -> PartKey {
    PartKey::Field(Field::Email)
}

fn grade() -> PartKey {
    PartKey::Metadata("Grado".into())
}

/// As the delivery at `pos` leaves it, with everything else made of `pos`.
fn part(part: PartKey, pos: u8) -> AppliedPart {
    AppliedPart {
        part,
        value: [pos; 16],
        is_in_doubt: false,
        source: source("crm"),
        at: time(i64::from(pos)),
        pos: DeliveryPos(pos.into()),
        versions: vec![(source("crm"), OrderBy(i64::from(pos) * 10))],
    }
}

/// Delivers something to a customer that leaves these parts.
async fn confirm(store: &dyn Store, number: u64, who: &str, confirmed: Vec<AppliedPart>) {
    let mut finish = finish(accept_one(store, number, "u1").await, End::Delivered);
    finish.customer = Some(customer(who));
    finish.confirmed = confirmed;
    assert!(store.finish(&organisation(), finish).await.unwrap());
}

async fn known(store: &dyn Store, who: &str) -> Vec<AppliedPart> {
    let mut parts = store
        .applied(&organisation(), &customer(who))
        .await
        .unwrap();
    parts.sort_by(|a, b| a.part.cmp(&b.part));
    for part in &mut parts {
        part.versions.sort();
    }
    parts
}

pub(in crate::store) async fn a_confirmed_part_is_there_after_a_restart(home: &dyn Home) {
    let store = home.open().await;
    let mut bare = part(email(), 1);
    bare.versions.clear();
    confirm(&*store, 1, "cus_1", vec![bare.clone(), part(grade(), 1)]).await;
    store.close().await;
    let store = home.open().await;
    assert_eq!(known(&*store, "cus_1").await, [bare, part(grade(), 1)]);
}

pub(in crate::store) async fn a_confirmed_part_replaces_and_its_position_and_versions_only_grow(
    home: &dyn Home,
) {
    let store = home.open().await;
    confirm(
        &*store,
        1,
        "cus_1",
        vec![part(email(), 5), part(grade(), 5)],
    )
    .await;
    confirm(&*store, 2, "cus_1", vec![part(email(), 6)]).await;
    let expected = [part(email(), 6), part(grade(), 5)];
    assert_eq!(known(&*store, "cus_1").await, expected);
    // An older one that a person had sent all the same.
    confirm(&*store, 3, "cus_1", vec![part(email(), 2)]).await;
    let expected = AppliedPart {
        pos: DeliveryPos(6),
        versions: part(email(), 6).versions,
        ..part(email(), 2)
    };
    assert_eq!(known(&*store, "cus_1").await[0], expected);
}

/// What a file calls a part is no reason to keep its delivery from ending; an engine may know nothing of such a part.
pub(in crate::store) async fn a_part_of_any_name_can_be_confirmed_and_doubted(home: &dyn Home) {
    let store = home.open().await;
    let odd = ["a\0b", "a\u{fffd}b", "'\"\\"].map(|key| PartKey::Metadata(key.into()));
    let confirmed = odd.iter().cloned().map(|key| part(key, 5)).collect();
    confirm(&*store, 1, "cus_1", confirmed).await;
    let [_, likely, quoted] = &odd;
    let shown = known(&*store, "cus_1").await;
    for key in [likely, quoted] {
        assert!(shown.contains(&part(key.clone(), 5)), "{key}: {shown:?}");
    }
    store
        .doubt(&organisation(), &customer("cus_1"), odd.to_vec())
        .await
        .unwrap();
}

pub(in crate::store) async fn each_source_keeps_its_version_when_another_writes(home: &dyn Home) {
    let store = home.open().await;
    confirm(&*store, 1, "cus_1", vec![part(email(), 5)]).await;
    let hers = AppliedPart {
        source: source("sis"),
        versions: vec![(source("sis"), OrderBy(7))],
        ..part(email(), 6)
    };
    confirm(&*store, 2, "cus_1", vec![hers.clone()]).await;
    let versions = vec![(source("crm"), OrderBy(50)), (source("sis"), OrderBy(7))];
    let expected = AppliedPart { versions, ..hers };
    assert_eq!(
        known(&*store, "cus_1").await,
        std::slice::from_ref(&expected)
    );
    // One without a version takes none away.
    let bare = AppliedPart {
        versions: Vec::new(),
        ..part(email(), 8)
    };
    confirm(&*store, 3, "cus_1", vec![bare.clone()]).await;
    let expected = AppliedPart {
        versions: expected.versions,
        ..bare
    };
    assert_eq!(known(&*store, "cus_1").await, [expected]);
}

pub(in crate::store) async fn doubt_takes_nothing_away_but_certainty(home: &dyn Home) {
    let store = home.open().await;
    confirm(
        &*store,
        1,
        "cus_1",
        vec![part(email(), 5), part(grade(), 5)],
    )
    .await;
    let unknown = PartKey::Field(Field::Name);
    let mut doubting = retry(accept_one(&*store, 2, "u1").await, DeliveryState::Waiting);
    doubting.doubt = Some((customer("cus_1"), vec![grade(), unknown]));
    assert!(
        store
            .retry(&organisation(), doubting.clone())
            .await
            .unwrap()
    );
    let doubted = |key| AppliedPart {
        is_in_doubt: true,
        ..part(key, 5)
    };
    let expected = [part(email(), 5), doubted(grade())];
    assert_eq!(known(&*store, "cus_1").await, expected);
    let mut dead = bury(doubting.pos);
    dead.doubt = Some((customer("cus_1"), vec![email()]));
    assert!(store.bury(&organisation(), dead).await.unwrap());
    let expected = [doubted(email()), doubted(grade())];
    assert_eq!(known(&*store, "cus_1").await, expected);
    confirm(&*store, 3, "cus_1", vec![part(email(), 6)]).await;
    assert_eq!(known(&*store, "cus_1").await[0], part(email(), 6));
}

pub(in crate::store) async fn of_a_delivery_that_a_person_ended_what_was_sent_is_in_doubt(
    home: &dyn Home,
) {
    let store = home.open().await;
    let discarded = async |number| {
        let pos = accept_one(&*store, number, "u1").await;
        let discard = finish(pos, End::Discarded);
        assert!(store.finish(&organisation(), discard).await.unwrap());
        pos
    };
    let is_in_doubt = async || known(&*store, "cus_1").await[0].is_in_doubt;
    let new = PartKey::Field(Field::Name);

    confirm(&*store, 1, "cus_1", vec![part(email(), 5)]).await;
    let mut finish = finish(discarded(2).await, End::Delivered);
    finish.confirmed = vec![part(email(), 6), part(new, 6)];
    assert!(!store.finish(&organisation(), finish).await.unwrap());
    let doubted = AppliedPart {
        is_in_doubt: true,
        ..part(email(), 5)
    };
    assert_eq!(known(&*store, "cus_1").await, [doubted]);

    let doubt = Some((customer("cus_1"), vec![email()]));
    confirm(&*store, 3, "cus_1", vec![part(email(), 7)]).await;
    let mut retry = retry(discarded(4).await, DeliveryState::Waiting);
    retry.doubt.clone_from(&doubt);
    assert!(!store.retry(&organisation(), retry).await.unwrap());
    assert!(is_in_doubt().await);

    confirm(&*store, 5, "cus_1", vec![part(email(), 8)]).await;
    let mut bury = bury(discarded(6).await);
    bury.doubt = doubt;
    assert!(!store.bury(&organisation(), bury).await.unwrap());
    assert!(is_in_doubt().await);
}

pub(in crate::store) async fn what_is_known_belongs_to_one_customer_of_one_organisation(
    home: &dyn Home,
) {
    let store = home.open().await;
    confirm(&*store, 1, "cus_1", vec![part(email(), 1)]).await;
    confirm(&*store, 2, "cus_2", vec![part(email(), 2)]).await;
    assert_eq!(known(&*store, "cus_1").await, [part(email(), 1)]);
    assert_eq!(known(&*store, "cus_2").await, [part(email(), 2)]);
    assert_eq!(known(&*store, "cus_3").await, []);
    let other: OrganisationName = "other".parse().unwrap();
    let elsewhere = store.applied(&other, &customer("cus_1")).await.unwrap();
    assert!(elsewhere.is_empty());
    let mut doubting = retry(accept_one(&*store, 3, "u1").await, DeliveryState::Waiting);
    doubting.doubt = Some((customer("cus_2"), vec![email()]));
    store.retry(&other, doubting).await.unwrap();
    assert_eq!(known(&*store, "cus_2").await, [part(email(), 2)]);
}

pub(in crate::store) async fn what_was_left_out_stays_dead_in_its_place_and_a_later_one_replaces_it(
    home: &dyn Home,
) {
    let store = home.open().await;
    let mut expected = Vec::new();
    for number in 1..=2 {
        let pos = accept_one(&*store, number, "u1").await;
        let mut finish = finish(pos, End::Delivered);
        finish.left_out = Some(LeftOut {
            patch: patch().take_out(&[Field::Email]),
            reason: DeadReason {
                code: "conflict",
                message: "taken".into(),
            },
            warning: "sent without email".into(),
        });
        assert!(store.finish(&organisation(), finish).await.unwrap());
        expected.push(pos);
    }
    let dead = store.dead(None, 9).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(pos_of(&dead[0]), expected[1]);
    assert_eq!(dead[0].fields, ["email"]);
    let of_first = store.deliveries_of(EventSeq(1)).await.unwrap();
    let ends: Vec<_> = of_first
        .iter()
        .map(|record| match &record.standing {
            Standing::Ended { end, .. } => (*end, record.fields.clone()),
            open @ Standing::Open { .. } => panic!("{open:?}"),
        })
        .collect();
    assert_eq!(
        ends,
        [
            (End::Delivered, vec!["phoneNumber".to_owned()]),
            (End::Superseded, vec!["email".to_owned()]),
        ]
    );
    assert_eq!(of_first[0].warnings.last().unwrap(), "sent without email");
    assert_eq!(of_first[1].number, 1);
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.created, totals.dead), (4, 1));
    assert_eq!(totals.ended.iter().sum::<u64>(), 3);
}
