//! What a set of sources was made of, and whether it is still the same.
//!
//! Everything that is read for a set goes through a [`Seen`], which keeps a hash of it: the names in the folder, the
//! source files, the samples of their tests, and the secrets they refer to. Looking again compares contents and never
//! times or inodes, so that a link that leads elsewhere, as Kubernetes changes its mounts, is seen like any other
//! change, and a file that was only touched is not one.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::folder::{find_files, is_source_file};
use crate::{
    config::{Environment, SecretError, SecretReference},
    yaml,
};

/// The largest sample of a test that is read, in bytes.
pub(super) const MAX_SAMPLE_BYTES: u64 = 4 << 20;

/// What was read, each with what it held. Two of them are equal where the same was there to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen(BTreeMap<Input, Content>);

/// Something that is read, and how it is read again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Input {
    /// The names of the source files in it.
    Folder(PathBuf),
    Source(PathBuf),
    Sample(PathBuf),
    /// Without the line end that does not belong to it.
    Secret(PathBuf),
    Settings(PathBuf),
}

/// What was there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Hash([u8; 32]),
    /// Nothing that could be used.
    Unusable(io::ErrorKind),
    /// It was read more than once and changed between. Looking again reads everything once and so never finds this:
    /// whoever compares sees a change.
    Torn,
}

/// Shows no hash: that of a short secret would give it away.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash(_) => f.write_str("Hash"),
            Self::Unusable(kind) => write!(f, "Unusable({kind:?})"),
            Self::Torn => f.write_str("Torn"),
        }
    }
}

impl Content {
    fn of(bytes: &[u8]) -> Self {
        Self::Hash(Sha256::digest(bytes).into())
    }

    fn of_result(read: &io::Result<Vec<u8>>) -> Self {
        match read {
            Ok(bytes) => Self::of(bytes),
            Err(error) => Self::Unusable(error.kind()),
        }
    }
}

impl Seen {
    /// Lists the source files of a folder.
    pub(super) fn folder(&mut self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let files = find_files(path);
        let names = files.as_ref().map(|files| {
            let names = files
                .iter()
                .filter_map(|file| Some(file.file_name()?.as_encoded_bytes()));
            // No name holds a zero byte, so that two lists never look the same.
            names.collect::<Vec<_>>().join(&0)
        });
        let content = match names {
            Ok(names) => Content::of(&names),
            Err(error) => Content::Unusable(error.kind()),
        };
        self.keep(Input::Folder(path.to_path_buf()), content);
        files
    }

    /// Reads a source file; one that is larger than a source file may be is an error.
    pub(super) fn source(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let limit = u64::try_from(yaml::MAX_BYTES).unwrap_or(u64::MAX);
        self.file(Input::Source(path.to_path_buf()), path, limit)
    }

    /// Reads a sample of a test.
    pub(super) fn sample(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        self.file(Input::Sample(path.to_path_buf()), path, MAX_SAMPLE_BYTES)
    }

    /// Reads `gateway.yaml`, to see that it has changed; nothing else is done with it.
    pub fn settings(&mut self, path: &Path) {
        let limit = u64::try_from(yaml::MAX_BYTES).unwrap_or(u64::MAX);
        // What it held, or that it could not be read, is kept.
        drop(self.file(Input::Settings(path.to_path_buf()), path, limit));
    }

    fn file(&mut self, input: Input, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let read = read_file(path, limit);
        self.keep(input, Content::of_result(&read));
        read
    }

    /// Reads a secret; a relative file starts at `base`. A variable of the environment cannot change, so nothing is
    /// kept of it.
    ///
    /// # Errors
    /// As for [`SecretReference::read`].
    pub fn secret(
        &mut self,
        reference: &SecretReference,
        environment: &Environment,
        base: &Path,
    ) -> Result<SecretString, SecretError> {
        let secret = reference.read(environment, base);
        self.keep_secret(reference, base, &secret);
        secret
    }

    /// Keeps what was read for a secret before.
    pub fn keep_secret(
        &mut self,
        reference: &SecretReference,
        base: &Path,
        read: &Result<SecretString, SecretError>,
    ) {
        let SecretReference::File(path) = reference else {
            return;
        };
        let content = match read {
            Ok(secret) => Content::of(secret.expose_secret().as_bytes()),
            Err(SecretError::Unreadable(_, error)) => Content::Unusable(error.kind()),
            Err(_) => Content::Unusable(io::ErrorKind::InvalidData),
        };
        self.keep(Input::Secret(base.join(path)), content);
    }

    /// Adds what another has seen.
    pub fn extend(&mut self, other: &Self) {
        for (input, content) in &other.0 {
            self.keep(input.clone(), *content);
        }
    }

    /// Several may read the same, such as two sources one secret. Where it changed between, some have the old and some
    /// the new, which must not pass for either.
    fn keep(&mut self, input: Input, content: Content) {
        self.0
            .entry(input)
            .and_modify(|before| {
                if *before != content {
                    *before = Content::Torn;
                }
            })
            .or_insert(content);
    }

    /// Reads the same once more, and whatever source files are in the folder now.
    #[must_use]
    pub fn again(&self) -> Self {
        let mut seen = Self::default();
        for input in self.0.keys() {
            // What is there now is kept in `seen`, also where it cannot be read.
            match input {
                Input::Folder(path) => {
                    let files = seen.folder(path).unwrap_or_default();
                    // Of the others only the name matters; they are not read for a set either.
                    for file in files.iter().filter(|file| is_source_file(file)) {
                        drop(seen.source(file));
                    }
                }
                // Those that are still there come with their folder.
                Input::Source(_) => {}
                Input::Sample(path) => drop(seen.sample(path)),
                Input::Secret(path) => {
                    let reference = SecretReference::File(path.clone());
                    drop(seen.secret(&reference, &Environment::default(), Path::new("")));
                }
                Input::Settings(path) => seen.settings(path),
            }
        }
        seen
    }

    /// Whether another saw `gateway.yaml` otherwise.
    pub fn settings_differ(&self, other: &Self) -> bool {
        let settings = |seen: &Self| -> Vec<(Input, Content)> {
            let all = seen
                .0
                .iter()
                .map(|(input, content)| (input.clone(), *content));
            all.filter(|(input, _)| matches!(input, Input::Settings(_)))
                .collect()
        };
        settings(self) != settings(other)
    }
}

/// Reads a whole file of at most `limit` bytes. A pipe or a device is refused: it might never end, and cannot be read
/// twice.
fn read_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "this is not a regular file",
        ));
    }
    let mut bytes = Vec::new();
    // One more than the limit, so that a file that grows meanwhile is noticed, too.
    std::fs::File::open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
        Ok(bytes)
    } else {
        let message = format!("it is larger than {limit} bytes");
        Err(io::Error::new(io::ErrorKind::FileTooLarge, message))
    }
}

/// Sees that something changed, once it has settled: two looks one after the other must find the same. A file that is
/// half written, or a mount that is being changed, is waited for.
#[derive(Debug)]
pub struct Watch {
    known: Seen,
    /// What is known was not used, since it was still changing when it was read.
    is_missed: bool,
    changing: Option<Seen>,
}

impl Watch {
    /// Watches for anything that differs from `known`.
    pub fn new(known: Seen) -> Self {
        Self {
            known,
            is_missed: false,
            changing: None,
        }
    }

    /// Looks once. `true`, once for each change, where something differs from what is known and the look before found
    /// the same. It is for the caller to read it, and to say with [`Watch::know`] what was read.
    pub fn look(&mut self) -> bool {
        let now = self.known.again();
        let before = self.changing.take();
        if now == self.known && !self.is_missed {
            return false;
        }
        let has_settled = before.as_ref() == Some(&now);
        if has_settled {
            self.know(now);
        } else {
            self.changing = Some(now);
        }
        has_settled
    }

    /// From now on this is what is known.
    pub fn know(&mut self, seen: Seen) {
        *self = Self::new(seen);
    }

    /// This was read but not used, since it did not settle. Where it stays just like that it has still to be read.
    pub fn miss(&mut self, seen: Seen) {
        self.know(seen);
        self.is_missed = true;
    }
}

#[cfg(test)]
mod tests;
