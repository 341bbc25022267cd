//! Keeps `docs/ARCHITECTURE.md` true: which module knows which.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests: a surprise ends the test"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

type Knows = BTreeMap<String, BTreeSet<String>>;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The rows `| module | is for | may know |` of the document.
fn documented() -> Knows {
    let text = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let names = |cell: &str| -> BTreeSet<String> {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        (names(cells[0]).pop_first().unwrap(), names(cells[2]))
    };
    rows.map(row).collect()
}

/// What the code of each module outside its tests names as `crate::other`.
fn real() -> Knows {
    let mut knows = Knows::new();
    visit(&root().join("src"), &mut |file| {
        let below = file.strip_prefix(root().join("src")).unwrap();
        let first = below.iter().next().unwrap().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        let is_test = below
            .iter()
            .any(|part| matches!(part.to_str(), Some("tests" | "tests.rs" | "contract.rs")));
        if is_test || matches!(module, "main" | "lib") {
            return;
        }
        let text = std::fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let code: String = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n");
        let others = knows.entry(module.to_owned()).or_default();
        others.extend(named(&code).into_iter().filter(|other| other != module));
    });
    knows
}

fn visit(folder: &Path, each: &mut dyn FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(&path, each);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            each(&path);
        }
    }
}

/// The modules after `crate::`, also those of a list `crate::{a::B, c}`.
fn named(code: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let mut found = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        let Some(list) = after.strip_prefix('{') else {
            found.insert(word(after));
            continue;
        };
        let (mut depth, mut begins) = (0_u32, true);
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                c if begins && c.is_alphabetic() => {
                    found.insert(word(list.get(at..).unwrap()));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    found.retain(|name| name.chars().next().is_some_and(char::is_lowercase));
    found
}

#[test]
fn modules_know_what_the_document_says_and_no_more() {
    let documented = documented();
    for (module, others) in real() {
        let Some(allowed) = documented.get(&module) else {
            panic!("`{module}` has no row in docs/ARCHITECTURE.md");
        };
        let surplus: Vec<_> = others.difference(allowed).collect();
        assert!(
            surplus.is_empty(),
            "`{module}` knows {surplus:?}, which docs/ARCHITECTURE.md does not say"
        );
    }
}

#[test]
fn the_document_names_no_module_that_is_not_there() {
    let real = real();
    for (module, others) in documented() {
        assert!(real.contains_key(&module), "`{module}` is not in src/");
        let gone: Vec<_> = others.difference(&real[&module]).collect();
        assert!(gone.is_empty(), "`{module}` may know {gone:?} but does not");
    }
}
