//! The numbered steps that bring a file from any earlier format to the newest. Forward only; the number of the last
//! step is the file's `user_version`.

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};

/// In order; a step that was released is never changed again.
const STEPS: [&str; 12] = [
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_refused.sql"),
    include_str!("migrations/0003_learned_secret.sql"),
    include_str!("migrations/0004_applied.sql"),
    include_str!("migrations/0005_upkeep.sql"),
    include_str!("migrations/0006_archive.sql"),
    include_str!("migrations/0007_hands.sql"),
    include_str!("migrations/0008_observe.sql"),
    include_str!("migrations/0009_left_out.sql"),
    include_str!("migrations/0010_by_hand.sql"),
    include_str!("migrations/0011_moved.sql"),
    include_str!("migrations/0012_dead_organisation.sql"),
];

/// The format that this release reads and writes.
pub(super) fn newest() -> i64 {
    i64::try_from(STEPS.len()).expect("there are few steps")
}

/// Takes the missing steps, all or none.
pub(super) fn run(connection: &mut Connection, now: Timestamp) -> rusqlite::Result<()> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found >= newest() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = usize::try_from(found).unwrap_or_default();
    for step in STEPS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    if done == 0 {
        let value_key: [u8; 32] = rand::random();
        transaction.execute(
            "INSERT INTO meta (id, created_at, value_key, next_event, next_delivery) VALUES (1, ?1, ?2, 1, 1)",
            params![now.as_millisecond(), value_key],
        )?;
    }
    transaction.pragma_update(None, "user_version", newest())?;
    transaction.commit()
}
