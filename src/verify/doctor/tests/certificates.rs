//! Client certificates.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::*;

const PEM: &str = include_str!("../../certificate/client.pem");
/// What `openssl x509 -fingerprint -sha256` says of it.
const FINGERPRINT: &str = "f9caac3cd85089f05856db325f47eec5733d0b129e1d8d5fab1d4280fa8ae28a";
const OTHER: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[test]
fn certificates_are_found_whatever_way_they_are_written() {
    let escaped = utf8_percent_encode(PEM, NON_ALPHANUMERIC).to_string();
    let base64: String = PEM.lines().filter(|line| !line.starts_with('-')).collect();
    let rfc9440 = format!(":{base64}:");
    let xfcc = format!("Hash={FINGERPRINT};Subject=\"CN=sender\"");
    let several = format!("Hash={OTHER},Hash={FINGERPRINT}");
    let sha1 = "A1:".repeat(19) + "A1";
    let taken_in = format!("is {FINGERPRINT}, which is not in `allowed`");
    let both = format!("allowed: [\"{OTHER}\",\"{FINGERPRINT}\"]");
    let anew = format!("format: pem, allowed: [\"{FINGERPRINT}\"]");
    for (name, format, allowed, header, value, expected) in [
        (
            "right",
            "pem",
            FINGERPRINT,
            "x-cert",
            &*escaped,
            "nothing explains Genuine",
        ),
        ("fingerprint", "pem", OTHER, "x-cert", &escaped, &*taken_in),
        ("line to write", "pem", OTHER, "x-cert", &escaped, &*both),
        (
            "format",
            "xfcc",
            FINGERPRINT,
            "x-cert",
            &escaped,
            "written as `pem` => format: pem",
        ),
        (
            "base64",
            "pem",
            FINGERPRINT,
            "x-cert",
            &base64,
            "=> format: base64",
        ),
        (
            "rfc9440",
            "pem",
            FINGERPRINT,
            "x-cert",
            &rfc9440,
            "=> format: rfc9440",
        ),
        (
            "xfcc",
            "pem",
            FINGERPRINT,
            "x-cert",
            &xfcc,
            "=> format: xfcc",
        ),
        (
            "sha256",
            "pem",
            FINGERPRINT,
            "x-cert",
            FINGERPRINT,
            "=> format: sha256",
        ),
        (
            "header",
            "pem",
            FINGERPRINT,
            "ssl-client-cert",
            &escaped,
            "stands in the header `ssl-client-cert` => header: ssl-client-cert",
        ),
        (
            "all of it",
            "subject",
            "CN=sender",
            "x-cert",
            &escaped,
            &*anew,
        ),
        (
            "sha1",
            "sha256",
            FINGERPRINT,
            "x-cert",
            &*sha1,
            "a SHA-1 fingerprint (40 digits)",
        ),
        (
            "several",
            "xfcc",
            FINGERPRINT,
            "x-cert",
            &several,
            "of several proxies",
        ),
        (
            "cut",
            "pem",
            FINGERPRINT,
            "x-cert",
            escaped.get(..99).unwrap(),
            "99 characters that are a certificate in none",
        ),
        (
            "none",
            "pem",
            FINGERPRINT,
            "x-cert",
            "-",
            "nothing explains Refused(MissingCertificate)",
        ),
        (
            "subject",
            "subject",
            "CN=other",
            "x-cert",
            "CN=sender,O=SIS",
            "the subject in the header is `CN=sender,O=SIS`, which is not in `allowed`",
        ),
        (
            "spelling of a subject",
            "subject",
            "O=SIS, CN=Sender",
            "x-cert",
            "CN=sender,O=SIS",
            "which differs from one in `allowed` in order, spaces or capitals alone => allowed: [\"O=SIS, CN=Sender\",\"CN=sender,O=SIS\"]",
        ),
        (
            "subject that commands a terminal",
            "subject",
            "CN=other",
            "x-cert",
            "CN=\u{202e}x",
            "nothing explains",
        ),
    ] {
        let keys = json!({"type": "client-certificate", "header": "X-Cert", "format": format, "allowed": allowed});
        let settings = settings(&keys.to_string());
        let mut request = arrived(unsigned());
        request.peer.through_trusted_proxy = true;
        let header = HeaderName::from_static(header);
        request
            .headers
            .insert(header, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        let mut case = Case {
            settings: &settings,
            secrets: &[],
            public_keys: &[],
            key_set: None,
            others: &[],
            request: &request,
            now: now(),
        };
        let report = examine(case);
        let advice = first(&report);
        assert!(advice.contains(expected), "{name}: {advice}");
        assert!(!advice.contains('\u{202e}'), "{name}: {advice}");
        let mut past_the_proxy = request.clone();
        past_the_proxy.peer.through_trusted_proxy = false;
        case.request = &past_the_proxy;
        let advice = first(&examine(case));
        assert!(
            advice.contains("under `trusted_proxies`"),
            "{name}: {advice}"
        );
    }
}

#[test]
fn a_certificate_that_ended_is_named() {
    let settings = settings(
        &json!({"type": "client-certificate", "header": "X-Cert", "format": "sha256", "allowed": [
            {"text": FINGERPRINT, "until": "2025-01-01"}, OTHER,
        ]})
        .to_string(),
    );
    let mut request = arrived(unsigned());
    request.peer.through_trusted_proxy = true;
    request
        .headers
        .insert("x-cert", HeaderValue::from_static(FINGERPRINT));
    let report = examine(Case {
        settings: &settings,
        secrets: &[],
        public_keys: &[],
        key_set: None,
        others: &[],
        request: &request,
        now: now(),
    });
    let advice = first(&report);
    assert!(
        advice.starts_with(
            "the certificate sha256:f9caac3cd85089f0 ended in `allowed` at 2025-01-02T00:00:00Z"
        ),
        "{advice}"
    );
}
