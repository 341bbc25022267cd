//! The demonstration: the whole way of an event, shown on one screen.
//!
//! It starts the sandbox and a real gateway on free loopback ports, with a fresh database in a temporary folder and
//! the shipped source files, sends signed events over HTTP as four systems would, and shows what became of each. It
//! knows what should happen and ends with an error where something else did, so that it is a test of the whole, too.

mod files;
mod screen;
mod script;
mod stage;

use crate::{cli::Exit, lifecycle::Signals};

use stage::Stage;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Leave everything running afterwards, and show how to go on
    #[arg(long)]
    keep: bool,
}

/// Runs the demonstration; Ctrl-C ends it at any point.
pub(crate) async fn run(arguments: Arguments) -> Exit {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            screen::trouble(&format!("cannot listen for signals: {error}"));
            return Exit::Internal;
        }
    };
    let stage = match Stage::set().await {
        Ok(stage) => stage,
        Err(error) => {
            screen::trouble(&format!("the demonstration cannot start: {error:#}"));
            return Exit::Internal;
        }
    };
    screen::opening(&stage);
    let shown = tokio::select! {
        shown = script::play(&stage) => shown,
        name = signals.next() => {
            screen::trouble(&format!("{name}: ended early"));
            stage.strike().await;
            return Exit::Bad;
        }
    };
    let exit = match shown {
        Ok(surprises) if surprises.is_empty() => Exit::Fine,
        Ok(surprises) => {
            for surprise in surprises {
                screen::trouble(&surprise);
            }
            Exit::Bad
        }
        Err(error) => {
            screen::trouble(&format!("the demonstration broke off: {error:#}"));
            Exit::Internal
        }
    };
    if arguments.keep && exit == Exit::Fine {
        screen::how_to_go_on(&stage);
        signals.next().await;
    }
    stage.strike().await;
    exit
}
