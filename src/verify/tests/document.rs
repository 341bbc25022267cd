//! Keeps the tables of `docs/VERIFICATION.md` true.

use super::*;
use crate::verify::presets::PresetDedup;

const DOCUMENT: &str = include_str!("../../../docs/VERIFICATION.md");

/// What stands under a heading of the second rank, with all its parts.
fn section(heading: &str) -> &'static str {
    let (_, body) = DOCUMENT
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("no section {heading}"));
    body.split_once("\n## ")
        .map_or(body, |(section, _)| section)
}

/// The texts in backticks.
fn code(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The first cells of all tables whose first column has this heading.
fn first_cells(section: &'static str, heading: &str) -> Vec<&'static str> {
    let begins_table = format!("| {heading} |");
    let mut inside = false;
    let mut cells = Vec::new();
    for line in section.lines() {
        if line.starts_with(&begins_table) {
            inside = true;
        } else if !line.starts_with('|') {
            inside = false;
        } else if inside && !line.starts_with("| ---") {
            cells.push(line.trim_matches('|').split(" | ").next().unwrap().trim());
        }
    }
    cells
}

#[test]
fn the_presets_are_those_of_the_table() {
    let expected: Vec<String> = presets::all()
        .iter()
        .map(|preset| {
            let dedup = match preset.dedup {
                PresetDedup::Header(name) => format!("header `{name}`"),
                PresetDedup::Expressions(parts) => {
                    format!("`[{}]`", parts.join(", ").replace('|', "\\|"))
                }
                PresetDedup::Body => "the whole body".to_owned(),
            };
            format!("| `{}` | {} | {dedup} |", preset.name, preset.description)
        })
        .collect();
    let shown: Vec<&str> = section("Choose a preset")
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    assert!(
        shown == expected,
        "docs/VERIFICATION.md, \"Choose a preset\", must have these rows:\n{}\n",
        expected.join("\n")
    );
}

#[test]
fn what_presets_do_not_sign_is_what_the_table_says() {
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for preset in presets::all() {
        let coverage = preset.verify_settings().coverage();
        let signed = match coverage.signed() {
            parts if parts.is_empty() => "nothing".to_owned(),
            parts => parts.join(", "),
        };
        let covers = format!("{signed} | {}", coverage.unsigned().join(", "));
        let name = format!("`{}`", preset.name);
        match rows.iter_mut().find(|(known, _)| *known == covers) {
            Some((_, names)) => names.push(name),
            None => rows.push((covers, vec![name])),
        }
    }
    let expected: Vec<String> = rows
        .into_iter()
        .map(|(covers, names)| format!("| {} | {covers} |", names.join(", ")))
        .collect();
    let (_, table) = section("What a kind does not sign")
        .split_once("| preset | signed | not signed |\n| --- | --- | --- |\n")
        .expect("a table of presets");
    let shown: Vec<&str> = table
        .lines()
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert!(
        shown == expected,
        "docs/VERIFICATION.md, \"What a kind does not sign\", must have these rows:\n{}\n",
        expected.join("\n")
    );
}

#[test]
fn the_keys_of_settings_are_those_of_the_tables() {
    let section = section("Write the settings yourself");
    let of_type = section
        .lines()
        .find(|line| line.starts_with("| `type` |"))
        .expect("a row for `type`");
    let mut known = BTreeSet::new();
    for name in code(of_type).into_iter().skip(1) {
        let findings = read(&format!("{{type: {name}, zzzzzzzz: 1}}")).unwrap_err();
        let line = findings
            .iter()
            .find_map(|line| line.split_once("verify knows: "));
        let (_, keys) = line.unwrap_or_else(|| panic!("{name}: {findings:?}"));
        known.extend(keys.trim_end_matches(')').split(", ").map(str::to_owned));
    }
    let documented: BTreeSet<String> = first_cells(section, "key")
        .into_iter()
        .flat_map(code)
        .map(str::to_owned)
        .collect();
    assert_eq!(documented, known);
}

#[test]
fn the_number_of_secrets_is_the_one_that_is_shown() {
    assert!(section("Rotate a secret").contains("eight at most") && MAX_SECRETS == 8);
}

#[test]
fn every_type_of_settings_is_documented() {
    let findings = read("{type: zzzzzzzz}").unwrap_err().join("\n");
    let (_, types) = findings
        .split_once("write one of ")
        .expect("a list of types");
    let types: BTreeSet<&str> = types.trim_end_matches(')').split(", ").collect();
    let section = section("Write the settings yourself");
    let of_type = section
        .lines()
        .find(|line| line.starts_with("| `type` |"))
        .expect("a row for `type`");
    let documented: BTreeSet<&str> = code(of_type).into_iter().skip(1).collect();
    assert_eq!(documented, types);
}
