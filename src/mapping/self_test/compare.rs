//! What came out against what was expected, field by field.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diag::Span;

use super::{Difference, Expectation, Expected, OUTCOME, Recipient, Test, outcome::Outcome};

/// Everything in which a test's outcomes are not what it expects.
pub(super) fn differences(test: &Test, outcomes: &[Outcome]) -> Vec<Difference> {
    let mut found = Vec::new();
    for index in 0..test.expect.len().max(outcomes.len()) {
        let expected = test.expect.get(index);
        let outcome = outcomes.get(index);
        let mut add = |field: &str, wanted: String, got: String| {
            found.push(Difference {
                span: expected.map_or(test.span, |expected| expected.place(field)),
                outcome: index + 1,
                field: field.to_owned(),
                expected: wanted,
                got,
                rule: outcome.and_then(rule),
            });
        };
        match (expected, outcome) {
            (Some(expected), Some(outcome)) => compare(expected, outcome, &mut add),
            (Some(expected), None) => add(OUTCOME, described(&expected.kind), NOTHING.to_owned()),
            (None, Some(outcome)) => add(OUTCOME, NOTHING.to_owned(), shown(outcome)),
            (None, None) => {}
        }
    }
    found
}

impl Expectation {
    /// Where a field is written, or the outcome where it is not.
    fn place(&self, field: &str) -> Span {
        let name = match field.split_once('.') {
            Some(("metadata", _)) => "metadata",
            _ => field,
        };
        self.places
            .iter()
            .find(|(known, _)| known == name)
            .map_or(self.span, |(_, span)| *span)
    }
}

const NOTHING: &str = "nothing";

fn compare(expected: &Expectation, outcome: &Outcome, add: &mut impl FnMut(&str, String, String)) {
    match (&expected.kind, outcome) {
        (Expected::Drop(wanted), Outcome::Drop { reason, .. })
        | (Expected::Fail(wanted), Outcome::Fail { reason, .. })
        | (Expected::Retry(wanted), Outcome::Retry { reason, .. }) => {
            if wanted != reason {
                add("reason", format!("{wanted:?}"), format!("{reason:?}"));
            }
        }
        (
            Expected::Update {
                customer: wanted_customer,
                patch: wanted_patch,
                is_whole,
                warnings: wanted_warnings,
            },
            Outcome::Update {
                customer,
                patch,
                warnings,
                ..
            },
        ) => {
            if wanted_customer != customer {
                add(
                    "customer",
                    wanted_customer.to_string(),
                    customer.to_string(),
                );
            }
            let got = serde_json::to_value(patch).unwrap_or_default();
            compare_patches(wanted_patch, &got, *is_whole, add);
            if wanted_warnings != warnings {
                add(
                    "warnings",
                    format!("{wanted_warnings:?}"),
                    format!("{warnings:?}"),
                );
            }
        }
        (wanted, outcome) => add(OUTCOME, described(wanted), shown(outcome)),
    }
}

fn compare_patches(
    wanted: &Value,
    got: &Value,
    is_whole: bool,
    add: &mut impl FnMut(&str, String, String),
) {
    let (wanted, got) = (parts(wanted), parts(got));
    let nothing = || NOTHING.to_owned();
    for (field, value) in &wanted {
        if got.get(field) != Some(value) {
            add(
                field,
                value.clone(),
                got.get(field).cloned().unwrap_or_else(nothing),
            );
        }
    }
    if is_whole {
        for (field, value) in &got {
            if !wanted.contains_key(field) {
                add(field, nothing(), value.clone());
            }
        }
    }
}

/// The fields of a patch, and the keys of its metadata, each with its value as JSON.
fn parts(patch: &Value) -> BTreeMap<String, String> {
    let mut parts = BTreeMap::new();
    for (field, value) in patch.as_object().into_iter().flatten() {
        let entries: Option<Vec<(String, String)>> = (field == "metadata")
            .then(|| value.as_array())
            .flatten()
            .and_then(|entries| entries.iter().map(metadata_part).collect());
        match entries {
            Some(entries) => parts.extend(entries),
            None => {
                parts.insert(field.clone(), value.to_string());
            }
        }
    }
    parts
}

/// `{key: …, value: …}` and nothing else.
fn metadata_part(entry: &Value) -> Option<(String, String)> {
    let entry = entry.as_object().filter(|entry| entry.len() == 2)?;
    let key = entry.get("key")?.as_str()?;
    Some((format!("metadata.{key}"), entry.get("value")?.to_string()))
}

impl Recipient {
    /// `an update of cus_1`, or `a new customer`
    fn described(&self) -> String {
        match self {
            Self::Known(customer) => format!("an update of {customer}"),
            Self::New => self.to_string(),
        }
    }
}

fn described(expected: &Expected) -> String {
    match expected {
        Expected::Update { customer, .. } => customer.described(),
        Expected::Drop(reason) => format!("drop: {reason}"),
        Expected::Fail(reason) => format!("fail: {reason}"),
        Expected::Retry(reason) => format!("retry: {reason}"),
    }
}

fn shown(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Update {
            customer, patch, ..
        } => {
            let patch = serde_json::to_string(patch).unwrap_or_default();
            format!("{}: {patch}", customer.described())
        }
        Outcome::Drop { reason, .. } => format!("drop: {reason}"),
        Outcome::Fail { reason, .. } => format!("fail: {reason}"),
        Outcome::Retry { reason, .. } => format!("retry: {reason}"),
    }
}

fn rule(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Update { rule, .. } | Outcome::Retry { rule, .. } => Some(rule.clone()),
        Outcome::Drop { rule, .. } | Outcome::Fail { rule, .. } => rule.clone(),
    }
}
