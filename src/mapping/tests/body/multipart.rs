//! Bodies in parts.

use super::*;

const TYPE: &str = "multipart/form-data; boundary=b";

/// A body of parts, each of which has headers, an empty line and a content.
fn body(parts: &[&str]) -> Vec<u8> {
    let mut body = String::new();
    for part in parts {
        body.push_str("--b\r\n");
        body.push_str(&part.replace('\n', "\r\n"));
        body.push_str("\r\n");
    }
    (body + "--b--\r\n").into_bytes()
}

fn tree(content_type: &str, body: &[u8]) -> String {
    decoded(Some(content_type), &[], body)
}

#[test]
fn parts_are_fields_by_the_rules_of_forms() {
    for (parts, expected) in [
        (&[][..], "{}"),
        (
            &["Content-Disposition: form-data; name=\"a\"\n\nx"],
            r#"{"a":"x"}"#,
        ),
        (
            &[
                "content-disposition:form-data;name=c[fields][12]\n\nPeña\nLuz\n",
                "Content-Disposition: form-data; name=\"c[name]\"\n\n",
            ],
            r#"{"c":{"fields":{"12":"Peña\r\nLuz\r\n"},"name":""}}"#,
        ),
        (
            &[
                "Content-Disposition: form-data; name=\"t[]\"\n\na",
                "Content-Disposition: form-data; name=\"t[]\"\n\nb",
                "Content-Disposition: form-data; name=\"u\"\n\nc",
                "Content-Disposition: form-data; name=\"u\"\n\nd",
            ],
            r#"{"t":["a","b"],"u":["c","d"]}"#,
        ),
        (
            &["Content-Disposition: form-data; name=\"a%22b\\\"c\"\n\nx"],
            r#"{"a\"b\"c":"x"}"#,
        ),
        (
            &[
                "X-Other: y\nContent-Type: text/plain; charset=latin1\nContent-Transfer-Encoding: 8bit\nContent-Disposition: form-data; name=a\n\nx\n--bx\n--b x\n --b",
            ],
            r#"{"a":"x\r\n--bx\r\n--b x\r\n --b"}"#,
        ),
    ] {
        assert_eq!(tree(TYPE, &body(parts)), expected, "{parts:?}");
    }
}

#[test]
fn a_part_is_what_its_content_type_says() {
    for (headers, content, expected) in [
        (
            "Content-Type: application/json",
            r#"{"n":1.50}"#,
            r#"{"n":1.50}"#,
        ),
        ("Content-Type: application/hal+json", "[1]", "[1]"),
        ("Content-Type: application/xml", "<n>x</n>", r#"{"n":"x"}"#),
        (
            "Content-Type: application/x-www-form-urlencoded",
            "n=x",
            r#"{"n":"x"}"#,
        ),
        ("Content-Type: text/plain", r#"{"n":1}"#, r#""{\"n\":1}""#),
        ("Content-Type: text/csv", "a;b", r#""a;b""#),
        (
            "Content-Type: application/cloudevents+json",
            r#"{"data_base64":"eyJuIjoieCJ9"}"#,
            r#"{"data_base64":"eyJuIjoieCJ9"}"#,
        ),
        (
            "Content-Type: image/png",
            "1234",
            r#"{"content_type":"image/png","size":4}"#,
        ),
        (
            "Content-Type: multipart/form-data; boundary=c",
            "--c--",
            r#"{"content_type":"multipart/form-data; boundary=c","size":5}"#,
        ),
    ] {
        let part = format!("Content-Disposition: form-data; name=a\n{headers}\n\n{content}");
        assert_eq!(
            tree(TYPE, &body(&[&part])),
            format!("{{\"a\":{expected}}}"),
            "{headers}"
        );
    }
}

#[test]
fn a_file_is_told_without_its_bytes_unless_it_is_json() {
    for (headers, content, expected) in [
        (
            "filename=\"foto.png\"\nContent-Type: image/png",
            "1234",
            r#"{"filename":"foto.png","content_type":"image/png","size":4}"#,
        ),
        (
            "filename=\"ni%C3%B1o%22.txt\"",
            "12",
            r#"{"filename":"ni%C3%B1o\".txt","size":2}"#,
        ),
        (
            "filename=\"\"\nContent-Type: application/octet-stream",
            "",
            r#"{"filename":"","content_type":"application/octet-stream","size":0}"#,
        ),
        (
            "filename=\"blob\"\nContent-Type: application/json",
            r#"{"n":1}"#,
            r#"{"filename":"blob","content_type":"application/json","size":7,"content":{"n":1}}"#,
        ),
        (
            "filename=\"blob\"\nContent-Type: application/json",
            "{",
            r#"{"filename":"blob","content_type":"application/json","size":1}"#,
        ),
        (
            "filename=\"a.xml\"\nContent-Type: text/xml",
            "<a/>",
            r#"{"filename":"a.xml","content_type":"text/xml","size":4}"#,
        ),
    ] {
        let part = format!("Content-Disposition: form-data; name=f; {headers}\n\n{content}");
        assert_eq!(
            tree(TYPE, &body(&[&part])),
            format!("{{\"f\":{expected}}}"),
            "{headers}"
        );
    }
}

#[test]
fn what_stands_around_the_parts_and_how_lines_end_makes_no_difference() {
    let part = "Content-Disposition: form-data; name=a\r\n\r\nx";
    for body in [
        format!("--b\r\n{part}\r\n--b--"),
        format!("--b\r\n{part}\r\n--b--\r\nafter"),
        format!("before\r\n--b \t\r\n{part}\r\n--b--  \r\n--b\r\nafter"),
        format!("--b\r\n{part}\r\n--b--\r\n").replace("\r\n", "\n"),
    ] {
        assert_eq!(tree(TYPE, body.as_bytes()), r#"{"a":"x"}"#, "{body}");
    }
    let quoted = "Multipart/Form-Data; charset=utf-8; boundary=\"b\"";
    assert_eq!(
        tree(quoted, &body(&[&part.replace("\r\n", "\n")])),
        r#"{"a":"x"}"#
    );
}

#[test]
fn text_in_parts_has_a_charset() {
    let part = |headers: &str| {
        [
            format!("--b\r\nContent-Disposition: form-data; name=a{headers}\r\n\r\n").as_bytes(),
            b"Pe\xf1a\r\n--b--",
        ]
        .concat()
    };
    let latin = "; charset=iso-8859-1";
    assert_eq!(tree(TYPE, &part("")), "in part 1: not text in UTF-8");
    assert_eq!(
        tree(&format!("{TYPE}{latin}"), &part("")),
        r#"{"a":"Peña"}"#
    );
    let own = format!("\r\nContent-Type: text/plain{latin}");
    assert_eq!(tree(TYPE, &part(&own)), r#"{"a":"Peña"}"#);
}

#[test]
fn what_cannot_be_read_is_told_with_its_part() {
    let good = "Content-Disposition: form-data; name=a\n\nx";
    for (second, expected) in [
        (
            "",
            "not multipart/form-data: no empty line after its headers in part 2",
        ),
        (
            "X: y",
            "not multipart/form-data: no empty line after its headers in part 2",
        ),
        (
            "X: y\n\nsecret",
            "not multipart/form-data: no `Content-Disposition: form-data` in part 2",
        ),
        (
            "Content-Disposition: attachment; name=a\n\nx",
            "not multipart/form-data: no `Content-Disposition: form-data` in part 2",
        ),
        (
            "Content-Disposition: form-data\n\nsecret",
            "not multipart/form-data: no name in part 2",
        ),
        (
            "Content-Disposition: form-data; name=b\nContent-Transfer-Encoding: base64\n\neA==",
            "not multipart/form-data: a transfer encoding, which is not read in part 2",
        ),
        (
            "Content-Disposition: form-data; name=b\nContent-Type: application/json\n\nsecret",
            "in part 2: not JSON: expected a JSON value at line 1 column 1",
        ),
        (
            "Content-Disposition: form-data; name=b\nContent-Type: text/xml\n\n<a>",
            "in part 2: not XML: the XML ends too early at line 1 column 4",
        ),
        (
            "Content-Disposition: form-data; name=a[b]\n\nx",
            "not multipart/form-data: a name is both a value and a list or object in part 2",
        ),
    ] {
        assert_eq!(tree(TYPE, &body(&[good, second])), expected, "{second}");
    }
    let long = format!("X: {}\n\nx", "y".repeat(9_000));
    assert_eq!(
        tree(TYPE, &body(&[&long])),
        "not multipart/form-data: more than 8 KiB of headers in part 1"
    );
    for (content_type, body, expected) in [
        (
            "multipart/form-data",
            &b"--b--"[..],
            "not multipart/form-data: the content type has no boundary",
        ),
        (
            "multipart/form-data; boundary=\"\"",
            b"----",
            "not multipart/form-data: the content type has no boundary",
        ),
        (
            TYPE,
            b"",
            "not multipart/form-data: no line begins with the boundary of the content type",
        ),
        (
            TYPE,
            b"--c--",
            "not multipart/form-data: no line begins with the boundary of the content type",
        ),
        (
            TYPE,
            b"--b\r\nX: y\r\n\r\nz",
            "not multipart/form-data: it ends too early",
        ),
        (
            TYPE,
            b"--b\r\nX: \xff\r\n\r\nz\r\n--b--",
            "not multipart/form-data: headers that are not UTF-8 in part 1",
        ),
    ] {
        assert_eq!(tree(content_type, body), expected);
    }
    let longest = "b".repeat(70);
    assert_eq!(
        tree(
            &format!("multipart/form-data; boundary={longest}"),
            format!("--{longest}--").as_bytes()
        ),
        "{}"
    );
    let longer = "b".repeat(71);
    assert_eq!(
        tree(
            &format!("multipart/form-data; boundary={longer}"),
            format!("--{longer}--").as_bytes()
        ),
        "not multipart/form-data: the content type has no boundary"
    );
}

#[test]
fn many_parts_are_refused() {
    let many = |count: usize| {
        let part = "--b\n\
            Content-Disposition: form-data; name=a[]\n\nx\n";
        format!("{}--b--", part.repeat(count))
    };
    // The name itself is one.
    assert!(tree(TYPE, many(49_999).as_bytes()).starts_with(r#"{"a":["x","x""#));
    for (count, expected) in [
        (50_000, "more than 50,000 names and values in part 50000"),
        (50_001, "more than 50,000 parts"),
        (100_000, "more than 50,000 parts"),
    ] {
        assert_eq!(
            tree(TYPE, many(count).as_bytes()),
            format!("not multipart/form-data: {expected}")
        );
    }
}

#[test]
fn a_form_of_jotform_is_mapped_by_the_answers_inside_its_field() {
    let request = "Content-Disposition: form-data; name=\"rawRequest\"\n\n{\"q3_nombre\":{\"first\":\"Lucía\",\"last\":\"Peña\"},\"q4_correo\":\"lucia@correo.example\"}";
    let body = body(&[
        "Content-Disposition: form-data; name=\"formID\"\n\n230001",
        request,
    ]);
    for (expression, expected) in [
        ("formID", r#""230001""#),
        ("rawRequest.q3_nombre.first", r#""Lucía""#),
        ("rawRequest.q4_correo | email", r#""lucia@correo.example""#),
        ("rawRequest | max_len(5)", r#""{\"q3_""#),
    ] {
        assert_eq!(value(TYPE, &body, expression), expected, "{expression}");
    }
}
