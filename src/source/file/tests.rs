use http::{HeaderMap, HeaderValue};

use super::*;

/// A source whose token travels in a header and whose rules read two others.
fn source(token_header: &str) -> Source {
    let text = format!(
        "mapping: 1\nsource: shop\nreceive:\n  verify: {{type: token, token_source: 'header:{token_header}'}}\n  secrets: [{{env: TOKEN}}]\notherwise: drop\nrules:\n  - {{name: r, when: header('X-Topic') == header('x-shop'), drop: x}}\ntests:\n  - {{name: t, event: {{a: 1}}, headers: {{X-Topic: a, X-Shop: a}}, expect: [{{drop: x}}]}}\n"
    );
    let no_samples = |_: &str| Err(io::ErrorKind::NotFound.into());
    let file = SourceFile::check(
        "shop.yaml",
        "shop",
        text,
        &no_samples,
        UnreadableSamples::Refuse,
    );
    let environment: Environment = [("TOKEN", "a-token-of-some-length")].into_iter().collect();
    let checked = file.checked.expect("a file without mistakes");
    checked.arm(&environment, Path::new("")).unwrap()
}

fn kept(source: &Source, headers: &[(&'static str, &[u8])]) -> Vec<(String, String)> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_bytes(value).unwrap());
    }
    source.kept_headers(&map)
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
fn headers_that_a_rule_reads_are_kept_once_each() {
    let source = source("X-Token");
    assert_eq!(kept(&source, &[("x-other", b"a")]), []);
    assert_eq!(
        kept(
            &source,
            &[
                ("x-topic", b"a"),
                ("x-token", b"secret"),
                ("x-other", b"b"),
                ("x-shop", "ñ".as_bytes()),
                ("x-topic", b"b"),
            ]
        ),
        pairs(&[("x-shop", "ñ"), ("x-topic", "a, b")])
    );
    assert_eq!(
        kept(&source, &[("x-shop", b"\xf1")]),
        pairs(&[("x-shop", "ñ")])
    );
}

#[test]
fn attributes_of_a_cloud_event_are_kept_but_for_a_secret_among_them() {
    const EVENT: [(&str, &[u8]); 5] = [
        ("ce-specversion", b"1.0"),
        ("ce-id", b"1"),
        ("ce-source", b"/s"),
        ("ce-type", b"t"),
        ("ce-token", b"secret"),
    ];
    let attributes = pairs(&[
        ("ce-id", "1"),
        ("ce-source", "/s"),
        ("ce-specversion", "1.0"),
        ("ce-type", "t"),
    ]);
    assert_eq!(kept(&source("ce-token"), &EVENT), attributes);
    // Not all that an event must have: it is none.
    assert_eq!(kept(&source("ce-token"), &EVENT[1..]), []);
    let structured = ("content-type", &b"application/cloudevents+json"[..]);
    let both = [&EVENT[..], &[structured]].concat();
    assert_eq!(kept(&source("ce-token"), &both), []);
}

#[test]
fn no_rule_reads_the_header_of_the_token() {
    let text = "mapping: 1\nsource: s\nreceive:\n  verify: {type: token, token_source: 'header:X-Token'}\n  secrets: [{env: TOKEN}]\n  dedup: body\notherwise: drop\nrules:\n  - {name: r, when: exists(header('x-token')), drop: x}\ntests:\n  - {name: t, event: {a: 1}, headers: {X-Token: a}, expect: [{drop: x}]}\n";
    let no_samples = |_: &str| Err(io::ErrorKind::NotFound.into());
    let file = SourceFile::check(
        "s.yaml",
        "s",
        text.to_owned(),
        &no_samples,
        UnreadableSamples::Refuse,
    );
    assert!(file.checked.is_none());
    let lines = crate::diag::render_lines(&file.findings);
    assert!(lines[0].contains("map/secret-header"), "{lines:?}");
}
