//! One customer: what is stored, and how it is shown.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::field::Change;

/// The organisation that the sandbox's key belongs to.
const ORGANISATION: &str = "org_sandbox0000000000000";

/// Fields that can be set and are never shown by Quentli.
const HIDDEN: [&str; 4] = ["tags", "assigneeId", "signature", "tosIp"];

/// A stored customer.
#[derive(Clone)]
pub(super) struct Record {
    id: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// Every field with a value, by name.
    values: BTreeMap<&'static str, Value>,
    metadata: BTreeMap<String, String>,
}

impl Record {
    pub(super) fn new(id: String, now: Timestamp) -> Self {
        Self {
            id,
            created_at: now,
            updated_at: now,
            values: BTreeMap::new(),
            metadata: BTreeMap::new(),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The text of a field, where it has one.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(Value::as_str)
    }

    /// Applies a change whole.
    pub(super) fn apply(&mut self, change: &Change, now: Timestamp) {
        self.updated_at = now;
        for (name, value) in &change.values {
            match *name {
                // A password leaves no trace here.
                "password" => continue,
                // That a signature sets the moment of its acceptance is a guess from the names.
                "signature" => {
                    let accepted = if value.is_null() {
                        Value::Null
                    } else {
                        instant(now)
                    };
                    self.values.insert("signatureAcceptedAt", accepted);
                }
                _ => {}
            }
            if value.is_null() {
                self.values.remove(name);
            } else {
                self.values.insert(name, value.clone());
            }
        }
        for (key, value) in &change.metadata {
            match value {
                Some(value) => self.metadata.insert(key.clone(), value.clone()),
                None => self.metadata.remove(key),
            };
        }
    }

    /// The customer object of Quentli's answers, with every documented field.
    pub(super) fn shown(&self) -> Value {
        let mut object = Map::new();
        for name in [
            "email",
            "phoneNumber",
            "secondaryPhoneNumber",
            "archivedAt",
            "archivedById",
            "signatureAcceptedAt",
            "optedOutWhatsappAt",
            "optedInWhatsappAt",
            "startedWhatsappAt",
            "replyWithAssistant",
        ] {
            object.insert(name.to_owned(), Value::Null);
        }
        for name in [
            "acceptedServiceAgreement",
            "skipTaxInvoice",
            "emailVerified",
            "phoneNumberVerified",
            "hasChangedPassword",
        ] {
            object.insert(name.to_owned(), Value::Bool(false));
        }
        for (name, value) in &self.values {
            if !HIDDEN.contains(name) {
                object.insert((*name).to_owned(), value.clone());
            }
        }
        object.insert("id".to_owned(), json!(self.id));
        object.insert("organizationId".to_owned(), json!(ORGANISATION));
        object.insert("createdAt".to_owned(), instant(self.created_at));
        object.insert("updatedAt".to_owned(), instant(self.updated_at));
        let entries = self
            .metadata
            .iter()
            .map(|(key, value)| json!({"key": key, "value": value}));
        object.insert("metadata".to_owned(), entries.collect());
        object.insert("meta".to_owned(), json!(self.metadata));
        Value::Object(object)
    }

    /// What is shown, and what Quentli keeps to itself.
    pub(super) fn whole(&self) -> Value {
        let mut object = self.shown();
        for name in HIDDEN {
            if let (Some(object), Some(value)) = (object.as_object_mut(), self.values.get(name)) {
                object.insert(name.to_owned(), value.clone());
            }
        }
        object
    }
}

/// ISO 8601 with milliseconds and `Z`, as in Quentli's samples.
fn instant(time: Timestamp) -> Value {
    json!(format!("{time:.3}"))
}

#[cfg(test)]
mod tests {
    use super::{super::field::Kind, *};

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    #[test]
    fn a_change_sets_clears_and_merges() {
        let mut record = Record::new("cus_1".into(), at("2026-01-15T10:00:00Z"));
        for fields in [
            json!({"name": "Ana", "email": "a@x.mx", "tags": ["a"], "password": "pw",
                   "metadata": [{"key": "Grado", "value": "5"}, {"key": "Beca", "value": "si"}]}),
            json!({"email": null, "metadata": [{"key": "Beca", "value": null}], "meta": {"Nivel": "b"}}),
        ] {
            let change = Change::read(fields.as_object().unwrap(), Kind::Update).unwrap();
            record.apply(&change, at("2026-01-15T10:00:01.5Z"));
        }
        let shown = record.shown();
        assert_eq!(shown["name"], "Ana");
        assert_eq!(shown["email"], Value::Null);
        assert_eq!(shown["meta"], json!({"Grado": "5", "Nivel": "b"}));
        assert_eq!(
            shown["metadata"],
            json!([{"key": "Grado", "value": "5"}, {"key": "Nivel", "value": "b"}])
        );
        assert_eq!(shown["createdAt"], "2026-01-15T10:00:00.000Z");
        assert_eq!(shown["updatedAt"], "2026-01-15T10:00:01.500Z");
        assert_eq!(shown.get("tags"), None);
        assert_eq!(record.whole()["tags"], json!(["a"]));
        assert!(!record.whole().to_string().contains("pw"));
    }
}
