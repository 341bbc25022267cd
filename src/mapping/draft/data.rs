//! What a sample holds, with one shape for each place.
//!
//! In XML and in forms what comes once is itself and a list of one, and a text may have more inside. A draft must
//! choose: a list where some sample has several or where the name says so, otherwise the thing itself; what a text
//! says as JSON, otherwise the text, without the attributes of its element. Paths that are made of this work on the
//! body as well.

use std::collections::HashSet;

use super::words;
use crate::mapping::tree::Tree;

/// One value of a sample.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    Null,
    Bool(bool),
    /// As it is spelled in the body.
    Number(String),
    Text(String),
    List(Vec<Self>),
    Object(Object),
}

/// Keys with their values, each key once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Object(Vec<(String, Data)>);

impl Object {
    pub(super) fn get(&self, key: &str) -> Option<&Data> {
        self.iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Data)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Data {
    /// The samples of one draft, which agree on what is a list.
    pub(super) fn of_samples(bodies: &[Tree<'_>]) -> Vec<Self> {
        let mut lists = Lists::default();
        for body in bodies {
            lists.note(body);
        }
        bodies.iter().map(|body| lists.data(body)).collect()
    }

    /// One sample alone.
    pub(super) fn of(tree: &Tree<'_>) -> Self {
        let mut lists = Lists::default();
        lists.note(tree);
        lists.data(tree)
    }
}

/// Where in the samples there are lists, by the keys that lead there.
#[derive(Default)]
struct Lists {
    known: HashSet<Vec<String>>,
    here: Vec<String>,
}

impl Lists {
    fn note(&mut self, tree: &Tree<'_>) {
        match tree {
            Tree::Object(object) => self.note_entries(object.iter()),
            Tree::Numbered(numbered) => self.note_entries(numbered.iter()),
            Tree::List(elements) => {
                self.known.insert(self.here.clone());
                for element in elements {
                    self.note(element);
                }
            }
            Tree::Sole(only) => self.note(only),
            Tree::Layered(layered) => self.note(&layered.inside),
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) => {}
        }
    }

    fn note_entries<'t>(&mut self, entries: impl Iterator<Item = (&'t str, &'t Tree<'t>)>) {
        for (key, value) in entries {
            self.here.push(key.to_owned());
            self.note(value);
            self.here.pop();
        }
    }

    fn entries<'t>(&mut self, entries: impl Iterator<Item = (&'t str, &'t Tree<'t>)>) -> Data {
        let entries = entries.map(|(key, value)| {
            self.here.push(key.to_owned());
            let data = self.data(value);
            self.here.pop();
            (key.to_owned(), data)
        });
        Data::Object(Object(entries.collect()))
    }

    fn data(&mut self, tree: &Tree<'_>) -> Data {
        match tree {
            Tree::Null => Data::Null,
            Tree::Bool(flag) => Data::Bool(*flag),
            Tree::Number(number) => Data::Number(number.clone().into_owned()),
            Tree::Text(text) => Data::Text(text.clone().into_owned()),
            Tree::List(elements) => {
                Data::List(elements.iter().map(|element| self.data(element)).collect())
            }
            Tree::Object(object) => self.entries(object.iter()),
            Tree::Numbered(numbered) => self.entries(numbered.iter()),
            Tree::Sole(only) => {
                let data = self.data(only);
                let name = self
                    .here
                    .last()
                    .map(|name| words::words(name))
                    .unwrap_or_default();
                let is_one_of_many =
                    matches!(data, Data::Object(_)) && words::is_one_of_many(&name);
                if is_one_of_many || self.known.contains(&self.here) {
                    Data::List(vec![data])
                } else {
                    data
                }
            }
            Tree::Layered(layered) => match self.data(&layered.inside) {
                inside @ Data::List(_) => inside,
                Data::Object(object) if !object.iter().all(|(key, _)| key.starts_with('@')) => {
                    Data::Object(object)
                }
                _ => Data::Text(layered.text.clone().into_owned()),
            },
        }
    }
}
