//! Reads settings from YAML (and JSON, which is YAML), with a finding for every mistake.
//!
//! The keys, by `type`:
//!
//! | key | `type` | value |
//! | --- | --- | --- |
//! | `type` | all | `hmac`, `digest`, `token`, `basic` |
//! | `require_headers` | all | list of `{name, value}`: headers that must be there with this value |
//! | `algorithm` | `hmac`, `digest` | `sha1`, `sha256` (default), `sha512` |
//! | `signature_header` | `hmac`, `digest` | the header with the signature |
//! | `signature_json_path` | `hmac`, `digest` | instead: the field of the JSON body with the signature |
//! | `signature_format` | `hmac`, `digest` | `plain` (default) or `{style, …}`, see below |
//! | `encoding` | `hmac`, `digest` | `hex`, `base64`, `base64url` |
//! | `signed` | `hmac`, `digest` | template of the signed text, default `{body}` |
//! | `secret_encoding` | `hmac`, `digest` | `utf8` (default), `hex`, `base64`, `base64url`, `whsec` |
//! | `timestamp` | `hmac`, `digest` | `{source, format, tolerance, future_tolerance}` |
//! | `id_header` | `hmac`, `digest` | the header with the event id, for `{id}` |
//! | `url_port_variants` | `hmac`, `digest` | `true`: also try the address without port and with the default one |
//! | `body_digest_query` | `hmac`, `digest` | query parameter that may hold the SHA-256 of the body |
//! | `token_source` | `token` | `header:NAME`, `query:NAME`, `form:NAME`, `json:PATH` |
//! | `token_prefix` | `token` | text before the token, such as `Bearer ` |
//!
//! Styles of `signature_format`: `plain`; `prefix` with `prefix` and perhaps `item_sep`; `pairs` with `key`,
//! `item_sep` (default `,`) and `kv_sep` (default `=`); `list` with `version`, `item_sep` (default a space) and
//! `version_sep` (default `,`).
//!
//! `timestamp.source` is `header:NAME` or `pair:KEY`; `format` is `unix_s`, `unix_ms`, `unix_any`, `rfc3339` or
//! `opaque`; `tolerance` is a duration such as `5m` (the default; `tolerance_s: 300` says the same) and holds in both
//! directions unless `future_tolerance` is given.

mod signature;
mod value;

use http::HeaderName;

pub use self::value::BAD_VALUE;
use self::value::{
    Read, Reported, header_name, json_path, optional_text, report, required_text, unknown_word,
};
use super::{
    VerifySettings,
    settings::{Kind, Scheme, TokenPlace, TokenSettings},
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
};

impl VerifySettings {
    /// Reads the long form. `None` where it, or anything that was read before it, has mistakes; they are in `out`.
    pub fn read(node: &Node, out: &mut Collector) -> Option<Self> {
        let mut keys = KeyReader::new(node, "verify", CODES, out)?;
        let kind = match type_of(&mut keys, out).ok()? {
            Type::Basic => Ok(Kind::Basic),
            Type::Token => token(&mut keys, out).map(Kind::Token),
            Type::Signature(scheme) => signature::read(scheme, &mut keys, node, out)
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
    Signature(Scheme),
}

fn type_of(keys: &mut KeyReader<'_>, out: &mut Collector) -> Read<Type> {
    const TYPES: [&str; 4] = ["hmac", "digest", "token", "basic"];
    let (text, place) = keys
        .require_text(
            "type",
            "write `type: hmac`, `digest`, `token` or `basic`",
            out,
        )
        .ok_or(Reported)?;
    match text {
        "hmac" => Ok(Type::Signature(Scheme::Hmac)),
        "digest" => Ok(Type::Signature(Scheme::Digest)),
        "token" => Ok(Type::Token),
        "basic" => Ok(Type::Basic),
        "none" => report(
            out,
            Diagnostic::error(BAD_VALUE, "`none` has no settings")
                .at(place.span, "settings of nothing")
                .help("to take every request unverified, write `verify: none`"),
        ),
        "jwt" | "public-key" | "mtls" => report(
            out,
            Diagnostic::error(
                "recv/not-available",
                format!("verification by `{text}` is not available yet"),
            )
            .at(place.span, "not available")
            .help(format!("available are {}", TYPES.join(", "))),
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
        Some((text, node)) => match text.split_once(':') {
            Some(("header", name)) => header_name(name, node, out).map(TokenPlace::Header),
            Some(("query", name)) if !name.is_empty() => Ok(TokenPlace::Query(name.to_owned())),
            Some(("form", name)) if !name.is_empty() => Ok(TokenPlace::Form(name.to_owned())),
            Some(("json", path)) => json_path(path, node, out).map(TokenPlace::Json),
            _ => report(
                out,
                Diagnostic::error(BAD_VALUE, "this is not a place of a token")
                    .at(node.span, "no such place")
                    .help("write header:NAME, query:NAME, form:NAME or json:PATH"),
            ),
        },
    };
    let prefix = optional_text(keys, "token_prefix", out);
    Ok(TokenSettings {
        place: place?,
        prefix: prefix?.map_or_else(String::new, |(text, _)| text.to_owned()),
    })
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
pub(super) mod tests {
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
        a.yaml:5:9: error recv/bad-value: this is not a template: `{timestmp}` is not a part of a request (the parts are {body}, {timestamp}, {id}, {method}, {url}, {url_decoded}, {secret}, {form_sorted}, {header:NAME}, {query:NAME}, {json:PATH})
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
                "not in both",
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
            ("{type: jwt, algorithms: [HS256]}", "not available yet"),
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
