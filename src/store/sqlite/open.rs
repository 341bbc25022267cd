//! Opens the database file: its settings, its soundness, its version; and the errors of doing so, which say what to do.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{migrations, origin};
use crate::clock::Clock;

/// The first release without the fault in resetting the write-ahead log (sqlite.org/wal.html#walresetbug).
const OLDEST_SQLITE: i32 = 3_051_003;
/// Marks the file as ours: "QGAT".
const APPLICATION_ID: i32 = 0x5147_4154;
/// Files up to this size are checked as a whole at every start; it takes some tenths of a second.
const CHECKED_AS_A_WHOLE: u64 = 64 << 20;

/// Why a store could not be opened. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("could not {what} the data directory {path}; check that it can be written by this user", path = path.display())]
    Directory {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(
        "the data directory {path} is in use by another process; only one gateway may run on a directory: stop the \
         other, or give this one a directory of its own",
        path = path.display()
    )]
    Held { path: PathBuf },
    #[error("SQLite {found} is too old, it can lose committed data; 3.51.3 or newer is needed")]
    OldSqlite { found: &'static str },
    #[error(
        "{path} is not a database of this program; choose another data directory, or move the file away",
        path = path.display()
    )]
    NotOurs { path: PathBuf },
    #[error(
        "{path} was written by a newer release (format {found}, this one knows up to {known}); run that release or a \
         later one, or restore a backup made before the upgrade",
        path = path.display()
    )]
    Newer {
        path: PathBuf,
        found: i64,
        known: i64,
    },
    #[error(
        "{path} is damaged ({what}); copy the whole directory away first, then restore a backup, or save what can be \
         read with `sqlite3 {path} .recover`",
        path = path.display()
    )]
    Damaged { path: PathBuf, what: String },
    #[error(
        "another program holds {path} and did not let go in time; close database tools and backup jobs that use it",
        path = path.display()
    )]
    Busy { path: PathBuf },
    #[error(
        "{path} cannot use a write-ahead log (it stays in mode `{mode}`); the directory must be on a local disk",
        path = path.display()
    )]
    NoWriteAheadLog { path: PathBuf, mode: String },
    #[error("could not {what} {path}", path = path.display())]
    Sqlite {
        what: &'static str,
        path: PathBuf,
        source: rusqlite::Error,
    },
    #[error(
        "the store of {path} was moved to the database {to}; start the gateway with that database (`database`), or, to go back to \
         this file on purpose, read \"From one machine to several\" in docs/OPERATIONS.md first",
        path = path.display()
    )]
    Moved { path: PathBuf, to: String },
    #[error(
        "the store of {path} is on its way to the database {to}; run `quentli-gateway migrate-store` again, which does the rest, or \
         `quentli-gateway migrate-store --undo` to stay with this file",
        path = path.display()
    )]
    Moving { path: PathBuf, to: String },
    #[error("there is no store in {path}; name the gateway's data directory with `--data`", path = path.display())]
    Missing { path: PathBuf },
    #[error("could not start the thread {name} of the store")]
    Thread {
        name: &'static str,
        source: io::Error,
    },
}

impl OpenError {
    pub(super) fn sqlite(what: &'static str, path: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotOurs { path },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged {
                path,
                what: source.to_string(),
            },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            _ => Self::Sqlite { what, path, source },
        }
    }
}

/// The connection that writes, on a sound file of the newest format whose store did not go elsewhere.
pub(super) fn writer(path: &Path, busy: Duration, clock: &Clock) -> Result<Connection, OpenError> {
    let connection = newest(path, busy, clock)?;
    let mark = origin::mark(&connection).map_err(OpenError::sqlite("read", path))?;
    let path = path.to_owned();
    match mark {
        None => Ok(connection),
        Some(mark) if mark.has_ended => Err(OpenError::Moved { path, to: mark.to }),
        Some(mark) => Err(OpenError::Moving { path, to: mark.to }),
    }
}

/// The same, wherever the store went.
pub(super) fn newest(path: &Path, busy: Duration, clock: &Clock) -> Result<Connection, OpenError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(OpenError::OldSqlite {
            found: rusqlite::version(),
        });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection =
        Connection::open_with_flags(path, flags).map_err(OpenError::sqlite("open", path))?;
    connection
        .busy_timeout(busy)
        .map_err(OpenError::sqlite("set up", path))?;
    identify(&connection, path)?;
    set_up(&connection, path)?;
    check(&connection, path)?;
    migrations::run(&mut connection, clock.now())
        .map_err(OpenError::sqlite("bring to the newest format", path))?;
    Ok(connection)
}

/// A connection that reads.
pub(super) fn reader(path: &Path, busy: Duration) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(busy)?;
        connection.execute_batch(
            "PRAGMA query_only = ON;
             PRAGMA trusted_schema = OFF;
             PRAGMA cell_size_check = ON;
             PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -8192;",
        )?;
        connection.set_prepared_statement_cache_capacity(32);
        Ok(connection)
    };
    open().map_err(OpenError::sqlite("open for reading", path))
}

/// A connection that reads whatever format of ours the file has.
pub(super) fn looker(path: &Path, busy: Duration) -> Result<Connection, OpenError> {
    let connection = reader(path, busy)?;
    identify(&connection, path)?;
    Ok(connection)
}

/// Refuses files of other programs and of newer releases, before anything is changed in them.
fn identify(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let number = |pragma: &'static str| {
        connection
            .query_row(pragma, [], |row| row.get::<_, i64>(0))
            .map_err(OpenError::sqlite("read", path))
    };
    let objects = number("SELECT count(*) FROM sqlite_schema")?;
    let found = number("PRAGMA user_version")?;
    let is_ours = number("PRAGMA application_id")? == i64::from(APPLICATION_ID);
    let is_empty = objects == 0 && found == 0;
    if !is_ours && !is_empty {
        return Err(OpenError::NotOurs {
            path: path.to_owned(),
        });
    }
    let known = migrations::newest();
    if found > known {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known,
        });
    }
    Ok(())
}

/// The settings. Those of the first line take effect only before the first page is written; the mark is written once.
/// What is deleted is overwritten, also on pages that become free: bodies and tokens of refused requests stand there.
fn set_up(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let failed = || OpenError::sqlite("set up", path);
    connection
        .execute_batch("PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL;")
        .map_err(failed())?;
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(failed())?;
    if mode != "wal" {
        return Err(OpenError::NoWriteAheadLog {
            path: path.to_owned(),
            mode,
        });
    }
    let mark: i32 = connection
        .query_row("PRAGMA application_id", [], |row| row.get(0))
        .map_err(failed())?;
    if mark != APPLICATION_ID {
        connection
            .pragma_update(None, "application_id", APPLICATION_ID)
            .map_err(failed())?;
    }
    connection
        .execute_batch(
            "PRAGMA synchronous = FULL;
             PRAGMA wal_autocheckpoint = 2000;
             PRAGMA journal_size_limit = 67108864;
             PRAGMA cache_size = -65536;
             PRAGMA temp_store = MEMORY;
             PRAGMA trusted_schema = OFF;
             PRAGMA cell_size_check = ON;
             PRAGMA secure_delete = ON;",
        )
        .map_err(failed())?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Looks for damage: a cut file at any size, everything in a small file, and the small tables of a large one.
fn check(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let failed = || OpenError::sqlite("check", path);
    // With an empty log the file itself must hold every page.
    let log_in_use: bool = connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .map_err(failed())?;
    let figure = |pragma| connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let pages = figure("PRAGMA page_count").map_err(failed())?;
    let page_size = figure("PRAGMA page_size").map_err(failed())?;
    let expected = u64::try_from(pages.saturating_mul(page_size)).unwrap_or_default();
    let found = fs::metadata(path).map_or(expected, |about| about.len());
    if !log_in_use && found < expected {
        return Err(OpenError::Damaged {
            path: path.to_owned(),
            what: format!("it has {found} bytes and should have {expected}: it was cut short"),
        });
    }
    let checks: &[&str] = if expected <= CHECKED_AS_A_WHOLE {
        &["PRAGMA quick_check(1)"]
    } else {
        &[
            "PRAGMA quick_check('meta')",
            "PRAGMA quick_check('counter')",
        ]
    };
    for check in checks {
        let verdict: String = connection
            .query_row(check, [], |row| row.get(0))
            .map_err(failed())?;
        if verdict != "ok" {
            return Err(OpenError::Damaged {
                path: path.to_owned(),
                what: verdict.lines().collect::<Vec<_>>().join("; "),
            });
        }
    }
    Ok(())
}
