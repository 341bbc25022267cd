//! What splits the body of a request into items.

use super::{
    CannotDraft,
    data::Data,
    events::EventType,
    lists::{is_record_list, property, tells_properties},
    records::{Item, elements},
    spot::{Origin, Spot, Step, is_writable},
    words,
};

/// How items stand in a body.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Envelope {
    /// The body is the item.
    None,
    /// The body is a list.
    List,
    /// One of these lists of the body, whichever is there.
    Lists(Vec<Vec<Step>>),
}

const MAX_DEPTH: usize = 5;

/// Splits bodies into items, at least one.
pub(super) fn open(bodies: &[Data]) -> Result<(Envelope, Vec<Item<'_>>), CannotDraft> {
    let lists = bodies
        .iter()
        .filter(|body| matches!(body, Data::List(_)))
        .count();
    if lists > 0 && lists < bodies.len() {
        return Err(CannotDraft::Mixed);
    }
    let envelope = if lists > 0 {
        Envelope::List
    } else {
        envelope(bodies)
    };
    let mut items = Vec::new();
    for body in bodies {
        let found: Vec<&Data> = match &envelope {
            Envelope::None => vec![body],
            Envelope::List => elements(body, &[Step::Every]),
            Envelope::Lists(lists) => {
                let found = lists.iter().map(|list| elements(body, list));
                found
                    .into_iter()
                    .find(|found| !found.is_empty())
                    .unwrap_or_default()
            }
        };
        let around = (envelope != Envelope::None).then_some(body);
        items.extend(found.into_iter().map(|tree| Item { tree, body: around }));
    }
    if items.is_empty() {
        return Err(CannotDraft::Empty);
    }
    Ok((envelope, items))
}

/// The list of items in bodies that are objects: the same in all, or in each one of several.
fn envelope(bodies: &[Data]) -> Envelope {
    let found: Vec<Vec<Vec<Step>>> = bodies
        .iter()
        .map(|body| {
            let mut lists = Vec::new();
            collect(body, &mut Vec::new(), &mut lists);
            lists
        })
        .collect();
    let Some(first) = found.first() else {
        return Envelope::None;
    };
    if let Some(common) = first
        .iter()
        .find(|list| found.iter().all(|lists| lists.contains(list)))
    {
        return Envelope::Lists(vec![common.clone()]);
    }
    let mut lists: Vec<Vec<Step>> = Vec::new();
    for of_body in &found {
        let [only] = of_body.as_slice() else {
            return Envelope::None;
        };
        if !lists.contains(only) {
            lists.push(only.clone());
        }
    }
    Envelope::Lists(lists)
}

/// The lists of records near the top of a body whose names say that each element is one of its own.
fn collect(tree: &Data, steps: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
    let Data::Object(object) = tree else { return };
    for (key, value) in object.iter() {
        if !is_writable(key, steps.is_empty()) {
            continue;
        }
        steps.push(Step::Key(key.to_owned()));
        match value {
            Data::List(elements) if is_envelope(steps, elements) => {
                steps.push(Step::Every);
                found.push(steps.clone());
                steps.pop();
            }
            Data::Object(_) if steps.len() < MAX_DEPTH => collect(value, steps, found),
            _ => {}
        }
        steps.pop();
    }
}

fn is_envelope(steps: &[Step], elements: &[Data]) -> bool {
    let mut names = steps.iter().rev().filter_map(|step| match step {
        Step::Key(key) => Some(words::words(key)),
        _ => None,
    });
    let name = names.next().unwrap_or_default();
    // `contacts.update[]`: what happened, and to what.
    let is_verb = name.len() == 1 && name.iter().any(|word| words::verb(word).is_some());
    let is_named = words::is_envelope(&name)
        || (is_verb && names.next().is_some_and(|above| words::is_envelope(&above)));
    let are_objects = elements
        .iter()
        .all(|element| matches!(element, Data::Object(object) if !object.is_empty()));
    is_named
        && are_objects
        && !elements.is_empty()
        && !tells_properties(elements)
        && (is_verb || elements.iter().any(|element| stands_alone(element, 2)))
}

/// Whether an element is a record or an event by itself: it, or something in it, speaks of a person, or it is a change
/// of one property.
fn stands_alone(element: &Data, depth: usize) -> bool {
    let Data::Object(object) = element else {
        return false;
    };
    is_record_list(std::slice::from_ref(element))
        || property(object).is_some()
        || (depth > 0
            && object
                .iter()
                .any(|(_, inner)| stands_alone(inner, depth - 1)))
}

impl Envelope {
    /// The value of `items`.
    pub(super) fn items(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::List => Some("$[]".to_owned()),
            Self::Lists(lists) => {
                let lists: Vec<String> = lists.iter().map(|list| text(list)).collect();
                Some(lists.join(" ?? "))
            }
        }
    }

    /// Where each kind of event has a list of its own, that says what kind an item is.
    pub(super) fn event_type(&self, items: &[Item<'_>]) -> Option<EventType> {
        let Self::Lists(lists) = self else {
            return None;
        };
        if lists.len() < 2 {
            return None;
        }
        let value = |item: &Item<'_>| {
            let body = item.body?;
            let list = lists.iter().find(|list| !elements(body, list).is_empty())?;
            Some(text(list).trim_end_matches("[]").to_owned())
        };
        Some(EventType {
            path: None,
            values: items.iter().map(value).collect(),
        })
    }
}

fn text(list: &[Step]) -> String {
    let spot = Spot {
        origin: Origin::Here,
        steps: list.to_vec(),
        property: None,
    };
    spot.text()
}
