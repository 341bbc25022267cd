//! Whether requests may leave, and when: the pace, the breaker and the pause of an organisation taken together.

use std::{collections::VecDeque, time::Duration};

use jiff::Timestamp;

use super::{
    PauseReason, Settings,
    breaker::Breaker,
    pace::Pace,
    pause::Pause,
    permits::{Request, RequestKind, Word},
    share::Share,
};
use crate::{
    event::{LaneKey, OrganisationName},
    quentli::{CallError, CallErrorKind},
};

/// The gate of one organisation. Times are [`Clock::elapsed`](crate::clock::Clock::elapsed); `random` is drawn evenly
/// from 0 to 1.
#[derive(Debug)]
pub(super) struct Gate {
    organisation: OrganisationName,
    pace: Pace,
    breaker: Breaker,
    pause: Pause,
    /// Those that wait for leave: at most one for each attempt.
    requests: VecDeque<Request>,
    looks: Share,
    pages: Share,
}

/// How the gate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Open,
    /// Nothing leaves before this time.
    HeldUntil(Duration),
    Broken {
        since: Duration,
        probe_at: Duration,
    },
    Paused {
        since: Timestamp,
        reason: PauseReason,
    },
}

impl Gate {
    pub(super) fn new(organisation: OrganisationName, settings: &Settings) -> Self {
        Self {
            organisation,
            pace: Pace::new(settings.rate, settings.burst),
            breaker: Breaker::default(),
            pause: Pause::default(),
            requests: VecDeque::new(),
            looks: Share::one_in(5),
            pages: Share::one_in(2),
        }
    }

    pub(super) fn standing(&self, now: Duration) -> Standing {
        if let Some((since, reason)) = self.pause.reason() {
            Standing::Paused { since, reason }
        } else if let Some(since) = self.breaker.open_since() {
            let probe_at = self.breaker.probe_at().unwrap_or(now);
            Standing::Broken { since, probe_at }
        } else if let Some(until) = self.pace.held_until(now) {
            Standing::HeldUntil(until)
        } else {
            Standing::Open
        }
    }

    /// A request waits for leave.
    pub(super) fn ask(&mut self, request: Request) {
        self.requests.push_back(request);
    }

    /// Tells those who wait that nothing shall leave.
    pub(super) fn refuse_all(&mut self) {
        self.requests.clear();
    }

    /// Lets those leave that may leave now. While changes wait, looks and pages together get one leave in five; while
    /// looks wait, a page gets every second of theirs.
    pub(super) fn grant(&mut self, now: Duration) {
        if !self.lets_through() {
            self.refuse_all();
        }
        while !self.requests.is_empty() && self.pace.take(now) {
            let first = |kind| {
                self.requests
                    .iter()
                    .position(|request| request.kind == kind)
            };
            let (look, page) = (first(RequestKind::Look), first(RequestKind::Page));
            let lesser = look.or(page);
            let place = match (first(RequestKind::Change), lesser) {
                (Some(change), Some(_)) if !self.looks.is_lessers_turn() => Some(change),
                (Some(change), None) => Some(change),
                _ => match (look, page) {
                    (Some(_), Some(page)) if self.pages.is_lessers_turn() => Some(page),
                    _ => lesser,
                },
            };
            if let Some(request) = place.and_then(|place| self.requests.remove(place)) {
                // An attempt that is gone does not need it any more.
                request.reply.send(()).ok();
            }
        }
    }

    /// When the gate has something to do that nobody tells of.
    pub(super) fn next_at(&self, now: Duration) -> Option<Duration> {
        let pace = now.saturating_add(self.pace.wait(now));
        let leave = (!self.requests.is_empty()).then_some(pace);
        let probe = self.next_probe().map(|at| at.max(pace));
        leave
            .into_iter()
            .chain(probe)
            .chain(self.pace.held_until(now))
            .min()
    }

    /// Whether a probe is to leave now; if so it has leave.
    pub(super) fn starts_probe(&mut self, now: Duration) -> bool {
        let starts = self.next_probe().is_some_and(|at| at <= now) && self.pace.take(now);
        if starts {
            self.pause.probe_started();
            self.breaker.probe_started();
        }
        starts
    }

    /// What a probe came back with; `None` where it failed by our own fault. `time` is the time of day.
    pub(super) fn probe_ended(
        &mut self,
        answer: Option<&Result<(), CallError>>,
        time: Timestamp,
        now: Duration,
        random: f64,
    ) {
        let word = answer.map(Word::of);
        if let Some(Word::Throttled { retry_after }) = word {
            self.pace.throttled(now, retry_after);
        }
        let is_reached = matches!(word, Some(Word::Answered | Word::Throttled { .. }));
        let was_closed = self.breaker.is_closed();
        self.breaker.probe_ended(is_reached, now, random);
        if !was_closed && self.breaker.is_closed() {
            tracing::info!(organisation = %self.organisation, "Quentli answers again");
        }
        if self.pause.probe_ended(matches!(answer, Some(Ok(()))), now) {
            tracing::info!(organisation = %self.organisation, "Quentli takes the API key again");
        }
        if let Some(Err(error)) = answer
            && matches!(
                error.kind,
                CallErrorKind::Unauthorized | CallErrorKind::Forbidden
            )
        {
            self.key_refused(time, now);
        }
    }

    /// What a request about `of` came back with.
    pub(super) fn heard(&mut self, of: LaneKey, word: Word, now: Duration, random: f64) {
        match word {
            Word::Answered => {
                self.pace.answered();
                self.breaker.succeeded();
            }
            Word::Throttled { retry_after } => self.pace.throttled(now, retry_after),
            Word::Failed(failure) => {
                if self.breaker.failed(of, failure, now, random) {
                    tracing::warn!(
                        organisation = %self.organisation,
                        "Quentli is out of reach; nothing is sent until it answers again"
                    );
                }
            }
        }
    }

    /// The key was refused, for this and for any other call.
    pub(super) fn key_refused(&mut self, time: Timestamp, now: Duration) {
        if self.pause.refuse(time, now) {
            tracing::error!(
                organisation = %self.organisation,
                "Quentli refuses the API key; deliveries are kept and nothing is sent until it takes the key"
            );
        }
    }

    /// There is another key: whether the one before was refused does not matter any more.
    pub(super) fn key_renewed(&mut self) {
        self.pause.key_renewed();
        tracing::info!(organisation = %self.organisation, "there is a new API key");
    }

    /// A person wants nothing to leave.
    pub(super) fn pause(&mut self, time: Timestamp) {
        self.pause.ask(time);
        tracing::info!(organisation = %self.organisation, "delivery was told to pause");
    }

    /// A person wants it to go on, whatever the reason that it did not. What Quentli asked for stays.
    pub(super) fn resume(&mut self) {
        self.pause.end();
        self.breaker.close();
        tracing::info!(organisation = %self.organisation, "delivery was told to go on");
    }

    fn lets_through(&self) -> bool {
        self.pause.reason().is_none() && self.breaker.is_closed()
    }

    fn next_probe(&self) -> Option<Duration> {
        match self.pause.reason() {
            Some(_) => self.pause.probe_at(),
            None => self.breaker.probe_at(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::delivery::breaker::Failure;

    const SECOND: Duration = Duration::from_secs(1);

    fn gate() -> Gate {
        let settings = Settings::default();
        Gate::new(OrganisationName::default_name(), &settings)
    }

    fn time() -> Timestamp {
        "2026-03-02T12:00:00Z".parse().unwrap()
    }

    fn ask(gate: &mut Gate, kind: RequestKind) -> oneshot::Receiver<()> {
        let (reply, answer) = oneshot::channel();
        gate.ask(Request { kind, reply });
        answer
    }

    fn refused(kind: CallErrorKind) -> Result<(), CallError> {
        Err(CallError {
            kind,
            status: None,
            message: None,
            retry_after: None,
        })
    }

    #[test]
    fn changes_leave_before_looks_that_asked_earlier() {
        let mut gate = gate();
        let mut looks: Vec<_> = (0..5).map(|_| ask(&mut gate, RequestKind::Look)).collect();
        let mut changes: Vec<_> = (0..5)
            .map(|_| ask(&mut gate, RequestKind::Change))
            .collect();
        gate.grant(SECOND);
        let left = |answers: &mut Vec<oneshot::Receiver<()>>| {
            let leaves = answers.iter_mut().map(oneshot::Receiver::try_recv);
            leaves.flatten().count()
        };
        assert_eq!(
            (left(&mut changes), left(&mut looks)),
            (4, 1),
            "a burst of five"
        );
        assert_eq!(gate.next_at(SECOND), Some(SECOND + SECOND / 5));
    }

    #[test]
    fn pages_and_looks_share_what_changes_leave_them() {
        let mut gate = gate();
        let kinds = [RequestKind::Change, RequestKind::Look, RequestKind::Page];
        let mut answers =
            kinds.map(|kind| -> Vec<_> { (0..40).map(|_| ask(&mut gate, kind)).collect() });
        for second in 1..=8 {
            gate.grant(SECOND * second);
        }
        let left = answers.each_mut().map(|answers| {
            let leaves = answers.iter_mut().map(oneshot::Receiver::try_recv);
            leaves.flatten().count()
        });
        assert_eq!(left, [32, 4, 4]);
    }

    #[test]
    fn whoever_waits_is_told_when_the_gate_closes() {
        let closed: [fn(&mut Gate); 3] = [
            |gate| gate.pause(time()),
            |gate| gate.key_refused(time(), SECOND),
            |gate| {
                gate.heard(
                    LaneKey::of("id", "a"),
                    Word::Failed(Failure::Unreachable),
                    SECOND,
                    0.5,
                );
            },
        ];
        for close in closed {
            let mut gate = gate();
            let mut answer = ask(&mut gate, RequestKind::Change);
            close(&mut gate);
            gate.grant(SECOND);
            assert_eq!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        }
    }

    #[test]
    fn a_probe_that_finds_the_key_refused_closes_the_breaker_and_pauses() {
        let mut gate = gate();
        let failed = Word::Failed(Failure::Unreachable);
        gate.heard(LaneKey::of("id", "a"), failed, SECOND, 1.0);
        assert!(!gate.starts_probe(SECOND), "it is not due");
        assert!(gate.starts_probe(SECOND * 2));
        assert!(!gate.starts_probe(SECOND * 2), "one is on its way");
        let answer = refused(CallErrorKind::Unauthorized);
        gate.probe_ended(Some(&answer), time(), SECOND * 2, 1.0);
        let standing = Standing::Paused {
            since: time(),
            reason: PauseReason::KeyRefused,
        };
        assert_eq!(gate.standing(SECOND * 2), standing);
        assert_eq!(gate.next_at(SECOND * 2), Some(SECOND * 32));
        gate.resume();
        assert_eq!(gate.standing(SECOND * 2), Standing::Open);
    }

    #[test]
    fn a_probe_that_is_throttled_shows_that_quentli_is_there_and_holds_everything() {
        let mut gate = gate();
        let failed = Word::Failed(Failure::Unreachable);
        gate.heard(LaneKey::of("id", "a"), failed, SECOND, 1.0);
        assert!(gate.starts_probe(SECOND * 2));
        let answer = refused(CallErrorKind::Throttled);
        gate.probe_ended(Some(&answer), time(), SECOND * 2, 1.0);
        assert_eq!(gate.standing(SECOND * 2), Standing::HeldUntil(SECOND * 3));
    }
}
