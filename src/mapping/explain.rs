//! What a mapping does with an event, step by step, for the person who writes it.
//!
//! The evaluator maps the event exactly as it maps one that was received and tells its steps to a [`record`]er, which
//! looks at the expressions of each step again to show their values. So the outcome is the evaluator's own, and so is
//! every value.
//!
//! An [`Explanation`] holds values of the event, which are personal data: it is for the screen of whoever asked, never
//! for a log. It is bounded: values are cut short, and so are long lists of items and elements, unless all are asked
//! for.

mod condition;
mod ending;
mod record;
mod shown;
mod steps;

pub use ending::{Ending, IfNobody, Recipient, Tally};
pub use shown::{Shown, ShownKind};
pub use steps::Step;

use std::cell::RefCell;

use serde::Serialize;

use self::record::Recorder;
use super::{Found, Input, Mapping, body, evaluate::rule, limits};
use crate::event::{ItemOutcome, Mapped};

/// What a mapping does with an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// What splits the body into items, where the file says so.
    pub split: Option<Step>,
    /// Those that are told, in the order of the body.
    pub items: Vec<Item>,
    /// Those that are not.
    pub others: Tally,
    /// What becomes of the event, where it has no items or fails as a whole; then that of its items does not count.
    pub ending: Option<Ending>,
    /// All that is made of it, as [`Mapping::map`] gives it.
    pub mapped: Mapped,
}

impl Explanation {
    /// What becomes of each item and element.
    pub fn outcomes(&self) -> impl Iterator<Item = &ItemOutcome> {
        self.mapped.items.iter().flat_map(|item| &item.outcomes)
    }
}

/// One item of the event.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// From 1.
    pub number: usize,
    /// The expressions of `dedup`.
    pub dedup: Vec<Vec<Step>>,
    /// What they give as the parts of a key.
    pub dedup_key: Vec<Option<String>>,
    /// Those that were tried, in order; the last may be the one that runs.
    pub rules: Vec<TriedRule>,
    /// The list of elements, where the rule has `each`.
    pub each: Option<Step>,
    /// One without `each`; none where the rule drops the item, or none takes it.
    pub elements: Vec<Element>,
    /// Elements that are not told.
    pub others: Tally,
    /// What becomes of the item, where it does not come down to elements.
    pub ending: Option<Ending>,
}

/// A rule whose condition was looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TriedRule {
    pub name: String,
    pub line: usize,
    /// As it is written.
    pub when: Option<String>,
    pub answer: Shown,
}

/// An element of `each`, or the item itself: what is at most one update.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Element {
    /// Among the elements of `each`, from 1.
    pub number: Option<usize>,
    /// Whether `only` selects it.
    pub only: Option<Step>,
    pub order_by: Vec<Step>,
    pub customer: Vec<CustomerKey>,
    /// What a customer who is created gets besides.
    pub create: Vec<Assignment>,
    pub fields: Vec<Assignment>,
    /// How many fields of the rule were not looked at, because one before them failed.
    pub unseen: usize,
    /// None where `only` leaves it out.
    pub ending: Option<Ending>,
}

/// A line that says whose record it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CustomerKey {
    /// `id`, `username`, `email`, `metadata.KEY`
    pub key: String,
    pub steps: Vec<Step>,
}

/// How a field, a tag or a key of the metadata gets its value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Assignment {
    /// `phoneNumber`, `tags`, `metadata.Grado`, or `metadata` where an expression gives the key.
    pub field: String,
    pub line: usize,
    pub steps: Vec<Step>,
    pub effect: Effect,
    /// What becomes of it, where that is not simply the value.
    pub note: Option<String>,
}

/// What a form does to its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    Sets,
    Clears,
    /// The field stays as it is, or nothing is added to it.
    Nothing,
    /// An error; the rest goes on without it.
    Skips,
    /// An error; nothing of the update is sent.
    Fails,
    /// The list whose elements follow.
    Each,
}

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Only the item of this number, from 1.
    pub item: Option<usize>,
    /// At most so many items, and so many elements in each list of them.
    pub most: usize,
}

/// Why a body cannot be read. It never quotes the body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("body: {0}")]
pub struct Unreadable(String);

impl Mapping {
    /// Maps an event and tells how. `found` holds what Quentli would answer; without it nobody is asked.
    ///
    /// # Errors
    /// A body that cannot be read.
    pub fn explain(
        &self,
        input: &Input<'_>,
        found: Option<&[Found]>,
        extent: Extent,
    ) -> Result<Explanation, Unreadable> {
        let tree = body::decode(input).map_err(|error| Unreadable(error.to_string()))?;
        let recorder = RefCell::new(Recorder::new(&self.file, found, extent));
        let mapped = rule::run(
            self,
            &tree,
            input,
            limits::STEPS_PER_EVENT,
            Some(&|moment, scope| {
                scope
                    .run
                    .aside(|| recorder.borrow_mut().record(moment, scope));
            }),
        );
        let mapped = mapped.unwrap_or_else(|| Err(rule::exhausted()));
        Ok(recorder.into_inner().finish(mapped))
    }
}
