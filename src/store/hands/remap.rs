//! Mapping a stored event again: what is kept of it, and what becomes of its deliveries.
//!
//! Deliveries are matched by their place: the item in the body, and the outcome in the item. What ended stays as it
//! is, and so do items of which nothing is open. An open delivery takes what the mapping gives at its place now; one
//! where it gives nothing any more is dropped. What stands at a place where nothing was is new; an item that is new
//! counts only if nobody else holds its dedup key.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    event::{
        DedupKey, DeliveryPos, EventSeq, MappingHash, OrganisationName, Redelivery, SourceName,
    },
    store::{
        LaneHead, NewEvent, NewGroup, StoreError,
        hands::sent_again,
        rows::{DeliveryRow, EventRows, FateRow, GroupRows, UpdateColumns},
    },
};

/// What a delivery ends with where the mapping gives nothing at its place any more.
pub(in crate::store) const GONE: &str = "the mapping gives nothing here any more";

/// An accepted request, as far as it is needed to map it again.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    pub event: EventSeq,
    pub source: SourceName,
    pub organisation: OrganisationName,
    pub received_at: Timestamp,
    pub content_type: Option<String>,
    /// Those that were kept.
    pub headers: Vec<(String, String)>,
    /// `None` once its retention is over.
    pub body: Option<Bytes>,
}

/// What a mapping makes of a stored event.
#[derive(Clone, Debug)]
pub struct Remapping {
    pub event: EventSeq,
    pub source: SourceName,
    pub organisation: OrganisationName,
    pub received_at: Timestamp,
    pub mapping: MappingHash,
    /// All that it gives, as for a new event.
    pub groups: Vec<NewGroup>,
    pub how: Redelivery,
}

/// What became, or would become, of an event's deliveries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remapped {
    /// In the order of the body; nothing of what stays as it is.
    pub steps: Vec<RemapStep>,
    /// What waits now, as the dispatcher must know it; none in a dry run.
    pub heads: Vec<LaneHead>,
}

/// What becomes of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemapStep {
    pub item: u32,
    pub number: u32,
    /// Whether nothing was at this place before.
    pub is_new: bool,
    pub result: RemapResult,
}

/// How a delivery stands when its event was mapped again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemapResult {
    /// It waits with what the mapping gives now.
    Waits,
    /// It is dead: the mapping fails, or names nobody.
    Dies,
    /// It ends by a rule.
    Drops,
    /// It ends, since the mapping gives nothing at its place any more.
    Gone,
}

/// A place that a delivery of the event has or had, with its position where it is open.
pub(in crate::store) type Places = BTreeMap<(u32, u32), Option<i64>>;

/// One thing to do.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) struct Plan<'n, D> {
    pub(in crate::store) place: (u32, u32),
    /// The open delivery.
    pub(in crate::store) pos: Option<i64>,
    /// What the mapping gives; nothing any more.
    pub(in crate::store) after: Option<&'n D>,
}

/// What is to be done, by the places of an event and what the mapping gives at each, in groups that stand or fall
/// together. `is_new` says of the group with this number whether nobody holds its key.
pub(in crate::store) fn plan<'n, D, E>(
    places: &Places,
    groups: &[Vec<((u32, u32), &'n D)>],
    mut is_new: impl FnMut(usize) -> Result<bool, E>,
) -> Result<Vec<Plan<'n, D>>, E> {
    let items: BTreeSet<u32> = places.keys().map(|(item, _)| *item).collect();
    let open: BTreeSet<u32> = places
        .iter()
        .filter(|(_, pos)| pos.is_some())
        .map(|((item, _), _)| *item)
        .collect();
    let mut steps = Vec::new();
    if open.is_empty() {
        return Ok(steps);
    }
    let mut given = BTreeSet::new();
    for (number, group) in groups.iter().enumerate() {
        let is_ours = group.iter().any(|((item, _), _)| items.contains(item));
        if !is_ours && !is_new(number)? {
            continue;
        }
        for (place, after) in group {
            given.insert(*place);
            let stays = items.contains(&place.0) && !open.contains(&place.0);
            match places.get(place) {
                Some(None) => {}
                Some(Some(pos)) => steps.push(Plan {
                    place: *place,
                    pos: Some(*pos),
                    after: Some(*after),
                }),
                None if stays => {}
                None => steps.push(Plan {
                    place: *place,
                    pos: None,
                    after: Some(*after),
                }),
            }
        }
    }
    let left = places
        .iter()
        .filter(|(place, pos)| pos.is_some() && !given.contains(place));
    steps.extend(left.map(|(place, pos)| Plan {
        place: *place,
        pos: *pos,
        after: None,
    }));
    steps.sort_by_key(|step| step.place);
    Ok(steps)
}

/// What a mapping makes of a stored event, as rows.
pub(in crate::store) struct Remap {
    pub(in crate::store) event: i64,
    pub(in crate::store) rows: EventRows,
    pub(in crate::store) how: Redelivery,
}

impl Remap {
    pub(in crate::store) fn new(remapping: Remapping) -> Result<Self, StoreError> {
        let rows = EventRows::new(NewEvent {
            source: remapping.source,
            organisation: remapping.organisation,
            received_at: remapping.received_at,
            content_type: None,
            headers: Vec::new(),
            body: Bytes::new(),
            mapping: remapping.mapping,
            groups: remapping.groups,
        })?;
        Ok(Self {
            event: remapping.event.0,
            rows,
            how: remapping.how,
        })
    }

    /// As [`plan`]; `is_new` says whether nobody holds a key.
    pub(in crate::store) fn planned<E>(
        &self,
        places: &Places,
        mut is_new: impl FnMut(DedupKey) -> Result<bool, E>,
    ) -> Result<Vec<Plan<'_, DeliveryRow>>, E> {
        let groups: Vec<Vec<_>> = self
            .rows
            .groups
            .iter()
            .map(|group| {
                let deliveries = group.deliveries.iter();
                deliveries
                    .map(|delivery| ((delivery.item, delivery.number), delivery))
                    .collect()
            })
            .collect();
        plan(places, &groups, |number| {
            let group = self.rows.groups.get(number);
            group.map_or(Ok(false), |group| is_new(group.key))
        })
    }

    /// The groups of items that the event did not have.
    pub(in crate::store) fn groups_beside(
        &self,
        places: &Places,
    ) -> impl Iterator<Item = &GroupRows> {
        let items: BTreeSet<u32> = places.keys().map(|(item, _)| *item).collect();
        let groups = self.rows.groups.iter();
        groups.filter(move |group| {
            let mut deliveries = group.deliveries.iter();
            !deliveries.any(|delivery| items.contains(&delivery.item))
        })
    }

    /// What the dispatcher must know of a delivery that waits now.
    pub(in crate::store) fn head(
        &self,
        pos: i64,
        update: Option<&UpdateColumns>,
    ) -> Option<LaneHead> {
        let organisation = self.rows.organisation.clone();
        Some(sent_again(
            organisation,
            update?.lane?,
            DeliveryPos(pos),
            self.how,
        ))
    }
}

/// What a thing to do means for people.
pub(in crate::store) fn step(plan: &Plan<'_, DeliveryRow>) -> RemapStep {
    RemapStep {
        item: plan.place.0,
        number: plan.place.1,
        is_new: plan.pos.is_none(),
        result: match plan.after.map(|after| &after.fate) {
            None => RemapResult::Gone,
            Some(FateRow::Waiting { .. }) => RemapResult::Waits,
            Some(FateRow::Dead { .. }) => RemapResult::Dies,
            Some(FateRow::Dropped { .. } | FateRow::Observed { .. }) => RemapResult::Drops,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// `item.number` of each step, with `=` for what takes new contents, `+` for what is new, `-` for what is gone.
    fn planned(
        places: &[(u32, u32, Option<i64>)],
        groups: &[&[(u32, u32)]],
        new_groups: &[usize],
    ) -> String {
        let places = places
            .iter()
            .map(|(item, number, pos)| ((*item, *number), *pos));
        let groups: Vec<Vec<_>> = groups
            .iter()
            .map(|group| group.iter().map(|place| (*place, &())).collect())
            .collect();
        let is_new = |group: usize| Ok::<_, Infallible>(new_groups.contains(&group));
        let Ok(steps) = plan(&places.collect(), &groups, is_new);
        let words = steps.iter().map(|step| {
            let sign = match (step.pos, step.after) {
                (Some(_), Some(())) => '=',
                (None, _) => '+',
                (_, None) => '-',
            };
            format!("{sign}{}.{}", step.place.0, step.place.1)
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn places_are_matched_one_by_one() {
        let (open, ended) = (Some(1), None);
        // The whole body could not be mapped.
        assert_eq!(
            planned(&[(0, 0, open)], &[&[(0, 0), (1, 0), (2, 0)]], &[]),
            "=0.0 +1.0 +2.0"
        );
        // The same where items have keys of their own, and one of them came with another event.
        let items: [&[(u32, u32)]; 3] = [&[(0, 0)], &[(1, 0)], &[(2, 0)]];
        assert_eq!(planned(&[(0, 0, open)], &items, &[2]), "=0.0 +2.0");
        // One of a batch failed, the others were delivered.
        let batch = [(0, 0, ended), (1, 0, open), (2, 0, ended)];
        assert_eq!(planned(&batch, &items, &[]), "=1.0");
        // More, fewer and other outcomes of one item.
        assert_eq!(
            planned(&[(0, 0, open)], &[&[(0, 0), (0, 1)]], &[]),
            "=0.0 +0.1"
        );
        let two = [(0, 0, open), (0, 1, open)];
        assert_eq!(planned(&two, &[&[(0, 0)]], &[]), "=0.0 -0.1");
        // What was delivered stays, also where its neighbour is mapped again.
        let half = [(0, 0, ended), (0, 1, open)];
        assert_eq!(
            planned(&half, &[&[(0, 0), (0, 1), (0, 2)]], &[]),
            "=0.1 +0.2"
        );
        // The item is not in the body any more, by the mapping of now.
        assert_eq!(planned(&batch, &[&[(0, 0)]], &[]), "-1.0");
    }

    #[test]
    fn an_event_of_which_nothing_is_open_stays_as_it_is() {
        assert_eq!(
            planned(&[(0, 0, None)], &[&[(0, 0), (0, 1)], &[(1, 0)]], &[1]),
            ""
        );
        assert_eq!(planned(&[], &[&[(0, 0)]], &[0]), "");
    }
}
