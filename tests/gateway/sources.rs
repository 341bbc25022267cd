//! Source files as the running gateway sees them.

use crate::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_source_with_mistakes_or_without_its_secret_is_shown_while_the_others_run() {
    let lacking = crate::support::school::SOURCE_FILE
        .replace("source: school", "source: lacking")
        .replace("SCHOOL_SECRET", "NOBODY_SET_THIS");
    let world = World::with(|setup| {
        setup
            .source("lacking", &lacking)
            .source("broken", "mapping: 1\nsource: broken\n")
    })
    .await;
    let answer = world
        .school
        .rename(&world.gateway.url(), "1", &world.customer, "A")
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    let sources = world.gateway.status().await["sources"].clone();
    let of = |name: &str| {
        let sources = sources.as_array().unwrap();
        sources
            .iter()
            .find(|source| source["source"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(of("school")["receives"], true);
    assert_eq!(of("lacking")["receives"], false);
    assert!(
        of("lacking")["trouble"][0]
            .as_str()
            .unwrap()
            .contains("NOBODY_SET_THIS")
    );
    assert!(
        of("broken")["trouble"][0]
            .as_str()
            .unwrap()
            .contains("mappings/broken.yaml:1:1")
    );
    let log = world.gateway.log().join("\n");
    assert!(
        log.contains("NOBODY_SET_THIS") && log.contains("mappings/broken.yaml:1:1"),
        "{log}"
    );
    let metrics = world.gateway.metrics().await;
    assert!(
        metrics.contains("quentli_gateway_source_loaded{source=\"broken\"} 0"),
        "{metrics}"
    );
    assert!(
        metrics.contains("quentli_gateway_source_loaded{source=\"school\"} 1"),
        "{metrics}"
    );
    world.gateway.settled().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verification_switched_off_is_warned_about_at_every_start() {
    let open = "\nmapping: 1\nsource: open\nreceive: {verify: none}\notherwise: drop\nrules:\n  - {name: all, drop: nothing to do}\ntests:\n  - {name: all, event: {a: 1}, expect: [{drop: nothing to do}]}\n";
    let world = World::with(|setup| setup.source("open", open)).await;
    let warned = |world: &World| {
        let log = world.gateway.log();
        log.iter().any(|line| {
            line.contains("WARN") && line.contains("recv/unverified") && line.contains("open")
        })
    };
    assert!(warned(&world));
    let world = world.restart();
    assert!(warned(&world));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .post(format!("{}webhooks/open", world.gateway.url()))
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_or_has_another_ending_stops_nobody_else() {
    let world = World::with(|setup| {
        std::fs::write(
            setup.source_path("latin"),
            b"mapping: 1\nsource: espa\xf1a\n",
        )
        .unwrap();
        std::os::unix::fs::symlink("nowhere", setup.source_path("dangling")).unwrap();
        let other = setup.source_path("school").with_extension("yml");
        std::fs::write(other, "mapping: 1\nsource: school\n").unwrap();
        setup
    })
    .await;
    let url = world.gateway.url();
    let answer = world
        .school
        .rename(&url, "1", &world.customer, "A")
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    let log = world.gateway.log().join("\n");
    for expected in [
        "latin.yaml:1:1: error recv/unreadable",
        "dangling.yaml:1:1: error recv/unreadable",
        "school.yml:1:1: error recv/source-name",
    ] {
        assert!(log.contains(expected), "{expected} is missing in:\n{log}");
    }
    world.gateway.settled().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_answered_as_it_wants() {
    let source = |name: &str, answer: &str| {
        format!(
            "mapping: 1\nsource: {name}\nreceive: {{verify: none{answer}}}\notherwise: drop\nrules:\n  - {{name: all, drop: nothing to do}}\ntests:\n  - {{name: all, event: {{a: 1}}, expect: [{{drop: nothing to do}}]}}\n"
        )
    };
    let strict = ", answer: {content_type: application/json, body: '{\"status\":\"ok\"}'}";
    let world = World::with(|setup| {
        setup
            .source("plain", &source("plain", ""))
            .source("strict", &source("strict", strict))
            .source("short", &source("short", ", answer: {status: 204}"))
    })
    .await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (name, status, body) in [
        (
            "plain",
            200,
            "{\"status\":\"accepted\",\"event\":1,\"new\":1,\"known\":0}",
        ),
        ("strict", 200, "{\"status\":\"ok\"}"),
        ("short", 204, ""),
    ] {
        let address = format!("{}webhooks/{name}", world.gateway.url());
        let mut answer = client.post(address).body("{}").send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{name}");
        let said = answer.chunk().await.unwrap().unwrap_or_default();
        assert_eq!(said, body, "{name}");
    }
    world.end().await;
}
