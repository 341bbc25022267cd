//! What people did with the gateway: looked at personal data, or changed what becomes of requests and deliveries.
//!
//! An act is written down before its result is given away, so that nothing is shown that nobody wrote down. Entries
//! hold names, numbers and identifiers, never a customer's values. They are kept for two years, and the latest
//! hundred thousand at most; nothing else removes them.
//!
//! Who it was is what they said: whoever may ask the operators' port at all may give any name. It helps colleagues
//! who trust each other, and proves nothing.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use crate::event::OperatorName;

/// How long entries are kept: about two years.
pub const AUDIT_KEPT_FOR: Duration = Duration::from_hours(24 * 730);
/// How many entries are kept at most.
pub const AUDIT_ENTRIES: u32 = 100_000;

/// What people can do that is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Personal data of an event was shown.
    Reveal,
    /// Deliveries were sent once more.
    Redeliver,
    /// Deliveries were given up.
    Discard,
    /// A source or an organisation was stopped.
    Pause,
    /// A source or an organisation goes on.
    Resume,
    /// Every trace of a customer was removed.
    Erase,
    /// A changed mapping was run over stored events.
    Backtest,
    /// Files were read again.
    Reload,
    /// Refused requests were tried again.
    AcceptRejected,
    /// The secret that a sender named was forgotten.
    ForgetSecret,
}

impl Act {
    pub const ALL: [Self; 10] = [
        Self::Reveal,
        Self::Redeliver,
        Self::Discard,
        Self::Pause,
        Self::Resume,
        Self::Erase,
        Self::Backtest,
        Self::Reload,
        Self::AcceptRejected,
        Self::ForgetSecret,
    ];

    /// The word used in the store, pages and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reveal => "reveal",
            Self::Redeliver => "redeliver",
            Self::Discard => "discard",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Erase => "erase",
            Self::Backtest => "backtest",
            Self::Reload => "reload",
            Self::AcceptRejected => "accept-rejected",
            Self::ForgetSecret => "forget-secret",
        }
    }

    /// The act of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.as_str() == word)
    }
}

/// The number of an entry; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuditId(pub i64);

/// An act to write down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAuditEntry {
    pub at: Timestamp,
    pub act: Act,
    /// Who it was, where they said it.
    pub by: Option<OperatorName>,
    /// What it was done to, such as (`event`, `17`) or (`source`, `crm`): identifiers and filters, never values of a
    /// customer.
    pub what: Vec<(&'static str, String)>,
    /// How many events, deliveries or requests it concerned.
    pub count: u64,
}

/// An act that was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    pub id: AuditId,
    pub at: Timestamp,
    pub act: Act,
    pub by: Option<OperatorName>,
    pub what: Vec<(String, String)>,
    pub count: u64,
}

/// Which entries are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct AuditFilter {
    pub act: Option<Act>,
    /// Only those with a smaller number: the next page.
    pub before: Option<AuditId>,
}

/// The audit log of a store.
#[async_trait]
pub trait AuditLog: Send + Sync + fmt::Debug {
    /// Writes an act down, and removes what is kept no longer.
    async fn record_act(&self, entry: NewAuditEntry) -> Result<AuditId, StoreError>;

    /// Up to `limit` entries, newest first.
    async fn acts(&self, filter: AuditFilter, limit: u32) -> Result<Vec<AuditEntry>, StoreError>;
}
