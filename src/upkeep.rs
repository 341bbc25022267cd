//! Removes what is old from the store: bodies, dedup keys and history, each after the time that `retention` sets for it.
//!
//! One task, in rounds of a minute. What it removes goes in small pieces, each part of a transaction that webhooks wait
//! for too, with a rest after each that is four times as long as the piece took: so it never has more than a fifth of the
//! writer, and less the more there is to accept. It may be stopped at any moment, and goes on where it was. Age is judged by a [date of its own](calendar),
//! which does not follow a clock that jumps.
//!
//! It decides nothing about what is still needed: that is the store's ([`crate::store::upkeep`]).

mod calendar;

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use self::calendar::Leap;
use crate::{
    clock::Clock,
    store::{
        StoreError,
        upkeep::{Ahead, Calendar, Prune, Pruned, Retained, Upkeep},
    },
    telemetry::Metrics,
};

/// How often it is looked whether something has become old.
const EVERY: Duration = Duration::from_mins(1);
/// What a piece may do: some milliseconds of the writer.
const ROWS: u32 = 100;
/// The rest after a piece, as a multiple of what it took, and at least.
const REST: u32 = 4;
const SHORTEST_REST: Duration = Duration::from_millis(5);

/// How long each kind is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub bodies: Duration,
    pub dedup_keys: Duration,
    pub history: Duration,
}

impl Retention {
    /// Of one kind.
    pub const fn of(&self, kind: Retained) -> Duration {
        match kind {
            Retained::Bodies => self.bodies,
            Retained::DedupKeys => self.dedup_keys,
            Retained::History => self.history,
        }
    }
}

/// How the upkeep stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// `None` before the first round.
    pub calendar: Option<Calendar>,
    /// For each of [`Retained::ALL`], in that order: how long it is kept, and how many events are old enough and still
    /// to be looked at.
    pub kinds: [(Duration, u64); 3],
    /// What was removed since the start.
    pub removed: Pruned,
}

impl Standing {
    /// Until when nothing is removed by age, since the clock has jumped.
    pub fn waits_until(&self) -> Option<Timestamp> {
        let ahead = self.calendar?.ahead?;
        ahead.since.checked_add(calendar::SETTLE).ok()
    }
}

/// The task.
pub struct Upkeeper {
    store: Arc<dyn Upkeep>,
    clock: Clock,
    metrics: Metrics,
    retention: Retention,
    standing: watch::Sender<Standing>,
}

impl Upkeeper {
    /// The task, and how it stands.
    pub fn new(
        store: Arc<dyn Upkeep>,
        clock: Clock,
        metrics: Metrics,
        retention: Retention,
    ) -> (Self, watch::Receiver<Standing>) {
        let (standing, seen) = watch::channel(Standing {
            kinds: Retained::ALL.map(|kind| (retention.of(kind), 0)),
            ..Standing::default()
        });
        let this = Self {
            store,
            clock,
            metrics,
            retention,
            standing,
        };
        (this, seen)
    }

    /// Works until it is dropped.
    pub async fn run(&self) {
        loop {
            if let Err(error) = self.round().await {
                // It is asked again, and the store itself says loudly what is wrong with it.
                tracing::debug!(error.chain = %error, "the upkeep of the store was interrupted");
            }
            self.clock.sleep(EVERY).await;
        }
    }

    async fn round(&self) -> Result<(), StoreError> {
        let date = self.move_on().await?;
        let mut kinds = Retained::ALL.to_vec();
        while !kinds.is_empty() {
            let mut unfinished = Vec::new();
            for kind in kinds {
                if self.piece(kind, date).await? {
                    unfinished.push(kind);
                }
            }
            kinds = unfinished;
        }
        Ok(())
    }

    /// Sets the date.
    async fn move_on(&self) -> Result<Timestamp, StoreError> {
        let last = self.store.calendar().await?;
        let (calendar, leap) = calendar::follow(last, self.clock.now());
        match leap {
            Some(Leap::Noticed) => say_noticed(&calendar),
            Some(Leap::Followed) => tracing::warn!(
                date = %calendar.date,
                "the clock has gone on for a day after its jump, so it is believed: what is old by it is removed from now on"
            ),
            None => {}
        }
        let longest = Retained::ALL.map(|kind| self.retention.of(kind));
        let longest = longest.into_iter().max().unwrap_or_default();
        let forget_before = SignedDuration::try_from(longest)
            .ok()
            .and_then(|longest| calendar.date.checked_sub(longest).ok());
        let forget_before = forget_before.unwrap_or(Timestamp::MIN);
        self.store.set_calendar(calendar, forget_before).await?;
        self.standing
            .send_modify(|standing| standing.calendar = Some(calendar));
        self.metrics
            .upkeep_date(calendar.date, calendar.ahead.is_some());
        Ok(calendar.date)
    }

    /// Removes a piece and rests; whether there is more.
    async fn piece(&self, kind: Retained, date: Timestamp) -> Result<bool, StoreError> {
        let age = self.retention.of(kind);
        let started = self.clock.elapsed();
        let pruned = self
            .store
            .prune(Prune {
                kind,
                date,
                age,
                rows: ROWS,
            })
            .await?;
        let took = self.clock.elapsed().saturating_sub(started);
        let overdue = self.store.overdue(kind, date, age).await?;
        self.metrics.upkeep(kind.as_str(), overdue);
        self.metrics.upkeep_removed(&[
            ("bodies", pruned.bodies),
            ("dedup_keys", pruned.dedup_keys),
            ("history", pruned.history),
            ("attempts", pruned.attempts),
            ("events", pruned.events),
        ]);
        self.standing.send_modify(|standing| {
            for (each, of) in Retained::ALL.into_iter().zip(&mut standing.kinds) {
                if each == kind {
                    of.1 = overdue;
                }
            }
            standing.removed = standing.removed.plus(&pruned);
        });
        if pruned.more {
            let rest = took.saturating_mul(REST).max(SHORTEST_REST);
            self.clock.sleep(rest).await;
        }
        Ok(pruned.more)
    }
}

fn say_noticed(calendar: &Calendar) {
    let Some(Ahead { since, .. }) = calendar.ahead else {
        return;
    };
    let hours = since.duration_since(calendar.date).as_hours();
    tracing::warn!(
        clock = %since,
        last_upkeep = %calendar.date,
        "the clock is {} days ahead of the last upkeep. If the gateway was off for so long, all is well. If the clock is \
         wrong, set it right within a day: nothing is removed for its age until then",
        hours / 24
    );
}
