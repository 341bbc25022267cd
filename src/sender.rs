//! The other side of a webhook: sends an event, signed as its source would sign it, or a whole file of events. For trying
//! a source out, for the first load of a school, for the demonstration and for tests; nothing of it lies on the way of a
//! real event.

mod lines;
mod load;
mod pace;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use jiff::Timestamp;
use serde::Deserialize;
use url::Url;

pub use self::{
    lines::{BadLine, Layout, Line, Lines, MAX_EVENT_BYTES},
    load::{Ended, Figures, Load, LoadSettings, Refused, Sign, Step},
    pace::{InvalidRate, Rate},
};
use crate::{
    source::{Source, receive::DedupRule},
    verify::{CannotSign, Outgoing, PrivateKey, Verifier},
};

/// The largest answer that is shown.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// How long an unused connection is kept: shorter than the gateway's `header_timeout` and the keep-alive of common balancers, so
/// that an event is seldom posted into a connection that is just being closed.
const IDLE: Duration = Duration::from_secs(4);

/// A client that posts events. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sender {
    http: reqwest::Client,
}

/// What is to be sent.
#[derive(Clone, Debug)]
pub struct TestEvent {
    /// The sender's number of the event; the same number again is the same event.
    pub id: String,
    /// Those that say what the event is, `Content-Type` among them; the ones that prove it are made when it is signed.
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl TestEvent {
    /// An event without other headers than its content type.
    pub fn new(id: &str, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let content_type = HeaderValue::from_static(content_type);
        Self {
            id: id.to_owned(),
            headers: HeaderMap::from_iter([(header::CONTENT_TYPE, content_type)]),
            body: body.into(),
        }
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// When to come back, where it says so in seconds.
    pub retry_after: Option<Duration>,
    /// At most 64 KiB.
    pub body: String,
}

/// What the gateway's own answer to a stored event says.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Stored {
    /// `accepted` or `duplicate`.
    pub status: String,
    pub event: i64,
    /// Items that were stored, and those that were known.
    #[serde(default)]
    pub new: u64,
    #[serde(default)]
    pub known: u64,
}

impl Answer {
    /// The gateway's own words; `None` for a refusal, or where the source wants an answer of its own.
    pub fn stored(&self) -> Option<Stored> {
        serde_json::from_str(&self.body).ok()
    }
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("cannot sign the event")]
    Sign(#[source] CannotSign),
    #[error("cannot make the client")]
    Client(#[source] reqwest::Error),
    #[error("no answer from {to}")]
    NoAnswer {
        to: String,
        #[source]
        error: reqwest::Error,
    },
}

impl Sender {
    /// # Errors
    /// The system's certificates cannot be read.
    pub fn new() -> Result<Self, SendError> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .connect_timeout(Duration::from_secs(5))
            .pool_idle_timeout(IDLE)
            .no_proxy()
            .user_agent(concat!("quentli-gateway-send/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(SendError::Client)?;
        Ok(Self { http })
    }

    /// Signs and posts an event to the gateway at `gateway`, such as `http://127.0.0.1:8080`. `public` is the address
    /// that the source was given, without a path, for schemes that sign it.
    ///
    /// # Errors
    /// The source's settings have no private side for such an event, or nobody answers.
    pub async fn send(
        &self,
        source: &Source,
        event: &TestEvent,
        gateway: &Url,
        public: &Url,
        now: Timestamp,
    ) -> Result<Answer, SendError> {
        let outgoing = sign(source, event, public, now).map_err(SendError::Sign)?;
        self.post(outgoing, gateway).await
    }

    /// Posts what was signed before, to the same path at another host.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn post(&self, outgoing: Outgoing, gateway: &Url) -> Result<Answer, SendError> {
        let path = path_of(&outgoing.url);
        let to = format!("{}{path}", gateway.as_str().trim_end_matches('/'));
        // The address may hold a token, so messages name the host only.
        let shown = gateway.to_string();
        let failed = |error: reqwest::Error| SendError::NoAnswer {
            to: shown.clone(),
            error: error.without_url(),
        };
        let request = self
            .http
            .request(outgoing.method, to)
            .headers(outgoing.headers)
            .body(outgoing.body);
        let mut response = request.send().await.map_err(failed)?;
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(failed)? {
            let room = MAX_ANSWER_BYTES.saturating_sub(body.len());
            body.extend(piece.iter().take(room));
        }
        Ok(Answer {
            status: response.status().as_u16(),
            retry_after,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }
}

/// The event as its source would send it.
///
/// # Errors
/// The source's settings have no private side for such an event.
pub fn sign(
    source: &Source,
    event: &TestEvent,
    public: &Url,
    now: Timestamp,
) -> Result<Outgoing, CannotSign> {
    sign_by(source, source.verifier(), event, public, now)
}

/// [`sign`] with the secret of a verifier that is not the source's own, as [`Source::verifier_with`] makes one.
///
/// # Errors
/// The source's settings have no private side for such an event.
pub fn sign_by(
    source: &Source,
    verifier: &Verifier,
    event: &TestEvent,
    public: &Url,
    now: Timestamp,
) -> Result<Outgoing, CannotSign> {
    let outgoing = unsigned(source, event, public);
    verifier.sign(outgoing, &event.id, now)
}

/// [`sign`] for a source whose sender signs with a key pair.
///
/// # Errors
/// The source's settings have no private side for such an event, or another key's.
pub fn sign_with(
    source: &Source,
    event: &TestEvent,
    public: &Url,
    now: Timestamp,
    private: &PrivateKey,
) -> Result<Outgoing, CannotSign> {
    let outgoing = unsigned(source, event, public);
    let verifier = source.verifier();
    verifier.sign_with(outgoing, &event.id, now, private)
}

fn unsigned(source: &Source, event: &TestEvent, public: &Url) -> Outgoing {
    let mut headers = event.headers.clone();
    if let DedupRule::Header(name) = &source.receive().dedup {
        set(&mut headers, name, &event.id);
    }
    let url = format!(
        "{}/webhooks/{}",
        public.as_str().trim_end_matches('/'),
        source.name()
    );
    Outgoing {
        method: Method::POST,
        url,
        headers,
        body: event.body.clone(),
    }
}

fn set(headers: &mut HeaderMap, name: &HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn path_of(url: &str) -> &str {
    let after_scheme = url.split_once("://").map_or("", |(_, rest)| rest);
    after_scheme
        .find('/')
        .and_then(|start| after_scheme.get(start..))
        .unwrap_or("/")
}
