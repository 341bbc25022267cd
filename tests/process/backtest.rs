//! The command `backtest`, against a gateway that runs.

use quentli_gateway::sandbox::{Sandbox, Settings};
use serde_json::{Value, json};

use crate::support::{
    executable::Setup,
    school::{SECRET, SECRET_VARIABLE, SOURCE_FILE, School},
};

/// The file with names in capitals, and with something wrong.
fn changed() -> String {
    SOURCE_FILE
        .replace("name: contact.name", "name: contact.name | upper")
        .replace("patch: {name: Ana,", "patch: {name: ANA,")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_tried_on_stored_events_and_nothing_is_sent() {
    let sandbox = Sandbox::new(Settings::default());
    let quentli = sandbox.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let customer = sandbox.add(&json!({"name": "0"})).unwrap();
    let setup = Setup::new(&quentli.url())
        .source("school", SOURCE_FILE)
        .variable(SECRET_VARIABLE, SECRET);
    let gateway = setup.start();
    let school = School::new();
    for (id, name) in [("1", "Zoe"), ("2", "LEO"), ("3", "Zacarias")] {
        school
            .rename(&gateway.url(), id, &customer, name)
            .await
            .unwrap();
    }
    gateway.settled().await;
    let sent = sandbox.exchanges().len();
    let new = setup.folder().join("new");
    std::fs::create_dir(&new).unwrap();
    std::fs::write(new.join("school.yaml"), changed()).unwrap();
    let admin = gateway.admin_listen.to_string();
    let run = |more: &[&str]| {
        let first = ["backtest", "--admin-listen", &admin];
        let output = setup.run(&[&first, more].concat());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (code, said, notes) = run(&["mappings/school.yaml"]);
    assert_eq!(code, Some(0), "{notes}");
    assert!(
        said.starts_with("3 events of school: 3 the same, 0 different; nothing was sent\n"),
        "{said}"
    );

    let (code, said, notes) = run(&["new/school.yaml", "--last", "3"]);
    assert_eq!(code, Some(1), "{notes}");
    insta::with_settings!({filters => [(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "[time]")]}, {
        insta::assert_snapshot!(said, @r"
        3 events of school: 1 the same, 2 different; nothing was sent

        FIELD  CHANGED  ADDED  REMOVED
        name   2        0      0

        event 3, [time] UTC
          item 0, update 0: update
            name: text of 8 characters → text of 8 characters

        event 1, [time] UTC
          item 0, update 0: update
            name: text of 3 characters → text of 3 characters

        values are hidden; `--reveal` shows them, and is written down
        ");
    });
    let (code, said, _) = run(&[
        "new/school.yaml",
        "--reveal",
        "--format",
        "json",
        "--by",
        "maria",
    ]);
    assert_eq!(code, Some(1));
    let answer: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&answer["events"], &answer["different"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(
        answer["examples"][0]["differences"][0]["after"],
        "\"ZACARIAS\""
    );
    let (_, acts) = gateway.admin("GET", "/api/v1/audit").await;
    let acts = acts["audit"].as_array().unwrap();
    assert_eq!(acts.len(), 3);
    assert_eq!(
        (&acts[0]["act"], &acts[0]["by"]),
        (&json!("backtest"), &json!("maria"))
    );
    assert!(acts[0].to_string().contains("shown") && !acts[1].to_string().contains("shown"));
    assert_eq!(sandbox.exchanges().len(), sent);
    assert_eq!(gateway.status().await["store"]["totals"]["accepted"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_show_without_a_gateway_and_unknown_sources_are_refused() {
    let setup = Setup::new("http://127.0.0.1:9")
        .source("school", SOURCE_FILE)
        .variable(SECRET_VARIABLE, SECRET);
    let broken = SOURCE_FILE.replace("otherwise: drop", "otherwise: x");
    let other = SOURCE_FILE.replace("source: school", "source: other");
    let setup = setup.source(
        "broken",
        &broken.replace("source: school", "source: broken"),
    );
    let run = |arguments: &[&str]| {
        let output = setup.run(arguments);
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, said) = run(&["backtest", "mappings/broken.yaml"]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("error[map/wrong-value]") && said.contains("otherwise: x"),
        "{said}"
    );
    let (code, said) = run(&[
        "backtest",
        "mappings/school.yaml",
        "--admin-listen",
        "127.0.0.1:9",
    ]);
    assert_eq!(code, Some(69), "{said}");

    std::fs::remove_file(setup.source_path("broken")).unwrap();
    let gateway = setup.start();
    let elsewhere = setup.folder().join("other.yaml");
    std::fs::write(&elsewhere, other).unwrap();
    let admin = gateway.admin_listen.to_string();
    let (code, said) = run(&["backtest", "other.yaml", "--admin-listen", &admin]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("no source of this name receives now"),
        "{said}"
    );
    let (status, answer) = gateway
        .admin("POST", "/api/v1/sources/school/backtest?last=x")
        .await;
    assert_eq!(
        (status, &answer["title"]),
        (400, &json!("The request is not written right"))
    );
    let (status, answer) = gateway
        .admin("POST", "/api/v1/sources/school/backtest")
        .await;
    assert_eq!(status, 422, "{answer}");
    assert!(!answer["mistakes"].as_array().unwrap().is_empty());
}
