//! Which history a server writes. A standby that is promoted begins a new *timeline* of the same cluster; the former primary, should
//! it come back, is still on the one before. So of two servers that can both be written to, the later timeline is the primary, and
//! a connection to the other one is not used.
//!
//! It is a help beside what the operators of the database do to keep an old primary away, not instead of it: a process knows only the
//! servers that it reached. Servers that do not tell (some managed ones) are taken as they are.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use tokio_postgres::Client;

/// A cluster, and how often its history was begun anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lineage {
    cluster: i64,
    timeline: i64,
}

// The control file tells of a new timeline only after the next checkpoint; the name of the file that is written tells at once.
const LINEAGE: &str = "
    SELECT system_identifier, ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint FROM pg_control_system()";

impl Lineage {
    /// `None` where the server does not tell.
    pub(super) async fn of(client: &Client) -> Option<Self> {
        let row = client.query_one(LINEAGE, &[]).await.ok()?;
        Some(Self {
            cluster: row.try_get(0).ok()?,
            timeline: row.try_get(1).ok()?,
        })
    }

    /// Whether there is a later primary of the same cluster.
    fn is_before(self, other: Self) -> bool {
        self.cluster == other.cluster && self.timeline < other.timeline
    }
}

/// The place of the one to use, of several that can be written to: rather one that tells than one that does not.
pub(super) fn latest(found: &[Option<Lineage>]) -> usize {
    let mut best = 0;
    for (place, lineage) in found.iter().enumerate() {
        let is_later = match (found.get(best).copied().flatten(), *lineage) {
            (Some(known), Some(other)) => known.is_before(other),
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if is_later {
            best = place;
        }
    }
    best
}

/// What this process knows, over all its connections.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    lineage: Option<Lineage>,
    /// How often it was another one.
    changes: u64,
    /// Connections that were made before lead to a server that is not the primary any more.
    since: Option<Instant>,
}

impl Known {
    /// Whether a new connection to such a server may be used.
    pub(super) fn admit(&self, found: Option<Lineage>) -> bool {
        let mut state = self.lock();
        match (found, state.lineage) {
            (Some(found), Some(known)) if found.is_before(known) => false,
            (Some(found), Some(known)) if found != known => {
                state.lineage = Some(found);
                state.changes += 1;
                // Not when this one was made: another one that was made meanwhile may lead to the former server.
                state.since = Some(Instant::now());
                true
            }
            (Some(found), None) => {
                state.lineage = Some(found);
                true
            }
            _ => true,
        }
    }

    /// Whether a connection that was made at this moment leads to where the newest does.
    pub(super) fn is_current(&self, made: Instant) -> bool {
        self.lock().since.is_none_or(|since| made >= since)
    }

    /// Grows with each failover.
    pub(super) fn changes(&self) -> u64 {
        self.lock().changes
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const fn lineage(cluster: i64, timeline: i64) -> Lineage {
        Lineage { cluster, timeline }
    }

    #[test]
    fn of_several_primaries_of_a_cluster_the_latest_is_used() {
        let cases = [
            (vec![Some(lineage(7, 1)), Some(lineage(7, 2))], 1),
            (vec![Some(lineage(7, 2)), Some(lineage(7, 1))], 0),
            (vec![Some(lineage(7, 1)), Some(lineage(7, 1))], 0),
            (vec![None, Some(lineage(7, 1))], 1),
            (vec![None, None], 0),
            // What is of another cluster cannot be compared: the order of the URL counts.
            (vec![Some(lineage(7, 1)), Some(lineage(8, 9))], 0),
        ];
        for (found, expected) in cases {
            assert_eq!(latest(&found), expected, "{found:?}");
        }
    }

    #[test]
    fn after_a_failover_neither_an_old_primary_nor_an_old_connection_is_used() {
        let known = Known::default();
        let early = Instant::now();
        let late = early + Duration::from_secs(1);
        assert!(known.admit(Some(lineage(7, 1))));
        assert!(known.is_current(early) && known.changes() == 0);
        assert!(known.admit(Some(lineage(7, 2))));
        assert!(!known.is_current(early) && known.is_current(late));
        assert!(!known.admit(Some(lineage(7, 1))), "it came back");
        assert!(known.admit(None), "it does not tell");
        assert_eq!(known.changes(), 1);
        // A new cluster (an upgrade of the server) counts from the beginning.
        assert!(known.admit(Some(lineage(8, 1))));
        assert_eq!(known.changes(), 2);
    }
}
