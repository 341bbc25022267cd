//! When the list of customers is read, and what follows from each page.
//!
//! One page is asked for at a time, no two pages sooner after one another than two requests by the organisation's
//! rate, so that at least half of a quiet line stays free; while other requests wait, `gate` gives pages less. A page
//! that fails is asked for again after a wait that grows, from where the reading was: how a walk goes on does not
//! depend on how long it stood still.
//!
//! Times are [`Clock::elapsed`](crate::clock::Clock::elapsed).

use std::time::Duration;

use super::walk::{Page, Walk, Walked};
use crate::{
    delivery::{Backoff, Settings},
    event::{LaneKey, OrganisationName},
    quentli::{CallError, CallErrorKind},
};

/// The shortest rest after a scan when deliveries wait for the next one, and when customers are looked for again.
const SHORT_REST: Duration = Duration::from_secs(10);
const LONG_REST: Duration = Duration::from_mins(10);
/// For the rest when customers are looked for again: so many times what the scan took.
const LONG_REST_SHARE: u32 = 5;
/// How often a scan tells how far it is.
const TELL: Duration = Duration::from_mins(1);
/// The wait after a scan that came to nothing.
const AFTER_NOTHING: Duration = Duration::from_mins(10);

/// Who wants a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::delivery) enum Wish {
    /// Nobody needs one.
    Never,
    /// Only age asks for one.
    Age,
    /// Customers that were not found are looked for again.
    Soon,
    /// Deliveries wait for it.
    Now,
    /// A key was never scanned for.
    First,
}

/// The scan of one organisation, under way or to come.
#[derive(Debug)]
pub(in crate::delivery) struct Scan {
    organisation: OrganisationName,
    refresh: Duration,
    page_rest: Duration,
    retry: Backoff,
    running: Option<Running>,
    last: Option<Last>,
    /// After a scan that came to nothing none begins before.
    not_before: Duration,
    came_to_nothing: bool,
}

#[derive(Debug)]
struct Running {
    walk: Walk,
    began: Duration,
    page_at: Duration,
    /// A page was asked for and is not here yet.
    is_asking: bool,
    /// Failures in a row.
    failures: u32,
    told_at: Duration,
    /// Some customer showed metadata, if only that there is none.
    shows_metadata: bool,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    began: Duration,
    ended: Duration,
}

/// What a page was.
#[derive(Debug)]
pub(in crate::delivery) struct PageRead {
    pub(in crate::delivery) customers: Vec<LaneKey>,
    pub(in crate::delivery) shows_metadata: bool,
}

/// What follows from a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::delivery) enum Follows {
    Nothing,
    /// Everybody was read.
    Complete {
        customers: usize,
        took: Duration,
    },
    /// The scan is to be forgotten.
    Nought,
}

impl Scan {
    pub(in crate::delivery) fn new(organisation: OrganisationName, settings: &Settings) -> Self {
        Self {
            organisation,
            refresh: settings.directory_refresh,
            page_rest: (Duration::from_secs(1) / settings.rate.get()).saturating_mul(2),
            retry: settings.policy.retry,
            running: None,
            last: None,
            not_before: Duration::ZERO,
            came_to_nothing: false,
        }
    }

    pub(in crate::delivery) const fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether the last scan gave nothing that could be relied on.
    pub(in crate::delivery) const fn came_to_nothing(&self) -> bool {
        self.came_to_nothing
    }

    /// Other keys are asked for: what hindered a scan before may be gone.
    pub(in crate::delivery) fn hurry(&mut self) {
        self.not_before = Duration::ZERO;
    }

    /// Customers that the scan under way has read.
    pub(in crate::delivery) fn customers(&self) -> Option<usize> {
        self.running
            .as_ref()
            .map(|running| running.walk.customers())
    }

    /// When there is a page to ask for or a scan to begin; `None` while one is on its way or nobody wants any.
    pub(in crate::delivery) fn next_at(&self, wish: Wish) -> Option<Duration> {
        if let Some(running) = &self.running {
            return (!running.is_asking).then_some(running.page_at);
        }
        let rest = |shortest: Duration, times: u32| {
            self.last.map_or(Duration::ZERO, |last| {
                let took = last.ended.saturating_sub(last.began);
                last.ended
                    .saturating_add(took.saturating_mul(times).max(shortest))
            })
        };
        let by_age = (!self.refresh.is_zero()).then(|| rest(self.refresh, 0));
        let at = match wish {
            Wish::Never => None,
            Wish::Age => by_age,
            Wish::Soon => {
                let soon = rest(LONG_REST, LONG_REST_SHARE);
                Some(by_age.map_or(soon, |by_age| by_age.min(soon)))
            }
            Wish::Now => Some(rest(SHORT_REST, 1)),
            Wish::First => Some(Duration::ZERO),
        };
        at.map(|at| at.max(self.not_before))
    }

    /// Begins a scan.
    pub(in crate::delivery) fn begin(&mut self, now: Duration) {
        tracing::info!(organisation = %self.organisation, "the list of customers is read for the directory");
        self.running = Some(Running {
            walk: Walk::new(),
            began: now,
            page_at: now,
            is_asking: false,
            failures: 0,
            told_at: now,
            shows_metadata: false,
        });
    }

    /// The page to ask for now.
    pub(in crate::delivery) fn ask(&mut self) -> Option<Page> {
        let running = self.running.as_mut().filter(|running| !running.is_asking)?;
        running.is_asking = true;
        Some(running.walk.next())
    }

    /// Nobody needs the scan any more.
    pub(in crate::delivery) fn stop(&mut self) {
        self.running = None;
    }

    /// A page could not be asked for, through no fault of its own.
    pub(in crate::delivery) fn given_back(&mut self) {
        if let Some(running) = &mut self.running {
            running.is_asking = false;
        }
    }

    /// A page did not come; `random` is drawn evenly from 0 to 1.
    pub(in crate::delivery) fn failed(&mut self, error: &CallError, now: Duration, random: f64) {
        let Some(running) = &mut self.running else {
            return;
        };
        running.is_asking = false;
        let wait = self.retry.wait(running.failures, random);
        let wait = wait.max(error.retry_after.unwrap_or_default());
        running.page_at = now.saturating_add(wait.max(self.page_rest));
        running.failures = running.failures.saturating_add(1);
        let may_be_size = matches!(
            error.kind,
            CallErrorKind::Interrupted | CallErrorKind::NotQuentli | CallErrorKind::Unavailable
        );
        if may_be_size && running.failures.is_multiple_of(2) {
            running.walk.take_less();
        }
        // Quentli's message is left out: it may quote values.
        tracing::warn!(
            organisation = %self.organisation,
            error.kind = error.kind.as_str(),
            http.status = error.status,
            failures = running.failures,
            customers = running.walk.customers(),
            "a page of the list of customers did not come; it is asked for again"
        );
    }

    /// A page came.
    pub(in crate::delivery) fn read(&mut self, page: &PageRead, now: Duration) -> Follows {
        let Some(running) = &mut self.running else {
            return Follows::Nothing;
        };
        running.is_asking = false;
        running.failures = 0;
        running.page_at = now.saturating_add(self.page_rest);
        running.shows_metadata |= page.shows_metadata;
        match running.walk.read(&page.customers) {
            Walked::On => {
                if now.saturating_sub(running.told_at) >= TELL {
                    running.told_at = now;
                    tracing::info!(
                        organisation = %self.organisation,
                        customers = running.walk.customers(),
                        "reading the list of customers"
                    );
                }
                Follows::Nothing
            }
            Walked::Through if running.shows_metadata || running.walk.customers() == 0 => {
                let (customers, began) = (running.walk.customers(), running.began);
                self.last = Some(Last { began, ended: now });
                self.running = None;
                self.came_to_nothing = false;
                Follows::Complete {
                    customers,
                    took: now.saturating_sub(began),
                }
            }
            Walked::Through => self.nought(
                now,
                "the list of customers shows no metadata, so nobody can be found by it",
            ),
            Walked::Lost => self.nought(
                now,
                "the list of customers cannot be relied on: read several times, it does not show as many as it holds",
            ),
        }
    }

    /// There are more customers with metadata than the directory may hold.
    pub(in crate::delivery) fn overflowed(&mut self, limit: usize, now: Duration) {
        self.running = None;
        self.not_before = now.saturating_add(self.refresh.max(AFTER_NOTHING));
        tracing::error!(
            organisation = %self.organisation,
            limit,
            "the directory is full: more customers have the metadata that mappings look for than \
             `limits.directory` allows; deliveries that need it wait until it is raised"
        );
    }

    fn nought(&mut self, now: Duration, why: &'static str) -> Follows {
        self.running = None;
        self.came_to_nothing = true;
        self.not_before = now.saturating_add(AFTER_NOTHING);
        tracing::error!(organisation = %self.organisation, "{why}; deliveries that need the directory wait");
        Follows::Nought
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);
    const HOUR: Duration = Duration::from_hours(1);

    fn scan() -> Scan {
        Scan::new(OrganisationName::default_name(), &Settings::default())
    }

    fn page(customers: usize) -> PageRead {
        let customers = (0..customers).map(|number| LaneKey::of("id", &number.to_string()));
        PageRead {
            customers: customers.collect(),
            shows_metadata: true,
        }
    }

    /// A scan that took `took` and has just ended.
    fn ended(took: Duration) -> Scan {
        let mut scan = scan();
        scan.begin(Duration::ZERO);
        scan.ask().unwrap();
        let complete = Follows::Complete { customers: 5, took };
        assert_eq!(scan.read(&page(5), took), complete);
        scan
    }

    #[test]
    fn a_scan_rests_the_longer_the_longer_it_takes_and_the_less_it_is_needed() {
        for (took, wish, rest) in [
            (MINUTE, Wish::Never, None),
            (MINUTE, Wish::Age, Some(HOUR * 6)),
            (MINUTE, Wish::Soon, Some(MINUTE * 10)),
            (MINUTE * 20, Wish::Soon, Some(MINUTE * 100)),
            (MINUTE / 30, Wish::Now, Some(MINUTE / 6)),
            (MINUTE * 20, Wish::Now, Some(MINUTE * 20)),
        ] {
            let due = ended(took).next_at(wish);
            assert_eq!(
                due.map(|due| due.saturating_sub(took)),
                rest,
                "{took:?} {wish:?}"
            );
        }
        assert_eq!(ended(HOUR).next_at(Wish::First), Some(Duration::ZERO));
        assert_eq!(
            scan().next_at(Wish::Now),
            Some(Duration::ZERO),
            "the first is due at once"
        );
    }

    #[test]
    fn pages_leave_at_half_the_rate_at_most_and_one_at_a_time() {
        let mut scan = scan();
        scan.begin(MINUTE);
        assert_eq!(scan.ask(), Some(Page { skip: 0, take: 100 }));
        assert_eq!((scan.ask(), scan.next_at(Wish::Now)), (None, None));
        assert_eq!(scan.read(&page(100), MINUTE), Follows::Nothing);
        assert_eq!(
            scan.next_at(Wish::Now),
            Some(MINUTE + Duration::from_millis(400))
        );
        assert_eq!(
            scan.ask(),
            Some(Page {
                skip: 99,
                take: 100
            })
        );
    }

    #[test]
    fn a_page_that_fails_is_asked_for_again_later_and_later_and_then_in_smaller_pieces() {
        let mut scan = scan();
        scan.begin(Duration::ZERO);
        let error = |kind, retry_after| CallError {
            kind,
            status: None,
            message: None,
            retry_after,
        };
        let mut waits = Vec::new();
        for _ in 0..4 {
            let asked = scan.ask().unwrap();
            scan.failed(&error(CallErrorKind::Unavailable, None), MINUTE, 1.0);
            let due = scan.next_at(Wish::Now).unwrap().saturating_sub(MINUTE);
            waits.push((asked.take, due.as_secs()));
        }
        assert_eq!(waits, [(100, 1), (100, 2), (50, 4), (50, 8)]);
        scan.ask().unwrap();
        scan.failed(&error(CallErrorKind::Throttled, Some(HOUR)), MINUTE, 0.0);
        assert_eq!(scan.next_at(Wish::Now), Some(MINUTE + HOUR));
    }

    #[test]
    fn a_list_that_shows_no_metadata_proves_nothing() {
        let mut scan = scan();
        scan.begin(Duration::ZERO);
        scan.ask().unwrap();
        let blind = PageRead {
            shows_metadata: false,
            ..page(5)
        };
        assert_eq!(scan.read(&blind, MINUTE), Follows::Nought);
        assert!(scan.came_to_nothing());
        assert_eq!(scan.next_at(Wish::First), Some(MINUTE * 11));
        scan.begin(MINUTE * 11);
        scan.ask().unwrap();
        let nobody = PageRead {
            shows_metadata: false,
            ..page(0)
        };
        let complete = Follows::Complete {
            customers: 0,
            took: Duration::ZERO,
        };
        assert_eq!(scan.read(&nobody, MINUTE * 11), complete);
    }

    #[test]
    fn a_directory_that_is_full_is_not_filled_again_at_once() {
        let mut scan = scan();
        scan.begin(Duration::ZERO);
        scan.overflowed(5, MINUTE);
        assert_eq!(scan.next_at(Wish::First), Some(HOUR * 6 + MINUTE));
    }
}
