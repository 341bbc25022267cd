//! One lease, from its claim to its end: work, renewals, and what people did.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Duty, LETTING_GO, LOOK, Tenure, Term};
use crate::{
    clock::Clock,
    store::{Changes, Claim, LeaseName, Leases, StoreError, Word},
};

/// See the module.
pub(super) struct Tenancy {
    pub(super) leases: Arc<dyn Leases>,
    pub(super) clock: Clock,
    pub(super) duty: Duty,
    pub(super) changes: watch::Receiver<Changes>,
    pub(super) claim: Claim,
    /// When the claim was sent.
    pub(super) sent: Duration,
    pub(super) soft: CancellationToken,
    pub(super) hard: CancellationToken,
}

/// Why it is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// It is time to.
    Due,
    /// People did something.
    Acts,
    /// The work stands differently.
    Stir,
}

impl Tenancy {
    /// Works until told to stop or the lease is lost, and gives it back.
    pub(super) async fn run(self) -> Result<(), StoreError> {
        if !self.leases.is_shared() {
            let term = self.term(Tenure::forever());
            return self.duty.work.run(term).await;
        }
        let end = self.sent.saturating_add(self.duty.lasts);
        let (end, tenure) = Tenure::until(end, self.duty.reserve);
        // Before the lease is given back the work is through, or dropped with all it had under way.
        let result = tokio::select! {
            biased;
            () = over(&self.clock, end.subscribe()) => self.lost(),
            () = self.keep(&end) => self.lost(),
            result = self.duty.work.run(self.term(tenure)) => result,
        };
        self.hard.cancel();
        // From here on nobody takes this process for the holder.
        drop(end);
        tokio::select! {
            released = self.leases.release(&self.duty.lease) => if let Err(error) = released {
                tracing::debug!(error.chain = %error, lease = %self.duty.lease, "a lease was not given back; it ends by itself");
            },
            () = self.clock.sleep(LETTING_GO) => {}
        }
        result
    }

    fn term(&self, tenure: Tenure) -> Term {
        Term {
            tenure,
            soft: self.soft.clone(),
            hard: self.hard.clone(),
        }
    }

    fn lost(&self) -> Result<(), StoreError> {
        Err(StoreError::NotHeld {
            lease: self.duty.lease.clone(),
        })
    }

    /// Renews until the lease is lost.
    async fn keep(&self, end: &watch::Sender<Duration>) {
        let third = self.duty.lasts / 3;
        let mut changes = self.changes.clone();
        let mut seen = self.claim.changes;
        // The first word comes at once, so that everybody can show it.
        let mut reason = Reason::Stir;
        loop {
            let sent = self.clock.elapsed();
            let word = Word {
                status: self.duty.work.status(),
                seen,
            };
            let renewed = tokio::select! {
                renewed = self.leases.renew(&self.duty.lease, self.duty.lasts, word) => renewed,
                () = self.clock.sleep(third) => Err(no_answer()),
            };
            match renewed {
                Ok(_) => {
                    end.send_replace(sent.saturating_add(self.duty.lasts));
                }
                Err(StoreError::NotHeld { .. }) => return,
                Err(error) => {
                    tracing::debug!(error.chain = %error, lease = %self.duty.lease, "a lease was not renewed; trying again");
                    self.clock.sleep(LOOK).await;
                    reason = Reason::Due;
                    continue;
                }
            }
            // Only now: a look that takes long must not keep the lease from being renewed. What came meanwhile is heard, too: the
            // number is looked at, not the notice of it.
            let number = number(&changes.borrow_and_update(), &self.duty.lease);
            let acted = number > seen;
            if acted || reason == Reason::Due {
                let looked = tokio::select! {
                    looked = self.duty.work.look(acted) => looked,
                    () = self.clock.sleep(third) => Err(no_answer()),
                };
                match looked {
                    // Whoever did it may wait for the word.
                    Ok(()) if acted => {
                        seen = number;
                        reason = Reason::Acts;
                        continue;
                    }
                    Ok(()) => {}
                    Err(error) => {
                        tracing::debug!(error.chain = %error, lease = %self.duty.lease, "what people did cannot be read now");
                        self.clock.sleep(LOOK).await;
                        reason = Reason::Due;
                        continue;
                    }
                }
            }
            let due = sent.saturating_add(third);
            reason = self.next(&mut changes, seen, sent, due).await;
        }
    }

    /// Waits until there is a reason to renew.
    async fn next(
        &self,
        changes: &mut watch::Receiver<Changes>,
        seen: u64,
        last: Duration,
        due: Duration,
    ) -> Reason {
        let until = |at: Duration| {
            let wait = at.saturating_sub(self.clock.elapsed());
            self.clock.sleep(wait)
        };
        let lease = &self.duty.lease;
        let is_news = |changes: &Changes| number(changes, lease) > seen;
        let stirred = async {
            self.duty.work.stirs().await;
            // Not more often than others look.
            until(last.saturating_add(LOOK)).await;
        };
        tokio::select! {
            biased;
            // The keeper outlives its tenancies; where it does not, renewals go on.
            Ok(_) = changes.wait_for(is_news) => Reason::Acts,
            () = until(due) => Reason::Due,
            () = stirred => Reason::Stir,
        }
    }
}

/// Returns when the tenure has come to its end.
async fn over(clock: &Clock, end: watch::Receiver<Duration>) {
    loop {
        let until = *end.borrow();
        let now = clock.elapsed();
        if now >= until {
            return;
        }
        clock.sleep(until.saturating_sub(now)).await;
    }
}

fn no_answer() -> StoreError {
    StoreError::Unavailable {
        what: "it does not answer".to_owned(),
    }
}

fn number(changes: &Changes, lease: &LeaseName) -> u64 {
    let LeaseName::Organisation(organisation) = lease else {
        return 0;
    };
    let number = changes.organisations.get(organisation);
    number.copied().unwrap_or_default()
}
