//! An event as the rows it becomes, in any engine. Made by the task that calls, so that the one that writes has only statements
//! to run.

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    customer::{CustomerReference, Patch},
    event::{DedupKey, LaneKey, MappingHash, OrganisationName, SourceName},
    store::{Fate, NewDelivery, NewEvent, StoreError},
};

/// The row of `event`, and what comes with it.
pub(super) struct EventRows {
    pub(super) source: SourceName,
    pub(super) organisation: OrganisationName,
    pub(super) received_at: i64,
    pub(super) mapping: MappingHash,
    pub(super) content_type: Option<String>,
    pub(super) headers: Option<String>,
    pub(super) body_hash: [u8; 32],
    pub(super) body: Bytes,
    pub(super) groups: Vec<GroupRows>,
}

/// A row of `dedup`, and the deliveries that it protects.
pub(super) struct GroupRows {
    pub(super) key: DedupKey,
    pub(super) deliveries: Vec<DeliveryRow>,
}

/// A row of `delivery` or `history`.
pub(super) struct DeliveryRow {
    pub(super) item: u32,
    pub(super) number: u32,
    pub(super) rule: Option<String>,
    pub(super) warnings: Option<String>,
    pub(super) fate: FateRow,
}

pub(super) enum FateRow {
    Waiting {
        update: UpdateColumns,
        order_by: Option<i64>,
    },
    Dead {
        code: &'static str,
        trouble: String,
        update: Option<UpdateColumns>,
    },
    Dropped {
        reason: String,
    },
    Observed {
        update: UpdateColumns,
        order_by: Option<i64>,
    },
}

impl FateRow {
    /// Whether nothing comes after it.
    pub(super) const fn is_end(&self) -> bool {
        matches!(self, Self::Dropped { .. } | Self::Observed { .. })
    }
}

pub(super) struct UpdateColumns {
    pub(super) lane: Option<LaneKey>,
    /// The customer's identifier, where the mapping names it.
    pub(super) id: Option<String>,
    pub(super) customer: String,
    pub(super) patch: String,
    pub(super) fields: String,
}

impl EventRows {
    pub(super) fn new(event: NewEvent) -> Result<Self, StoreError> {
        let is_whole = !event.groups.is_empty()
            && event
                .groups
                .iter()
                .all(|group| !group.deliveries.is_empty());
        if !is_whole {
            return Err(StoreError::Broken {
                what: "an event without a group, or a group without a delivery".to_owned(),
            });
        }
        let mut groups = Vec::with_capacity(event.groups.len());
        for group in event.groups {
            let deliveries: Result<_, _> =
                group.deliveries.into_iter().map(DeliveryRow::new).collect();
            groups.push(GroupRows {
                key: group.key,
                deliveries: deliveries?,
            });
        }
        Ok(Self {
            source: event.source,
            organisation: event.organisation,
            received_at: millis(event.received_at),
            mapping: event.mapping,
            content_type: event.content_type,
            headers: list(&event.headers)?,
            body_hash: Sha256::digest(&event.body).into(),
            body: event.body,
            groups,
        })
    }

    /// About how many bytes it takes on disk.
    pub(super) fn size(&self) -> u64 {
        let deliveries = self.groups.iter().flat_map(|group| &group.deliveries);
        let size = deliveries
            .map(DeliveryRow::size)
            .fold(self.body.len() + 256, usize::saturating_add);
        u64::try_from(size).unwrap_or(u64::MAX)
    }
}

impl DeliveryRow {
    fn new(delivery: NewDelivery) -> Result<Self, StoreError> {
        let fate = match delivery.fate {
            Fate::Waiting {
                lane,
                customer,
                patch,
                order_by,
            } => FateRow::Waiting {
                update: UpdateColumns::new(Some(lane), &customer, &patch)?,
                order_by: order_by.map(|order| order.0),
            },
            Fate::Dead { reason, update } => FateRow::Dead {
                code: reason.code,
                trouble: reason.message,
                update: update
                    .map(|(customer, patch)| UpdateColumns::new(customer.lane(), &customer, &patch))
                    .transpose()?,
            },
            Fate::Dropped { reason } => FateRow::Dropped { reason },
            Fate::Observed {
                customer,
                patch,
                order_by,
            } => FateRow::Observed {
                update: UpdateColumns::new(customer.lane(), &customer, &patch)?,
                order_by: order_by.map(|order| order.0),
            },
        };
        Ok(Self {
            item: delivery.item,
            number: delivery.number,
            rule: delivery.rule,
            warnings: list(&delivery.warnings)?,
            fate,
        })
    }

    fn size(&self) -> usize {
        let update = match &self.fate {
            FateRow::Waiting { update, .. } | FateRow::Observed { update, .. } => Some(update),
            FateRow::Dead { update, .. } => update.as_ref(),
            FateRow::Dropped { .. } => None,
        };
        let update = update.map_or(0, |update| update.customer.len() + update.patch.len());
        256 + update + self.warnings.as_ref().map_or(0, String::len)
    }
}

impl UpdateColumns {
    fn new(
        lane: Option<LaneKey>,
        customer: &CustomerReference,
        patch: &Patch,
    ) -> Result<Self, StoreError> {
        let fields: Vec<String> = patch
            .parts()
            .into_iter()
            .map(|(part, _value)| part.to_string())
            .collect();
        Ok(Self {
            lane,
            id: customer.id.as_ref().map(ToString::to_string),
            customer: json(customer)?,
            patch: json(patch)?,
            fields: json(&fields)?,
        })
    }
}

/// A time as it is stored.
pub(super) fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}

/// A list as JSON, and nothing for an empty one.
fn list<T: Serialize>(items: &[T]) -> Result<Option<String>, StoreError> {
    if items.is_empty() {
        return Ok(None);
    }
    json(items).map(Some)
}

pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    // The error's own text could quote the value.
    serde_json::to_string(value).map_err(|_| StoreError::Broken {
        what: "a value that cannot be written as JSON".to_owned(),
    })
}
