//! Reads open deliveries for a person to decide about, and what is paused.

use bytes::Bytes;
use tokio_postgres::Row;

use crate::{
    customer::CustomerReference,
    event::{
        Delivery, DeliveryPos, DeliveryState, EventSeq, OrderBy, OrganisationName, SourceName,
    },
    store::{
        OpenDelivery, OpenFilter, OpenPage, Pause, PauseScope, StoredEvent, decode,
        postgres::{
            NEWEST,
            fault::Fault,
            look::customer_id,
            queue::{lane, progress},
            session::Session,
        },
    },
};

/// Rows that one call looks at.
const LOOKED_AT: usize = 4096;
/// Rows that it looks at first, at least: most calls find what they want in them.
const FIRST: usize = 64;

/// What a filter asks for, of open deliveries.
macro_rules! candidates {
    ($which:literal) => {
        concat!(
            "SELECT pos, state, source, organisation, code, accepted_at FROM delivery ",
            $which
        )
    };
}

const OPEN: &str = candidates!("WHERE pos > $1 ORDER BY pos LIMIT $2");
const DEAD: &str = candidates!("WHERE pos > $1 AND state = 'dead' ORDER BY pos LIMIT $2");
const DEAD_OF_SOURCE: &str =
    candidates!("WHERE pos > $1 AND source = $3 AND state = 'dead' ORDER BY pos LIMIT $2");
// Those of one event are few: they are sorted rather than found among all.
const OF_EVENT: &str = candidates!("WHERE pos > $1 AND event = $3 ORDER BY pos LIMIT $2");

const WHOLE: &str = "
    SELECT pos, state, source, organisation, code, accepted_at, event, item, number,
           (SELECT customer FROM attempt
            WHERE attempt.event = delivery.event AND attempt.item = delivery.item
              AND attempt.number = delivery.number AND attempt.customer IS NOT NULL
            ORDER BY attempt.attempt DESC LIMIT 1),
           customer, lane, patch, order_by, attempts, spent, earlier_attempts, redelivered_at, overwrites, revision, place
    FROM delivery WHERE pos = ANY($1) ORDER BY pos";

const STORED_EVENT: &str = "
    SELECT source, organisation, received_at, content_type, headers, body FROM event WHERE seq = $1";

const PAUSES: &str = "SELECT kind, name, at, by, reason, ended_at FROM pause ORDER BY kind, name";

pub(super) async fn page(
    session: &Session,
    filter: &OpenFilter,
    after: DeliveryPos,
    limit: u32,
) -> Result<OpenPage, Fault> {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut page = OpenPage {
        deliveries: Vec::new(),
        next: None,
    };
    let (mut looked, mut last) = (0, after);
    let mut chunk = most.clamp(FIRST, LOOKED_AT);
    loop {
        let rows = candidates(session, filter, last, chunk).await?;
        looked += rows.len();
        let mut is_through = rows.len() < chunk;
        let mut wanted = Vec::new();
        for row in &rows {
            let pos = DeliveryPos(row.try_get(0)?);
            if filter.up_to.is_some_and(|up_to| up_to < pos) {
                is_through = true;
                break;
            }
            last = pos;
            if Standing::read(row)?.passes(filter) {
                wanted.push(pos.0);
            }
        }
        if filter.customer.is_none() {
            wanted.truncate(most.saturating_sub(page.deliveries.len()));
        }
        for open in opened(session, &wanted).await? {
            if filter.customer.is_some() && filter.customer != open.customer {
                continue;
            }
            let pos = open.pos;
            page.deliveries.push(open);
            if page.deliveries.len() >= most {
                page.next = Some(pos);
                return Ok(page);
            }
        }
        if is_through {
            return Ok(page);
        }
        if looked >= LOOKED_AT {
            page.next = Some(last);
            return Ok(page);
        }
        chunk = chunk.saturating_mul(4).min(LOOKED_AT - looked);
    }
}

/// What may pass, behind a position.
async fn candidates(
    session: &Session,
    filter: &OpenFilter,
    after: DeliveryPos,
    chunk: usize,
) -> Result<Vec<Row>, Fault> {
    let only_dead = filter.code.is_some() || filter.states == [DeliveryState::Dead];
    let chunk = i64::try_from(chunk).unwrap_or(i64::MAX);
    let source = filter.source.as_ref().map(SourceName::as_str);
    match (filter.event, source) {
        (Some(event), _) => session.query(OF_EVENT, &[&after.0, &chunk, &event.0]).await,
        (None, Some(source)) if only_dead => {
            session
                .query(DEAD_OF_SOURCE, &[&after.0, &chunk, &source])
                .await
        }
        (None, _) if only_dead => session.query(DEAD, &[&after.0, &chunk]).await,
        (None, _) => session.query(OPEN, &[&after.0, &chunk]).await,
    }
}

/// How a delivery stands, in the columns from the second to the sixth.
struct Standing {
    state: DeliveryState,
    source: SourceName,
    organisation: OrganisationName,
    code: Option<String>,
    accepted_at: jiff::Timestamp,
}

impl Standing {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            state: decode::state(row.try_get(1)?)?,
            source: decode::text(row.try_get(2)?, "source")?,
            organisation: decode::text(row.try_get(3)?, "organisation")?,
            code: row.try_get(4)?,
            accepted_at: decode::time(row.try_get(5)?)?,
        })
    }

    fn passes(&self, filter: &OpenFilter) -> bool {
        filter.takes(
            self.state,
            &self.source,
            &self.organisation,
            self.code.as_deref(),
            self.accepted_at,
        )
    }
}

pub(super) async fn newest(session: &Session) -> Result<DeliveryPos, Fault> {
    let row = session.query_opt(NEWEST, &[]).await?;
    let row = row.ok_or_else(|| Fault::Call("the row of `meta` is missing".to_owned()))?;
    Ok(DeliveryPos(row.try_get(0)?))
}

/// The open deliveries at some positions, in their order.
pub(super) async fn opened(
    session: &Session,
    positions: &[i64],
) -> Result<Vec<OpenDelivery>, Fault> {
    if positions.is_empty() {
        return Ok(Vec::new());
    }
    let rows = session.query(WHOLE, &[&positions]).await?;
    rows.iter().map(open).collect()
}

fn open(row: &Row) -> Result<OpenDelivery, Fault> {
    let standing = Standing::read(row)?;
    let reference: Option<&str> = row.try_get(10)?;
    let reference = reference
        .map(|text| decode::json::<CustomerReference>(text, "customer"))
        .transpose()?;
    // The one that an attempt found, or else the one that the mapping named.
    let customer = match customer_id(row.try_get(9)?)? {
        Some(found) => Some(found),
        None => reference
            .as_ref()
            .and_then(|reference| reference.id.clone()),
    };
    let pos = DeliveryPos(row.try_get(0)?);
    let event = EventSeq(row.try_get(6)?);
    let item = decode::small(row.try_get(7)?)?;
    let number = decode::small(row.try_get(8)?)?;
    let bytes: Option<&[u8]> = row.try_get(11)?;
    let patch: Option<&str> = row.try_get(12)?;
    let delivery = match (reference, bytes, patch) {
        (Some(customer), Some(bytes), Some(patch)) => {
            let progress = progress(row, 14)?;
            Some(Delivery {
                pos,
                event,
                item,
                number,
                source: standing.source.clone(),
                organisation: standing.organisation.clone(),
                lane: lane(bytes)?,
                customer,
                patch: decode::json(patch, "patch")?,
                order_by: row.try_get::<_, Option<i64>>(13)?.map(OrderBy),
                accepted_at: standing.accepted_at,
                attempts: progress.attempts,
                earlier_attempts: progress.earlier_attempts,
                spent: progress.spent,
                redelivery: progress.redelivery,
                revision: progress.revision,
                counts_as_of: progress.counts_as_of,
            })
        }
        _ => None,
    };
    Ok(OpenDelivery {
        pos,
        event,
        item,
        number,
        source: standing.source,
        organisation: standing.organisation,
        state: standing.state,
        code: standing.code,
        customer,
        delivery,
    })
}

pub(super) async fn stored_event(
    session: &Session,
    event: EventSeq,
) -> Result<Option<StoredEvent>, Fault> {
    let Some(row) = session.query_opt(STORED_EVENT, &[&event.0]).await? else {
        return Ok(None);
    };
    let headers: Option<&str> = row.try_get(4)?;
    let headers = headers.map(|headers| decode::json(headers, "headers"));
    Ok(Some(StoredEvent {
        event,
        source: decode::text(row.try_get(0)?, "source")?,
        organisation: decode::text(row.try_get(1)?, "organisation")?,
        received_at: decode::time(row.try_get(2)?)?,
        content_type: row.try_get(3)?,
        headers: headers.transpose()?.unwrap_or_default(),
        body: row.try_get::<_, Option<Vec<u8>>>(5)?.map(Bytes::from),
    }))
}

pub(super) async fn pauses(session: &Session) -> Result<Vec<Pause>, Fault> {
    let rows = session.query(PAUSES, &[]).await?;
    let pause = |row: &Row| {
        let name: &str = row.try_get(1)?;
        let scope = match row.try_get(0)? {
            "organisation" => PauseScope::Organisation(decode::text(name, "organisation")?),
            _ => PauseScope::Source(decode::text(name, "source")?),
        };
        let ended_at: Option<i64> = row.try_get(5)?;
        Ok(Pause {
            scope,
            at: decode::time(row.try_get(2)?)?,
            ended_at: ended_at.map(decode::time).transpose()?,
            by: row.try_get(3)?,
            reason: row.try_get(4)?,
        })
    };
    rows.iter().map(pause).collect()
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 6] = [OPEN, DEAD, DEAD_OF_SOURCE, OF_EVENT, WHOLE, STORED_EVENT];
