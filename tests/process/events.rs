//! The commands `events` and `status`: what became of events, told to people.

use quentli_gateway::sandbox::{Action, Fault, Running, Sandbox, Settings};
use serde_json::{Value, json};

use crate::support::{
    executable::{Gateway, Setup},
    school::{SECRET, SECRET_VARIABLE, SOURCE_FILE, School},
};

pub(crate) struct World {
    sandbox: Sandbox,
    quentli: Running,
    pub(crate) setup: Setup,
    pub(crate) gateway: Gateway,
}

impl World {
    /// One event delivered, one refused by Quentli, one unmappable.
    pub(crate) async fn new() -> Self {
        let sandbox = Sandbox::new(Settings::default());
        let quentli = sandbox.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let customer = sandbox
            .add(&json!({"name": "0", "username": "zacarias-1"}))
            .unwrap();
        let setup = Setup::new(&quentli.url())
            .source("school", SOURCE_FILE)
            .variable(SECRET_VARIABLE, SECRET)
            .variable("USER", "ana");
        let gateway = setup.start();
        let world = Self {
            sandbox,
            quentli,
            setup,
            gateway,
        };
        world
            .send("1", json!({"username": "zacarias-1", "name": "Zacarias", "email": "zacarias@example.com"}))
            .await;
        let refuse = Action::Status {
            status: 400,
            retry_after: None,
            message: Some("zacarias@example.com is taken".to_owned()),
        };
        let fault = Fault::once(refuse).on_method("PATCH");
        world.sandbox.fault(fault).unwrap();
        world
            .send("2", json!({"quentliId": customer, "name": "Zacarias Dos"}))
            .await;
        world
            .send("3", json!({"quentliId": customer, "phone": "zacarias"}))
            .await;
        world
    }

    pub(crate) async fn send(&self, id: &str, contact: Value) {
        let body = json!({"type": "contact.updated", "contact": contact}).to_string();
        let sent = School::new().send(&self.gateway.url(), id, body).await;
        assert_eq!(sent.unwrap().status, 200);
        self.gateway.settled().await;
    }

    /// Runs a command that asks the gateway; its exit code, result and messages.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let admin = self.gateway.admin_listen.to_string();
        let mut all = arguments.to_vec();
        all.extend(["--admin-listen", &admin]);
        let output = self.setup.run(&all);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        (code, text(output.stdout), text(output.stderr))
    }

    pub(crate) async fn end(self) {
        crate::fits_the_schema(&self.sandbox);
        self.quentli.stop().await;
    }
}

/// Times, durations and identifiers are other ones each time.
fn filtered() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "[time]");
    settings.add_filter(r"after \d+ ms", "after [time]");
    settings.add_filter(r"cus_[0-9a-z]{20}", "cus_[id]");
    settings.add_filter(r"\([0-9a-f]{12}\)", "([hash])");
    settings.add_filter(
        r"quentli-gateway \d+\.\d+\.\d+",
        "quentli-gateway [release]",
    );
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_that_there_is_not_is_no_empty_list() {
    let world = World::new().await;
    for command in [&["events"][..], &["events", "deliveries"]] {
        let (exit, list, said) = world.run(&[command, &["--organisation", "defalt"]].concat());
        assert_ne!(exit, 0, "{said}");
        assert_eq!(list, "");
        assert!(said.contains("did you mean `default`?"), "{said}");
        let there = world.run(&[command, &["--organisation", "default"]].concat());
        assert_eq!(there.0, 0, "{}", there.2);
    }
    world.end().await;
}

/// More than one page looks at, of an organisation that is gone from the settings, and that is in no index, since nobody knows
/// for whom they were.
const MANY: &str = r#"
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000)
    INSERT INTO event (seq, received_at, source, organisation, mapping, dedup_keys, body_hash)
      SELECT i, 0, 'school', 'gone', zeroblob(16), zeroblob(16), zeroblob(32) FROM n;
    INSERT INTO event_hour VALUES (1, 0);
    INSERT INTO history (event, item, number, source, organisation, "end", at, attempts)
      SELECT seq, 0, 0, source, organisation, 'dropped', 0, 0 FROM event;
    UPDATE meta SET next_event = 25001"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_that_there_is_not_is_refused_on_the_first_page_however_much_is_stored() {
    let setup = Setup::new("http://127.0.0.1:9")
        .source("school", SOURCE_FILE)
        .variable(SECRET_VARIABLE, SECRET);
    assert!(setup.start().terminate().success());
    let file = rusqlite::Connection::open(setup.data().join("gateway.db")).unwrap();
    file.execute_batch(MANY).unwrap();
    drop(file);
    let gateway = setup.start();
    for list in ["events", "deliveries"] {
        let asked = async |organisation: &str| {
            let path = format!("/api/v1/{list}?organisation={organisation}");
            gateway.admin("GET", &path).await
        };
        let (status, answer) = asked("defalt").await;
        assert_eq!(status, 400, "{list}: {answer}");
        let detail = answer["detail"].as_str().unwrap();
        assert!(detail.contains("did you mean `default`?"), "{detail}");
        let (status, answer) = asked("gone").await;
        assert_eq!(status, 200, "{list}: {answer}");
        assert_eq!(answer[list].as_array().map(Vec::len), Some(50));
        assert_eq!(asked("default").await.0, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_listed_for_people_and_for_programs() {
    let world = World::new().await;
    let list = world.run(&["events"]);
    let deliveries = world.run(&["events", "deliveries", "--state", "dead"]);
    filtered().bind(|| {
        insta::assert_snapshot!(list.1, @"
        EVENT  RECEIVED                 SOURCE  DELIVERIES
        3      [time]  school  1 dead
        2      [time]  school  1 dead
        1      [time]  school  1 delivered
        ");
        insta::assert_snapshot!(deliveries.1, @"
        ID  EVENT  ITEM  RECEIVED                 SOURCE  STATE  REASON   CUSTOMER
        3   3      1     [time]  school  dead   mapping
        2   2      1     [time]  school  dead   refused  cus_[id]
        ");
    });
    let (code, page, note) = world.run(&["events", "--oldest-first", "--limit", "1"]);
    assert!(page.contains("\n1 "), "{page}");
    assert!(note.contains("add `--after 1."), "{note}");
    assert_eq!(code, 0);
    let json = world
        .run(&["events", "--sender-id", "2", "--format", "json"])
        .1;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["events"][0]["event"], 2, "{json}");
    let (code, nothing, note) = world.run(&["events", "--since", "2d", "--until", "1d"]);
    assert_eq!((code, nothing.as_str()), (0, ""), "{note}");
    assert!(note.contains("no event of these is kept"), "{note}");
    let (code, _, error) = world.run(&["events", "--state", "deed"]);
    assert_eq!(code, 1);
    assert!(error.contains("did you mean `dead`?"), "{error}");
    let (code, _, error) = world.run(&["events", "--since", "yesterday"]);
    assert_eq!(code, 64, "{error}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_is_told_from_the_request_to_the_answer_and_what_to_do() {
    let world = World::new().await;
    let delivered = world.run(&["events", "show", "1"]).1;
    let refused = world.run(&["events", "show", "2", "--reveal"]).1;
    let unmappable = world.run(&["events", "show", "3"]).1;
    filtered().bind(|| {
        insta::assert_snapshot!(delivered, @"
        event      1 of school, for the organisation default
        received   [time]
        body       111 bytes, application/json
        mapping    school.yaml as it is now ([hash])
        became     1 delivered

        item 1 (rule contact changed): delivered at [time]
          customer    cus_[id]
          found by    username (text of 10 characters)
          update      name (text of 8 characters)
                      email (e-mail address of 20 characters)
          attempt 1   [time], delivered after [time]

        There is nothing to do.
        Personal data is hidden. `--reveal` shows it, and is written into the audit log.
        ");
        insta::assert_snapshot!(refused, @"
        event      2 of school, for the organisation default
        received   [time]
        body       99 bytes, application/json
        mapping    school.yaml as it is now ([hash])
        became     1 dead

        item 1 (rule contact changed): dead, refused: Quentli said no to the change
          delivery    2
          says        Quentli refuses the change (HTTP 400): zacarias@example.com is taken
          customer    cus_[id]
          found by    id: cus_[id]
          update      name: Zacarias Dos
          attempt 1   [time], answered 400 after [time], given up: Quentli refuses the
                      change (HTTP 400): zacarias@example.com is taken

        What to do next:
          1. refused: see what Quentli says (`--reveal`): often another customer has the e-mail address or phone number.
             Then have it sent again: `quentli-gateway redeliver --event 2 --reason refused`.
          Where it is not wanted any more: `quentli-gateway discard --event 2`.
        ");
        insta::assert_snapshot!(unmappable, @"
        event      3 of school, for the organisation default
        received   [time]
        body       96 bytes, application/json
        mapping    school.yaml as it is now ([hash])
        became     1 dead

        item 1 (rule contact changed): dead, mapping: the event does not fit the rules of the source's file
          delivery    3
          about       the field phoneNumber

        What to do next:
          1. mapping: mend the rules in school.yaml, or the record in the sending system, which sends it again.
             `quentli-gateway events show 3 --body event.json` saves the event, and
             `quentli-gateway explain school.yaml --event event.json` shows where the rules fail.
             Then have it sent again: `quentli-gateway redeliver --event 3 --reason mapping --remap`.
          Where it is not wanted any more: `quentli-gateway discard --event 3`.
        Personal data is hidden. `--reveal` shows it, and is written into the audit log.
        ");
    });
    let file = world.setup.folder().join("event.json");
    let name = file.to_str().unwrap();
    let (code, said, _) = world.run(&["events", "show", "3", "--body", name]);
    assert_eq!(code, 0, "{said}");
    let body = std::fs::read_to_string(&file).unwrap();
    assert!(body.contains("\"phone\":\"zacarias\""), "{body}");
    let (code, _, error) = world.run(&["events", "show", "3", "--body", name]);
    assert_eq!(code, 1);
    assert!(error.contains("is there already"), "{error}");
    let explained = world
        .setup
        .run(&["explain", "mappings/school.yaml", "--event", name]);
    let explained = String::from_utf8(explained.stdout).unwrap();
    assert!(explained.contains("phoneNumber"), "{explained}");
    let (code, _, error) = world.run(&["events", "show", "77"]);
    assert_eq!(code, 1);
    assert!(error.contains("There is no such event"), "{error}");
    let audit = world.run(&["audit"]).1;
    filtered().bind(|| {
        insta::assert_snapshot!(audit, @"
        ID  WHEN                     WHO  DID     COUNT  TO WHAT
        2   [time]  ana  reveal  1      event 3, source school
        1   [time]  ana  reveal  1      event 2, source school
        ");
    });
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_names_what_is_stuck_with_the_command_that_helps() {
    let world = World::new().await;
    let (code, page, _) = world.run(&["status"]);
    assert_eq!(code, 1, "somebody should look");
    filtered().bind(|| {
        insta::assert_snapshot!(page, @"
        quentli-gateway [release] at [time]

        requests       3 accepted, 0 known already
        deliveries     0 waiting, 0 looking, 2 dead
        ended          1 delivered
        sources        1 of 1 receive
        organisation   default: delivering, 0 customers with something open

        2 things to look at:

         1. 1 delivery of school is dead, mapping: the event does not fit the rules of the source's
            file. Event 3.
            This can wait until morning. What to do: mend the rules in school.yaml, or the record in the
            sending system, which sends it again. Then have them sent again.
              quentli-gateway events deliveries --source school --state dead --reason mapping
              quentli-gateway redeliver --source school --reason mapping --remap

         2. 1 delivery of school is dead, refused: Quentli said no to the change. Event 2.
            This can wait until morning. What to do: see what Quentli says (`--reveal`): often another
            customer has the e-mail address or phone number. Then have them sent again.
              quentli-gateway events deliveries --source school --state dead --reason refused
              quentli-gateway redeliver --source school --reason refused
        ");
    });
    let (code, json, _) = world.run(&["status", "--format", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (code, json["dead_causes"].as_array().unwrap().len()),
        (1, 2)
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_only_be_a_slip_is_no_empty_list() {
    let world = World::new().await;
    for (arguments, code, expected) in [
        (
            &["events", "--reason", "nope"][..],
            1,
            "nothing has the reason `nope`; those of dead deliveries are mapping,",
        ),
        (
            &["events", "deliveries", "--reason", "refusd"],
            1,
            "did you mean `refused`?",
        ),
        (&["events", "--source", "nosuch"], 1, "there are `school`"),
        (
            &["events", "deliveries", "--event", "77"],
            1,
            "no event has the number 77, or it is not kept any more",
        ),
        (
            &["redeliver", "--event", "77"],
            1,
            "no event has the number 77, or it is not kept any more",
        ),
        (
            &["discard", "--event", "77", "--yes"],
            1,
            "no event has the number 77, or it is not kept any more",
        ),
        (&["events", "--source", ""], 1, "`source` has no value"),
        (&["events", "--state", ""], 1, "`state` has no value"),
        (&["events", "--customer", ""], 1, "`customer` has no value"),
        (&["events", "--limit", "0"], 64, "--limit"),
        (&["rejected", "--limit", "0"], 64, "--limit"),
        (&["audit", "--limit", "0"], 64, "--limit"),
    ] {
        let (ended, _, said) = world.run(arguments);
        assert_eq!(ended, code, "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    world.end().await;
}

#[test]
fn a_watch_over_the_silence_of_nobody_is_warned_of_wherever_it_is_read() {
    let setup = Setup::new("http://127.0.0.1:9")
        .source("school", SOURCE_FILE)
        .variable(SECRET_VARIABLE, SECRET)
        .settings(
            "notify: {url: 'https://hooks.example.com/x', silent: {schol: 24h, school: 24h}}\n",
        );
    let gateway = setup.start();
    let admin = gateway.admin_listen.to_string();
    let said = |arguments: &[&str]| {
        let output = setup.run(arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    for (place, said) in [
        ("config", said(&["config"])),
        ("start", gateway.log().join("\n")),
        ("reload", said(&["reload", "--admin-listen", &admin])),
    ] {
        let warning = "`notify.silent` names `schol`";
        assert_eq!(said.matches(warning).count(), 1, "{place}: {said}");
        assert!(said.contains("did you mean `school`?"), "{place}: {said}");
    }
}
