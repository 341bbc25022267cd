//! Writes down which requests of known sources were refused, and why, so that somebody can look at them.
//!
//! Whoever knows an address can have requests refused, tens of thousands a second. So what one costs is bounded: of
//! each source only the first few of a batch are looked at, the others are counted; a batch is written at most once a
//! second, and more rarely while there are more than it takes; the store takes it only when it has time, and keeps the
//! newest of each source. What is lost is counted in the metric `rejected_left_out_total`, as it is in a crash, which
//! loses the batch at hand. Requests of unknown sources are not written down: their names are anybody's choice.
//!
//! Where the source asks for it (`keep_rejected`), requests whose check failed are kept whole for a time; see
//! [`super::late`].

mod facts;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::request;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use self::facts::Marks;
use crate::{
    clock::Clock,
    event::SourceName,
    problem::Problem,
    source::Source,
    store::{KeptRequest, NewRefused, RefusedLimits, RefusedRequests},
    telemetry::{LeftOut, Metrics},
    verify::{Peer, Received, Refusal},
};

/// Requests of one source that a batch takes.
const MOST_OF_A_SOURCE: u32 = 100;
/// The same where they are kept whole: more than an honest sender with the wrong secret sends in a second.
const MOST_KEPT_OF_A_SOURCE: u32 = 500;
/// What whole requests of a source may take in a batch, in bytes, so that a flood on one source leaves room for others.
const KEPT_BYTES_OF_A_SOURCE: u64 = 4 << 20;
/// What they may take of all sources together.
const KEPT_BYTES_OF_A_BATCH: u64 = 16 << 20;
/// The largest request that is kept whole, in bytes.
const LARGEST_KEPT: u64 = 1 << 20;
/// What is kept whole of one source at most.
const KEPT: u32 = 10_000;
const KEPT_BYTES: u64 = 100 << 20;

/// How long a batch is gathered.
const GATHER: Duration = Duration::from_secs(1);
/// How long the next one is gathered after a batch that could not take everything.
const GATHER_IN_A_FLOOD: Duration = Duration::from_secs(5);
/// How often what is too old is removed.
const TIDY_EVERY: Duration = Duration::from_mins(1);

/// What is known of a request when it is refused.
#[derive(Debug)]
pub(super) enum Seen {
    /// Its body was not read to the end.
    Head(Box<request::Parts>, Peer),
    Whole(Box<Received>),
}

/// A refusal to write down.
pub(super) struct Rejection<'a> {
    pub(super) source: &'a Source,
    pub(super) seen: &'a Seen,
    /// The code that log and metric have.
    pub(super) reason: &'static str,
    /// What the sender is answered.
    pub(super) status: u16,
    /// Whether it is an event whose check failed, so that it may be kept whole.
    pub(super) is_unverified: bool,
}

/// Gathers refusals and writes them.
pub(super) struct Recorder {
    store: Arc<dyn RefusedRequests>,
    clock: Clock,
    metrics: Metrics,
    marks: Marks,
    limits: RefusedLimits,
    batch: Mutex<Batch>,
    /// Something was gathered.
    gathered: Notify,
}

/// What the next write takes.
#[derive(Default)]
struct Batch {
    sources: BTreeMap<SourceName, Gathered>,
    kept_bytes: u64,
    is_flood: bool,
}

/// Of one source.
#[derive(Default)]
struct Gathered {
    looked_at: u32,
    kept_bytes: u64,
    rows: Vec<NewRefused>,
}

impl Batch {
    /// Whether there is room for a whole request of a source, and takes it.
    fn takes_whole(&mut self, name: &SourceName, size: u64) -> bool {
        let gathered = self.sources.entry(name.clone()).or_default();
        let of_source = gathered.kept_bytes.saturating_add(size);
        let of_all = self.kept_bytes.saturating_add(size);
        let fits = of_source <= KEPT_BYTES_OF_A_SOURCE && of_all <= KEPT_BYTES_OF_A_BATCH;
        if fits {
            gathered.kept_bytes = of_source;
            self.kept_bytes = of_all;
        }
        fits
    }
}

impl Recorder {
    /// `rows` of each source are kept; 0 writes nothing down. `key` is the store's key for hashes.
    pub(super) fn new(
        store: Arc<dyn RefusedRequests>,
        clock: Clock,
        metrics: Metrics,
        rows: u32,
        key: [u8; 32],
    ) -> Self {
        let is_on = rows > 0;
        Self {
            store,
            clock,
            metrics,
            marks: Marks::new(key),
            limits: RefusedLimits {
                rows,
                kept: if is_on { KEPT } else { 0 },
                kept_bytes: KEPT_BYTES,
            },
            batch: Mutex::default(),
            gathered: Notify::new(),
        }
    }

    #[cfg(test)]
    pub(super) const fn limits(&self) -> RefusedLimits {
        self.limits
    }

    /// Takes a refusal into the next batch, or counts it where that is full. Waits for nothing.
    pub(super) fn record(&self, rejection: &Rejection<'_>) {
        if self.limits.rows == 0 {
            return;
        }
        let name = rejection.source.name();
        let most = if rejection.source.receive().keep_rejected.is_some() {
            MOST_KEPT_OF_A_SOURCE
        } else {
            self.limits.rows.min(MOST_OF_A_SOURCE)
        };
        if !self.takes_one(name, most) {
            self.metrics.rejected_left_out(name, LeftOut::Flood, 1);
            return;
        }
        let now = self.clock.now();
        let kept = self.whole(rejection, now);
        let row = self.marks.row(rejection, kept, now);
        self.put(name, row);
        self.gathered.notify_one();
    }

    /// Whether the batch has room for one more of a source, of which it takes `most`.
    fn takes_one(&self, name: &SourceName, most: u32) -> bool {
        let mut batch = self.batch();
        if !batch.sources.contains_key(name) {
            batch.sources.insert(name.clone(), Gathered::default());
        }
        let Some(gathered) = batch.sources.get_mut(name) else {
            return false;
        };
        if gathered.looked_at >= most {
            batch.is_flood = true;
            return false;
        }
        gathered.looked_at += 1;
        true
    }

    /// The whole request and until when it is kept, where the source wants that and it is not too large.
    fn whole(&self, rejection: &Rejection<'_>, now: Timestamp) -> Option<(KeptRequest, Timestamp)> {
        let keep = rejection.source.receive().keep_rejected?;
        let Seen::Whole(received) = rejection.seen else {
            return None;
        };
        if !rejection.is_unverified {
            return None;
        }
        let request = super::late::keep(received);
        let size = request.size();
        if size > LARGEST_KEPT || !self.batch().takes_whole(rejection.source.name(), size) {
            self.metrics
                .rejected_left_out(rejection.source.name(), LeftOut::Body, 1);
            return None;
        }
        let until = now.checked_add(SignedDuration::try_from(keep).ok()?).ok()?;
        Some((request, until))
    }

    /// Puts a row into the batch, or counts it where an equal one is there.
    fn put(&self, name: &SourceName, row: NewRefused) {
        let mut batch = self.batch();
        let gathered = batch.sources.entry(name.clone()).or_default();
        match gathered.rows.iter_mut().find(|each| each.mark == row.mark) {
            Some(equal) => {
                equal.times += row.times;
                equal.last_at = row.last_at;
            }
            None => gathered.rows.push(row),
        }
    }

    fn batch(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works until it is dropped; what is gathered then is written by [`Recorder::write`].
    pub(super) async fn run(&self) {
        let write = async {
            let mut gather = GATHER;
            loop {
                self.gathered.notified().await;
                self.clock.sleep(gather).await;
                let was_flood = self.write().await;
                gather = if was_flood { GATHER_IN_A_FLOOD } else { GATHER };
            }
        };
        let tidy = async {
            loop {
                let now = self.clock.now();
                if let Err(error) = self.store.tidy_refused(now, self.limits).await {
                    tracing::debug!(error.chain = %error, "rejected requests were not tidied");
                }
                self.clock.sleep(TIDY_EVERY).await;
            }
        };
        let ((), ()) = tokio::join!(write, tidy);
    }

    /// Writes what is gathered; whether it was more than a batch takes.
    pub(super) async fn write(&self) -> bool {
        let batch = std::mem::take(&mut *self.batch());
        let counts: Vec<(SourceName, u64)> = batch
            .sources
            .iter()
            .map(|(name, gathered)| {
                let times = gathered.rows.iter().map(|row| row.times);
                (name.clone(), times.fold(0, u64::saturating_add))
            })
            .collect();
        let rows: Vec<NewRefused> = batch
            .sources
            .into_values()
            .flat_map(|gathered| gathered.rows)
            .collect();
        if rows.is_empty() {
            return batch.is_flood;
        }
        match self.store.record_refused(rows, self.limits).await {
            Ok(()) => {
                for (name, times) in counts {
                    self.metrics.rejected_written(&name, times);
                }
            }
            Err(error) => {
                tracing::debug!(error.chain = %error, "rejected requests were not written down");
                for (name, times) in counts {
                    self.metrics.rejected_left_out(&name, LeftOut::Store, times);
                }
            }
        }
        batch.is_flood
    }
}

/// What would have to change for a kept request to be accepted, where that is more than a mistake in our settings.
pub fn lasting(reason: &str) -> Option<&'static str> {
    let mut all = Refusal::ALL.iter();
    let refusal = all.find(|refusal| refusal.as_str() == reason)?;
    refusal.lasting()
}

/// The codes of refusals, all there are.
pub fn reasons() -> impl Iterator<Item = &'static str> {
    let refusals = Refusal::ALL.iter().map(|refusal| refusal.as_str());
    refusals.chain(Problem::ALL.iter().map(|problem| problem.name()))
}

/// What the code of a refusal means, in a sentence; `None` for a code that is not known any more.
pub fn meaning(reason: &str) -> Option<String> {
    let refusal = Refusal::ALL
        .iter()
        .find(|refusal| refusal.as_str() == reason);
    let problem = Problem::ALL.iter().find(|problem| problem.name() == reason);
    refusal
        .map(ToString::to_string)
        .or_else(|| problem.map(|problem| problem.title().to_owned()))
}
