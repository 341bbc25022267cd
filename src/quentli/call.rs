//! One call: sends a request, reads the answer through a cap, and gives either a 2xx [`Answer`] or a [`CallError`].

use jiff::Timestamp;
use reqwest::{RequestBuilder, Response, StatusCode, header::RETRY_AFTER};
use serde_json::Value;

use super::{CallError, CallErrorKind, Customer, retry_after};
use crate::customer::CustomerId;

/// The longest message kept of an answer, in characters.
const MESSAGE_CAP: usize = 500;

/// How much of an answer with an error status is read. Only its message is of interest.
const ERROR_BODY_CAP: usize = 64 * 1024;

/// Sends a request and reads its answer.
///
/// `body_cap` bounds the body of a 2xx in bytes; `key` is cut out of any message that repeats it. The time limit is
/// that of the client the request was made with, and includes reading the body.
pub(super) async fn send(
    request: RequestBuilder,
    body_cap: usize,
    key: &str,
    now: impl FnOnce() -> Timestamp,
) -> Result<Answer, CallError> {
    let mut response = request
        .send()
        .await
        .map_err(|error| without_answer(error, key))?;
    let status = response.status();
    if status.is_success() {
        return match read(&mut response, body_cap).await {
            Ok(body) => serde_json::from_slice(&body)
                .map(|body| Answer { status, body })
                .map_err(|_| not_quentli(status)),
            Err(ReadError::TooLong) => Err(not_quentli(status)),
            Err(ReadError::Cut(error)) => Err(CallError {
                status: Some(status.as_u16()),
                ..without_answer(error, key)
            }),
        };
    }
    let wait = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| retry_after::parse(text, now()));
    // The status has been said; a body that is cut or too long costs only the message.
    let body: Option<Value> = match read(&mut response, ERROR_BODY_CAP).await {
        Ok(body) => serde_json::from_slice(&body).ok(),
        Err(_) => None,
    };
    let kind = match kind_of(status) {
        CallErrorKind::NotFound if !body.as_ref().is_some_and(has_error_object) => {
            CallErrorKind::NotQuentli
        }
        kind => kind,
    };
    Err(CallError {
        kind,
        status: Some(status.as_u16()),
        message: body
            .as_ref()
            .and_then(message_of)
            .map(|text| tidy(text, key)),
        retry_after: wait,
    })
}

/// A 2xx answer: its status and its JSON.
pub(super) struct Answer {
    status: StatusCode,
    pub(super) body: Value,
}

impl Answer {
    /// What `reader` finds in the body; what it does not find was not written by Quentli.
    pub(super) fn read<T>(&self, reader: impl FnOnce(&Value) -> Option<T>) -> Result<T, CallError> {
        reader(&self.body).ok_or_else(|| self.not_quentli())
    }

    /// Lets a customer through that is the one asked for.
    pub(super) fn about(&self, id: &CustomerId, customer: Customer) -> Result<Customer, CallError> {
        if customer.id == *id {
            Ok(customer)
        } else {
            Err(self.not_quentli())
        }
    }

    pub(super) fn not_quentli(&self) -> CallError {
        not_quentli(self.status)
    }
}

/// An answer with this status that is not one of Quentli's.
fn not_quentli(status: StatusCode) -> CallError {
    CallError {
        kind: CallErrorKind::NotQuentli,
        status: Some(status.as_u16()),
        message: None,
        retry_after: None,
    }
}

/// What a status that is not 2xx means.
fn kind_of(status: StatusCode) -> CallErrorKind {
    match status.as_u16() {
        401 => CallErrorKind::Unauthorized,
        403 => CallErrorKind::Forbidden,
        404 => CallErrorKind::NotFound,
        408 | 425 | 500..=599 => CallErrorKind::Unavailable,
        429 => CallErrorKind::Throttled,
        400..=499 => CallErrorKind::Refused,
        _ => CallErrorKind::NotQuentli,
    }
}

/// A call that ended without a whole answer.
fn without_answer(error: reqwest::Error, key: &str) -> CallError {
    let kind = if error.is_connect() {
        CallErrorKind::Connect
    } else {
        CallErrorKind::Interrupted
    };
    // Addresses hold what is searched for.
    let error = error.without_url();
    CallError {
        kind,
        status: None,
        message: Some(tidy(&innermost(&error), key)),
        retry_after: None,
    }
}

/// The text of the last error of the chain, which says what happened (`Connection refused (os error 111)`); those
/// above say only where.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

enum ReadError {
    TooLong,
    Cut(reqwest::Error),
}

async fn read(response: &mut Response, cap: usize) -> Result<Vec<u8>, ReadError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(ReadError::Cut)? {
        if body.len().saturating_add(chunk.len()) > cap {
            return Err(ReadError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn has_error_object(body: &Value) -> bool {
    body.get("error").is_some_and(Value::is_object)
}

/// `error.message` in both documented forms (with and without `issues`), and the two nearest things that other
/// servers write.
fn message_of(body: &Value) -> Option<&str> {
    let error = body.get("error");
    error
        .and_then(|error| error.get("message"))
        .or(error)
        .and_then(Value::as_str)
        .or_else(|| body.get("message").and_then(Value::as_str))
}

/// Makes a foreign text safe to show: one line, without control characters and those that turn the direction of
/// writing, without the key, and short.
fn tidy(text: &str, key: &str) -> String {
    let text = if key.is_empty() {
        text.to_owned()
    } else {
        text.replace(key, "[key]")
    };
    text.chars()
        .map(|c| {
            if matches!(c, '\n' | '\r' | '\t') {
                ' '
            } else {
                c
            }
        })
        .filter(|c| {
            !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        })
        .take(MESSAGE_CAP)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn statuses_are_split_by_what_can_be_done() {
        use CallErrorKind as Kind;
        for (statuses, kind) in [
            (&[401][..], Kind::Unauthorized),
            (&[403], Kind::Forbidden),
            (&[404], Kind::NotFound),
            (&[429], Kind::Throttled),
            (&[408, 425, 500, 502, 503, 504, 507, 599], Kind::Unavailable),
            (
                &[400, 402, 405, 409, 410, 413, 418, 422, 451, 499],
                Kind::Refused,
            ),
            (
                &[100, 101, 300, 301, 302, 304, 307, 308, 600, 999],
                Kind::NotQuentli,
            ),
        ] {
            for status in statuses {
                let status = StatusCode::from_u16(*status).unwrap();
                assert_eq!(kind_of(status), kind, "{status}");
            }
        }
    }

    #[test]
    fn messages_are_found_in_every_form_and_made_safe() {
        for (body, message) in [
            (json!({"error": {"message": "taken"}}), Some("taken")),
            (
                json!({"error": {"message": "taken", "issues": [{"path": ["email"]}]}}),
                Some("taken"),
            ),
            (json!({"error": "taken"}), Some("taken")),
            (json!({"message": "taken"}), Some("taken")),
            (json!({"error": {"message": 7}}), None),
            (json!([]), None),
            (json!(null), None),
        ] {
            assert_eq!(message_of(&body), message, "{body}");
        }
        assert_eq!(
            tidy("a\r\nb\u{1b}[31m\u{202e}\0 sk_secret", "sk_secret"),
            "a  b[31m [key]"
        );
        assert_eq!(tidy(&"ñ".repeat(600), "").chars().count(), 500);
    }
}
