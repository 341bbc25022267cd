//! Secrets that are read in another way, or that something came along with.

use super::*;

#[test]
fn secrets_that_are_read_in_another_way_are_found() {
    let decoded_hex = hex_with("secret_encoding", json!("hex"));
    let decoded_base64 = hex_with("secret_encoding", json!("base64"));
    let key = STANDARD.encode([1_u8; 24]);
    let whsec = format!("whsec_{key}");
    let standard = "standard-webhooks";
    let mut stripe: Value = serde_json::from_str(HEX).unwrap();
    stripe["secret_encoding"] = json!("whsec");
    let stripe = stripe.to_string();
    check(vec![
        (
            "hex",
            HEX,
            SECRET,
            arrived(Sender::new(&decoded_hex).sign()),
            "secret_encoding: hex",
        ),
        (
            "text",
            &decoded_hex,
            SECRET,
            arrived(Sender::new(HEX).sign()),
            "secret_encoding: utf8",
        ),
        (
            "base64",
            HEX,
            &key,
            arrived(Sender::new(&decoded_base64).secret(&key).sign()),
            "secret_encoding: base64",
        ),
        (
            "whsec decoded",
            HEX,
            &whsec,
            arrived(Sender::new(&stripe).secret(&whsec).sign()),
            "secret_encoding: whsec",
        ),
        (
            "whsec kept",
            &stripe,
            &whsec,
            arrived(Sender::new(HEX).secret(&whsec).sign()),
            "secret_encoding: utf8",
        ),
        (
            "not decodable",
            &decoded_hex,
            "plain words",
            arrived(Sender::new(HEX).secret("plain words").sign()),
            "secret_encoding: utf8",
        ),
        (
            "standard as text",
            standard,
            &whsec,
            arrived(
                Sender::new(&{
                    let mut keys = settings(standard).with(&[("secret_encoding".into(), None)]);
                    keys = keys.with(&[]);
                    Value::Object(
                        keys.keys()
                            .map(|(key, value)| (key.to_owned(), value.clone()))
                            .collect(),
                    )
                    .to_string()
                })
                .secret(&whsec)
                .sign(),
            ),
            "secret_encoding: utf8",
        ),
    ]);
}

#[test]
fn what_came_along_with_a_secret_is_found() {
    let signed = |secret: &str| arrived(Sender::new(HEX).secret(secret).sign());
    check(vec![
        (
            "line end",
            HEX,
            "c0ffee00c0ffee00\n",
            signed(SECRET),
            "white space, a line end",
        ),
        (
            "space",
            HEX,
            " c0ffee00c0ffee00",
            signed(SECRET),
            "white space, a line end",
        ),
        (
            "mark",
            HEX,
            "\u{feff}c0ffee00c0ffee00",
            signed(SECRET),
            "byte order mark",
        ),
        (
            "quotes",
            HEX,
            "\"c0ffee00c0ffee00\"",
            signed(SECRET),
            "quotes around it",
        ),
        (
            "prefix",
            HEX,
            "whsec_c0ffee00c0ffee00",
            signed(SECRET),
            "begins with `whsec_`",
        ),
        (
            "no prefix",
            HEX,
            "c0ffee00c0ffee00",
            signed("whsec_c0ffee00c0ffee00"),
            "lacks `whsec_`",
        ),
        (
            "name",
            HEX,
            "CRM_SECRET=c0ffee00c0ffee00",
            signed(SECRET),
            "name of a variable",
        ),
        (
            "line end there",
            HEX,
            SECRET,
            signed("c0ffee00c0ffee00\n"),
            "line end at its end on the sender's side",
        ),
        (
            "escapes",
            HEX,
            "c0ff%2Be",
            signed("c0ff+e"),
            "percent escapes",
        ),
        (
            "capitals",
            HEX,
            "C0FFEE00C0FFEE00",
            signed(SECRET),
            "capital letters",
        ),
        (
            "other",
            HEX,
            SECRET,
            signed("another-secret"),
            "env:OTHER of the source `other` => the two were swapped",
        ),
    ]);
    let old = SigningSecret {
        until: Some(now() - SignedDuration::from_hours(24)),
        ..secret("env:OLD", "old-secret")
    };
    let report = examine(Case {
        settings: &settings(HEX),
        secrets: &[secret("env:NEW", SECRET), old],
        public_keys: &[],
        key_set: None,
        others: &[],
        request: &signed("old-secret"),
        now: now(),
    });
    let advice = first(&report);
    assert!(
        advice.contains("env:OLD, which ended at 2025-10-08"),
        "{advice}"
    );
}
