//! `discard`: gives deliveries of a running gateway up.

use serde_json::{Value, json};

use super::{
    Exit,
    confirm::confirmed,
    operators::Port,
    output,
    pages::{Through, up_to, walk},
    table::count,
    which::{Which, with_waiting},
};
use crate::config::Environment;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Also those that wait or whose customer is looked for, not only dead ones
    #[arg(long)]
    waiting: bool,
    /// Why, for whoever looks at them later
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Only say how many they are
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    port: Port,
}

pub(super) async fn run(arguments: Arguments, environment: Environment) -> Exit {
    discard(arguments, &environment)
        .await
        .unwrap_or_else(|exit| exit)
}

async fn discard(arguments: Arguments, environment: &Environment) -> Result<Exit, Exit> {
    const PATH: &str = "/api/v1/discard";
    let mut which = arguments.which.wish()?;
    if arguments.waiting {
        with_waiting(&mut which);
    }
    let operators = arguments.port.find(environment)?;
    let wish = |dry_run: bool| -> Value {
        json!({"which": which, "dry_run": dry_run, "why": arguments.why})
    };
    let (mut found, mut missing, mut last) = (0, 0, None);
    let through = walk(&operators, PATH, wish(true), "discarded", |answer| {
        found += count(answer, "found");
        missing += count(answer, "not_open");
        last = answer.get("up_to").and_then(Value::as_i64).max(last);
    });
    if through.await? == Through::Interrupted {
        output::note("nothing was changed");
        return Ok(Exit::Bad);
    }
    if missing > 0 {
        output::note(&format!("{missing} are not there, or ended"));
    }
    if found == 0 || arguments.dry_run {
        output::line(&format!("{found} would be discarded"));
        return Ok(if missing > 0 { Exit::Bad } else { Exit::Fine });
    }
    let question = format!("discard {found}? They are never sent; what they said is lost");
    if !confirmed(&question, arguments.yes)? {
        return Ok(Exit::Bad);
    }
    let mut discarded = 0;
    // What has died since it was counted was not asked about.
    let wish = up_to(wish(false), last);
    let walked = walk(&operators, PATH, wish, "discarded", |answer| {
        discarded += count(answer, "discarded");
    });
    let through = walked.await;
    output::line(&format!("{discarded} discarded"));
    match through? {
        Through::All => Ok(Exit::Fine),
        Through::Interrupted => {
            output::note("the others are as before: the same command takes up the rest");
            Ok(Exit::Bad)
        }
    }
}
