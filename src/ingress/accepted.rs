//! From a verified, mapped request to what the store takes.

use http::HeaderMap;

use crate::{
    dedup::group_items,
    event::{DeadReason, ItemOutcome, Mapped},
    source::{Mode, Source},
    store::{Fate, NewDelivery, NewEvent, NewGroup},
    verify::Verified,
};

/// Puts items under their dedup keys and outcomes into deliveries.
pub(super) fn new_event(source: &Source, verified: Verified, mapped: Mapped) -> NewEvent {
    let received = verified.into_received();
    let content_type = received.headers.get(http::header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let headers = source.kept_headers(&received.headers);
    let groups = groups(source, &received.headers, &headers, &received.body, mapped);
    NewEvent {
        source: source.name().clone(),
        organisation: source.organisation().clone(),
        received_at: received.received_at,
        content_type: content_type.map(str::to_owned),
        headers,
        body: received.body,
        mapping: source.mapping_hash(),
        groups,
    }
}

/// The deliveries that a mapping gives, under the keys of their items. `kept` are those of the headers that are stored.
pub(super) fn groups(
    source: &Source,
    headers: &HeaderMap,
    kept: &[(String, String)],
    body: &[u8],
    mapped: Mapped,
) -> Vec<NewGroup> {
    let keys = group_items(
        source.name(),
        &source.receive().dedup,
        headers,
        body,
        &source.telling_headers(kept),
        &mapped,
    );
    let mut groups: Vec<NewGroup> = Vec::new();
    for (index, item) in mapped.items.into_iter().enumerate() {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let deliveries = item
            .outcomes
            .into_iter()
            .enumerate()
            .map(|(number, outcome)| {
                let number = u32::try_from(number).unwrap_or(u32::MAX);
                new_delivery(index, number, outcome, source.mode())
            });
        let key = keys.of_item(index);
        match groups.last_mut() {
            Some(last) if keys.is_one_group() => last.deliveries.extend(deliveries),
            _ => groups.push(NewGroup {
                key,
                deliveries: deliveries.collect(),
            }),
        }
    }
    groups
}

/// What nobody could send is dead also where the source only observes: that is what somebody wants to see before it is
/// live.
fn new_delivery(item: u32, number: u32, outcome: ItemOutcome, mode: Mode) -> NewDelivery {
    let (rule, warnings, fate) = match outcome {
        ItemOutcome::Drop { rule, reason } => (rule, Vec::new(), Fate::Dropped { reason }),
        ItemOutcome::Fail(failure) => {
            let reason = DeadReason {
                code: "mapping",
                message: failure.reason,
            };
            (
                failure.rule,
                Vec::new(),
                Fate::Dead {
                    reason,
                    update: None,
                },
            )
        }
        ItemOutcome::Update(update) => {
            let fate = match update.customer.lane() {
                Some(_) if mode == Mode::Observe => Fate::Observed {
                    customer: update.customer,
                    patch: update.patch,
                    order_by: update.order_by,
                },
                Some(lane) => Fate::Waiting {
                    lane,
                    customer: update.customer,
                    patch: update.patch,
                    order_by: update.order_by,
                },
                None => Fate::Dead {
                    reason: DeadReason {
                        code: "no-customer-reference",
                        message: "no key under `customer` has a value, so nobody can be found"
                            .to_owned(),
                    },
                    update: Some((update.customer, update.patch)),
                },
            };
            (Some(update.rule), update.warnings, fate)
        }
    };
    NewDelivery {
        item,
        number,
        rule,
        warnings,
        fate,
    }
}
