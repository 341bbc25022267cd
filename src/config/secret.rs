//! References to secrets: files name where a secret stands, never the secret itself.

use std::{
    fmt,
    io::Read as _,
    path::{Path, PathBuf},
};

use secrecy::SecretString;

use super::Environment;
use crate::{
    diag::{Collector, Diagnostic},
    yaml::{KeyReader, Node},
};

/// The largest secret file that is read.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Where a secret stands: `{env: NAME}` or `{file: /path}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretReference {
    Environment(String),
    File(PathBuf),
}

/// Why a secret could not be read. Never holds any part of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the environment variable {0} is not set")]
    Unset(String),
    #[error("cannot read the secret file {}", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    #[error("the secret file {} is a folder, a pipe or a device", .0.display())]
    NotFile(PathBuf),
    #[error("the secret file {} is empty", .0.display())]
    Empty(PathBuf),
    #[error("the secret file {} is larger than {MAX_FILE_BYTES} bytes or is not UTF-8 text", .0.display())]
    NotText(PathBuf),
}

impl SecretReference {
    /// Takes the keys `env` and `file` of a map, exactly one of which must be there. Another shape is reported under
    /// `code` and gives `None`; a text that stands where a reference belongs is not repeated in the message.
    pub fn take(
        keys: &mut KeyReader<'_>,
        node: &Node,
        code: &'static str,
        out: &mut Collector,
    ) -> Option<Self> {
        let variable = keys.take_text("env", out);
        let file = keys.take_text("file", out);
        match (variable, file) {
            (Some((name, _)), None) => Some(Self::Environment(name.to_owned())),
            (None, Some((path, _))) => Some(Self::File(PathBuf::from(path))),
            _ => {
                out.add(Self::misshapen(node, code));
                None
            }
        }
    }

    /// The finding for something that is not a reference.
    pub fn misshapen(node: &Node, code: &'static str) -> Diagnostic {
        Diagnostic::error(code, "a secret is a reference, never the secret itself")
            .at(node.span, "expected a reference")
            .help("write `{env: NAME}` for an environment variable or `{file: /path}` for a file")
    }

    /// Reads the secret. One line end at the end of a file is not part of it. A relative path starts at `base`.
    ///
    /// # Errors
    /// A variable that is not set or empty; a file that is missing, unreadable, no regular file, empty, too large or not
    /// text.
    pub fn read(
        &self,
        environment: &Environment,
        base: &Path,
    ) -> Result<SecretString, SecretError> {
        match self {
            Self::Environment(name) => environment
                .get(name)
                .map(SecretString::from)
                .ok_or_else(|| SecretError::Unset(name.clone())),
            Self::File(path) => {
                let path = base.join(path);
                let unreadable = |error| SecretError::Unreadable(path.clone(), error);
                // A pipe cannot be read again, as it must be to see that the secret changed, and might never end.
                if !std::fs::metadata(&path).map_err(unreadable)?.is_file() {
                    return Err(SecretError::NotFile(path));
                }
                let mut bytes = Vec::new();
                std::fs::File::open(&path)
                    .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
                    .map_err(unreadable)?;
                if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE_BYTES) {
                    return Err(SecretError::NotText(path));
                }
                if bytes.ends_with(b"\n") {
                    bytes.pop();
                    if bytes.ends_with(b"\r") {
                        bytes.pop();
                    }
                }
                let text =
                    String::from_utf8(bytes).map_err(|_| SecretError::NotText(path.clone()))?;
                if text.is_empty() {
                    Err(SecretError::Empty(path))
                } else {
                    Ok(SecretString::from(text))
                }
            }
        }
    }
}

/// `env:NAME` or `file:/path`: the name under which logs and metrics know the secret.
impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_file_loses_one_line_end_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for (written, secret) in [
            ("s\n", "s"),
            ("s\r\n", "s"),
            ("s\n\n", "s\n"),
            (" s ", " s "),
            ("s", "s"),
        ] {
            std::fs::write(folder.path().join("key"), written).unwrap();
            let reference = SecretReference::File("key".into());
            let read = reference
                .read(&Environment::default(), folder.path())
                .unwrap();
            assert_eq!(read.expose_secret(), secret, "{written:?}");
        }
    }

    #[test]
    fn what_is_no_file_or_too_large_is_refused_without_being_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let read = |path: &Path| {
            let reference = SecretReference::File(path.to_owned());
            reference.read(&Environment::default(), Path::new(""))
        };
        for path in [Path::new("/dev/zero"), folder.path()] {
            let error = read(path).unwrap_err();
            assert!(matches!(error, SecretError::NotFile(_)), "{error}");
        }
        let path = folder.path().join("key");
        let limit = usize::try_from(MAX_FILE_BYTES).unwrap();
        std::fs::write(&path, "k".repeat(limit)).unwrap();
        assert!(read(&path).is_ok());
        std::fs::write(&path, "k".repeat(limit + 1)).unwrap();
        assert!(matches!(read(&path), Err(SecretError::NotText(_))));
    }

    #[test]
    fn what_is_missing_is_named_and_what_is_there_is_not_shown() {
        let environment: Environment = [("EMPTY", ""), ("SET", "hush")].into_iter().collect();
        let read = |reference: SecretReference| reference.read(&environment, Path::new("/nowhere"));
        let error = read(SecretReference::Environment("EMPTY".into())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the environment variable EMPTY is not set"
        );
        let error = read(SecretReference::File("key".into())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read the secret file /nowhere/key"
        );
        assert_eq!(
            read(SecretReference::Environment("SET".into()))
                .unwrap()
                .expose_secret(),
            "hush"
        );
        assert!(!format!("{environment:?}").contains("hush"));
    }
}
