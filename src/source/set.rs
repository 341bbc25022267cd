//! All sources of a folder, behind one pointer that can be swapped.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::{
    file::{ArmError, CheckedSource, Source, SourceFile},
    folder::{name_of, unknown_silence},
    mode::Mode,
    watch::Seen,
};
use crate::{
    config::{Environment, oddity},
    diag::{Diagnostic, Findings, render_lines},
    event::{MappingHash, OrganisationName, SourceName},
    mapping::UnreadableSamples,
};

/// The sources in force. Cheap to clone; clones see the same set.
#[derive(Clone, Debug)]
pub struct Sources(Arc<ArcSwap<Set>>);

/// One whole set.
#[derive(Debug, Default)]
pub struct Set {
    /// When it was loaded.
    at: Timestamp,
    sources: BTreeMap<SourceName, Entry>,
    files: BTreeMap<PathBuf, SetFile>,
    /// What was found in files that receive all the same, and of what is said about them elsewhere; one line each.
    warnings: Vec<String>,
}

/// A file of the folder.
#[derive(Debug)]
pub(super) struct SetFile {
    /// What it was made of: its text, the samples of its tests, its secrets.
    pub(super) seen: Seen,
    address: Address,
}

#[derive(Debug)]
enum Address {
    Of(SourceName),
    /// Its name names no source, so it cannot have an address.
    None(Trouble),
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
    /// One line for each thing that is wrong, for logs and pages: without any text of the file, and without what the
    /// events of its tests hold, since these may be those of real people.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Mistakes(findings) => {
                let list = findings.list.iter().map(without_values).collect();
                let mut lines = render_lines(&Findings {
                    file: Arc::clone(&findings.file),
                    list,
                    hidden: Vec::new(),
                });
                lines.dedup();
                lines
            }
            Self::NotArmed(line) => vec![line.clone()],
        }
    }
}

/// A failed test says what it expected and got; here, only that it failed.
fn without_values(found: &Diagnostic) -> Diagnostic {
    if found.code != "map/test-failed" {
        return found.clone();
    }
    Diagnostic::error(found.code, "a test fails here")
        .at(found.span, "")
        .help("`quentli-gateway test` shows what it expected and got")
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
    /// need not be there, nor a secret that has passed its `until` at `now`. What was read is kept in `seen`, also
    /// where that gave no set.
    ///
    /// # Errors
    /// The folder cannot be read or holds no source file. What is wrong with a file is in the set.
    pub fn load(
        folder: &Path,
        environment: &Environment,
        base: &Path,
        now: Timestamp,
        seen: &mut Seen,
    ) -> Result<Self, LoadError> {
        let files = seen
            .folder(folder)
            .map_err(|error| LoadError::Folder(folder.to_path_buf(), error))?;
        if files.is_empty() {
            return Err(LoadError::Empty(folder.to_path_buf()));
        }
        let mut set = Self {
            at: now,
            ..Self::default()
        };
        for path in files {
            let mut of_file = Seen::default();
            let file = SourceFile::read_and_keep(&path, UnreadableSamples::Warn, &mut of_file);
            let entry = match file.checked {
                None => Entry::Broken(Trouble::Mistakes(file.findings)),
                Some(checked) => {
                    let armed = set.arm(checked, environment, base, &mut of_file);
                    if let Ok(source) = &armed {
                        set.warnings.extend(render_lines(&file.findings));
                        set.warnings.extend(observes(source));
                    }
                    armed.map_or_else(
                        |error| Entry::Broken(Trouble::NotArmed(chain(&error))),
                        |source| Entry::Ready(Arc::new(source)),
                    )
                }
            };
            seen.extend(&of_file);
            set.put(path, of_file, entry);
        }
        Ok(set)
    }

    fn arm(
        &mut self,
        checked: CheckedSource,
        environment: &Environment,
        base: &Path,
        seen: &mut Seen,
    ) -> Result<Source, ArmError> {
        let name = checked.name().clone();
        let until = checked.receive().until();
        // The text of a public key may have lines and spaces.
        let is_public = checked.receive().verify.takes_public_keys();
        let place = checked.receive().place_of_ends();
        // They are read also where none is accepted any more, so that the set sees when they change.
        let armed = checked.arm_with(|secret| {
            let read = seen.secret(&secret.reference, environment, base);
            if read.is_err() && secret.until.is_some_and(|until| until <= self.at) {
                self.warnings.push(format!(
                    "source `{name}`: the secret {} is gone, and has passed its `until`; take it out of \
                     {place}",
                    secret.reference
                ));
                return Ok(None);
            }
            if let Some(oddity) = read
                .as_ref()
                .ok()
                .filter(|_| !is_public)
                .and_then(oddity)
            {
                self.warnings.push(format!(
                    "source `{name}`: the secret {} {oddity}; that counts as part of it, so take it out unless the sender \
                     has it, too",
                    secret.reference
                ));
            }
            read.map(Some)
        });
        let armed =
            armed.and_then(|source| source.read_keys(|keys| seen.secret(keys, environment, base)));
        match until {
            Some(until) if until <= self.at => Err(ArmError::Expired {
                source_name: name,
                until,
                place,
            }),
            _ => armed,
        }
    }

    fn put(&mut self, path: PathBuf, seen: Seen, entry: Entry) {
        // Of `x.yaml` and `x.yml` only the first has an address; the other is reported.
        let address = match (name_of(&path), entry) {
            (Some(name), entry) => {
                self.sources.insert(SourceName::clone(&name), entry);
                Address::Of(name)
            }
            (None, Entry::Broken(trouble)) => Address::None(trouble),
            // Checking has refused such a file: its name is that of its source.
            (None, Entry::Ready(_)) => return,
        };
        self.files.insert(path, SetFile { seen, address });
    }

    /// The files, by path.
    pub(super) const fn files(&self) -> &BTreeMap<PathBuf, SetFile> {
        &self.files
    }

    /// Why a file of this set does not receive; `None` for one that does.
    pub(super) fn trouble<'a>(&'a self, file: &'a SetFile) -> Option<&'a Trouble> {
        match &file.address {
            Address::None(trouble) => Some(trouble),
            Address::Of(name) => match self.sources.get(name) {
                Some(Entry::Broken(trouble)) => Some(trouble),
                Some(Entry::Ready(_)) | None => None,
            },
        }
    }

    /// Whether a file of this set receives nothing at a moment: it has trouble, or every secret has come to its end.
    pub(super) fn is_idle(&self, file: &SetFile, at: Timestamp) -> bool {
        let Address::Of(name) = &file.address else {
            return true;
        };
        match self.sources.get(name) {
            Some(Entry::Ready(source)) => source.receive().until().is_some_and(|until| until <= at),
            Some(Entry::Broken(_)) | None => true,
        }
    }

    /// When the set was loaded.
    pub(super) const fn at(&self) -> Timestamp {
        self.at
    }

    /// What is wrong with the files that do not receive, one line each.
    pub fn troubles(&self) -> impl Iterator<Item = String> {
        let broken = self.files.values().filter_map(|file| self.trouble(file));
        broken.flat_map(Trouble::lines)
    }

    /// Every source, with the hash of its mapping where it receives.
    pub fn sources(&self) -> impl Iterator<Item = (SourceName, Option<MappingHash>)> {
        self.sources.iter().map(|(name, entry)| match entry {
            Entry::Ready(source) => (name.clone(), Some(source.mapping_hash())),
            Entry::Broken(_) => (name.clone(), None),
        })
    }

    /// Warns of those of these that no source is, whether it receives or not.
    pub fn warn_of_silence(&mut self, watched: &BTreeSet<SourceName>) {
        let known = self.sources.keys().cloned().collect();
        self.warnings.extend(unknown_silence(watched, &known));
    }

    /// The sources that receive and send nothing.
    pub fn observing(&self) -> impl Iterator<Item = SourceName> {
        let observing = self.ready().filter(|source| source.mode() == Mode::Observe);
        observing.map(|source| source.name().clone())
    }

    /// The keys of metadata by which customers of an organisation are looked for.
    pub fn metadata_looked_for<'s>(&'s self, organisation: &OrganisationName) -> BTreeSet<&'s str> {
        let of_organisation = self
            .ready()
            .filter(|source| source.organisation() == organisation);
        of_organisation
            .flat_map(|source| source.metadata_looked_for())
            .collect()
    }

    /// Until when those secrets and certificates are accepted that have an end.
    pub fn secret_ends(&self) -> impl Iterator<Item = (SourceName, String, Timestamp)> {
        self.ready().flat_map(|source| {
            let ends = source.ends().iter();
            ends.map(|(name, until)| (source.name().clone(), name.clone(), *until))
        })
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

/// That a source sends nothing, which is easily forgotten.
fn observes(source: &Source) -> Option<String> {
    (source.mode() == Mode::Observe).then(|| {
        let name = source.name();
        format!("source `{name}` only observes (`mode: observe`): what it receives is mapped and shown, and nothing is sent")
    })
}

/// An error with everything that caused it, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
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

    /// The set in force.
    pub fn set(&self) -> Arc<Set> {
        self.0.load_full()
    }

    /// Puts another set in force, all of it at once.
    pub fn swap(&self, set: Arc<Set>) {
        self.0.store(set);
    }

    /// What stands at a name now. A request keeps what it got, also when the set is swapped meanwhile.
    pub fn get(&self, name: &SourceName) -> Lookup {
        match self.0.load().sources.get(name) {
            None => Lookup::Unknown,
            Some(Entry::Broken(_)) => Lookup::Broken,
            Some(Entry::Ready(source)) => Lookup::Ready(Arc::clone(source)),
        }
    }

    /// Every file with what is wrong with it.
    pub fn all(&self) -> Vec<Standing> {
        let set = self.0.load();
        let standing = |file: &SetFile| {
            let (source, ready) = match &file.address {
                Address::Of(name) => match set.sources.get(name) {
                    Some(Entry::Ready(source)) => (name.to_string(), Some(source)),
                    Some(Entry::Broken(_)) | None => (name.to_string(), None),
                },
                Address::None(_) => ("(no name)".to_owned(), None),
            };
            Standing {
                source,
                mapping: ready.map(|source| source.mapping_hash()),
                mode: ready.map(|source| source.mode()),
                secrets: ready.map_or_else(Vec::new, |source| source.receive().ends().collect()),
                learning: ready
                    .filter(|source| source.learns_its_secret())
                    .map(|source| source.name().clone()),
                trouble: set.trouble(file).map(Trouble::lines).unwrap_or_default(),
            }
        };
        set.files.values().map(standing).collect()
    }
}

/// How a file stands.
#[derive(Debug)]
pub struct Standing {
    pub source: String,
    /// Of a source that receives.
    pub mapping: Option<MappingHash>,
    pub mode: Option<Mode>,
    /// What proves requests of a source that receives, by name, and until when.
    pub secrets: Vec<(String, Option<Timestamp>)>,
    /// Of a source whose sender names the secret: its name.
    pub learning: Option<SourceName>,
    /// Nothing for a source that receives.
    pub trouble: Vec<String>,
}

#[cfg(test)]
mod tests;
