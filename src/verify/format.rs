//! How a header holds signatures: alone, behind a prefix, among `key=value` pairs, or in a list with versions.

use super::Refusal;

/// More than any sender makes while its keys rotate.
const MAX_SIGNATURES: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SignatureFormat {
    /// The whole value is the signature.
    Plain,
    /// `sha256=<signature>`; with a separator, several signatures behind one prefix.
    Prefix {
        prefix: String,
        separator: Option<String>,
    },
    /// `t=1700000000,v1=<signature>,v1=<signature>`; other keys are ignored.
    Pairs {
        separator: String,
        assign: String,
        key: String,
    },
    /// `v1,<signature> v1a,<signature>`; other versions are ignored.
    List {
        separator: String,
        assign: String,
        version: String,
    },
}

impl SignatureFormat {
    /// Whether two headers of the name mean the same as one longer list.
    pub(super) const fn may_repeat(&self) -> bool {
        matches!(
            self,
            Self::List { .. }
                | Self::Prefix {
                    separator: Some(_),
                    ..
                }
        )
    }

    /// What it means when a value is there but holds no signature.
    pub(super) const fn refusal_without_signature(&self) -> Refusal {
        match self {
            Self::Plain | Self::Prefix { .. } => Refusal::MalformedSignature,
            Self::Pairs { .. } | Self::List { .. } => Refusal::NoKnownSignature,
        }
    }

    /// Adds the signatures that a header value holds, empty ones excepted.
    ///
    /// # Errors
    ///
    /// [`Refusal::MalformedSignature`] without the prefix, [`Refusal::TooManySignatures`].
    pub(super) fn signatures<'a>(
        &self,
        value: &'a str,
        found: &mut Vec<&'a str>,
    ) -> Result<(), Refusal> {
        match self {
            Self::Plain => add(std::iter::once(value), found),
            Self::Prefix { prefix, separator } => {
                let rest = value
                    .strip_prefix(prefix.as_str())
                    .ok_or(Refusal::MalformedSignature)?;
                match separator {
                    None => add(std::iter::once(rest), found),
                    Some(separator) => add(rest.split(separator.as_str()), found),
                }
            }
            Self::Pairs {
                separator,
                assign,
                key: name,
            }
            | Self::List {
                separator,
                assign,
                version: name,
            } => add(named(value, separator, assign, name), found),
        }
    }

    /// The one value of another key beside the signatures; twice is refused.
    pub(super) fn pair<'a>(&self, value: &'a str, key: &str) -> Result<Option<&'a str>, Refusal> {
        let Self::Pairs {
            separator, assign, ..
        } = self
        else {
            return Ok(None);
        };
        let mut values = named(value, separator, assign, key);
        let first = values.next();
        match values.next() {
            Some(_) => Err(Refusal::AmbiguousValue),
            None => Ok(first),
        }
    }

    /// A header value as a sender writes it; `before` are pairs that stand before the signature.
    pub(super) fn write(&self, signature: &str, before: &[(&str, &str)]) -> String {
        match self {
            Self::Plain => signature.to_owned(),
            Self::Prefix { prefix, .. } => format!("{prefix}{signature}"),
            Self::Pairs {
                separator,
                assign,
                key,
            } => {
                let own = [(key.as_str(), signature)];
                let pairs: Vec<_> = before
                    .iter()
                    .chain(&own)
                    .map(|(key, value)| format!("{key}{assign}{value}"))
                    .collect();
                pairs.join(separator)
            }
            Self::List {
                assign, version, ..
            } => format!("{version}{assign}{signature}"),
        }
    }
}

/// The values behind `name` and the assignment, of all pieces between separators.
fn named<'a, 'f>(
    value: &'a str,
    separator: &'f str,
    assign: &'f str,
    name: &'f str,
) -> impl Iterator<Item = &'a str> + use<'a, 'f> {
    pieces(value, separator)
        .filter_map(move |piece| piece.trim().strip_prefix(name)?.strip_prefix(assign))
}

/// As [`str::split`], without what a search for a longer text costs to prepare: separators are nearly always one
/// character, and this runs for every request.
fn pieces<'a, 'f>(
    value: &'a str,
    separator: &'f str,
) -> impl Iterator<Item = &'a str> + use<'a, 'f> {
    let mut characters = separator.chars();
    let single = characters.next().filter(|_| characters.next().is_none());
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let text = rest?;
        let cut = match single {
            Some(character) => text.split_once(character),
            None if separator.is_empty() => None,
            None => text.split_once(separator),
        };
        rest = cut.map(|(_, behind)| behind);
        Some(cut.map_or(text, |(piece, _)| piece))
    })
}

fn add<'a>(
    signatures: impl Iterator<Item = &'a str>,
    found: &mut Vec<&'a str>,
) -> Result<(), Refusal> {
    for signature in signatures.filter(|signature| !signature.is_empty()) {
        if found.len() == MAX_SIGNATURES {
            return Err(Refusal::TooManySignatures);
        }
        found.push(signature);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: &SignatureFormat, value: &str) -> Result<Vec<String>, Refusal> {
        let mut found = Vec::new();
        format.signatures(value, &mut found)?;
        Ok(found.into_iter().map(str::to_owned).collect())
    }

    fn stripe() -> SignatureFormat {
        SignatureFormat::Pairs {
            separator: ",".into(),
            assign: "=".into(),
            key: "v1".into(),
        }
    }

    #[test]
    fn other_keys_and_versions_are_ignored() {
        assert_eq!(
            read(&stripe(), "t=1,v1=a,v0=b, v1=c=").unwrap(),
            ["a", "c="]
        );
        assert!(read(&stripe(), "t,v1=,").unwrap().is_empty());
        let list = SignatureFormat::List {
            separator: " ".into(),
            assign: ",".into(),
            version: "v1".into(),
        };
        assert_eq!(read(&list, "v1a,x v1,y  v2,z v1,w").unwrap(), ["y", "w"]);
        assert!(read(&list, "garbage").unwrap().is_empty());
        let long = SignatureFormat::List {
            separator: "; ".into(),
            assign: "::".into(),
            version: "v1".into(),
        };
        assert_eq!(read(&long, "v1::a; v2::b; v1::c").unwrap(), ["a", "c"]);
    }

    #[test]
    fn a_prefix_must_be_there() {
        let prefix = SignatureFormat::Prefix {
            prefix: "v0=".into(),
            separator: Some(",".into()),
        };
        assert_eq!(read(&prefix, "v0=a,b").unwrap(), ["a", "b"]);
        assert_eq!(read(&prefix, "a"), Err(Refusal::MalformedSignature));
    }

    #[test]
    fn a_flood_of_signatures_is_refused() {
        let value = vec!["v1=a"; MAX_SIGNATURES + 1].join(",");
        assert_eq!(read(&stripe(), &value), Err(Refusal::TooManySignatures));
    }

    #[test]
    fn a_pair_beside_the_signature_is_there_once() {
        assert_eq!(stripe().pair("t=1,v1=a", "t"), Ok(Some("1")));
        assert_eq!(stripe().pair("v1=a", "t"), Ok(None));
        assert_eq!(stripe().pair("t=1,t=2", "t"), Err(Refusal::AmbiguousValue));
        assert_eq!(stripe().write("abc", &[("t", "1")]), "t=1,v1=abc");
    }
}
