//! Leases as rows, by the database's clock.
//!
//! What this process holds, and under which epoch, is remembered here; a change of an organisation takes the epoch when it is asked
//! for, and shows it in its transaction ([`Step::fence`]). The row's key is locked for sharing until that commits, and a claim takes
//! the whole row first, so a claim by somebody else comes before or after it. Renewing waits for neither.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio_postgres::Row;

use super::{
    NEWEST, PostgresStore,
    fault::Fault,
    migrations,
    queue::lane,
    session::{Session, Step},
    watcher::announce,
};
use crate::{
    clock::Clock,
    customer::CustomerId,
    event::{DeliveryPos, LaneKey, OrganisationName},
    store::{
        Changes, Claim, ErasedCustomer, Lease, LeaseName, Leases, MOST_ERASED, MOST_STATUS_BYTES,
        ProcessId, Replica, ReplicaName, StoreError, Word, decode,
    },
};

/// The name of the number of reloads among the changes; no organisation can have it.
const RELOAD: &str = "@reload";

/// What this process holds.
#[derive(Debug)]
pub(super) struct Held {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    epochs: HashMap<LeaseName, i64>,
    /// When all of them were lost, by the clock's [`Clock::elapsed`].
    lost: Option<Duration>,
}

impl Held {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            state: Mutex::default(),
        }
    }

    /// What a change of this organisation must show.
    pub(super) fn of(&self, organisation: &OrganisationName) -> Holding {
        let name = LeaseName::Organisation(organisation.clone());
        Holding {
            epoch: self.epoch(&name),
            name,
        }
    }

    /// Nothing is held any more, and nothing is claimed for a while: what was sent under the leases may be on its way, and may
    /// have been sent by a process whose lease this database never had.
    pub(super) fn lose(&self) {
        let mut state = self.lock();
        state.epochs.clear();
        state.lost = Some(self.clock.elapsed());
    }

    /// Whether something may be on its way that was sent before all leases were lost. A lease lasts more than twice as long as a
    /// request.
    fn is_settling(&self, lasts: Duration) -> bool {
        let lost = self.lock().lost;
        lost.is_some_and(|lost| self.clock.elapsed() < lost.saturating_add(lasts / 2))
    }

    /// `None` where it is not held.
    fn epoch(&self, name: &LeaseName) -> Option<i64> {
        self.lock().epochs.get(name).copied()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lease under which something is done.
pub(super) struct Holding {
    name: LeaseName,
    epoch: Option<i64>,
}

const FENCE: &str = "
    SELECT 1 FROM lease WHERE name = $1 AND process = $2 AND epoch = $3 AND expires_at > clock_timestamp() FOR KEY SHARE";

const ATTEND: &str = "
    INSERT INTO replica (process, name, version, format, since, expires_at)
    VALUES ($1, $2, $3, $5, clock_timestamp(), clock_timestamp() + $4 * interval '1 ms')
    ON CONFLICT (process) DO UPDATE SET name = excluded.name, version = excluded.version, expires_at = excluded.expires_at";

// Long after: a process that comes back from a pause is not to find itself gone.
const FORGET_REPLICAS: &str =
    "DELETE FROM replica WHERE expires_at < clock_timestamp() - interval '1 day'";

const REPLICAS: &str = "
    SELECT process, name, version, (extract(epoch FROM since) * 1000)::bigint FROM replica
    WHERE expires_at > clock_timestamp() ORDER BY process";

const DEPART: &str = "DELETE FROM replica WHERE process = $1";

// Waits for what is being committed under the lease as it was.
const BEFORE_CLAIM: &str = "
    SELECT 1 FROM lease WHERE name = $1 AND (process = $2 OR expires_at <= clock_timestamp()) FOR UPDATE";

const CLAIM: &str = "
    INSERT INTO lease (name, process, replica, epoch, since, renewed, expires_at, seen)
    SELECT $1, $2, $3, 1, now, now, now + $4 * interval '1 ms',
           coalesce((SELECT number FROM change WHERE name = $1), 0)
    FROM (SELECT clock_timestamp() AS now) AS clock
    ON CONFLICT (name) DO UPDATE SET
      process = excluded.process, replica = excluded.replica, epoch = lease.epoch + 1, since = excluded.since,
      renewed = excluded.renewed, expires_at = excluded.expires_at, status = NULL, seen = excluded.seen
    WHERE lease.process = excluded.process OR lease.expires_at <= clock_timestamp()
    RETURNING epoch, seen";

const RENEW: &str = "
    UPDATE lease SET renewed = clock_timestamp(), expires_at = clock_timestamp() + $4 * interval '1 ms', status = $5, seen = $6
    WHERE name = $1 AND process = $2 AND epoch = $3 AND expires_at > clock_timestamp()
    RETURNING coalesce((SELECT number FROM change WHERE change.name = lease.name), 0)";

const RELEASE: &str = "
    UPDATE lease SET expires_at = '-infinity' WHERE name = $1 AND process = $2 AND epoch = $3";

const LEASES: &str = "
    SELECT name, process, replica, epoch, (extract(epoch FROM since) * 1000)::bigint,
           (extract(epoch FROM renewed) * 1000)::bigint, status, seen
    FROM lease WHERE expires_at > clock_timestamp() ORDER BY name";

const CHANGES: &str = "SELECT name, number FROM change";

const RAISE: &str = "
    INSERT INTO change (name, number) SELECT name, 1 FROM unnest($1::text[]) AS raised (name) ORDER BY name
    ON CONFLICT (name) DO UPDATE SET number = change.number + 1 RETURNING number";

const NOTE_ERASED: &str = "
    INSERT INTO erased (organisation, customer, up_to, at) VALUES ($1, $2, $3, clock_timestamp())
    ON CONFLICT (organisation, customer)
    DO UPDATE SET up_to = greatest(erased.up_to, excluded.up_to), at = excluded.at";

const FORGET_ERASED: &str = "
    DELETE FROM erased WHERE organisation = $1
      AND (at < clock_timestamp() - interval '2 days'
           OR at < (SELECT at FROM erased WHERE organisation = $1 ORDER BY at DESC OFFSET $2 LIMIT 1))";

const IS_ERASED: &str =
    "SELECT 1 FROM erased WHERE organisation = $1 AND customer = $2 AND up_to >= $3";

/// Waits until nothing is being committed under the lease that began before.
const SETTLED: &str = "SELECT 1 FROM lease WHERE name = $1 FOR UPDATE";

const ERASED: &str = "SELECT customer, up_to FROM erased WHERE organisation = $1";

fn millis(lasts: Duration) -> f64 {
    lasts.as_secs_f64() * 1000.0
}

impl Step {
    /// Whether the customer was erased after this delivery was accepted: then nothing of the customer is written down.
    pub(super) async fn is_erased(
        &self,
        organisation: &OrganisationName,
        customer: Option<&CustomerId>,
        pos: DeliveryPos,
    ) -> Result<bool, Fault> {
        let Some(customer) = customer else {
            return Ok(false);
        };
        let hash = LaneKey::of("id", customer.as_str());
        let (organisation, hash) = (organisation.as_str(), hash.as_bytes().as_slice());
        let erased = self
            .query_opt(IS_ERASED, &[&organisation, &hash, &pos.0])
            .await?;
        Ok(erased.is_some())
    }

    /// Waits for what is being written down under the organisation's lease by somebody who may not know of an erasing yet.
    pub(super) async fn settled(&self, organisation: &OrganisationName) -> Result<(), Fault> {
        self.query_opt(SETTLED, &[&organisation.as_str()]).await?;
        Ok(())
    }

    /// Goes on only under this lease.
    pub(super) async fn fence(&self, process: ProcessId, holding: &Holding) -> Result<(), Fault> {
        let held = match holding.epoch {
            None => None,
            Some(epoch) => {
                let name = holding.name.as_str();
                self.query_opt(FENCE, &[&name, &process.0, &epoch]).await?
            }
        };
        match held {
            Some(_) => Ok(()),
            None => Err(Fault::NotHeld(holding.name.clone())),
        }
    }
}

#[async_trait]
impl Leases for PostgresStore {
    fn is_shared(&self) -> bool {
        true
    }

    fn process(&self) -> ProcessId {
        self.process
    }

    async fn attend(
        &self,
        name: &ReplicaName,
        version: &str,
        lasts: Duration,
    ) -> Result<Vec<Replica>, StoreError> {
        change!(self.leases, |step| async {
            let process = self.process.0;
            step.execute(
                ATTEND,
                &[
                    &process,
                    &name.as_str(),
                    &version,
                    &millis(lasts),
                    &migrations::newest(),
                ],
            )
            .await?;
            step.execute(FORGET_REPLICAS, &[]).await?;
            let rows = step.query(REPLICAS, &[]).await?;
            rows.iter().map(replica).collect::<Result<Vec<_>, Fault>>()
        })
    }

    async fn depart(&self) -> Result<(), StoreError> {
        change!(self.leases, |step| async {
            step.execute(DEPART, &[&self.process.0]).await?;
            Ok::<(), Fault>(())
        })
    }

    async fn claim(
        &self,
        name: &LeaseName,
        by: &ReplicaName,
        lasts: Duration,
    ) -> Result<Option<Claim>, StoreError> {
        if self.held.is_settling(lasts) {
            return Ok(None);
        }
        let claimed = change!(self.leases, |step| async {
            let (name, by, lasts) = (name.as_str(), by.as_str(), millis(lasts));
            step.query_opt(BEFORE_CLAIM, &[&name, &self.process.0])
                .await?;
            let row = step
                .query_opt(CLAIM, &[&name, &self.process.0, &by, &lasts])
                .await?;
            let Some(row) = row else {
                return Ok(None);
            };
            let changes: i64 = row.try_get(1)?;
            let claim = Claim {
                epoch: row.try_get(0)?,
                changes: u64::try_from(changes).unwrap_or_default(),
            };
            // What others accepted up to now is known to whoever begins to deliver.
            let newest = step.query_opt(NEWEST, &[]).await?;
            let newest: Option<i64> = newest.map(|row| row.try_get(0)).transpose()?;
            Ok::<_, Fault>(Some((claim, newest)))
        })?;
        let Some((claim, newest)) = claimed else {
            return Ok(None);
        };
        announce(&self.arrivals, newest);
        self.held.lock().epochs.insert(name.clone(), claim.epoch);
        Ok(Some(claim))
    }

    async fn renew(
        &self,
        name: &LeaseName,
        lasts: Duration,
        word: Word,
    ) -> Result<u64, StoreError> {
        let not_held = || StoreError::NotHeld {
            lease: name.clone(),
        };
        let epoch = self.held.epoch(name).ok_or_else(not_held)?;
        let status = word
            .status
            .filter(|status| status.len() <= MOST_STATUS_BYTES);
        let seen = i64::try_from(word.seen).unwrap_or(i64::MAX);
        let renewed = read!(self.leases, |session| session.query_opt(
            RENEW,
            &[
                &name.as_str(),
                &self.process.0,
                &epoch,
                &millis(lasts),
                &status,
                &seen,
            ],
        ))?;
        let row = renewed.ok_or_else(not_held)?;
        let changes: i64 = row.try_get(0).map_err(|error| Fault::from(error).error())?;
        Ok(u64::try_from(changes).unwrap_or_default())
    }

    async fn release(&self, name: &LeaseName) -> Result<(), StoreError> {
        let Some(epoch) = self.held.lock().epochs.remove(name) else {
            return Ok(());
        };
        change!(self.leases, |step| async {
            step.execute(RELEASE, &[&name.as_str(), &self.process.0, &epoch])
                .await?;
            Ok::<(), Fault>(())
        })
    }

    async fn leases(&self) -> Result<Vec<Lease>, StoreError> {
        read!(self.leases, |session| async {
            let rows = session.query(LEASES, &[]).await?;
            // Names that only a later release knows are left out.
            let leases = rows.iter().filter_map(|row| lease(row).transpose());
            leases.collect::<Result<Vec<_>, Fault>>()
        })
    }

    async fn changes(&self) -> Result<Changes, StoreError> {
        read!(self.leases, |session| changes(session))
    }

    async fn raise(&self, organisations: &[OrganisationName]) -> Result<(), StoreError> {
        let mut names: Vec<&str> = organisations.iter().map(OrganisationName::as_str).collect();
        names.sort_unstable();
        names.dedup();
        self.raise_names(&names).await.map(drop)
    }

    async fn note_erased(
        &self,
        organisation: &OrganisationName,
        erased: ErasedCustomer,
    ) -> Result<(), StoreError> {
        let customer = erased
            .customer
            .map_or_else(Vec::new, |hash| hash.as_bytes().to_vec());
        let most = i64::try_from(MOST_ERASED).unwrap_or(i64::MAX) - 1;
        change!(self.people, |step| async {
            let organisation = organisation.as_str();
            step.execute(NOTE_ERASED, &[&organisation, &customer, &erased.up_to.0])
                .await?;
            step.execute(FORGET_ERASED, &[&organisation, &most]).await?;
            Ok::<(), Fault>(())
        })
    }

    async fn erased(
        &self,
        organisation: &OrganisationName,
    ) -> Result<Vec<ErasedCustomer>, StoreError> {
        read!(self.people, |session| async {
            let rows = session.query(ERASED, &[&organisation.as_str()]).await?;
            let erased = |row: &Row| {
                let customer: &[u8] = row.try_get(0)?;
                let customer = (!customer.is_empty()).then(|| lane(customer)).transpose()?;
                Ok(ErasedCustomer {
                    customer,
                    up_to: DeliveryPos(row.try_get(1)?),
                })
            };
            rows.iter().map(erased).collect::<Result<Vec<_>, Fault>>()
        })
    }

    async fn ask_reload(&self) -> Result<u64, StoreError> {
        let number = self.raise_names(&[RELOAD]).await?;
        Ok(u64::try_from(number.unwrap_or_default()).unwrap_or_default())
    }
}

impl PostgresStore {
    /// Makes numbers grow and gives one of them.
    async fn raise_names(&self, names: &[&str]) -> Result<Option<i64>, StoreError> {
        change!(self.people, |step| async {
            let rows = step.query(RAISE, &[&names]).await?;
            let number = rows.first().map(|row| row.try_get(0)).transpose()?;
            Ok::<Option<i64>, Fault>(number)
        })
    }
}

async fn changes(session: &Session) -> Result<Changes, Fault> {
    let mut changes = Changes::default();
    for row in &session.query(CHANGES, &[]).await? {
        let name: &str = row.try_get(0)?;
        let number = u64::try_from(row.try_get::<_, i64>(1)?).unwrap_or_default();
        if name == RELOAD {
            changes.reload = number;
        } else {
            // Names that only a later release knows are left out.
            if let Ok(organisation) = name.parse() {
                changes.organisations.insert(organisation, number);
            }
        }
    }
    Ok(changes)
}

fn replica(row: &Row) -> Result<Replica, Fault> {
    Ok(Replica {
        process: ProcessId(row.try_get(0)?),
        name: decode::text(row.try_get(1)?, "name")?,
        version: row.try_get(2)?,
        since: decode::time(row.try_get(3)?)?,
    })
}

fn lease(row: &Row) -> Result<Option<Lease>, Fault> {
    let Some(name) = LeaseName::parse(row.try_get(0)?) else {
        return Ok(None);
    };
    Ok(Some(Lease {
        name,
        process: ProcessId(row.try_get(1)?),
        replica: decode::text(row.try_get(2)?, "name")?,
        epoch: row.try_get(3)?,
        since: decode::time(row.try_get(4)?)?,
        renewed: decode::time(row.try_get(5)?)?,
        status: row.try_get(6)?,
        seen: u64::try_from(row.try_get::<_, i64>(7)?).unwrap_or_default(),
    }))
}
