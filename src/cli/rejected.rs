//! `rejected`: which requests a running gateway refused, and accepting later what it should have taken.

mod page;

use http::Method;
use serde_json::Value;

use super::{
    Exit,
    newest::Newest,
    operators::{Port, escaped},
    output::{self, Format},
};
use crate::config::Environment;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List rejected requests, newest first; the same as `rejected` alone
    List(List),
    /// Show one rejected request, without its body, and what to do next
    Show(Show),
    /// Verify kept requests again, with the settings and secrets of now, and take those that pass
    Accept(Accept),
}

#[derive(Debug, clap::Args)]
struct List {
    /// Only those of one source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only those of one reason, such as `no-match`
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
    #[command(flatten)]
    newest: Newest,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// The number in the list
    #[arg(value_name = "ID")]
    id: i64,
    /// Instead: why it is refused and which setting to change to what, for one that is kept whole
    #[arg(long)]
    diagnose: bool,
    /// How it is shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    port: Port,
}

#[derive(Debug, clap::Args)]
struct Accept {
    /// The number in the list
    #[arg(
        value_name = "ID",
        required_unless_present = "source",
        conflicts_with = "source"
    )]
    id: Option<i64>,
    /// Instead of one request, the oldest hundred of a source, in the order in which they came
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// With `--source`: all of them
    #[arg(long, requires = "source")]
    all: bool,
    #[command(flatten)]
    port: Port,
}

pub(super) async fn run(arguments: Arguments, environment: Environment) -> Exit {
    let done = match arguments.what.unwrap_or(What::List(arguments.list)) {
        What::List(list) => run_list(list, &environment).await,
        What::Show(show) => run_show(show, &environment).await,
        What::Accept(accept) => run_accept(accept, &environment).await,
    };
    done.unwrap_or_else(|exit| exit)
}

async fn run_list(list: List, environment: &Environment) -> Result<Exit, Exit> {
    let filters = [
        ("source", list.source.as_deref()),
        ("reason", list.reason.as_deref()),
    ];
    list.newest
        .show("rejected", &filters, environment, page::list)
        .await
}

async fn run_show(show: Show, environment: &Environment) -> Result<Exit, Exit> {
    let operators = show.port.find(environment)?;
    if show.diagnose {
        let path = format!("/api/v1/rejected/{}/diagnosis", show.id);
        let mut answer = operators.answered(Method::GET, &path, "page").await?;
        let page = answer
            .as_object_mut()
            .and_then(|answer| answer.remove("page"));
        match show.format {
            Format::Json => output::line(&format!("{answer:#}")),
            Format::Human => page::diagnosis(&page.unwrap_or_default()),
        }
        let is_genuine = answer.get("verdict").and_then(Value::as_str) == Some("genuine");
        return Ok(if is_genuine { Exit::Fine } else { Exit::Bad });
    }
    let path = format!("/api/v1/rejected/{}", show.id);
    let answer = operators.answered(Method::GET, &path, "reason").await?;
    match show.format {
        Format::Json => output::line(&format!("{answer:#}")),
        Format::Human => page::one(&answer),
    }
    Ok(Exit::Fine)
}

async fn run_accept(accept: Accept, environment: &Environment) -> Result<Exit, Exit> {
    let operators = accept.port.find(environment)?;
    let Some(source) = &accept.source else {
        let path = format!("/api/v1/rejected/{}/accept", accept.id.unwrap_or_default());
        let answer = operators.answered(Method::POST, &path, "outcome").await?;
        return Ok(page::accepted(&answer));
    };
    let (mut counts, mut after) = ([0; 3], 0);
    let next = loop {
        let path = format!(
            "/api/v1/sources/{}/rejected/accept?after={after}",
            escaped(source)
        );
        let answer = match operators.answered(Method::POST, &path, "accepted").await {
            Ok(answer) => answer,
            Err(exit) => {
                // Of those before it is known what became of them.
                if after > 0 {
                    page::accepted_of(source, counts, false);
                }
                return Err(exit);
            }
        };
        let words = ["accepted", "duplicate", "refused"];
        for (sum, word) in counts.iter_mut().zip(words) {
            *sum += answer.get(word).and_then(Value::as_u64).unwrap_or_default();
        }
        match answer.get("next").and_then(Value::as_i64) {
            Some(next) if accept.all => after = next,
            next => break next,
        }
    };
    page::accepted_of(source, counts, next.is_some());
    let [_, _, refused] = counts;
    Ok(if refused == 0 { Exit::Fine } else { Exit::Bad })
}
