use secrecy::ExposeSecret as _;

use super::*;
use crate::{
    diag::{SourceText, Style, render_lines, render_report},
    verify::Verifier,
    yaml,
};

/// What was read, and all findings, warnings among them.
fn read(text: &str) -> (Option<Receive>, Vec<String>) {
    let mut out = Collector::new(SourceText::new("crm.yaml", text));
    let receive = yaml::parse(&mut out).and_then(|node| Receive::read(&node, &mut out));
    (receive, render_lines(&out.finish()))
}

fn good(text: &str) -> Receive {
    let (receive, found) = read(text);
    receive.unwrap_or_else(|| panic!("{found:?}"))
}

/// The findings, which must keep the section from being used.
fn bad(text: &str) -> String {
    let (receive, found) = read(text);
    assert_eq!(receive, None, "{text}");
    found.join("\n")
}

#[test]
fn requests_are_kept_only_where_that_is_written_and_for_a_week_at_most() {
    let of = |text: &str| format!("verify: svix\n{SECRETS}{text}");
    assert_eq!(good(&of("")).keep_rejected, None);
    for (text, hours) in [("24h", 24), ("7d", 168)] {
        let receive = good(&of(&format!("keep_rejected: {{bodies_for: {text}}}\n")));
        assert_eq!(receive.keep_rejected, Some(Duration::from_hours(hours)));
    }
    for wrong in [
        "{bodies_for: 8d}",
        "{bodies_for: 0s}",
        "{bodies_for: always}",
    ] {
        let found = bad(&of(&format!("keep_rejected: {wrong}\n")));
        assert!(found.contains("recv/bad-value"), "{wrong}: {found}");
    }
    assert!(bad(&of("keep_rejected: {}\n")).contains("recv/missing-key"));
    assert!(bad(&of("keep_rejected: 24h\n")).contains("recv/wrong-shape"));
    assert!(bad(&of("keep_rejected: {bodies_for: 1h, days: 2}\n")).contains("recv/unknown-key"));
}

const SECRETS: &str = "secrets: [{env: CRM_SECRET}]\n";

#[test]
fn a_preset_brings_settings_and_dedup() {
    let receive = good(&format!("verify: svix\n{SECRETS}"));
    assert_eq!(receive.preset.unwrap().name, "svix");
    assert_eq!(receive.verify.type_name(), "hmac");
    assert_eq!(receive.dedup, DedupRule::Header("svix-id".parse().unwrap()));
    assert_eq!(receive.answer, Answer::default());

    let receive = good(&format!("verify: hubspot-v3\n{SECRETS}"));
    let DedupRule::Expressions(expressions) = receive.dedup else {
        panic!("{:?}", receive.dedup)
    };
    assert_eq!(expressions[0].text, "portalId");
    assert_eq!(expressions.len(), 6);
}

#[test]
fn everything_can_be_written_out() {
    let text = "\
verify:
  type: hmac
  signature_header: X-Signature
  signature_format: {style: prefix, prefix: sha256=}
  encoding: hex
secrets:
  - env: NEW_SECRET
  - file: /run/secrets/old
    until: 2026-12-31
handshake: none
dedup: [account.id, number | text]
answer:
  status: 202
  body: '{\"status\":\"ok\"}'
";
    let receive = good(text);
    assert_eq!(receive.preset, None);
    assert_eq!(receive.secrets[0].until, None);
    assert_eq!(
        receive.secrets[1].until,
        Some("2027-01-01T00:00:00Z".parse().unwrap())
    );
    let DedupRule::Expressions(expressions) = &receive.dedup else {
        panic!("{:?}", receive.dedup)
    };
    let written: Vec<_> = expressions
        .iter()
        .map(|expression| text.get(expression.span.range()).unwrap())
        .collect();
    assert_eq!(written, ["account.id", "number | text"]);
    assert_eq!(receive.answer.status, 202);
    assert_eq!(receive.answer.content_type.unwrap(), "application/json");
    assert_eq!(receive.answer.body, r#"{"status":"ok"}"#);
}

#[test]
fn dedup_is_a_header_expressions_or_the_body() {
    let dedup = |text: &str| good(&format!("verify: github\n{SECRETS}dedup: {text}\n")).dedup;
    assert_eq!(dedup("body"), DedupRule::Body);
    assert_eq!(
        dedup("{header: X-Id}"),
        DedupRule::Header("x-id".parse().unwrap())
    );
    assert!(matches!(dedup("id"), DedupRule::Expressions(texts) if texts[0].text == "id"));
    let long_form = "verify: {type: token, token_source: 'header:X-Token'}\n";
    assert_eq!(
        good(&format!("{long_form}{SECRETS}")).dedup,
        DedupRule::Body
    );
}

#[test]
fn nothing_is_verified_only_in_so_many_words_and_with_a_warning() {
    let (receive, found) = read("verify: none\n");
    assert!(receive.unwrap().verify.is_none());
    assert!(found[0].contains("warning recv/unverified"), "{found:?}");
    for text in ["{}", "verify:\n", "answer: {}\n"] {
        assert!(bad(text).contains("recv/no-verification"), "{text}");
    }
    assert!(bad(&format!("verify: none\n{SECRETS}")).contains("recv/unused-secrets"));
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_repeated() {
    for secrets in [
        "hush-hush",
        "[hush-hush]",
        "[{env: hush-hush}]",
        "[{value: hush-hush}]",
        "[[hush-hush]]",
        "[{env: A, file: hush-hush}]",
        "[{env: whsec_hush}]",
        "[{file: whsec_hush/hush+hush=}]",
        "[{env: hush00112233445566}]",
        "[{hush-hush: 1}]",
        "{whsec_hush: {env: A}}",
    ] {
        let found = bad(&format!("verify: github\nsecrets: {secrets}\n"));
        assert!(found.contains("recv/literal-secret"), "{secrets}: {found}");
        assert!(!found.contains("hush"), "{secrets}: {found}");
    }
}

#[test]
fn every_mistake_is_reported_with_its_place() {
    let found = bad("\
verify: hubspot-3
secrets: [{env: A, until: soon}]
handshake: echo-jason
dedup: []
answer: {status: 410, content_type: json}
secretes: x
");
    insta::assert_snapshot!(found, @r"
    crm.yaml:1:9: error recv/unknown-preset: there is no preset `hubspot-3` (did you mean `hubspot-v3`?)
    crm.yaml:2:27: error recv/bad-value: this is not a day (write the last day, such as 2026-12-31, or a moment, such as 2026-12-31T18:00:00Z)
    crm.yaml:3:12: error recv/bad-value: `echo-jason` is not a kind of handshake (did you mean `echo-json`?)
    crm.yaml:4:8: error recv/bad-value: `dedup` takes 1 to 16 expressions (write the fields that together number an event, or `dedup: body`)
    crm.yaml:5:18: error recv/bad-value: a stored request is answered with a status of 200 to 299 (senders take other statuses for a refusal, and 410 for a farewell; leave it at 200)
    crm.yaml:5:37: error recv/bad-value: this is not a content type (write something like `application/json` or `text/plain`)
    crm.yaml:6:1: error recv/unknown-key: receive has no key `secretes` (did you mean `secrets`?)
    ");
}

#[test]
fn sections_that_do_not_fit_together_are_refused() {
    for (text, code) in [
        ("verify: github\n", "recv/no-secret"),
        ("verify: github\nsecrets: []\n", "recv/no-secret"),
        ("verify: pipedrive\n", "user:password"),
        (
            "verify: github\nsecrets: [{env: A}]\nanswer: {status: 204, body: x}\n",
            "has no body",
        ),
        (
            "verify: github\nsecrets: [{env: A}]\nanswer: {content_type: text/plain}\n",
            "there is no `body`",
        ),
        (
            "verify: github\nsecrets: [{env: A}]\nanswer: {status: 301}\n",
            "200 to 299",
        ),
        (
            "verify: github\nsecrets: [{env: A}]\nhandshake: wave\n",
            "not a kind of handshake",
        ),
        (
            "verify: github\nsecrets: [{env: A}]\ndedup: {header: a b}\n",
            "not a header name",
        ),
        (
            "verify: github\nsecrets: [{env: A}]\ndedup: [{a: b}]\n",
            "recv/wrong-shape",
        ),
        (
            "verify: {type: basic, algorithm: sha1}\nsecrets: [{env: A}]\n",
            "recv/unknown-key",
        ),
        (
            "verify: [github]\nsecrets: [{env: A}]\n",
            "recv/wrong-shape",
        ),
    ] {
        let found = bad(text);
        assert!(found.contains(code), "{text}: {found}");
    }
    let many = "{env: A}, ".repeat(MAX_SECRETS + 1);
    assert!(bad(&format!("verify: github\nsecrets: [{many}]\n")).contains("more than 8"));
}

#[test]
fn a_handshake_is_the_files_own_or_the_presets() {
    let kind = |text: &str| {
        let handshake = good(&format!("{text}{SECRETS}")).handshake;
        handshake.map(|handshake| handshake.settings.kind_name())
    };
    assert_eq!(kind("verify: github\n"), Some("plain-200"));
    assert_eq!(kind("verify: github\nhandshake: none\n"), None);
    assert_eq!(
        kind("verify: github\nhandshake: echo-json\n"),
        Some("echo-json")
    );
    assert_eq!(kind("verify: stripe\n"), None);
    assert_eq!(
        kind("verify: {type: token, token_source: 'query:a'}\n"),
        None
    );

    let token = "handshake: {verify_token: {env: META_TOKEN}}\n";
    let receive = good(&format!("verify: meta-whatsapp\n{SECRETS}{token}"));
    let handshake = receive.handshake.unwrap();
    assert_eq!(handshake.settings.kind_name(), "echo-query");
    let token = handshake.verify_token.unwrap();
    assert_eq!(token.reference.to_string(), "env:META_TOKEN");
}

#[test]
fn only_a_secret_that_is_learned_need_not_be_in_the_file() {
    let verify = "verify: {type: hmac, signature_header: X-Hook-Signature, encoding: hex}\n";
    let receive = good(&format!("{verify}handshake: header-echo\n"));
    assert!(receive.secrets.is_empty() && receive.handshake.unwrap().settings.learns());
    assert_eq!(receive.verify.type_name(), "hmac");
    for text in [verify.to_owned(), format!("{verify}handshake: echo-json\n")] {
        assert!(bad(&text).contains("recv/no-secret"), "{text}");
    }
}

#[test]
fn handshakes_that_make_no_sense_are_refused() {
    let signed = "verify: {type: hmac, signature_header: A, encoding: hex}\nsecrets: [{env: A}]\n";
    let timed = "verify: stripe\nsecrets: [{env: A}]\n";
    let token = "verify: {type: token, token_source: 'query:a'}\nsecrets: [{env: A}]\n";
    for (before, handshake, expected) in [
        (
            "verify: meta-whatsapp\nsecrets: [{env: A}]\n",
            "",
            "needs `verify_token`",
        ),
        (
            signed,
            "handshake: {kind: echo-query, verify_parameter: a}\n",
            "needs `verify_token`",
        ),
        (
            signed,
            "handshake: {kind: echo-query, verify_token: hush}\n",
            "recv/literal-secret",
        ),
        (
            signed,
            "handshake: {kind: echo-json, verify_token: {env: A}}\n",
            "no key `verify_token`",
        ),
        (
            signed,
            "handshake: {verify_token: {env: A}}\n",
            "needs `kind`",
        ),
        (
            signed,
            "handshake: [echo-json]\n",
            "not a kind of handshake",
        ),
        (signed, "handshake:\n", "not a kind of handshake"),
        (signed, "handshake: {kind: none}\n", "`none` has no details"),
        (signed, "handshake: confirm-url\n", "needs `hosts`"),
        (
            token,
            "handshake: hmac-token\n",
            "signs with the source's secret",
        ),
        (
            "verify: none\n",
            "handshake: hmac-token\n",
            "signs with the source's secret",
        ),
        (token, "handshake: header-echo\n", "learns a signing secret"),
        (
            timed,
            "handshake: {kind: hmac-token, parameter: crc_token}\n",
            "have a part of an event signed",
        ),
    ] {
        let found = bad(&format!("{before}{handshake}"));
        assert!(found.contains(expected), "{handshake}: {found}");
        assert!(!found.contains("hush"), "{found}");
    }
}

#[test]
fn secrets_get_their_values_from_outside() {
    let receive =
        good("verify: github\nsecrets: [{env: A}, {file: /b, until: 2026-12-31T18:00:00Z}]\n");
    let secrets = receive
        .signing_secrets(|secret| Ok::<_, ()>(Some(secret.reference.to_string().into())))
        .unwrap();
    assert_eq!(secrets[1].name, "file:/b");
    assert_eq!(secrets[1].value.expose_secret(), "file:/b");
    assert_eq!(
        secrets[1].until,
        Some("2026-12-31T18:00:00Z".parse().unwrap())
    );
    assert!(Verifier::new(receive.verify.clone(), &secrets).is_ok());

    let failed = receive
        .signing_secrets(|secret| match secret.reference {
            SecretReference::Environment(_) => Ok(Some("x".into())),
            SecretReference::File(_) => Err("gone"),
        })
        .unwrap_err();
    assert_eq!(failed, [(receive.secrets[1].span, "gone")]);

    let some = receive
        .signing_secrets(|secret| Ok::<_, ()>(secret.until.is_none().then(|| "x".into())))
        .unwrap();
    assert_eq!(some.len(), 1, "one that is left out is not there");
}

const OF_PAIR: &str = "verify: {type: jwt, token_source: body, algorithms: [RS256]}\n";

#[test]
fn published_keys_stand_at_an_address_or_in_a_file() {
    let place = |text: &str| {
        let receive = good(&format!("{OF_PAIR}jwks: {text}\n"));
        receive.verify.key_set().unwrap().to_string()
    };
    for (text, expected) in [
        (
            "{url: 'https://keys.example/jwks'}",
            "https://keys.example/jwks",
        ),
        (
            "{url: 'http://127.0.0.1:8000/k'}",
            "http://127.0.0.1:8000/k",
        ),
        ("{url: 'http://localhost/k'}", "http://localhost/k"),
        ("{file: /etc/keys.pem}", "/etc/keys.pem"),
    ] {
        assert_eq!(place(text), expected);
    }
    for (text, code) in [
        ("{url: 'http://keys.example/jwks'}", "recv/bad-value"),
        ("{url: 'http://127.0.0.1.example/jwks'}", "recv/bad-value"),
        ("{url: 'https://a:b@keys.example/jwks'}", "recv/bad-value"),
        ("{url: 'ftp://keys.example'}", "recv/bad-value"),
        ("{url: keys.example}", "recv/bad-value"),
        ("{url: 'https://a.example', file: b}", "recv/wrong-shape"),
        ("{}", "recv/wrong-shape"),
        ("https://keys.example/jwks", "recv/wrong-shape"),
    ] {
        let found = bad(&format!("{OF_PAIR}jwks: {text}\n"));
        assert!(found.contains(code), "{text}: {found}");
    }
    assert!(bad(OF_PAIR).contains("recv/no-keys"));
    let both = bad(&format!("{OF_PAIR}jwks: {{file: a}}\n{SECRETS}"));
    assert!(both.contains("recv/unused-secrets"), "{both}");
    let unused = bad(&format!("verify: github\n{SECRETS}jwks: {{file: a}}\n"));
    assert!(unused.contains("recv/unused-keys"), "{unused}");
    let unused = bad(&format!("verify: github\n{SECRETS}claims: {{a: b}}\n"));
    assert!(unused.contains("recv/unused-claims"), "{unused}");
}

#[test]
fn a_source_says_which_of_the_senders_customers_it_is() {
    let found = bad("verify: canvas-live-events\n");
    insta::assert_snapshot!(found, @"crm.yaml:1:1: error recv/missing-claim: the sender signs for all its customers with the same keys: `claims` must say which of them you are, by `metadata.root_account_uuid` (write `claims: {metadata.root_account_uuid: …}` with the value in the events of your own account)");
    for (preset, claims) in [
        ("canvas-live-events", "{metadata.root_account_uuid: Vic}"),
        ("google-pubsub", "{email: push@school.example}"),
    ] {
        let receive = good(&format!("verify: {preset}\nclaims: {claims}\n"));
        assert!(receive.verify.key_set().is_some() && receive.secrets.is_empty());
        assert!(receive.verify.claims_of_source().is_empty());
        // The address that the preset knows may be replaced.
        let own = format!("verify: {preset}\nclaims: {claims}\njwks: {{file: keys.json}}\n");
        let place = good(&own).verify.key_set().unwrap().to_string();
        assert_eq!(place, "keys.json");
    }
}

const ED25519: &str =
    "verify: {type: public-key, algorithm: ed25519, signature_header: X-Sig, encoding: hex}\n";
const WHPK: &str = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const PRIVATE: &str = "MC4CAQAwBQYDK2VwBCIEIKMQwKWP0jgrejmjuAC2q0ghQnvYr8SrgHElAduxKXe3";

#[test]
fn public_keys_stand_in_the_file_or_elsewhere() {
    let text = format!(
        "{ED25519}public_keys:
  - {WHPK}
  - {{text: {WHPK}, until: 2026-12-31}}
  - {{env: NEW_KEY}}
  - {{file: /run/key.pem, until: 2027-12-31}}
"
    );
    let receive = good(&text);
    let keys = receive
        .public_keys(|key| Ok::<_, ()>(key.until.is_none().then(|| WHPK.into())))
        .unwrap();
    let names: Vec<_> = keys.iter().map(|key| key.name.as_str()).collect();
    // The one in the file is left out, as one that is gone after its end.
    assert_eq!(names, ["public key 1", "public key 2", "env:NEW_KEY"]);
    assert_eq!(keys[1].until, Some("2027-01-01T00:00:00Z".parse().unwrap()));
    assert_eq!(receive.until(), None);
    assert!(Verifier::with_public_keys(receive.verify.clone(), &keys).is_ok());

    let one = good(&format!(
        "{ED25519}public_keys: {{text: {WHPK}, until: 2026-12-31}}\n"
    ));
    assert_eq!(one.until(), Some("2027-01-01T00:00:00Z".parse().unwrap()));
    let failed = receive.public_keys(|_| Err("gone")).unwrap_err();
    assert_eq!(failed.len(), 2);
}

#[test]
fn public_keys_that_cannot_be_used_are_refused_with_the_reason() {
    for (keys, expected) in [
        (
            "public_keys: hunter2",
            "recv/public-key: this cannot be used as the public key: it is not a public key",
        ),
        ("public_keys: [{text: hunter2}]", "recv/public-key"),
        ("public_keys: [whsec_AAEC]", "it is a shared secret"),
        ("public_keys: [{file: a, text: b}]", "recv/unknown-key"),
        ("public_keys: [[a]]", "recv/wrong-shape"),
        ("public_keys: [{until: 2026-12-31}]", "recv/literal-secret"),
        ("public_keys: []", "recv/no-keys"),
        ("", "recv/no-keys"),
        ("secrets: [{env: A}]", "recv/unused-secrets"),
    ] {
        let found = bad(&format!("{ED25519}{keys}\n"));
        assert!(found.contains(expected), "{keys}: {found}");
    }
    let rsa = ED25519.replace("ed25519", "rsa-pkcs1-sha256");
    let found = bad(&format!("{rsa}public_keys: [{WHPK}]\n"));
    assert!(
        found.contains("a key for Ed25519, but the signatures are rsa-pkcs1-sha256"),
        "{found}"
    );
    let found = bad(&format!("verify: github\n{SECRETS}public_keys: [{WHPK}]\n"));
    assert!(found.contains("recv/unused-keys"), "{found}");
    let many = format!("{WHPK}, ").repeat(MAX_SECRETS + 1);
    assert!(bad(&format!("{ED25519}public_keys: [{many}]\n")).contains("more than 8 public keys"));
}

#[test]
fn a_private_key_pasted_by_mistake_is_shown_nowhere() {
    for keys in [
        format!("public_keys: [{PRIVATE}]"),
        format!("public_keys: [{{text: {PRIVATE}}}]"),
        format!(
            "public_keys: [\"-----BEGIN PRIVATE KEY-----\\n{PRIVATE}\\n-----END PRIVATE KEY-----\"]"
        ),
        format!(
            "public_keys:\n  - |\n    -----BEGIN PRIVATE KEY-----\n    {PRIVATE}\n    -----END PRIVATE KEY-----"
        ),
    ] {
        let mut out = Collector::new(SourceText::new("crm.yaml", format!("{ED25519}{keys}\n")));
        let node = yaml::parse(&mut out).unwrap();
        assert_eq!(Receive::read(&node, &mut out), None);
        let findings = out.finish();
        let shown = render_report(&findings, Style::Plain) + &render_lines(&findings).join("\n");
        assert!(shown.contains("it is a private key"), "{shown}");
        assert!(shown.contains("crm.yaml:"), "{shown}");
        assert!(!shown.contains("MC4C"), "{shown}");
    }
}
