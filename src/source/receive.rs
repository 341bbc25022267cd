//! The `receive` section of a source file: how requests prove themselves, how a repeated one is recognised, and what
//! the sender is answered.
//!
//! ```yaml
//! receive:
//!   verify: hubspot-v3        # a preset, the long form (see `verify`), or the word `none`
//!   secrets: [{env: HUBSPOT_CLIENT_SECRET}, {file: /run/secrets/hubspot-old, until: 2026-12-31}]
//!   jwks: {url: https://…}    # for tokens that are signed with a key pair: the public keys, unless the preset knows
//!   claims: {NAME: value}     # what such a token must say
//!   public_keys: []           # for signatures that are made with a private key: the public ones
//!   handshake: none        # or a kind, see `verify::handshake`; absent, it is the preset's
//!   dedup: [portalId, eventId]  # expressions on an item; or {header: webhook-id}; or body
//!   answer: {status: 200}
//!   keep_rejected: {bodies_for: 24h}  # off unless it is written
//!   allow_from: [192.0.2.0/24]  # who may call; otherwise everybody
//!   rate_limit: {per_minute: 600, burst: 100}  # otherwise none
//! ```
//!
//! Reading gives checked values or findings, never both a value and an error. Secrets are references here; their
//! values come in through [`Receive::signing_secrets`], and the expressions of `dedup` are compiled elsewhere.

mod admission;
mod answer;
mod dedup;
mod handshake;
mod keep;
mod public_keys;
mod published;
pub mod written;

use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

pub use self::{
    admission::RateLimit,
    answer::Answer,
    dedup::{DedupExpression, DedupRule, MAX_DEDUP_EXPRESSIONS},
    handshake::ReceiveHandshake,
    public_keys::ReceivePublicKey,
};
use crate::{
    config::SecretReference,
    diag::{Collector, Diagnostic, Span, did_you_mean},
    network::Networks,
    verify::{
        BAD_VALUE, CODES, MAX_SECRETS, PublicKey, SigningSecret, VerifySettings,
        presets::{self, Preset},
        until,
    },
    yaml::{Entry, KeyReader, Node},
};

/// How a source receives. Checked, but for the secrets' values and the expressions of `dedup`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receive {
    pub verify: VerifySettings,
    /// The preset that `verify` names; `None` for the long form and for `none`.
    pub preset: Option<&'static Preset>,
    /// Empty when sender and gateway share no secret; it may be empty where the secret is learned by the handshake.
    pub secrets: Vec<ReceiveSecret>,
    /// There exactly when the sender signs with a private key.
    pub public_keys: Vec<ReceivePublicKey>,
    /// How the sender registers the address, where that needs an answer.
    pub handshake: Option<ReceiveHandshake>,
    pub dedup: DedupRule,
    pub answer: Answer,
    /// How long requests whose check failed are kept whole, so that they can be accepted later.
    pub keep_rejected: Option<Duration>,
    /// From where requests are taken; `None` for everywhere.
    pub allow_from: Option<Networks>,
    /// How many genuine requests are taken; `None` for all.
    pub rate_limit: Option<RateLimit>,
}

/// Where a signing secret stands, and until when it is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiveSecret {
    pub reference: SecretReference,
    pub until: Option<Timestamp>,
    /// The place of the reference, for findings about its value.
    pub span: Span,
}

fn extendable(verify: &Node) -> Diagnostic {
    Diagnostic::warning(
        "recv/extendable-digest",
        "somebody who has one request can append to it and compute the new signature without the secret",
    )
    .at(verify.span, "a plain hash that begins with the secret")
    .help("use `type: hmac` if the sender offers a keyed hash")
}

impl Receive {
    /// Reads the section. `None` where it, or anything that was read before it, has mistakes; they are in `out`.
    pub fn read(node: &Node, out: &mut Collector) -> Option<Self> {
        let mut keys = KeyReader::new(node, "receive", CODES, out)?;
        let verify_entry = keys.take("verify");
        let mut verify = verify(verify_entry, node, out);
        let (jwks, claims) = (keys.take("jwks"), keys.take("claims"));
        if let Some((verify, _)) = &mut verify {
            published::complete(verify, jwks, claims, node, out);
        }
        let secrets_entry = keys.take("secrets");
        let secrets = secrets_entry.map_or_else(Vec::new, |entry| secrets(&entry.value, out));
        let keys_entry = keys.take("public_keys");
        let preset = verify.as_ref().and_then(|(_, preset)| *preset);
        let settings = verify.as_ref().map(|(settings, _)| settings);
        let public_keys = public_keys::read(keys_entry, settings, out);
        let handshake = handshake::read(keys.take("handshake"), preset, settings, node, out);
        let dedup_entry = keys.take("dedup");
        let dedup = dedup::read(dedup_entry, preset, node.span, out);
        let answer = answer::read(keys.take("answer"), out);
        let keep_rejected = keys.take("keep_rejected");
        let keep_rejected = keep_rejected.and_then(|entry| keep::read(entry, out));
        let allow_from = admission::allow_from(keys.take("allow_from"), out);
        let rate_limit = admission::rate_limit(keys.take("rate_limit"), out);
        keys.finish(out);
        let (verify, _) = verify?;
        dedup::judge(dedup_entry, preset, &verify, node, out);
        if preset.is_none() && verify.is_extendable() {
            out.add(extendable(node.get("verify").unwrap_or(node)));
        }
        let is_learned = matches!(&handshake, Ok(Some(handshake)) if handshake.settings.learns());
        if !(is_learned && secrets_entry.is_none()) {
            check_secrets(&verify, secrets_entry, &secrets, node, out);
        }
        public_keys::check(&verify, keys_entry, node, out);
        let place = secrets_entry.or(keys_entry).or(verify_entry);
        let receive = (!out.has_errors()).then_some(Self {
            verify,
            preset,
            secrets,
            public_keys,
            handshake: handshake.ok()?,
            dedup: dedup?,
            answer: answer?,
            keep_rejected,
            allow_from,
            rate_limit,
        })?;
        if let Some(until) = receive.until() {
            let list = receive.place_of_ends();
            out.add(
                Diagnostic::warning(
                    "recv/secrets-end",
                    format!("everything in {list} has an `until`: from {until} on each request is refused"),
                )
                .at(place.map_or_else(|| first_key(node), |entry| entry.key_span), "nothing is left then")
                .help("add one without `until`"),
            );
        }
        Some(receive)
    }

    /// What is accepted as a proof (secrets, public keys and certificates), by the names that logs and metrics have for
    /// them, and until when.
    pub fn ends(&self) -> impl Iterator<Item = (String, Option<Timestamp>)> {
        let secrets = self.secrets.iter();
        let secrets = secrets.map(|secret| (secret.reference.to_string(), secret.until));
        let keys = self.public_keys.iter().enumerate();
        let keys = keys.map(|(place, key)| (key.name(place), key.until()));
        let certificates = self.verify.certificates();
        let certificates = certificates.map(|(name, until)| (name.to_owned(), until));
        secrets.chain(keys).chain(certificates)
    }

    /// From when on none of these is accepted; `None` where one is without an end, or nothing is verified.
    pub fn until(&self) -> Option<Timestamp> {
        let ends: Option<Vec<_>> = self.ends().map(|(_, until)| until).collect();
        ends?.into_iter().max()
    }

    /// Where these stand in a source file.
    pub fn place_of_ends(&self) -> &'static str {
        if self.verify.takes_public_keys() {
            "`receive.public_keys`"
        } else if self.verify.needs_secret() {
            "`receive.secrets`"
        } else {
            "`receive.verify.allowed`"
        }
    }

    /// The secrets with their values, which `resolve` reads or leaves out; all that cannot be read are returned, with
    /// their places.
    pub fn signing_secrets<E>(
        &self,
        mut resolve: impl FnMut(&ReceiveSecret) -> Result<Option<SecretString>, E>,
    ) -> Result<Vec<SigningSecret>, Vec<(Span, E)>> {
        let mut found = Vec::new();
        let mut failed = Vec::new();
        for secret in &self.secrets {
            match resolve(secret) {
                Ok(Some(value)) => found.push(SigningSecret {
                    name: secret.reference.to_string(),
                    value,
                    until: secret.until,
                }),
                Ok(None) => {}
                Err(error) => failed.push((secret.span, error)),
            }
        }
        if failed.is_empty() {
            Ok(found)
        } else {
            Err(failed)
        }
    }

    /// The public keys with their texts, as [`Receive::signing_secrets`]. One that stands in the file is called after
    /// its place in the list.
    pub fn public_keys<E>(
        &self,
        mut resolve: impl FnMut(&ReceiveSecret) -> Result<Option<SecretString>, E>,
    ) -> Result<Vec<PublicKey>, Vec<(Span, E)>> {
        let mut found = Vec::new();
        let mut failed = Vec::new();
        for (place, key) in self.public_keys.iter().enumerate() {
            let name = key.name(place);
            let text = match key {
                ReceivePublicKey::Literal { text, .. } => Ok(Some(text.clone())),
                ReceivePublicKey::Reference(reference) => {
                    let text = resolve(reference);
                    let text = text.map(|text| text.map(|text| text.expose_secret().to_owned()));
                    text.map_err(|error| (reference.span, error))
                }
            };
            match text {
                Ok(Some(text)) => found.push(PublicKey {
                    name,
                    text,
                    until: key.until(),
                }),
                Ok(None) => {}
                Err(error) => failed.push(error),
            }
        }
        if failed.is_empty() {
            Ok(found)
        } else {
            Err(failed)
        }
    }
}

/// The settings, and the preset they come from.
fn verify(
    entry: Option<&Entry>,
    receive: &Node,
    out: &mut Collector,
) -> Option<(VerifySettings, Option<&'static Preset>)> {
    let Some(node) = entry
        .map(|entry| &entry.value)
        .filter(|node| !node.is_null())
    else {
        let place = entry.map_or_else(|| first_key(receive), |entry| entry.key_span);
        out.add(
            Diagnostic::error("recv/no-verification", "this source does not say how it is verified")
                .at(place, "`verify` is missing")
                .help("give `verify` a preset or settings; to take every request unverified, write `verify: none`"),
        );
        return None;
    };
    let Some(name) = node.as_text() else {
        return VerifySettings::read(node, out).map(|settings| (settings, None));
    };
    if name == "none" {
        out.add(
            Diagnostic::warning(
                "recv/unverified",
                "every request to this source is taken as genuine",
            )
            .at(node.span, "nothing is verified")
            .help("anybody who knows the address can change customers; verify at least a token"),
        );
        return Some((VerifySettings::none(), None));
    }
    let preset = presets::find(name);
    if preset.is_none() {
        let names: Vec<_> = presets::all().iter().map(|preset| preset.name).collect();
        let help = did_you_mean(name, names.iter().copied())
            .unwrap_or_else(|| format!("presets are {}", names.join(", ")));
        out.add(
            Diagnostic::error(
                "recv/unknown-preset",
                format!("there is no preset `{name}`"),
            )
            .at(node.span, "unknown preset")
            .help(help),
        );
    }
    preset.map(|preset| (preset.verify_settings(), Some(preset)))
}

/// One reference, or a list of them.
fn secrets(node: &Node, out: &mut Collector) -> Vec<ReceiveSecret> {
    let nodes = node.as_list().unwrap_or(std::slice::from_ref(node));
    if nodes.len() > MAX_SECRETS {
        out.add(
            Diagnostic::error(
                BAD_VALUE,
                format!("there are more than {MAX_SECRETS} secrets"),
            )
            .at(node.span, "too many")
            .help("a rotation needs two: the new one, and the old one with `until`"),
        );
    }
    nodes.iter().filter_map(|node| secret(node, out)).collect()
}

fn secret(node: &Node, out: &mut Collector) -> Option<ReceiveSecret> {
    const CODE: &str = "recv/literal-secret";
    if node.as_map().is_none() {
        out.add(SecretReference::misshapen(node, CODE));
        return None;
    }
    let mut keys = KeyReader::new(node, "a secret", CODES, out)?;
    let reference = SecretReference::take(&mut keys, node, CODE, out);
    let until = match keys.take("until") {
        None => Some(None),
        Some(entry) => until(&entry.value, out).map(Some),
    };
    keys.finish_unshown(out);
    let reference = reference?;
    Some(ReceiveSecret {
        reference,
        until: until?,
        span: node.span,
    })
}

/// Whether settings and secrets fit together.
fn check_secrets(
    verify: &VerifySettings,
    entry: Option<&Entry>,
    secrets: &[ReceiveSecret],
    receive: &Node,
    out: &mut Collector,
) {
    // A list of secrets that were all refused is not also a missing list.
    let written = entry.is_some_and(|entry| entry.value.as_list() != Some(&[]));
    match entry {
        Some(entry) if !verify.needs_secret() && written => out.add(
            Diagnostic::error(
                "recv/unused-secrets",
                if verify.is_none() {
                    "nothing is verified, so no secret is used"
                } else {
                    "the sender has a key of its own, so no secret is used"
                },
            )
            .at(entry.key_span, "not used")
            .help("remove `secrets`, or say in `verify` how they are used"),
        ),
        _ if verify.needs_secret() && !written && secrets.is_empty() => {
            let form = match verify.type_name() {
                "basic" => " (a user name and password, as `user:password`)",
                _ => "",
            };
            out.add(
                Diagnostic::error("recv/no-secret", "verification needs a secret")
                    .at(
                        entry.map_or_else(|| first_key(receive), |entry| entry.key_span),
                        "`secrets` is missing",
                    )
                    .help(format!("write `secrets: [{{env: NAME}}]`{form}")),
            );
        }
        _ => {}
    }
}

fn first_key(node: &Node) -> Span {
    node.as_map()
        .and_then(|entries| entries.first())
        .map_or(node.span, |entry| entry.key_span)
}

#[cfg(test)]
mod tests;
