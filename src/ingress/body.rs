//! Reads a body through a cap, within a time, and within what all bodies together may take of the memory.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::problem::Problem;

/// A body, and its share of the budget for as long as it is held.
pub(super) type Held<'a> = (Bytes, Option<SemaphorePermit<'a>>);

/// Reads the whole body. `budget` has a permit for each byte that bodies may take together; they are taken as the
/// bytes arrive, so that announcing a length costs nobody anything.
///
/// # Errors
/// A length, announced or real, above `limit`; a budget that is used up; a body that is not complete within
/// `timeout`; a body that is not framed as HTTP frames bodies, or whose connection broke.
pub(super) async fn read<'a>(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    timeout: Duration,
    budget: &'a Semaphore,
) -> Result<Held<'a>, Problem> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    let is_too_long = |length: u64| usize::try_from(length).map_or(true, |length| length > limit);
    if announced.is_some_and(is_too_long) {
        return Err(Problem::BodyTooLarge);
    }
    tokio::time::timeout(timeout, collect(body, limit, budget))
        .await
        .unwrap_or(Err(Problem::BodyTimeout))
}

async fn collect(mut body: Body, limit: usize, budget: &Semaphore) -> Result<Held<'_>, Problem> {
    let mut whole: Option<Bytes> = None;
    let mut parts = BytesMut::new();
    let mut share: Option<SemaphorePermit<'_>> = None;
    while let Some(frame) = body.frame().await {
        // Broken framing, or a connection that broke in the middle: then nobody is left to read the answer.
        let Ok(frame) = frame else {
            return Err(Problem::Unreadable);
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let held = whole.as_ref().map_or(parts.len(), Bytes::len);
        if held.saturating_add(data.len()) > limit {
            return Err(Problem::BodyTooLarge);
        }
        let bytes = u32::try_from(data.len()).map_err(|_| Problem::BodyTooLarge)?;
        let more = budget.try_acquire_many(bytes).map_err(|_| Problem::Busy)?;
        match &mut share {
            Some(share) => share.merge(more),
            None => share = Some(more),
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
    Ok((whole.unwrap_or_else(|| parts.freeze()), share))
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

    /// The body, with a limit of 4 bytes and a budget of 8.
    async fn whole(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
        let budget = Semaphore::new(8);
        read(headers, body, 4, MINUTE, &budget)
            .await
            .map(|(body, _)| body)
    }

    #[tokio::test]
    async fn bodies_together_stay_within_the_budget_and_give_it_back() {
        let budget = Semaphore::new(6);
        let none = HeaderMap::new();
        let next = async || read(&none, pieces(&[b"ab", b"cd"]), 4, MINUTE, &budget).await;
        let first = next().await.unwrap();
        assert_eq!(next().await.unwrap_err(), Problem::Busy);
        assert_eq!(
            budget.available_permits(),
            2,
            "what was refused holds nothing"
        );
        drop(first);
        assert_eq!(next().await.unwrap().0, "abcd");
    }

    #[tokio::test]
    async fn bodies_up_to_the_limit_arrive_whole_in_any_number_of_pieces() {
        for parts in [
            &[b"abcd".as_slice()][..],
            &[b"a", b"b", b"", b"cd"],
            &[b"", b"abcd"],
        ] {
            let read = whole(&HeaderMap::new(), pieces(parts)).await;
            assert_eq!(read.unwrap(), "abcd", "{parts:?}");
        }
        assert_eq!(whole(&HeaderMap::new(), Body::empty()).await.unwrap(), "");
    }

    #[tokio::test]
    async fn bodies_above_the_limit_are_refused_whether_they_announce_it_or_not() {
        let read_all = whole(&HeaderMap::new(), pieces(&[b"abc", b"de"])).await;
        assert_eq!(read_all.unwrap_err(), Problem::BodyTooLarge);
        for length in ["5", "18446744073709551615"] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_LENGTH, length.parse().unwrap());
            assert_eq!(
                whole(&headers, Body::empty()).await.unwrap_err(),
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
            whole(&HeaderMap::new(), body).await.unwrap_err(),
            Problem::BodyTimeout
        );
    }
}
