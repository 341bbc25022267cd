//! All sources of a folder, behind one pointer that can be swapped.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;

use super::file::{ArmError, Source, SourceFile};
use crate::{
    config::Environment,
    diag::{Findings, render_lines},
    event::SourceName,
    mapping::UnreadableSamples,
};

/// The sources in force. Cheap to clone; clones see the same set.
#[derive(Clone, Debug)]
pub struct Sources(Arc<ArcSwap<Set>>);

/// One whole set.
#[derive(Debug, Default)]
pub struct Set {
    sources: BTreeMap<SourceName, Entry>,
    /// Files whose name names no source, which cannot have an address.
    nameless: Vec<Trouble>,
    /// What was found in files that receive all the same, one line each.
    warnings: Vec<String>,
}

#[derive(Debug)]
enum Entry {
    Ready(Arc<Source>),
    Broken(Trouble),
}

/// Why a file does not receive.
#[derive(Debug)]
pub enum Trouble {
    Mistakes(Findings),
    NotArmed(String),
}

impl Trouble {
    /// One line for each thing that is wrong, without any text of the file.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Mistakes(findings) => render_lines(findings),
            Self::NotArmed(line) => vec![line.clone()],
        }
    }
}

/// What stands at an address.
#[derive(Debug)]
pub enum Lookup {
    Unknown,
    /// A file is there but has mistakes or lacks a secret.
    Broken,
    Ready(Arc<Source>),
}

/// Why a folder of sources cannot be loaded at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot read the folder of source files, {}", .0.display())]
    Folder(PathBuf, #[source] io::Error),
    #[error("the folder {} holds no source file (`<source>.yaml`)", .0.display())]
    Empty(PathBuf),
}

impl Set {
    /// Loads all files of a folder and reads their secrets; relative secret files start at `base`. A sample of a test
    /// need not be there.
    ///
    /// # Errors
    /// The folder cannot be read or holds no source file. What is wrong with a file is in the set.
    pub fn load(folder: &Path, environment: &Environment, base: &Path) -> Result<Self, LoadError> {
        let files =
            find_files(folder).map_err(|error| LoadError::Folder(folder.to_path_buf(), error))?;
        if files.is_empty() {
            return Err(LoadError::Empty(folder.to_path_buf()));
        }
        let mut set = Self::default();
        for path in files {
            let stem = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .unwrap_or_default();
            // Of `x.yaml` and `x.yml` only the first has an address; the other is reported.
            let name = stem.parse().ok().filter(|_| is_source_file(&path));
            let file = SourceFile::read(&path, UnreadableSamples::Warn);
            set.add(name, file, environment, base);
        }
        Ok(set)
    }

    fn add(
        &mut self,
        name: Option<SourceName>,
        file: SourceFile,
        environment: &Environment,
        base: &Path,
    ) {
        let entry = match file.checked {
            None => Entry::Broken(Trouble::Mistakes(file.findings)),
            Some(checked) => match checked.arm(environment, base) {
                Ok(source) => {
                    self.warnings.extend(render_lines(&file.findings));
                    Entry::Ready(Arc::new(source))
                }
                Err(error) => Entry::Broken(Trouble::NotArmed(arm_line(&error))),
            },
        };
        self.put(name, entry);
    }

    fn put(&mut self, name: Option<SourceName>, entry: Entry) {
        match (name, entry) {
            (Some(name), entry) => {
                self.sources.insert(name, entry);
            }
            (None, Entry::Broken(trouble)) => self.nameless.push(trouble),
            // A file that checks out is named like its source.
            (None, Entry::Ready(_)) => {}
        }
    }

    /// What is wrong with the files that do not receive, by name.
    pub fn troubles(&self) -> impl Iterator<Item = (Option<&SourceName>, &Trouble)> {
        let broken = self.sources.iter().filter_map(|(name, entry)| match entry {
            Entry::Broken(trouble) => Some((Some(name), trouble)),
            Entry::Ready(_) => None,
        });
        broken.chain(self.nameless.iter().map(|trouble| (None, trouble)))
    }

    /// What was found in files that receive all the same, one line each, without any text of the file.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The sources that receive.
    pub fn ready(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.sources.values().filter_map(|entry| match entry {
            Entry::Ready(source) => Some(source),
            Entry::Broken(_) => None,
        })
    }

    /// Takes a source out of service with a reason, because of something that its file alone does not show.
    pub fn break_source(&mut self, name: &SourceName, reason: String) {
        self.sources
            .insert(name.clone(), Entry::Broken(Trouble::NotArmed(reason)));
    }
}

fn arm_line(error: &ArmError) -> String {
    let mut line = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        next = cause.source();
    }
    line
}

impl Sources {
    pub fn new(set: Set) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(set)))
    }

    /// What stands at a name now. A request keeps what it got, also when the set is swapped meanwhile.
    pub fn get(&self, name: &SourceName) -> Lookup {
        match self.0.load().sources.get(name) {
            None => Lookup::Unknown,
            Some(Entry::Broken(_)) => Lookup::Broken,
            Some(Entry::Ready(source)) => Lookup::Ready(Arc::clone(source)),
        }
    }

    /// Whether a file of this name is there, with or without mistakes.
    pub fn is_known(&self, name: &SourceName) -> bool {
        self.0.load().sources.contains_key(name)
    }

    /// Every file with what is wrong with it; nothing for one that receives.
    pub fn all(&self) -> Vec<(String, Vec<String>)> {
        let set = self.0.load();
        let named = set.sources.iter().map(|(name, entry)| {
            let trouble = match entry {
                Entry::Ready(_) => Vec::new(),
                Entry::Broken(trouble) => trouble.lines(),
            };
            (name.to_string(), trouble)
        });
        let nameless = set
            .nameless
            .iter()
            .map(|trouble| ("(no name)".to_owned(), trouble.lines()));
        named.chain(nameless).collect()
    }
}

/// The source files at a path: itself, or those of a folder, by name. Hidden files and other endings are left out.
///
/// # Errors
/// The path cannot be read.
pub fn find_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let is_yaml = matches!(
            file.extension().and_then(|ending| ending.to_str()),
            Some("yaml" | "yml")
        );
        // A link that leads nowhere is a file that cannot be read, and is reported as that.
        let is_folder = std::fs::metadata(&file).is_ok_and(|metadata| metadata.is_dir());
        if is_yaml && !name.starts_with('.') && !is_folder {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// Whether the file's name ends as a source file's must, so that no two files can claim one address.
pub(super) fn is_source_file(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "yaml")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r"
mapping: 1
source: school
receive: {verify: github, secrets: [{env: SECRET}]}
otherwise: drop
rules:
  - {name: r, when: exists(a), drop: x}
tests:
  - {name: from a sample, event_file: samples/a.json, expect: [{drop: x}]}
  - {name: in the file, event: {a: 1}, expect: [{drop: x}]}
";

    /// Which sources of a folder with this file receive, and which do not.
    fn loaded(file: &str, sample: Option<&str>) -> (usize, usize) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("school.yaml"), file).unwrap();
        if let Some(sample) = sample {
            std::fs::create_dir(folder.path().join("samples")).unwrap();
            std::fs::write(folder.path().join("samples/a.json"), sample).unwrap();
        }
        let environment: Environment = [("SECRET", "s3cret")].into_iter().collect();
        let set = Set::load(folder.path(), &environment, folder.path()).unwrap();
        (set.ready().count(), set.troubles().count())
    }

    #[test]
    fn a_source_receives_without_the_samples_of_its_tests_but_not_with_a_failing_test() {
        assert_eq!(loaded(FILE, Some("{\"a\": 1}")), (1, 0));
        assert_eq!(loaded(FILE, None), (1, 0));
        assert_eq!(loaded(FILE, Some("{\"b\": 1}")), (0, 1));
        assert_eq!(loaded(FILE, Some("not JSON")), (0, 1));
        let failing = FILE.replace("event: {a: 1}", "event: {b: 1}");
        assert_eq!(loaded(&failing, None), (0, 1));
    }
}
