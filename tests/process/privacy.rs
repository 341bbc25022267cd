//! What must not be in the log or the metrics is not there.

use quentli_gateway::sandbox::{Action, Fault, Sandbox, Settings};
use serde_json::json;

use crate::support::{
    executable::Setup,
    school::{SECRET, SECRET_VARIABLE, SOURCE_FILE, School},
};

#[tokio::test(flavor = "multi_thread")]
async fn no_personal_data_and_no_secret_reaches_log_or_metrics() {
    let sandbox = Sandbox::new(Settings::default());
    let quentli = sandbox.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let setup = Setup::new(&quentli.url())
        .source(
            "school",
            &SOURCE_FILE.replace(
                "  dedup: {header",
                "  keep_rejected: {bodies_for: 24h}\n  dedup: {header",
            ),
        )
        .variable(SECRET_VARIABLE, SECRET)
        .variable("GATEWAY_LOG_LEVEL", "trace");
    let customer = sandbox
        .add(&json!({"name": "0", "username": "zacarias-user"}))
        .unwrap();
    let school = School::new();
    let gateway = setup.start();
    let send = async |id: &str, contact: serde_json::Value| {
        let body = json!({"type": "contact.updated", "contact": contact}).to_string();
        assert_eq!(
            school.send(&gateway.url(), id, body).await.unwrap().status,
            200
        );
    };
    // Delivered; found by user name; refused by Quentli with the values in its message; unmappable; unknown.
    send("1", json!({"quentliId": customer, "name": "Zacarias", "email": "zacarias@example.com", "phone": "5512349876"})).await;
    send(
        "2",
        json!({"username": "zacarias-user", "name": "Zacarias Dos"}),
    )
    .await;
    let message = "zacarias-refused is taken by somebody";
    let refuse = Action::Status {
        status: 400,
        retry_after: None,
        message: Some(message.to_owned()),
    };
    gateway.settled().await;
    sandbox
        .fault(Fault::once(refuse).on_method("PATCH"))
        .unwrap();
    send("3", json!({"quentliId": customer, "name": "Zacarias Tres"})).await;
    gateway.settled().await;
    send(
        "4",
        json!({"quentliId": customer, "phone": "zacarias-has-no-phone"}),
    )
    .await;
    send(
        "5",
        json!({"username": "zacarias-unknown", "name": "Zacarias"}),
    )
    .await;
    let forged = school
        .send(&gateway.url(), "6", "zacarias not even JSON")
        .await
        .unwrap();
    assert_eq!(forged.status, 200, "verified, so stored");
    let totals = gateway.settled().await;
    assert_eq!(
        (&totals["ended"]["delivered"], &totals["dead"]),
        (&json!(2), &json!(4)),
        "{totals}"
    );

    // Refused, kept whole, and refused again: what is shown of it has nothing of it.
    let impostor = School::with_secret("zacarias-forges");
    let refused = impostor
        .send(&gateway.url(), "7", r#"{"name":"zacarias"}"#)
        .await
        .unwrap();
    assert_eq!(refused.status, 401);
    let records = gateway.rejected(1).await;
    assert!(records[0]["kept_until"].is_string(), "{records:?}");
    let one = format!("/api/v1/rejected/{}", records[0]["id"]);
    let (_, again) = gateway.admin("POST", &format!("{one}/accept")).await;
    assert_eq!(again["outcome"], "refused", "{again}");
    let pages = [json!(records), gateway.admin("GET", &one).await.1, again];
    for page in &pages {
        let small = page.to_string().to_lowercase();
        for secret in ["zacarias", SECRET, "{\\\"name"] {
            assert!(!small.contains(secret), "{secret} is shown: {page}");
        }
    }

    let metrics = gateway.metrics().await;
    gateway.signal("TERM");
    gateway.logged("\"stopped\"").await;
    let log = gateway.log().join("\n");
    assert!(log.contains("webhook") && metrics.contains("quentli_gateway_requests_total"));
    for (what, text) in [("log", log), ("metrics", metrics)] {
        for line in text.lines() {
            let small = line.to_lowercase();
            for secret in ["zacarias", "5512349876", SECRET, "sk_test_key", "sha256="] {
                assert!(
                    !small.contains(secret),
                    "{secret} stands in the {what}: {line}"
                );
            }
        }
    }
    crate::fits_the_schema(&sandbox);
    quentli.stop().await;
}
