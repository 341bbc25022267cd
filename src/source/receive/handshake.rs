//! The handshake with which a sender registers the address.

use super::{ReceiveSecret, first_key};
use crate::{
    config::SecretReference,
    diag::{Collector, Diagnostic},
    verify::{BAD_VALUE, CODES, VerifySettings, handshake::HandshakeSettings, presets::Preset},
    yaml::{Entry, KeyReader, Node},
};

/// How a sender registers the address. Checked, but for the value of its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiveHandshake {
    pub settings: HandshakeSettings,
    /// What the sender must repeat; there exactly where the settings need it.
    pub verify_token: Option<ReceiveSecret>,
}

const TOKEN: &str = "verify_token";

/// Stands for mistakes that are in the collector.
pub(super) struct Reported;

/// Reads `handshake`; absent, it is the preset's.
pub(super) fn read(
    entry: Option<&Entry>,
    preset: Option<&Preset>,
    verify: Option<&VerifySettings>,
    receive: &Node,
    out: &mut Collector,
) -> Result<Option<ReceiveHandshake>, Reported> {
    let of_preset = preset.and_then(Preset::handshake_settings);
    let (settings, verify_token, place) = match entry {
        None => match of_preset {
            None => return Ok(None),
            Some(settings) => (settings, None, first_key(receive)),
        },
        Some(entry) if entry.value.as_text() == Some("none") => return Ok(None),
        Some(entry) => {
            let (settings, token) = written(&entry.value, of_preset, out).ok_or(Reported)?;
            (settings, token, entry.key_span)
        }
    };
    if settings.needs_token() && verify_token.is_none() {
        out.add(
            Diagnostic::error(CODES.missing, "the handshake of this source needs `verify_token`")
                .at(place, "without `verify_token`")
                .help(
                    "write `handshake: {verify_token: {env: NAME}}` with the text that you give to the sender; or \
                     `handshake: none` where the address is registered already",
                ),
        );
        return Err(Reported);
    }
    if let Some(contradiction) = verify.and_then(|verify| settings.contradiction(verify)) {
        let (what, help) = contradiction
            .split_once("; ")
            .unwrap_or((contradiction, ""));
        out.add(
            Diagnostic::error("recv/contradiction", what)
                .at(place, "does not go with `verify`")
                .help(help),
        );
        return Err(Reported);
    }
    Ok(Some(ReceiveHandshake {
        settings,
        verify_token,
    }))
}

/// A word, or a map; without `kind` it adds to what the preset brings.
fn written(
    node: &Node,
    of_preset: Option<HandshakeSettings>,
    out: &mut Collector,
) -> Option<(HandshakeSettings, Option<ReceiveSecret>)> {
    if node.as_text().is_none() && node.as_map().is_none() {
        let kinds = HandshakeSettings::KINDS.join(", ");
        out.add(
            Diagnostic::error(BAD_VALUE, "this is not a kind of handshake")
                .at(node.span, "unknown")
                .help(format!(
                    "write `none` or one of {kinds}; or a map with `kind`"
                )),
        );
        return None;
    }
    let whole = HandshakeSettings::as_map(node);
    let mut keys = KeyReader::new(&whole, "handshake", CODES, out)?;
    let written = match node.as_text() {
        Some(word) => Some((word, node)),
        None if whole.get("kind").is_none() && of_preset.is_some() => None,
        None => {
            let Some(kind) = keys.require_text("kind", &HandshakeSettings::help(), out) else {
                keys.give_up(out);
                return None;
            };
            Some(kind)
        }
    };
    let settings = match written {
        Some((word, place)) => {
            let has_token = whole.get(TOKEN).is_some();
            HandshakeSettings::of_kind(word, place, &mut keys, has_token, out)
        }
        None => of_preset,
    };
    let takes_token = settings
        .as_ref()
        .is_some_and(HandshakeSettings::takes_token);
    let token = if takes_token { keys.take(TOKEN) } else { None };
    let token = match token {
        None => Some(None),
        Some(entry) => verify_token(&entry.value, out).map(Some),
    };
    if settings.is_some() {
        keys.finish(out);
    } else {
        keys.give_up(out);
    }
    Some((settings?, token?))
}

fn verify_token(node: &Node, out: &mut Collector) -> Option<ReceiveSecret> {
    const CODE: &str = "recv/literal-secret";
    if node.as_map().is_none() {
        out.add(SecretReference::misshapen(node, CODE));
        return None;
    }
    let mut keys = KeyReader::new(node, "a secret", CODES, out)?;
    let reference = SecretReference::take(&mut keys, node, CODE, out);
    keys.finish_unshown(out);
    Some(ReceiveSecret {
        reference: reference?,
        until: None,
        span: node.span,
    })
}
