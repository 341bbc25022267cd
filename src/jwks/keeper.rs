//! One address of keys: when it is fetched, and who waits for that.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use url::Url;

use super::{
    FETCH_TIME, PATIENCE, REST,
    fetch::{Client, FetchError},
};
use crate::{
    clock::Clock,
    event::SourceName,
    telemetry::Metrics,
    verify::{KeySet, KeySetHandle},
};

/// How long a set stays fresh where the key server does not say.
const USUAL_AGE: Duration = Duration::from_hours(1);

/// However short it says: a key server is not asked more often by itself.
const SHORTEST_AGE: Duration = Duration::from_mins(5);

/// However long it says: a key that was withdrawn is not trusted for longer.
const LONGEST_AGE: Duration = Duration::from_hours(24);

/// After a fetch that failed; twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// Keeps the set at one address.
pub(super) struct Keeper {
    url: Url,
    clock: Clock,
    metrics: Metrics,
    keys: KeySetHandle,
    served: Mutex<Served>,
    progress: watch::Sender<Progress>,
    wanted: Notify,
}

/// For the metrics.
#[derive(Default)]
struct Served {
    sources: Vec<SourceName>,
    /// When the set in use was fetched.
    fetched_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Default)]
struct Progress {
    is_fetching: bool,
    /// Fetches that began, so also the number of the last of them.
    begun: u64,
    /// The number of the last one that brought keys; 0 before there was one.
    good: u64,
    /// Fetches that ended, well or not.
    ended: u64,
    /// When the last of them ended, by [`Clock::elapsed`].
    ended_at: Duration,
}

impl Progress {
    /// Whether the key server was asked so shortly before that it is left in peace.
    fn is_resting(&self, elapsed: Duration) -> bool {
        self.ended > 0 && elapsed.saturating_sub(self.ended_at) < REST
    }
}

impl Keeper {
    pub(super) fn new(url: Url, clock: Clock, metrics: Metrics) -> Self {
        Self {
            url,
            clock,
            metrics,
            keys: KeySetHandle::default(),
            served: Mutex::default(),
            // The task fetches as its first thing; whoever comes before that waits for it.
            progress: watch::Sender::new(Progress {
                is_fetching: true,
                ..Progress::default()
            }),
            wanted: Notify::new(),
        }
    }

    /// Where the set can be had.
    pub(super) fn keys(&self) -> KeySetHandle {
        self.keys.clone()
    }

    /// For whom it is kept; their names stand in the metrics.
    pub(super) fn serve(&self, sources: Vec<SourceName>) {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.sources = sources;
        for source in &served.sources {
            self.metrics.key_set_fetched_at(source, served.fetched_at);
        }
    }

    /// Fetches for ever.
    pub(super) async fn run(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        let mut is_failing = false;
        loop {
            self.progress.send_modify(|progress| {
                progress.is_fetching = true;
                progress.begun += 1;
            });
            let fetched = tokio::select! {
                fetched = self.fetch() => fetched,
                () = self.clock.sleep(FETCH_TIME) => Err(FetchError::Slow),
            };
            let is_good = fetched.is_ok();
            self.count(is_good);
            let wait = match fetched {
                Ok((set, max_age)) => {
                    self.tell_success(&set, is_failing);
                    self.keys.put(set);
                    (is_failing, pause) = (false, FIRST_PAUSE);
                    max_age
                        .unwrap_or(USUAL_AGE)
                        .clamp(SHORTEST_AGE, LONGEST_AGE)
                }
                Err(error) => {
                    self.tell_failure(&error, is_failing);
                    is_failing = true;
                    let wait = pause;
                    pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
                    wait
                }
            };
            self.progress.send_modify(|progress| {
                progress.is_fetching = false;
                if is_good {
                    progress.good = progress.begun;
                }
                progress.ended += 1;
                progress.ended_at = self.clock.elapsed();
            });
            let due = self.clock.sleep(wait);
            tokio::select! {
                () = due => {}
                () = self.asked() => {}
            }
        }
    }

    async fn fetch(&self) -> Result<(KeySet, Option<Duration>), FetchError> {
        Client::new(&self.url)?.fetch(&self.url).await
    }

    /// Ends when somebody asks for a fetch at a time when there may be one.
    async fn asked(&self) {
        loop {
            self.wanted.notified().await;
            // Two may have asked for the same fetch.
            let progress = *self.progress.borrow();
            if !progress.is_resting(self.clock.elapsed()) {
                return;
            }
        }
    }

    /// Whether a fetch that began after the call brought keys. One that was under way may have been answered before the
    /// key in question was published.
    pub(super) async fn renew(&self) -> bool {
        let mut progress = self.progress.subscribe();
        let now = *progress.borrow_and_update();
        if !now.is_fetching {
            if now.is_resting(self.clock.elapsed()) {
                return false;
            }
            self.wanted.notify_one();
        }
        tokio::select! {
            // The sender lives in `self`, so that waiting cannot fail.
            ended = progress.wait_for(|progress| progress.ended > now.ended) => {
                ended.is_ok_and(|progress| progress.good > now.begun)
            }
            () = self.clock.sleep(PATIENCE) => false,
        }
    }

    fn count(&self, is_good: bool) {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        if is_good {
            served.fetched_at = Some(self.clock.now());
        }
        for source in &served.sources {
            self.metrics.key_set_fetch(source, is_good);
            self.metrics.key_set_fetched_at(source, served.fetched_at);
        }
    }

    fn tell_success(&self, set: &KeySet, was_failing: bool) {
        let (host, keys) = (self.host(), set.len());
        if was_failing {
            tracing::info!(host, keys, "the keys of senders can be fetched again");
        } else if self.keys.current().is_none() {
            tracing::info!(host, keys, "the keys of senders were fetched");
        }
    }

    /// Once for each outage: the metric tells how long it lasts.
    fn tell_failure(&self, error: &FetchError, was_failing: bool) {
        let (host, error) = (self.host(), chain(error));
        match self.keys.current() {
            _ if was_failing => tracing::debug!(host, error.chain = error, "keys not fetched"),
            Some(_) => tracing::warn!(
                host,
                error.chain = error,
                "the keys of senders cannot be fetched; those from before stay in use"
            ),
            None => tracing::error!(
                host,
                error.chain = error,
                "the keys of senders cannot be fetched; their sources answer 503 until they can"
            ),
        }
    }

    /// An address may hold what is nobody's business.
    fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        next = cause.source();
    }
    line
}
