//! What may be wrong where nothing explains a refusal: the likeliest causes that cannot be seen from one request.

use super::{Case, Verdict, header};
use crate::verify::Refusal;

/// How many causes are named.
const MOST: usize = 3;

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
        _ if header::is_signature(case.settings) => {
            causes.extend([
                "the sender signs with another secret: make a new one, enter it on both sides, and mind that the gateway reads variables only when it starts",
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
