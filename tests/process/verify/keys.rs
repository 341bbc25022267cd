//! Senders that sign with a private key: their public keys stand in the file, in another file, or at an address.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
};

use quentli_gateway::verify::{PrivateKey, PublicKey};

use super::*;

const RSA: &str = include_str!("../../../src/verify/keys/rsa-2048.pem");
const ED25519: &str = include_str!("../../../src/verify/keys/ed25519.pem");

const PUBLIC: &str = r#"{"type": "public-key", "algorithm": "ed25519", "signature_header": "X-Sig", "encoding": "base64"}"#;
const JWT: &str = r#"{"type": "jwt", "token_source": "header:Authorization", "token_prefix": "Bearer ", "algorithms": ["RS256"], "claims": {"iss": "https://sender.example", "aud": "school"}}"#;

fn read(settings: &str) -> Settings {
    let Value::Object(keys) = serde_json::from_str(settings).unwrap() else {
        panic!("{settings}");
    };
    Settings::of_json(keys)
}

fn public_half(private: &str) -> String {
    PrivateKey::read(&private.into()).unwrap().public_key()
}

/// A request that the holder of a private key makes under some settings.
fn made(settings: &str, private: &str) -> String {
    let private = PrivateKey::read(&private.into()).unwrap();
    let settings = read(settings).read().unwrap();
    let verifier = if settings.takes_public_keys() {
        let key = PublicKey {
            name: "SENDER".into(),
            text: private.public_key(),
            until: None,
        };
        Verifier::with_public_keys(settings, &[key]).unwrap()
    } else {
        Verifier::new(settings, &[]).unwrap()
    };
    let request = Outgoing {
        method: Method::POST,
        url: "https://gw.example/webhooks/crm".into(),
        headers: HeaderMap::new(),
        body: BODY.into(),
    };
    let request = verifier.sign_with(request, "msg_1", AT.parse().unwrap(), &private);
    raw(&request.unwrap())
}

/// A gateway with the source `crm`, whose keys stand in `keys`.
fn crm(verify: &str, keys: &str) -> Setup {
    let secrets = format!("secrets: [{{env: {SECRET_VARIABLE}}}]");
    setup("crm", &source("crm", verify).replace(&secrets, keys))
}

#[test]
fn a_request_of_a_private_key_is_genuine_for_the_public_one() {
    let keys = format!("public_keys: [\"{}\"]", public_half(ED25519));
    let (text, code) = shown(&crm(PUBLIC, &keys), "crm", &made(PUBLIC, ED25519));
    assert_eq!(code, Some(0), "{text}");
    insta::assert_snapshot!(text, @r"
    genuine, proved with public key 1
    request.http, arriving at the source `crm` 2025-10-09T08:53:20Z

         signature    header `X-Sig`: 64 bytes as base64
         signed text  `{body}`
         body         78 bytes
      ok public key   public key 1
    ");
}

#[test]
fn the_public_key_of_somebody_else() {
    let keys = format!("public_keys: [\"{}\"]", public_half(ED25519));
    let rsa = PUBLIC.replace("ed25519", "rsa-pkcs1-sha256");
    let (text, code) = shown(&crm(PUBLIC, &keys), "crm", &made(&rsa, RSA));
    assert_eq!(code, Some(1), "{text}");
    insta::assert_snapshot!(text, @r"
    refused (no-match): no signature matches any secret: wrong secret, changed body, or another text was signed
    request.http, arriving at the source `crm` 2025-10-09T08:53:20Z

         signature    header `X-Sig`: 256 bytes as base64
         signed text  `{body}`
         body         78 bytes
         public key   public key 1

    None of the usual mistakes explains it: 3407 were tried, alone and in pairs.
    What cannot be seen from here, the likeliest first:
      - the sender signs with another key: take its public key anew from the sender's page, and see that it is
        that of this account and not of a test system
      - the body is not the one that was signed: keep the request where it enters your network, as bytes, and not
        from a log or a screen
      - the sender signs something else than `signed` says: compare it with the sender's page on signatures
    ");
}

#[test]
fn a_token_of_a_private_key_is_genuine_for_keys_in_a_file() {
    let setup = crm(JWT, "jwks: {file: keys.pem}");
    std::fs::write(
        setup.folder().join("keys.pem"),
        include_str!("../../../src/verify/keys/rsa-2048.pub.pem"),
    )
    .unwrap();
    let (text, code) = shown(&setup, "crm", &made(JWT, RSA));
    assert_eq!(code, Some(0), "{text}");
    insta::assert_snapshot!(text, @r"
    genuine, proved with jwks
    request.http, arriving at the source `crm` 2025-10-09T08:53:20Z

         token      header `Authorization`: there
         algorithm  `RS256`
         issuer     `https://sender.example`
         audience   `school`
      ok published  1 key
    ");
}

#[test]
fn keys_at_an_address_are_fetched_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            connection.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let keys = include_str!("../../../src/verify/keys/rsa-2048.pub.pem");
        let length = keys.len();
        write!(
            connection,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{keys}"
        )
        .unwrap();
    });
    let keys = format!("jwks: {{url: \"http://{address}/keys\"}}");
    let (text, code) = shown(&crm(JWT, &keys), "crm", &made(JWT, RSA));
    assert_eq!(code, Some(0), "{text}");
    server.join().unwrap();
}

#[test]
fn keys_that_cannot_be_had_are_said_with_their_address() {
    // A port that is free again.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let url = format!("http://{}/keys", address.unwrap());
    let keys = format!("jwks: {{url: \"{url}\"}}");
    let (text, code) = shown(&crm(JWT, &keys), "crm", &made(JWT, RSA));
    assert_eq!(code, Some(69), "{text}");
    assert!(
        text.contains(&format!(
            "the sender's public keys cannot be had from {url}"
        )),
        "{text}"
    );
}

#[test]
fn a_token_for_somebody_else() {
    let settings = JWT.replace("\"school\"", "\"academy\"");
    let setup = crm(&settings, "jwks: {file: keys.pem}");
    std::fs::write(
        setup.folder().join("keys.pem"),
        include_str!("../../../src/verify/keys/rsa-2048.pub.pem"),
    )
    .unwrap();
    let (text, code) = shown(&setup, "crm", &made(JWT, RSA));
    assert_eq!(code, Some(1), "{text}");
    insta::assert_snapshot!(text, @r#"
    refused (wrong-audience): the token is for somebody else (`aud`), or the settings do not say who we are
    request.http, arriving at the source `crm` 2025-10-09T08:53:20Z

         token      header `Authorization`: there
         algorithm  `RS256`
         issuer     `https://sender.example`
      !! audience   `school`
         published  1 key

    why: the token is for `school` (`aud`), and the settings take `academy`: change them only if that is what
         the sender calls you
      in mappings/crm.yaml:4:163 write
        - "aud": "academy"
        + aud: school
    "#);
}

#[test]
fn a_certificate_that_is_not_allowed() {
    let verify = r#"{"type": "client-certificate", "header": "X-Cert", "format": "sha256", "allowed": ["0000000000000000000000000000000000000000000000000000000000000000"]}"#;
    let request = format!(
        "POST /webhooks/crm HTTP/1.1\nHost: gw.example\nX-Cert: {}\n\n{{}}",
        "ab".repeat(32)
    );
    let (text, code) = shown(&crm(verify, "answer: {status: 200}"), "crm", &request);
    assert_eq!(code, Some(1), "{text}");
    insta::assert_snapshot!(text, @r#"
    refused (wrong-certificate): the certificate is none of those that are allowed
    request.http, arriving at the source `crm` 2025-10-09T08:53:20Z

         certificate  header `X-Cert`: there

    note: which way the request came is not to be seen here: it is judged as if one of `trusted_proxies` had
    handed it on

    why: the SHA-256 fingerprint of the certificate is
         abababababababababababababababababababababababababababababababab, which is not in `allowed`: take it in
         only if the sender says that it is theirs
      in mappings/crm.yaml:4:82 write
        - "allowed": ["0000000000000000000000000000000000000000000000000000000000000000"]
        + allowed: [0000000000000000000000000000000000000000000000000000000000000000, abababababababababababababababababababababababababababababababab]
    "#);
}
