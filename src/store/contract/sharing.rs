//! What several holders can show: only for engines that more than one process can open at a time.

use std::time::Duration;

use super::leasing::{LONG, lease, name, replica, word};
use crate::{
    customer::PartKey,
    event::{DeliveryPos, DeliveryState, End, OrganisationName},
    store::{
        LeaseName, Leases, Store, StoreError, Word,
        contract::{
            Home,
            samples::{accept_one, bury, customer, finish, organisation, retry},
        },
    },
};

/// So short that a test can wait for its end.
const SHORT: Duration = Duration::from_millis(300);

/// Waits until the lease can be claimed, and claims it.
async fn claim_when_free(leases: &dyn Leases, by: &str, lasts: Duration) -> i64 {
    loop {
        let claim = leases.claim(&name(), &replica(by), lasts).await.unwrap();
        if let Some(claim) = claim {
            return claim.epoch;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn is_fenced<T: std::fmt::Debug>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::NotHeld { lease }) if *lease == name())
}

/// Whether each of the calls that need the lease is refused for want of it.
async fn are_all_fenced(store: &dyn Store, pos: DeliveryPos) -> bool {
    let organisation = organisation();
    let finished = store
        .finish(&organisation, finish(pos, End::Delivered))
        .await;
    let retried = store
        .retry(&organisation, retry(pos, DeliveryState::Waiting))
        .await;
    let buried = store.bury(&organisation, bury(pos)).await;
    let doubted = store
        .doubt(&organisation, &customer("cus_1"), Vec::<PartKey>::new())
        .await;
    is_fenced(&finished) && is_fenced(&retried) && is_fenced(&buried) && is_fenced(&doubted)
}

pub(in crate::store) async fn what_one_holds_another_is_not_given(home: &dyn Home) {
    let (_one_store, one) = home.open_leases().await;
    let (_two_store, two) = home.open_leases().await;
    assert!(one.is_shared() && one.process() != two.process());
    let claim = one.claim(&name(), &replica("one"), LONG).await.unwrap();
    assert_eq!(claim.unwrap().epoch, 1);
    let refused = two.claim(&name(), &replica("two"), LONG).await.unwrap();
    assert_eq!(refused, None);
    let other = LeaseName::Organisation("other".parse().unwrap());
    let claim = two.claim(&other, &replica("two"), LONG).await.unwrap();
    assert!(claim.is_some(), "leases are each by itself");
    assert_eq!(lease(&*two, &name()).await.unwrap().process, one.process());
}

pub(in crate::store) async fn of_many_claims_at_once_one_is_given(home: &dyn Home) {
    let mut claims = tokio::task::JoinSet::new();
    for number in 0..4 {
        let (store, leases) = home.open_leases().await;
        claims.spawn(async move {
            let by = replica(&format!("r{number}"));
            let claim = leases.claim(&name(), &by, LONG).await.unwrap();
            drop(store);
            claim.is_some()
        });
    }
    let given = claims.join_all().await;
    assert_eq!(given.iter().filter(|is_given| **is_given).count(), 1);
}

pub(in crate::store) async fn a_released_lease_goes_to_another_at_once(home: &dyn Home) {
    let (store, one) = home.open_leases().await;
    let (_two_store, two) = home.open_leases().await;
    let pos = accept_one(&*store, 1, "ana").await;
    one.claim(&name(), &replica("one"), LONG).await.unwrap();
    one.release(&name()).await.unwrap();
    let claim = two.claim(&name(), &replica("two"), LONG).await.unwrap();
    assert_eq!(claim.unwrap().epoch, 2);
    assert!(are_all_fenced(&*store, pos).await);
    two.release(&name()).await.unwrap();
    let claim = one.claim(&name(), &replica("one"), LONG).await.unwrap();
    assert_eq!(claim.unwrap().epoch, 3);
    assert!(
        store
            .finish(&organisation(), finish(pos, End::Delivered))
            .await
            .unwrap()
    );
}

pub(in crate::store) async fn past_its_end_a_lease_is_lost_and_its_writes_are_refused(
    home: &dyn Home,
) {
    let (store, one) = home.open_leases().await;
    let (two_store, two) = home.open_leases().await;
    let pos = accept_one(&*store, 1, "ana").await;
    one.claim(&name(), &replica("one"), SHORT).await.unwrap();
    let renewed = one.renew(&name(), SHORT, Word::default()).await;
    assert_eq!(renewed.unwrap(), 0);
    assert_eq!(claim_when_free(&*two, "two", LONG).await, 2);
    assert!(is_fenced(&one.renew(&name(), LONG, Word::default()).await));
    assert!(are_all_fenced(&*store, pos).await);
    assert_eq!(store.totals().await.unwrap().waiting, 1, "nothing changed");
    // What the former holder gives back is not the new holder's.
    one.release(&name()).await.unwrap();
    assert!(
        two_store
            .finish(&organisation(), finish(pos, End::Delivered))
            .await
            .unwrap()
    );
}

pub(in crate::store) async fn past_its_end_a_lease_is_lost_also_where_nobody_wants_it(
    home: &dyn Home,
) {
    let (store, one) = home.open_leases().await;
    let pos = accept_one(&*store, 1, "ana").await;
    one.claim(&name(), &replica("one"), SHORT).await.unwrap();
    while lease(&*one, &name()).await.is_some() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(are_all_fenced(&*store, pos).await);
    assert!(is_fenced(&one.renew(&name(), LONG, Word::default()).await));
    assert_eq!(claim_when_free(&*one, "one", LONG).await, 2);
    assert!(
        store
            .finish(&organisation(), finish(pos, End::Delivered))
            .await
            .unwrap()
    );
}

pub(in crate::store) async fn without_a_lease_nothing_of_an_organisation_can_be_written(
    home: &dyn Home,
) {
    let (store, leases) = home.open_leases().await;
    let pos = accept_one(&*store, 1, "ana").await;
    let other = LeaseName::Organisation("other".parse().unwrap());
    leases.claim(&other, &replica("one"), LONG).await.unwrap();
    assert!(are_all_fenced(&*store, pos).await);
}

pub(in crate::store) async fn a_renewed_lease_outlives_its_first_end(home: &dyn Home) {
    let (store, one) = home.open_leases().await;
    let (_two_store, two) = home.open_leases().await;
    let pos = accept_one(&*store, 1, "ana").await;
    one.claim(&name(), &replica("one"), SHORT).await.unwrap();
    one.renew(&name(), LONG, word("well", 0)).await.unwrap();
    // By the clock that counts, which is the store's.
    let first_end = lease(&*one, &name()).await.unwrap().since + SHORT;
    let other = LeaseName::Organisation("other".parse().unwrap());
    loop {
        two.claim(&other, &replica("two"), LONG).await.unwrap();
        if lease(&*two, &other).await.unwrap().since > first_end {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let refused = two.claim(&name(), &replica("two"), LONG).await.unwrap();
    assert_eq!(refused, None);
    assert!(
        store
            .finish(&organisation(), finish(pos, End::Delivered))
            .await
            .unwrap()
    );
}

pub(in crate::store) async fn everybody_sees_who_is_there(home: &dyn Home) {
    let (_one_store, one) = home.open_leases().await;
    let (_two_store, two) = home.open_leases().await;
    one.attend(&replica("one"), "1", LONG).await.unwrap();
    let there = two.attend(&replica("two"), "2", LONG).await.unwrap();
    let mut expected = [one.process(), two.process()];
    expected.sort();
    let processes: Vec<_> = there.iter().map(|replica| replica.process).collect();
    assert_eq!(processes, expected);

    two.depart().await.unwrap();
    let there = one.attend(&replica("one"), "1", SHORT).await.unwrap();
    assert_eq!(there.len(), 1, "who departed is not counted");
    loop {
        let there = two.attend(&replica("two"), "2", LONG).await.unwrap();
        if there.len() == 1 && there[0].process == two.process() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(in crate::store) async fn what_people_do_is_seen_by_every_process(home: &dyn Home) {
    let (_one_store, one) = home.open_leases().await;
    let (_two_store, two) = home.open_leases().await;
    one.claim(&name(), &replica("one"), LONG).await.unwrap();
    two.raise(&[organisation()]).await.unwrap();
    assert_eq!(two.ask_reload().await.unwrap(), 1);
    let changes = one.changes().await.unwrap();
    assert_eq!(
        (changes.reload, changes.organisations[&organisation()]),
        (1, 1)
    );
    let seen = one.renew(&name(), LONG, word("well", 1)).await.unwrap();
    assert_eq!(seen, 1);
    let shown = lease(&*two, &name()).await.unwrap();
    assert_eq!((shown.status.as_deref(), shown.seen), (Some("well"), 1));
    let crm: OrganisationName = "crm".parse().unwrap();
    assert_eq!(changes.organisations.get(&crm), None);
}
