//! Field forms: the value of one field, of one tag, of one metadata key.

use super::{Compiler, KEYS, expression::Typed};
use crate::{
    customer::Field,
    diag::{Diagnostic, Span},
    mapping::{
        codes,
        compiled::{Case, Entry, EntryKey, Form, OnBlank, OnNull, Source},
        types::{Target, Type},
    },
    yaml::{self, KeyCodes, KeyReader, Kind, Node},
};

/// Keys of a field form; another shape is a fault of the form.
const FORM_KEYS: KeyCodes = KeyCodes {
    shape: codes::FIELD_FORM,
    ..KEYS
};

/// What fields are set for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To change a customer.
    Set,
    /// To create one.
    Create,
}

/// What a form is for.
#[derive(Clone, Copy)]
pub(super) struct FieldLabel<'a> {
    /// For messages.
    pub(super) name: &'a str,
    pub(super) target: Target,
    /// Whether null may stand here.
    pub(super) nullable: bool,
    pub(super) purpose: Purpose,
    /// Quentli's name and username: never cleared, never blank.
    pub(super) never_blank: bool,
}

impl FieldLabel<'_> {
    pub(super) fn of(field: Field, purpose: Purpose) -> Self {
        // An entry of `tags` that is null is left out, and one of `metadata` removes its key.
        let nullable = field.is_nullable() || matches!(field, Field::Tags | Field::Metadata);
        Self {
            name: field.as_str(),
            target: Target::of(field.kind()),
            nullable: nullable && purpose == Purpose::Set,
            purpose,
            never_blank: matches!(field, Field::Name | Field::Username),
        }
    }

    /// Whether a blank may be sent.
    fn takes_blank(&self) -> bool {
        !self.never_blank && matches!(self.target, Target::Text | Target::Tags | Target::Metadata)
    }
}

/// Which keys an entry may have besides those of a form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    /// Not an entry: a field, or a metadata key written as a key.
    None,
    /// `each`
    Tag,
    /// `each`, `key`, `key_from`
    Metadata,
}

impl Compiler<'_> {
    /// The form of a field with one value.
    pub(super) fn form(
        &mut self,
        node: &Node,
        label: &FieldLabel<'_>,
        level: usize,
    ) -> Option<Form> {
        self.entry(node, label, EntryKind::None, level)
            .map(|entry| entry.form)
    }

    /// A form, with what only entries have.
    pub(super) fn entry(
        &mut self,
        node: &Node,
        label: &FieldLabel<'_>,
        kind: EntryKind,
        level: usize,
    ) -> Option<Entry> {
        match &node.kind {
            Kind::Scalar(_) if kind == EntryKind::Metadata => {
                self.form_error(
                    node.span,
                    "an entry of `metadata` needs a key",
                    "write `- {key: …, from: …}`",
                );
                None
            }
            Kind::Scalar(_) => {
                let source = self.checked_expression(node, label, level)?;
                Some(Entry {
                    each: None,
                    key: None,
                    form: self.plain_form(source, label, node.span),
                })
            }
            Kind::List(_) => {
                self.form_error(
                    node.span,
                    &format!("`{}` takes one value, but here is a list", label.name),
                    "put an expression that begins with `[` in quotes",
                );
                None
            }
            Kind::Map(_) => self.long_form(node, label, kind, level),
        }
    }

    fn plain_form(&self, source: Source, label: &FieldLabel<'_>, span: Span) -> Form {
        Form {
            target: label.target,
            source,
            when: None,
            default: None,
            on_null: self.defaults.null,
            on_blank: self.usual_on_blank(label),
            on_error: self.defaults.error,
            required: false,
            span,
        }
    }

    fn long_form(
        &mut self,
        node: &Node,
        label: &FieldLabel<'_>,
        kind: EntryKind,
        level: usize,
    ) -> Option<Entry> {
        let mut keys = KeyReader::new(node, "a field", FORM_KEYS, self.out)?;
        let sources = ["from", "value", "template", "cases"].map(|key| keys.take(key));
        let when = keys.take("when");
        let default = keys.take("default");
        let on_null = keys.take("on_null");
        let on_blank = keys.take("on_blank");
        let on_error = keys.take("on_error");
        let required = keys.take("required");
        let each = (kind != EntryKind::None)
            .then(|| keys.take("each"))
            .flatten();
        let (key, key_from) = match kind {
            EntryKind::Metadata => (keys.take("key"), keys.take("key_from")),
            EntryKind::None | EntryKind::Tag => (None, None),
        };
        keys.finish(self.out);

        let inner = level + usize::from(each.is_some());
        let each = self.optional(each, |this, node| this.list_expression("each", node, level));
        let when = self.optional(when, |this, node| this.condition(node, inner));
        let default = self.optional(default, |this, node| this.constant(node, label));
        let source = self.one_source(node, sources, label, inner, true);
        let key = if kind == EntryKind::Metadata {
            Some(self.entry_key(node, key, key_from, inner)?)
        } else {
            None
        };
        let form = Form {
            on_null: self.checked_on_null(on_null, label)?,
            on_blank: self.checked_on_blank(on_blank, label)?,
            on_error: match on_error {
                Some(entry) => self.on_error(&entry.value)?,
                None => self.defaults.error,
            },
            required: match required {
                Some(entry) => {
                    let words = [("true", true), ("false", false)];
                    self.word("required", &entry.value, &words)?
                }
                None => false,
            },
            target: label.target,
            source: source?,
            when: when.ok()?,
            default: default.ok()?,
            span: node.span,
        };
        Some(Entry {
            each: each.ok()?,
            key,
            form,
        })
    }

    /// The key of an entry of `metadata`: written, or given by an expression.
    fn entry_key(
        &mut self,
        node: &Node,
        key: Option<&yaml::Entry>,
        key_from: Option<&yaml::Entry>,
        level: usize,
    ) -> Option<EntryKey> {
        match (key, key_from) {
            (Some(entry), None) => match entry.value.as_text() {
                Some(text) if !entry.value.is_null() && !text.is_empty() => {
                    Some(EntryKey::Literal(text.to_owned()))
                }
                _ => {
                    self.form_error(
                        entry.value.span,
                        "`key` is a text",
                        "write the key as it stands in Quentli; for one out of the event use `key_from`",
                    );
                    None
                }
            },
            (None, Some(entry)) => {
                let typed = self.expression(&entry.value, level)?;
                self.check_type(&typed, "key_from", Target::Text)?;
                Some(EntryKey::From(typed.expr))
            }
            _ => {
                self.form_error(
                    node.span,
                    "an entry of `metadata` needs exactly one of `key` and `key_from`",
                    "write `key: Grado` for a fixed key, `key_from: name` for one out of the event",
                );
                None
            }
        }
    }

    /// Exactly one of `from`, `value`, `template` and, where allowed, `cases`.
    fn one_source(
        &mut self,
        node: &Node,
        [from, value, template, cases]: [Option<&yaml::Entry>; 4],
        label: &FieldLabel<'_>,
        level: usize,
        may_have_cases: bool,
    ) -> Option<Source> {
        match (from, value, template, cases) {
            (Some(entry), None, None, None) => self.checked_expression(&entry.value, label, level),
            (None, Some(entry), None, None) => {
                self.constant(&entry.value, label).map(Source::Constant)
            }
            (None, None, Some(entry), None) => {
                if !label.target.takes(&Type::Text) {
                    self.wrong_type(&Type::Text, entry.value.span, label.name, label.target);
                    return None;
                }
                self.template(&entry.value, level).map(Source::Expression)
            }
            (None, None, None, Some(entry)) if may_have_cases => {
                self.cases(&entry.value, label, level).map(Source::Cases)
            }
            (from, value, template, cases) => {
                let given = [from, value, template, cases].into_iter().flatten();
                let mut spans = given.map(|entry| entry.key_span);
                let help = if may_have_cases {
                    "give exactly one of `from`, `value`, `template` and `cases`"
                } else {
                    "give exactly one of `from`, `value` and `template`"
                };
                let diagnostic = match (spans.next(), spans.next()) {
                    (Some(first), Some(second)) => {
                        Diagnostic::error(codes::FIELD_FORM, "the value comes from two places")
                            .at(second, "and from here")
                            .also(first, "from here")
                    }
                    _ => Diagnostic::error(
                        codes::FIELD_FORM,
                        "it is not said where the value comes from",
                    )
                    .at(node.span, "no source"),
                };
                self.error(diagnostic.help(help));
                None
            }
        }
    }

    fn cases(&mut self, node: &Node, label: &FieldLabel<'_>, level: usize) -> Option<Vec<Case>> {
        let Some(nodes) = node.as_list().filter(|nodes| !nodes.is_empty()) else {
            self.form_error(
                node.span,
                "`cases` is a list of conditions with values",
                "write `- when: …` with `from`, `value` or `template` below",
            );
            return None;
        };
        let mut cases = Vec::with_capacity(nodes.len());
        let mut fine = true;
        for node in nodes {
            let Some(mut keys) = KeyReader::new(node, "a case", FORM_KEYS, self.out) else {
                fine = false;
                continue;
            };
            let when = keys.require(
                "when",
                "write `- when:` with the condition for this value",
                self.out,
            );
            let sources = ["from", "value", "template"].map(|key| keys.take(key));
            keys.finish(self.out);
            let when = when.and_then(|entry| self.condition(&entry.value, level));
            let [from, value, template] = sources;
            let source = self.one_source(node, [from, value, template, None], label, level, false);
            match (when, source) {
                (Some(when), Some(source)) => cases.push(Case { when, source }),
                _ => fine = false,
            }
        }
        fine.then_some(cases)
    }

    /// An expression whose result goes to the field. A literal is brought into its form at once.
    fn checked_expression(
        &mut self,
        node: &Node,
        label: &FieldLabel<'_>,
        level: usize,
    ) -> Option<Source> {
        let typed = self.expression(node, level)?;
        if typed.gives == Type::Null && !label.nullable {
            self.not_nullable(label, typed.expr.span);
            return None;
        }
        self.check_type(&typed, label.name, label.target)?;
        Some(Source::Expression(typed.expr))
    }

    pub(super) fn check_type(&mut self, typed: &Typed, name: &str, target: Target) -> Option<()> {
        if target.takes(&typed.gives) {
            return Some(());
        }
        self.wrong_type(&typed.gives, typed.expr.span, name, target);
        None
    }

    fn wrong_type(&mut self, gives: &Type, span: Span, name: &str, target: Target) {
        self.error(
            Diagnostic::error(
                codes::WRONG_TYPE,
                format!(
                    "`{name}` needs {}, but this gives {}",
                    target.described(),
                    gives.described()
                ),
            )
            .at(span, format!("gives {}", gives.described()))
            .help(target.remedy(gives)),
        );
    }

    /// A null, or the word `clear`, that must not stand here.
    pub(super) fn not_nullable(&mut self, label: &FieldLabel<'_>, span: Span) {
        let message = match label.purpose {
            Purpose::Set => format!("Quentli cannot clear `{}`", label.name),
            Purpose::Create => format!("a new customer has no `{}` to clear", label.name),
        };
        let is_word = self.out.file().slice(span) == "clear";
        let help = match (label.purpose, is_word) {
            (Purpose::Set, true) => "write `skip`, and the field is left as it is",
            (Purpose::Set, false) => "leave the field out, and it stays as it is",
            (Purpose::Create, true) => "write `skip`, and the field is left out",
            (Purpose::Create, false) => "leave the field out",
        };
        self.error(
            Diagnostic::error(codes::NOT_NULLABLE, message)
                .at(span, "would clear it")
                .help(help),
        );
    }

    fn checked_on_null(
        &mut self,
        entry: Option<&yaml::Entry>,
        label: &FieldLabel<'_>,
    ) -> Option<OnNull> {
        let Some(entry) = entry else {
            return Some(self.defaults.null);
        };
        let word = self.on_null(&entry.value)?;
        if word == OnNull::Clear && !label.nullable {
            self.not_nullable(label, entry.value.span);
            return None;
        }
        Some(word)
    }

    /// What `defaults` say, as far as the field can follow.
    fn usual_on_blank(&self, label: &FieldLabel<'_>) -> OnBlank {
        match self.defaults.blank {
            OnBlank::Keep if !label.takes_blank() => OnBlank::Skip,
            word => word,
        }
    }

    fn checked_on_blank(
        &mut self,
        entry: Option<&yaml::Entry>,
        label: &FieldLabel<'_>,
    ) -> Option<OnBlank> {
        let Some(entry) = entry else {
            return Some(self.usual_on_blank(label));
        };
        let word = self.on_blank(&entry.value)?;
        match word {
            OnBlank::Clear if label.target == Target::Tags => {
                self.error(
                    Diagnostic::error(
                        codes::NOT_NULLABLE,
                        "an entry of `tags` has nothing to clear",
                    )
                    .at(entry.value.span, "clears nothing")
                    .help("write `skip`, and the entry is left out"),
                );
                None
            }
            OnBlank::Clear if !label.nullable => {
                self.not_nullable(label, entry.value.span);
                None
            }
            OnBlank::Keep if !label.takes_blank() => {
                self.error(
                    Diagnostic::error(
                        codes::NOT_NULLABLE,
                        format!("`{}` cannot be blank", label.name),
                    )
                    .at(entry.value.span, "would send a blank")
                    .help("write `skip`, and the field is left as it is"),
                );
                None
            }
            word => Some(word),
        }
    }

    pub(super) fn form_error(&mut self, span: Span, message: &str, help: &str) {
        self.error(
            Diagnostic::error(codes::FIELD_FORM, message)
                .at(span, "")
                .maybe_help((!help.is_empty()).then(|| help.to_owned())),
        );
    }
}
