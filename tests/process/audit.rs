//! What people did: written down by the gateway, shown by the command `audit`.

use reqwest::header::HeaderValue;

use crate::support::{
    executable::{Gateway, Setup},
    school::{SECRET, SECRET_VARIABLE, SOURCE_FILE},
};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn setup() -> Setup {
    Setup::new("http://127.0.0.1:9")
        .source("school", SOURCE_FILE)
        .variable(SECRET_VARIABLE, SECRET)
}

/// Runs a command that asks the gateway; its exit code, result and messages.
fn run(setup: &Setup, gateway: &Gateway, arguments: &[&str]) -> (i32, String, String) {
    let admin = gateway.admin_listen.to_string();
    let mut all = arguments.to_vec();
    all.extend(["--admin-listen", &admin]);
    let output = setup.run(&all);
    let code = output.status.code().unwrap();
    (code, text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_did_is_written_down_with_their_name_and_shown() {
    let setup = setup().variable("USER", "ana");
    let gateway = setup.start();
    let ask = |arguments: &[&str]| run(&setup, &gateway, arguments);
    assert_eq!(ask(&["audit"]).1, "", "nobody did anything yet");
    assert_eq!(ask(&["reload"]).0, 0);
    assert_eq!(ask(&["reload", "--by", "José Peñá (TI)"]).0, 0);
    let forget = "/api/v1/sources/school/forget-secret";
    assert_eq!(gateway.admin("POST", forget).await.0, 404, "nothing done");
    let nobody = gateway.admin("POST", "/api/v1/reload").await;
    assert_eq!(nobody.0, 200);
    let (code, page, _) = ask(&["audit"]);
    assert_eq!(code, 0);
    let mut filters = insta::Settings::clone_current();
    filters.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "[time]");
    filters.bind(|| {
        insta::assert_snapshot!(page, @"
        ID  WHEN                     WHO             DID     COUNT  TO WHAT
        3   [time]  (not said)      reload  1
        2   [time]  José Peñá (TI)  reload  1
        1   [time]  ana             reload  1
        ");
    });
    let (code, json, _) = ask(&[
        "audit", "--act", "reload", "--limit", "1", "--format", "json",
    ]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &json["next"]), (0, &serde_json::json!(3)), "{json}");
    let (code, _, error) = ask(&["audit", "--act", "reveel"]);
    assert_eq!(code, 1);
    assert!(error.contains("did you mean `reveal`?"), "{error}");

    // It stays over a restart.
    assert!(gateway.terminate().success());
    let gateway = setup.start();
    let (_, after) = gateway.admin("GET", "/api/v1/audit?limit=1&before=3").await;
    assert_eq!(after["audit"][0]["by"], "José Peñá (TI)", "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_could_command_a_terminal_is_refused() {
    let setup = setup();
    let gateway = setup.start();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/api/v1/reload", gateway.admin_listen);
    for name in [&b"ana\xff"[..], b"ana\tb", &[b'a'; 65], b" "] {
        let request = client
            .post(&url)
            .header("Gateway-Operator", HeaderValue::from_bytes(name).unwrap());
        assert_eq!(request.send().await.unwrap().status(), 400, "{name:?}");
    }
    let (_, page) = gateway.admin("GET", "/api/v1/audit").await;
    assert_eq!(page["audit"], serde_json::json!([]));
    let (code, _, error) = run(&setup, &gateway, &["reload", "--by", "a\u{1b}b"]);
    assert_eq!(code, 64, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reason_that_turns_the_direction_of_a_line_is_never_printed_as_it_is() {
    let setup = setup();
    let gateway = setup.start();
    let why = "the list \u{202e}nepo";
    let pause = ["pause", "--source", "school", "--why", why];
    let shown = run(&setup, &gateway, &pause);
    assert_eq!(shown.0, 0, "{shown:?}");
    for arguments in [
        &pause[..],
        &["status"],
        &["status", "--format", "json"],
        &["audit"],
        &["audit", "--format", "json"],
    ] {
        let (_, page, messages) = run(&setup, &gateway, arguments);
        let all = page + &messages;
        assert!(!all.contains('\u{202e}'), "{arguments:?}: {all:?}");
        assert!(all.contains("202e"), "{arguments:?}: {all:?}");
    }
}
