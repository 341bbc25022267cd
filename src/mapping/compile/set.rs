//! Fields and their new values: what stands under `set`, and under `create`.

use super::{
    Compiler,
    form::{EntryKind, FieldLabel, Purpose},
};
use crate::{
    customer::{Field, FieldKind, Guard},
    diag::{Diagnostic, Span, did_you_mean},
    mapping::{
        codes,
        compiled::{Entry, EntryKey, FieldRule, FieldValueRule},
    },
    yaml::{self, Kind, Node},
};

/// Quentli takes these, but only from its own pages: a mapping never sets them.
const SECRETS: [&str; 2] = ["password", "otp"];

impl Compiler<'_> {
    /// A map of fields and their forms; `key` is the word that it stands under.
    pub(super) fn fields(
        &mut self,
        key: &str,
        node: &Node,
        purpose: Purpose,
        level: usize,
    ) -> Option<Vec<FieldRule>> {
        let Some(entries) = node.as_map().filter(|entries| !entries.is_empty()) else {
            let here = match node.as_map() {
                Some(_) => "an empty one",
                None => node.shape(),
            };
            self.rule_error(
                node.span,
                format!("`{key}` is a map of fields, but here is {here}"),
                "write `field: expression` lines below it",
            );
            return None;
        };
        let find = |name: &str| entries.iter().find(|entry| entry.key == name);
        if let (Some(metadata), Some(meta)) = (find("metadata"), find("meta")) {
            let (first, second) = if metadata.key_span < meta.key_span {
                (metadata, meta)
            } else {
                (meta, metadata)
            };
            self.error(
                Diagnostic::error(
                    codes::METADATA_AND_META,
                    "`metadata` and `meta` are the same data in Quentli",
                )
                .at(second.key_span, "again here")
                .also(first.key_span, "first here")
                .help("put all keys under `metadata`"),
            );
        }
        let fields: Vec<Option<FieldRule>> = entries
            .iter()
            .map(|entry| self.field(entry, purpose, level))
            .collect();
        fields.into_iter().collect()
    }

    fn field(&mut self, entry: &yaml::Entry, purpose: Purpose, level: usize) -> Option<FieldRule> {
        let is_meta = entry.key == "meta";
        let field = if is_meta {
            Field::Metadata
        } else if let Some(field) = Field::from_name(&entry.key) {
            field
        } else {
            self.unknown_field(entry);
            return None;
        };
        self.check_guard(field, entry.key_span);
        let label = FieldLabel::of(field, purpose);
        let value = match field.kind() {
            FieldKind::TextList => FieldValueRule::List(self.tags(&entry.value, &label, level)?),
            FieldKind::KeyedText if is_meta && entry.value.as_list().is_some() => {
                self.form_error(
                    entry.value.span,
                    "`meta` is a map of keys",
                    "use `metadata` for a list of entries",
                );
                return None;
            }
            FieldKind::KeyedText => {
                FieldValueRule::Keyed(self.metadata(&entry.value, &label, level)?)
            }
            _ => FieldValueRule::Single(self.form(&entry.value, &label, level)?),
        };
        Some(FieldRule {
            field,
            span: entry.key_span,
            value,
        })
    }

    fn unknown_field(&mut self, entry: &yaml::Entry) {
        if SECRETS.contains(&entry.key.as_str()) {
            self.error(
                Diagnostic::error(
                    codes::GUARDED_FIELD,
                    format!("a mapping never sets `{}`", entry.key),
                )
                .at(entry.key_span, "a secret")
                .help("remove it: a customer's secret never comes from an event"),
            );
            return;
        }
        let known = Field::ALL.into_iter().map(Field::as_str).chain(["meta"]);
        self.error(
            Diagnostic::error(
                codes::UNKNOWN_FIELD,
                format!("Quentli has no field `{}`", entry.key),
            )
            .at(entry.key_span, "unknown field")
            .help(
                meant_by(&entry.key)
                    .map(|field| format!("did you mean `{field}`?"))
                    .or_else(|| did_you_mean(&entry.key, known))
                    .unwrap_or_else(|| "data of your own goes under `metadata`".to_owned()),
            ),
        );
    }

    fn check_guard(&mut self, field: Field, span: Span) {
        let mut is_allowed = false;
        if field.guard() != Guard::None {
            for allowed in &mut self.allowed {
                if allowed.field == field {
                    allowed.is_used = true;
                    is_allowed = true;
                }
            }
        }
        let why = match field.guard() {
            Guard::None => return,
            Guard::WholeList => "what is sent replaces the whole list",
            Guard::Consent => "it is a proof of the customer's consent",
            Guard::Account => "it is the state of the customer's account",
        };
        if !is_allowed {
            self.error(
                Diagnostic::error(
                    codes::GUARDED_FIELD,
                    format!("`{field}` needs permission: {why}"),
                )
                .at(span, "guarded")
                .help(format!(
                    "if this source owns it, add `allow: [{field}]` at the top of the file"
                )),
            );
        }
    }

    /// `tags`: a list of forms, or one form.
    fn tags(&mut self, node: &Node, label: &FieldLabel<'_>, level: usize) -> Option<Vec<Entry>> {
        let nodes = match &node.kind {
            Kind::List(nodes) => nodes.as_slice(),
            Kind::Scalar(_) | Kind::Map(_) => std::slice::from_ref(node),
        };
        if nodes.is_empty() {
            self.form_error(
                node.span,
                "`tags` lists no forms",
                "to send an empty list write `tags: {value: []}`",
            );
            return None;
        }
        let entries: Vec<Option<Entry>> = nodes
            .iter()
            .map(|node| self.entry(node, label, EntryKind::Tag, level))
            .collect();
        entries.into_iter().collect()
    }

    /// `metadata`: a map of key and form, or a list of forms with keys.
    fn metadata(
        &mut self,
        node: &Node,
        label: &FieldLabel<'_>,
        level: usize,
    ) -> Option<Vec<Entry>> {
        let entries: Vec<Option<Entry>> = match &node.kind {
            Kind::List(nodes) => nodes
                .iter()
                .map(|node| self.entry(node, label, EntryKind::Metadata, level))
                .collect(),
            Kind::Map(entries) => entries
                .iter()
                .map(|entry| {
                    let name = format!("metadata.{}", entry.key);
                    let label = FieldLabel {
                        name: &name,
                        ..*label
                    };
                    self.form(&entry.value, &label, level).map(|form| Entry {
                        each: None,
                        key: Some(EntryKey::Literal(entry.key.clone())),
                        form,
                    })
                })
                .collect(),
            Kind::Scalar(_) => {
                self.form_error(
                    node.span,
                    "`metadata` is a map of keys, or a list of entries with keys",
                    "write `key: expression` lines below it",
                );
                return None;
            }
        };
        entries.into_iter().collect()
    }
}

/// The field that somebody means by a name in Spanish, or by another one of the trade.
fn meant_by(name: &str) -> Option<Field> {
    let letters: String = name
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphabetic())
        .collect();
    Some(match letters.as_str() {
        "nombre" | "nombrecompleto" | "fullname" | "displayname" => Field::Name,
        "usuario" | "nombredeusuario" | "user" | "login" | "externalid" => Field::Username,
        "correo" | "correoelectronico" | "correoelectrónico" | "mail" | "emailaddress" => {
            Field::Email
        }
        "telefono" | "teléfono" | "celular" | "movil" | "móvil" | "phone" | "mobile"
        | "mobilephone" | "whatsapp" => Field::PhoneNumber,
        "telefonosecundario" | "teléfonosecundario" | "secondaryphone" | "phonenumber2" => {
            Field::SecondaryPhoneNumber
        }
        "etiquetas" | "etiqueta" | "labels" => Field::Tags,
        "responsable" | "asesor" | "owner" | "ownerid" | "assignee" => Field::AssigneeId,
        "metadatos" | "customfields" | "camposadicionales" => Field::Metadata,
        _ => return None,
    })
}
