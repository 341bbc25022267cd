//! Which part of an item is a record: the item itself, or the elements of one of its lists.

use super::{
    data::Data,
    gather::Gathered,
    guess::{Proposal, propose},
    lists::is_record_list,
    spot::{Origin, Spot, Step},
};

/// An item of the samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'t> {
    pub(super) tree: &'t Data,
    /// The body around it; none where the item is the whole body.
    pub(super) body: Option<&'t Data>,
}

/// A rule's records and what is made of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scope {
    /// The list of records, as the language writes it; none where the item is the record.
    pub(super) each: Option<String>,
    pub(super) proposal: Proposal,
}

/// More records say nothing new about names and shapes.
const MAX_RECORDS: usize = 500;
/// Lists that are tried; and how deep one may stand in others.
const MAX_LISTS: usize = 20;
const MAX_NESTING: usize = 3;

/// Finds the records in items of one kind.
pub(super) fn scope(items: &[Item<'_>]) -> Scope {
    let mut lists: Vec<Vec<Step>> = Vec::new();
    for item in items {
        list_paths(item.tree, &mut Vec::new(), &mut lists);
    }
    let whole = Scope {
        each: None,
        proposal: propose(&gather(items, None)),
    };
    // Of equal ones the outer: an item is simpler to read than its lists.
    lists.iter().fold(whole, |best, list| {
        let proposal = propose(&gather(items, Some(list)));
        if proposal.score <= best.proposal.score {
            return best;
        }
        let spot = Spot {
            origin: Origin::Here,
            steps: list.clone(),
            property: None,
        };
        Scope {
            each: Some(spot.text()),
            proposal,
        }
    })
}

/// Everything in the records of these items, and around them.
fn gather<'t>(items: &[Item<'t>], list: Option<&[Step]>) -> Gathered<'t> {
    let mut gathered = Gathered::default();
    let mut record = 0;
    for item in items.iter().take(MAX_RECORDS) {
        match list {
            None => {
                gathered.add(Origin::Here, record, item.tree, item.body.is_none(), &[]);
                record += 1;
            }
            Some(list) => {
                for element in elements(item.tree, list) {
                    gathered.add(Origin::Here, record, element, false, &[]);
                    record += 1;
                    if record > MAX_RECORDS {
                        break;
                    }
                }
            }
        }
        if let Some(list) = list {
            gathered.add(Origin::Item, record, item.tree, false, list);
        }
        if let Some(body) = item.body {
            gathered.add(Origin::Body, record, body, false, &[]);
        }
    }
    gathered
}

/// The elements that a path of keys and lists leads to.
pub(super) fn elements<'t>(tree: &'t Data, steps: &[Step]) -> Vec<&'t Data> {
    let Some((step, rest)) = steps.split_first() else {
        return vec![tree];
    };
    match (step, tree) {
        (Step::Key(key), Data::Object(object)) => object
            .get(key)
            .map(|inner| elements(inner, rest))
            .unwrap_or_default(),
        (Step::Every, Data::List(inner)) => inner
            .iter()
            .flat_map(|inner| elements(inner, rest))
            .collect(),
        _ => Vec::new(),
    }
}

/// Adds the paths of all lists of records.
fn list_paths(tree: &Data, steps: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
    match tree {
        Data::Object(object) => {
            for (key, inner) in object.iter() {
                if super::spot::is_writable(key, steps.is_empty()) {
                    steps.push(Step::Key(key.to_owned()));
                    list_paths(inner, steps, found);
                    steps.pop();
                }
            }
        }
        Data::List(elements)
            if steps.iter().filter(|step| **step == Step::Every).count() < MAX_NESTING =>
        {
            steps.push(Step::Every);
            // Events may have thousands of elements alike.
            for element in elements.iter().take(MAX_RECORDS) {
                list_paths(element, steps, found);
            }
            if is_record_list(elements)
                && !steps.is_empty()
                && found.len() < MAX_LISTS
                && !found.contains(steps)
            {
                found.push(steps.clone());
            }
            steps.pop();
        }
        _ => {}
    }
}
