//! Refused requests through stops, kills and the command line.

use quentli_gateway::sandbox::{Sandbox, Settings};
use serde_json::json;

use crate::support::{
    executable::{Gateway, Setup},
    school::{SECRET, SOURCE_FILE, School},
    until,
};

/// A school whose secret stands in a file, and whose refused requests are kept.
fn setup(quentli: &str) -> Setup {
    let file = SOURCE_FILE
        .replace("{env: SCHOOL_SECRET}", "{file: secret}")
        .replace(
            "  dedup: {header",
            "  keep_rejected: {bodies_for: 24h}\n  dedup: {header",
        );
    let setup = Setup::new(quentli).source("school", &file);
    std::fs::write(setup.folder().join("secret"), "mistyped").unwrap();
    setup
}

/// Puts the right secret into its file and has it read.
async fn mend(setup: &Setup, gateway: &Gateway) {
    std::fs::write(setup.folder().join("secret"), SECRET).unwrap();
    let (status, answer) = gateway.reload().await;
    assert_eq!(status, 200, "{answer}");
}

async fn refuse(school: &School, gateway: &Gateway, id: &str, customer: &str) {
    let answer = school
        .rename(&gateway.url(), id, customer, id)
        .await
        .unwrap();
    assert_eq!(answer.status, 401, "{answer:?}");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_last_is_written_down_when_the_gateway_stops() {
    let setup = setup("http://127.0.0.1:9");
    let school = School::new();
    let gateway = setup.start();
    refuse(&school, &gateway, "1", "cus_1").await;
    assert!(gateway.terminate().success());
    let gateway = setup.start();
    let (_, page) = gateway.admin("GET", "/api/v1/rejected").await;
    assert_eq!(page["rejected"][0]["reason"], "no-match", "{page}");
    drop(gateway);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_they_are_accepted_later_loses_none_and_doubles_none() {
    let sandbox = Sandbox::new(Settings::default());
    let quentli = sandbox.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let customer = sandbox.add(&json!({"name": "0"})).unwrap();
    let setup = setup(&quentli.url());
    let school = School::new();
    let gateway = setup.start();
    let many = 60;
    for number in 0..many {
        refuse(&school, &gateway, &number.to_string(), &customer).await;
    }
    gateway.rejected(many).await;
    mend(&setup, &gateway).await;
    let admin = gateway.admin_listen.to_string();
    let mut accept = setup
        .command(&["rejected", "accept", "--source", "school", "--all"])
        .args(["--admin-listen", &admin])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("some of them to be accepted", async || {
        let totals = gateway.status().await["store"]["totals"].clone();
        if totals["accepted"].as_u64().unwrap() >= 5 {
            Ok(())
        } else {
            Err(totals)
        }
    })
    .await;
    gateway.kill();
    accept.wait().unwrap();

    let gateway = setup.start();
    let all = "/api/v1/sources/school/rejected/accept";
    let (status, counts) = gateway.admin("POST", all).await;
    assert_eq!((status, &counts["refused"]), (200, &json!(0)), "{counts}");
    let totals = gateway.settled().await;
    assert_eq!(
        (&totals["accepted"], &totals["created"]),
        (&json!(many), &json!(many)),
        "{totals}"
    );
    let left = gateway.admin("POST", all).await.1;
    let nothing = json!({"accepted": 0, "duplicate": 0, "refused": 0, "next": null});
    assert_eq!(left, nothing);
    let name = sandbox.customer(&customer).unwrap()["name"].clone();
    assert_eq!(name, (many - 1).to_string(), "the last one stands");
    crate::fits_the_schema(&sandbox);
    quentli.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_rejected_lists_shows_and_accepts() {
    let setup = setup("http://127.0.0.1:9");
    let school = School::new();
    let gateway = setup.start();
    refuse(&school, &gateway, "1", "cus_1").await;
    gateway.rejected(1).await;
    refuse(&school, &gateway, "2", "cus_1").await;
    gateway.rejected(2).await;
    let admin = gateway.admin_listen.to_string();
    let run = |arguments: &[&str]| {
        let mut all = vec!["rejected"];
        all.extend(arguments);
        all.extend(["--admin-listen", &admin]);
        let output = setup.run(&all);
        let code = output.status.code().unwrap();
        (code, text(&output.stdout), text(&output.stderr))
    };
    let mut filters = insta::Settings::clone_current();
    filters.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "[time]");
    filters.add_filter(r"127\.0\.0\.1:\d+", "[address]");
    filters.add_filter(
        r"x-school-timestamp: \d{10}",
        "x-school-timestamp: [seconds]",
    );
    filters.add_filter(r"send/[0-9.]+", "send/[release]");
    let list = run(&[]);
    let shown = run(&["show", "1"]);
    filters.bind(|| {
        insta::assert_snapshot!(list.1, @r"
        ID  LAST                     SOURCE  TIMES  STATUS  REASON    WHOLE
        2   [time]  school  1      401     no-match  until [time]
        1   [time]  school  1      401     no-match  until [time]
        ");
        insta::assert_snapshot!(shown.1, @r#"
        request    1 of school
        reason     no-match: no signature matches any secret: wrong secret, changed body, or another text was signed
        answered   401
        came       [time]
        from       127.0.0.1
        method     POST
        body       69 bytes
        headers    values only of those that hold no secret
          content-type: application/json
          x-event-id
          x-school-timestamp: [seconds]
          x-school-signature: (64 hexadecimal digits behind `sha256=`)
          accept
          user-agent: quentli-gateway-send/[release]
          host: [address]
          content-length: 69

        What to do next:
          1. Mend what the reason says: docs/OPERATIONS.md, "A sender is refused", has a line for each.
             Where that does not help, ask `quentli-gateway rejected show 1 --diagnose`.
             A secret in a file is read again by itself; for one in the environment restart the gateway.
          2. The request is kept whole until [time]. Take it then: `quentli-gateway rejected accept 1`,
             or everything of this source, oldest first: `quentli-gateway rejected accept --source school --all`.
        "#);
    });
    let (code, json, _) = run(&["list", "--source", "school", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, json["rejected"].as_array().unwrap().len()), (0, 2));
    let (code, nothing, note) = run(&["--reason", "missing-signature"]);
    assert_eq!((code, nothing.as_str()), (0, ""), "{note}");

    let (code, diagnosed, _) = run(&["show", "1", "--diagnose"]);
    assert_eq!(code, 1, "{diagnosed}");
    filters.add_filter(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "[time]");
    filters.add_filter(r"`unix_s`\), .*", "`unix_s`), [distance]");
    filters.bind(|| insta::assert_snapshot!(diagnosed, @r"
        refused (no-match): no signature matches any secret: wrong secret, changed body, or another text was signed
        the rejected request 1, arriving at the source `school` [time]

             signature    header `X-School-Signature`: 32 bytes as hexadecimal digits behind `sha256=`
             timestamp    header `X-School-Timestamp`: [time] (`unix_s`), [distance]
             signed text  `{timestamp}.{body}`
             body         69 bytes
             secret       file:secret

        None of the usual mistakes explains it: 6829 were tried, alone and in pairs.
        What cannot be seen from here, the likeliest first:
          - the sender signs with another secret: make a new one, enter it on both sides, and mind that the gateway
            reads variables only when it starts
          - the body is not the one that was signed: keep the request where it enters your network, as bytes, and not
            from a log or a screen
          - the sender signs something else than `signed` says: compare it with the sender's page on signatures
        "));
    // The file is read anew, and only for the diagnosis: the source itself has not changed yet.
    std::fs::write(setup.folder().join("secret"), format!("{SECRET}\n\n")).unwrap();
    let (code, slip, _) = run(&["show", "1", "--diagnose"]);
    assert_eq!(code, 1, "{slip}");
    assert!(
        slip.contains("white space, a line end or a byte order mark"),
        "{slip}"
    );
    let (code, json, _) = run(&["show", "1", "--diagnose", "--format", "json"]);
    assert_eq!(code, 1);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["reason"], "no-match", "{json}");
    for (name, page) in [("page", slip), ("json", json.to_string())] {
        assert!(
            !page.contains(SECRET) && !page.contains("cus_1"),
            "{name}: {page}"
        );
    }
    std::fs::write(setup.folder().join("secret"), "mistyped").unwrap();

    let (code, still, _) = run(&["accept", "1"]);
    assert!(
        code == 1 && still.starts_with("still refused: no-match"),
        "{still}"
    );
    mend(&setup, &gateway).await;
    assert_eq!(run(&["accept", "1"]).1, "accepted as event 1\n");
    let (code, _, again) = run(&["accept", "1"]);
    assert!(
        code == 1 && again.contains("accepted before, as event 1"),
        "{again}"
    );
    for (id, expected) in [("1", "accepted before, as event 1"), ("77", "no such")] {
        let (code, _, error) = run(&["show", id, "--diagnose"]);
        assert!(code == 1 && error.contains(expected), "{error}");
    }
    // By the secret of now it is genuine, as it will be when it is accepted.
    let (code, genuine, _) = run(&["show", "2", "--diagnose"]);
    assert!(
        code == 0 && genuine.starts_with("genuine, proved with file:secret"),
        "{genuine}"
    );
    let (code, all, _) = run(&["accept", "--source", "school", "--all"]);
    assert_eq!(
        (code, all.as_str()),
        (0, "school: 1 accepted, 0 known already, 0 still refused\n")
    );
    let (code, nothing, unknown) = run(&["accept", "--source", "shcool", "--all"]);
    assert_eq!((code, nothing.as_str()), (1, ""));
    assert!(unknown.contains("did you mean `school`?"), "{unknown}");
    let (code, no_more, _) = run(&["accept", "--source", "school"]);
    assert_eq!(
        (code, no_more.as_str()),
        (0, "school: 0 accepted, 0 known already, 0 still refused\n")
    );
    let (code, _, unknown) = run(&["show", "77"]);
    assert!(code == 1 && unknown.contains("no such"), "{unknown}");
    assert!(run(&["show", "1"]).1.contains("accepted later, as event 1"));
    gateway
        .logged("an operator had a rejected request tried again")
        .await;
    let metrics = gateway.metrics().await;
    for line in [
        "quentli_gateway_rejected{source=\"school\"} 2",
        "quentli_gateway_rejected_kept_bytes{source=\"school\"} 0",
        "quentli_gateway_rejected_tried_again_total{source=\"school\",result=\"accepted\"} 2",
    ] {
        assert!(metrics.contains(line), "{line} is missing in:\n{metrics}");
    }
    assert!(gateway.terminate().success());
}
