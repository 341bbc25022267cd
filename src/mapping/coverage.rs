//! Which paths and rules the tests of a file show at work.
//!
//! The tests are also the sample of what a source sends, so a path at which no test has a value is probably
//! misspelt. Every path of a rule is looked at for every item that the rule takes, whether or not its condition
//! or an earlier fallback would have stopped before it; those of `dedup` that the file spells out, for every item.

use std::collections::BTreeMap;

use super::{
    Input, Mapping, PathInfo, body, codes,
    compiled::{
        Action, Entry, EntryKey, Expr, ExprKind, FieldValueRule, Form, Source, TemplatePart,
        Transform, UpdateRule,
    },
    evaluate::{Run, Scope, elements, name_like_the_missing, resolve},
    tree,
    value::Value,
};
use crate::diag::{Collector, Diagnostic, Span};

/// Adds a warning for every path without a value and every rule that no test reaches.
pub(super) fn report(mapping: &Mapping, out: &mut Collector) {
    let mut coverage = Coverage::of(mapping);
    for (rule, seen) in mapping.rules.iter().zip(&coverage.rules) {
        if !seen {
            out.add(
                Diagnostic::warning(
                    codes::RULE_NEVER_REACHED,
                    format!("no test reaches the rule `{}`", rule.name),
                )
                .at(rule.span, "never reached")
                .help("add a test with an event that it takes"),
            );
        }
    }
    coverage.look_for_names(mapping);
    for (number, path) in coverage.unseen(mapping) {
        let help = match coverage
            .names
            .get(&number)
            .and_then(|looked| looked.name.as_ref())
        {
            Some(name) => format!("did you mean `{name}`?"),
            None if mapping.is_meant_as_text(path) => format!(
                "if the text itself is meant, write `value: {}` in place of the expression",
                path.text
            ),
            None => "correct the name, or add a test with an event that has it".to_owned(),
        };
        out.add(
            Diagnostic::warning(
                codes::PATH_NEVER_SEEN,
                format!("no test event has a value at `{}`", path.text),
            )
            .at(path.span, "never seen")
            .help(help),
        );
    }
}

impl Mapping {
    /// Whether a path is one word between quotes of YAML, which people take for the quotes of a text.
    fn is_meant_as_text(&self, path: &PathInfo) -> bool {
        let around = Span::new(path.span.start.saturating_sub(1), path.span.end + 1);
        let around = self.file.slice(around);
        let is_quoted = |quote: char| around.starts_with(quote) && around.ends_with(quote);
        let is_word = !path
            .text
            .contains(|c: char| !c.is_alphanumeric() && c != '_' && c != '-');
        is_word && ['\'', '"'].into_iter().any(is_quoted)
    }
}

struct Coverage {
    /// By the number of the path.
    paths: Vec<bool>,
    /// In the order of the file.
    rules: Vec<bool>,
    /// For paths that no test shows, by their number; empty until it is known which those are.
    names: BTreeMap<usize, Looked>,
    /// How many names may still be compared.
    names_left: usize,
}

/// For a path that leads nowhere.
#[derive(Default)]
struct Looked {
    /// A name like the one that is not there.
    name: Option<String>,
    /// How often it was looked for.
    times: u8,
}

/// How many items are looked at for a name like a missing one; a sample may have thousands.
const LOOKS: u8 = 5;
/// How many names of events are compared with missing ones in all: more than enough for a file with some mistakes, and
/// a file of nothing but mistakes takes no longer.
const NAMES_COMPARED: usize = 20_000;

impl Coverage {
    /// What the tests of a file show.
    fn of(mapping: &Mapping) -> Self {
        let mut coverage = Self {
            paths: vec![false; mapping.paths.len()],
            rules: vec![false; mapping.rules.len()],
            names: BTreeMap::new(),
            names_left: NAMES_COMPARED,
        };
        coverage.events(mapping);
        coverage
    }

    /// The paths without a value, with their numbers.
    fn unseen<'m>(&self, mapping: &'m Mapping) -> impl Iterator<Item = (usize, &'m PathInfo)> {
        let paths = mapping.paths.iter().zip(&self.paths).enumerate();
        paths.filter_map(|(number, (path, seen))| {
            (path.is_covered && !seen).then_some((number, path))
        })
    }

    /// Goes through all events again where that can help: most files have no such path.
    fn look_for_names(&mut self, mapping: &Mapping) {
        let unseen = self.unseen(mapping);
        self.names = unseen
            .map(|(number, _)| (number, Looked::default()))
            .collect();
        if !self.names.is_empty() {
            self.events(mapping);
        }
    }

    fn events(&mut self, mapping: &Mapping) {
        for test in mapping.tests() {
            if let Ok(tree) = body::decode(&test.input) {
                self.event(mapping, &tree, &test.input);
            }
        }
    }

    fn event<'a>(&mut self, mapping: &'a Mapping, body: &'a tree::Tree<'a>, input: &Input<'a>) {
        let run = Run::new(body, input.headers, &mapping.tables);
        let whole = Scope::item(&run, Value::of_tree(body));
        let items = match &mapping.items {
            None => vec![Value::of_tree(body)],
            Some(expr) => {
                self.expr(expr, &whole);
                elements(expr, &whole).ok().flatten().unwrap_or_default()
            }
        };
        for item in items {
            let scope = Scope::item(&run, item);
            for expr in &mapping.dedup {
                self.expr(expr, &scope);
            }
            for rule in &mapping.rules {
                self.optional(rule.when.as_ref(), &scope);
            }
            let Ok(Some(taken)) = mapping.rule_for(&scope) else {
                continue;
            };
            for (rule, seen) in mapping.rules.iter().zip(&mut self.rules) {
                *seen |= std::ptr::eq(rule, taken);
            }
            if let Action::Update(update) = &taken.action {
                self.rule(update, &scope);
            }
        }
    }

    fn rule<'a>(&mut self, update: &'a UpdateRule, scope: &Scope<'_, 'a>) {
        let Some(each) = &update.each else {
            return self.update(update, scope);
        };
        self.expr(each, scope);
        for element in elements(each, scope).ok().flatten().unwrap_or_default() {
            let inner = scope.inner(element);
            self.optional(update.only.as_ref(), &inner);
            self.update(update, &inner);
        }
    }

    fn update<'a>(&mut self, update: &'a UpdateRule, scope: &Scope<'_, 'a>) {
        self.optional(update.order_by.as_ref(), scope);
        self.optional(update.customer.id.as_ref(), scope);
        for line in &update.customer.find {
            self.expr(&line.value, scope);
        }
        let created_with = update.customer.on_missing.created_with();
        for field in update.fields.iter().chain(created_with) {
            match &field.value {
                FieldValueRule::Single(form) => self.form(form, scope),
                FieldValueRule::List(entries) | FieldValueRule::Keyed(entries) => {
                    for entry in entries {
                        self.entry(entry, scope);
                    }
                }
            }
        }
    }

    fn entry<'a>(&mut self, entry: &'a Entry, scope: &Scope<'_, 'a>) {
        let Some(each) = &entry.each else {
            return self.entry_values(entry, scope);
        };
        self.expr(each, scope);
        for element in elements(each, scope).ok().flatten().unwrap_or_default() {
            self.entry_values(entry, &scope.inner(element));
        }
    }

    fn entry_values<'a>(&mut self, entry: &'a Entry, scope: &Scope<'_, 'a>) {
        if let Some(EntryKey::From(key)) = &entry.key {
            self.expr(key, scope);
        }
        self.form(&entry.form, scope);
    }

    fn form<'a>(&mut self, form: &'a Form, scope: &Scope<'_, 'a>) {
        self.optional(form.when.as_ref(), scope);
        self.source(&form.source, scope);
    }

    fn source<'a>(&mut self, source: &'a Source, scope: &Scope<'_, 'a>) {
        match source {
            Source::Expression(expr) => self.expr(expr, scope),
            Source::Constant(_) => {}
            Source::Cases(cases) => {
                for case in cases {
                    self.expr(&case.when, scope);
                    self.source(&case.source, scope);
                }
            }
        }
    }

    fn see(&mut self, number: usize, has_value: bool) {
        if let Some(seen) = self.paths.get_mut(number) {
            *seen |= has_value;
        }
    }

    fn optional<'a>(&mut self, expr: Option<&'a Expr>, scope: &Scope<'_, 'a>) {
        if let Some(expr) = expr {
            self.expr(expr, scope);
        }
    }

    fn expr<'a>(&mut self, expr: &'a Expr, scope: &Scope<'_, 'a>) {
        match &expr.kind {
            ExprKind::Constant(_) => {}
            ExprKind::Path(path) => {
                let value = resolve(path, scope, expr.span, usize::MAX);
                let has_value = match value {
                    Ok(Value::Absent) | Err(_) => false,
                    Ok(Value::List(elements)) => !elements.is_empty(),
                    Ok(_) => true,
                };
                self.see(path.number, has_value);
                if let Some(looked) = self.names.get_mut(&path.number)
                    && looked.name.is_none()
                    && looked.times < LOOKS
                {
                    looked.name = name_like_the_missing(path, scope, &mut self.names_left);
                    looked.times += 1;
                }
            }
            ExprKind::Header(header) => {
                self.see(header.number, scope.run.header(header) != Value::Absent);
            }
            ExprKind::List(parts)
            | ExprKind::Fallback(parts)
            | ExprKind::And(parts)
            | ExprKind::Or(parts) => {
                for part in parts {
                    self.expr(part, scope);
                }
            }
            ExprKind::Pipe { input, steps } => {
                self.expr(input, scope);
                for step in steps {
                    if let Transform::Default(replacement) = &step.transform {
                        self.expr(replacement, scope);
                    }
                }
            }
            ExprKind::Template(template) => {
                for part in &template.parts {
                    if let TemplatePart::Expression(expr) = part {
                        self.expr(expr, scope);
                    }
                }
            }
            ExprKind::Join(join) => {
                for part in &join.parts {
                    self.expr(part, scope);
                }
            }
            ExprKind::Test(_, inner) | ExprKind::Not(inner) => self.expr(inner, scope),
            ExprKind::Compare { left, right, .. } => {
                self.expr(left, scope);
                self.expr(right, scope);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::mapping::tests::compiled;

    /// How many names are compared for a file of so many rules, each with a test whose event has a name and an empty
    /// one, of which the rule takes the one of `path`.
    fn names_compared(rules: usize, path: &str) -> usize {
        let (mut all, mut tests) = (String::new(), String::new());
        for rule in 0..rules {
            writeln!(
                all,
                "  - {{name: r{rule}, when: type == 't{rule}', customer: {{id: id}}, set: {{name: {path}}}}}"
            )
            .unwrap();
            writeln!(
                tests,
                "  - {{name: t{rule}, event: {{type: t{rule}, id: c, name: Ana}}, expect: [{{customer: c, patch: {{name: Ana}}}}]}}"
            )
            .unwrap();
        }
        let text = format!("mapping: 1\nsource: s\notherwise: drop\nrules:\n{all}tests:\n{tests}");
        let mapping = compiled(&text);
        let mut coverage = Coverage::of(&mapping);
        coverage.look_for_names(&mapping);
        NAMES_COMPARED - coverage.names_left
    }

    #[test]
    fn no_names_are_compared_where_tests_show_every_path() {
        assert_eq!(names_compared(200, "name"), 0);
    }

    #[test]
    fn a_missing_name_is_compared_with_those_beside_it() {
        assert_eq!(names_compared(1, "name ?? nothing"), 3);
    }

    #[test]
    fn a_file_of_mistakes_has_a_bound() {
        let missing: Vec<String> = (0..50).map(|number| format!("unknown{number}")).collect();
        let path = format!("name ?? {}", missing.join(" ?? "));
        assert_eq!(names_compared(200, &path), NAMES_COMPARED);
    }
}
