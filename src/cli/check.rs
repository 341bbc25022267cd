//! `check`: source files, judged without starting anything and without their secrets.

use std::path::PathBuf;

use clap::ValueEnum;

use super::{
    Exit,
    output::{self, ColourFlag},
};
use crate::{
    config::Environment,
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
    #[command(flatten)]
    colour: ColourFlag,
}

pub(super) fn run(arguments: &Arguments, environment: &Environment) -> Exit {
    let Some(files) = read(&arguments.paths) else {
        return Exit::Unavailable;
    };
    let all: Vec<Findings> = files.into_iter().map(|file| file.findings).collect();
    match arguments.format {
        Format::Human => {
            let style = arguments.colour.of_messages(environment);
            for found in &all {
                output::findings(found, style);
            }
        }
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
    output::note(&format!(
        "{} checked: {}",
        output::counted(all.len(), "file"),
        output::count(&all)
    ));
    if errors || (warnings && arguments.strict) {
        Exit::Bad
    } else {
        Exit::Fine
    }
}

/// Reads all files below the paths; `None`, said aloud, where there is nothing to read.
pub(super) fn read(paths: &[PathBuf]) -> Option<Vec<SourceFile>> {
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
