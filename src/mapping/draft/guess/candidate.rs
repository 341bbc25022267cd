//! Which spots may serve for a meaning, and how well.

use super::Records;
use crate::mapping::{
    draft::{
        data::Data,
        gather::Found,
        shape::{self, Moment},
        spot::{Origin, Spot, Step},
        words::{self, Meaning},
    },
    transform::text,
};

/// A spot that may serve.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'g> {
    pub(super) found: &'g Found<'g>,
    pub(super) strength: i32,
    /// Whether every value that is there fits.
    pub(super) is_whole: bool,
}

impl<'g> Records<'g> {
    /// Whether a spot lies in the record, not around it.
    pub(super) fn is_inside(&self, spot: &Spot) -> bool {
        match spot.origin {
            Origin::Here => true,
            Origin::Item => false,
            Origin::Body => self.gathered.are_bodies,
        }
    }

    /// The candidates of a meaning whose values fit, the best first; of equal ones the first seen.
    pub(super) fn fitting(&self, meaning: Meaning, fits: fn(&Data) -> bool) -> Vec<Candidate<'g>> {
        let mut candidates: Vec<Candidate<'g>> = self
            .gathered
            .found
            .iter()
            .filter(|found| self.is_inside(&found.spot) && !found.spot.is_list())
            .filter_map(|found| self.candidate(found, meaning, fits))
            .collect();
        candidates
            .sort_by_key(|candidate| std::cmp::Reverse((candidate.is_whole, candidate.strength)));
        candidates
    }

    fn candidate(
        &self,
        found: &'g Found<'g>,
        meaning: Meaning,
        fits: fn(&Data) -> bool,
    ) -> Option<Candidate<'g>> {
        let named = strength(found, meaning)?;
        let is_whole = judge(found, fits)?;
        let strength = named + self.context(found);
        (strength > 0).then_some(Candidate {
            found,
            strength,
            is_whole,
        })
    }

    /// What the place of a spot says for or against it.
    fn context(&self, found: &Found<'_>) -> i32 {
        let above = above(found);
        let about = if above.iter().any(|words| words::is_foreign(words)) {
            -5
        } else if above.iter().any(|words| words::is_payer(words)) {
            2
        } else {
            0
        };
        let root = root_of(&found.spot);
        let near = if root == self.root {
            2
        } else if root.starts_with(self.root) || self.root.starts_with(root) {
            1
        } else {
            -2
        };
        about + near
    }
}

impl Candidate<'_> {
    /// Its path.
    pub(super) fn path(&self) -> String {
        self.found.spot.text()
    }

    /// Whether it is there only in events about this one property.
    pub(super) fn travels_alone(&self) -> bool {
        self.found.spot.property.is_some()
    }
}

pub(super) fn strength(found: &Found<'_>, meaning: Meaning) -> Option<i32> {
    let guesses = found
        .guesses
        .iter()
        .filter(|guess| guess.meaning == meaning);
    let strength = guesses.map(|guess| guess.strength).max()?;
    (!is_past(found)).then_some(strength)
}

/// The names of what a spot stands in.
fn above<'g>(found: &'g Found<'_>) -> &'g [Vec<String>] {
    found.names.split_last().map_or(&[], |(_, above)| above)
}

pub(super) fn is_past(found: &Found<'_>) -> bool {
    found.names.iter().any(|words| words::is_past(words))
}

/// The object that a value belongs to: without its own name, and without the list of contact points it stands in.
pub(super) fn root_of(spot: &Spot) -> &[Step] {
    let keys = spot
        .steps
        .iter()
        .take_while(|step| matches!(step, Step::Key(_)))
        .count();
    spot.steps.get(..keys.saturating_sub(1)).unwrap_or_default()
}

/// Whether all values that are there fit (`true`) or at least half of them; `None` otherwise.
pub(super) fn judge(found: &Found<'_>, fits: fn(&Data) -> bool) -> Option<bool> {
    let values = found.values.iter().map(|(_, value)| *value);
    let values: Vec<&Data> = values.filter(|value| !shape::is_empty(value)).collect();
    let fitting = values.iter().filter(|value| fits(value)).count();
    let are_plain = values
        .iter()
        .all(|value| !matches!(value, Data::List(_) | Data::Object(_)));
    (are_plain && fitting > 0 && fitting * 2 >= values.len()).then_some(fitting == values.len())
}

/// The form in which all values of a spot are times.
pub(super) fn moment(found: &Found<'_>) -> Option<Moment> {
    let values = found.values.iter().map(|(_, value)| *value);
    let values: Vec<&Data> = values.filter(|value| !shape::is_empty(value)).collect();
    Moment::of(&values)
}

pub(super) fn is_email(value: &Data) -> bool {
    matches!(value, Data::Text(written) if text::email(written).is_some())
}

pub(super) fn is_phone(value: &Data) -> bool {
    shape::text_of(value).is_some_and(shape::is_phone)
}

/// A name of a person, not one of the words that name a field.
pub(super) fn is_name(value: &Data) -> bool {
    let Data::Text(written) = value else {
        return false;
    };
    shape::is_name(written) && !words::is_field_name(written)
}

pub(super) fn is_yes_or_no(value: &Data) -> bool {
    match value {
        Data::Bool(_) => true,
        other => shape::text_of(other).is_some_and(|written| text::boolean(written).is_some()),
    }
}

pub(super) fn is_moment(value: &Data) -> bool {
    Moment::of(&[value]).is_some()
}

pub(super) fn is_identifier(value: &Data) -> bool {
    shape::text_of(value).is_some_and(shape::is_identifier)
}

pub(super) fn is_customer_id(value: &Data) -> bool {
    shape::text_of(value).is_some_and(shape::is_customer_id)
}
