//! Bodies of the kinds that sources send, and those that cannot be read.

mod cloud_events;
mod document;
mod hostile;
mod multipart;

use super::*;

/// The outcomes of all items, separated by ` ; `.
fn mapped_as(mapping: &Mapping, content_type: Option<&str>, body: &[u8]) -> String {
    mapped_with(mapping, content_type, &[], body)
}

fn mapped_with(
    mapping: &Mapping,
    content_type: Option<&str>,
    headers: &[(String, String)],
    body: &[u8],
) -> String {
    let mapped = mapping.map(&Input {
        body,
        content_type,
        headers,
        now: now(),
    });
    let outcomes = mapped.items.iter().flat_map(|item| &item.outcomes);
    outcomes.map(shown).collect::<Vec<_>>().join(" ; ")
}

/// The tree of a request as JSON, or why there is none.
fn decoded(content_type: Option<&str>, headers: &[(String, String)], body: &[u8]) -> String {
    let input = Input {
        body,
        content_type,
        headers,
        now: now(),
    };
    match crate::mapping::body::decode(&input) {
        Ok(tree) => {
            let mut out = String::new();
            tree.write_json(&mut out);
            out
        }
        Err(error) => error.to_string(),
    }
}

/// The text of an expression on a body of this content type.
fn value(content_type: &str, body: &[u8], expression: &str) -> String {
    value_with(content_type, &[], body, expression)
}

fn value_with(
    content_type: &str,
    headers: &[(String, String)],
    body: &[u8],
    expression: &str,
) -> String {
    let quoted = expression.replace('\'', "''");
    let fields = format!("metadata:\n  k: {{from: '{quoted}', on_blank: keep, on_null: clear}}");
    let mapping = compiled(&setting("tables: {yes: {'true': 'true'}}", &fields));
    let shown = mapped_with(&mapping, Some(content_type), headers, body);
    match shown
        .strip_prefix("{\"metadata\":[{\"key\":\"k\",\"value\":")
        .and_then(|rest| rest.strip_suffix("}]}"))
    {
        Some(value) => value.to_owned(),
        None if shown == "drop: nothing to change" => "absent".to_owned(),
        None => shown,
    }
}

#[test]
fn a_form_body_is_mapped_like_json() {
    let mapping = compiled(&setting(
        "",
        "name: contact.first_name\nmetadata:\n  Plan: contact.fields.\"12\"\n  Second: contacts.update[1].id",
    ));
    let form = b"contact%5Bfirst_name%5D=Luc%C3%ADa+P&contact[fields][12]=anual&contacts[update][0][id]=1&contacts[update][1][id]=2";
    assert_eq!(
        mapped_as(
            &mapping,
            Some("application/x-www-form-urlencoded; charset=UTF-8"),
            form
        ),
        r#"{"name":"Lucía P","metadata":[{"key":"Plan","value":"anual"},{"key":"Second","value":"2"}]}"#
    );
}

#[test]
fn a_body_that_cannot_be_read_is_one_failure_with_the_place() {
    let mapping = compiled(&setting("", "name: n"));
    let json = |body: &[u8]| mapped_as(&mapping, Some("application/vnd.api+json"), body);
    assert_eq!(json(b"{\"n\": \"x\"}"), r#"{"name":"x"}"#);
    assert_eq!(json(b""), "fail: body: not JSON: empty at line 1 column 1");
    assert_eq!(
        json(b"{\"n\": secret}"),
        "fail: body: not JSON: expected a JSON value at line 1 column 7"
    );
    assert_eq!(
        json(b"{\"n\": \"\xff\"}"),
        "fail: body: not JSON: not UTF-8 at line 1 column 8"
    );
    assert_eq!(
        json("[".repeat(100).as_bytes()),
        "fail: body: not JSON: nested deeper than 64 levels at line 1 column 65"
    );
    assert_eq!(
        mapped_as(
            &mapping,
            Some("application/x-www-form-urlencoded"),
            b"a=%FF"
        ),
        "fail: body: not a form: not text in UTF-8 in pair 1"
    );
    // What `curl -d` sends when nobody says otherwise; dropped in silence, were it read as a form.
    assert_eq!(
        mapped_as(
            &mapping,
            Some("application/x-www-form-urlencoded"),
            b"{\"n\": \"x\"}"
        ),
        "fail: body: not a form: the body looks like JSON, but the content type says it is a form; the sender must say `application/json`"
    );
}

#[test]
fn paths_go_through_xml_whether_there_is_one_element_or_several() {
    let one = "<family><id>7</id><note xsi:nil='true'/><empty/><school code='N'>Norte</school><student><name>Ana</name><phone type='home'>1</phone></student></family>";
    let two = "<f:family xmlns:f='urn:f'><f:student><name>Ana</name><phone type='home'>1</phone><phone type='mobile'>2</phone></f:student><f:student><name>Luz</name></f:student></f:family>";
    for (body, expression, expected) in [
        (one, "family.id", r#""7""#),
        (one, "family.id | number", r#""7""#),
        (one, "family.note", "null"),
        (one, "family.empty", r#""""#),
        (one, "family.none", "absent"),
        (one, "family.school", r#""Norte""#),
        (one, "family.school.@code", r#""N""#),
        (one, "family.school.#text", r#""Norte""#),
        (one, "family.id.#text", r#""7""#),
        (one, r#"family.school."@code""#, r#""N""#),
        (one, "family.student.name", r#""Ana""#),
        (one, "family.student[].name | first", r#""Ana""#),
        (one, "family.student[0].name", r#""Ana""#),
        (one, "family.student[1].name", "absent"),
        (one, "family.student[name='Ana'].phone", r#""1""#),
        (one, "family.student.phone[@type='home']", r#""1""#),
        (one, "family.student.phone[@type='mobile']", "absent"),
        (one, "family.student[].name | count", r#""1""#),
        (one, "family.id[] | count", r#""1""#),
        (one, "join(',', family.student[].phone[])", r#""1""#),
        (one, "family[].id[] | first", r#""7""#),
        (two, "family.student[].name | last", r#""Luz""#),
        (two, "family.student[1].name", r#""Luz""#),
        (two, "family.student.name", "absent"),
        (two, "family.student[0].phone[@type='mobile']", r#""2""#),
        (two, "join(',', family.student[].phone[])", r#""1,2""#),
    ] {
        assert_eq!(
            value("text/xml", body.as_bytes(), expression),
            expected,
            "{expression}"
        );
    }
}

#[test]
fn each_goes_over_elements_of_xml_with_their_texts_and_attributes() {
    let mapping = compiled(&setting(
        "",
        "metadata:\n  - {each: 'c.field[]', key_from: '@name', from: '#text'}\n  - {each: c.plain, key_from: concat('p'), from: '#text'}",
    ));
    let mapped = |body: &str| mapped_as(&mapping, Some("application/xml"), body.as_bytes());
    assert_eq!(
        mapped("<c><field name='Grado'>5</field><plain>x</plain></c>"),
        r#"{"metadata":[{"key":"Grado","value":"5"},{"key":"p","value":"x"}]}"#
    );
    assert_eq!(
        mapped("<c><field name='Grado'>5</field><field name='Grupo'>B</field></c>"),
        r#"{"metadata":[{"key":"Grado","value":"5"},{"key":"Grupo","value":"B"}]}"#
    );
    assert_eq!(mapped("<c/>"), "drop: nothing to change");
}

#[test]
fn outbound_messages_of_salesforce_are_items_one_or_many() {
    let mapping = compiled(&setting(
        "items: $.Envelope.Body.notifications.Notification[]",
        "name: join(' ', sObject.FirstName, sObject.LastName)\nemail: sObject.Email | email\nmetadata:\n  Id: Id\n  Kind: sObject.@type\n  Org: $.Envelope.Body.notifications.OrganizationId",
    ));
    for (body, expected) in [
        (
            &include_bytes!(
                "../../../mappings/samples/salesforce-outbound-message/contact-updated.xml"
            )[..],
            r#"{"name":"Lucía Peña","email":"lucia.pena@correo.example","metadata":[{"key":"Id","value":"04l5g00000nrC5BAAU"},{"key":"Kind","value":"sf:Contact"},{"key":"Org","value":"00D5g000004ABCDEAW"}]}"#,
        ),
        (
            include_bytes!(
                "../../../mappings/samples/salesforce-outbound-message/two-notifications.xml"
            ),
            r#"{"name":"José Núñez & Sáenz","email":"jose@correo.example","metadata":[{"key":"Id","value":"04l5g00000nrC5CAAU"},{"key":"Kind","value":"sf:Contact"},{"key":"Org","value":"00D5g000004ABCDEAW"}]} ; {"name":"Ríos","metadata":[{"key":"Id","value":"04l5g00000nrC5DAAU"},{"key":"Kind","value":"sf:Contact"},{"key":"Org","value":"00D5g000004ABCDEAW"}]}"#,
        ),
    ] {
        let shown = mapped_as(&mapping, Some("text/xml; charset=utf-8"), body);
        assert_eq!(shown, expected);
    }
}

#[test]
fn the_content_type_says_what_a_body_is() {
    for (content_type, body, expected) in [
        ("", r#"{"n":"x"}"#, "x"),
        ("application/json", r#"{"n":"x"}"#, "x"),
        ("Application/JSON; charset=utf-8", r#"{"n":"x"}"#, "x"),
        ("application/hal+json", r#"{"n":"x"}"#, "x"),
        ("text/plain", r#"{"n":"x"}"#, "x"),
        ("no type at all", r#"{"n":"x"}"#, "x"),
        ("application/x-www-form-urlencoded", "n=x", "x"),
        ("text/xml", "<n>x</n>", "x"),
        ("application/xml", "<n>x</n>", "x"),
        ("Application/SOAP+XML; action=\"a;b\"", "<n>x</n>", "x"),
    ] {
        assert_eq!(
            value(content_type, body.as_bytes(), "n"),
            format!("{expected:?}"),
            "{content_type}"
        );
    }
    assert_eq!(
        value("text/xml", br#"{"n":"x"}"#, "n"),
        "fail: body: not XML: text outside the root element at line 1 column 1"
    );
    assert_eq!(
        value("text/csv; charset=utf-8", b"a;b", "n"),
        "fail: body: its content type is none that is read, and it is not JSON: expected a JSON value at line 1 column 1"
    );
}

#[test]
fn lines_of_json_are_items() {
    let mapping = compiled(&setting("items: $[]", "name: n"));
    for content_type in [
        "application/x-ndjson",
        "application/ndjson; charset=utf-8",
        "application/jsonl",
    ] {
        let mapped = |body: &str| mapped_as(&mapping, Some(content_type), body.as_bytes());
        for (body, expected) in [
            (
                "{\"n\":\"a\"}\n{\"n\":\"b\"}",
                r#"{"name":"a"} ; {"name":"b"}"#,
            ),
            ("\r\n {\"n\":\"a\"} \r\n\n", r#"{"name":"a"}"#),
            ("", "drop: nothing selected"),
            (
                "{\"n\":\"a\"}\n\n{\"n\":",
                "fail: body: not JSON: the JSON ends too early at line 3 column 6",
            ),
            (
                "{\n}",
                "fail: body: not JSON: the JSON ends too early at line 1 column 2",
            ),
        ] {
            assert_eq!(mapped(body), expected, "{body}");
        }
    }
}

#[test]
fn text_is_read_in_the_charset_of_the_body() {
    let json = |name: &[u8]| [b"{\"n\":\"", name, b"\"}"].concat();
    let xml =
        |declaration: &str, name: &[u8]| [declaration.as_bytes(), b"<n>", name, b"</n>"].concat();
    let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    };
    let declared = "<?xml version='1.0' encoding='ISO-8859-1'?>";
    for (content_type, body, expected) in [
        ("application/json", json("Peña".as_bytes()), r#""Peña""#),
        (
            "application/json; charset=ISO-8859-1",
            json(b"Pe\xf1a"),
            r#""Peña""#,
        ),
        (
            "application/json; charset=\"windows-1252\"",
            json(b"\x80"),
            r#""€""#,
        ),
        (
            "application/json; charset=us-ascii",
            json("Peña".as_bytes()),
            r#""Peña""#,
        ),
        (
            "application/json",
            [&b"\xef\xbb\xbf"[..], &json(b"a")].concat(),
            r#""a""#,
        ),
        (
            "application/json",
            utf16("\u{feff}{\"n\":\"ñ\"}", u16::to_le_bytes),
            r#""ñ""#,
        ),
        (
            "application/json",
            utf16("\u{feff}{\"n\":\"ñ\"}", u16::to_be_bytes),
            r#""ñ""#,
        ),
        (
            "application/json; charset=latin1",
            [&b"\xef\xbb\xbf"[..], &json("ñ".as_bytes())].concat(),
            r#""ñ""#,
        ),
        (
            "application/json; charset=latin1",
            br#"{"o": {"l": [1, 2.50, true, null, {"n": "\u00f1"}]}, "n": "y"}"#.to_vec(),
            r#""y""#,
        ),
        (
            "application/x-www-form-urlencoded; charset=latin1",
            b"n=Pe%F1a".to_vec(),
            r#""Peña""#,
        ),
        (
            "application/x-www-form-urlencoded",
            b"\xef\xbb\xbfn=a".to_vec(),
            r#""a""#,
        ),
        (
            "application/x-www-form-urlencoded; charset=utf-16",
            b"n=%C3%B1".to_vec(),
            r#""ñ""#,
        ),
        ("text/xml", xml("", "Peña".as_bytes()), r#""Peña""#),
        ("text/xml", xml(declared, b"Pe\xf1a"), r#""Peña""#),
        (
            "text/xml; charset=utf-8",
            xml(declared, "Peña".as_bytes()),
            r#""Peña""#,
        ),
        (
            "text/xml",
            [&b"\xef\xbb\xbf"[..], &xml(declared, "Peña".as_bytes())].concat(),
            r#""Peña""#,
        ),
        (
            "text/xml",
            xml("<?xml version='1.0' encoding='utf-16'?>", "Peña".as_bytes()),
            r#""Peña""#,
        ),
        (
            "text/xml; charset=shift_jis",
            xml("", b"\x83\x6e"),
            r#""ハ""#,
        ),
    ] {
        assert_eq!(
            value(content_type, &body, "n"),
            expected,
            "{content_type} {}",
            body.escape_ascii()
        );
    }
    for (content_type, body, expected) in [
        (
            "application/json; charset=utf-8",
            json(b"Pe\xf1a"),
            "not JSON: not UTF-8 at line 1 column 9",
        ),
        ("text/xml", xml("", b"Pe\xf1a"), "not text in UTF-8"),
        (
            "text/xml; charset=klingon",
            xml("", b"Pe\xf1a"),
            "not text in UTF-8",
        ),
        (
            "text/xml; charset=shift_jis",
            xml("", b"\xfc\xff"),
            "not text in Shift_JIS",
        ),
        ("application/x-ndjson", json(b"\xff"), "not text in UTF-8"),
        (
            "application/json; charset=utf-16le",
            json(b"a"),
            "not text in UTF-16LE",
        ),
    ] {
        let shown = value(content_type, &body, "n");
        assert_eq!(shown, format!("fail: body: {expected}"), "{content_type}");
    }
}

#[test]
fn json_inside_a_field_of_a_form_can_be_gone_into() {
    let body =
        b"payload=%7B%22action%22%3A%22opened%22%2C%22l%22%3A%5B%7B%22n%22%3A1%7D%5D%7D&note=%7Bx";
    for (expression, expected) in [
        ("payload.action", r#""opened""#),
        ("payload.l[0].n", r#""1""#),
        ("payload", r#""{\"action\":\"opened\",\"l\":[{\"n\":1}]}""#),
        ("payload.#text | max_len(3)", r#""{\"a""#),
        ("note", r#""{x""#),
        ("note.x", "absent"),
    ] {
        let shown = value("application/x-www-form-urlencoded", body, expression);
        assert_eq!(shown, expected, "{expression}");
    }
    let mapping = compiled(&setting("items: events[]", "name: n"));
    let form = b"events=%5B%7B%22n%22%3A%22a%22%7D%2C%7B%22n%22%3A%22b%22%7D%5D";
    assert_eq!(
        mapped_as(&mapping, Some("application/x-www-form-urlencoded"), form),
        r#"{"name":"a"} ; {"name":"b"}"#
    );
}
