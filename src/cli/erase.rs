//! `erase`: has a running gateway remove every trace of a person, and shows the receipt.

use serde_json::{Value, json};

use super::{
    Exit,
    operators::{Operators, Port},
    output::{self, Format},
    pages::Interrupts,
};
use crate::{config::Environment, diag::visible, event::OrganisationName};

#[derive(Debug, clap::Args)]
#[group(id = "who", required = true, multiple = true)]
struct Who {
    /// Quentli's identifier of the customer
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// A user name by which events name the same person; may be given several times
    #[arg(long, value_name = "NAME")]
    username: Vec<String>,
    /// An e-mail address by which events name the same person; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    email: Vec<String>,
    /// A key of the metadata with its value by which events name the same person; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    who: Who,
    /// The organisation whose customer it is
    #[arg(long, value_name = "NAME", default_value_t = OrganisationName::default_name())]
    organisation: OrganisationName,
    /// Only count what would be removed, as without --yes
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Remove it; it cannot be brought back
    #[arg(long)]
    yes: bool,
    /// How the receipt is shown
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    port: Port,
}

/// What is counted, in the order in which it is shown, with what it is.
const COUNTS: [(&str, &str); 8] = [
    ("events", "events in which the person was found"),
    ("deliveries", "updates that were to be sent or dead"),
    ("history", "updates that had ended"),
    ("attempts", "attempts"),
    ("observed", "updates that were only observed"),
    ("bodies", "bodies of events"),
    ("applied", "values that Quentli confirmed"),
    ("refused", "refused requests that were kept whole"),
];

fn pair(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(super) async fn run(arguments: Arguments, environment: Environment) -> Exit {
    let Arguments {
        who,
        organisation,
        dry_run: _,
        yes,
        format,
        port,
    } = arguments;
    let metadata: Vec<Value> = who
        .metadata
        .iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect();
    let mut wish = json!({
        "organisation": organisation.as_str(),
        "usernames": who.username,
        "emails": who.email,
        "metadata": metadata,
        "dry_run": !yes,
    });
    if let (Some(wish), Some(customer)) = (wish.as_object_mut(), who.customer) {
        wish.insert("customer".to_owned(), customer.into());
    }
    match port.find(&environment) {
        Ok(operators) => erase(&operators, wish, format)
            .await
            .unwrap_or_else(|exit| exit),
        Err(exit) => exit,
    }
}

/// Page by page, each of which is done as a whole. Ctrl-C stops after the one at hand and shows the receipt of what was
/// done until then; the next time does the rest.
async fn erase(operators: &Operators, mut wish: Value, format: Format) -> Result<Exit, Exit> {
    let mut sum = [0_u64; COUNTS.len()];
    let mut interrupts = Interrupts::new();
    let mut last = None;
    loop {
        let asked = interrupts.post(operators, "/api/v1/erase", &wish, "receipt");
        let Some(mut answer) = asked.await? else {
            return Ok(stopped(last.as_ref(), format));
        };
        let receipt = answer.get_mut("receipt").ok_or(Exit::Internal)?;
        for (sum, (name, _)) in sum.iter_mut().zip(COUNTS) {
            let count = receipt.pointer_mut(&format!("/removed/{name}"));
            *sum += count.as_ref().and_then(|count| count.as_u64()).unwrap_or(0);
            if let Some(count) = count {
                *count = (*sum).into();
            }
        }
        let Some(next) = receipt.get("next").filter(|next| next.is_object()).cloned() else {
            show(receipt, format);
            return Ok(Exit::Fine);
        };
        let receipt = receipt.take();
        if interrupts.is_stopping() {
            return Ok(stopped(Some(&receipt), format));
        }
        last = Some(receipt);
        output::note(&format!("{} …", place(&next)));
        if let Some(wish) = wish.as_object_mut() {
            wish.insert("after".to_owned(), next);
        }
    }
}

/// Says how far it came.
fn stopped(receipt: Option<&Value>, format: Format) -> Exit {
    let next = receipt.and_then(|receipt| receipt.get("next"));
    if let Some(receipt) = receipt {
        show(receipt, format);
    }
    let through = next.map_or_else(
        || "before the first page was answered".to_owned(),
        |next| format!("after {}, up to which all is done", place(next)),
    );
    output::note(&format!(
        "stopped {through}: the same command does the rest"
    ));
    Exit::Bad
}

/// How far it has come, in words.
fn place(next: &Value) -> String {
    let number = |name: &str| next.get(name).and_then(Value::as_i64);
    match (number("event"), number("refused")) {
        (Some(event), _) => format!("event {event}"),
        (None, Some(0) | None) => "the last event".to_owned(),
        (None, Some(refused)) => format!("refused request {refused}"),
    }
}

fn show(receipt: &Value, format: Format) {
    if format == Format::Json {
        output::line(&format!("{receipt:#}"));
        return;
    }
    let text = |name: &str| receipt.get(name).and_then(Value::as_str).unwrap_or("-");
    let dry_run = receipt.get("dry_run").and_then(Value::as_bool) == Some(true);
    output::line(&format!(
        "{} of the organisation `{}`{}",
        if dry_run { "to be erased" } else { "erased" },
        text("organisation"),
        if dry_run { "" } else { ", for good" }
    ));
    output::line(&format!("  customer   {}", text("customer")));
    output::line(&format!("  at         {}", text("at")));
    output::line(&format!("  by         {}", visible(text("by"))));
    for (name, what) in COUNTS {
        let count = receipt.pointer(&format!("/removed/{name}"));
        let count = count.and_then(Value::as_u64).unwrap_or(0);
        output::line(&format!("{count:>12} {what}"));
    }
    let too_short = receipt.get("too_short").and_then(Value::as_u64);
    if let Some(too_short @ 1..) = too_short {
        let (are, them) = match too_short {
            1 => ("identifier has", "it"),
            _ => ("identifiers have", "them"),
        };
        output::note(&format!(
            "{too_short} {are} less than four characters: bodies were not searched for {them}, since nearly every body would be found; \
             see \"What erasing searches\" in docs/OPERATIONS.md"
        ));
    }
    if dry_run {
        output::note("nothing was removed; look at the counts, and give --yes to remove it");
    } else {
        output::note(
            "backups hold it still, and Quentli was not asked; see \"Erase a customer\" in docs/OPERATIONS.md",
        );
    }
}
