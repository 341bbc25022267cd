//! A walk over deliveries, as far as it is the same for every engine: what it is read from, where it begins and ends, and what
//! of it passes a filter.

use jiff::Timestamp;

use super::{ArchiveFilter, DeliveryPlace, Order, StandingFilter};
use crate::{
    customer::CustomerId,
    event::{DeliveryState, EventSeq, OrganisationName, SourceName},
    store::{
        decode::{self, Unreadable},
        rows::millis,
    },
};

/// What the fetching of a whole record counts as, in rows.
pub(in crate::store) const FETCH: u64 = 5;

const HOUR: i64 = 3_600_000;

/// What is read to find the deliveries of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Drive {
    /// All there are.
    All,
    Open,
    Looking,
    Dead,
    Ended,
    /// Those that ended, of one customer; and all that are open.
    Customer,
    EventsOfSource,
}

impl Drive {
    pub(in crate::store) fn of(filter: &ArchiveFilter) -> Self {
        let standing = filter.standing;
        let is_open = matches!(standing, Some(StandingFilter::Open(_)));
        match standing {
            _ if filter.event.is_some() => Self::All,
            Some(StandingFilter::Open(DeliveryState::Dead)) => Self::Dead,
            Some(StandingFilter::Open(DeliveryState::Looking)) => Self::Looking,
            Some(StandingFilter::Open(DeliveryState::Waiting)) => Self::Open,
            _ if filter.customer.is_some() && !is_open => Self::Customer,
            _ if filter.source.is_some() => Self::EventsOfSource,
            Some(StandingFilter::Ended(_)) => Self::Ended,
            None => Self::All,
        }
    }
}

/// Where a walk begins and ends: behind `after`, up to the event `last`.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Stretch {
    pub(in crate::store) order: Order,
    pub(in crate::store) after: (i64, i64, i64),
    pub(in crate::store) last: i64,
}

impl Stretch {
    /// The part of the events from `first` to `last` that is behind `after`.
    pub(in crate::store) fn new(
        order: Order,
        (first, last): (i64, i64),
        after: Option<DeliveryPlace>,
    ) -> Self {
        let after = after.map(|place| {
            (
                place.event.0,
                i64::from(place.item),
                i64::from(place.number),
            )
        });
        match order {
            Order::NewestFirst => {
                let whole = (last, i64::MAX, i64::MAX);
                Self {
                    order,
                    after: after.map_or(whole, |after| after.min(whole)),
                    last: first,
                }
            }
            Order::OldestFirst => {
                let whole = (first, -1, -1);
                Self {
                    order,
                    after: after.map_or(whole, |after| after.max(whole)),
                    last,
                }
            }
        }
    }

    /// The event at which, or behind which, it begins.
    pub(in crate::store) const fn first_event(&self) -> i64 {
        self.after.0
    }

    /// The event at which a list of events begins that goes on behind `after`: the one behind that of `after`.
    pub(in crate::store) fn first_listed(&self, after: Option<DeliveryPlace>) -> i64 {
        let first = self.first_event();
        let is_seen = after.is_some_and(|after| after.event.0 == first);
        match self.order {
            _ if !is_seen => first,
            Order::NewestFirst => first.saturating_sub(1),
            Order::OldestFirst => first.saturating_add(1),
        }
    }

    /// What of it is in one event.
    pub(in crate::store) fn within(self, event: i64) -> Self {
        let whole = match self.order {
            Order::NewestFirst => (event, i64::MAX, i64::MAX),
            Order::OldestFirst => (event, -1, -1),
        };
        let after = match self.order {
            Order::NewestFirst => self.after.min(whole),
            Order::OldestFirst => self.after.max(whole),
        };
        Self {
            after,
            last: event,
            ..self
        }
    }
}

/// How far a walk came.
pub(in crate::store) struct Walked {
    /// Where to go on, unless it came to the end.
    pub(in crate::store) next: Option<DeliveryPlace>,
    pub(in crate::store) looked_at: u64,
}

impl Walked {
    /// Where a list of the events of what was found goes on: an event that is on this page is not on the next one, too.
    pub(in crate::store) fn next_event(
        &self,
        found: &[EventSeq],
        has_more: bool,
        order: Order,
    ) -> Option<DeliveryPlace> {
        match (found.last(), self.next) {
            (Some(last), _) if has_more => Some(DeliveryPlace::end_of(*last, order)),
            (Some(last), Some(next)) if *last == next.event => {
                Some(DeliveryPlace::end_of(*last, order))
            }
            (_, next) => next,
        }
    }
}

/// Collects the events of what a walk finds, each once, up to so many.
pub(in crate::store) struct Events {
    pub(in crate::store) found: Vec<EventSeq>,
    most: usize,
    /// Whether there was another one.
    pub(in crate::store) has_more: bool,
}

impl Events {
    pub(in crate::store) fn up_to(limit: u32) -> Self {
        Self {
            found: Vec::new(),
            most: usize::try_from(limit).unwrap_or(usize::MAX),
            has_more: false,
        }
    }

    /// Whether that is enough.
    pub(in crate::store) fn take(&mut self, event: EventSeq) -> bool {
        if self.found.last() == Some(&event) {
            return false;
        }
        if self.found.len() < self.most {
            self.found.push(event);
            return false;
        }
        self.has_more = true;
        true
    }
}

/// A delivery as far as conditions need it.
#[derive(Clone, Debug)]
pub(in crate::store) struct Candidate {
    pub(in crate::store) place: DeliveryPlace,
    pub(in crate::store) source: String,
    pub(in crate::store) organisation: String,
    pub(in crate::store) standing: StandingFilter,
    /// The code of a dead one, the reason of an ended one.
    pub(in crate::store) reason: Option<String>,
    /// Of one that ended.
    pub(in crate::store) customer: Option<String>,
}

impl Candidate {
    pub(in crate::store) const fn is_open(&self) -> bool {
        matches!(self.standing, StandingFilter::Open(_))
    }

    /// Whether it can pass, before its time and, of an open one, its customer are known.
    pub(in crate::store) fn passes(&self, filter: &ArchiveFilter) -> bool {
        let is = |wanted: Option<&str>, found: &str| wanted.is_none_or(|wanted| wanted == found);
        let customer = filter.customer.as_ref().map(CustomerId::as_str);
        filter.standing.is_none_or(|wanted| wanted == self.standing)
            && is(filter.source.as_ref().map(SourceName::as_str), &self.source)
            && is(
                filter.organisation.as_ref().map(OrganisationName::as_str),
                &self.organisation,
            )
            && filter
                .reason
                .as_ref()
                .is_none_or(|wanted| Some(wanted) == self.reason.as_ref())
            && (customer.is_none() || self.is_open() || customer == self.customer.as_deref())
    }
}

/// A state and an end never have the same word.
pub(in crate::store) fn standing(word: &str) -> Result<StandingFilter, Unreadable> {
    let state = DeliveryState::ALL
        .into_iter()
        .find(|state| state.as_str() == word);
    match state {
        Some(state) => Ok(StandingFilter::Open(state)),
        None => Ok(StandingFilter::Ended(decode::end(word)?)),
    }
}

/// Whether a time of receiving passes. One that is not known any more passes only where none is asked for.
pub(in crate::store) fn is_within(filter: &ArchiveFilter, received_at: Option<Timestamp>) -> bool {
    let since = filter.since.is_none_or(|since| received_at >= Some(since));
    let until = filter
        .until
        .is_none_or(|until| received_at.is_some_and(|at| at < until));
    since && until
}

/// The first and the last number between which every event lies that was received from `since` to before `until`, in
/// whole hours; others may lie there too. `None` where there is no such event. `runs` are the rows of `event_hour`: with which
/// number a run of events begins whose hour, counted from 1970, is the same.
pub(in crate::store) fn range<E>(
    runs: impl IntoIterator<Item = Result<(i64, i64), E>>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Option<(i64, i64)>, E> {
    let first_hour = since.map_or(i64::MIN, |since| millis(since).div_euclid(HOUR));
    let last_hour = until.map_or(i64::MAX, |until| millis(until).div_euclid(HOUR));
    let mut range: Option<(i64, i64)> = None;
    // A run ends where the next one begins.
    let mut is_within = false;
    for run in runs {
        let (first, hour) = run?;
        if let (true, Some((_, end))) = (is_within, &mut range) {
            *end = first - 1;
        }
        is_within = (first_hour..=last_hour).contains(&hour);
        if is_within {
            range = Some((range.map_or(first, |(begin, _)| begin), i64::MAX));
        }
    }
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_leads_to_the_numbers_of_its_hours_however_the_clock_jumped() {
        // Hours of runs that begin with the numbers 1, 11, 21 and 31; the clock jumped back once.
        let runs = [(1, 100), (11, 101), (21, 99), (31, 101)];
        let hour = |hour: i64| Timestamp::from_millisecond(hour * HOUR).ok();
        let range = |since: Option<Timestamp>, until: Option<Timestamp>| {
            let runs = runs.into_iter().map(Ok::<_, std::convert::Infallible>);
            let Ok(range) = range(runs, since, until);
            range
        };
        assert_eq!(range(None, None), Some((1, i64::MAX)));
        assert_eq!(range(hour(101), None), Some((11, i64::MAX)));
        assert_eq!(range(hour(100), hour(100)), Some((1, 10)));
        assert_eq!(range(None, hour(100)), Some((1, 30)));
        assert_eq!(range(hour(102), None), None);
    }

    #[test]
    fn an_event_on_one_page_is_not_on_the_next() {
        let mut events = Events::up_to(2);
        let taken = [7, 7, 8, 8, 9].map(|event| events.take(EventSeq(event)));
        assert_eq!(taken, [false, false, false, false, true]);
        assert_eq!(events.found, [EventSeq(7), EventSeq(8)]);
        assert!(events.has_more);
        let walked = Walked {
            next: Some(DeliveryPlace {
                event: EventSeq(8),
                item: 3,
                number: 0,
            }),
            looked_at: 0,
        };
        let order = Order::OldestFirst;
        let behind = Some(DeliveryPlace::end_of(EventSeq(8), order));
        assert_eq!(walked.next_event(&events.found, false, order), behind);
    }
}
