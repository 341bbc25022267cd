//! What a directory keeps of a record or of a change.

use super::KeyPlace;
use crate::{
    customer::{CustomerId, Field, FieldValue, FindBy, Patch},
    event::LaneKey,
    quentli::Customer,
};

/// What of a customer's metadata a directory keeps. Made without holding it, since hashing takes its time.
#[derive(Debug)]
pub(in crate::delivery) struct Row {
    pub(super) id: CustomerId,
    pub(super) person: LaneKey,
    /// The keys that are known of it, each with its value or that it has none.
    pub(super) values: Vec<(KeyPlace, Option<LaneKey>)>,
}

/// The keys there are at some moment, to make rows by.
#[derive(Clone, Debug)]
pub(in crate::delivery) struct Keys(Vec<(KeyPlace, String)>);

/// The hash of a value under a key; the lane of those whose first key it is.
fn value_hash(key: &str, value: &str) -> Option<LaneKey> {
    let value = value.trim();
    (!value.is_empty()).then(|| LaneKey::of(&format!("metadata.{key}"), value))
}

pub(super) fn person_hash(id: &CustomerId) -> LaneKey {
    LaneKey::of("id", id.as_str())
}

impl Keys {
    pub(super) const fn new(keys: Vec<(KeyPlace, String)>) -> Self {
        Self(keys)
    }

    /// What the record shows; `None` where it does not show metadata.
    pub(in crate::delivery) fn row(&self, customer: &Customer) -> Option<Row> {
        let metadata = customer.metadata.as_ref()?;
        let values = self.0.iter().map(|(place, key)| {
            let value = metadata.get(key);
            (*place, value.and_then(|value| value_hash(key, value)))
        });
        Some(Row {
            id: customer.id.clone(),
            person: person_hash(&customer.id),
            values: values.collect(),
        })
    }

    /// What a change sets; `None` where it sets none of the keys.
    pub(in crate::delivery) fn row_of_change(&self, id: &CustomerId, patch: &Patch) -> Option<Row> {
        let Some(FieldValue::Metadata(entries)) = patch.get(Field::Metadata) else {
            return None;
        };
        let values: Vec<_> = self
            .0
            .iter()
            .filter_map(|(place, key)| {
                let entry = entries.iter().find(|entry| entry.key == *key)?;
                let value = entry.value.as_deref();
                Some((*place, value.and_then(|value| value_hash(key, value))))
            })
            .collect();
        (!values.is_empty()).then(|| Row {
            id: id.clone(),
            person: person_hash(id),
            values,
        })
    }

    /// The lines by which a customer may be found.
    pub(in crate::delivery) fn lines(&self, customer: &Customer) -> Vec<FindBy> {
        let Some(metadata) = &customer.metadata else {
            return Vec::new();
        };
        let line = |(_, key): &(KeyPlace, String)| {
            let value = metadata.get(key)?.trim();
            (!value.is_empty()).then(|| FindBy::Metadata {
                key: key.clone(),
                value: value.to_owned(),
            })
        };
        self.0.iter().filter_map(line).collect()
    }
}
