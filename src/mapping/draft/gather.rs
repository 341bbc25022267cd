//! Where in a record values stand, and what they are in each of the samples.
//!
//! Elements of a list of contact points or of keys and values get a spot each, told apart by the word that names them;
//! lists of records are passed by, or joined. The literal of such a condition is always a word of the tables in
//! `words`, never another value of the sample.

use std::collections::HashMap;

use super::{
    data::{Data, Object},
    lists::{Telling, is_contact_kind, is_record_list, property, telling},
    spot::{Literal, Origin, Spot, Step, is_writable},
    words::{self, Guess},
};

/// A spot with what was found there.
#[derive(Debug)]
pub(super) struct Found<'t> {
    pub(super) spot: Spot,
    /// The values, each with the number of its record.
    pub(super) values: Vec<(usize, &'t Data)>,
    /// The words of each step, without those that mean nothing by themselves; the last are the name.
    pub(super) names: Vec<Vec<String>>,
    /// What the name may mean, looked at alone and together with what it stands in; the surest first.
    pub(super) guesses: Vec<Guess>,
}

/// Everything that was found in the records of one kind, in the order in which it was first seen.
#[derive(Debug, Default)]
pub(super) struct Gathered<'t> {
    pub(super) found: Vec<Found<'t>>,
    /// Whether the records are whole bodies, so that paths from the body lead into them.
    pub(super) are_bodies: bool,
    known: HashMap<Spot, usize>,
}

/// More spots than any event of an honest sender has.
const MAX_SPOTS: usize = 2_000;

impl<'t> Gathered<'t> {
    /// Adds one record, or what stands around it. `is_body` says that the record is the whole body, so that `$` leads
    /// to it too; `skip` is the list that the records themselves come from.
    pub(super) fn add(
        &mut self,
        origin: Origin,
        record: usize,
        tree: &'t Data,
        is_body: bool,
        skip: &[Step],
    ) {
        self.are_bodies |= is_body;
        let mut walk = Walk {
            gathered: self,
            origin,
            record,
            is_body,
            skip,
            steps: Vec::new(),
            property: None,
        };
        walk.tree(tree);
    }

    fn put(&mut self, spot: Spot, record: usize, tree: &'t Data) {
        if let Some(found) = self.known.get(&spot).and_then(|at| self.found.get_mut(*at)) {
            found.values.push((record, tree));
        } else if self.found.len() < MAX_SPOTS {
            self.known.insert(spot.clone(), self.found.len());
            let names = names(&spot);
            self.found.push(Found {
                guesses: guesses(&names),
                names,
                values: vec![(record, tree)],
                spot,
            });
        }
    }
}

struct Walk<'g, 't> {
    gathered: &'g mut Gathered<'t>,
    origin: Origin,
    record: usize,
    is_body: bool,
    skip: &'g [Step],
    steps: Vec<Step>,
    property: Option<(String, String)>,
}

impl<'t> Walk<'_, 't> {
    fn tree(&mut self, tree: &'t Data) {
        if !self.steps.is_empty() {
            let spot = Spot {
                origin: self.origin,
                steps: self.steps.clone(),
                property: self.property.clone(),
            };
            self.gathered.put(spot, self.record, tree);
        }
        match tree {
            Data::Object(object) => self.object(object),
            Data::List(elements) => self.list(elements),
            Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) => {}
        }
    }

    fn step(&mut self, step: Step, tree: &'t Data) {
        self.steps.push(step);
        self.tree(tree);
        self.steps.pop();
    }

    fn object(&mut self, object: &'t Object) {
        if self.steps.is_empty()
            && let Some((key, name, value)) = property(object)
            && let Some(tree) = object.get(value)
        {
            self.property = Some((key.to_owned(), name.to_owned()));
            self.step(Step::Key(value.to_owned()), tree);
            self.property = None;
        }
        for (key, value) in object.iter() {
            // A path from here begins with a plain name; from the body and the item any name may follow the dot.
            let needs_name = self.steps.is_empty() && self.origin == Origin::Here;
            if is_writable(key, needs_name) {
                self.step(Step::Key(key.to_owned()), value);
            } else if self.is_body && is_writable(key, false) {
                self.origin = Origin::Body;
                self.step(Step::Key(key.to_owned()), value);
                self.origin = Origin::Here;
            }
        }
    }

    fn list(&mut self, elements: &'t [Data]) {
        // The items are in a list of the body: what is around them stands outside it.
        if self.origin == Origin::Body && !self.is_body {
            return;
        }
        if self.skip.len() == self.steps.len() + 1 && self.skip.starts_with(&self.steps) {
            return;
        }
        match telling(elements) {
            Some(telling) => self.told_apart(elements, &telling),
            None => self.alike(elements),
        }
    }

    /// The elements of a list that nothing tells apart: all of them, the first, or neither.
    fn alike(&mut self, elements: &'t [Data]) {
        let are_records = is_record_list(elements);
        let are_objects = elements
            .iter()
            .any(|element| matches!(element, Data::Object(_)));
        if (are_records || !are_objects) && !self.steps.contains(&Step::Every) {
            self.steps.push(Step::Every);
            for element in elements {
                self.tree(element);
            }
            self.steps.pop();
        }
        if let Some(first) = elements.first().filter(|_| !are_records) {
            self.step(Step::First, first);
        }
    }

    /// The first element for each condition that some element meets.
    fn told_apart(&mut self, elements: &'t [Data], telling: &Telling<'t>) {
        let mut seen: Vec<(String, Literal)> = Vec::new();
        for element in elements {
            let Data::Object(object) = element else {
                continue;
            };
            for condition in telling.conditions(object) {
                if !seen.contains(&condition) {
                    seen.push(condition.clone());
                    let (key, literal) = condition;
                    self.step(Step::Where { key, literal }, element);
                }
            }
        }
    }
}

/// The words of the steps, those that mean nothing by themselves joined to what they stand in.
fn names(spot: &Spot) -> Vec<Vec<String>> {
    let mut names: Vec<Vec<String>> = Vec::new();
    for step in &spot.steps {
        match step {
            Step::Key(key) => {
                let words = words::words(key);
                if names.is_empty() || !words::is_neutral(&words) {
                    names.push(words);
                }
            }
            Step::Where {
                literal: Literal::Text(literal),
                ..
            } => {
                let mut words = words::words(literal);
                if is_contact_kind(&words)
                    && let Some(list) = names.pop()
                {
                    words.extend(list);
                }
                names.push(words);
            }
            Step::Where { .. } | Step::First | Step::Every => {}
        }
    }
    if let Some((_, name)) = &spot.property {
        names.push(words::words(name));
    }
    names
}

fn guesses(names: &[Vec<String>]) -> Vec<Guess> {
    let Some((name, above)) = names.split_last() else {
        return Vec::new();
    };
    let mut guesses = words::meanings(name);
    if let Some(parent) = above.last() {
        let both: Vec<String> = parent.iter().chain(name).cloned().collect();
        guesses.extend(
            words::meanings(&both)
                .into_iter()
                .filter(|guess| guess.strength == 4),
        );
    }
    guesses
}
