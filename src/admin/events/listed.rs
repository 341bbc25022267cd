//! Entries of lists, without anything personal: what became of them, in names and numbers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    customer::CustomerId,
    event::DeliveryState,
    store::{DeliveryCounts, ListedDelivery, ListedEvent, Standing},
};

/// An event in a list.
#[derive(Serialize)]
pub(super) struct EventEntry {
    event: i64,
    received_at: Timestamp,
    source: String,
    organisation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    /// Absent where the body is not kept any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_bytes: Option<u64>,
    #[serde(flatten)]
    deliveries: Counts,
}

/// How deliveries stand, by the words for states and ends.
#[derive(Serialize)]
pub(super) struct Counts {
    deliveries: BTreeMap<&'static str, u32>,
    /// Whether there are more than were counted.
    more: bool,
}

impl From<DeliveryCounts> for Counts {
    fn from(counts: DeliveryCounts) -> Self {
        let each = counts.counts.into_iter();
        Self {
            deliveries: each
                .map(|(standing, count)| (standing.as_str(), count))
                .collect(),
            more: counts.is_cut,
        }
    }
}

impl From<ListedEvent> for EventEntry {
    fn from(listed: ListedEvent) -> Self {
        Self {
            event: listed.facts.seq.0,
            received_at: listed.facts.received_at,
            source: listed.facts.source.to_string(),
            organisation: listed.facts.organisation.to_string(),
            content_type: listed.facts.content_type,
            body_bytes: listed.facts.body_bytes,
            deliveries: listed.deliveries.into(),
        }
    }
}

/// A delivery in a list.
#[derive(Serialize)]
pub(super) struct DeliveryEntry {
    /// While it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    event: i64,
    item: u32,
    number: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    received_at: Option<Timestamp>,
    source: String,
    organisation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[serde(flatten)]
    standing: Stands,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<String>,
    /// Names, never values.
    fields: Vec<String>,
    attempts: u32,
    warnings: usize,
}

/// Where a delivery stands, and why.
#[derive(Serialize)]
pub(super) struct Stands {
    pub(super) state: &'static str,
    /// The code of a dead one; of one that ended, in words that hold nothing of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// When the next attempt is due, of a waiting or looking one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
}

impl From<&Standing> for Stands {
    fn from(standing: &Standing) -> Self {
        match standing {
            Standing::Open {
                state,
                next_attempt,
                reason,
                ..
            } => {
                let is_dead = *state == DeliveryState::Dead;
                let code = reason.as_deref().map(code).filter(|_| is_dead);
                Self {
                    state: state.as_str(),
                    reason: code.map(str::to_owned),
                    next_attempt: (!is_dead).then_some(*next_attempt),
                    ended_at: None,
                }
            }
            Standing::Ended { end, reason, at } => Self {
                state: end.as_str(),
                reason: reason.clone(),
                next_attempt: None,
                ended_at: Some(*at),
            },
        }
    }
}

/// The code at the start of the reason of a dead delivery; what stands behind it may quote the event.
fn code(reason: &str) -> &str {
    reason.split_once(':').map_or(reason, |(code, _)| code)
}

/// What stands behind the code.
pub(super) fn message(standing: &Standing) -> Option<&str> {
    match standing {
        Standing::Open {
            state: DeliveryState::Dead,
            reason: Some(reason),
            ..
        } => reason.split_once(": ").map(|(_, message)| message),
        Standing::Open { reason, .. } => reason.as_deref(),
        Standing::Ended { .. } => None,
    }
}

/// While it is open.
pub(super) fn id(standing: &Standing) -> Option<i64> {
    match standing {
        Standing::Open { pos, .. } => Some(pos.0),
        Standing::Ended { .. } => None,
    }
}

impl From<ListedDelivery> for DeliveryEntry {
    fn from(listed: ListedDelivery) -> Self {
        let record = listed.record;
        Self {
            id: id(&record.standing),
            event: record.event.0,
            item: record.item,
            number: record.number,
            received_at: listed.received_at,
            source: record.source.to_string(),
            organisation: record.organisation.to_string(),
            standing: Stands::from(&record.standing),
            customer: record.customer.as_ref().map(shown),
            rule: record.rule,
            fields: record.fields,
            attempts: record.attempts,
            warnings: record.warnings.len(),
        }
    }
}

/// An identifier of Quentli's says nothing of a person; one that a mapping took from elsewhere might.
pub(super) fn shown(customer: &CustomerId) -> String {
    customer.for_log().to_owned()
}
