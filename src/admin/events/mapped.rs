//! What the mapping makes of a stored event, for deliveries whose update is not kept any more.

use std::{panic::AssertUnwindSafe, sync::Arc};

use crate::{
    admin::Admin,
    event::{ItemOutcome, Mapped, Update},
    source::{Lookup, Source},
    store::{EventFacts, StoreError},
};

/// What can be said of the mapping of an event.
#[derive(Clone, Debug)]
pub(super) enum Again {
    /// Mapped once more by the file that mapped it, so this is what was meant to be sent.
    Same(Mapped),
    /// The source's file is another one now, or is gone.
    Changed,
    /// The body is not kept any more, or the mapping met a bug.
    Unknown,
}

impl Again {
    /// Maps an event once more, on a thread of its own: it may take seconds.
    pub(super) async fn of(admin: &Admin, facts: &EventFacts) -> Result<Self, StoreError> {
        let Lookup::Ready(source) = admin.sources.get(&facts.source) else {
            return Ok(Self::Changed);
        };
        if source.mapping_hash() != facts.mapping {
            return Ok(Self::Changed);
        }
        let Some(body) = admin.store.body_of(facts.seq).await? else {
            return Ok(Self::Unknown);
        };
        let facts = facts.clone();
        let mapped = tokio::task::spawn_blocking(move || map(&source, &body, &facts)).await;
        Ok(mapped.ok().flatten().map_or(Self::Unknown, Self::Same))
    }

    /// The update that one delivery was made of.
    pub(super) fn update(&self, item: u32, number: u32) -> Option<&Update> {
        let Self::Same(mapped) = self else {
            return None;
        };
        let item = mapped.items.get(usize::try_from(item).ok()?)?;
        match item.outcomes.get(usize::try_from(number).ok()?)? {
            ItemOutcome::Update(update) => Some(update),
            ItemOutcome::Drop { .. } | ItemOutcome::Fail(_) => None,
        }
    }
}

/// Nothing where it panics: a bug is no reason to show nothing of the event.
fn map(source: &Arc<Source>, body: &[u8], facts: &EventFacts) -> Option<Mapped> {
    let content_type = facts.content_type.as_deref();
    let map = || source.map_stored(body, content_type, &facts.headers, facts.received_at);
    std::panic::catch_unwind(AssertUnwindSafe(map)).ok()
}
