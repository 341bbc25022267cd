//! `serve`: receives and delivers until it is told to stop.

use std::{convert::Infallible, io::IsTerminal as _};

use super::{Exit, config, output};
use crate::{
    app::{self, StartError, Strictness},
    clock::Clock,
    config::Environment,
    diag::Style,
    lifecycle::{Hangup, Hangups, Shutdown, Signals},
    source::reload::Reloads,
    telemetry::{LogFormat, start_logs},
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: config::Settings,
    /// Do not start while any source file has a mistake or lacks a secret
    #[arg(long)]
    strict: bool,
}

pub(super) async fn run(arguments: Arguments, environment: Environment) -> Exit {
    // Before anything else: a supervisor may ask for a reload at any moment, also before there is anything to reload.
    let hangups = match Hangups::listen() {
        Ok(hangups) => hangups,
        Err(error) => return cannot_listen(&error),
    };
    let Some(mut config) = config::load(arguments.settings, &environment) else {
        return Exit::Configuration;
    };
    if std::io::stderr().is_terminal() {
        config.log.colour = output::usual_style(&environment) == Style::Coloured;
        if !config.is_set("log.format") {
            config.log.format = LogFormat::Human;
        }
    }
    start_logs(&config.log);

    let clock = Clock::system();
    let grace = config.shutdown.drain + config.shutdown.grace;
    let strictness = if arguments.strict {
        Strictness::Strict
    } else {
        Strictness::Lenient
    };
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return cannot_listen(&error),
    };
    let started = tokio::select! {
        started = app::start(config, &environment, strictness, clock.clone()) => started,
        name = signals.next() => {
            tracing::info!(signal = name, "stopped before the start was done");
            return Exit::Fine;
        }
    };
    let app = match started {
        Ok(app) => app,
        Err(error) => {
            output::error(&output::chain(&error));
            return match error {
                StartError::Sources(_)
                | StartError::Strict(_)
                | StartError::Notifications(_)
                | StartError::Client { .. } => Exit::Configuration,
                StartError::Listen { .. }
                | StartError::Store(_)
                | StartError::Database(_)
                | StartError::LearnedSecrets(_)
                | StartError::Pauses(_) => Exit::Unavailable,
            };
        }
    };
    let shutdown = Shutdown::new();
    let heed = heed(hangups, app.reloads(), shutdown.clone());
    let signals = signals.drive(shutdown.clone(), grace, clock);
    tokio::pin!(signals);
    let run = app.run(shutdown);
    tokio::pin!(run);
    let ended = tokio::select! {
        ended = &mut run => ended,
        // Hard shutdown has begun; the app drops what it holds and returns.
        () = &mut signals => run.await,
        never = heed => match never {},
    };
    match ended {
        Ok(()) => Exit::Fine,
        Err(error) => {
            tracing::error!(error.chain = output::chain(&error), "the gateway ends");
            output::error(&output::chain(&error));
            Exit::Internal
        }
    }
}

fn cannot_listen(error: &std::io::Error) -> Exit {
    output::error(&format!("cannot listen for signals: {error}"));
    Exit::Internal
}

/// Turns each `SIGHUP` into a reload, or, where it says that the terminal is gone, into shutdown.
async fn heed(mut hangups: Hangups, reloads: Reloads, shutdown: Shutdown) -> Infallible {
    loop {
        match hangups.next().await {
            Hangup::Reload => reloads.signalled(),
            Hangup::TerminalGone => {
                tracing::info!("shutting down: the terminal is closed");
                shutdown.begin();
            }
        }
    }
}
