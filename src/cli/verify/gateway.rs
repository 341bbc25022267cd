//! What would keep the gateway from taking a request whose signature is right.

use http::Method;

use crate::{capture::Captured, config::Receiving, diag::visible, source::receive::Receive};

/// Each a sentence after "but the gateway", with what to do. `signs_url`: whether the address is signed.
pub(super) fn obstacles(
    name: &str,
    receive: &Receive,
    receiving: &Receiving,
    captured: &Captured,
) -> Vec<String> {
    let mut obstacles = Vec::new();
    if receive.verify.signs_url() && receiving.public_url.is_none() {
        obstacles.push(format!(
            "does not load the source `{name}` and answers 503, since its signatures cover the address: write `public_url: https://…` in gateway.yaml, or set GATEWAY_PUBLIC_URL, to what senders were given"
        ));
    }
    if captured.method != Method::POST {
        obstacles.push(format!(
            "answers 405 to {}: events come with POST, so have the sender use that",
            visible(captured.method.as_str())
        ));
    }
    let path = captured.path_and_query.split(['?', '#']).next();
    let other = path
        .and_then(|path| path.rsplit_once("/webhooks/"))
        .map(|(_, other)| other.trim_end_matches('/'))
        .filter(|other| *other != name);
    if let Some(other) = other {
        obstacles.push(format!(
            "takes this for the source `{}`: have the sender post to /webhooks/{name}, or name the other with --source",
            visible(other)
        ));
    }
    obstacles
}
