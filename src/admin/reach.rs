//! What a person asked of this replica reaches the one that delivers, whichever it is.
//!
//! What was done stands in the store. A dispatcher of this process is told at once, by its handle; where this process does
//! not deliver for an organisation, a number in the store grows, and whoever does looks within a second or so.

use std::{collections::BTreeMap, time::Duration};

use axum::response::Response;
use http::StatusCode;

use super::{Admin, answer::unavailable, guard::problem};
use crate::{
    delivery::Handle,
    event::{LaneKey, OrganisationName},
    store::{ErasedCustomer, LaneHead, LeaseName, StoreError, erase::Person},
};

/// How often it is tried to tell the others, and the wait between.
const TRIES: u32 = 5;
const BETWEEN: Duration = Duration::from_millis(200);
/// How long an answer waits for the replica that delivers.
const WAIT: Duration = Duration::from_secs(10);

impl Admin {
    /// Tells whoever delivers for these organisations, where that is not this process, that people did something. Call it
    /// after what they did is in the store.
    pub(super) async fn reach<'a>(
        &self,
        organisations: impl Iterator<Item = (&'a OrganisationName, &'a Handle)>,
    ) {
        let elsewhere: Vec<OrganisationName> = organisations
            .filter(|(_, handle)| !handle.delivers())
            .map(|(name, _)| name.clone())
            .collect();
        if elsewhere.is_empty() {
            return;
        }
        for _ in 0..TRIES {
            match self.leases.raise(&elsewhere).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::debug!(error.chain = %error, "the other replicas cannot be told now");
                }
            }
            self.clock.sleep(BETWEEN).await;
        }
        tracing::warn!(
            "what a person did is in the store, but the replica that delivers could not be told: it finds it within some \
             minutes"
        );
    }

    /// The same for one organisation.
    pub(super) async fn reach_one(&self, organisation: &OrganisationName) {
        self.reach(self.organisations.get_key_value(organisation).into_iter())
            .await;
    }

    /// Tells who delivers in this process that something is about to be sent again. Call it before that is written: a
    /// dispatcher may find it in the store before [`Admin::revived`] is called.
    pub(super) fn about_to_send_again(&self) {
        for handle in self.organisations.values() {
            handle.about_to_send_again();
        }
    }

    /// Tells who delivers what is back in its lanes.
    pub(super) async fn revived(&self, heads: Vec<LaneHead>) {
        let mut by_organisation: BTreeMap<OrganisationName, Vec<LaneHead>> = BTreeMap::new();
        for head in heads {
            let of_organisation = by_organisation.entry(head.organisation.clone());
            of_organisation.or_default().push(head);
        }
        for (organisation, heads) in by_organisation {
            if let Some(handle) = self.organisations.get(&organisation) {
                handle.revived(heads);
                self.reach_one(&organisation).await;
            }
        }
    }

    /// Has whoever delivers forget a person, and waits until that is done: no attempt on its way writes the person down
    /// again after this.
    pub(super) async fn forgotten(&self, person: &Person) -> Result<(), Response> {
        let Some(handle) = self.organisations.get(&person.organisation) else {
            return Ok(());
        };
        let elsewhere = |error: StoreError| unavailable(&error);
        // By the store, not by what this replica has heard of.
        let up_to = if self.leases.is_shared() {
            self.hands.newest().await.map_err(elsewhere)?
        } else {
            *self.store.arrivals().borrow()
        };
        if self.leases.is_shared() {
            let hash = |id: &crate::customer::CustomerId| LaneKey::of("id", id.as_str());
            let erased = ErasedCustomer {
                customer: person.id.as_ref().map(hash),
                up_to,
            };
            // Also for whoever delivers next.
            let noted = self.leases.note_erased(&person.organisation, erased).await;
            noted.map_err(elsewhere)?;
        }
        handle.forget(person.id.clone(), person.find.clone(), up_to);
        if handle.delivers() {
            return Ok(());
        }
        let done = self.seen_by_holder(&person.organisation);
        let done = tokio::select! {
            done = done => done.map_err(elsewhere)?,
            () = self.clock.sleep(WAIT) => false,
        };
        if done {
            return Ok(());
        }
        Err(problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "The replica that delivers does not answer",
            "nothing was erased yet, since a delivery on its way could write the person down again; ask once more in half a \
             minute, when another replica will have taken over",
        ))
    }

    /// Waits until whoever delivers for an organisation has seen what was noted before, or nobody does: who begins, reads it.
    async fn seen_by_holder(&self, organisation: &OrganisationName) -> Result<bool, StoreError> {
        self.leases
            .raise(std::slice::from_ref(organisation))
            .await?;
        let changes = self.leases.changes().await?;
        let number = changes.organisations.get(organisation).copied();
        let number = number.unwrap_or_default();
        let name = LeaseName::Organisation(organisation.clone());
        loop {
            let leases = self.leases.leases().await?;
            let holder = leases.iter().find(|lease| lease.name == name);
            if holder.is_none_or(|holder| holder.seen >= number) {
                return Ok(true);
            }
            self.clock.sleep(BETWEEN).await;
        }
    }
}
