//! The pause of an organisation: nothing is sent, everything is kept.
//!
//! A person can ask for it, and a key that Quentli refuses causes it. The second kind asks from time to time whether
//! the key is taken again, and ends with a new key, too.

use std::time::Duration;

use jiff::Timestamp;

use super::PauseReason;

const FIRST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// Whether and why nothing is sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Pause {
    asked: Option<Timestamp>,
    refused: Option<Refused>,
}

#[derive(Clone, Debug)]
struct Refused {
    since: Timestamp,
    /// None while a probe is on its way.
    probe_at: Option<Duration>,
    wait: Duration,
}

impl Pause {
    /// Since when and why nothing is sent.
    pub(super) fn reason(&self) -> Option<(Timestamp, PauseReason)> {
        let asked = self.asked.map(|since| (since, PauseReason::Asked));
        let refused = self
            .refused
            .as_ref()
            .map(|refused| (refused.since, PauseReason::KeyRefused));
        asked.or(refused)
    }

    /// A person asks for it.
    pub(super) fn ask(&mut self, at: Timestamp) {
        self.asked.get_or_insert(at);
    }

    /// The key was refused. `true` when it was not known before.
    pub(super) fn refuse(&mut self, at: Timestamp, now: Duration) -> bool {
        let is_new = self.refused.is_none();
        self.refused.get_or_insert(Refused {
            since: at,
            probe_at: Some(now.saturating_add(FIRST_WAIT)),
            wait: FIRST_WAIT,
        });
        is_new
    }

    /// When to ask whether the key is taken. Not while a person wants the pause anyway.
    pub(super) fn probe_at(&self) -> Option<Duration> {
        match (&self.asked, &self.refused) {
            (None, Some(refused)) => refused.probe_at,
            _ => None,
        }
    }

    /// The probe leaves now.
    pub(super) fn probe_started(&mut self) {
        if let Some(refused) = &mut self.refused {
            refused.probe_at = None;
        }
    }

    /// What the probe said. `true` when that ended the refusal.
    pub(super) fn probe_ended(&mut self, accepted: bool, now: Duration) -> bool {
        let Some(refused) = &mut self.refused else {
            return false;
        };
        if accepted {
            self.refused = None;
        } else {
            refused.wait = refused.wait.saturating_mul(2).min(LONGEST_WAIT);
            refused.probe_at = Some(now.saturating_add(refused.wait));
        }
        accepted
    }

    /// The refused key is not used any more. A pause that a person asked for goes on.
    pub(super) fn key_renewed(&mut self) {
        self.refused = None;
    }

    /// Ends it, whatever the reason.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        "2026-03-02T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_refused_key_is_probed_at_growing_intervals_until_it_is_taken() {
        let mut pause = Pause::default();
        assert!(pause.refuse(at(), Duration::ZERO));
        assert!(!pause.refuse(at(), Duration::ZERO), "it is said once");
        let mut waits = Vec::new();
        let mut now = Duration::ZERO;
        for _ in 0..6 {
            let due = pause.probe_at().unwrap();
            waits.push(due.saturating_sub(now).as_secs());
            now = due;
            pause.probe_started();
            assert_eq!(pause.probe_at(), None);
            assert!(!pause.probe_ended(false, now));
        }
        assert_eq!(waits, [30, 60, 120, 240, 300, 300]);
        pause.probe_started();
        assert!(pause.probe_ended(true, now));
        assert_eq!(pause.reason(), None);
    }

    #[test]
    fn a_pause_that_a_person_asked_for_is_not_ended_by_a_probe() {
        let mut pause = Pause::default();
        pause.refuse(at(), Duration::ZERO);
        pause.probe_started();
        pause.ask(at());
        pause.probe_ended(true, Duration::ZERO);
        assert_eq!(pause.reason(), Some((at(), PauseReason::Asked)));
        assert_eq!(pause.probe_at(), None);
        pause.end();
        assert_eq!(pause.reason(), None);
    }

    #[test]
    fn a_new_key_ends_the_refusal_of_the_old_one_and_nothing_else() {
        let mut pause = Pause::default();
        pause.refuse(at(), Duration::ZERO);
        pause.key_renewed();
        assert_eq!((pause.reason(), pause.probe_at()), (None, None));
        pause.ask(at());
        pause.refuse(at(), Duration::ZERO);
        pause.key_renewed();
        assert_eq!(pause.reason(), Some((at(), PauseReason::Asked)));
        assert!(
            pause.refuse(at(), Duration::ZERO),
            "a refusal of the new key is news"
        );
    }
}
