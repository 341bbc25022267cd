//! Problem details (RFC 9457): the catalogue of refusals, and the answer made of one.
//!
//! A sender is told only what helps an honest one. The cause of a failed verification, or the error behind a 5xx,
//! goes to our log and metric and never into the answer. Each kind has a page, `docs/problems/<name>.md`, which the
//! gateway serves at the address that `type` names.

use std::time::Duration;

use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

/// A kind of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Problem {
    /// No source of this name.
    UnknownSource,
    /// No such page.
    NotFound,
    /// Webhooks are posted.
    MethodNotAllowed,
    /// The source takes no requests from where this one comes.
    NotAllowed,
    /// The source has taken as many requests as it takes in a time.
    TooManyRequests,
    /// The request is not genuine, whatever the reason.
    NotVerified,
    /// A registration handshake is not as the source wants it.
    HandshakeRefused,
    /// The place of the signature or token cannot be read, so nothing can be verified.
    Unreadable,
    /// The content type cannot hold the signature or token that the source's settings look for.
    UnsupportedMediaType,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The body is larger than the limit.
    BodyTooLarge,
    /// Too many requests are under way.
    Busy,
    /// The source's file has errors.
    SourceUnavailable,
    /// The store cannot write now.
    StoreUnavailable,
    /// The process is starting or stopping.
    NotReady,
    /// A bug of ours.
    Internal,
}

impl Problem {
    pub const ALL: [Self; 16] = [
        Self::UnknownSource,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NotAllowed,
        Self::TooManyRequests,
        Self::NotVerified,
        Self::HandshakeRefused,
        Self::Unreadable,
        Self::UnsupportedMediaType,
        Self::BodyTimeout,
        Self::BodyTooLarge,
        Self::Busy,
        Self::SourceUnavailable,
        Self::StoreUnavailable,
        Self::NotReady,
        Self::Internal,
    ];

    /// The last part of its `type`, also the reason in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownSource => "unknown-source",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::NotAllowed => "not-allowed",
            Self::TooManyRequests => "too-many-requests",
            Self::NotVerified => "not-verified",
            Self::HandshakeRefused => "handshake-refused",
            Self::Unreadable => "unreadable",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::BodyTimeout => "body-timeout",
            Self::BodyTooLarge => "body-too-large",
            Self::Busy => "busy",
            Self::SourceUnavailable => "source-unavailable",
            Self::StoreUnavailable => "store-unavailable",
            Self::NotReady => "not-ready",
            Self::Internal => "internal",
        }
    }

    pub const fn status(self) -> StatusCode {
        match self {
            Self::UnknownSource | Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAllowed | Self::HandshakeRefused => StatusCode::FORBIDDEN,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::NotVerified => StatusCode::UNAUTHORIZED,
            Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy | Self::SourceUnavailable | Self::StoreUnavailable | Self::NotReady => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// One sentence for a person.
    pub const fn title(self) -> &'static str {
        match self {
            Self::UnknownSource => "No source of this name receives webhooks here",
            Self::NotFound => "There is nothing at this address",
            Self::MethodNotAllowed => "This address takes another method",
            Self::NotAllowed => "The source takes no requests from this address",
            Self::TooManyRequests => "The source has taken as many requests as it may for now",
            Self::NotVerified => "The request could not be verified as genuine",
            Self::HandshakeRefused => "The address is not confirmed for this request",
            Self::Unreadable => "The request cannot be read far enough to be verified",
            Self::UnsupportedMediaType => "The content type cannot be verified for this source",
            Self::BodyTimeout => "The body did not arrive in time",
            Self::BodyTooLarge => "The body is larger than this gateway takes",
            Self::Busy => "Too many requests are under way",
            Self::SourceUnavailable => "The source is known but cannot receive now",
            Self::StoreUnavailable => "The event cannot be stored now",
            Self::NotReady => "The gateway is starting or stopping",
            Self::Internal => "The gateway met an error of its own",
        }
    }

    /// How long a sender should wait before it sends the same again, for refusals that pass, unless the case says it more
    /// exactly.
    pub const fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Busy | Self::NotReady => Some(Duration::from_secs(5)),
            Self::StoreUnavailable => Some(Duration::from_secs(30)),
            Self::SourceUnavailable | Self::TooManyRequests => Some(Duration::from_mins(1)),
            _ => None,
        }
    }

    /// The page that explains it.
    pub const fn page(self) -> &'static str {
        match self {
            Self::UnknownSource => include_str!("../docs/problems/unknown-source.md"),
            Self::NotFound => include_str!("../docs/problems/not-found.md"),
            Self::MethodNotAllowed => include_str!("../docs/problems/method-not-allowed.md"),
            Self::NotAllowed => include_str!("../docs/problems/not-allowed.md"),
            Self::TooManyRequests => include_str!("../docs/problems/too-many-requests.md"),
            Self::NotVerified => include_str!("../docs/problems/not-verified.md"),
            Self::HandshakeRefused => include_str!("../docs/problems/handshake-refused.md"),
            Self::Unreadable => include_str!("../docs/problems/unreadable.md"),
            Self::UnsupportedMediaType => {
                include_str!("../docs/problems/unsupported-media-type.md")
            }
            Self::BodyTimeout => include_str!("../docs/problems/body-timeout.md"),
            Self::BodyTooLarge => include_str!("../docs/problems/body-too-large.md"),
            Self::Busy => include_str!("../docs/problems/busy.md"),
            Self::SourceUnavailable => include_str!("../docs/problems/source-unavailable.md"),
            Self::StoreUnavailable => include_str!("../docs/problems/store-unavailable.md"),
            Self::NotReady => include_str!("../docs/problems/not-ready.md"),
            Self::Internal => include_str!("../docs/problems/internal.md"),
        }
    }

    /// The answer. `detail` is for the sender's eyes: what this case adds to the title, or nothing.
    pub fn response<B: From<String>>(self, request_id: &str, detail: Option<&str>) -> Response<B> {
        let body = ProblemBody {
            kind: format!("/problems/{}", self.name()),
            title: self.title(),
            status: self.status().as_u16(),
            detail,
            request_id,
        };
        let text = serde_json::to_string(&body).expect("five plain members serialize");
        let mut response = Response::new(B::from(text));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(wait) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs()));
        }
        match self {
            // RFC 9110, section 15.5.2 wants a challenge; it says nothing about how the source is verified.
            Self::NotVerified => {
                headers.insert(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Signature"),
                );
            }
            // The rest of the body is not read, so the connection cannot be used again.
            Self::BodyTimeout | Self::BodyTooLarge | Self::Busy => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

#[derive(Serialize)]
struct ProblemBody<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    request_id: &'a str,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_problem_has_its_own_name_and_a_page_that_names_it() {
        let names: HashSet<_> = Problem::ALL.iter().map(|problem| problem.name()).collect();
        assert_eq!(names.len(), Problem::ALL.len());
        for problem in Problem::ALL {
            let page = problem.page();
            assert!(
                page.starts_with(&format!("# {}\n", problem.title())),
                "{problem:?}"
            );
            assert!(
                page.contains(&problem.status().as_u16().to_string()),
                "{problem:?}"
            );
        }
    }

    #[test]
    fn what_passes_says_when_to_come_back() {
        for problem in Problem::ALL {
            let response: Response<String> = problem.response("r-1", None);
            let passes = matches!(response.status().as_u16(), 429 | 503);
            assert_eq!(
                response.headers().contains_key(header::RETRY_AFTER),
                passes,
                "{problem:?}"
            );
        }
    }

    #[test]
    fn the_body_follows_rfc_9457() {
        let response: Response<String> =
            Problem::BodyTooLarge.response("r-1", Some("the limit is 1 MiB"));
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        insta::assert_snapshot!(response.body(), @r#"{"type":"/problems/body-too-large","title":"The body is larger than this gateway takes","status":413,"detail":"the limit is 1 MiB","request_id":"r-1"}"#);
    }
}
