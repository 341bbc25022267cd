//! What is written down of a refused request: enough to find the mistake, and nothing that a person or a thief could
//! use. Names of headers and of the query's parameters stand there, values only of a few headers that hold neither
//! secrets nor people, and of a signature its form: what was read as one may be a token. Of the network there is the
//! address that the source's settings were asked about. Of the body there is its size, and a hash with the store's own
//! key: a plain hash of a short body could be guessed.

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use jiff::Timestamp;
use sha2::Sha256;

use super::{Rejection, Seen};
use crate::{
    store::{KeptRequest, NewRefused, RequestFacts},
    verify::VerifySettings,
};

/// Headers whose values are shown.
const SHOWN: [HeaderName; 6] = [
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::TRANSFER_ENCODING,
    header::HOST,
    header::USER_AGENT,
];
/// The header that proxies write each address of the way into; only their number is shown.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Bounds on a row.
const MOST_HEADERS: usize = 64;
const MOST_PARAMETERS: usize = 32;
const LONGEST_NAME: usize = 64;
const LONGEST_VALUE: usize = 256;

/// Makes rows, with hashes that only this store makes.
pub(super) struct Marks {
    key: Hmac<Sha256>,
}

impl Marks {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self {
            key: Hmac::new_from_slice(&key).expect("HMAC takes a key of any length"),
        }
    }

    pub(super) fn row(
        &self,
        rejection: &Rejection<'_>,
        kept: Option<(KeptRequest, Timestamp)>,
        now: Timestamp,
    ) -> NewRefused {
        let (facts, at) = self.facts(rejection, now);
        NewRefused {
            source: rejection.source.name().clone(),
            mark: self.mark(rejection, &facts, kept.as_ref().map(|(request, _)| request)),
            first_at: at,
            last_at: at,
            times: 1,
            reason: rejection.reason,
            status: rejection.status,
            facts,
            kept,
        }
    }

    /// What is shown, and when it came.
    fn facts(&self, rejection: &Rejection<'_>, now: Timestamp) -> (RequestFacts, Timestamp) {
        let (method, query, headers, body, peer, at) = match rejection.seen {
            Seen::Head(head, peer) => (
                &head.method,
                head.uri.query(),
                &head.headers,
                None,
                peer,
                now,
            ),
            Seen::Whole(received) => (
                &received.method,
                received
                    .path_and_query
                    .split_once('?')
                    .map(|(_, query)| query),
                &received.headers,
                Some(&received.body),
                &received.peer,
                received.received_at,
            ),
        };
        let verify = &rejection.source.receive().verify;
        let facts = RequestFacts {
            method: shortened(method.as_str(), LONGEST_NAME),
            headers: shown(headers, verify),
            query: parameters(query.unwrap_or_default()),
            body_bytes: body.map(|body| u64::try_from(body.len()).unwrap_or(u64::MAX)),
            body_hash: body.map(|body| hex::encode(self.body_hash(body))),
            client: Some(peer.client),
        };
        (facts, at)
    }

    fn body_hash(&self, body: &Bytes) -> [u8; 16] {
        self.hash("body", &[body])
    }

    /// The same for requests that are refused for the same reason and look the same; where one is kept whole, only for
    /// those that are the same to the byte, so that nobody can take the place of a request of somebody else.
    fn mark(
        &self,
        rejection: &Rejection<'_>,
        facts: &RequestFacts,
        kept: Option<&KeptRequest>,
    ) -> [u8; 16] {
        let status = rejection.status.to_string();
        let client = facts.client.map(|client| client.to_string());
        let mut parts: Vec<&[u8]> = vec![
            rejection.reason.as_bytes(),
            status.as_bytes(),
            facts.method.as_bytes(),
            client.as_deref().unwrap_or_default().as_bytes(),
            facts.body_hash.as_deref().unwrap_or_default().as_bytes(),
        ];
        if let Some(request) = kept {
            parts.push(request.path_and_query.as_bytes());
            parts.push(if request.through_trusted_proxy {
                b"proxy"
            } else {
                b"direct"
            });
            for (name, value) in &request.headers {
                parts.extend([name.as_bytes(), value]);
            }
            return self.hash("whole", &parts);
        }
        let agent = facts
            .headers
            .iter()
            .find(|(name, _)| name == header::USER_AGENT.as_str());
        if let Some((_, Some(agent))) = agent {
            parts.push(agent.as_bytes());
        }
        self.hash("refused", &parts)
    }

    fn hash(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 16] {
        let mut mac = self.key.clone();
        mac.update(b"refused request: ");
        mac.update(purpose.as_bytes());
        for part in parts {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            mac.update(&length.to_be_bytes());
            mac.update(part);
        }
        let mut half = [0; 16];
        for (to, from) in half.iter_mut().zip(mac.finalize().into_bytes()) {
            *to = from;
        }
        half
    }
}

/// Names of headers, and the values of some.
fn shown(headers: &HeaderMap, verify: &VerifySettings) -> Vec<(String, Option<String>)> {
    let value = |name: &HeaderName, value: &HeaderValue| {
        if let Some(form) = verify.signature_form(name, value.as_bytes()) {
            return Some(format!("({form})"));
        }
        if verify.secret_headers().contains(name) {
            return None;
        }
        if name == FORWARDED_FOR {
            let addresses = value.as_bytes().split(|byte| *byte == b',').count();
            return Some(format!("({addresses} in the list)"));
        }
        let is_shown = SHOWN.contains(name)
            || verify.timestamp_header() == Some(name) && is_time(value.as_bytes());
        is_shown.then(|| shortened(&String::from_utf8_lossy(value.as_bytes()), LONGEST_VALUE))
    };
    headers
        .iter()
        .take(MOST_HEADERS)
        .map(|(name, content)| {
            let shown = value(name, content);
            (shortened(name.as_str(), LONGEST_NAME), shown)
        })
        .collect()
}

/// Whether a value has the letters of a time and no others, so that it is nothing else.
fn is_time(value: &[u8]) -> bool {
    let is_of_time = |byte: &u8| byte.is_ascii_digit() || b"TZ:+-.".contains(byte);
    value.len() <= 40 && value.iter().all(is_of_time)
}

/// Names of the query's parameters. What has no value may be a secret itself.
fn parameters(query: &str) -> Vec<String> {
    query
        .split('&')
        .filter(|part| !part.is_empty())
        .take(MOST_PARAMETERS)
        .map(|part| match part.split_once('=') {
            Some((name, _)) => shortened(name, LONGEST_NAME),
            None => "(no name)".to_owned(),
        })
        .collect()
}

/// A text without anything that a terminal obeys, and not too long.
fn shortened(text: &str, most: usize) -> String {
    let mut characters = text
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let mut short: String = characters.by_ref().take(most).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    short
}
