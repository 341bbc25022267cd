//! Reads a body through a cap and within a time.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;

use crate::problem::Problem;

/// Reads the whole body.
///
/// # Errors
/// A length, announced or real, above `limit`; a body that is not complete within `timeout`, or whose connection
/// broke. Nothing beyond `limit` is kept in memory.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    timeout: Duration,
) -> Result<Bytes, Problem> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    if announced.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > limit))
    {
        return Err(Problem::BodyTooLarge);
    }
    tokio::time::timeout(timeout, collect(body, limit))
        .await
        .unwrap_or(Err(Problem::BodyTimeout))
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes, Problem> {
    let mut whole: Option<Bytes> = None;
    let mut parts = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // A connection that breaks in the middle of a body: nobody is left to read an answer.
        let Ok(frame) = frame else {
            return Err(Problem::BodyTimeout);
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let held = whole.as_ref().map_or(parts.len(), Bytes::len);
        if held.saturating_add(data.len()) > limit {
            return Err(Problem::BodyTooLarge);
        }
        // A body usually comes in one piece, which need not be copied.
        match whole.take() {
            None if parts.is_empty() => whole = Some(data),
            first => {
                parts.extend_from_slice(&first.unwrap_or_default());
                parts.extend_from_slice(&data);
            }
        }
    }
    Ok(whole.unwrap_or_else(|| parts.freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn pieces(pieces: &[&'static [u8]]) -> Body {
        let frames: Vec<Result<_, std::io::Error>> = pieces
            .iter()
            .map(|piece| Ok(http_body::Frame::data(Bytes::from_static(piece))))
            .collect();
        Body::new(http_body_util::StreamBody::new(futures_util::stream::iter(
            frames,
        )))
    }

    #[tokio::test]
    async fn bodies_up_to_the_limit_arrive_whole_in_any_number_of_pieces() {
        for parts in [
            &[b"abcd".as_slice()][..],
            &[b"a", b"b", b"", b"cd"],
            &[b"", b"abcd"],
        ] {
            let read = read(&HeaderMap::new(), pieces(parts), 4, MINUTE).await;
            assert_eq!(read.unwrap(), "abcd", "{parts:?}");
        }
        assert_eq!(
            read(&HeaderMap::new(), Body::empty(), 4, MINUTE)
                .await
                .unwrap(),
            ""
        );
    }

    #[tokio::test]
    async fn bodies_above_the_limit_are_refused_whether_they_announce_it_or_not() {
        let read_all = read(&HeaderMap::new(), pieces(&[b"abc", b"de"]), 4, MINUTE).await;
        assert_eq!(read_all.unwrap_err(), Problem::BodyTooLarge);
        for length in ["5", "18446744073709551615"] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_LENGTH, length.parse().unwrap());
            assert_eq!(
                read(&headers, Body::empty(), 4, MINUTE).await.unwrap_err(),
                Problem::BodyTooLarge
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let body = Body::new(http_body_util::StreamBody::new(
            futures_util::stream::pending::<Result<http_body::Frame<Bytes>, std::io::Error>>(),
        ));
        assert_eq!(
            read(&HeaderMap::new(), body, 4, MINUTE).await.unwrap_err(),
            Problem::BodyTimeout
        );
    }
}
