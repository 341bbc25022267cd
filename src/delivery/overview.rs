//! How all organisations stand, whichever replica delivers for them.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::{Handle, Status};
use crate::{
    event::OrganisationName,
    store::{Lease, LeaseName, Leases, ReplicaName},
};

/// Shows the organisations of this process's settings. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Overview {
    leases: Arc<dyn Leases>,
    organisations: BTreeMap<OrganisationName, Handle>,
}

/// How an organisation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// As whoever delivers for it said last; `None` where nobody does, or where it is not known.
    pub status: Option<Status>,
    /// Who delivers for it, where several replicas can.
    pub held: Option<Held>,
}

/// Who has a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub replica: ReplicaName,
    pub since: Timestamp,
    /// Whether it is this process.
    pub here: bool,
}

impl Overview {
    pub const fn new(
        leases: Arc<dyn Leases>,
        organisations: BTreeMap<OrganisationName, Handle>,
    ) -> Self {
        Self {
            leases,
            organisations,
        }
    }

    /// All of them. Where the store cannot say who has which, what this process does itself.
    pub async fn standings(&self) -> BTreeMap<OrganisationName, Standing> {
        let leases = if self.leases.is_shared() {
            self.leases.leases().await.unwrap_or_default()
        } else {
            Vec::new()
        };
        let organisations = self.organisations.iter();
        organisations
            .map(|(name, handle)| (name.clone(), self.standing(name, handle, &leases)))
            .collect()
    }

    fn standing(&self, name: &OrganisationName, handle: &Handle, leases: &[Lease]) -> Standing {
        let lease = leases
            .iter()
            .find(|lease| matches!(&lease.name, LeaseName::Organisation(of) if of == name));
        let held = lease.map(|lease| Held {
            replica: lease.replica.clone(),
            since: lease.since,
            here: lease.process == self.leases.process(),
        });
        let status = if !self.leases.is_shared() || handle.delivers() {
            Some(handle.status())
        } else {
            // One that another release wrote may say something else.
            let text = lease.and_then(|lease| lease.status.as_deref());
            text.and_then(|text| serde_json::from_str(text).ok())
        };
        Standing { status, held }
    }
}
