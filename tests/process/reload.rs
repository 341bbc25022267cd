//! `SIGHUP` at any moment of a process, and the command that asks for a reload.

use quentli_gateway::sandbox::{Action, Fault, Sandbox, Settings};
use serde_json::json;

use crate::support::{
    executable::Setup,
    left_out,
    school::{SECRET, SECRET_VARIABLE, SOURCE_FILE, School},
    until,
};

fn setup(quentli: &str) -> Setup {
    Setup::new(quentli)
        .source("school", SOURCE_FILE)
        .variable(SECRET_VARIABLE, SECRET)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_before_anything_is_loaded_is_heard_later_and_ends_nothing() {
    // The settings come through a pipe, so that the start goes on when this test says so.
    let setup = setup("http://127.0.0.1:9").variable("GATEWAY_CONFIG", "pipe.yaml");
    let pipe = setup.folder().join("pipe.yaml");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let starting = setup.begin(&["serve"]);
    until("the process to listen for SIGHUP", async || {
        if starting.catches(1) { Ok(()) } else { Err(()) }
    })
    .await;
    starting.signal("HUP");
    starting.signal("HUP");
    std::fs::write(&pipe, "reload: {poll: 0s}\n").unwrap();
    let gateway = starting.listening();
    let reload = gateway
        .reloaded("the early signal to be heard", |reload| {
            reload["trigger"] == "signal"
        })
        .await;
    assert_eq!(reload["sources"]["outcome"], "unchanged", "{reload}");
    assert!(gateway.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_takes_long_is_ended_by_a_signal() {
    // Far more to check than the process is done with when the signal comes.
    let one = "  - {name: NUMBER, event: {event: NUMBER}, expect: [{drop: x}]}\n";
    let tests: String = (0..1_000)
        .map(|number| one.replace("NUMBER", &number.to_string()))
        .collect();
    let mut setup = setup("http://127.0.0.1:9");
    for number in 0..60 {
        let name = format!("slow{number}");
        let file = format!(
            "mapping: 1\nsource: {name}\nreceive: {{verify: none}}\notherwise: drop\nrules:\n  - {{name: all, when: \
             exists(event), drop: x}}\ntests:\n{tests}"
        );
        setup = setup.source(&name, &file);
    }
    let starting = setup.begin(&["serve"]);
    until("the process to listen for SIGTERM", async || {
        if starting.catches(15) {
            Ok(())
        } else {
            Err(())
        }
    })
    .await;
    starting.signal("TERM");
    let (was_fine, log) = starting.ended();
    let log = log.join("\n");
    assert!(
        was_fine && log.contains("before the start was done"),
        "{log}"
    );
    assert!(!log.contains("listening"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_during_shutdown_is_ignored() {
    let sandbox = Sandbox::new(Settings::default());
    let quentli = sandbox.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let setup = setup(&quentli.url());
    let customer = sandbox.add(&json!({"name": "0", "username": "u"})).unwrap();
    sandbox
        .fault(Fault::always(Action::Slow {
            milliseconds: 1_000,
        }))
        .unwrap();
    let mut gateway = setup.start();
    let (school, url) = (School::new(), gateway.url());
    let sent = school.rename(&url, "1", &customer, "1").await;
    assert_eq!(sent.unwrap().status, 200);
    until("a change to be on its way", async || {
        let running = gateway.status().await["organisations"]["default"]["in_flight"].clone();
        if running == 1 { Ok(()) } else { Err(running) }
    })
    .await;
    gateway.signal("TERM");
    gateway.logged("shutting down").await;
    std::fs::write(setup.source_path("school"), "mapping: 1\n").unwrap();
    gateway.signal("HUP");
    assert!(gateway.wait().success());
    let log = gateway.log().join("\n");
    assert!(!log.contains("reload"), "{log}");
    assert_eq!(sandbox.customer(&customer).unwrap()["name"], "1");
    crate::fits_the_schema(&sandbox);
    quentli.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_reload_shows_what_came_of_it() {
    let setup = setup("http://127.0.0.1:9");
    let gateway = setup.start();
    let admin = gateway.admin_listen.to_string();
    // The command needs neither the key nor the secrets of the sources.
    let setup = setup.without("QUENTLI_API_KEY").without(SECRET_VARIABLE);
    let reload = || setup.run(&["reload", "--admin-listen", &admin]);
    let path = setup.source_path("school");
    std::fs::write(&path, format!("{SOURCE_FILE}# more\n")).unwrap();
    let output = reload();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    insta::assert_snapshot!(text(&output.stdout), @r"
    sources: loaded
      changed: school
    keys: unchanged
    ");
    std::fs::write(&path, "mapping: 1\nsource: school\n").unwrap();
    let output = reload();
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    assert!(shown.starts_with("sources: refused\n"), "{shown}");
    let shown = text(&output.stderr);
    assert!(shown.contains("mappings/school.yaml:1:1: error"), "{shown}");
    let output = setup.run(&["reload", "--admin-listen", &gateway.listen.to_string()]);
    assert_eq!(output.status.code(), Some(69), "the port of the webhooks");
    let shown = text(&output.stderr);
    assert!(
        shown.contains("is not the gateway's operators' port"),
        "{shown}"
    );
    assert!(gateway.terminate().success());
    assert_eq!(reload().status.code(), Some(69));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_reload_brings_the_token_or_says_what_is_missing() {
    let setup = setup("http://127.0.0.1:9").variable("GATEWAY_ADMIN_TOKEN", "t0ken");
    let gateway = setup.start();
    let admin = gateway.admin_listen.to_string();
    let output = setup.run(&["reload", "--admin-listen", &admin]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let setup = setup.without("GATEWAY_ADMIN_TOKEN");
    let output = setup.run(&["reload", "--admin-listen", &admin]);
    assert_eq!(output.status.code(), Some(78));
    let shown = text(&output.stderr);
    assert!(shown.contains("GATEWAY_ADMIN_TOKEN"), "{shown}");
    drop(gateway);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_whose_terminal_is_closed_ends_in_order() {
    let test = "a_gateway_whose_terminal_is_closed_ends_in_order";
    if std::process::Command::new("script")
        .arg("--version")
        .output()
        .is_err()
    {
        return left_out(test, "`script`, which makes a terminal, is not installed");
    }
    let setup = setup("http://127.0.0.1:9").variable("GATEWAY_LOG_FORMAT", "json");
    let log = setup.folder().join("typescript");
    let mut terminal = setup
        .in_terminal(&["serve"], &log)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let lock = setup.data().join("gateway.lock");
    let listening = async || {
        let seen = std::fs::read_to_string(&log).unwrap_or_default();
        if seen.contains("\"listening\"") {
            Ok(())
        } else {
            Err(seen)
        }
    };
    until("the gateway to listen", listening).await;
    terminal.kill().unwrap();
    terminal.wait().unwrap();
    // The lock goes with the process.
    until("the gateway to end", async || {
        let file = std::fs::File::open(&lock).unwrap();
        file.try_lock().map_err(|error| error.to_string())
    })
    .await;
}
