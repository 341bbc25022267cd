//! What a signature says about the address: the variants that a sender may have signed, and the hash of the body in it.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::verify::{Refusal, request::Request, settings::SignatureSettings};

/// Whether the signed address has a hash that stands for the body; then the body has that hash.
pub(super) fn check_body_digest(
    settings: &SignatureSettings,
    request: &Request<'_>,
) -> Result<bool, Refusal> {
    let Some(name) = &settings.body_digest_query else {
        return Ok(false);
    };
    let Some(given) = request.query(name)? else {
        return Ok(false);
    };
    let right = hex::encode(Sha256::digest(request.body));
    if bool::from(right.as_bytes().ct_eq(&given)) {
        Ok(true)
    } else {
        Err(Refusal::BodyDigest)
    }
}

/// The addresses that the sender may have signed: as it is, and with `variants` without its port and with the
/// default one of its scheme.
pub(super) fn addresses(url: &str, variants: bool) -> Vec<Cow<'_, str>> {
    let mut addresses = vec![Cow::Borrowed(url)];
    if variants
        && let Some((scheme, rest)) = url.split_once("://")
        && let Some(port) = match scheme {
            "https" => Some(443),
            "http" => Some(80),
            _ => None,
        }
    {
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        for variant in [
            format!("{scheme}://{host}{path}"),
            format!("{scheme}://{host}:{port}{path}"),
        ] {
            if variant != url {
                addresses.push(Cow::Owned(variant));
            }
        }
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_tried_with_and_without_its_port() {
        for (url, expected) in [
            (
                "https://a.example/b?c:1",
                &["https://a.example/b?c:1", "https://a.example:443/b?c:1"][..],
            ),
            (
                "https://a.example:443/b",
                &["https://a.example:443/b", "https://a.example/b"],
            ),
            (
                "http://a.example:8080",
                &[
                    "http://a.example:8080",
                    "http://a.example",
                    "http://a.example:80",
                ],
            ),
            ("https://[::1]/", &["https://[::1]/", "https://[::1]:443/"]),
            ("not an address", &["not an address"]),
        ] {
            assert_eq!(addresses(url, true), expected);
        }
        assert_eq!(
            addresses("https://a.example:1/", false),
            ["https://a.example:1/"]
        );
    }
}
