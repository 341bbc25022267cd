//! A draft from samples, on the command line.

use std::process::Output;

use crate::support::executable::Setup;

const EVENT: &str = r#"{"type": "contact.updated", "contact": {"id": "C-4711", "nombre": "Wenceslao Quiroga", "correo": "wq@correo.example"}}"#;

fn setup() -> Setup {
    let setup = Setup::new("http://127.0.0.1:9");
    std::fs::write(setup.folder().join("event.json"), EVENT).unwrap();
    setup
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn ended(output: &Output, code: i32) -> String {
    let shown = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{shown}");
    shown
}

#[test]
fn new_writes_a_draft_that_passes_a_strict_check_and_says_what_to_do() {
    let setup = setup();
    let output = setup.run(&["new", "--source", "my-crm", "--sample", "event.json"]);
    let notes = ended(&output, 0);
    assert_eq!(text(&output.stdout), "mappings/my-crm.yaml is written.\n");
    for expected in [
        "replaced by invented values",
        "quentli-gateway schema > mappings/source.schema.json",
        "quentli-gateway check mappings/my-crm.yaml",
    ] {
        assert!(notes.contains(expected), "{notes}");
    }
    let draft = std::fs::read_to_string(setup.source_path("my-crm")).unwrap();
    assert!(
        !draft.contains("Wenceslao") && !draft.contains("4711"),
        "{draft}"
    );
    assert!(
        draft.contains("#      quentli-gateway check mappings/my-crm.yaml\n"),
        "{draft}"
    );
    ended(&setup.run(&["check", "--strict"]), 0);
}

#[test]
fn a_file_that_is_there_is_overwritten_only_by_force() {
    let setup = setup().source("my-crm", "mine\n");
    let new = ["new", "--source", "my-crm", "--sample", "event.json"];
    let refused = ended(&setup.run(&new), 1);
    assert!(
        refused.contains("mappings/my-crm.yaml is there already; --force"),
        "{refused}"
    );
    assert_eq!(
        std::fs::read_to_string(setup.source_path("my-crm")).unwrap(),
        "mine\n"
    );
    ended(&setup.run(&[new.as_slice(), &["--force"]].concat()), 0);
    ended(&setup.run(&["check", "--strict"]), 0);
}

#[test]
fn a_sample_beside_the_draft_is_named_and_not_copied() {
    let setup = setup();
    let samples = setup.folder().join("mappings/samples");
    std::fs::create_dir(&samples).unwrap();
    std::fs::write(samples.join("contact-updated.json"), EVENT).unwrap();
    let output = setup.run(&[
        "new",
        "--source",
        "my-crm",
        "--sample",
        "mappings/samples/contact-updated.json",
    ]);
    let notes = ended(&output, 0);
    assert!(
        notes.contains("the tests read samples/contact-updated.json"),
        "{notes}"
    );
    let draft = std::fs::read_to_string(setup.source_path("my-crm")).unwrap();
    assert!(
        draft.contains("    event_file: samples/contact-updated.json\n"),
        "{draft}"
    );
    ended(&setup.run(&["check", "--strict"]), 0);
}

#[test]
fn a_draft_can_be_printed_and_named_after_its_sample() {
    let setup = setup();
    let output = setup.run(&[
        "new",
        "--sample",
        "event.json",
        "--output",
        "-",
        "--preset",
        "hubspot-v3",
        "--keep-values",
    ]);
    let notes = ended(&output, 0);
    assert!(
        notes.contains("warning: the tests hold the samples as they are"),
        "{notes}"
    );
    let draft = text(&output.stdout);
    assert!(
        draft.starts_with("# yaml-language-server: $schema=source.schema.json\n"),
        "{draft}"
    );
    for expected in [
        "\nsource: event\n",
        "  verify: hubspot-v3\n",
        "Wenceslao Quiroga",
    ] {
        assert!(draft.contains(expected), "{draft}");
    }
    assert!(!setup.source_path("event").exists());
}

#[test]
fn wrong_arguments_and_useless_samples_are_told_apart() {
    let setup = setup();
    std::fs::write(setup.folder().join("empty.json"), "{}").unwrap();
    for (arguments, code, expected) in [
        (vec![], 64, "--sample <FILE>"),
        (
            vec!["--sample", "event.json", "--source", "My CRM"],
            64,
            "is not a name",
        ),
        (
            vec!["--sample", "event.json", "--preset", "hubspt-v3"],
            64,
            "did you mean `hubspot-v3`?",
        ),
        (
            vec![
                "--sample",
                "event.json",
                "--source",
                "a",
                "--output",
                "mappings/b.yaml",
            ],
            64,
            "is called a.yaml",
        ),
        (vec!["--sample", "-"], 64, "give --source NAME"),
        (
            vec!["--sample", "none.json"],
            69,
            "none.json cannot be read",
        ),
        (
            vec!["--sample", "event.json", "--output", "nowhere/a.yaml"],
            69,
            "cannot be written",
        ),
        (
            vec!["--sample", "empty.json"],
            1,
            "nothing that has a name and a value",
        ),
    ] {
        let shown = ended(&setup.run(&[&["new"], arguments.as_slice()].concat()), code);
        assert!(shown.contains(expected), "{arguments:?}: {shown}");
    }
}

#[test]
fn schema_prints_what_is_shipped() {
    let output = setup().run(&["schema"]);
    ended(&output, 0);
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/mappings/source.schema.json");
    assert_eq!(
        text(&output.stdout),
        std::fs::read_to_string(shipped).unwrap()
    );
}
