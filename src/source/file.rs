//! One file: from text to something that can receive.

mod armed;
mod handshake;
mod keys;
mod lanes;

pub use armed::{Source, kept_headers};
pub use handshake::LEARNED;

use std::{
    cell::RefCell,
    io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use secrecy::SecretString;

use super::{
    conflict,
    folder::is_source_file,
    mode::Mode,
    receive::{DedupRule, Receive, ReceiveSecret},
    watch::Seen,
};
use crate::{
    config::{Environment, SecretError},
    customer::OnConflict,
    diag::{Collector, Diagnostic, Findings, SourceText, Span},
    event::{OrganisationName, SourceName},
    mapping::{self, CompileOptions, Compiled, Mapping, TestReport, UnreadableSamples},
    verify::{KeySetError, SettingsError, Verifier, handshake::Handshake},
    yaml::{self, Node},
};

/// The top-level keys that this module and not the mapping reads.
const OWN_KEYS: [&str; 4] = ["receive", "quentli", "mode", "on_conflict"];

/// A file, read and judged.
#[derive(Debug)]
pub struct SourceFile {
    pub findings: Findings,
    /// `None` where the findings have errors.
    pub checked: Option<CheckedSource>,
    /// What came of the file's tests; `None` where errors other than failing tests kept them from running.
    pub tests: Option<TestReport>,
    /// The parts of a file whose only mistakes are tests that fail.
    failing: Option<(Receive, Mapping)>,
}

/// A file without mistakes; only its secrets are missing.
#[derive(Debug)]
pub struct CheckedSource {
    name: SourceName,
    organisation: OrganisationName,
    mode: Mode,
    on_conflict: OnConflict,
    receive: Receive,
    mapping: Mapping,
}

/// Why a checked source cannot receive.
#[derive(Debug, thiserror::Error)]
pub enum ArmError {
    #[error("source `{source_name}`: {}", describe(failed))]
    Secrets {
        source_name: SourceName,
        /// Each with what it is, such as `the secret env:NAME of receive.secrets`.
        failed: Vec<(String, SecretError)>,
    },
    #[error(
        "source `{source_name}`: {}",
        describe_one(&format!("the secret {reference} of `receive.handshake.verify_token`"), error)
    )]
    VerifyToken {
        source_name: SourceName,
        reference: String,
        error: SecretError,
    },
    #[error("source `{source_name}`: the secrets of `receive` do not fit")]
    Settings {
        source_name: SourceName,
        #[source]
        error: SettingsError,
    },
    #[error("source `{source_name}`: the keys of `receive.jwks`")]
    UnreadableKeys {
        source_name: SourceName,
        #[source]
        error: SecretError,
    },
    #[error("source `{source_name}`: {} of `receive.jwks` holds no keys", .path.display())]
    Keys {
        source_name: SourceName,
        path: PathBuf,
        #[source]
        error: KeySetError,
    },
    #[error(
        "source `{source_name}`: all its secrets have passed their `until`, the last at {until}; add one that is in use \
         to {place}"
    )]
    Expired {
        source_name: SourceName,
        until: Timestamp,
        /// Where in the file.
        place: &'static str,
    },
}

fn describe(failed: &[(String, SecretError)]) -> String {
    let one = |(secret, error): &(String, SecretError)| describe_one(secret, error);
    failed.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn describe_one(secret: &str, error: &SecretError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{secret}: {error}: {cause}"),
        None => format!("{secret}: {error}"),
    }
}

impl SourceFile {
    /// Reads and checks a file. The samples its tests name are read from beside it; `unreadable_samples` says what
    /// it means that one is not there. A file that cannot be read, or whose name has another ending than `.yaml`, is
    /// a finding like any other.
    pub fn read(path: &Path, unreadable_samples: UnreadableSamples) -> Self {
        Self::read_and_keep(path, unreadable_samples, &mut Seen::default())
    }

    /// Reads and checks a file, and keeps in `seen` what it was made of.
    pub(super) fn read_and_keep(
        path: &Path,
        unreadable_samples: UnreadableSamples,
        seen: &mut Seen,
    ) -> Self {
        let shown = path.display().to_string();
        if !is_source_file(path) {
            let diagnostic =
                Diagnostic::error("recv/source-name", "a source file's name ends in `.yaml`");
            return Self::unusable(&shown, diagnostic.help("rename the file"));
        }
        let text = match seen.source(path).and_then(text) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                let message = format!("the file is larger than {} bytes", yaml::MAX_BYTES);
                let diagnostic = Diagnostic::error("yaml/limit", message);
                return Self::unusable(
                    &shown,
                    diagnostic.help("split tables or rules between sources"),
                );
            }
            Err(error) => {
                let message = format!("the file cannot be read: {error}");
                let diagnostic = Diagnostic::error("recv/unreadable", message);
                let help = "check its permissions, that it is UTF-8 text, and where it leads if it is a link";
                return Self::unusable(&shown, diagnostic.help(help));
            }
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let seen = RefCell::new(seen);
        let read_sample = |name: &str| {
            if name.contains("..") || name.starts_with('/') {
                return Err(io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    "samples lie beside the mapping file",
                ));
            }
            seen.borrow_mut().sample(&folder.join(name))
        };
        Self::check(&shown, stem, text, &read_sample, unreadable_samples)
    }

    fn unusable(shown: &str, diagnostic: Diagnostic) -> Self {
        let mut out = Collector::new(SourceText::new(shown, ""));
        out.add(diagnostic);
        Self {
            findings: out.finish(),
            checked: None,
            tests: None,
            failing: None,
        }
    }

    /// How it receives and maps, to be looked at: also where tests fail, for then somebody wants to know why.
    pub fn parts(&self) -> Option<(&Receive, &Mapping)> {
        match (&self.checked, &self.failing) {
            (Some(checked), _) => Some((&checked.receive, &checked.mapping)),
            (None, Some((receive, mapping))) => Some((receive, mapping)),
            (None, None) => None,
        }
    }

    /// Checks a text that stands, or could stand, in the file `<stem>.yaml`.
    pub fn check(
        shown: &str,
        stem: &str,
        text: String,
        read_sample: &dyn Fn(&str) -> io::Result<Vec<u8>>,
        unreadable_samples: UnreadableSamples,
    ) -> Self {
        let mut out = Collector::new(SourceText::new(shown, text));
        let Some(root) = yaml::parse(&mut out) else {
            return Self {
                findings: out.finish(),
                checked: None,
                tests: None,
                failing: None,
            };
        };
        let receive = read_receive(&root, &mut out);
        let organisation = read_organisation(&root, &mut out);
        let mode = Mode::read(&root, &mut out);
        let on_conflict = conflict::read(&root, &mut out);
        let name = read_name(&root, stem, &mut out);
        let dedup = dedup_expressions(receive.as_ref());
        let secret_headers = secret_headers(receive.as_ref());
        let options = CompileOptions {
            also_known: &OWN_KEYS,
            dedup: &dedup,
            read_sample,
            unreadable_samples,
            secret_headers: &secret_headers,
        };
        let Compiled {
            mapping,
            failing,
            tests,
        } = mapping::compile(&root, &options, &mut out);
        let findings = out.finish();
        let (checked, failing) = match (name, organisation, receive) {
            (Some(name), Some(organisation), Some(receive)) if !findings.has_errors() => {
                let checked = mapping.map(|mapping| CheckedSource {
                    name,
                    organisation,
                    mode,
                    on_conflict,
                    receive,
                    mapping,
                });
                (checked, None)
            }
            (Some(_), Some(_), Some(receive)) => (None, failing.map(|mapping| (receive, mapping))),
            _ => (None, None),
        };
        Self {
            findings,
            checked,
            tests,
            failing,
        }
    }
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

fn read_receive(root: &Node, out: &mut Collector) -> Option<Receive> {
    if let Some(node) = root.get("receive") {
        return Receive::read(node, out);
    }
    let first = root
        .as_map()
        .and_then(|entries| entries.first())
        .map_or(root.span, |entry| entry.key_span);
    out.add(
        Diagnostic::error(
            "recv/no-verification",
            "nothing says how requests of this source are verified",
        )
        .at(first, "`receive` is missing here")
        .help("write `receive:` with `verify` (a preset or settings) and `secrets`"),
    );
    None
}

fn dedup_expressions(receive: Option<&Receive>) -> Vec<(String, Span)> {
    match receive.map(|receive| &receive.dedup) {
        Some(DedupRule::Expressions(expressions)) => expressions
            .iter()
            .map(|expression| (expression.text.clone(), expression.span))
            .collect(),
        _ => Vec::new(),
    }
}

fn secret_headers(receive: Option<&Receive>) -> Vec<String> {
    let headers = receive.map_or(&[][..], |receive| receive.verify.secret_headers());
    headers.iter().map(ToString::to_string).collect()
}

/// The mapping reads and requires `source`; here it must be a name, and the file's own.
fn read_name(root: &Node, stem: &str, out: &mut Collector) -> Option<SourceName> {
    let node = root.get("source")?;
    let text = node.as_text()?;
    match text.parse::<SourceName>() {
        Ok(name) if text == stem => Some(name),
        Ok(_) => {
            out.add(
                Diagnostic::error(
                    "recv/source-name",
                    format!("the file of the source `{text}` is `{text}.yaml`"),
                )
                .at(node.span, "another name than the file's")
                .help(rename_help(stem, text)),
            );
            None
        }
        // The mapping says so.
        Err(_) => None,
    }
}

fn rename_help(stem: &str, name: &str) -> String {
    if stem.parse::<SourceName>().is_ok() {
        format!("write `source: {stem}`, or rename the file; the address is /webhooks/{name}")
    } else {
        format!(
            "rename the file to `{name}.yaml`; its name is the end of the address, /webhooks/{name}"
        )
    }
}

fn read_organisation(root: &Node, out: &mut Collector) -> Option<OrganisationName> {
    let Some(node) = root.get("quentli") else {
        return Some(OrganisationName::default_name());
    };
    let name = node.as_text().and_then(|text| text.parse().ok());
    if name.is_none() {
        out.add(
            Diagnostic::error("recv/organisation", "`quentli` takes the name of an organisation")
                .at(node.span, "not a name")
                .help("use a name that stands under `quentli:` in gateway.yaml; without one it is `default`"),
        );
    }
    name
}

impl CheckedSource {
    pub fn name(&self) -> &SourceName {
        &self.name
    }

    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// The mapping alone, for those who receive nothing.
    pub fn into_mapping(self) -> Mapping {
        self.mapping
    }

    pub fn receive(&self) -> &Receive {
        &self.receive
    }

    /// Reads the secrets, and the public keys that stand in a file.
    ///
    /// # Errors
    /// A secret or key that is missing, or not written as the settings say.
    pub fn arm(self, environment: &Environment, base: &Path) -> Result<Source, ArmError> {
        let source = self.arm_with(|secret| secret.reference.read(environment, base).map(Some))?;
        source.read_keys(|keys| keys.read(environment, base))
    }

    /// Takes the secrets from `read`; one that it leaves out is not used.
    pub(super) fn arm_with(
        self,
        mut read: impl FnMut(&ReceiveSecret) -> Result<Option<SecretString>, SecretError>,
    ) -> Result<Source, ArmError> {
        let receive = &self.receive;
        let is_public = receive.verify.takes_public_keys();
        let what = if is_public { "public key" } else { "secret" };
        let place = receive.place_of_ends();
        let named = |secret: &ReceiveSecret| {
            read(secret).map_err(|error| {
                let reference = &secret.reference;
                let named = format!("the {what} {reference} of {place}");
                (named, error)
            })
        };
        let unreadable = |failed: Vec<(Span, _)>| ArmError::Secrets {
            source_name: self.name.clone(),
            failed: failed.into_iter().map(|(_, failed)| failed).collect(),
        };
        let unfit = |error| ArmError::Settings {
            source_name: self.name.clone(),
            error,
        };
        let mut secrets = Vec::new();
        let mut public_keys = Vec::new();
        if is_public {
            public_keys = receive.public_keys(named).map_err(unreadable)?;
        } else {
            secrets = receive.signing_secrets(named).map_err(unreadable)?;
        }
        let handshake = self.handshake(&secrets, read)?;
        let settings = receive.verify.clone();
        let is_learned = handshake.as_ref().is_some_and(Handshake::learns);
        let verifier = if is_public {
            Verifier::with_public_keys(settings, &public_keys)
        } else if is_learned && receive.secrets.is_empty() {
            Verifier::awaiting(settings)
        } else {
            Verifier::new(settings, &secrets)
        };
        let verifier = verifier.map_err(unfit)?;
        let ends = self.receive.ends();
        let ends = ends
            .filter_map(|(name, until)| Some((name, until?)))
            .collect();
        Ok(Source {
            checked: self,
            verifier,
            handshake,
            ends,
        })
    }
}

#[cfg(test)]
mod tests;
