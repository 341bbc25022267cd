//! What each proxy sends, and what somebody sends who would like to be one.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use crate::verify::{Peer, Received, Refusal, Verifier, read::tests::read};

/// A certificate made for these tests, which nobody trusts, and what `openssl x509 -fingerprint -sha256` says of it.
const PEM: &str = include_str!("client.pem");
const FINGERPRINT: &str = "f9caac3cd85089f05856db325f47eec5733d0b129e1d8d5fab1d4280fa8ae28a";
const OTHER: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn base64() -> String {
    let inside = PEM.lines().filter(|line| !line.starts_with('-'));
    inside.collect()
}

/// As nginx escapes.
fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// As AWS load balancers escape.
fn escaped_by_aws(text: &str) -> String {
    const SET: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'+')
        .remove(b'=')
        .remove(b'/')
        .remove(b'-');
    utf8_percent_encode(text, SET).to_string()
}

fn verifier(format: &str, allowed: &str) -> Verifier {
    let text = format!(
        "{{type: client-certificate, header: X-Cert, format: {format}, allowed: {allowed}}}"
    );
    Verifier::new(read(&text).unwrap(), &[]).unwrap()
}

fn request(values: &[&[u8]], through_trusted_proxy: bool) -> Received {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append("x-cert", HeaderValue::from_bytes(value).unwrap());
    }
    Received {
        method: Method::POST,
        path_and_query: "/webhooks/crm".into(),
        public_url: "https://hooks.example/webhooks/crm".into(),
        headers,
        body: Bytes::from_static(b"{}"),
        received_at: now(),
        peer: Peer {
            client: IpAddr::V4(Ipv4Addr::LOCALHOST),
            through_trusted_proxy,
        },
    }
}

fn now() -> jiff::Timestamp {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

/// The name of the certificate, or the code of the refusal.
fn verdict(verifier: &Verifier, values: &[&str]) -> String {
    let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
    match verifier.verify(request(&values, true), now()) {
        Ok(genuine) => genuine.secret_name().unwrap().to_owned(),
        Err((_, refusal)) => refusal.as_str().to_owned(),
    }
}

/// Every format with the header of a proxy that shows the certificate.
fn shown() -> Vec<(&'static str, String)> {
    let chain = format!("{PEM}{PEM}");
    let upper: Vec<String> = FINGERPRINT
        .to_uppercase()
        .as_bytes()
        .chunks(2)
        .map(|pair| String::from_utf8(pair.to_vec()).unwrap())
        .collect();
    vec![
        ("pem", escaped(PEM)),
        ("pem", escaped_by_aws(&chain)),
        ("pem", PEM.replace('\n', " ").trim().to_owned()),
        ("base64", base64()),
        ("base64", format!("\"{}\"", base64())),
        ("base64", format!("{},AAAA", base64())),
        ("base64", escaped(&base64())),
        ("rfc9440", format!(":{}:", base64())),
        (
            "xfcc",
            format!("By=spiffe://a/ns;Hash={FINGERPRINT};Subject=\"CN=a, O=\\\"b;c\\\"\";URI="),
        ),
        ("xfcc", format!("hash=\"{FINGERPRINT}\"")),
        ("sha256", FINGERPRINT.to_owned()),
        ("sha256", upper.join(":")),
    ]
}

#[test]
fn a_certificate_is_known_in_every_way_that_proxies_write_it() {
    for (format, header) in shown() {
        let allowed = verifier(format, &format!("[{OTHER}, {FINGERPRINT}]"));
        assert_eq!(
            verdict(&allowed, &[&header]),
            "sha256:f9caac3cd85089f0",
            "{format}: {header}"
        );
        let other = verifier(format, OTHER);
        assert_eq!(
            verdict(&other, &[&header]),
            "wrong-certificate",
            "{format}: {header}"
        );
    }
    let subject = verifier("subject", "['CN=other', 'CN=outbound.crm.example,O=Crm']");
    assert_eq!(
        verdict(&subject, &["CN=outbound.crm.example,O=Crm"]),
        "subject:2"
    );
    assert_eq!(
        verdict(&subject, &["CN=outbound.crm.example"]),
        "wrong-certificate"
    );
}

#[test]
fn only_a_trusted_proxy_is_believed() {
    for (format, header) in shown() {
        let verifier = verifier(format, FINGERPRINT);
        let (_, refusal) = verifier
            .verify(request(&[header.as_bytes()], false), now())
            .unwrap_err();
        assert_eq!(refusal, Refusal::UntrustedProxy, "{format}");
    }
}

#[test]
fn what_is_no_certificate_is_refused() {
    let two = format!("Hash={FINGERPRINT},Hash={FINGERPRINT}");
    let twice = format!("Hash={FINGERPRINT};Hash={FINGERPRINT}");
    let certificate = base64();
    let broken = escaped(&PEM.replace("MIIB", "M!IB"));
    let without_end = escaped(PEM.split("-----END").next().unwrap());
    for (format, values, refusal) in [
        ("pem", &[][..], "missing-certificate"),
        ("pem", &[""], "missing-certificate"),
        ("subject", &["-"], "missing-certificate"),
        ("pem", &["(null)"], "malformed-certificate"),
        ("pem", &[&broken], "malformed-certificate"),
        ("pem", &[&without_end], "malformed-certificate"),
        (
            "pem",
            &["-----BEGIN%20CERTIFICATE-----%0A-----END%20CERTIFICATE-----"],
            "malformed-certificate",
        ),
        ("pem", &["%FF%FE"], "malformed-certificate"),
        ("pem", &["a", "a"], "ambiguous-header"),
        ("base64", &[","], "malformed-certificate"),
        ("base64", &["AAAA AAAA"], "malformed-certificate"),
        ("rfc9440", &[&certificate], "malformed-certificate"),
        ("rfc9440", &["::"], "malformed-certificate"),
        ("rfc9440", &[":"], "malformed-certificate"),
        ("sha256", &["f9caac3c"], "malformed-certificate"),
        ("xfcc", &["Subject=\"CN=a\""], "malformed-certificate"),
        ("xfcc", &["Hash=\"abc"], "malformed-certificate"),
        ("xfcc", &["Hash"], "malformed-certificate"),
        ("xfcc", &[&two], "ambiguous-value"),
        ("xfcc", &[&twice], "ambiguous-value"),
    ] {
        let allowed = if format == "subject" {
            "CN=a"
        } else {
            FINGERPRINT
        };
        assert_eq!(
            verdict(&verifier(format, allowed), values),
            refusal,
            "{format}: {values:?}"
        );
    }
    let latin = verifier("subject", "CN=a").verify(request(&[b"CN=Jos\xe9"], true), now());
    assert_eq!(latin.unwrap_err().1, Refusal::MalformedCertificate);
}

#[test]
fn a_certificate_ends_at_its_moment() {
    let ending = |until: &str| {
        let allowed = format!("{{text: {FINGERPRINT}, until: '{until}'}}");
        verdict(&verifier("sha256", &allowed), &[FINGERPRINT])
    };
    assert_eq!(ending("2026-03-02T12:00:01Z"), "sha256:f9caac3cd85089f0");
    assert_eq!(ending("2026-03-02T12:00:00Z"), "no-secret");
    let rotating = format!("[{{text: {FINGERPRINT}, until: 2026-03-01}}, {OTHER}]");
    assert_eq!(
        verdict(&verifier("sha256", &rotating), &[FINGERPRINT]),
        "wrong-certificate"
    );
}

#[test]
fn a_header_that_must_be_there_is_asked_for_too() {
    let text = format!(
        "{{type: mtls, header: X-Cert, format: sha256, allowed: {FINGERPRINT}, require_headers: [{{name: X-Verify, value: SUCCESS}}]}}"
    );
    let verifier = Verifier::new(read(&text).unwrap(), &[]).unwrap();
    let mut received = request(&[FINGERPRINT.as_bytes()], true);
    for (value, accepted) in [("FAILED:expired", false), ("SUCCESS", true)] {
        received.headers.insert("x-verify", value.parse().unwrap());
        assert_eq!(
            verifier.verify(received.clone(), now()).is_ok(),
            accepted,
            "{value}"
        );
    }
}

#[test]
fn fingerprints_and_certificates_may_be_written_as_people_have_them() {
    let colons = "sha256 Fingerprint=F9:CA:AC:3C:D8:50:89:F0:58:56:DB:32:5F:47:EE:C5:73:3D:0B:12:9E:1D:8D:5F:AB:1D:42:80:FA:8A:E2:8A";
    let pem = serde_json::to_string(PEM).unwrap();
    for allowed in [
        format!("['{colons}']"),
        FINGERPRINT.to_uppercase(),
        pem.clone(),
        format!("[{{text: {pem}}}]"),
    ] {
        let verifier = verifier("sha256", &allowed);
        assert_eq!(
            verdict(&verifier, &[FINGERPRINT]),
            "sha256:f9caac3cd85089f0",
            "{allowed}"
        );
    }
}

#[test]
fn every_mistake_in_the_settings_is_reported() {
    let text = "\
type: client-certificate
header: X Cert
format: der
";
    insta::assert_snapshot!(read(text).unwrap_err().join("\n"), @r"
    a.yaml:1:1: error recv/missing-key: verify needs `allowed` (write the SHA-256 fingerprints of the certificates that may be shown)
    a.yaml:2:9: error recv/bad-value: `X Cert` is not a header name (letters, digits and `-`, such as `X-Signature`)
    a.yaml:3:9: error recv/bad-value: `der` is not a format of certificates (write one of pem, base64, rfc9440, xfcc, sha256, subject)
    ");
    let text = "\
type: mtls
header: X-Cert
format: pem
allowed:
  - f9caac3cd85089f05856db325f47eec5733d0b12
  - hello
  - {text: 0, until: tomorrow, sha1: 1}
  - [1]
secret: 1
";
    insta::assert_snapshot!(read(text).unwrap_err().join("\n"), @r"
    a.yaml:5:5: error recv/bad-value: this is not the SHA-256 fingerprint of a certificate (`openssl x509 -in FILE -noout -fingerprint -sha256` shows it; or write the certificate itself, in PEM)
    a.yaml:6:5: error recv/bad-value: this is not the SHA-256 fingerprint of a certificate (`openssl x509 -in FILE -noout -fingerprint -sha256` shows it; or write the certificate itself, in PEM)
    a.yaml:7:12: error recv/bad-value: this is not the SHA-256 fingerprint of a certificate (`openssl x509 -in FILE -noout -fingerprint -sha256` shows it; or write the certificate itself, in PEM)
    a.yaml:7:22: error recv/bad-value: this is not a day (write the last day, such as 2026-12-31, or a moment, such as 2026-12-31T18:00:00Z)
    a.yaml:7:32: error recv/unknown-key: a certificate has no key `sha1` (a certificate knows: text, until)
    a.yaml:8:5: error recv/wrong-shape: a certificate is a text, but here is a list
    a.yaml:9:1: error recv/unknown-key: verify has no key `secret` (verify knows: type, header, format, allowed, require_headers)
    ");
    let text = "{type: mtls, header: X-Cert, format: pem, allowed: []}";
    insta::assert_snapshot!(read(text).unwrap_err().join("\n"), @"a.yaml:1:52: error recv/bad-value: `allowed` takes 1 to 8 certificates (a rotation needs two: the new one, and the old one with `until`)");
}

proptest! {
    /// Whatever stands in the header, it is a refusal and never a crash.
    #[test]
    fn strangers_are_refused_whatever_they_send(
        which in 0usize..6,
        bytes in proptest::collection::vec((32u8..=255).prop_filter("no header has it", |byte| *byte != 127), 0..200),
        text in "(Hash|Subject|hash)?=?[\"\\\\;,:%=a-f0-9 -]{0,120}(-----BEGIN CERTIFICATE-----|-----END CERTIFICATE-----)?",
    ) {
        let format = ["pem", "base64", "rfc9440", "xfcc", "sha256", "subject"][which];
        let verifier = verifier(format, if format == "subject" { "CN=crm" } else { FINGERPRINT });
        for value in [bytes.as_slice(), text.as_bytes()] {
            prop_assert!(verifier.verify(request(&[value], true), now()).is_err());
        }
    }
}
