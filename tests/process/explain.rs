//! What `explain` shows of the shipped mappings and of events that nobody would send on purpose.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use quentli_gateway::{
    event::ItemOutcome,
    mapping::Extent,
    source::{SourceFile, UnreadableSamples, find_files},
};
use serde_json::{Value, json};

use crate::support::{
    executable::{Setup, path},
    school::SOURCE_FILE,
};

/// A command where the shipped mappings are.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(path());
    command
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// What `explain` shows, which must be fine.
fn explained(arguments: &[&str]) -> String {
    let output = run(&[&["explain"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Without the numbers of lines, which change with every comment of a mapping.
fn without_lines(shown: &str) -> String {
    let lines = shown.lines().map(|line| {
        let (number, rest) = line.split_at_checked(5).unwrap_or((line, ""));
        match (
            number.trim_start().parse::<usize>(),
            line.split_once(" (line "),
        ) {
            (Ok(_), _) if rest.starts_with("  ") => format!("    #{rest}"),
            (_, Some((before, _))) => format!("{before} (line #)"),
            _ => line.to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

const SCHOOL: &str = "mappings/school-system.yaml";

fn sample(name: &str) -> String {
    format!("mappings/samples/{name}")
}

#[test]
fn a_family_is_explained_from_the_event_to_the_patches() {
    let shown = explained(&[
        SCHOOL,
        "--event",
        &sample("school-system/family-updated.json"),
        "--found",
        "email=mluz@example.com: cus_3",
        "--now",
        "2026-12-01T00:00:00Z",
    ]);
    insta::assert_snapshot!(without_lines(&shown), @r#"
    mappings/school-system.yaml, event mappings/samples/school-system/family-updated.json

        #  dedup                              eventId                                       'ev-7f21c0'
        #  rule connection test               type == 'ping'                                no: type is 'family.updated'
        #  rule paying guardians of a family  type in ['family.created', 'family.updated']  yes: type is 'family.updated'
        #  each                               guardians[]                                   3 elements

    element 1 of 3
        #  only                          role in ['PAYER', 'CO_PAYER']             yes: role is 'PAYER'
        #  order_by                      ^.occurredAt                              '2026-11-01T10:00:00-06:00'
                                         | datetime                                2026-11-01T16:00:00.000Z
        #  customer id                   quentliId                                 'cus_1234567890abcdefghij'
        #  customer username             concat('tut-', id)                        'tut-G-1'
                                           id                                      'G-1'
        #  customer metadata.guardianId  id                                        'G-1'
        #  customer email                email                                     ' Juan.Perez@Example.COM'
                                         | lower                                   ' juan.perez@example.com'
        #  name                          fullName                                  'juan  PÉREZ garcía '
                                         | squeeze                                 'juan PÉREZ garcía'
                                         | title                                   'Juan Pérez García'
        #  email                         email                                     ' Juan.Perez@Example.COM'
                                         | lower                                   ' juan.perez@example.com'
                                         | email                                   'juan.perez@example.com'
        #  phoneNumber                   phones[type='mobile'].number              '+52 1 55 1234 5678'
                                         ?? phones[type='work'].number             not needed
                                         | phone                                   '+525512345678'
        #  secondaryPhoneNumber          phones[type='home'].number                '55-98'
                                         | phone                                   error: '55-98' is not a phone number
                                                                                   → left out, with a warning (on_error: skip)
        #  skipTaxInvoice                not (needsInvoice | bool)                 true
                                           needsInvoice                            'NO'
                                           | bool                                  false
        #  replyWithAssistant            prefs.assistant                           absent
                                         | bool                                    absent → left alone
        #  optedOutWhatsappAt            when (whatsapp.optOut | bool) == true     yes: (whatsapp.optOut | bool) is true
        #                                whatsapp.optOutAt                         '15/01/2026 04:30'
                                         | day_first                               2026-01-15T10:30:00.000Z
                                         ?? (^.occurredAt | default('no date') | datetime)
                                                                                   not needed
        #  metadata.guardianId           id                                        'G-1'
        #  metadata.Plantel              ^.school.code                             'AGUILAS-DV'
        #  metadata.Grado                when exists(^.students[status='ACTIVE'])  yes: ^.students[status='ACTIVE'] is an object
        #                                ^.students[status='ACTIVE'].grade         5
                                         | text                                    '5'
        #  metadata.Matrículas           join(' ', ^.students[].id)                'A-1029 A-1344'
                                           ^.students[].id                         ['A-1029', 'A-1344']
        #  metadata                      each attributes[]                         3 elements
        #  metadata.rfc                  key name                                  'rfc'
        #                                value                                     'PEGJ800101AB1'
        #  metadata.banco                key name                                  'banco'
        #                                value                                     null → the key is removed
           metadata                      value                                     ' ' → left out, being blank
    would send PATCH /v1/customers/cus_1234567890abcdefghij
    {"input":{"data":{"name":"Juan Pérez García","email":"juan.perez@example.com","phoneNumber":"+525512345678","skipTaxInvoice":true,"optedOutWhatsappAt":"2026-01-15T10:30:00.000Z","metadata":[{"key":"guardianId","value":"G-1"},{"key":"Plantel","value":"AGUILAS-DV"},{"key":"Grado","value":"5"},{"key":"Matrículas","value":"A-1029 A-1344"},{"key":"rfc","value":"PEGJ800101AB1"},{"key":"banco","value":null}]}}}
    warning: secondaryPhoneNumber: phone: '55-98' is not a phone number

    element 2 of 3
        #  only  role in ['PAYER', 'CO_PAYER']  no: role is 'EMERGENCY' → left out

    element 3 of 3
        #  only                          role in ['PAYER', 'CO_PAYER']             yes: role is 'CO_PAYER'
        #  order_by                      ^.occurredAt                              '2026-11-01T10:00:00-06:00'
                                         | datetime                                2026-11-01T16:00:00.000Z
        #  customer id                   quentliId                                 absent
        #  customer username             concat('tut-', id)                        'tut-G-3'
                                           id                                      'G-3'
        #  customer metadata.guardianId  id                                        'G-3'
        #  customer email                email                                     'mluz@example.com'
                                         | lower                                   'mluz@example.com'
        #  name                          fullName                                  'María de la Luz Ortega'
                                         | squeeze                                 'María de la Luz Ortega'
                                         | title                                   'María de la Luz Ortega'
        #  email                         email                                     'mluz@example.com'
                                         | lower                                   'mluz@example.com'
                                         | email                                   'mluz@example.com'
        #  phoneNumber                   phones[type='mobile'].number              absent
                                         ?? phones[type='work'].number             5550001111
                                         | phone                                   '+525550001111'
        #  secondaryPhoneNumber          phones[type='home'].number                absent
                                         | phone                                   absent → left alone
        #  skipTaxInvoice                not (needsInvoice | bool)                 false
                                           needsInvoice                            'SI'
                                           | bool                                  true
        #  replyWithAssistant            prefs.assistant                           'no'
                                         | bool                                    false
        #  optedOutWhatsappAt            when (whatsapp.optOut | bool) == true     no: (whatsapp.optOut | bool) is false
        #                                when (whatsapp.optOut | bool) == false    yes: (whatsapp.optOut | bool) is false
                                         value: null                               null → cleared
        #  metadata.guardianId           id                                        'G-3'
        #  metadata.Plantel              ^.school.code                             'AGUILAS-DV'
        #  metadata.Grado                when exists(^.students[status='ACTIVE'])  yes: ^.students[status='ACTIVE'] is an object
        #                                ^.students[status='ACTIVE'].grade         5
                                         | text                                    '5'
        #  metadata.Matrículas           join(' ', ^.students[].id)                'A-1029 A-1344'
                                           ^.students[].id                         ['A-1029', 'A-1344']
        #  metadata                      each attributes[]                         no list
    would send PATCH /v1/customers/cus_3
    {"input":{"data":{"name":"María de la Luz Ortega","email":"mluz@example.com","phoneNumber":"+525550001111","skipTaxInvoice":false,"replyWithAssistant":false,"optedOutWhatsappAt":null,"metadata":[{"key":"guardianId","value":"G-3"},{"key":"Plantel","value":"AGUILAS-DV"},{"key":"Grado","value":"5"},{"key":"Matrículas","value":"A-1029 A-1344"}]}}}

    in all: 2 updates
    "#);
}

#[test]
fn a_field_that_fails_is_shown_with_its_reason() {
    let shown = explained(&[
        SCHOOL,
        "--test",
        "a first number nobody can read waits for a person",
    ]);
    insta::assert_snapshot!(without_lines(&shown), @r"
    mappings/school-system.yaml, test `a first number nobody can read waits for a person`

        #  dedup                              eventId                                       'ev-7f21c3'
        #  rule connection test               type == 'ping'                                no: type is 'family.updated'
        #  rule paying guardians of a family  type in ['family.created', 'family.updated']  yes: type is 'family.updated'
        #  each                               guardians[]                                   1 element

    element 1 of 1
        #  only                          role in ['PAYER', 'CO_PAYER']  yes: role is 'PAYER'
        #  order_by                      ^.occurredAt                   '2026-11-02T09:30:00-06:00'
                                         | datetime                     2026-11-02T15:30:00.000Z
        #  customer id                   quentliId                      absent
        #  customer username             concat('tut-', id)             'tut-G-5'
                                           id                           'G-5'
        #  customer metadata.guardianId  id                             'G-5'
        #  customer email                email                          absent
                                         | lower                        absent
        #  name                          fullName                       'Rosa Díaz'
                                         | squeeze                      'Rosa Díaz'
                                         | title                        'Rosa Díaz'
        #  email                         email                          absent
                                         | lower | email                absent → left alone
        #  phoneNumber                   phones[type='mobile'].number   'pedir en recepción'
                                         ?? phones[type='work'].number  not needed
                                         | phone                        error: 'pedir en recepción' is not a phone number
                                                                        → nothing of this update is sent
    5 more fields not looked at
    would fail, and wait for a person: phoneNumber: phone: 'pedir en recepción' is not a phone number (line #)
    ");
}

#[test]
fn an_item_that_is_dropped_is_shown_with_its_reason() {
    let shown = explained(&[SCHOOL, "--test", "connection tests"]);
    insta::assert_snapshot!(without_lines(&shown), @r#"
    mappings/school-system.yaml, test `connection tests are dropped`

        #  dedup                 eventId         'ev-000001'
        #  rule connection test  type == 'ping'  yes: type is 'ping'
    would drop it: connection test
    "#);
}

#[test]
fn an_event_of_many_elements_in_a_form_is_explained_from_standard_input() {
    let body = std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR")).join(sample("kommo/two-contacts-updated.form")),
    )
    .unwrap();
    let mut child = command(&[
        "explain",
        "mappings/kommo.yaml",
        "--event",
        "-",
        "--content-type",
        "application/x-www-form-urlencoded",
    ])
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .spawn()
    .unwrap();
    child.stdin.take().unwrap().write_all(&body).unwrap();
    let output = child.wait_with_output().unwrap();
    let shown = text(&output.stdout);
    assert!(
        shown.contains("event from standard input") && shown.contains("element 2 of 2"),
        "{shown}"
    );
    assert!(
        shown.contains("would look for the customer by username 'kommo-46855095'"),
        "{shown}"
    );
    assert!(
        shown.contains("--found 'username=kommo-46855094: cus_1'"),
        "{shown}"
    );
}

#[test]
fn what_is_explained_of_the_shipped_mappings_is_what_they_give() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let extent = Extent {
        item: None,
        most: usize::MAX,
    };
    for path in find_files(&folder).unwrap() {
        let file = SourceFile::read(&path, UnreadableSamples::Refuse);
        let (_, mapping) = file.parts().unwrap();
        for (index, test) in mapping.tests().enumerate() {
            let mapped = mapping.map(&test.input);
            let told = mapping.explain(&test.input, None, extent).unwrap();
            assert_eq!(told.mapped, mapped, "{}: {}", path.display(), test.name);
            // What the program shows is compared for one test of each: a process takes its time.
            if index > 0 {
                continue;
            }
            let arguments = ["--test", test.name, "--format", "json", "--all"];
            let shown = explained(&[&[path.to_str().unwrap()], arguments.as_slice()].concat());
            let shown: Value = serde_json::from_str(&shown).unwrap();
            let outcomes: Vec<&ItemOutcome> = told.outcomes().collect();
            let endings = endings(&shown);
            assert_eq!(endings.len(), outcomes.len(), "{}", path.display());
            for (ending, outcome) in endings.iter().zip(outcomes) {
                is_the_same(ending, outcome);
            }
        }
    }
}

fn endings(shown: &Value) -> Vec<&Value> {
    if !shown["ending"].is_null() {
        return vec![&shown["ending"]];
    }
    let items = shown["items"].as_array().unwrap().iter();
    let endings = items.flat_map(|item| {
        let elements = item["elements"].as_array().unwrap().iter();
        elements
            .map(|element| &element["ending"])
            .chain([&item["ending"]])
    });
    endings.filter(|ending| !ending.is_null()).collect()
}

fn is_the_same(ending: &Value, outcome: &ItemOutcome) {
    match outcome {
        // Whom Quentli finds may end an update in another way.
        ItemOutcome::Update(update) if ending["requests"][0]["method"] == "PATCH" => {
            assert_eq!(
                ending["requests"][0]["body"],
                json!({"input": {"data": update.patch}})
            );
            assert_eq!(ending["warnings"], json!(update.warnings));
            assert_eq!(
                ending["orderBy"],
                json!(update.order_by.map(|order| order.0))
            );
        }
        ItemOutcome::Update(update) => {
            let reason = ending["reason"].as_str().unwrap();
            assert!(
                update.customer.id.is_none() && reason.contains("customer"),
                "{ending}"
            );
        }
        ItemOutcome::Drop { reason, .. } => {
            assert_eq!(*ending, json!({"outcome": "drop", "reason": reason}));
        }
        ItemOutcome::Fail(failure) => {
            assert_eq!(
                *ending,
                json!({"outcome": "fail", "reason": failure.reason, "line": failure.line})
            );
        }
    }
}

#[test]
fn the_example_of_the_documentation_is_what_the_program_shows() {
    let documentation = include_str!("../../docs/MAPPING.md");
    let block = |after: &str, language: &str| {
        let (_, rest) = documentation.split_once(after).unwrap();
        let (_, rest) = rest.split_once(&format!("```{language}\n")).unwrap();
        rest.split_once("```").unwrap().0
    };
    let setup =
        Setup::new("http://127.0.0.1:9").source("my-crm", block("## A first example", "yaml"));
    let command = block("## Seeing what a mapping does", "sh").trim();
    let words: Vec<&str> = command
        .strip_prefix("quentli-gateway explain ")
        .unwrap()
        .splitn(3, ' ')
        .map(|word| word.trim_matches('\''))
        .collect();
    let output = setup.run(&[&["explain"], words.as_slice()].concat());
    assert_eq!(
        text(&output.stdout),
        block("## Seeing what a mapping does", "text"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn what_is_missing_or_wrong_is_said_with_what_to_do() {
    let setup = Setup::new("http://127.0.0.1:9")
        .source("school", SOURCE_FILE)
        .source(
            "broken",
            &SOURCE_FILE
                .replace("source: school", "source: broken")
                .replace("| phone", "| phon"),
        );
    std::fs::write(setup.folder().join("event.json"), "{\"type\": ").unwrap();
    let file = "mappings/school.yaml";
    for (arguments, code, said) in [
        (vec![file], 64, "--test NAME"),
        (vec![file], 64, "  the usual case"),
        (
            vec![file, "--test", "the usul case"],
            64,
            "did you mean `the usual case`?",
        ),
        (
            vec![file, "--event", "none.json"],
            69,
            "none.json cannot be read",
        ),
        (
            vec!["mappings/none.yaml", "--test", "x"],
            69,
            "mappings/none.yaml is not there",
        ),
        (vec![file, "--event", "event.json"], 1, "body: not JSON"),
        (
            vec!["mappings/broken.yaml", "--test", "x"],
            1,
            "did you mean `phone`?",
        ),
        (
            vec![file, "--test", "usual", "--found", "phone=1=cus_1"],
            64,
            "email=a@b.mx: cus_1",
        ),
        (
            vec![file, "--test", "usual", "--item", "2"],
            64,
            "there is no item 2",
        ),
        (
            vec![file, "--test", "usual", "--event", "event.json"],
            64,
            "cannot be used with",
        ),
    ] {
        let output = setup.run(&[&["explain"], arguments.as_slice()].concat());
        let shown = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {shown}");
        assert!(shown.contains(said), "{arguments:?}: {shown}");
    }
}

#[test]
fn a_rule_sees_the_headers_that_are_given() {
    let file = SOURCE_FILE
        .replace("when: type ==", "when: header('X-Topic') ==")
        .replace(
            "    event: {",
            "    headers: {X-Topic: contact.updated}\n    event: {",
        );
    let setup = Setup::new("http://127.0.0.1:9").source("school", &file);
    let event = json!({"contact": {"quentliId": "cus_1", "name": "Ana"}});
    std::fs::write(setup.folder().join("event.json"), event.to_string()).unwrap();
    for (header, shown) in [
        (
            "x-topic: contact.updated",
            "would send PATCH /v1/customers/cus_1\n",
        ),
        (
            "X-Topic: contact.deleted",
            "no: header('X-Topic') is 'contact.deleted'\n",
        ),
    ] {
        let arguments = [
            "explain",
            "mappings/school.yaml",
            "--event",
            "event.json",
            "--header",
        ];
        let output = setup.run(&[arguments.as_slice(), &[header]].concat());
        let page = text(&output.stdout);
        assert!(page.contains(shown), "{page}{}", text(&output.stderr));
    }
}

#[test]
fn a_test_that_fails_can_be_explained() {
    let failing = SOURCE_FILE.replace("patch: {name: Ana,", "patch: {name: Ann,");
    let setup = Setup::new("http://127.0.0.1:9").source("school", &failing);
    assert_eq!(setup.run(&["test"]).status.code(), Some(1));
    let output = setup.run(&["explain", "mappings/school.yaml", "--test", "usual"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains(r#""name":"Ana""#));
}

#[test]
fn values_of_an_event_stay_on_their_line_and_command_no_terminal() {
    let setup = Setup::new("http://127.0.0.1:9").source("school", SOURCE_FILE);
    let name = "\u{1b}[31mAna\nwould send PATCH /v1/customers/cus_evil\u{202e}\u{9b}2J";
    let event = json!({"type": "contact.updated", "contact": {"quentliId": "cus_1", "name": name}});
    std::fs::write(setup.folder().join("event.json"), event.to_string()).unwrap();
    let output = setup.run(&["explain", "mappings/school.yaml", "--event", "event.json"]);
    let shown = text(&output.stdout);
    assert!(shown.contains("\\u{1b}[31mAna\\nwould"), "{shown}");
    assert!(
        !shown.chars().any(|c| c.is_control() && c != '\n'),
        "{shown:?}"
    );
    assert!(!shown.contains('\u{202e}'), "{shown:?}");
    assert_eq!(
        shown
            .lines()
            .filter(|line| line.starts_with("would send"))
            .count(),
        1,
        "{shown}"
    );
    // What is shown as the body is the body all the same.
    let body = shown.lines().find(|line| line.starts_with('{')).unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["input"]["data"]["name"], name);
}

#[test]
fn a_huge_event_is_cut_with_a_note() {
    let events: Vec<Value> = (0..3_000)
        .map(|id| {
            let value = if id == 1_234 { "ext. 14".to_owned() } else { format!("811234{id:04}") };
            json!({"subscriptionType": "contact.propertyChange", "objectId": id, "propertyName": "phone", "propertyValue": value})
        })
        .collect();
    let setup = Setup::new("http://127.0.0.1:9");
    let event = setup.folder().join("event.json");
    std::fs::write(&event, Value::from(events).to_string()).unwrap();
    let event = event.to_str().unwrap();
    let shown = explained(&["mappings/hubspot.yaml", "--event", event]);
    assert!(shown.lines().count() < 400, "{}", shown.lines().count());
    assert!(
        shown.contains(
            "… 2990 more items not shown: 2989 updates, 1 failure (item 1235); --all shows them\n"
        ),
        "{shown}"
    );
    assert!(
        shown.contains("in all: 2999 updates, 1 failure\n"),
        "{shown}"
    );
    let shown = explained(&["mappings/hubspot.yaml", "--event", event, "--item", "1235"]);
    assert!(
        shown.contains("would fail, and wait for a person: phoneNumber"),
        "{shown}"
    );
    let shown = explained(&["mappings/hubspot.yaml", "--event", event, "--all"]);
    assert_eq!(shown.matches("would look for the customer").count(), 2_999);
}

#[test]
fn colours_are_used_where_they_are_asked_for() {
    let plain = explained(&[SCHOOL, "--test", "connection tests"]);
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
    let coloured = explained(&[SCHOOL, "--test", "connection tests", "--color", "always"]);
    assert!(
        coloured.contains("\u{1b}[33mwould drop it: connection test\u{1b}[0m"),
        "{coloured:?}"
    );
}
