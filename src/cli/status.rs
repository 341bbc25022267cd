//! `status`: how a running gateway stands, on one page, for somebody who was woken by it.

mod troubles;

use http::Method;
use jiff::Timestamp;
use serde_json::Value;

use self::troubles::{Trouble, troubles};
use super::{
    Exit,
    operators::Port,
    output::{self, ColourFlag, Format, Tone, counted, painted, wrapped},
    table::{count, members, moment, text},
};
use crate::{
    config::Environment,
    diag::{Style, visible},
};

/// The width of a terminal, less the margin.
const WIDTH: usize = 96;

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 all is well; 1 somebody should look.")]
pub(super) struct Arguments {
    /// How it is shown; as JSON it is the gateway's own answer
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    colour: ColourFlag,
    #[command(flatten)]
    port: Port,
}

pub(super) async fn run(arguments: Arguments, environment: Environment) -> Exit {
    match look(arguments, &environment).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn look(arguments: Arguments, environment: &Environment) -> Result<Exit, Exit> {
    let style = arguments.colour.of_result(environment);
    let operators = arguments.port.find(environment)?;
    let status = operators
        .answered(Method::GET, "/api/v1/status", "organisations")
        .await?;
    let troubles = troubles(&status);
    match arguments.format {
        Format::Json => output::line(&format!("{status:#}")),
        Format::Human => {
            for line in page(&status, &troubles, style) {
                output::line(&line);
            }
        }
    }
    Ok(if troubles.is_empty() {
        Exit::Fine
    } else {
        Exit::Bad
    })
}

fn page(status: &Value, troubles: &[Trouble], style: Style) -> Vec<String> {
    let mut lines = vec![format!(
        "quentli-gateway {} at {}",
        visible(text(status, "version")),
        moment(text(status, "at"))
    )];
    lines.push(String::new());
    lines.extend(figures(status));
    lines.push(String::new());
    if troubles.is_empty() {
        lines.push(painted("All is well.", Tone::Good, style));
        return lines;
    }
    let tone = if troubles.iter().any(|trouble| trouble.is_urgent) {
        Tone::Bad
    } else {
        Tone::Doubtful
    };
    let things = counted(troubles.len(), "thing");
    lines.push(painted(&format!("{things} to look at:"), tone, style));
    for (number, trouble) in (1..).zip(troubles) {
        lines.push(String::new());
        let what = wrapped(&visible(&trouble.what), WIDTH - 4);
        for (index, line) in what.into_iter().enumerate() {
            let number = if index == 0 {
                format!("{number:>2}.")
            } else {
                String::new()
            };
            lines.push(format!("{number:<3} {line}"));
        }
        for help in &trouble.help {
            for line in wrapped(&visible(help), WIDTH - 4) {
                lines.push(format!("    {line}"));
            }
        }
        for command in &trouble.commands {
            lines.push(painted(
                &format!("      {}", visible(command)),
                Tone::Faint,
                style,
            ));
        }
    }
    lines
}

/// How much there is of everything.
fn figures(status: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| lines.push(format!("{name:<14} {value}"));
    let store = status.get("store");
    if let Some(totals) = store.and_then(|store| store.get("totals")) {
        line(
            "requests",
            format!(
                "{} accepted, {} known already",
                count(totals, "accepted"),
                count(totals, "duplicate")
            ),
        );
        let open: Vec<String> = ["waiting", "looking", "dead"]
            .iter()
            .map(|state| format!("{} {state}", count(totals, state)))
            .collect();
        line("deliveries", open.join(", "));
        let ended = totals.get("ended").and_then(Value::as_object);
        let ended: Vec<String> = ended
            .into_iter()
            .flatten()
            .filter(|(_, count)| count.as_u64() != Some(0))
            .map(|(end, count)| format!("{count} {end}"))
            .collect();
        if !ended.is_empty() {
            line("ended", ended.join(", "));
        }
    }
    let sources = members(status, "sources");
    let receiving = sources
        .iter()
        .filter(|source| source.get("receives") == Some(&Value::Bool(true)));
    line(
        "sources",
        format!("{} of {} receive", receiving.count(), sources.len()),
    );
    let observing: Vec<&str> = sources
        .iter()
        .filter(|source| text(source, "mode") == "observe")
        .map(|source| text(source, "source"))
        .collect();
    if !observing.is_empty() {
        let names = observing.join(", ");
        line(
            "observing",
            visible(&format!("{names}: nothing new of it is sent")),
        );
    }
    for (name, organisation) in organisations(status) {
        line(
            "organisation",
            visible(&format!("{name}: {}", delivering(organisation, at(status)))),
        );
    }
    let refused = members(status, "rejected").iter();
    let refused: u64 = refused.map(|source| count(source, "requests")).sum();
    if refused > 0 {
        line(
            "rejected",
            format!("{refused} can be looked at: quentli-gateway rejected"),
        );
    }
    lines
}

/// `delivering, 3 customers with something open, 1 attempt under way; the oldest waits for 2 min`.
fn delivering(organisation: &Value, now: Option<Timestamp>) -> String {
    let figure = |name: &str| usize::try_from(count(organisation, name)).unwrap_or(usize::MAX);
    let mut said = vec![text(organisation, "state").to_owned()];
    if organisation.get("loading") == Some(&Value::Bool(true)) {
        said.push("still reading in what waits".to_owned());
    }
    said.push(format!(
        "{} with something open",
        counted(figure("lanes"), "customer")
    ));
    if figure("in_flight") > 0 {
        said.push(format!(
            "{} under way",
            counted(figure("in_flight"), "attempt")
        ));
    }
    if figure("looking") > 0 {
        said.push(format!(
            "{} looked for",
            counted(figure("looking"), "customer")
        ));
    }
    if let Some(held) = organisation.get("held") {
        let here = if held.get("here") == Some(&Value::Bool(true)) {
            ", which answers"
        } else {
            ""
        };
        let since = age(held, "since", now);
        let since = since.map_or_else(String::new, |age| format!(" for {age}"));
        said.push(format!("held by {}{here}{since}", text(held, "replica")));
    }
    let mut text = said.join(", ");
    if let Some(age) = age(organisation, "oldest_waiting", now) {
        text = format!("{text}; the oldest waits for {age}");
    }
    if let Some(directory) = organisation.get("directory") {
        let reading = directory.get("reading").and_then(Value::as_u64);
        let reading = reading.map_or_else(String::new, |read| format!(", {read} customers read"));
        let state = self::text(directory, "state");
        text = format!("{text}; directory {state}{reading}");
    }
    text
}

fn organisations(status: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let organisations = status.get("organisations").and_then(Value::as_object);
    organisations.into_iter().flatten()
}

fn at(status: &Value) -> Option<Timestamp> {
    text(status, "at").parse().ok()
}

/// How long ago a member was.
fn age(value: &Value, name: &str, now: Option<Timestamp>) -> Option<String> {
    let then: Timestamp = value.get(name)?.as_str()?.parse().ok()?;
    Some(duration(now?.duration_since(then).as_secs()))
}

/// `40 s`, `12 min`, `5 h`, `3 days`.
fn duration(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}
