//! What Quentli confirmed of a customer, part by part, and what of it is in doubt.

use jiff::Timestamp;

use super::{
    fault::Fault,
    session::{Session, Step},
};
use crate::{
    customer::{CustomerId, PartKey},
    event::{DeliveryPos, OrderBy, OrganisationName},
    store::{AppliedPart, decode, rows::millis},
};

// A part has several rows where several sources wrote it.
const APPLIED: &str = "
    SELECT part, value, in_doubt OR at < coalesce((SELECT number FROM change WHERE name = '@failover'), 0), applied.source, at, pos,
           applied_version.source, order_by
    FROM applied LEFT JOIN applied_version USING (organisation, customer, part)
    WHERE organisation = $1 AND customer = $2 ORDER BY part";

// A delivery that a person sends again later keeps its position: the part stays as new as it was.
const UPSERT_APPLIED: &str = "
    INSERT INTO applied (organisation, customer, part, value, in_doubt, source, at, pos)
    SELECT $1, $2, part, value, in_doubt, source, at, pos
    FROM unnest($3::text[], $4::bytea[], $5::boolean[], $6::text[], $7::bigint[], $8::bigint[])
      AS given (part, value, in_doubt, source, at, pos) ORDER BY part
    ON CONFLICT (organisation, customer, part) DO UPDATE SET
      value = excluded.value, in_doubt = excluded.in_doubt, source = excluded.source, at = excluded.at,
      pos = greatest(applied.pos, excluded.pos)";

const UPSERT_VERSION: &str = "
    INSERT INTO applied_version (organisation, customer, part, source, order_by)
    SELECT $1, $2, part, source, order_by FROM unnest($3::text[], $4::text[], $5::bigint[]) AS given (part, source, order_by)
    ORDER BY part, source
    ON CONFLICT (organisation, customer, part, source)
    DO UPDATE SET order_by = greatest(applied_version.order_by, excluded.order_by)";

// In the order of the parts, as they are confirmed.
const DOUBT: &str = "
    WITH known AS (
      SELECT part FROM applied WHERE organisation = $1 AND customer = $2 AND part = ANY($3) AND NOT in_doubt
      ORDER BY part FOR UPDATE
    )
    UPDATE applied SET in_doubt = true FROM known
    WHERE organisation = $1 AND customer = $2 AND applied.part = known.part";

// The moment of the last failover stands among the changes; no organisation can have the name.
const DISBELIEVE: &str = "
    INSERT INTO change (name, number)
    VALUES ('@failover', greatest($1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint))
    ON CONFLICT (name) DO UPDATE SET number = greatest(change.number, excluded.number)";

/// From now on everything that was confirmed until now, of any customer, is in doubt: the database may lack what was confirmed last.
pub(super) async fn disbelieve(session: &Session, now: Timestamp) -> Result<(), Fault> {
    session.execute(DISBELIEVE, &[&millis(now)]).await?;
    Ok(())
}

pub(super) async fn applied(
    session: &Session,
    organisation: &OrganisationName,
    customer: &CustomerId,
) -> Result<Vec<AppliedPart>, Fault> {
    let rows = session
        .query(APPLIED, &[&organisation.as_str(), &customer.as_str()])
        .await?;
    let mut parts: Vec<AppliedPart> = Vec::new();
    for row in &rows {
        let part = decode::part(row.try_get(0)?)?;
        if parts.last().is_none_or(|last| last.part != part) {
            let value: &[u8] = row.try_get(1)?;
            parts.push(AppliedPart {
                part,
                value: decode::bytes(value, "value")?,
                is_in_doubt: row.try_get(2)?,
                source: decode::text(row.try_get(3)?, "source")?,
                at: decode::time(row.try_get(4)?)?,
                pos: DeliveryPos(row.try_get(5)?),
                versions: Vec::new(),
            });
        }
        let source: Option<&str> = row.try_get(6)?;
        let version: Option<i64> = row.try_get(7)?;
        if let (Some(part), Some((source, version))) = (parts.last_mut(), source.zip(version)) {
            let source = decode::text(source, "source")?;
            part.versions.push((source, OrderBy(version)));
        }
    }
    Ok(parts)
}

impl Step {
    pub(super) async fn confirm(
        &self,
        organisation: &OrganisationName,
        customer: &CustomerId,
        parts: &[AppliedPart],
    ) -> Result<(), Fault> {
        let parts = parts.iter();
        let (keys, parts): (Vec<String>, Vec<&AppliedPart>) = parts
            .filter_map(|part| Some((column(&part.part)?, part)))
            .unzip();
        if parts.is_empty() {
            return Ok(());
        }
        let values: Vec<&[u8]> = parts.iter().map(|part| part.value.as_slice()).collect();
        let in_doubt: Vec<bool> = parts.iter().map(|part| part.is_in_doubt).collect();
        let sources: Vec<&str> = parts.iter().map(|part| part.source.as_str()).collect();
        let at: Vec<i64> = parts.iter().map(|part| millis(part.at)).collect();
        let positions: Vec<i64> = parts.iter().map(|part| part.pos.0).collect();
        let (organisation, customer) = (organisation.as_str(), customer.as_str());
        self.execute(
            UPSERT_APPLIED,
            &[
                &organisation,
                &customer,
                &keys,
                &values,
                &in_doubt,
                &sources,
                &at,
                &positions,
            ],
        )
        .await?;
        let mut versions: (Vec<&str>, Vec<&str>, Vec<i64>) = Default::default();
        for (key, part) in keys.iter().zip(&parts) {
            for (source, version) in &part.versions {
                versions.0.push(key);
                versions.1.push(source.as_str());
                versions.2.push(version.0);
            }
        }
        if versions.0.is_empty() {
            return Ok(());
        }
        self.execute(
            UPSERT_VERSION,
            &[
                &organisation,
                &customer,
                &versions.0,
                &versions.1,
                &versions.2,
            ],
        )
        .await?;
        Ok(())
    }

    /// Of parts of which nothing is known there is nothing to doubt.
    pub(super) async fn doubt<'a>(
        &self,
        organisation: &OrganisationName,
        customer: &CustomerId,
        parts: impl IntoIterator<Item = &'a PartKey>,
    ) -> Result<(), Fault> {
        let parts: Vec<String> = parts.into_iter().filter_map(column).collect();
        if parts.is_empty() {
            return Ok(());
        }
        self.execute(DOUBT, &[&organisation.as_str(), &customer.as_str(), &parts])
            .await?;
        Ok(())
    }
}

/// `None` for a key of metadata with U+0000, which no column takes: of it nothing is known, so it is sent each time.
fn column(part: &PartKey) -> Option<String> {
    let key = part.to_string();
    (!key.contains('\0')).then_some(key)
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 2] = [APPLIED, DOUBT];
