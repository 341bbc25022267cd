//! What a store lets go of when its time is over: bodies, dedup keys and history, each after an age of its own.
//!
//! The store does not judge times: it is told the date of the upkeep ([`Calendar`]) and up to which date something was
//! accepted to be let go. When an event was accepted it tells by *marks*, which it makes itself when the date moves on:
//! the number of the latest event then. So neither a wrong clock while an event came nor one that is wrong now moves
//! anything; only the date does, and who sets it must know what he does.
//!
//! Everything is done in small pieces, since each is part of a transaction that others wait for: a call of
//! [`Upkeep::prune`] does at most as much as it is allowed, and says whether there is more.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;

/// What is kept for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Retained {
    /// The raw bodies of events with their headers; those of events with open deliveries stay.
    Bodies,
    /// What makes an event that comes again a duplicate.
    DedupKeys,
    /// How deliveries ended, with their attempts; that of an event goes when its last delivery ended long enough ago.
    History,
}

impl Retained {
    pub const ALL: [Self; 3] = [Self::Bodies, Self::DedupKeys, Self::History];

    /// The word used in settings, metrics, pages and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bodies => "bodies",
            Self::DedupKeys => "dedup_keys",
            Self::History => "history",
        }
    }
}

/// The date of the upkeep, and whether the clock is ahead of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Never goes back.
    pub date: Timestamp,
    pub ahead: Option<Ahead>,
}

/// A clock that is ahead of the date by so much that the date does not follow yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// What the clock said when that was noticed.
    pub since: Timestamp,
    /// What it said last.
    pub seen: Timestamp,
}

/// What may go.
#[derive(Clone, Copy, Debug)]
pub struct Prune {
    pub kind: Retained,
    /// The date of the upkeep.
    pub date: Timestamp,
    /// How long it is kept.
    pub age: Duration,
    /// How many rows may be changed or looked at; a large body counts as several.
    pub rows: u32,
}

/// What went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub bodies: u64,
    pub dedup_keys: u64,
    /// Deliveries that had ended, and their attempts.
    pub history: u64,
    pub attempts: u64,
    /// Events of which nothing was left.
    pub events: u64,
    /// Whether the call stopped because it had done enough.
    pub more: bool,
}

impl Pruned {
    /// Both together, as long as there is more by either.
    #[must_use]
    pub fn plus(self, other: &Self) -> Self {
        Self {
            bodies: self.bodies + other.bodies,
            dedup_keys: self.dedup_keys + other.dedup_keys,
            history: self.history + other.history,
            attempts: self.attempts + other.attempts,
            events: self.events + other.events,
            more: self.more || other.more,
        }
    }

    /// Whether something of a person was among it.
    #[must_use]
    pub const fn is_of_people(&self) -> bool {
        self.bodies > 0 || self.history > 0 || self.attempts > 0
    }
}

/// The upkeep of a store.
#[async_trait]
pub trait Upkeep: Send + Sync + fmt::Debug {
    /// The calendar that was set last.
    async fn calendar(&self) -> Result<Option<Calendar>, StoreError>;

    /// Sets the calendar, and marks the latest event where the date has moved on by an hour or more. Marks that no date
    /// from `forget_before` on needs are dropped.
    async fn set_calendar(
        &self,
        calendar: Calendar,
        forget_before: Timestamp,
    ) -> Result<(), StoreError>;

    /// Removes some of what is older than its age, the oldest first.
    async fn prune(&self, prune: Prune) -> Result<Pruned, StoreError>;

    /// How many events have reached the age and were not looked at yet. At most that: it counts numbers, not rows.
    async fn overdue(
        &self,
        kind: Retained,
        date: Timestamp,
        age: Duration,
    ) -> Result<u64, StoreError>;
}
