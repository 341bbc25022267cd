//! What may be shown of personal data without anybody having asked for it: what kind of value it is, and how long.

use super::{CustomerReference, Field, FieldKind, FieldValue, FindBy, PartKey, Patch};

/// A value that is hidden, and what is said in its place, such as `text of 12 characters`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masked<Name> {
    pub name: Name,
    pub mask: String,
}

/// `text of 12 characters`; of nothing else than the length.
pub fn masked_text(kind: &str, text: &str) -> String {
    let length = text.chars().count();
    let plural = if length == 1 { "" } else { "s" };
    format!("{kind} of {length} character{plural}")
}

impl Patch {
    /// Its parts in the order in which they are sent, without their values.
    pub fn masked(&self) -> Vec<Masked<PartKey>> {
        let mut parts = Vec::new();
        for (field, value) in self.fields() {
            let mut part = |name, mask| parts.push(Masked { name, mask });
            match value {
                FieldValue::Null => part(PartKey::Field(field), "cleared".to_owned()),
                FieldValue::Bool(_) => part(PartKey::Field(field), "true or false".to_owned()),
                FieldValue::Text(text) => {
                    part(PartKey::Field(field), masked_text(kind(field), text));
                }
                FieldValue::Tags(tags) => {
                    let count = tags.len();
                    let plural = if count == 1 { "" } else { "s" };
                    part(PartKey::Field(field), format!("{count} tag{plural}"));
                }
                FieldValue::Metadata(entries) => {
                    for entry in entries {
                        let mask = entry
                            .value
                            .as_ref()
                            .map_or_else(|| "removed".to_owned(), |text| masked_text("text", text));
                        part(PartKey::Metadata(entry.key.clone()), mask);
                    }
                }
            }
        }
        parts
    }
}

impl CustomerReference {
    /// By what the customer is found, in order, without the values: `id`, `username`, `email` or `metadata.KEY`.
    pub fn masked(&self) -> Vec<Masked<String>> {
        let lines = self.keys().into_iter();
        lines
            .map(|(name, value)| {
                let kind = if name == "email" {
                    kind(Field::Email)
                } else {
                    "text"
                };
                let mask = masked_text(kind, value);
                Masked { name, mask }
            })
            .collect()
    }

    /// By what the customer is found, in order, with the values, which are personal data.
    pub fn keys(&self) -> Vec<(String, &str)> {
        let id = self.id.iter().map(|id| ("id".to_owned(), id.as_str()));
        let find = self.find.iter().map(|line| match line {
            FindBy::Username(value) => ("username".to_owned(), value.as_str()),
            FindBy::Email(value) => ("email".to_owned(), value.as_str()),
            FindBy::Metadata { key, value } => (format!("metadata.{key}"), value.as_str()),
        });
        id.chain(find).collect()
    }
}

impl PartKey {
    /// The part that a text of the form `email: what is wrong` is about. What stands behind may quote the event; the
    /// name of a part does not.
    pub fn at_start_of(text: &str) -> Option<Self> {
        let (name, _) = text.split_once(": ")?;
        match name.strip_prefix("metadata.") {
            Some(key) if !key.contains(':') => Some(Self::Metadata(key.to_owned())),
            Some(_) => None,
            None => Field::from_name(name).map(Self::Field),
        }
    }
}

fn kind(field: Field) -> &'static str {
    match field.kind() {
        FieldKind::Email => "e-mail address",
        FieldKind::Phone => "phone number",
        FieldKind::DateTime => "time",
        FieldKind::Text | FieldKind::Bool | FieldKind::TextList | FieldKind::KeyedText => "text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::customer::OnMissing;

    #[test]
    fn of_a_value_its_kind_and_length_are_shown_and_nothing_else() {
        let patch = r#"{"name":"José","email":"ana@x.mx","phoneNumber":null,"tags":["a"],"skipTaxInvoice":true,"metadata":[{"key":"Grado","value":"5"},{"key":"Beca","value":null}]}"#;
        let patch: Patch = serde_json::from_str(patch).unwrap();
        let shown: Vec<String> = patch
            .masked()
            .into_iter()
            .map(|part| format!("{}: {}", part.name, part.mask))
            .collect();
        assert_eq!(
            shown,
            [
                "name: text of 4 characters",
                "email: e-mail address of 8 characters",
                "phoneNumber: cleared",
                "tags: 1 tag",
                "skipTaxInvoice: true or false",
                "metadata.Grado: text of 1 character",
                "metadata.Beca: removed",
            ]
        );
    }

    #[test]
    fn keys_of_a_customer_are_named_and_their_values_are_not() {
        let reference = CustomerReference {
            id: Some("cus_1".parse().unwrap()),
            find: vec![
                FindBy::Username("tut-1".into()),
                FindBy::Email("a@x.mx".into()),
                FindBy::Metadata {
                    key: "Matrícula".into(),
                    value: "A-1".into(),
                },
            ],
            on_missing: OnMissing::Retry,
            on_conflict: crate::customer::OnConflict::Fail,
        };
        let shown: Vec<String> = reference
            .masked()
            .into_iter()
            .map(|key| format!("{}: {}", key.name, key.mask))
            .collect();
        assert_eq!(
            shown,
            [
                "id: text of 5 characters",
                "username: text of 5 characters",
                "email: e-mail address of 6 characters",
                "metadata.Matrícula: text of 3 characters",
            ]
        );
    }

    #[test]
    fn only_names_of_parts_are_read_from_a_message() {
        let part = |text: &str| PartKey::at_start_of(text).map(|part| part.to_string());
        assert_eq!(part("email: `ana` is not one").as_deref(), Some("email"));
        let metadata = "metadata.Grado: no value for `x`";
        assert_eq!(part(metadata).as_deref(), Some("metadata.Grado"));
        for other in ["Ana Pérez: is taken", "email", "customer id: no", ""] {
            assert_eq!(part(other), None, "{other}");
        }
    }
}
