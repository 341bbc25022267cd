//! Plays a plan, and writes down what a judge needs to know of it.

mod by_hand;
mod erase;
mod sending;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
    time::Duration,
};

use quentli_gateway::{
    sandbox::{Action, Fault, Keys},
    sender::Sender,
    source::Source,
};
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::Value;

pub(crate) use self::{
    by_hand::{Again, Stop},
    erase::Erasure,
};
use crate::{
    account::{Account, Removed},
    people::{Arrival, ORGANISATIONS, Part, Person, values_of},
    plan::{Form, MARKS, Mark, Plan, Scope, Step},
    sources::{SOURCES, Sending},
    world::{Footprint, World},
};

/// How long it takes until one gives up waiting for deliveries to end.
const PATIENCE: Duration = Duration::from_secs(90);

/// A played plan.
pub(crate) struct Played {
    pub(crate) plan: Plan,
    pub(crate) world: World,
    pub(crate) sends: Vec<Send>,
    pub(crate) quiets: Vec<Quiet>,
    pub(crate) agains: Vec<Again>,
    pub(crate) stops: Vec<Stop>,
    /// What was accepted while its source only observed, sent by now or not.
    pub(crate) observed: BTreeSet<usize>,
    /// What was accepted when the file of its source was mended.
    pub(crate) mended: BTreeSet<usize>,
    pub(crate) erasures: Vec<Erasure>,
    /// What was seen to be wrong on the way.
    pub(crate) problems: Vec<String>,
    /// How often everything had come to rest when Quentli began to take all that it never took.
    pub(crate) forgiven: Option<usize>,
    pub(crate) journal: Vec<Entry>,
    pub(crate) account: Account,
    /// Of each time the gateway died, the number of the next request to each organisation.
    pub(crate) kills: Vec<Vec<u64>>,
}

/// A request of which it is known when it was begun to be sent and when it was acknowledged, counted in such moments.
pub(crate) struct Send {
    pub(crate) request: usize,
    pub(crate) begun: u64,
    pub(crate) acknowledged: u64,
}

/// A moment at which everything had come to rest.
pub(crate) struct Quiet {
    /// How many of the sends were through.
    pub(crate) sends: usize,
    /// Whoever was in Quentli, and what it had of them.
    pub(crate) records: BTreeMap<usize, BTreeMap<Part, String>>,
    /// Items that needed a person.
    pub(crate) dead: BTreeSet<usize>,
}

/// A line of the story.
pub(crate) struct Entry {
    pub(crate) at: Duration,
    /// In each organisation, the number of the next request to Quentli.
    pub(crate) before: Vec<u64>,
    /// None: all.
    pub(crate) organisation: Option<usize>,
    /// None: whoever it may concern.
    pub(crate) items: Option<Vec<usize>>,
    pub(crate) text: String,
}

struct Player {
    plan: Plan,
    form: Form,
    world: World,
    sources: Vec<Arc<Source>>,
    sender: Sender,
    random: StdRng,
    moment: u64,
    sends: Vec<Send>,
    quiets: Vec<Quiet>,
    agains: Vec<Again>,
    stops: Vec<Stop>,
    paused: BTreeSet<Scope>,
    /// Sources that observe.
    observing: BTreeSet<usize>,
    /// All that was accepted then, and what of it was not sent yet.
    all_observed: BTreeSet<usize>,
    observed: BTreeSet<usize>,
    /// Sources whose file was mended, and what was accepted since then.
    mended: BTreeSet<usize>,
    all_mended: BTreeSet<usize>,
    /// What no mapping had a rule for yet.
    unmapped: BTreeSet<usize>,
    /// What was mapped again, and what was to be sent over what is newer.
    remapped: BTreeSet<usize>,
    overwriting: BTreeSet<usize>,
    /// Items that were ever sent.
    known: BTreeSet<usize>,
    /// The bodies of events, as far as they were looked at.
    bodies: BTreeMap<i64, Value>,
    erasures: Vec<Erasure>,
    removed: Removed,
    problems: Vec<String>,
    forgiven: Option<usize>,
    /// What was dead when everything last came to rest, and was not sent again since.
    dead_at_rest: BTreeSet<usize>,
    /// People of whom something was given up since then.
    given_up: BTreeSet<usize>,
    /// Whether nothing was sent since then.
    is_at_rest: bool,
    journal: Vec<Entry>,
    is_present: Vec<bool>,
    kills: Vec<Vec<u64>>,
}

/// # Errors
/// What did not come to an end.
pub(crate) async fn play(plan: Plan, form: Form, seed: u64) -> Result<Played, String> {
    let mut player = Player {
        is_present: plan
            .people
            .iter()
            .map(|person| person.arrival == Arrival::There)
            .collect(),
        world: World::new(form, &plan.observing).await,
        observing: plan.observing.clone(),
        plan,
        form,
        sources: SOURCES.iter().map(Sending::armed).collect(),
        sender: Sender::new().unwrap(),
        random: StdRng::seed_from_u64(seed),
        moment: 0,
        sends: Vec::new(),
        quiets: Vec::new(),
        agains: Vec::new(),
        stops: Vec::new(),
        paused: BTreeSet::new(),
        all_observed: BTreeSet::new(),
        observed: BTreeSet::new(),
        mended: BTreeSet::new(),
        all_mended: BTreeSet::new(),
        unmapped: BTreeSet::new(),
        remapped: BTreeSet::new(),
        overwriting: BTreeSet::new(),
        known: BTreeSet::new(),
        bodies: BTreeMap::new(),
        erasures: Vec::new(),
        removed: Removed::default(),
        problems: Vec::new(),
        forgiven: None,
        dead_at_rest: BTreeSet::new(),
        given_up: BTreeSet::new(),
        is_at_rest: false,
        journal: Vec::new(),
        kills: Vec::new(),
    };
    for person in player.plan.people.clone() {
        if person.arrival == Arrival::There {
            player.add(&person);
        }
    }
    for organisation in 0..ORGANISATIONS.len() {
        player.order_marks(organisation);
    }
    for step in player.plan.steps.clone() {
        player.step(step).await?;
    }
    player.finish().await
}

impl Player {
    fn note(&mut self, organisation: Option<usize>, items: Option<Vec<usize>>, text: String) {
        self.journal.push(Entry {
            at: self.world.clock.elapsed(),
            before: self.numbers(),
            organisation,
            items,
            text,
        });
    }

    /// In each organisation, the number of the next request to Quentli.
    fn numbers(&self) -> Vec<u64> {
        let next = self.world.quentli.iter().map(|(sandbox, _)| {
            let last = sandbox.last_exchanges(1);
            last.first().map_or(0, |exchange| exchange.number + 1)
        });
        next.collect()
    }

    fn add(&self, person: &Person) {
        let sandbox = self.world.sandbox(person.organisation);
        sandbox.add(&person.record()).unwrap();
    }

    /// What certain values always meet, until they are forgiven.
    fn order_marks(&self, organisation: usize) {
        if self.forgiven.is_some() {
            return;
        }
        for (text, mark) in MARKS {
            let action = match mark {
                Mark::Refused(status) => Action::Status {
                    status,
                    retry_after: None,
                    message: None,
                },
                Mark::Unanswered => Action::CutAfter,
            };
            let fault = Fault::always(action).on_body(text);
            self.world.sandbox(organisation).fault(fault).unwrap();
        }
    }

    fn lift(&self, organisation: usize) {
        self.world.sandbox(organisation).lift_faults();
        self.order_marks(organisation);
    }

    async fn step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Send(requests) => {
                self.note_requests(&requests, "sent");
                self.send(&requests).await;
            }
            Step::SendAndKill(requests) => {
                self.note_requests(&requests, "sent, and the gateway dies meanwhile");
                self.send_and_kill(&requests).await;
            }
            Step::Kill => {
                self.note(
                    None,
                    None,
                    "the gateway dies and is started again".to_owned(),
                );
                self.kill_and_start().await;
            }
            Step::Trouble(organisation, fault) => {
                let text = format!("trouble: {}", serde_json::to_string(&fault).unwrap());
                self.note(Some(organisation), None, text);
                self.world.sandbox(organisation).fault(fault).unwrap();
            }
            Step::Lift(organisation) => {
                self.note(Some(organisation), None, "the troubles end".to_owned());
                self.lift(organisation);
            }
            Step::RefuseKey(organisation) => {
                self.note(Some(organisation), None, "the key is refused".to_owned());
                self.world.sandbox(organisation).set_keys(Keys::Only {
                    accepted: vec!["another".to_owned()],
                    forbidden: Vec::new(),
                });
            }
            Step::TakeKey(organisation) => {
                self.note(Some(organisation), None, "the key is taken".to_owned());
                self.world.sandbox(organisation).set_keys(Keys::Any);
            }
            Step::Wait(time) => {
                self.note(None, None, format!("{time:?} pass"));
                for _ in 0..4 {
                    self.world.pass(self.form, time / 4).await;
                }
            }
            Step::SetClock(by) => {
                self.note(None, None, format!("the time of day is set by {by:?}"));
                self.world.clock.set_time_by(by);
            }
            Step::Appear(person) => {
                let person_there = self.plan.people[person].clone();
                let text = format!("{} is added to Quentli", person_there.username());
                self.note(Some(person_there.organisation), None, text);
                self.add(&person_there);
                self.is_present[person] = true;
            }
            Step::Replace(old, new) => {
                let (old_one, new_one) =
                    (self.plan.people[old].clone(), self.plan.people[new].clone());
                let text = format!(
                    "{} is removed from Quentli; {} has the same keys",
                    old_one.id(),
                    new_one.id()
                );
                self.note(Some(old_one.organisation), None, text);
                assert!(
                    self.world
                        .sandbox(old_one.organisation)
                        .remove(&old_one.id())
                );
                self.is_present[old] = false;
                self.add(&new_one);
                self.is_present[new] = true;
            }
            Step::Quiet => {
                self.come_to_rest(false).await?;
                self.note(None, None, "everything has come to rest".to_owned());
                self.look_around().await;
            }
            Step::Forgive => {
                self.note(
                    None,
                    None,
                    "Quentli takes everything from here on".to_owned(),
                );
                self.forgiven.get_or_insert(self.quiets.len());
                for organisation in 0..ORGANISATIONS.len() {
                    self.lift(organisation);
                }
            }
            Step::Redeliver(wish) => self.redeliver(wish).await,
            Step::Hurry(wish) => self.hurry(wish).await,
            Step::Mend(source) => self.mend(source).await,
            Step::Remap(wish) => self.remap(wish).await,
            Step::Erase { lot } => self.erase(lot).await,
            Step::Discard { lot } => self.discard(lot).await,
            Step::Pause(scope) => self.pause(scope).await,
            Step::Resume(scope) => self.resume(scope).await,
            Step::GoLive(source) => self.go_live(source).await,
            Step::SendObserved(source, wish) => self.send_observed(source, wish).await,
        }
        Ok(())
    }

    /// Ends all troubles, and waits until nothing moves any more; at the end of a run until nothing is under way.
    async fn come_to_rest(&mut self, is_end: bool) -> Result<(), String> {
        for organisation in 0..ORGANISATIONS.len() {
            self.lift(organisation);
            self.world.sandbox(organisation).set_keys(Keys::Any);
        }
        self.resume_all().await;
        let began = std::time::Instant::now();
        let mut step = match self.form {
            Form::Driven => Duration::from_secs(1),
            Form::Process => Duration::from_millis(20),
        };
        let mut last = self.world.footprint().await;
        let mut idle = Duration::ZERO;
        loop {
            // Whoever has come to Quentli meanwhile is looked for within an hour.
            let is_quiet = !is_end && last.active == 0 && idle >= Duration::from_hours(2);
            if last.open == 0 || is_quiet {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err(self.unrest(&last).await);
            }
            self.world.pass(self.form, step).await;
            let now = self.world.footprint().await;
            if self.form == Form::Driven {
                let has_moved = now.changes != last.changes || now.totals != last.totals;
                idle = if has_moved {
                    Duration::ZERO
                } else {
                    idle + step
                };
                step = if now.requests == last.requests {
                    (step * 4).min(Duration::from_mins(if is_end { 120 } else { 20 }))
                } else {
                    (step / 4).max(Duration::from_secs(1))
                };
            }
            last = now;
        }
    }

    /// What goes on where nothing comes to rest.
    async fn unrest(&self, last: &Footprint) -> String {
        let status = self.world.status().await;
        let mut text = format!("it does not come to rest: {last:?}\n{status}\n");
        for (sandbox, _) in &self.world.quentli {
            for exchange in sandbox.last_exchanges(12) {
                writeln!(text, "{} {exchange:?} {}", exchange.at, exchange.query).unwrap();
            }
        }
        for entry in &self.journal {
            writeln!(text, "{:?} {}", entry.at, entry.text).unwrap();
        }
        text
    }

    async fn look_around(&mut self) {
        self.dead_at_rest = self.dead().await;
        self.given_up.clear();
        self.is_at_rest = true;
        let mut records = BTreeMap::new();
        for (number, person) in self.plan.people.iter().enumerate() {
            let sandbox = self.world.sandbox(person.organisation);
            let record = match person.arrival {
                Arrival::Created => sandbox.customer_by_username(&person.username()),
                _ => sandbox.customer(&person.id()),
            };
            records.extend(record.map(|record| (number, values_of(&record))));
        }
        self.quiets.push(Quiet {
            sends: self.sends.len(),
            records,
            dead: self.dead_at_rest.clone(),
        });
    }

    async fn finish(mut self) -> Result<Played, String> {
        self.come_to_rest(true).await?;
        self.look_around().await;
        self.world.stop();
        let removed = Removed {
            bodies: self.bodies,
            ..self.removed
        };
        let account = Account::read(&self.world.data(), &self.world.clock, removed).await;
        Ok(Played {
            plan: self.plan,
            world: self.world,
            sends: self.sends,
            quiets: self.quiets,
            agains: self.agains,
            stops: self.stops,
            observed: self.all_observed,
            mended: self.all_mended,
            erasures: self.erasures,
            problems: self.problems,
            forgiven: self.forgiven,
            journal: self.journal,
            account,
            kills: self.kills,
        })
    }
}
