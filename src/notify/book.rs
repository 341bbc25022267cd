//! What there is to tell: the troubles of now, compared with those that were told.
//!
//! Pure: it is given the time and the facts, and gives notices; that they were posted is told to it afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Facts, Settings};
use crate::event::SourceName;

/// A trouble that ended and comes back is told again only after this time; so is a number that goes on growing.
const QUIET: SignedDuration = SignedDuration::from_mins(15);
/// A trouble that goes on is told again.
const REMIND: SignedDuration = SignedDuration::from_hours(24);
/// Troubles that are remembered: more than there are organisations, sources and secrets, by far.
const MOST_TROUBLES: usize = 1000;

/// What somebody is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Quentli does not take an organisation's key.
    KeyRefused,
    /// Deliveries need a person.
    Dead,
    /// Something waits for too long.
    OldestWaiting,
    /// A secret or certificate of a sender is about to end.
    SecretEnds,
    /// Nothing came from a source for too long.
    SourceSilent,
    /// The store cannot write, so events are refused.
    StoreNotWritable,
    /// Somebody tries whether this arrives.
    Test,
}

impl Kind {
    /// The word used in what is posted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeyRefused => "key-refused",
            Self::Dead => "dead",
            Self::OldestWaiting => "oldest-waiting",
            Self::SecretEnds => "secret-ends",
            Self::SourceSilent => "source-silent",
            Self::StoreNotWritable => "store-not-writable",
            Self::Test => "test",
        }
    }
}

/// Which trouble: its kind, and the organisation or source, and the secret, that it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Subject {
    pub(super) kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) organisation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<String>,
}

impl Subject {
    pub(super) const fn of(kind: Kind) -> Self {
        Self {
            kind,
            organisation: None,
            source: None,
            secret: None,
        }
    }

    fn of_source(kind: Kind, source: &SourceName) -> Self {
        Self {
            source: Some(source.to_string()),
            ..Self::of(kind)
        }
    }
}

/// How a trouble stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) since: Timestamp,
    /// How many deliveries, for those that are counted.
    pub(super) count: Option<u64>,
    /// When the secret ends.
    pub(super) until: Option<Timestamp>,
}

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) subject: Subject,
    pub(super) state: NoticeState,
    pub(super) trouble: Trouble,
    /// How many more than were told.
    pub(super) more: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum NoticeState {
    Began,
    GoesOn,
    Over,
}

/// What was told, and what must be known to tell the next.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Book {
    told: Vec<Told>,
    sources: BTreeMap<String, Seen>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Told {
    subject: Subject,
    since: Timestamp,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    /// Whether its end was told, too; then it is only known to keep quiet.
    is_over: bool,
}

/// The requests of a source, and when their number was last seen to change.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Seen {
    requests: u64,
    at: Timestamp,
}

impl Book {
    /// What is to be told now.
    pub(super) fn notices(
        &mut self,
        facts: &Facts,
        settings: &Settings,
        warn_before: Duration,
        now: Timestamp,
    ) -> Vec<Notice> {
        self.see(facts, now);
        let troubles = self.troubles(facts, settings, warn_before, now);
        self.lower(&troubles);
        let begun = troubles
            .iter()
            .filter_map(|(subject, trouble)| self.begun(subject, *trouble, now));
        let mut notices: Vec<Notice> = begun.take(MOST_TROUBLES).collect();
        // Where the store cannot be asked, nobody knows whether anything of it is over.
        let is_known = |told: &&Told| facts.dead.is_some() || told.subject.kind != Kind::Dead;
        let over = self
            .told
            .iter()
            .filter(|told| !told.is_over)
            .filter(is_known);
        let over = over.filter(|told| !troubles.contains_key(&told.subject));
        // A secret that has ended as it should is no news.
        let over = over.filter(|told| told.until.is_none_or(|until| now < until));
        // Nobody wants to hear of its silence any more, which does not mean that it sends.
        let is_watched = |told: &&Told| {
            let source = told.subject.source.as_deref();
            told.subject.kind != Kind::SourceSilent
                || settings
                    .silent
                    .keys()
                    .any(|name| Some(name.as_str()) == source)
        };
        notices.extend(over.filter(is_watched).map(|told| Notice {
            subject: told.subject.clone(),
            state: NoticeState::Over,
            trouble: Trouble {
                since: told.since,
                count: None,
                until: told.until,
            },
            more: None,
        }));
        notices
    }

    /// These were posted.
    pub(super) fn told(&mut self, notices: &[Notice], now: Timestamp) {
        for notice in notices {
            self.told.retain(|told| told.subject != notice.subject);
            self.told.push(Told {
                subject: notice.subject.clone(),
                since: notice.trouble.since,
                at: now,
                count: notice.trouble.count,
                until: notice.trouble.until,
                is_over: notice.state == NoticeState::Over,
            });
        }
        self.told.retain(|told| {
            let is_old = now.duration_since(told.at) > QUIET && told.is_over;
            let has_ended = told.until.is_some_and(|until| until <= now);
            !is_old && !has_ended
        });
        let too_many = self.told.len().saturating_sub(MOST_TROUBLES);
        self.told.drain(..too_many);
    }

    /// What was dealt with is not counted against what comes after it.
    fn lower(&mut self, troubles: &BTreeMap<Subject, Trouble>) {
        for told in &mut self.told {
            let now = troubles.get(&told.subject).and_then(|now| now.count);
            if let (Some(before), Some(now)) = (&mut told.count, now) {
                *before = now.min(*before);
            }
        }
    }

    /// Takes note of who sent something.
    fn see(&mut self, facts: &Facts, now: Timestamp) {
        let known: BTreeSet<&str> = facts.requests.keys().map(SourceName::as_str).collect();
        self.sources.retain(|name, _| known.contains(name.as_str()));
        for (name, requests) in &facts.requests {
            let seen = Seen {
                requests: *requests,
                at: now,
            };
            let known = self.sources.entry(name.to_string()).or_insert(seen);
            if known.requests != *requests {
                *known = seen;
            }
        }
    }

    fn troubles(
        &self,
        facts: &Facts,
        settings: &Settings,
        warn_before: Duration,
        now: Timestamp,
    ) -> BTreeMap<Subject, Trouble> {
        let mut troubles = BTreeMap::new();
        let plain = |since| Trouble {
            since,
            count: None,
            until: None,
        };
        for (organisation, since) in &facts.keys_refused {
            let subject = Subject {
                organisation: Some(organisation.to_string()),
                ..Subject::of(Kind::KeyRefused)
            };
            troubles.insert(subject, plain(*since));
        }
        for (organisation, since) in &facts.oldest_waiting {
            let subject = Subject {
                organisation: Some(organisation.to_string()),
                ..Subject::of(Kind::OldestWaiting)
            };
            if is_longer(*since, now, settings.oldest_waiting) {
                troubles.insert(subject, plain(*since));
            }
        }
        if let Some(dead) = facts.dead.filter(|dead| *dead > 0) {
            let subject = Subject::of(Kind::Dead);
            let known = self.known(&subject).filter(|told| !told.is_over);
            let trouble = Trouble {
                since: known.map_or(now, |told| told.since),
                count: Some(dead),
                until: None,
            };
            troubles.insert(subject, trouble);
        }
        let warn_before = SignedDuration::try_from(warn_before).unwrap_or(SignedDuration::MAX);
        for (source, secret, until) in &facts.secret_ends {
            let subject = Subject {
                secret: Some(secret.clone()),
                ..Subject::of_source(Kind::SecretEnds, source)
            };
            if now < *until && until.duration_since(now) <= warn_before {
                let known = self.known(&subject).filter(|told| !told.is_over);
                let trouble = Trouble {
                    since: known.map_or(now, |told| told.since),
                    count: None,
                    until: Some(*until),
                };
                troubles.insert(subject, trouble);
            }
        }
        for (source, limit) in &settings.silent {
            let seen = self.sources.get(source.as_str());
            if let Some(seen) = seen.filter(|seen| is_longer(seen.at, now, *limit)) {
                troubles.insert(
                    Subject::of_source(Kind::SourceSilent, source),
                    plain(seen.at),
                );
            }
        }
        if facts.is_full {
            let subject = Subject::of(Kind::StoreNotWritable);
            let known = self.known(&subject).filter(|told| !told.is_over);
            troubles.insert(subject, plain(known.map_or(now, |told| told.since)));
        }
        troubles
    }

    fn known(&self, subject: &Subject) -> Option<&Told> {
        self.told.iter().find(|told| told.subject == *subject)
    }

    /// What is to be told of a trouble that there is.
    fn begun(&self, subject: &Subject, trouble: Trouble, now: Timestamp) -> Option<Notice> {
        let notice = |state, more| Notice {
            subject: subject.clone(),
            state,
            trouble,
            more,
        };
        let Some(told) = self.known(subject) else {
            return Some(notice(NoticeState::Began, trouble.count));
        };
        let rest = now.duration_since(told.at);
        if told.is_over {
            return (rest > QUIET).then(|| notice(NoticeState::Began, trouble.count));
        }
        let before = told.count.unwrap_or_default();
        let more = trouble.count.map(|count| count.saturating_sub(before));
        let has_grown = more.is_some_and(|more| more > 0) && rest > QUIET;
        let is_due = rest > REMIND && subject.kind != Kind::SecretEnds;
        (has_grown || is_due).then(|| notice(NoticeState::GoesOn, more))
    }
}

fn is_longer(since: Timestamp, now: Timestamp, limit: Duration) -> bool {
    let limit = SignedDuration::try_from(limit).unwrap_or(SignedDuration::MAX);
    now.duration_since(since) > limit
}
