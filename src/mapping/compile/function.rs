//! Checks the use of functions: whether they exist, how they are called, with what, and on what.

mod header;
mod transform;

use self::transform::text_literal;
use super::{
    Compiler,
    expression::{Place, Typed},
};
use crate::{
    diag::{Diagnostic, Span, did_you_mean},
    mapping::{
        codes,
        compiled::{Expr, ExprKind, Join, PipeStep},
        expression::{Argument, Call, Expression},
        function::Function,
        types::Type,
    },
};

/// An expression's text with its place in the file and its level below the item.
#[derive(Clone, Copy)]
struct At<'a> {
    text: &'a str,
    place: Place<'a>,
    level: usize,
}

impl Compiler<'_> {
    pub(super) fn pipe(
        &mut self,
        input: &Expression,
        calls: &[Call],
        text: &str,
        place: Place<'_>,
        level: usize,
    ) -> Option<(ExprKind, Type)> {
        let at = At { text, place, level };
        let input_at = &input.at;
        let mut end_of_input = input_at.end;
        let input = self.lower(input, text, place, level)?;
        let mut gives = input.gives;
        let mut so_far = input.expr.span;
        let mut steps = Vec::with_capacity(calls.len());
        for call in calls {
            let function = self.function(call, place)?;
            if !function.is_piped() {
                let before = text.get(input_at.start..end_of_input).unwrap_or_default();
                let arguments = call.arguments.iter().map(|argument| &argument.at);
                let arguments: Vec<&str> = std::iter::once(before)
                    .chain(arguments.filter_map(|at| text.get(at.clone())))
                    .collect();
                let help = match function {
                    // The first argument of one is the separator, and the other takes no value.
                    Function::Join | Function::Header => written(function),
                    _ => format!("write `{}({})`", call.name, arguments.join(", ")),
                };
                self.refuse_call(
                    place.span(&call.at),
                    format!("`{}` does not follow `|`", call.name),
                    help,
                );
                return None;
            }
            self.check_input(function, &gives, so_far)?;
            let step_span = place.span(&call.at);
            let (transform, result) = self.transform(function, call, &gives, at)?;
            steps.push(PipeStep {
                function,
                transform,
                span: step_span,
                text: text.get(call.at.clone()).unwrap_or_default().into(),
            });
            gives = result;
            end_of_input = call.at.end;
            so_far = Span::new(so_far.start.min(step_span.start), step_span.end);
        }
        let kind = ExprKind::Pipe {
            input: Box::new(input.expr),
            steps,
        };
        Some((kind, gives))
    }

    pub(super) fn call(
        &mut self,
        call: &Call,
        span: Span,
        text: &str,
        place: Place<'_>,
        level: usize,
    ) -> Option<(ExprKind, Type)> {
        let function = self.function(call, place)?;
        if function.is_piped() {
            let help = match call.arguments.as_slice() {
                [
                    Argument {
                        name: None, value, ..
                    },
                ] => {
                    let value = text.get(value.at.clone()).unwrap_or_default();
                    format!("write `{value} | {}`", call.name)
                }
                _ => written(function),
            };
            self.refuse_call(
                span,
                format!("`{}` follows the value it works on", call.name),
                help,
            );
            return None;
        }
        if function == Function::Header {
            return self.header(call, span, text, place);
        }
        if call
            .arguments
            .iter()
            .any(|argument| argument.name.is_some())
        {
            self.wrong_arguments(
                function,
                span,
                format!("`{}` has no named arguments", call.name),
            );
            return None;
        }
        let values: Vec<Option<Typed>> = call
            .arguments
            .iter()
            .map(|argument| self.lower(&argument.value, text, place, level))
            .collect();
        let values: Vec<Typed> = values.into_iter().collect::<Option<_>>()?;
        match function {
            Function::Join | Function::Concat => {
                let separator = match (function, call.arguments.first()) {
                    (Function::Concat, _) => Some(String::new()),
                    (_, Some(first)) => text_literal(first).map(ToOwned::to_owned),
                    _ => None,
                };
                let skip = usize::from(function == Function::Join);
                let (Some(separator), true) = (separator, values.len() > skip) else {
                    self.wrong_arguments(
                        function,
                        span,
                        format!("`{}` needs other arguments", call.name),
                    );
                    return None;
                };
                let parts: Vec<Typed> = values.into_iter().skip(skip).collect();
                for part in &parts {
                    self.check_input(function, &part.gives, part.expr.span)?;
                }
                let parts: Vec<Expr> = parts.into_iter().map(|part| part.expr).collect();
                let join = Join {
                    function,
                    separator,
                    needs_variable: !parts.iter().all(Expr::is_fixed),
                    parts,
                };
                Some((ExprKind::Join(join), Type::Text))
            }
            _ => {
                let mut values = values.into_iter();
                let (Some(value), None) = (values.next(), values.next()) else {
                    self.wrong_arguments(
                        function,
                        span,
                        format!("`{}` takes one value", call.name),
                    );
                    return None;
                };
                let kind = ExprKind::Test(function, Box::new(value.expr));
                Some((kind, Type::Bool))
            }
        }
    }

    fn function(&mut self, call: &Call, place: Place<'_>) -> Option<Function> {
        let function = Function::from_name(&call.name);
        if function.is_none() {
            self.error(
                Diagnostic::error(
                    codes::UNKNOWN_TRANSFORM,
                    format!("no transform `{}`", call.name),
                )
                .at(place.span(&call.name_at), "unknown transform")
                .help(meant(&call.name)),
            );
        }
        function
    }

    fn wrong_arguments(&mut self, function: Function, span: Span, message: String) {
        self.refuse_call(span, message, written(function));
    }

    fn refuse_call(&mut self, span: Span, message: String, help: String) {
        self.error(
            Diagnostic::error(codes::WRONG_ARGUMENTS, message)
                .at(span, "")
                .help(help),
        );
    }

    /// Whether a function takes what it is given.
    fn check_input(&mut self, function: Function, given: &Type, span: Span) -> Option<()> {
        let single = given.single();
        let (fits, takes) = match function {
            Function::Default => (true, ""),
            Function::First
            | Function::Last
            | Function::Unique
            | Function::Compact
            | Function::Count => (
                matches!(given, Type::List(_) | Type::Any | Type::Null),
                "a list",
            ),
            Function::Bool | Function::Lookup => (
                single.may_be_text() || *single == Type::Bool,
                "text, a number, or true and false",
            ),
            Function::UnixS | Function::UnixMs | Function::Number => (
                matches!(single, Type::Number | Type::Text | Type::Any | Type::Null),
                "a number or text",
            ),
            Function::DateTime | Function::DayFirst => (
                matches!(single, Type::Text | Type::Any | Type::Null | Type::DateTime),
                "text",
            ),
            _ => (single.may_be_text(), "text"),
        };
        if fits {
            return Some(());
        }
        let help = match (function, single) {
            (Function::DateTime | Function::DayFirst, Type::Number) => {
                "use `| unix_s` or `| unix_ms`"
            }
            (_, Type::Bool) => {
                "use `lookup` with a table, or `cases`, to say which text stands for true and false"
            }
            (
                Function::First
                | Function::Last
                | Function::Unique
                | Function::Compact
                | Function::Count,
                _,
            ) => "a path to a list ends with `[]`",
            _ => "",
        };
        self.error(
            Diagnostic::error(
                codes::WRONG_TYPE,
                format!(
                    "`{}` takes {takes}, but this gives {}",
                    function.name(),
                    given.described()
                ),
            )
            .at(span, format!("gives {}", given.described()))
            .maybe_help((!help.is_empty()).then(|| help.to_owned())),
        );
        None
    }
}

/// How a function is written, for help lines.
fn written(function: Function) -> String {
    format!(
        "it is written `{}`",
        function.usage().replace(", or ", "`, or `")
    )
}

/// What to write in place of a function that does not exist.
fn meant(name: &str) -> String {
    let function = Function::meant_by(name);
    function
        .map(|function| format!("did you mean `{}`?", function.name()))
        .or_else(|| did_you_mean(name, Function::ALL.into_iter().map(Function::name)))
        .unwrap_or_else(|| "`quentli-gateway functions` lists all of them".to_owned())
}
