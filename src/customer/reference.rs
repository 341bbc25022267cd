//! How an update says whose record it is for.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::Patch;
use crate::event::LaneKey;

/// Quentli's identifier of a customer. Opaque: `cus_…` and older forms exist, so only emptiness, length (1 to 200
/// characters), white space and control characters are refused; it is percent-encoded where it enters an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CustomerId(String);

/// Why a text is not a customer identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a customer identifier: it must have 1 to 200 characters and no white space")]
pub struct InvalidCustomerId;

impl CustomerId {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For the log: the identifier where it looks like one of Quentli's, and else only that there is one, since a
    /// mapping may have taken it from an address or a name.
    pub fn for_log(&self) -> &str {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if self.0.bytes().all(is_plain) {
            &self.0
        } else {
            "(not shown)"
        }
    }
}

impl FromStr for CustomerId {
    type Err = InvalidCustomerId;

    fn from_str(text: &str) -> Result<Self, InvalidCustomerId> {
        let fits = !text.is_empty()
            && text.chars().count() <= 200
            && !text.chars().any(|c| c.is_whitespace() || c.is_control())
            && !matches!(text, "." | "..");
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidCustomerId)
        }
    }
}

impl TryFrom<String> for CustomerId {
    type Error = InvalidCustomerId;

    fn try_from(text: String) -> Result<Self, InvalidCustomerId> {
        text.parse()
    }
}

impl From<CustomerId> for String {
    fn from(id: CustomerId) -> Self {
        id.0
    }
}

impl fmt::Display for CustomerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One line of `find`: a property that identifies a customer, with its value (trimmed, not blank; an e-mail
/// address in lower case).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FindBy {
    Username(String),
    Email(String),
    Metadata { key: String, value: String },
}

/// What happens to an update whose customer Quentli does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnMissing {
    /// Look again until it appears, for a bounded time.
    Retry,
    /// A person must look.
    Fail,
    /// Acknowledge and forget.
    Drop,
    /// Create it; these fields go into the POST besides those of the update.
    Create(Patch),
}

/// What happens to a change that Quentli refuses, perhaps since somebody else has its user name, e-mail address or
/// telephone number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnConflict {
    /// A person must look.
    #[default]
    Fail,
    /// It is sent once more without [`Field::CONTACT`](super::Field::CONTACT), and these wait for a person.
    DropContact,
}

/// Whose record an update is for: an identifier, or lines to find it by, tried in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerReference {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<CustomerId>,
    /// Only lines that have a value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub find: Vec<FindBy>,
    pub on_missing: OnMissing,
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_conflict: OnConflict,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_default(on_conflict: &OnConflict) -> bool {
    *on_conflict == OnConflict::default()
}

impl CustomerReference {
    /// The lane of the first key that has a value; `None` when there is none, so that nobody can be found.
    pub fn lane(&self) -> Option<LaneKey> {
        if let Some(id) = &self.id {
            return Some(LaneKey::of("id", id.as_str()));
        }
        self.find.first().map(FindBy::lane)
    }
}

impl FindBy {
    /// The lane of customers known by this line.
    pub fn lane(&self) -> LaneKey {
        match self {
            Self::Username(value) => LaneKey::of("username", value),
            Self::Email(value) => LaneKey::of("email", value),
            Self::Metadata { key, value } => LaneKey::of(&format!("metadata.{key}"), value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_opaque_but_never_empty_or_spaced() {
        for good in [
            "cus_1234567890abcdefghij",
            "cm4k6bzfx0019rtqttpbgg0ea",
            "a/b",
            "ñ",
        ] {
            assert_eq!(good.parse::<CustomerId>().unwrap().as_str(), good);
        }
        for bad in ["", " ", "a b", "a\n", "..", &"a".repeat(201)] {
            assert!(
                bad.parse::<CustomerId>().is_err(),
                "{bad:?} was taken as an identifier"
            );
        }
    }

    #[test]
    fn what_does_not_look_like_an_identifier_stays_out_of_the_log() {
        let for_log = |text: &str| text.parse::<CustomerId>().unwrap().for_log().to_owned();
        assert_eq!(for_log("cus_1234-x"), "cus_1234-x");
        assert_eq!(for_log("ana@example.com"), "(not shown)");
    }

    #[test]
    fn a_lane_follows_the_first_key_that_has_a_value() {
        let mut reference = CustomerReference {
            id: None,
            find: vec![FindBy::Username("u".into()), FindBy::Email("e@x.mx".into())],
            on_missing: OnMissing::Retry,
            on_conflict: OnConflict::Fail,
        };
        assert_eq!(reference.lane(), Some(LaneKey::of("username", "u")));
        reference.id = Some("cus_1".parse().unwrap());
        assert_eq!(reference.lane(), Some(LaneKey::of("id", "cus_1")));
        reference.id = None;
        reference.find.clear();
        assert_eq!(reference.lane(), None);
    }
}
