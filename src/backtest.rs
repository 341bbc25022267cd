//! A changed mapping, tried on events that were received: what would be sent differently. Nothing is sent or stored.
//!
//! Stored bodies stay where they are; what comes out are counts, names of fields, and of values only what kind they are
//! and how long, unless somebody asks to see them. One at a time, on a blocking thread, and bounded in events, bytes held
//! and time.

mod compare;
mod report;

use std::{io, sync::Arc, time::Duration};

use tokio::sync::Semaphore;

pub use self::report::{Cut, Difference, Example, FieldCounts, Report, Totals};
use crate::{
    clock::Clock,
    event::{EventSeq, SourceName},
    mapping::{Input, Mapping},
    source::{CheckedSource, Lookup, Source, SourceFile, Sources, Trouble, UnreadableSamples},
    store::{StoreError, StoredRequest, StoredRequests},
};

/// Events that are looked at, at most.
pub const MOST_EVENTS: u32 = 10_000;
/// Events that are read at once.
const PAGE: u32 = 50;
/// How long one may take.
const MOST_TIME: Duration = Duration::from_secs(25);

/// What is tried.
#[derive(Clone, Debug)]
pub struct Wish {
    pub source: SourceName,
    /// The text of the changed file.
    pub text: String,
    /// How many of the latest events.
    pub last: u32,
    /// How many events that differ are shown.
    pub examples: usize,
    /// Whether values are shown.
    pub reveals: bool,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum NoBacktest {
    #[error("another one is running")]
    Busy,
    #[error("no source of this name receives now")]
    NoSource,
    /// One line for each mistake.
    #[error("the changed file has mistakes")]
    Mistakes(Vec<String>),
    #[error("the changed file is that of the source `{0}`")]
    OtherSource(SourceName),
    #[error("mapping met a bug of the gateway; please report it with the file")]
    Bug,
    #[error("the stored events cannot be read")]
    Store(#[source] StoreError),
}

/// Tries mappings. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Backtests {
    sources: Sources,
    requests: Arc<dyn StoredRequests>,
    clock: Clock,
    turn: Arc<Semaphore>,
}

impl Backtests {
    pub fn new(sources: Sources, requests: Arc<dyn StoredRequests>, clock: Clock) -> Self {
        Self {
            sources,
            requests,
            clock,
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Maps the latest events of a source by the file in force and by the changed one, and compares.
    ///
    /// # Errors
    /// See [`NoBacktest`].
    pub async fn run(&self, wish: Wish) -> Result<Report, NoBacktest> {
        let turn = Arc::clone(&self.turn);
        let _turn = turn.try_acquire_owned().map_err(|_| NoBacktest::Busy)?;
        let Lookup::Ready(current) = self.sources.get(&wish.source) else {
            return Err(NoBacktest::NoSource);
        };
        let name = wish.source.clone();
        let changed = off_thread(move || checked(&name, wish.text)).await??;
        let changed = Arc::new(changed.into_mapping());
        let mut report = Report::new(&current, &changed, wish.examples, wish.reveals);
        let deadline = self.clock.elapsed().saturating_add(MOST_TIME);
        let mut left = wish.last.min(MOST_EVENTS);
        let mut before: Option<EventSeq> = None;
        while left > 0 {
            if self.clock.elapsed() >= deadline {
                report.cut = Some(Cut::Time);
                break;
            }
            let page = self
                .requests
                .latest_requests(&wish.source, before, left.min(PAGE))
                .await
                .map_err(NoBacktest::Store)?;
            left -= u32::try_from(page.requests.len()).unwrap_or(left).min(left);
            before = page.next;
            let (old, new) = (Arc::clone(&current), Arc::clone(&changed));
            let clock = self.clock.clone();
            report = off_thread(move || {
                for request in &page.requests {
                    if clock.elapsed() >= deadline {
                        report.cut = Some(Cut::Time);
                        break;
                    }
                    look(&mut report, &old, &new, request);
                }
                report
            })
            .await?;
            if report.cut.is_some() {
                break;
            }
            if before.is_none() {
                report.cut = (left > 0).then_some(Cut::NoMore);
                break;
            }
        }
        Ok(report)
    }
}

/// Runs what may take long; a panic of it is a bug, and is told as one.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NoBacktest> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| NoBacktest::Bug)
}

/// Reads the changed file. The samples of its tests are not here; whoever sends it has run them.
fn checked(source: &SourceName, text: String) -> Result<CheckedSource, NoBacktest> {
    let shown = format!("{source}.yaml");
    let no_samples = |_: &str| Err(io::Error::from(io::ErrorKind::NotFound));
    let file = SourceFile::check(
        &shown,
        source.as_str(),
        text,
        &no_samples,
        UnreadableSamples::Warn,
    );
    match file.checked {
        Some(checked) if checked.name() != source => {
            Err(NoBacktest::OtherSource(checked.name().clone()))
        }
        Some(checked) => Ok(checked),
        None => Err(NoBacktest::Mistakes(
            Trouble::Mistakes(file.findings).lines(),
        )),
    }
}

fn look(report: &mut Report, old: &Source, new: &Mapping, request: &StoredRequest) {
    let input = Input {
        body: &request.body,
        content_type: request.content_type.as_deref(),
        headers: &request.headers,
        now: request.received_at,
    };
    let (was, now) = (old.mapping().map(&input), new.map(&input));
    report.add(request, &compare::compare(&was, &now));
}

#[cfg(test)]
mod tests;
