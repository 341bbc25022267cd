//! What a test sees of a mapped event: customers found, updates of one customer merged.

use std::collections::BTreeMap;

use super::Found;
use crate::{
    customer::{CustomerReference, Field, FieldValue, FindBy, MetadataEntry, OnMissing, Patch},
    event::{ItemOutcome, Mapped, OrderBy, Update},
};

/// One outcome as a test names it.
pub(super) enum Outcome {
    Update {
        rule: String,
        customer: String,
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
pub(super) fn outcomes(mapped: Mapped, found: &[Found]) -> Vec<Outcome> {
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
            ItemOutcome::Update(update) => match who(&update.customer, found) {
                Who::Known(customer) => {
                    let waiting = slots.iter_mut().find_map(|slot| match slot {
                        Slot::Merging(merge) if merge.customer == customer => Some(merge),
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
                Who::Other(end) => slots.push(Slot::Done(end(update.rule))),
            },
        }
    }
    slots
        .into_iter()
        .map(|slot| match slot {
            Slot::Done(outcome) => outcome,
            Slot::Merging(merge) => merge.finish(),
        })
        .collect()
}

enum Slot {
    Done(Outcome),
    Merging(Merge),
}

enum Who {
    Known(String),
    /// Nobody, or nobody in particular.
    Other(fn(String) -> Outcome),
}

fn who(reference: &CustomerReference, found: &[Found]) -> Who {
    if let Some(id) = &reference.id {
        return Who::Known(id.as_str().to_owned());
    }
    if reference.find.is_empty() {
        return Who::Other(|rule| Outcome::Fail {
            rule: Some(rule),
            reason: "no customer reference".to_owned(),
        });
    }
    for line in &reference.find {
        let key = match line {
            FindBy::Username(value) => format!("username={value}"),
            FindBy::Email(value) => format!("email={value}"),
            FindBy::Metadata { key, value } => format!("metadata.{key}={value}"),
        };
        match found.iter().find(|found| found.key == key) {
            None => {}
            Some(Found { customers, .. }) => {
                return match customers.as_slice() {
                    [one] => Who::Known(one.clone()),
                    _ => Who::Other(|rule| Outcome::Fail {
                        rule: Some(rule),
                        reason: "more than one customer matches".to_owned(),
                    }),
                };
            }
        }
    }
    Who::Other(match reference.on_missing {
        OnMissing::Retry => |rule| Outcome::Retry {
            rule,
            reason: NOT_FOUND.to_owned(),
        },
        OnMissing::Drop => |rule| Outcome::Drop {
            rule: Some(rule),
            reason: NOT_FOUND.to_owned(),
        },
        OnMissing::Fail | OnMissing::Create(_) => |rule| Outcome::Fail {
            rule: Some(rule),
            reason: NOT_FOUND.to_owned(),
        },
    })
}

/// The updates of one customer, each part with the version that set it.
struct Merge {
    customer: String,
    rule: String,
    fields: BTreeMap<Field, (Option<OrderBy>, FieldValue)>,
    metadata: Vec<(Option<OrderBy>, MetadataEntry)>,
    warnings: Vec<String>,
}

impl Merge {
    fn new(customer: String, rule: String) -> Self {
        Self {
            customer,
            rule,
            fields: BTreeMap::new(),
            metadata: Vec::new(),
            warnings: Vec::new(),
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

    fn finish(self) -> Outcome {
        let mut patch = Patch::new();
        let metadata: Vec<MetadataEntry> =
            self.metadata.into_iter().map(|(_, entry)| entry).collect();
        let metadata =
            (!metadata.is_empty()).then_some((Field::Metadata, FieldValue::Metadata(metadata)));
        let fields = self
            .fields
            .into_iter()
            .map(|(field, (_, value))| (field, value));
        for (field, value) in fields.chain(metadata) {
            patch
                .set(field, value)
                .expect("a value out of a patch fits its field");
        }
        Outcome::Update {
            rule: self.rule,
            customer: self.customer,
            patch,
            warnings: self.warnings,
        }
    }
}

/// Whether a version is older than the one that is there; without versions the order of arrival decides.
fn older(version: Option<OrderBy>, known: Option<OrderBy>) -> bool {
    matches!((version, known), (Some(version), Some(known)) if version < known)
}
