//! A local stand-in for Quentli's customers endpoints: with state, with the documented answers and errors, and with
//! troubles that can be ordered.
//!
//! For tests, for the demonstration, and for people who want to see what their mapping does before Quentli sees it.
//! What it serves:
//!
//! | Method and path | What |
//! | --- | --- |
//! | `GET`, `POST /v1/customers` | list, create |
//! | `GET`, `PATCH /v1/customers/{id}` | read, change |
//! | `GET /` | a page for people: the customers and the last requests |
//! | `GET`, `POST /sandbox/customers` | everything it knows of them, also what Quentli never shows; add some |
//! | `GET`, `DELETE /sandbox/requests` | the recorded requests with their answers (`?last=100`); forget them |
//! | `GET`, `POST`, `DELETE /sandbox/faults` | the ordered troubles; order one; lift them all |
//!
//! It refuses what Quentli's OpenAPI document of 2026-08-05 refuses. Where that is silent, it does what is most
//! plausible and says so in a comment there. It promises:
//!
//! - A change is applied wholly or not at all, and requests are applied in the order in which they were read.
//! - Every request to `/v1` is recorded, with its answer or the way it ended, in the order of arrival; old records
//!   give way to new ones, so that memory is bounded.
//! - Identifiers are the same in every run.
//!
//! It is not Quentli: it has one organisation, no portal, no payments, no webhooks, and keeps nothing on disk. Its
//! control endpoints ask for no key: let it listen on loopback only.

mod api;
mod control;
mod exchange;
mod fault;
mod field;
mod page;
mod query;
mod record;
mod register;
mod serve;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use crate::clock::Clock;

pub use exchange::{End, Exchange};
pub use fault::{Action, Calls, Fault, InvalidFault, RetryAfter, Times};
pub use serve::Running;

use exchange::Ledger;
use fault::Script;
use register::Register;

/// How a sandbox behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    pub keys: Keys,
    pub missing: Missing,
    pub filters: Filters,
    /// How many customers it holds at most; further ones are refused.
    pub max_customers: usize,
    /// How many requests it remembers at most; their bodies together take at most 64 MiB.
    pub max_exchanges: usize,
    /// For the dates of customers and records, and for slow answers.
    pub clock: Clock,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keys: Keys::Any,
            missing: Missing::NotFound,
            filters: Filters::Applied,
            max_customers: 100_000,
            max_exchanges: 10_000,
            clock: Clock::system(),
        }
    }
}

/// Which API keys it takes.
#[derive(Clone, PartialEq, Eq)]
pub enum Keys {
    /// Every key that is not empty.
    Any,
    /// These; the forbidden ones are known but may do nothing, which is a 403.
    Only {
        accepted: Vec<String>,
        forbidden: Vec<String>,
    },
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Any => "Keys::Any",
            Self::Only { .. } => "Keys::Only",
        })
    }
}

/// Which of the two documented answers a read of an unknown customer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// 404 with an error.
    NotFound,
    /// 200 with `null`.
    Null,
}

/// Whether the list understands filters. Quentli ignores those it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filters {
    Applied,
    Ignored,
}

/// A sandbox. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    clock: Clock,
    state: Mutex<State>,
    /// How many requests have ended.
    ended: watch::Sender<u64>,
}

struct State {
    keys: Keys,
    missing: Missing,
    filters: Filters,
    register: Register,
    ledger: Ledger,
    script: Script,
}

/// Why a customer cannot be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidCustomer(String);

impl Sandbox {
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(Inner {
            clock: settings.clock,
            state: Mutex::new(State {
                keys: settings.keys,
                missing: settings.missing,
                filters: settings.filters,
                register: Register::new(settings.max_customers),
                ledger: Ledger::new(settings.max_exchanges),
                script: Script::default(),
            }),
            ended: watch::Sender::new(0),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a customer and gives its identifier. Takes an object with any field of Quentli's PATCH and, if wished, an
    /// `id`; without a name the user name is the name.
    ///
    /// # Errors
    /// What Quentli would refuse, an identifier that is taken, or a full sandbox.
    pub fn add(&self, customer: &Value) -> Result<String, InvalidCustomer> {
        let now = self.0.clock.now();
        self.state()
            .register
            .add(customer, now)
            .map_err(|refusal| InvalidCustomer(refusal.message))
    }

    /// Removes a customer, as a person can at Quentli; `false` where there is none.
    pub fn remove(&self, id: &str) -> bool {
        self.state().register.remove(id)
    }

    /// Everything known of a customer: what Quentli shows, and `tags`, `assigneeId`, `signature` and `tosIp`.
    pub fn customer(&self, id: &str) -> Option<Value> {
        self.state().register.get(id).map(record::Record::whole)
    }

    /// The same, by exact user name.
    pub fn customer_by_username(&self, username: &str) -> Option<Value> {
        let state = self.state();
        let id = state.register.id_of("username", username)?;
        state.register.get(id).map(record::Record::whole)
    }

    /// Everything known of `take` customers after the first `skip`, oldest first.
    pub fn customers(&self, skip: usize, take: usize) -> Vec<Value> {
        let state = self.state();
        let records = state.register.iter().skip(skip).take(take);
        records.map(record::Record::whole).collect()
    }

    /// How many customers there are.
    pub fn customer_count(&self) -> usize {
        self.state().register.len()
    }

    /// The remembered requests to `/v1`, in the order of arrival, also those that have not ended yet.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.state().ledger.iter().cloned().collect()
    }

    /// The last of them.
    pub fn last_exchanges(&self, count: usize) -> Vec<Exchange> {
        let state = self.state();
        let mut last: Vec<Exchange> = state.ledger.iter().rev().take(count).cloned().collect();
        last.reverse();
        last
    }

    /// The most changes of this customer that were in flight at once, among the remembered requests. A request whose
    /// caller gave up counts until the sandbox has noticed that the connection is gone.
    pub fn most_changes_in_flight(&self, id: &str) -> usize {
        let state = self.state();
        let of_customer = state
            .ledger
            .iter()
            .filter(|exchange| exchange.customer.as_deref() == Some(id));
        of_customer
            .map(|exchange| exchange.changes_in_flight)
            .max()
            .unwrap_or(0)
    }

    /// Tells how many requests have ended since the beginning; it changes with every one, so that a test can wait.
    pub fn ended(&self) -> watch::Receiver<u64> {
        self.0.ended.subscribe()
    }

    /// Orders a fault. Several are kept in order; a request gets the first that matches it.
    ///
    /// # Errors
    /// A status that is no error, a wait without bounds, or too many orders.
    pub fn fault(&self, fault: Fault) -> Result<(), InvalidFault> {
        self.state().script.push(fault)
    }

    /// The ordered faults that are not used up.
    pub fn faults(&self) -> Vec<Fault> {
        self.state().script.iter().cloned().collect()
    }

    /// Lifts all faults.
    pub fn lift_faults(&self) {
        self.state().script = Script::default();
    }

    /// Changes which keys are taken.
    pub fn set_keys(&self, keys: Keys) {
        self.state().keys = keys;
    }

    /// Changes whether the list understands filters.
    pub fn set_filters(&self, filters: Filters) {
        self.state().filters = filters;
    }

    /// Changes the answer to reads of unknown customers.
    pub fn set_missing(&self, missing: Missing) {
        self.state().missing = missing;
    }

    /// Forgets the recorded requests.
    pub fn forget_exchanges(&self) {
        self.state().ledger.clear();
    }

    /// Forgets customers, recorded requests and faults; settings stay.
    pub fn clear(&self) {
        let mut state = self.state();
        state.register.clear();
        state.ledger.clear();
        state.script = Script::default();
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state();
        f.debug_struct("Sandbox")
            .field("customers", &state.register.len())
            .field("faults", &state.script.iter().count())
            .finish_non_exhaustive()
    }
}

/// An answer that says no: Quentli's documented error bodies.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    status: u16,
    message: String,
    /// Filled for the `ValidationError` of the list, empty for the `UserError` of everything else.
    issues: Vec<Value>,
}

impl Refusal {
    fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            issues: Vec::new(),
        }
    }

    fn body(&self) -> Value {
        if self.issues.is_empty() {
            serde_json::json!({"error": {"message": self.message}})
        } else {
            serde_json::json!({"error": {"message": self.message, "issues": self.issues}})
        }
    }
}
