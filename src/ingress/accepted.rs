//! From a verified, mapped request to what the store takes.

use http::HeaderMap;

use crate::{
    dedup::{Found, StandIn, item_keys, request_key},
    event::{DeadReason, DedupKey, ItemOutcome, Mapped},
    source::{Mode, Source},
    store::{Fate, NewDelivery, NewEvent, NewGroup},
    verify::{Received, Verified},
};

/// The key of a request as a whole, before it is mapped; `None` where its items are told apart.
pub(super) fn key_of_request(source: &Source, received: &Received) -> Option<Found> {
    let rule = &source.receive().dedup;
    let headers = source.kept_headers(&received.headers);
    let stand_in = StandIn {
        source: source.name(),
        body: &received.body,
        telling: &source.telling_headers(&headers),
    };
    request_key(rule, &received.headers, stand_in)
}

/// The keys of an event's groups.
pub(super) fn keys_of(event: &NewEvent) -> Vec<DedupKey> {
    event.groups.iter().map(|group| group.key).collect()
}

/// Puts items under their dedup keys and outcomes into deliveries. With how many keys are made of the body since the sender
/// did not give what the source names.
pub(super) fn new_event(
    source: &Source,
    verified: Verified,
    mapped: Mapped,
    of_request: Option<Found>,
) -> (NewEvent, u32) {
    let received = verified.into_received();
    let content_type = received.headers.get(http::header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let headers = source.kept_headers(&received.headers);
    let (groups, by_body) = groups(
        source,
        &received.headers,
        &headers,
        &received.body,
        mapped,
        of_request,
    );
    let event = NewEvent {
        source: source.name().clone(),
        organisation: source.organisation().clone(),
        received_at: received.received_at,
        content_type: content_type.map(str::to_owned),
        headers,
        body: received.body,
        mapping: source.mapping_hash(),
        groups,
    };
    (event, by_body)
}

/// The deliveries that a mapping gives, under the keys of their items; with how many of these are made of the body. `kept`
/// are those of the headers that are stored; `of_request` is what [`key_of_request`] found.
pub(super) fn groups(
    source: &Source,
    headers: &HeaderMap,
    kept: &[(String, String)],
    body: &[u8],
    mapped: Mapped,
    of_request: Option<Found>,
) -> (Vec<NewGroup>, u32) {
    let stand_in = StandIn {
        source: source.name(),
        body,
        telling: &source.telling_headers(kept),
    };
    let found = of_request
        .or_else(|| request_key(&source.receive().dedup, headers, stand_in))
        .unwrap_or_else(|| item_keys(&mapped.items, stand_in));
    let keys = &found.keys;
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
    (groups, found.by_body)
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
