//! Bodies of the kinds that sources send, and those that cannot be read.

use super::*;

fn mapped_as(mapping: &Mapping, content_type: Option<&str>, body: &[u8]) -> String {
    let mapped = mapping.map(&Input {
        body,
        content_type,
        now: now(),
    });
    assert_eq!(mapped.items.len(), 1);
    mapped.items[0]
        .outcomes
        .iter()
        .map(shown)
        .collect::<String>()
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
        "fail: body: not a form: not UTF-8 in pair 1"
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
