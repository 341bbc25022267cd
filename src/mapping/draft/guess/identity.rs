//! What numbers a record, what numbers an event, and when something changed.

use super::{
    Choice, Records,
    candidate::{
        Candidate, is_customer_id, is_identifier, is_moment, is_past, judge, moment, root_of,
        strength,
    },
    choice,
};
use crate::mapping::draft::{
    gather::Gathered,
    records::Item,
    shape,
    spot::{Origin, Step},
    words::Meaning,
};

/// The paths that may number events, each with its value in every item. A plain `id` may where the record itself
/// stands further below.
pub(in crate::mapping::draft) fn event_id(
    items: &[Item<'_>],
    has_record_below: bool,
) -> Vec<(String, Vec<String>)> {
    let mut gathered = Gathered::default();
    for (number, item) in items.iter().enumerate() {
        gathered.add(Origin::Here, number, item.tree, item.body.is_none(), &[]);
    }
    let mut found: Vec<(i32, String, Vec<String>)> = Vec::new();
    for spot in &gathered.found {
        let is_plain_id = matches!(spot.spot.steps.as_slice(), [Step::Key(key)] if key.eq_ignore_ascii_case("id"));
        let named = match strength(spot, Meaning::EventId) {
            Some(strength) => strength,
            None if is_plain_id && has_record_below => 1,
            None => continue,
        };
        // It stands in a list in the file, where other names would need quotes.
        let is_simple = spot.spot.property.is_none()
            && spot.spot.origin == Origin::Here
            && spot.spot.steps.iter().all(Step::is_plain_key);
        let values: Vec<String> = spot
            .values
            .iter()
            .filter_map(|(_, value)| {
                shape::text_of(value).filter(|text| shape::is_identifier(text))
            })
            .map(str::to_owned)
            .collect();
        if is_simple && values.len() == items.len() {
            found.push((named, spot.spot.text(), values));
        }
    }
    found.sort_by_key(|(named, ..)| std::cmp::Reverse(*named));
    found
        .into_iter()
        .map(|(_, path, values)| (path, values))
        .collect()
}

impl Records<'_> {
    /// When the record changed: all values must be read in one way, and say more than the day.
    pub(super) fn order_by(&self) -> Option<Choice> {
        let mut found: Vec<(i32, String)> = Vec::new();
        for candidate in &self.gathered.found {
            let Some(named) = strength(candidate, Meaning::Changed) else {
                continue;
            };
            let fits = !candidate.spot.is_list()
                && candidate.spot.property.is_none()
                && judge(candidate, is_moment) == Some(true);
            if let (true, Some(moment)) = (fits, moment(candidate).filter(|moment| moment.has_time))
            {
                let path = candidate.spot.text();
                found.push((named, format!("{path} | {}", moment.transform())));
            }
        }
        found.sort_by_key(|(named, _)| std::cmp::Reverse(*named));
        choice(found.into_iter().map(|(_, expression)| expression))
    }

    pub(super) fn customer_id(&self) -> Option<Choice> {
        let is_quentli = |words: &Vec<String>| words.iter().any(|word| word == "quentli");
        let found = self.gathered.found.iter().filter(|found| {
            let is_named = found.names.last().is_some_and(is_quentli);
            let fits = if is_named {
                is_identifier
            } else {
                is_customer_id
            };
            self.is_inside(&found.spot)
                && !found.spot.is_list()
                && found.spot.property.is_none()
                && !is_past(found)
                && judge(found, fits) == Some(true)
        });
        choice(found.map(|found| found.spot.text()))
    }

    /// What the sender numbers the record by. A plain `id` counts only beside the person's data: above it, it is the
    /// event's.
    pub(super) fn number(&self) -> Option<Choice> {
        let candidates = self.fitting(Meaning::Identity, is_identifier);
        let found = candidates.iter().filter(|candidate| {
            let spot = &candidate.found.spot;
            let is_plain = candidate
                .found
                .names
                .last()
                .is_some_and(|words| words.len() == 1 && words.concat() == "id");
            let is_of_list = spot
                .steps
                .iter()
                .any(|step| matches!(step, Step::Where { .. }));
            candidate.is_whole
                && !is_of_list
                && !candidate.travels_alone()
                && judge(candidate.found, is_customer_id).is_none()
                && (!is_plain || root_of(spot) == self.root)
        });
        choice(found.map(Candidate::path))
    }
}
