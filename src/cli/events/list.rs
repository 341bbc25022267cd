//! `events`, `events deliveries`: pages of a list, one after the other, until as many are shown as were asked for.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::page;
use crate::{
    cli::{
        Exit,
        operators::{Operators, Port, escaped},
        output::{self, Format},
        table::{count, members, text},
        when::When,
    },
    clock::Clock,
    config::Environment,
    diag::visible,
    event::{DEAD_REASONS, OBSERVED},
};

/// Entries of one page.
const PAGE: u32 = 200;
/// A list that has looked at so many rows says where to go on, instead of going on by itself.
const MOST_LOOKED_AT: u64 = 1_000_000;
/// How often `--follow` looks.
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    filter: Filter,
    /// Instead of the other filters, but for `--source`: those that their sender numbers like this; once for each part of
    /// the source's `dedup`, in its order
    #[arg(
        long,
        value_name = "ID",
        conflicts_with_all = ["organisation", "state", "reason", "customer", "since", "until", "oldest_first", "after"]
    )]
    sender_id: Vec<String>,
    /// Show the latest, and go on showing new ones until Ctrl-C
    #[arg(
        long,
        conflicts_with_all = ["oldest_first", "after", "until", "sender_id", "state", "reason", "customer"]
    )]
    follow: bool,
    /// How they are shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    port: Port,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Deliveries {
    #[command(flatten)]
    filter: Filter,
    /// Only those of one event
    #[arg(long, value_name = "EVENT")]
    event: Option<i64>,
    /// How they are shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    port: Port,
}

#[derive(Debug, clap::Args)]
struct Filter {
    /// Only those of one source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only those for one organisation
    #[arg(long, value_name = "NAME")]
    organisation: Option<String>,
    /// Only those that stand or ended like this, such as `dead`, `waiting` or `delivered`
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Only those that are dead, or ended, for one reason, such as `customer-not-found`
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
    /// Only those of one customer, by the identifier that Quentli has
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// Only those received since then: 2026-03-02T08:00, 2026-03-02, or how long ago, such as 3h
    #[arg(long, value_name = "WHEN", value_parser = When::read)]
    since: Option<When>,
    /// Only those received before then
    #[arg(long, value_name = "WHEN", value_parser = When::read)]
    until: Option<When>,
    /// The oldest first
    #[arg(long)]
    oldest_first: bool,
    /// How many
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Where to go on: what the list before said
    #[arg(long, value_name = "PLACE")]
    after: Option<String>,
}

impl Filter {
    /// As parameters, but for those of a page.
    fn parameters(&self) -> String {
        let since = self.since.as_ref().map(When::as_str);
        let until = self.until.as_ref().map(When::as_str);
        let order = self.oldest_first.then_some("oldest-first");
        let named = [
            ("source", self.source.as_deref()),
            ("organisation", self.organisation.as_deref()),
            ("state", self.state.as_deref()),
            ("reason", self.reason.as_deref()),
            ("customer", self.customer.as_deref()),
            ("since", since),
            ("until", until),
            ("order", order),
        ];
        let named = named.into_iter();
        named
            .filter_map(|(name, value)| Some(format!("&{name}={}", escaped(value?))))
            .collect()
    }
}

pub(super) async fn events(list: List, environment: &Environment) -> Result<(), Exit> {
    let operators = list.port.find(environment)?;
    if !list.sender_id.is_empty() {
        let mut ids = String::new();
        for id in &list.sender_id {
            ids.push_str("&sender_id=");
            ids.push_str(&escaped(id));
        }
        let path = format!("/api/v1/events?{ids}{}", list.filter.parameters());
        let answer = operators.answered(Method::GET, &path, "events").await?;
        show(list.format, &answer, page::events);
        return Ok(());
    }
    let parameters = list.filter.parameters();
    if list.follow {
        return follow(&operators, &list.filter, &parameters, list.format).await;
    }
    let asked = Asked {
        path: format!("/api/v1/events?{parameters}"),
        part: "events",
        limit: list.filter.limit,
    };
    let answer = all(&operators, &asked, list.filter.after).await?;
    show(list.format, &answer, page::events);
    list_is_meant(&answer, "events", list.filter.reason.as_deref())
}

pub(super) async fn deliveries(list: Deliveries, environment: &Environment) -> Result<(), Exit> {
    let operators = list.port.find(environment)?;
    let event = list
        .event
        .map_or_else(String::new, |event| format!("&event={event}"));
    let asked = Asked {
        path: format!("/api/v1/deliveries?{event}{}", list.filter.parameters()),
        part: "deliveries",
        limit: list.filter.limit,
    };
    let answer = all(&operators, &asked, list.filter.after).await?;
    show(list.format, &answer, page::deliveries);
    list_is_meant(&answer, "deliveries", list.filter.reason.as_deref())
}

/// Whether nothing was found, for a reason that dead deliveries do not have: then it is perhaps a slip. Rules may name any
/// reason for what they leave out, so the gateway cannot tell before it has looked.
fn list_is_meant(answer: &Value, part: &str, reason: Option<&str>) -> Result<(), Exit> {
    let unknown = reason.filter(|reason| *reason != OBSERVED && !DEAD_REASONS.contains(reason));
    match unknown {
        Some(reason)
            if members(answer, part).is_empty()
                && answer.get("next").is_none_or(Value::is_null) =>
        {
            output::error(&format!(
                "nothing has the reason `{}`; those of dead deliveries are {}",
                visible(reason),
                DEAD_REASONS.join(", ")
            ));
            Err(Exit::Bad)
        }
        _ => Ok(()),
    }
}

fn show(format: Format, answer: &Value, page: fn(&Value)) {
    match format {
        Format::Json => output::line(&format!("{answer:#}")),
        Format::Human => page(answer),
    }
}

/// A list that is asked for.
struct Asked {
    path: String,
    /// Under which name the answer has it.
    part: &'static str,
    limit: u32,
}

/// Entries of as many pages as it takes, put together like one page.
async fn all(
    operators: &Operators,
    asked: &Asked,
    mut after: Option<String>,
) -> Result<Value, Exit> {
    let part = asked.part;
    let mut entries: Vec<Value> = Vec::new();
    let mut looked_at = 0;
    loop {
        let found = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        let missing = asked.limit.saturating_sub(found);
        if missing == 0 || looked_at >= MOST_LOOKED_AT {
            break;
        }
        let page = missing.min(PAGE);
        let behind = after
            .as_deref()
            .map_or_else(String::new, |place| format!("&after={}", escaped(place)));
        let path = format!("{}&limit={page}{behind}", asked.path);
        let answer = operators.answered(Method::GET, &path, part).await?;
        entries.extend(members(&answer, part).iter().cloned());
        looked_at += count(&answer, "looked_at");
        after = answer
            .get("next")
            .and_then(Value::as_str)
            .map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    Ok(json!({part: entries, "next": after, "looked_at": looked_at}))
}

/// The latest in the order in which they came, and then whatever comes. A gateway that is away, as while it is started
/// again, is waited for: what it takes up meanwhile comes then. Where its store was put back to an older one, the numbers begin
/// again behind the newest of that.
async fn follow(
    operators: &Operators,
    filter: &Filter,
    parameters: &str,
    format: Format,
) -> Result<(), Exit> {
    let asked = Asked {
        path: format!("/api/v1/events?{parameters}"),
        part: "events",
        limit: filter.limit,
    };
    // Behind the last one that is there at all, which perhaps does not pass the filter.
    let mut last = newest(operators).await?;
    let latest = all(operators, &asked, None).await?;
    let mut entries = members(&latest, "events").to_vec();
    entries.reverse();
    let clock = Clock::system();
    let mut is_first = true;
    let mut is_away = false;
    loop {
        for entry in &entries {
            last = last.max(
                entry
                    .get("event")
                    .and_then(Value::as_i64)
                    .unwrap_or_default(),
            );
            match format {
                Format::Json => output::line(&entry.to_string()),
                Format::Human => {}
            }
        }
        if format == Format::Human {
            page::followed(&entries, is_first);
            is_first = false;
        }
        clock.sleep(INTERVAL).await;
        let end = u32::MAX;
        let path = format!(
            "/api/v1/events?{parameters}&order=oldest-first&limit={PAGE}&after={last}.{end}.{end}"
        );
        let answer = operators.answered_again(&path, "events").await?;
        let newest = match &answer {
            // An event that is gone for its age may have been the newest: then there is nothing to see behind it, either.
            Ok(answer) if members(answer, "events").is_empty() => newest_again(operators).await?,
            _ => Ok(last),
        };
        let (answer, newest) = match answer.and_then(|answer| Ok((answer, newest?))) {
            Ok(answered) => answered,
            Err(reason) => {
                entries = Vec::new();
                if !is_away {
                    is_away = true;
                    output::note(&format!(
                        "the gateway does not answer now ({reason}); waiting for it, Ctrl-C ends"
                    ));
                }
                continue;
            }
        };
        if is_away {
            is_away = false;
            output::note("the gateway answers again");
        }
        entries = members(&answer, "events").to_vec();
        if newest < last {
            output::note(&format!(
                "the newest event was {last} and is {newest} now, as where an older store was put back; going on behind event {newest}"
            ));
            last = newest;
            continue;
        }
        if let Some((event, _)) = text(&answer, "next").split_once('.') {
            last = last.max(event.parse().unwrap_or_default());
        }
    }
}

/// The newest event, whatever it is.
const NEWEST: &str = "/api/v1/events?limit=1";

/// The number of the newest event.
async fn newest(operators: &Operators) -> Result<i64, Exit> {
    let answer = operators.answered(Method::GET, NEWEST, "events").await?;
    Ok(number_of_first(&answer))
}

/// As [`newest`], or only the reason while nobody answers.
async fn newest_again(operators: &Operators) -> Result<Result<i64, String>, Exit> {
    let answer = operators.answered_again(NEWEST, "events").await?;
    Ok(answer.as_ref().map(number_of_first).map_err(String::clone))
}

/// Nought where there is none.
fn number_of_first(answer: &Value) -> i64 {
    let first = members(answer, "events").first();
    let number = first.and_then(|event| event.get("event"));
    number.and_then(Value::as_i64).unwrap_or_default()
}
