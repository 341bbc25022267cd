//! Who does what, as the status shows it.

use jiff::Timestamp;
use serde::Serialize;

use super::Admin;

#[derive(Serialize)]
pub(super) struct ReplicasStatus {
    /// The one that answers.
    here: String,
    /// Who does what; empty where the store cannot say.
    leases: Vec<LeaseStatus>,
}

#[derive(Serialize)]
struct LeaseStatus {
    /// An organisation, or `@upkeep`.
    lease: String,
    replica: String,
    since: Timestamp,
    renewed: Timestamp,
}

impl ReplicasStatus {
    /// `None` where the store belongs to one process.
    pub(super) async fn of(admin: &Admin) -> Option<Self> {
        if !admin.leases.is_shared() {
            return None;
        }
        let leases = admin.leases.leases().await.unwrap_or_default();
        let leases = leases.into_iter().map(|lease| LeaseStatus {
            lease: lease.name.to_string(),
            replica: lease.replica.to_string(),
            since: lease.since,
            renewed: lease.renewed,
        });
        Some(Self {
            here: admin.replica.to_string(),
            leases: leases.collect(),
        })
    }
}
