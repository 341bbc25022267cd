//! What the elements of a list are: records, contact points that a word tells apart, or keys with their values.

use super::{
    data::{Data, Object},
    spot::{Literal, MAX_KEY_CHARS, is_printable, is_writable},
    words::{self, Meaning},
};

/// Names of keys whose value names what stands beside it.
const KEYS: [&str; 8] = [
    "key", "code", "field", "campo", "clave", "name", "nombre", "atributo",
];

/// Names of keys of the value beside it.
const VALUES: [&str; 3] = ["value", "valor", "values"];

/// Names of keys that tell contact points apart.
const KINDS: [&str; 4] = ["type", "tipo", "label", "kind"];

/// Names of keys that are true for the one that counts.
const PREFERRED: [&str; 4] = ["primary", "principal", "preferred", "default"];

/// Names of keys whose value is the name of the one property that an event is about.
const PROPERTIES: [&str; 4] = [
    "property name",
    "field name",
    "nombre propiedad",
    "nombre campo",
];

/// Names of keys of its value.
const PROPERTY_VALUES: [&str; 5] = [
    "property value",
    "new value",
    "field value",
    "valor",
    "value",
];

/// Kinds of telephone numbers and addresses.
const CONTACT_KINDS: [&str; 17] = [
    "mobile",
    "home",
    "work",
    "cell",
    "office",
    "other",
    "whatsapp",
    "main",
    "primary",
    "celular",
    "movil",
    "casa",
    "trabajo",
    "oficina",
    "fijo",
    "principal",
    "personal",
];

/// What tells the elements of a list apart.
pub(super) struct Telling<'t> {
    /// The key of the word that does.
    key: Option<&'t str>,
    /// The key that is true for the preferred one.
    preferred: Option<&'t str>,
    /// Whether the word is the name of a field, not a kind of contact point.
    is_keyed: bool,
}

impl Telling<'_> {
    /// What tells this element from the others: keys with what they must be.
    pub(super) fn conditions(&self, object: &Object) -> Vec<(String, Literal)> {
        let mut conditions = Vec::new();
        if let Some(key) = self.preferred
            && object.get(key) == Some(&Data::Bool(true))
        {
            conditions.push((key.to_owned(), Literal::True));
        }
        if let Some(key) = self.key
            && let Some(Data::Text(text)) = object.get(key)
            && self.knows(text)
        {
            conditions.push((key.to_owned(), Literal::Text(text.clone())));
        }
        conditions
    }

    fn knows(&self, text: &str) -> bool {
        let is_known = if self.is_keyed {
            words::is_field_name(text)
        } else {
            is_contact_kind(&words::words(text))
        };
        is_known && text.chars().count() <= MAX_KEY_CHARS && is_printable(text)
    }
}

/// The first key of an object whose name is one of these.
fn named<'t>(object: &'t Object, names: &[&str]) -> Option<&'t str> {
    names.iter().find_map(|name| {
        object
            .iter()
            .map(|(key, _)| key)
            .find(|key| is_writable(key, true) && words::words(key).join(" ") == *name)
    })
}

/// The key whose value names what stands beside it, where an object is such a pair.
pub(super) fn names_property(object: &Object) -> Option<&str> {
    named(object, &KEYS).filter(|_| named(object, &VALUES).is_some())
}

/// What tells the elements of a list apart, where something does and they are no records.
pub(super) fn telling(elements: &[Data]) -> Option<Telling<'_>> {
    let objects: Vec<&Object> = elements
        .iter()
        .map(|element| match element {
            Data::Object(object) => Some(object),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let first = *objects.first()?;
    let telling = match names_property(first) {
        Some(key) => Telling {
            key: Some(key),
            preferred: None,
            is_keyed: true,
        },
        None => Telling {
            key: named(first, &KINDS),
            preferred: named(first, &PREFERRED),
            is_keyed: false,
        },
    };
    let tells = objects
        .iter()
        .any(|object| !telling.conditions(object).is_empty());
    (tells && (telling.is_keyed || !is_record_list(elements))).then_some(telling)
}

/// Whether the elements of a list are keys with their values, not things of their own.
pub(super) fn tells_properties(elements: &[Data]) -> bool {
    telling(elements).is_some_and(|telling| telling.is_keyed)
}

/// Whether a list holds records: objects in which more than one thing speaks of a person.
pub(super) fn is_record_list(elements: &[Data]) -> bool {
    elements.iter().any(|element| match element {
        Data::Object(object) => {
            let mut kinds = [false; 3];
            for (key, value) in object.iter() {
                for guess in words::meanings(&words::words(key)) {
                    match guess.meaning {
                        Meaning::FullName
                        | Meaning::Name
                        | Meaning::GivenName
                        | Meaning::FamilyName
                        | Meaning::PaternalName => kinds[0] = true,
                        Meaning::Email | Meaning::Mobile | Meaning::Phone => kinds[1] = true,
                        Meaning::Identity if !matches!(value, Data::Object(_)) => kinds[2] = true,
                        _ => {}
                    }
                }
            }
            names_property(object).is_none() && kinds.iter().filter(|kind| **kind).count() >= 2
        }
        _ => false,
    })
}

/// Where an object is about one property of a record: the key that names it, its name, and the key of its value.
pub(super) fn property(object: &Object) -> Option<(&str, &str, &str)> {
    let key = named(object, &PROPERTIES)?;
    let value = named(object, &PROPERTY_VALUES)?;
    match object.get(key)? {
        Data::Text(name) if is_printable(name) && words::is_field_name(name) => {
            Some((key, name.as_ref(), value))
        }
        _ => None,
    }
}

/// Whether words are one kind of telephone number or address, such as `home`.
pub(super) fn is_contact_kind(words: &[String]) -> bool {
    matches!(words, [only] if CONTACT_KINDS.contains(&only.as_str()))
}
