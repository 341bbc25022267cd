//! Rules: conditions, selections, and the fields they set.

use super::{Compiler, KEYS, form::Purpose};
use crate::{
    diag::{Diagnostic, Span},
    mapping::{
        codes,
        compiled::{Action, Customer, Expr, FieldRule, FieldValueRule, Rule, UpdateRule},
        limits,
        types::Type,
    },
    yaml::{self, KeyCodes, KeyReader, Node},
};

/// Keys of a rule; another shape is a fault of the rule.
const RULE_KEYS: KeyCodes = KeyCodes {
    shape: codes::RULE_FORM,
    ..KEYS
};

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
        if let Some(first_above) = nodes.get(limits::RULES) {
            self.error(
                Diagnostic::error(
                    codes::LIMIT,
                    format!(
                        "the file has {} rules; at most {} are taken",
                        nodes.len(),
                        limits::RULES
                    ),
                )
                .at(first_above.span, "too many from here on")
                .help("a table with `lookup` often takes the place of many rules; or split them between sources"),
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
            let name = keys.require_text(
                "name",
                "write `- name: …`; errors and tests show it",
                self.out,
            );
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
                    .also(*first, "first here")
                    .help("give each rule a name of its own"),
            );
        }
        names.push((name, node.span));
    }

    fn rule(&mut self, name: &str, span: Span, mut keys: KeyReader<'_>) -> Option<Rule> {
        let when = keys.take("when");
        let drop = keys.take("drop");
        let fail = keys.take("fail");
        let each = keys.take("each");
        let only = keys.take("only");
        let order_by = keys.take("order_by");
        let customer = keys.take("customer");
        let set = keys.take("set");
        keys.finish(self.out);

        let when = self.optional(when, |this, node| this.condition(node, 0));
        let action = if let Some(drop) = drop {
            let others = [fail, each, only, order_by, customer, set];
            let example = "write why nothing is sent, such as `drop: connection test`";
            self.ending(drop, &others, example).map(Action::Drop)
        } else if let Some(fail) = fail {
            let others = [each, only, order_by, customer, set];
            let example = "write why a person must look, such as `fail: two families were merged`";
            self.ending(fail, &others, example).map(Action::Fail)
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

    /// The reason of a rule that ends with `drop` or `fail`, and with nothing else.
    fn ending(
        &mut self,
        entry: &yaml::Entry,
        others: &[Option<&yaml::Entry>],
        example: &str,
    ) -> Option<String> {
        let key = &entry.key;
        if let Some(other) = others.iter().flatten().next() {
            self.error(
                Diagnostic::error(
                    codes::RULE_FORM,
                    format!("a rule with `{key}` has no `{}`", other.key),
                )
                .at(other.key_span, "never used")
                .also(entry.key_span, "it ends here")
                .help(format!("keep `name`, `when` and `{key}` only")),
            );
        }
        match entry.value.as_text() {
            Some(reason) if !entry.value.is_null() && !reason.trim().is_empty() => {
                Some(reason.to_owned())
            }
            _ => {
                self.rule_error(
                    entry.value.span,
                    format!("`{key}` is the reason, as a text"),
                    example,
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
                    "a rule says whose record (`customer`) and what (`set`), or ends with `drop` or `fail`",
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
        if let (Some(customer), Some(set)) = (customer, set) {
            self.check_newcomer_has_name(&customer.value, &set.value);
        }
        let customer = customer.and_then(|entry| self.customer(&entry.value, level));
        let fields = set.and_then(|entry| self.fields("set", &entry.value, Purpose::Set, level));
        let (customer, fields) = (customer?, fields?);
        self.check_count(&customer, &fields, span)?;
        Some(UpdateRule {
            each: each.ok()?,
            only: only.ok()?,
            order_by: order_by.ok()?,
            customer,
            fields,
        })
    }

    fn check_count(&mut self, customer: &Customer, set: &[FieldRule], span: Span) -> Option<()> {
        let count = set
            .iter()
            .chain(customer.on_missing.created_with())
            .map(|rule| match &rule.value {
                FieldValueRule::Single(_) => 1,
                FieldValueRule::List(entries) | FieldValueRule::Keyed(entries) => entries.len(),
            })
            .sum::<usize>();
        if count <= limits::FIELDS_PER_RULE {
            return Some(());
        }
        self.error(
            Diagnostic::error(
                codes::LIMIT,
                format!(
                    "the rule sets {count} fields; at most {} are taken",
                    limits::FIELDS_PER_RULE
                ),
            )
            .at(span, "this rule")
            .help("entries with `each` and `key_from` take the place of many keys"),
        );
        None
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

    pub(super) fn rule_error(&mut self, span: Span, message: String, help: &str) {
        self.error(
            Diagnostic::error(codes::RULE_FORM, message)
                .at(span, "")
                .maybe_help((!help.is_empty()).then(|| help.to_owned())),
        );
    }
}
