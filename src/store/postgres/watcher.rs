//! Looks again and again at the database beside everything else: whether it is there, can be written to and keeps what it commits,
//! what other replicas accepted, and whether it is still the one that it was.
//!
//! After a failover, and where the database went back in time, every lease counts as lost. Each term begins anew then, since a
//! standby may lack what was committed last, and nothing that was known of the former server need be true of the new one.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{
    applied,
    connect::Lender,
    durable::{Trust, off},
    fault::Fault,
    leases::Held,
    lineage::Known,
    migrations,
    session::Session,
};
use crate::{clock::Clock, event::DeliveryPos, store::health::Health};

/// Why a store ends whose tables lack what this release needs: after a failover to a server, or the return to a copy, that did not
/// have the last step yet.
const TOO_NEW: &str = "the database is of before the upgrade to this release; the gateway upgrades it when it starts again";

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How many causes are told while the database is away.
const MOST_CAUSES: usize = 5;

/// Why a store ends whose tables were brought to a format that this release cannot work with.
const TOO_OLD: &str = "a newer release has changed the tables so that this one cannot work with them any more; start the newer one \
                       here, too";

const LOOK: &str = concat!(
    "SELECT (SELECT next_delivery - 1 FROM meta), current_setting('transaction_read_only') = 'on', \
            (SELECT max(usable_from) FROM format), (SELECT max(number) FROM format), ",
    off!()
);

pub(super) struct Watcher {
    pub(super) pool: Lender,
    pub(super) known: Arc<Known>,
    pub(super) arrivals: Arc<watch::Sender<DeliveryPos>>,
    pub(super) health: Arc<Health>,
    pub(super) held: Arc<Held>,
    pub(super) trust: Arc<Trust>,
    pub(super) clock: Clock,
}

/// What a look found.
struct Found {
    /// What was known before, and is there if the database is what it was.
    known: DeliveryPos,
    newest: Option<i64>,
    /// The oldest format whose release can work with the tables.
    usable_from: Option<i64>,
    /// The format of the tables.
    format: Option<i64>,
    off: Option<String>,
}

impl Watcher {
    /// Watches until the store ends.
    pub(super) async fn run(self) {
        // Why it was away, since it was there last.
        let mut causes: Vec<String> = Vec::new();
        let mut failovers = self.known.changes();
        // A failover of which the database does not know yet.
        let mut is_new_here = false;
        loop {
            match self.look().await {
                Ok(found) if found.usable_from.is_some_and(migrations::is_too_old) => {
                    self.held.lose();
                    self.health.end(TOO_OLD);
                }
                Ok(found)
                    if found
                        .format
                        .is_some_and(|format| format < migrations::newest()) =>
                {
                    self.held.lose();
                    self.health.end(TOO_NEW);
                }
                Ok(found) => {
                    // Only of what was seen here: writing may still be impossible.
                    if !causes.is_empty() {
                        tracing::info!("the database is back");
                        self.health.recovered();
                    }
                    causes.clear();
                    let is_another = failovers != self.known.changes();
                    failovers = self.known.changes();
                    is_new_here |= self.compare(&found, is_another);
                    if is_new_here {
                        is_new_here = self.disbelieve().await.is_err();
                    }
                    self.judge(found.off);
                    announce(&self.arrivals, found.newest);
                }
                // Its connections were taken away.
                Err(_) if self.health.is_open().is_err() => {}
                Err(fault) => {
                    let cause = fault.error().to_string();
                    // A server that breaks off may be a standby when it is back, which is another matter.
                    if !causes.contains(&cause) && causes.len() < MOST_CAUSES {
                        tracing::error!(
                            cause,
                            "the database is away: webhooks are answered 503 and nothing is delivered until it is back"
                        );
                        causes.push(cause.clone());
                    }
                    self.health.trouble(cause);
                }
            }
            if self.health.is_open().is_err() {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn look(&self) -> Result<Found, Fault> {
        // Some settings come with the connection.
        if self.trust.is_lost() {
            self.pool.renew().await?;
        }
        let session = Session::new(self.pool.get().await?);
        let known = *self.arrivals.borrow();
        let row = session.query_opt(LOOK, &[]).await?;
        let row = row.ok_or_else(|| Fault::Call("a look gave no row".to_owned()))?;
        if row.try_get(1)? {
            session.mark_broken();
            return Err(Fault::read_only());
        }
        Ok(Found {
            known,
            newest: row.try_get(0)?,
            usable_from: row.try_get(2)?,
            format: row.try_get(3)?,
            off: row.try_get(4)?,
        })
    }

    /// Begins anew where it is not the database that it was; whether it is not.
    fn compare(&self, found: &Found, is_another: bool) -> bool {
        if is_another {
            tracing::warn!(
                "another server is the primary now; who delivers for whom is settled anew"
            );
        }
        let back_to = found.newest.filter(|newest| *newest < found.known.0);
        if let Some(newest) = back_to {
            tracing::error!(
                "the database went back in time: what was committed last is lost, events that were acknowledged among it"
            );
            self.arrivals.send_replace(DeliveryPos(newest));
        }
        let is_another = is_another || back_to.is_some();
        if is_another {
            self.held.lose();
        }
        is_another
    }

    async fn disbelieve(&self) -> Result<(), Fault> {
        let session = Session::new(self.pool.get().await?);
        applied::disbelieve(&session, self.clock.now()).await
    }

    /// Keeps the gateway from being sent what it would not accept.
    fn judge(&self, off: Option<String>) {
        let was_lost = self.trust.is_lost();
        match self.trust.judge(off) {
            Ok(()) if was_lost => self.health.recovered(),
            Ok(()) => {}
            Err(fault) => self.health.trouble(fault.error().to_string()),
        }
    }
}

/// A position never becomes smaller.
pub(super) fn announce(arrivals: &watch::Sender<DeliveryPos>, newest: Option<i64>) {
    let Some(newest) = newest else { return };
    arrivals.send_if_modified(|known| {
        let is_newer = newest > known.0;
        if is_newer {
            *known = DeliveryPos(newest);
        }
        is_newer
    });
}
