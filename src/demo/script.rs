//! What is sent, in order, and what should become of it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;

use super::{files::sample, screen, stage::Stage};
use crate::{
    event::{DeliveryState, End, EventSeq},
    sandbox::{Action, Fault, RetryAfter},
    sender::{Answer, TestEvent, sign},
    store::{DeliveryRecord, Standing, Totals},
};

/// How long the deliveries of one event may take before the demonstration gives up on them.
const PATIENCE: Duration = Duration::from_secs(30);

/// One request.
struct Step {
    sender: &'static str,
    source: &'static str,
    event: &'static str,
    id: &'static str,
    body: String,
    /// Changed after signing, as a forger would.
    forged: bool,
    trouble: Option<Fault>,
    expected: Expected,
}

/// What should become of it.
enum Expected {
    /// The outcome of each delivery, in order.
    Outcomes(&'static [Outcome]),
    Duplicate,
    Refused(u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Ended(End),
    /// Delivered, but not at the first attempt.
    Retried,
    Dead,
}

const DELIVERED: Outcome = Outcome::Ended(End::Delivered);

fn steps() -> Vec<Step> {
    let step = |sender, source, event, id, body: &str, expected| Step {
        sender,
        source,
        event,
        id,
        body: body.to_owned(),
        forged: false,
        trouble: None,
        expected,
    };
    // HubSpot repeats a change under a new number when somebody saves the form again without changing anything.
    let same_again =
        sample("hubspot/redelivery.json").replace("\"eventId\": 101", "\"eventId\": 901");
    let slow_down = Action::Status {
        status: 429,
        retry_after: Some(RetryAfter::Seconds(1)),
        message: Some("Too many requests".to_owned()),
    };
    let contact = sample("standard-webhooks/contact-created.json");
    vec![
        step(
            "HubSpot",
            "hubspot",
            "two changes, one PATCH",
            "1",
            sample("hubspot/contact-two-properties.json"),
            // The later one carries the earlier one's field along.
            Expected::Outcomes(&[Outcome::Ended(End::Superseded), DELIVERED]),
        ),
        step(
            "Admissions (Standard W.)",
            "standard-webhooks",
            "contact created",
            "msg_1",
            contact,
            Expected::Outcomes(&[DELIVERED]),
        ),
        step(
            "School system (HMAC)",
            "school-system",
            "family updated",
            "ev-7f21c0",
            sample("school-system/family-updated.json"),
            Expected::Outcomes(&[DELIVERED, DELIVERED]),
        ),
        step(
            "Kommo CRM (form, token)",
            "kommo",
            "contact added",
            "",
            sample("kommo/contact-added.form"),
            Expected::Outcomes(&[DELIVERED]),
        ),
        step(
            "Admissions (Standard W.)",
            "standard-webhooks",
            "the same event again",
            "msg_1",
            contact,
            Expected::Duplicate,
        ),
        Step {
            forged: true,
            ..step(
                "somebody else",
                "standard-webhooks",
                "a forged event",
                "msg_2",
                contact,
                Expected::Refused(401),
            )
        },
        step(
            "HubSpot",
            "hubspot",
            "a change that changes nothing",
            "2",
            &same_again,
            Expected::Outcomes(&[Outcome::Ended(End::Unchanged)]),
        ),
        Step {
            trouble: Some(Fault::once(slow_down).on_method("PATCH")),
            ..step(
                "School system (HMAC)",
                "school-system",
                "opted in; Quentli says 429",
                "ev-7f21c1",
                sample("school-system/guardian-opted-in-again.json"),
                Expected::Outcomes(&[Outcome::Retried]),
            )
        },
        step(
            "School system (HMAC)",
            "school-system",
            "a phone that is none",
            "ev-7f21c3",
            sample("school-system/unreadable-phone.json"),
            Expected::Outcomes(&[Outcome::Dead]),
        ),
    ]
}

/// Sends everything, shows a line for each, then the totals; gives what was not as it should be.
pub(super) async fn play(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let mut surprises = Vec::new();
    let mut refused = 0;
    screen::heading();
    for (number, step) in (1..).zip(steps()) {
        if let Some(trouble) = &step.trouble {
            stage.sandbox.fault(trouble.clone())?;
        }
        let answer = send(stage, &step).await?;
        refused += u32::from(answer.status >= 400);
        let records = settle(stage, &answer).await?;
        let mut lines = Vec::new();
        let mut outcomes = Vec::new();
        for record in &records {
            let attempts = stage
                .store
                .attempts_of(record.event, record.item, record.number)
                .await?;
            let statuses: Vec<Option<u16>> =
                attempts.iter().map(|attempt| attempt.status).collect();
            outcomes.push(outcome(record, statuses.len()));
            lines.push(screen::Line::of(record, &statuses));
        }
        screen::event(number, step.sender, step.event, &answer, &lines);
        if let Some(surprise) = step.expected.surprise(&answer, &outcomes) {
            surprises.push(format!("line {number}: {surprise}"));
        }
    }
    let totals = stage.store.totals().await?;
    screen::totals(&totals, refused);
    if !adds_up(&totals) {
        surprises.push("the totals do not add up".to_owned());
    }
    Ok(surprises)
}

async fn send(stage: &Stage, step: &Step) -> anyhow::Result<Answer> {
    let source = stage
        .sources
        .get(step.source)
        .context("a source of the script is not there")?;
    let content_type = if step.source == "kommo" {
        "application/x-www-form-urlencoded"
    } else {
        "application/json"
    };
    let event = TestEvent::new(step.id, content_type, step.body.clone());
    let mut signed = sign(source, &event, &stage.public, stage.clock.now())?;
    if step.forged {
        signed.body = Bytes::from(step.body.replace("lucia.pena@", "somebody.else@"));
    }
    Ok(stage.sender.post(signed, &stage.gateway).await?)
}

/// Waits until every delivery of the answered event has ended or needs a person.
async fn settle(stage: &Stage, answer: &Answer) -> anyhow::Result<Vec<DeliveryRecord>> {
    let Some(stored) = answer.stored().filter(|stored| stored.status == "accepted") else {
        return Ok(Vec::new());
    };
    let event = EventSeq(stored.event);
    let begun = stage.clock.elapsed();
    loop {
        let records = stage.store.deliveries_of(event).await?;
        let open = |record: &DeliveryRecord| matches!(&record.standing, Standing::Open { state, .. } if *state != DeliveryState::Dead);
        if !records.iter().any(open) {
            return Ok(records);
        }
        if stage.clock.elapsed().saturating_sub(begun) > PATIENCE {
            bail!(
                "event {event} is not through after {} seconds",
                PATIENCE.as_secs()
            );
        }
        stage.clock.sleep(Duration::from_millis(20)).await;
    }
}

fn outcome(record: &DeliveryRecord, attempts: usize) -> Outcome {
    match &record.standing {
        Standing::Ended {
            end: End::Delivered,
            ..
        } if attempts > 1 => Outcome::Retried,
        Standing::Ended { end, .. } => Outcome::Ended(*end),
        Standing::Open { .. } => Outcome::Dead,
    }
}

impl Expected {
    fn surprise(&self, answer: &Answer, outcomes: &[Outcome]) -> Option<String> {
        let is_duplicate = || {
            answer
                .stored()
                .is_some_and(|stored| stored.status == "duplicate")
        };
        let as_expected = match self {
            Self::Outcomes(expected) => answer.status == 200 && outcomes == *expected,
            Self::Duplicate => answer.status == 200 && is_duplicate(),
            Self::Refused(status) => answer.status == *status,
        };
        (!as_expected).then(|| format!("not as expected: HTTP {} and {outcomes:?}", answer.status))
    }
}

fn adds_up(totals: &Totals) -> bool {
    totals.created
        == totals.waiting + totals.looking + totals.dead + totals.ended.iter().sum::<u64>()
}
