//! A person's name, whole or in parts.

use super::{
    Field, Form, Records,
    candidate::{Candidate, is_name, root_of},
    field, others,
};
use crate::mapping::draft::{shape, words::Meaning};

impl<'g> Records<'g> {
    pub(super) fn name(&self) -> Option<Field> {
        let tidy = |path: &str| format!("{path} | squeeze | title");
        let full = self.fitting(Meaning::FullName, is_name);
        let name = self.fitting(Meaning::Name, is_name);
        // Parts that travel one at a time cannot be joined.
        let part = |meaning| {
            let candidates = self.fitting(meaning, is_name);
            candidates
                .into_iter()
                .find(|candidate| !candidate.travels_alone())
        };
        let given = part(Meaning::GivenName);
        let middle = part(Meaning::MiddleName);
        let family = part(Meaning::PaternalName).or_else(|| part(Meaning::FamilyName));
        let maternal = part(Meaning::MaternalName);

        if let Some(field) = field("name", &full, tidy) {
            return Some(field);
        }
        let simple = name.iter().find(|candidate| !candidate.travels_alone());
        let Some(family) = family else {
            return field("name", &name, tidy);
        };
        if simple.is_some_and(|name| holds(name, &family)) {
            return field("name", &name, tidy);
        }
        let first = given.or(simple.copied().filter(|name| beside(name, &family)))?;
        let parts: Vec<Candidate<'g>> = [
            Some(first),
            middle.filter(|middle| beside(middle, &first)),
            Some(family),
            maternal.filter(|maternal| beside(maternal, &family)),
        ]
        .into_iter()
        .flatten()
        .collect();
        let paths: Vec<String> = parts.iter().map(Candidate::path).collect();
        Some(Field {
            name: "name".to_owned(),
            path: paths.first().cloned().unwrap_or_default(),
            form: Form::Plain(tidy(&format!("join(' ', {})", paths.join(", ")))),
            others: others(&name, paths.first().map_or("", String::as_str)),
        })
    }
}

/// Whether two stand in the same object.
fn beside(one: &Candidate<'_>, other: &Candidate<'_>) -> bool {
    root_of(&one.found.spot) == root_of(&other.found.spot)
}

/// Whether a name holds the family name too, wherever both are known.
fn holds(name: &Candidate<'_>, family: &Candidate<'_>) -> bool {
    let mut is_seen = false;
    for (record, value) in &family.found.values {
        let whole = name.found.values.iter().find(|(other, _)| other == record);
        let texts = (
            shape::text_of(value),
            whole.and_then(|(_, value)| shape::text_of(value)),
        );
        if let (Some(family), Some(whole)) = texts
            && !family.is_empty()
        {
            if !whole.to_lowercase().contains(&family.to_lowercase()) {
                return false;
            }
            is_seen = true;
        }
    }
    is_seen
}
