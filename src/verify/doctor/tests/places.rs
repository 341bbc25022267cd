//! Signatures that stand or are written elsewhere, and their times.

use super::*;

#[test]
fn another_place_or_way_of_writing_is_found() {
    let header = hex_with("signature_header", json!("X-Other"));
    let prefixed = hex_with(
        "signature_format",
        json!({"style": "prefix", "prefix": "sha256="}),
    );
    let paired = hex_with("signature_format", json!({"style": "pairs", "key": "v1"}));
    let listed = hex_with(
        "signature_format",
        json!({"style": "list", "version": "v1"}),
    );
    let base64 = hex_with("encoding", json!("base64"));
    let base64url = hex_with("encoding", json!("base64url"));
    let sha1 = hex_with("algorithm", json!("sha1"));
    let sha512 = hex_with("algorithm", json!("sha512"));
    let sign = |settings: &str| arrived(Sender::new(settings).sign());
    let mut upper = sign(HEX);
    let value = upper.headers["x-sig"].to_str().unwrap().to_uppercase();
    upper.headers.insert("x-sig", value.parse().unwrap());
    let mut twice = sign(HEX);
    twice
        .headers
        .append("x-sig", HeaderValue::from_static("00"));
    check(vec![
        (
            "header",
            HEX,
            SECRET,
            sign(&header),
            "signature_header: x-other",
        ),
        (
            "prefix left in",
            HEX,
            SECRET,
            sign(&prefixed),
            r#"signature_format: {"prefix":"sha256=","style":"prefix"}"#,
        ),
        (
            "prefix missing",
            &prefixed,
            SECRET,
            sign(HEX),
            "no signature_format",
        ),
        ("pairs", HEX, SECRET, sign(&paired), "behind `v1=`"),
        ("list", HEX, SECRET, sign(&listed), "behind `v1,`"),
        ("base64", HEX, SECRET, sign(&base64), "encoding: base64"),
        ("hex", &base64, SECRET, sign(HEX), "encoding: hex"),
        (
            "base64url",
            &base64,
            SECRET,
            sign(&base64url),
            "encoding: base64url",
        ),
        ("sha1", HEX, SECRET, sign(&sha1), "algorithm: sha1"),
        ("sha512", HEX, SECRET, sign(&sha512), "algorithm: sha512"),
        (
            "all at once",
            &header,
            SECRET,
            sign("typeform"),
            "preset typeform",
        ),
        (
            "headers of other names",
            TIMED,
            SECRET,
            sign(
                &TIMED
                    .replace("X-Sig", "X-Other")
                    .replace("X-Time", "X-When")
                    .replace("}.{", "}{"),
            ),
            "signature_header: x-other, timestamp.source: header:x-when && what is signed is `{timestamp}{body}`",
        ),
        (
            "upper case",
            HEX,
            SECRET,
            upper,
            "in upper-case digits => have the sender write it in lower case",
        ),
        (
            "twice",
            HEX,
            SECRET,
            twice,
            "is there 2 times, and the first is the right one",
        ),
    ]);
}

#[test]
fn times_are_found_to_be_wrong() {
    let milliseconds = timed_with("/timestamp/format", json!("unix_ms"));
    let written = timed_with("/timestamp/format", json!("rfc3339"));
    let elsewhere = timed_with("/timestamp/source", json!("header:X-Other-Time"));
    let later = |seconds: i64| now() + SignedDuration::from_secs(seconds);
    let sign = |settings: &str| arrived(Sender::new(settings).sign());
    let at = |seconds| arrived(Sender::new(TIMED).at(later(seconds)).sign());
    check(vec![
        (
            "milliseconds",
            TIMED,
            SECRET,
            sign(&milliseconds),
            "in milliseconds => timestamp.format: unix_ms",
        ),
        (
            "seconds",
            &milliseconds,
            SECRET,
            sign(TIMED),
            "timestamp.format: unix_s",
        ),
        (
            "text",
            TIMED,
            SECRET,
            sign(&written),
            "timestamp.format: rfc3339",
        ),
        (
            "place",
            TIMED,
            SECRET,
            sign(&elsewhere),
            "timestamp.source: header:x-other-time",
        ),
        ("old", TIMED, SECRET, at(-12_345), "at 2025-10-09T05:27:35Z"),
        ("early", TIMED, SECRET, at(600), "at 2025-10-09T09:03:20Z"),
        (
            "old, and another secret",
            TIMED,
            "c0ffee00c0ffee00\n",
            at(-12_345),
            "=> take it out && at 2025-10-09T05:27:35Z",
        ),
        (
            "stripe, weeks ago",
            "stripe",
            SECRET,
            arrived(Sender::new("stripe").at(later(-3_000_000)).sign()),
            "at 2025-09-04T15:33:20Z",
        ),
    ]);
}
