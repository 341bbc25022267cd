//! The public keys of a sender that signs with a private one. They are no secret, so they may stand in the file.

use jiff::Timestamp;

use super::{ReceiveSecret, first_key, secret, until};
use crate::{
    diag::{Collector, Diagnostic, Span},
    verify::{BAD_VALUE, CODES, InvalidPublicKey, MAX_SECRETS, VerifySettings},
    yaml::{Entry, KeyReader, Node},
};

/// A public key, or where one stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceivePublicKey {
    Literal {
        text: String,
        until: Option<Timestamp>,
    },
    Reference(ReceiveSecret),
}

impl ReceivePublicKey {
    /// What logs and metrics call it: where it stands, or the 0-based `place` of one that stands in the file, counted
    /// from 1.
    pub fn name(&self, place: usize) -> String {
        match self {
            Self::Literal { .. } => format!("public key {}", place + 1),
            Self::Reference(reference) => reference.reference.to_string(),
        }
    }

    /// From when on it is not accepted.
    pub const fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Literal { until, .. } => *until,
            Self::Reference(reference) => reference.until,
        }
    }
}

/// One key, or a list of them. Those that stand in the file must be what the settings ask for.
pub(super) fn read(
    entry: Option<&Entry>,
    verify: Option<&VerifySettings>,
    out: &mut Collector,
) -> Vec<ReceivePublicKey> {
    let Some(node) = entry.map(|entry| &entry.value) else {
        return Vec::new();
    };
    let nodes = node.as_list().unwrap_or(std::slice::from_ref(node));
    if nodes.len() > MAX_SECRETS {
        out.add(
            Diagnostic::error(
                BAD_VALUE,
                format!("there are more than {MAX_SECRETS} public keys"),
            )
            .at(node.span, "too many")
            .help("a rotation needs two: the new one, and the old one with `until`"),
        );
    }
    nodes
        .iter()
        .filter_map(|node| key(node, verify, out))
        .collect()
}

fn key(
    node: &Node,
    verify: Option<&VerifySettings>,
    out: &mut Collector,
) -> Option<ReceivePublicKey> {
    if let Some(text) = node.as_text().filter(|_| !node.is_null()) {
        let text = checked(text, node.span, verify, out)?;
        return Some(ReceivePublicKey::Literal { text, until: None });
    }
    if node.get("text").is_none() {
        return reference(node, out);
    }
    let mut keys = KeyReader::new(node, "a public key", CODES, out)?;
    let text = keys
        .take_text("text", out)
        .and_then(|(text, node)| checked(text, node.span, verify, out));
    let until = match keys.take("until") {
        None => Some(None),
        Some(entry) => until(&entry.value, out).map(Some),
    };
    keys.finish_unshown(out);
    Some(ReceivePublicKey::Literal {
        text: text?,
        until: until?,
    })
}

fn reference(node: &Node, out: &mut Collector) -> Option<ReceivePublicKey> {
    if node.as_map().is_none() {
        out.add(
            Diagnostic::error(
                CODES.shape,
                format!("a public key is a text, but here is {}", node.shape()),
            )
            .at(node.span, "expected a public key")
            .help("write the key itself, `{text: …, until: 2026-12-31}`, `{file: /path}` or `{env: NAME}`"),
        );
        return None;
    }
    secret(node, out).map(ReceivePublicKey::Reference)
}

fn checked(
    text: &str,
    span: Span,
    verify: Option<&VerifySettings>,
    out: &mut Collector,
) -> Option<String> {
    let Err(error) = verify.map_or(Ok(()), |verify| verify.check_public_key(text)) else {
        return Some(text.to_owned());
    };
    let is_secret = matches!(error, InvalidPublicKey::Private | InvalidPublicKey::Secret);
    let finding = Diagnostic::error(
        "recv/public-key",
        format!("this cannot be used as the public key: {error}"),
    )
    .at(span, "not such a key")
    .help(error.help());
    out.add(if is_secret {
        finding.unshown()
    } else {
        finding
    });
    None
}

/// Whether settings and keys fit together.
pub(super) fn check(
    verify: &VerifySettings,
    entry: Option<&Entry>,
    receive: &Node,
    out: &mut Collector,
) {
    // A list of keys that were all refused is not also a missing list.
    let written = entry.filter(|entry| entry.value.as_list() != Some(&[]));
    match written {
        Some(entry) if !verify.takes_public_keys() => out.add(
            Diagnostic::error("recv/unused-keys", "these settings use no public keys")
                .at(entry.key_span, "not used")
                .help("remove `public_keys`, or write `type: public-key` under `verify`"),
        ),
        None if verify.takes_public_keys() => out.add(
            Diagnostic::error("recv/no-keys", "verification needs the sender's public key")
                .at(
                    entry.map_or_else(|| first_key(receive), |entry| entry.key_span),
                    "`public_keys` is missing",
                )
                .help("write `public_keys: [\"…\"]` with the key that the sender shows, or `[{file: /path}]`"),
        ),
        _ => {}
    }
}
