//! The parameters of an address, read by name; what is not known is named, with what was perhaps meant.

use std::str::FromStr;

use axum::response::Response;
use url::form_urlencoded;

use super::answer;
use crate::diag::did_you_mean;

/// What is not written right, for whoever asked.
#[derive(Debug)]
pub(super) struct Misread(pub(super) String);

impl From<Misread> for Response {
    fn from(misread: Misread) -> Self {
        answer::misread(&misread.0)
    }
}

/// What stands behind the `?` of an address.
pub(super) struct Parameters {
    pairs: Vec<(String, String)>,
}

impl Parameters {
    /// Reads those of these names.
    ///
    /// # Errors
    /// What is wrong, where another name stands there, or one without a value: a variable that was not set must not ask
    /// for everything.
    pub(super) fn read(query: Option<&str>, known: &[&'static str]) -> Result<Self, Misread> {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let pairs: Vec<(String, String)> = pairs
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let unknown = pairs
            .iter()
            .find(|(name, _)| !known.contains(&name.as_str()));
        if let Some((name, _)) = unknown {
            let short: String = name.chars().take(40).collect();
            let help = did_you_mean(name, known.iter().copied())
                .unwrap_or_else(|| format!("known are {}", list(known)));
            return Err(Misread(format!("no parameter is called `{short}`; {help}")));
        }
        if let Some((name, _)) = pairs.iter().find(|(_, value)| value.is_empty()) {
            return Err(Misread(format!(
                "`{name}` has no value; leave it out where it is not meant"
            )));
        }
        Ok(Self { pairs })
    }

    /// All values of a name.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let pairs = self.pairs.iter();
        let of_name = pairs.filter(|(known, _)| known == name);
        of_name.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a name.
    ///
    /// # Errors
    /// What is wrong, where there are several.
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, Misread> {
        match self.all(name)[..] {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            _ => Err(Misread(format!("`{name}` stands there more than once"))),
        }
    }

    /// The value of a name, as what it is; `what` says so.
    ///
    /// # Errors
    /// What is wrong, where it is something else.
    pub(super) fn parsed<T: FromStr>(&self, name: &str, what: &str) -> Result<Option<T>, Misread> {
        let value = self.one(name)?.map(str::parse).transpose();
        value.map_err(|_| Misread(format!("`{name}` is not {what}")))
    }

    /// One of some words, as what it stands for.
    ///
    /// # Errors
    /// What is wrong, where it is another.
    pub(super) fn word<T: Copy>(
        &self,
        name: &str,
        words: impl Iterator<Item = T> + Clone,
        as_str: impl Fn(T) -> &'static str,
    ) -> Result<Option<T>, Misread> {
        let Some(written) = self.one(name)? else {
            return Ok(None);
        };
        if let Some(found) = words.clone().find(|word| as_str(*word) == written) {
            return Ok(Some(found));
        }
        let words: Vec<&'static str> = words.map(as_str).collect();
        let help = did_you_mean(written, words.iter().copied())
            .unwrap_or_else(|| format!("it is one of {}", list(&words)));
        Err(Misread(format!("`{name}` is none of its words; {help}")))
    }

    /// Whether a name is `true`; `false` where it is not there.
    ///
    /// # Errors
    /// What is wrong, where it is anything else.
    pub(super) fn is(&self, name: &str) -> Result<bool, Misread> {
        Ok(self.parsed(name, "`true` or `false`")?.unwrap_or(false))
    }

    /// How many entries a page has: `usual` unless it is said, `most` at most.
    ///
    /// # Errors
    /// What is wrong, where it is no number, or too large a one.
    pub(super) fn limit(&self, usual: u32, most: u32) -> Result<u32, Misread> {
        let what = format!("a number from 1 to {most}");
        let limit = self.parsed("limit", &what)?.unwrap_or(usual);
        if (1..=most).contains(&limit) {
            Ok(limit)
        } else {
            Err(Misread(format!("`limit` is not {what}")))
        }
    }
}

pub(super) fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}
