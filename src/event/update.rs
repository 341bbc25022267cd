//! What a mapping makes of one request: items, and for each its updates, a drop, or a failure.

use crate::customer::{CustomerReference, Patch};

/// A whole request body, mapped. The items stand in the order of the body.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapped {
    pub items: Vec<MappedItem>,
}

/// One part of a request body (often the whole), with what the rules made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct MappedItem {
    /// The values of the source's `dedup` expressions on this item, as text; empty when it names none.
    /// `None` is a part without a value.
    pub dedup: Vec<Option<String>>,
    /// At least one; an item that gives no update gives one [`ItemOutcome::Drop`] or [`ItemOutcome::Fail`].
    pub outcomes: Vec<ItemOutcome>,
}

/// What one item (or one element of its `each`) became.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemOutcome {
    /// A change for one customer.
    Update(Update),
    /// Acknowledged and counted; nothing is sent. `reason` is written by the mapping's author or is one of the
    /// fixed texts `no rule`, `nothing to change`, `nothing selected`.
    Drop {
        rule: Option<String>,
        reason: String,
    },
    /// Cannot be mapped; a person must look.
    Fail(Failure),
}

/// A change for one customer.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// The `name` of the rule that made it.
    pub rule: String,
    pub customer: CustomerReference,
    /// Never empty.
    pub patch: Patch,
    pub order_by: Option<OrderBy>,
    /// Faults that `on_error: skip` left out, as `field: reason`. They may quote values of the event.
    pub warnings: Vec<String>,
}

/// The version of an update within its source; greater is newer. Milliseconds since 1970 where the mapping gave a
/// time, the number itself without its fraction where it gave a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderBy(pub i64);

/// Why an item could not be mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub rule: Option<String>,
    /// For people, as `field: transform: what is wrong`. It may quote values of the event: it is kept in the store
    /// and shown to operators, never logged.
    pub reason: String,
    /// Line of the mapping file that failed, 1-based, where one is to blame.
    pub line: Option<u32>,
}
