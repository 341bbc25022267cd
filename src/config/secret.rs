//! References to secrets: files name where a secret stands, never the secret itself.

use std::{
    fmt,
    io::Read as _,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret as _, SecretString};

use super::Environment;
use crate::{
    diag::{Collector, Diagnostic, closest},
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
    #[error("the environment variable {0} holds nothing but white space")]
    Blank(String),
    #[error("the secret file {} is empty or holds nothing but white space", .0.display())]
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
        let named = variable.or(file);
        if let Some((_, node)) = named.filter(|(name, _)| looks_like_a_secret(name)) {
            out.add(
                Diagnostic::error(code, "this looks like a secret itself, not like the name of one")
                    .at(node.span, "expected a name")
                    .unshown()
                    .help(
                        "write the name of the variable or file, such as `{env: CRM_SECRET}`, not its value; \
                         if it is the name, choose another",
                    ),
            );
            return None;
        }
        match (variable, file) {
            (Some((name, node)), None) if !is_variable_name(name) => {
                // The text may be the secret itself, so it is not repeated.
                out.add(
                    Diagnostic::error(code, "this is not the name of an environment variable")
                        .at(node.span, "expected a name")
                        .unshown()
                        .help(
                            "write the variable's name, such as `{env: CRM_SECRET}`, not its value",
                        ),
                );
                None
            }
            (Some((name, _)), None) => Some(Self::Environment(name.to_owned())),
            (None, Some((path, _))) => Some(Self::File(PathBuf::from(path))),
            (Some(_), Some(_)) => {
                out.add(
                    Diagnostic::error(code, "a secret stands in one place, but here are two")
                        .at(node.span, "`env` and `file`")
                        .unshown()
                        .help("keep one of the two, `env` or `file`"),
                );
                None
            }
            // The reader of the keys says what a key is a slip of.
            (None, None) if has_slip(node) => None,
            (None, None) => {
                out.add(Self::misshapen(node, code));
                None
            }
        }
    }

    /// The finding for something that is not a reference.
    pub fn misshapen(node: &Node, code: &'static str) -> Diagnostic {
        Diagnostic::error(code, "a secret is a reference, never the secret itself")
            .at(node.span, "expected a reference")
            .unshown()
            .help("write `{env: NAME}` for an environment variable or `{file: /path}` for a file")
    }

    /// Reads the secret. One line end at the end of a file is not part of it. A relative path starts at `base`.
    ///
    /// # Errors
    /// A variable that is not set or blank; a file that is missing, unreadable, no regular file, blank, too large or not
    /// text.
    pub fn read(
        &self,
        environment: &Environment,
        base: &Path,
    ) -> Result<SecretString, SecretError> {
        match self {
            Self::Environment(name) => match environment.get(name) {
                None => Err(SecretError::Unset(name.clone())),
                Some(text) if is_blank(text) => Err(SecretError::Blank(name.clone())),
                Some(text) => Ok(SecretString::from(text)),
            },
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
                if is_blank(&text) {
                    Err(SecretError::Empty(path))
                } else {
                    Ok(SecretString::from(text))
                }
            }
        }
    }
}

/// Whether a key is probably a misspelt `env` or `file`.
fn has_slip(node: &Node) -> bool {
    let known = ["env", "file"];
    let is_slip = |key: &str| !known.contains(&key) && closest(key, known).is_some();
    let entries = node.as_map().unwrap_or_default();
    entries.iter().any(|entry| is_slip(&entry.key))
}

/// The longest name of a variable, in bytes. A longer text is more likely a secret.
const MAX_VARIABLE_NAME: usize = 64;

fn is_variable_name(name: &str) -> bool {
    name.len() <= MAX_VARIABLE_NAME
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// How secrets begin: those of Standard Webhooks, and the keys of Quentli and many others.
const SECRET_BEGINNINGS: [&str; 2] = ["whsec_", "sk_"];

/// Whether a text that stands where a name belongs is more likely a secret. Names go to logs, metrics and answers, so a
/// doubtful one is refused: one that begins like a secret, or that is one long word of small letters and digits mixed.
fn looks_like_a_secret(name: &str) -> bool {
    let begins_like_one = SECRET_BEGINNINGS
        .iter()
        .any(|beginning| name.starts_with(beginning));
    let is_one_word = name.len() >= 16
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+=".contains(&byte));
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    let is_mixed = digits >= 3 && name.bytes().any(|byte| byte.is_ascii_lowercase());
    begins_like_one || (is_one_word && is_mixed)
}

const BYTE_ORDER_MARK: char = '\u{feff}';

fn is_blank(text: &str) -> bool {
    text.chars()
        .all(|character| character.is_whitespace() || character == BYTE_ORDER_MARK)
}

/// What is odd about a secret and may have come along when it was copied; all of it is part of the secret. Never tells any
/// part of it.
pub fn oddity(secret: &SecretString) -> Option<&'static str> {
    let text = secret.expose_secret();
    if text.starts_with(BYTE_ORDER_MARK) {
        Some("begins with a byte order mark, as some editors write it")
    } else if text.trim().contains(['\n', '\r']) {
        Some("has a line break inside")
    } else if text.trim() != text {
        Some("begins or ends with white space")
    } else {
        None
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
    use crate::{
        diag::{SourceText, render_lines},
        yaml::{KeyCodes, parse},
    };

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
    fn what_is_no_name_is_refused_and_not_repeated() {
        let long = "HUSH_".repeat(20);
        for written in [
            "{env: whsec_hush}",
            "{env: hush-hush}",
            &format!("{{env: {long}}}"),
            "{file: sk_live_hush/hush}",
            "{env: hush00112233445566}",
        ] {
            let mut out = Collector::new(SourceText::new("gateway.yaml", written));
            let node = parse(&mut out).unwrap();
            let codes = KeyCodes {
                unknown: "x/unknown",
                missing: "x/missing",
                shape: "x/shape",
                hides_unknown: false,
            };
            let mut keys = KeyReader::new(&node, "a secret", codes, &mut out).unwrap();
            assert!(SecretReference::take(&mut keys, &node, "x/literal", &mut out).is_none());
            let found = render_lines(&out.finish()).join("\n");
            assert!(found.contains("x/literal"), "{found}");
            assert!(!found.to_lowercase().contains("hush"), "{found}");
        }
    }

    #[test]
    fn a_secret_is_told_from_a_name() {
        for (text, is_secret) in [
            ("whsec_deadBEEF", true),
            ("sk_1", true),
            ("4f3c2b1a09d8e7f6", true),
            ("C2FVsBQIhrscChlQIMV0b5sKYespOb7oDaO8", true),
            ("deadBEEF00112233445566==", true),
            ("CRM_SECRET_2026", false),
            ("crm_secret_2026_07_31", false),
            ("schoolWebhookSecret2", false),
            ("SK_LIVE", false),
            ("a1b2c3", false),
            ("/run/secrets/whsec_of_the_crm", false),
            ("secrets/4f3c2b1a09d8e7f6", false),
            ("hubspot-secret-20261231.txt", false),
        ] {
            assert_eq!(looks_like_a_secret(text), is_secret, "{text}");
        }
    }

    #[test]
    fn white_space_alone_is_no_secret_and_around_one_is_odd() {
        let folder = tempfile::tempdir().unwrap();
        for (text, is_secret, odd) in [
            ("\n\n", false, ""),
            ("  ", false, ""),
            ("\u{feff} \n", false, ""),
            ("s3cret", true, ""),
            ("two words", true, ""),
            (" s3cret", true, "white space"),
            ("s3cret\t", true, "white space"),
            ("s3cret\n\n", true, "white space"),
            ("s3\ncret", true, "line break inside"),
            ("\u{feff}s3cret", true, "byte order mark"),
        ] {
            let environment: Environment = [("SECRET", text)].into_iter().collect();
            std::fs::write(folder.path().join("key"), text).unwrap();
            for reference in [
                SecretReference::Environment("SECRET".into()),
                SecretReference::File("key".into()),
            ] {
                let read = reference.read(&environment, folder.path());
                assert_eq!(read.is_ok(), is_secret, "{reference}: {text:?}");
                let said = read.ok().and_then(|secret| oddity(&secret));
                let said = said.unwrap_or_default();
                assert_eq!(said.is_empty(), odd.is_empty(), "{reference}: {text:?}");
                assert!(said.contains(odd) && !said.contains("s3"), "{said}");
            }
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
