//! Changes of files that the gateway sees by itself.

use std::{fs, os::unix::fs::symlink, path::Path};

use quentli_gateway::sandbox::Keys;
use serde_json::{Value, json};

use crate::{
    World,
    support::{
        executable::Setup,
        school::{SOURCE_FILE, School, marked},
        until,
    },
};

/// Looks often, so that a test need not wait.
const SETTINGS: &str = "quentli: {default: {key: {env: QUENTLI_API_KEY}, rate: 5000, concurrency: 16}}\nreload: {poll: 50ms}\n";

/// A world that looks at its files often.
async fn watching(change: impl FnOnce(Setup) -> Setup) -> World {
    World::with(|setup| change(setup.settings(SETTINGS))).await
}

fn is(outcome: &str, trigger: &str) -> impl Fn(&Value) -> bool {
    move |reload| reload["sources"]["outcome"] == outcome && reload["trigger"] == trigger
}

async fn rename(world: &World, school: &School, id: &str) -> u16 {
    let url = world.gateway.url();
    let answer = school.rename(&url, id, &world.customer, id).await;
    answer.unwrap().status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_taken_and_a_bad_one_is_said_once() {
    let world = watching(|setup| setup).await;
    let path = world.setup.source_path("school");
    fs::write(&path, marked("v2")).unwrap();
    let reload = world
        .gateway
        .reloaded("the change to be seen", is("loaded", "change"))
        .await;
    assert_eq!(reload["sources"]["changed"], json!(["school"]));
    assert_eq!(rename(&world, &world.school, "1").await, 200);

    fs::write(&path, "mapping: 1\nsource: school\n").unwrap();
    world
        .gateway
        .reloaded("the bad file to be seen", is("refused", "change"))
        .await;
    assert_eq!(rename(&world, &world.school, "2").await, 200);
    // Back as it was: nothing is refused any more.
    fs::write(&path, marked("v2")).unwrap();
    world
        .gateway
        .reloaded("the old text to be seen", is("unchanged", "change"))
        .await;
    let lines = world.gateway.logged("a reload was refused").await;
    let reload = "\"trigger\":\"change\"";
    assert!(lines.iter().all(|line| line.contains(reload)), "{lines:#?}");
    let metrics = world.gateway.metrics().await;
    let once = "quentli_gateway_reloads_total{part=\"sources\",trigger=\"change\",outcome=\"refused\"} 1\n";
    assert!(metrics.contains(once), "{metrics}");
    world.gateway.settled().await;
    assert_eq!(world.names_sent(), ["v2:1", "v2:2"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_ending_does_not_keep_the_sources_from_being_changed() {
    let stray = |setup: &Setup, name: &str| {
        let path = setup.source_path("school").with_file_name(name);
        fs::write(path, "services: {}\n").unwrap();
    };
    let world = watching(|setup| {
        stray(&setup, "compose.yml");
        setup
    })
    .await;
    fs::write(world.setup.source_path("school"), marked("v2")).unwrap();
    let reload = world
        .gateway
        .reloaded("the change to be seen", is("loaded", "change"))
        .await;
    assert_eq!(reload["sources"]["changed"], json!(["school"]));
    let is_named = |reload: &Value, name: &str| {
        let trouble = reload["sources"]["trouble"].to_string();
        trouble.contains(name) && trouble.contains("name ends in `.yaml`")
    };
    assert!(is_named(&reload, "compose.yml"), "{reload}");

    stray(&world.setup, "override.yml");
    let reload = world
        .gateway
        .reloaded("the new file to be seen", is("refused", "change"))
        .await;
    assert!(is_named(&reload, "override.yml"), "{reload}");
    world.end().await;
}

/// Mounts files as Kubernetes does: names are links into `..data`, which is a link to a folder of its own for each
/// version, and is changed at one stroke.
struct Mount<'a> {
    at: &'a Path,
    version: u32,
}

impl Mount<'_> {
    fn put(&mut self, files: &[(&str, &str)]) {
        self.version += 1;
        let version = format!("..version_{}", self.version);
        let folder = self.at.join(&version);
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
            let link = self.at.join(name);
            if fs::symlink_metadata(&link).is_err() {
                symlink(format!("..data/{name}"), link).unwrap();
            }
        }
        symlink(&version, self.at.join("..data_tmp")).unwrap();
        fs::rename(self.at.join("..data_tmp"), self.at.join("..data")).unwrap();
        if self.version > 1 {
            let old = self.at.join(format!("..version_{}", self.version - 1));
            fs::remove_dir_all(old).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mount_whose_link_leads_elsewhere_is_seen() {
    let mut version = 0;
    let world = watching(|setup| {
        let path = setup.source_path("school");
        fs::remove_file(&path).unwrap();
        let mut mount = Mount {
            at: path.parent().unwrap(),
            version,
        };
        mount.put(&[("school.yaml", &marked("v1"))]);
        version = mount.version;
        setup
    })
    .await;
    assert_eq!(rename(&world, &world.school, "1").await, 200);
    let path = world.setup.source_path("school");
    let mut mount = Mount {
        at: path.parent().unwrap(),
        version,
    };
    let open = "mapping: 1\nsource: open\nreceive: {verify: none}\notherwise: drop\nrules:\n  - {name: all, drop: x}\ntests:\n  - {name: all, event: {a: 1}, expect: [{drop: x}]}\n";
    mount.put(&[("school.yaml", &marked("v2")), ("open.yaml", open)]);
    let reload = world
        .gateway
        .reloaded("the mount to be seen", |reload| {
            is("loaded", "change")(reload)
                && reload["sources"]["added"] == json!(["open"])
                && reload["sources"]["changed"] == json!(["school"])
        })
        .await;
    assert_eq!(reload["sources"]["trouble"], json!([]), "{reload}");
    assert_eq!(rename(&world, &world.school, "2").await, 200);
    world.gateway.settled().await;
    assert_eq!(world.names_sent(), ["v1:1", "v2:2"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_changed_without_losing_an_event() {
    let two = SOURCE_FILE.replace(
        "secrets: [{env: SCHOOL_SECRET}]",
        "secrets: [{file: secret}, {file: secret-before}]",
    );
    let world = watching(|setup| {
        fs::write(setup.folder().join("secret"), "the-old-one\n").unwrap();
        fs::write(setup.folder().join("secret-before"), "an-older-one\n").unwrap();
        setup.source("school", &two)
    })
    .await;
    let (old, new) = (
        School::with_secret("the-old-one"),
        School::with_secret("the-new-one"),
    );
    assert_eq!(rename(&world, &old, "1").await, 200);
    assert_eq!(rename(&world, &new, "2").await, 401);

    let secret = world.setup.folder().join("secret");
    let before = world.setup.folder().join("secret-before");
    fs::write(&before, "the-old-one\n").unwrap();
    fs::write(&secret, "the-new-one\n").unwrap();
    until("the new secret to be taken", async || {
        match rename(&world, &new, "3").await {
            200 => Ok(()),
            status => Err(status),
        }
    })
    .await;
    assert_eq!(
        rename(&world, &old, "4").await,
        200,
        "both, while they overlap"
    );

    // A secret that vanishes does not keep what works from working.
    fs::remove_file(&before).unwrap();
    let reload = world
        .gateway
        .reloaded("the missing secret to be seen", is("refused", "change"))
        .await;
    let trouble = reload["sources"]["trouble"].to_string();
    assert!(trouble.contains("secret-before"), "{trouble}");
    assert_eq!(rename(&world, &old, "5").await, 200);

    let one = SOURCE_FILE.replace("{env: SCHOOL_SECRET}", "{file: secret}");
    fs::write(world.setup.source_path("school"), one).unwrap();
    until("the old secret to be refused", async || {
        match rename(&world, &old, "6").await {
            401 => Ok(()),
            status => Err(status),
        }
    })
    .await;
    assert_eq!(rename(&world, &new, "7").await, 200);
    world.gateway.settled().await;
    let log = world.gateway.log().join("\n");
    assert!(!log.contains("the-old-one") && !log.contains("the-new-one"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_in_its_file_ends_the_pause_that_the_old_one_caused() {
    let settings = "quentli: {default: {key: {file: key}, rate: 5000}}\nreload: {poll: 50ms}\n";
    let world = World::with(|setup| {
        fs::write(setup.folder().join("key"), "sk_old\n").unwrap();
        setup.without("QUENTLI_API_KEY").settings(settings)
    })
    .await;
    world.sandbox.set_keys(Keys::Only {
        accepted: vec!["sk_new".to_owned()],
        forbidden: Vec::new(),
    });
    assert_eq!(rename(&world, &world.school, "1").await, 200);
    until("the pause", async || {
        let organisation = world.gateway.status().await["organisations"]["default"].clone();
        if organisation["reason"] == "key-refused" {
            Ok(())
        } else {
            Err(organisation)
        }
    })
    .await;

    // What cannot be a key is refused, and does not keep a mapping from being changed; nor the other way round.
    let key = world.setup.folder().join("key");
    fs::write(&key, "not a key").unwrap();
    fs::write(world.setup.source_path("school"), marked("v2")).unwrap();
    world
        .gateway
        .reloaded("the mapping to be taken, but not the key", |reload| {
            reload["keys"]["outcome"] == "refused"
                && reload["sources"]["outcome"] != "refused"
                && reload["trigger"] == "change"
        })
        .await;
    fs::write(world.setup.source_path("school"), "mapping: 1\n").unwrap();
    fs::write(&key, "sk_new\n").unwrap();
    let totals = world.gateway.settled().await;
    assert_eq!(totals["ended"]["delivered"], 1, "{totals}");
    world
        .gateway
        .reloaded("the key to be taken, but not the mapping", |reload| {
            reload["sources"]["outcome"] == "refused"
        })
        .await;
    let metrics = world.gateway.metrics().await;
    for line in [
        "reload_refused{part=\"keys\"} 0",
        "reload_refused{part=\"sources\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is missing in {metrics}");
    }
    let log = world.gateway.log().join("\n");
    assert!(!log.contains("sk_") && !log.contains("not a key"), "{log}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_settings_are_not_taken_but_said() {
    let world = watching(|setup| setup).await;
    let more = format!("{SETTINGS}limits: {{requests: 7}}\n");
    fs::write(world.setup.folder().join("gateway.yaml"), more).unwrap();
    world
        .gateway
        .reloaded("the settings to be seen", |reload| {
            reload["settings_changed"] == true
        })
        .await;
    let lines = world.gateway.logged("restart to use it").await;
    assert!(lines[0].contains("WARN") && lines[0].contains("gateway.yaml"));
    fs::write(world.setup.folder().join("gateway.yaml"), SETTINGS).unwrap();
    world
        .gateway
        .reloaded("the old settings to be seen", |reload| {
            reload["settings_changed"] == false
        })
        .await;
    world.end().await;
}
