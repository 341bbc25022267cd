//! Refused requests: bounded, counted where they are equal, kept whole for a time, private.

use bytes::Bytes;

use super::{Home, samples::*};
use crate::{
    event::EventSeq,
    store::{
        KeptRequest, NewRefused, RefusedFilter, RefusedId, RefusedLimits, RefusedRecord,
        RefusedRequests, RequestFacts,
    },
};

const LIMITS: RefusedLimits = RefusedLimits {
    rows: 3,
    kept: 4,
    kept_bytes: 1 << 20,
};

fn refused(mark: u8, name: &str) -> NewRefused {
    NewRefused {
        source: source(name),
        mark: [mark; 16],
        first_at: time(i64::from(mark)),
        last_at: time(i64::from(mark)),
        times: 1,
        reason: "no-match",
        status: 401,
        facts: RequestFacts {
            method: "POST".into(),
            headers: vec![
                ("user-agent".into(), Some("school/1".into())),
                ("authorization".into(), None),
            ],
            query: vec!["key".into()],
            body_bytes: Some(12),
            body_hash: Some("ab".repeat(16)),
            client: Some([192, 0, 2, 1].into()),
        },
        kept: None,
    }
}

fn request(body: &'static [u8]) -> KeptRequest {
    KeptRequest {
        received_at: time(1),
        method: "POST".into(),
        path_and_query: format!("/webhooks/crm?key={SECRET}"),
        headers: vec![
            ("x-signature".into(), SECRET.as_bytes().to_vec()),
            ("x-bytes".into(), vec![0xff, 0x80, b' ']),
        ],
        body: Bytes::from_static(body),
        client: [192, 0, 2, 1].into(),
        through_trusted_proxy: true,
    }
}

/// Kept until the second `until`.
fn kept(mark: u8, until: i64) -> NewRefused {
    NewRefused {
        kept: Some((request(b"{}"), time(until))),
        ..refused(mark, "crm")
    }
}

async fn all(store: &dyn RefusedRequests) -> Vec<RefusedRecord> {
    store.refused(RefusedFilter::default(), 100).await.unwrap()
}

/// The marks' numbers, by the time that `refused` gives them.
async fn marks(store: &dyn RefusedRequests, filter: RefusedFilter, limit: u32) -> Vec<i64> {
    let records = store.refused(filter, limit).await.unwrap();
    let second = |record: &RefusedRecord| record.first_at.as_second() - time(0).as_second();
    records.iter().map(second).collect()
}

pub(in crate::store) async fn a_refused_request_is_there_after_a_restart(home: &dyn Home) {
    let store = home.open_refused().await;
    let sent = refused(1, "crm");
    store
        .record_refused(vec![sent.clone()], LIMITS)
        .await
        .unwrap();
    let before = all(&*store).await;
    assert_eq!(before.len(), 1);
    let record = &before[0];
    assert_eq!(record.facts, sent.facts);
    assert_eq!((record.reason.as_str(), record.status), ("no-match", 401));
    assert_eq!((record.kept_until, record.accepted), (None, None));
    drop(store);

    let store = home.open_refused().await;
    assert_eq!(all(&*store).await, before);
    let id = before[0].id;
    assert_eq!(
        store.refused_one(id).await.unwrap().as_ref(),
        before.first()
    );
    assert_eq!(
        store.refused_one(RefusedId(id.0 + 1)).await.unwrap(),
        None,
        "an unknown number has nothing"
    );
}

pub(in crate::store) async fn equal_refusals_are_one_row_that_counts(home: &dyn Home) {
    let store = home.open_refused().await;
    store
        .record_refused(vec![refused(1, "crm"), refused(1, "erp")], LIMITS)
        .await
        .unwrap();
    let again = NewRefused {
        times: 4,
        first_at: time(50),
        last_at: time(60),
        ..refused(1, "crm")
    };
    store.record_refused(vec![again], LIMITS).await.unwrap();
    let records = all(&*store).await;
    let figures: Vec<_> = records
        .iter()
        .map(|record| (record.source.as_str(), record.times))
        .collect();
    assert_eq!(figures, [("erp", 1), ("crm", 5)]);
    assert_eq!(records[1].first_at, time(1));
    assert_eq!(records[1].last_at, time(60));
}

pub(in crate::store) async fn only_the_newest_refusals_of_each_source_stay(home: &dyn Home) {
    let store = home.open_refused().await;
    let batch = (1..=9).map(|mark| refused(mark, "crm")).collect();
    store.record_refused(batch, LIMITS).await.unwrap();
    store
        .record_refused(vec![refused(10, "erp")], LIMITS)
        .await
        .unwrap();
    let everything = marks(&*store, RefusedFilter::default(), 100).await;
    assert_eq!(everything, [10, 9, 8, 7]);
    let none = RefusedLimits { rows: 0, ..LIMITS };
    store.tidy_refused(time(0), none).await.unwrap();
    assert_eq!(all(&*store).await, []);
    let figures = store.refused_figures().await.unwrap();
    assert_eq!(figures, []);
}

pub(in crate::store) async fn refusals_are_listed_newest_first_by_source_reason_and_page(
    home: &dyn Home,
) {
    let store = home.open_refused().await;
    let other = |mark, name| NewRefused {
        reason: "missing-signature",
        ..refused(mark, name)
    };
    let batch = vec![
        refused(1, "crm"),
        other(2, "crm"),
        refused(3, "erp"),
        other(4, "erp"),
        refused(5, "crm"),
    ];
    store.record_refused(batch, LIMITS).await.unwrap();
    let filter = |name: Option<&str>, reason: Option<&str>| RefusedFilter {
        source: name.map(source),
        reason: reason.map(str::to_owned),
        before: None,
    };
    for (asked, expected) in [
        (filter(None, None), vec![5, 4, 3, 2, 1]),
        (filter(Some("crm"), None), vec![5, 2, 1]),
        (filter(None, Some("missing-signature")), vec![4, 2]),
        (filter(Some("crm"), Some("no-match")), vec![5, 1]),
        (filter(Some("nobody"), None), vec![]),
    ] {
        let whole = marks(&*store, asked.clone(), 100).await;
        assert_eq!(whole, expected, "{asked:?}");
        let mut paged = Vec::new();
        let mut page = asked.clone();
        loop {
            let records = store.refused(page.clone(), 1).await.unwrap();
            let Some(last) = records.last() else { break };
            paged.push(last.first_at.as_second() - time(0).as_second());
            page.before = Some(last.id);
        }
        assert_eq!(paged, expected, "in pages, {asked:?}");
    }
}

pub(in crate::store) async fn a_kept_request_comes_back_as_it_was_until_its_time(home: &dyn Home) {
    let store = home.open_refused().await;
    store
        .record_refused(vec![kept(1, 100), kept(2, 200)], LIMITS)
        .await
        .unwrap();
    let ids = store
        .kept_of(&source("crm"), RefusedId(0), 9)
        .await
        .unwrap();
    assert_eq!(ids.len(), 2);
    assert!(ids.is_sorted(), "oldest first: {ids:?}");
    assert_eq!(
        store.kept_of(&source("crm"), ids[0], 9).await.unwrap(),
        ids[1..],
        "after the first"
    );
    let back = store.kept_request(ids[0]).await.unwrap();
    assert_eq!(back, Some(request(b"{}")));
    assert_eq!(all(&*store).await[1].kept_until, Some(time(100)));

    store.tidy_refused(time(99), LIMITS).await.unwrap();
    assert!(store.kept_request(ids[0]).await.unwrap().is_some());
    store.tidy_refused(time(100), LIMITS).await.unwrap();
    assert_eq!(store.kept_request(ids[0]).await.unwrap(), None);
    assert!(store.kept_request(ids[1]).await.unwrap().is_some());
    let records = all(&*store).await;
    assert_eq!(records.len(), 2, "what may be shown stays");
    assert_eq!(records[1].kept_until, None);
}

pub(in crate::store) async fn kept_requests_are_bounded_by_number_and_bytes_and_outlive_bare_rows(
    home: &dyn Home,
) {
    let store = home.open_refused().await;
    let batch = (1..=6).map(|mark| kept(mark, 999)).collect();
    store.record_refused(batch, LIMITS).await.unwrap();
    let figures = store.refused_figures().await.unwrap();
    let size = request(b"{}").size();
    assert_eq!(figures.len(), 1);
    assert_eq!((figures[0].1.rows, figures[0].1.kept), (6, 4));
    assert_eq!(figures[0].1.kept_bytes, 4 * size);

    // Bare rows push out bare rows only: those of 1 and 2 lost their request before.
    let batch = (11..=13).map(|mark| refused(mark, "crm")).collect();
    store.record_refused(batch, LIMITS).await.unwrap();
    let everything = marks(&*store, RefusedFilter::default(), 100).await;
    assert_eq!(everything, [13, 12, 11, 6, 5, 4, 3]);

    let narrow = RefusedLimits {
        kept_bytes: 2 * size + 1,
        ..LIMITS
    };
    store.tidy_refused(time(0), narrow).await.unwrap();
    let figures = store.refused_figures().await.unwrap();
    assert_eq!((figures[0].1.kept, figures[0].1.kept_bytes), (2, 2 * size));
    let newest = store
        .kept_of(&source("crm"), RefusedId(0), 9)
        .await
        .unwrap();
    let newest: Vec<_> = newest.iter().map(|id| id.0).collect();
    assert_eq!(newest, [5, 6]);
}

pub(in crate::store) async fn of_equal_kept_requests_the_first_stays(home: &dyn Home) {
    let store = home.open_refused().await;
    let later = NewRefused {
        kept: Some((request(b"later"), time(900))),
        ..refused(1, "crm")
    };
    store
        .record_refused(vec![kept(1, 100), later], LIMITS)
        .await
        .unwrap();
    let records = all(&*store).await;
    assert_eq!((records.len(), records[0].times), (1, 2));
    let stays = store.kept_request(records[0].id).await.unwrap();
    assert_eq!(stays, Some(request(b"{}")));
}

pub(in crate::store) async fn what_was_accepted_later_is_not_kept_any_more_and_says_so_once(
    home: &dyn Home,
) {
    let store = home.open_refused().await;
    store
        .record_refused(vec![kept(1, 100), refused(2, "crm")], LIMITS)
        .await
        .unwrap();
    let records = all(&*store).await;
    let (bare, id) = (records[0].id, records[1].id);
    assert!(store.accepted_later(id, EventSeq(7)).await.unwrap());
    assert_eq!(store.kept_request(id).await.unwrap(), None);
    let record = store.refused_one(id).await.unwrap().unwrap();
    assert_eq!(
        (record.accepted, record.kept_until),
        (Some(EventSeq(7)), None)
    );
    assert!(!store.accepted_later(id, EventSeq(8)).await.unwrap());
    assert!(!store.accepted_later(bare, EventSeq(8)).await.unwrap());
    assert_eq!(
        store.refused_one(id).await.unwrap().unwrap().accepted,
        Some(EventSeq(7))
    );
    assert_eq!(
        store.refused_one(bare).await.unwrap().unwrap().accepted,
        None
    );
}

pub(in crate::store) async fn what_is_refused_again_stays_with_its_new_reason(home: &dyn Home) {
    let store = home.open_refused().await;
    store
        .record_refused(vec![kept(1, 100), refused(2, "crm")], LIMITS)
        .await
        .unwrap();
    let records = all(&*store).await;
    let (bare, id) = (records[0].id, records[1].id);
    let again = async |id| store.refused_again(id, "body-digest", 400).await.unwrap();
    assert!(again(id).await);
    assert!(!again(bare).await);
    let record = store.refused_one(id).await.unwrap().unwrap();
    assert_eq!(
        (record.reason.as_str(), record.status),
        ("body-digest", 400)
    );
    assert!(store.kept_request(id).await.unwrap().is_some());
    let record = store.refused_one(bare).await.unwrap().unwrap();
    assert_eq!(record.reason, "no-match");
}

pub(in crate::store) async fn kept_requests_are_not_seen_in_debug_output(home: &dyn Home) {
    let store = home.open_refused().await;
    let sent = kept(1, 100);
    let shown = format!("{sent:?}");
    store.record_refused(vec![sent], LIMITS).await.unwrap();
    let id = all(&*store).await[0].id;
    let back = store.kept_request(id).await.unwrap();
    for text in [shown, format!("{back:?} {store:?}")] {
        assert!(!text.contains(SECRET), "{text}");
    }
}
