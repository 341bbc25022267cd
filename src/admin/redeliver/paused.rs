//! What is sent again and waits all the same, since a person paused its source or its organisation.

use std::collections::BTreeSet;

use crate::{
    admin::Admin,
    event::{OrganisationName, SourceName},
    store::{PauseScope, StoreError},
};

/// The pauses that last.
pub(super) struct Paused(BTreeSet<PauseScope>);

impl Paused {
    /// Whether nothing is sent of a source to an organisation.
    pub(super) fn holds(&self, source: &SourceName, organisation: &OrganisationName) -> bool {
        !self.0.is_empty()
            && (self.0.contains(&PauseScope::Source(source.clone()))
                || self
                    .0
                    .contains(&PauseScope::Organisation(organisation.clone())))
    }
}

impl Admin {
    /// What is paused now.
    pub(super) async fn paused(&self) -> Result<Paused, StoreError> {
        let pauses = self.hands.pauses().await?.into_iter();
        let lasting = pauses.filter(|pause| pause.ended_at.is_none());
        Ok(Paused(lasting.map(|pause| pause.scope).collect()))
    }
}
