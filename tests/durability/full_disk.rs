//! A small file system that fills up: 503 with `Retry-After`, nothing acknowledged that is not stored, and well again
//! by itself when there is room.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    setup, stored_names,
    support::{executable::Gateway, left_out, school::School, until},
};

/// A file system of a few megabytes; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(test: &str, parent: &Path, size: &str) -> Option<Self> {
        let folder = parent.join("small");
        std::fs::create_dir(&folder).unwrap();
        let option = format!("size={size}");
        let mut command = Command::new("mount");
        command
            .args(["-t", "tmpfs", "-o", &option, "tmpfs"])
            .arg(&folder);
        if command.output().is_ok_and(|output| output.status.success()) {
            Some(Self(folder))
        } else {
            left_out(test, "a file system cannot be mounted here (needs root)");
            None
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

/// Sends until the gateway says that it cannot store; gives the names that were acknowledged.
async fn fill(school: &School, gateway: &Gateway) -> BTreeSet<String> {
    let mut acknowledged = BTreeSet::new();
    for number in 0.. {
        assert!(number < 20_000, "the disk never filled up");
        let name = format!("n{number}-{}", "x".repeat(2_000));
        let id = number.to_string();
        let answer = school
            .rename(&gateway.url(), &id, "cus_1", &name)
            .await
            .unwrap();
        if answer.status == 503 {
            assert!(
                answer.body.contains("/problems/store-unavailable"),
                "{}",
                answer.body
            );
            break;
        }
        assert_eq!(answer.status, 200, "{}", answer.body);
        acknowledged.insert(name);
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_recovers_and_keeps_every_acknowledged_event() {
    let test = "a_full_disk_refuses_and_recovers_and_keeps_every_acknowledged_event";
    let setup = setup().settings("limits: {disk_reserve: 0}\n");
    let Some(disk) = SmallDisk::mount(test, setup.folder(), "6m") else {
        return;
    };
    let filler = disk.0.join("filler");
    std::fs::write(&filler, vec![0; 2 << 20]).unwrap();
    let setup = setup.with_data(&disk.0.join("data"));
    let school = School::new();

    let gateway = setup.start();
    let mut acknowledged = fill(&school, &gateway).await;
    assert!(
        acknowledged.len() > 10,
        "{} events fitted",
        acknowledged.len()
    );
    gateway.logged("full").await;

    // Room again: it goes on by itself.
    std::fs::remove_file(&filler).unwrap();
    until("the gateway to store again", async || {
        let answer = school
            .rename(&gateway.url(), "after", "cus_1", "after")
            .await
            .unwrap();
        if answer.status == 200 {
            Ok(())
        } else {
            Err(answer)
        }
    })
    .await;
    acknowledged.insert("after".to_owned());
    gateway.kill();

    let stored = stored_names(setup.data());
    let lost = acknowledged.difference(&stored).count();
    assert_eq!(lost, 0, "acknowledged events are not stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn below_the_reserve_nothing_more_is_accepted_and_ready_says_so() {
    let test = "below_the_reserve_nothing_more_is_accepted_and_ready_says_so";
    let setup = setup().settings("limits: {disk_reserve: 4 MiB}\n");
    let Some(disk) = SmallDisk::mount(test, setup.folder(), "8m") else {
        return;
    };
    let setup = setup.with_data(&disk.0.join("data"));
    let school = School::new();
    let gateway = setup.start();
    let acknowledged = fill(&school, &gateway).await;
    assert!(!acknowledged.is_empty());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    until("/ready to say no, and when to ask again", async || {
        let answer = client
            .get(format!("{}ready", gateway.url()))
            .send()
            .await
            .unwrap();
        let says_when = answer.headers().contains_key("retry-after");
        if answer.status() == 503 && says_when {
            Ok(())
        } else {
            Err(answer.status())
        }
    })
    .await;
    gateway.kill();
    assert!(acknowledged.is_subset(&stored_names(setup.data())));
}
