//! `events --follow`: over restarts of the gateway, and also where its store is another one afterwards.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{events::World, support::until};

#[tokio::test(flavor = "multi_thread")]
async fn events_are_followed_as_they_come() {
    let mut world = World::new().await;
    let out = world.setup.folder().join("followed");
    let said = world.setup.folder().join("said");
    let admin = world.gateway.admin_listen.to_string();
    let mut following = world
        .setup
        .command(&[
            "events",
            "--follow",
            "--limit",
            "1",
            "--admin-listen",
            &admin,
        ])
        .stdout(fs::File::create(&out).unwrap())
        .stderr(fs::File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let shown = async |event: &str| {
        until("an event to be shown", async || {
            let text = fs::read_to_string(&out).unwrap();
            let is_there = text.lines().any(|line| line.starts_with(event));
            if is_there { Ok(text) } else { Err(text) }
        })
        .await
    };
    shown("3 ").await;
    world
        .send("4", json!({"username": "zacarias-1", "name": "Z"}))
        .await;
    let text = shown("4 ").await;
    assert_eq!(
        text.lines().count(),
        3,
        "a head, the latest, the new one: {text}"
    );

    // A gateway that is started again is waited for, and that is said once.
    assert!(world.gateway.terminate().success());
    until("it to be said", async || {
        let said = fs::read_to_string(&said).unwrap();
        if said.contains("waiting for it") {
            Ok(())
        } else {
            Err(said)
        }
    })
    .await;
    world.setup = world.setup.variable("GATEWAY_ADMIN_LISTEN", &admin);
    world.gateway = world.setup.start();
    world
        .send("5", json!({"username": "zacarias-1", "name": "ZZ"}))
        .await;
    let text = shown("5 ").await;
    assert_eq!(text.lines().count(), 4, "none twice: {text}");
    let said = fs::read_to_string(&said).unwrap();
    assert_eq!(said.matches("waiting for it").count(), 1, "{said}");
    following.kill().unwrap();
    following.wait().unwrap();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_store_that_was_put_back_to_an_older_one_are_followed_too() {
    let mut world = World::new().await;
    let [out, said] = ["followed", "said"].map(|name| world.setup.folder().join(name));
    let admin = world.gateway.admin_listen.to_string();
    world.setup = world.setup.variable("GATEWAY_ADMIN_LISTEN", &admin);
    let kept = world.setup.folder().join("kept");
    let copy = |from: &Path, to: &Path| {
        fs::create_dir_all(to).unwrap();
        for file in fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    };
    assert!(world.gateway.terminate().success());
    copy(world.setup.data(), &kept);
    world.gateway = world.setup.start();
    let rename = |name: &str| json!({"username": "zacarias-1", "name": name});
    world.send("4", rename("Four")).await;
    world.send("5", rename("Five")).await;
    let mut following = world
        .setup
        .command(&["events", "--follow", "--format", "json"])
        .stdout(fs::File::create(&out).unwrap())
        .stderr(fs::File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let shown = async |expected: &[i64]| {
        until("the events to be shown", async || {
            let text = fs::read_to_string(&out).unwrap();
            let numbers = text.lines().map(|line| {
                let event: Value = serde_json::from_str(line).unwrap_or_default();
                event["event"].as_i64().unwrap_or_default()
            });
            let numbers: Vec<_> = numbers.collect();
            if numbers == expected {
                Ok(())
            } else {
                Err(numbers)
            }
        })
        .await;
    };
    shown(&[1, 2, 3, 4, 5]).await;
    assert!(world.gateway.terminate().success());
    fs::remove_dir_all(world.setup.data()).unwrap();
    copy(&kept, world.setup.data());
    world.gateway = world.setup.start();
    until("it to be said", async || {
        let said = fs::read_to_string(&said).unwrap();
        if said.contains("the newest event was 5 and is 3 now") {
            Ok(())
        } else {
            Err(said)
        }
    })
    .await;
    world.send("6", rename("Six")).await;
    shown(&[1, 2, 3, 4, 5, 4]).await;
    following.kill().unwrap();
    following.wait().unwrap();
    world.end().await;
}
