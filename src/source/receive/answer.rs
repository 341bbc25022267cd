//! What the sender is answered once its request is stored.

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

use crate::{
    diag::{Collector, Diagnostic},
    verify::{BAD_VALUE, CODES},
    yaml::{Entry, KeyReader, Node},
};

/// Far more than any sender reads.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// The answer to a request that was accepted. Some senders insist on a status or a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200 to 299: anything else would not say that the event is ours now.
    pub status: StatusCode,
    /// There when there is a body.
    pub content_type: Option<HeaderValue>,
    pub body: Bytes,
}

impl Default for Answer {
    /// 200, and no body of its own: the sender is told in JSON what was stored.
    fn default() -> Self {
        Self {
            status: StatusCode::OK,
            content_type: None,
            body: Bytes::new(),
        }
    }
}

/// Reads `answer`.
pub(super) fn read(entry: Option<&Entry>, out: &mut Collector) -> Option<Answer> {
    let Some(entry) = entry else {
        return Some(Answer::default());
    };
    let node = &entry.value;
    let mut keys = KeyReader::new(node, "answer", CODES, out)?;
    let status = match keys.take("status") {
        None => Some(StatusCode::OK),
        Some(entry) => status(&entry.value, out),
    };
    let content_type = match keys.take("content_type") {
        None => Some(None),
        Some(entry) => content_type(&entry.value, out).map(Some),
    };
    let body = match keys.take("body") {
        None => Some(""),
        Some(entry) => body(&entry.value, out),
    };
    keys.finish(out);
    let (status, content_type, body) = (status?, content_type?, body?);
    let bodyless = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
    let contradiction = if bodyless && !body.is_empty() {
        Some("an answer with this status has no body")
    } else if content_type.is_some() && body.is_empty() {
        Some("a `content_type` says what a body is, but there is no `body`")
    } else {
        None
    };
    if let Some(message) = contradiction {
        out.add(
            Diagnostic::error("recv/contradiction", message).at(node.span, "does not fit together"),
        );
        return None;
    }
    let content_type = content_type.or_else(|| guess(body).map(HeaderValue::from_static));
    Some(Answer {
        status,
        content_type,
        body: Bytes::copy_from_slice(body.as_bytes()),
    })
}

fn guess(body: &str) -> Option<&'static str> {
    if body.is_empty() {
        None
    } else if serde_json::from_str::<serde::de::IgnoredAny>(body).is_ok() {
        Some("application/json")
    } else {
        Some("text/plain; charset=utf-8")
    }
}

fn status(node: &Node, out: &mut Collector) -> Option<StatusCode> {
    let status = node
        .as_text()
        .and_then(|text| text.parse::<StatusCode>().ok())
        .filter(StatusCode::is_success);
    if status.is_none() {
        out.add(
            Diagnostic::error(
                BAD_VALUE,
                "a stored request is answered with a status of 200 to 299",
            )
            .at(node.span, "not such a status")
            .help(
                "senders take other statuses for a refusal, and 410 for a farewell; leave it at 200",
            ),
        );
    }
    status
}

fn content_type(node: &Node, out: &mut Collector) -> Option<HeaderValue> {
    let value = node
        .as_text()
        .filter(|text| text.contains('/'))
        .and_then(|text| HeaderValue::from_str(text).ok());
    if value.is_none() {
        out.add(
            Diagnostic::error(BAD_VALUE, "this is not a content type")
                .at(node.span, "not a content type")
                .help("write something like `application/json` or `text/plain`"),
        );
    }
    value
}

fn body<'a>(node: &'a Node, out: &mut Collector) -> Option<&'a str> {
    let text = node.as_text().filter(|text| text.len() <= MAX_BODY_BYTES);
    if text.is_none() {
        out.add(
            Diagnostic::error(
                CODES.shape,
                format!("`body` takes a text of at most {MAX_BODY_BYTES} bytes"),
            )
            .at(node.span, "not such a text")
            .help("put quotes around JSON: `body: '{\"status\":\"ok\"}'`"),
        );
    }
    text
}
