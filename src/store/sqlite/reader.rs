//! The threads that read. Each has a connection of its own and runs one short transaction at a time, since a long one
//! would keep the write-ahead log from being emptied.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::fault::Fault;
use crate::store::{StoreError, health::Health};

/// What is asked of a reader.
pub(super) enum Look {
    /// Runs in a transaction of its own; sends its answer itself.
    Run(Box<Read>),
    /// Finish what was asked before, take nothing more, and end.
    Close,
}

/// Gets the connection in its transaction, or why there is none.
pub(super) type Read = dyn FnOnce(Result<&Connection, Fault>) + Send;

/// Shared by the readers: who is free takes the next.
pub(super) type Looks = Arc<Mutex<mpsc::Receiver<Look>>>;

/// Works until all senders are gone or [`Look::Close`] came.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the thread owns the queue and the connection"
)]
pub(super) fn run(mut connection: Connection, looks: Looks) {
    loop {
        // Only one reader waits in the queue; the others wait for their turn to do so.
        let look = {
            let mut queue = looks.lock().unwrap_or_else(PoisonError::into_inner);
            let look = queue.blocking_recv();
            if matches!(look, Some(Look::Close)) {
                queue.close();
            }
            look
        };
        match look {
            None => return,
            Some(Look::Close) => {}
            Some(Look::Run(look)) => match connection.transaction() {
                // It is dropped, that is rolled back, afterwards: nothing was written.
                Ok(transaction) => look(Ok(&transaction)),
                Err(error) => look(Err(error.into())),
            },
        }
    }
}

/// What a read tells its caller; damage that it met ends the store.
pub(super) fn answer<T>(read: Result<T, Fault>, health: &Health) -> Result<T, StoreError> {
    read.map_err(|fault| {
        if let Fault::File(what) = &fault {
            health.end(format!("it failed while reading: {what}"));
        }
        fault.refused()
    })
}
