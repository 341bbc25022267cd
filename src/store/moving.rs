//! Moves the store of a data directory into a PostgreSQL database, page by page, so that it can be interrupted at any moment and
//! gone on with.
//!
//! What holds at each moment, also after a `kill -9`:
//!
//! - At most one of the two is a store that a gateway works with. The database is closed to gateways before the first row is there
//!   and until all are; the file is closed from then on, and for good once all are there. So nothing is sent twice, and nothing
//!   is accepted where nobody looks for it.
//! - A page and the place it goes up to are written in one transaction. Whoever goes on starts at that place.
//! - The file is never changed but for its format and the mark, and stays as it was when the move is through.
//!
//! A move knows its store by what no two stores have in common, and itself by a token in both places: a file that went on living
//! in between (its move was undone) starts again from nothing, and a database with anything else in it is left alone.
//!
//! It does not look at what it copies: values of keyed hashes stay good, since their key goes along, and so do all numbers.

pub(in crate::store) mod page;
pub(in crate::store) mod tables;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::task::JoinHandle;

use self::{
    page::{Page, PageLimit, Place},
    tables::TABLES,
};
use super::{
    StoreError,
    postgres::{
        self, Durability, PostgresAddress,
        target::{Identity, Standing, Target, TargetError},
    },
    sqlite::{
        self,
        origin::{self, Origin},
    },
};
use crate::clock::Clock;

/// Rows of a page, where nothing else is said.
pub const PAGE_ROWS: usize = 2000;

/// A page that has reached so many takes no more rows.
const PAGE_BYTES: usize = 4 << 20;

/// Why a store was not moved, or not further. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    #[error(transparent)]
    Origin(#[from] sqlite::OpenError),
    #[error(transparent)]
    Target(#[from] postgres::OpenError),
    #[error(
        "the database {database} is not empty (table `{table}`); name an empty one, or, if nobody needs what is in it, empty it: DROP \
         SCHEMA quentli_gateway CASCADE"
    )]
    Occupied {
        database: String,
        table: &'static str,
    },
    #[error(
        "the database {database} holds a part of another store, whose move is not through; go on with that one where it is, or, if \
         nobody needs it, empty the database: DROP SCHEMA quentli_gateway CASCADE"
    )]
    AnotherStore { database: String },
    #[error(
        "gateways work with the database {database}, at least {gateways}; stop them (one that crashed counts for a minute), and start \
         them again when the store is there"
    )]
    InUse { database: String, gateways: i64 },
    #[error("the store was moved to the database {to}, and {database} does not hold it")]
    MovedElsewhere { database: String, to: String },
    #[error(
        "somebody else went on with the move to the database {database}, or emptied it; run this again, once only"
    )]
    Overtaken { database: String },
    #[error("the store cannot be read ({what}); nothing was changed in it")]
    Read { what: String },
    #[error(
        "the database {database} stopped taking the store ({what}); run this again, which goes on from here"
    )]
    Stopped { database: String, what: String },
    #[error("the database {database} does not take what is in the store ({what})")]
    Refused { database: String, what: String },
    #[error(
        "the store has {here} rows in `{table}` and the database {database} has {there}, so it was not released; empty it (DROP SCHEMA \
         quentli_gateway CASCADE) and move the store again"
    )]
    Differs {
        database: String,
        table: &'static str,
        here: u64,
        there: u64,
    },
}

/// What to move, and where to.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The data directory.
    pub directory: PathBuf,
    pub address: PostgresAddress,
    pub durability: Durability,
    /// Most rows in one transaction; at least 1.
    pub page_rows: usize,
}

/// Rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableRows {
    pub table: &'static str,
    pub rows: u64,
}

/// What a move would find.
#[derive(Clone, Debug)]
pub struct Plan {
    pub tables: Vec<TableRows>,
    /// Rows that are there already.
    pub moved: u64,
    pub is_moved: bool,
}

/// How far a move has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The table of the last page.
    pub table: &'static str,
    pub moved: u64,
    pub all: u64,
}

/// A move under way. Dropped, it can be gone on with.
#[derive(Debug)]
pub struct Move {
    origin: Arc<Mutex<Origin>>,
    target: Target,
    identity: Identity,
    database: String,
    clock: Clock,
    limit: PageLimit,
    place: Place,
    counts: Vec<u64>,
    moved: u64,
    /// Read while the one before is being written.
    ahead: Option<JoinHandle<rusqlite::Result<Page>>>,
}

/// What became of the wish to begin.
#[derive(Debug)]
pub enum Begun {
    Moving(Box<Move>),
    /// All of it is there, and gateways may work with it.
    Through,
}

/// Says what a move would do, and changes nothing. A gateway may run on the directory.
///
/// # Errors
/// A move would be refused, or one of the two cannot be reached.
pub async fn plan(wish: &Wish) -> Result<Plan, MoveError> {
    let directory = wish.directory.clone();
    let seen = blocking(move || Ok(origin::look(&directory)?)).await?;
    let database = wish.address.told();
    let target = Target::connect(&wish.address, wish.durability).await?;
    let standing = target.standing(&seen.identity.unwrap_or_default()).await;
    let standing = standing.map_err(|error| failed(&database, error))?;
    let (moved, is_moved) = match (standing, seen.mark) {
        (Standing::Begun { token, rows, .. }, Some(mark)) if token == mark.token => (rows, false),
        (Standing::Finished { token }, Some(mark)) if token == mark.token => {
            (seen.counts.iter().sum(), true)
        }
        (Standing::Finished { .. }, _) => {
            return Err(failed(&database, TargetError::Occupied { table: "event" }));
        }
        (_, Some(mark)) if mark.has_ended => {
            return Err(MoveError::MovedElsewhere {
                database,
                to: mark.to,
            });
        }
        (Standing::Empty | Standing::Begun { .. } | Standing::Abandoned, _) => (0, false),
    };
    Ok(Plan {
        tables: by_table(&seen.counts),
        moved,
        is_moved,
    })
}

/// Whether a data directory holds events that were not moved anywhere: a gateway that works with a database leaves them where they
/// are. Not where it cannot be read.
pub async fn are_left_behind(directory: &Path) -> bool {
    let directory = directory.to_owned();
    let Ok(seen) = blocking(move || Ok(origin::look(&directory)?)).await else {
        return false;
    };
    let has_events = by_table(&seen.counts)
        .iter()
        .any(|of| of.table == "event" && of.rows > 0);
    has_events && seen.mark.is_none_or(|mark| !mark.has_ended)
}

/// Takes a store back that is on its way or went away: gateways work with the file again, as it was when the move began. Says
/// where it went; `None` where it went nowhere. The database is left as it is.
///
/// # Errors
/// The directory is held, holds no store, or cannot be written.
pub async fn undo(directory: &Path, clock: &Clock) -> Result<Option<String>, MoveError> {
    let (directory, clock) = (directory.to_owned(), clock.clone());
    blocking(move || {
        let origin = Origin::take(&directory, &clock)?;
        let mark = origin.mark()?;
        origin.undo()?;
        Ok(mark.map(|mark| mark.to))
    })
    .await
}

impl Move {
    /// Takes the directory and the database, and begins or finds the place to go on from.
    ///
    /// # Errors
    /// Somebody works with one of the two, or the database holds something else. Nothing has changed but formats.
    pub async fn begin(wish: &Wish, clock: &Clock) -> Result<Begun, MoveError> {
        let database = wish.address.told();
        let (directory, opens) = (wish.directory.clone(), clock.clone());
        let (origin, store, mark, counts) = blocking(move || {
            let origin = Origin::take(&directory, &opens)?;
            let (store, mark, counts) = (origin.identity()?, origin.mark()?, origin.counts()?);
            Ok((origin, store, mark, counts))
        })
        .await?;
        let target = Target::connect(&wish.address, wish.durability).await?;
        target.prepare(&wish.address).await?;
        let failed = |error| failed(&database, error);
        // A move to another place is another move: what came of the one before is never gone on with beside it.
        let going_on = mark
            .as_ref()
            .filter(|mark| mark.has_ended || mark.to == database);
        let identity = Identity {
            store,
            token: going_on.map_or_else(rand::random, |mark| mark.token),
        };
        if let Some(mark) = mark.as_ref().filter(|mark| mark.has_ended) {
            let standing = target.standing(&store).await.map_err(failed)?;
            match standing {
                Standing::Begun { token, .. } if token == mark.token => {}
                Standing::Finished { token } if token == mark.token => return Ok(Begun::Through),
                Standing::Empty
                | Standing::Begun { .. }
                | Standing::Abandoned
                | Standing::Finished { .. } => {
                    let to = mark.to.clone();
                    return Err(MoveError::MovedElsewhere { database, to });
                }
            }
        }
        let (place, moved) = match target.begin(&identity).await.map_err(failed)? {
            Standing::Begun { place, rows, .. } => (place, rows),
            Standing::Empty | Standing::Abandoned | Standing::Finished { .. } => {
                return Ok(Begun::Through);
            }
        };
        let this = Self {
            origin: Arc::new(Mutex::new(origin)),
            target,
            identity,
            database,
            clock: clock.clone(),
            limit: PageLimit {
                rows: wish.page_rows.max(1),
                bytes: PAGE_BYTES,
            },
            place,
            counts,
            moved,
            ahead: None,
        };
        // From here on no gateway works with the file; the database is closed already.
        if mark.is_none_or(|mark| mark.token != identity.token) {
            let (token, to, now) = (identity.token, this.database.clone(), this.clock.now());
            this.ask(move |origin| origin.begin(&token, &to, now))
                .await?;
        }
        Ok(Begun::Moving(Box::new(this)))
    }

    pub fn progress(&self) -> Progress {
        Progress {
            table: self.place.table.map_or("", |table| table.name),
            moved: self.moved,
            all: self.counts.iter().sum(),
        }
    }

    /// Moves one page; `false` where none is left. Dropped half way, the page is there or it is not.
    ///
    /// # Errors
    /// One of the two failed; what was moved before stays.
    pub async fn page(&mut self) -> Result<bool, MoveError> {
        let Some(page) = self.next().await? else {
            return Ok(false);
        };
        let next = page.end();
        self.ahead = self.read(&next);
        let written = self.target.write(&self.identity, &self.place, &page).await;
        written.map_err(|error| failed(&self.database, error))?;
        self.moved += u64::try_from(page.rows).unwrap_or_default();
        self.place = next;
        Ok(true)
    }

    /// Compares both, closes the file for good, and opens the database to gateways. After the last page.
    ///
    /// # Errors
    /// The two differ, or one of them failed. Run again, it goes on from here.
    pub async fn finish(self) -> Result<Vec<TableRows>, MoveError> {
        let failed = |error| failed(&self.database, error);
        let there = self.target.counts().await.map_err(failed)?;
        for ((table, here), there) in TABLES.iter().zip(&self.counts).zip(there) {
            if *here != there {
                return Err(MoveError::Differs {
                    database: self.database,
                    table: table.name,
                    here: *here,
                    there,
                });
            }
        }
        let greatest = self.ask(Origin::greatest_numbers).await?;
        self.target.settle(&greatest).await.map_err(failed)?;
        let now = self.clock.now();
        self.ask(move |origin| origin.end(now)).await?;
        self.target.release(&self.identity).await.map_err(failed)?;
        Ok(by_table(&self.counts))
    }

    async fn next(&mut self) -> Result<Option<Page>, MoveError> {
        let reading = match self.ahead.take() {
            Some(reading) => Some(reading),
            None => self.read(&self.place),
        };
        let Some(reading) = reading else {
            return Ok(None);
        };
        let page = reading.await.expect("reading a page does not panic")?;
        Ok(Some(page))
    }

    /// Begins to read the page at this place; `None` after the last table.
    fn read(&self, place: &Place) -> Option<JoinHandle<rusqlite::Result<Page>>> {
        let table = place.table?;
        let (origin, after, limit) = (Arc::clone(&self.origin), place.after.clone(), self.limit);
        Some(tokio::task::spawn_blocking(move || {
            let origin = origin.lock().unwrap_or_else(PoisonError::into_inner);
            origin.page(table, after.as_ref(), limit)
        }))
    }

    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Origin) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, MoveError> {
        let origin = Arc::clone(&self.origin);
        blocking(move || {
            let origin = origin.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(ask(&origin)?)
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, MoveError> + Send + 'static,
) -> Result<T, MoveError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.expect("what a move does to a file does not panic")
}

fn by_table(counts: &[u64]) -> Vec<TableRows> {
    let rows = TABLES.iter().zip(counts);
    rows.map(|(table, rows)| TableRows {
        table: table.name,
        rows: *rows,
    })
    .collect()
}

impl From<rusqlite::Error> for MoveError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Read {
            what: error.to_string(),
        }
    }
}

fn failed(database: &str, error: TargetError) -> MoveError {
    let database = database.to_owned();
    match error {
        TargetError::Open(error) => MoveError::Target(error),
        TargetError::Occupied { table } => MoveError::Occupied { database, table },
        TargetError::AnotherStore => MoveError::AnotherStore { database },
        TargetError::InUse { gateways } => MoveError::InUse { database, gateways },
        TargetError::Overtaken => MoveError::Overtaken { database },
        TargetError::Store(StoreError::Broken { what }) => MoveError::Refused { database, what },
        TargetError::Store(error) => MoveError::Stopped {
            database,
            what: error.to_string(),
        },
    }
}
