//! What the evaluator tells of its work, so that it can be shown to a person.
//!
//! It names each step as it takes it, and goes on in the same way whether or not anybody listens. So what is shown is
//! what is done: nobody repeats the evaluator's decisions to explain them. Where events are mapped for real nobody
//! listens, and then a moment costs one comparison; there is none below the level of rules and fields, because an
//! expression that is looked at again gives the same.

use super::{
    Fault, Scope,
    field::{FieldFault, Given},
};
use crate::{
    event::ItemOutcome,
    mapping::{
        compiled::{Customer, Entry, Expr, FieldRule, Form, OnError, Rule, UpdateRule},
        value::Value,
    },
};

/// A step of the evaluation; names in it begin where its scope says.
#[derive(Clone, Copy)]
pub(in crate::mapping) enum Moment<'m, 'a> {
    /// What splits the body into items, and the items.
    Items(&'a Expr, &'m Result<Option<Vec<Value<'a>>>, Fault>),
    /// An item begins; the expressions of `dedup` come first.
    Item(&'a [Expr]),
    /// Whether a rule takes the item.
    Rule(&'a Rule, &'m Result<bool, Fault>),
    /// The elements of the rule that runs.
    Each(&'a Expr, &'m Result<Option<Vec<Value<'a>>>, Fault>),
    /// Whether an element is selected, and by what.
    Element(Option<&'a Expr>, &'m Result<bool, Fault>),
    /// An update begins: of an element, or of the item where there is no `each`.
    Update(&'a UpdateRule),
    /// `order_by` comes next, then the customer, then `set`.
    OrderBy(&'a Expr),
    Customer(&'a Customer),
    Set,
    /// The value of a field comes next. In `tags` and `metadata` each entry begins with [`Self::Entry`], and what it
    /// gives follows once for each element of its `each`.
    Field(&'a FieldRule),
    Entry(&'a Entry),
    /// The default took the place of a source without value.
    Default(&'m Value<'a>),
    /// What a form gives.
    Given(&'a Form, &'m Result<Given<'a>, Fault>),
    /// What gives the key of an entry of `metadata` that has a value.
    Key(&'a Expr),
    /// A form, or the `each` of its entry, failed.
    Fault(&'m FieldFault, OnError),
    /// What became of the item or of one of its elements.
    Outcome(&'m ItemOutcome),
}

/// Somebody who listens.
pub(in crate::mapping) type Listener<'l> =
    dyn for<'m, 's, 'a> Fn(Moment<'m, 'a>, &Scope<'s, 'a>) + 'l;

impl<'a> Scope<'_, 'a> {
    /// Tells it to whoever listens.
    #[inline]
    pub(super) fn tell(&self, moment: Moment<'_, 'a>) {
        if let Some(listener) = self.run.listener {
            listener(moment, self);
        }
    }
}
