//! A draft of a mapping file, made from sample events.
//!
//! For somebody who has never seen the language: the draft reads the samples, tells kinds of events apart, finds the
//! records in them, proposes fields by the names and the shapes of values in Spanish and English, and writes it all
//! down in the style of the shipped files, with comments that teach and a test for each sample.
//!
//! Promises: the draft of any samples is one that [`compile`](super::compile) takes without errors or warnings, its
//! own tests included, or there is a [`CannotDraft`] that says why not. The same samples give the same text. Outside
//! the tests no value of a sample appears, but for the words by which the sender names its kinds of events and the names
//! of fields that the tables here know. Guarded fields are never proposed. It is pure, as the rest of the language is: reading samples and writing files is done by
//! others, and so is the `receive` section.
//!
//! The way through the module: `words`, `shape`, `lists` and `spot` (what a key, a value, a list suggest, and how a path
//! is written), `envelope`, `events`, `records` and `gather` (what stands where), `guess` (fields), `rules`, then
//! `anonymise`, `paths`, `print` and `write`.

mod anonymise;
mod data;
mod envelope;
mod events;
mod gather;
mod guess;
mod lists;
mod paths;
mod print;
mod records;
mod rules;
mod shape;
mod spot;
mod words;
mod write;

use std::collections::HashMap;

use jiff::Timestamp;

use self::{
    anonymise::Anonymiser, data::Data, envelope::Envelope, events::EventType, records::Item,
    rules::Rules,
};
use super::{Input, body};
use crate::event::SourceName;

/// One sample event.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// What it is called in messages and as a test.
    pub name: &'a str,
    pub body: &'a [u8],
    /// The `Content-Type` of its request; without one it is JSON.
    pub content_type: Option<&'a str>,
    /// The path by which a test names it, relative to the draft; without one the event is written into the test.
    pub event_file: Option<&'a str>,
}

/// What becomes of the values of events that are written into tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Names, addresses, numbers and free text are replaced by invented ones of the same shape.
    Invented,
    Kept,
}

/// Why there is no draft.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotDraft {
    #[error("a draft needs at least one sample event")]
    NoSample,
    #[error("{sample}: {reason}")]
    Unreadable { sample: String, reason: String },
    #[error("the samples hold nothing that has a name and a value")]
    Empty,
    #[error("some samples are lists and some are not: make one draft of each kind")]
    Mixed,
    #[error(
        "{sample}: the event is too large or too deep to be written into the draft: put the sample file beside it"
    )]
    TooLarge { sample: String },
    #[error(
        "the draft would be larger than a source file may be: give fewer samples, or shorter ones with fewer records"
    )]
    TooMuch,
    /// A fault of this program.
    #[error("the draft came out wrong, which is a fault of this program: {findings}")]
    Broken { findings: String },
}

/// What is known of the samples, ready to be written.
pub struct Draft<'a> {
    samples: &'a [Sample<'a>],
    bodies: Vec<Data>,
    envelope: Envelope,
    rules: Rules,
    dedup: Option<String>,
}

impl<'a> Sample<'a> {
    fn input(&self) -> Input<'a> {
        Input {
            body: self.body,
            content_type: self.content_type,
            headers: &[],
            // As in tests: nothing lies in the future.
            now: Timestamp::MAX,
        }
    }
}

impl<'a> Draft<'a> {
    /// Judges the samples.
    ///
    /// # Errors
    /// There is nothing to make a draft of.
    pub fn new(samples: &'a [Sample<'a>]) -> Result<Self, CannotDraft> {
        if samples.is_empty() {
            return Err(CannotDraft::NoSample);
        }
        let read = |sample: &Sample<'a>| {
            body::decode(&sample.input()).map_err(|error| CannotDraft::Unreadable {
                sample: sample.name.to_owned(),
                reason: error.to_string(),
            })
        };
        let bodies: Vec<_> = samples.iter().map(read).collect::<Result<_, _>>()?;
        let bodies = Data::of_samples(&bodies);
        let (envelope, items) = envelope::open(&bodies)?;
        if !items.iter().any(|item| has_named_value(item.tree, false)) {
            return Err(CannotDraft::Empty);
        }
        let event_type = envelope
            .event_type(&items)
            .or_else(|| events::event_type(&items));
        let rules = rules::rules(&items, event_type.as_ref());
        let dedup = dedup(&items, event_type.as_ref(), &rules);
        Ok(Self {
            samples,
            bodies,
            envelope,
            rules,
            dedup,
        })
    }

    /// The path that numbers events, where there is one.
    pub fn dedup(&self) -> Option<&str> {
        self.dedup.as_deref()
    }

    /// Whether some sample has a value at a path of keys, such as `meta.action`; in each list the first element counts.
    pub fn has(&self, path: &str) -> bool {
        let leads = |body: &Data| {
            let mut here = body;
            path.split('.').all(|key| {
                while let Data::List(elements) = here
                    && let Some(first) = elements.first()
                {
                    here = first;
                }
                match here {
                    Data::Object(object) => object.get(key).map(|value| here = value).is_some(),
                    _ => false,
                }
            })
        };
        self.bodies.iter().any(leads)
    }

    /// The whole file: `head` are its comments, `receive` its section of that name with a line end.
    ///
    /// # Errors
    /// An event that cannot be written into the file.
    pub fn write(
        mut self,
        source: &SourceName,
        head: &str,
        receive: &str,
        values: Values,
    ) -> Result<String, CannotDraft> {
        let events = self.events(values)?;
        print::file(&mut self, source, head, receive, &events)
    }

    /// What tests map: the JSON of an event that is written into the file, or nothing for one that has a file.
    fn events(&self, values: Values) -> Result<Vec<Option<String>>, CannotDraft> {
        let mut anonymiser = Anonymiser::new(values, &self.rules.literals);
        let mut room = write::Room::default();
        let events = self.samples.iter().zip(&self.bodies).map(|(sample, body)| {
            if sample.event_file.is_some() {
                Ok(None)
            } else if room.takes(body) {
                Ok(Some(anonymiser.json(body)))
            } else {
                Err(CannotDraft::TooLarge {
                    sample: sample.name.to_owned(),
                })
            }
        });
        events.collect()
    }
}

/// Whether there is a plain value under a key, which a path can lead to.
fn has_named_value(tree: &Data, is_named: bool) -> bool {
    match tree {
        Data::Object(object) => object.iter().any(|(_, value)| has_named_value(value, true)),
        Data::List(elements) => elements
            .iter()
            .any(|element| has_named_value(element, is_named)),
        Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) => is_named,
    }
}

/// The path that numbers the events: no two of different kinds have the same number, and where nothing tells kinds
/// apart, no two at all.
fn dedup(items: &[Item<'_>], event_type: Option<&EventType>, rules: &Rules) -> Option<String> {
    let has_record_below = rules
        .scopes()
        .any(|scope| scope.each.is_some() || scope.proposal.is_nested);
    let tells_apart = |values: &[String]| {
        let mut kinds: HashMap<&str, Option<&String>> = HashMap::new();
        values.iter().enumerate().all(|(index, value)| {
            let kind = event_type
                .and_then(|event_type| event_type.values.get(index))
                .and_then(Option::as_ref);
            match kinds.insert(value, kind) {
                None => true,
                Some(before) => kind.is_some() && before == kind,
            }
        })
    };
    let mut candidates = guess::event_id(items, has_record_below).into_iter();
    candidates
        .find(|(_, values)| tells_apart(values))
        .map(|(path, _)| path)
}

#[cfg(test)]
mod tests;
