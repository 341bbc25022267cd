//! How rejected requests are shown to people.

use serde_json::Value;

use crate::cli::{
    Exit,
    newest::note_more,
    output::{self, counted},
    table::{Table, members, moment, number, text},
};

/// A table, newest first.
pub(super) fn list(answer: &Value) {
    let records = members(answer, "rejected");
    if records.is_empty() {
        output::note("no request of these was rejected, or none that is still kept");
        return;
    }
    let mut table = Table::new(["ID", "LAST", "SOURCE", "TIMES", "STATUS", "REASON", "WHOLE"]);
    for record in records {
        table.row(row(record));
    }
    table.print();
    note_more(answer);
    output::note("`quentli-gateway rejected show ID` says more about one, and what to do");
}

fn row(record: &Value) -> [String; 7] {
    let whole = match (record.get("accepted_as"), record.get("kept_until")) {
        (Some(event), _) => format!("accepted as event {event}"),
        (None, Some(until)) => format!("until {}", moment(until.as_str().unwrap_or_default())),
        (None, None) => "no".to_owned(),
    };
    [
        number(record, "id"),
        moment(text(record, "last_at")),
        text(record, "source").to_owned(),
        number(record, "times"),
        number(record, "status"),
        text(record, "reason").to_owned(),
        whole,
    ]
}

/// All that is known of one, and what to do next.
pub(super) fn one(record: &Value) {
    let line = |name: &str, value: &str| output::line(&format!("{name:<10} {value}"));
    line(
        "request",
        &format!("{} of {}", number(record, "id"), text(record, "source")),
    );
    line(
        "reason",
        &format!("{}: {}", text(record, "reason"), text(record, "meaning")),
    );
    line("answered", &number(record, "status"));
    let times = record.get("times").and_then(Value::as_u64).unwrap_or(1);
    let last = moment(text(record, "last_at"));
    if times == 1 {
        line("came", &last);
    } else {
        let first = moment(text(record, "first_at"));
        line("came", &format!("{times} times, {first} to {last}"));
    }
    if let Some(client) = record.get("client").and_then(Value::as_str) {
        line("from", client);
    }
    line("method", text(record, "method"));
    match record.get("body_bytes").and_then(Value::as_u64) {
        Some(bytes) => line("body", &counted_bytes(bytes)),
        None => line("body", "not read"),
    }
    let query: Vec<&str> = members(record, "query")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    if !query.is_empty() {
        line("query", &format!("{} (names only)", query.join(", ")));
    }
    line("headers", "values only of those that hold no secret");
    for header in members(record, "headers") {
        let name = text(header, "name");
        match header.get("value").and_then(Value::as_str) {
            Some(value) => output::line(&format!("  {name}: {value}")),
            None => output::line(&format!("  {name}")),
        }
    }
    next_steps(record);
}

fn next_steps(record: &Value) {
    output::line("");
    for step in steps(record) {
        output::line(&step);
    }
}

/// What to do next, line by line.
fn steps(record: &Value) -> Vec<String> {
    let (id, source) = (number(record, "id"), text(record, "source"));
    if let Some(event) = record.get("accepted_as") {
        return vec![format!(
            "It was accepted later, as event {event}. There is nothing to do."
        )];
    }
    let kept = record.get("kept_until").and_then(Value::as_str).map(moment);
    let ask = match kept {
        Some(_) => format!("ask `quentli-gateway rejected show {id} --diagnose`"),
        None => "keep a request in a file and ask `quentli-gateway verify` what is wrong with it"
            .to_owned(),
    };
    let mut lines = [
        "What to do next:",
        "  1. Mend what the reason says: docs/OPERATIONS.md, \"A sender is refused\", has a line for each.",
        &format!("     Where that does not help, {ask}."),
        "     A secret in a file is read again by itself; for one in the environment restart the gateway.",
    ]
    .map(str::to_owned)
    .to_vec();
    let lasting = record.get("lasting").and_then(Value::as_str);
    lines.extend(match (kept, lasting) {
        (Some(until), None) => vec![
            format!(
                "  2. The request is kept whole until {until}. Take it then: `quentli-gateway rejected accept {id}`,"
            ),
            format!(
                "     or everything of this source, oldest first: `quentli-gateway rejected accept --source {source} --all`."
            ),
        ],
        (Some(until), Some(lasting)) => vec![
            format!("  2. The request is kept whole until {until}, but is refused again as things are:"),
            format!("     {lasting}."),
            format!(
                "     If you change that, take it with `quentli-gateway rejected accept {id}`; else have the sender send it again."
            ),
        ],
        (None, _) => vec![
            "  2. The request is not kept: have the sender send it again.".to_owned(),
            format!(
                "     To have requests of this source kept from now on, write `keep_rejected: {{bodies_for: 24h}}` under \
                 `receive` in {source}.yaml."
            ),
        ],
    });
    lines
}

/// What came of one request that was tried again.
pub(super) fn accepted(answer: &Value) -> Exit {
    let event = number(answer, "event");
    match text(answer, "outcome") {
        "accepted" => {
            output::line(&format!("accepted as event {event}"));
            Exit::Fine
        }
        "duplicate" => {
            output::line(&format!(
                "known already: it came another time and is event {event}"
            ));
            Exit::Fine
        }
        _ => {
            output::line(&format!(
                "still refused: {}: {}",
                text(answer, "reason"),
                text(answer, "meaning")
            ));
            Exit::Bad
        }
    }
}

/// What came of many.
pub(super) fn accepted_of(source: &str, counts: [u64; 3], more: bool) {
    let [accepted, duplicate, refused] = counts;
    output::line(&format!(
        "{source}: {accepted} accepted, {duplicate} known already, {refused} still refused"
    ));
    if refused > 0 {
        output::note(&format!(
            "`quentli-gateway rejected --source {source}` shows the reasons of what is still refused"
        ));
    }
    if more {
        output::note("there are more: use `--all`");
    }
}

fn counted_bytes(bytes: u64) -> String {
    counted(usize::try_from(bytes).unwrap_or(usize::MAX), "byte")
}

/// The page of a diagnosis, which the gateway wrote.
pub(super) fn diagnosis(page: &Value) {
    for line in page.as_array().into_iter().flatten() {
        output::line(line.as_str().unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ingress::lasting;

    #[test]
    fn what_settings_cannot_mend_is_not_promised_to_pass() {
        let steps = |reason: &str| {
            let record = json!({
                "id": 7, "source": "crm", "reason": reason, "lasting": lasting(reason),
                "kept_until": "2026-03-03T12:00:00Z",
            });
            let lines = steps(&record);
            lines[4..].join("\n")
        };
        insta::assert_snapshot!(steps("timestamp-too-old"), @"
        2. The request is kept whole until 2026-03-03 12:00:00 UTC, but is refused again as things are:
           its time of signing is compared with the moment at which it came, so a clock that was mended since changes nothing; it passes only with a larger `tolerance` in the source's file.
           If you change that, take it with `quentli-gateway rejected accept 7`; else have the sender send it again.
        ");
        assert!(steps("no-match").contains("Take it then"));
    }
}
