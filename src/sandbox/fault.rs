//! Troubles that can be ordered: for the next calls, or until they are lifted.

use std::{collections::VecDeque, fmt, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The most orders that are kept.
const MAX_ORDERS: usize = 1_000;

/// The longest that an answer may be held back.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// An order: which calls meet which trouble, how often.
///
/// As JSON: `{"action": {"status": {"status": 429, "retryAfter": {"seconds": 2}}}, "times": 3, "calls": {"method":
/// "PATCH", "customer": "A-1029"}}`. Without `times` it is once, without `calls` it is every call to `/v1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    #[serde(default)]
    pub calls: Calls,
    #[serde(default)]
    pub times: Times,
    pub action: Action,
}

/// Which calls an order is for; what is absent matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Calls {
    /// `GET`, `POST` or `PATCH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Identifier or user name of the customer that the call reads, changes, creates or searches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// Only pages of the list of customers: `GET /v1/customers` without a filter.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub list: bool,
    /// Only calls whose body has this text in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holding: Option<String>,
}

/// How often an order is carried out. As JSON a number, or `"untilLifted"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    Next(u32),
    UntilLifted,
}

impl Default for Times {
    fn default() -> Self {
        Self::Next(1)
    }
}

/// What happens instead of the usual answer. Only [`Action::Slow`] and [`Action::CutAfter`] apply the change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Action {
    /// An error answer in Quentli's form.
    Status {
        /// 400 to 599.
        status: u16,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<RetryAfter>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// Applied at once, answered after this time (at most ten minutes).
    Slow { milliseconds: u64 },
    /// The connection is closed without an answer, and nothing is applied. With [`Times::UntilLifted`] and for all
    /// calls this is a service that is down.
    CutBefore,
    /// The change is applied, then the connection is closed without an answer.
    CutAfter,
    /// 200 with a page, as from a captive portal.
    Html,
    /// 200 with JSON that has no customer.
    WithoutCustomer,
    /// 200 with the record of somebody else.
    OtherCustomer,
    /// 307 to another address of the sandbox.
    Redirect,
    /// 200 with `null`.
    Null,
}

/// The `Retry-After` of an error answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RetryAfter {
    Seconds(u64),
    /// A date this many seconds from the answer.
    DateIn(u64),
    /// Any text.
    Text(String),
}

/// Why an order is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFault {
    #[error("a status must be from 400 to 599, not {0}")]
    Status(u16),
    #[error("an answer can be held back for at most ten minutes")]
    TooSlow,
    #[error("`Retry-After` cannot hold control characters")]
    RetryAfter,
    #[error("no more than {MAX_ORDERS} faults can be ordered")]
    TooMany,
}

impl Fault {
    /// Every call meets it until it is lifted.
    pub fn always(action: Action) -> Self {
        Self {
            calls: Calls::default(),
            times: Times::UntilLifted,
            action,
        }
    }

    /// The next call of any kind meets it.
    pub fn once(action: Action) -> Self {
        Self::times(1, action)
    }

    /// The next calls of any kind meet it.
    pub fn times(times: u32, action: Action) -> Self {
        Self {
            times: Times::Next(times),
            ..Self::always(action)
        }
    }

    /// Only calls with this method.
    #[must_use]
    pub fn on_method(mut self, method: &str) -> Self {
        self.calls.method = Some(method.to_owned());
        self
    }

    /// Only calls about the customer with this identifier or user name.
    #[must_use]
    pub fn on_customer(mut self, customer: &str) -> Self {
        self.calls.customer = Some(customer.to_owned());
        self
    }

    /// Only calls for a page of the list of customers.
    #[must_use]
    pub fn on_list(mut self) -> Self {
        self.calls.list = true;
        self
    }

    /// Only calls whose body has this text in it: those that carry one certain value, say.
    #[must_use]
    pub fn on_body(mut self, holding: &str) -> Self {
        self.calls.holding = Some(holding.to_owned());
        self
    }

    fn check(&self) -> Result<(), InvalidFault> {
        match &self.action {
            Action::Status { status, .. } if !(400..=599).contains(status) => {
                Err(InvalidFault::Status(*status))
            }
            Action::Status {
                retry_after: Some(RetryAfter::Text(text)),
                ..
            } if http::HeaderValue::from_str(text).is_err() => Err(InvalidFault::RetryAfter),
            Action::Slow { milliseconds }
                if Duration::from_millis(*milliseconds) > LONGEST_WAIT =>
            {
                Err(InvalidFault::TooSlow)
            }
            _ => Ok(()),
        }
    }
}

impl Action {
    /// The word used in records and JSON.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Slow { .. } => "slow",
            Self::CutBefore => "cutBefore",
            Self::CutAfter => "cutAfter",
            Self::Html => "html",
            Self::WithoutCustomer => "withoutCustomer",
            Self::OtherCustomer => "otherCustomer",
            Self::Redirect => "redirect",
            Self::Null => "null",
        }
    }
}

impl RetryAfter {
    /// The text of the header.
    pub(super) fn header(&self, now: Timestamp) -> String {
        match self {
            Self::Seconds(seconds) => seconds.to_string(),
            Self::DateIn(seconds) => {
                let due = now
                    .checked_add(Duration::from_secs(*seconds))
                    .unwrap_or(Timestamp::MAX);
                jiff::fmt::rfc2822::DateTimePrinter::new()
                    .timestamp_to_rfc9110_string(&due)
                    .expect("a year that `jiff` knows has at most four digits")
            }
            Self::Text(text) => text.clone(),
        }
    }
}

impl Serialize for Times {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Next(times) => serializer.serialize_u32(*times),
            Self::UntilLifted => serializer.serialize_str("untilLifted"),
        }
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Times;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of times, or \"untilLifted\"")
            }

            fn visit_u64<E: de::Error>(self, times: u64) -> Result<Times, E> {
                u32::try_from(times)
                    .map(Times::Next)
                    .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(times), &self))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Times, E> {
                match text {
                    "untilLifted" => Ok(Times::UntilLifted),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// What orders can tell of a call.
#[derive(Clone, Copy)]
pub(super) struct Traits<'a> {
    pub(super) method: &'a str,
    /// The identifiers and user names of its customer.
    pub(super) names: &'a [&'a str],
    /// It asks for a page of all customers.
    pub(super) is_list: bool,
    pub(super) body: &'a [u8],
}

impl Calls {
    fn matches(&self, call: Traits<'_>) -> bool {
        let is_wanted = |wanted: &Option<String>, matches: &dyn Fn(&str) -> bool| {
            wanted.as_deref().is_none_or(matches)
        };
        is_wanted(&self.method, &|method| {
            method.eq_ignore_ascii_case(call.method)
        }) && is_wanted(&self.customer, &|customer| call.names.contains(&customer))
            && is_wanted(&self.holding, &|text| {
                String::from_utf8_lossy(call.body).contains(text)
            })
            && (call.is_list || !self.list)
    }
}

/// The orders, first come first served.
#[derive(Default)]
pub(super) struct Script {
    orders: VecDeque<Fault>,
}

impl Script {
    pub(super) fn push(&mut self, fault: Fault) -> Result<(), InvalidFault> {
        fault.check()?;
        if self.orders.len() >= MAX_ORDERS {
            return Err(InvalidFault::TooMany);
        }
        if fault.times != Times::Next(0) {
            self.orders.push_back(fault);
        }
        Ok(())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.orders.iter()
    }

    /// Takes the first order that a call matches.
    pub(super) fn take(&mut self, call: Traits<'_>) -> Option<Action> {
        let place = self
            .orders
            .iter()
            .position(|fault| fault.calls.matches(call))?;
        let fault = self.orders.get_mut(place)?;
        let action = fault.action.clone();
        if let Times::Next(left) = &mut fault.times {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.orders.remove(place);
            }
        }
        Some(action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_gets_the_first_order_that_matches_until_it_is_used_up() {
        let mut script = Script::default();
        script
            .push(Fault::times(2, Action::CutBefore).on_method("patch"))
            .unwrap();
        script
            .push(Fault::once(Action::Html).on_customer("A-1"))
            .unwrap();
        script
            .push(Fault::once(Action::Redirect).on_list())
            .unwrap();
        script
            .push(Fault::always(Action::Html).on_body("Eva"))
            .unwrap();
        script.push(Fault::always(Action::Null)).unwrap();
        let mut read = |names: &[&str], is_list| {
            script.take(Traits {
                method: "GET",
                names,
                is_list,
                body: b"",
            })
        };
        assert_eq!(read(&["cus_1", "A-1"], false), Some(Action::Html));
        assert_eq!(read(&["cus_1", "A-1"], false), Some(Action::Null));
        assert_eq!(read(&[], true), Some(Action::Redirect));
        let mut change = |body: &str| {
            script.take(Traits {
                method: "PATCH",
                names: &["cus_2"],
                is_list: false,
                body: body.as_bytes(),
            })
        };
        for expected in [Action::CutBefore, Action::CutBefore, Action::Null] {
            assert_eq!(change(r#"{"name":"Ana"}"#), Some(expected));
        }
        assert_eq!(change(r#"{"name":"Eva"}"#), Some(Action::Html));
        assert_eq!(script.iter().count(), 2);
    }

    #[test]
    fn orders_are_read_from_json_and_written_back() {
        for (text, fault) in [
            (r#"{"action":"cutAfter"}"#, Fault::once(Action::CutAfter)),
            (
                r#"{"action":{"slow":{"milliseconds":50}},"times":"untilLifted"}"#,
                Fault::always(Action::Slow { milliseconds: 50 }),
            ),
            (
                r#"{"calls":{"method":"PATCH","customer":"A-1"},"times":3,"action":{"status":{"status":429,"retryAfter":{"seconds":2}}}}"#,
                Fault::times(
                    3,
                    Action::Status {
                        status: 429,
                        retry_after: Some(RetryAfter::Seconds(2)),
                        message: None,
                    },
                )
                .on_method("PATCH")
                .on_customer("A-1"),
            ),
        ] {
            let read: Fault = serde_json::from_str(text).unwrap();
            assert_eq!(read, fault, "{text}");
            let written = serde_json::to_string(&read).unwrap();
            assert_eq!(serde_json::from_str::<Fault>(&written).unwrap(), fault);
        }
        for wrong in [
            r#"{"action":"explode"}"#,
            r#"{"action":"html","times":-1}"#,
            r#"{"action":"html","time":1}"#,
            r#"{"action":"html","times":"always"}"#,
            r#"{"times":1}"#,
        ] {
            assert!(serde_json::from_str::<Fault>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn orders_without_bounds_are_refused() {
        let status = |status| Action::Status {
            status,
            retry_after: None,
            message: None,
        };
        let mut script = Script::default();
        for (action, refusal) in [
            (status(200), InvalidFault::Status(200)),
            (status(307), InvalidFault::Status(307)),
            (
                Action::Slow {
                    milliseconds: 600_001,
                },
                InvalidFault::TooSlow,
            ),
        ] {
            assert_eq!(script.push(Fault::once(action)), Err(refusal));
        }
        for _ in 0..MAX_ORDERS {
            script.push(Fault::once(Action::Html)).unwrap();
        }
        assert_eq!(
            script.push(Fault::once(Action::Html)),
            Err(InvalidFault::TooMany)
        );
    }
}
