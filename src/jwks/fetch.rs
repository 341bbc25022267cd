//! One fetch of a key set.

use std::time::Duration;

use http::{StatusCode, header::CACHE_CONTROL};
use reqwest::redirect::Policy;
use url::Url;

use crate::verify::{KeySet, KeySetError};

/// Some key servers lead from one path to another.
const MAX_REDIRECTS: usize = 3;

const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Why no keys were had. Holds no address.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("the client cannot be made")]
    Client(#[source] reqwest::Error),
    #[error("the key server does not answer")]
    NoAnswer(#[source] reqwest::Error),
    #[error("the key server takes too long")]
    Slow,
    #[error("the key server answers {0}")]
    Status(StatusCode),
    #[error("what the key server answers is no key set")]
    Document(#[source] KeySetError),
}

/// Fetches from one address.
pub(super) struct Client(reqwest::Client);

impl Client {
    pub(super) fn new(url: &Url) -> Result<Self, FetchError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("quentli-gateway/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIME)
            .redirect(Policy::custom(|attempt| {
                let is_home = attempt
                    .previous()
                    .first()
                    .is_some_and(|first| first.origin() == attempt.url().origin());
                if is_home && attempt.previous().len() <= MAX_REDIRECTS {
                    attempt.follow()
                } else {
                    attempt.stop()
                }
            }))
            .retry(reqwest::retry::never())
            .referer(false);
        if url.scheme() == "http" {
            // On this machine: no proxy lies between, and the system's root certificates may be missing.
            builder = builder.no_proxy().tls_certs_only(std::iter::empty());
        }
        builder.build().map(Self).map_err(FetchError::Client)
    }

    /// The keys, and for how long they are fresh, where the key server says so.
    pub(super) async fn fetch(&self, url: &Url) -> Result<(KeySet, Option<Duration>), FetchError> {
        let no_answer = |error: reqwest::Error| FetchError::NoAnswer(error.without_url());
        let request = self.0.get(url.clone()).header(
            http::header::ACCEPT,
            "application/jwk-set+json, application/json",
        );
        let mut response = request.send().await.map_err(no_answer)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let max_age = response
            .headers()
            .get(CACHE_CONTROL)
            .and_then(|value| value.to_str().ok())
            .and_then(max_age);
        let mut document = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(no_answer)? {
            if document.len() + piece.len() > KeySet::MAX_BYTES {
                return Err(FetchError::Document(KeySetError::TooLarge));
            }
            document.extend_from_slice(&piece);
        }
        let set = KeySet::read(&document).map_err(FetchError::Document)?;
        Ok((set, max_age))
    }
}

/// RFC 9111, section 5.2.2: what must not be kept is fresh for no time.
fn max_age(cache_control: &str) -> Option<Duration> {
    let mut found = None;
    for directive in cache_control.split(',') {
        let directive = directive.trim().to_ascii_lowercase();
        if matches!(directive.as_str(), "no-store" | "no-cache") {
            return Some(Duration::ZERO);
        }
        if let Some(seconds) = directive.strip_prefix("max-age=") {
            let seconds = seconds.trim_matches('"').parse().ok();
            found = found.or(seconds.map(Duration::from_secs));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freshness_is_read_from_cache_control() {
        for (text, expected) in [
            ("public, max-age=600", Some(600)),
            ("MAX-AGE=\"60\", must-revalidate", Some(60)),
            ("max-age=60, no-cache", Some(0)),
            ("no-store", Some(0)),
            ("s-maxage=60", None),
            ("max-age=soon", None),
            ("max-age=-1", None),
            ("", None),
        ] {
            assert_eq!(max_age(text), expected.map(Duration::from_secs), "{text}");
        }
    }
}
