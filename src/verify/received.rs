//! A request before and after its check.

use std::{fmt, net::IpAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use jiff::Timestamp;

/// A request as it arrived: nobody knows yet who sent it.
///
/// Its `Debug` shows no header, address or body: tokens and personal data are in them.
#[derive(Clone)]
pub struct Received {
    pub method: Method,
    /// As in the request line, such as `/webhooks/crm?key=…`.
    pub path_and_query: String,
    /// The address that the sender was given, with path and query: some sign it.
    pub public_url: String,
    pub headers: HeaderMap,
    /// The raw bytes, whole.
    pub body: Bytes,
    pub received_at: Timestamp,
    pub peer: Peer,
}

/// Who is at the other end, as far as the network shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// That of the connection, or what trusted proxies say of it. Never what the client itself says.
    pub client: IpAddr,
    /// Whether the connection is one of our own proxies', so that what it says in headers counts.
    pub through_trusted_proxy: bool,
}

impl Peer {
    /// Whoever called us without one of our proxies between.
    pub const fn direct(client: IpAddr) -> Self {
        Self {
            client,
            through_trusted_proxy: false,
        }
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("method", &self.method)
            .field("body_bytes", &self.body.len())
            .field("received_at", &self.received_at)
            .finish_non_exhaustive()
    }
}

/// A request that its source really sent, or that came to a source with `verify: none`.
///
/// Only [`Verifier::verify`](super::Verifier::verify) makes one.
#[derive(Clone, Debug)]
pub struct Verified {
    received: Received,
    secret: Option<Arc<str>>,
}

impl Verified {
    pub(super) const fn new(received: Received, secret: Option<Arc<str>>) -> Self {
        Self { received, secret }
    }

    /// With the claims of a token in the place of the body: from here on, what was signed is the event, for mapping,
    /// repetitions and store alike.
    pub(super) fn with_event(mut received: Received, secret: Arc<str>, event: Bytes) -> Self {
        let json = HeaderValue::from_static("application/json");
        received.headers.insert(CONTENT_TYPE, json);
        received.body = event;
        Self::new(received, Some(secret))
    }

    /// The request that was checked. Where the event is what a token says, the body is that, in JSON.
    pub const fn received(&self) -> &Received {
        &self.received
    }

    /// Gives the request back, as [`Verified::received`] has it.
    pub fn into_received(self) -> Received {
        self.received
    }

    /// The name of the secret that matched, never its value; `None` where nothing was checked. During a rotation it
    /// tells whether the old secret is still in use.
    pub fn secret_name(&self) -> Option<&str> {
        self.secret.as_deref()
    }
}
