//! `explain`: what a source file does with an event, step by step. Nothing is sent and nobody is asked.

#![expect(
    clippy::doc_markdown,
    reason = "comments on arguments are the help that people read"
)]

mod json;
mod page;
mod patch;
mod table;

use std::{path::PathBuf, str::FromStr};

use http::header::CONTENT_TYPE;
use jiff::Timestamp;

use super::{
    Exit,
    output::{self, ColourFlag, Format},
    request::{Head, read_body},
};
use crate::{
    clock::Clock,
    config::Environment,
    diag::did_you_mean,
    mapping::{Extent, Found, Input, Mapping, TestCase},
    source::{
        SourceFile, UnreadableSamples, kept_headers,
        receive::{DedupRule, Receive},
    },
};

/// How many items, and elements of each list in them, are shown unless all are asked for.
const MOST: usize = 10;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The source file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The event: a file with the body of a request; `-` reads standard input
    #[arg(long, value_name = "FILE", conflicts_with = "test")]
    event: Option<PathBuf>,
    /// Instead of an event: a test of the file, by its name or a part of it
    #[arg(long, value_name = "NAME")]
    test: Option<String>,
    #[command(flatten)]
    head: Head,
    /// Whom Quentli would find, as in tests: 'username=tut-1: cus_1' or username=tut-1=cus_1; once for each customer
    #[arg(long, value_name = "KEY=VALUE: ID")]
    found: Vec<Answer>,
    /// When the event arrives, as 2026-01-15T10:30:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
    /// Only the item of this number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    item: Option<u32>,
    /// Everything, however long
    #[arg(long)]
    all: bool,
    /// How it is shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    colour: ColourFlag,
}

/// An answer of Quentli, as it is written on the command line.
#[derive(Clone, Debug)]
struct Answer {
    key: String,
    customer: String,
}

impl FromStr for Answer {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, customer) = text
            .split_once(": ")
            .or_else(|| text.rsplit_once('='))
            .unwrap_or_default();
        let (key, customer) = (key.trim(), customer.trim());
        if customer.is_empty() || Found::new(key, Vec::new()).is_none() {
            return Err(
                "write which key has which customer: 'email=a@b.mx: cus_1' or username=tut-1=cus_1",
            );
        }
        Ok(Self {
            key: key.to_owned(),
            customer: customer.to_owned(),
        })
    }
}

/// What is shown besides the explanation itself.
struct Shown<'a> {
    file: &'a str,
    /// `event a.json` or `test a name`.
    event: String,
    /// How events of this source are known again.
    dedup: &'a DedupRule,
    /// Whether Quentli's answers are known.
    is_answered: bool,
    /// Whether one item was asked for.
    is_one_item: bool,
    /// Whether nothing is cut.
    is_whole: bool,
}

pub(super) fn run(arguments: &Arguments, environment: &Environment) -> Exit {
    if !arguments.file.exists() {
        output::error(&format!("{} is not there", arguments.file.display()));
        return Exit::Unavailable;
    }
    let file = SourceFile::read(&arguments.file, UnreadableSamples::Warn);
    let Some((receive, mapping)) = file.parts() else {
        output::findings(&file.findings, arguments.colour.of_messages(environment));
        return Exit::Bad;
    };
    let event = match Event::read(arguments, receive, mapping) {
        Ok(event) => event,
        Err(exit) => return exit,
    };
    let answers = answers(&arguments.found);
    let found = match (&event, answers.is_empty()) {
        (_, false) => Some(answers.as_slice()),
        (Event::Test(test), true) => Some(test.found),
        (Event::Request { .. }, true) => None,
    };
    let extent = Extent {
        item: arguments.item.and_then(|item| usize::try_from(item).ok()),
        most: if arguments.all { usize::MAX } else { MOST },
    };
    let explanation = match mapping.explain(&event.input(arguments.now), found, extent) {
        Ok(explanation) => explanation,
        Err(error) => {
            output::error(&error.to_string());
            return Exit::Bad;
        }
    };
    let shown = Shown {
        file: file.findings.file.name(),
        event: event.described(arguments),
        dedup: &receive.dedup,
        is_answered: found.is_some(),
        is_one_item: extent.item.is_some(),
        is_whole: arguments.all,
    };
    match arguments.format {
        Format::Human => {
            let style = arguments.colour.of_result(environment);
            for line in page::page(&shown, &explanation, style) {
                output::line(&line);
            }
        }
        Format::Json => output::line(&format!("{:#}", json::json(&shown, &explanation))),
    }
    if let Some(item) = extent.item
        && explanation.items.is_empty()
        && explanation.ending.is_none()
    {
        let count = output::counted(explanation.others.count, "item");
        output::error(&format!("there is no item {item}: the event has {count}"));
        return Exit::Usage;
    }
    Exit::Fine
}

/// What is mapped.
enum Event<'a> {
    Test(TestCase<'a>),
    Request {
        body: Vec<u8>,
        content_type: Option<String>,
        headers: Vec<(String, String)>,
    },
}

impl<'a> Event<'a> {
    fn read(arguments: &Arguments, receive: &Receive, mapping: &'a Mapping) -> Result<Self, Exit> {
        match (&arguments.event, &arguments.test) {
            (Some(path), _) => {
                let body = read_body(path).map_err(|error| {
                    output::error(&format!("{} cannot be read: {error}", path.display()));
                    Exit::Unavailable
                })?;
                let headers = arguments.head.headers(path);
                let content_type = headers
                    .get(CONTENT_TYPE)
                    .and_then(|value| value.to_str().ok());
                Ok(Self::Request {
                    body,
                    content_type: content_type.map(ToOwned::to_owned),
                    headers: kept_headers(receive, mapping, &headers),
                })
            }
            (None, Some(_)) if !arguments.head.is_empty() => {
                output::error("a test has its own content type and headers: leave them out");
                Err(Exit::Usage)
            }
            (None, Some(name)) => find_test(mapping, name).map(Self::Test),
            (None, None) => {
                output::error(
                    "which event? Give `--event FILE`, or `--test NAME` with a test of the file:",
                );
                list_tests(mapping);
                Err(Exit::Usage)
            }
        }
    }

    fn input(&self, now: Option<Timestamp>) -> Input<'_> {
        match self {
            Self::Test(test) => Input {
                now: now.unwrap_or(test.input.now),
                ..test.input
            },
            Self::Request {
                body,
                content_type,
                headers,
            } => Input {
                body,
                content_type: content_type.as_deref(),
                headers,
                now: now.unwrap_or_else(|| Clock::system().now()),
            },
        }
    }

    fn described(&self, arguments: &Arguments) -> String {
        match (self, &arguments.event) {
            (Self::Test(test), _) => format!("test `{}`", test.name),
            (Self::Request { .. }, Some(path)) if path.as_os_str() != "-" => {
                format!("event {}", path.display())
            }
            (Self::Request { .. }, _) => "event from standard input".to_owned(),
        }
    }
}

/// The test of this name, or the only one with this in its name.
fn find_test<'a>(mapping: &'a Mapping, name: &str) -> Result<TestCase<'a>, Exit> {
    if let Some(test) = mapping.tests().find(|test| test.name == name) {
        return Ok(test);
    }
    let part = name.to_lowercase();
    let mut like = mapping
        .tests()
        .filter(|test| test.name.to_lowercase().contains(&part));
    match (like.next(), like.next()) {
        (Some(test), None) => return Ok(test),
        (Some(_), Some(_)) => {
            output::error(&format!("several tests have `{name}` in their names:"));
        }
        (None, _) => {
            let names = mapping.tests().map(|test| test.name);
            let help = did_you_mean(name, names)
                .map_or_else(|| ".".to_owned(), |help| format!("; {help}"));
            output::error(&format!(
                "no test is named `{name}`{help} The tests of the file:"
            ));
        }
    }
    list_tests(mapping);
    Err(Exit::Usage)
}

fn list_tests(mapping: &Mapping) {
    for test in mapping.tests() {
        output::note(&format!("  {}", test.name));
    }
}

/// Answers for the same key are several customers who have it.
fn answers(written: &[Answer]) -> Vec<Found> {
    let mut keys: Vec<(&str, Vec<String>)> = Vec::new();
    for Answer { key, customer } in written {
        match keys.iter_mut().find(|(known, _)| known == key) {
            Some((_, customers)) => customers.push(customer.clone()),
            None => keys.push((key, vec![customer.clone()])),
        }
    }
    keys.into_iter()
        .filter_map(|(key, customers)| Found::new(key, customers))
        .collect()
}
