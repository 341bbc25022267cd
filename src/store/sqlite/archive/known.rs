//! Whether there is anything of an organisation, by one step in each index that begins with its name.

use rusqlite::{Connection, params};

use crate::{event::OrganisationName, store::sqlite::fault::Fault};

pub(super) const KNOWN: &str = "
    SELECT EXISTS (SELECT 1 FROM delivery INDEXED BY delivery_lane WHERE organisation = ?1 AND state <> 'dead')
        OR EXISTS (SELECT 1 FROM delivery INDEXED BY delivery_dead_organisation WHERE organisation = ?1 AND state = 'dead')
        OR EXISTS (SELECT 1 FROM history INDEXED BY history_customer WHERE organisation = ?1 AND customer IS NOT NULL)";

pub(super) fn is_known(
    connection: &Connection,
    organisation: &OrganisationName,
) -> Result<bool, Fault> {
    let mut statement = connection.prepare_cached(KNOWN)?;
    Ok(statement.query_row(params![organisation.as_str()], |row| row.get(0))?)
}
