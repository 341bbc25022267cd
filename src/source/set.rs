//! All sources of a folder, behind one pointer that can be swapped.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::{
    file::{ArmError, CheckedSource, Source, SourceFile},
    folder::is_source_file,
    watch::Seen,
};
use crate::{
    config::{Environment, oddity},
    diag::{Diagnostic, Findings, render_lines},
    event::{MappingHash, SourceName},
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
    /// What was found in files that receive all the same, one line each.
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
                let file = Arc::clone(&findings.file);
                let mut lines = render_lines(&Findings { file, list });
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
                    if armed.is_ok() {
                        set.warnings.extend(render_lines(&file.findings));
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
        // They are read also where none is accepted any more, so that the set sees when they change.
        let armed = checked.arm_with(|secret| {
            let read = seen.secret(&secret.reference, environment, base);
            if read.is_err() && secret.until.is_some_and(|until| until <= self.at) {
                self.warnings.push(format!(
                    "source `{name}`: the secret {} is gone, and has passed its `until`; take it out of \
                     `receive.secrets`",
                    secret.reference
                ));
                return Ok(None);
            }
            if let Some(oddity) = read.as_ref().ok().and_then(oddity) {
                self.warnings.push(format!(
                    "source `{name}`: the secret {} {oddity}; that counts as part of it, so take it out unless the sender \
                     has it, too",
                    secret.reference
                ));
            }
            read.map(Some)
        });
        match until {
            Some(until) if until <= self.at => Err(ArmError::Expired {
                source_name: name,
                until,
            }),
            Some(until) if armed.is_ok() => {
                self.warnings.push(format!(
                    "source `{name}`: every secret has an `until`, so that from {until} on each request is refused; add \
                     one that has none to `receive.secrets`"
                ));
                armed
            }
            _ => armed,
        }
    }

    fn put(&mut self, path: PathBuf, seen: Seen, entry: Entry) {
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        // Of `x.yaml` and `x.yml` only the first has an address; the other is reported.
        let name = stem
            .and_then(|stem| stem.parse().ok())
            .filter(|_| is_source_file(&path));
        let address = match (name, entry) {
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
            let (source, mapping) = match &file.address {
                Address::Of(name) => match set.sources.get(name) {
                    Some(Entry::Ready(source)) => (name.to_string(), Some(source.mapping_hash())),
                    Some(Entry::Broken(_)) | None => (name.to_string(), None),
                },
                Address::None(_) => ("(no name)".to_owned(), None),
            };
            Standing {
                source,
                mapping,
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
    /// Nothing for a source that receives.
    pub trouble: Vec<String>,
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

    fn load(folder: &Path, environment: &Environment) -> Set {
        let now = "2026-03-02T12:00:00Z".parse().unwrap();
        Set::load(folder, environment, folder, now, &mut Seen::default()).unwrap()
    }

    /// Which sources of a folder with this file receive, and which do not.
    fn loaded(file: &str, sample: Option<&str>) -> (usize, usize) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("school.yaml"), file).unwrap();
        if let Some(sample) = sample {
            std::fs::create_dir(folder.path().join("samples")).unwrap();
            std::fs::write(folder.path().join("samples/a.json"), sample).unwrap();
        }
        let environment: Environment = [("SECRET", "s3cret")].into_iter().collect();
        let set = load(folder.path(), &environment);
        let broken = set.sources().filter(|(_, mapping)| mapping.is_none());
        (set.ready().count(), broken.count())
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

    #[test]
    fn a_failed_test_is_told_of_without_what_its_event_holds() {
        let folder = tempfile::tempdir().unwrap();
        let failing = FILE.replace("expect: [{drop: x}]", "expect: [{drop: zacarias}]");
        std::fs::write(folder.path().join("school.yaml"), failing).unwrap();
        let environment: Environment = [("SECRET", "s3cret")].into_iter().collect();
        let lines: Vec<String> = load(folder.path(), &environment).troubles().collect();
        let shown = lines.join("\n");
        let expected = "error map/test-failed: a test fails here (`quentli-gateway test` shows";
        assert!(
            shown.contains(expected) && !shown.contains("zacarias"),
            "{shown}"
        );
    }

    #[test]
    fn a_secret_that_is_gone_matters_until_its_day_and_no_longer() {
        for (until, receives) in [("2026-03-03", 0), ("2026-03-01", 1)] {
            let folder = tempfile::tempdir().unwrap();
            let secrets = format!("[{{env: SECRET}}, {{file: old, until: {until}}}]");
            let file = FILE.replace("[{env: SECRET}]", &secrets);
            std::fs::write(folder.path().join("school.yaml"), file).unwrap();
            let environment: Environment = [("SECRET", "s3cret")].into_iter().collect();
            let set = load(folder.path(), &environment);
            assert_eq!(set.ready().count(), receives, "{until}");
            let warns = |set: &Set| set.warnings().iter().any(|line| line.contains("file:old"));
            assert_eq!(warns(&set), receives == 1, "{until}");
            std::fs::write(folder.path().join("old"), "older").unwrap();
            let set = load(folder.path(), &environment);
            assert_eq!((set.ready().count(), warns(&set)), (1, false), "{until}");
        }
    }

    #[test]
    fn a_secret_with_white_space_around_it_is_warned_of_without_being_shown() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("school.yaml"), FILE).unwrap();
        let environment: Environment = [("SECRET", "s3cret ")].into_iter().collect();
        let set = load(folder.path(), &environment);
        assert_eq!(set.ready().count(), 1);
        let shown = set.warnings().join("\n");
        let expected = "source `school`: the secret env:SECRET begins or ends with white space";
        assert!(
            shown.contains(expected) && !shown.contains("s3cret"),
            "{shown}"
        );
    }

    #[test]
    fn a_source_does_not_receive_when_all_its_secrets_have_ended_and_warns_before() {
        for (secrets, receives, said) in [
            ("{env: SECRET}", true, ""),
            (
                "{env: SECRET, until: 2026-03-02}",
                true,
                "2026-03-03T00:00:00Z on",
            ),
            (
                "{env: SECRET, until: 2026-03-01}",
                false,
                "last at 2026-03-02T00:00:00Z",
            ),
            (
                "{env: SECRET}, {file: gone, until: 2026-03-01}",
                true,
                "file:gone",
            ),
            (
                "{file: gone, until: 2026-03-01}",
                false,
                "last at 2026-03-02T00:00:00Z",
            ),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let file = FILE.replace("[{env: SECRET}]", &format!("[{secrets}]"));
            std::fs::write(folder.path().join("school.yaml"), file).unwrap();
            let environment: Environment = [("SECRET", "s3cret")].into_iter().collect();
            let set = load(folder.path(), &environment);
            assert_eq!(set.ready().count() == 1, receives, "{secrets}");
            let warnings = set
                .warnings()
                .iter()
                .filter(|line| line.starts_with("source"));
            let lines: Vec<String> = if receives {
                warnings.cloned().collect()
            } else {
                set.troubles().collect()
            };
            let lines = lines.join("\n");
            assert_eq!(lines.is_empty(), said.is_empty(), "{secrets}: {lines}");
            assert!(lines.contains(said), "{secrets}: {lines}");
        }
    }
}
