//! Client certificates: which one a header holds, how it is written there, and whether it is among those allowed.
//!
//! A fingerprint and a subject are no secrets: who knows them can show no certificate.

use serde_json::{Value, json};

use super::{Advice, Case, Remedy, header};
use crate::{
    diag::visible,
    verify::{
        Refusal, VerifySettings,
        certificate::{CertificateFormat, CertificateSettings, Fingerprint, Identity},
        settings::Kind,
    },
};

/// Shorter texts are no certificates, even if they are base64 by accident.
const LEAST_CERTIFICATE: usize = 200;
/// A subject is shown up to so many characters.
const MOST_SHOWN: usize = 200;

/// A certificate that a header holds.
struct Shown {
    header: String,
    format: CertificateFormat,
    fingerprint: Fingerprint,
}

/// What the header alone shows about a refusal.
pub(super) fn compared(
    case: &Case<'_>,
    settings: &VerifySettings,
    refusal: Refusal,
) -> Option<Advice> {
    let Kind::Certificate(wanted) = &settings.kind else {
        return None;
    };
    let words = |finding: &str, remedy: &str| {
        Some(Advice {
            finding: finding.to_owned(),
            remedy: Remedy::Words(remedy.to_owned()),
        })
    };
    match refusal {
        Refusal::NoSecret => words(
            "every certificate in `allowed` has passed its `until`",
            "write the sender's new certificate into `allowed`; until the sender uses it, write a later `until` for the old one",
        ),
        Refusal::UntrustedProxy => words(
            "the request did not come by way of one of `trusted_proxies`, so anybody can have written its headers",
            "write the address of your proxy under `trusted_proxies` in gateway.yaml, and let nobody reach the gateway past the proxy",
        ),
        Refusal::AmbiguousValue => words(
            "the header holds the certificates of several proxies, and the first may be the client's own invention",
            "have your proxy write the header anew and not add to it (Envoy: `forward_client_cert_details: SANITIZE_SET`)",
        ),
        Refusal::MissingCertificate | Refusal::MalformedCertificate | Refusal::WrongCertificate => {
            if let Some(shown) = find(case, wanted) {
                return Some(other(case, wanted, &shown));
            }
            let text = value(case, wanted);
            if text.is_some_and(is_sha1) && wanted.format != CertificateFormat::Subject {
                return words(
                    "the header holds a SHA-1 fingerprint (40 digits), and SHA-256 (64 digits) is taken",
                    "have the proxy write the certificate itself: nginx does with `$ssl_client_escaped_cert` and `format: pem`, where `$ssl_client_fingerprint` is SHA-1",
                );
            }
            match (refusal, text) {
                (Refusal::WrongCertificate, Some(text)) => Some(subject(case, wanted, text)),
                (Refusal::MalformedCertificate, Some(text)) => words(
                    &format!(
                        "the header `{}` holds {} characters that are a certificate in none of the formats",
                        wanted.header,
                        text.chars().count()
                    ),
                    "see what your proxy is told to write there; the tool that kept this request may have cut it",
                ),
                _ => None,
            }
        }
        _ => None,
    }
}

/// What stands in the header of the settings.
fn value<'a>(case: &Case<'a>, wanted: &CertificateSettings) -> Option<&'a str> {
    let text = case.request.headers.get(&wanted.header)?.to_str().ok()?;
    let text = text.trim_matches([' ', '\t']);
    (!text.is_empty() && text != "-").then_some(text)
}

/// Forty digits, perhaps with colons.
fn is_sha1(text: &str) -> bool {
    let digits = || text.chars().filter(|c| *c != ':');
    digits().count() == 40 && digits().all(|c| c.is_ascii_hexdigit())
}

/// A certificate in the header of the settings or, where none is there, in another one that may be for it.
fn find(case: &Case<'_>, wanted: &CertificateSettings) -> Option<Shown> {
    let formats = || {
        let own = std::iter::once(wanted.format);
        own.chain(CertificateFormat::ALL.map(|(_, format)| format))
    };
    let read = |header: &str, text: &str| {
        let text = text.trim_matches([' ', '\t']);
        formats().find_map(|format| {
            use CertificateFormat::{Base64, Rfc9440};
            if matches!(format, Base64 | Rfc9440) && text.len() < LEAST_CERTIFICATE {
                return None;
            }
            match format.read(text) {
                Ok(Identity::Fingerprint(fingerprint)) => Some(Shown {
                    header: header.to_owned(),
                    format,
                    fingerprint,
                }),
                _ => None,
            }
        })
    };
    let own = value(case, wanted).and_then(|text| read(wanted.header.as_str(), text));
    own.or_else(|| {
        let is_for_it = |name: &str| {
            ["cert", "ssl", "client"]
                .iter()
                .any(|part| name.contains(part))
        };
        header::texts(&case.request.headers)
            .filter(|(name, _)| is_for_it(name.as_str()) && **name != wanted.header)
            .find_map(|(name, text)| read(name.as_str(), text))
    })
}

/// How a certificate differs from what the settings say.
fn other(case: &Case<'_>, wanted: &CertificateSettings, shown: &Shown) -> Advice {
    let (mut findings, mut changes) = (Vec::new(), Vec::new());
    if *shown.header != *wanted.header.as_str() {
        findings.push(format!(
            "the certificate stands in the header `{}`",
            shown.header
        ));
        changes.push(("header".to_owned(), Some(json!(shown.header))));
    }
    if shown.format != wanted.format {
        let word = shown.format.word();
        findings.push(format!("the certificate is written as `{word}`"));
        changes.push(("format".to_owned(), Some(json!(word))));
    }
    let allowed = wanted
        .allowed
        .iter()
        .find(|allowed| allowed.identity == Identity::Fingerprint(shown.fingerprint));
    match allowed.map(|allowed| allowed.until) {
        Some(Some(until)) if until <= case.now => findings.push(format!(
            "the certificate {} ended in `allowed` at {until}: write a later `until` if the sender still uses it",
            shown.fingerprint.name()
        )),
        Some(_) => {}
        None => {
            let hex = shown.fingerprint.hex();
            findings.push(format!(
                "the SHA-256 fingerprint of the certificate is {hex}, which is not in `allowed`: take it in only if the sender says that it is theirs"
            ));
            let others = (wanted.format != CertificateFormat::Subject).then(|| written(case));
            changes.push(("allowed".to_owned(), Some(with(others, &hex))));
        }
    }
    Advice {
        finding: findings.join("; and "),
        remedy: if changes.is_empty() {
            Remedy::Words("have the sender use its new certificate".to_owned())
        } else {
            Remedy::Settings(changes)
        },
    }
}

/// A subject that is not allowed.
fn subject(case: &Case<'_>, wanted: &CertificateSettings, text: &str) -> Advice {
    let cut: String = text.chars().take(MOST_SHOWN).collect();
    let is_whole = cut.len() == text.len() && visible(text) == text;
    let parts = |text: &str| {
        let mut parts: Vec<String> = text
            .split(',')
            .map(|part| part.trim().to_lowercase())
            .collect();
        parts.sort();
        parts
    };
    let is_nearly = wanted.allowed.iter().any(
        |allowed| matches!(&allowed.identity, Identity::Subject(subject) if parts(subject) == parts(text)),
    );
    let how = if is_nearly {
        "which differs from one in `allowed` in order, spaces or capitals alone"
    } else {
        "which is not in `allowed`: take it in only if it is the sender's"
    };
    Advice {
        finding: format!("the subject in the header is `{}`, {how}", visible(&cut)),
        remedy: if is_whole {
            let allowed = with(Some(written(case)), text);
            Remedy::Settings(vec![("allowed".to_owned(), Some(allowed))])
        } else {
            Remedy::Words("write it into `allowed` as the proxy writes it".to_owned())
        },
    }
}

/// `allowed`, as it is written.
fn written(case: &Case<'_>) -> Value {
    case.settings.get("allowed").cloned().unwrap_or_default()
}

/// A list with one more.
fn with(others: Option<Value>, one: &str) -> Value {
    let mut list = match others {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list,
        Some(single) => vec![single],
    };
    list.push(json!(one));
    Value::Array(list)
}
