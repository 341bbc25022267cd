//! Fields whose names nest with brackets, as they come one after the other.
//!
//! `contact[fields][12]` is `contact.fields."12"`. A level whose names are `0, 1, 2, …` in any order, or empty
//! (`tags[]`), is a list; one of numbers with gaps is an object and also the list of its values; a name given several times without brackets is a list of its values in the order written, and
//! one given once counts as its value and as the list of that alone. A name is one of a value, a list and an object:
//! fields that use it as two of them are refused, since one would be lost. Such names are those that PHP-like senders
//! write (Kommo, Bitrix24, `ActiveCampaign`, Mailchimp); no standard describes them.

use std::{borrow::Cow, collections::HashMap};

use crate::mapping::{
    limits::EVENT_DEPTH,
    tree::{LINEAR, Numbered, Object, Parts, Tree, list_index},
};

/// Why a name cannot be both at once.
pub(super) const VALUE_AND_MORE: &str = "a name is both a value and a list or object";
pub(super) const TWO_LISTS: &str = "a name is both a list of `[]` and an object or numbered list";

/// The fields that came so far.
pub(in crate::mapping) struct Fields<'a> {
    root: Names<'a>,
    parts: Parts,
}

impl<'a> Fields<'a> {
    pub(in crate::mapping) fn new() -> Self {
        Self {
            root: Names::default(),
            parts: Parts::new(),
        }
    }

    /// Adds the next field, or says why it cannot be added.
    pub(in crate::mapping) fn put(
        &mut self,
        name: &str,
        value: Tree<'a>,
    ) -> Result<(), &'static str> {
        let keys = split_name(name);
        if keys.len() >= EVENT_DEPTH {
            return Err("nested deeper than 64 levels");
        }
        // The first name is a name even when it is empty; only `[]` inside brackets adds to a list.
        match keys.split_first() {
            Some((first, inner)) => self.root.put(first, inner, value, &mut self.parts),
            None => Ok(()),
        }
    }

    /// The object of all fields.
    pub(in crate::mapping) fn into_tree(self) -> Tree<'a> {
        self.root.into_object()
    }
}

/// `a[b][]` as `a`, `b` and an empty name. A name whose brackets do not pair is one plain name.
fn split_name(name: &str) -> Vec<&str> {
    let Some((first, mut rest)) = name.split_once('[') else {
        return vec![name];
    };
    let mut keys = vec![first];
    loop {
        let Some((key, after)) = rest.split_once(']') else {
            return vec![name];
        };
        if key.contains('[') {
            return vec![name];
        }
        keys.push(key);
        match after.strip_prefix('[') {
            Some(next) => rest = next,
            None if after.is_empty() => return keys,
            None => return vec![name],
        }
    }
}

/// What stands under one name while pairs still come.
enum Level<'a> {
    Value(Tree<'a>),
    /// Several values given for the same name.
    Values(Vec<Tree<'a>>),
    /// Elements under `[]`.
    Elements(Vec<Self>),
    Names(Box<Names<'a>>),
}

/// Names inside a name, in the order of their first appearance.
#[derive(Default)]
struct Names<'a> {
    children: Vec<(String, Level<'a>)>,
    /// Where each child stands, kept when there are more than [`LINEAR`], so that thousands of names do not search
    /// each other.
    index: HashMap<String, usize>,
}

impl<'a> Level<'a> {
    /// A level that holds one value, inside these names.
    fn new(keys: &[&str], value: Tree<'a>, parts: &mut Parts) -> Result<Self, &'static str> {
        parts.take()?;
        Ok(match keys.split_first() {
            None => Self::Value(value),
            // One element takes its own size; a growing list would take four at once.
            Some((&"", rest)) => Self::Elements(vec![Self::new(rest, value, parts)?]),
            Some((key, rest)) => Self::Names(Box::new(Names {
                children: vec![((*key).to_owned(), Self::new(rest, value, parts)?)],
                index: HashMap::new(),
            })),
        })
    }

    fn put(
        &mut self,
        keys: &[&str],
        value: Tree<'a>,
        parts: &mut Parts,
    ) -> Result<(), &'static str> {
        match (&mut *self, keys.split_first()) {
            (Self::Value(first), None) => {
                parts.take()?;
                let first = std::mem::replace(first, Tree::Null);
                *self = Self::Values(vec![first, value]);
            }
            (Self::Values(values), None) => {
                parts.take()?;
                values.push(value);
            }
            (Self::Elements(elements), Some((&"", rest))) => {
                elements.push(Self::new(rest, value, parts)?);
            }
            (Self::Names(names), Some((key, rest))) if !key.is_empty() => {
                names.put(key, rest, value, parts)?;
            }
            (Self::Value(_) | Self::Values(_), Some(_))
            | (Self::Elements(_) | Self::Names(_), None) => return Err(VALUE_AND_MORE),
            (Self::Elements(_) | Self::Names(_), Some(_)) => return Err(TWO_LISTS),
        }
        Ok(())
    }

    fn into_tree(self) -> Tree<'a> {
        match self {
            Self::Value(value) => value,
            Self::Values(values) => Tree::List(values),
            Self::Elements(elements) => {
                Tree::List(elements.into_iter().map(Self::into_tree).collect())
            }
            Self::Names(names) => names.into_tree(),
        }
    }

    /// As it stands under its name, which might have come several times.
    fn into_named(self) -> Tree<'a> {
        match self {
            // One that is a list by itself is that list.
            Self::Value(value) if value.elements().is_none() => Tree::Sole(Box::new(value)),
            other => other.into_tree(),
        }
    }
}

impl<'a> Names<'a> {
    fn put(
        &mut self,
        key: &str,
        rest: &[&str],
        value: Tree<'a>,
        parts: &mut Parts,
    ) -> Result<(), &'static str> {
        if let Some(child) = self.child(key) {
            return child.put(rest, value, parts);
        }
        self.children
            .push((key.to_owned(), Level::new(rest, value, parts)?));
        let known = self.index.len();
        if self.children.len() > LINEAR {
            for (at, (name, _)) in self.children.iter().enumerate().skip(known) {
                self.index.insert(name.clone(), at);
            }
        }
        Ok(())
    }

    fn child(&mut self, key: &str) -> Option<&mut Level<'a>> {
        let at = if self.index.is_empty() {
            self.children.iter().position(|(name, _)| name == key)
        } else {
            self.index.get(key).copied()
        };
        self.children.get_mut(at?).map(|(_, child)| child)
    }

    /// A list where the names are `0, 1, 2, …` in any order; with gaps, an object that is a list as well.
    fn into_tree(mut self) -> Tree<'a> {
        let is_number = |(name, _): &(String, Level<'_>)| list_index(name).is_some();
        if !self.children.iter().all(is_number) {
            return self.into_object();
        }
        self.children.sort_by_key(|(name, _)| list_index(name));
        let places = self.children.iter().map(|(name, _)| list_index(name));
        let is_list = places.eq((0..self.children.len()).map(Some));
        let children = self.children.into_iter();
        if is_list {
            Tree::List(children.map(|(_, child)| child.into_tree()).collect())
        } else {
            let entries = children.map(|(name, child)| (name, child.into_named()));
            Tree::Numbered(Box::new(Numbered::new(entries)))
        }
    }

    fn into_object(self) -> Tree<'a> {
        let children = self.children.into_iter();
        let entries = children.map(|(name, child)| (Cow::Owned(name), child.into_named()));
        Tree::Object(Object::new(entries.collect()))
    }
}
