//! `migrate-store`: moves the store of a stopped gateway into the database that it is to share with others.

use std::{io::IsTerminal as _, time::Duration};

use super::{Exit, config, confirm::confirmed, output, pages::Interrupts, table::Table};
use crate::{
    clock::Clock,
    config::{Config, Environment},
    store::moving::{self, Begun, Move, MoveError, PAGE_ROWS, Progress, TableRows, Wish},
};

/// How often progress is said to a person, and to a log.
const SAY_EVERY: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(30)];

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The gateway on the data directory must be stopped, and none may work with the database. Interrupted, the same \
                  command goes on. How it is done: \"From one machine to several\" in docs/OPERATIONS.md."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: config::Settings,
    /// Only say what would be moved; the gateway may run meanwhile
    #[arg(long, conflicts_with = "undo")]
    dry_run: bool,
    /// Stay with the data directory, or go back to it as it was when the move began; what gateways did on the database since is
    /// not in it, and would be done again
    #[arg(long)]
    undo: bool,
    /// Undo without asking
    #[arg(long, requires = "undo")]
    yes: bool,
    /// Most rows in one transaction
    #[arg(long, value_name = "N", default_value_t = PAGE_ROWS, value_parser = rows)]
    page_rows: usize,
}

fn rows(text: &str) -> Result<usize, &'static str> {
    let rows = text.parse().ok();
    rows.filter(|rows| (1..=100_000).contains(rows))
        .ok_or("a number from 1 to 100000")
}

pub(super) async fn run(arguments: Arguments, environment: Environment) -> Exit {
    let Some(config) = config::load(arguments.settings.clone(), &environment) else {
        return Exit::Configuration;
    };
    let clock = Clock::system();
    let ended = match wish(&config, arguments.page_rows) {
        _ if arguments.undo => undo(&config, arguments.yes, &clock).await,
        None => {
            output::error(
                "no database is named: give it by `--database postgres://user@host/database`, GATEWAY_DATABASE or `database` in \
                 gateway.yaml",
            );
            return Exit::Usage;
        }
        Some(wish) if arguments.dry_run => plan(&wish).await,
        Some(wish) => migrate(&wish, &clock).await,
    };
    ended.unwrap_or_else(|error| {
        output::error(&output::chain(&error));
        exit(&error)
    })
}

fn wish(config: &Config, page_rows: usize) -> Option<Wish> {
    let database = config.database.clone()?;
    Some(Wish {
        directory: config.data.clone(),
        address: database.address,
        durability: database.durability,
        page_rows,
    })
}

const fn exit(error: &MoveError) -> Exit {
    match error {
        MoveError::Origin(_) | MoveError::Target(_) | MoveError::Stopped { .. } => {
            Exit::Unavailable
        }
        MoveError::Occupied { .. }
        | MoveError::AnotherStore { .. }
        | MoveError::InUse { .. }
        | MoveError::MovedElsewhere { .. }
        | MoveError::Overtaken { .. } => Exit::Bad,
        MoveError::Read { .. } | MoveError::Refused { .. } | MoveError::Differs { .. } => {
            Exit::Internal
        }
    }
}

async fn plan(wish: &Wish) -> Result<Exit, MoveError> {
    let plan = moving::plan(wish).await?;
    show(&plan.tables);
    let database = wish.address.told();
    if plan.is_moved {
        output::note(&format!("all of it is in the database {database} already"));
        return Ok(Exit::Fine);
    }
    let all: u64 = plan.tables.iter().map(|table| table.rows).sum();
    output::note(&format!(
        "nothing was changed; without --dry-run, {} rows go to the database {database}, of {all}",
        all.saturating_sub(plan.moved)
    ));
    Ok(Exit::Fine)
}

async fn migrate(wish: &Wish, clock: &Clock) -> Result<Exit, MoveError> {
    let mut interrupts = Interrupts::new();
    let begun = interrupts.during(Move::begin(wish, clock)).await;
    let Some(begun) = begun.transpose()? else {
        return Ok(stopped(None));
    };
    let database = wish.address.told();
    let mut moving = match begun {
        Begun::Moving(moving) => moving,
        Begun::Through => {
            output::note(&format!(
                "the store is in the database {database} already; start gateways with it"
            ));
            return Ok(Exit::Fine);
        }
    };
    let [person, log] = SAY_EVERY;
    let say_every = if std::io::stderr().is_terminal() {
        person
    } else {
        log
    };
    let mut said_at = clock.elapsed();
    output::note(&told(moving.progress()));
    while !interrupts.is_stopping() {
        let page = interrupts.during(moving.page()).await;
        let Some(is_there_more) = page.transpose()? else {
            break;
        };
        if !is_there_more {
            output::note("comparing both …");
            let finished = interrupts.during(moving.finish()).await;
            let Some(tables) = finished.transpose()? else {
                return Ok(stopped(None));
            };
            show(&tables);
            output::note(&format!(
                "the store is in the database {database}: start gateways with it (`database`); the file in {} is kept as it was, and \
                 no gateway starts on it",
                wish.directory.display()
            ));
            return Ok(Exit::Fine);
        }
        let now = clock.elapsed();
        if now.saturating_sub(said_at) >= say_every {
            said_at = now;
            output::note(&told(moving.progress()));
        }
    }
    Ok(stopped(Some(moving.progress())))
}

fn told(progress: Progress) -> String {
    let Progress { table, moved, all } = progress;
    let at = if table.is_empty() {
        String::new()
    } else {
        format!(", at `{table}`")
    };
    format!("{moved} of {all} rows{at}")
}

fn stopped(progress: Option<Progress>) -> Exit {
    let through = progress.map_or_else(String::new, |progress| {
        format!(" after {} of {} rows", progress.moved, progress.all)
    });
    output::note(&format!(
        "stopped{through}: the same command does the rest, and until then no gateway starts on either"
    ));
    Exit::Bad
}

async fn undo(config: &Config, is_said: bool, clock: &Clock) -> Result<Exit, MoveError> {
    let question = "Work with the data directory again, as it was when its move began? What gateways did on the database since is \
                    not in it: it is lost, or done again.";
    match confirmed(question, is_said) {
        Ok(true) => {}
        Ok(false) => return Ok(Exit::Bad),
        Err(exit) => return Ok(exit),
    }
    let directory = config.data.display();
    match moving::undo(&config.data, clock).await? {
        None => output::note(&format!(
            "the store of {directory} was not moved; nothing was changed"
        )),
        Some(to) => output::note(&format!(
            "gateways start on {directory} again; see that none works with the database {to} any more, and empty it before the next \
             move: DROP SCHEMA quentli_gateway CASCADE"
        )),
    }
    Ok(Exit::Fine)
}

fn show(tables: &[TableRows]) {
    let mut table = Table::new(["table", "rows"]);
    for of in tables.iter().filter(|of| of.rows > 0) {
        table.row([of.table.to_owned(), of.rows.to_string()]);
    }
    table.print();
}
