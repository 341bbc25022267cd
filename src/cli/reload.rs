//! `reload`: asks a running gateway to read its files again, and shows what came of it.

use http::Method;
use serde_json::Value;

use super::{
    Exit,
    operators::{Operators, Port},
    output,
};
use crate::config::Environment;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    port: Port,
}

pub(super) async fn run(arguments: Arguments, environment: Environment) -> Exit {
    match arguments.port.find(&environment) {
        Ok(operators) => reload(&operators).await.unwrap_or_else(|exit| exit),
        Err(exit) => exit,
    }
}

async fn reload(operators: &Operators) -> Result<Exit, Exit> {
    let (status, answer) = operators.ask(Method::POST, "/api/v1/reload").await?;
    if answer.get("sources").is_none() {
        return Err(operators.refused(status, &answer));
    }
    show(&answer);
    Ok(if status == 200 { Exit::Fine } else { Exit::Bad })
}

/// What came of it: results to standard output, what a person must mend to standard error.
fn show(answer: &Value) {
    let word = |part: &str| {
        let outcome = answer.get(part).and_then(|part| part.get("outcome"));
        outcome
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    output::line(&format!("sources: {}", word("sources")));
    for list in ["added", "changed", "removed"] {
        for name in lines(answer, "sources", list) {
            output::line(&format!("  {list}: {name}"));
        }
    }
    output::line(&format!("keys: {}", word("keys")));
    for name in lines(answer, "keys", "renewed") {
        output::line(&format!("  new: {name}"));
    }
    for part in ["sources", "keys"] {
        for line in lines(answer, part, "warnings") {
            output::note(line);
        }
        for line in lines(answer, part, "trouble") {
            output::note(line);
        }
    }
    if answer.get("settings_changed") == Some(&Value::Bool(true)) {
        output::note(
            "gateway.yaml is not what the gateway started with; restart the gateway to use it",
        );
    }
}

fn lines<'a>(answer: &'a Value, part: &str, list: &str) -> impl Iterator<Item = &'a str> {
    let list = answer.get(part).and_then(|part| part.get(list));
    let entries = list.and_then(Value::as_array).into_iter().flatten();
    entries.filter_map(Value::as_str)
}
