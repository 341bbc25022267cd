//! Tokens, user names and passwords.

use super::*;

#[test]
fn tokens_are_found_where_they_are() {
    let bearer =
        r#"{"type": "token", "token_source": "header:Authorization", "token_prefix": "Bearer "}"#;
    let bare = r#"{"type": "token", "token_source": "header:Authorization"}"#;
    let query = r#"{"type": "token", "token_source": "query:key"}"#;
    let body = r#"{"type": "token", "token_source": "json:auth.token"}"#;
    let sign = |settings: &str| Sender::new(settings).sign().into_received(now());
    let with = |value: &str| {
        let mut request = sign(bearer);
        request
            .headers
            .insert("authorization", value.parse().unwrap());
        request
    };
    check(vec![
        ("no prefix", bearer, SECRET, sign(bare), "no token_prefix"),
        (
            "prefix",
            bare,
            SECRET,
            sign(bearer),
            "behind `Bearer ` => token_prefix: Bearer ",
        ),
        (
            "doubled",
            bearer,
            SECRET,
            with(&format!("Bearer Bearer {SECRET}")),
            "behind `Bearer Bearer `",
        ),
        (
            "lower case",
            bearer,
            SECRET,
            with(&format!("bearer {SECRET}")),
            "token_prefix: bearer ",
        ),
        (
            "query",
            TOKEN,
            SECRET,
            sign(query),
            "token_source: query:key",
        ),
        (
            "body",
            TOKEN,
            SECRET,
            sign(body),
            "token_source: json:auth.token",
        ),
        (
            "header",
            body,
            SECRET,
            sign(TOKEN),
            "token_source: header:x-token",
        ),
        (
            "space",
            TOKEN,
            "c0ffee00c0ffee00 ",
            sign(TOKEN),
            "white space",
        ),
        ("case", TOKEN, "C0FFEE00C0FFEE00", sign(TOKEN), "capital"),
        (
            "base64",
            TOKEN,
            SECRET,
            arrived(Sender::new(TOKEN).secret(&STANDARD.encode(SECRET)).sign()),
            "is written in base64",
        ),
        (
            "other",
            TOKEN,
            SECRET,
            arrived(Sender::new(TOKEN).secret("another-secret").sign()),
            "env:OTHER",
        ),
        (
            "github for a token",
            TOKEN,
            SECRET,
            sign("github"),
            "preset github",
        ),
    ]);
}

#[test]
fn users_and_passwords_are_compared() {
    let given = "ana:c0ffee:00";
    let with = |value: &str| {
        let mut request = arrived(unsigned());
        request
            .headers
            .insert("authorization", value.parse().unwrap());
        request
    };
    let basic = |text: &str| with(&format!("Basic {}", STANDARD.encode(text)));
    check(vec![
        (
            "user",
            "pipedrive",
            given,
            basic("eva:c0ffee:00"),
            "the password is right, and the user name is not",
        ),
        (
            "password",
            "pipedrive",
            given,
            basic("ana:c0ffee"),
            "the user name is right, and the password is not",
        ),
        (
            "case",
            "pipedrive",
            given,
            basic("ana:C0FFEE:00"),
            "differs in capital",
        ),
        (
            "swapped",
            "pipedrive",
            "ana:eva",
            basic("eva:ana"),
            "swapped",
        ),
        ("colon", "pipedrive", given, basic("c0ffee"), "no colon"),
        (
            "line end",
            "pipedrive",
            given,
            basic("ana:c0ffee:00\n"),
            "white space or a line end",
        ),
        (
            "clear",
            "pipedrive",
            given,
            with("Basic ana:c0ffee:00"),
            "not encoded in base64",
        ),
        (
            "no base64",
            "pipedrive",
            given,
            with("Basic !"),
            "is not the base64 of a text",
        ),
        (
            "bearer",
            "pipedrive",
            given,
            with("Bearer abc"),
            "`Bearer` credentials",
        ),
        (
            "nothing",
            "pipedrive",
            given,
            with("c0ffee"),
            "does not begin with `Basic`",
        ),
        (
            "alphabet",
            "pipedrive",
            "ana:???>>>",
            with(&format!(
                "Basic {}",
                STANDARD
                    .encode("ana:???>>>")
                    .replace('/', "_")
                    .replace('+', "-")
            )),
            "not written in the usual way",
        ),
        (
            "line end here",
            "pipedrive",
            "ana:c0ffee:00\n",
            basic(given),
            "white space or a line end",
        ),
        (
            "token",
            "pipedrive",
            given,
            arrived(Sender::new(TOKEN).secret(given).sign()),
            "type: token",
        ),
    ]);
}
