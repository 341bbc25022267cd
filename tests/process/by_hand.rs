//! What people do from the command line: send again, give up, stop and start; also through kills.

use quentli_gateway::sandbox::{Action, Fault, Running, Sandbox, Settings};
use serde_json::{Value, json};

use crate::support::{
    executable::{Gateway, Setup},
    school::{SECRET, SECRET_VARIABLE, SOURCE_FILE, School, event_of},
    until,
};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn setup(quentli: &str) -> Setup {
    Setup::new(quentli)
        .source("school", SOURCE_FILE)
        .variable(SECRET_VARIABLE, SECRET)
        .variable("USER", "ana")
}

async fn quentli() -> (Sandbox, Running) {
    let sandbox = Sandbox::new(Settings::default());
    let running = sandbox.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    (sandbox, running)
}

/// A gateway of a school, a Quentli that knows one customer, and nothing sent yet.
pub(crate) struct Begun {
    pub(crate) sandbox: Sandbox,
    pub(crate) quentli: Running,
    pub(crate) customer: String,
    pub(crate) setup: Setup,
    pub(crate) school: School,
    pub(crate) gateway: Gateway,
}

pub(crate) async fn begun() -> Begun {
    let (sandbox, quentli) = quentli().await;
    let customer = sandbox.add(&json!({"name": "0"})).unwrap();
    let setup = setup(&quentli.url());
    let gateway = setup.start();
    Begun {
        sandbox,
        quentli,
        customer,
        setup,
        school: School::new(),
        gateway,
    }
}

pub(crate) fn refuse_changes(sandbox: &Sandbox) {
    let status = Action::Status {
        status: 400,
        retry_after: None,
        message: None,
    };
    let fault = Fault::always(status).on_method("PATCH");
    sandbox.fault(fault).unwrap();
}

/// Runs a command that asks the gateway; its exit code, result and messages.
pub(crate) fn run(setup: &Setup, gateway: &Gateway, arguments: &[&str]) -> (i32, String, String) {
    let admin = gateway.admin_listen.to_string();
    let mut all = arguments.to_vec();
    all.extend(["--admin-listen", &admin]);
    let output = setup.run(&all);
    let code = output.status.code().unwrap();
    (code, text(&output.stdout), text(&output.stderr))
}

pub(crate) async fn rename(school: &School, gateway: &Gateway, name: &str, customer: &str) {
    let sent = school.rename(&gateway.url(), name, customer, name).await;
    assert_eq!(sent.unwrap().status, 200);
}

pub(crate) async fn totals(gateway: &Gateway) -> Value {
    gateway.status().await["store"]["totals"].clone()
}

fn ended(totals: &Value) -> u64 {
    let ended = totals["ended"].as_object().unwrap();
    ended.values().map(|count| count.as_u64().unwrap()).sum()
}

pub(crate) async fn until_dead(gateway: &Gateway, many: u64) {
    until("deliveries to be dead", async || {
        let totals = totals(gateway).await;
        if totals["dead"] == many {
            Ok(())
        } else {
            Err(totals)
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_deliveries_are_counted_and_then_sent_again() {
    let Begun {
        sandbox,
        quentli,
        customer,
        setup,
        school,
        gateway,
    } = begun().await;
    refuse_changes(&sandbox);
    for number in 1..=3 {
        let name = number.to_string();
        rename(&school, &gateway, &name, &customer).await;
        until_dead(&gateway, number).await;
    }
    school.send(&gateway.url(), "4", "not JSON").await.unwrap();
    until_dead(&gateway, 4).await;
    sandbox.lift_faults();
    let ask = |arguments: &[&str]| run(&setup, &gateway, arguments);

    let (code, page, _) = ask(&["redeliver", "--source", "school", "--dry-run"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!(page, @"
          4  found
          3  to be sent
          1  that cannot be sent as they are, since the mapping failed: mend the source's file and add `--remap`
    ");
    assert_eq!(totals(&gateway).await["dead"], 4, "nothing was changed");

    let first = gateway.status().await["dead"][3]["id"].to_string();
    let (code, page, messages) = ask(&["redeliver", &first]);
    assert_eq!((code, page.trim()), (0, "1 sent again"), "{messages}");
    gateway.settled().await;
    assert_eq!(sandbox.customer(&customer).unwrap()["name"], "1");
    let (code, _, messages) = ask(&["redeliver", &first]);
    assert_eq!(code, 1, "it ended: {messages}");

    let (code, page, _) = ask(&["redeliver", "--reason", "refused", "--since", "1h"]);
    assert_eq!((code, page.trim()), (0, "2 sent again"));
    gateway.settled().await;
    assert_eq!(sandbox.customer(&customer).unwrap()["name"], "3");
    assert_eq!(totals(&gateway).await["dead"], 1, "it cannot be mapped");

    let (_, log) = gateway.admin("GET", "/api/v1/audit?act=redeliver").await;
    let log: Vec<Value> = log["audit"].as_array().unwrap().clone();
    assert_eq!(
        (&log[0]["by"], &log[0]["count"]),
        (&json!("ana"), &json!(2))
    );
    assert_eq!(log[1]["what"][0]["value"], first);
    crate::fits_the_schema(&sandbox);
    quentli.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_a_large_redelivery_loses_none_and_doubles_none() {
    let (sandbox, quentli) = quentli().await;
    let setup = setup(&quentli.url());
    let school = School::new();
    let gateway = setup.start();
    refuse_changes(&sandbox);
    let mut customers = Vec::new();
    for _ in 0..40 {
        customers.push(sandbox.add(&json!({"name": "0"})).unwrap());
    }
    let many = 1200;
    for number in 0..many {
        let customer = &customers[number % customers.len()];
        let name = number.to_string();
        rename(&school, &gateway, &name, customer).await;
    }
    let many = u64::try_from(many).unwrap();
    until_dead(&gateway, many).await;
    sandbox.lift_faults();
    sandbox.forget_exchanges();
    let admin = gateway.admin_listen.to_string();
    let mut command = setup
        .command(&["redeliver", "--all", "--yes"])
        .args(["--admin-listen", &admin])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("some to be sent again", async || {
        let totals = totals(&gateway).await;
        if ended(&totals) >= 30 {
            Ok(())
        } else {
            Err(totals)
        }
    })
    .await;
    gateway.kill();
    command.wait().unwrap();

    let gateway = setup.start();
    let after = totals(&gateway).await;
    let sum = ["waiting", "looking", "dead"]
        .map(|state| after[state].as_u64().unwrap())
        .iter()
        .sum::<u64>();
    assert_eq!(sum + ended(&after), many, "{after}");
    let (code, _, messages) = run(&setup, &gateway, &["redeliver", "--all", "--yes"]);
    assert_eq!(code, 0, "{messages}");
    let done = gateway.settled().await;
    assert_eq!((&done["dead"], &done["created"]), (&json!(0), &json!(many)));
    assert_eq!(ended(&done), many, "{done}");
    for (place, customer) in customers.iter().enumerate() {
        let last = 1200 - customers.len() + place;
        let name = sandbox.customer(customer).unwrap()["name"].clone();
        assert_eq!(name, last.to_string(), "the last one stands");
    }
    // Only what was on its way when the process died may have left twice.
    let changes = sandbox.exchanges();
    let changes = changes.iter().filter(|each| each.method == "PATCH").count();
    assert!(changes <= 1200 + 16, "{changes} changes of {many}");
    crate::fits_the_schema(&sandbox);
    quentli.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_what_was_observed_is_sent_loses_none_and_doubles_none() {
    let (sandbox, quentli) = quentli().await;
    let observing = SOURCE_FILE.replace("otherwise: drop", "mode: observe\notherwise: drop");
    let setup = setup(&quentli.url()).source("school", &observing);
    let school = School::new();
    let gateway = setup.start();
    let mut customers = Vec::new();
    for _ in 0..40 {
        customers.push(sandbox.add(&json!({"name": "0"})).unwrap());
    }
    let many = 1200;
    for number in 0..many {
        let customer = &customers[number % customers.len()];
        let name = number.to_string();
        rename(&school, &gateway, &name, customer).await;
    }
    std::fs::write(setup.source_path("school"), SOURCE_FILE).unwrap();
    assert_eq!(gateway.reload().await.0, 200);
    let admin = gateway.admin_listen.to_string();
    let all = ["redeliver", "--source", "school", "--observed", "--yes"];
    let mut command = setup
        .command(&all)
        .args(["--admin-listen", &admin])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("some to be sent", async || {
        let totals = totals(&gateway).await;
        if totals["ended"]["dropped"] == many {
            Err(totals)
        } else {
            Ok(())
        }
    })
    .await;
    gateway.kill();
    command.wait().unwrap();

    let gateway = setup.start();
    let many = u64::try_from(many).unwrap();
    let after = totals(&gateway).await;
    let waiting = after["waiting"].as_u64().unwrap();
    assert_eq!(waiting + ended(&after), many, "{after}");
    let (code, _, messages) = run(&setup, &gateway, &all);
    assert_eq!(code, 0, "{messages}");
    let done = gateway.settled().await;
    assert_eq!(
        (&done["created"], &done["ended"]["dropped"]),
        (&json!(many), &json!(0))
    );
    assert_eq!((&done["dead"], ended(&done)), (&json!(0), many), "{done}");
    for (place, customer) in customers.iter().enumerate() {
        let last = 1200 - customers.len() + place;
        let name = sandbox.customer(customer).unwrap()["name"].clone();
        assert_eq!(name, last.to_string(), "the last one stands");
    }
    crate::fits_the_schema(&sandbox);
    quentli.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_not_sent_again_or_given_up_without_a_yes() {
    let Begun {
        sandbox,
        quentli,
        customer,
        setup,
        school,
        gateway,
    } = begun().await;
    refuse_changes(&sandbox);
    for number in 1..=101 {
        let name = number.to_string();
        rename(&school, &gateway, &name, &customer).await;
    }
    until_dead(&gateway, 101).await;
    let ask = |arguments: &[&str]| run(&setup, &gateway, arguments);
    for arguments in [
        &["redeliver", "--all"][..],
        &["redeliver", "--all", "--overwrite"],
        &["discard", "--all"],
    ] {
        let (code, page, messages) = ask(arguments);
        assert_eq!((code, &*page), (64, ""), "{arguments:?}");
        assert!(messages.contains("say `--yes`"), "{messages}");
    }
    assert_eq!(totals(&gateway).await["dead"], 101);
    for arguments in [
        &["redeliver"][..],
        &["discard"],
        &["redeliver", "1", "--source", "school"],
        &["redeliver", "--source", "school", "--since", "yesterday"],
    ] {
        assert_eq!(ask(arguments).0, 64, "{arguments:?}");
    }
    let (code, _, messages) = ask(&["redeliver", "--source", "No Name"]);
    assert_eq!(code, 1, "{messages}");

    let (code, page, _) = ask(&["discard", "--all", "--dry-run"]);
    assert_eq!((code, page.trim()), (0, "101 would be discarded"));
    let why = ["--why", "a test of the school"];
    let (code, page, _) = ask(&["discard", "--all", "--yes", why[0], why[1]]);
    assert_eq!((code, page.trim()), (0, "101 discarded"));
    let after = totals(&gateway).await;
    assert_eq!(
        (&after["dead"], &after["ended"]["discarded"]),
        (&json!(0), &json!(101))
    );
    assert_eq!(sandbox.customer(&customer).unwrap()["name"], "0");
    let (_, log) = gateway.admin("GET", "/api/v1/audit?act=discard").await;
    assert_eq!(log["audit"][0]["what"][1]["value"], why[1], "{log}");
    quentli.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_source_stays_paused_over_a_restart_until_somebody_resumes_it() {
    let Begun {
        sandbox,
        quentli,
        customer,
        setup,
        school,
        gateway,
    } = begun().await;
    let (code, page, messages) = run(
        &setup,
        &gateway,
        &[
            "pause",
            "--source",
            "school",
            "--why",
            "the list is being mended",
        ],
    );
    assert_eq!((code, page.trim()), (0, "the source `school` is paused"));
    assert!(
        messages.contains("by ana: the list is being mended"),
        "{messages}"
    );
    let sent = school.rename(&gateway.url(), "1", &customer, "1").await;
    assert_eq!(sent.unwrap().status, 200, "it is received");
    until("the lane to be stopped", async || {
        let status = gateway.status().await;
        let stopped = status["organisations"]["default"]["stopped"].clone();
        if stopped == 1 { Ok(()) } else { Err(status) }
    })
    .await;
    assert!(gateway.terminate().success());

    let gateway = setup.start();
    let pause = gateway.status().await["pauses"][0].clone();
    assert_eq!(
        (&pause["kind"], &pause["name"], &pause["by"]),
        (&json!("source"), &json!("school"), &json!("ana"))
    );
    gateway.logged("is paused since an earlier run").await;
    let metrics = gateway.metrics().await;
    let line = "quentli_gateway_source_paused{source=\"school\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    assert!(sandbox.exchanges().is_empty());
    let again = run(&setup, &gateway, &["pause", "--source", "school"]);
    assert!(again.1.contains("was paused already"), "{again:?}");
    let (code, page, _) = run(&setup, &gateway, &["resume", "--source", "school"]);
    assert_eq!((code, page.trim()), (0, "the source `school` goes on"));
    gateway.settled().await;
    assert_eq!(sandbox.customer(&customer).unwrap()["name"], "1");
    assert_eq!(gateway.status().await["pauses"], json!([]));
    quentli.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_organisation_receives_and_sends_nothing() {
    let Begun {
        sandbox,
        quentli,
        customer,
        setup,
        school,
        gateway,
    } = begun().await;
    let ask = |gateway: &Gateway, arguments: &[&str]| run(&setup, gateway, arguments);
    let organisation = ["--organisation", "default"];
    let (code, ..) = ask(&gateway, &["pause", organisation[0], organisation[1]]);
    assert_eq!(code, 0);
    gateway.kill();
    let gateway = setup.start();
    let answer = school.rename(&gateway.url(), "1", &customer, "1").await;
    let event = event_of(&answer.unwrap());
    assert!(event > 0);
    let shown = gateway.status().await["organisations"]["default"].clone();
    assert_eq!(
        (&shown["state"], &shown["reason"]),
        (&json!("paused"), &json!("asked"))
    );
    assert!(sandbox.exchanges().is_empty());
    let (code, ..) = ask(&gateway, &["resume", organisation[0], organisation[1]]);
    assert_eq!(code, 0);
    gateway.settled().await;
    assert_eq!(sandbox.customer(&customer).unwrap()["name"], "1");

    let (code, _, messages) = ask(&gateway, &["pause", "--source", "scool"]);
    assert_eq!(code, 1);
    assert!(messages.contains("did you mean `school`?"), "{messages}");
    let (code, _, messages) = ask(&gateway, &["pause", "--organisation", "norte"]);
    assert_eq!(code, 1);
    assert!(messages.contains("there are `default`"), "{messages}");
    assert_eq!(ask(&gateway, &["pause"]).0, 64);
    quentli.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mended_mapping_gives_takes_the_place_of_what_failed() {
    let Begun {
        sandbox,
        quentli,
        customer,
        setup,
        school,
        gateway,
    } = begun().await;
    let phone = json!({
        "type": "contact.updated",
        "contact": {"quentliId": customer, "name": "1", "phone": "none"},
    });
    let sent = school.send(&gateway.url(), "1", phone.to_string()).await;
    assert_eq!(sent.unwrap().status, 200);
    until_dead(&gateway, 1).await;
    rename(&school, &gateway, "2", &customer).await;
    gateway.settled().await;
    let ask = |arguments: &[&str]| run(&setup, &gateway, arguments);
    let (code, _, messages) = ask(&["redeliver", "--all"]);
    assert_eq!(code, 1);
    assert!(messages.contains("add `--remap`"), "{messages}");
    let (code, page, _) = ask(&["redeliver", "--all", "--remap", "--dry-run"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!(page, @"
          1  found
          1  events mapped again; of their deliveries
          1  stay dead, since the mapping fails or names nobody
    ");

    let skipping = SOURCE_FILE.replace(
        "phoneNumber: contact.phone | phone",
        "phoneNumber: {from: contact.phone | phone, on_error: skip}",
    );
    std::fs::write(setup.source_path("school"), skipping).unwrap();
    let (status, answer) = gateway.reload().await;
    assert_eq!(status, 200, "{answer}");
    let (_, page, _) = ask(&["redeliver", "--all", "--remap", "--dry-run"]);
    insta::assert_snapshot!(page, @"
          1  found
          1  events mapped again; of their deliveries
          1  are to be sent as the mapping has them now
    ");
    let (code, page, messages) = ask(&["redeliver", "--all", "--remap"]);
    assert_eq!((code, page.trim()), (0, "1 sent again"), "{messages}");
    let totals = gateway.settled().await;
    assert_eq!(
        (&totals["dead"], &totals["created"]),
        (&json!(0), &json!(2))
    );
    let name = sandbox.customer(&customer).unwrap()["name"].clone();
    assert_eq!(name, "2", "the name of the event after it stays");
    quentli.stop().await;
}
