//! What people see on the command line.

use quentli_gateway::sandbox::{Sandbox, Settings};
use serde_json::json;

use crate::support::{
    executable::Setup,
    school::{SECRET, SECRET_VARIABLE, SOURCE_FILE},
};

fn setup() -> Setup {
    Setup::new("http://127.0.0.1:9")
        .source("school", SOURCE_FILE)
        .variable(SECRET_VARIABLE, SECRET)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn mistakes_of_the_configuration_are_shown_all_at_once_and_end_with_78() {
    let setup = setup()
        .settings("lisen: 1\nlimits: {body: 1 potato, header_timeout: soon}\nquentli: {default: {key: sk_literal, rate: fast}}\n")
        .without("QUENTLI_API_KEY")
        .variable("GATEWAY_LOG_FORMAT", "pretty");
    let output = setup.run(&["serve"]);
    assert_eq!(output.status.code(), Some(78));
    let shown = text(&output.stderr);
    for expected in [
        "gateway.yaml:1:1",
        "did you mean `listen`?",
        "`limits.body` takes a size such as `1 MiB` or `64 KiB`",
        "`limits.header_timeout` takes a time such as `10s`",
        "a secret is a reference, never the secret itself",
        "`quentli.default.rate` takes a whole number from 1",
        "GATEWAY_LOG_FORMAT=pretty",
        "QUENTLI_API_KEY",
    ] {
        assert!(
            shown.contains(expected),
            "{expected:?} is missing in:\n{shown}"
        );
    }
}

#[test]
fn wrong_usage_ends_with_64_and_help_with_0() {
    let setup = setup();
    assert_eq!(setup.run(&["serve", "--port", "1"]).status.code(), Some(64));
    assert_eq!(setup.run(&[]).status.code(), Some(64));
    let help = setup.run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("Show the whole way of an event"));
}

#[test]
fn config_shows_every_setting_its_origin_and_no_secret() {
    let output = setup().run(&["config", "--listen", "127.0.0.1:7777"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    let has = |key: &str, value: &str, origin: &str| {
        shown.lines().any(|line| {
            let words: Vec<&str> = line
                .split("  ")
                .map(str::trim)
                .filter(|word| !word.is_empty())
                .collect();
            words == [key, value, origin]
        })
    };
    assert!(has("listen", "127.0.0.1:7777", "--listen"), "{shown}");
    assert!(has("limits.body", "1 MiB", "default"), "{shown}");
    assert!(
        has("quentli.default.rate", "5000", "gateway.yaml:1"),
        "{shown}"
    );
    assert!(
        has(
            "quentli.default.key",
            "(env:QUENTLI_API_KEY)",
            "environment QUENTLI_API_KEY"
        ),
        "{shown}"
    );
    assert!(!shown.contains("sk_test_key"), "{shown}");
}

#[test]
fn check_points_at_the_mistake_and_says_what_to_do() {
    let setup = setup().source(
        "school",
        &SOURCE_FILE.replace(
            "phoneNumber: contact.phone | phone",
            "phoneNumbr: contact.phone | phone",
        ),
    );
    let output = setup.run(&["check"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stderr);
    assert!(shown.contains("error[map/unknown-field]"), "{shown}");
    assert!(shown.contains("mappings/school.yaml:"), "{shown}");
    assert!(shown.contains("did you mean `phoneNumber`?"), "{shown}");
    let short = setup.run(&["check", "--format", "short"]);
    assert!(
        text(&short.stdout).contains("error map/unknown-field: "),
        "{}",
        text(&short.stdout)
    );
    let json = setup.run(&["check", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert!(
        json.as_array()
            .unwrap()
            .iter()
            .any(|found| found["code"] == "map/unknown-field"),
        "{json}"
    );
}

#[test]
fn test_runs_the_tests_of_the_files() {
    let output = setup().run(&["test"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        text(&output.stdout),
        "mappings/school.yaml\n  ok      the usual case\n1 passed, 0 failed\n"
    );
}

/// Two more tests, of which one expects something else than what comes out, and one an update more.
fn setup_with_failing_tests() -> Setup {
    let test = SOURCE_FILE.split_once("tests:\n").unwrap().1;
    let second = test.replace("the usual case", "another case").replace(
        "patch: {name: Ana, email: a@b.mx,",
        "patch: {name: Ann, tags: [x],",
    );
    let third = test.replace("the usual case", "two updates")
        + "      - customer: cus_2\n        patch: {name: Eva}\n";
    setup().source("school", &format!("{SOURCE_FILE}{second}{third}"))
}

#[test]
fn test_shows_a_line_for_each_field_that_differs_and_the_rule_that_ran() {
    let setup = setup_with_failing_tests();
    let output = setup.run(&["test"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(text(&output.stdout), @r#"
    mappings/school.yaml
      ok      the usual case
      FAILED  another case (line 33)
              outcome 1, rule `contact changed`
                name   expected "Ann"    got "Ana"
                tags   expected ["x"]    got nothing
                email  expected nothing  got "a@b.mx"
              see why: quentli-gateway explain mappings/school.yaml --test 'another case'
      FAILED  two updates (line 38)
              outcome 2
                outcome  expected an update of cus_2  got nothing
              see why: quentli-gateway explain mappings/school.yaml --test 'two updates'
    1 passed, 2 failed
    "#);
    let checked = setup.run(&["check", "--format", "short"]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(text(&checked.stdout).contains("error map/test-failed: "));

    let setup = setup.source("broken", "mapping: 1\nsource: broken\n");
    let output = setup.run(&["test"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    assert!(
        shown.contains("mappings/broken.yaml  not loaded\n"),
        "{shown}"
    );
    assert!(
        shown.ends_with("1 passed, 2 failed, 1 file not loaded\n"),
        "{shown}"
    );
}

#[test]
fn test_runs_those_with_a_part_in_their_names() {
    let setup = setup_with_failing_tests();
    let output = setup.run(&["test", "--name", "USUAL"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).ends_with("1 passed, 0 failed\n"));
    let output = setup.run(&["test", "--name", "nothing like it"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("no test has `nothing like it` in its name"));
}

#[test]
fn test_tells_programs_what_differs() {
    let output = setup_with_failing_tests().run(&["test", "--format", "json", "--name", "case"]);
    assert_eq!(output.status.code(), Some(1));
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let file = &shown[0];
    assert_eq!(file["file"], "mappings/school.yaml");
    assert_eq!(file["loaded"], true);
    assert_eq!(file["tests"].as_array().unwrap().len(), 2);
    assert_eq!(file["tests"][0]["passed"], true);
    assert_eq!(
        file["tests"][1]["differences"][0],
        json!({
            "line": 37, "outcome": 1, "rule": "contact changed", "field": "name",
            "expected": "\"Ann\"", "got": "\"Ana\"",
        })
    );
}

#[test]
fn functions_shows_the_catalogue_and_one_of_it_with_examples() {
    let setup = setup();
    let table = text(&setup.run(&["functions"]).stdout);
    assert!(table.starts_with("write "), "{table}");
    let json = setup.run(&["functions", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    for function in json.as_array().unwrap() {
        let name = function["name"].as_str().unwrap();
        let usage = function["usage"].as_str().unwrap();
        let shortest = usage.split(", or ").next().unwrap();
        assert!(table.contains(&format!("\n{shortest}  ")), "{name}");
        let one = setup.run(&["functions", name]);
        assert_eq!(one.status.code(), Some(0));
        let expression = function["examples"][0]["expression"].as_str().unwrap();
        assert!(text(&one.stdout).contains(expression), "{name}");
    }
    insta::assert_snapshot!(text(&setup.run(&["functions", "phone"]).stdout), @r#"
    x | phone
    x | phone('US')
      gives phone:
      a telephone number in E.164; an error where it is none

      '044 55 1234 5678' | phone      '+525512345678'
      '(415) 555-2671' | phone('US')  '+14155552671'
      'ext. 14' | phone               error: 'ext. 14' is not a phone number
    "#);
    let typo = setup.run(&["functions", "squeze"]);
    assert_eq!(typo.status.code(), Some(64));
    assert!(text(&typo.stderr).contains("did you mean `squeeze`?"));
}

#[test]
fn findings_have_colours_only_where_they_are_asked_for() {
    let setup = setup().source("broken", "mapping: 1\nsource: broken\n");
    let coloured = |arguments: &[&str]| {
        let output = setup.run(arguments);
        [output.stdout, output.stderr].concat().contains(&0x1b)
    };
    for command in ["check", "test"] {
        assert!(!coloured(&[command]), "{command}");
        assert!(!coloured(&[command, "--color", "never"]), "{command}");
        assert!(coloured(&[command, "--color", "always"]), "{command}");
    }
}

#[test]
fn a_source_that_does_not_load_is_said_loudly_and_strict_refuses_to_start() {
    let setup = setup().source("broken", "mapping: 1\nsource: broken\n");
    let output = setup.run(&["serve", "--strict"]);
    assert_eq!(output.status.code(), Some(78), "{}", text(&output.stderr));
    let shown = text(&output.stderr);
    assert!(shown.contains("mappings/broken.yaml:1:1"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn send_signs_an_event_that_the_gateway_takes_and_healthcheck_sees_it_ready() {
    let sandbox = Sandbox::new(Settings::default());
    let quentli = sandbox.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let customer = sandbox.add(&json!({"name": "0", "username": "u"})).unwrap();
    let setup = Setup::new(&quentli.url())
        .source("school", SOURCE_FILE)
        .variable(SECRET_VARIABLE, SECRET);
    let gateway = setup.start();
    let body =
        json!({"type": "contact.updated", "contact": {"quentliId": customer, "name": "Ana"}});
    std::fs::write(setup.folder().join("event.json"), body.to_string()).unwrap();
    let url = gateway.url();
    let send = |id: &str| {
        setup.run(&[
            "send",
            "--source",
            "school",
            "--file",
            "event.json",
            "--url",
            url.as_str(),
            "--id",
            id,
        ])
    };
    let first = send("1");
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    assert!(text(&first.stdout).contains("\"status\":\"accepted\""));
    assert!(text(&send("1").stdout).contains("\"status\":\"duplicate\""));
    gateway.settled().await;
    assert_eq!(sandbox.customer(&customer).unwrap()["name"], "Ana");

    let listen = gateway.listen.to_string();
    assert_eq!(
        setup
            .run(&["healthcheck", "--listen", &listen])
            .status
            .code(),
        Some(0)
    );
    gateway.terminate();
    assert_eq!(
        setup
            .run(&["healthcheck", "--listen", &listen])
            .status
            .code(),
        Some(69)
    );
    quentli.stop().await;
}

#[test]
fn two_gateways_cannot_share_a_data_folder() {
    let setup = setup();
    let _first = setup.start();
    let second = setup.run(&["serve"]);
    assert_eq!(second.status.code(), Some(69), "{}", text(&second.stderr));
    assert!(
        text(&second.stderr).contains("data"),
        "{}",
        text(&second.stderr)
    );
}

#[test]
fn a_database_is_shown_without_its_user_and_password() {
    let url = "postgres://maria:hunter2@db.example.mx/school?sslmode=disable";
    let output = setup().variable("GATEWAY_DATABASE", url).run(&["config"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let line = shown.lines().find(|line| line.starts_with("database "));
    let words: Vec<&str> = line.unwrap().split_whitespace().collect();
    assert_eq!(words[..2], ["database", "db.example.mx:5432/school"]);
    assert!(
        !shown.contains("hunter2") && !shown.contains("maria"),
        "{shown}"
    );
}

#[test]
fn a_password_of_the_database_stands_where_nobody_reads_it() {
    let url = "postgres://maria:hunter2@db.example.mx/school";
    let in_file = setup()
        .settings(&format!("database: \"{url}\"\n"))
        .run(&["config"]);
    let in_flag = setup().run(&["config", "--database", url]);
    for output in [in_file, in_flag] {
        assert_eq!(output.status.code(), Some(78));
        let shown = text(&output.stderr);
        assert!(
            shown.contains("holds a password where others can read it"),
            "{shown}"
        );
        assert!(shown.contains("GATEWAY_DATABASE_PASSWORD"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let by_file = setup()
        .settings("database: {url: \"postgres://maria@db.example.mx/school\", password: {env: DB_PASSWORD}}\n")
        .variable("DB_PASSWORD", "hunter2")
        .run(&["config"]);
    let shown = text(&by_file.stdout);
    assert!(
        shown.contains("(env:DB_PASSWORD)") && !shown.contains("hunter2"),
        "{shown}"
    );
}

#[test]
fn a_database_that_cannot_be_reached_ends_the_start_with_what_to_do() {
    let output = setup()
        .variable("GATEWAY_DATABASE", "postgres://gateway@127.0.0.1:1/gateway")
        .run(&["serve"]);
    let shown = text(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{shown}");
    assert!(
        shown.contains("cannot connect to the database 127.0.0.1:1/gateway"),
        "{shown}"
    );
}
