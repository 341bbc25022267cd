//! The systems that send, and their source files.

use std::sync::Arc;

use quentli_gateway::{
    config::Environment,
    source::{Mode, Source, SourceFile, UnreadableSamples},
};

use crate::people::ORGANISATIONS;

pub(crate) const SECRET_VARIABLE: &str = "TORTURE_SECRET";
pub(crate) const SECRET: &str = "both-sides-know-this-for-the-test";

/// A sending system.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) name: &'static str,
    pub(crate) organisation: usize,
    /// The `dedup` of its file.
    dedup: &'static str,
    /// Whether its file has an `order_by`, and its events are sent out of order.
    pub(crate) has_versions: bool,
    /// Whether it makes new customers.
    pub(crate) creates: bool,
}

impl Sending {
    /// Whether it knows items one by one, so that known and new ones may come together.
    pub(crate) fn knows_items(&self) -> bool {
        self.dedup == "[id]"
    }
}

const fn sending(
    name: &'static str,
    organisation: usize,
    dedup: &'static str,
    has_versions: bool,
    creates: bool,
) -> Sending {
    Sending {
        name,
        organisation,
        dedup,
        has_versions,
        creates,
    }
}

pub(crate) const SOURCES: [Sending; 8] = [
    sending("sis", 0, "[id]", true, false),
    sending("crm", 0, "{header: X-Event-Id}", false, false),
    sending("forms", 0, "body", true, false),
    sending("admissions", 0, "[id]", false, true),
    sending("south-sis", 1, "[id]", true, false),
    sending("south-crm", 1, "{header: X-Event-Id}", false, false),
    sending("south-forms", 1, "body", true, false),
    sending("south-admissions", 1, "[id]", false, true),
];

impl Sending {
    /// Its source file. Mended, it knows a further kind of event, and writes a group in capitals.
    pub(crate) fn file(&self, mode: Mode, is_mended: bool) -> String {
        let mode = mode.as_str();
        let (kinds, grupo) = if is_mended {
            ("kind in ['change', 'transfer']", "set.grupo | upper")
        } else {
            ("kind == 'change'", "set.grupo")
        };
        let order_by = if self.has_versions {
            "    order_by: version\n"
        } else {
            ""
        };
        let on_missing = if self.creates {
            "create
      create:
        name: newcomer.name
        username: newcomer.username
        email: newcomer.email | email
        metadata: {Matricula: newcomer.matricula}"
        } else {
            "retry"
        };
        let (name, organisation, dedup) = (self.name, ORGANISATIONS[self.organisation], self.dedup);
        format!(
            r#"
mapping: 1
source: {name}
quentli: {organisation}
mode: {mode}
receive:
  verify:
    type: hmac
    signature_header: X-Signature
    encoding: hex
  secrets: [{{env: {SECRET_VARIABLE}}}]
  dedup: {dedup}
items: events[]
allow: [tags]
otherwise: fail
rules:
  - name: a note
    when: kind == 'note'
    drop: a note
  - name: a change
    when: {kinds}
{order_by}    customer:
      id: by.id
      find:
        - username: by.username
        - email: by.email
        - metadata.Matricula: by.matricula
      on_missing: {on_missing}
    set:
      name: set.name
      phoneNumber: set.phone | phone
      tags: [{{from: "set.tags[]"}}]
      metadata:
        Grado: set.grado
        Grupo: {grupo}
        Beca: set.beca
tests:
  - name: a note
    event: {{events: [{{id: i1, kind: note}}]}}
    expect: [{{drop: a note}}]
  - name: one value
    event: {{events: [{{id: i1, kind: change, by: {{id: cus_1}}, set: {{name: Ana}}}}]}}
    expect: [{{customer: cus_1, patch: {{name: Ana}}}}]
"#
        )
    }

    /// The source with its secret, to sign by.
    pub(crate) fn armed(&self) -> Arc<Source> {
        let no_samples = |_: &str| Err(std::io::Error::other("there are no samples"));
        let file = SourceFile::check(
            &format!("{}.yaml", self.name),
            self.name,
            self.file(Mode::Live, false),
            &no_samples,
            UnreadableSamples::Refuse,
        );
        assert!(!file.findings.has_errors(), "{:#?}", file.findings);
        let environment: Environment = [(SECRET_VARIABLE, SECRET)].into_iter().collect();
        let checked = file.checked.unwrap();
        Arc::new(checked.arm(&environment, std::path::Path::new("")).unwrap())
    }
}
