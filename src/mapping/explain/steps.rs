//! An expression with its values: what its paths give, and what each step makes of it.
//!
//! Every value comes from the evaluator's own functions. What is decided here is only which parts are worth a line.

use serde::Serialize;

use super::{
    condition::answer,
    shown::{Shown, ShownKind},
};
use crate::{
    diag::{SourceText, Span},
    mapping::{
        compiled::{Expr, ExprKind, Source, TemplatePart},
        evaluate::{Fault, Scope, evaluate, holds, pipe_step},
        value::Value,
    },
};

/// A part of the file and what it gives on this event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// In the file, from 1; none for a value that has no place of its own.
    pub line: Option<usize>,
    /// 0 for a part of the whole, more for a part of a part.
    pub depth: usize,
    /// As it is written, on one line; `| ` in front of a transform and `?? ` in front of a fallback.
    pub expression: String,
    pub value: Shown,
}

/// Writes the steps of expressions.
pub(super) struct Steps<'f> {
    file: &'f SourceText,
    list: Vec<Step>,
}

impl<'f> Steps<'f> {
    pub(super) fn new(file: &'f SourceText) -> Self {
        Self {
            file,
            list: Vec::new(),
        }
    }

    pub(super) fn finish(self) -> Vec<Step> {
        self.list
    }

    pub(super) fn push(&mut self, span: Option<Span>, depth: usize, text: &str, value: Shown) {
        self.list.push(Step {
            line: span.map(|span| self.file.line_column(span.start).0),
            depth,
            expression: one_line(text),
            value,
        });
    }

    /// All steps of an expression.
    pub(super) fn expression<'a>(&mut self, label: &str, expr: &'a Expr, scope: &Scope<'_, 'a>) {
        let result = self.part(label, expr, scope, 0);
        debug_assert!(
            result == evaluate(expr, scope) || scope.run.is_exhausted(),
            "the steps of `{}` end in another value than it gives",
            expr.text
        );
    }

    /// A condition in one step: whether it holds, and the values that decide it.
    pub(super) fn condition<'a>(
        &mut self,
        label: &str,
        expr: &'a Expr,
        holds: &Result<bool, Fault>,
        scope: &Scope<'_, 'a>,
    ) {
        let text = format!("{label}{}", expr.text);
        self.push(Some(expr.span), 0, &text, answer(expr, holds, scope));
    }

    /// A list, by the number of its elements.
    pub(super) fn list(
        &mut self,
        label: &str,
        expr: &Expr,
        found: &Result<Option<Vec<Value<'_>>>, Fault>,
    ) {
        let shown = match found {
            Err(fault) => Shown::error(&fault.to_string()),
            Ok(None) => Shown::new(ShownKind::Absent, "no list"),
            Ok(Some(elements)) => {
                let kind = if elements.is_empty() {
                    ShownKind::Blank
                } else {
                    ShownKind::Value
                };
                Shown::new(kind, counted(elements.len(), "element"))
            }
        };
        self.push(Some(expr.span), 0, &format!("{label}{}", expr.text), shown);
    }

    /// The source of a form: which case holds, and what its expression gives.
    pub(super) fn source<'a>(&mut self, source: &'a Source, scope: &Scope<'_, 'a>) {
        match source {
            Source::Expression(expr) => self.expression("", expr, scope),
            Source::Constant(value) => {
                let shown = Shown::value(value);
                let text = format!("value: {}", shown.text);
                self.push(None, 0, &text, shown);
            }
            Source::Cases(cases) => {
                for case in cases {
                    let holds = holds(&case.when, scope);
                    self.condition("when ", &case.when, &holds, scope);
                    match holds {
                        Ok(false) => {}
                        Ok(true) => return self.source(&case.source, scope),
                        Err(_) => return,
                    }
                }
                self.push(None, 0, "no case holds", Shown::value(&Value::Absent));
            }
        }
    }

    /// `lead` stands in front of the first line.
    fn part<'a>(
        &mut self,
        lead: &str,
        expr: &'a Expr,
        scope: &Scope<'_, 'a>,
        depth: usize,
    ) -> Result<Value<'a>, Fault> {
        match &expr.kind {
            ExprKind::Pipe { input, steps } => {
                let mut value = self.part(lead, input, scope, depth)?;
                let mut passes_on = false;
                for step in steps {
                    let before = value.clone();
                    let result = pipe_step(step, value, scope);
                    let text = format!("| {}", step.text);
                    // Transforms that pass on what is no value share a line.
                    let is_same = before.has_no_value() && result.as_ref() == Ok(&before);
                    match self.list.last_mut() {
                        Some(last) if is_same && passes_on => {
                            last.expression.push(' ');
                            last.expression.push_str(&text);
                        }
                        _ => self.push(Some(step.span), depth, &text, Shown::result(&result)),
                    }
                    passes_on = is_same;
                    value = result?;
                }
                Ok(value)
            }
            ExprKind::Fallback(parts) => self.fallback(lead, parts, expr, scope, depth),
            _ => {
                let result = evaluate(expr, scope);
                let text = format!("{lead}{}", expr.text);
                self.push(Some(expr.span), depth, &text, Shown::result(&result));
                self.operands(expr, scope, depth + 1);
                result
            }
        }
    }

    fn fallback<'a>(
        &mut self,
        lead: &str,
        parts: &'a [Expr],
        whole: &'a Expr,
        scope: &Scope<'_, 'a>,
        depth: usize,
    ) -> Result<Value<'a>, Fault> {
        let mut last = None;
        for (index, part) in parts.iter().enumerate() {
            let lead = if index == 0 { lead } else { "?? " };
            if matches!(&last, Some(value) if !Value::has_no_value(value)) {
                let text = format!("{lead}{}", part.text);
                self.push(
                    Some(part.span),
                    depth,
                    &text,
                    Shown::new(ShownKind::Unused, "not needed"),
                );
                continue;
            }
            last = Some(self.part(lead, part, scope, depth)?);
        }
        let result = evaluate(whole, scope)?;
        // Of several parts without a value, null counts more than blank, and blank more than absent.
        if last.is_some_and(|last| last.has_no_value() && last != result) {
            self.push(None, depth, "together", Shown::value(&result));
        }
        Ok(result)
    }

    /// What an expression is made of, as far as it is not written out.
    fn operands<'a>(&mut self, expr: &'a Expr, scope: &Scope<'_, 'a>, depth: usize) {
        let mut each = |parts: &mut dyn Iterator<Item = &'a Expr>| {
            for part in parts {
                if self.operand(part, scope, depth).is_err() {
                    break;
                }
            }
        };
        match &expr.kind {
            ExprKind::Constant(_)
            | ExprKind::Path(_)
            | ExprKind::Header(_)
            | ExprKind::Pipe { .. }
            | ExprKind::Fallback(_) => {}
            ExprKind::Test(_, inner) | ExprKind::Not(inner) => each(&mut [&**inner].into_iter()),
            ExprKind::Compare { left, right, .. } => each(&mut [&**left, &**right].into_iter()),
            ExprKind::List(parts) => each(&mut parts.iter()),
            ExprKind::Join(join) => each(&mut join.parts.iter()),
            ExprKind::And(parts) => each(&mut looked_at(parts, false, scope).iter()),
            ExprKind::Or(parts) => each(&mut looked_at(parts, true, scope).iter()),
            ExprKind::Template(template) => {
                each(&mut template.parts.iter().filter_map(|part| match part {
                    TemplatePart::Expression(part) => Some(part),
                    TemplatePart::Text(_) => None,
                }));
            }
        }
    }

    /// Its error is shown with it, and is that of the whole.
    fn operand<'a>(
        &mut self,
        expr: &'a Expr,
        scope: &Scope<'_, 'a>,
        depth: usize,
    ) -> Result<(), Fault> {
        match expr.kind {
            ExprKind::Constant(_) => Ok(()),
            _ => self.part("", expr, scope, depth).map(drop),
        }
    }
}

/// The parts of `and` (`or`) up to the first that does not hold (that holds), where the evaluator stops.
fn looked_at<'a>(parts: &'a [Expr], stops_at: bool, scope: &Scope<'_, 'a>) -> &'a [Expr] {
    let stop = parts
        .iter()
        .position(|part| matches!(holds(part, scope), Ok(holds) if holds == stops_at));
    match stop {
        Some(place) => parts.get(..=place).unwrap_or(parts),
        None => parts,
    }
}

/// An expression without the line breaks that it may have in the file.
pub(super) fn one_line(text: &str) -> String {
    text.split(['\n', '\r', '\t'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// `1 element`, `3 elements`
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
