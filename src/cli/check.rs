//! `check` and `test`: source files, judged without starting anything and without their secrets.

use std::path::PathBuf;

use clap::ValueEnum;

use super::{Exit, output};
use crate::{
    diag::{Findings, Severity, render_json, render_lines},
    source::{SourceFile, UnreadableSamples, find_files},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// With the source line and a marker under the place
    Human,
    /// One line each: `file:line:column: error CODE: message`
    Short,
    /// An array of objects
    Json,
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Source files, or folders of them
    #[arg(default_value = "mappings", value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// Count warnings as errors
    #[arg(long)]
    strict: bool,
    /// How findings are shown
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct TestArguments {
    /// Source files, or folders of them
    #[arg(default_value = "mappings", value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
}

pub(super) fn check(arguments: &Arguments) -> Exit {
    let Some(files) = read(&arguments.paths) else {
        return Exit::Unavailable;
    };
    let all: Vec<Findings> = files.into_iter().map(|file| file.findings).collect();
    match arguments.format {
        Format::Human => all.iter().for_each(output::findings),
        Format::Short => all
            .iter()
            .flat_map(render_lines)
            .for_each(|line| output::line(&line)),
        Format::Json => output::line(&format!("{:#}", render_json(&all))),
    }
    let errors = all.iter().any(Findings::has_errors);
    let warnings = all
        .iter()
        .any(|findings| findings.count(Severity::Warning) > 0);
    let files = if all.len() == 1 {
        "1 file".to_owned()
    } else {
        format!("{} files", all.len())
    };
    output::note(&format!("{files} checked: {}", output::count(&all)));
    if errors || (warnings && arguments.strict) {
        Exit::Bad
    } else {
        Exit::Fine
    }
}

pub(super) fn test(arguments: &TestArguments) -> Exit {
    let Some(files) = read(&arguments.paths) else {
        return Exit::Unavailable;
    };
    let (mut passed, mut failed, mut not_loaded) = (0, 0, 0);
    for file in &files {
        let name = file.findings.file.name();
        let Some(report) = &file.tests else {
            output::findings(&file.findings);
            output::line(&format!("{name}: not loaded"));
            not_loaded += 1;
            continue;
        };
        for test in &report.results {
            if test.has_passed() {
                passed += 1;
                output::line(&format!("{name}: {} ... ok", test.name));
            } else {
                failed += 1;
                output::line(&format!("{name}: {} ... FAILED", test.name));
                for difference in &test.differences {
                    output::line(&format!("    {difference}"));
                }
            }
        }
    }
    let files = match not_loaded {
        0 => String::new(),
        1 => ", 1 file not loaded".to_owned(),
        _ => format!(", {not_loaded} files not loaded"),
    };
    output::line(&format!("{passed} passed, {failed} failed{files}"));
    if failed == 0 && not_loaded == 0 {
        Exit::Fine
    } else {
        Exit::Bad
    }
}

/// Reads all files below the paths; `None`, said aloud, where there is nothing to read.
fn read(paths: &[PathBuf]) -> Option<Vec<SourceFile>> {
    let mut files = Vec::new();
    for path in paths {
        match find_files(path) {
            Ok(found) if found.is_empty() => {
                output::error(&format!(
                    "{} holds no source file (`<source>.yaml`)",
                    path.display()
                ));
                return None;
            }
            Ok(found) => files.extend(found),
            Err(error) => {
                output::error(&format!("{} cannot be read: {error}", path.display()));
                return None;
            }
        }
    }
    let read = |file: &PathBuf| SourceFile::read(file, UnreadableSamples::Refuse);
    Some(files.iter().map(read).collect())
}
