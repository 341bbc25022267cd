//! What a test sees of a mapped event: customers found, updates of one customer merged.

use std::collections::BTreeMap;

use super::{Found, Recipient};
use crate::{
    customer::{CustomerReference, Field, FieldValue, FindBy, MetadataEntry, OnMissing, Patch},
    event::{ItemOutcome, Mapped, OrderBy, Update},
};

/// One outcome as a test names it.
pub(in crate::mapping) enum Outcome {
    Update {
        rule: String,
        customer: Recipient,
        patch: Patch,
        warnings: Vec<String>,
    },
    Drop {
        rule: Option<String>,
        reason: String,
    },
    Fail {
        rule: Option<String>,
        reason: String,
    },
    Retry {
        rule: String,
        reason: String,
    },
}

const NOT_FOUND: &str = "customer not found";

/// The outcomes of an event, in order; updates of one customer stand where the first of them stood.
pub(in crate::mapping) fn outcomes(mapped: Mapped, found: &[Found]) -> Vec<Outcome> {
    let mut slots: Vec<Slot> = Vec::new();
    for outcome in mapped.items.into_iter().flat_map(|item| item.outcomes) {
        match outcome {
            ItemOutcome::Drop { rule, reason } => {
                slots.push(Slot::Done(Outcome::Drop { rule, reason }));
            }
            ItemOutcome::Fail(failure) => slots.push(Slot::Done(Outcome::Fail {
                rule: failure.rule,
                reason: failure.reason,
            })),
            ItemOutcome::Update(update) => add(update, found, &mut slots),
        }
    }
    slots.into_iter().map(Slot::finish).collect()
}

/// What becomes of a single update.
pub(in crate::mapping) fn outcome_of(update: Update, found: &[Found]) -> Outcome {
    let mut slots = Vec::new();
    add(update, found, &mut slots);
    let slot = slots.pop().expect("an update has an outcome");
    slot.finish()
}

enum Slot {
    Done(Outcome),
    Merging(Merge),
}

impl Slot {
    fn finish(self) -> Outcome {
        match self {
            Self::Done(outcome) => outcome,
            Self::Merging(merge) => merge.finish(),
        }
    }

    fn merging(&self) -> Option<&Merge> {
        match self {
            Self::Merging(merge) => Some(merge),
            Self::Done(_) => None,
        }
    }
}

enum Who {
    Known(String),
    /// Somebody whom an earlier update creates, in this slot.
    Newcomer(usize),
    /// Nobody: the update creates a customer, who gets all this.
    New(Patch),
    /// Nobody, or nobody in particular.
    Other(Outcome),
}

/// Adds an update to those of the same customer, or as the first of them.
fn add(update: Update, found: &[Found], slots: &mut Vec<Slot>) {
    let (customer, update) = match who(&update, found, slots) {
        Who::Other(outcome) => return slots.push(Slot::Done(outcome)),
        Who::Newcomer(place) => {
            if let Some(Slot::Merging(merge)) = slots.get_mut(place) {
                merge.add(update);
            }
            return;
        }
        Who::New(patch) => (Recipient::New, Update { patch, ..update }),
        Who::Known(customer) => (Recipient::Known(customer), update),
    };
    let waiting = slots.iter_mut().find_map(|slot| match slot {
        Slot::Merging(merge) if merge.customer == customer && customer != Recipient::New => {
            Some(merge)
        }
        _ => None,
    });
    if let Some(merge) = waiting {
        merge.add(update);
    } else {
        let mut merge = Merge::new(customer, update.rule.clone());
        merge.add(update);
        slots.push(Slot::Merging(merge));
    }
}

/// Whose record an update changes: whom `found` names, and whom this event has created so far.
fn who(update: &Update, found: &[Found], slots: &[Slot]) -> Who {
    let CustomerReference {
        id,
        find,
        on_missing,
        on_conflict: _,
    } = &update.customer;
    let rule = || update.rule.clone();
    let fail = |reason: String| {
        Who::Other(Outcome::Fail {
            rule: Some(rule()),
            reason,
        })
    };
    if let Some(id) = id {
        return Who::Known(id.as_str().to_owned());
    }
    if find.is_empty() {
        return fail("no customer reference".to_owned());
    }
    for line in find {
        let key = match line {
            FindBy::Username(value) => format!("username={value}"),
            FindBy::Email(value) => format!("email={value}"),
            FindBy::Metadata { key, value } => format!("metadata.{key}={value}"),
        };
        if let Some(Found { customers, .. }) = found.iter().find(|found| found.key == key) {
            return match customers.as_slice() {
                [one] => Who::Known(one.clone()),
                _ => fail("more than one customer matches".to_owned()),
            };
        }
        let newcomer = slots.iter().position(|slot| {
            slot.merging()
                .is_some_and(|merge| merge.customer == Recipient::New && line.finds(&merge.so_far))
        });
        if let Some(newcomer) = newcomer {
            return Who::Newcomer(newcomer);
        }
    }
    match on_missing {
        OnMissing::Retry => Who::Other(Outcome::Retry {
            rule: rule(),
            reason: NOT_FOUND.to_owned(),
        }),
        OnMissing::Drop => Who::Other(Outcome::Drop {
            rule: Some(rule()),
            reason: NOT_FOUND.to_owned(),
        }),
        OnMissing::Fail => fail(NOT_FOUND.to_owned()),
        OnMissing::Create(fields) => match update.patch.for_newcomer(fields, find) {
            Ok(all) => Who::New(all),
            Err(why) => fail(format!("{NOT_FOUND}, and {why}")),
        },
    }
}

/// The updates of one customer, each part with the version that set it.
struct Merge {
    customer: Recipient,
    rule: String,
    fields: BTreeMap<Field, (Option<OrderBy>, FieldValue)>,
    metadata: Vec<(Option<OrderBy>, MetadataEntry)>,
    warnings: Vec<String>,
    /// What a new customer has so far, to be found by.
    so_far: Patch,
}

impl Merge {
    fn new(customer: Recipient, rule: String) -> Self {
        Self {
            customer,
            rule,
            fields: BTreeMap::new(),
            metadata: Vec::new(),
            warnings: Vec::new(),
            so_far: Patch::new(),
        }
    }

    fn add(&mut self, update: Update) {
        let version = update.order_by;
        for (field, value) in update.patch.fields() {
            if let FieldValue::Metadata(entries) = value {
                for entry in entries {
                    self.add_metadata(version, entry);
                }
                continue;
            }
            let is_older = self
                .fields
                .get(&field)
                .is_some_and(|(known, _)| older(version, *known));
            if !is_older {
                self.fields.insert(field, (version, value.clone()));
            }
        }
        self.warnings.extend(update.warnings);
        if self.customer == Recipient::New {
            self.so_far = self.patch();
        }
    }

    fn add_metadata(&mut self, version: Option<OrderBy>, entry: &MetadataEntry) {
        let known = self
            .metadata
            .iter_mut()
            .find(|(_, known)| known.key == entry.key);
        match known {
            None => self.metadata.push((version, entry.clone())),
            Some((known, _)) if older(version, *known) => {}
            Some(known) => *known = (version, entry.clone()),
        }
    }

    /// What all of them together change. A new customer has nothing that could be cleared.
    fn patch(&self) -> Patch {
        let is_new = self.customer == Recipient::New;
        let metadata: Vec<MetadataEntry> = self
            .metadata
            .iter()
            .map(|(_, entry)| entry.clone())
            .filter(|entry| !is_new || entry.value.is_some())
            .collect();
        let metadata =
            (!metadata.is_empty()).then_some((Field::Metadata, FieldValue::Metadata(metadata)));
        let fields = self
            .fields
            .iter()
            .map(|(field, (_, value))| (*field, value.clone()))
            .filter(|(_, value)| !is_new || *value != FieldValue::Null);
        let mut patch = Patch::new();
        for (field, value) in fields.chain(metadata) {
            patch
                .set(field, value)
                .expect("a value out of a patch fits its field");
        }
        patch
    }

    fn finish(self) -> Outcome {
        Outcome::Update {
            patch: self.patch(),
            rule: self.rule,
            customer: self.customer,
            warnings: self.warnings,
        }
    }
}

/// Whether a version is older than the one that is there; without versions the order of arrival decides.
fn older(version: Option<OrderBy>, known: Option<OrderBy>) -> bool {
    matches!((version, known), (Some(version), Some(known)) if version < known)
}
