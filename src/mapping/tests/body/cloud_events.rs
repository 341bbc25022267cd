//! Cloud events, in each of the ways in which they travel.

use super::*;

/// The attributes of an event as headers.
const ATTRIBUTES: [(&str, &str); 4] = [
    ("ce-specversion", "1.0"),
    ("ce-id", "7"),
    ("ce-source", "/sis"),
    ("ce-type", "mx.escuela.cambio"),
];

fn owned(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    let headers = headers.iter();
    headers
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn tree(content_type: Option<&str>, headers: &[(&str, &str)], body: &[u8]) -> String {
    decoded(content_type, &owned(headers), body)
}

#[test]
fn an_event_has_the_same_tree_in_every_mode() {
    let event = r#"{"specversion":"1.0","id":"7","source":"/sis","type":"mx.escuela.cambio","datacontenttype":"application/json","data":{"n":"Peña"}}"#;
    let body = r#"{"n":"Peña"}"#.as_bytes();
    assert_eq!(tree(Some("application/json"), &ATTRIBUTES, body), event);

    let structured = "Application/CloudEvents+JSON; charset=UTF-8";
    assert_eq!(tree(Some(structured), &[], event.as_bytes()), event);
    // In structured mode the headers are copies at best.
    assert_eq!(tree(Some(structured), &ATTRIBUTES, event.as_bytes()), event);
    assert_eq!(
        tree(
            Some("application/cloudevents-batch+json"),
            &[],
            format!("[{event},{event}]").as_bytes()
        ),
        format!("[{event},{event}]")
    );
}

#[test]
fn the_data_of_binary_mode_is_read_by_its_own_content_type() {
    for (content_type, body, data) in [
        (None, &b"{\"n\":1.50}"[..], r#""data":{"n":1.50}"#),
        (None, b"", ""),
        (None, b"\xff\xfe\xfd", r#""data_base64":"//79""#),
        (Some("text/xml"), b"<n>x</n>", r#""data":{"n":"x"}"#),
        (
            Some("application/x-www-form-urlencoded"),
            b"n=x",
            r#""data":{"n":"x"}"#,
        ),
        (Some("application/x-ndjson"), b"1\n2", r#""data":[1,2]"#),
        (
            Some("text/plain; charset=latin1"),
            b"Pe\xf1a",
            r#""data":"Peña""#,
        ),
        (Some("image/png"), b"\x89PNG", r#""data_base64":"iVBORw==""#),
    ] {
        let attributes =
            r#"{"specversion":"1.0","id":"7","source":"/sis","type":"mx.escuela.cambio""#;
        let content = content_type
            .map(|content_type| format!(r#","datacontenttype":"{content_type}""#))
            .unwrap_or_default();
        let comma = if data.is_empty() { "" } else { "," };
        assert_eq!(
            tree(content_type, &ATTRIBUTES, body),
            format!("{attributes}{content}{comma}{data}}}")
        );
    }
    assert_eq!(
        tree(Some("application/json"), &ATTRIBUTES, b"{"),
        "not JSON: the JSON ends too early at line 1 column 2"
    );
    assert_eq!(
        tree(Some("text/plain"), &ATTRIBUTES, b"\xff"),
        "not text in UTF-8"
    );
}

#[test]
fn a_request_without_all_that_an_event_must_have_is_no_event() {
    for missing in 0..ATTRIBUTES.len() {
        let mut headers = ATTRIBUTES.to_vec();
        headers.remove(missing);
        assert_eq!(tree(None, &headers, b"{\"n\":1}"), r#"{"n":1}"#);
    }
}

#[test]
fn attributes_are_unquoted_and_percent_decoded_once() {
    let attribute = |value: &str| {
        let mut headers = ATTRIBUTES.to_vec();
        headers.push(("ce-subject", value));
        tree(None, &headers, b"")
            .split_once(r#""subject":"#)
            .map_or_else(
                || tree(None, &headers, b""),
                |(_, subject)| subject.trim_end_matches('}').to_owned(),
            )
    };
    for (value, subject) in [
        ("plain", r#""plain""#),
        ("", r#""""#),
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", r#""Euro € 😀""#),
        ("%e2%82%ac", r#""€""#),
        ("%41", r#""A""#),
        ("%2541", r#""%41""#),
        ("100%", r#""100%""#),
        ("%zz", r#""%zz""#),
        (r#""in quotes""#, r#""in quotes""#),
        (r#""a \"b\" \\ \c %41""#, r#""a \"b\" \\ c A""#),
        ("\"", r#""\"""#),
        ("ñ", r#""ñ""#),
        (
            "%C0%A0",
            "a `ce-` header is not UTF-8 once it is percent-decoded",
        ),
    ] {
        assert_eq!(attribute(value), subject, "{value}");
    }
}

#[test]
fn what_is_no_attribute_does_not_become_one() {
    let mut headers = ATTRIBUTES.to_vec();
    headers.extend([
        ("ce-data", "x"),
        ("ce-data_base64", "x"),
        ("ce-datacontenttype", "x"),
        ("x-topic", "x"),
        ("ce-grade", "5"),
    ]);
    assert_eq!(
        tree(None, &headers, b"1"),
        r#"{"specversion":"1.0","id":"7","source":"/sis","type":"mx.escuela.cambio","grade":"5","data":1}"#
    );
}

#[test]
fn data_of_the_json_format_is_read_where_its_content_type_is_known() {
    let structured = |members: &str| {
        tree(
            Some("application/cloudevents+json"),
            &[],
            format!("{{{members}}}").as_bytes(),
        )
    };
    for (members, expected) in [
        (
            r#""datacontenttype":"application/json","data_base64":"eyJuIjoieCJ9""#,
            r#""data":{"n":"x"}"#,
        ),
        (
            r#""data":null,"data_base64":"eyJuIjoieCJ9""#,
            r#""data":{"n":"x"}"#,
        ),
        (
            r#""datacontenttype":"text/xml","data_base64":"PG4+eDwvbj4=""#,
            r#""data":{"n":"x"}"#,
        ),
        (
            r#""datacontenttype":"text/plain; charset=latin1","data_base64":"UGXxYQ==""#,
            r#""data":"Peña""#,
        ),
    ] {
        let shown = structured(members);
        assert!(shown.ends_with(&format!("{expected}}}")), "{shown}");
    }
    for unchanged in [
        r#""datacontenttype":"image/png","data_base64":"iVBORw==""#,
        r#""data_base64":"//79""#,
        r#""data_base64":"""#,
        r#""data_base64":5"#,
        r#""datacontenttype":"application/json","data":"{\"n\":1}""#,
        r#""datacontenttype":5,"data":[1]"#,
    ] {
        let unchanged_object = format!("{{{unchanged}}}");
        assert_eq!(structured(unchanged), unchanged_object);
    }
    assert_eq!(
        structured(r#""data_base64":"%%""#),
        "`data_base64` is not base64"
    );
    assert_eq!(
        structured(r#""datacontenttype":"application/json","data_base64":"ew==""#),
        "not JSON: the JSON ends too early at line 1 column 2"
    );
    assert_eq!(
        tree(
            Some("application/cloudevents-batch+json"),
            &[],
            b"[1, null]"
        ),
        "[1,null]"
    );
}

#[test]
fn xml_as_text_in_the_data_of_an_event_can_be_gone_into() {
    let body = br#"{"type": "x", "datacontenttype": "application/xml", "data": "<r k='1'><n>Ana</n></r>"}"#;
    for (expression, expected) in [
        ("data.r.n", r#""Ana""#),
        ("data.r.@k", r#""1""#),
        ("data", r#""<r k='1'><n>Ana</n></r>""#),
    ] {
        let shown = value("application/cloudevents+json", body, expression);
        assert_eq!(shown, expected, "{expression}");
    }
}
