//! The command `demo`, to its end.

use std::process::Command;

use crate::support::executable::path;

#[test]
fn the_demonstration_ends_as_it_expects_and_shows_what_became_of_each_event() {
    let output = Command::new(path())
        .arg("demo")
        .env_clear()
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), said.as_str()),
        (Some(0), ""),
        "{shown}"
    );
    for expected in [
        "superseded: sent along with a later one <- email",
        "429, then delivered <- ",
        "unchanged",
        "401 refused",
        "waits for a person: mapping",
        "Totals: 7 requests accepted, 1 duplicate, 1 refused; 9 deliveries = 6 delivered, 1 unchanged, 1 superseded, \
         1 dead (for a person), 0 waiting",
    ] {
        assert!(shown.contains(expected), "{expected} in\n{shown}");
    }
}
