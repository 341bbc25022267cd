//! Orderly ends.

use std::time::Duration;

use quentli_gateway::sandbox::{Action, Fault, Sandbox, Settings};
use serde_json::json;

use crate::support::{
    executable::Setup,
    school::{SECRET, SECRET_VARIABLE, SOURCE_FILE, School},
    until,
};

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_finishes_what_is_under_way_and_keeps_the_rest() {
    let sandbox = Sandbox::new(Settings::default());
    let quentli = sandbox.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let setup = Setup::new(&quentli.url())
        .source("school", SOURCE_FILE)
        .settings("merge: {most: 1}\n")
        .variable(SECRET_VARIABLE, SECRET);
    let customer = sandbox.add(&json!({"name": "0", "username": "u"})).unwrap();
    sandbox
        .fault(Fault::always(Action::Slow { milliseconds: 300 }))
        .unwrap();
    let school = School::new();

    let gateway = setup.start();
    for number in 1..=5 {
        let sent = school
            .rename(
                &gateway.url(),
                &number.to_string(),
                &customer,
                &number.to_string(),
            )
            .await
            .unwrap();
        assert_eq!(sent.status, 200);
    }
    until("a change to be on its way", async || {
        let exchanges = sandbox.exchanges().len();
        if exchanges > 0 {
            Ok(())
        } else {
            Err(exchanges)
        }
    })
    .await;
    let status = gateway.terminate();
    assert!(status.success(), "{status}");

    // What was on its way was finished and recorded, so nothing is sent twice.
    sandbox.lift_faults();
    let gateway = setup.start();
    let totals = gateway.settled().await;
    assert_eq!(totals["ended"]["delivered"], 5, "{totals}");
    assert_eq!(sandbox.exchanges().len(), 5);
    assert!(gateway.terminate().success());
    crate::fits_the_schema(&sandbox);
    quentli.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_stops_at_once_and_loses_nothing() {
    let sandbox = Sandbox::new(Settings::default());
    let quentli = sandbox.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let setup = Setup::new(&quentli.url())
        .source("school", SOURCE_FILE)
        .variable(SECRET_VARIABLE, SECRET);
    let customer = sandbox.add(&json!({"name": "0", "username": "u"})).unwrap();
    sandbox
        .fault(Fault::always(Action::Slow {
            milliseconds: 9_000,
        }))
        .unwrap();
    let school = School::new();

    let mut gateway = setup.start();
    assert_eq!(
        school
            .rename(&gateway.url(), "1", &customer, "1")
            .await
            .unwrap()
            .status,
        200
    );
    until("a change to be on its way", async || {
        let running = gateway.status().await["organisations"]["default"]["in_flight"].clone();
        if running == 1 { Ok(()) } else { Err(running) }
    })
    .await;
    gateway.signal("TERM");
    gateway.logged("shutting down").await;
    gateway.signal("INT");
    let begun = std::time::Instant::now();
    gateway.wait();
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "it waited for the slow answer"
    );

    sandbox.lift_faults();
    let gateway = setup.start();
    let totals = gateway.settled().await;
    assert_eq!(totals["ended"]["delivered"], 1, "{totals}");
    assert_eq!(sandbox.customer(&customer).unwrap()["name"], "1");
    crate::fits_the_schema(&sandbox);
    quentli.stop().await;
}
