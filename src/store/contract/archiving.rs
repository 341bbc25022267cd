//! Lists for people: every filter gives what passes it, each entry once, in any pages; and one event whole.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{Archived, Home, samples::*};
use crate::{
    event::{AttemptOutcome, DeadReason, DeliveryState, End, EventSeq},
    store::{
        Acceptance, ArchiveFilter, Bury, DeliveryPlace, DeliveryRecord, Fate, Finish, NewDelivery,
        NewEvent, Order, Retry, Standing, StandingFilter, Store,
    },
};

const EVENTS: u32 = 60;

/// When the event of a number came: one every quarter of an hour, but for a while by a clock that was behind.
fn received_at(number: u32) -> Timestamp {
    let regular = time(i64::from(number) * 900);
    if (20..26).contains(&number) {
        regular - SignedDuration::from_hours(10)
    } else {
        regular
    }
}

fn numbered(number: u32) -> NewEvent {
    let who = format!("u{}", number % 5);
    let mut deliveries = match number % 4 {
        0 => vec![waiting(0, 0, &who)],
        1 => vec![dead(0, 0), waiting(0, 1, &who)],
        2 => vec![dropped(0, 0)],
        _ => vec![waiting(0, 0, &who), dropped(1, 0), waiting(1, 1, "u9")],
    };
    if number == 30 {
        deliveries = (0..40).map(|item| waiting(item, 0, "u7")).collect();
    }
    let name = ["crm", "erp", "sis"][usize::try_from(number % 3).unwrap()];
    NewEvent {
        source: source(name),
        organisation: if number.is_multiple_of(7) {
            "north".parse().unwrap()
        } else {
            organisation()
        },
        received_at: received_at(number),
        ..event(vec![group(u64::from(number), deliveries)])
    }
}

/// A store in which deliveries stand in every way, with the records of all of them in the order of acceptance.
async fn filled(store: &dyn Store) -> Vec<(Timestamp, DeliveryRecord)> {
    let mut all = Vec::new();
    for number in 0..EVENTS {
        let event = numbered(number);
        let (organisation, received_at) = (event.organisation.clone(), event.received_at);
        let seq = accept(store, event).await;
        for (index, record) in store.deliveries_of(seq).await.unwrap().iter().enumerate() {
            let Standing::Open {
                pos,
                state: DeliveryState::Waiting,
                ..
            } = record.standing
            else {
                continue;
            };
            let who = customer(&format!("cus_{}", number % 3));
            let found = crate::event::Attempt {
                customer: Some(who.clone()),
                ..attempt(1, AttemptOutcome::Retry)
            };
            match (number + u32::try_from(index).unwrap()) % 9 {
                0 => {}
                1 => {
                    let retry = Retry {
                        accepted_at: received_at,
                        attempt: found,
                        ..retry(pos, DeliveryState::Looking)
                    };
                    assert!(store.retry(&organisation, retry).await.unwrap());
                }
                2 => {
                    let reason = DeadReason {
                        code: "refused",
                        message: SECRET.into(),
                    };
                    let bury = Bury {
                        accepted_at: received_at,
                        reason,
                        attempt: Some(found),
                        ..bury(pos)
                    };
                    assert!(store.bury(&organisation, bury).await.unwrap());
                }
                other => {
                    let end = End::ALL[usize::try_from(other).unwrap() % End::ALL.len()];
                    let finish = Finish {
                        accepted_at: received_at,
                        customer: Some(who),
                        ..finish(pos, end)
                    };
                    assert!(store.finish(&organisation, finish).await.unwrap());
                }
            }
        }
        let records = store.deliveries_of(seq).await.unwrap();
        all.extend(records.into_iter().map(|record| (received_at, record)));
    }
    all
}

/// What a filter means, said in another way.
fn passes(filter: &ArchiveFilter, received_at: Timestamp, record: &DeliveryRecord) -> bool {
    let (standing, reason) = match &record.standing {
        Standing::Open { state, reason, .. } => {
            let code = reason.as_deref().and_then(|reason| reason.split_once(':'));
            let code = code.map(|(code, _)| code.to_owned());
            let code = code.filter(|_| *state == DeliveryState::Dead);
            (StandingFilter::Open(*state), code)
        }
        Standing::Ended { end, reason, .. } => (StandingFilter::Ended(*end), reason.clone()),
    };
    filter.event.is_none_or(|event| event == record.event)
        && filter
            .source
            .as_ref()
            .is_none_or(|source| *source == record.source)
        && filter
            .organisation
            .as_ref()
            .is_none_or(|organisation| *organisation == record.organisation)
        && filter.standing.is_none_or(|wanted| wanted == standing)
        && filter
            .reason
            .as_ref()
            .is_none_or(|wanted| Some(wanted) == reason.as_ref())
        && filter
            .customer
            .as_ref()
            .is_none_or(|customer| Some(customer) == record.customer.as_ref())
        && filter.since.is_none_or(|since| received_at >= since)
        && filter.until.is_none_or(|until| received_at < until)
}

/// Conditions of each kind, alone and with others.
fn filters() -> Vec<ArchiveFilter> {
    let any = ArchiveFilter::default;
    let mut alone = vec![any()];
    alone.extend(StandingFilter::all().map(|standing| ArchiveFilter {
        standing: Some(standing),
        ..any()
    }));
    for reason in ["mapping", "refused", "no rule", "never heard of"] {
        let reason = Some(reason.to_owned());
        alone.push(ArchiveFilter { reason, ..any() });
    }
    for who in ["cus_0", "cus_2", "cus_9"] {
        let customer = Some(customer(who));
        alone.push(ArchiveFilter { customer, ..any() });
    }
    for (since, until) in [
        (Some(10), None),
        (None, Some(22)),
        (Some(18), Some(40)),
        (Some(900), None),
    ] {
        let (since, until) = (since.map(received_at), until.map(received_at));
        alone.push(ArchiveFilter {
            since,
            until,
            ..any()
        });
    }
    let mut filters = Vec::new();
    for filter in alone {
        for name in [None, Some("erp"), Some("nobody")] {
            for organisation in [None, Some("north")] {
                filters.push(ArchiveFilter {
                    source: name.map(source),
                    organisation: organisation.map(|name| name.parse().unwrap()),
                    ..filter.clone()
                });
            }
        }
        filters.push(ArchiveFilter {
            event: Some(EventSeq(4)),
            ..filter.clone()
        });
        filters.push(ArchiveFilter {
            standing: Some(StandingFilter::Open(DeliveryState::Dead)),
            source: Some(source("erp")),
            ..filter
        });
    }
    filters
}

async fn all_deliveries(
    store: &dyn Archived,
    filter: &ArchiveFilter,
    order: Order,
    limit: u32,
) -> Vec<(Timestamp, DeliveryRecord)> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store
            .deliveries(filter.clone(), order, after, limit)
            .await
            .unwrap();
        assert!(page.entries.len() <= usize::try_from(limit).unwrap());
        let entries = page.entries.into_iter();
        found.extend(entries.map(|entry| (entry.received_at.unwrap(), entry.record)));
        match page.next {
            Some(next) => after = Some(next),
            None => return found,
        }
    }
}

pub(in crate::store) async fn lists_hold_what_passes_their_filter_in_both_orders_and_any_pages(
    home: &dyn Home,
) {
    let store = home.open_archive().await;
    let all = filled(&*store).await;
    let mut met = BTreeSet::new();
    for filter in filters() {
        let passes = |(at, record): &&(Timestamp, DeliveryRecord)| passes(&filter, *at, record);
        let mut expected: Vec<_> = all.iter().filter(passes).cloned().collect();
        met.insert(expected.len().min(2));
        for limit in [1, 7, 500] {
            let found = all_deliveries(&*store, &filter, Order::OldestFirst, limit).await;
            assert_eq!(found, expected, "{filter:?}, oldest first by {limit}");
        }
        expected.reverse();
        for limit in [2, 500] {
            let found = all_deliveries(&*store, &filter, Order::NewestFirst, limit).await;
            assert_eq!(found, expected, "{filter:?}, newest first by {limit}");
        }
    }
    assert_eq!(
        met.len(),
        3,
        "some filters pass nothing, one, many: {met:?}"
    );
}

pub(in crate::store) async fn events_are_listed_by_what_became_of_their_deliveries(
    home: &dyn Home,
) {
    let store = home.open_archive().await;
    let all = filled(&*store).await;
    for filter in filters() {
        let passing = all
            .iter()
            .filter(|(at, record)| passes(&filter, *at, record));
        let events: BTreeSet<i64> = passing.map(|(_, record)| record.event.0).collect();
        let oldest: Vec<i64> = events.into_iter().collect();
        let newest: Vec<i64> = oldest.iter().rev().copied().collect();
        for (order, expected) in [(Order::OldestFirst, oldest), (Order::NewestFirst, newest)] {
            for limit in [1, 4, 500] {
                let (mut found, mut after) = (Vec::new(), None);
                loop {
                    let page = store.events(filter.clone(), order, after, limit).await;
                    let page = page.unwrap();
                    assert!(page.entries.len() <= usize::try_from(limit).unwrap());
                    found.extend(page.entries.iter().map(|event| event.facts.seq.0));
                    match page.next {
                        Some(next) => after = Some(next),
                        None => break,
                    }
                }
                assert_eq!(found, expected, "{filter:?}, {order:?} by {limit}");
            }
        }
    }
}

pub(in crate::store) async fn an_event_is_shown_with_its_facts_and_what_would_be_sent(
    home: &dyn Home,
) {
    let store = home.open_archive().await;
    let observed = Fate::Observed {
        customer: reference("u2"),
        patch: patch(),
        order_by: None,
    };
    let sent = event(vec![group(
        1,
        vec![
            waiting(0, 0, "u1"),
            dead(0, 1),
            dropped(1, 0),
            delivery(1, 1, observed),
        ],
    )]);
    let seq = accept(&*store, sent.clone()).await;
    let shown = store.event(seq).await.unwrap().unwrap();
    assert_eq!(
        (
            shown.facts.received_at,
            &shown.facts.headers,
            &shown.facts.content_type
        ),
        (sent.received_at, &sent.headers, &sent.content_type)
    );
    let length = u64::try_from(sent.body.len()).unwrap();
    assert_eq!(shown.facts.body_bytes, Some(length));
    assert_eq!(shown.facts.mapping, sent.mapping);
    let counts = [
        (StandingFilter::Open(DeliveryState::Waiting), 1),
        (StandingFilter::Open(DeliveryState::Dead), 1),
        (StandingFilter::Ended(End::Dropped), 2),
    ];
    assert_eq!(shown.deliveries.counts, counts);
    assert!(!shown.deliveries.is_cut);

    let at = |item, number| DeliveryPlace {
        event: seq,
        item,
        number,
    };
    let update = store
        .kept_update(&source("crm"), at(0, 0))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((update.customer, update.patch), (reference("u1"), patch()));
    let update = store.kept_update(&source("crm"), at(1, 1)).await.unwrap();
    assert_eq!(update.unwrap().customer, reference("u2"), "it was observed");
    for place in [at(0, 1), at(1, 0), at(7, 7)] {
        assert_eq!(
            store.kept_update(&source("crm"), place).await.unwrap(),
            None,
            "{place:?}"
        );
    }
    assert_eq!(store.event(EventSeq(seq.0 + 1)).await.unwrap(), None);
}

pub(in crate::store) async fn a_delivery_is_found_by_its_customer_however_it_became_known(
    home: &dyn Home,
) {
    let store = home.open_archive().await;
    // By an attempt, while it is open and after its end.
    let looked_for = accept_one(&*store, 1, "u1").await;
    let retry = retry(looked_for, DeliveryState::Looking);
    assert!(store.retry(&organisation(), retry).await.unwrap());
    let ended = accept_one(&*store, 2, "u2").await;
    let finish = finish(ended, End::Delivered);
    assert!(store.finish(&organisation(), finish).await.unwrap());
    // By the mapping.
    let named = crate::customer::CustomerReference {
        id: Some(customer("cus_1")),
        ..reference("u3")
    };
    let fate = Fate::Dead {
        reason: reason(),
        update: Some((named, patch())),
    };
    let by_mapping = NewDelivery { fate, ..dead(0, 0) };
    accept(&*store, event(vec![group(3, vec![by_mapping])])).await;
    accept_one(&*store, 4, "u4").await;
    let filter = ArchiveFilter {
        customer: Some(customer("cus_1")),
        ..ArchiveFilter::default()
    };
    let found = all_deliveries(&*store, &filter, Order::OldestFirst, 10).await;
    let events: Vec<i64> = found.iter().map(|(_, record)| record.event.0).collect();
    assert_eq!(events, [1, 2, 3]);
}

pub(in crate::store) async fn an_event_is_found_by_its_dedup_key(home: &dyn Home) {
    let store = home.open_archive().await;
    let seq = accept(&*store, event(vec![group(7, vec![dropped(0, 0)])])).await;
    assert_eq!(store.holder(key(7)).await.unwrap(), Some(seq));
    assert_eq!(store.holder(key(8)).await.unwrap(), None);
}

pub(in crate::store) async fn the_causes_of_dead_deliveries_are_told_apart(home: &dyn Home) {
    let store = home.open_archive().await;
    assert_eq!(store.dead_causes().await.unwrap(), []);
    let all = filled(&*store).await;
    let mut expected = std::collections::BTreeMap::new();
    for (_, record) in &all {
        if let Standing::Open {
            state: DeliveryState::Dead,
            reason: Some(reason),
            ..
        } = &record.standing
        {
            let code = reason.split(':').next().unwrap().to_owned();
            let events: &mut Vec<i64> = expected
                .entry((record.source.to_string(), code))
                .or_default();
            events.push(record.event.0);
        }
    }
    let causes = store.dead_causes().await.unwrap();
    let found: Vec<_> = causes
        .into_iter()
        .map(|cause| {
            let ends = (cause.first.0, cause.last.0);
            (cause.source.to_string(), cause.code, cause.count, ends)
        })
        .collect();
    let expected: Vec<_> = expected
        .into_iter()
        .map(|((source, code), events)| {
            let ends = (events[0], *events.last().unwrap());
            (source, code, u32::try_from(events.len()).unwrap(), ends)
        })
        .collect();
    assert!(expected.len() >= 4, "{expected:?}");
    assert_eq!(found, expected);
}

pub(in crate::store) async fn times_are_found_however_the_clock_jumped(home: &dyn Home) {
    let store = home.open_archive().await;
    // The clock says March, then 2031 for one event, then March again, also after a restart.
    let times = [0, 3_600, 160_000_000, 3_601, 7_200, 7_201];
    let mut store = store;
    for (number, second) in (0..).zip(times) {
        if number == 4 {
            drop(store);
            store = home.open_archive().await;
        }
        let event = NewEvent {
            received_at: time(second),
            ..event(vec![group(number, vec![dropped(0, 0)])])
        };
        let acceptance = store.accept(event).await.unwrap();
        assert!(matches!(acceptance, Acceptance::Accepted { .. }));
    }
    let found = async |since: i64, until: i64| {
        let filter = ArchiveFilter {
            since: Some(time(since)),
            until: Some(time(until)),
            ..ArchiveFilter::default()
        };
        let page = store.events(filter, Order::OldestFirst, None, 10).await;
        let page = page.unwrap();
        assert_eq!(page.next, None);
        page.entries
            .iter()
            .map(|event| event.facts.seq.0)
            .collect::<Vec<_>>()
    };
    assert_eq!(found(0, 3_600).await, [1]);
    assert_eq!(found(3_600, 7_201).await, [2, 4, 5]);
    assert_eq!(found(7_201, 100_000_000).await, [6]);
    assert_eq!(found(100_000_000, 200_000_000).await, [3]);
    assert!(found(200_000_000, 300_000_000).await.is_empty());
}

pub(in crate::store) async fn an_organisation_is_known_by_what_is_open_or_dead_or_ended_for_a_customer(
    home: &dyn Home,
) {
    let store = home.open_archive().await;
    let knows = async |name: &str| store.knows(&name.parse().unwrap()).await.unwrap();
    let own = organisation().to_string();
    assert!(!knows(&own).await);
    for (number, name, delivery) in [
        (1, "north", waiting(0, 0, "u1")),
        (2, "south", dead(0, 0)),
        (3, "west", dropped(0, 0)),
    ] {
        let event = NewEvent {
            organisation: name.parse().unwrap(),
            ..event(vec![group(number, vec![delivery])])
        };
        accept(&*store, event).await;
    }
    let ended = accept(&*store, event(vec![group(4, vec![waiting(0, 0, "u1")])])).await;
    let ended = pos_of(&store.deliveries_of(ended).await.unwrap()[0]);
    let finish = finish(ended, End::Unchanged);
    assert!(store.finish(&organisation(), finish).await.unwrap());
    for (name, expected) in [
        ("north", true),
        ("south", true),
        (&*own, true),
        // No index tells of what ended for nobody.
        ("west", false),
        ("a", false),
        ("nort", false),
        ("northern", false),
        ("zebra", false),
    ] {
        assert_eq!(knows(name).await, expected, "{name}");
    }
}
