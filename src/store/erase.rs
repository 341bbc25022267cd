//! Removes every trace of a person, as the law or the person asks for it.
//!
//! It goes through the stored events of an organisation from the first to the last, and then through the refused requests that
//! were kept whole, a bounded page at a time, since what they say is found only by reading it. Open deliveries for the person end as `erased`; ended ones, attempts, what was
//! observed, what Quentli confirmed, and every body, also of a refused request, in which an identifier stands are removed. Others in the same body keep
//! their mapped updates and lose only that they can be mapped again. Dedup keys stay, which are hashes: a late repetition of
//! an old event must not bring the person back.

mod words;

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

pub(in crate::store) use self::words::Words;
use super::{RefusedId, StoreError};
use crate::{
    customer::{CustomerId, CustomerReference, FindBy},
    event::{EventSeq, OrganisationName, SourceName},
};

/// Shorter texts, in characters, are not looked for in what was received: they stand in nearly every body.
const SHORTEST_TEXT: usize = 4;

/// Who is to be erased: all of it is the same person.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    pub organisation: OrganisationName,
    pub id: Option<CustomerId>,
    /// Other ways by which events name the person.
    pub find: Vec<FindBy>,
}

impl Person {
    /// Whether an update is for the person: by the key that decides, which is the identifier or else the first line. What
    /// stands behind it, such as the e-mail address of a family, others may share.
    pub fn is_meant_by(&self, reference: &CustomerReference) -> bool {
        match &reference.id {
            Some(id) => self.id.as_ref() == Some(id),
            None => reference
                .find
                .first()
                .is_some_and(|line| self.find.contains(line)),
        }
    }

    /// How many of the texts are too short to be looked for in bodies.
    pub fn too_short(&self) -> usize {
        let texts = self.texts().into_iter();
        texts
            .filter(|text| text.chars().count() < SHORTEST_TEXT)
            .count()
    }

    /// What of the person may stand in a body.
    pub fn texts(&self) -> Vec<&str> {
        let found_by = self.find.iter().map(|line| match line {
            FindBy::Username(value) | FindBy::Email(value) | FindBy::Metadata { value, .. } => {
                value.as_str()
            }
        });
        self.id
            .iter()
            .map(CustomerId::as_str)
            .chain(found_by)
            .collect()
    }
}

/// Identifiers are personal data.
impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person")
            .field("organisation", &self.organisation)
            .finish_non_exhaustive()
    }
}

/// How far the work has come: first all events, then the refused requests that were kept whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EraseAfter {
    Event(EventSeq),
    /// All events are done.
    Refused(RefusedId),
}

impl EraseAfter {
    /// Before everything.
    pub const NOTHING: Self = Self::Event(EventSeq(0));
    /// Before the first refused request.
    pub(in crate::store) const EVENTS: Self = Self::Refused(RefusedId(0));
}

/// A page of the work.
#[derive(Clone, Debug)]
pub struct ErasePage {
    pub person: Person,
    /// Sources of the person's organisation. Of others, refused requests are searched where the latest event of the source was
    /// of the organisation.
    pub sources: Vec<SourceName>,
    pub after: EraseAfter,
    /// Only counts.
    pub dry_run: bool,
    pub at: Timestamp,
}

/// What was removed, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Events in which something was found.
    pub events: u64,
    /// Deliveries that were waiting, looking or dead.
    pub deliveries: u64,
    /// Deliveries that had ended.
    pub history: u64,
    pub attempts: u64,
    /// Updates that were only observed.
    pub observed: u64,
    /// Bodies, with their headers.
    pub bodies: u64,
    /// Values and versions that Quentli confirmed.
    pub applied: u64,
    /// Refused requests that were kept whole.
    pub refused: u64,
}

impl Erased {
    /// How many rows and bodies.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.deliveries
            + self.history
            + self.attempts
            + self.observed
            + self.bodies
            + self.applied
            + self.refused
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: &Self) -> Self {
        Self {
            events: self.events + other.events,
            deliveries: self.deliveries + other.deliveries,
            history: self.history + other.history,
            attempts: self.attempts + other.attempts,
            observed: self.observed + other.observed,
            bodies: self.bodies + other.bodies,
            applied: self.applied + other.applied,
            refused: self.refused + other.refused,
        }
    }
}

/// What came of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErasedPage {
    pub erased: Erased,
    /// Open deliveries that ended, by source.
    pub ended: Vec<(SourceName, u32)>,
    /// Where the next page begins; `None` after the last one, with which the confirmed values went.
    pub next: Option<EraseAfter>,
}

/// Erases persons from a store.
#[async_trait]
pub trait Erasure: Send + Sync + fmt::Debug {
    /// Does a page of the work. Each is one transaction; between them everything else goes on.
    async fn erase(&self, page: ErasePage) -> Result<ErasedPage, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::customer::{OnConflict, OnMissing};

    #[test]
    fn an_update_is_for_whom_its_first_key_names() {
        let email = || FindBy::Email("casa@example.mx".into());
        let username = |name: &str| FindBy::Username(name.into());
        let person = Person {
            organisation: OrganisationName::default_name(),
            id: Some("cus_1".parse().unwrap()),
            find: vec![username("tut-1"), email()],
        };
        for (id, find, expected) in [
            (Some("cus_1"), vec![], true),
            (Some("cus_1"), vec![username("tut-2")], true),
            (Some("cus_2"), vec![email()], false),
            (None, vec![username("tut-1"), email()], true),
            (None, vec![username("tut-2"), email()], false),
            (None, vec![email(), username("tut-2")], true),
            (None, vec![], false),
        ] {
            let reference = CustomerReference {
                id: id.map(|id| id.parse().unwrap()),
                find,
                on_missing: OnMissing::Retry,
                on_conflict: OnConflict::Fail,
            };
            assert_eq!(person.is_meant_by(&reference), expected, "{reference:?}");
        }
    }

    #[test]
    fn identifiers_that_bodies_are_not_searched_for_are_counted() {
        let person = Person {
            organisation: OrganisationName::default_name(),
            id: Some("cus_1".parse().unwrap()),
            find: ["a@b", "ñañ", "ñaña"]
                .map(|name| FindBy::Username(name.into()))
                .into(),
        };
        assert_eq!(person.too_short(), 2);
    }
}
