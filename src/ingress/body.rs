//! Reads a body through a cap, within a time, and within what all bodies together may take of the memory.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::problem::Problem;

/// Nearly all events are smaller than this, and have a part of the budget to themselves.
const SMALL_BODY: usize = 64 * 1024;

/// How long nothing of a body may arrive: somebody who sends most of one and stops holds its memory no longer.
const SILENCE: Duration = Duration::from_secs(5);

/// What all bodies together may take of the memory: a permit for each byte. A quarter is kept for small bodies, so that
/// large ones that never end keep them out no more than they keep out each other.
pub(super) struct Budget {
    small: Semaphore,
    rest: Semaphore,
}

impl Budget {
    /// Of `bytes` in all; what is kept for small bodies leaves room for one of `limit` bytes.
    pub(super) fn new(bytes: usize, limit: usize) -> Self {
        let bytes = bytes.min(Semaphore::MAX_PERMITS);
        let small = (bytes / 4).min(bytes.saturating_sub(limit));
        Self {
            small: Semaphore::new(small),
            rest: Semaphore::new(bytes - small),
        }
    }
}

/// What a body holds of a [`Budget`], until it is dropped.
#[derive(Debug, Default)]
pub(super) struct Share<'a> {
    small: Option<SemaphorePermit<'a>>,
    rest: Option<SemaphorePermit<'a>>,
}

impl<'a> Share<'a> {
    /// Takes what a body needs that grows by `more` bytes to `whole`.
    fn grow(&mut self, budget: &'a Budget, more: usize, whole: usize) -> Result<(), Problem> {
        if self.rest.is_none()
            && whole <= SMALL_BODY
            && take(&budget.small, more, &mut self.small).is_ok()
        {
            return Ok(());
        }
        // One that turns out to be large, or finds the other small ones too many, moves as a whole.
        let needed = if self.rest.is_none() { whole } else { more };
        take(&budget.rest, needed, &mut self.rest)?;
        self.small = None;
        Ok(())
    }
}

fn take<'a>(
    budget: &'a Semaphore,
    bytes: usize,
    share: &mut Option<SemaphorePermit<'a>>,
) -> Result<(), Problem> {
    let bytes = u32::try_from(bytes).map_err(|_| Problem::BodyTooLarge)?;
    let more = budget.try_acquire_many(bytes).map_err(|_| Problem::Busy)?;
    match share {
        Some(share) => share.merge(more),
        None => *share = Some(more),
    }
    Ok(())
}

/// Reads the whole body, and gives its share of the budget for as long as it is held. The share is taken as the bytes
/// arrive, so that announcing a length costs nobody anything.
///
/// # Errors
/// A length, announced or real, above `limit`; a budget that is used up; a body that is not complete within
/// `timeout`, or of which nothing arrives for [`SILENCE`]; a body that is not framed as HTTP frames bodies, or whose
/// connection broke.
pub(super) async fn read<'a>(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    timeout: Duration,
    budget: &'a Budget,
) -> Result<(Bytes, Share<'a>), Problem> {
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

async fn collect(
    mut body: Body,
    limit: usize,
    budget: &Budget,
) -> Result<(Bytes, Share<'_>), Problem> {
    let mut whole: Option<Bytes> = None;
    let mut parts = BytesMut::new();
    let mut share = Share::default();
    loop {
        let frame = match tokio::time::timeout(SILENCE, body.frame()).await {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(_) => return Err(Problem::BodyTimeout),
        };
        // Broken framing, or a connection that broke in the middle: then nobody is left to read the answer.
        let Ok(frame) = frame else {
            return Err(Problem::Unreadable);
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let held = whole.as_ref().map_or(parts.len(), Bytes::len);
        let length = held.saturating_add(data.len());
        if length > limit {
            return Err(Problem::BodyTooLarge);
        }
        share.grow(budget, data.len(), length)?;
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
    use futures_util::StreamExt as _;

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
        let budget = Budget::new(8, 4);
        read(headers, body, 4, MINUTE, &budget)
            .await
            .map(|(body, _)| body)
    }

    #[tokio::test]
    async fn bodies_together_stay_within_the_budget_and_give_it_back() {
        let budget = Budget::new(6, 4);
        let none = HeaderMap::new();
        let next = async || read(&none, pieces(&[b"ab", b"cd"]), 4, MINUTE, &budget).await;
        let first = next().await.unwrap();
        assert_eq!(next().await.unwrap_err(), Problem::Busy);
        assert_eq!(
            budget.small.available_permits() + budget.rest.available_permits(),
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

    #[tokio::test]
    async fn large_bodies_leave_room_for_small_ones() {
        static LARGE: [u8; 3 * SMALL_BODY] = [b'x'; 3 * SMALL_BODY];
        let (small, large) = LARGE.split_at(SMALL_BODY);
        let budget = Budget::new(4 * SMALL_BODY, LARGE.len());
        let none = HeaderMap::new();
        let next = async |parts: &[&'static [u8]]| {
            read(&none, pieces(parts), LARGE.len(), MINUTE, &budget).await
        };
        let first = next(&[small, large]).await.unwrap();
        assert_eq!(next(&[small, b"x"]).await.unwrap_err(), Problem::Busy);
        let second = next(&[small]).await.unwrap();
        assert_eq!(next(&[b"x"]).await.unwrap_err(), Problem::Busy);
        drop(first);
        // What the small ones do not have to themselves is for them, too.
        assert_eq!(next(&[small]).await.unwrap().0.len(), SMALL_BODY);
        drop(second);
    }

    #[tokio::test]
    async fn the_largest_body_fits_into_the_smallest_budget() {
        let budget = Budget::new(8, 8);
        let none = HeaderMap::new();
        let read = read(&none, pieces(&[b"abcdef", b"gh"]), 8, MINUTE, &budget);
        assert_eq!(read.await.unwrap().0, "abcdefgh");
    }

    /// A body of which a piece arrives after each of these waits, and after the last nothing.
    fn slow(waits: &'static [Duration]) -> Body {
        let pieces = futures_util::stream::iter(waits).then(async |wait| {
            tokio::time::sleep(*wait).await;
            Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from_static(b"x")))
        });
        let pieces = pieces.chain(futures_util::stream::pending());
        Body::new(http_body_util::StreamBody::new(Box::pin(pieces)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_is_given_up_soon_and_one_that_never_ends_in_time() {
        const STEP: Duration = Duration::from_secs(4);
        for (waits, limit, expected) in [
            (&[][..], MINUTE, SILENCE),
            (&[STEP, STEP], MINUTE, 2 * STEP + SILENCE),
            (
                &[STEP, STEP, STEP],
                2 * STEP + SILENCE / 2,
                2 * STEP + SILENCE / 2,
            ),
        ] {
            let started = tokio::time::Instant::now();
            let budget = Budget::new(8, 4);
            let read = read(&HeaderMap::new(), slow(waits), 4, limit, &budget).await;
            assert_eq!(read.unwrap_err(), Problem::BodyTimeout);
            let took = started.elapsed();
            assert!(
                took.abs_diff(expected) < Duration::from_millis(10),
                "{took:?}"
            );
        }
    }
}
