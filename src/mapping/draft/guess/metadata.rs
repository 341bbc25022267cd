//! What a school wants to see beside a customer.

use super::{
    Field, Form, MAX_OTHERS, Records,
    candidate::{is_past, judge},
};
use crate::mapping::draft::{
    data::Data,
    gather::Found,
    shape,
    spot::{Origin, Step},
    words::Meaning,
};

impl Records<'_> {
    /// One field for each metadata key; the surest spot, and of equal ones the first seen.
    pub(super) fn metadata(&self) -> Vec<Field> {
        let mut fields: Vec<(i32, Field)> = Vec::new();
        for found in &self.gathered.found {
            for guess in &found.guesses {
                let Meaning::Metadata(label) = guess.meaning else {
                    continue;
                };
                if !fits(found, label) {
                    continue;
                }
                let strength = guess.strength + i32::from(found.spot.origin == Origin::Here);
                let field = field(label, found);
                match fields.iter_mut().find(|(_, known)| known.name == label) {
                    None => fields.push((strength, field)),
                    Some((best, known)) if strength > *best => {
                        *best = strength;
                        let before = std::mem::replace(known, field);
                        known.others = before.others;
                        known.others.push(before.path);
                    }
                    Some((_, known)) => known.others.push(field.path),
                }
            }
        }
        let fields = fields.into_iter().map(|(_, mut field)| {
            field.others.truncate(MAX_OTHERS);
            field
        });
        fields.collect()
    }
}

/// Whether the values may stand beside a customer as text.
fn fits(found: &Found<'_>, label: &str) -> bool {
    let fits: fn(&Data) -> bool = match label {
        "CURP" => |value| shape::text_of(value).is_some_and(shape::is_curp),
        "RFC" => |value| shape::text_of(value).is_some_and(shape::is_rfc),
        _ => |value| shape::text_of(value).is_some_and(|text| text.chars().count() <= 200),
    };
    // The first of a list is no better than all of it.
    let is_first = found.spot.steps.last() == Some(&Step::First);
    !is_past(found) && !is_first && judge(found, fits) == Some(true)
}

fn field(label: &str, found: &Found<'_>) -> Field {
    let path = found.spot.text();
    let form = match found.spot.condition() {
        Some(when) => Form::Long {
            when: Some(when),
            from: path.clone(),
            skips_null: false,
            skips_errors: false,
        },
        None if found.spot.is_list() => Form::Plain(format!("join(', ', {path})")),
        None => Form::Plain(path.clone()),
    };
    Field {
        name: label.to_owned(),
        path,
        form,
        others: Vec::new(),
    }
}
