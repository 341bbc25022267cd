//! Two results of mapping one event, outcome by outcome.

use std::collections::BTreeMap;

use crate::{
    customer::{CustomerReference, FindBy, OnMissing},
    event::{ItemOutcome, Mapped, Update},
};

/// What an outcome is, as far as sending goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sort {
    /// There is no such outcome.
    None,
    Update,
    Drop,
    Fail,
}

impl Sort {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::Update => "update",
            Self::Drop => "drop",
            Self::Fail => "fail",
        }
    }
}

/// An outcome that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) item: usize,
    pub(super) number: usize,
    pub(super) was: Sort,
    pub(super) now: Sort,
    /// By field, `customer` and `order_by` among them: the value before and after, as JSON, where there is one.
    pub(super) fields: BTreeMap<String, (Option<String>, Option<String>)>,
    /// Why nothing is sent now, or was; may quote the event.
    pub(super) reason: Option<String>,
}

/// The outcomes that differ, in order; none where the same would be sent. What only a person reads, such as the name of a
/// rule or the reason of a drop, makes no difference.
pub(super) fn compare(was: &Mapped, now: &Mapped) -> Vec<Changed> {
    let (was, now) = (places(was), places(now));
    let mut all: Vec<(usize, usize)> = was.keys().chain(now.keys()).copied().collect();
    all.sort_unstable();
    all.dedup();
    let changed = all.into_iter().filter_map(|place| {
        let (was, now) = (was.get(&place).copied(), now.get(&place).copied());
        let (item, number) = place;
        let fields = fields(was, now);
        let changed = Changed {
            item,
            number,
            was: sort(was),
            now: sort(now),
            reason: reason(now).or_else(|| reason(was)),
            fields,
        };
        (changed.was != changed.now || !changed.fields.is_empty()).then_some(changed)
    });
    changed.collect()
}

fn places(mapped: &Mapped) -> BTreeMap<(usize, usize), &ItemOutcome> {
    let items = mapped.items.iter().enumerate();
    items
        .flat_map(|(item, mapped)| {
            let outcomes = mapped.outcomes.iter().enumerate();
            outcomes.map(move |(number, outcome)| ((item, number), outcome))
        })
        .collect()
}

fn sort(outcome: Option<&ItemOutcome>) -> Sort {
    match outcome {
        None => Sort::None,
        Some(ItemOutcome::Update(update)) if update.customer.lane().is_none() => Sort::Fail,
        Some(ItemOutcome::Update(_)) => Sort::Update,
        Some(ItemOutcome::Drop { .. }) => Sort::Drop,
        Some(ItemOutcome::Fail(_)) => Sort::Fail,
    }
}

fn reason(outcome: Option<&ItemOutcome>) -> Option<String> {
    match outcome? {
        ItemOutcome::Update(_) => None,
        ItemOutcome::Drop { reason, .. } => Some(reason.clone()),
        ItemOutcome::Fail(failure) => Some(failure.reason.clone()),
    }
}

fn fields(
    was: Option<&ItemOutcome>,
    now: Option<&ItemOutcome>,
) -> BTreeMap<String, (Option<String>, Option<String>)> {
    let (was, mut now) = (values(was), values(now));
    let mut fields = BTreeMap::new();
    for (name, before) in was {
        let after = now.remove(&name);
        if after.as_ref() != Some(&before) {
            fields.insert(name, (Some(before), after));
        }
    }
    fields.extend(
        now.into_iter()
            .map(|(name, after)| (name, (None, Some(after)))),
    );
    fields
}

/// What an update would send, by name; nothing for what sends nothing.
fn values(outcome: Option<&ItemOutcome>) -> BTreeMap<String, String> {
    let Some(ItemOutcome::Update(Update {
        customer,
        patch,
        order_by,
        ..
    })) = outcome
    else {
        return BTreeMap::new();
    };
    let parts = patch.parts().into_iter();
    let mut values: BTreeMap<String, String> = parts
        .map(|(part, value)| (part.to_string(), value))
        .collect();
    values.insert("customer".to_owned(), text(&who(customer)));
    if let OnMissing::Create(fields) = &customer.on_missing {
        for (part, value) in fields.parts() {
            values.insert(format!("create {part}"), value);
        }
    }
    let missing = match &customer.on_missing {
        OnMissing::Retry => "retry",
        OnMissing::Fail => "fail",
        OnMissing::Drop => "drop",
        OnMissing::Create(_) => "create",
    };
    values.insert("on_missing".to_owned(), text(missing));
    if let Some(order_by) = order_by {
        values.insert("order_by".to_owned(), order_by.0.to_string());
    }
    values
}

/// By what the customer is found, in order.
fn who(customer: &CustomerReference) -> String {
    let id = customer.id.iter().map(|id| format!("id={id}"));
    let find = customer.find.iter().map(|line| match line {
        FindBy::Username(value) => format!("username={value}"),
        FindBy::Email(value) => format!("email={value}"),
        FindBy::Metadata { key, value } => format!("metadata.{key}={value}"),
    });
    id.chain(find).collect::<Vec<_>>().join(", ")
}

fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
