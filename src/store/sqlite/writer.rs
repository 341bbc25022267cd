//! The one thread that writes. It takes all calls that wait, of every kind, puts them into one transaction, and
//! answers them when that transaction is on disk; while it syncs, the next calls gather. No call waits for company.
//!
//! Calls of a group do not share their fate unless the disk does: when one of them cannot be (a broken value), the
//! transaction is rolled back and filled again with each call behind its own savepoint, so only that one fails. The
//! savepoints are left out otherwise, because each makes SQLite copy the pages that the call touches.

use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    audit::AuditRow,
    ends::Change,
    erase::Erasing,
    fault::Fault,
    group::{Group, Numbers, Sum},
    hands::{HandsChange, HandsOutcome},
    refused::RefusedChange,
    rows::EventRows,
    secrets::{SecretChange, SecretOutcome},
    upkeep::UpkeepChange,
};
use crate::{
    event::DeliveryPos,
    store::{
        Acceptance, AuditId, KnownRequest, StoreError, erase::ErasedPage, health::Health,
        upkeep::Pruned,
    },
};

/// What is asked of the writer.
pub(super) enum Job {
    Accept(Call<EventRows, Acceptance>),
    Known(Call<KnownRequest, Option<Acceptance>>),
    Change(Call<Change, bool>),
    Refused(Call<RefusedChange, bool>),
    Secret(Call<SecretChange, SecretOutcome>),
    Audit(Call<AuditRow, AuditId>),
    Upkeep(Call<UpkeepChange, Pruned>),
    Hands(Call<HandsChange, HandsOutcome>),
    Erase(Call<Erasing, ErasedPage>),
    /// Finish what was asked before, take nothing more, and end.
    Close,
    #[cfg(test)]
    Run(Box<dyn FnOnce(&Connection) + Send>),
}

/// One call: what it brings, what came of it in the transaction at hand, and who waits for the answer.
pub(super) struct Call<I, O> {
    input: Box<I>,
    outcome: Option<Result<O, Fault>>,
    reply: oneshot::Sender<Result<O, StoreError>>,
}

pub(super) type Reply<O> = oneshot::Receiver<Result<O, StoreError>>;

impl<I, O> Call<I, O> {
    pub(super) fn new(input: I) -> (Self, Reply<O>) {
        let (reply, answer) = oneshot::channel();
        let call = Self {
            input: Box::new(input),
            outcome: None,
            reply,
        };
        (call, answer)
    }

    fn answer(self, committed: &Result<(), WholeGroup>) {
        let answer = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) => outcome.map_err(Fault::refused),
            (Ok(()), None) => Err(StoreError::Broken {
                what: "a call was left out of its transaction".to_owned(),
            }),
            (Err(fault), _) => Err(fault.error()),
        };
        // Nobody waits any more when the caller was dropped; the work is done all the same.
        drop(self.reply.send(answer));
    }
}

/// Why a whole group failed.
enum WholeGroup {
    /// Its transaction failed.
    Failed(Fault),
    /// The store had ended before.
    Refused(String),
}

impl WholeGroup {
    fn error(&self) -> StoreError {
        match self {
            Self::Failed(fault) => fault.clone().while_writing(),
            Self::Refused(what) => StoreError::Closed { what: what.clone() },
        }
    }
}

/// How much goes into one transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupLimit {
    pub(super) calls: usize,
    pub(super) bytes: u64,
}

pub(super) struct Writer {
    connection: Connection,
    /// As they are in the file.
    numbers: Numbers,
    limit: GroupLimit,
    arrivals: watch::Sender<DeliveryPos>,
    health: Arc<Health>,
    /// Whole requests or bodies were dropped that may still stand in the log.
    has_dropped: bool,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        limit: GroupLimit,
        health: Arc<Health>,
    ) -> Result<Self, Fault> {
        let numbers = Numbers::read(&connection)?;
        let arrivals = watch::Sender::new(DeliveryPos(numbers.delivery - 1));
        Ok(Self {
            connection,
            numbers,
            limit,
            arrivals,
            health,
            has_dropped: false,
        })
    }

    pub(super) fn arrivals(&self) -> watch::Receiver<DeliveryPos> {
        self.arrivals.subscribe()
    }

    /// Works until all senders are gone or [`Job::Close`] came, and everything asked before is answered.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let ends_with_thread = EndsWithThread(Arc::clone(&self.health));
        let mut group = Vec::new();
        while let Some(first) = jobs.blocking_recv() {
            self.gather(first, &mut jobs, &mut group);
            if !group.is_empty() {
                self.write(&mut group);
            }
        }
        self.health.end("it was closed");
        // Empties the log, so that the file alone can be copied. A failure leaves it to the next start.
        let emptied = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_row| Ok(()));
        if let Err(error) = emptied {
            tracing::warn!(error = %error, "could not empty the store's log; the next start does it");
        }
        drop(ends_with_thread);
    }

    /// Takes what waits, up to the limit.
    fn gather(&self, first: Job, jobs: &mut mpsc::Receiver<Job>, group: &mut Vec<Job>) {
        let mut bytes = 0_u64;
        let mut next = Some(first);
        while let Some(job) = next {
            match job {
                // What was sent before this is still in the channel's order before it; the rest is taken as well.
                Job::Close => jobs.close(),
                #[cfg(test)]
                Job::Run(run) => run(&self.connection),
                job @ (Job::Accept(_)
                | Job::Known(_)
                | Job::Change(_)
                | Job::Refused(_)
                | Job::Secret(_)
                | Job::Audit(_)
                | Job::Upkeep(_)
                | Job::Erase(_)
                | Job::Hands(_)) => {
                    bytes = bytes.saturating_add(job.size());
                    group.push(job);
                }
            }
            let is_full = group.len() >= self.limit.calls || bytes >= self.limit.bytes;
            next = if is_full { None } else { jobs.try_recv().ok() };
        }
    }

    /// Commits the group and answers all of it.
    fn write(&mut self, group: &mut Vec<Job>) {
        let committed = match self.health.ended() {
            Some(why) => Err(WholeGroup::Refused(why.to_owned())),
            None => self.commit(group).map_err(WholeGroup::Failed),
        };
        match &committed {
            Ok(()) => self.health.recovered(),
            Err(WholeGroup::Failed(Fault::Moment(what) | Fault::Call(what))) => {
                self.health.trouble(what.clone());
            }
            Err(WholeGroup::Failed(Fault::File(what))) => {
                self.health.end(format!("it failed while writing: {what}"));
            }
            Err(WholeGroup::Refused(_)) => {}
        }
        if committed.is_ok() {
            self.wipe_log(group);
        }
        for job in group.drain(..) {
            match job {
                Job::Accept(call) => call.answer(&committed),
                Job::Known(call) => call.answer(&committed),
                Job::Change(call) => call.answer(&committed),
                Job::Refused(call) => call.answer(&committed),
                Job::Secret(call) => call.answer(&committed),
                Job::Audit(call) => call.answer(&committed),
                Job::Upkeep(call) => call.answer(&committed),
                Job::Hands(call) => call.answer(&committed),
                Job::Erase(call) => call.answer(&committed),
                Job::Close => {}
                #[cfg(test)]
                Job::Run(_) => {}
            }
        }
    }

    /// Empties the log at the next tidying after requests or bodies were dropped: their bytes would stand in it until other
    /// writes take their place. It waits for nobody: where somebody reads, the next tidying tries again.
    fn wipe_log(&mut self, group: &[Job]) {
        let mut is_tidying = false;
        for job in group {
            match job {
                Job::Refused(call) => {
                    is_tidying |= call.input.is_tidying();
                    let is_done = matches!(call.outcome, Some(Ok(true)));
                    self.has_dropped |= is_done && call.input.drops_requests();
                }
                Job::Erase(call) => self.has_dropped |= !call.input.is_dry_run(),
                Job::Upkeep(call) => {
                    let dropped = call.outcome.as_ref();
                    self.has_dropped |= dropped
                        .is_some_and(|outcome| outcome.as_ref().is_ok_and(Pruned::is_of_people));
                }
                _ => {}
            }
        }
        if !(is_tidying && self.has_dropped) {
            return;
        }
        let truncate = || {
            let wait: i64 = self
                .connection
                .query_row("PRAGMA busy_timeout", [], |row| row.get(0))?;
            self.connection.pragma_update(None, "busy_timeout", 0)?;
            let is_held = self
                .connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
                    row.get::<_, bool>(0)
                });
            self.connection.pragma_update(None, "busy_timeout", wait)?;
            is_held
        };
        match truncate() {
            Ok(is_held) => self.has_dropped = is_held,
            Err(error) => {
                tracing::debug!(error = %error, "the store's log could not be emptied after tidying");
            }
        }
    }

    fn commit(&mut self, group: &mut [Job]) -> Result<(), Fault> {
        let sum = match self.attempt(group, Guard::None) {
            Err(Fault::Call(_)) => self.attempt(group, Guard::EachCall),
            other => other,
        }?;
        self.numbers = sum.numbers;
        if let Some(pos) = sum.arrived {
            self.arrivals.send_replace(DeliveryPos(pos));
        }
        Ok(())
    }

    /// One transaction with the whole group; rolled back when it fails.
    fn attempt(&self, group: &mut [Job], guard: Guard) -> Result<Sum, Fault> {
        self.run_statement("BEGIN IMMEDIATE")?;
        let filled = self.fill(group, guard).and_then(|sum| {
            self.run_statement("COMMIT")?;
            Ok(sum)
        });
        if filled.is_err() && !self.connection.is_autocommit() {
            // If even this fails, nobody can say what the connection would write next.
            self.run_statement("ROLLBACK")
                .map_err(|fault| Fault::File(format!("a rollback failed: {fault:?}")))?;
        }
        filled
    }

    fn fill(&self, group: &mut [Job], guard: Guard) -> Result<Sum, Fault> {
        let mut filling = Group {
            connection: &self.connection,
            sum: Sum::new(self.numbers),
        };
        for job in group {
            match job {
                Job::Accept(call) => {
                    call.outcome =
                        Some(self.one(&mut filling, guard, |group| group.accept(&call.input))?);
                }
                Job::Known(call) => {
                    call.outcome =
                        Some(self.one(&mut filling, guard, |group| group.known(&call.input))?);
                }
                Job::Change(call) => {
                    call.outcome =
                        Some(self.one(&mut filling, guard, |group| group.change(&call.input))?);
                }
                Job::Refused(call) => {
                    call.outcome = Some(self.one(&mut filling, guard, |group| {
                        group.change_refused(&call.input)
                    })?);
                }
                Job::Secret(call) => {
                    call.outcome =
                        Some(self.one(&mut filling, guard, |group| group.secret(&call.input))?);
                }
                Job::Audit(call) => {
                    call.outcome =
                        Some(self.one(&mut filling, guard, |group| group.record_act(&call.input))?);
                }
                Job::Erase(call) => {
                    call.outcome =
                        Some(self.one(&mut filling, guard, |group| group.erase(&call.input))?);
                }
                Job::Upkeep(call) => {
                    call.outcome =
                        Some(self.one(&mut filling, guard, |group| group.upkeep(&call.input))?);
                }
                Job::Hands(call) => {
                    call.outcome =
                        Some(self.one(&mut filling, guard, |group| group.by_hand(&call.input))?);
                }
                Job::Close => {}
                #[cfg(test)]
                Job::Run(_) => {}
            }
        }
        filling.sum.write(&self.connection, self.numbers)?;
        Ok(filling.sum)
    }

    /// One call of the group. The outer error ends the transaction, the inner one is the call's own.
    fn one<'g, T>(
        &self,
        group: &mut Group<'g>,
        guard: Guard,
        call: impl FnOnce(&mut Group<'g>) -> Result<T, Fault>,
    ) -> Result<Result<T, Fault>, Fault> {
        if matches!(guard, Guard::None) {
            return call(group).map(Ok);
        }
        let before = group.sum.clone();
        self.run_statement("SAVEPOINT one")?;
        let outcome = call(group);
        match outcome {
            Err(Fault::Call(what)) => {
                self.run_statement("ROLLBACK TO one")?;
                self.run_statement("RELEASE one")?;
                group.sum = before;
                Ok(Err(Fault::Call(what)))
            }
            Err(fault) => Err(fault),
            Ok(value) => {
                self.run_statement("RELEASE one")?;
                Ok(Ok(value))
            }
        }
    }

    fn run_statement(&self, sql: &str) -> Result<(), Fault> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}

impl Job {
    fn size(&self) -> u64 {
        match self {
            Self::Accept(call) => call.input.size(),
            Self::Refused(call) => call.input.size(),
            Self::Upkeep(call) => call.input.size(),
            Self::Erase(call) => call.input.size(),
            _ => 1024,
        }
    }
}

/// How the calls of a group are kept apart.
#[derive(Clone, Copy)]
enum Guard {
    None,
    EachCall,
}

/// Closes the store when the thread ends in any way, also by a panic.
struct EndsWithThread(Arc<Health>);

impl Drop for EndsWithThread {
    fn drop(&mut self) {
        self.0.end("its writer stopped");
    }
}
