//! Whether there is anything of an organisation, by one step in each index that begins with its name.

use crate::{
    event::OrganisationName,
    store::postgres::{fault::Fault, session::Session},
};

// By their order, which no other index and no walk past the others can give: one that is equal would be found at once, the
// server thinks, and so it would look for one that is not there from end to end.
pub(super) const KNOWN: &str = "
    SELECT coalesce((SELECT organisation FROM delivery WHERE organisation >= $1 AND state <> 'dead'
                     ORDER BY organisation LIMIT 1) = $1, false)
        OR coalesce((SELECT organisation FROM delivery WHERE organisation >= $1 AND state = 'dead'
                     ORDER BY organisation LIMIT 1) = $1, false)
        OR coalesce((SELECT organisation FROM history WHERE organisation >= $1 AND customer IS NOT NULL
                     ORDER BY organisation LIMIT 1) = $1, false)";

pub(super) async fn is_known(
    session: &Session,
    organisation: &OrganisationName,
) -> Result<bool, Fault> {
    let row = session.query_opt(KNOWN, &[&organisation.as_str()]).await?;
    row.map_or(Ok(false), |row| Ok(row.try_get(0)?))
}
