//! `redeliver`: has deliveries of a running gateway sent again, or what a source only observed sent at last.

mod page;

use serde_json::{Value, json};

use self::page::{Counts, Kind};
use super::{
    Exit,
    confirm::confirmed,
    operators::Port,
    output::{self, Format, counted},
    pages::{Through, up_to, walk},
    which::{Which, with_waiting},
};
use crate::config::Environment;

/// More than this many are confirmed.
const FEW: u64 = 100;

#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that a person types"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Only say what would become of them
    #[arg(long)]
    dry_run: bool,
    /// Send them also over newer data: what was accepted later and is applied already
    #[arg(long)]
    overwrite: bool,
    /// Map their events again, by the source's file of now, and send what comes out; also for those that could not be mapped
    #[arg(long)]
    remap: bool,
    /// With a filter: also those that wait or whose customer is looked for, not only dead ones; they are tried now
    #[arg(long, conflicts_with = "ids")]
    waiting: bool,
    /// With `--source NAME` alone: send what the source only observed, now that it is live
    #[arg(long, requires = "source", conflicts_with_all = ["ids", "all", "remap", "waiting", "organisation", "reason", "customer", "event", "since", "until"])]
    observed: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// How the result is shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    port: Port,
}

pub(super) async fn run(arguments: Arguments, environment: Environment) -> Exit {
    redeliver(arguments, &environment)
        .await
        .unwrap_or_else(|exit| exit)
}

async fn redeliver(arguments: Arguments, environment: &Environment) -> Result<Exit, Exit> {
    const PATH: &str = "/api/v1/redeliver";
    let mut which = arguments.which.wish()?;
    if arguments.waiting {
        with_waiting(&mut which);
    }
    let operators = arguments.port.find(environment)?;
    let wish = |dry_run: bool| -> Value {
        json!({
            "which": which, "dry_run": dry_run, "overwrite": arguments.overwrite, "remap": arguments.remap,
            "observed": arguments.observed,
        })
    };
    let mut expected = Counts::of(if arguments.observed {
        Kind::Observed
    } else if arguments.waiting {
        Kind::Open
    } else {
        Kind::Dead
    });
    let through = walk(&operators, PATH, wish(true), "redelivered", |answer| {
        expected.add(answer);
    });
    if through.await? == Through::Interrupted {
        output::note("nothing was changed");
        return Ok(Exit::Bad);
    }
    if arguments.dry_run {
        match arguments.format {
            Format::Json => output::line(&format!("{:#}", expected.json())),
            Format::Human => {
                for line in expected.lines() {
                    output::line(&line);
                }
            }
        }
        return Ok(Exit::Fine);
    }
    for line in expected.lines() {
        output::note(&line);
    }
    if expected.redelivered == 0 && !expected.changes_anything() {
        return Ok(if expected.is_nothing() {
            Exit::Fine
        } else {
            Exit::Bad
        });
    }
    let many = counted(
        usize::try_from(expected.redelivered).unwrap_or(usize::MAX),
        "delivery",
    );
    let given_up = expected.given_up();
    let question = if given_up > 0 {
        format!("map these events again, send {many}, and give up {given_up} for good?")
    } else if arguments.remap {
        format!("map these events again and send {many}?")
    } else if arguments.observed {
        format!(
            "send {many} that {} only observed?",
            arguments.which.source()
        )
    } else if arguments.overwrite {
        format!("send {many} again, also over newer data?")
    } else {
        format!("send {many} again?")
    };
    let is_small = expected.redelivered <= FEW && !arguments.overwrite && given_up == 0;
    if !confirmed(&question, is_small || arguments.yes)? {
        return Ok(Exit::Bad);
    }
    let mut done = Counts::default();
    // What has died since it was counted was not asked about.
    let wish = up_to(wish(false), expected.up_to);
    let walked = walk(&operators, PATH, wish, "redelivered", |answer| {
        done.add(answer);
    });
    let through = walked.await;
    match arguments.format {
        Format::Json => output::line(&format!("{:#}", done.json())),
        Format::Human if arguments.observed => {
            output::line(&done.done("put on their way"));
        }
        Format::Human => output::line(&done.done("sent again")),
    }
    match through? {
        Through::All => Ok(Exit::Fine),
        Through::Interrupted => {
            output::note("the others are as before: the same command takes up the rest");
            Ok(Exit::Bad)
        }
    }
}
