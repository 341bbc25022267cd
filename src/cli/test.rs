//! `test`: the tests that source files carry, run without starting anything and without their secrets.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{
    Exit, check,
    output::{self, ColourFlag, Format, Tone, painted, quoted},
};
use crate::{
    config::Environment,
    diag::{Style, render_json, visible},
    mapping::{Difference, TestResult},
    source::SourceFile,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Source files, or folders of them
    #[arg(default_value = "mappings", value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// Only tests with this in their name, in capitals or not
    #[arg(long, value_name = "PART")]
    name: Option<String>,
    /// How results are shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    colour: ColourFlag,
}

/// A file and those of its tests that were asked for.
struct Tested<'a> {
    file: &'a SourceFile,
    results: Vec<&'a TestResult>,
}

pub(super) fn run(arguments: &Arguments, environment: &Environment) -> Exit {
    let Some(files) = check::read(&arguments.paths) else {
        return Exit::Unavailable;
    };
    let part = arguments.name.as_deref().unwrap_or_default().to_lowercase();
    let files: Vec<Tested<'_>> = files.iter().map(|file| Tested::new(file, &part)).collect();
    let results = || files.iter().flat_map(|file| &file.results);
    let failed = results().filter(|test| !test.has_passed()).count();
    let passed = results().count() - failed;
    let not_loaded = files.iter().filter(|file| !file.is_loaded()).count();
    if passed + failed + not_loaded == 0 {
        let part = arguments.name.as_deref().unwrap_or_default();
        output::error(&format!("no test has `{part}` in its name"));
        return Exit::Usage;
    }
    match arguments.format {
        Format::Human => {
            let result = arguments.colour.of_result(environment);
            let messages = arguments.colour.of_messages(environment);
            for file in &files {
                file.show(result, messages);
            }
            let files = match not_loaded {
                0 => String::new(),
                count => format!(", {} not loaded", output::counted(count, "file")),
            };
            output::line(&format!("{passed} passed, {failed} failed{files}"));
        }
        Format::Json => {
            let files: Vec<Value> = files.iter().map(Tested::json).collect();
            output::line(&format!("{:#}", Value::from(files)));
        }
    }
    if failed == 0 && not_loaded == 0 {
        Exit::Fine
    } else {
        Exit::Bad
    }
}

impl<'a> Tested<'a> {
    fn new(file: &'a SourceFile, part: &str) -> Self {
        let all = file.tests.iter().flat_map(|report| &report.results);
        Self {
            file,
            results: all
                .filter(|test| test.name.to_lowercase().contains(part))
                .collect(),
        }
    }

    /// Whether the file's tests could run.
    fn is_loaded(&self) -> bool {
        self.file.tests.is_some()
    }

    fn show(&self, style: Style, messages: Style) {
        let name = self.file.findings.file.name();
        if !self.is_loaded() {
            output::findings(&self.file.findings, messages);
            output::line(&format!(
                "{}  {}",
                painted(name, Tone::Heading, style),
                painted("not loaded", Tone::Bad, style)
            ));
            return;
        }
        if self.results.is_empty() {
            return;
        }
        output::line(&painted(name, Tone::Heading, style));
        for test in &self.results {
            if test.has_passed() {
                let word = painted("ok", Tone::Good, style);
                output::line(&format!("  {word}      {}", test.name));
                continue;
            }
            let word = painted("FAILED", Tone::Bad, style);
            let (line, _) = self.file.findings.file.line_column(test.span.start);
            output::line(&format!("  {word}  {} (line {line})", test.name));
            show_differences(&test.differences, style);
            let why = format!(
                "see why: quentli-gateway explain {} --test {}",
                quoted(name),
                quoted(&test.name)
            );
            output::line(&format!("          {}", painted(&why, Tone::Faint, style)));
        }
    }

    fn json(&self) -> Value {
        let file = &self.file.findings.file;
        let line = |at| file.line_column(at).0;
        let difference = |found: &Difference| {
            json!({
                "line": line(found.span.start), "outcome": found.outcome, "rule": found.rule,
                "field": found.field, "expected": found.expected, "got": found.got,
            })
        };
        let test = |test: &&TestResult| {
            let differences: Vec<Value> = test.differences.iter().map(difference).collect();
            json!({
                "name": test.name, "line": line(test.span.start), "passed": test.has_passed(),
                "differences": differences,
            })
        };
        let tests: Vec<Value> = self.results.iter().map(test).collect();
        json!({
            "file": file.name(),
            "loaded": self.is_loaded(),
            "findings": render_json(std::slice::from_ref(&self.file.findings)),
            "tests": tests,
        })
    }
}

/// Those of one outcome together, one line for each field.
fn show_differences(differences: &[Difference], style: Style) {
    let same = |left: &Difference, right: &Difference| left.outcome == right.outcome;
    for group in differences.chunk_by(same) {
        let Some(first) = group.first() else { continue };
        let rule = match &first.rule {
            Some(rule) => format!(", rule `{rule}`"),
            None => String::new(),
        };
        output::line(&format!("          outcome {}{rule}", first.outcome));
        let width = |of: fn(&Difference) -> &str| {
            let lengths = group.iter().map(|found| of(found).chars().count());
            lengths.max().unwrap_or_default().min(40)
        };
        let field = width(|found| &found.field);
        let expected = width(|found| &found.expected);
        for found in group {
            output::line(&format!(
                "            {:field$}  expected {:expected$}  got {}",
                found.field,
                visible(&found.expected),
                painted(&visible(&found.got), Tone::Bad, style),
            ));
        }
    }
}
