//! The words of labels that other modules choose from.

use serde::{Deserialize, Serialize};

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestResult {
    Accepted,
    Duplicate,
    /// A sender registered the address; nothing was stored as an event.
    Handshake,
    Refused,
}

impl RequestResult {
    /// The word used in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Handshake => "handshake",
            Self::Refused => "refused",
        }
    }
}

/// What became of a registration handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HandshakeOutcome {
    Answered,
    /// Answered, and the secret that the sender named is kept.
    Learned,
    Refused,
    /// The address that the sender named was fetched.
    Confirmed,
    /// It could not be fetched.
    Unconfirmed,
}

impl HandshakeOutcome {
    /// The word used in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Learned => "learned",
            Self::Refused => "refused",
            Self::Confirmed => "confirmed",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

/// A call to Quentli.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApiCall {
    Update,
    Get,
    Find,
    Create,
    /// A page of the list of customers.
    List,
    Probe,
}

impl ApiCall {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Get => "get",
            Self::Find => "find",
            Self::Create => "create",
            Self::List => "list",
            Self::Probe => "probe",
        }
    }
}

/// What is read again while the gateway runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReloadPart {
    /// The set of sources, with their secrets.
    Sources,
    /// Quentli's keys.
    Keys,
}

impl ReloadPart {
    pub const ALL: [Self; 2] = [Self::Sources, Self::Keys];

    /// The word used in logs, metrics and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sources => "sources",
            Self::Keys => "keys",
        }
    }
}

/// How far an organisation's directory of customers is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DirectoryState {
    /// No mapping finds customers by metadata.
    Unused,
    /// The list of customers was not read to its end yet, at least not for every key.
    Building,
    Ready,
    /// More customers have the metadata than it may hold.
    Full,
    /// The list of customers gives nothing that could be relied on.
    Unusable,
}

impl DirectoryState {
    pub const ALL: [Self; 5] = [
        Self::Unused,
        Self::Building,
        Self::Ready,
        Self::Full,
        Self::Unusable,
    ];

    /// The word used in logs, metrics and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::Building => "building",
            Self::Ready => "ready",
            Self::Full => "full",
            Self::Unusable => "unusable",
        }
    }
}

/// Whether an organisation's deliveries go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrganisationState {
    Delivering,
    Throttled,
    BreakerOpen,
    Paused,
}

impl OrganisationState {
    pub const ALL: [Self; 4] = [
        Self::Delivering,
        Self::Throttled,
        Self::BreakerOpen,
        Self::Paused,
    ];

    /// The word used in logs, metrics and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivering => "delivering",
            Self::Throttled => "throttled",
            Self::BreakerOpen => "breaker-open",
            Self::Paused => "paused",
        }
    }
}

/// Why a refused request was not written down, or not kept whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeftOut {
    /// There were more at once than are looked at.
    Flood,
    /// The store had enough to do, or could not write.
    Store,
    /// It was written down, but is too large to be kept whole, or too much was kept at once.
    Body,
}

impl LeftOut {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Flood => "flood",
            Self::Store => "store",
            Self::Body => "body",
        }
    }
}
