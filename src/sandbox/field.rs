//! The fields that requests may carry, and how their values are checked.
//!
//! This is a second, independent reading of Quentli's OpenAPI document, on purpose apart from
//! [`crate::customer::Field`]: a stand-in that shared the gateway's table would share its mistakes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Refusal;

/// What a request does to a record, checked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// New values of plain fields; null clears.
    pub(super) values: BTreeMap<&'static str, Value>,
    /// New values by metadata key; none removes the key.
    pub(super) metadata: BTreeMap<String, Option<String>>,
    /// Names of the request that no documented field has. They change nothing.
    pub(super) unknown: Vec<String>,
}

/// Which request the fields are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Create,
    Update,
    /// A customer added by hand: everything an update takes, and `id`.
    Seed,
}

#[derive(Clone, Copy)]
enum Shape {
    /// Text of at least one character.
    Text1,
    Text,
    Email,
    Phone,
    Instant,
    Flag,
    Texts,
    Metadata,
    Meta,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Null {
    No,
    Yes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum OnCreate {
    No,
    Yes,
}

/// Name, shape, whether null is allowed on update, whether creation takes it.
const FIELDS: [(&str, Shape, Null, OnCreate); 19] = [
    ("name", Shape::Text1, Null::No, OnCreate::Yes),
    ("username", Shape::Text1, Null::No, OnCreate::Yes),
    ("email", Shape::Email, Null::Yes, OnCreate::Yes),
    ("phoneNumber", Shape::Phone, Null::Yes, OnCreate::Yes),
    (
        "secondaryPhoneNumber",
        Shape::Phone,
        Null::Yes,
        OnCreate::Yes,
    ),
    ("tags", Shape::Texts, Null::No, OnCreate::Yes),
    ("metadata", Shape::Metadata, Null::No, OnCreate::Yes),
    ("meta", Shape::Meta, Null::No, OnCreate::No),
    ("skipTaxInvoice", Shape::Flag, Null::No, OnCreate::Yes),
    ("assigneeId", Shape::Text, Null::Yes, OnCreate::Yes),
    (
        "optedOutWhatsappAt",
        Shape::Instant,
        Null::Yes,
        OnCreate::Yes,
    ),
    ("replyWithAssistant", Shape::Flag, Null::Yes, OnCreate::No),
    (
        "acceptedServiceAgreement",
        Shape::Flag,
        Null::No,
        OnCreate::Yes,
    ),
    ("tosIp", Shape::Text, Null::No, OnCreate::No),
    ("signature", Shape::Text, Null::Yes, OnCreate::No),
    ("password", Shape::Text, Null::No, OnCreate::No),
    ("hasChangedPassword", Shape::Flag, Null::No, OnCreate::No),
    ("emailVerified", Shape::Flag, Null::No, OnCreate::No),
    ("phoneNumberVerified", Shape::Flag, Null::No, OnCreate::No),
];

impl Change {
    /// Checks the fields of a request.
    pub(super) fn read(fields: &Map<String, Value>, kind: Kind) -> Result<Self, Refusal> {
        let mut change = Self::default();
        for (name, value) in fields {
            let Some((name, shape, null, _)) = FIELDS.into_iter().find(|(known, _, _, created)| {
                known == name && (kind != Kind::Create || *created == OnCreate::Yes)
            }) else {
                change.unknown.push(name.clone());
                continue;
            };
            if value.is_null() {
                // Creation takes a null user name like an absent one, but no null moment of opting out.
                let allowed = match (kind, name) {
                    (Kind::Create, "username") => true,
                    (Kind::Create, "optedOutWhatsappAt") => false,
                    _ => null == Null::Yes,
                };
                if !allowed {
                    return Err(refused(name, "must not be null"));
                }
                change.values.insert(name, Value::Null);
                continue;
            }
            match shape {
                Shape::Metadata => change.read_metadata(value, kind)?,
                Shape::Meta => change.read_meta(value)?,
                _ => {
                    check(value, shape).map_err(|what| refused(name, what))?;
                    change.values.insert(name, value.clone());
                }
            }
        }
        Ok(change)
    }

    fn read_metadata(&mut self, value: &Value, kind: Kind) -> Result<(), Refusal> {
        let wrong = |what| refused("metadata", what);
        let entries = value
            .as_array()
            .ok_or_else(|| wrong("must be a list of keys and values"))?;
        for entry in entries {
            let key = entry
                .get("key")
                .and_then(Value::as_str)
                .filter(|key| !key.is_empty())
                .ok_or_else(|| wrong("must have a key in every entry"))?;
            let value = match entry.get("value") {
                Some(Value::String(text)) if kind == Kind::Create && text.is_empty() => {
                    return Err(wrong("must not have an empty value on creation"));
                }
                Some(Value::String(text)) => Some(text.clone()),
                None | Some(Value::Null) if kind == Kind::Create => {
                    return Err(wrong("must have a value in every entry on creation"));
                }
                // That an absent value removes the key like a null one is a guess.
                None | Some(Value::Null) => None,
                Some(_) => return Err(wrong("must have texts as values")),
            };
            self.metadata.insert(key.to_owned(), value);
        }
        Ok(())
    }

    /// The flat form. Where a request has both forms, which one wins is not published; here it is this one.
    fn read_meta(&mut self, value: &Value) -> Result<(), Refusal> {
        let wrong = || refused("meta", "must be an object of texts");
        for (key, value) in value.as_object().ok_or_else(wrong)? {
            let value = match value {
                Value::Null => None,
                Value::String(text) if text.is_empty() => None,
                Value::String(text) => Some(text.clone()),
                _ => return Err(wrong()),
            };
            self.metadata.insert(key.clone(), value);
        }
        Ok(())
    }
}

fn refused(name: &str, what: &str) -> Refusal {
    Refusal::new(400, format!("{name} {what}"))
}

fn check(value: &Value, shape: Shape) -> Result<(), &'static str> {
    let text = value.as_str();
    let (fits, what) = match shape {
        Shape::Text1 => (
            text.is_some_and(|text| !text.is_empty()),
            "must be a text of at least one character",
        ),
        Shape::Text => (text.is_some(), "must be a text"),
        Shape::Email => (
            text.is_some_and(is_email),
            "must be an e-mail address or null",
        ),
        // How strictly Quentli looks at numbers is not published; strict here shows mistakes early.
        Shape::Phone => (
            text.is_some_and(is_e164),
            "must be a telephone number in E.164 (+525512345678) or null",
        ),
        Shape::Instant => (
            text.is_some_and(|text| text.parse::<Timestamp>().is_ok()),
            "must be a date and time with an offset (2026-01-15T10:30:00.000Z)",
        ),
        Shape::Flag => (value.is_boolean(), "must be true or false"),
        Shape::Texts => (
            value
                .as_array()
                .is_some_and(|items| items.iter().all(Value::is_string)),
            "must be a list of texts",
        ),
        Shape::Metadata | Shape::Meta => (true, ""),
    };
    if fits { Ok(()) } else { Err(what) }
}

fn is_email(text: &str) -> bool {
    text.rsplit_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !domain.starts_with('.')
            && !domain.ends_with('.')
            && domain.contains('.')
            && !text.chars().any(|c| c.is_whitespace() || c.is_control())
    })
}

fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(fields: &Value, kind: Kind) -> Result<Change, Refusal> {
        Change::read(fields.as_object().unwrap(), kind)
    }

    #[test]
    fn the_table_says_what_the_shipped_schema_says() {
        let schema: Value =
            serde_json::from_str(include_str!("../quentli/customer.schema.json")).unwrap();
        let names = |definition: &str| -> Vec<String> {
            let properties = schema["$defs"][definition]["properties"].as_object();
            properties.unwrap().keys().cloned().collect()
        };
        let table = |created: &[OnCreate]| -> Vec<String> {
            let mut names: Vec<String> = FIELDS
                .iter()
                .filter(|field| created.contains(&field.3))
                .map(|field| field.0.to_owned())
                .collect();
            names.sort();
            names
        };
        assert_eq!(
            names("UpdateCustomerData"),
            table(&[OnCreate::Yes, OnCreate::No])
        );
        assert_eq!(names("CreateCustomerInput"), table(&[OnCreate::Yes]));
        for (name, _, null, _) in FIELDS {
            let property = &schema["$defs"]["UpdateCustomerData"]["properties"][name];
            let types = property.to_string();
            let nullable = name != "meta" && (types.contains("null") || types.contains("OrNull"));
            assert_eq!(null == Null::Yes, nullable, "{name}");
        }
    }

    #[test]
    fn values_that_do_not_fit_are_refused() {
        for fields in [
            json!({"name": ""}),
            json!({"name": null}),
            json!({"username": null}),
            json!({"email": "ana"}),
            json!({"email": "ana@x"}),
            json!({"email": 5}),
            json!({"phoneNumber": "55 1234 5678"}),
            json!({"phoneNumber": "+0525512345678"}),
            json!({"tags": null}),
            json!({"tags": ["a", 1]}),
            json!({"skipTaxInvoice": "true"}),
            json!({"skipTaxInvoice": null}),
            json!({"optedOutWhatsappAt": "yesterday"}),
            json!({"metadata": {"a": "b"}}),
            json!({"metadata": [{"value": "b"}]}),
            json!({"metadata": [{"key": "", "value": "b"}]}),
            json!({"metadata": [{"key": "a", "value": 5}]}),
            json!({"meta": {"a": 5}}),
            json!({"meta": null}),
        ] {
            let refusal = read(&fields, Kind::Update).unwrap_err();
            assert_eq!(refusal.status, 400, "{fields}");
        }
    }

    #[test]
    fn creation_takes_fewer_fields_and_fewer_nulls() {
        let change = read(&json!({"username": null, "meta": {"a": "b"}}), Kind::Create).unwrap();
        assert_eq!(change.unknown, ["meta"]);
        assert_eq!(change.values["username"], Value::Null);
        for fields in [
            json!({"optedOutWhatsappAt": null}),
            json!({"metadata": [{"key": "a"}]}),
            json!({"metadata": [{"key": "a", "value": null}]}),
            json!({"metadata": [{"key": "a", "value": ""}]}),
        ] {
            assert!(read(&fields, Kind::Create).is_err(), "{fields}");
            assert!(read(&fields, Kind::Update).is_ok(), "{fields}");
        }
    }

    #[test]
    fn null_removes_metadata_and_the_flat_form_also_takes_empty_text() {
        let change = read(
            &json!({
                "metadata": [{"key": "a", "value": "1"}, {"key": "b", "value": null}, {"key": "c", "value": ""}],
                "meta": {"d": "", "e": null, "f": "2"},
            }),
            Kind::Update,
        )
        .unwrap();
        let metadata: Vec<(&str, Option<&str>)> = change
            .metadata
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_deref()))
            .collect();
        assert_eq!(
            metadata,
            [
                ("a", Some("1")),
                ("b", None),
                ("c", Some("")),
                ("d", None),
                ("e", None),
                ("f", Some("2"))
            ]
        );
    }
}
