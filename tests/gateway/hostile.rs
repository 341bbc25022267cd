//! Events made to do harm: they end dead, in bounded memory, and hold up nobody.

use std::{fmt::Write as _, sync::Arc};

use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{World, support::executable::Gateway};

/// A source that takes everything: what a sender may do whose secret somebody has.
const SOURCE_FILE: &str = "
mapping: 1
source: hostile
receive: {verify: none}
items: items[]
otherwise: fail
allow: [tags]
rules:
  - name: everything
    customer: {id: id}
    set:
      name: name | squeeze | title
      phoneNumber:
        from: $.phones[] | phone('CO') | last
        on_error: skip
      tags:
        - each: $.items[]
          from: $.items[key='none'].value
tests:
  - name: something
    event: {items: [{id: cus_1, name: a, key: none, value: v}], phones: [3211234567]}
    expect: [{customer: cus_1, patch: {name: A, phoneNumber: '+573211234567', tags: [v]}}]
";

async fn world() -> World {
    World::with(|setup| {
        setup
            .source("hostile", SOURCE_FILE)
            .settings("limits: {body: 12 MiB}\n")
            // So that whoever holds a network thread holds all of them.
            .variable("TOKIO_WORKER_THREADS", "1")
    })
    .await
}

async fn post(gateway: &Gateway, content_type: &str, body: String) -> u16 {
    let url = gateway.url().join("/webhooks/hostile").unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(url).header("Content-Type", content_type);
    request.body(body).send().await.unwrap().status().as_u16()
}

/// Elements that look for each other: the square of their number, for each of them.
fn searching(elements: usize) -> String {
    let elements = vec![r#"{"key":1}"#; elements].join(",");
    format!(r#"{{"items":[{elements}]}}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_asks_for_much_work_holds_up_no_other() {
    let world = world().await;
    let gateway = Arc::new(world.gateway);
    // Small enough to be mapped on the network thread, were it not for the work.
    let body = searching(4000);
    assert!(body.len() < 64 * 1024);
    let done = Arc::new(Semaphore::new(0));
    let mut hostile = JoinSet::new();
    for _ in 0..4 {
        let (gateway, body, done) = (Arc::clone(&gateway), body.clone(), Arc::clone(&done));
        hostile.spawn(async move {
            let status = post(&gateway, "application/json", body).await;
            done.add_permits(1);
            status
        });
    }
    for number in 0..3 {
        let number = number.to_string();
        let url = gateway.url();
        let answer = world.school.rename(&url, &number, &world.customer, &number);
        assert_eq!(answer.await.unwrap().status, 200);
    }
    assert_eq!(
        done.available_permits(),
        0,
        "honest events waited for a hostile one"
    );
    assert_eq!(hostile.join_all().await, [200; 4]);
    // The first is dead, and the others are the same body again.
    let totals = gateway.settled().await;
    assert_eq!(
        (&totals["dead"], &totals["duplicate"], &totals["accepted"]),
        (&json!(1), &json!(3), &json!(4)),
        "{totals}"
    );
    world.quentli.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_body_it_is_stored_dead_in_bounded_memory_and_the_next_event_is_served() {
    let world = world().await;
    let many = |part: &str, count: usize| vec![part; count].join(",");
    let mut form = String::new();
    for number in 0..200_000 {
        write!(form, "a{number}[x]=1&").unwrap();
    }
    let megabytes = 10 * 1024 * 1024;
    let bodies = [
        ("application/json", "[".repeat(megabytes)),
        ("application/json", r#"{"a":"#.repeat(megabytes / 5)),
        ("application/json", format!("\"{}", "\\".repeat(megabytes))),
        ("application/json", format!("[{}]", many("[]", 3_000_000))),
        (
            "application/json",
            format!(r#"{{"items":[{}]}}"#, many("{}", 100_000)),
        ),
        ("application/json", searching(5000)),
        (
            "application/json",
            format!(
                r#"{{"items":[{}],"phones":[{}]}}"#,
                many(r#"{"id":"cus_1"}"#, 5000),
                many("3211234567", 1000)
            ),
        ),
        (
            "application/json",
            format!(
                r#"{{"items":[{{"id":"cus_1","name":"{}"}}]}}"#,
                "x".repeat(megabytes)
            ),
        ),
        ("application/json", "1".repeat(megabytes)),
        ("application/x-www-form-urlencoded", form),
        (
            "application/x-www-form-urlencoded",
            format!("a{}=1", "[x]".repeat(megabytes / 3)),
        ),
        (
            "application/x-www-form-urlencoded",
            "a[]=&".repeat(megabytes / 5),
        ),
    ];
    let count = bodies.len();
    for (content_type, body) in bodies {
        let beginning: String = body.chars().take(20).collect();
        let status = post(&world.gateway, content_type, body).await;
        assert_eq!(status, 200, "{content_type}: {beginning}");
    }
    let url = world.gateway.url();
    let answer = world.school.rename(&url, "1", &world.customer, "Ana Luna");
    assert_eq!(answer.await.unwrap().status, 200);
    let totals = world.gateway.settled().await;
    assert_eq!(
        (&totals["dead"], &totals["ended"]["delivered"]),
        (&json!(count), &json!(1)),
        "{totals}"
    );
    // The largest body, its tree and what the allocator keeps; a tree takes many times what its brackets take.
    let peak = world.gateway.peak_memory();
    assert!(peak < 800 * 1024 * 1024, "{peak} bytes at most");
    world.end().await;
}
