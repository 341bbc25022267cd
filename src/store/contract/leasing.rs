//! Who does what: what holds also where there is only one process. What several can show is in `sharing`.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Home,
    samples::{organisation, time},
};
use crate::{
    event::{DeliveryPos, LaneKey, OrganisationName},
    store::{
        Changes, ErasedCustomer, Lease, LeaseName, Leases, MOST_STATUS_BYTES, ReplicaName, Word,
    },
};

/// Longer than any test.
pub(super) const LONG: Duration = Duration::from_mins(10);

pub(super) fn name() -> LeaseName {
    LeaseName::Organisation(organisation())
}

pub(super) fn replica(name: &str) -> ReplicaName {
    name.parse().unwrap()
}

pub(super) fn word(status: &str, seen: u64) -> Word {
    Word {
        status: Some(status.to_owned()),
        seen,
    }
}

pub(super) async fn lease(leases: &dyn Leases, name: &LeaseName) -> Option<Lease> {
    let all = leases.leases().await.unwrap();
    all.into_iter().find(|lease| lease.name == *name)
}

pub(in crate::store) async fn a_free_lease_is_given_and_shown(home: &dyn Home) {
    let (_store, leases) = home.open_leases().await;
    let crm = LeaseName::Organisation("crm".parse().unwrap());
    for name in [&crm, &LeaseName::Upkeep] {
        let claim = leases.claim(name, &replica("one"), LONG).await.unwrap();
        assert_eq!(claim.unwrap().epoch, 1);
    }
    let all = leases.leases().await.unwrap();
    let names: Vec<_> = all.iter().map(|lease| lease.name.clone()).collect();
    assert_eq!(names, [LeaseName::Upkeep, crm.clone()], "by name");
    let shown = lease(&*leases, &crm).await.unwrap();
    assert_eq!(shown.process, leases.process());
    assert_eq!(shown.replica, replica("one"));
    assert_eq!((shown.epoch, shown.status, shown.seen), (1, None, 0));
    assert!(shown.since > time(0) && shown.renewed >= shown.since);
}

pub(in crate::store) async fn a_holders_word_is_shown_from_its_renewal_on(home: &dyn Home) {
    let (_store, leases) = home.open_leases().await;
    leases.claim(&name(), &replica("one"), LONG).await.unwrap();
    let renewed = leases.renew(&name(), LONG, word("{\"n\":1}", 3)).await;
    assert_eq!(renewed.unwrap(), 0, "the number of changes");
    let shown = lease(&*leases, &name()).await.unwrap();
    assert_eq!(shown.status.as_deref(), Some("{\"n\":1}"));
    assert_eq!(shown.seen, 3);

    let long = "x".repeat(MOST_STATUS_BYTES + 1);
    leases.renew(&name(), LONG, word(&long, 4)).await.unwrap();
    let shown = lease(&*leases, &name()).await.unwrap();
    assert_eq!(
        (shown.status, shown.seen),
        (None, 4),
        "it is too long to keep"
    );

    leases.claim(&name(), &replica("one"), LONG).await.unwrap();
    let shown = lease(&*leases, &name()).await.unwrap();
    assert_eq!(shown.status, None, "a claim begins anew");
}

pub(in crate::store) async fn a_released_lease_is_nobodys_and_can_be_claimed(home: &dyn Home) {
    let (_store, leases) = home.open_leases().await;
    leases.release(&name()).await.unwrap();
    leases.claim(&name(), &replica("one"), LONG).await.unwrap();
    leases.release(&name()).await.unwrap();
    assert_eq!(lease(&*leases, &name()).await, None);
    let renewed = leases.renew(&name(), LONG, Word::default()).await;
    assert!(matches!(renewed, Err(crate::store::StoreError::NotHeld { lease }) if lease == name()));
    let claim = leases.claim(&name(), &replica("one"), LONG).await.unwrap();
    assert!(claim.is_some());
}

pub(in crate::store) async fn a_number_grows_for_whom_it_concerns(home: &dyn Home) {
    let (_store, leases) = home.open_leases().await;
    let crm: OrganisationName = "crm".parse().unwrap();
    assert_eq!(leases.changes().await.unwrap(), Changes::default());
    leases.raise(&[organisation()]).await.unwrap();
    leases.raise(&[organisation(), crm.clone()]).await.unwrap();
    leases.raise(&[]).await.unwrap();
    assert_eq!(leases.ask_reload().await.unwrap(), 1);
    let known = Changes {
        reload: 1,
        organisations: BTreeMap::from([(organisation(), 2), (crm, 1)]),
    };
    assert_eq!(leases.changes().await.unwrap(), known);

    let claim = leases.claim(&name(), &replica("one"), LONG).await.unwrap();
    assert_eq!(claim.unwrap().changes, 2);
    assert_eq!(lease(&*leases, &name()).await.unwrap().seen, 2);
    leases.raise(&[organisation()]).await.unwrap();
    let renewed = leases.renew(&name(), LONG, Word::default()).await;
    assert_eq!(renewed.unwrap(), 3);
}

pub(in crate::store) async fn an_erased_customer_is_remembered_by_its_hash(home: &dyn Home) {
    let (_store, leases) = home.open_leases().await;
    let erased = |id: Option<&str>, up_to| ErasedCustomer {
        customer: id.map(|id| LaneKey::of("id", id)),
        up_to: DeliveryPos(up_to),
    };
    let crm: OrganisationName = "crm".parse().unwrap();
    for note in [
        erased(Some("cus_1"), 7),
        erased(Some("cus_2"), 3),
        erased(Some("cus_1"), 5),
        erased(Some("cus_2"), 4),
        erased(None, 8),
    ] {
        leases.note_erased(&organisation(), note).await.unwrap();
    }
    let mut known = leases.erased(&organisation()).await.unwrap();
    known.sort_by_key(|note| note.up_to);
    assert_eq!(
        known,
        [
            erased(Some("cus_2"), 4),
            erased(Some("cus_1"), 7),
            erased(None, 8)
        ]
    );
    assert_eq!(leases.erased(&crm).await.unwrap(), []);
}

pub(in crate::store) async fn who_is_there_is_shown_until_it_departs(home: &dyn Home) {
    let (_store, leases) = home.open_leases().await;
    let there = leases.attend(&replica("one"), "1.2.3", LONG).await.unwrap();
    let [one] = &there[..] else {
        panic!("{there:?}");
    };
    assert_eq!(
        (one.process, &one.name),
        (leases.process(), &replica("one"))
    );
    assert_eq!(one.version, "1.2.3");
    let again = leases.attend(&replica("one"), "1.2.3", LONG).await.unwrap();
    assert_eq!(again, there, "since when it is there stays");
    leases.depart().await.unwrap();
}
