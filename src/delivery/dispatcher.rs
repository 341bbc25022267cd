//! The loop of one organisation: gives lanes their turn, requests their leave, and listens to what comes back.
//!
//! One task owns all of an organisation's state: the index of lanes, the pace, the breaker, the pause. Attempts run
//! beside it, ask it by message, and end with a word on what follows for their lane. Each round of the loop reads
//! what the store has, answers what can be answered, gives turns while there are free places, and then sleeps until
//! something happens.

mod scanning;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use rand::{RngExt, rngs::StdRng};
use tokio::{
    sync::mpsc,
    task::{Id, JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use super::{
    Handle, Settings, State, Status,
    attempt::{Attempt, Context, TurnEnd},
    bindings::Bindings,
    by_hand::{ByHand, Forgotten},
    directory::{SharedDirectory, scan::Scan},
    gate::{Gate, Standing},
    intake::{self, Intake},
    lanes::{Lanes, Turn},
    page::PageEnd,
    permits::{Message, Permits},
    status::{Desk, Wish},
};
use crate::{
    clock::Clock,
    event::{DeliveryPos, LaneKey, OrganisationName},
    keeper::Tenure,
    quentli::{CallError, Client, KeyNumber},
    store::{Store, StoreError},
    telemetry::{ApiCall, Metrics},
};

/// How long a lane is left alone when the store could not read its head, or cannot read or write it at all.
const STORE_AWAY: Duration = Duration::from_secs(1);
const BROKEN: Duration = Duration::from_hours(1);

/// Messages of attempts that may wait for the loop; more make their senders wait.
const INBOX: usize = 64;

/// What the dispatchers of an organisation are made of.
#[derive(Clone, Debug)]
pub struct Parts {
    pub organisation: OrganisationName,
    pub store: Arc<dyn Store>,
    /// With the key of this organisation.
    pub client: Client,
    pub clock: Clock,
    pub metrics: Metrics,
    pub settings: Settings,
}

/// Brings the deliveries of one organisation to Quentli. There must be no other for the same organisation.
#[derive(Debug)]
pub struct Dispatcher {
    context: Arc<Context>,
    random: StdRng,
    intake: Intake,
    lanes: Lanes,
    gate: Gate,
    scan: Scan,
    /// When the scan under way and the last whole one began.
    scan_began: Timestamp,
    scanned: Option<Timestamp>,
    inbox: mpsc::Receiver<Message>,
    tasks: JoinSet<Result<Done, StoreError>>,
    under_way: HashMap<Id, Task>,
    /// Panics over the head of a lane.
    panics: HashMap<LaneKey, u32>,
    desk: Desk,
    wish: Wish,
    /// Whether there is still a handle.
    is_steered: bool,
    is_draining: bool,
    tenure: Tenure,
}

/// What a task is for.
#[derive(Clone, Copy, Debug)]
enum Task {
    Attempt(Turn),
    /// Writes down that an attempt panicked.
    Mourning(Turn),
    /// Asks with this key.
    Probe(KeyNumber),
    /// Reads a page of all customers.
    Page,
}

/// What a task came back with.
#[derive(Debug)]
enum Done {
    Turn(TurnEnd),
    Probe(Result<(), CallError>),
    Page(PageEnd),
}

impl Dispatcher {
    /// A dispatcher that has not begun, the only one of its process, and the handle to it.
    pub fn new(parts: Parts, random: StdRng) -> (Self, Handle) {
        let newest = *parts.store.arrivals().borrow();
        let handle = Handle::new(parts);
        let dispatcher = handle.dispatcher(Tenure::forever(), newest, random);
        (dispatcher, handle)
    }

    /// One of several, one after the other.
    pub(super) fn begin(
        parts: &Parts,
        desk: Desk,
        by_hand: ByHand,
        directory: SharedDirectory,
        tenure: Tenure,
        possibly_sent_up_to: DeliveryPos,
        random: StdRng,
    ) -> Self {
        let Parts {
            organisation,
            store,
            client,
            clock,
            metrics,
            settings,
        } = parts.clone();
        let (permits, inbox) = Permits::new(INBOX);
        let arrivals = store.arrivals();
        let began = SignedDuration::try_from(clock.elapsed())
            .ok()
            .and_then(|elapsed| clock.now().checked_sub(elapsed).ok())
            .unwrap_or(Timestamp::UNIX_EPOCH);
        Self {
            random,
            intake: Intake::new(arrivals),
            lanes: Lanes::default(),
            gate: Gate::new(organisation.clone(), &settings),
            scan: Scan::new(organisation.clone(), &settings),
            scan_began: Timestamp::UNIX_EPOCH,
            scanned: None,
            inbox,
            tasks: JoinSet::new(),
            under_way: HashMap::new(),
            panics: HashMap::new(),
            desk,
            wish: Wish::default(),
            is_steered: true,
            is_draining: false,
            tenure: tenure.clone(),
            context: Arc::new(Context {
                organisation,
                store,
                client,
                clock,
                metrics,
                settings,
                permits,
                bindings: Mutex::new(Bindings::default()),
                directory,
                by_hand,
                tenure,
                possibly_sent_up_to,
                began,
            }),
        }
    }

    /// Delivers until told to stop. `soft`: begins nothing new, finishes and writes down what is on its way, and
    /// returns. `hard`: drops everything at once, which is safe: what was on its way counts as possibly sent.
    ///
    /// # Errors
    /// The store takes no more work; the process must end and start again.
    pub async fn run(
        mut self,
        soft: CancellationToken,
        hard: CancellationToken,
    ) -> Result<(), StoreError> {
        // What was paused before the start is paused from the first round on.
        self.obey();
        loop {
            if !self.is_draining {
                self.intake.read(&self.context, &mut self.lanes).await?;
            }
            self.work();
            self.publish();
            if self.is_draining && self.attempts() == 0 {
                return Ok(());
            }
            let nap = self.next_work().saturating_sub(self.now());
            // All arms are cancel-safe: what an arm did not finish waiting for is still there in the next round.
            tokio::select! {
                biased;
                () = hard.cancelled() => return Ok(()),
                () = soft.cancelled(), if !self.is_draining => self.is_draining = true,
                // What a request came back with is heard before its attempt's end frees a place for the next one.
                Some(message) = self.inbox.recv() => self.hear(message),
                Some(ended) = self.tasks.join_next_with_id() => self.task_ended(ended)?,
                changed = self.desk.wish.changed(), if self.is_steered => match changed {
                    Ok(()) => self.obey(),
                    Err(_) => self.is_steered = false,
                },
                () = self.intake.notice() => {}
                () = self.tenure.changed() => {}
                () = self.context.clock.sleep(nap) => {}
            }
        }
    }

    fn now(&self) -> Duration {
        self.context.clock.elapsed()
    }

    /// Attempts under way, those included that only write down.
    fn attempts(&self) -> usize {
        self.under_way
            .values()
            .filter(|task| !matches!(task, Task::Probe(_) | Task::Page))
            .count()
    }

    /// Whether a lane may be given a turn now.
    fn has_place(&self, now: Duration) -> bool {
        let places = usize::try_from(self.context.settings.concurrency.get()).unwrap_or(usize::MAX);
        self.may_send(now) && self.gate.standing(now) == Standing::Open && self.attempts() < places
    }

    /// Whether a request that leaves now comes back while this dispatcher is still the only one.
    fn may_send(&self, now: Duration) -> bool {
        !self.is_draining && self.tenure.covers(now)
    }

    /// Does what can be done now.
    fn work(&mut self) {
        let now = self.now();
        while self.has_place(now)
            && let Some(turn) = self.lanes.next(now)
        {
            let attempt = Attempt::new(Arc::clone(&self.context), turn, self.random.random());
            self.spawn(Task::Attempt(turn), async {
                attempt.run().await.map(Done::Turn)
            });
        }
        if !self.may_send(now) {
            self.gate.refuse_all();
            return;
        }
        self.gate.grant(now);
        if self.gate.starts_probe(now) {
            let context = Arc::clone(&self.context);
            self.spawn(Task::Probe(context.client.key_number()), async move {
                let started = context.clock.elapsed();
                let answer = context.client.probe().await;
                let took = context.clock.elapsed().saturating_sub(started);
                context
                    .metrics
                    .call(&context.organisation, ApiCall::Probe, took);
                Ok(Done::Probe(answer))
            });
        }
        self.scan(now);
    }

    /// When there will be something to do that nobody tells of.
    fn next_work(&self) -> Duration {
        let now = self.now();
        if !self.may_send(now) {
            // Only what is on its way is waited for, and it tells when it ends; so does whoever renews the lease.
            return now.saturating_add(self.context.settings.poll);
        }
        let lane = self.lanes.next_due().filter(|_| self.has_place(now));
        let next = self.intake.next_at();
        lane.into_iter()
            .chain(self.gate.next_at(now))
            .chain(self.scan_due(now))
            .fold(next, Duration::min)
    }

    fn spawn(
        &mut self,
        task: Task,
        work: impl Future<Output = Result<Done, StoreError>> + Send + 'static,
    ) {
        let id = self.tasks.spawn(work).id();
        self.under_way.insert(id, task);
    }

    fn hear(&mut self, message: Message) {
        let now = self.now();
        match message {
            Message::Claim {
                lane,
                head,
                customer,
                siblings,
                reply,
            } => {
                let is_granted = self.lanes.claim(lane, head, &customer, &siblings, now);
                let others = is_granted.then(|| self.lanes.others_of(lane));
                reply.send(others).ok();
            }
            Message::Request(request) => self.gate.ask(request),
            Message::Appeared(lanes) => {
                for lane in lanes {
                    self.lanes.appeared(lane, now);
                }
            }
            Message::Heard { of, word } => {
                let random = self.random.random();
                self.gate.heard(of, word, now, random);
            }
        }
    }

    fn task_ended(
        &mut self,
        ended: Result<(Id, Result<Done, StoreError>), JoinError>,
    ) -> Result<(), StoreError> {
        let (id, done) = match ended {
            Ok((id, done)) => (id, Some(done?)),
            Err(error) => (error.id(), None),
        };
        match (self.under_way.remove(&id), done) {
            (Some(Task::Attempt(turn) | Task::Mourning(turn)), Some(Done::Turn(end))) => {
                self.turn_ended(turn.lane, end);
            }
            (Some(Task::Probe(key)), Some(Done::Probe(answer))) => {
                self.probe_ended(Some(&answer).filter(|_| self.is_current(key)));
            }
            (Some(Task::Probe(_)), _) => self.probe_ended(None),
            (Some(Task::Page), Some(Done::Page(end))) => self.page_ended(end),
            (Some(Task::Page), _) => self.page_panicked(),
            (Some(Task::Attempt(turn)), _) => self.attempt_panicked(turn),
            (Some(Task::Mourning(turn)), _) => self.turn_ended(turn.lane, TurnEnd::Broken),
            (None, _) => {}
        }
        Ok(())
    }

    fn turn_ended(&mut self, lane: LaneKey, end: TurnEnd) {
        let now = self.now();
        match end {
            TurnEnd::Ended { next } => {
                self.panics.remove(&lane);
                self.lanes.ended(lane, next, now);
            }
            TurnEnd::Later { due, looking } => self.lanes.later(lane, due, looking, now),
            TurnEnd::AwaitsScan(scan) if self.context.directory.lock().is_through(scan) => {
                self.lanes.given_back(lane);
            }
            TurnEnd::AwaitsScan(scan) => self.lanes.park(lane, scan, now),
            TurnEnd::NeedsLook => self.lanes.needs_look(lane),
            TurnEnd::SourcePaused(source) if self.context.by_hand.is_paused(&source) => {
                self.lanes.stop(lane, source, now);
            }
            TurnEnd::SourcePaused(_) | TurnEnd::GivenBack => self.lanes.given_back(lane),
            TurnEnd::NotItsTurn => self.lanes.hold(lane),
            TurnEnd::KeyRefused(key) => {
                self.lanes.given_back(lane);
                if self.is_current(key) {
                    self.gate.key_refused(self.time_of(now), now);
                }
            }
            TurnEnd::StoreAway => self.lanes.set_aside(lane, now.saturating_add(STORE_AWAY)),
            TurnEnd::Broken => self.lanes.set_aside(lane, now.saturating_add(BROKEN)),
        }
    }

    /// Our own code failed on a delivery: that is written down, and the others go on.
    fn attempt_panicked(&mut self, turn: Turn) {
        let panics = self.panics.entry(turn.lane).or_default();
        *panics = panics.saturating_add(1);
        let panics = *panics;
        tracing::error!(
            organisation = %self.context.organisation,
            delivery.id = %turn.head,
            panics,
            "an attempt panicked; this is a bug, please report it"
        );
        let customer = self.lanes.claimed_by(turn.lane).cloned();
        let context = Arc::clone(&self.context);
        let random = self.random.random();
        self.spawn(Task::Mourning(turn), async move {
            let end = context.record_panic(turn, customer, panics, random).await?;
            Ok(Done::Turn(end))
        });
    }

    /// Whether a call's answer is about the key of today: an old one may well be refused.
    fn is_current(&self, key: KeyNumber) -> bool {
        self.context.client.key_number() == key
    }

    fn probe_ended(&mut self, answer: Option<&Result<(), CallError>>) {
        let now = self.now();
        let random = self.random.random();
        self.gate
            .probe_ended(answer, self.time_of(now), now, random);
    }

    /// Does what a person asked for since the last time.
    fn obey(&mut self) {
        let wish = *self.desk.wish.borrow_and_update();
        if wish.renewed != self.wish.renewed {
            self.gate.key_renewed();
        }
        if wish.found_by != self.wish.found_by {
            self.found_by_others();
        }
        if wish.resumed != self.wish.resumed {
            self.gate.resume();
        }
        if let Some(since) = wish.paused {
            self.gate.pause(since);
        }
        if wish.by_hand != self.wish.by_hand {
            self.take_up_changes();
        }
        self.wish = wish;
    }

    /// Puts into the index what people changed in the store.
    fn take_up_changes(&mut self) {
        let now = self.now();
        let revived = self.context.by_hand.take_revived();
        for head in &revived.heads {
            intake::revived(&mut self.lanes, head, now);
        }
        if revived.too_many {
            self.intake.sweep_for_sent_again();
        }
        for source in self.context.by_hand.take_started() {
            self.lanes.started(&source, now);
        }
        for forgotten in self.context.by_hand.take_forgotten() {
            match forgotten {
                Forgotten::Named { id, lines } => self.context.forget(id.as_ref(), &lines),
                Forgotten::Noted(customer) => self.context.forget_noted(customer),
            }
        }
    }

    fn publish(&self) {
        let now = self.now();
        let state = match self.gate.standing(now) {
            Standing::Open => State::Delivering,
            Standing::HeldUntil(until) => State::Throttled {
                until: self.time_of(until),
            },
            Standing::Broken { since, probe_at } => State::BreakerOpen {
                since: self.time_of(since),
                probe_at: self.time_of(probe_at),
            },
            Standing::Paused { since, reason } => State::Paused { since, reason },
        };
        let status = Status {
            state,
            lanes: self.lanes.len(),
            in_flight: self.lanes.in_flight(),
            looking: self.lanes.looking(),
            redelivering: self.lanes.redelivering(),
            stopped: self.lanes.stopped(),
            loading: !self.intake.is_loaded(),
            directory: self.directory_status(),
        };
        self.desk.status.send_if_modified(|known| {
            let changed = *known != status;
            let was_paused = matches!(known.state, State::Paused { .. });
            if was_paused && !matches!(state, State::Paused { .. }) {
                self.context.by_hand.resumed(self.time_of(now));
            }
            if known.state.kind() != state.kind() || known.loading != status.loading {
                let context = &self.context;
                context
                    .metrics
                    .organisation_state(&context.organisation, Some(state.kind()));
            }
            if known.directory != status.directory {
                self.show_directory(status.directory);
            }
            *known = status;
            changed
        });
    }

    fn time_of(&self, elapsed: Duration) -> Timestamp {
        self.context.time_of(elapsed)
    }
}
