//! The command line: arguments, exit codes, and what each command prints.
//!
//! Results go to standard output, messages and the log to standard error. A command decides nothing that the library
//! could decide; it reads arguments, calls, and shows.

mod audit;
mod backtest;
mod check;
mod config;
mod confirm;
mod discard;
mod erase;
mod events;
mod explain;
mod forget_secret;
mod functions;
mod healthcheck;
mod migrate_store;
mod new;
mod newest;
mod notify;
mod operators;
mod output;
mod pages;
mod pause;
mod presets;
mod redeliver;
mod rejected;
mod reload;
mod remedies;
mod request;
mod sandbox;
mod schema;
mod send;
mod serve;
mod status;
mod table;
mod test;
mod verify;
mod when;
mod which;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::config::Environment;

/// How a command ended. The numbers above 1 follow `sysexits.h`, so that a supervisor can tell mistakes of a person
/// from crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Fine,
    /// The command did its work and the result is bad: findings, failed tests, a refused event.
    Bad,
    /// The arguments are wrong.
    Usage,
    /// Something that must be there or must answer is not: a file, a port, the gateway.
    Unavailable,
    /// The program met an error of its own, or of the machine.
    Internal,
    /// The configuration has mistakes.
    Configuration,
}

impl Exit {
    /// The process's exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Bad => 1,
            Self::Usage => 64,
            Self::Unavailable => 69,
            Self::Internal => 70,
            Self::Configuration => 78,
        }
    }
}

#[derive(Debug, Parser)]
#[command(
    name = "quentli-gateway",
    version,
    about = "Brings signed webhooks from school systems and CRMs to Quentli as customer updates",
    after_help = "Exit codes: 0 fine; 1 findings, failed tests or a refusal; 64 wrong usage; 69 something needed is \
                  not there; 70 an error of the program or the machine; 78 mistakes in the configuration."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive webhooks and deliver them
    Serve(serve::Arguments),
    /// Check source files without starting anything
    Check(check::Arguments),
    /// Run the tests that source files carry
    Test(test::Arguments),
    /// Show what a source file does with an event, step by step; nothing is sent
    Explain(explain::Arguments),
    /// Show the functions of the mapping language
    Functions(functions::Arguments),
    /// Show the senders whose way to prove a request is known, or the settings of one
    Presets(presets::Arguments),
    /// Make a draft of a source file from sample events
    New(new::Arguments),
    /// Print the JSON Schema of source files, which editors use to complete and explain
    Schema(schema::Arguments),
    /// Send a test event, signed as its source would sign it
    Send(Box<send::Arguments>),
    /// Say why a request is refused, and which setting to change; or judge a file of test vectors
    Verify(Box<verify::Arguments>),
    /// Have a running gateway read its source files, secrets and keys again
    Reload(reload::Arguments),
    /// Show which requests a running gateway refused, and accept later what it should have taken
    Rejected(rejected::Arguments),
    /// Show on one page how a running gateway stands: what is stuck, why, and which command helps
    Status(status::Arguments),
    /// Show what became of the events of a running gateway, and what to do where a person must look
    Events(Box<events::Arguments>),
    /// Show what people did with a running gateway: who looked at personal data, who changed what
    Audit(audit::Arguments),
    /// Have deliveries sent again that are dead or wait, one or many
    Redeliver(Box<redeliver::Arguments>),
    /// Give deliveries up, one or many
    Discard(Box<discard::Arguments>),
    /// Stop sending what a source, or everything that an organisation, has waiting; it is received and kept
    Pause(pause::Arguments),
    /// Go on sending after a pause
    Resume(pause::Arguments),
    /// Have a running gateway remove every trace of a person
    Erase(Box<erase::Arguments>),
    /// Have a running gateway forget the secret that a sender named, so that it can name another
    ForgetSecret(forget_secret::Arguments),
    /// Show what a changed source file would send differently, by events that a running gateway has stored
    Backtest(backtest::Arguments),
    /// Have a running gateway try whether notifications arrive
    Notify(notify::Arguments),
    /// Show every setting in effect and where it came from
    Config(config::Arguments),
    /// Run a local stand-in for Quentli's customers API
    Sandbox(sandbox::Arguments),
    /// Show the whole way of an event: sandbox, gateway and signed events from four systems
    Demo(crate::demo::Arguments),
    /// Move the store of the data directory into a PostgreSQL database that several gateways share
    MigrateStore(migrate_store::Arguments),
    /// Ask a running gateway whether it is ready; for container health checks
    Healthcheck(healthcheck::Arguments),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Fine
            };
            // Nothing is left to do where even the help cannot be printed.
            drop(error.print());
            return ExitCode::from(code.code());
        }
    };
    let environment = Environment::of_process();
    // Another dependency may bring a second provider; then the choice must be made explicitly, once.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let exit = match arguments.command {
        Command::Check(arguments) => check::run(&arguments, &environment),
        Command::Test(arguments) => test::run(&arguments, &environment),
        Command::Explain(arguments) => explain::run(&arguments, &environment),
        Command::Functions(arguments) => functions::run(&arguments, &environment),
        Command::Presets(arguments) => presets::run(&arguments, &environment),
        Command::New(arguments) => new::run(&arguments, &environment),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Verify(arguments) => block_on(verify::run(*arguments, environment)),
        Command::Config(arguments) => config::run(&arguments, &environment),
        Command::Serve(arguments) => block_on(serve::run(arguments, environment)),
        Command::Reload(arguments) => block_on(reload::run(arguments, environment)),
        Command::Status(arguments) => block_on(status::run(arguments, environment)),
        Command::Events(arguments) => block_on(events::run(*arguments, environment)),
        Command::Audit(arguments) => block_on(audit::run(arguments, environment)),
        Command::Rejected(arguments) => block_on(rejected::run(arguments, environment)),
        Command::Redeliver(arguments) => block_on(redeliver::run(*arguments, environment)),
        Command::Discard(arguments) => block_on(discard::run(*arguments, environment)),
        Command::Pause(arguments) => block_on(pause::pause(arguments, environment)),
        Command::Resume(arguments) => block_on(pause::resume(arguments, environment)),
        Command::Erase(arguments) => block_on(erase::run(*arguments, environment)),
        Command::ForgetSecret(arguments) => block_on(forget_secret::run(arguments, environment)),
        Command::Backtest(arguments) => block_on(backtest::run(arguments, environment)),
        Command::Notify(arguments) => block_on(notify::run(arguments, environment)),
        Command::Send(arguments) => block_on(send::run(*arguments, environment)),
        Command::Sandbox(arguments) => block_on(sandbox::run(arguments)),
        Command::Demo(arguments) => block_on(crate::demo::run(arguments)),
        Command::MigrateStore(arguments) => block_on(migrate_store::run(arguments, environment)),
        Command::Healthcheck(arguments) => block_on(healthcheck::run(arguments, environment)),
    };
    ExitCode::from(exit.code())
}

/// Where somebody on this machine reaches a port: one that listens on all addresses, on the loopback.
fn from_here(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn block_on(command: impl Future<Output = Exit>) -> Exit {
    match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => {
            let exit = runtime.block_on(command);
            // Threads that still map or read a file must not hold up the end.
            runtime.shutdown_timeout(std::time::Duration::from_secs(1));
            exit
        }
        Err(error) => {
            output::error(&format!("cannot start: {error}"));
            Exit::Internal
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
