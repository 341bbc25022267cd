//! What a handshake is answered, and what a text must be like to be repeated in it.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue,
    header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
};

/// The longest text that is repeated, in bytes. The longest known is Microsoft Graph's, of about 150.
pub(super) const MAX_ECHO_BYTES: usize = 1024;

/// The longest token that is signed, in bytes, without its padding.
pub(super) const MAX_TOKEN_BYTES: usize = 256;

/// The answer to a handshake: always 200.
///
/// Its `Debug` shows no header value and no body: a secret may be in them.
#[derive(Clone, PartialEq, Eq)]
pub struct HandshakeAnswer {
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl HandshakeAnswer {
    /// Without a body.
    pub(super) fn empty() -> Self {
        Self {
            headers: HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static("no-store"))]),
            body: Bytes::new(),
        }
    }

    /// A text of the sender's. No browser may take it for a page.
    pub(super) fn text(text: &str) -> Self {
        Self::with_body("text/plain; charset=utf-8", text)
    }

    pub(super) fn json(value: &serde_json::Value) -> Self {
        Self::with_body("application/json", &value.to_string())
    }

    fn with_body(content_type: &'static str, body: &str) -> Self {
        let mut answer = Self::empty();
        let headers = &mut answer.headers;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        answer.body = Bytes::copy_from_slice(body.as_bytes());
        answer
    }
}

impl std::fmt::Debug for HandshakeAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HandshakeAnswer")
            .field("headers", &self.headers.keys())
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// A text that may be repeated: not empty, not long, without control characters.
pub(super) fn repeatable(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_fine = (1..=MAX_ECHO_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
    is_fine.then_some(text)
}

/// A text that may be signed for a stranger: letters, digits, `+ / - _`, and perhaps `=` at its end. No JSON, XML or
/// form with a name in it is written so, and no time stands before a full stop or colon in it.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    let end = bytes
        .iter()
        .rposition(|byte| *byte != b'=')
        .map_or(0, |last| last + 1);
    let (text, padding) = bytes.split_at_checked(end).unwrap_or_default();
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
    (1..=MAX_TOKEN_BYTES).contains(&text.len()) && padding.len() <= 2 && text.iter().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_no_event_is_a_token() {
        for token in ["a", "qgg8vlvZRS6UYooatFL8Aw", "MTIzNA==", "a-b_c+d/e="] {
            assert!(is_token(token.as_bytes()), "{token}");
        }
        for other in [
            "", "=", "a===", "a=b", "a b", "{}", "1.x", "v0:1:x", "<a/>", "a&b", "\"a\"", "ñ",
            "a\n",
        ] {
            assert!(!is_token(other.as_bytes()), "{other:?}");
        }
        assert!(is_token(&[b'a'; MAX_TOKEN_BYTES]));
        assert!(!is_token(&[b'a'; MAX_TOKEN_BYTES + 1]));
    }

    #[test]
    fn what_is_repeated_is_bounded_and_free_of_control_characters() {
        assert_eq!(repeatable("<b>ñ 1".as_bytes()), Some("<b>ñ 1"));
        assert_eq!(
            repeatable(&[b'a'; MAX_ECHO_BYTES]).map(str::len),
            Some(MAX_ECHO_BYTES)
        );
        for other in [
            &b""[..],
            b"a\nb",
            b"a\0",
            b"\xff",
            &[b'a'; MAX_ECHO_BYTES + 1],
        ] {
            assert_eq!(repeatable(other), None);
        }
    }

    #[test]
    fn debug_output_shows_nothing_that_was_said() {
        assert!(!format!("{:?}", HandshakeAnswer::text("s3cret")).contains("s3cret"));
    }
}
