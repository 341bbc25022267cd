//! Reads and runs lines in the documented form of `vectors.jsonl`: a request, and what a correct handshake answers.
//!
//! A line has `kind`, `request` (`method`, `url`, `headers`, `body_base64`) and `secret` (or null). A line may have
//! `handshake` with settings as a source file has them, and `verifier` with settings of verification; these go
//! first. `now_unix` sets the clock. Without `handshake` the word in `kind` says what is tried, in this order, until one knows the request:
//!
//! | `kind` | settings | `secret` is |
//! | --- | --- | --- |
//! | `echo-query-param` | `hub.challenge` with `hub.verify_token`, where there is a secret; `validationToken` of a `POST`; `challenge` | the `verify_token` |
//! | `echo-json-field` | `challenge`, beside which `token` and `type` may stand | |
//! | `hmac-token` | `payload.plainToken` in a body; `crc_token` in the query | the signing secret, of `{body}` |
//! | `echo-header` | `cloudevents`; `header-echo` | the token in the query parameter `webhookKey` |
//! | `plain-200` | `GET`, `HEAD`, an empty `POST`, Dataverse's `URL_VALIDATION` | the token in the query parameter `code` |
//!
//! The words of [`HandshakeSettings::KINDS`] stand for themselves.

use jiff::Timestamp;
use secrecy::SecretString;

use super::{Handshake, HandshakeSettings, Verdict};
use crate::{
    diag::{Collector, SourceText, render_lines},
    verify::{Received, SigningSecret, Verifier, VerifySettings},
    yaml,
};

/// Why a line cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VectorError {
    #[error("`{0}` is not a kind of handshake")]
    Kind(String),
    #[error("{}", .0.join("; "))]
    Settings(Vec<String>),
    #[error("the secret does not fit: {0}")]
    Secret(#[from] crate::verify::SettingsError),
}

/// The settings that the word in `kind` stands for: those of the handshake, and those of the verification around it
/// where there is a secret for it.
fn settings_of_kind(kind: &str, has_secret: bool) -> Option<Vec<(&str, Option<&'static str>)>> {
    const HUB: &str =
        "{kind: echo-query, parameter: hub.challenge, verify_parameter: hub.verify_token}";
    const GRAPH: &str = "{kind: echo-query, parameter: validationToken, method: POST}";
    const HMAC: Option<&str> =
        Some(r#"{type: hmac, signature_header: X-Signature, encoding: hex, signed: "{body}"}"#);
    const KEY: Option<&str> = Some(r#"{type: token, token_source: "query:webhookKey"}"#);
    const CODE: Option<&str> = Some(r#"{type: token, token_source: "query:code"}"#);
    const TESTS: &str = "{kind: plain-200, tests: [empty, {header: x-ms-dynamics-request-name, value: URL_VALIDATION}]}";
    let of_secret = |settings: Option<&'static str>| settings.filter(|_| has_secret);
    Some(match kind {
        "echo-query-param" if has_secret => vec![(HUB, None)],
        "echo-query-param" => vec![(GRAPH, None), ("echo-query", None)],
        "echo-json-field" => vec![("{kind: echo-json, beside: [token, type]}", None)],
        "hmac-token" => vec![
            ("hmac-token", HMAC),
            ("{kind: hmac-token, parameter: crc_token}", HMAC),
        ],
        "echo-header" => vec![("cloudevents", of_secret(KEY)), ("header-echo", HMAC)],
        "plain-200" => vec![(TESTS, of_secret(CODE))],
        word if HandshakeSettings::KINDS.contains(&word) => vec![(word, None)],
        _ => return None,
    })
}

/// What a line says of its source.
#[derive(Clone, Copy, Debug)]
pub struct HandshakeVector<'a> {
    pub kind: &'a str,
    pub secret: Option<&'a str>,
    /// The JSON of the line's own settings, where it has them.
    pub handshake: Option<&'a str>,
    /// The same for those of its verification.
    pub verifier: Option<&'a str>,
}

impl HandshakeVector<'_> {
    /// What the line's request is to its source: of several settings, to the first that answers it, else to the first
    /// that refuses it.
    ///
    /// # Errors
    /// An unknown kind, settings with mistakes, or a secret that does not fit them.
    pub fn verdict(&self, received: &Received, now: Timestamp) -> Result<Verdict, VectorError> {
        let tried: Result<Vec<Verdict>, VectorError> = self
            .settings()?
            .into_iter()
            .map(|(handshake, verifier)| {
                let (handshake, verifier) = self.ready(handshake, verifier)?;
                Ok(judge(&handshake, &verifier, received.clone(), now))
            })
            .collect();
        let mut best = Verdict::Event;
        for verdict in tried? {
            let is_better = match best {
                Verdict::Event => true,
                Verdict::Refused(_) => verdict.answer().is_some(),
                Verdict::Answer(_) | Verdict::Learn { .. } | Verdict::Confirm { .. } => false,
            };
            if is_better {
                best = verdict;
            }
        }
        Ok(best)
    }

    fn settings(&self) -> Result<Vec<(&str, Option<&str>)>, VectorError> {
        match self.handshake {
            Some(own) => Ok(vec![(own, None)]),
            None => settings_of_kind(self.kind, self.secret.is_some())
                .ok_or_else(|| VectorError::Kind(self.kind.to_owned())),
        }
    }

    fn ready(
        &self,
        settings: &str,
        around: Option<&str>,
    ) -> Result<(Handshake, Verifier), VectorError> {
        let settings = read(settings, HandshakeSettings::read)?;
        let verify = match self.verifier.or(around) {
            Some(text) => read(text, VerifySettings::read)?,
            None => VerifySettings::none(),
        };
        let secret = self.secret.map(|text| SigningSecret {
            name: "secret".to_owned(),
            value: text.into(),
            until: None,
        });
        let secrets = Vec::from_iter(secret);
        let token = self.secret.filter(|_| settings.needs_token());
        let learns = settings.learns();
        let handshake = Handshake::new(settings, &verify, &secrets, token.map(SecretString::from))?;
        let verifier = if verify.is_none() {
            Verifier::new(verify, &[])?
        } else if learns && secrets.is_empty() {
            Verifier::awaiting(verify)?
        } else {
            Verifier::new(verify, &secrets)?
        };
        Ok((handshake, verifier))
    }
}

fn read<T>(
    text: &str,
    reader: impl FnOnce(&yaml::Node, &mut Collector) -> Option<T>,
) -> Result<T, VectorError> {
    let mut out = Collector::new(SourceText::new("settings", text));
    let settings = yaml::parse(&mut out).and_then(|node| reader(&node, &mut out));
    settings.ok_or_else(|| VectorError::Settings(render_lines(&out.finish())))
}

/// What a request is to a source: first as a handshake that is not signed, then verified, then as one that is. The whole
/// of what a gateway does with it, but for storing and fetching.
fn judge(
    handshake: &Handshake,
    verifier: &Verifier,
    received: Received,
    now: Timestamp,
) -> Verdict {
    match handshake.ask(&received, verifier, now) {
        Verdict::Event => match verifier.verify(received, now) {
            Ok(genuine) => handshake.ask_verified(&genuine, now),
            Err((_, refusal)) => Verdict::Refused(refusal),
        },
        verdict => verdict,
    }
}
