//! Other texts that are signed, other addresses in them, and other schemes.

use super::*;

#[test]
fn another_signed_text_is_found() {
    let sign = |settings: &str| arrived(Sender::new(settings).sign());
    let with_text = |text: &str| timed_with("/signed", json!(text));
    let digest = r#"{"type": "digest", "signature_header": "X-Sig", "encoding": "hex", "signed": "{secret}{body}"}"#;
    let with_id = r#"{"type": "hmac", "signature_header": "X-Sig", "encoding": "hex", "signed": "{id}.{timestamp}.{body}", "id_header": "X-Event-Id", "timestamp": {"source": "header:X-Time", "format": "unix_s"}}"#;
    let other_id = with_id.replace("X-Event-Id", "X-Delivery-Id");
    let mut both_ids = sign(with_id);
    both_ids
        .headers
        .insert("x-delivery-id", HeaderValue::from_static("other"));
    let in_url = hex_with("signed", json!("{url}{body}"));
    check(vec![
        (
            "colon",
            TIMED,
            SECRET,
            sign(&with_text("{timestamp}:{body}")),
            "`{timestamp}:{body}`",
        ),
        (
            "order",
            TIMED,
            SECRET,
            sign(&with_text("{body}{timestamp}")),
            "signed: {body}{timestamp}",
        ),
        (
            "time added",
            HEX,
            SECRET,
            sign(TIMED),
            r#"timestamp: {"format":"unix_s","source":"header:x-time"}"#,
        ),
        (
            "time left out",
            TIMED,
            SECRET,
            {
                let mut request = sign(HEX);
                request
                    .headers
                    .insert("x-time", HeaderValue::from_static("1760000000"));
                request
            },
            "signed: {body}, no timestamp",
        ),
        (
            "id left out",
            with_id,
            SECRET,
            {
                let mut request = sign(TIMED);
                request
                    .headers
                    .insert("x-event-id", HeaderValue::from_static("e"));
                request
            },
            "signed: {timestamp}.{body}, no id_header",
        ),
        (
            "id added",
            TIMED,
            SECRET,
            sign(with_id),
            "id_header: x-event-id",
        ),
        (
            "other id",
            &other_id,
            SECRET,
            both_ids,
            "id_header: x-event-id",
        ),
        (
            "digest",
            HEX,
            SECRET,
            sign(digest),
            "type: digest, signed: {secret}{body}",
        ),
        (
            "keyed",
            digest,
            SECRET,
            sign(HEX),
            "type: hmac, signed: {body}",
        ),
        ("address", HEX, SECRET, sign(&in_url), "signed: {url}{body}"),
        ("no address", &in_url, SECRET, sign(HEX), "signed: {body}"),
        (
            "decoded",
            "hubspot-v3",
            SECRET,
            sign(&{
                let keys = settings("hubspot-v3").with(&[(
                    "signed".into(),
                    Some(json!("{method}{url}{body}{timestamp}")),
                )]);
                Value::Object(
                    keys.keys()
                        .map(|(key, value)| (key.to_owned(), value.clone()))
                        .collect(),
                )
                .to_string()
            }),
            "with its percent escapes as they are",
        ),
    ]);
}

#[test]
fn other_addresses_are_found() {
    let sign = |url: &str| arrived(Sender::new("square").url(url).sign());
    let hosted = |mut request: Received, name: &'static str, host: &str| {
        request
            .headers
            .insert(HeaderName::from_static(name), host.parse().unwrap());
        request
    };
    let path = "/webhooks/crm?a=b%2Fc";
    check(vec![
        (
            "http",
            "square",
            SECRET,
            sign(&format!("http://hooks.school.mx{path}")),
            "public_url http://hooks.school.mx",
        ),
        (
            "port",
            "square",
            SECRET,
            sign(&format!("https://hooks.school.mx:443{path}")),
            "public_url https://hooks.school.mx:443",
        ),
        (
            "host",
            "square",
            SECRET,
            hosted(
                sign(&format!("https://gw.example{path}")),
                "host",
                "gw.example",
            ),
            "public_url https://gw.example",
        ),
        (
            "forwarded",
            "square",
            SECRET,
            hosted(
                sign(&format!("https://gw.example{path}")),
                "x-forwarded-host",
                "gw.example",
            ),
            "public_url https://gw.example",
        ),
        (
            "slash",
            "square",
            SECRET,
            sign("https://hooks.school.mx/webhooks/crm/?a=b%2Fc"),
            "with a slash at the end",
        ),
        (
            "query",
            "square",
            SECRET,
            sign("https://hooks.school.mx/webhooks/crm"),
            "without its query",
        ),
        (
            "decoded",
            "square",
            SECRET,
            sign("https://hooks.school.mx/webhooks/crm?a=b/c"),
            "percent escapes decoded",
        ),
        (
            "prefix",
            "square",
            SECRET,
            sign(&format!("https://hooks.school.mx/api{path}")),
            "with `/api` before its path",
        ),
        (
            "forwarded prefix",
            "square",
            SECRET,
            hosted(
                sign(&format!("https://hooks.school.mx/edge{path}")),
                "x-forwarded-prefix",
                "/edge",
            ),
            "with `/edge` before its path",
        ),
        (
            "both",
            "square",
            SECRET,
            sign("http://hooks.school.mx/webhooks/crm"),
            "public_url: http://hooks.school.mx",
        ),
    ]);
}

#[test]
fn other_schemes_are_found() {
    let sign = |settings: &str| arrived(Sender::new(settings).sign());
    check(vec![
        ("github", HEX, SECRET, sign("github"), "preset github"),
        ("slack", "github", SECRET, sign("slack"), "preset slack"),
        (
            "hubspot",
            "hubspot-v3",
            SECRET,
            sign("hubspot-v1"),
            "preset hubspot-v1",
        ),
        (
            "dreamclass",
            HEX,
            SECRET,
            Received {
                body: Sender::new("dreamclass").sign().body,
                ..sign(HEX)
            },
            "preset dreamclass",
        ),
        (
            "token",
            HEX,
            SECRET,
            sign(TOKEN),
            "the secret itself is in `header:x-token`, with nothing before it, as a token => token_source: header:x-token, type: token",
        ),
        (
            "basic",
            HEX,
            "ana:c0ffee",
            arrived(Sender::new("pipedrive").secret("ana:c0ffee").sign()),
            "type: basic",
        ),
        (
            "version",
            "hubspot-v1",
            SECRET,
            {
                let mut request = sign("hubspot-v1");
                request.headers.insert(
                    "x-hubspot-signature-version",
                    HeaderValue::from_static("v2"),
                );
                request
            },
            "is `v2`, not `v1`, and everything else is right",
        ),
    ]);
}
