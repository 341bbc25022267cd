//! What an error of PostgreSQL or of the way to it means for a call.
//!
//! Texts name SQLSTATE codes, tables, columns and constraints, never values: the server's own messages may quote some, so they
//! are not repeated.

use std::error::Error as _;

use deadpool_postgres::{HookError, PoolError, TimeoutType};
use tokio_postgres::error::{DbError, SqlState};

use super::hosts::is_read_only;
use crate::store::{LeaseName, StoreError, decode::Unreadable};

/// Why something could not be done, split by what follows from it.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// This one call cannot be, whatever the moment: our bug. Others are untouched.
    Call(String),
    /// Not now: the server is away, busy, read-only or out of room. Where the connection broke while a change was being
    /// committed, it may have been made, as a whole.
    Moment(String),
    /// Another process's to do.
    NotHeld(LeaseName),
}

impl Fault {
    /// The server did not answer in time.
    pub(super) fn too_late() -> Self {
        Self::Moment("the database did not answer in time".to_owned())
    }

    /// Only a standby answers, or a server that was made read-only.
    pub(super) fn read_only() -> Self {
        Self::Moment(READ_ONLY.to_owned())
    }

    pub(super) fn error(self) -> StoreError {
        match self {
            Self::Call(what) => StoreError::Broken { what },
            Self::Moment(what) => StoreError::Unavailable { what },
            Self::NotHeld(lease) => StoreError::NotHeld { lease },
        }
    }
}

/// What is said where no server can be written to, with the remedy.
pub(super) const READ_ONLY: &str = "no server that answers can be written to: it is a standby, or read-only; promote it, or see to it \
                                    that the primary can be reached and is named in `database`";

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(error) if is_of_the_moment(error.code()) => {
                Self::Moment(format!("the database refused ({})", told(error)))
            }
            Some(error) => Self::Call(format!("a statement failed ({})", told(error))),
            None if is_read_only(&error) => Self::read_only(),
            None if error.is_closed()
                || error
                    .source()
                    .is_some_and(<dyn std::error::Error>::is::<std::io::Error>) =>
            {
                Self::Moment("the connection to the database broke".to_owned())
            }
            // A value that cannot be what its column says, in either direction, or a row that is not there.
            None if is_of_a_value(&error) => Self::Call(format!("a statement failed ({error})")),
            None => Self::Moment(format!("no connection to the database ({error})")),
        }
    }
}

/// The client tells these apart in its text only.
fn is_of_a_value(error: &tokio_postgres::Error) -> bool {
    let text = error.to_string();
    [
        "error serializing",
        "error deserializing",
        "invalid column",
        "query returned an unexpected number",
        "expected 1 row",
    ]
    .iter()
    .any(|kind| text.starts_with(kind))
}

/// Classes 08 (connection), 0A000 and 26 (a statement that was prepared before somebody changed a table), 25006 (read-only), 40
/// (rolled back), 42501 (a right that was taken away), 53 (resources), 55P03 (lock), 57 (operator), 58 (system) and XX (the server's
/// own fault): appendix A of PostgreSQL's manual.
fn is_of_the_moment(code: &SqlState) -> bool {
    let code = code.code();
    [
        "08", "0A000", "25006", "25P03", "26", "40", "42501", "53", "55P03", "57", "58", "XX",
    ]
    .iter()
    .any(|class| code.starts_with(class))
}

/// Code and names of a server's error.
pub(super) fn told(error: &DbError) -> String {
    let mut text = format!("SQLSTATE {}", error.code().code());
    let names = [
        ("table", error.table()),
        ("column", error.column()),
        ("constraint", error.constraint()),
    ];
    for (kind, name) in names {
        if let Some(name) = name {
            text.push_str(", ");
            text.push_str(kind);
            text.push(' ');
            text.push_str(name);
        }
    }
    text
}

impl From<PoolError> for Fault {
    fn from(error: PoolError) -> Self {
        match error {
            // Whatever keeps a connection from being made may pass.
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
                match Self::from(error) {
                    Self::Call(what) => Self::Moment(what),
                    other => other,
                }
            }
            PoolError::PostCreateHook(HookError::Message(what)) => Self::Moment(what.into_owned()),
            PoolError::Timeout(TimeoutType::Create) => Self::too_late(),
            PoolError::Timeout(_) => {
                Self::Moment("no connection to the database is free".to_owned())
            }
            PoolError::Closed => Self::Moment("the store is closed".to_owned()),
            other => Self::Moment(format!("no connection to the database ({other})")),
        }
    }
}

impl From<Unreadable> for Fault {
    fn from(error: Unreadable) -> Self {
        Self::Call(error.to_string())
    }
}
