//! What of a change can go into the request that creates a customer.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::customer::{Field, FieldValue, MetadataEntry, Patch};

/// A change, split into what `POST /v1/customers` takes and what must follow with a PATCH.
///
/// Serializes as the object `input` of that request. Nulls are in neither half: a new customer has nothing to clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creation {
    fields: Patch,
    rest: Patch,
}

impl Creation {
    /// Splits a change.
    pub fn of(patch: &Patch) -> Self {
        let mut halves = (BTreeMap::new(), BTreeMap::new());
        for (field, value) in patch.fields() {
            match value {
                FieldValue::Null => {}
                FieldValue::Metadata(entries) => {
                    // On creation a metadata value must have at least one character.
                    let (set, blank): (Vec<MetadataEntry>, Vec<MetadataEntry>) = entries
                        .iter()
                        .filter(|entry| entry.value.is_some())
                        .cloned()
                        .partition(|entry| entry.value.as_deref() != Some(""));
                    if !set.is_empty() {
                        halves.0.insert(field, FieldValue::Metadata(set));
                    }
                    if !blank.is_empty() {
                        halves.1.insert(field, FieldValue::Metadata(blank));
                    }
                }
                value if is_taken(field) => {
                    halves.0.insert(field, value.clone());
                }
                value => {
                    halves.1.insert(field, value.clone());
                }
            }
        }
        Self {
            fields: patch_of(halves.0),
            rest: patch_of(halves.1),
        }
    }

    /// What the POST sends. Quentli requires a name in it and refuses the call otherwise.
    pub fn fields(&self) -> &Patch {
        &self.fields
    }

    /// What only a PATCH can set, to be sent once the customer exists; often empty.
    pub fn rest(&self) -> &Patch {
        &self.rest
    }
}

impl Serialize for Creation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("input", &self.fields)?;
        map.end()
    }
}

/// Whether creation takes the field: Quentli's OpenAPI document of 2026-08-05, `POST /v1/customers`.
const fn is_taken(field: Field) -> bool {
    match field {
        Field::Name
        | Field::Username
        | Field::Email
        | Field::PhoneNumber
        | Field::SecondaryPhoneNumber
        | Field::Tags
        | Field::AssigneeId
        | Field::SkipTaxInvoice
        | Field::OptedOutWhatsappAt
        | Field::Metadata
        | Field::AcceptedServiceAgreement => true,
        Field::ReplyWithAssistant
        | Field::TosIp
        | Field::Signature
        | Field::EmailVerified
        | Field::PhoneNumberVerified
        | Field::HasChangedPassword => false,
    }
}

fn patch_of(values: BTreeMap<Field, FieldValue>) -> Patch {
    let mut patch = Patch::new();
    for (field, value) in values {
        patch
            .set(field, value)
            .expect("the values come from a patch, which checked them");
    }
    patch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_creation_does_not_take_is_left_for_a_patch() {
        let patch: Patch = serde_json::from_str(
            r#"{"name":"Ana","email":null,"tags":["a"],"replyWithAssistant":false,
                "optedOutWhatsappAt":null,"emailVerified":true,"metadata":[
                {"key":"Grado","value":"5"},{"key":"Beca","value":null},{"key":"Nota","value":""}]}"#,
        )
        .unwrap();
        let creation = Creation::of(&patch);
        assert_eq!(
            serde_json::to_string(&creation).unwrap(),
            r#"{"input":{"name":"Ana","tags":["a"],"metadata":[{"key":"Grado","value":"5"}]}}"#
        );
        assert_eq!(
            serde_json::to_string(creation.rest()).unwrap(),
            r#"{"replyWithAssistant":false,"metadata":[{"key":"Nota","value":""}],"emailVerified":true}"#
        );
    }

    #[test]
    fn the_split_agrees_with_the_shipped_schema() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("customer.schema.json")).unwrap();
        let taken = &schema["$defs"]["CreateCustomerInput"]["properties"];
        for field in Field::ALL {
            assert_eq!(
                is_taken(field),
                taken.get(field.as_str()).is_some(),
                "{field}"
            );
        }
    }
}
