//! JSON web tokens.

use super::*;

const JWT: &str = r#"{"type": "jwt", "token_source": "header:Authorization", "token_prefix": "Bearer ", "algorithms": ["HS256"], "claims": {"aud": "https://gw.example"}}"#;
const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OQ==";

#[test]
fn tokens_that_are_nearly_right_are_found() {
    let mut decoded: Value = serde_json::from_str(JWT).unwrap();
    decoded["secret_encoding"] = json!("base64");
    let decoded = decoded.to_string();
    let sign = |settings: &str| arrived(Sender::new(settings).secret(KEY).sign());
    let long_ago = now() - SignedDuration::from_hours(48);
    let old = Sender::new(JWT).secret(KEY).at(long_ago).sign();
    let line_end = format!("{KEY}\n");
    check(vec![
        (
            "secret",
            JWT,
            KEY,
            sign(&decoded),
            "secret_encoding: base64",
        ),
        (
            "line end",
            JWT,
            &line_end,
            sign(JWT),
            "white space, a line end",
        ),
        ("old", JWT, KEY, arrived(old), "at 2025-10-07"),
    ]);
}
