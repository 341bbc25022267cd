//! The last look at what is shown: no secret that is known here may stand in it, in whatever form a request or a file
//! has it.
//!
//! A request may hold a secret anywhere: before a signature, as the name of a parameter or as a key of its JSON, and the
//! advice would repeat it as a setting.

use std::fmt;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::{Advice, Remedy, Report, Settings, secrets};
use crate::{diag::visible, verify::SigningSecret};

/// Shorter forms stand in many texts by accident.
const LEAST: usize = 4;
const MARK: &str = "[a secret]";

/// Secrets in all the forms that are looked for. Its `Debug` shows none.
#[derive(Clone, PartialEq, Eq)]
pub struct Concealed {
    /// In small letters, the longest first.
    forms: Vec<String>,
}

impl fmt::Debug for Concealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Concealed").finish_non_exhaustive()
    }
}

impl Concealed {
    /// What conceals these.
    pub(super) fn new<'a>(all: impl IntoIterator<Item = &'a SigningSecret>) -> Self {
        let mut forms: Vec<String> = all
            .into_iter()
            .flat_map(|secret| forms(secret.value.expose_secret()))
            .map(|form| form.to_ascii_lowercase())
            .filter(|form| form.trim().len() >= LEAST)
            .collect();
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self { forms }
    }

    /// The text with `[a secret]` in the place of each.
    pub fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for form in &self.forms {
            let mut rest = text.as_str();
            let mut out = String::new();
            // Small letters of ASCII stand at the same places as the capitals.
            while let Some(at) = rest.to_ascii_lowercase().find(form) {
                let (before, found) = rest.split_at(at);
                out.push_str(before);
                out.push_str(MARK);
                rest = found.get(form.len()..).unwrap_or_default();
            }
            if !out.is_empty() {
                out.push_str(rest);
                text = out;
            }
        }
        text
    }

    fn is_in(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        self.forms.iter().any(|form| text.contains(form))
    }

    fn is_in_value(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.is_in(text),
            Value::Array(values) => values.iter().any(|value| self.is_in_value(value)),
            Value::Object(keys) => keys
                .iter()
                .any(|(key, value)| self.is_in(key) || self.is_in_value(value)),
            _ => false,
        }
    }

    fn is_in_settings(&self, settings: &Settings) -> bool {
        settings
            .keys()
            .any(|(key, value)| self.is_in(key) || self.is_in_value(value))
    }

    /// Takes the secrets out of a report.
    pub(super) fn report(report: &mut Report) {
        let concealed = report.concealed.clone();
        for seen in &mut report.seen {
            seen.found = concealed.text(&seen.found);
        }
        for cause in &mut report.unseen {
            *cause = concealed.text(cause);
        }
        let explanations = report.explanations.iter_mut();
        for advice in explanations.flat_map(|explanation| &mut explanation.parts) {
            concealed.advice(advice);
        }
    }

    fn advice(&self, advice: &mut Advice) {
        advice.finding = self.text(&advice.finding);
        let is_secret = match &mut advice.remedy {
            Remedy::Settings(changes) => changes.iter().any(|(key, value)| {
                self.is_in(key) || value.as_ref().is_some_and(|value| self.is_in_value(value))
            }),
            Remedy::Whole(settings) => self.is_in_settings(settings),
            Remedy::PublicUrl(text) => self.is_in(text),
            Remedy::Secrets(words) | Remedy::Words(words) => {
                *words = self.text(words);
                false
            }
            Remedy::Preset(_) => false,
        };
        if is_secret {
            advice.remedy = Remedy::Words(
                "the sender writes a secret where everybody can read it, so no setting is shown for it: have the sender leave it out, and take a new secret"
                    .to_owned(),
            );
        }
    }
}

/// A secret as it is, as people may have meant it, and encoded.
fn forms(secret: &str) -> Vec<String> {
    let mut texts = vec![secret.to_owned(), secret.trim().to_owned()];
    texts.extend(secrets::meant(secret));
    texts.extend(
        secret
            .split_once(':')
            .map(|(_, password)| password.to_owned()),
    );
    let mut keys: Vec<Vec<u8>> = Vec::new();
    for text in &texts {
        keys.push(text.clone().into_bytes());
        let bare = text.trim_end_matches('=');
        keys.extend(STANDARD_NO_PAD.decode(bare));
        keys.extend(URL_SAFE_NO_PAD.decode(bare));
        keys.extend(hex::decode(text));
    }
    let mut forms: Vec<String> = Vec::new();
    for key in keys {
        forms.push(hex::encode(&key));
        forms.push(STANDARD.encode(&key));
        forms.push(STANDARD_NO_PAD.encode(&key));
        forms.push(URL_SAFE_NO_PAD.encode(&key));
        if let Ok(text) = String::from_utf8(key) {
            forms.push(visible(&text));
            forms.push(utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string());
            forms.push(text);
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(secret: &str) -> Concealed {
        Concealed::new(&[SigningSecret {
            name: "A".to_owned(),
            value: secret.into(),
            until: None,
        }])
    }

    #[test]
    fn secrets_are_taken_out_of_texts_in_every_form() {
        for (secret, text, expected) in [
            (
                "s3cret-é",
                "a s3cret-é and S3CRET-é.",
                "a [a secret] and [a secret].",
            ),
            (" 's3cret' \n", "x=s3cret", "x=[a secret]"),
            ("whsec_czNjcmV0", "s3cret/czNjcmV0", "[a secret]/[a secret]"),
            ("s3cret", "733363726574", "[a secret]"),
            ("s3/ret", "a=s3%2Fret", "a=[a secret]"),
            ("ana:s3cret", "ana: s3cret", "ana: [a secret]"),
            ("abc", "abc is no secret", "abc is no secret"),
            ("s3cret", "İ s3cret İ", "İ [a secret] İ"),
        ] {
            assert_eq!(of(secret).text(text), expected, "{secret}");
        }
    }
}
