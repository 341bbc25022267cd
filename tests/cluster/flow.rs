//! How long senders went without anything being accepted.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, Instant},
};

/// Nothing was accepted of a sender for so long, while the database and a replica were there: that is plainly wrong. A balancer needs
/// seconds to see that a replica has stopped, and a request that it had waits for its sender's patience.
const TOO_LONG: Duration = Duration::from_secs(30);

/// See the module.
pub(crate) struct Flow(Mutex<State>);

struct State {
    /// When the database was last there again after a trouble.
    well_since: Instant,
    senders: BTreeMap<u64, Sender>,
}

struct Sender {
    accepted_at: Instant,
    longest: Duration,
}

impl Flow {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            well_since: Instant::now(),
            senders: BTreeMap::new(),
        }))
    }

    /// The database is there again: what was missed meanwhile counts against nobody.
    pub(crate) fn database_is_back(&self) {
        self.0.lock().unwrap().well_since = Instant::now();
    }

    /// Something of this sender was accepted.
    pub(crate) fn accepted(&self, sender: u64) {
        let now = Instant::now();
        let state = &mut *self.0.lock().unwrap();
        let since = state.well_since;
        let sender = state.senders.entry(sender).or_insert(Sender {
            accepted_at: since,
            longest: Duration::ZERO,
        });
        let waited = now.duration_since(sender.accepted_at.max(since));
        sender.longest = sender.longest.max(waited);
        sender.accepted_at = now;
    }

    /// The longest time without an accepted request, by sender.
    pub(crate) fn longest(&self) -> Vec<Duration> {
        let state = self.0.lock().unwrap();
        state
            .senders
            .values()
            .map(|sender| sender.longest)
            .collect()
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        let longest = self.longest().into_iter().enumerate();
        longest
            .filter(|(_, waited)| *waited > TOO_LONG)
            .map(|(sender, waited)| {
                format!("of sender {sender} nothing was accepted for {waited:?}, while the database was there")
            })
            .collect()
    }
}
