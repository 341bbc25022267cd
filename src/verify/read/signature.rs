//! Reads the settings of signatures, and refuses those that contradict each other.

use super::{
    CODES,
    value::{
        BAD_VALUE, CONTRADICTION, Read, Reported, choice, duration, header_name, json_path,
        optional_header, optional_text, report, required_text, text_or, unknown_word,
    },
};
use crate::{
    diag::{Collector, Diagnostic},
    verify::{
        SecretEncoding,
        code::{Algorithm, Encoding},
        format::SignatureFormat,
        settings::{Scheme, SignaturePlace, SignatureSettings},
        template::{PARTS, Segment, Template},
        timestamp::{
            DEFAULT_TOLERANCE, TimestampFormat, TimestampPlace, TimestampSettings, Tolerance,
        },
    },
    yaml::{KeyReader, Node},
};

pub(super) fn read(
    scheme: Scheme,
    keys: &mut KeyReader<'_>,
    node: &Node,
    out: &mut Collector,
) -> Read<SignatureSettings> {
    let algorithm = choice(
        keys,
        "algorithm",
        "an algorithm",
        &[
            ("sha1", Algorithm::Sha1),
            ("sha256", Algorithm::Sha256),
            ("sha512", Algorithm::Sha512),
        ],
        Some(Algorithm::Sha256),
        out,
    );
    let place = signature_place(keys, node, out);
    let format = match keys.take("signature_format") {
        None => Ok(SignatureFormat::Plain),
        Some(entry) => signature_format(&entry.value, out),
    };
    let encoding = choice(
        keys,
        "encoding",
        "an encoding",
        &[
            ("hex", Encoding::Hex),
            ("base64", Encoding::Base64),
            ("base64url", Encoding::Base64Url),
        ],
        None,
        out,
    );
    let secret_encoding = choice(
        keys,
        "secret_encoding",
        "an encoding of secrets",
        &[
            ("utf8", SecretEncoding::Utf8),
            ("hex", SecretEncoding::Hex),
            ("base64", SecretEncoding::Base64),
            ("base64url", SecretEncoding::Base64Url),
            ("whsec", SecretEncoding::Whsec),
        ],
        Some(SecretEncoding::Utf8),
        out,
    );
    let signed = signed(keys, out);
    let timestamp = match keys.take("timestamp") {
        None => Ok(None),
        Some(entry) => timestamp(&entry.value, out).map(Some),
    };
    let id_header = optional_header(keys, "id_header", out);
    let url_port_variants = choice(
        keys,
        "url_port_variants",
        "an answer",
        &[("true", true), ("false", false)],
        Some(false),
        out,
    );
    let body_digest_query = optional_text(keys, "body_digest_query", out);
    let settings = SignatureSettings {
        scheme,
        algorithm: algorithm?,
        place: place?,
        format: format?,
        encoding: encoding?,
        signed: signed?,
        secret_encoding: secret_encoding?,
        timestamp: timestamp?,
        id_header: id_header?,
        url_port_variants: url_port_variants?,
        body_digest_query: body_digest_query?.map(|(text, _)| text.to_owned()),
    };
    match contradiction(&settings) {
        None => Ok(settings),
        Some(Contradiction { key, message, help }) => {
            let span = node.get(key).unwrap_or(node).span;
            let label = "does not fit with the rest";
            let finding = Diagnostic::error(CONTRADICTION, message).at(span, label);
            report(out, finding.help(help))
        }
    }
}

/// Settings that are good one by one but not together.
struct Contradiction {
    /// The key to look at.
    key: &'static str,
    message: &'static str,
    help: &'static str,
}

fn contradiction(settings: &SignatureSettings) -> Option<Contradiction> {
    let signs = |wanted: &Segment| settings.signed.has(|part| part == wanted);
    let signs_url = signs(&Segment::Url) || signs(&Segment::UrlDecoded);
    let pair = settings
        .timestamp
        .as_ref()
        .is_some_and(|timestamp| matches!(timestamp.place, TimestampPlace::Pair(_)));
    let in_body = matches!(settings.place, SignaturePlace::Json(_));
    let pairs = matches!(settings.format, SignatureFormat::Pairs { .. });
    let plain = matches!(settings.format, SignatureFormat::Plain);
    [
        (
            settings.timestamp.is_some() && !signs(&Segment::Timestamp),
            "timestamp",
            "a timestamp that is not signed protects nothing: `signed` lacks `{timestamp}`",
            "add `{timestamp}` to `signed`, or remove `timestamp`",
        ),
        (
            settings.timestamp.is_none() && signs(&Segment::Timestamp),
            "signed",
            "`signed` has `{timestamp}`, but `timestamp` does not say where it is",
            "add `timestamp: {source: \"header:NAME\", format: unix_s}`, or remove `{timestamp}`",
        ),
        (
            settings.id_header.is_some() && !signs(&Segment::Id),
            "id_header",
            "`id_header` is given, but `signed` lacks `{id}`",
            "add `{id}` to `signed`, or remove `id_header`",
        ),
        (
            settings.id_header.is_none() && signs(&Segment::Id),
            "signed",
            "`signed` has `{id}`, but `id_header` does not say where it is",
            "add `id_header: NAME`, or remove `{id}`",
        ),
        (
            settings.scheme == Scheme::Digest && !signs(&Segment::Secret),
            "signed",
            "without `{secret}` in `signed` anybody can compute the digest",
            "add `{secret}` to `signed` where the sender has it; if the sender uses a keyed hash, write `type: hmac`",
        ),
        (
            settings.scheme == Scheme::Hmac && signs(&Segment::Secret),
            "signed",
            "the secret is the key of an hmac, and not part of the signed text",
            "remove `{secret}`; if the sender hashes the secret with the text, write `type: digest`",
        ),
        (
            pair && !pairs,
            "timestamp",
            "a timestamp in a pair needs a `signature_format` of style `pairs`",
            "write `signature_format: {style: pairs, key: v1}`",
        ),
        (
            in_body && !plain,
            "signature_format",
            "a signature inside the body has no format but `plain`",
            "remove `signature_format`",
        ),
        (
            in_body && (signs(&Segment::Body) || signs(&Segment::FormSorted)),
            "signed",
            "a signature inside the body cannot cover the body",
            "name the fields that are signed, such as `{json:id}`",
        ),
        (
            settings.url_port_variants && !signs_url,
            "url_port_variants",
            "the address is not signed, so it has no variants",
            "remove `url_port_variants`, or add `{url}` to `signed`",
        ),
        (
            settings.body_digest_query.is_some() && !(signs_url && signs(&Segment::FormSorted)),
            "body_digest_query",
            "a hash of the body in the address needs `{url}` and `{form_sorted}` in `signed`",
            "add them to `signed`, or remove `body_digest_query`",
        ),
    ]
    .into_iter()
    .find_map(|(wrong, key, message, help)| wrong.then_some(Contradiction { key, message, help }))
}

fn signature_place(
    keys: &mut KeyReader<'_>,
    node: &Node,
    out: &mut Collector,
) -> Read<SignaturePlace> {
    let header = optional_header(keys, "signature_header", out);
    let path = match optional_text(keys, "signature_json_path", out) {
        Ok(Some((text, node))) => json_path(text, node, out).and_then(|path| {
            if path.is_many() {
                return report(
                    out,
                    Diagnostic::error(BAD_VALUE, "a request has one signature")
                        .at(node.span, "leads to many values"),
                );
            }
            Ok(Some(path))
        }),
        Ok(None) => Ok(None),
        Err(reported) => Err(reported),
    };
    match (header?, path?) {
        (Some(name), None) => Ok(SignaturePlace::Header(name)),
        (None, Some(path)) => Ok(SignaturePlace::Json(path)),
        (header, _) => report(
            out,
            Diagnostic::error(
                CODES.missing,
                if header.is_some() {
                    "the signature is in a header or in the body, not in both"
                } else {
                    "verify needs to know where the signature is"
                },
            )
            .at(node.span, "one of them is needed")
            .help("give either `signature_header` or `signature_json_path`"),
        ),
    }
}

fn signature_format(node: &Node, out: &mut Collector) -> Read<SignatureFormat> {
    const STYLES: [&str; 4] = ["plain", "prefix", "pairs", "list"];
    if node.as_text() == Some("plain") {
        return Ok(SignatureFormat::Plain);
    }
    let mut keys = KeyReader::new(node, "signature_format", CODES, out).ok_or(Reported)?;
    let (style, style_node) = keys
        .require_text(
            "style",
            "write `style: prefix`, `pairs` or `list`; or `signature_format: plain`",
            out,
        )
        .ok_or(Reported)?;
    let format = match style {
        "plain" => Ok(SignatureFormat::Plain),
        "prefix" => {
            let prefix = required_text(
                &mut keys,
                "prefix",
                "write what stands before the signature, such as `prefix: \"sha256=\"`",
                out,
            );
            let separator = optional_text(&mut keys, "item_sep", out);
            prefix.and_then(|prefix| {
                Ok(SignatureFormat::Prefix {
                    prefix,
                    separator: separator?.map(|(text, _)| text.to_owned()),
                })
            })
        }
        "pairs" => {
            let key = required_text(
                &mut keys,
                "key",
                "write the key of the signature's pair, such as `key: v1`",
                out,
            );
            let separator = text_or(&mut keys, "item_sep", ",", out);
            let assign = text_or(&mut keys, "kv_sep", "=", out);
            key.and_then(|key| {
                Ok(SignatureFormat::Pairs {
                    separator: separator?,
                    assign: assign?,
                    key,
                })
            })
        }
        "list" => {
            let version = required_text(
                &mut keys,
                "version",
                "write what marks the signature in the list, such as `version: v1`",
                out,
            );
            let separator = text_or(&mut keys, "item_sep", " ", out);
            let assign = text_or(&mut keys, "version_sep", ",", out);
            version.and_then(|version| {
                Ok(SignatureFormat::List {
                    separator: separator?,
                    assign: assign?,
                    version,
                })
            })
        }
        _ => {
            return report(out, unknown_word(style_node, "a style", style, &STYLES));
        }
    };
    keys.finish(out);
    format
}

fn signed(keys: &mut KeyReader<'_>, out: &mut Collector) -> Read<Template> {
    let (text, place) = match optional_text(keys, "signed", out)? {
        Some((text, node)) => (text, Some(node)),
        None => ("{body}", None),
    };
    Template::parse(text).or_else(|error| {
        let finding = Diagnostic::error(BAD_VALUE, format!("this is not a template: {error}"))
            .at(
                place.map(|node| node.span).unwrap_or_default(),
                "not a template",
            )
            .help(format!("the parts are {{{}}}", PARTS.join("}, {")));
        report(out, finding)
    })
}

fn timestamp(node: &Node, out: &mut Collector) -> Read<TimestampSettings> {
    let mut keys = KeyReader::new(node, "timestamp", CODES, out).ok_or(Reported)?;
    let place = match keys.require_text(
        "source",
        "write where the timestamp stands: header:NAME, or pair:KEY with the style `pairs`",
        out,
    ) {
        None => Err(Reported),
        Some((text, node)) => match text.split_once(':') {
            Some(("header", name)) => header_name(name, node, out).map(TimestampPlace::Header),
            Some(("pair", key)) if !key.is_empty() => Ok(TimestampPlace::Pair(key.to_owned())),
            _ => report(
                out,
                Diagnostic::error(BAD_VALUE, "this is not a place of a timestamp")
                    .at(node.span, "no such place")
                    .help("write header:NAME, or pair:KEY for a key beside the signature"),
            ),
        },
    };
    let format = choice(
        &mut keys,
        "format",
        "a format of timestamps",
        &[
            ("unix_s", TimestampFormat::UnixSeconds),
            ("unix_ms", TimestampFormat::UnixMilliseconds),
            ("unix_any", TimestampFormat::UnixAny),
            ("rfc3339", TimestampFormat::Rfc3339),
            ("opaque", TimestampFormat::Opaque),
        ],
        None,
        out,
    );
    let past = duration(&mut keys, "tolerance", "tolerance_s", out);
    let future = duration(&mut keys, "future_tolerance", "future_tolerance_s", out);
    keys.finish(out);
    let (format, past, future) = (format?, past?, future?);
    let tolerance = match format {
        TimestampFormat::Opaque if past.is_some() || future.is_some() => {
            return report(
                out,
                Diagnostic::error(
                    CONTRADICTION,
                    "a timestamp that is not understood has no tolerance",
                )
                .at(node.span, "opaque, with a tolerance"),
            );
        }
        TimestampFormat::Opaque => None,
        _ => {
            let past = past.unwrap_or(DEFAULT_TOLERANCE);
            Some(Tolerance {
                past,
                future: future.unwrap_or(past),
            })
        }
    };
    Ok(TimestampSettings {
        place: place?,
        format,
        tolerance,
    })
}
