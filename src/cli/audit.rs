//! `audit`: what people did with a running gateway.

use serde_json::Value;

use super::{
    Exit,
    newest::{Newest, note_more},
    output,
    table::{Table, count, members, moment, number, text},
};
use crate::config::Environment;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only acts of one kind, such as `reveal` or `redeliver`
    #[arg(long, value_name = "ACT")]
    act: Option<String>,
    #[command(flatten)]
    newest: Newest,
}

pub(super) async fn run(arguments: Arguments, environment: Environment) -> Exit {
    let filters = [("act", arguments.act.as_deref())];
    let newest = arguments.newest;
    let shown = newest.show("audit", &filters, &environment, page).await;
    shown.unwrap_or_else(|exit| exit)
}

fn page(answer: &Value) {
    let entries = members(answer, "audit");
    if entries.is_empty() {
        output::note("nobody did anything of that kind, or it is kept no longer");
        return;
    }
    let mut table = Table::new(["ID", "WHEN", "WHO", "DID", "COUNT", "TO WHAT"]);
    for entry in entries {
        let by = entry.get("by").and_then(Value::as_str);
        table.row([
            number(entry, "id"),
            moment(text(entry, "at")),
            by.unwrap_or("(not said)").to_owned(),
            text(entry, "act").to_owned(),
            count(entry, "count").to_string(),
            what(entry),
        ]);
    }
    table.print();
    note_more(answer);
    output::note(
        "who it was is what they said with `--by` or `Gateway-Operator`, or their user name",
    );
}

/// `event 17, source crm`.
fn what(entry: &Value) -> String {
    let parts = members(entry, "what").iter();
    let parts = parts.map(|part| format!("{} {}", text(part, "name"), text(part, "value")));
    parts.collect::<Vec<_>>().join(", ")
}
