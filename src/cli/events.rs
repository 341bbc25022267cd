//! `events`: what became of the events of a running gateway.

mod list;
mod page;
mod show;

use super::Exit;
use crate::config::Environment;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    list: list::List,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List events, newest first; the same as `events` alone
    List(list::List),
    /// List deliveries, the updates that events were made into, newest first
    Deliveries(list::Deliveries),
    /// Show one event: the request, what the mapping made of it, each attempt and Quentli's answer, and what to do next
    Show(show::Show),
}

pub(super) async fn run(arguments: Arguments, environment: Environment) -> Exit {
    let done = match arguments.what.unwrap_or(What::List(arguments.list)) {
        What::List(list) => list::events(list, &environment).await,
        What::Deliveries(list) => list::deliveries(list, &environment).await,
        What::Show(show) => show::run(show, &environment).await,
    };
    done.map_or_else(|exit| exit, |()| Exit::Fine)
}
