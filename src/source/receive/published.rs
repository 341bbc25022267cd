//! What only the source can say about tokens that its sender signs with a key pair: where the public keys stand, and
//! which of the sender's customers it is.

use crate::{
    diag::{Collector, Diagnostic},
    verify::VerifySettings,
    yaml::{Entry, Node},
};

use super::first_key;

/// Puts `jwks` and `claims` into the settings, and reports what does not fit or is missing.
pub(super) fn complete(
    verify: &mut VerifySettings,
    jwks: Option<&Entry>,
    claims: Option<&Entry>,
    receive: &Node,
    out: &mut Collector,
) {
    match jwks {
        Some(entry) if verify.needs_key_set() => verify.read_key_set(&entry.value, out),
        Some(entry) => out.add(
            Diagnostic::error(
                "recv/unused-keys",
                "these settings have no published keys, so `jwks` is not used",
            )
            .at(entry.key_span, "not used")
            .help("remove `jwks`; it belongs to `type: jwt` with an algorithm of a key pair, such as RS256"),
        ),
        None if verify.needs_key_set() && verify.key_set().is_none() => out.add(
            Diagnostic::error("recv/no-keys", "verification needs the sender's public keys")
                .at(first_key(receive), "`jwks` is missing")
                .help("write `jwks: {url: https://…}` with the address where the sender publishes its keys, or `jwks: {file: /path}`"),
        ),
        None => {}
    }
    match claims {
        Some(entry) if verify.is_jwt() => verify.read_claims(&entry.value, out),
        Some(entry) => out.add(
            Diagnostic::error("recv/unused-claims", "these settings know no claims")
                .at(entry.key_span, "not used")
                .help("remove `claims`; they are what a JSON web token says"),
        ),
        None => {}
    }
    let missing = verify.claims_of_source();
    if let Some(first) = missing.first() {
        out.add(
            Diagnostic::error(
                "recv/missing-claim",
                format!(
                    "the sender signs for all its customers with the same keys: `claims` must say which of them you are, by {}",
                    quoted(&missing)
                ),
            )
            .at(
                claims.map_or_else(|| first_key(receive), |entry| entry.key_span),
                format!("`claims` lacks `{first}`"),
            )
            .help(format!("write `claims: {{{first}: …}}` with the value in the events of your own account")),
        );
    }
}

fn quoted(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(" and ")
}
