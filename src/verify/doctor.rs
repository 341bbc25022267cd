//! Why a request is not taken as genuine, and what would have to change for it to be: the doctor for failing signatures.
//!
//! [`examine`] checks a request as its source does. Where that fails it tries the usual mistakes: each is a [`Change`]
//! of the settings, of the secrets or of the request, and the request is checked again under it. What makes it genuine
//! is no guess but shown by the signature itself. Changes are tried one by one, and then in pairs; their number and the
//! bytes that they hash are bounded, so a large body is tried with fewer of them. Where nothing helps, the report says
//! what was tried and what cannot be seen from here.
//!
//! A report never holds a secret, nor a part of one: what a request writes of it is taken out at the end
//! ([`Concealed`]). Nor does it hold the right signature of a request. The signature is left out on
//! purpose and not even on demand: reports are pasted into tickets and chats, and with the right signature of a body
//! anybody could send it. Who has the secret can compute it.
//!
//! Like all of [`verify`](super), this does no I/O and reads no clock.

mod address;
mod body;
mod certificate;
mod claims;
mod concealed;
mod credentials;
mod header;
mod inventory;
mod json;
mod moment;
mod search;
mod secrets;
mod settings;
mod shape;
mod signed;
mod tokens;
mod unseen;

use std::sync::Arc;

use jiff::Timestamp;

pub use self::{
    concealed::Concealed,
    inventory::{Seen, State, distance, in_words},
    settings::Settings,
};
use super::{KeySetHandle, PublicKey, Received, Refusal, SettingsError, SigningSecret};

/// A request and the source that refuses it.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// How the source verifies.
    pub settings: &'a Settings,
    pub secrets: &'a [SigningSecret],
    /// In place of secrets, for settings that take them.
    pub public_keys: &'a [PublicKey],
    /// The keys that the sender publishes, for settings that need them.
    pub key_set: Option<&'a KeySetHandle>,
    /// Secrets of other sources, to be tried last; their names say which source they are of.
    pub others: &'a [SigningSecret],
    pub request: &'a Received,
    /// When the request arrived.
    pub now: Timestamp,
}

/// What came of an examination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub verdict: Verdict,
    /// What the check looked at, and what was there.
    pub seen: Vec<Seen>,
    /// What would have made the request genuine, the likeliest first; nothing for a genuine one.
    pub explanations: Vec<Explanation>,
    /// Where nothing explains a refusal: the likeliest causes among those that cannot be seen.
    pub unseen: Vec<String>,
    /// How many changes were tried.
    pub tries: usize,
    /// Whether the bounds on tries or hashed bytes were reached.
    pub is_cut: bool,
    /// Through it passes what is shown beside the report, such as lines of files.
    pub concealed: Concealed,
}

/// How the request was judged, as the gateway would have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// With the name of the secret that matched; `None` where nothing is verified.
    Genuine(Option<Arc<str>>),
    Refused(Refusal),
    /// Settings and secrets do not make a check, so the gateway would not even load the source.
    Unfit(SettingsError),
}

/// Something that makes the request genuine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// All of it is needed. Empty where the request was genuine at another time, as it stands.
    pub parts: Vec<Advice>,
    /// The moment at which it was genuine, where that is not the one at which it arrived.
    pub at: Option<Timestamp>,
}

/// One mistake and its remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What was found, as a sentence without its full stop.
    pub finding: String,
    pub remedy: Remedy,
}

/// What to do about a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Settings of `verify`, by key (`timestamp.format` is a key inside), with what to write; `None` removes the key.
    Settings(Vec<(String, Option<serde_json::Value>)>),
    /// All settings of `verify`, anew.
    Whole(Settings),
    /// Another preset.
    Preset(&'static str),
    /// The setting `public_url` of the gateway.
    PublicUrl(String),
    /// Something about `receive.secrets`, in words.
    Secrets(String),
    /// Anything else, in words.
    Words(String),
}

impl From<Advice> for Explanation {
    fn from(advice: Advice) -> Self {
        Self {
            parts: vec![advice],
            at: None,
        }
    }
}

/// Examines a request: how it is judged and, where it is refused, why.
pub fn examine(case: Case<'_>) -> Report {
    let verdict = search::verdict(&case);
    let seen = inventory::take(&case, &verdict);
    let mut report = Report {
        verdict,
        seen,
        explanations: Vec::new(),
        unseen: Vec::new(),
        tries: 0,
        is_cut: false,
        concealed: Concealed::new(case.secrets.iter().chain(case.others)),
    };
    if matches!(report.verdict, Verdict::Genuine(_)) {
        Concealed::report(&mut report);
        return report;
    }
    let found = search::search(&case, search::BOUNDS);
    report.explanations = found.explanations;
    report.tries = found.tries;
    report.is_cut = found.is_cut;
    if report.explanations.is_empty() {
        report.unseen = unseen::causes(&case, &report.verdict);
    }
    Concealed::report(&mut report);
    report
}

/// A mistake to try: what it changes, and what it would mean that the request is genuine then.
#[derive(Clone, Debug)]
struct Change {
    aspect: Aspect,
    /// Keys of the settings with their new values; `None` removes a key.
    settings: Vec<(String, Option<serde_json::Value>)>,
    /// In place of all settings.
    instead: Option<Settings>,
    secrets: Option<Vec<SigningSecret>>,
    public_keys: Option<Vec<PublicKey>>,
    body: Option<bytes::Bytes>,
    url: Option<String>,
    headers: Option<http::HeaderMap>,
    advice: Advice,
}

/// What a change is about. Two changes of one aspect are never combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Aspect {
    /// All settings at once, as a preset whose header is in the request: the plainest explanation.
    Sender,
    /// Where the signature stands and how it is written.
    Shape,
    /// That of a token.
    Algorithm,
    SecretEncoding,
    Secret,
    Headers,
    Body,
    Address,
    Timestamp,
    Id,
    Signed,
    /// All settings at once.
    Scheme,
    OtherSecret,
}

impl Change {
    fn new(aspect: Aspect, finding: impl Into<String>, remedy: Remedy) -> Self {
        Self {
            aspect,
            settings: Vec::new(),
            instead: None,
            secrets: None,
            public_keys: None,
            body: None,
            url: None,
            headers: None,
            advice: Advice {
                finding: finding.into(),
                remedy,
            },
        }
    }

    /// A change of settings, whose remedy is that change.
    fn of_settings(
        aspect: Aspect,
        finding: impl Into<String>,
        settings: Vec<(String, Option<serde_json::Value>)>,
    ) -> Self {
        Self {
            settings: settings.clone(),
            ..Self::new(aspect, finding, Remedy::Settings(settings))
        }
    }
}

#[cfg(test)]
mod tests;
