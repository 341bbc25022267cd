//! What a customer whom Quentli does not have yet is to be made of.

use super::{Field, FieldValue, FindBy, MetadataEntry, Patch};

/// Why nobody can be created for an update. Said after "Quentli has no such customer, and".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Uncreatable {
    /// Quentli takes no customer without one.
    #[error("a new one needs a name")]
    NoName,
    /// The next event would create another one.
    #[error("a new one would not be found again by what `find` looks for")]
    NotFoundAgain,
}

impl Patch {
    /// Everything a new customer is to have: these changes; of `fields` those to which the changes give no value;
    /// and the user name and e-mail address it was looked for by, where nothing else gives one. Changes that clear a
    /// field stay.
    ///
    /// # Errors
    /// A customer without a name, or one whom none of the lines would find.
    pub fn for_newcomer(&self, fields: &Self, find: &[FindBy]) -> Result<Self, Uncreatable> {
        let mut all = self.clone();
        let more = fields
            .fields()
            .map(|(field, value)| (field, value.clone()))
            .chain(find.iter().filter_map(FindBy::as_field));
        for (field, value) in more {
            let value = match (all.get(field), value) {
                (None | Some(FieldValue::Null), value) => value,
                (Some(FieldValue::Metadata(entries)), FieldValue::Metadata(more)) => {
                    FieldValue::Metadata(with_gaps_filled(entries, more))
                }
                (Some(_), _) => continue,
            };
            all.set(field, value)
                .expect("the value came from the same field, or is a text for one that takes text");
        }
        if all.get(Field::Name).is_none() {
            return Err(Uncreatable::NoName);
        }
        if !find.iter().any(|line| line.finds(&all)) {
            return Err(Uncreatable::NotFoundAgain);
        }
        Ok(all)
    }
}

/// Entries, with those of `more` whose keys have no value among them.
fn with_gaps_filled(entries: &[MetadataEntry], more: Vec<MetadataEntry>) -> Vec<MetadataEntry> {
    let mut all = entries.to_vec();
    for entry in more {
        match all.iter_mut().find(|known| known.key == entry.key) {
            None => all.push(entry),
            Some(known) if known.value.is_none() => *known = entry,
            Some(_) => {}
        }
    }
    all
}

impl FindBy {
    /// Whether a customer with these values is found by it.
    pub fn finds(&self, customer: &Patch) -> bool {
        let text = |field| match customer.get(field) {
            Some(FieldValue::Text(value)) => Some(value.trim()),
            _ => None,
        };
        match self {
            Self::Username(username) => text(Field::Username) == Some(username),
            Self::Email(email) => {
                text(Field::Email).is_some_and(|text| text.to_lowercase() == *email)
            }
            Self::Metadata { key, value } => match customer.get(Field::Metadata) {
                Some(FieldValue::Metadata(entries)) => entries.iter().any(|entry| {
                    let found = entry.value.as_deref().map(str::trim);
                    entry.key == *key && found == Some(value)
                }),
                _ => false,
            },
        }
    }

    /// The field with the value looked for, where it is one that a line alone can give.
    pub(crate) fn as_field(&self) -> Option<(Field, FieldValue)> {
        let (field, value) = match self {
            Self::Username(value) => (Field::Username, value),
            Self::Email(value) => (Field::Email, value),
            Self::Metadata { .. } => return None,
        };
        Some((field, FieldValue::Text(value.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(json: &str) -> Patch {
        serde_json::from_str(json).unwrap()
    }

    fn username(value: &str) -> FindBy {
        FindBy::Username(value.to_owned())
    }

    fn email(value: &str) -> FindBy {
        FindBy::Email(value.to_owned())
    }

    #[test]
    fn the_changes_go_before_the_fields_for_creation_and_those_before_what_was_looked_for() {
        let changes = patch(
            r#"{"name":"Ana","email":null,"phoneNumber":null,"metadata":[{"key":"a","value":"1"},{"key":"c","value":null}]}"#,
        );
        let fields = patch(
            r#"{"name":"Nobody","skipTaxInvoice":true,"email":"Ana@x.mx","metadata":[{"key":"a","value":"2"},{"key":"b","value":"3"},{"key":"c","value":"4"}]}"#,
        );
        let all = changes.for_newcomer(&fields, &[username("tut-1"), email("ana@x.mx")]);
        assert_eq!(
            serde_json::to_string(&all.unwrap()).unwrap(),
            r#"{"name":"Ana","username":"tut-1","email":"Ana@x.mx","phoneNumber":null,"skipTaxInvoice":true,"metadata":[{"key":"a","value":"1"},{"key":"c","value":"4"},{"key":"b","value":"3"}]}"#
        );
    }

    #[test]
    fn nobody_is_created_without_a_name_or_who_would_not_be_found_again() {
        let none = Patch::new();
        for (changes, find, refused) in [
            (r#"{"name":"Ana"}"#, vec![username("a")], None),
            (
                r#"{"email":"ana@x.mx"}"#,
                vec![username("a")],
                Some(Uncreatable::NoName),
            ),
            (
                r#"{"name":"Ana"}"#,
                Vec::new(),
                Some(Uncreatable::NotFoundAgain),
            ),
            (
                r#"{"name":"Ana","username":"b"}"#,
                vec![username("a")],
                Some(Uncreatable::NotFoundAgain),
            ),
            (
                r#"{"name":"Ana","username":"b"}"#,
                vec![username("a"), email("ana@x.mx")],
                None,
            ),
            (
                r#"{"name":"Ana","email":"Ana@X.mx"}"#,
                vec![email("ana@x.mx")],
                None,
            ),
            (
                r#"{"name":"Ana","metadata":[{"key":"k","value":" v "}]}"#,
                vec![FindBy::Metadata {
                    key: "k".to_owned(),
                    value: "v".to_owned(),
                }],
                None,
            ),
            (
                r#"{"name":"Ana"}"#,
                vec![FindBy::Metadata {
                    key: "k".to_owned(),
                    value: "v".to_owned(),
                }],
                Some(Uncreatable::NotFoundAgain),
            ),
        ] {
            let all = patch(changes).for_newcomer(&none, &find);
            assert_eq!(all.err(), refused, "{changes} {find:?}");
        }
    }
}
