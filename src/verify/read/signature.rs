//! Reads the settings of signatures, and refuses those that contradict each other.

mod contradiction;
mod format;
mod place;

use self::{
    contradiction::{Contradiction, contradiction},
    format::signature_format,
    place::signature_place,
};
use super::{
    CODES, SignatureType,
    value::{
        BAD_VALUE, CONTRADICTION, Read, Reported, choice, duration, header_name, json_path,
        optional_header, optional_text, report, secret_encoding, text_or,
    },
};
use crate::{
    diag::{Collector, Diagnostic},
    verify::{
        code::{Algorithm, Encoding},
        format::SignatureFormat,
        public_key::KeyAlgorithm,
        settings::{Scheme, Shared, SignatureSettings},
        signature::HeaderList,
        template::{PARTS, Template},
        timestamp::{
            DEFAULT_TOLERANCE, TimestampFormat, TimestampPlace, TimestampSettings, Tolerance,
        },
    },
    yaml::{KeyReader, Node},
};

pub(super) fn read(
    kind: SignatureType,
    keys: &mut KeyReader<'_>,
    node: &Node,
    out: &mut Collector,
) -> Read<SignatureSettings> {
    let scheme = match kind {
        SignatureType::Hmac => shared(keys, out).map(Scheme::Hmac),
        SignatureType::Digest => shared(keys, out).map(Scheme::Digest),
        SignatureType::PublicKey => key_algorithm(keys, out).map(Scheme::PublicKey),
    };
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
    let signed = signed(keys, out);
    let timestamp = match keys.take("timestamp") {
        None => Ok(None),
        Some(entry) => timestamp(&entry.value, out).map(Some),
    };
    let id_header = optional_header(keys, "id_header", out);
    let signed_headers = match keys.take("signed_headers") {
        None => Ok(None),
        Some(entry) => signed_headers(&entry.value, out).map(Some),
    };
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
        scheme: scheme?,
        place: place?,
        format: format?,
        encoding: encoding?,
        signed: signed?,
        timestamp: timestamp?,
        id_header: id_header?,
        signed_headers: signed_headers?,
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

/// How a secret makes a hash.
fn shared(keys: &mut KeyReader<'_>, out: &mut Collector) -> Read<Shared> {
    let algorithm = choice(
        keys,
        "algorithm",
        "an algorithm",
        &[
            ("sha1", Algorithm::Sha1),
            ("sha256", Algorithm::Sha256),
            ("sha384", Algorithm::Sha384),
            ("sha512", Algorithm::Sha512),
        ],
        Some(Algorithm::Sha256),
        out,
    );
    let secret_encoding = secret_encoding(keys, out);
    Ok(Shared {
        algorithm: algorithm?,
        secret_encoding: secret_encoding?,
    })
}

fn key_algorithm(keys: &mut KeyReader<'_>, out: &mut Collector) -> Read<KeyAlgorithm> {
    let choices = [
        KeyAlgorithm::Ed25519,
        KeyAlgorithm::EcdsaP256Sha256Der,
        KeyAlgorithm::RsaPkcs1Sha256,
    ]
    .map(|algorithm| (algorithm.name(), algorithm));
    let what = "an algorithm of public keys";
    choice(keys, "algorithm", what, &choices, None, out)
}

fn signed_headers(node: &Node, out: &mut Collector) -> Read<HeaderList> {
    let mut keys = KeyReader::new(node, "signed_headers", CODES, out).ok_or(Reported)?;
    let help = "write `source: \"pair:KEY\"`: the key beside the signature that lists the headers";
    let pair = match keys.require_text("source", help, out) {
        None => Err(Reported),
        Some((text, node)) => match text.strip_prefix("pair:") {
            Some(key) if !key.is_empty() => Ok(key.to_owned()),
            _ => report(
                out,
                Diagnostic::error(BAD_VALUE, "this is not a place of a list of headers")
                    .at(node.span, "no such place")
                    .help(help),
            ),
        },
    };
    let name_separator = text_or(&mut keys, "name_sep", " ", out);
    let value_separator = text_or(&mut keys, "value_sep", ".", out);
    keys.finish(out);
    Ok(HeaderList {
        pair: pair?,
        name_separator: name_separator?,
        value_separator: value_separator?,
    })
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
        "write where the timestamp stands: header:NAME, json:PATH, or pair:KEY with the style `pairs`",
        out,
    ) {
        None => Err(Reported),
        Some((text, node)) => match text.split_once(':') {
            Some(("header", name)) => header_name(name, node, out).map(TimestampPlace::Header),
            Some(("pair", key)) if !key.is_empty() => Ok(TimestampPlace::Pair(key.to_owned())),
            Some(("json", path)) => match json_path(path, node, out) {
                Ok(path) if path.is_many() => report(
                    out,
                    Diagnostic::error(BAD_VALUE, "a request has one timestamp")
                        .at(node.span, "leads to many values"),
                ),
                path => path.map(TimestampPlace::Json),
            },
            _ => report(
                out,
                Diagnostic::error(BAD_VALUE, "this is not a place of a timestamp")
                    .at(node.span, "no such place")
                    .help("write header:NAME, json:PATH, or pair:KEY for a key beside the signature"),
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
