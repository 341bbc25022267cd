//! What kinds of events the samples show: the path that tells them apart, and what each of its values means.

use super::{
    data::Data,
    records::Item,
    shape,
    spot::{Origin, Spot, Step, is_writable, quoted},
    words::{self, Meaning, Verb},
};

/// The path that says what kind of event an item is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EventType {
    /// As the language writes it; none where each kind has a list of its own, whose path is the value.
    pub(super) path: Option<String>,
    /// The value of each item, in their order; none where it has none.
    pub(super) values: Vec<Option<String>>,
}

/// What an event's type says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sense {
    pub(super) verb: Option<Verb>,
    /// The type without its verb, such as `contact`: events of one kind of record share it.
    pub(super) about: String,
}

/// More kinds than this are numbers or names, not kinds.
const MAX_KINDS: usize = 20;
const MAX_DEPTH: usize = 4;
const MAX_PATHS: usize = 200;

/// Finds the path that tells kinds of events apart, where there is one.
pub(super) fn event_type(items: &[Item<'_>]) -> Option<EventType> {
    best(items, |words, values| {
        let rank = meaning_strength(words, Meaning::EventType).unwrap_or_default();
        let verbs = values
            .iter()
            .filter(|value| sense(value).verb.is_some())
            .count();
        let says_what_happened = verbs * 2 >= values.len() && verbs > 0;
        // A name such as STUDENT_UPDATED is a type, whatever its key is called.
        if rank == 0
            && !(verbs == values.len() && values.iter().all(|value| words::words(value).len() > 1))
        {
            return None;
        }
        let differ = i32::from(values.len() > 1) * 4;
        let is_fit = values.len() > 1 || says_what_happened;
        is_fit.then_some(rank + differ + i32::from(says_what_happened) * 4)
    })
}

/// The path that says what kind of record the items are about, where it is the same in all of them.
pub(super) fn entity(items: &[Item<'_>]) -> Option<(String, String)> {
    let found = best(items, |words, values| {
        let is_kind = |value: &String| !value.bytes().any(|byte| byte.is_ascii_digit());
        let is_one = values.len() == 1 && values.iter().all(is_kind);
        is_one.then(|| meaning_strength(words, Meaning::Entity))?
    })?;
    let is_everywhere = found.values.iter().all(Option::is_some);
    let value = found.values.into_iter().next()??;
    is_everywhere.then_some((found.path?, value))
}

impl EventType {
    /// The condition that an item is of one of these kinds.
    pub(super) fn condition(&self, kinds: &[String]) -> String {
        match (&self.path, kinds) {
            (Some(path), [only]) => format!("{path} == {}", quoted(only)),
            (Some(path), many) => {
                let many: Vec<String> = many.iter().map(|kind| quoted(kind)).collect();
                format!("{path} in [{}]", many.join(", "))
            }
            (None, lists) => {
                let lists: Vec<String> = lists
                    .iter()
                    .map(|list| format!("exists($.{list})"))
                    .collect();
                lists.join(" or ")
            }
        }
    }
}

/// What the value of a type says.
pub(super) fn sense(value: &str) -> Sense {
    let words = words::words(value);
    let verb = words.iter().rev().find_map(|word| words::verb(word));
    let about: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| words::verb(word).is_none())
        .collect();
    Sense {
        verb,
        about: about.join(" "),
    }
}

fn meaning_strength(words: &[String], meaning: Meaning) -> Option<i32> {
    words::meanings(words)
        .into_iter()
        .find(|guess| guess.meaning == meaning)
        .map(|guess| guess.strength)
}

/// The path with the highest mark, of those whose values are words of the sender's vocabulary.
fn best(
    items: &[Item<'_>],
    mark: impl Fn(&[String], &[String]) -> Option<i32>,
) -> Option<EventType> {
    let mut best: Option<(i32, EventType)> = None;
    for spot in spots(items) {
        let values = values(items, &spot);
        let mut kinds: Vec<String> = values.iter().flatten().cloned().collect();
        kinds.sort_unstable();
        kinds.dedup();
        let fits =
            !kinds.is_empty() && kinds.len() <= MAX_KINDS && kinds.iter().all(|kind| is_word(kind));
        let words = match spot.steps.last() {
            Some(Step::Key(key)) => words::words(key),
            _ => Vec::new(),
        };
        let Some(mark) = fits.then(|| mark(&words, &kinds)).flatten() else {
            continue;
        };
        let depth = i32::try_from(spot.steps.len()).unwrap_or(i32::MAX);
        let gaps = if values.iter().any(Option::is_none) {
            3
        } else {
            0
        };
        let mark = mark * 2 - depth - gaps;
        if best.as_ref().is_none_or(|(known, _)| mark > *known) {
            let path = Some(spot.text());
            best = Some((mark, EventType { path, values }));
        }
    }
    best.map(|(_, found)| found)
}

/// A word that senders make up for their events, and nothing about a person.
fn is_word(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    shape::is_code(value)
        && digits < 5
        && !shape::is_customer_id(value)
        && !shape::is_uuid(value)
        && !shape::is_rfc(value)
        && !shape::is_curp(value)
}

/// The paths of plain texts near the top of the items and of the bodies around them.
fn spots(items: &[Item<'_>]) -> Vec<Spot> {
    let mut spots = Vec::new();
    for item in items {
        collect(
            item.tree,
            Origin::Here,
            item.body.is_none(),
            &mut Vec::new(),
            &mut spots,
        );
        if let Some(body) = item.body {
            collect(body, Origin::Body, false, &mut Vec::new(), &mut spots);
        }
    }
    spots
}

fn collect(
    tree: &Data,
    origin: Origin,
    is_body: bool,
    steps: &mut Vec<Step>,
    spots: &mut Vec<Spot>,
) {
    match tree {
        Data::Object(object) if steps.len() < MAX_DEPTH => {
            for (key, inner) in object.iter() {
                let words = words::words(key);
                let is_plain = is_writable(key, steps.is_empty() && origin == Origin::Here);
                let origin = if is_plain { origin } else { Origin::Body };
                if (is_plain || (is_body && is_writable(key, false))) && !words::is_past(&words) {
                    steps.push(Step::Key(key.to_owned()));
                    collect(inner, origin, is_body, steps, spots);
                    steps.pop();
                }
            }
        }
        Data::Text(_) if !steps.is_empty() => {
            let spot = Spot {
                origin,
                steps: steps.clone(),
                property: None,
            };
            if spots.len() < MAX_PATHS && !spots.contains(&spot) {
                spots.push(spot);
            }
        }
        _ => {}
    }
}

fn values(items: &[Item<'_>], spot: &Spot) -> Vec<Option<String>> {
    items
        .iter()
        .map(|item| {
            let start = match spot.origin {
                Origin::Body => item.body.unwrap_or(item.tree),
                Origin::Here | Origin::Item => item.tree,
            };
            let found = super::records::elements(start, &spot.steps);
            found.first().and_then(|value| match value {
                Data::Text(text) if !text.is_empty() => Some(text.clone()),
                _ => None,
            })
        })
        .collect()
}
