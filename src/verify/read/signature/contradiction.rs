//! Refuses settings of signatures that contradict each other.

use crate::verify::{
    format::SignatureFormat,
    settings::{Scheme, SignaturePlace, SignatureSettings},
    template::Segment,
    timestamp::TimestampPlace,
};

/// Settings that are good one by one but not together.
pub(super) struct Contradiction {
    /// The key to look at.
    pub(super) key: &'static str,
    pub(super) message: &'static str,
    pub(super) help: &'static str,
}

pub(super) fn contradiction(settings: &SignatureSettings) -> Option<Contradiction> {
    let signs = |wanted: &Segment| settings.signed.has(|part| part == wanted);
    let signs_url = signs(&Segment::Url) || signs(&Segment::UrlDecoded);
    let pair = settings
        .timestamp
        .as_ref()
        .is_some_and(|timestamp| matches!(timestamp.place, TimestampPlace::Pair(_)));
    let in_body = matches!(
        settings.place,
        SignaturePlace::Json(_) | SignaturePlace::Form(_)
    );
    let in_header = !settings.place.headers().is_empty();
    let lists_headers = signs(&Segment::HeaderNames) && signs(&Segment::HeaderValues);
    let names_list = signs(&Segment::HeaderNames) || signs(&Segment::HeaderValues);
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
            matches!(settings.scheme, Scheme::Digest(_)) && !signs(&Segment::Secret),
            "signed",
            "without `{secret}` in `signed` anybody can compute the digest",
            "add `{secret}` to `signed` where the sender has it; if the sender uses a keyed hash, write `type: hmac`",
        ),
        (
            matches!(settings.scheme, Scheme::Hmac(_)) && signs(&Segment::Secret),
            "signed",
            "the secret is the key of an hmac, and not part of the signed text",
            "remove `{secret}`; if the sender hashes the secret with the text, write `type: digest`",
        ),
        (
            matches!(settings.scheme, Scheme::PublicKey(_)) && signs(&Segment::Secret),
            "signed",
            "a public key has no secret that could be part of the signed text",
            "remove `{secret}`",
        ),
        (
            pair && !pairs,
            "timestamp",
            "a timestamp in a pair needs a `signature_format` of style `pairs`",
            "write `signature_format: {style: pairs, key: v1}`",
        ),
        (
            pair && settings.place.headers().len() > 1,
            "timestamp",
            "with several signature headers nobody knows whose pair the timestamp is",
            "write `timestamp: {source: \"header:NAME\", …}`",
        ),
        (
            !in_header && !plain,
            "signature_format",
            "a signature inside the body or the address has no format but `plain`",
            "remove `signature_format`",
        ),
        (
            matches!(settings.place, SignaturePlace::Query(_)) && signs_url,
            "signed",
            "a signature inside the address cannot cover the address",
            "name the parameters that are signed, such as `{query:id}`",
        ),
        (
            settings.signed_headers.is_some() && !lists_headers,
            "signed_headers",
            "`signed_headers` is given, but `signed` lacks `{header_names}` or `{header_values}`",
            "add both to `signed`, or remove `signed_headers`",
        ),
        (
            settings.signed_headers.is_none() && names_list,
            "signed",
            "`signed` has `{header_names}` or `{header_values}`, but `signed_headers` does not say where the list is",
            "add `signed_headers: {source: \"pair:h\"}`, or remove them",
        ),
        (
            settings.signed_headers.is_some() && (!pairs || settings.place.headers().len() > 1),
            "signed_headers",
            "a list of signed headers needs one `signature_header` and a `signature_format` of style `pairs`",
            "write `signature_format: {style: pairs, key: v1}`",
        ),
        (
            in_body && (signs(&Segment::Body) || signs(&Segment::FormSorted)),
            "signed",
            "a signature inside the body cannot cover the body",
            "name the fields that are signed, such as `{json:id}` or `{form:id}`",
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
