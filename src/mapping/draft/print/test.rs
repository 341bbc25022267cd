//! Writes a test: the event, what Quentli would answer, and what comes of it.

use std::path::Path;

use super::lines::Lines;
use crate::{
    customer::FindBy,
    event::{ItemOutcome, Mapped},
    mapping::{
        content_type_of,
        draft::{CannotDraft, Sample, data::Data},
        self_test::{Found, Outcome, Recipient, outcomes},
        tree::read_json,
    },
};

/// What a body is where nothing is said.
const JSON: &str = "application/json";

/// The lines of a test for a sample that was mapped; `event` is what is written into it.
pub(super) fn written(
    sample: &Sample<'_>,
    event: Option<&str>,
    mapped: Mapped,
) -> Result<String, CannotDraft> {
    let mut out = Lines::default();
    out.entry(2, "- name", sample.name);
    if let Some(file) = sample.event_file {
        out.entry(4, "event_file", file);
        let by_ending = content_type_of(Path::new(file)).unwrap_or(JSON);
        let told = sample.content_type.unwrap_or(JSON);
        if told != by_ending {
            out.entry(4, "content_type", told);
        }
    }
    if let Some(event) = event {
        out.data(4, "event", &json(event)?);
    }
    let found = found(&mapped);
    if !found.is_empty() {
        out.opened(4, "found", "what Quentli would answer");
        for answer in &found {
            out.entry(6, &answer.key, &answer.customers.concat());
        }
    }
    out.line(4, "expect:");
    for outcome in outcomes(mapped, &found) {
        expectation(&outcome, &mut out)?;
    }
    Ok(out.finish())
}

fn json(text: &str) -> Result<Data, CannotDraft> {
    let tree = read_json(text.as_bytes()).map_err(|error| broken(&error))?;
    Ok(Data::of(&tree))
}

fn broken(error: &dyn std::error::Error) -> CannotDraft {
    CannotDraft::Broken {
        findings: error.to_string(),
    }
}

/// An answer for the first key of each customer that has no id.
fn found(mapped: &Mapped) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for outcome in mapped.items.iter().flat_map(|item| &item.outcomes) {
        let ItemOutcome::Update(update) = outcome else {
            continue;
        };
        let key = match (&update.customer.id, update.customer.find.first()) {
            (None, Some(FindBy::Username(value))) => format!("username={value}"),
            (None, Some(FindBy::Email(value))) => format!("email={value}"),
            _ => continue,
        };
        if !found.iter().any(|known| known.key == key) {
            let customer = format!("cus_{}", found.len() + 1);
            found.push(Found {
                key,
                customers: vec![customer],
            });
        }
    }
    found
}

fn expectation(outcome: &Outcome, out: &mut Lines) -> Result<(), CannotDraft> {
    match outcome {
        Outcome::Update {
            customer,
            patch,
            warnings,
            ..
        } => {
            let patch = serde_json::to_string(patch).map_err(|error| broken(&error))?;
            let patch = json(&patch)?;
            match customer {
                Recipient::Known(customer) => {
                    out.entry(6, "- customer", customer);
                    out.data(8, "patch", &patch);
                }
                Recipient::New => out.data(6, "- create", &patch),
            }
            if !warnings.is_empty() {
                let warnings = warnings.iter().map(|warning| Data::Text(warning.into()));
                out.data(8, "warnings", &Data::List(warnings.collect()));
            }
        }
        Outcome::Drop { reason, .. } => out.entry(6, "- drop", reason),
        Outcome::Fail { reason, .. } => out.entry(6, "- fail", reason),
        Outcome::Retry { reason, .. } => out.entry(6, "- retry", reason),
    }
    Ok(())
}
