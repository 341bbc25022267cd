//! The words of labels that other modules choose from.

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestResult {
    Accepted,
    Duplicate,
    Refused,
}

impl RequestResult {
    /// The word used in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Refused => "refused",
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
    Probe,
}

impl ApiCall {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Get => "get",
            Self::Find => "find",
            Self::Create => "create",
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
