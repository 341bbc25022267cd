//! Reloading: whether a new set takes the place of the one in force, and what there is to tell about it.
//!
//! The rule is all or nothing. A new set is read and checked as a whole and takes the place of the old one as a whole;
//! where any file has trouble, the old set stays in force as a whole. One kind of trouble is no hindrance: a file that
//! does not receive now either and has not changed since; a source whose secrets have all come to their end is such a
//! file, too. So a file that was broken at the start does not keep the
//! others from being changed, and still no source that receives ever stops receiving because of a reload, except that
//! its file is removed.
//!
//! [`judge`] decides and does nothing. Those who want a reload ask for it through [`Reloads`]; who answers them reads
//! the other end, [`Desk`].

use std::{error::Error, path::Path, sync::Arc};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use super::set::{LoadError, Set, Trouble, chain};
use crate::event::OrganisationName;

/// Lines that a report holds of each kind; a file can have thousands of mistakes.
const MAX_LINES: usize = 100;

/// Those who wait for a reload at once; more wait to be heard.
const WAITING: usize = 16;

/// What made the gateway look at its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    Start,
    /// What the files hold has changed.
    Change,
    /// Somebody asked another replica.
    Elsewhere,
    /// `SIGHUP`.
    Signal,
    /// `POST /api/v1/reload`.
    Request,
}

impl Trigger {
    /// The word used in logs, metrics and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Change => "change",
            Self::Elsewhere => "elsewhere",
            Self::Signal => "signal",
            Self::Request => "request",
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What the files hold is in force now.
    Loaded,
    /// It was in force already.
    Unchanged,
    /// It cannot be used; what was in force before stays.
    Refused,
}

impl Outcome {
    /// The word used in logs, metrics and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
        }
    }
}

/// What differs between two sets: names of sources, or of files that cannot be one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub added: Vec<String>,
    /// The text, a sample of its tests, a secret, or what is wrong with it.
    pub changed: Vec<String>,
    pub removed: Vec<String>,
}

/// What is to become of a new set.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Unchanged,
    /// It takes the place of the old one.
    Take(Changes),
    /// It does not, for these reasons, one line each.
    Refuse(Vec<String>),
}

/// Decides whether a new set takes the place of the one in force.
pub fn judge(old: &Set, new: &Set) -> Verdict {
    let mut changes = Changes::default();
    let mut hindrances = Vec::new();
    for (path, file) in new.files() {
        let before = old.files().get(path);
        let is_same = before.is_some_and(|before| before.seen == file.seen);
        let trouble = new.trouble(file);
        match before {
            None => changes.added.push(name_of(path)),
            // Time alone can mend and break: a secret that is missing is no trouble after its `until`.
            Some(before) if !is_same || lines(old.trouble(before)) != lines(trouble) => {
                changes.changed.push(name_of(path));
            }
            Some(_) => {}
        }
        let was_idle = before.is_some_and(|before| old.is_idle(before, new.at()));
        match trouble {
            Some(trouble) if !(was_idle && is_same) => hindrances.push(trouble),
            _ => {}
        }
    }
    let gone = old
        .files()
        .keys()
        .filter(|path| !new.files().contains_key(*path));
    changes.removed.extend(gone.map(|path| name_of(path)));
    if !hindrances.is_empty() {
        Verdict::Refuse(hindrances.into_iter().flat_map(Trouble::lines).collect())
    } else if changes == Changes::default() {
        Verdict::Unchanged
    } else {
        Verdict::Take(changes)
    }
}

fn lines(trouble: Option<&Trouble>) -> Vec<String> {
    trouble.map(Trouble::lines).unwrap_or_default()
}

/// The source's name, as far as the file's gives one.
fn name_of(path: &Path) -> String {
    let name = if path.extension().is_some_and(|ending| ending == "yaml") {
        path.file_stem()
    } else {
        path.file_name()
    };
    name.unwrap_or_default().to_string_lossy().into_owned()
}

/// What came of the latest look at the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub at: Timestamp,
    pub trigger: Trigger,
    pub sources: SourcesReport,
    pub keys: KeysReport,
    /// `gateway.yaml` is not what the gateway started with, and is not read again before the next start.
    pub settings_changed: bool,
}

/// What came of the set of sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcesReport {
    pub outcome: Outcome,
    pub changes: Changes,
    /// Where it was refused, why; otherwise what is wrong with the files that still do not receive.
    pub trouble: Vec<String>,
    pub warnings: Vec<String>,
}

/// What came of Quentli's keys that stand in files. Each key is for itself, and none waits for the sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysReport {
    pub outcome: Outcome,
    /// Whose key is a new one.
    pub renewed: Vec<OrganisationName>,
    /// Which keys cannot be read or used, and why; the ones before stay in force.
    pub trouble: Vec<String>,
}

impl Report {
    /// Whether nothing was refused.
    pub fn is_fine(&self) -> bool {
        self.sources.outcome != Outcome::Refused && self.keys.outcome != Outcome::Refused
    }
}

impl SourcesReport {
    /// The set is in force; `trouble` is of files that were left as they are.
    pub fn loaded(set: &Set, changes: Changes) -> Self {
        Self {
            outcome: Outcome::Loaded,
            changes,
            trouble: some(set.troubles().collect()),
            warnings: some(set.warnings().to_vec()),
        }
    }

    /// The set in force holds what the files hold.
    pub fn unchanged(set: &Set) -> Self {
        Self {
            outcome: Outcome::Unchanged,
            ..Self::loaded(set, Changes::default())
        }
    }

    /// There is no new set at all.
    pub fn not_loaded(error: &LoadError) -> Self {
        Self::refused(vec![chain(error)])
    }

    /// The set in force stays.
    pub fn refused(trouble: Vec<String>) -> Self {
        Self {
            outcome: Outcome::Refused,
            changes: Changes::default(),
            trouble: some(trouble),
            warnings: Vec::new(),
        }
    }
}

impl KeysReport {
    /// Nothing was done yet.
    pub const fn unchanged() -> Self {
        Self {
            outcome: Outcome::Unchanged,
            renewed: Vec::new(),
            trouble: Vec::new(),
        }
    }

    /// An organisation has a new key.
    pub fn renewed(&mut self, organisation: &OrganisationName) {
        self.renewed.push(organisation.clone());
        if self.outcome == Outcome::Unchanged {
            self.outcome = Outcome::Loaded;
        }
    }

    /// An organisation's key cannot be read or used; it keeps the one it has.
    pub fn refused(&mut self, organisation: &OrganisationName, error: &dyn Error) {
        self.outcome = Outcome::Refused;
        self.trouble.push(format!(
            "the key of the organisation `{organisation}`: {}",
            chain(error)
        ));
    }
}

/// The first of many lines, and how many are left out.
fn some(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(MAX_LINES);
    if more > 0 {
        lines.truncate(MAX_LINES);
        lines.push(format!("and {more} more"));
    }
    lines
}

/// Asks for reloads, and shows what came of the last one. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reloads {
    ask: mpsc::Sender<Ask>,
    last: watch::Receiver<Arc<Report>>,
}

/// The other end of [`Reloads`].
#[derive(Debug)]
pub struct Desk {
    asks: mpsc::Receiver<Ask>,
    last: watch::Sender<Arc<Report>>,
}

/// Somebody wants a reload.
#[derive(Debug)]
struct Ask {
    trigger: Trigger,
    reply: Option<oneshot::Sender<Arc<Report>>>,
}

/// All who want the next reload: one is enough for them, since it begins after the last of them asked.
#[derive(Debug)]
pub struct Wanted {
    /// The one that is waited for by somebody, where there are several.
    pub trigger: Trigger,
    replies: Vec<oneshot::Sender<Arc<Report>>>,
}

impl Reloads {
    /// Both ends; `start` tells what was loaded at the start.
    pub fn new(start: Report) -> (Self, Desk) {
        let (ask, asks) = mpsc::channel(WAITING);
        let (sender, last) = watch::channel(Arc::new(start));
        (Self { ask, last }, Desk { asks, last: sender })
    }

    /// A signal came. It is not waited for; where others wait to be heard, theirs is the reload it asks for.
    pub fn signalled(&self) {
        let ask = Ask {
            trigger: Trigger::Signal,
            reply: None,
        };
        self.ask.try_send(ask).ok();
    }

    /// Somebody asked another replica. It is not waited for, as with [`Reloads::signalled`].
    pub fn told(&self) {
        let ask = Ask {
            trigger: Trigger::Elsewhere,
            reply: None,
        };
        self.ask.try_send(ask).ok();
    }

    /// Asks for a reload that begins after this call, and waits for what comes of it; `None` where the gateway is
    /// stopping. Cancel-safe: the reload goes on.
    pub async fn request(&self) -> Option<Arc<Report>> {
        let (reply, answer) = oneshot::channel();
        let ask = Ask {
            trigger: Trigger::Request,
            reply: Some(reply),
        };
        self.ask.send(ask).await.ok()?;
        answer.await.ok()
    }

    /// What came of the latest look at the files, at first of the start.
    pub fn last(&self) -> Arc<Report> {
        Arc::clone(&self.last.borrow())
    }
}

impl Desk {
    /// Waits until somebody wants a reload. Cancel-safe.
    pub async fn next(&mut self) -> Wanted {
        let Some(first) = self.asks.recv().await else {
            // Nobody is left who could ask.
            return std::future::pending().await;
        };
        let mut wanted = Wanted::of(Trigger::Change);
        wanted.add(first);
        while let Ok(ask) = self.asks.try_recv() {
            wanted.add(ask);
        }
        wanted
    }

    /// Tells all who wait for it, and all who look later.
    pub fn report(&self, report: Report, wanted: Wanted) {
        let report = Arc::new(report);
        self.last.send_replace(Arc::clone(&report));
        for reply in wanted.replies {
            // Somebody who has gone away needs no answer.
            reply.send(Arc::clone(&report)).ok();
        }
    }
}

impl Wanted {
    /// Nobody waits for it.
    pub const fn of(trigger: Trigger) -> Self {
        Self {
            trigger,
            replies: Vec::new(),
        }
    }

    fn add(&mut self, ask: Ask) {
        self.trigger = self.trigger.max(ask.trigger);
        self.replies.extend(ask.reply);
    }
}

#[cfg(test)]
mod tests;
