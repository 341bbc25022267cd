//! `gateway.yaml`, read into the text of each setting with its place; nothing is judged but the keys.

use std::collections::BTreeMap;

use super::{SecretReference, layers::Origin, layers::Written};
use crate::{
    diag::{Collector, Diagnostic, Span},
    event::{OrganisationName, SourceName},
    yaml::{self, KeyCodes, KeyReader, Node},
};

const CODES: KeyCodes = KeyCodes {
    unknown: "config/unknown-key",
    missing: "config/missing-key",
    shape: "config/shape",
    hides_unknown: true,
};

/// The file's settings by dotted key, and the references to secrets.
#[derive(Debug, Default)]
pub(super) struct FileSettings {
    values: BTreeMap<String, Written>,
    pub(super) admin_token: Option<(SecretReference, Span)>,
    pub(super) database: DatabaseSection,
    pub(super) notify: NotifySection,
    pub(super) organisations: BTreeMap<OrganisationName, Option<(SecretReference, Span)>>,
}

/// What `database` says that is not the text of a setting.
#[derive(Debug, Default)]
pub(super) struct DatabaseSection {
    /// Where the URL is not in the file.
    pub(super) url: Option<(SecretReference, Span)>,
    pub(super) password: Option<(SecretReference, Span)>,
}

/// What `notify` says that is not the text of a setting.
#[derive(Debug, Default)]
pub(super) struct NotifySection {
    /// Where the address is not in the file.
    pub(super) url: Option<(SecretReference, Span)>,
    pub(super) secret: Option<(SecretReference, Span)>,
    /// The sources whose silence is told.
    pub(super) silent: Vec<SourceName>,
}

impl FileSettings {
    /// What the file says for a dotted key.
    pub(super) fn get(&self, key: &str) -> Option<Written> {
        self.values.get(key).cloned()
    }

    /// Reads the file's text; mistakes go to `out`.
    pub(super) fn read(out: &mut Collector) -> Self {
        let mut settings = Self::default();
        let Some(root) = yaml::parse(out) else {
            return settings;
        };
        let Some(mut keys) = KeyReader::new(&root, "gateway.yaml", CODES, out) else {
            return settings;
        };
        for key in ["listen", "public_url", "mappings", "data"] {
            settings.take(key, key, &mut keys, out);
        }
        settings.read_database(&mut keys, out);
        settings.take_list("trusted_proxies", &mut keys, out);
        settings.section(
            "admin",
            &["listen"],
            &mut keys,
            out,
            |settings, keys, out| {
                if let Some(entry) = keys.take("token") {
                    settings.admin_token =
                        reference(&entry.value, out).map(|reference| (reference, entry.value.span));
                }
            },
        );
        let limits = [
            "body",
            "memory",
            "requests",
            "connections",
            "header_timeout",
            "body_timeout",
            "answer_timeout",
            "directory",
            "disk_reserve",
            "rejected",
        ];
        settings.section("limits", &limits, &mut keys, out, |_, _, _| {});
        let retry = ["for", "first_wait", "longest_wait", "missing_for"];
        settings.section("retry", &retry, &mut keys, out, |_, _, _| {});
        let retention = ["bodies", "history", "dedup_keys"];
        settings.section("retention", &retention, &mut keys, out, |_, _, _| {});
        settings.section("unchanged", &["max_age"], &mut keys, out, |_, _, _| {});
        settings.section("merge", &["most"], &mut keys, out, |_, _, _| {});
        settings.section("directory", &["refresh"], &mut keys, out, |_, _, _| {});
        settings.section("rotation", &["warn_before"], &mut keys, out, |_, _, _| {});
        settings.section("reload", &["poll"], &mut keys, out, |_, _, _| {});
        settings.section("replica", &["name"], &mut keys, out, |_, _, _| {});
        let notify = ["oldest_waiting"];
        settings.section("notify", &notify, &mut keys, out, Self::read_notify);
        settings.section("log", &["format", "level"], &mut keys, out, |_, _, _| {});
        settings.section(
            "shutdown",
            &["drain", "grace"],
            &mut keys,
            out,
            |_, _, _| {},
        );
        if let Some(entry) = keys.take("quentli") {
            settings.organisations(&entry.value, out);
        }
        keys.finish(out);
        settings
    }

    fn section(
        &mut self,
        name: &'static str,
        known: &[&'static str],
        keys: &mut KeyReader<'_>,
        out: &mut Collector,
        more: impl FnOnce(&mut Self, &mut KeyReader<'_>, &mut Collector),
    ) {
        let Some(entry) = keys.take(name) else { return };
        let Some(mut inner) = KeyReader::new(&entry.value, name, CODES, out) else {
            return;
        };
        for key in known {
            self.take(key, &format!("{name}.{key}"), &mut inner, out);
        }
        more(self, &mut inner, out);
        inner.finish(out);
    }

    /// A URL, or a map with it.
    fn read_database(&mut self, keys: &mut KeyReader<'_>, out: &mut Collector) {
        let Some(entry) = keys.take("database") else {
            return;
        };
        let (node, span) = (&entry.value, entry.value.span);
        if let Some(text) = node.as_text().filter(|_| !node.is_null()) {
            self.put("database.url", text.to_owned(), span, out);
            return;
        }
        let Some(mut inner) = KeyReader::new(node, "database", CODES, out) else {
            return;
        };
        if let Some(entry) = inner.take("url") {
            let (node, span) = (&entry.value, entry.value.span);
            if let Some(text) = node.as_text().filter(|_| !node.is_null()) {
                self.put("database.url", text.to_owned(), span, out);
            } else {
                self.database.url = reference(node, out).map(|reference| (reference, span));
            }
        }
        if let Some(entry) = inner.take("password") {
            let span = entry.value.span;
            self.database.password =
                reference(&entry.value, out).map(|reference| (reference, span));
        }
        let key = "accept_data_loss";
        self.take(key, "database.accept_data_loss", &mut inner, out);
        inner.finish(out);
    }

    fn read_notify(&mut self, keys: &mut KeyReader<'_>, out: &mut Collector) {
        if let Some(entry) = keys.take("url") {
            let span = entry.value.span;
            if let Some(text) = entry.value.as_text().filter(|_| !entry.value.is_null()) {
                self.put("notify.url", text.to_owned(), span, out);
            } else {
                self.notify.url = reference(&entry.value, out).map(|reference| (reference, span));
            }
        }
        if let Some(entry) = keys.take("secret") {
            let span = entry.value.span;
            self.notify.secret = reference(&entry.value, out).map(|reference| (reference, span));
        }
        let Some(silent) = keys.take("silent") else {
            return;
        };
        let Some(entries) = silent.value.as_map() else {
            out.add(
                Diagnostic::error(CODES.shape, "`silent` is a map of sources and times")
                    .at(silent.value.span, "expected names of sources")
                    .help("write `silent: {my-crm: 24h}`"),
            );
            return;
        };
        for entry in entries {
            match (entry.key.parse::<SourceName>(), entry.value.as_text()) {
                (Ok(name), Some(text)) => {
                    let dotted = format!("notify.silent.{name}");
                    self.put(&dotted, text.to_owned(), entry.value.span, out);
                    self.notify.silent.push(name);
                }
                _ => out.add(
                    Diagnostic::error(
                        CODES.shape,
                        "`silent` takes names of sources, each with a time",
                    )
                    .at(entry.key_span, "not a source with a time")
                    .help("write `silent: {my-crm: 24h}`"),
                ),
            }
        }
    }

    fn organisations(&mut self, node: &Node, out: &mut Collector) {
        let Some(entries) = node.as_map() else {
            out.add(
                Diagnostic::error(CODES.shape, "`quentli` is a map of organisations")
                    .at(node.span, "expected names of organisations")
                    .help("write `quentli:` and below it `default:` with the organisation's `key`"),
            );
            return;
        };
        for entry in entries {
            let Ok(name) = entry.key.parse::<OrganisationName>() else {
                out.add(
                    Diagnostic::error(
                        CODES.unknown,
                        format!("`{}` cannot name an organisation", entry.key),
                    )
                    .at(entry.key_span, "not a name")
                    .help("use lower-case letters, digits and `-`"),
                );
                continue;
            };
            let Some(mut keys) = KeyReader::new(&entry.value, "an organisation", CODES, out) else {
                continue;
            };
            for key in ["url", "rate", "concurrency", "timeout"] {
                self.take(key, &format!("quentli.{name}.{key}"), &mut keys, out);
            }
            let key = keys
                .take("key")
                .and_then(|entry| Some((reference(&entry.value, out)?, entry.value.span)));
            keys.finish(out);
            self.organisations.insert(name, key);
        }
    }

    /// A list of texts, as one text with commas between them. A single text is a list of one.
    fn take_list(&mut self, key: &'static str, keys: &mut KeyReader<'_>, out: &mut Collector) {
        let Some(entry) = keys.take(key) else { return };
        let node = &entry.value;
        let nodes = node.as_list().unwrap_or(std::slice::from_ref(node));
        let texts: Option<Vec<&str>> = nodes.iter().map(Node::as_text).collect();
        let Some(texts) = texts.filter(|_| !node.is_null()) else {
            out.add(
                Diagnostic::error(CODES.shape, format!("`{key}` takes a list of texts"))
                    .at(node.span, "expected a list such as [10.0.0.0/8]"),
            );
            return;
        };
        self.put(key, texts.join(","), node.span, out);
    }

    fn put(&mut self, dotted: &str, text: String, span: Span, out: &Collector) {
        let (line, _) = out.file().line_column(span.start);
        let origin = Origin::File(out.file().name().to_owned(), line);
        let written = Written {
            text,
            origin,
            span: Some(span),
        };
        self.values.insert(dotted.to_owned(), written);
    }

    fn take(
        &mut self,
        key: &'static str,
        dotted: &str,
        keys: &mut KeyReader<'_>,
        out: &mut Collector,
    ) {
        if let Some((text, node)) = keys.take_text(key, out) {
            self.put(dotted, text.to_owned(), node.span, out);
        }
    }
}

fn reference(node: &Node, out: &mut Collector) -> Option<SecretReference> {
    if node.as_map().is_none() {
        out.add(SecretReference::misshapen(node, "config/literal-secret"));
        return None;
    }
    let mut keys = KeyReader::new(node, "a secret", CODES, out)?;
    let reference = SecretReference::take(&mut keys, node, "config/literal-secret", out);
    keys.finish_unshown(out);
    reference
}
