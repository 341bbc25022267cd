//! The loop of one organisation: gives lanes their turn, requests their leave, and listens to what comes back.
//!
//! One task owns all of an organisation's state: the index of lanes, the pace, the breaker, the pause. Attempts run
//! beside it, ask it by message, and end with a word on what follows for their lane. Each round of the loop reads
//! what the store has, answers what can be answered, gives turns while there are free places, and then sleeps until
//! something happens.

use std::{
    collections::{HashMap, VecDeque},
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
    breaker::Breaker,
    intake::Intake,
    lanes::{Lanes, Turn},
    pace::Pace,
    pause::Pause,
    permits::{Message, Permits, Request, RequestKind, Word},
    share::Share,
    status::{Desk, Wish},
};
use crate::{
    clock::Clock,
    event::{LaneKey, OrganisationName},
    quentli::{CallError, CallErrorKind, Client},
    store::{Store, StoreError},
    telemetry::{ApiCall, Metrics},
};

/// How long a lane is left alone when the store could not read its head, or cannot read or write it at all.
const STORE_AWAY: Duration = Duration::from_secs(1);
const BROKEN: Duration = Duration::from_hours(1);

/// Messages of attempts that may wait for the loop; more make their senders wait.
const INBOX: usize = 64;

/// What a dispatcher is made of.
#[derive(Debug)]
pub struct Parts {
    pub organisation: OrganisationName,
    pub store: Arc<dyn Store>,
    /// With the key of this organisation.
    pub client: Client,
    pub clock: Clock,
    pub metrics: Metrics,
    pub settings: Settings,
    /// For jitter.
    pub random: StdRng,
}

/// Brings the deliveries of one organisation to Quentli. There must be no other for the same organisation.
#[derive(Debug)]
pub struct Dispatcher {
    context: Arc<Context>,
    random: StdRng,
    intake: Intake,
    lanes: Lanes,
    pace: Pace,
    breaker: Breaker,
    pause: Pause,
    inbox: mpsc::Receiver<Message>,
    /// Requests that wait for leave: at most one for each attempt.
    requests: VecDeque<Request>,
    looks: Share,
    tasks: JoinSet<Result<Done, StoreError>>,
    under_way: HashMap<Id, Task>,
    /// Panics over the head of a lane.
    panics: HashMap<LaneKey, u32>,
    desk: Desk,
    wish: Wish,
    /// Whether there is still a handle.
    is_steered: bool,
    is_draining: bool,
    /// The time of day when the clock's elapsed time was zero.
    began: Timestamp,
}

/// What a task is for.
#[derive(Clone, Copy, Debug)]
enum Task {
    Attempt(Turn),
    /// Writes down that an attempt panicked.
    Mourning(Turn),
    Probe,
}

/// What a task came back with.
#[derive(Debug)]
enum Done {
    Turn(TurnEnd),
    Probe(Result<(), CallError>),
}

impl Dispatcher {
    /// A dispatcher that has not begun, and the handle to it.
    pub fn new(parts: Parts) -> (Self, Handle) {
        let Parts {
            organisation,
            store,
            client,
            clock,
            metrics,
            settings,
            random,
        } = parts;
        let (permits, inbox) = Permits::new(INBOX);
        let (handle, desk) = Handle::new();
        let arrivals = store.arrivals();
        let possibly_sent_up_to = *arrivals.borrow();
        let began = SignedDuration::try_from(clock.elapsed())
            .ok()
            .and_then(|elapsed| clock.now().checked_sub(elapsed).ok())
            .unwrap_or(Timestamp::UNIX_EPOCH);
        let dispatcher = Self {
            random,
            intake: Intake::new(arrivals),
            lanes: Lanes::default(),
            pace: Pace::new(settings.rate, settings.burst),
            breaker: Breaker::default(),
            pause: Pause::default(),
            inbox,
            requests: VecDeque::new(),
            looks: Share::one_in(5),
            tasks: JoinSet::new(),
            under_way: HashMap::new(),
            panics: HashMap::new(),
            desk,
            wish: Wish::default(),
            is_steered: true,
            is_draining: false,
            began,
            context: Arc::new(Context {
                organisation,
                store,
                client,
                clock,
                metrics,
                settings,
                permits,
                bindings: Mutex::new(Bindings::default()),
                possibly_sent_up_to,
            }),
        };
        (dispatcher, handle)
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
                () = self.context.clock.sleep(nap) => {}
            }
        }
    }

    fn now(&self) -> Duration {
        self.context.clock.elapsed()
    }

    fn is_open(&self) -> bool {
        !self.is_draining && self.pause.reason().is_none() && self.breaker.is_closed()
    }

    /// Attempts under way, those included that only write down.
    fn attempts(&self) -> usize {
        self.under_way
            .values()
            .filter(|task| !matches!(task, Task::Probe))
            .count()
    }

    /// Whether a lane may be given a turn now.
    fn has_place(&self, now: Duration) -> bool {
        let places = usize::try_from(self.context.settings.concurrency.get()).unwrap_or(usize::MAX);
        self.is_open() && self.pace.held_until(now).is_none() && self.attempts() < places
    }

    /// Does what can be done now.
    fn work(&mut self) {
        let now = self.now();
        if !self.is_open() {
            // Dropping the questions tells the attempts to give their deliveries back.
            self.requests.clear();
        }
        while self.has_place(now)
            && let Some(turn) = self.lanes.next(now)
        {
            let attempt = Attempt::new(Arc::clone(&self.context), turn, self.random.random());
            self.spawn(Task::Attempt(turn), async {
                attempt.run().await.map(Done::Turn)
            });
        }
        self.grant_requests(now);
        self.probe(now);
    }

    /// When there will be something to do that nobody tells of.
    fn next_work(&self) -> Duration {
        let now = self.now();
        let mut times = Vec::with_capacity(4);
        if !self.is_draining {
            times.push(self.intake.next_at());
        }
        if !self.requests.is_empty() {
            times.push(now.saturating_add(self.pace.wait(now)));
        }
        if self.has_place(now) {
            times.extend(self.lanes.next_due());
        } else if self.is_open() {
            times.extend(self.pace.held_until(now));
        }
        if let Some(probe_at) = self.next_probe() {
            times.push(probe_at.max(now.saturating_add(self.pace.wait(now))));
        }
        // With nothing else to wait for, the poll is soon enough.
        times
            .into_iter()
            .min()
            .unwrap_or_else(|| now.saturating_add(self.context.settings.poll))
    }

    fn grant_requests(&mut self, now: Duration) {
        while !self.requests.is_empty() && self.pace.take(now) {
            let first = |kind| {
                self.requests
                    .iter()
                    .position(|request| request.kind == kind)
            };
            let place = match (first(RequestKind::Change), first(RequestKind::Look)) {
                (Some(_), Some(look)) if self.looks.is_lessers_turn() => look,
                (Some(change), _) => change,
                (None, look) => look.unwrap_or_default(),
            };
            if let Some(request) = self.requests.remove(place) {
                // An attempt that is gone does not need it any more.
                request.reply.send(()).ok();
            }
        }
    }

    fn next_probe(&self) -> Option<Duration> {
        if self.is_draining {
            return None;
        }
        match self.pause.reason() {
            Some(_) => self.pause.probe_at(),
            None => self.breaker.probe_at(),
        }
    }

    fn probe(&mut self, now: Duration) {
        let is_due = self.next_probe().is_some_and(|at| at <= now);
        let is_under_way = self
            .under_way
            .values()
            .any(|task| matches!(task, Task::Probe));
        if is_due && !is_under_way && self.pace.take(now) {
            self.pause.probe_started();
            self.breaker.probe_started();
            let context = Arc::clone(&self.context);
            self.spawn(Task::Probe, async move {
                let started = context.clock.elapsed();
                let answer = context.client.probe().await;
                let took = context.clock.elapsed().saturating_sub(started);
                context
                    .metrics
                    .call(&context.organisation, ApiCall::Probe, took);
                Ok(Done::Probe(answer))
            });
        }
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
                reply.send(is_granted).ok();
            }
            Message::Request(request) => self.requests.push_back(request),
            Message::Heard { of, word } => self.take_to_heart(of, word, now),
        }
    }

    fn take_to_heart(&mut self, of: LaneKey, word: Word, now: Duration) {
        match word {
            Word::Answered => {
                self.pace.answered();
                self.breaker.succeeded();
            }
            Word::Throttled { retry_after } => self.pace.throttled(now, retry_after),
            Word::Failed(failure) => {
                let random = self.random.random();
                if self.breaker.failed(of, failure, now, random) {
                    tracing::warn!(
                        organisation = %self.context.organisation,
                        "Quentli is out of reach; nothing is sent until it answers again"
                    );
                }
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
            (Some(Task::Probe), Some(Done::Probe(answer))) => self.probe_ended(&answer),
            (Some(Task::Probe), _) => self.probe_failed(),
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
            TurnEnd::Later { due, looking } => self.lanes.later(lane, due, looking),
            TurnEnd::NeedsLook => self.lanes.needs_look(lane),
            TurnEnd::NotItsTurn => self.lanes.hold(lane),
            TurnEnd::GivenBack => self.lanes.given_back(lane),
            TurnEnd::KeyRefused => {
                self.lanes.given_back(lane);
                self.key_refused(now);
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

    fn key_refused(&mut self, now: Duration) {
        if self.pause.refuse(self.time_of(now), now) {
            tracing::error!(
                organisation = %self.context.organisation,
                "Quentli refuses the API key; deliveries are kept and nothing is sent until it takes the key"
            );
        }
    }

    fn probe_ended(&mut self, answer: &Result<(), CallError>) {
        let now = self.now();
        let word = Word::of(answer);
        if let Word::Throttled { retry_after } = word {
            self.pace.throttled(now, retry_after);
        }
        let was_open = !self.breaker.is_closed();
        let random = self.random.random();
        self.breaker
            .probe_ended(!matches!(word, Word::Failed(_)), now, random);
        if was_open && self.breaker.is_closed() {
            tracing::info!(organisation = %self.context.organisation, "Quentli answers again");
        }
        if self.pause.probe_ended(answer.is_ok(), now) {
            tracing::info!(organisation = %self.context.organisation, "Quentli takes the API key again");
        }
        let kind = answer.as_ref().err().map(|error| error.kind);
        if matches!(
            kind,
            Some(CallErrorKind::Unauthorized | CallErrorKind::Forbidden)
        ) {
            self.key_refused(now);
        }
    }

    fn probe_failed(&mut self) {
        let now = self.now();
        let random = self.random.random();
        self.breaker.probe_ended(false, now, random);
        self.pause.probe_ended(false, now);
    }

    /// Does what a person asked for since the last time.
    fn obey(&mut self) {
        let wish = *self.desk.wish.borrow_and_update();
        if wish.resumed != self.wish.resumed {
            self.pause.end();
            self.breaker.close();
            tracing::info!(organisation = %self.context.organisation, "delivery was told to go on");
        }
        if wish.paused {
            self.pause.ask(self.time_of(self.now()));
            tracing::info!(organisation = %self.context.organisation, "delivery was told to pause");
        }
        self.wish = wish;
    }

    fn publish(&self) {
        let now = self.now();
        let state = if let Some((since, reason)) = self.pause.reason() {
            State::Paused { since, reason }
        } else if let Some(since) = self.breaker.open_since() {
            State::BreakerOpen {
                since: self.time_of(since),
                probe_at: self.time_of(self.breaker.probe_at().unwrap_or(now)),
            }
        } else if let Some(until) = self.pace.held_until(now) {
            State::Throttled {
                until: self.time_of(until),
            }
        } else {
            State::Delivering
        };
        let status = Status {
            state,
            lanes: self.lanes.len(),
            in_flight: self.lanes.in_flight(),
            looking: self.lanes.looking(),
            loading: !self.intake.is_loaded(),
        };
        self.desk.status.send_if_modified(|known| {
            let changed = *known != status;
            if known.state.kind() != state.kind() || known.loading != status.loading {
                let context = &self.context;
                context
                    .metrics
                    .organisation_state(&context.organisation, state.kind());
            }
            *known = status;
            changed
        });
    }

    fn time_of(&self, elapsed: Duration) -> Timestamp {
        SignedDuration::try_from(elapsed)
            .ok()
            .and_then(|elapsed| self.began.checked_add(elapsed).ok())
            .unwrap_or(Timestamp::MAX)
    }
}
