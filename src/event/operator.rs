//! Who works with the gateway, as they say themselves.

use std::{fmt, str::FromStr};

/// The name of a person or a program that works with the gateway: 1 to 64 characters that can be seen, without white
/// space around them. What somebody says of themselves, not a proof.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct OperatorName(String);

/// Why a text is not the name of an operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a name: use 1 to 64 letters, digits, spaces and signs, without control characters")]
pub struct InvalidOperatorName;

impl OperatorName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OperatorName {
    type Err = InvalidOperatorName;

    fn from_str(text: &str) -> Result<Self, InvalidOperatorName> {
        let text = text.trim();
        let fits = (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidOperatorName)
        }
    }
}

impl fmt::Display for OperatorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for OperatorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_command_no_terminal() {
        let long = "ñ".repeat(64);
        for (text, name) in [
            ("ana", Some("ana")),
            (" Ana Pérez (TI) ", Some("Ana Pérez (TI)")),
            (&long, Some(&*long)),
            ("", None),
            (" ", None),
            (&"a".repeat(65), None),
            ("ana\u{1b}[31m", None),
            ("ana\nadmin", None),
        ] {
            let parsed = text.parse::<OperatorName>().ok();
            assert_eq!(parsed.as_ref().map(OperatorName::as_str), name, "{text:?}");
        }
    }
}
