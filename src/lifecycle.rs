//! Signals, and the two phases of shutdown.
//!
//! *Soft*: nothing new is begun, what is under way is finished. *Hard*: everything is dropped at once, which is
//! always safe, because what was acknowledged is on disk. The first `SIGTERM` or `SIGINT` fires soft; a second one, or
//! the end of the grace period, fires hard. `SIGHUP` is the wish to reload. Knows neither HTTP nor storage.

use std::{
    io::{IsTerminal as _, stderr},
    time::Duration,
};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// The two tokens that tasks end on. Cheap to clone; clones fire together.
#[derive(Clone, Debug)]
pub struct Shutdown {
    hard: CancellationToken,
    soft: CancellationToken,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    pub fn new() -> Self {
        let hard = CancellationToken::new();
        // A child fires with its parent: hard implies soft.
        let soft = hard.child_token();
        Self { hard, soft }
    }

    /// Fires when nothing new may be begun.
    pub fn soft(&self) -> &CancellationToken {
        &self.soft
    }

    /// Fires when everything must be dropped.
    pub fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    /// Begins an orderly shutdown, as a first signal does.
    pub fn begin(&self) {
        self.soft.cancel();
    }

    /// A later stage: begun on its own, ended with the whole.
    #[must_use]
    pub fn stage(&self) -> Self {
        let hard = self.hard.child_token();
        let soft = hard.child_token();
        Self { hard, soft }
    }

    /// Ends everything at once, as a second signal does.
    pub fn abort(&self) {
        self.hard.cancel();
    }
}

/// The signals that end the process.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to listen; from here on the signals no longer end the process by themselves.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one and gives its name. Cancel-safe.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// Turns signals into shutdown: the first is orderly, and the second, or `grace` after the first, is not.
    /// Returns when hard shutdown has begun; callers drop it when all is done before.
    pub async fn drive(mut self, shutdown: Shutdown, grace: Duration, clock: Clock) {
        tokio::select! {
            name = self.next() => tracing::info!(signal = name, "shutting down: finishing what is under way"),
            () = shutdown.soft.cancelled() => {}
        }
        shutdown.begin();
        tokio::select! {
            name = self.next() => tracing::warn!(signal = name, "second signal: stopping at once; nothing acknowledged is lost"),
            () = clock.sleep(grace) => tracing::warn!("the grace period is over: stopping at once; nothing acknowledged is lost"),
            () = shutdown.hard.cancelled() => {}
        }
        shutdown.abort();
    }
}

/// `SIGHUP`, which a supervisor sends to have files read again, and a terminal that is closed to those started in it.
#[derive(Debug)]
pub struct Hangups {
    hangup: Signal,
    had_terminal: bool,
}

/// What a `SIGHUP` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    Reload,
    /// The terminal that the log went to is gone, and with it the person who would see that the process lives on.
    TerminalGone,
}

impl Hangups {
    /// Begins to listen; from here on the signal does not end the process by itself.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            had_terminal: stderr().is_terminal(),
        })
    }

    /// Waits for the next one; several at once may count as one. Cancel-safe.
    pub async fn next(&mut self) -> Hangup {
        if self.hangup.recv().await.is_none() {
            // The runtime ends.
            return std::future::pending().await;
        }
        if self.had_terminal && !stderr().is_terminal() {
            Hangup::TerminalGone
        } else {
            Hangup::Reload
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hard_implies_soft_and_soft_does_not_imply_hard() {
        let shutdown = Shutdown::new();
        shutdown.begin();
        assert!(shutdown.soft().is_cancelled() && !shutdown.hard().is_cancelled());
        let shutdown = Shutdown::new();
        shutdown.abort();
        assert!(shutdown.soft().is_cancelled() && shutdown.hard().is_cancelled());
    }

    #[test]
    fn a_stage_begins_on_its_own_and_ends_with_the_whole() {
        let shutdown = Shutdown::new();
        let stage = shutdown.stage();
        shutdown.begin();
        assert!(!stage.soft().is_cancelled());
        shutdown.abort();
        assert!(stage.hard().is_cancelled() && stage.soft().is_cancelled());
    }

    #[tokio::test]
    async fn the_end_of_the_grace_period_fires_hard() {
        let clock = Clock::manual("2026-01-15T10:00:00Z".parse().unwrap());
        let shutdown = Shutdown::new();
        shutdown.begin();
        let drive = Signals::listen().unwrap().drive(
            shutdown.clone(),
            Duration::from_secs(10),
            clock.clone(),
        );
        tokio::pin!(drive);
        tokio::select! { biased; () = &mut drive => panic!("ended before its time"), () = std::future::ready(()) => {} }
        clock.advance(Duration::from_secs(10));
        drive.await;
        assert!(shutdown.hard().is_cancelled());
    }
}
