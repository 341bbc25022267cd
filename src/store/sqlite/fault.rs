//! What an error of SQLite means for the store: the fault of one call, of the moment, or of the file.
//!
//! Texts name tables, columns and causes, never values: SQLite's own messages quote none, and what we read back and
//! cannot understand is named by its column only.

use rusqlite::ErrorCode;

use crate::store::{StoreError, decode::Unreadable};

/// Why something could not be done, split by what follows from it.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// This one call cannot be, whatever the moment: our bug. Others are untouched.
    Call(String),
    /// Nothing was written and the file is sound; the same may work later.
    Moment(String),
    /// The file or its disk cannot be trusted any more.
    File(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let Some(code) = error.sqlite_error_code() else {
            return Self::Call(error.to_string());
        };
        match code {
            ErrorCode::DiskFull => Self::Moment(format!("the disk is full ({error})")),
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::FileLockingProtocolFailed => {
                Self::Moment(format!("another program holds the database file ({error})"))
            }
            ErrorCode::OutOfMemory | ErrorCode::OperationInterrupted => {
                Self::Moment(error.to_string())
            }
            ErrorCode::ConstraintViolation
            | ErrorCode::TypeMismatch
            | ErrorCode::TooBig
            | ErrorCode::ApiMisuse
            | ErrorCode::ParameterOutOfRange
            | ErrorCode::Unknown => Self::Call(error.to_string()),
            _ => Self::File(error.to_string()),
        }
    }
}

/// A column that is not of the type it was declared with.
impl From<rusqlite::types::FromSqlError> for Fault {
    fn from(error: rusqlite::types::FromSqlError) -> Self {
        Self::Call(format!("a stored value of another type ({error})"))
    }
}

impl From<Unreadable> for Fault {
    fn from(error: Unreadable) -> Self {
        Self::Call(error.to_string())
    }
}

impl Fault {
    /// The answer to a call that this fault met before anything was written.
    pub(super) fn refused(self) -> StoreError {
        match self {
            Self::Call(what) => StoreError::Broken { what },
            Self::Moment(what) => StoreError::Unavailable { what },
            Self::File(what) => StoreError::Closed { what },
        }
    }

    /// The answer to a call whose transaction this fault ended.
    pub(super) fn while_writing(self) -> StoreError {
        match self {
            Self::File(what) => StoreError::OutcomeUnknown { what },
            other => other.refused(),
        }
    }
}
