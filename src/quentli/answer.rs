//! What a call can come back with.

use std::{collections::BTreeMap, time::Duration};

use crate::customer::CustomerId;

/// A customer as Quentli shows it. Only the identifier is relied on; all else may be absent.
#[derive(Clone, PartialEq, Eq)]
pub struct Customer {
    pub id: CustomerId,
    pub username: Option<String>,
    pub email: Option<String>,
    /// Values by key; none where the answer does not show metadata, which is not the same as that there is none.
    pub metadata: Option<BTreeMap<String, String>>,
}

/// Shows the identifier only: the rest is personal data.
impl std::fmt::Debug for Customer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Customer").field(&self.id).finish()
    }
}

/// What a search for one customer found, after every returned record was compared with the value asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    One(Customer),
    None,
    /// More than one record has exactly this value: never guess.
    Several,
}

/// A call that did not do what was asked.
///
/// `Display` tells the kind, the status and Quentli's own message; it never holds the key, a body of ours or an
/// address with a customer's values.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.describe())]
pub struct CallError {
    pub kind: CallErrorKind,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// Quentli's `error.message`, or where there was no answer what the network said; cut at 500 characters, without
    /// control characters.
    pub message: Option<String>,
    /// What `Retry-After` asked for (seconds, or a date turned into the time from now), at most a day.
    pub retry_after: Option<Duration>,
}

/// What kind of trouble a call met, split by what can be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallErrorKind {
    /// DNS, connect or TLS: the request never left, so nothing was applied.
    Connect,
    /// The connection broke or time ran out after the request may have left: it may have been applied.
    Interrupted,
    /// 429: too many requests.
    Throttled,
    /// 408, 425 or 5xx.
    Unavailable,
    /// An answer that Quentli does not give: a redirect, a 2xx without the customer's own identifier, a body that is
    /// not JSON or is longer than the cap. A captive portal or a proxy looks like that.
    NotQuentli,
    /// 401: the key is not accepted.
    Unauthorized,
    /// 403: the key may not do this.
    Forbidden,
    /// 404, or 200 with `null`.
    NotFound,
    /// 400, 409, 422 or any other 4xx: the request itself is refused.
    Refused,
}

impl CallErrorKind {
    pub const ALL: [Self; 9] = [
        Self::Connect,
        Self::Interrupted,
        Self::Throttled,
        Self::Unavailable,
        Self::NotQuentli,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::Refused,
    ];

    /// Whether the key may be at fault, rather than the call.
    pub const fn is_refusal_of_key(self) -> bool {
        matches!(self, Self::Unauthorized | Self::Forbidden)
    }

    /// The word used in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Interrupted => "interrupted",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::NotQuentli => "not-quentli",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::Refused => "refused",
        }
    }
}

impl CallError {
    fn describe(&self) -> String {
        use std::fmt::Write as _;
        let mut text = match self.kind {
            CallErrorKind::Connect => "no connection to Quentli".to_owned(),
            CallErrorKind::Interrupted => "the call to Quentli was cut off".to_owned(),
            CallErrorKind::Throttled => "Quentli asks to slow down".to_owned(),
            CallErrorKind::Unavailable => "Quentli cannot serve now".to_owned(),
            CallErrorKind::NotQuentli => "the answer is not one of Quentli's".to_owned(),
            CallErrorKind::Unauthorized => "Quentli does not accept the key".to_owned(),
            CallErrorKind::Forbidden => "Quentli does not allow this".to_owned(),
            CallErrorKind::NotFound => "Quentli has no such customer".to_owned(),
            CallErrorKind::Refused => "Quentli refuses the change".to_owned(),
        };
        if let Some(status) = self.status {
            write!(text, " (HTTP {status})").expect("writing to a String cannot fail");
        }
        if let Some(message) = &self.message {
            write!(text, ": {message}").expect("writing to a String cannot fail");
        }
        text
    }
}
