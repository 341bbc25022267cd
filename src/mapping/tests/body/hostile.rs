//! Bodies made to take much time or memory: each ends in a tree of bounded size or in a reason, and quickly.

use super::*;

const MIB: usize = 1024 * 1024;

/// What becomes of a body that repeats a piece, ten times as large as any that is taken unless somebody says otherwise
/// where it is JSON; otherwise twice, for the tests' sake.
fn outcome(content_type: &str, head: &str, piece: &str, tail: &str) -> String {
    let is_json = content_type.starts_with("application/json");
    let size = if is_json { 10 * MIB } else { 2 * MIB };
    let body = format!("{head}{}{tail}", piece.repeat(size / piece.len()));
    outcome_of(content_type, body.as_bytes())
}

/// `a tree`, or why there is none.
fn outcome_of(content_type: &str, body: &[u8]) -> String {
    let shown = decoded(Some(content_type), &[], body);
    if shown.starts_with(['{', '[']) {
        "a tree".to_owned()
    } else {
        shown
    }
}

#[test]
fn mebibytes_of_one_piece_end_in_a_tree_or_a_reason() {
    const FORM: &str = "application/x-www-form-urlencoded";
    const PARTS: &str = "multipart/form-data; boundary=b";
    const FILE: &str = "--b\nContent-Disposition: form-data; name=a; filename=a\n\n\n";
    let deep = "nested deeper than 64 levels";
    let many = "more than 50,000";
    for (content_type, head, piece, tail, expected) in [
        ("application/json", "", "[", "", deep),
        ("application/json", "", "{\"a\":", "", deep),
        (
            "application/json; charset=utf-16le",
            "",
            "[",
            "",
            "not JSON",
        ),
        ("application/json; charset=latin1", "", "[", "", deep),
        (
            "application/x-ndjson",
            "",
            "[\n",
            "",
            "not JSON: the JSON ends too early at line 1",
        ),
        ("application/x-ndjson", "", "\n", "", "a tree"),
        (FORM, "", "a[", "", "a tree"),
        (FORM, "a", "[]", "=1", deep),
        (FORM, "", "a&", "", many),
        (FORM, "a=", "%5B", "", "a tree"),
        (FORM, "", "a=[&", "", many),
        (PARTS, "", "--b\n", "", "more than 50,000 parts"),
        (PARTS, "", FILE, "--b--", "a tree"),
        (PARTS, "--b\n", "--ba\n", "", "it ends too early"),
        (
            PARTS,
            "--b\n",
            "X: y\n",
            "\nz\n--b--",
            "more than 8 KiB of headers",
        ),
        (
            PARTS,
            "--b\nContent-Disposition: form-data; name=\"",
            "\\\"",
            "\"\n\n\n--b--",
            "more than 8 KiB of headers",
        ),
        ("text/xml", "", "<a>", "", deep),
        ("text/xml", "<a>", "<a/>", "</a>", many),
        ("text/xml", "<a>", "&amp;", "</a>", "a tree"),
        ("text/xml", "<a>", "<!---->x", "</a>", "a tree"),
        (
            "text/xml",
            "<a>",
            "<![CDATA[",
            "</a>",
            "something is never closed",
        ),
        (
            "text/xml",
            "<a",
            " b='c'",
            "/>",
            "an element with more than 250 attributes",
        ),
        ("text/xml", "<a b='", "&lt;", "'/>", "a tree"),
        (
            "text/xml",
            "<!DOCTYPE a [",
            "<!ENTITY a '&b;&b;'>",
            "]><a>&a;</a>",
            "a document type",
        ),
        (
            "text/xml",
            "<!DOCTYPE a [",
            "<!--",
            "",
            "something is never closed",
        ),
        ("text/xml", "", "<", "", "something is never closed"),
        ("text/xml", "<?xml encoding='", "a", "'?><a/>", "a tree"),
        (
            "application/cloudevents+json",
            "{\"data_base64\":\"",
            "W1tb",
            "\"}",
            "a tree",
        ),
        (
            "application/cloudevents+json",
            "{\"datacontenttype\":\"text/xml\",\"data\":\"",
            "<a>",
            "\"}",
            deep,
        ),
    ] {
        let shown = outcome(content_type, head, piece, tail);
        assert!(
            shown.contains(expected),
            "{content_type} {head}{piece}…{tail}: {shown:.200}"
        );
    }
}

#[test]
fn a_content_type_of_any_length_is_read_in_time() {
    for piece in [";", "=", "\"", "a=\"\\\"", "; boundary=", "; charset=\""] {
        let content_type = format!("multipart/form-data; {}", piece.repeat(MIB / piece.len()));
        let shown = outcome_of(&content_type, b"--b--");
        assert!(
            shown.starts_with("not multipart/form-data"),
            "{piece}: {shown:.200}"
        );
    }
}

#[test]
fn what_was_cut_off_anywhere_is_a_tree_or_a_reason() {
    let complete: [(&str, &[u8]); 5] = [
        (
            "text/xml",
            include_bytes!("../../../../mappings/samples/salesforce-outbound-message/two-notifications.xml"),
        ),
        (
            "application/x-www-form-urlencoded",
            include_bytes!("../../../../mappings/samples/kommo/two-contacts-updated.form"),
        ),
        (
            "application/cloudevents+json",
            include_bytes!("../../../../mappings/samples/blackbaud-sky/email-address-changed.json"),
        ),
        (
            "multipart/form-data; boundary=b",
            b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Type: application/json\r\n\r\n{\"n\": 1}\r\n--b\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\nx\r\n--b--",
        ),
        ("application/json; charset=shift_jis", b"{\"n\": \"\x83\x6e\"}"),
    ];
    for (content_type, body) in complete {
        let body = body.trim_ascii_end();
        assert_eq!(outcome_of(content_type, body), "a tree", "{content_type}");
        let trees = (0..body.len())
            .filter(|end| outcome_of(content_type, &body[..*end]) == "a tree")
            .count();
        // A form may end anywhere but inside a name; the others only at their end.
        let may_end = content_type == "application/x-www-form-urlencoded";
        assert_eq!(trees > 0, may_end, "{content_type}: {trees}");
    }
}
