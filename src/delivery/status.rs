//! What an organisation's delivery tells about itself, and what a person may tell it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use rand::rngs::StdRng;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{
    Dispatcher, Parts,
    by_hand::{ByHand, Forgotten},
    directory::SharedDirectory,
};
use crate::{
    customer::{CustomerId, FindBy},
    event::{DeliveryPos, SourceName},
    keeper::Tenure,
    quentli::ClientError,
    store::{ErasedCustomer, LaneHead},
    telemetry::{DirectoryState, OrganisationState},
};

/// How an organisation's delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub state: State,
    /// Lanes with something open, as far as they are known.
    pub lanes: usize,
    /// Attempts on their way.
    pub in_flight: usize,
    /// Lanes whose first customer Quentli does not have yet.
    pub looking: usize,
    /// Lanes in which only waits what a person had sent again.
    pub redelivering: usize,
    /// Lanes whose first delivery is of a source that a person paused.
    pub stopped: usize,
    /// Whether the lanes of the store are still being read in.
    pub loading: bool,
    pub directory: DirectoryStatus,
}

/// How an organisation's directory of customers stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryStatus {
    pub state: DirectoryState,
    /// Keys of metadata by which customers are found.
    pub keys: usize,
    /// Values of these keys, counted for each customer.
    pub entries: usize,
    /// Values that more than one customer has.
    pub ambiguous: usize,
    /// Lanes that wait until the list of customers has been read.
    pub waiting: usize,
    /// Customers read so far, while the list is read.
    pub reading: Option<usize>,
    /// When the last whole reading began.
    pub complete: Option<Timestamp>,
}

impl DirectoryStatus {
    const UNUSED: Self = Self {
        state: DirectoryState::Unused,
        keys: 0,
        entries: 0,
        ambiguous: 0,
        waiting: 0,
        reading: None,
        complete: None,
    };
}

/// Whether deliveries go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Delivering,
    /// Quentli asked to slow down.
    Throttled {
        until: Timestamp,
    },
    /// Quentli is out of reach; it is asked again at `probe_at`.
    BreakerOpen {
        since: Timestamp,
        probe_at: Timestamp,
    },
    /// Everything is kept and nothing is sent.
    Paused {
        since: Timestamp,
        reason: PauseReason,
    },
}

/// Why nothing is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PauseReason {
    /// Quentli does not take the key. It ends when a probe is taken, with a new key, or at a person's word.
    KeyRefused,
    /// A person said so, and only a person ends it.
    Asked,
}

impl PauseReason {
    /// The word used in logs and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeyRefused => "key-refused",
            Self::Asked => "asked",
        }
    }
}

impl State {
    /// The state without its details, for metrics.
    pub const fn kind(self) -> OrganisationState {
        match self {
            Self::Delivering => OrganisationState::Delivering,
            Self::Throttled { .. } => OrganisationState::Throttled,
            Self::BreakerOpen { .. } => OrganisationState::BreakerOpen,
            Self::Paused { .. } => OrganisationState::Paused,
        }
    }
}

/// Shows and steers an organisation's delivery from outside, over all of its dispatchers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    status: watch::Sender<Status>,
    wish: watch::Sender<Wish>,
    parts: Arc<Parts>,
    by_hand: ByHand,
    current: Arc<Mutex<Current>>,
}

/// What is another one with each dispatcher.
#[derive(Debug)]
struct Current {
    directory: SharedDirectory,
    /// Until when the dispatcher is the only one; `None` where there is none.
    tenure: Option<Tenure>,
    /// The keys of metadata by which loaded mappings find customers.
    keys: BTreeSet<String>,
}

/// What a person last asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    /// Since when.
    pub(super) paused: Option<Timestamp>,
    /// Counts the calls of [`Handle::resume`], since each ends whatever pause there is.
    pub(super) resumed: u64,
    /// Counts the new API keys.
    pub(super) renewed: u64,
    /// Counts the calls of [`Handle::find_by`].
    pub(super) found_by: u64,
    /// Counts what is left in [`ByHand`].
    pub(super) by_hand: u64,
}

/// The other end of a [`Handle`].
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) status: watch::Sender<Status>,
    pub(super) wish: watch::Receiver<Wish>,
}

impl Status {
    /// Of a dispatcher that has not begun.
    const BEGINNING: Self = Self {
        state: State::Delivering,
        lanes: 0,
        in_flight: 0,
        looking: 0,
        redelivering: 0,
        stopped: 0,
        loading: true,
        directory: DirectoryStatus::UNUSED,
    };
}

impl Handle {
    /// Of an organisation that nobody delivers for yet.
    pub fn new(parts: Parts) -> Self {
        let directory = SharedDirectory::new(parts.settings.directory_limit);
        Self {
            status: watch::Sender::new(Status::BEGINNING),
            wish: watch::Sender::new(Wish::default()),
            parts: Arc::new(parts),
            by_hand: ByHand::default(),
            current: Arc::new(Mutex::new(Current {
                directory,
                tenure: None,
                keys: BTreeSet::new(),
            })),
        }
    }

    /// A dispatcher that has not begun and knows nothing of those before it, which must be gone. It may send as long as
    /// the tenure lasts. What waits up to `possibly_sent_up_to` may have been sent before. `random` is for jitter.
    pub fn dispatcher(
        &self,
        tenure: Tenure,
        possibly_sent_up_to: DeliveryPos,
        random: StdRng,
    ) -> Dispatcher {
        self.by_hand.begin();
        let directory = SharedDirectory::new(self.parts.settings.directory_limit);
        {
            let mut current = self.current();
            directory
                .lock()
                .load_keys(current.keys.iter().map(String::as_str));
            current.directory = directory.clone();
            current.tenure = Some(tenure.clone());
        }
        self.status.send_replace(Status::BEGINNING);
        let desk = Desk {
            status: self.status.clone(),
            wish: self.wish.subscribe(),
        };
        Dispatcher::begin(
            &self.parts,
            desk,
            self.by_hand.clone(),
            directory,
            tenure,
            possibly_sent_up_to,
            random,
        )
    }

    /// Whether a dispatcher of this handle is the only one now, for sure: then what it is told reaches whoever delivers.
    pub fn delivers(&self) -> bool {
        let now = self.parts.clock.elapsed();
        let current = self.current();
        let tenure = current.tenure.as_ref();
        tenure.is_some_and(|tenure| tenure.is_held(now))
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        // Each method leaves it in order.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latest status.
    pub fn status(&self) -> Status {
        *self.status.borrow()
    }

    /// The status, to wait for changes of.
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Says by which keys of metadata loaded mappings find customers, all of them. The list of customers is read for
    /// those that are new; what is known of others is forgotten.
    pub fn find_by<'k>(&self, keys: impl IntoIterator<Item = &'k str>) {
        {
            let mut current = self.current();
            current.keys = keys.into_iter().map(str::to_owned).collect();
            let keys = current.keys.iter().map(String::as_str);
            current.directory.lock().load_keys(keys);
        }
        self.wish
            .send_modify(|wish| wish.found_by = wish.found_by.wrapping_add(1));
    }

    /// Sends nothing until [`Handle::resume`]; what is in flight is finished. `since` is when a person said so.
    pub fn pause(&self, since: Timestamp) {
        self.wish
            .send_modify(|wish| wish.paused = wish.paused.or(Some(since)));
    }

    /// Sends nothing of a source until [`Handle::resume_source`]; what is in flight is finished. What waits for the
    /// same customers behind deliveries of this source waits, too, so that each customer's order stays.
    pub fn pause_source(&self, source: &SourceName) {
        self.by_hand.pause(source);
    }

    /// Goes on with a source. `at` is when a person said so: time before it counts against no delivery's patience.
    pub fn resume_source(&self, source: &SourceName, at: Timestamp) {
        let was_paused = self.by_hand.is_paused(source);
        self.by_hand.resume(source, at);
        if was_paused {
            self.changed_by_hand();
        }
    }

    /// Says when a pause of the whole organisation ended, in an earlier run of the program.
    pub fn resumed_before(&self, at: Timestamp) {
        self.by_hand.resumed_before(at);
    }

    /// Call it before what is to be sent again is written: what is looked for then is asked anew.
    pub fn about_to_send_again(&self) {
        self.by_hand.about_to_send_again();
    }

    /// Tells what the store put back into its lanes, so that it need not wait for the next sweep.
    pub fn revived(&self, heads: Vec<LaneHead>) {
        self.by_hand.revive(heads);
        self.changed_by_hand();
    }

    /// Forgets a customer that is being erased, and what leads to it. Deliveries up to `up_to` that turn out to be for
    /// the customer, also those on their way, end as erased and leave nothing of it in the store; later ones are news.
    /// It lasts as long as the process.
    pub fn forget(&self, id: Option<CustomerId>, lines: Vec<FindBy>, up_to: DeliveryPos) {
        self.by_hand.erase(Forgotten::Named { id, lines }, up_to);
        self.changed_by_hand();
    }

    /// The same for those of whom only a hash is known, and no line: all look-ups are forgotten with those that are new.
    pub fn forget_noted(&self, erased: &[ErasedCustomer]) {
        if self.by_hand.note_erased(erased) {
            self.changed_by_hand();
        }
    }

    /// Another replica changed deliveries in the store: all lanes are read again.
    pub fn changed_elsewhere(&self) {
        self.by_hand.changed_elsewhere();
        self.changed_by_hand();
    }

    /// Whether nothing is sent for another reason than that somebody paused it or Quentli asked to slow down.
    pub fn is_stuck(&self) -> bool {
        matches!(
            self.status().state,
            State::BreakerOpen { .. }
                | State::Paused {
                    reason: PauseReason::KeyRefused,
                    ..
                }
        )
    }

    /// Whether a person paused the whole organisation, or the source, as far as this handle was told.
    pub fn is_paused(&self, source: Option<&SourceName>) -> bool {
        match source {
            None => self.wish.borrow().paused.is_some(),
            Some(source) => self.by_hand.is_paused(source),
        }
    }

    fn changed_by_hand(&self) {
        self.wish
            .send_modify(|wish| wish.by_hand = wish.by_hand.wrapping_add(1));
    }

    /// Uses another key from the next request on, and ends a pause that the refusal of the old one caused. Of two calls
    /// at the same time one may be lost.
    ///
    /// # Errors
    /// A key that cannot be sent; the old one stays.
    pub fn set_key(&self, key: &SecretString) -> Result<(), ClientError> {
        self.parts.client.set_key(key)?;
        self.wish
            .send_modify(|wish| wish.renewed = wish.renewed.wrapping_add(1));
        Ok(())
    }

    /// Ends any pause and closes the breaker.
    pub fn resume(&self) {
        self.wish.send_modify(|wish| {
            wish.paused = None;
            wish.resumed = wish.resumed.wrapping_add(1);
        });
    }
}
