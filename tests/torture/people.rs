//! Whom the events are about, and what of them the test changes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The organisations, by their names in `gateway.yaml`. Each has a Quentli of its own, in which the same identifiers,
/// usernames and addresses stand for other people.
pub(crate) const ORGANISATIONS: [&str; 2] = ["default", "south"];

/// A part of a customer's record that events change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Name,
    Phone,
    Tags,
    /// Keys of metadata.
    Grado,
    Grupo,
    Beca,
}

impl Part {
    pub(crate) const ALL: [Self; 6] = [
        Self::Name,
        Self::Phone,
        Self::Tags,
        Self::Grado,
        Self::Grupo,
        Self::Beca,
    ];

    /// The key in an event's `set`.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Phone => "phone",
            Self::Tags => "tags",
            Self::Grado => "grado",
            Self::Grupo => "grupo",
            Self::Beca => "beca",
        }
    }

    /// Whether each event has a value of its own for it, so that a value tells the event. Others go back and forth
    /// between few values.
    pub(crate) const fn has_unique_values(self) -> bool {
        matches!(self, Self::Name | Self::Phone | Self::Grupo)
    }

    /// Whether two of its values are of the same event, which a mended mapping may have changed on its way.
    pub(crate) fn is_of_same(self, one: Option<&str>, other: Option<&str>) -> bool {
        match (self, one, other) {
            (Self::Grupo, Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
            _ => one == other,
        }
    }

    /// What a record of Quentli, or a request to it, says of this part: nothing, that it is cleared, or a value.
    #[expect(
        clippy::option_option,
        reason = "nothing, cleared and a value are what a request can say of a part"
    )]
    pub(crate) fn of(self, fields: &Value) -> Option<Option<String>> {
        let key = match self {
            Self::Name => return said(&fields["name"], fields.get("name").is_some()),
            Self::Phone => {
                return said(&fields["phoneNumber"], fields.get("phoneNumber").is_some());
            }
            Self::Tags => {
                let mut tags: Vec<&str> = fields
                    .get("tags")?
                    .as_array()?
                    .iter()
                    .filter_map(Value::as_str)
                    .collect();
                tags.sort_unstable();
                return Some(Some(tags.join(",")));
            }
            Self::Grado => "Grado",
            Self::Grupo => "Grupo",
            Self::Beca => "Beca",
        };
        let entries = fields.get("metadata")?.as_array()?;
        let entry = entries.iter().find(|entry| entry["key"] == key)?;
        said(&entry["value"], true)
    }
}

#[expect(clippy::option_option, reason = "as above")]
fn said(value: &Value, is_there: bool) -> Option<Option<String>> {
    is_there.then(|| value.as_str().map(str::to_owned))
}

/// The parts of a record that have a value.
pub(crate) fn values_of(record: &Value) -> BTreeMap<Part, String> {
    Part::ALL
        .into_iter()
        .filter_map(|part| Some((part, part.of(record)??)))
        .collect()
}

/// A key by which a source knows somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Id,
    Username,
    Email,
    /// A key of metadata, which only the directory of customers can tell.
    Matricula,
}

/// When somebody is in Quentli.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// From the beginning.
    There,
    /// A person adds them while the test goes on.
    Late,
    Never,
    /// The gateway creates them, since a mapping says so.
    Created,
    /// They come in place of somebody else, whose keys they have from then on.
    Heir,
}

/// A customer.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) organisation: usize,
    /// Two people with the same number have the same keys: those of two organisations, or an heir and who was before.
    pub(crate) number: usize,
    pub(crate) arrival: Arrival,
    /// The keys by which events name them. With one, all their updates wait in one lane.
    pub(crate) keys: Vec<Key>,
}

impl Person {
    pub(crate) fn username(&self) -> String {
        format!("user-{}", self.number)
    }

    pub(crate) fn email(&self) -> String {
        format!("user-{}@x.mx", self.number)
    }

    pub(crate) fn matricula(&self) -> String {
        format!("MAT-{}", self.number)
    }

    /// The identifier of whoever the test adds; Quentli gives one to those who are created.
    pub(crate) fn id(&self) -> String {
        match self.arrival {
            Arrival::Heir => format!("cus-heir-{}", self.number),
            _ => format!("cus-{}", self.number),
        }
    }

    /// An event's `by`.
    pub(crate) fn by(&self, key: Key) -> Value {
        match key {
            Key::Id => json!({"id": self.id()}),
            Key::Username => json!({"username": self.username()}),
            Key::Email => json!({"email": self.email()}),
            Key::Matricula => json!({"matricula": self.matricula()}),
        }
    }

    /// The record with which they come to Quentli.
    pub(crate) fn record(&self) -> Value {
        json!({
            "id": self.id(), "username": self.username(), "email": self.email(), "name": self.first_name(),
            "metadata": [{"key": "Matricula", "value": self.matricula()}],
        })
    }

    pub(crate) fn first_name(&self) -> String {
        format!("person {}", self.number)
    }
}
