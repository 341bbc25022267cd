//! What may be wrong where nothing explains a refusal: the likeliest causes that cannot be seen from one request.

use super::{Case, Verdict, header};
use crate::verify::Refusal;

/// How many causes are named.
const MOST: usize = 3;

const OTHER_SECRET: &str = "the sender signs with another secret: make a new one, enter it on both sides, and mind that the gateway reads variables only when it starts";
const OTHER_KEY: &str = "the sender signs with another key: take its public key anew from the sender's page, and see that it is that of this account and not of a test system";

pub(super) fn causes(case: &Case<'_>, verdict: &Verdict) -> Vec<String> {
    let Verdict::Refused(refusal) = verdict else {
        return Vec::new();
    };
    let mut causes: Vec<&str> = Vec::new();
    if is_compressed(case) {
        causes.push(
            "the body is compressed (`Content-Encoding`) or was so when it was signed: have it sent uncompressed",
        );
    }
    match refusal {
        Refusal::MissingToken | Refusal::MissingCredentials | Refusal::MissingSignature => {
            causes.extend([
                "the request is from somebody else, or a test of the sender that proves nothing: look at what the sender says it sent",
                "signing or the credentials are not switched on at the sender, or not for this address",
                "a web server in between, or the tool that kept this request, took a header away",
            ]);
        }
        Refusal::WrongToken | Refusal::WrongCredentials => causes.extend([
            "the sender has another secret: enter the same on both sides anew, and mind that the gateway reads variables only when it starts",
            "the tool that kept this request put something in the place of the secret, as many logs do",
            "the request is from somebody else",
        ]),
        Refusal::MissingSignedPart => causes.extend([
            "a web server in between, or the tool that kept this request, took a header away",
            "the sender signs something else than `signed` says: compare it with the sender's page on signatures",
        ]),
        Refusal::MissingCertificate => causes.extend([
            "the client has no certificate, or the proxy does not ask for one (nginx: `ssl_verify_client`)",
            "the proxy does not hand the certificate on, or in another header than `header` says",
        ]),
        Refusal::NoMatch if case.settings.text("type") == Some("jwt") => {
            causes.push(if case.key_set.is_some() {
                OTHER_KEY
            } else {
                OTHER_SECRET
            });
            causes.push("the token was cut or changed on the way, or by the tool that kept this request");
        }
        _ if header::is_signature(case.settings) => {
            let is_public = case.settings.text("type") == Some("public-key");
            causes.extend([
                if is_public { OTHER_KEY } else { OTHER_SECRET },
                "the body is not the one that was signed: keep the request where it enters your network, as bytes, and not from a log or a screen",
            ]);
            causes.push(if signs_url(case) {
                "the sender was given another address than this one: compare it with `public_url`, letter by letter"
            } else {
                "the sender signs something else than `signed` says: compare it with the sender's page on signatures"
            });
        }
        _ => {}
    }
    causes.truncate(MOST);
    causes.into_iter().map(str::to_owned).collect()
}

fn signs_url(case: &Case<'_>) -> bool {
    case.settings
        .text("signed")
        .is_some_and(|signed| signed.contains("{url"))
}

fn is_compressed(case: &Case<'_>) -> bool {
    case.request
        .headers
        .get(http::header::CONTENT_ENCODING)
        .is_some_and(|value| value.as_bytes() != b"identity")
}
