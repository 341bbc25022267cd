//! A made-up school system that signs its events, and its source file.

use bytes::Bytes;
use quentli_gateway::{
    config::Environment,
    sender::{Answer, SendError, Sender, TestEvent},
    source::{Source, SourceFile, UnreadableSamples},
};
use serde_json::{Value, json};
use url::Url;

/// What both sides know.
pub(crate) const SECRET: &str = "the-school-and-the-gateway-know-this";
pub(crate) const SECRET_VARIABLE: &str = "SCHOOL_SECRET";

/// One field is enough to see order: `name` holds the number of the event.
pub(crate) const SOURCE_FILE: &str = r#"
mapping: 1
source: school
receive:
  verify:
    type: hmac
    algorithm: sha256
    signature_header: X-School-Signature
    signature_format: {style: prefix, prefix: "sha256="}
    encoding: hex
    signed: "{timestamp}.{body}"
    timestamp: {source: "header:X-School-Timestamp", format: unix_s, tolerance_s: 300}
  secrets: [{env: SCHOOL_SECRET}]
  dedup: {header: X-Event-Id}
otherwise: drop
rules:
  - name: contact changed
    when: type == 'contact.updated'
    customer:
      id: contact.quentliId
      find: [{username: contact.username}]
      on_missing: fail
    set:
      name: contact.name
      email: contact.email | lower | email
      phoneNumber: contact.phone | phone
tests:
  - name: the usual case
    event: {type: contact.updated, contact: {quentliId: cus_1, username: u, name: Ana, email: A@b.mx, phone: "55 1234 5678"}}
    expect:
      - customer: cus_1
        patch: {name: Ana, email: a@b.mx, phoneNumber: "+525512345678"}
"#;

/// The source file in another version, which marks what it maps in two fields.
pub(crate) fn marked(mark: &str) -> String {
    SOURCE_FILE
        .replace(
            "name: contact.name",
            &format!(
                "name: concat('{mark}:', contact.name)\n      metadata: {{version: \"'{mark}'\"}}"
            ),
        )
        .replace(
            "patch: {name: Ana,",
            &format!("patch: {{metadata.version: {mark}, name: '{mark}:Ana',"),
        )
}

/// The sending side.
#[derive(Clone)]
pub(crate) struct School {
    source: std::sync::Arc<Source>,
    sender: Sender,
}

impl School {
    pub(crate) fn new() -> Self {
        Self::with_secret(SECRET)
    }

    pub(crate) fn with_secret(secret: &str) -> Self {
        Self::of("school", SOURCE_FILE, secret)
    }

    /// A system with another source file.
    pub(crate) fn of(source: &str, file: &str, secret: &str) -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let no_samples = |_: &str| Err(std::io::Error::other("the test source has no samples"));
        let file = SourceFile::check(
            &format!("{source}.yaml"),
            source,
            file.to_owned(),
            &no_samples,
            UnreadableSamples::Refuse,
        );
        assert!(!file.findings.has_errors(), "{:#?}", file.findings);
        let environment: Environment = [(SECRET_VARIABLE, secret)].into_iter().collect();
        let source = file
            .checked
            .unwrap()
            .arm(&environment, std::path::Path::new(""))
            .unwrap();
        Self {
            source: std::sync::Arc::new(source),
            sender: Sender::new().unwrap(),
        }
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// Signs and posts a body under an event number.
    pub(crate) async fn send(
        &self,
        gateway: &Url,
        id: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, SendError> {
        let event = TestEvent::new(id, "application/json", body);
        self.sender
            .send(
                &self.source,
                &event,
                gateway,
                gateway,
                jiff::Timestamp::now(),
            )
            .await
    }

    /// Posts a change of a contact's name.
    pub(crate) async fn rename(
        &self,
        gateway: &Url,
        id: &str,
        customer: &str,
        name: &str,
    ) -> Result<Answer, SendError> {
        let body =
            json!({"type": "contact.updated", "contact": {"quentliId": customer, "name": name}});
        self.send(gateway, id, body.to_string()).await
    }
}

/// The `event` number of a gateway's answer.
pub(crate) fn event_of(answer: &Answer) -> i64 {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    body["event"].as_i64().unwrap()
}
