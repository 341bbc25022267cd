//! Writes a group of requests: the keys that are new, the events, and the deliveries of the new keys.
//!
//! Two flights of statements, each sent at once: the first takes the lock of `meta`, so that numbers grow in the order of
//! commits over all replicas, and the keys; the second writes what follows from the keys that were new, and commits. The lock is
//! held from the first to the commit, which takes two round trips, so as many requests as wait share one.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::Object;
use futures_util::future::{self, BoxFuture, FutureExt as _};
use tokio_postgres::{Row, Statement, types::ToSql};

use super::{
    durable::{Trust, off},
    fault::Fault,
    insert::Inserts,
    session::Session,
    tally,
};
use crate::{
    event::{DedupKey, EventSeq},
    store::{
        Acceptance, KnownRequest,
        rows::{EventRows, FateRow, GroupRows, millis},
        tally::Tallies,
    },
};

/// One request of a group.
pub(super) enum Asked<'a> {
    Accept(&'a EventRows),
    Known(&'a KnownRequest),
}

/// `None` to one that was only asked for being known, and is not.
pub(super) type Given = Option<Acceptance>;

/// What became of a group.
pub(super) struct Done {
    pub(super) answers: Vec<Given>,
    /// The greatest position that was given to anything that waits.
    pub(super) newest: Option<i64>,
}

const NUMBERS: &str = concat!(
    "
    UPDATE meta SET next_event = next_event + $1, next_delivery = next_delivery + $2
    RETURNING next_event - $1, next_delivery - $2, (SELECT hour FROM event_hour ORDER BY first DESC LIMIT 1), ",
    off!()
);

// Runs after `NUMBERS` in the same transaction, so it sees the numbers that this group was given. In the order of keys, so that
// it cannot wait in a circle with what removes keys.
const TAKE_KEYS: &str = "
    INSERT INTO dedup (key, event)
    SELECT DISTINCT ON (key) key, (SELECT next_event FROM meta) - $3 + event
    FROM unnest($1::bytea[], $2::bigint[]) WITH ORDINALITY AS given (key, event, place)
    ORDER BY key, place
    ON CONFLICT DO NOTHING";

/// Who holds each key now; an event of this group is not written yet.
const HOLDERS: &str = "
    SELECT dedup.key, dedup.event, event.body_hash, length(event.dedup_keys)::bigint
    FROM dedup LEFT JOIN event ON event.seq = dedup.event WHERE dedup.key = ANY($1)";

/// Who holds a key.
struct Holder {
    event: i64,
    /// Of an event that was there before.
    body: Option<(Vec<u8>, i64)>,
}

pub(super) async fn accept(
    session: &Session,
    slot: i16,
    trust: &Trust,
    asked: &[Asked<'_>],
) -> Result<Done, Fault> {
    let client = session.client()?;
    session
        .timely(in_two_flights(client, slot, trust, asked))
        .await
}

async fn in_two_flights(
    client: &Object,
    slot: i16,
    trust: &Trust,
    asked: &[Asked<'_>],
) -> Result<Done, Fault> {
    let mut group = Group::new(asked);
    let off = group.begin(client).await?;
    trust.judge(off)?;
    let mut tallies = Tallies::default();
    let mut inserts = Inserts::new(group.numbers);
    let mut answers = Vec::with_capacity(asked.len());
    let mut place = 0;
    for one in asked {
        answers.push(match one {
            Asked::Known(request) => group.known(request, &mut tallies, &mut inserts),
            Asked::Accept(event) => {
                place += 1;
                Some(group.accept(event, place - 1, &mut tallies, &mut inserts)?)
            }
        });
    }
    let newest = inserts.arrived;
    commit(client, slot, &inserts, &tallies).await?;
    Ok(Done { answers, newest })
}

/// The numbers that a group begins with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Numbers {
    pub(super) event: i64,
    pub(super) delivery: i64,
    /// In which the last event was received, counted from 1970.
    pub(super) hour: Option<i64>,
}

/// What the first flight takes and brings.
struct Group {
    events: i64,
    deliveries: i64,
    /// Of the events, each with the place of its event.
    keys: Vec<(DedupKey, i64)>,
    /// Also of those who only ask.
    all_keys: Vec<DedupKey>,
    numbers: Numbers,
    holders: HashMap<DedupKey, Holder>,
    /// Keys that were given to an event of this group already.
    given: HashSet<DedupKey>,
}

impl Group {
    fn new(asked: &[Asked<'_>]) -> Self {
        let mut group = Self {
            events: 0,
            deliveries: 0,
            keys: Vec::new(),
            all_keys: Vec::new(),
            numbers: Numbers::default(),
            holders: HashMap::new(),
            given: HashSet::new(),
        };
        for one in asked {
            match one {
                Asked::Known(request) => group.all_keys.extend(&request.keys),
                Asked::Accept(event) => {
                    for of_event in &event.groups {
                        group.keys.push((of_event.key, group.events));
                        group.all_keys.push(of_event.key);
                        let deliveries = i64::try_from(of_event.deliveries.len());
                        group.deliveries += deliveries.unwrap_or(i64::MAX);
                    }
                    group.events += 1;
                }
            }
        }
        group
    }

    /// The first flight. Gives the setting that is [`off`] at the server.
    async fn begin(&mut self, client: &Object) -> Result<Option<String>, Fault> {
        let keys: Vec<&[u8]> = self
            .keys
            .iter()
            .map(|(key, _)| key.as_bytes().as_slice())
            .collect();
        let events: Vec<i64> = self.keys.iter().map(|(_, event)| *event).collect();
        let all_keys: Vec<&[u8]> = self
            .all_keys
            .iter()
            .map(|key| key.as_bytes().as_slice())
            .collect();
        let numbers = client.prepare_cached(NUMBERS).await?;
        let take = client.prepare_cached(TAKE_KEYS).await?;
        let holders = client.prepare_cached(HOLDERS).await?;
        let opening = client.batch_execute("BEGIN");
        let numbers_asked: [&(dyn ToSql + Sync); 2] = [&self.events, &self.deliveries];
        let numbers = client.query_one(&numbers, &numbers_asked);
        let take_asked: [&(dyn ToSql + Sync); 3] = [&keys, &events, &self.events];
        let take = client.execute(&take, &take_asked);
        let holders_asked: [&(dyn ToSql + Sync); 1] = [&all_keys];
        let holders = client.query(&holders, &holders_asked);
        // Sent in this order, since each is polled in it for the first time.
        let (begun, numbers, taken, holders) = future::join4(opening, numbers, take, holders).await;
        begun?;
        let numbers = numbers?;
        taken?;
        self.numbers = Numbers {
            event: numbers.try_get(0)?,
            delivery: numbers.try_get(1)?,
            hour: numbers.try_get(2)?,
        };
        for row in holders? {
            let (key, holder) = holder(&row)?;
            self.holders.insert(key, holder);
        }
        Ok(numbers.try_get(3)?)
    }

    fn known<'a>(
        &self,
        request: &'a KnownRequest,
        tallies: &mut Tallies,
        inserts: &mut Inserts<'a>,
    ) -> Given {
        let first = *request.keys.first()?;
        // What is only being written now is known to nobody yet.
        let is_known = |key: &DedupKey| {
            let holder = self.holders.get(key);
            holder.is_some_and(|holder| holder.event < self.numbers.event)
        };
        if !request.keys.iter().all(is_known) {
            return None;
        }
        self.duplicate(
            &Repeated {
                source: request.source.as_str(),
                received_at: millis(request.received_at),
                body_hash: &request.body_hash,
                first,
                groups: request.keys.len(),
            },
            tallies,
            inserts,
        )
    }

    fn accept<'a>(
        &mut self,
        event: &'a EventRows,
        place: i64,
        tallies: &mut Tallies,
        inserts: &mut Inserts<'a>,
    ) -> Result<Acceptance, Fault> {
        let seq = self.numbers.event + place;
        let mut new: Vec<&'a GroupRows> = Vec::with_capacity(event.groups.len());
        for group in &event.groups {
            let holder = self.holders.get(&group.key);
            if holder.is_some_and(|holder| holder.event == seq) && self.given.insert(group.key) {
                new.push(group);
            }
        }
        let source = event.source.as_str();
        if new.is_empty()
            && let Some(first) = event.groups.first()
        {
            let repeated = Repeated {
                source,
                received_at: event.received_at,
                body_hash: &event.body_hash,
                first: first.key,
                groups: event.groups.len(),
            };
            let held = self.duplicate(&repeated, tallies, inserts);
            return held
                .ok_or_else(|| Fault::Moment("a known key was removed meanwhile".to_owned()));
        }
        let known = event.groups.len() - new.len();
        let tally = tallies.of_source(source);
        tally.known_groups += i64::try_from(known).unwrap_or(i64::MAX);
        tally.accepted += 1;
        inserts.event(seq, event, &new);
        for delivery in new.iter().flat_map(|group| &group.deliveries) {
            inserts.delivery(seq, event, delivery, tallies);
        }
        let count = |groups: usize| u32::try_from(groups).unwrap_or(u32::MAX);
        let fates = |is_such: fn(&FateRow) -> bool| {
            let deliveries = new.iter().flat_map(|group| &group.deliveries);
            count(
                deliveries
                    .filter(|delivery| is_such(&delivery.fate))
                    .count(),
            )
        };
        Ok(Acceptance::Accepted {
            event: EventSeq(seq),
            new: count(new.len()),
            known: count(known),
            dead: fates(|fate| matches!(fate, FateRow::Dead { .. })),
            dropped: fates(FateRow::is_end),
        })
    }

    /// Counts a request whose every key is there; `None` where its first key is held by nobody.
    fn duplicate<'a>(
        &self,
        request: &Repeated<'a>,
        tallies: &mut Tallies,
        inserts: &mut Inserts<'a>,
    ) -> Given {
        let holder = self.holders.get(&request.first)?;
        let tally = tallies.of_source(request.source);
        tally.known_groups += i64::try_from(request.groups).unwrap_or(i64::MAX);
        tally.duplicate += 1;
        let differs = request.groups == 1
            && match &holder.body {
                Some((hash, keys)) => *keys == 16 && hash.as_slice() != request.body_hash,
                None => inserts.is_another_body(holder.event, request.body_hash),
            };
        if differs {
            inserts.reused(holder.event, request.source, request.received_at);
        }
        Some(Acceptance::Duplicate {
            event: EventSeq(holder.event),
            known: u32::try_from(request.groups).unwrap_or(u32::MAX),
            differs,
        })
    }
}

/// A request whose every key is there.
struct Repeated<'a> {
    source: &'a str,
    received_at: i64,
    body_hash: &'a [u8; 32],
    first: DedupKey,
    groups: usize,
}

fn holder(row: &Row) -> Result<(DedupKey, Holder), Fault> {
    let key: &[u8] = row.try_get(0)?;
    let key = <[u8; 16]>::try_from(key)
        .map_err(|_| Fault::Call("a stored key cannot be read".to_owned()))?;
    let body: Option<Vec<u8>> = row.try_get(2)?;
    let keys: Option<i64> = row.try_get(3)?;
    let holder = Holder {
        event: row.try_get(1)?,
        body: body.zip(keys),
    };
    Ok((DedupKey::from_bytes(key), holder))
}

/// The second flight: everything is sent, with the commit, before the first answer is there. Where a statement fails, the server
/// makes a rollback of the commit.
async fn commit(
    client: &Object,
    slot: i16,
    inserts: &Inserts<'_>,
    tallies: &Tallies,
) -> Result<(), Fault> {
    let counted = tally::Columns::new(slot, tallies);
    let mut inserts = inserts.statements();
    inserts.extend(counted.statement());
    let mut statements: Vec<Statement> = Vec::with_capacity(inserts.len());
    for insert in &inserts {
        statements.push(client.prepare_cached(insert.sql).await?);
    }
    let written = inserts.iter().zip(&statements).map(|(insert, statement)| {
        async move {
            client.execute(statement, &insert.columns).await?;
            Ok::<(), Fault>(())
        }
        .boxed()
    });
    let commit = async {
        client.batch_execute("COMMIT").await?;
        Ok(())
    };
    let flight: Vec<BoxFuture<'_, Result<(), Fault>>> =
        written.chain(std::iter::once(commit.boxed())).collect();
    // Few enough to be polled, and so sent, in their order.
    for done in future::join_all(flight).await {
        done?;
    }
    Ok(())
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 1] = [HOLDERS];
