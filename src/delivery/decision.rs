//! What follows from an attempt: the one place that decides between an end, another attempt and a person.
//!
//! [`decide`] is pure: the same facts, outcome, policy and random number give the same decision. It knows nothing
//! of lanes, the store or time; whether the breaker opens or the organisation pauses is decided elsewhere, from the
//! same calls.

use std::time::Duration;

use super::Backoff;
use crate::{
    customer::{OnMissing, Uncreatable},
    event::{DeadReason, DeliveryState},
    quentli::{CallError, CallErrorKind},
};

/// Attempts of one delivery that end in a panic before it is set aside.
const PANICS: u32 = 3;

/// How long to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Waits between attempts that met trouble.
    pub retry: Backoff,
    /// The budget of a delivery: the sum of its own attempts and waits. Pauses, an open breaker and the turns of
    /// others do not count.
    pub retry_for: Duration,
    /// Waits between looks for a customer whom Quentli does not have yet.
    pub look: Backoff,
    /// How long after its acceptance a delivery is still looked for a customer.
    pub missing_for: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            retry: Backoff {
                base: Duration::from_secs(1),
                cap: Duration::from_mins(10),
            },
            retry_for: Duration::from_hours(72),
            look: Backoff {
                base: Duration::from_mins(1),
                cap: Duration::from_hours(1),
            },
            missing_for: Duration::from_hours(7 * 24),
        }
    }
}

/// What is known of the delivery besides the outcome.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    /// Attempts recorded before this one.
    pub(super) attempts: u32,
    /// The retry budget used before this one.
    pub(super) spent: Duration,
    /// How long this attempt took.
    pub(super) took: Duration,
    /// Time since it was accepted, or a person had it sent again.
    pub(super) age: Duration,
    pub(super) on_missing: &'a OnMissing,
    /// Attempts that ended in a panic, this one included.
    pub(super) panics: u32,
}

/// What an attempt came back with.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Quentli confirmed the change.
    Confirmed,
    /// Quentli has no such customer; with the answer that said so, where a change was refused for it.
    Missing(Option<CallError>),
    /// More than one customer has the value that was looked for.
    Ambiguous,
    /// Quentli has no such customer, and none can be created.
    Uncreatable(Uncreatable),
    /// A call failed.
    Failed(CallError),
    /// This call was refused with 401 or 403, and so is any other: the key is at fault, not the delivery.
    KeyRefused(CallError),
    /// This call was refused with 401 or 403, while the key is good for another.
    Forbidden(CallError),
    /// Our own code failed.
    Panicked,
}

/// What becomes of the delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Deliver,
    /// It ends because the mapping says that updates for unknown customers are to be dropped.
    Drop,
    /// Another attempt, not before `wait` has passed.
    Retry {
        state: DeliveryState,
        wait: Duration,
        /// The budget used then.
        spent: Duration,
    },
    /// A person must look.
    Bury(DeadReason),
    /// As if this attempt had not been made: it was not the delivery's fault.
    GiveBack,
}

/// Decides what becomes of a delivery; `random` is drawn evenly from 0 to 1.
pub(super) fn decide(
    facts: &Facts<'_>,
    outcome: &Outcome,
    policy: &Policy,
    random: f64,
) -> Decision {
    match outcome {
        Outcome::Confirmed => Decision::Deliver,
        Outcome::KeyRefused(_) => Decision::GiveBack,
        Outcome::Missing(_) => missing(facts, policy, random),
        Outcome::Ambiguous => bury(
            "customer-ambiguous",
            "more than one customer in Quentli has the value that this update looks for".to_owned(),
        ),
        Outcome::Uncreatable(why) => bury(
            "customer-not-found",
            format!("Quentli has no such customer, and {why}"),
        ),
        Outcome::Forbidden(error) => bury("forbidden", error.to_string()),
        Outcome::Failed(error) => match error.kind {
            CallErrorKind::Refused => bury("refused", error.to_string()),
            // A search that is not found says nothing about the customer, and a key that is refused, but of which a probe
            // could not tell more, nothing about the key: trouble like any other.
            CallErrorKind::NotFound
            | CallErrorKind::Unauthorized
            | CallErrorKind::Forbidden
            | CallErrorKind::Connect
            | CallErrorKind::Interrupted
            | CallErrorKind::Throttled
            | CallErrorKind::Unavailable
            | CallErrorKind::NotQuentli => again(facts, policy, random, error.retry_after, || {
                error.to_string()
            }),
        },
        Outcome::Panicked if facts.panics >= PANICS => bury(
            "bug",
            format!(
                "the gateway failed on it {} times; please report this",
                facts.panics
            ),
        ),
        Outcome::Panicked => again(facts, policy, random, None, || {
            "the gateway failed on it".to_owned()
        }),
    }
}

/// Whether Quentli may have applied a change that came back with this.
pub(super) const fn may_be_applied(kind: CallErrorKind) -> bool {
    match kind {
        CallErrorKind::Interrupted | CallErrorKind::Unavailable | CallErrorKind::NotQuentli => true,
        CallErrorKind::Connect
        | CallErrorKind::Throttled
        | CallErrorKind::Unauthorized
        | CallErrorKind::Forbidden
        | CallErrorKind::NotFound
        | CallErrorKind::Refused => false,
    }
}

fn missing(facts: &Facts<'_>, policy: &Policy, random: f64) -> Decision {
    let dead = |message: &str| bury("customer-not-found", message.to_owned());
    match facts.on_missing {
        OnMissing::Drop => Decision::Drop,
        OnMissing::Fail => dead("Quentli has no such customer"),
        OnMissing::Create(_) => {
            dead("Quentli has no such customer, and there is nothing to create it by")
        }
        OnMissing::Retry => {
            let left = policy.missing_for.saturating_sub(facts.age);
            if left.is_zero() {
                return dead(
                    "Quentli has no such customer, and the time to wait for it has passed",
                );
            }
            // Not the whole wait is drawn, so that a customer is never looked for twice in a moment.
            let ceiling = policy.look.ceiling(facts.attempts);
            let wait = (ceiling / 2).saturating_add((ceiling / 2).mul_f64(random.clamp(0.0, 1.0)));
            Decision::Retry {
                state: DeliveryState::Looking,
                wait: wait.min(left),
                spent: facts.spent,
            }
        }
    }
}

fn again(
    facts: &Facts<'_>,
    policy: &Policy,
    random: f64,
    retry_after: Option<Duration>,
    trouble: impl Fn() -> String,
) -> Decision {
    let spent = facts.spent.saturating_add(facts.took);
    if spent >= policy.retry_for {
        return bury(
            "retries-exhausted",
            format!(
                "the last of {} attempts: {}",
                facts.attempts.saturating_add(1),
                trouble()
            ),
        );
    }
    let wait = policy
        .retry
        .wait(facts.attempts, random)
        .max(retry_after.unwrap_or_default());
    Decision::Retry {
        state: DeliveryState::Waiting,
        wait,
        spent: spent.saturating_add(wait),
    }
}

const fn bury(code: &'static str, message: String) -> Decision {
    Decision::Bury(DeadReason { code, message })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::customer::Patch;

    const MINUTE: Duration = Duration::from_mins(1);
    const HOUR: Duration = Duration::from_hours(1);
    const ON_MISSING: OnMissing = OnMissing::Retry;

    fn facts() -> Facts<'static> {
        Facts {
            attempts: 0,
            spent: Duration::ZERO,
            took: Duration::from_millis(100),
            age: MINUTE,
            on_missing: &ON_MISSING,
            panics: 0,
        }
    }

    fn error(kind: CallErrorKind) -> CallError {
        CallError {
            kind,
            status: None,
            message: None,
            retry_after: None,
        }
    }

    /// The decision in a word or two, for tables.
    fn word(decision: &Decision) -> String {
        match decision {
            Decision::Deliver => "deliver".to_owned(),
            Decision::Drop => "drop".to_owned(),
            Decision::Retry { state, .. } => format!("retry {}", state.as_str()),
            Decision::Bury(reason) => format!("bury {}", reason.code),
            Decision::GiveBack => "give back".to_owned(),
        }
    }

    #[test]
    fn every_kind_of_call_error_leads_where_the_design_says() {
        let expected = |kind| match kind {
            CallErrorKind::Refused => "bury refused",
            CallErrorKind::NotFound
            | CallErrorKind::Connect
            | CallErrorKind::Interrupted
            | CallErrorKind::Throttled
            | CallErrorKind::Unavailable
            | CallErrorKind::NotQuentli
            | CallErrorKind::Unauthorized
            | CallErrorKind::Forbidden => "retry waiting",
        };
        for kind in CallErrorKind::ALL {
            let decision = decide(
                &facts(),
                &Outcome::Failed(error(kind)),
                &Policy::default(),
                0.5,
            );
            assert_eq!(word(&decision), expected(kind), "{kind:?}");
        }
    }

    #[test]
    fn the_other_outcomes_lead_where_the_design_says() {
        for (outcome, panics, expected) in [
            (Outcome::Confirmed, 0, "deliver"),
            (Outcome::Ambiguous, 0, "bury customer-ambiguous"),
            (
                Outcome::Uncreatable(Uncreatable::NoName),
                0,
                "bury customer-not-found",
            ),
            (
                Outcome::KeyRefused(error(CallErrorKind::Unauthorized)),
                0,
                "give back",
            ),
            (
                Outcome::Forbidden(error(CallErrorKind::Forbidden)),
                0,
                "bury forbidden",
            ),
            (Outcome::Panicked, 1, "retry waiting"),
            (Outcome::Panicked, 2, "retry waiting"),
            (Outcome::Panicked, 3, "bury bug"),
        ] {
            let facts = Facts { panics, ..facts() };
            assert_eq!(
                word(&decide(&facts, &outcome, &Policy::default(), 0.5)),
                expected,
                "{outcome:?}"
            );
        }
    }

    #[test]
    fn a_missing_customer_follows_the_mapping() {
        for (on_missing, age, expected) in [
            (OnMissing::Retry, MINUTE, "retry looking"),
            (OnMissing::Retry, HOUR * 24 * 7, "bury customer-not-found"),
            (OnMissing::Fail, MINUTE, "bury customer-not-found"),
            (OnMissing::Drop, MINUTE, "drop"),
            (
                OnMissing::Create(Patch::new()),
                MINUTE,
                "bury customer-not-found",
            ),
        ] {
            let facts = Facts {
                on_missing: &on_missing,
                age,
                ..facts()
            };
            assert_eq!(
                word(&decide(
                    &facts,
                    &Outcome::Missing(None),
                    &Policy::default(),
                    0.5
                )),
                expected,
                "{on_missing:?} {age:?}"
            );
        }
    }

    #[test]
    fn looking_uses_no_retry_budget_and_has_a_last_look_at_the_end_of_its_time() {
        let facts = Facts {
            attempts: 20,
            spent: HOUR,
            age: (HOUR * 24 * 7).saturating_sub(MINUTE),
            ..facts()
        };
        assert_eq!(
            decide(&facts, &Outcome::Missing(None), &Policy::default(), 0.9),
            Decision::Retry {
                state: DeliveryState::Looking,
                wait: MINUTE,
                spent: HOUR
            }
        );
    }

    #[test]
    fn retry_after_is_the_shortest_wait_and_is_charged() {
        let error = CallError {
            retry_after: Some(MINUTE),
            ..error(CallErrorKind::Throttled)
        };
        assert_eq!(
            decide(&facts(), &Outcome::Failed(error), &Policy::default(), 0.5),
            Decision::Retry {
                state: DeliveryState::Waiting,
                wait: MINUTE,
                spent: MINUTE + Duration::from_millis(100),
            }
        );
    }

    #[test]
    fn a_used_up_budget_ends_in_front_of_a_person_with_the_last_trouble() {
        let facts = Facts {
            attempts: 870,
            spent: HOUR * 72,
            ..facts()
        };
        let error = CallError {
            status: Some(503),
            ..error(CallErrorKind::Unavailable)
        };
        let Decision::Bury(reason) =
            decide(&facts, &Outcome::Failed(error), &Policy::default(), 0.5)
        else {
            panic!("it is not dead");
        };
        assert_eq!(reason.code, "retries-exhausted");
        assert_eq!(
            reason.message,
            "the last of 871 attempts: Quentli cannot serve now (HTTP 503)"
        );
    }

    fn any_outcome(number: usize, error: CallError) -> Outcome {
        match number {
            0 => Outcome::Missing(None),
            1 => Outcome::Panicked,
            2 => Outcome::KeyRefused(error),
            _ => Outcome::Failed(error),
        }
    }

    proptest! {
        /// Plays one delivery through outcomes until it ends: it always does, and the budget only ever grows.
        #[test]
        fn a_delivery_always_ends_and_its_budget_never_shrinks(
            outcomes in proptest::collection::vec((0_usize..8, 0_usize..9, 0.0_f64..1.0, 0_u64..100_000), 1..50),
        ) {
            let policy = Policy::default();
            let mut facts = facts();
            let mut turns = 0;
            'life: loop {
                for (outcome, kind, random, retry_after) in &outcomes {
                    let retry_after = (retry_after % 2 == 0).then(|| Duration::from_secs(*retry_after));
                    let error = CallError { retry_after, ..error(CallErrorKind::ALL[*kind]) };
                    let outcome = any_outcome(*outcome, error);
                    facts.panics += u32::from(matches!(outcome, Outcome::Panicked));
                    match decide(&facts, &outcome, &policy, *random) {
                        Decision::Retry { wait, spent, state } => {
                            prop_assert!(spent >= facts.spent);
                            let cap = match state {
                                DeliveryState::Looking => policy.look.cap,
                                _ => policy.retry.cap,
                            };
                            prop_assert!(wait <= cap.max(retry_after.unwrap_or_default()));
                            facts.spent = spent;
                            facts.attempts += 1;
                            facts.age += wait + Duration::from_millis(1);
                        }
                        Decision::GiveBack => facts.age += MINUTE,
                        Decision::Deliver | Decision::Drop | Decision::Bury(_) => break 'life,
                    }
                }
                turns += 1;
                // Only a key that is refused for ever keeps a delivery for ever.
                if outcomes.iter().all(|(outcome, ..)| *outcome == 2) {
                    break;
                }
                prop_assert!(turns < 1_000_000, "it never ends");
            }
        }
    }
}
