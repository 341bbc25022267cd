//! What is wrong with how a sender numbers its events, counted and said: the header or part that numbers one is missing, so
//! that its body stands in; or a number comes again with another body.
//!
//! Neither is refused. The log says each at most once an hour for a source, with how often it was; the metrics count every
//! one. Nothing of the event is said.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use crate::event::{EventSeq, SourceName};

/// How often the same is said of a source.
const TELL_EVERY: Duration = Duration::from_hours(1);

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NumberingFigures {
    /// Requests or items known by their body for want of a number.
    pub by_body: u64,
    pub by_body_at: Option<Timestamp>,
    /// Requests whose number had another body before.
    pub reused: u64,
    pub reused_at: Option<Timestamp>,
}

/// Of one source.
#[derive(Default)]
struct OfSource {
    figures: NumberingFigures,
    by_body_told: Told,
    reused_told: Told,
}

/// When something was last said, by [`crate::clock::Clock::elapsed`], and how often it was since.
#[derive(Default)]
struct Told {
    at: Option<Duration>,
    since: u64,
}

impl Told {
    /// How often it was since it was last said, where it is time to say it.
    fn count(&mut self, more: u64, now: Duration) -> Option<u64> {
        self.since += more;
        if self
            .at
            .is_some_and(|at| now.saturating_sub(at) < TELL_EVERY)
        {
            return None;
        }
        self.at = Some(now);
        Some(std::mem::take(&mut self.since))
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Numbering(Mutex<BTreeMap<SourceName, OfSource>>);

impl Numbering {
    /// `count` requests or items of a source lack what it is told apart by.
    pub(super) fn by_body(&self, source: &SourceName, count: u32, at: Timestamp, now: Duration) {
        let mut sources = self.lock();
        let of = sources.entry(source.clone()).or_default();
        of.figures.by_body += u64::from(count);
        of.figures.by_body_at = Some(at);
        if let Some(times) = of.by_body_told.count(u64::from(count), now) {
            drop(sources);
            tracing::warn!(
                source = source.as_str(),
                times,
                "events come without the header or part that `receive.dedup` names, so only an identical body is known again; \
                 look whether the sender has changed, or name what every event has"
            );
        }
    }

    /// The number of an event came again with another body.
    pub(super) fn reused(
        &self,
        source: &SourceName,
        event: EventSeq,
        at: Timestamp,
        now: Duration,
    ) {
        let mut sources = self.lock();
        let of = sources.entry(source.clone()).or_default();
        of.figures.reused += 1;
        of.figures.reused_at = Some(at);
        if let Some(times) = of.reused_told.count(1, now) {
            drop(sources);
            tracing::warn!(
                source = source.as_str(),
                event.id = event.0,
                times,
                "the id of an event came again with another body, and was taken for the same event; if the sender uses ids again \
                 for other events, `receive.dedup` needs more than this id"
            );
        }
    }

    /// The figures of a source.
    pub(super) fn of(&self, source: &SourceName) -> NumberingFigures {
        self.lock()
            .get(source)
            .map_or_else(NumberingFigures::default, |of| of.figures)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SourceName, OfSource>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_at_once_and_then_once_an_hour_with_how_often_it_was() {
        let minutes = |minutes| Duration::from_mins(minutes);
        let mut told = Told::default();
        let said: Vec<Option<u64>> = [0, 1, 59, 60, 61, 119, 300]
            .into_iter()
            .map(|minute| told.count(2, minutes(minute)))
            .collect();
        assert_eq!(said, [Some(2), None, None, Some(6), None, None, Some(6)]);
    }
}
