//! Evaluates compiled expressions on an event.
//!
//! Pure and total: every expression gives a value, null, nothing, or a [`Fault`] with the place of the failing
//! call. The work of one event is bounded by a number of steps.

pub(super) mod field;
mod moment;
mod path;
pub(super) mod rule;

use std::{borrow::Cow, cell::Cell, cmp::Ordering, fmt};

pub(super) use moment::{Listener, Moment};
use path::resolve_as;
pub(super) use path::{name_like_the_missing, resolve};

use super::{
    compiled::{Expr, ExprKind, Header, Join, PipeStep, Table, Template, TemplatePart, Transform},
    expression::Operator,
    function::Function,
    limits::{self, TEXT_BYTES_PER_STEP},
    number,
    transform::{self, text},
    tree::Tree,
    value::Value,
};
use crate::diag::Span;

/// Why an expression gives no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The failing call, or the expression where no call failed.
    pub(super) span: Span,
    /// The transform that failed.
    pub(super) call: Option<&'static str>,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            span,
            call: None,
            message: message.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(call) = self.call {
            write!(f, "{call}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// The mapping of one event.
pub(super) struct Run<'a> {
    pub(super) body: &'a Tree<'a>,
    headers: &'a [(String, String)],
    pub(super) tables: &'a [Table],
    steps: Cell<u64>,
    listener: Option<&'a Listener<'a>>,
}

impl<'a> Run<'a> {
    /// A run that may take as many steps as any event.
    pub(super) fn new(
        body: &'a Tree<'a>,
        headers: &'a [(String, String)],
        tables: &'a [Table],
    ) -> Self {
        Self::within(body, headers, tables, limits::STEPS_PER_EVENT)
    }

    /// A run that may take so many steps.
    pub(super) fn within(
        body: &'a Tree<'a>,
        headers: &'a [(String, String)],
        tables: &'a [Table],
        steps: u64,
    ) -> Self {
        Self {
            body,
            headers,
            tables,
            steps: Cell::new(steps),
            listener: None,
        }
    }

    /// Tells somebody of every step.
    pub(super) fn told_to(self, listener: Option<&'a Listener<'a>>) -> Self {
        Self { listener, ..self }
    }

    /// Lets a listener look at expressions again without paying from the event's steps.
    pub(super) fn aside<T>(&self, look: impl FnOnce() -> T) -> T {
        let left = self.steps.replace(limits::STEPS_PER_EVENT);
        let seen = look();
        self.steps.set(left);
        seen
    }

    /// The value of a header of the request.
    pub(super) fn header(&self, header: &Header) -> Value<'a> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(name, _)| *name == header.name);
        found.map_or(Value::Absent, |(_, value)| {
            Value::Text(Cow::Borrowed(value))
        })
    }

    /// Pays for work that depends on the event.
    fn spend(&self, steps: usize, span: Span) -> Result<(), Fault> {
        let left = self
            .steps
            .get()
            .checked_sub(u64::try_from(steps).unwrap_or(u64::MAX));
        self.steps.set(left.unwrap_or(0));
        match left {
            Some(_) => Ok(()),
            None => Err(Fault::new(span, EXHAUSTED)),
        }
    }

    /// Whether the event asked for more work than any event may.
    pub(super) fn is_exhausted(&self) -> bool {
        self.steps.get() == 0
    }
}

/// Why an event that asks for too much work fails.
pub(super) const EXHAUSTED: &str = "mapping this event takes too much work";

/// Where names begin: the current element, and the ones above it.
pub(super) struct Scope<'s, 'a> {
    pub(super) run: &'s Run<'a>,
    pub(super) element: Value<'a>,
    pub(super) above: Option<&'s Self>,
}

impl<'s, 'a> Scope<'s, 'a> {
    pub(super) fn item(run: &'s Run<'a>, element: Value<'a>) -> Self {
        Self {
            run,
            element,
            above: None,
        }
    }

    pub(super) fn inner(&'s self, element: Value<'a>) -> Self {
        Self {
            run: self.run,
            element,
            above: Some(self),
        }
    }
}

/// The value of an expression.
pub(super) fn evaluate<'a>(expr: &'a Expr, scope: &Scope<'_, 'a>) -> Result<Value<'a>, Fault> {
    scope.run.spend(1, expr.span)?;
    match &expr.kind {
        ExprKind::Constant(value) => Ok(value.borrowed()),
        ExprKind::Path(path) => resolve(path, scope, expr.span, limits::LIST_ENTRIES),
        ExprKind::Header(header) => Ok(scope.run.header(header)),
        ExprKind::List(parts) => {
            let mut elements = Vec::with_capacity(parts.len());
            for part in parts {
                match evaluate(part, scope)? {
                    Value::Absent => {}
                    value => elements.push(value),
                }
            }
            Ok(Value::List(elements))
        }
        ExprKind::Fallback(parts) => fallback(parts, |part| evaluate(part, scope)),
        ExprKind::Pipe { input, steps } => {
            let mut value = evaluate(input, scope)?;
            for step in steps {
                value = pipe_step(step, value, scope)?;
            }
            Ok(value)
        }
        ExprKind::Template(template) => filled(template, scope),
        ExprKind::Join(join) => joined(join, scope, expr.span),
        ExprKind::Test(function, inner) => {
            let value = evaluate(inner, scope)?;
            Ok(Value::Bool(match function {
                Function::IsNull => value == Value::Null,
                Function::IsBlank => value.is_blank(),
                _ => value != Value::Absent,
            }))
        }
        ExprKind::Compare {
            operator,
            left,
            right,
        } => {
            let left = evaluate(left, scope)?;
            let right = evaluate(right, scope)?;
            compare(*operator, &left, right, scope.run, expr.span).map(Value::Bool)
        }
        ExprKind::Not(inner) => match evaluate(inner, scope)? {
            Value::Bool(flag) => Ok(Value::Bool(!flag)),
            value if value.has_no_value() => Ok(value),
            other => Err(not_a_condition(inner.span, &other)),
        },
        ExprKind::And(parts) => {
            for part in parts {
                if !holds(part, scope)? {
                    return Ok(Value::Bool(false));
                }
            }
            Ok(Value::Bool(true))
        }
        ExprKind::Or(parts) => {
            for part in parts {
                if holds(part, scope)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
    }
}

/// Whether a condition holds; without a value it does not.
pub(super) fn holds<'a>(expr: &'a Expr, scope: &Scope<'_, 'a>) -> Result<bool, Fault> {
    match evaluate(expr, scope)? {
        Value::Bool(flag) => Ok(flag),
        value if value.has_no_value() => Ok(false),
        other => Err(not_a_condition(expr.span, &other)),
    }
}

/// The elements of a list expression, however many; `None` where there is no list.
pub(super) fn elements<'a>(
    expr: &'a Expr,
    scope: &Scope<'_, 'a>,
) -> Result<Option<Vec<Value<'a>>>, Fault> {
    let found = match whole_list(expr, scope)? {
        Value::Absent | Value::Null => return Ok(None),
        Value::List(elements) => Ok(elements),
        Value::Tree(tree) => match tree.elements() {
            Some(elements) => Ok(elements.iter().map(Value::to_enter).collect()),
            None => Err(Value::of_tree(tree)),
        },
        other => Err(other),
    };
    found
        .map(Some)
        .map_err(|other| Fault::new(expr.span, format!("expected a list, got {}", other.kind())))
}

/// [`elements`] for `each`. Where it finds none, and something else stands in the place of a list, that is a fault:
/// updates would be lost without a word.
pub(super) fn each_element<'a>(
    expr: &'a Expr,
    scope: &Scope<'_, 'a>,
) -> Result<Option<Vec<Value<'a>>>, Fault> {
    let found = elements(expr, scope)?;
    if found.as_ref().is_none_or(Vec::is_empty)
        && let Some(other) = in_place_of_list(expr, scope)?
    {
        let message = format!("expected a list, got {}", other.kind());
        return Err(Fault::new(expr.span, message));
    }
    Ok(found)
}

/// What stands where a path with `[]`, or one of several, should find a list.
#[cold]
fn in_place_of_list<'a>(expr: &'a Expr, scope: &Scope<'_, 'a>) -> Result<Option<Value<'a>>, Fault> {
    match &expr.kind {
        ExprKind::Path(path) => path::in_place_of_list(path, scope, expr.span),
        ExprKind::Fallback(parts) => {
            for part in parts {
                if let Some(other) = in_place_of_list(part, scope)? {
                    return Ok(Some(other));
                }
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

/// Like [`evaluate`], for elements to go on into, and without the limit on the length of a path's list: the number of
/// updates has its own.
fn whole_list<'a>(expr: &'a Expr, scope: &Scope<'_, 'a>) -> Result<Value<'a>, Fault> {
    match &expr.kind {
        ExprKind::Path(path) => resolve_as(Value::to_enter, path, scope, expr.span, usize::MAX),
        ExprKind::Fallback(parts) => fallback(parts, |part| whole_list(part, scope)),
        _ => evaluate(expr, scope),
    }
}

/// The first value; else null if any was null, else blank if any was blank, else absent.
fn fallback<'a>(
    parts: &'a [Expr],
    evaluate: impl Fn(&'a Expr) -> Result<Value<'a>, Fault>,
) -> Result<Value<'a>, Fault> {
    let mut best = Value::Absent;
    for part in parts {
        let value = evaluate(part)?;
        if !value.has_no_value() {
            return Ok(value);
        }
        let better = match &value {
            Value::Null => true,
            Value::Absent => false,
            _ => best == Value::Absent,
        };
        if better {
            best = value;
        }
    }
    Ok(best)
}

/// The value after one step of a pipe.
pub(super) fn pipe_step<'a>(
    step: &'a PipeStep,
    input: Value<'a>,
    scope: &Scope<'_, 'a>,
) -> Result<Value<'a>, Fault> {
    if let Transform::Default(replacement) = &step.transform {
        return if input.has_no_value() {
            evaluate(replacement, scope)
        } else {
            Ok(input)
        };
    }
    scope
        .run
        .spend(transform::work(&step.transform, &input), step.span)?;
    transform::apply(&step.transform, input, scope.run.tables).map_err(|message| Fault {
        span: step.span,
        call: Some(step.function.name()),
        message,
    })
}

/// Room for a text that is put together, in bytes.
const USUAL_TEXT: usize = 32;

fn joined<'a>(join: &'a Join, scope: &Scope<'_, 'a>, span: Span) -> Result<Value<'a>, Fault> {
    let fault = |message: String| Fault {
        span,
        call: Some(join.function.name()),
        message,
    };
    let mut out = String::with_capacity(USUAL_TEXT);
    let mut any = false;
    let mut any_variable = false;
    for part in &join.parts {
        let is_fixed = part.is_fixed();
        let values = match evaluate(part, scope)?.elements() {
            Ok(elements) => elements,
            Err(single) => vec![single],
        };
        scope.run.spend(values.len(), span)?;
        for value in values {
            if value.has_no_value() {
                continue;
            }
            let text = value
                .into_text()
                .map_err(|other| fault(format!("expected a text, got {}", other.kind())))?;
            if any {
                out.push_str(&join.separator);
            }
            scope.run.spend(text.len() / TEXT_BYTES_PER_STEP, span)?;
            out.push_str(&text);
            any = true;
            any_variable |= !is_fixed;
        }
        // Bytes: at most four for a character. The exact check follows.
        if out.len() > limits::TEXT_CHARS * 4 {
            break;
        }
    }
    if !any || (join.needs_variable && !any_variable) {
        return Ok(Value::Absent);
    }
    let value = Value::Text(Cow::Owned(out));
    transform::check_size(&value).map_err(fault)?;
    Ok(value)
}

/// The text of a template; absent when any of its parts has no value.
fn filled<'a>(template: &'a Template, scope: &Scope<'_, 'a>) -> Result<Value<'a>, Fault> {
    let mut out = String::with_capacity(USUAL_TEXT);
    for part in &template.parts {
        match part {
            TemplatePart::Text(text) => out.push_str(text),
            TemplatePart::Expression(expr) => {
                let value = evaluate(expr, scope)?;
                if value.has_no_value() {
                    return Ok(Value::Absent);
                }
                let text = value.into_text().map_err(|other| {
                    Fault::new(expr.span, format!("expected a text, got {}", other.kind()))
                })?;
                scope
                    .run
                    .spend(text.len() / TEXT_BYTES_PER_STEP, expr.span)?;
                out.push_str(&text);
                let value = Value::Text(Cow::Borrowed(out.as_str()));
                transform::check_size(&value).map_err(|message| Fault::new(expr.span, message))?;
            }
        }
    }
    Ok(Value::Text(Cow::Owned(out)))
}

fn compare(
    operator: Operator,
    left: &Value<'_>,
    right: Value<'_>,
    run: &Run<'_>,
    span: Span,
) -> Result<bool, Fault> {
    match operator {
        Operator::Equal | Operator::NotEqual => {
            run.spend(left.equality_work(&right), span)?;
            Ok(left.equals(&right) == (operator == Operator::Equal))
        }
        Operator::In => {
            if right.has_no_value() {
                return Ok(false);
            }
            run.spend(right.size(), span)?;
            let elements = right.elements().map_err(|other| {
                Fault::new(
                    span,
                    format!("`in` needs a list on its right, got {}", other.kind()),
                )
            })?;
            for element in &elements {
                run.spend(left.equality_work(element), span)?;
                if left.equals(element) {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            if left.has_no_value() || right.has_no_value() {
                return Ok(false);
            }
            let order = match (left, &right) {
                (Value::Number(l), Value::Number(r)) => {
                    run.spend(left.equality_work(&right), span)?;
                    number::compare(l, r)
                }
                (Value::DateTime(left), Value::DateTime(right)) => left.cmp(right),
                _ => {
                    return Err(Fault::new(
                        span,
                        format!(
                            "`{}` compares two numbers or two dates, got {} and {}",
                            operator.as_str(),
                            left.kind(),
                            right.kind()
                        ),
                    ));
                }
            };
            Ok(match operator {
                Operator::Less => order == Ordering::Less,
                Operator::LessOrEqual => order != Ordering::Greater,
                Operator::Greater => order == Ordering::Greater,
                _ => order != Ordering::Less,
            })
        }
    }
}

fn not_a_condition(span: Span, value: &Value<'_>) -> Fault {
    Fault::new(
        span,
        format!("expected true or false, got {}", value.kind()),
    )
}

/// The trimmed text of a value that names somebody; `None` without a value.
fn identifying_text<'a>(
    expr: &'a Expr,
    scope: &Scope<'_, 'a>,
) -> Result<Option<Cow<'a, str>>, Fault> {
    let value = evaluate(expr, scope)?;
    if value.has_no_value() {
        return Ok(None);
    }
    transform::check_size(&value).map_err(|message| Fault::new(expr.span, message))?;
    let text = value
        .into_text()
        .map_err(|other| Fault::new(expr.span, format!("expected a text, got {}", other.kind())))?;
    Ok(Some(text::trimmed(text)))
}
