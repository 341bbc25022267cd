//! A user name, an address or a telephone number that somebody else has, where the source says `on_conflict: drop_contact`.

use quentli_gateway::{
    customer::{CustomerReference, FindBy, OnConflict, OnMissing, Patch},
    event::{
        AttemptOutcome, DedupKey, DeliveryPos, End, EventSeq, MappingHash, NewerData,
        OrganisationName, Redelivery, SourceName,
    },
    sandbox::{Action, Fault},
    store::{DeliveryRecord, Fate, Finish, NewDelivery, NewGroup, OpenFilter, Remapping, Standing},
};
use serde_json::{Value, json};

use crate::support::{SECOND, Update, World, data, number, status};

/// For a sibling, with the address of Eva, which is taken.
fn sibling(rest: &Value) -> Update {
    let mut patch = json!({"email": "eva@x.mx"});
    patch
        .as_object_mut()
        .unwrap()
        .extend(rest.as_object().unwrap().clone());
    Update::by_id("ana", &patch).drop_contact()
}

async fn records(world: &World, event: EventSeq) -> Vec<DeliveryRecord> {
    world.store.deliveries_of(event).await.unwrap()
}

/// Where the delivery stands that holds what was left out of an event.
async fn left_out(world: &World, event: EventSeq) -> String {
    let records = records(world, event).await;
    assert_eq!(records.len(), 2, "{records:?}");
    match &records[1].standing {
        Standing::Open { state, reason, .. } => {
            let reason = reason.as_deref().unwrap_or_default();
            let code = reason.split(':').next().unwrap_or_default();
            format!("{} {code} {:?}", state.as_str(), records[1].fields)
        }
        Standing::Ended { end, .. } => end.as_str().to_owned(),
    }
}

#[tokio::test]
async fn the_rest_is_delivered_and_the_contact_fields_wait_for_a_person() {
    let mut world = World::with_customers(&["ana", "eva"]).await;
    let event = world
        .accept(sibling(
            &json!({"optedOutWhatsappAt": null, "name": "Ana", "phoneNumber": "+525512345678"}),
        ))
        .await;
    world.wait_for(event, "delivered").await;
    assert_eq!(world.changes().len(), 2);
    assert_eq!(
        data(&world.changes()[1]),
        json!({"name": "Ana", "optedOutWhatsappAt": null})
    );
    assert_eq!(world.at_quentli("ana", "name"), "Ana");
    assert_eq!(world.at_quentli("ana", "email"), "ana@x.mx");
    assert_eq!(
        left_out(&world, event).await,
        r#"dead conflict ["email", "phoneNumber"]"#
    );
    let record = &records(&world, event).await[0];
    assert!(
        record.warnings[0].contains("email, phoneNumber"),
        "{record:?}"
    );
    assert_eq!(record.fields, ["name", "optedOutWhatsappAt"]);
    let attempts = world.attempts(event).await;
    assert_eq!(attempts.len(), 1);
    let message = attempts[0].message.as_ref().unwrap();
    assert!(message.contains("without email, phoneNumber"), "{message}");
    let totals = world.totals().await;
    assert_eq!((totals.created, totals.dead, totals.waiting), (2, 1, 0));
    assert_eq!(totals.ended.iter().sum::<u64>(), 1);
    // Nothing of what was left out is taken for confirmed.
    assert_eq!(world.confirmed("ana").await, ["name", "optedOutWhatsappAt"]);
}

#[tokio::test]
async fn a_system_that_sends_whole_records_leaves_one_for_a_person() {
    let mut world = World::with_customers(&["ana", "eva"]).await;
    let mut events = Vec::new();
    for (name, expected) in [
        ("Ana", "delivered"),
        ("Ana", "unchanged"),
        ("Ani", "delivered"),
    ] {
        let event = world.accept(sibling(&json!({"name": name}))).await;
        world.wait_for(event, expected).await;
        events.push(event);
    }
    assert_eq!(left_out(&world, events[0]).await, "superseded");
    assert_eq!(left_out(&world, events[1]).await, "superseded");
    let last = left_out(&world, events[2]).await;
    assert_eq!(last, r#"dead conflict ["email"]"#);
    let totals = world.totals().await;
    assert_eq!(totals.dead, 1);
    assert_eq!(totals.created, 1 + totals.ended.iter().sum::<u64>());
}

/// Quentli was asked, and said no: a person must find that, also where there was no rest to send.
#[tokio::test]
async fn the_refusal_is_written_down_where_quentli_has_the_rest_already() {
    let mut world = World::with_customers(&["ana", "eva"]).await;
    let first = world.accept(sibling(&json!({"name": "Ana"}))).await;
    world.wait_for(first, "delivered").await;
    let event = world.accept(sibling(&json!({"name": "Ana"}))).await;
    world.wait_for(event, "unchanged").await;
    let attempts = world.attempts(event).await;
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    assert_eq!(attempts[0].outcome, AttemptOutcome::Dead);
    assert_eq!(attempts[0].status, Some(400));
    assert_eq!(attempts[0].customer, Some("cus-ana".parse().unwrap()));
    let message = attempts[0].message.as_ref().unwrap();
    assert!(message.contains("all of the update but email"), "{message}");
    let record = &records(&world, event).await[0];
    assert_eq!(record.attempts, 1);
    assert!(
        record.warnings[0].contains("did not take email"),
        "{record:?}"
    );
}

#[tokio::test]
async fn what_it_cannot_help_is_for_a_person_as_a_whole() {
    let mut world = World::with_customers(&["ana", "eva"]).await;
    // Nothing but contact fields, another status, and a refusal of the rest too.
    let bare = world.accept(sibling(&json!({}))).await;
    world.wait_for(bare, "dead refused").await;
    for refusal in [409, 422] {
        world
            .sandbox
            .fault(Fault::once(status(refusal)).on_method("PATCH"))
            .unwrap();
        let event = world.accept(sibling(&json!({"name": "A"}))).await;
        world.wait_for(event, "dead refused").await;
    }
    world
        .sandbox
        .fault(Fault::times(2, status(400)).on_method("PATCH"))
        .unwrap();
    let event = world.accept(sibling(&json!({"name": "A"}))).await;
    world.wait_for(event, "dead refused").await;
    // And a source that says nothing of it.
    let patch = json!({"name": "A", "email": "eva@x.mx"});
    let event = world.accept(Update::by_id("ana", &patch)).await;
    world.wait_for(event, "dead refused").await;
    assert_eq!(world.at_quentli("ana", "name"), "ana");
}

#[tokio::test]
async fn trouble_with_the_rest_is_tried_again_from_the_beginning() {
    let mut world = World::with_customers(&["ana", "eva"]).await;
    world
        .sandbox
        .fault(Fault::once(status(400)).on_method("PATCH"))
        .unwrap();
    world
        .sandbox
        .fault(Fault::once(Action::CutAfter).on_method("PATCH"))
        .unwrap();
    let event = world.accept(sibling(&json!({"name": "Ana"}))).await;
    world.drive_until_done(SECOND).await;
    assert_eq!(world.standing(event).await, "delivered");
    assert_eq!(left_out(&world, event).await, r#"dead conflict ["email"]"#);
    assert_eq!(world.totals().await.dead, 1);
}

#[tokio::test]
async fn one_with_a_conflict_among_merged_ones_is_helped_by_itself() {
    let mut world = World::new().await;
    world.settings.merge_most = number(32);
    world.add_customer("ana");
    world.add_customer("eva");
    let name = |name: &str| Update::by_id("ana", &json!({"name": name})).drop_contact();
    let first = world.accept(name("One")).await;
    let event = world
        .accept(sibling(&json!({"skipTaxInvoice": true})))
        .await;
    let last = world.accept(name("Three")).await;
    world.deliver();
    world.drive_until_done(SECOND).await;
    for event in [first, event, last] {
        assert_eq!(world.standing(event).await, "delivered");
    }
    assert_eq!(left_out(&world, event).await, r#"dead conflict ["email"]"#);
    assert_eq!(world.at_quentli("ana", "skipTaxInvoice"), true);
    assert_eq!(world.at_quentli("ana", "name"), "Three");
}

#[tokio::test]
async fn a_new_customer_with_a_taken_address_is_created_without_it_and_found_again() {
    let mut world = World::with_customers(&["eva"]).await;
    let update = |name: &str| {
        let patch = json!({"name": name, "username": "ana", "email": "eva@x.mx"});
        Update::by(vec![FindBy::Username("ana".to_owned())], &patch)
            .on_missing(OnMissing::Create(Patch::new()))
            .drop_contact()
    };
    let event = world.accept(update("Ana")).await;
    world.wait_for(event, "delivered").await;
    assert_eq!(left_out(&world, event).await, r#"dead conflict ["email"]"#);
    let next = world.accept(update("Anita")).await;
    world.wait_for(next, "delivered").await;
    let posts = world.sandbox.exchanges();
    let made = posts
        .iter()
        .filter(|exchange| exchange.method == "POST" && exchange.applied);
    assert_eq!(made.count(), 1);
    assert_eq!(world.totals().await.dead, 1);
}

#[tokio::test]
async fn what_was_left_out_is_there_after_a_restart_and_can_be_discarded() {
    let mut world = World::with_customers(&["ana", "eva"]).await;
    let event = world.accept(sibling(&json!({"name": "Ana"}))).await;
    world.wait_for(event, "delivered").await;
    world.kill_and_reopen().await;
    let record = records(&world, event).await.remove(1);
    let Standing::Open { pos, .. } = record.standing else {
        panic!("{record:?}");
    };
    let discard = Finish {
        pos,
        accepted_at: world.accepted_at(event),
        revision: 0,
        end: End::Discarded,
        reason: None,
        customer: None,
        at: world.clock.now(),
        attempt: None,
        confirmed: Vec::new(),
        carried: Vec::new(),
        left_out: None,
    };
    let organisation = OrganisationName::default_name();
    assert!(world.store.finish(&organisation, discard).await.unwrap());
    assert_eq!(left_out(&world, event).await, "discarded");
    let totals = world.totals().await;
    assert_eq!(totals.created, totals.ended.iter().sum::<u64>());
}

/// The fields that Quentli did not take wait for a person. Mapping the event again, say since a whole source is, with the
/// same file that mapped it before, must not drop them.
#[tokio::test]
async fn mapping_again_does_not_drop_what_was_left_out() {
    let mut world = World::with_customers(&["ana"]).await;
    let refused = Fault::once(status(400)).on_method("PATCH");
    world.sandbox.fault(refused).unwrap();
    let patch = json!({"name": "Ana", "email": "taken@x.mx"});
    let update = Update::by_id("ana", &patch).drop_contact();
    let event = world.accept(update).await;
    world.wait_for(event, "delivered").await;
    let before = world.totals().await;
    assert_eq!(before.dead, 1, "the e-mail address waits for a person");
    let filter = OpenFilter {
        event: Some(event),
        ..OpenFilter::default()
    };
    let open = world
        .hands
        .open_deliveries(filter, DeliveryPos(0), 9)
        .await
        .unwrap();
    assert_eq!(open.deliveries[0].code.as_deref(), Some("conflict"));
    let customer = CustomerReference {
        id: Some("cus-ana".parse().unwrap()),
        find: Vec::new(),
        on_missing: OnMissing::Retry,
        on_conflict: OnConflict::DropContact,
    };
    let source: SourceName = "sis".parse().unwrap();
    let group = NewGroup {
        key: DedupKey::of_body(&source, b"event 1", [], Some(0)),
        deliveries: vec![NewDelivery {
            item: 0,
            number: 0,
            rule: None,
            warnings: Vec::new(),
            fate: Fate::Waiting {
                lane: customer.lane().unwrap(),
                customer,
                patch: serde_json::from_value(patch).unwrap(),
                order_by: None,
            },
        }],
    };
    let remapping = Remapping {
        event,
        source,
        organisation: OrganisationName::default_name(),
        received_at: world.clock.now(),
        mapping: MappingHash::of(b""),
        groups: vec![group],
        how: Redelivery {
            at: world.clock.now(),
            newer: NewerData::Kept,
        },
    };
    let done = world.hands.remap(remapping).await.unwrap();
    let after = world.totals().await;
    assert_eq!(after.dead, 1, "{:?} {after:?}", done.steps);
}
