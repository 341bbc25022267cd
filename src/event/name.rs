//! Names that people choose: of sources, of organisations and of replicas.

use std::{fmt, str::FromStr, sync::Arc};

/// A replica's name has 1 to so many characters.
const LONGEST_REPLICA_NAME: usize = 100;

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a name: use 1 to 64 lower-case letters, digits and `-`, starting with a letter or digit"
)]
pub struct InvalidName(pub String);

fn check(text: &str) -> Result<Arc<str>, InvalidName> {
    let fits = (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-');
    if fits {
        Ok(text.into())
    } else {
        Err(InvalidName(text.chars().take(80).collect()))
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(Arc<str>);

        impl $type {
            /// The name as it is written in files and addresses.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                check(text).map(Self)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name! {
    /// A sending system, as the last part of its address `/webhooks/<source>` and the name of its file.
    /// Cheap to clone.
    SourceName
}

name! {
    /// A Quentli organisation of the gateway's configuration, that is one API key. Cheap to clone.
    OrganisationName
}

impl OrganisationName {
    /// The organisation that files mean when they name none: `default`.
    pub fn default_name() -> Self {
        Self(Arc::from("default"))
    }
}

/// What people call a process: 1 to 100 letters, digits, `.`, `_` and `-`. It need not be unique.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaName(String);

/// Why a text is not the name of a replica.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a name of a replica: use 1 to 100 letters, digits, `.`, `_` and `-`")]
pub struct InvalidReplicaName(pub String);

impl ReplicaName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ReplicaName {
    type Err = InvalidReplicaName;

    fn from_str(text: &str) -> Result<Self, InvalidReplicaName> {
        let fits = (1..=LONGEST_REPLICA_NAME).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidReplicaName(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for ReplicaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_lower_case_and_url_safe() {
        for good in ["hubspot", "sis-aguilas", "7", &"a".repeat(64)] {
            assert_eq!(good.parse::<SourceName>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "-a",
            "HubSpot",
            "a b",
            "a/b",
            "ñ",
            "..",
            &"a".repeat(65),
        ] {
            assert!(
                bad.parse::<SourceName>().is_err(),
                "{bad:?} was taken as a name"
            );
        }
    }

    #[test]
    fn names_of_replicas_are_those_of_hosts_and_pods() {
        for good in ["gateway-7d9f-x2k", "GATEWAY_1.example.mx", &"a".repeat(100)] {
            assert_eq!(good.parse::<ReplicaName>().unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a/b", "ñ", "a\n", &"a".repeat(101)] {
            assert!(bad.parse::<ReplicaName>().is_err(), "{bad:?} was taken");
        }
    }
}
