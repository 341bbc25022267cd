//! Reads settings from YAML (and JSON, which is YAML), with a finding for every mistake.
//!
//! The keys, by `type`:
//!
//! | key | `type` | value |
//! | --- | --- | --- |
//! | `type` | all | `hmac`, `digest`, `public-key`, `token`, `basic`, `jwt`, `client-certificate` (also `mtls`) |
//! | `require_headers` | all | list of `{name, value}`: headers that must be there with this value |
//! | `algorithm` | `hmac`, `digest` | `sha1`, `sha256` (default), `sha384`, `sha512` |
//! | `algorithm` | `public-key` | `ed25519`, `ecdsa-p256-sha256-der`, `rsa-pkcs1-sha256` |
//! | `signature_header` | signatures | the header with the signature |
//! | `signature_headers` | signatures | instead: several headers, the first for the first secret, and so on; one that matches is enough |
//! | `signature_query` | signatures | instead: the query parameter with the signature |
//! | `signature_form` | signatures | instead: the field of the form in the body with the signature |
//! | `signature_json_path` | signatures | instead: the field of the JSON body with the signature |
//! | `signature_format` | signatures | `plain` (default) or `{style, …}`, see below |
//! | `encoding` | signatures | `hex`, `base64`, `base64url` |
//! | `signed` | signatures | template of the signed text, default `{body}`; `[…]` is left out where a part of it is missing |
//! | `secret_encoding` | `hmac`, `digest` | `utf8` (default), `hex`, `base64`, `base64url`, `whsec` |
//! | `timestamp` | signatures | `{source, format, tolerance, future_tolerance}` |
//! | `id_header` | signatures | the header with the event id, for `{id}` |
//! | `signed_headers` | signatures | `{source, name_sep, value_sep}`: where the list of signed headers is, for `{header_names}` and `{header_values}` |
//! | `url_port_variants` | signatures | `true`: also try the address without port and with the default one |
//! | `body_digest_query` | signatures | query parameter that may hold the SHA-256 of the body |
//! | `token_source` | `token`, `jwt` | `header:NAME`, `query:NAME`, `form:NAME`, `json:PATH`; for `jwt` also `body` |
//! | `token_prefix` | `token`, `jwt` | text before the token, such as `Bearer `; a `jwt` may come without it |
//! | `algorithms` | `jwt` | list of `HS256`, `HS384`, `HS512`, or list of `RS256`, `ES256` |
//! | `jwks` | `jwt` | `{url}` or `{file}`: the sender's public keys, unless the source says others |
//! | `event` | `jwt` | `body` (default), or `claims`: the event is what the token says, as with `token_source: body` |
//! | `claims` | `jwt` | `{iss, aud, require, equal, of_source, url_sha256_claim, body_sha256_claim, hash_encoding}` |
//! | `check_exp` | `jwt` | `false`: a token need not say when it expires |
//! | `leeway` | `jwt` | how far clocks may differ, default none (`leeway_s: 1` says the same) |
//! | `header` | `client-certificate` | the header that a trusted proxy puts the certificate into |
//! | `format` | `client-certificate` | `pem`, `base64`, `rfc9440`, `xfcc`, `sha256` or `subject` |
//! | `allowed` | `client-certificate` | one or a list of fingerprints or subjects, or `{text, until}` |
//!
//! In `claims`, `iss` and `aud` are a text or a list of which one must be met, and `{url}` in `aud` stands for the
//! address that the sender was given; `equal` is a map of places and values; `of_source` lists places whose value the
//! source must say under `receive.claims`; the hashes are `hex` (default), `base64` or `base64url`.
//!
//! Signatures are the types `hmac`, `digest` and `public-key`.
//!
//! Styles of `signature_format`: `plain`; `prefix` with `prefix` and perhaps `item_sep`; `pairs` with `key`,
//! `item_sep` (default `,`) and `kv_sep` (default `=`); `list` with `version`, `item_sep` (default a space) and
//! `version_sep` (default `,`).
//!
//! `timestamp.source` is `header:NAME`, `json:PATH` or `pair:KEY`; `format` is `unix_s`, `unix_ms`, `unix_any`, `rfc3339` or
//! `opaque`; `tolerance` is a duration such as `5m` (the default; `tolerance_s: 300` says the same) and holds in both
//! directions unless `future_tolerance` is given. `signed_headers.source` is `pair:KEY`; between names stands `name_sep`
//! (default a space), between values `value_sep` (default `.`).

mod certificate;
mod handshake;
mod jwt;
mod signature;
mod value;

use http::HeaderName;

pub use self::value::{BAD_VALUE, until};
use self::value::{
    Read, Reported, header_name, json_path, optional_text, report, required_text, unknown_word,
};
use super::{
    VerifySettings,
    settings::{Kind, TokenPlace, TokenSettings},
};
use crate::{
    diag::{Collector, Diagnostic},
    yaml::{KeyCodes, KeyReader, Node},
};

/// The codes of findings about keys in the `receive` section.
pub const CODES: KeyCodes = KeyCodes {
    unknown: "recv/unknown-key",
    missing: "recv/missing-key",
    shape: "recv/wrong-shape",
    hides_unknown: true,
};

impl VerifySettings {
    /// Reads the long form. `None` where it, or anything that was read before it, has mistakes; they are in `out`.
    pub fn read(node: &Node, out: &mut Collector) -> Option<Self> {
        let mut keys = KeyReader::new(node, "verify", CODES, out)?;
        let Ok(kind) = type_of(&mut keys, out) else {
            keys.give_up(out);
            return None;
        };
        let kind = match kind {
            Type::Basic => Ok(Kind::Basic),
            Type::Token => token(&mut keys, out).map(Kind::Token),
            Type::Jwt => {
                jwt::read(&mut keys, node, out).map(|settings| Kind::Jwt(Box::new(settings)))
            }
            Type::Certificate => certificate::read(&mut keys, out).map(Kind::Certificate),
            Type::Signature(kind) => signature::read(kind, &mut keys, node, out)
                .map(|settings| Kind::Signature(Box::new(settings))),
        };
        let require_headers = required_headers(&mut keys, out);
        keys.finish(out);
        let settings = Self {
            kind: kind.ok()?,
            require_headers: require_headers.ok()?,
        };
        (!out.has_errors()).then_some(settings)
    }
}

enum Type {
    Basic,
    Token,
    Certificate,
    Signature(SignatureType),
    Jwt,
}

#[derive(Clone, Copy)]
enum SignatureType {
    Hmac,
    Digest,
    PublicKey,
}

fn type_of(keys: &mut KeyReader<'_>, out: &mut Collector) -> Read<Type> {
    const TYPES: [&str; 7] = [
        "hmac",
        "digest",
        "public-key",
        "token",
        "basic",
        "jwt",
        "client-certificate",
    ];
    let (text, place) = keys
        .require_text(
            "type",
            "write `type: hmac`, `digest`, `public-key`, `token`, `basic`, `jwt` or `client-certificate`",
            out,
        )
        .ok_or(Reported)?;
    match text {
        "hmac" => Ok(Type::Signature(SignatureType::Hmac)),
        "digest" => Ok(Type::Signature(SignatureType::Digest)),
        "public-key" => Ok(Type::Signature(SignatureType::PublicKey)),
        "token" => Ok(Type::Token),
        "basic" => Ok(Type::Basic),
        "jwt" => Ok(Type::Jwt),
        "client-certificate" | "mtls" => Ok(Type::Certificate),
        "none" => report(
            out,
            Diagnostic::error(BAD_VALUE, "`none` has no settings")
                .at(place.span, "settings of nothing")
                .help("to take every request unverified, write `verify: none`"),
        ),
        _ => report(
            out,
            unknown_word(place, "a type of verification", text, &TYPES),
        ),
    }
}

fn token(keys: &mut KeyReader<'_>, out: &mut Collector) -> Read<TokenSettings> {
    let place = match keys.require_text(
        "token_source",
        "write where the token stands: header:NAME, query:NAME, form:NAME or json:PATH",
        out,
    ) {
        None => Err(Reported),
        Some((text, node)) => token_place(text, node, "", out),
    };
    let prefix = optional_text(keys, "token_prefix", out);
    Ok(TokenSettings {
        place: place?,
        prefix: prefix?.map_or_else(String::new, |(text, _)| text.to_owned()),
    })
}

/// `also` is what else the kind takes, for the help.
fn token_place(text: &str, node: &Node, also: &str, out: &mut Collector) -> Read<TokenPlace> {
    match text.split_once(':') {
        Some(("header", name)) => header_name(name, node, out).map(TokenPlace::Header),
        Some(("query", name)) if !name.is_empty() => Ok(TokenPlace::Query(name.to_owned())),
        Some(("form", name)) if !name.is_empty() => Ok(TokenPlace::Form(name.to_owned())),
        Some(("json", path)) => json_path(path, node, out).map(TokenPlace::Json),
        _ => report(
            out,
            Diagnostic::error(BAD_VALUE, "this is not a place of a token")
                .at(node.span, "no such place")
                .help(format!(
                    "write header:NAME, query:NAME, form:NAME or json:PATH{also}"
                )),
        ),
    }
}

fn required_headers(
    keys: &mut KeyReader<'_>,
    out: &mut Collector,
) -> Read<Vec<(HeaderName, String)>> {
    let Some(entry) = keys.take("require_headers") else {
        return Ok(Vec::new());
    };
    let Some(nodes) = entry.value.as_list() else {
        return report(
            out,
            Diagnostic::error(CODES.shape, "`require_headers` takes a list")
                .at(entry.value.span, "expected a list of `{name, value}`"),
        );
    };
    let read: Vec<_> = nodes
        .iter()
        .map(|node| {
            let mut keys = KeyReader::new(node, "a required header", CODES, out).ok_or(Reported)?;
            let name = match keys.require_text("name", "write `{name: X-Header, value: x}`", out) {
                Some((text, node)) => header_name(text, node, out),
                None => Err(Reported),
            };
            let value = required_text(
                &mut keys,
                "value",
                "write `{name: X-Header, value: x}`",
                out,
            );
            keys.finish(out);
            Ok((name?, value?))
        })
        .collect();
    read.into_iter().collect()
}

#[cfg(test)]
pub(in crate::verify) mod tests {
    use super::*;
    use crate::{
        diag::{SourceText, render_lines},
        yaml,
    };

    /// The settings of a text, or the findings.
    pub(in crate::verify) fn read(text: &str) -> Result<VerifySettings, Vec<String>> {
        let mut out = Collector::new(SourceText::new("a.yaml", text));
        let settings = yaml::parse(&mut out).and_then(|node| VerifySettings::read(&node, &mut out));
        settings.ok_or_else(|| render_lines(&out.finish()))
    }

    #[test]
    fn every_mistake_is_reported_with_its_place() {
        let text = r#"type: hmac
signature_header: X-Sig
encoding: hexadecimal
algorithm: sha265
signed: "{timestmp}.{body}"
timestamp: {source: "header:X Time", format: unix, tolerance: 5 minutes}
id_hedaer: x
"#;
        insta::assert_snapshot!(read(text).unwrap_err().join("\n"), @r"
        a.yaml:3:11: error recv/bad-value: `hexadecimal` is not an encoding (write one of hex, base64, base64url)
        a.yaml:4:12: error recv/bad-value: `sha265` is not an algorithm (did you mean `sha256`?)
        a.yaml:5:9: error recv/bad-value: this is not a template: `{timestmp}` is not a part of a request (the parts are {body}, {timestamp}, {id}, {method}, {url}, {url_decoded}, {secret}, {form_sorted}, {header_names}, {header_values}, {header:NAME}, {query:NAME}, {form:NAME}, {json:PATH})
        a.yaml:6:21: error recv/bad-value: `X Time` is not a header name (letters, digits and `-`, such as `X-Signature`)
        a.yaml:6:46: error recv/bad-value: `unix` is not a format of timestamps (did you mean `unix_s`?)
        a.yaml:6:63: error recv/bad-value: this is not a tolerance (write a whole number with s, m, h or d, such as `5m`)
        a.yaml:7:1: error recv/unknown-key: verify has no key `id_hedaer` (did you mean `id_header`?)
            ");
    }

    #[test]
    fn settings_that_contradict_themselves_are_refused() {
        for (text, expected) in [
            (
                "{type: hmac, signature_header: a, encoding: hex, signed: '{body}{timestamp}'}",
                "`timestamp` does not say",
            ),
            (
                "{type: hmac, signature_header: a, encoding: hex, timestamp: {source: 'header:t', format: unix_s}}",
                "protects nothing",
            ),
            (
                "{type: hmac, signature_header: a, encoding: hex, signed: '{timestamp}{body}', timestamp: {source: 'pair:t', format: unix_s}}",
                "style `pairs`",
            ),
            (
                "{type: hmac, signature_header: a, encoding: hex, signed: '{secret}{body}'}",
                "key of an hmac",
            ),
            (
                "{type: digest, signature_header: a, encoding: hex}",
                "anybody can compute",
            ),
            (
                "{type: hmac, signature_json_path: a, encoding: hex}",
                "cannot cover the body",
            ),
            ("{type: hmac, encoding: hex}", "where the signature is"),
            (
                "{type: hmac, signature_header: a, signature_json_path: b, encoding: hex, signed: '{json:id}'}",
                "not in several",
            ),
            (
                "{type: hmac, signature_header: a, signature_query: b, encoding: hex}",
                "not in several",
            ),
            (
                "{type: hmac, signature_headers: [a, b, A], encoding: hex}",
                "`a` stands here twice",
            ),
            (
                "{type: hmac, signature_headers: a, encoding: hex}",
                "a list of 2 to 8",
            ),
            (
                "{type: hmac, signature_headers: [a, [b]], encoding: hex}",
                "a text, but here is a list",
            ),
            (
                "{type: hmac, signature_form: a, encoding: hex}",
                "cannot cover the body",
            ),
            (
                "{type: hmac, signature_query: a, encoding: hex, signed: '{url}{body}'}",
                "cannot cover the address",
            ),
            (
                "{type: hmac, signature_query: a, encoding: hex, signature_format: {style: prefix, prefix: x}}",
                "no format but `plain`",
            ),
            (
                "{type: hmac, signature_headers: [a, b], encoding: hex, signed: '{timestamp}{body}', signature_format: {style: pairs, key: v1}, timestamp: {source: 'pair:t', format: unix_s}}",
                "whose pair the timestamp is",
            ),
            (
                "{type: hmac, signature_header: a, encoding: hex, signed: '{body}{header_names}'}",
                "`signed_headers` does not say where the list is",
            ),
            (
                "{type: hmac, signature_header: a, encoding: hex, signed: '{body}{header_names}', signed_headers: {source: 'pair:h'}}",
                "lacks `{header_names}` or `{header_values}`",
            ),
            (
                "{type: hmac, signature_header: a, encoding: hex, signed: '{body}{header_names}{header_values}', signed_headers: {source: 'pair:h'}}",
                "style `pairs`",
            ),
            (
                "{type: hmac, signature_header: a, encoding: hex, signed: '{body}', signed_headers: {source: 'header:h'}}",
                "not a place of a list of headers",
            ),
            (
                "{type: hmac, signature_header: a, encoding: hex, signed: '{body}[x]'}",
                "nothing can be missing",
            ),
            (
                "{type: hmac, signature_header: a, encoding: hex, signed: '{timestamp}{body}', timestamp: {source: 'json:a[].b', format: unix_s}}",
                "one timestamp",
            ),
            (
                "{type: public-key, signature_header: a, encoding: hex}",
                "needs `algorithm`",
            ),
            (
                "{type: public-key, algorithm: sha256, signature_header: a, encoding: hex}",
                "not an algorithm of public keys",
            ),
            (
                "{type: public-key, algorithm: ed25519, signature_header: a, encoding: hex, secret_encoding: hex}",
                "no key `secret_encoding`",
            ),
            (
                "{type: public-key, algorithm: ed25519, signature_header: a, encoding: hex, signed: '{secret}{body}'}",
                "no secret that could be part",
            ),
            (
                "{type: hmac, signature_header: a, encoding: hex, id_header: b}",
                "lacks `{id}`",
            ),
            (
                "{type: hmac, signature_header: a, encoding: hex, url_port_variants: true}",
                "no variants",
            ),
            (
                "{type: token, token_source: 'cookie:a'}",
                "not a place of a token",
            ),
            ("{type: token, token_source: 'json:a..b'}", "not a path"),
            (
                "{type: token, token_source: 'header:a', algorithm: sha1}",
                "no key `algorithm`",
            ),
            ("{type: hmca}", "did you mean `hmac`"),
            ("{type: none}", "`verify: none`"),
            ("{type: mtls}", "needs `allowed`"),
            ("{algorithm: sha1}", "needs `type`"),
            (
                "{type: hmac, signature_header: a, encoding: hex, signed: '{timestamp}{body}', timestamp: {source: 'header:t', format: opaque, tolerance_s: 5}}",
                "has no tolerance",
            ),
            (
                "{type: hmac, signature_header: a, encoding: hex, signed: '{timestamp}{body}', timestamp: {source: 'header:t', format: unix_s, tolerance_s: 5, tolerance: 5s}}",
                "say the same",
            ),
            (
                "{type: hmac, signature_header: a, encoding: hex, signed: '{timestamp}{body}', timestamp: {source: 'header:t', format: unix_s, tolerance: 30d}}",
                "not a tolerance",
            ),
            (
                "{type: basic, require_headers: [{name: a}]}",
                "needs `value`",
            ),
        ] {
            let found = read(text).expect_err(text);
            assert!(
                found.iter().any(|line| line.contains(expected)),
                "{text}: {found:?}"
            );
        }
    }

    #[test]
    fn tolerances_are_written_as_durations_or_seconds() {
        let with = |tolerance: &str| {
            read(&format!(
                "{{type: hmac, signature_header: a, encoding: hex, signed: '{{timestamp}}{{body}}', \
                 timestamp: {{source: 'header:t', format: unix_s{tolerance}}}}}"
            ))
            .unwrap()
        };
        assert_eq!(with(""), with(", tolerance: 5m"));
        assert_eq!(with(", tolerance: 300s"), with(", tolerance_s: 300"));
        assert_ne!(
            with(", tolerance: 5m"),
            with(", tolerance: 5m, future_tolerance: 0s")
        );
    }
}
