//! Whether a condition holds, in a line that names the values which decide it.

use super::{
    shown::{Shown, ShownKind},
    steps::one_line,
};
use crate::mapping::{
    compiled::{Expr, ExprKind},
    evaluate::{Fault, Scope, evaluate, holds},
    value::Value,
};

/// `no: type is 'contact.updated'`
pub(super) fn answer<'a>(
    condition: &'a Expr,
    holds: &Result<bool, Fault>,
    scope: &Scope<'_, 'a>,
) -> Shown {
    let (kind, word) = match holds {
        Ok(true) => (ShownKind::Yes, "yes"),
        Ok(false) => (ShownKind::No, "no"),
        Err(fault) => return Shown::error(&fault.to_string()),
    };
    let mut reasons = Vec::new();
    gather(condition, scope, &mut reasons);
    if reasons.is_empty() {
        return Shown::new(kind, word);
    }
    Shown::new(kind, format!("{word}: {}", reasons.join(", ")))
}

/// Adds `text is value` for each value that decides the condition, each once.
fn gather<'a>(condition: &'a Expr, scope: &Scope<'_, 'a>, out: &mut Vec<String>) {
    match &condition.kind {
        ExprKind::Constant(_) => {}
        ExprKind::Compare { left, right, .. } => {
            value(left, scope, out);
            value(right, scope, out);
        }
        ExprKind::Test(_, inner) => test(inner, scope, out),
        ExprKind::Not(inner) => gather(inner, scope, out),
        ExprKind::And(parts) => decisive(parts, false, scope, out),
        ExprKind::Or(parts) => decisive(parts, true, scope, out),
        _ => value(condition, scope, out),
    }
}

/// One part that is `deciding` decides alone; without one, all parts together do.
fn decisive<'a>(parts: &'a [Expr], deciding: bool, scope: &Scope<'_, 'a>, out: &mut Vec<String>) {
    let alone = parts
        .iter()
        .find(|part| matches!(holds(part, scope), Ok(holds) if holds == deciding));
    match alone {
        Some(part) => gather(part, scope, out),
        None => parts.iter().for_each(|part| gather(part, scope, out)),
    }
}

/// Of what is asked about, what it is is enough.
fn test<'a>(expr: &'a Expr, scope: &Scope<'_, 'a>, out: &mut Vec<String>) {
    match evaluate(expr, scope) {
        Ok(value @ (Value::Tree(_) | Value::List(_))) if !value.is_blank() => {
            add(expr, value.kind(), out);
        }
        result => add(expr, &Shown::result(&result).text, out),
    }
}

fn value<'a>(expr: &'a Expr, scope: &Scope<'_, 'a>, out: &mut Vec<String>) {
    match &expr.kind {
        ExprKind::Constant(_) => {}
        ExprKind::List(parts) => parts.iter().for_each(|part| value(part, scope, out)),
        _ => add(expr, &Shown::result(&evaluate(expr, scope)).text, out),
    }
}

fn add(expr: &Expr, shown: &str, out: &mut Vec<String>) {
    let reason = format!("{} is {shown}", one_line(&expr.text));
    if !out.contains(&reason) {
        out.push(reason);
    }
}
