//! The change itself: fields and their new values, ready to be sent as `input.data`.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
    ser::SerializeMap,
};

use super::{Field, FieldKind};

/// Fields and their new values. An absent field stays as it is; null clears it.
///
/// Serializes as the JSON object `input.data` of Quentli's PATCH, fields in the order of [`Field`]; reading it back
/// gives the same patch.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Patch {
    fields: BTreeMap<Field, FieldValue>,
}

/// The new value of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// Clears the field; only where [`Field::is_nullable`].
    Null,
    Bool(bool),
    /// Text, e-mail address, telephone number or date-time, already in the form Quentli takes.
    Text(String),
    /// For [`Field::Tags`].
    Tags(Vec<String>),
    /// For [`Field::Metadata`]; no key twice.
    Metadata(Vec<MetadataEntry>),
}

/// One key of the customer's metadata; no value removes the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataEntry {
    pub key: String,
    pub value: Option<String>,
}

/// Names one independently comparable part of a patch: a field (`email`), or one metadata key
/// (`metadata.Grado`). `Display` gives that text; it holds no values.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PartKey {
    Field(Field),
    Metadata(String),
}

/// A value that does not fit its field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} cannot be {what}")]
pub struct InvalidPatch {
    pub field: Field,
    pub what: &'static str,
}

impl Patch {
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets one field.
    ///
    /// # Errors
    /// A value whose shape or nullability does not fit the field. Text is not checked further here: that is the
    /// mapping's work.
    pub fn set(&mut self, field: Field, value: FieldValue) -> Result<(), InvalidPatch> {
        let what = match (&value, field.kind()) {
            (FieldValue::Null, _) if field.is_nullable() => None,
            (FieldValue::Null, _) => Some("cleared"),
            (FieldValue::Bool(_), FieldKind::Bool)
            | (FieldValue::Tags(_), FieldKind::TextList)
            | (FieldValue::Metadata(_), FieldKind::KeyedText)
            | (
                FieldValue::Text(_),
                FieldKind::Text | FieldKind::Email | FieldKind::Phone | FieldKind::DateTime,
            ) => None,
            (FieldValue::Bool(_), _) => Some("true or false"),
            (FieldValue::Text(_), _) => Some("a text"),
            (FieldValue::Tags(_), _) => Some("a list of texts"),
            (FieldValue::Metadata(_), _) => Some("a list of keys and values"),
        };
        if let Some(what) = what {
            return Err(InvalidPatch { field, what });
        }
        self.fields.insert(field, value);
        Ok(())
    }

    pub fn get(&self, field: Field) -> Option<&FieldValue> {
        self.fields.get(&field)
    }

    /// Takes these fields out of it, and gives a patch of them.
    #[must_use]
    pub fn take_out(&mut self, fields: &[Field]) -> Self {
        let taken = fields
            .iter()
            .filter_map(|field| Some((*field, self.fields.remove(field)?)));
        Self {
            fields: taken.collect(),
        }
    }

    /// Whether it changes nothing; such a patch is never sent.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The fields it sets, in the order in which they are sent.
    pub fn fields(&self) -> impl Iterator<Item = (Field, &FieldValue)> {
        self.fields.iter().map(|(field, value)| (*field, value))
    }

    /// Its independently comparable parts, each with its value as canonical JSON (tags sorted, since they compare
    /// as a set). The values are personal data.
    pub fn parts(&self) -> Vec<(PartKey, String)> {
        let json = |value: &serde_json::Value| value.to_string();
        let mut parts = Vec::new();
        for (field, value) in self.fields() {
            match value {
                FieldValue::Null => parts.push((PartKey::Field(field), "null".to_owned())),
                FieldValue::Bool(flag) => parts.push((PartKey::Field(field), flag.to_string())),
                FieldValue::Text(text) => {
                    parts.push((PartKey::Field(field), json(&text.as_str().into())));
                }
                FieldValue::Tags(tags) => {
                    let mut sorted = tags.clone();
                    sorted.sort();
                    sorted.dedup();
                    parts.push((PartKey::Field(field), json(&sorted.into())));
                }
                FieldValue::Metadata(entries) => {
                    for entry in entries {
                        let value = entry
                            .value
                            .as_deref()
                            .map_or(serde_json::Value::Null, Into::into);
                        parts.push((PartKey::Metadata(entry.key.clone()), json(&value)));
                    }
                }
            }
        }
        parts
    }
}

impl PartKey {
    /// The field it is, or is a part of.
    pub const fn field(&self) -> Field {
        match self {
            Self::Field(field) => *field,
            Self::Metadata(_) => Field::Metadata,
        }
    }
}

impl fmt::Display for PartKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => f.write_str(field.as_str()),
            Self::Metadata(key) => write!(f, "metadata.{key}"),
        }
    }
}

/// Names the fields and hides their values, which are personal data.
impl fmt::Debug for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.fields.keys().map(|field| field.as_str()))
            .finish()
    }
}

impl Serialize for Patch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len()))?;
        for (field, value) in self.fields() {
            match value {
                FieldValue::Null => map.serialize_entry(field.as_str(), &())?,
                FieldValue::Bool(flag) => map.serialize_entry(field.as_str(), flag)?,
                FieldValue::Text(text) => map.serialize_entry(field.as_str(), text)?,
                FieldValue::Tags(tags) => map.serialize_entry(field.as_str(), tags)?,
                FieldValue::Metadata(entries) => map.serialize_entry(field.as_str(), entries)?,
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Patch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PatchVisitor;

        impl<'de> Visitor<'de> for PatchVisitor {
            type Value = Patch;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of Quentli customer fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Patch, A::Error> {
                let mut patch = Patch::new();
                while let Some(name) = map.next_key::<String>()? {
                    let field = Field::from_name(&name)
                        .ok_or_else(|| de::Error::custom(format_args!("no field `{name}`")))?;
                    let value = match field.kind() {
                        FieldKind::Bool => map.next_value::<Option<bool>>()?.map(FieldValue::Bool),
                        FieldKind::TextList => map
                            .next_value::<Option<Vec<String>>>()?
                            .map(FieldValue::Tags),
                        FieldKind::KeyedText => map
                            .next_value::<Option<Vec<MetadataEntry>>>()?
                            .map(FieldValue::Metadata),
                        FieldKind::Text
                        | FieldKind::Email
                        | FieldKind::Phone
                        | FieldKind::DateTime => {
                            map.next_value::<Option<String>>()?.map(FieldValue::Text)
                        }
                    };
                    patch
                        .set(field, value.unwrap_or(FieldValue::Null))
                        .map_err(de::Error::custom)?;
                }
                Ok(patch)
            }
        }

        deserializer.deserialize_map(PatchVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY_SHAPE: &str = r#"{"name":"Ana","email":null,"tags":["b","a"],"skipTaxInvoice":false,"metadata":[{"key":"Grado","value":"5"},{"key":"Beca","value":null}]}"#;

    #[test]
    fn reading_a_written_patch_gives_the_same_patch() {
        let patch: Patch = serde_json::from_str(EVERY_SHAPE).unwrap();
        assert_eq!(serde_json::to_string(&patch).unwrap(), EVERY_SHAPE);
    }

    #[test]
    fn parts_compare_metadata_by_key_and_tags_as_a_set() {
        let patch: Patch = serde_json::from_str(EVERY_SHAPE).unwrap();
        let parts: Vec<String> = patch
            .parts()
            .into_iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        assert_eq!(
            parts,
            [
                r#"name="Ana""#,
                "email=null",
                r#"tags=["a","b"]"#,
                "skipTaxInvoice=false",
                r#"metadata.Grado="5""#,
                "metadata.Beca=null",
            ]
        );
    }

    #[test]
    fn a_value_that_does_not_fit_its_field_is_refused() {
        let mut patch = Patch::new();
        assert!(patch.set(Field::Name, FieldValue::Null).is_err());
        assert!(patch.set(Field::Name, FieldValue::Bool(true)).is_err());
        assert!(
            patch
                .set(Field::Tags, FieldValue::Text("a".into()))
                .is_err()
        );
        assert!(patch.is_empty());
        assert!(serde_json::from_str::<Patch>(r#"{"password":"x"}"#).is_err());
    }

    #[test]
    fn debug_output_hides_values() {
        let patch: Patch = serde_json::from_str(EVERY_SHAPE).unwrap();
        assert!(!format!("{patch:?}").contains("Ana"));
    }
}
