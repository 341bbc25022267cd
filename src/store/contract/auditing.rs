//! The audit log: what was written down is there, newest first, for its time.

use std::time::Duration;

use super::{Home, samples::time};
use crate::store::{
    AUDIT_KEPT_FOR, Act, AuditEntry, AuditFilter, AuditId, AuditLog, NewAuditEntry,
};

fn reveal(event: u64) -> NewAuditEntry {
    NewAuditEntry {
        at: time(0),
        act: Act::Reveal,
        by: Some("Ana Pérez".parse().unwrap()),
        what: vec![("event", event.to_string()), ("source", "crm".into())],
        count: 1,
    }
}

async fn all(store: &dyn AuditLog) -> Vec<AuditEntry> {
    store.acts(AuditFilter::default(), 100).await.unwrap()
}

pub(in crate::store) async fn an_act_is_there_after_a_restart(home: &dyn Home) {
    let store = home.open_audit().await;
    let id = store.record_act(reveal(7)).await.unwrap();
    let nobody = NewAuditEntry {
        act: Act::Redeliver,
        by: None,
        what: Vec::new(),
        count: 40_000,
        ..reveal(7)
    };
    store.record_act(nobody).await.unwrap();
    let before = all(&*store).await;
    let written = AuditEntry {
        id,
        at: time(0),
        act: Act::Reveal,
        by: Some("Ana Pérez".parse().unwrap()),
        what: vec![
            ("event".into(), "7".into()),
            ("source".into(), "crm".into()),
        ],
        count: 1,
    };
    assert_eq!(before[1], written);
    assert_eq!((&before[0].by, before[0].count), (&None, 40_000));
    drop(store);
    assert_eq!(all(&*home.open_audit().await).await, before);
}

pub(in crate::store) async fn acts_are_listed_newest_first_by_kind_and_page(home: &dyn Home) {
    let store = home.open_audit().await;
    for number in 0..6 {
        let act = [Act::Reveal, Act::Pause][number % 2];
        let entry = NewAuditEntry { act, ..reveal(0) };
        store.record_act(entry).await.unwrap();
    }
    let listed = async |act, before: Option<i64>, limit| {
        let before = before.map(AuditId);
        let filter = AuditFilter { act, before };
        let entries = store.acts(filter, limit).await.unwrap();
        entries.iter().map(|entry| entry.id.0).collect::<Vec<_>>()
    };
    let newest = all(&*store).await[0].id.0;
    let ids = |behind: &[i64]| behind.iter().map(|by| newest - by).collect::<Vec<_>>();
    assert_eq!(listed(None, None, 100).await, ids(&[0, 1, 2, 3, 4, 5]));
    assert_eq!(listed(None, Some(newest - 1), 2).await, ids(&[2, 3]));
    assert_eq!(listed(Some(Act::Reveal), None, 2).await, ids(&[1, 3]));
    assert_eq!(
        listed(Some(Act::Reveal), Some(newest - 3), 2).await,
        ids(&[5])
    );
    assert_eq!(listed(Some(Act::Erase), None, 2).await, ids(&[]));
}

pub(in crate::store) async fn only_acts_of_the_last_two_years_stay(home: &dyn Home) {
    let store = home.open_audit().await;
    for second in [0, 1] {
        let entry = NewAuditEntry {
            at: time(second),
            ..reveal(0)
        };
        store.record_act(entry).await.unwrap();
    }
    // What a wrong clock wrote goes when its time comes, and hides nothing from the tidying.
    let future = NewAuditEntry {
        at: time(0) + AUDIT_KEPT_FOR + Duration::from_secs(1),
        ..reveal(0)
    };
    store.record_act(future).await.unwrap();
    let times: Vec<_> = all(&*store).await.iter().map(|entry| entry.at).collect();
    assert_eq!(
        times,
        [time(0) + AUDIT_KEPT_FOR + Duration::from_secs(1), time(1)]
    );
}
