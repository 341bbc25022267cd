//! How events and deliveries are shown to people.

use serde_json::Value;

use crate::{
    cli::{
        output::{self, counted, wrapped},
        remedies,
        table::{Table, count, members, moment, number, text},
    },
    diag::visible,
    event::OBSERVED,
};

/// The width of a terminal, less the margin.
const WIDTH: usize = 96;

/// A table of events.
pub(super) fn events(answer: &Value) {
    let entries = members(answer, "events");
    if entries.is_empty() {
        none(answer, "no event");
        return;
    }
    let mut table = Table::new(["EVENT", "RECEIVED", "SOURCE", "DELIVERIES"]);
    for entry in entries {
        table.row(cells(entry));
    }
    table.print();
    more(answer);
    output::note("`quentli-gateway events show EVENT` says what became of one, and what to do");
}

/// Lines of a table to which others are added later; columns are as wide as they usually need to be.
pub(super) fn followed(entries: &[Value], is_first: bool) {
    if is_first {
        output::line(&row(["EVENT", "RECEIVED", "SOURCE", "DELIVERIES"]));
    }
    for entry in entries {
        let [event, received, source, deliveries] = cells(entry);
        output::line(&row([&event, &received, &source, &deliveries]));
    }
}

fn row([event, received, source, deliveries]: [&str; 4]) -> String {
    let line = format!(
        "{:<8}  {:<23}  {:<16}  {}",
        visible(event),
        visible(received),
        visible(source),
        visible(deliveries)
    );
    line.trim_end().to_owned()
}

fn cells(entry: &Value) -> [String; 4] {
    [
        number(entry, "event"),
        moment(text(entry, "received_at")),
        text(entry, "source").to_owned(),
        standings(entry),
    ]
}

/// `1 delivered, 1 dead`.
fn standings(entry: &Value) -> String {
    let counts = entry.get("deliveries").and_then(Value::as_object);
    let each = counts.into_iter().flatten();
    let each = each.map(|(standing, count)| format!("{count} {standing}"));
    let mut text = each.collect::<Vec<_>>().join(", ");
    if entry.get("more") == Some(&Value::Bool(true)) {
        text.push_str(", and more");
    }
    text
}

/// A table of deliveries.
pub(super) fn deliveries(answer: &Value) {
    let entries = members(answer, "deliveries");
    if entries.is_empty() {
        none(answer, "no delivery");
        return;
    }
    let mut table = Table::new([
        "ID", "EVENT", "ITEM", "RECEIVED", "SOURCE", "STATE", "REASON", "CUSTOMER",
    ]);
    for entry in entries {
        table.row([
            number(entry, "id"),
            number(entry, "event"),
            place(entry),
            entry
                .get("received_at")
                .and_then(Value::as_str)
                .map(moment)
                .unwrap_or_default(),
            text(entry, "source").to_owned(),
            text(entry, "state").to_owned(),
            text(entry, "reason").to_owned(),
            text(entry, "customer").to_owned(),
        ]);
    }
    table.print();
    more(answer);
    output::note("`quentli-gateway events show EVENT` says what became of one, and what to do");
}

/// Items and updates are counted from 1 for people.
fn place(entry: &Value) -> String {
    let item = count(entry, "item") + 1;
    match count(entry, "number") + 1 {
        1 => item.to_string(),
        number => format!("{item}, update {number}"),
    }
}

fn none(answer: &Value, what: &str) {
    match answer.get("next").and_then(Value::as_str) {
        Some(next) => output::note(&format!(
            "{what} of these among the {} that were looked at; look on with `--after {next}`",
            count(answer, "looked_at")
        )),
        None => output::note(&format!("{what} of these is kept")),
    }
}

fn more(answer: &Value) {
    if let Some(next) = answer.get("next").and_then(Value::as_str) {
        output::note(&format!("there may be more: add `--after {next}`"));
    }
}

/// The whole story of one event.
pub(super) fn one(event: &Value) {
    for text in story(event) {
        output::line(&text);
    }
}

fn story(event: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: &str| lines.push(format!("{name:<10} {}", visible(value)));
    let (seq, source) = (number(event, "event"), text(event, "source"));
    let organisation = text(event, "organisation");
    line(
        "event",
        &format!("{seq} of {source}, for the organisation {organisation}"),
    );
    line("received", &moment(text(event, "received_at")));
    let kind = event.get("content_type").and_then(Value::as_str);
    let body = event.get("body_bytes").and_then(Value::as_u64).map_or_else(
        || "not kept any more".to_owned(),
        |bytes| counted(usize::try_from(bytes).unwrap_or(usize::MAX), "byte"),
    );
    line(
        "body",
        &format!("{body}, {}", kind.unwrap_or("no content type")),
    );
    let headers: Vec<String> = members(event, "headers").iter().map(named).collect();
    if !headers.is_empty() {
        line("headers", &headers.join("; "));
    }
    let is_in_force = event.get("mapping_in_force") == Some(&Value::Bool(true));
    let short: String = text(event, "mapping").chars().take(12).collect();
    let mapping = if is_in_force {
        format!("{source}.yaml as it is now ({short})")
    } else {
        format!("another version of {source}.yaml than is in force now ({short})")
    };
    line("mapping", &mapping);
    if let Some(counts) = event.get("counts") {
        line("became", &standings(counts));
    }
    let shown = members(event, "shown");
    for story in shown {
        lines.push(String::new());
        lines.extend(delivery(story));
    }
    if let Some(next) = event.get("next").and_then(Value::as_str) {
        lines.push(String::new());
        lines.push(format!(
            "There are more: `quentli-gateway events deliveries --event {seq} --oldest-first --after {next}` lists them, and `--limit` shows more."
        ));
    }
    lines.push(String::new());
    lines.extend(steps(event));
    lines
}

/// One delivery, indented under its heading.
fn delivery(story: &Value) -> Vec<String> {
    let rule = story.get("rule").and_then(Value::as_str);
    let rule = rule.map_or_else(String::new, |rule| format!(" (rule {rule})"));
    let state = text(story, "state");
    let reason = text(story, "reason");
    let why = match (state, reason) {
        (_, "") => String::new(),
        (_, OBSERVED) => ", observed: its source sends nothing yet".to_owned(),
        ("dead", reason) => format!(", {reason}: {}", remedies::meaning(reason)),
        (_, reason) => format!(": {reason}"),
    };
    let when = match (story.get("ended_at"), story.get("next_attempt")) {
        (Some(ended), _) => format!(" at {}", moment(ended.as_str().unwrap_or_default())),
        (None, Some(next)) => {
            format!(", not before {}", moment(next.as_str().unwrap_or_default()))
        }
        (None, None) => String::new(),
    };
    let mut lines = vec![visible(&format!(
        "item {}{rule}: {state}{when}{why}",
        place(story)
    ))];
    let mut line = |name: &str, value: &str| {
        for (index, part) in wrapped(&visible(value), WIDTH - 15).into_iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            lines.push(format!("  {name:<11} {part}").trim_end().to_owned());
        }
    };
    if let Some(id) = story.get("id") {
        line("delivery", &id.to_string());
    }
    if let Some(about) = story.get("about").and_then(Value::as_str) {
        line("about", &format!("the field {about}"));
    }
    if let Some(message) = story.get("message").and_then(Value::as_str) {
        line("says", message);
    }
    if let Some(customer) = story.get("customer").and_then(Value::as_str) {
        line("customer", customer);
    }
    let found_by: Vec<String> = members(story, "found_by").iter().map(named).collect();
    if !found_by.is_empty() {
        line("found by", &found_by.join(", then "));
    }
    for (index, part) in members(story, "update").iter().enumerate() {
        line(if index == 0 { "update" } else { "" }, &named(part));
    }
    if members(story, "update").is_empty() {
        let fields: Vec<&str> = members(story, "fields")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        if !fields.is_empty() {
            line("fields", &fields.join(", "));
        }
    }
    for warning in members(story, "warnings") {
        let about = warning.get("about").and_then(Value::as_str);
        let message = warning.get("message").and_then(Value::as_str);
        line(
            "left out",
            message.or(about).unwrap_or("something that --reveal shows"),
        );
    }
    for attempt in members(story, "attempts") {
        line(
            &format!("attempt {}", number(attempt, "number")),
            &tried(attempt, story),
        );
    }
    lines
}

/// When, what Quentli answered and how long that took, and what came of it.
fn tried(attempt: &Value, story: &Value) -> String {
    let took = format!("after {} ms", number(attempt, "took_ms"));
    let status = attempt.get("status").and_then(Value::as_u64);
    let answer = match (text(attempt, "outcome"), status) {
        ("delivered", _) => format!("delivered {took}"),
        (outcome, status) => {
            let answer = status.map_or_else(
                || without_status(outcome, story).to_owned(),
                |status| format!("answered {status}"),
            );
            let next = if outcome == "retry" {
                "to be tried again"
            } else {
                "given up"
            };
            format!("{answer} {took}, {next}")
        }
    };
    let message = attempt.get("message").and_then(Value::as_str);
    let message = message.map_or_else(String::new, |message| format!(": {message}"));
    format!("{}, {answer}{message}", moment(text(attempt, "at")))
}

/// What an attempt came to of which no status is kept: Quentli did not answer, or it answered the search for the customer
/// and the update was not sent.
fn without_status(outcome: &str, story: &Value) -> &'static str {
    let is_final = outcome == "dead";
    match text(story, "reason") {
        "customer-not-found" if is_final => "Quentli found nobody",
        "customer-ambiguous" if is_final => "Quentli found more than one",
        "customer-not-found" | "customer-ambiguous" => "nobody found, or no answer",
        _ if story.get("customer").is_none() => "nobody found, or no answer",
        _ => "no answer",
    }
}

/// `email: ana@x.mx`, or `email (e-mail address of 8 characters)`.
fn named(part: &Value) -> String {
    let name = text(part, "name");
    match (part.get("value"), part.get("mask").and_then(Value::as_str)) {
        (Some(Value::String(value)), _) => format!("{name}: {value}"),
        (Some(value), _) => format!("{name}: {value}"),
        (None, mask) => format!("{name} ({})", mask.unwrap_or_default()),
    }
}

/// What to do next, line by line.
fn steps(event: &Value) -> Vec<String> {
    let (seq, source) = (number(event, "event"), text(event, "source"));
    let has_body = event.get("body_bytes").is_some_and(Value::is_u64);
    let mut reasons: Vec<&str> = members(event, "shown")
        .iter()
        .filter(|story| text(story, "state") == "dead")
        .map(|story| text(story, "reason"))
        .collect();
    reasons.sort_unstable();
    reasons.dedup();
    let mut lines = Vec::new();
    if reasons.is_empty() {
        let counts = event
            .get("counts")
            .and_then(|counts| counts.get("deliveries"));
        let is_open = ["waiting", "looking"]
            .iter()
            .any(|state| counts.is_some_and(|counts| counts.get(state).is_some()));
        lines.push(
            if is_open {
                "There is nothing to do for it: it is tried again by itself. `quentli-gateway status` says what holds it up."
            } else {
                "There is nothing to do."
            }
            .to_owned(),
        );
    } else {
        lines.push("What to do next:".to_owned());
    }
    for (step, reason) in (1..).zip(&reasons) {
        lines.push(format!(
            "  {step}. {reason}: {}.",
            remedies::mend(reason, source)
        ));
        if remedies::needs_body(reason) && !has_body {
            lines.push(
                "     Its body is not kept any more, so it cannot be mapped again: let the sending system send it once more."
                    .to_owned(),
            );
            continue;
        }
        if *reason == "mapping" {
            lines.push(format!(
                "     `quentli-gateway events show {seq} --body event.json` saves the event, and"
            ));
            lines.push(format!(
                "     `quentli-gateway explain {source}.yaml --event event.json` shows where the rules fail."
            ));
        }
        lines.push(format!(
            "     Then have it sent again: `{}`.",
            remedies::again(reason, &format!("--event {seq} --reason {reason}"))
        ));
    }
    if !reasons.is_empty() {
        lines.push(format!(
            "  Where it is not wanted any more: `quentli-gateway discard --event {seq}`."
        ));
    }
    if event.get("revealed") != Some(&Value::Bool(true)) {
        lines.push(
            "Personal data is hidden. `--reveal` shows it, and is written into the audit log."
                .to_owned(),
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_customer_who_was_not_found_is_no_outage() {
        let attempt = |outcome: &str| json!({"at": "2026-03-02T08:00:00Z", "took_ms": 16, "outcome": outcome});
        for (outcome, story, expected) in [
            (
                "dead",
                json!({"reason": "customer-not-found"}),
                "Quentli found nobody after 16 ms, given up",
            ),
            (
                "dead",
                json!({"reason": "customer-ambiguous"}),
                "Quentli found more than one after 16 ms, given up",
            ),
            (
                "retry",
                json!({"reason": "customer-not-found"}),
                "nobody found, or no answer after 16 ms, to be tried again",
            ),
            (
                "retry",
                json!({}),
                "nobody found, or no answer after 16 ms, to be tried again",
            ),
            (
                "retry",
                json!({"customer": "cus_1"}),
                "no answer after 16 ms, to be tried again",
            ),
        ] {
            let shown = tried(&attempt(outcome), &story);
            assert!(shown.ends_with(expected), "{story}: {shown}");
        }
    }

    #[test]
    fn what_takes_a_body_is_not_advised_where_none_is_kept() {
        let event = |bytes: Value| json!({"event": 7, "source": "sis", "body_bytes": bytes, "shown": [{"state": "dead", "reason": "mapping"}]});
        let kept = steps(&event(json!(12))).join("\n");
        assert!(
            kept.contains("--body event.json") && kept.contains("--remap"),
            "{kept}"
        );
        let gone = steps(&event(Value::Null)).join("\n");
        assert!(
            !gone.contains("--body") && !gone.contains("--remap"),
            "{gone}"
        );
        assert!(
            gone.contains("let the sending system send it once more"),
            "{gone}"
        );
    }
}
