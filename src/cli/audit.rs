//! `audit`: what people did with a running gateway.

use http::Method;
use serde_json::Value;

use super::{
    Exit,
    operators::{Port, escaped},
    output::{self, Format},
    table::{Table, count, members, moment, number, text},
};
use crate::config::Environment;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only acts of one kind, such as `reveal` or `redeliver`
    #[arg(long, value_name = "ACT")]
    act: Option<String>,
    /// How many, up to 500
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Only those with a smaller number: the next page
    #[arg(long, value_name = "ID")]
    before: Option<i64>,
    /// How they are shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    port: Port,
}

pub(super) async fn run(arguments: Arguments, environment: Environment) -> Exit {
    match list(arguments, &environment).await {
        Ok(()) => Exit::Fine,
        Err(exit) => exit,
    }
}

async fn list(arguments: Arguments, environment: &Environment) -> Result<(), Exit> {
    let before = arguments.before.map(|before| before.to_string());
    let wishes: String = [("act", &arguments.act), ("before", &before)]
        .into_iter()
        .filter_map(|(name, text)| Some(format!("&{name}={}", escaped(text.as_deref()?))))
        .collect();
    let path = format!("/api/v1/audit?limit={}{wishes}", arguments.limit);
    let operators = arguments.port.find(environment)?;
    let answer = operators.answered(Method::GET, &path, "audit").await?;
    match arguments.format {
        Format::Json => output::line(&format!("{answer:#}")),
        Format::Human => page(&answer),
    }
    Ok(())
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
    if let Some(next) = answer.get("next").and_then(Value::as_i64) {
        output::note(&format!("there are more: add `--before {next}`"));
    }
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
