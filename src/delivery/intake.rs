//! Reads from the store what is open, and keeps the index of lanes up to date.
//!
//! At start all lanes are read, page by page, while delivery already goes on; after that what arrives is read when
//! the store tells of it, and every few seconds in case it did not. From time to time all lanes are read again, so
//! that a lane which the index lacks for whatever reason does not wait for ever.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    attempt::Context,
    lanes::{Lanes, Queue},
};
use crate::{
    event::{DeliveryPos, DeliveryState, LaneKey},
    store::{LaneHead, StoreError},
};

/// Entries read at once.
const PAGE: u32 = 512;
/// After the store could not read.
const RETRY: Duration = Duration::from_secs(1);
/// No wait that was written down is longer than this; one that is comes from a clock that was wrong.
const LONGEST_WAIT: Duration = Duration::from_hours(25);

/// How far reading has come. Times are [`Clock::elapsed`](crate::clock::Clock::elapsed).
#[derive(Debug)]
pub(super) struct Intake {
    /// None once the store is gone.
    notices: Option<watch::Receiver<DeliveryPos>>,
    /// Arrivals up to here are in the index.
    seen: DeliveryPos,
    next_look: Duration,
    scan: Scan,
    /// All lanes are to be read once more after this scan.
    is_wanted_again: bool,
    /// This scan looks for what a person had sent again: it does not wait for its time any more.
    is_for_sent_again: bool,
    is_loaded: bool,
}

#[derive(Clone, Copy, Debug)]
enum Scan {
    /// Goes on after this lane.
    Running {
        after: Option<LaneKey>,
        at: Duration,
    },
    Idle {
        until: Duration,
    },
}

impl Intake {
    /// Begins with everything that is open now.
    pub(super) fn new(notices: watch::Receiver<DeliveryPos>) -> Self {
        let seen = *notices.borrow();
        Self {
            notices: Some(notices),
            seen,
            next_look: Duration::ZERO,
            scan: Scan::Running {
                after: None,
                at: Duration::ZERO,
            },
            is_wanted_again: false,
            is_for_sent_again: false,
            is_loaded: false,
        }
    }

    /// Whether everything that was open at start is in the index.
    pub(super) const fn is_loaded(&self) -> bool {
        self.is_loaded
    }

    /// Has all lanes read again, as soon as can be, for what a person had sent again and nobody told of one by one.
    pub(super) fn sweep_for_sent_again(&mut self) {
        self.is_for_sent_again = true;
        match &mut self.scan {
            Scan::Idle { until } => *until = Duration::ZERO,
            // It may have passed what has changed since.
            Scan::Running { .. } => self.is_wanted_again = true,
        }
    }

    /// When there is something to read.
    pub(super) fn next_at(&self) -> Duration {
        let scan_at = match self.scan {
            Scan::Running { at, .. } => at,
            Scan::Idle { until } => until,
        };
        self.next_look.min(scan_at)
    }

    /// Waits until the store tells of arrivals; for ever when it never will again. Cancel-safe.
    pub(super) async fn notice(&mut self) {
        if let Some(notices) = &mut self.notices {
            if notices.changed().await.is_ok() {
                self.next_look = Duration::ZERO;
                return;
            }
            self.notices = None;
        }
        std::future::pending::<()>().await;
    }

    /// Reads at most one page of arrivals and one of all lanes, where it is time for them.
    ///
    /// # Errors
    /// Only what ends the work of this store; other trouble is tried again later.
    pub(super) async fn read(
        &mut self,
        context: &Context,
        lanes: &mut Lanes,
    ) -> Result<(), StoreError> {
        let now = context.clock.elapsed();
        if self.next_look <= now {
            self.read_arrivals(context, lanes, now).await?;
        }
        match self.scan {
            Scan::Running { after, at } if at <= now => {
                self.read_lanes(context, lanes, after, now).await
            }
            Scan::Idle { until } if until <= now => {
                self.read_lanes(context, lanes, None, now).await
            }
            Scan::Running { .. } | Scan::Idle { .. } => Ok(()),
        }
    }

    async fn read_arrivals(
        &mut self,
        context: &Context,
        lanes: &mut Lanes,
        now: Duration,
    ) -> Result<(), StoreError> {
        // Interest first, then the look, so that nothing arrives unseen in between.
        if let Some(notices) = &mut self.notices {
            notices.borrow_and_update();
        }
        let arrived = context
            .store
            .arrived(&context.organisation, self.seen, PAGE)
            .await;
        let Some(page) = or_later(arrived)? else {
            self.next_look = now.saturating_add(RETRY);
            return Ok(());
        };
        for head in &page {
            self.seen = self.seen.max(head.pos);
            open(lanes, head, now, context.clock.now(), now);
        }
        let arrived: BTreeSet<LaneKey> = page.iter().map(|head| head.lane).collect();
        or_later(context.wake_creators(arrived, lanes).await)?;
        if !is_full(&page) {
            self.next_look = now.saturating_add(context.settings.poll);
        }
        Ok(())
    }

    async fn read_lanes(
        &mut self,
        context: &Context,
        lanes: &mut Lanes,
        after: Option<LaneKey>,
        now: Duration,
    ) -> Result<(), StoreError> {
        let heads = context
            .store
            .lanes(&context.organisation, after, PAGE)
            .await;
        let Some(page) = or_later(heads)? else {
            let at = now.saturating_add(RETRY);
            self.scan = Scan::Running { after, at };
            return Ok(());
        };
        for head in &page {
            if self.is_for_sent_again && head.is_untried_again {
                lanes.found_again(head.lane, head.pos, now, queue(head));
                continue;
            }
            // Those that were due before we began are served in the order of acceptance.
            open(lanes, head, Duration::ZERO, context.clock.now(), now);
        }
        self.scan = match page.last() {
            Some(last) if is_full(&page) => Scan::Running {
                after: Some(last.lane),
                at: now,
            },
            _ => {
                self.is_loaded = true;
                let rest = if std::mem::take(&mut self.is_wanted_again) {
                    Duration::ZERO
                } else {
                    self.is_for_sent_again = false;
                    context.settings.sweep
                };
                Scan::Idle {
                    until: now.saturating_add(rest),
                }
            }
        };
        Ok(())
    }
}

/// Puts a head into the index; `if_due` is its time there when it is due already.
fn open(lanes: &mut Lanes, head: &LaneHead, if_due: Duration, time: Timestamp, now: Duration) {
    let wait = Duration::try_from(head.next_attempt.duration_since(time)).unwrap_or_default();
    let due = if wait.is_zero() {
        if_due
    } else {
        now.saturating_add(wait.min(LONGEST_WAIT))
    };
    lanes.open(head.lane, head.pos, due, queue(head));
}

/// Puts what a person had sent again into the index. It is due, whatever the clocks say.
pub(super) fn revived(lanes: &mut Lanes, head: &LaneHead, now: Duration) {
    lanes.revived(head.lane, head.pos, now, queue(head));
}

const fn queue(head: &LaneHead) -> Queue {
    match head.state {
        DeliveryState::Looking => Queue::LookAgain,
        DeliveryState::Waiting | DeliveryState::Dead if head.redelivered => Queue::Redeliver,
        DeliveryState::Waiting | DeliveryState::Dead => Queue::Send,
    }
}

fn is_full(page: &[LaneHead]) -> bool {
    u32::try_from(page.len()).is_ok_and(|length| length >= PAGE)
}

/// `None` when reading is to be tried again later.
fn or_later<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error @ (StoreError::OutcomeUnknown { .. } | StoreError::Closed { .. })) => Err(error),
        Err(error) => {
            tracing::warn!(error.chain = %error, "the open deliveries cannot be read now; trying again");
            Ok(None)
        }
    }
}
