//! `backtest`: what a changed source file would send differently, by events that a running gateway has stored.

mod page;

use std::path::PathBuf;

use serde_json::Value;

use super::{
    Exit,
    operators::{Port, escaped},
    output::{self, Format},
    table::{members, text},
};
use crate::{
    config::Environment,
    source::{SourceFile, UnreadableSamples},
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The changed source file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How many of the latest events of its source are looked at, up to 10000
    #[arg(long, value_name = "NUMBER", default_value_t = 500,
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    last: u32,
    /// How many events that differ are shown, up to 100
    #[arg(long, value_name = "NUMBER", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(0..=100))]
    examples: u32,
    /// Show the values, which are personal data; the gateway writes down that somebody asked
    #[arg(long)]
    reveal: bool,
    /// How the result is shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    port: Port,
}

pub(super) async fn run(arguments: Arguments, environment: Environment) -> Exit {
    match try_out(arguments, &environment).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn try_out(arguments: Arguments, environment: &Environment) -> Result<Exit, Exit> {
    // Mistakes show here, also where no gateway runs.
    let file = SourceFile::read(&arguments.file, UnreadableSamples::Refuse);
    output::findings(&file.findings, output::usual_style(environment));
    let Some(checked) = &file.checked else {
        return Err(Exit::Bad);
    };
    let path = format!(
        "/api/v1/sources/{}/backtest?last={}&examples={}&reveal={}",
        escaped(checked.name().as_str()),
        arguments.last,
        arguments.examples,
        arguments.reveal
    );
    let operators = arguments.port.find(environment)?;
    let text_of_file = file.findings.file.text().to_owned();
    let (status, answer) = operators.post_text(&path, text_of_file).await?;
    if status == 422 {
        output::error(&format!(
            "{}: {}",
            text(&answer, "title"),
            text(&answer, "detail")
        ));
        for line in members(&answer, "mistakes") {
            output::note(line.as_str().unwrap_or_default());
        }
        return Err(Exit::Bad);
    }
    if status != 200 || answer.get("different").is_none() {
        return Err(operators.refused(status, &answer));
    }
    match arguments.format {
        Format::Json => output::line(&format!("{answer:#}")),
        Format::Human => {
            for line in page::lines(&answer, arguments.last) {
                output::line(&line);
            }
        }
    }
    let is_same = answer.get("different").and_then(Value::as_u64) == Some(0);
    Ok(if is_same { Exit::Fine } else { Exit::Bad })
}
