//! Requests that are mapped once more.

use super::{Home, samples::*};
use crate::event::EventSeq;

pub(in crate::store) async fn requests_of_a_source_come_newest_first_and_page_by_page(
    home: &dyn Home,
) {
    let store = home.open().await;
    let mut events = Vec::new();
    for number in 0..6 {
        let mut request = event(vec![group(number, vec![waiting(0, 0, "ana")])]);
        if number == 2 {
            request.source = source("sis");
        }
        events.push(accept(&*store, request).await);
    }
    drop(store);
    let store = home.open_requests().await;
    let (mut found, mut before): (Vec<EventSeq>, _) = (Vec::new(), None);
    loop {
        let page = store
            .latest_requests(&source("crm"), before, 2)
            .await
            .unwrap();
        found.extend(page.requests.iter().map(|request| request.event));
        if page.next.is_none() {
            break;
        }
        before = page.next;
    }
    let mut wanted = events.clone();
    wanted.remove(2);
    wanted.reverse();
    assert_eq!(found, wanted);
    let page = store
        .latest_requests(&source("sis"), None, 9)
        .await
        .unwrap();
    let sent = event(Vec::new());
    let request = &page.requests[0];
    assert_eq!((request.event, page.requests.len()), (events[2], 1));
    assert_eq!(
        (&request.body, &request.content_type),
        (&sent.body, &sent.content_type)
    );
    assert_eq!(
        (request.received_at, &request.headers),
        (sent.received_at, &sent.headers)
    );
    assert!(!format!("{request:?}").contains(SECRET));
}
