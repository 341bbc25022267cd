//! What a person sees of a backtest: how many events, then fields, then examples.

use serde_json::Value;

use crate::{
    cli::table::{Table, count, members, moment, number, text},
    diag::visible,
};

/// The lines of the page; `last` events were asked for.
pub(super) fn lines(answer: &Value, last: u32) -> Vec<String> {
    let (events, different) = (count(answer, "events"), count(answer, "different"));
    let source = text(answer, "source");
    let mut lines = vec![format!(
        "{events} events of {source}: {} the same, {different} different; nothing was sent",
        count(answer, "same")
    )];
    match text(answer, "cut") {
        "no-more" => lines.push(format!(
            "{last} were asked for, and there are no more whose body is kept"
        )),
        "time" => lines.push(format!(
            "{last} were asked for, and it took too long; ask for fewer with `--last`"
        )),
        _ => {}
    }
    if text(answer, "old") == text(answer, "new") {
        lines.push("the file is the one in force, unchanged".to_owned());
    }
    let remarks = members(answer, "remarks").iter();
    lines.extend(remarks.filter_map(Value::as_str).map(str::to_owned));
    for (name, what) in [
        ("now_fails", "fail now and did not"),
        ("newly_works", "failed and work now"),
        ("now_dropped", "send less: an update is dropped now"),
        ("newly_sent", "send more: there was no such update"),
    ] {
        let events = count(answer, name);
        if events > 0 {
            lines.push(format!("  {events:>5}  {what}"));
        }
    }
    let fields = answer.get("fields").and_then(Value::as_object);
    if let Some(fields) = fields.filter(|fields| !fields.is_empty()) {
        let mut table = Table::new(["FIELD", "CHANGED", "ADDED", "REMOVED"]);
        for (name, counts) in fields {
            let of = |what| count(counts, what).to_string();
            table.row([name.clone(), of("changed"), of("added"), of("removed")]);
        }
        lines.push(String::new());
        lines.extend(table.lines());
    }
    for example in members(answer, "examples") {
        lines.push(String::new());
        lines.extend(shown(example));
    }
    if !members(answer, "examples").is_empty()
        && answer.get("revealed") == Some(&Value::Bool(false))
    {
        lines.push(String::new());
        lines.push("values are hidden; `--reveal` shows them, and is written down".to_owned());
    }
    lines
}

fn shown(example: &Value) -> Vec<String> {
    let at = moment(text(example, "received_at"));
    let mut lines = vec![format!("event {}, {at}", number(example, "event"))];
    let mut last = None;
    for difference in members(example, "differences") {
        let place = (count(difference, "item"), count(difference, "number"));
        let (was, now) = (text(difference, "was"), text(difference, "now"));
        if last != Some(place) {
            let (item, number) = place;
            let mut line = format!("  item {item}, update {number}: {was}");
            if was != now {
                line = format!("{line} → {now}");
            }
            let reason = text(difference, "reason");
            if !reason.is_empty() {
                line = format!("{line} ({})", visible(reason));
            }
            lines.push(line);
            last = Some(place);
        }
        if let Some(field) = difference.get("field").and_then(Value::as_str) {
            let value = |name| {
                let value = difference.get(name).and_then(Value::as_str);
                visible(value.unwrap_or("not sent"))
            };
            lines.push(format!(
                "    {}: {} → {}",
                visible(field),
                value("before"),
                value("after")
            ));
        }
    }
    let more = count(example, "more");
    if more > 0 {
        lines.push(format!("    and {more} more"));
    }
    lines
}
