//! Mapping an accepted event again, as a person wants it: by the mapping of now, from what was kept of the request.
//!
//! The functions are those of live requests, from the body to the deliveries under their keys. What was not kept of the
//! request, such as a header that only the mapping of now reads, is missing.

use std::{panic::AssertUnwindSafe, sync::Arc};

use http::HeaderMap;

use super::{accepted, take_in::panicked};
use crate::{
    event::Redelivery,
    source::Source,
    store::{Remapping, StoredEvent},
};

/// Maps a stored event on a thread of its own, since its body may ask for seconds of work. A panic is a failure like any
/// other. `None` where the body is not kept any more.
pub async fn map_again(
    source: &Arc<Source>,
    stored: StoredEvent,
    how: Redelivery,
) -> Option<Remapping> {
    let body = stored.body?;
    let (source, kept) = (Arc::clone(source), stored.headers);
    let (content_type, received_at) = (stored.content_type, stored.received_at);
    let mapping = source.mapping_hash();
    let mapped = tokio::task::spawn_blocking(move || {
        let map = || source.map_stored(&body, content_type.as_deref(), &kept, received_at);
        let mapped = std::panic::catch_unwind(AssertUnwindSafe(map));
        let mapped = mapped.unwrap_or_else(|_| panicked());
        // Where a header numbers the event, all of it is one group, whose key is known.
        accepted::groups(&source, &HeaderMap::new(), &kept, &body, mapped, None).0
    });
    Some(Remapping {
        event: stored.event,
        source: stored.source,
        organisation: stored.organisation,
        received_at,
        mapping,
        groups: mapped.await.ok()?,
        how,
    })
}
