//! `header('X-Topic')`, and headers in tests.

use super::*;

/// The rule that takes a request with these headers, of three that a header decides.
fn taken(headers: &[(&str, &str)]) -> String {
    let mapping = compiled(&file(
        "",
        "when: header('X-Shopify-Topic') == 'customers/update'\ncustomer: {id: id}\nset:\n  name: n\n  username: header('x-shop') | lower",
    ));
    assert_eq!(mapping.headers(), ["x-shopify-topic", "x-shop"]);
    let headers: Vec<(String, String)> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let mapped = mapping.map(&Input {
        body: br#"{"id": "c", "n": "Ana"}"#,
        content_type: None,
        headers: &headers,
        now: now(),
    });
    mapped.items[0].outcomes.iter().map(shown).collect()
}

#[test]
fn a_header_gives_its_text_or_nothing() {
    let topic = ("x-shopify-topic", "customers/update");
    for (headers, expected) in [
        (vec![], "drop: no rule"),
        (
            vec![("x-shopify-topic", "customers/create")],
            "drop: no rule",
        ),
        (vec![topic], r#"{"name":"Ana"}"#),
        (
            vec![("x-shop", "NORTE"), topic],
            r#"{"name":"Ana","username":"norte"}"#,
        ),
        (vec![("x-shop", " "), topic], r#"{"name":"Ana"}"#),
    ] {
        assert_eq!(taken(&headers), expected, "{headers:?}");
    }
}

#[test]
fn a_header_is_named_by_a_text_and_holds_no_secret() {
    let said = |expression: &str| {
        let quoted = expression.replace('\'', "''");
        let options = CompileOptions {
            secret_headers: &["x-school-signature".to_owned()],
            ..options()
        };
        let (mapping, lines) = read_by(&setting("", &format!("name: '{quoted}'")), &options);
        assert!(mapping.is_none(), "{expression}");
        format!("{expression}\n{}", lines.join("\n"))
    };
    let told: Vec<String> = [
        "header('Authorization')",
        "header('cookie')",
        "header('X-School-Signature')",
        "header('X Topic')",
        "header('')",
        "header(topic)",
        "header()",
        "header('a', 'b')",
        "header(name='a')",
        "x | header('a')",
    ]
    .into_iter()
    .map(said)
    .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    header('Authorization')
    m.yaml:13:13: error map/secret-header: `Authorization` holds a secret or a proof, which no rule may read (read a header that says what the event is about)
    header('cookie')
    m.yaml:13:13: error map/secret-header: `cookie` holds a secret or a proof, which no rule may read (read a header that says what the event is about)
    header('X-School-Signature')
    m.yaml:13:13: error map/secret-header: `X-School-Signature` holds a secret or a proof, which no rule may read (read a header that says what the event is about)
    header('X Topic')
    m.yaml:13:13: error map/wrong-arguments: `X Topic` is not the name of a header (letters, digits and `-`, such as `X-Shopify-Topic`)
    header('')
    m.yaml:13:13: error map/wrong-arguments: `` is not the name of a header (letters, digits and `-`, such as `X-Shopify-Topic`)
    header(topic)
    m.yaml:13:14: error map/wrong-arguments: `header` takes a name in quotes (it is written `header('X-Topic')`)
    header()
    m.yaml:13:14: error map/wrong-arguments: `header` takes one name (it is written `header('X-Topic')`)
    header('a', 'b')
    m.yaml:13:13: error map/wrong-arguments: `header` takes one name (it is written `header('X-Topic')`)
    header(name='a')
    m.yaml:13:13: error map/wrong-arguments: `header` takes a name in quotes (it is written `header('X-Topic')`)
    x | header('a')
    m.yaml:13:13: error map/wrong-arguments: `header` does not follow `|` (it is written `header('X-Topic')`)
    ");
}

#[test]
fn a_header_that_no_test_has_is_warned_about() {
    let text = setting("", "name: header('X-Shop')\nusername: header('X-Shp')").replace(
        "tests:\n",
        "tests:\n  - name: shown\n    event: {}\n    headers: {X-Shop: Norte}\n    expect: [{customer: c, patch: {name: Norte}}]\n",
    );
    let (mapping, lines) = read(&text);
    assert!(mapping.is_some());
    insta::assert_snapshot!(lines.join("\n"), @"m.yaml:14:17: warning map/path-never-seen: no test event has a value at `header('X-Shp')` (correct the name, or add a test with an event that has it)");
}

#[test]
fn tests_say_what_their_request_is() {
    let samples = |name: &str| -> io::Result<Vec<u8>> {
        match name {
            "x.xml" => Ok(b"<r><n>Ana</n></r>".to_vec()),
            "x.form" => Ok(b"r[n]=Ana".to_vec()),
            "x.json" => Ok(br#"{"r": {"n": "Ana"}}"#.to_vec()),
            "x.ndjson" => Ok(b"{}\n{\"n\": \"Ana\"}\n".to_vec()),
            "x.txt" => Ok(b"<r><n>Pe\xf1a</n></r>".to_vec()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    };
    let run = |test: &str| {
        let rule = "when: exists(r.n) or exists($[1].n)\ncustomer: {id: \"'c'\"}\nset:\n  name: r.n ?? $[1].n";
        let (head, _) = file("", rule)
            .split_once("tests:\n")
            .map(|(head, tests)| (head.to_owned(), tests.to_owned()))
            .unwrap();
        let options = CompileOptions {
            read_sample: &samples,
            ..options()
        };
        let (_, lines) = read_by(&format!("{head}tests:\n  - {test}\n"), &options);
        let errors = lines.into_iter().filter(|line| line.contains(" error "));
        errors.collect::<Vec<_>>().join("\n")
    };
    for passing in [
        "{name: t, event_file: x.xml, expect: [{customer: c, patch: {name: Ana}}]}",
        "{name: t, event_file: x.form, expect: [{customer: c, patch: {name: Ana}}]}",
        "{name: t, event_file: x.json, expect: [{customer: c, patch: {name: Ana}}]}",
        "{name: t, event_file: x.ndjson, expect: [{customer: c, patch: {name: Ana}}]}",
        "{name: t, event_file: x.txt, content_type: text/xml; charset=latin1, expect: [{customer: c, patch: {name: Peña}}]}",
        "{name: t, event: {r: {n: Ana}}, headers: {A: b, X-C: '1'}, content_type: application/hal+json, expect: [{customer: c, patch: {name: Ana}}]}",
    ] {
        assert_eq!(run(passing), "", "{passing}");
    }
    let told: Vec<String> = [
        "{name: t, event_file: x.txt, expect: [{drop: no rule}]}",
        "{name: t, event_file: x.xml, content_type: application/json, expect: [{drop: no rule}]}",
        "{name: t, event: {a: 1}, content_type: text/xml, expect: [{drop: no rule}]}",
        "{name: t, event: {a: 1}, content_type: [a], expect: [{drop: no rule}]}",
        "{name: t, event: {a: 1}, headers: [a], expect: [{drop: no rule}]}",
        "{name: t, event: {a: 1}, headers: {a: [b]}, expect: [{drop: no rule}]}",
        "{name: t, event: {a: 1}, headers: {a b: c}, expect: [{drop: no rule}]}",
        "{name: t, event: {a: 1}, headers: {A: b, a: c}, expect: [{drop: no rule}]}",
    ]
    .into_iter()
    .map(|test| format!("{test}\n{}", run(test)))
    .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    {name: t, event_file: x.txt, expect: [{drop: no rule}]}
    m.yaml:16:27: error map/test-form: `x.txt`: not JSON: not UTF-8 at line 1 column 9
    {name: t, event_file: x.xml, content_type: application/json, expect: [{drop: no rule}]}
    m.yaml:16:27: error map/test-form: `x.xml`: not JSON: expected a JSON value at line 1 column 1
    {name: t, event: {a: 1}, content_type: text/xml, expect: [{drop: no rule}]}
    m.yaml:16:22: error map/test-form: `event`: not XML: text outside the root element at line 1 column 1
    {name: t, event: {a: 1}, content_type: [a], expect: [{drop: no rule}]}
    m.yaml:16:44: error map/test-form: `content_type` takes a text, but here is a list
    {name: t, event: {a: 1}, headers: [a], expect: [{drop: no rule}]}
    m.yaml:16:39: error map/test-form: `headers` is a map of texts (write `{X-Topic: customers/update}`)
    {name: t, event: {a: 1}, headers: {a: [b]}, expect: [{drop: no rule}]}
    m.yaml:16:43: error map/test-form: a header's value is a text (write `{X-Topic: customers/update}`)
    {name: t, event: {a: 1}, headers: {a b: c}, expect: [{drop: no rule}]}
    m.yaml:16:40: error map/test-form: `a b` is no name of a header, or the second of it (write `{X-Topic: customers/update}`)
    {name: t, event: {a: 1}, headers: {A: b, a: c}, expect: [{drop: no rule}]}
    m.yaml:16:46: error map/test-form: `a` is no name of a header, or the second of it (write `{X-Topic: customers/update}`)
    ");
}
