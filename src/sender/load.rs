//! A first load: every event of a large file, signed as its source would sign it, at a rate.
//!
//! Several requests are under way at once, but never two of the same customer: what the gateway accepts first it applies
//! first, so the order of the file is kept for everybody. Who an event is about is found out by mapping it here. An event
//! has a number made of its body, so that sending a file again, or a part of it, gives duplicates and changes nothing.
//!
//! What the gateway cannot take now (429, 503 and other trouble that passes) is sent again when it says, and everything
//! waits with it; what it refuses is told with its line, and the rest goes on. [`Load::next`] gives what happens, one step
//! after the other, and [`Figures`] how far it came.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Answer, BadLine, Line, Rate, SendError, Sender, TestEvent, pace::Pace};
use crate::{
    clock::Clock,
    event::LaneKey,
    source::Source,
    verify::{CannotSign, Outgoing},
};

/// Where nothing was accepted and so many are refused, the settings are wrong and not the events.
const REFUSED_AT_FIRST: u64 = 20;
/// Between tries where the gateway does not say when to come back.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The longest of the gateway's own words that is shown.
const MAX_REASON_CHARS: usize = 300;

/// Signs an event as its source would at this time.
pub type Sign =
    Arc<dyn Fn(&TestEvent, Timestamp) -> Result<Outgoing, CannotSign> + Send + Sync + 'static>;

/// How a file is sent.
#[derive(Clone, Debug)]
pub struct LoadSettings {
    /// Where the gateway is.
    pub gateway: Url,
    /// Of every event: its content type, and what says what it is.
    pub headers: HeaderMap,
    pub rate: Rate,
    /// Requests at once; at least 1.
    pub in_flight: usize,
    /// How long the gateway may be away before the load ends.
    pub patience: Duration,
    /// Lines before this one are left out.
    pub from_line: u64,
}

/// How far a load came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub accepted: u64,
    pub duplicate: u64,
    pub refused: u64,
    /// Items of accepted events that were new, and those that were known.
    pub items: u64,
    pub known_items: u64,
    /// Accepted events whose source has an answer of its own, so that nobody can tell whether they were known.
    pub untold: u64,
    /// Bytes of the file up to the last line that was taken.
    pub position: u64,
    /// Requests that had to be sent again.
    pub retried: u64,
}

impl Figures {
    /// Events of which is known what became of them.
    pub const fn done(&self) -> u64 {
        self.accepted + self.duplicate + self.refused
    }
}

/// An event that the gateway did not take, and will not take if it is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub line: u64,
    pub reason: String,
    /// Nothing where it could not be read.
    pub body: Option<Bytes>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Done,
    Refused(Refused),
}

/// Why a load ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every line was sent.
    Whole,
    /// Somebody wanted it to end.
    Stopped,
    /// Nothing was accepted, and the first lines were all refused.
    NothingAccepted,
    /// The gateway was away for too long; why, at the last try.
    Away(String),
    /// No event of this source can be signed here.
    Unsigned(CannotSign),
}

/// See the module.
pub struct Load {
    lines: mpsc::Receiver<Line>,
    worker: Worker,
    source: Arc<Source>,
    settings: LoadSettings,
    stop: CancellationToken,
    tasks: JoinSet<Sent>,
    /// The line whose turn is next, with the lanes of its customers.
    next: Option<(Line, Bytes, Vec<LaneKey>)>,
    /// Lanes with a request under way, and how many.
    lanes: HashMap<LaneKey, usize>,
    /// Lines that were taken and of which nothing is known yet.
    open: BTreeSet<u64>,
    last_taken: u64,
    is_at_end: bool,
    ended: Option<Ended>,
    figures: Figures,
}

/// What a task needs to send one event.
#[derive(Clone)]
struct Worker {
    sender: Sender,
    sign: Sign,
    clock: Clock,
    pace: Arc<Pace>,
    stop: CancellationToken,
}

struct Sent {
    line: u64,
    lanes: Vec<LaneKey>,
    retried: u64,
    outcome: Outcome,
}

enum Outcome {
    Taken(Answer),
    Refused {
        reason: String,
        body: Bytes,
    },
    Away(String),
    Unsigned(CannotSign),
    /// The load was stopped before.
    NotSent,
}

impl Load {
    /// Begins to send what comes through `lines`; nothing happens but in [`Load::next`].
    pub fn new(
        lines: mpsc::Receiver<Line>,
        source: Arc<Source>,
        sign: Sign,
        sender: Sender,
        settings: LoadSettings,
        clock: Clock,
    ) -> Self {
        let stop = CancellationToken::new();
        let pace = Arc::new(Pace::new(clock.clone(), settings.rate));
        Self {
            lines,
            worker: Worker {
                sender,
                sign,
                clock,
                pace,
                stop: stop.clone(),
            },
            source,
            last_taken: settings.from_line.saturating_sub(1),
            settings,
            stop,
            tasks: JoinSet::new(),
            next: None,
            lanes: HashMap::new(),
            open: BTreeSet::new(),
            is_at_end: false,
            ended: None,
            figures: Figures::default(),
        }
    }

    /// Waits for what happens next; `None` when nothing is under way any more. Cancel-safe.
    pub async fn next(&mut self) -> Option<Step> {
        loop {
            self.begin();
            let wants_line = self.next.is_none()
                && !self.is_at_end
                && !self.stop.is_cancelled()
                && self.has_room();
            tokio::select! {
                biased;
                Some(sent) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    if let Some(step) = self.settle(sent) {
                        return Some(step);
                    }
                }
                line = self.lines.recv(), if wants_line => match line {
                    None => self.is_at_end = true,
                    Some(line) => if let Some(step) = self.take(line) {
                        return Some(step);
                    }
                },
                else => return None,
            }
        }
    }

    /// Takes nothing more; what is under way is finished by [`Load::next`].
    pub fn stop(&mut self) {
        self.end(Ended::Stopped);
    }

    pub fn figures(&self) -> Figures {
        self.figures
    }

    /// How long everything waits because the gateway wants it, or does not answer.
    pub fn held(&self) -> Duration {
        self.worker.pace.held()
    }

    /// The first line of which is not known that it arrived: where to go on.
    pub fn first_open(&self) -> u64 {
        let open = self.open.first().copied();
        open.unwrap_or(self.last_taken + 1)
    }

    /// How it ended, when [`Load::next`] has nothing more to give.
    pub fn ended(&self) -> Ended {
        self.ended.clone().unwrap_or(Ended::Whole)
    }

    fn end(&mut self, why: Ended) {
        self.stop.cancel();
        self.ended.get_or_insert(why);
    }

    fn has_room(&self) -> bool {
        self.tasks.len() < self.settings.in_flight.max(1)
    }

    /// Takes a line of the file; a step where that is all that happens to it.
    fn take(&mut self, line: Line) -> Option<Step> {
        self.figures.position = line.end;
        // That the file is not what it should be is told wherever sending begins.
        let is_of_the_file = line.body.as_ref().is_err_and(BadLine::is_of_the_file);
        if line.number < self.settings.from_line && !is_of_the_file {
            return None;
        }
        self.last_taken = self.last_taken.max(line.number);
        let body = line.body.clone().map_err(|error| (error.to_string(), None));
        let body = body.and_then(|body| match self.fault_of(&body) {
            None => Ok(body),
            Some(reason) => Err((reason, Some(body))),
        });
        match body {
            Ok(body) => {
                self.open.insert(line.number);
                let now = self.worker.clock.now();
                let lanes = self.source.lanes_of(&self.settings.headers, &body, now);
                self.next = Some((line, body, lanes));
                None
            }
            Err((reason, body)) => Some(self.refuse(line.number, reason, body)),
        }
    }

    /// Why an event is not worth a request: it would be accepted, and then wait for a person.
    fn fault_of(&self, body: &[u8]) -> Option<String> {
        let kind = self.settings.headers.get(http::header::CONTENT_TYPE);
        let is_json =
            kind.is_some_and(|kind| kind.to_str().is_ok_and(|kind| kind.contains("json")));
        if !is_json {
            return None;
        }
        let read = serde_json::from_slice::<serde::de::IgnoredAny>(body);
        // The error names a place and what was expected there, never a value.
        read.err().map(|error| format!("not JSON: {error}"))
    }

    /// Sends the next line unless a request of one of its customers is under way.
    fn begin(&mut self) {
        let is_free = |lanes: &[LaneKey]| !lanes.iter().any(|lane| self.lanes.contains_key(lane));
        let can_begin = self.has_room() && !self.stop.is_cancelled();
        let Some((line, body, lanes)) = self
            .next
            .take_if(|(_, _, lanes)| can_begin && is_free(lanes))
        else {
            return;
        };
        for lane in &lanes {
            *self.lanes.entry(*lane).or_default() += 1;
        }
        let worker = self.worker.clone();
        let event = TestEvent {
            id: format!("load-{}", id_of(&body)),
            headers: self.settings.headers.clone(),
            body,
        };
        let (gateway, patience) = (self.settings.gateway.clone(), self.settings.patience);
        self.tasks.spawn(async move {
            let mut retried = 0;
            let outcome = worker.send(&event, &gateway, patience, &mut retried).await;
            Sent {
                line: line.number,
                lanes,
                retried,
                outcome,
            }
        });
    }

    fn settle(&mut self, sent: Result<Sent, JoinError>) -> Option<Step> {
        let sent = sent.expect("sending an event does not panic");
        for lane in &sent.lanes {
            if let Some(count) = self.lanes.get_mut(lane) {
                *count -= 1;
                if *count == 0 {
                    self.lanes.remove(lane);
                }
            }
        }
        self.figures.retried += sent.retried;
        match sent.outcome {
            Outcome::Taken(answer) => {
                self.open.remove(&sent.line);
                self.count(&answer);
                Some(Step::Done)
            }
            Outcome::Refused { reason, body } => {
                self.open.remove(&sent.line);
                Some(self.refuse(sent.line, reason, Some(body)))
            }
            Outcome::Away(why) => {
                self.end(Ended::Away(why));
                None
            }
            Outcome::Unsigned(error) => {
                self.end(Ended::Unsigned(error));
                None
            }
            Outcome::NotSent => None,
        }
    }

    fn count(&mut self, answer: &Answer) {
        let figures = &mut self.figures;
        match answer.stored() {
            Some(stored) if stored.status == "duplicate" => figures.duplicate += 1,
            Some(stored) => {
                figures.accepted += 1;
                figures.items += stored.new;
                figures.known_items += stored.known;
            }
            None => {
                figures.accepted += 1;
                figures.untold += 1;
            }
        }
    }

    fn refuse(&mut self, line: u64, reason: String, body: Option<Bytes>) -> Step {
        self.figures.refused += 1;
        let is_all = self.figures.refused == self.figures.done();
        if is_all && self.figures.refused >= REFUSED_AT_FIRST {
            self.end(Ended::NothingAccepted);
        }
        Step::Refused(Refused { line, reason, body })
    }
}

impl Worker {
    /// Sends an event until it is known what became of it, each time signed anew: signatures have a time.
    async fn send(
        &self,
        event: &TestEvent,
        gateway: &Url,
        patience: Duration,
        retried: &mut u64,
    ) -> Outcome {
        let mut wait = FIRST_WAIT;
        let mut away_since = None;
        loop {
            let is_turn = self.stop.run_until_cancelled(self.pace.turn()).await;
            if is_turn.is_none() {
                return Outcome::NotSent;
            }
            let outgoing = match (self.sign)(event, self.clock.now()) {
                Ok(outgoing) => outgoing,
                // What is signed is missing in this event; others may have it.
                Err(error @ (CannotSign::MissingPart(_) | CannotSign::NoRoomInBody(_))) => {
                    return Outcome::Refused {
                        reason: format!("cannot be signed: {error}"),
                        body: event.body.clone(),
                    };
                }
                Err(error) => return Outcome::Unsigned(error),
            };
            let (why, asked) = match self.sender.post(outgoing, gateway).await {
                Ok(answer) if (200..300).contains(&answer.status) => return Outcome::Taken(answer),
                Ok(answer) if passes(answer.status) => (reason_of(&answer), answer.retry_after),
                Ok(answer) => {
                    return Outcome::Refused {
                        reason: reason_of(&answer),
                        body: event.body.clone(),
                    };
                }
                Err(error) => (chain(&error), None),
            };
            let now = self.clock.elapsed();
            let since = *away_since.get_or_insert(now);
            if now.saturating_sub(since) >= patience {
                return Outcome::Away(why);
            }
            *retried += 1;
            self.pace.hold(asked.unwrap_or(wait).min(patience));
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}

/// Whether an answer says that it may be another one later.
const fn passes(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
}

/// Stands for the event, so that the same event is the same when it is sent again.
fn id_of(body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    digest
        .iter()
        .take(16)
        .fold(String::new(), |text, byte| text + &hex::encode([*byte]))
}

/// What the gateway says of a request that it did not take.
fn reason_of(answer: &Answer) -> String {
    #[derive(Deserialize)]
    struct Problem {
        title: String,
        detail: Option<String>,
    }
    let status = answer.status;
    let said = match serde_json::from_str::<Problem>(&answer.body) {
        Ok(Problem { title, detail }) => match detail {
            Some(detail) => format!("{title}: {detail}"),
            None => title,
        },
        Err(_) => return format!("HTTP {status}"),
    };
    let said: String = said.chars().take(MAX_REASON_CHARS).collect();
    format!("HTTP {status}: {said}")
}

fn chain(error: &SendError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
