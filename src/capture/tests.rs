//! What people paste, and what they get where it is no request.

use std::io;

use super::*;

fn read_with(text: &str, files: &[(&str, &str)]) -> Result<Captured, String> {
    let read = |name: &str| {
        let found = files.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, text)| text.as_bytes().to_vec())
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    };
    Captured::read(text.as_bytes(), &read).map_err(|error| error.to_string())
}

fn read(text: &str) -> Result<Captured, String> {
    read_with(text, &[])
}

/// Everything of a request in lines.
fn shown(captured: &Captured) -> String {
    let origin = captured.origin.as_deref().unwrap_or_default();
    let mut lines = vec![format!(
        "{} {origin}{}",
        captured.method, captured.path_and_query
    )];
    for (name, value) in &captured.headers {
        lines.push(format!(
            "{name}: {}",
            String::from_utf8_lossy(value.as_bytes())
        ));
    }
    lines.push(format!("{:?}", String::from_utf8_lossy(&captured.body)));
    lines.extend(captured.remarks.iter().map(|remark| format!("({remark})")));
    lines.join("\n")
}

#[test]
fn raw_requests_are_read_with_either_line_end() {
    let text = "POST /webhooks/crm?a=b HTTP/1.1\nHost: gw.example\nX-Sig:  ab=c \n\n{\"a\": 1}\n";
    let expected = "POST /webhooks/crm?a=b\nhost: gw.example\nx-sig: ab=c";
    let unix = shown(&read(text).unwrap());
    assert_eq!(unix, format!("{expected}\n\"{{\\\"a\\\": 1}}\\n\""));
    let windows = shown(&read(&text.replace('\n', "\r\n")).unwrap());
    assert_eq!(windows, format!("{expected}\n\"{{\\\"a\\\": 1}}\\r\\n\""));
    let absolute = read("\n\u{feff}PUT https://gw.example:8443 HTTP/1.1\n\n").unwrap();
    assert_eq!(absolute.origin.as_deref(), Some("https://gw.example:8443"));
    assert_eq!(absolute.path_and_query, "/");
}

#[test]
fn chunks_are_joined() {
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n";
    for (body, expected) in [
        ("5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n", "hello world"),
        ("5\nhello\n1\n\n\n0\n\n", "hello\n"),
        ("0\r\n\r\n", ""),
    ] {
        let captured = read(&format!("{head}{body}")).unwrap();
        assert_eq!(captured.body, expected);
        assert!(captured.remarks.is_empty());
    }
    for plain in ["{\"a\":1}", "5\r\nhel", "ffffffffffffffff\r\nx", ""] {
        let captured = read(&format!("{head}{plain}")).unwrap();
        assert_eq!(captured.body, plain);
        assert!(captured.remarks[0].contains("not in chunks"));
    }
}

#[test]
fn what_an_editor_did_to_the_body_is_noticed_and_said() {
    for (length, body, kept, remark) in [
        (4, "a\nb\n", "a\nb\n", ""),
        (3, "a\nb\n", "a\nb", "as editors add it"),
        (3, "a\nb\r\n", "a\nb", "as editors add it"),
        (1, "a\nb\n", "a", "3 bytes more"),
        (6, "a\nb\n", "a\nb\n", "from CR LF to LF"),
        (9, "a\nb\n", "a\nb\n", "has 4 bytes, but"),
    ] {
        let text = format!("POST / HTTP/1.1\nContent-Length: {length}\n\n{body}");
        let captured = read(&text).unwrap();
        assert_eq!(captured.body, kept, "{length}");
        let remarks = captured.remarks.join("\n");
        assert_eq!(remarks.is_empty(), remark.is_empty(), "{length}: {remarks}");
        assert!(remarks.contains(remark), "{length}: {remarks}");
    }
    let captured = read("POST / HTTP/1.1\nA: b").unwrap();
    assert!(captured.remarks[0].contains("no empty line"));
}

#[test]
fn curl_commands_are_read_as_a_shell_and_curl_read_them() {
    let files = [
        ("body.json", "{\n\"a\":1}\n"),
        ("h.txt", "X-A: 1\nX-B: 2\n"),
    ];
    for (text, expected) in [
        (
            "curl https://gw.example/w/crm \\\n  -H 'X-Sig: a b' \\\r\n  --data-raw '{\"a\":\"it'\\''s\"}' --compressed",
            "POST https://gw.example/w/crm\nx-sig: a b\ncontent-type: application/x-www-form-urlencoded\n\"{\\\"a\\\":\\\"it's\\\"}\"",
        ),
        (
            "$ curl -sSXPUT \"gw.example?x=\\\"1\\\"\" -H \"Content-Type: text/plain\" -d a -d b # why",
            "PUT http://gw.example/?x=\"1\"\ncontent-type: text/plain\n\"a&b\"",
        ),
        (
            "curl --url http://a.example/b -H 'Content-Type:' -H 'X-Empty;' --data-binary $'\\u00f1\\x41\\101\\n\\'\\7'",
            "POST http://a.example/b\nx-empty: \n\"ñAA\\n'\\u{7}\"",
        ),
        (
            "curl -d @body.json -H @h.txt a.example",
            "POST http://a.example/\nx-a: 1\nx-b: 2\ncontent-type: application/x-www-form-urlencoded\n\"{\\\"a\\\":1}\"",
        ),
        (
            "curl --json @body.json a.example -A agent -b k=v -e r.example",
            "POST http://a.example/\nuser-agent: agent\ncookie: k=v\nreferer: r.example\ncontent-type: application/json\naccept: application/json\n\"{\\n\\\"a\\\":1}\\n\"",
        ),
        (
            "curl -G a.example/x?y=1 --data-urlencode 'q=a b&c-~' --data-urlencode '=ñ' -d z -u ana:pw",
            "GET http://a.example/x?y=1&q=a%20b%26c-~&%C3%B1&z\nauthorization: Basic YW5hOnB3\n\"\"",
        ),
        (
            "curl -I a.example | jq",
            "HEAD http://a.example/\n\"\"\n(something",
        ),
        (
            "curl a.example/?a=1&b=2",
            "GET http://a.example/?a=1\n\"\"\n(something",
        ),
    ] {
        let captured = read_with(text, &files).expect(text);
        let all = shown(&captured);
        let all = all.split(" stands behind").next().unwrap();
        assert_eq!(all, expected, "{text}");
    }
}

#[test]
fn a_request_of_a_har_file_is_read() {
    let request = r#"{"method": "POST", "url": "https://gw.example/w#x", "headers": [{"name": ":path", "value": "/w"}, {"name": "X-A", "value": "1"}], "postData": {"text": "YQ==", "encoding": "base64"}}"#;
    for text in [
        request.to_owned(),
        format!("{{\"request\": {request}}}"),
        format!("{{\"log\": {{\"entries\": [{{\"request\": {request}}}]}}}}"),
    ] {
        let captured = read(&text).unwrap();
        assert_eq!(shown(&captured), "POST https://gw.example/w\nx-a: 1\n\"a\"");
    }
}

#[test]
fn what_is_no_request_is_named_with_its_place_and_not_repeated() {
    let mut found = Vec::new();
    for text in [
        "",
        "HTTP/1.1 200 OK\n\n",
        "X-Hush: hush\n\n",
        "post /a HTTP/1.1\n\n",
        "POST hush HTTP/1.1\n\n",
        "POST / HTTP/1.1\n:path: /hush\n\n",
        "POST / HTTP/1.1\nA: b\n hush\n\n",
        "POST / HTTP/1.1\nhush\n\n",
        "POST / HTTP/1.1\nhu sh: a\n\n",
        "curl",
        "curl \\\n a.example --hdr hush",
        "curl a.example -H",
        "curl a.example -H hush",
        "curl a.example -q",
        "curl a.example -F a=hush",
        "curl a.example b.example",
        "\ncurl a.example \\\n -d 'hush",
        "curl a.example -d \"$HUSH\"",
        "curl a.example ^\n -d hush",
        "curl -d @hush.json a.example",
        "curl -d x",
        "{\"a\": hush}",
        "{\"a\": \"hush\"}",
        "{\"log\": {\"entries\": []}}",
    ] {
        found.push(read(text).expect_err(text));
    }
    insta::assert_snapshot!(found.join("\n"), @r"
    1:1: there is nothing in the file (write a raw HTTP request, beginning with a line such as `POST /webhooks/crm HTTP/1.1`, or a curl command)
    1:1: this is an answer, not a request (write a raw HTTP request, beginning with a line such as `POST /webhooks/crm HTTP/1.1`, or a curl command)
    1:1: a request begins with its method and address, and here is a header (write a raw HTTP request, beginning with a line such as `POST /webhooks/crm HTTP/1.1`, or a curl command)
    1:1: this is not the first line of a request (write a raw HTTP request, beginning with a line such as `POST /webhooks/crm HTTP/1.1`, or a curl command)
    1:6: this is not the address of a request (write a path such as /webhooks/crm, or a whole address with https://)
    2:1: this is a pseudo-header of HTTP/2 (write the request line of HTTP/1.1 instead, such as `POST /webhooks/crm HTTP/1.1`, and a `Host`)
    3:1: this line begins with white space (write each header in one line, and an empty line before the body)
    2:1: this is not a header: it has no colon (write `Name: value`; an empty line ends the headers)
    2:1: this is not the name of a header (write `Name: value`; an empty line ends the headers)
    1:1: this is not the first line of a request (write a raw HTTP request, beginning with a line such as `POST /webhooks/crm HTTP/1.1`, or a curl command)
    2:12: `--hdr` is not an option that is known here (leave it out if it does not change the request)
    1:16: this option needs something behind it
    1:16: this is not a header: it has no colon (write -H 'Name: value')
    1:16: `-q` is not an option that is known here (leave it out if it does not change the request)
    1:16: the body that this option makes cannot be known from here (keep the raw request instead, or give the body with `--data-binary @FILE`)
    1:16: there is a second address (write one request)
    3:5: this quote is never closed (add the second one)
    1:20: a shell would put something in here, which is not known (write the value itself, or put the text in single quotes if it is meant as it stands)
    1:16: this is a command for cmd of Windows (copy it for bash; browsers offer `Copy as cURL (bash)`)
    1:6: the file hush.json cannot be read: entity not found
    1:1: the command has no address
    1:7: this begins like JSON, but is broken here (write a raw HTTP request, beginning with a line such as `POST /webhooks/crm HTTP/1.1`, or a curl command)
    1:1: this JSON is no request of a HAR file: it lacks `method` (write a raw HTTP request, beginning with a line such as `POST /webhooks/crm HTTP/1.1`, or a curl command)
    1:1: the HAR file has 0 requests (keep one of its `entries`)
    ");
}

proptest::proptest! {
    #[test]
    fn whatever_stands_in_a_file_reading_ends(text in "(POST / HTTP/1.1\n|curl |\\{)?[ -~\n\r\\\\'\"$^]{0,80}") {
        drop(read(&text));
    }
}
