//! What an event says, item by item.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    people::{Key, Part, Person},
    sources::SOURCES,
};

/// A change of one person, or a note that changes nobody.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) source: usize,
    pub(crate) person: usize,
    pub(crate) key: Key,
    pub(crate) version: Option<i64>,
    /// `None` clears. Empty in a note.
    pub(crate) change: BTreeMap<Part, Option<String>>,
    /// Of a kind for which the file has no rule until it is mended.
    pub(crate) is_unforeseen: bool,
}

impl Item {
    pub(crate) fn is_note(&self) -> bool {
        self.change.is_empty()
    }

    pub(crate) fn creates(&self) -> bool {
        SOURCES[self.source].creates
    }

    /// As its source sends it under this number.
    pub(crate) fn event(&self, number: usize, person: &Person) -> Value {
        let id = format!("i{number}");
        if self.is_note() {
            return json!({"id": id, "kind": "note"});
        }
        let set: Map<String, Value> = self
            .change
            .iter()
            .map(|(part, value)| {
                let value = match (part, value) {
                    (Part::Tags, Some(tags)) => tags.split(',').collect(),
                    (_, value) => json!(value),
                };
                (part.key().to_owned(), value)
            })
            .collect();
        let kind = if self.is_unforeseen {
            "transfer"
        } else {
            "change"
        };
        let mut event = json!({"id": id, "kind": kind, "by": person.by(self.key), "set": set});
        if let Some(version) = self.version {
            event["version"] = json!(version);
        }
        if self.creates() {
            event["newcomer"] = json!({
                "name": person.first_name(), "username": person.username(), "email": person.email(),
                "matricula": person.matricula(),
            });
        }
        event
    }
}
