//! Brings deliveries to Quentli, one at a time for each customer, and records what became of them.
//!
//! For each organisation there is one [`Dispatcher`], a task that owns all of its state. It keeps an index of *lanes*
//! (a lane is what waits for one customer), gives the lanes their *turns*, and for each turn starts an *attempt*: take
//! the head of the lane from the store, find the customer, take along what waits behind it for the same one, leave out
//! what Quentli has already, send the rest, write down what became of it. Attempts ask the dispatcher by message before each request, so that the pace, the breaker
//! and the pause (together the *gate*) hold for all of them, and before they work on a customer, so that no two do.
//!
//! # Promises
//!
//! - **Nothing is lost.** A delivery stays in the store until its end is written there. Whatever happens between a
//!   request and that, it is sent again: a patch holds absolute values, so once more does no harm.
//! - **In order.** A lane's deliveries are sent one after the other, each only after the one before has ended, or
//!   together in one change that leaves what one after the other would have left. Lanes
//!   that are known to lead to the same customer behave as one. An exception that cannot be avoided: two keys of one
//!   customer whom no look-up has yet shown to be the same.
//! - **Nobody waits for another.** A customer's trouble, a long lane, and customers whom Quentli does not have yet cost
//!   the others a turn now and then, never a wait for their end.
//! - **Gently.** The rate holds for everything that leaves, look-ups and probes included. `Retry-After` holds back the
//!   whole organisation.
//! - **Explained.** Each attempt is one record in the store and one line in the log, and is decided upon in one place,
//!   `decision::decide`.
//!
//! # What it does not do
//!
//! It knows neither the HTTP side that receives, nor SQL, nor mappings. It does not see to it that an organisation has
//! only one dispatcher at a time: whoever begins one says how long it is ([`Tenure`](crate::keeper::Tenure)), and no request
//! leaves that could outlive that.
//!
//! # Files
//!
//! `dispatcher` (the loop), `intake` (what the store has), `lanes` (whose turn it is), `gate` with `pace`, `breaker`
//! and `pause` (what may leave); `attempt` with `effort`, `seek`, `batch`, `ahead`, `contact` and `recorder` (one turn),
//! `permits` (what it asks), `bindings` (what look-ups found), `directory` (who has which metadata) and `page` (where it
//! comes from); `decision` with `backoff` (what follows); `by_hand` (what people stopped or sent again), `settings`,
//! `status` and `overview` (the outside).

mod ahead;
mod attempt;
mod backoff;
mod batch;
mod bindings;
mod breaker;
mod by_hand;
mod contact;
mod decision;
mod directory;
mod dispatcher;
mod effort;
mod gate;
mod intake;
mod lanes;
mod overview;
mod pace;
mod page;
mod pause;
mod permits;
mod recorder;
mod seek;
mod settings;
mod share;
mod status;

pub use backoff::Backoff;
pub use decision::Policy;
pub use dispatcher::{Dispatcher, Parts};
pub use overview::{Held, Overview, Standing};
pub use settings::Settings;
pub use status::{DirectoryStatus, Handle, PauseReason, State, Status};
