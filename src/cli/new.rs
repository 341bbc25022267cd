//! `new`: a draft of a source file, made from sample events.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::{Exit, output, request};
use crate::{
    config::Environment,
    source::{
        content_type_of,
        draft::{self, CannotDraft, DraftError, DraftOptions, Sample, Values},
    },
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A sample event, as the system sends it; give one for each kind of event. Its ending tells the content type:
    /// .json, .form, .xml or .ndjson
    #[arg(long = "sample", value_name = "FILE", required = true)]
    samples: Vec<PathBuf>,
    /// What the samples are, where their ending does not tell it, such as 'multipart/form-data; boundary=x'
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// The name of the source, as in its address /webhooks/<source> [default: the name of the output, else of the
    /// first sample]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// How its requests prove that they are genuine, where the system is a known one, such as `hubspot-v3`
    #[arg(long, value_name = "PRESET")]
    preset: Option<String>,
    /// Where to write; `-` is standard output [default: mappings/<source>.yaml]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite a file that is there
    #[arg(long)]
    force: bool,
    /// Write events into the draft as they are. Otherwise names, addresses, numbers and texts in them are replaced by
    /// invented ones
    #[arg(long)]
    keep_values: bool,
}

/// A sample file, read.
struct Read {
    path: PathBuf,
    /// As a test is called.
    name: String,
    body: Vec<u8>,
    /// Its path from the draft's folder, where it lies there.
    event_file: Option<String>,
}

pub(super) fn run(arguments: &Arguments, environment: &Environment) -> Exit {
    let is_printed = arguments.output.as_deref() == Some(Path::new("-"));
    let source = source_name(arguments, is_printed);
    if source.is_empty() {
        output::error("nothing tells the name of the source: give --source NAME");
        return Exit::Usage;
    }
    let path = match &arguments.output {
        Some(_) if is_printed => None,
        Some(path) => Some(path.clone()),
        None => {
            let folder = environment.get("GATEWAY_MAPPINGS").unwrap_or("mappings");
            Some(Path::new(folder).join(format!("{source}.yaml")))
        }
    };
    if let Some(path) = &path {
        if path.extension().is_none_or(|ending| ending != "yaml") || stem(path) != source {
            output::error(&format!(
                "the file of the source `{source}` is called {source}.yaml, not {}",
                path.display()
            ));
            return Exit::Usage;
        }
        if path.exists() && !arguments.force {
            output::error(&format!(
                "{} is there already; --force overwrites it, --output writes elsewhere",
                path.display()
            ));
            return Exit::Bad;
        }
    }
    let mut samples = Vec::new();
    for sample in &arguments.samples {
        match read(sample, path.as_deref(), &samples) {
            Ok(sample) => samples.push(sample),
            Err(error) => {
                output::error(&format!("{} cannot be read: {error}", sample.display()));
                return Exit::Unavailable;
            }
        }
    }
    let options = DraftOptions {
        source: &source,
        path: path.as_deref(),
        preset: arguments.preset.as_deref(),
        values: if arguments.keep_values {
            Values::Kept
        } else {
            Values::Invented
        },
    };
    let given: Vec<Sample<'_>> = samples
        .iter()
        .map(|sample| sample.sample(arguments.content_type.as_deref()))
        .collect();
    let text = match draft::draft(&options, &given) {
        Ok(text) => text,
        Err(error) => {
            output::error(&error.to_string());
            return match error {
                DraftError::Name(_) | DraftError::Preset { .. } => Exit::Usage,
                DraftError::Cannot(CannotDraft::Broken { .. }) => Exit::Internal,
                DraftError::TooLong(_) | DraftError::Cannot(_) => Exit::Bad,
            };
        }
    };
    let Some(path) = &path else {
        output::line(text.trim_end());
        say_what_of_people(&samples, options.values);
        return Exit::Fine;
    };
    // A folder that was named must be there; the usual one is made.
    let made = match path.parent() {
        Some(folder) if arguments.output.is_none() => std::fs::create_dir_all(folder),
        _ => Ok(()),
    };
    if let Err(error) = made.and_then(|()| write(path, &text, arguments.force)) {
        output::error(&format!("{} cannot be written: {error}", path.display()));
        return Exit::Unavailable;
    }
    output::line(&format!("{} is written.", path.display()));
    say_what_of_people(&samples, options.values);
    say_what_is_next(path);
    Exit::Fine
}

/// The name that was given, else that of the file to write, else that of the first sample.
fn source_name(arguments: &Arguments, is_printed: bool) -> String {
    let of_file = || match &arguments.output {
        Some(path) if !is_printed => stem(path).to_owned(),
        _ => arguments
            .samples
            .first()
            .map_or_else(String::new, |sample| name_like(stem(sample))),
    };
    arguments.source.clone().unwrap_or_else(of_file)
}

fn stem(path: &Path) -> &str {
    path.file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default()
}

/// `Mi colegio_2` as a name: `mi-colegio-2`.
fn name_like(text: &str) -> String {
    let plain: String = text
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let parts: Vec<&str> = plain.split('-').filter(|part| !part.is_empty()).collect();
    parts.join("-").chars().take(64).collect()
}

fn read(path: &Path, draft: Option<&Path>, before: &[Read]) -> io::Result<Read> {
    let body = request::read_body(path)?;
    let stem = if path == Path::new("-") {
        "sample"
    } else {
        stem(path)
    };
    let name = stem.replace(['-', '_'], " ");
    let same = before
        .iter()
        .filter(|known| known.name == name || known.name.starts_with(&format!("{name} (")))
        .count();
    let name = if same == 0 {
        name
    } else {
        format!("{name} ({})", same + 1)
    };
    Ok(Read {
        event_file: draft.and_then(|draft| beside(path, draft)),
        path: path.to_path_buf(),
        name,
        body,
    })
}

/// The path of a sample from the folder of the draft, if it lies there or below.
fn beside(sample: &Path, draft: &Path) -> Option<String> {
    let folder = draft
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let folder = folder.canonicalize().ok()?;
    let sample = sample.canonicalize().ok()?;
    let below = sample.strip_prefix(folder).ok()?;
    let parts: Option<Vec<&str>> = below.iter().map(|part| part.to_str()).collect();
    Some(parts?.join("/"))
        .filter(|path| !path.contains("..") && !path.chars().any(char::is_control))
}

/// Writes the whole file, or, where nothing may be overwritten, only one that is not there.
fn write(path: &Path, text: &str, may_overwrite: bool) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    if may_overwrite {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    options.open(path)?.write_all(text.as_bytes())
}

impl Read {
    fn sample<'a>(&'a self, content_type: Option<&'a str>) -> Sample<'a> {
        Sample {
            name: &self.name,
            body: &self.body,
            content_type: content_type.or_else(|| content_type_of(&self.path)),
            event_file: self.event_file.as_deref(),
        }
    }
}

/// Samples are often taken from real life.
fn say_what_of_people(samples: &[Read], values: Values) {
    let files: Vec<&str> = samples
        .iter()
        .filter_map(|sample| sample.event_file.as_deref())
        .collect();
    if files.len() < samples.len() {
        output::note(match values {
            Values::Invented => {
                "note: in the tests, what the samples say of people is replaced by invented values; look whether any was missed."
            }
            Values::Kept => {
                "warning: the tests hold the samples as they are. Make them anonymous before you share the file."
            }
        });
    }
    if !files.is_empty() {
        output::note(&format!(
            "warning: the tests read {}. If these are real events, make them anonymous before you share them.",
            files.join(", ")
        ));
    }
}

fn say_what_is_next(path: &Path) {
    let folder = path.parent().unwrap_or(Path::new(""));
    let schema = folder.join("source.schema.json");
    if !schema.exists() {
        output::note(&format!(
            "note: for help in your editor: quentli-gateway schema > {}",
            schema.display()
        ));
    }
    output::note(&format!(
        "next: read it, change it, and run quentli-gateway check {}",
        path.display()
    ));
}
