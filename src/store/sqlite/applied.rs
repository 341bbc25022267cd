//! What Quentli confirmed of a customer, part by part, and what of it is in doubt.

use rusqlite::{Connection, params};

use super::{decode, fault::Fault, group::Group, rows::millis};
use crate::{
    customer::{CustomerId, PartKey},
    event::{DeliveryPos, OrderBy, OrganisationName},
    store::AppliedPart,
};

// A part has several rows where several sources wrote it.
const APPLIED: &str = "
    SELECT part, value, in_doubt, applied.source, at, pos, applied_version.source, order_by
    FROM applied LEFT JOIN applied_version USING (organisation, customer, part)
    WHERE organisation = ?1 AND customer = ?2 ORDER BY part";

// A delivery that a person sends again later keeps its position: the part stays as new as it was.
const UPSERT_APPLIED: &str = "
    INSERT INTO applied (organisation, customer, part, value, in_doubt, source, at, pos)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (organisation, customer, part) DO UPDATE SET
      value = excluded.value, in_doubt = excluded.in_doubt, source = excluded.source, at = excluded.at,
      pos = max(pos, excluded.pos)";

const UPSERT_VERSION: &str = "
    INSERT INTO applied_version (organisation, customer, part, source, order_by) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (organisation, customer, part, source) DO UPDATE SET order_by = max(order_by, excluded.order_by)";

const DOUBT: &str =
    "UPDATE applied SET in_doubt = 1 WHERE organisation = ?1 AND customer = ?2 AND part = ?3";

pub(super) fn applied(
    connection: &Connection,
    organisation: &OrganisationName,
    customer: &CustomerId,
) -> Result<Vec<AppliedPart>, Fault> {
    let mut statement = connection.prepare_cached(APPLIED)?;
    let mut rows = statement.query(params![organisation.as_str(), customer.as_str()])?;
    let mut parts: Vec<AppliedPart> = Vec::new();
    while let Some(row) = rows.next()? {
        let part = decode::part(row.get_ref(0)?.as_str()?)?;
        if parts.last().is_none_or(|last| last.part != part) {
            parts.push(AppliedPart {
                part,
                value: row.get(1)?,
                is_in_doubt: row.get(2)?,
                source: decode::text(row.get_ref(3)?.as_str()?, "source")?,
                at: decode::time(row.get(4)?)?,
                pos: DeliveryPos(row.get(5)?),
                versions: Vec::new(),
            });
        }
        let version: Option<(String, i64)> = match row.get(6)? {
            Some(source) => Some((source, row.get(7)?)),
            None => None,
        };
        if let (Some(part), Some((source, version))) = (parts.last_mut(), version) {
            let source = decode::text(&source, "source")?;
            part.versions.push((source, OrderBy(version)));
        }
    }
    Ok(parts)
}

impl Group<'_> {
    pub(super) fn confirm(
        &self,
        organisation: &OrganisationName,
        customer: &CustomerId,
        parts: &[AppliedPart],
    ) -> Result<(), Fault> {
        let mut upsert = self.connection.prepare_cached(UPSERT_APPLIED)?;
        let mut upsert_version = self.connection.prepare_cached(UPSERT_VERSION)?;
        for part in parts {
            let key = part.part.to_string();
            upsert.execute(params![
                organisation.as_str(),
                customer.as_str(),
                key,
                part.value,
                part.is_in_doubt,
                part.source.as_str(),
                millis(part.at),
                part.pos.0,
            ])?;
            for (source, version) in &part.versions {
                upsert_version.execute(params![
                    organisation.as_str(),
                    customer.as_str(),
                    key,
                    source.as_str(),
                    version.0,
                ])?;
            }
        }
        Ok(())
    }

    /// Of parts of which nothing is known there is nothing to doubt.
    pub(super) fn doubt<'a>(
        &self,
        organisation: &OrganisationName,
        customer: &CustomerId,
        parts: impl IntoIterator<Item = &'a PartKey>,
    ) -> Result<(), Fault> {
        let mut doubt = self.connection.prepare_cached(DOUBT)?;
        for part in parts {
            doubt.execute(params![
                organisation.as_str(),
                customer.as_str(),
                part.to_string(),
            ])?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 2] = [APPLIED, DOUBT];
