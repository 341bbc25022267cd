//! Events and outcomes to feed a store with.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    customer::{
        CustomerId, CustomerReference, Field, FieldValue, FindBy, OnConflict, OnMissing, Patch,
    },
    event::{
        Attempt, AttemptOutcome, DeadReason, DedupKey, DeliveryPos, DeliveryState, End, EventSeq,
        LaneKey, MappingHash, OrderBy, OrganisationName, SourceName,
    },
    store::{
        Acceptance, Bury, DeliveryRecord, Fate, Finish, KeptRequest, NewDelivery, NewEvent,
        NewGroup, NewRefused, RequestFacts, Retry, Standing, Store,
    },
};

/// A value that must never be seen in an error or in debug output.
pub(in crate::store) const SECRET: &str = "ana.perez@example.mx";

pub(in crate::store) fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_768_471_200 + seconds).unwrap()
}

pub(in crate::store) fn source(name: &str) -> SourceName {
    name.parse().unwrap()
}

pub(in crate::store) fn organisation() -> OrganisationName {
    OrganisationName::default_name()
}

pub(in crate::store) fn customer(id: &str) -> CustomerId {
    id.parse().unwrap()
}

/// An event of the source `crm`.
pub(in crate::store) fn event(groups: Vec<NewGroup>) -> NewEvent {
    NewEvent {
        source: source("crm"),
        organisation: organisation(),
        received_at: time(0),
        content_type: Some("application/json".into()),
        headers: vec![("x-topic".into(), "contact.updated".into())],
        body: Bytes::from(format!(r#"{{"email":"{SECRET}"}}"#)),
        mapping: MappingHash::of(b"mapping: 1"),
        groups,
    }
}

pub(in crate::store) fn key(number: u64) -> DedupKey {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    DedupKey::from_bytes(bytes)
}

pub(in crate::store) fn group(number: u64, deliveries: Vec<NewDelivery>) -> NewGroup {
    NewGroup {
        key: key(number),
        deliveries,
    }
}

pub(in crate::store) fn delivery(item: u32, number: u32, fate: Fate) -> NewDelivery {
    NewDelivery {
        item,
        number,
        rule: Some("contact".into()),
        warnings: vec!["phone: not a number".into()],
        fate,
    }
}

pub(in crate::store) fn reference(who: &str) -> CustomerReference {
    CustomerReference {
        id: None,
        find: vec![
            FindBy::Username(who.into()),
            FindBy::Metadata {
                key: "Matrícula".into(),
                value: "A-1".into(),
            },
        ],
        on_missing: OnMissing::Retry,
        on_conflict: OnConflict::Fail,
    }
}

pub(in crate::store) fn patch() -> Patch {
    let mut patch = Patch::new();
    patch
        .set(Field::Email, FieldValue::Text(SECRET.into()))
        .unwrap();
    patch.set(Field::PhoneNumber, FieldValue::Null).unwrap();
    patch
}

pub(in crate::store) fn lane(who: &str) -> LaneKey {
    reference(who).lane().unwrap()
}

/// A delivery in the lane of `who`.
pub(in crate::store) fn waiting(item: u32, number: u32, who: &str) -> NewDelivery {
    let fate = Fate::Waiting {
        lane: lane(who),
        customer: reference(who),
        patch: patch(),
        order_by: Some(OrderBy(7)),
    };
    delivery(item, number, fate)
}

pub(super) fn dead(item: u32, number: u32) -> NewDelivery {
    let fate = Fate::Dead {
        reason: reason(),
        update: None,
    };
    delivery(item, number, fate)
}

pub(in crate::store) fn dropped(item: u32, number: u32) -> NewDelivery {
    let fate = Fate::Dropped {
        reason: "no rule".into(),
    };
    delivery(item, number, fate)
}

pub(super) fn reason() -> DeadReason {
    DeadReason {
        code: "mapping",
        message: format!("email: `{SECRET}` is not one"),
    }
}

pub(in crate::store) fn attempt(number: u32, outcome: AttemptOutcome) -> Attempt {
    Attempt {
        number,
        at: time(10),
        took: Duration::from_millis(123),
        status: Some(503),
        outcome,
        message: Some("come back later".into()),
        customer: Some(customer("cus_1")),
    }
}

pub(in crate::store) fn finish(pos: DeliveryPos, end: End) -> Finish {
    Finish {
        pos,
        accepted_at: time(0),
        revision: 0,
        end,
        reason: None,
        customer: Some(customer("cus_1")),
        at: time(20),
        attempt: None,
        confirmed: Vec::new(),
        carried: Vec::new(),
        left_out: None,
    }
}

pub(super) fn retry(pos: DeliveryPos, state: DeliveryState) -> Retry {
    Retry {
        pos,
        accepted_at: time(0),
        revision: 0,
        state,
        next_attempt: time(60),
        spent: Duration::from_secs(50),
        attempt: attempt(1, AttemptOutcome::Retry),
        doubt: None,
    }
}

pub(super) fn bury(pos: DeliveryPos) -> Bury {
    Bury {
        pos,
        accepted_at: time(0),
        revision: 0,
        reason: reason(),
        at: time(30),
        attempt: None,
        doubt: None,
    }
}

/// Accepts what must be new.
pub(in crate::store) async fn accept(store: &dyn Store, event: NewEvent) -> EventSeq {
    match store.accept(event).await.unwrap() {
        Acceptance::Accepted { event, .. } => event,
        Acceptance::Duplicate { event, .. } => panic!("a duplicate of event {event}"),
    }
}

/// The answer to a request of `known` groups that are all known, whose body is no other one.
pub(super) fn duplicate_of(event: EventSeq, known: u32) -> Acceptance {
    Acceptance::Duplicate {
        event,
        known,
        differs: false,
    }
}

/// Accepts one waiting delivery and gives its position.
pub(in crate::store) async fn accept_one(store: &dyn Store, number: u64, who: &str) -> DeliveryPos {
    let seq = accept(store, event(vec![group(number, vec![waiting(0, 0, who)])])).await;
    pos_of(&store.deliveries_of(seq).await.unwrap()[0])
}

pub(in crate::store) fn pos_of(record: &DeliveryRecord) -> DeliveryPos {
    match &record.standing {
        Standing::Open { pos, .. } => *pos,
        ended @ Standing::Ended { .. } => panic!("not open: {ended:?}"),
    }
}

/// A refused request of a source that was kept whole.
pub(in crate::store) fn refused_and_kept(
    mark: u8,
    of: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> NewRefused {
    let headers = headers.iter();
    let request = KeptRequest {
        received_at: time(1),
        method: "POST".into(),
        path_and_query: path.into(),
        headers: headers
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect(),
        body: body.to_vec().into(),
        client: [192, 0, 2, 1].into(),
        through_trusted_proxy: false,
    };
    NewRefused {
        source: source(of),
        mark: [mark; 16],
        first_at: time(1),
        last_at: time(1),
        times: 1,
        reason: "no-match",
        status: 401,
        facts: RequestFacts::default(),
        kept: Some((request, time(1000))),
    }
}
