//! Rules: conditions, selections, and the fields they set.

use super::{
    Compiler, KEYS,
    form::{EntryKind, FieldLabel},
};
use crate::{
    customer::{Field, FieldKind, Guard},
    diag::{Diagnostic, Span, did_you_mean},
    mapping::{
        codes,
        compiled::{Action, Entry, EntryKey, Expr, FieldRule, FieldValueRule, Rule, UpdateRule},
        limits,
        types::Type,
    },
    yaml::{self, KeyCodes, KeyReader, Kind, Node},
};

/// Keys of a rule; another shape is a fault of the rule.
const RULE_KEYS: KeyCodes = KeyCodes {
    shape: codes::RULE_FORM,
    ..KEYS
};

/// Quentli takes these, but only from its own pages: a mapping never sets them.
const SECRETS: [&str; 2] = ["password", "otp"];

impl Compiler<'_> {
    pub(super) fn rules(&mut self, node: &Node) -> Vec<Rule> {
        let Some(nodes) = node.as_list().filter(|nodes| !nodes.is_empty()) else {
            self.rule_error(
                node.span,
                match node.as_list() {
                    Some(_) => "`rules` has no rule".to_owned(),
                    None => format!("`rules` is a list of rules, but here is {}", node.shape()),
                },
                "write `- name: …` below it",
            );
            return Vec::new();
        };
        if nodes.len() > limits::RULES {
            self.error(
                Diagnostic::error(
                    codes::LIMIT,
                    format!(
                        "the file has {} rules; at most {} are taken",
                        nodes.len(),
                        limits::RULES
                    ),
                )
                .at(node.span, ""),
            );
            return Vec::new();
        }
        let mut names: Vec<(&str, Span)> = Vec::new();
        let mut rules = Vec::with_capacity(nodes.len());
        // The first rule that takes every item.
        let mut catch_all: Option<Span> = None;
        for node in nodes {
            let Some(mut keys) = KeyReader::new(node, "a rule", RULE_KEYS, self.out) else {
                continue;
            };
            let name = keys.require_text("name", self.out);
            if let Some((name, node)) = name {
                self.check_name(name, node, &mut names);
            }
            let has_when = node.get("when").is_some();
            if let Some(first) = catch_all {
                self.error(
                    Diagnostic::error(codes::UNREACHABLE_RULE, "no item can reach this rule")
                        .at(
                            name.map_or(node.span, |(_, node)| node.span),
                            "never reached",
                        )
                        .also(first, "this rule has no `when` and takes every item")
                        .help("put the rule without `when` last"),
                );
            } else if !has_when {
                catch_all = Some(name.map_or(node.span, |(_, node)| node.span));
            }
            let label = name.map_or("", |(name, _)| name);
            let span = name.map_or(node.span, |(_, node)| node.span);
            if let Some(rule) = self.rule(label, span, keys) {
                rules.push(rule);
            }
        }
        rules
    }

    fn check_name<'n>(&mut self, name: &'n str, node: &Node, names: &mut Vec<(&'n str, Span)>) {
        if let Some((_, first)) = names.iter().find(|(known, _)| *known == name) {
            self.error(
                Diagnostic::error(codes::DUPLICATE, format!("two rules are named `{name}`"))
                    .at(node.span, "again here")
                    .also(*first, "first here"),
            );
        }
        names.push((name, node.span));
    }

    fn rule(&mut self, name: &str, span: Span, mut keys: KeyReader<'_>) -> Option<Rule> {
        let when = keys.take("when");
        let drop = keys.take("drop");
        let each = keys.take("each");
        let only = keys.take("only");
        let order_by = keys.take("order_by");
        let customer = keys.take("customer");
        let set = keys.take("set");
        keys.finish(self.out);

        let when = self.optional(when, |this, node| this.condition(node, 0));
        let action = if let Some(drop) = drop {
            let others = [each, only, order_by, customer, set];
            self.drop_rule(drop, &others)
        } else {
            self.update_rule(span, each, only, order_by, customer, set)
                .map(|update| Action::Update(Box::new(update)))
        };
        Some(Rule {
            name: name.to_owned(),
            span,
            when: when.ok()?,
            action: action?,
        })
    }

    fn drop_rule(&mut self, drop: &yaml::Entry, others: &[Option<&yaml::Entry>]) -> Option<Action> {
        if let Some(other) = others.iter().flatten().next() {
            self.error(
                Diagnostic::error(
                    codes::RULE_FORM,
                    format!("a rule with `drop` has no `{}`", other.key),
                )
                .at(other.key_span, "")
                .also(drop.key_span, "it ends here")
                .help("keep `name`, `when` and `drop` only"),
            );
        }
        match drop.value.as_text() {
            Some(reason) if !drop.value.is_null() && !reason.trim().is_empty() => {
                Some(Action::Drop(reason.to_owned()))
            }
            _ => {
                self.rule_error(
                    drop.value.span,
                    "`drop` is the reason, as a text".to_owned(),
                    "",
                );
                None
            }
        }
    }

    fn update_rule(
        &mut self,
        span: Span,
        each: Option<&yaml::Entry>,
        only: Option<&yaml::Entry>,
        order_by: Option<&yaml::Entry>,
        customer: Option<&yaml::Entry>,
        set: Option<&yaml::Entry>,
    ) -> Option<UpdateRule> {
        for (key, entry) in [("customer", customer), ("set", set)] {
            if entry.is_none() {
                self.rule_error(
                    span,
                    format!("a rule needs `{key}`"),
                    "a rule says whose record (`customer`) and what (`set`), or ends with `drop`",
                );
            }
        }
        if let (None, Some(only)) = (each, only) {
            self.rule_error(
                only.key_span,
                "`only` chooses elements of `each`, which is not here".to_owned(),
                "use `when` for a condition on the item",
            );
        }
        let level = usize::from(each.is_some());
        let each = self.optional(each, |this, node| this.list_expression("each", node, 0));
        let only = self.optional(only, |this, node| this.condition(node, level));
        let order_by = self.optional(order_by, |this, node| this.order_by(node, level));
        let customer = customer.and_then(|entry| self.customer(&entry.value, level));
        let fields = set.and_then(|entry| self.fields(&entry.value, level));
        Some(UpdateRule {
            each: each.ok()?,
            only: only.ok()?,
            order_by: order_by.ok()?,
            customer: customer?,
            fields: fields?,
        })
    }

    fn order_by(&mut self, node: &Node, level: usize) -> Option<Expr> {
        let typed = self.expression(node, level)?;
        if matches!(typed.gives, Type::Number | Type::DateTime | Type::Any) {
            return Some(typed.expr);
        }
        self.error(
            Diagnostic::error(
                codes::WRONG_TYPE,
                format!(
                    "`order_by` needs a number or a date and time, but this gives {}",
                    typed.gives.described()
                ),
            )
            .at(
                typed.expr.span,
                format!("gives {}", typed.gives.described()),
            )
            .help("add `| datetime` or `| number`"),
        );
        None
    }

    /// What stands under `set`.
    fn fields(&mut self, node: &Node, level: usize) -> Option<Vec<FieldRule>> {
        let Some(entries) = node.as_map().filter(|entries| !entries.is_empty()) else {
            self.rule_error(
                node.span,
                format!("`set` is a map of fields, but here is {}", node.shape()),
                "",
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
        let mut fields = Vec::with_capacity(entries.len());
        let mut count = 0_usize;
        let mut all_read = true;
        for entry in entries {
            match self.field(entry, level) {
                Some(rule) => {
                    count += match &rule.value {
                        FieldValueRule::Single(_) => 1,
                        FieldValueRule::List(entries) | FieldValueRule::Keyed(entries) => {
                            entries.len()
                        }
                    };
                    fields.push(rule);
                }
                None => all_read = false,
            }
        }
        if count > limits::FIELDS_PER_RULE {
            self.error(
                Diagnostic::error(
                    codes::LIMIT,
                    format!(
                        "the rule sets {count} fields; at most {} are taken",
                        limits::FIELDS_PER_RULE
                    ),
                )
                .at(node.span, ""),
            );
            return None;
        }
        all_read.then_some(fields)
    }

    fn field(&mut self, entry: &yaml::Entry, level: usize) -> Option<FieldRule> {
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
        let label = FieldLabel::of(field);
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
                .at(entry.key_span, "a secret"),
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
                did_you_mean(&entry.key, known)
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

    pub(super) fn rule_error(&mut self, span: Span, message: String, help: &str) {
        self.error(
            Diagnostic::error(codes::RULE_FORM, message)
                .at(span, "")
                .maybe_help((!help.is_empty()).then(|| help.to_owned())),
        );
    }
}
