//! What the doctor for failing signatures says of a request to a source, as a page for people or as JSON.
//!
//! It brings together a request, the source file as it is written, and what the source takes as a proof, which is read
//! anew for each diagnosis: sources that receive keep no secret in the clear. [`Diagnoses`] does so inside the gateway
//! for requests that it keeps, so that neither they nor the secrets leave it. What a diagnosis says holds neither.

mod json;
mod page;
mod proofs;

use std::{path::PathBuf, sync::Arc};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Semaphore;

pub use self::proofs::{Proofs, others};
use crate::{
    config::{Config, Environment},
    diag::Style,
    event::SourceName,
    source::{SourceFile, UnreadableSamples, Written},
    verify::{
        KeySetHandle, Received, SigningSecret,
        doctor::{self, Case, Report, Verdict},
    },
};

/// Everything that is shown.
#[derive(Debug)]
pub struct Diagnosis<'a> {
    pub source: &'a str,
    /// What the request is called.
    pub request: String,
    /// The source file.
    pub file: &'a str,
    pub written: &'a Written,
    pub at: Timestamp,
    /// Whether `at` is just now, since nothing else is known.
    pub is_now: bool,
    pub remarks: Vec<String>,
    pub report: Report,
}

impl Diagnosis<'_> {
    pub const fn is_genuine(&self) -> bool {
        matches!(self.report.verdict, Verdict::Genuine(_))
    }

    /// The lines of the page.
    pub fn page(&self, style: Style) -> Vec<String> {
        page::page(self, style)
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json::json(self)
    }
}

/// Why there is no diagnosis.
#[derive(Debug, thiserror::Error)]
pub enum NoDiagnosis {
    #[error("its source has no file any more, or one with mistakes")]
    NoSource,
    #[error("its source verifies nothing (`verify: none`)")]
    NothingVerified,
    /// Says what cannot be read, and no value.
    #[error("{0}")]
    Unreadable(String),
    #[error("another request is being examined")]
    Busy,
}

/// Examines requests inside a gateway, one at a time: an examination is some seconds of work. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Diagnoses {
    folder: PathBuf,
    base: PathBuf,
    environment: Environment,
    turn: Arc<Semaphore>,
}

/// A request that is to be examined.
#[derive(Debug)]
pub struct Patient {
    pub source: SourceName,
    /// What it is called.
    pub name: String,
    pub request: Received,
    /// The keys that the sender publishes at an address, as they are in force.
    pub key_set: Option<KeySetHandle>,
    /// The secret that the sender named in its handshake.
    pub learned: Option<SigningSecret>,
}

impl Diagnoses {
    pub fn new(config: &Config, environment: &Environment) -> Self {
        Self {
            folder: config.mappings.clone(),
            base: config.base.clone(),
            environment: environment.clone(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Examines a request by what the files say now, as if it had arrived when it came. The page and the rest stand in
    /// one object.
    ///
    /// # Errors
    ///
    /// See [`NoDiagnosis`].
    pub async fn examine(&self, patient: Patient) -> Result<Value, NoDiagnosis> {
        let turn = Arc::clone(&self.turn);
        let turn = turn.try_acquire_owned().map_err(|_| NoDiagnosis::Busy)?;
        let files = self.clone();
        let examined = tokio::task::spawn_blocking(move || {
            let examined = files.examined(patient);
            drop(turn);
            examined
        });
        examined.await.unwrap_or(Err(NoDiagnosis::Busy))
    }

    fn examined(&self, patient: Patient) -> Result<Value, NoDiagnosis> {
        let source = patient.source.as_str();
        let path = self.folder.join(format!("{source}.yaml"));
        let file = SourceFile::read(&path, UnreadableSamples::Warn);
        let (receive, _) = file.parts().ok_or(NoDiagnosis::NoSource)?;
        let written = Written::read(&file.findings.file).ok_or(NoDiagnosis::NothingVerified)?;
        let at = patient.request.received_at;
        let mut proofs = Proofs::read(receive, &self.base, &self.environment, at)
            .map_err(|failed| NoDiagnosis::Unreadable(failed.join("; ")))?;
        proofs.secrets.extend(patient.learned);
        let others = others(&self.folder, &self.base, source, &self.environment);
        let report = doctor::examine(Case {
            settings: written.settings(),
            secrets: &proofs.secrets,
            public_keys: &proofs.public_keys,
            key_set: proofs.key_set.as_ref().or(patient.key_set.as_ref()),
            others: &others,
            request: &patient.request,
            now: at,
        });
        let diagnosis = Diagnosis {
            source,
            request: patient.name,
            file: file.findings.file.name(),
            written: &written,
            at,
            is_now: false,
            remarks: Vec::new(),
            report,
        };
        let mut answer = diagnosis.json();
        if let Value::Object(answer) = &mut answer {
            answer.insert("page".to_owned(), diagnosis.page(Style::Plain).into());
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};

    use super::*;
    use crate::verify::Outgoing;

    fn diagnoses(file: &str) -> (tempfile::TempDir, Diagnoses) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("crm.yaml"), file).unwrap();
        let diagnoses = Diagnoses {
            folder: folder.path().to_path_buf(),
            base: PathBuf::new(),
            environment: Environment::default(),
            turn: Arc::new(Semaphore::new(1)),
        };
        (folder, diagnoses)
    }

    fn patient(source: &str) -> Patient {
        let request = Outgoing {
            method: Method::POST,
            url: "https://gw.example/webhooks/crm".into(),
            headers: HeaderMap::new(),
            body: "{}".into(),
        };
        Patient {
            source: source.parse().unwrap(),
            name: "a request".into(),
            request: request.into_received(Timestamp::UNIX_EPOCH),
            key_set: None,
            learned: None,
        }
    }

    fn file(receive: &str) -> String {
        format!(
            "mapping: 1\nsource: crm\nreceive: {receive}\notherwise: drop\nrules: [{{name: all, drop: for tests}}]\ntests: [{{name: one, event: {{}}, expect: [{{drop: for tests}}]}}]\n"
        )
    }

    #[tokio::test]
    async fn what_cannot_be_examined_is_said_with_the_reason() {
        let (_folder, nothing) = diagnoses(&file("{verify: none, dedup: body}"));
        let (_other, secret) = diagnoses(&file("{verify: github, secrets: [{env: NOT_THERE}]}"));
        for (diagnoses, source, expected) in [
            (&nothing, "crm", "its source verifies nothing"),
            (&nothing, "sis", "its source has no file any more"),
            (
                &secret,
                "crm",
                "the environment variable NOT_THERE is not set",
            ),
        ] {
            let error = diagnoses.examine(patient(source)).await.unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[tokio::test]
    async fn one_request_at_a_time_is_examined() {
        let (_folder, diagnoses) = diagnoses(&file("{verify: none, dedup: body}"));
        let turn = diagnoses.turn.acquire().await.unwrap();
        let error = diagnoses.examine(patient("crm")).await.unwrap_err();
        assert!(matches!(error, NoDiagnosis::Busy), "{error}");
        drop(turn);
        let error = diagnoses.examine(patient("crm")).await.unwrap_err();
        assert!(matches!(error, NoDiagnosis::NothingVerified), "{error}");
    }
}
