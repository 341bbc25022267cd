//! The task: looks, posts, and keeps what was told.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;

use super::{
    Facts, PostError, Poster,
    book::{Book, Kind, Notice, NoticeState, Subject, Trouble},
    message::message,
};
use crate::{clock::Clock, telemetry::Metrics};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(5);
/// How often it is written down who sent something.
const NOTED_EVERY: Duration = Duration::from_mins(1);
/// Between posts.
const GAP: Duration = Duration::from_secs(10);
/// After a post that failed, doubled each time.
const FIRST_WAIT: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_mins(15);
/// What was told, in the data directory.
const FILE: &str = "notify.json";
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Whoever can say how the gateway stands.
#[async_trait]
pub trait Look: Send + Sync {
    /// How it stands now. Takes no longer than a few reads.
    async fn look(&self) -> Facts;
}

/// Posts on somebody's wish. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Notifications {
    poster: Arc<Poster>,
    clock: Clock,
}

impl Notifications {
    pub fn new(poster: Poster, clock: Clock) -> Self {
        Self {
            poster: Arc::new(poster),
            clock,
        }
    }

    /// Posts a notice that says it is a test.
    ///
    /// # Errors
    /// Why it did not arrive.
    pub async fn test(&self) -> Result<(), PostError> {
        let now = self.clock.now();
        let notice = Notice {
            subject: Subject::of(Kind::Test),
            state: NoticeState::Began,
            trouble: Trouble {
                since: now,
                count: None,
                until: None,
            },
            more: None,
        };
        self.poster.post(&message(&[notice], now), now).await
    }

    /// Where it posts to, without what is secret of it.
    pub fn to(&self) -> String {
        self.poster.settings().url.shown()
    }
}

/// See the module.
pub struct Notifier {
    posts: Notifications,
    look: Arc<dyn Look>,
    metrics: Metrics,
    /// How long before a secret ends it is told.
    warn_before: Duration,
    file: PathBuf,
    book: Book,
    /// What stands in the file, and when it was written, by the clock's elapsed time.
    kept: String,
    kept_at: Duration,
}

impl Notifier {
    /// `data` is the data directory.
    pub fn new(
        posts: Notifications,
        look: Arc<dyn Look>,
        metrics: Metrics,
        warn_before: Duration,
        data: &Path,
    ) -> Self {
        let file = data.join(FILE);
        let book = read(&file);
        Self {
            posts,
            look,
            metrics,
            warn_before,
            file,
            kept: String::new(),
            kept_at: Duration::ZERO,
            book,
        }
    }

    /// Never returns; may be dropped at any moment, which at worst has a notice told once more.
    pub async fn run(mut self) {
        let clock = self.posts.clock.clone();
        let mut wait = FIRST_WAIT;
        loop {
            clock.sleep(EVERY).await;
            let rest = match self.turn().await {
                Ok(false) => continue,
                Ok(true) => {
                    wait = FIRST_WAIT;
                    GAP
                }
                Err(error) => {
                    tracing::warn!(
                        error.chain = chain(&error),
                        retry_s = wait.as_secs(),
                        "a notification was not posted"
                    );
                    let rest = wait;
                    wait = (wait * 2).min(LONGEST_WAIT);
                    rest
                }
            };
            clock.sleep(rest).await;
        }
    }

    /// Looks once, and tells what there is to tell; whether anything was posted.
    async fn turn(&mut self) -> Result<bool, PostError> {
        let facts = self.look.look().await;
        let now = self.posts.clock.now();
        let settings = self.posts.poster.settings();
        let notices = self.book.notices(&facts, settings, self.warn_before, now);
        if notices.is_empty() {
            // Who sent something when may be a little out of date.
            let age = self.posts.clock.elapsed().saturating_sub(self.kept_at);
            if age >= NOTED_EVERY {
                self.keep().await;
            }
            return Ok(false);
        }
        let posted = self.posts.poster.post(&message(&notices, now), now).await;
        self.metrics.notification(posted.is_ok());
        posted?;
        self.book.told(&notices, now);
        self.keep().await;
        Ok(true)
    }

    /// Writes down what was told, where that is new. A disk that is full keeps nobody from being told of it.
    async fn keep(&mut self) {
        let text = serde_json::to_string(&self.book).unwrap_or_default();
        self.kept_at = self.posts.clock.elapsed();
        if text == self.kept {
            return;
        }
        self.kept.clone_from(&text);
        let file = self.file.clone();
        let written = tokio::task::spawn_blocking(move || write(&file, &text)).await;
        if let Ok(Err(error)) = written {
            tracing::debug!(error = %error, "what was told is not kept; a restart tells it again");
        }
    }
}

/// Nothing where there is no such file, or one that cannot be read: then it is told again.
fn read(file: &Path) -> Book {
    let is_small = fs::metadata(file).is_ok_and(|about| about.len() <= MAX_FILE_BYTES);
    let text = if is_small { fs::read(file).ok() } else { None };
    let book = text.and_then(|text| serde_json::from_slice(&text).ok());
    book.unwrap_or_default()
}

/// All of it or nothing.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let new = file.with_extension("json.new");
    fs::write(&new, text)?;
    fs::rename(&new, file)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
