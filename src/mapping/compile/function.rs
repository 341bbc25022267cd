//! Checks the use of functions: whether they exist, how they are called, with what, and on what.

use std::ops::Range;

use regex_lite::Regex;

use super::{
    Compiler,
    expression::{Place, Typed, constant},
    zone_or_report,
};
use crate::{
    diag::{Diagnostic, Span, did_you_mean},
    mapping::{
        codes,
        compiled::{Expr, ExprKind, Join, Otherwise, PipeStep, Transform},
        expression::{Argument, Call, Expression, Kind as Written, Literal, Start, Step},
        function::Function,
        transform::{
            datetime::{Format, Pattern},
            phone::Region,
        },
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
        span: Span,
        text: &str,
        place: Place<'_>,
        level: usize,
    ) -> Option<Typed> {
        let at = At { text, place, level };
        let input = self.lower(input, text, place, level)?;
        let mut gives = input.gives;
        let mut so_far = input.expr.span;
        let mut steps = Vec::with_capacity(calls.len());
        for call in calls {
            let function = self.function(call, place)?;
            if !function.is_piped() {
                self.wrong_arguments(
                    function,
                    place.span(&call.at),
                    format!("`{}` does not follow `|`", call.name),
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
            });
            gives = result;
            so_far = Span::new(so_far.start.min(step_span.start), step_span.end);
        }
        Some(Typed {
            expr: Expr {
                kind: ExprKind::Pipe {
                    input: Box::new(input.expr),
                    steps,
                },
                span,
            },
            gives,
        })
    }

    pub(super) fn call(
        &mut self,
        call: &Call,
        span: Span,
        text: &str,
        place: Place<'_>,
        level: usize,
    ) -> Option<Typed> {
        let function = self.function(call, place)?;
        if function.is_piped() {
            self.wrong_arguments(
                function,
                span,
                format!("`{}` follows the value it works on", call.name),
            );
            return None;
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
        let (kind, gives) = match function {
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
                let join = Join {
                    function,
                    separator,
                    parts: parts.into_iter().map(|part| part.expr).collect(),
                    needs_variable: false,
                };
                (ExprKind::Join(join), Type::Text)
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
                (ExprKind::Test(function, Box::new(value.expr)), Type::Bool)
            }
        };
        Some(Typed {
            expr: Expr { kind, span },
            gives,
        })
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
                .help(
                    did_you_mean(&call.name, Function::ALL.into_iter().map(Function::name))
                        .unwrap_or_else(|| "`quentli-gateway functions` lists them".to_owned()),
                ),
            );
        }
        function
    }

    fn wrong_arguments(&mut self, function: Function, span: Span, message: String) {
        self.error(
            Diagnostic::error(codes::WRONG_ARGUMENTS, message)
                .at(span, "")
                .help(format!("it is written `{}`", function.usage())),
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
            Function::DateTime => (
                matches!(single, Type::Text | Type::Any | Type::Null | Type::DateTime),
                "text",
            ),
            _ => (single.may_be_text(), "text"),
        };
        if fits {
            return Some(());
        }
        let help = match (function, single) {
            (Function::DateTime, Type::Number) => "use `| unix_s` or `| unix_ms`",
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

    /// The transform of a call, and what it gives for this input.
    fn transform(
        &mut self,
        function: Function,
        call: &Call,
        given: &Type,
        at: At<'_>,
    ) -> Option<(Transform, Type)> {
        let text = |transform| Some((transform, given.each(Type::Text)));
        match (function, call.arguments.as_slice()) {
            (Function::Trim, []) => text(Transform::Trim),
            (Function::Lower, []) => text(Transform::Lower),
            (Function::Upper, []) => text(Transform::Upper),
            (Function::Title, []) => text(Transform::Title),
            (Function::Squeeze, []) => text(Transform::Squeeze),
            (Function::Digits, []) => text(Transform::Digits),
            (Function::Text, []) => text(Transform::Text),
            (Function::Replace, [from, to]) => match (filled_literal(from), text_literal(to)) {
                (Some(from), Some(to)) => text(Transform::Replace {
                    from: from.to_owned(),
                    to: to.to_owned(),
                }),
                _ => self.arguments_of(function, call, at),
            },
            (Function::MaxLen, [argument]) => match number_literal(argument) {
                Some(chars) => text(Transform::MaxLen(chars)),
                None => self.arguments_of(function, call, at),
            },
            (
                Function::StripPrefix
                | Function::StripSuffix
                | Function::RequirePrefix
                | Function::StartsWith
                | Function::EndsWith
                | Function::Contains
                | Function::Split,
                [argument],
            ) => {
                let Some(argument) = filled_literal(argument).map(ToOwned::to_owned) else {
                    return self.arguments_of(function, call, at);
                };
                Some(match function {
                    Function::StripPrefix => {
                        (Transform::StripPrefix(argument), given.each(Type::Text))
                    }
                    Function::StripSuffix => {
                        (Transform::StripSuffix(argument), given.each(Type::Text))
                    }
                    Function::RequirePrefix => {
                        (Transform::RequirePrefix(argument), given.each(Type::Text))
                    }
                    Function::StartsWith => {
                        (Transform::StartsWith(argument), given.each(Type::Bool))
                    }
                    Function::EndsWith => (Transform::EndsWith(argument), given.each(Type::Bool)),
                    Function::Contains => (Transform::Contains(argument), Type::Bool),
                    _ => (Transform::Split(argument), Type::list(Type::Text)),
                })
            }
            (Function::Matches, [argument]) => {
                let Some(pattern) = text_literal(argument) else {
                    return self.arguments_of(function, call, at);
                };
                match Regex::new(pattern) {
                    Ok(regex) => Some((Transform::Matches(regex), given.each(Type::Bool))),
                    Err(error) => {
                        self.error(
                            Diagnostic::error(
                                codes::WRONG_ARGUMENTS,
                                format!("this is not a regular expression: {error}"),
                            )
                            .at(at.place.span(&argument.value.at), ""),
                        );
                        None
                    }
                }
            }
            (Function::Number, []) => Some((Transform::Number, given.each(Type::Number))),
            (Function::Bool, []) => Some((Transform::Bool, given.each(Type::Bool))),
            (Function::Email, []) => Some((Transform::Email, given.each(Type::Email))),
            (Function::UnixS, []) => Some((Transform::Unix(1000), given.each(Type::DateTime))),
            (Function::UnixMs, []) => Some((Transform::Unix(1), given.each(Type::DateTime))),
            (Function::Phone, arguments) => self.phone(function, call, arguments, given, at),
            (Function::DateTime, arguments) => self.datetime(function, call, arguments, given, at),
            (Function::Lookup, [table]) => self.lookup(table, None, given, at),
            (Function::Lookup, [table, otherwise]) if otherwise.name.as_deref() == Some("else") => {
                self.lookup(table, Some(&otherwise.value), given, at)
            }
            (Function::Default, [argument]) if argument.name.is_none() => {
                let value = self.lower(&argument.value, at.text, at.place, at.level)?;
                let either = given.clone().or(value.gives);
                Some((Transform::Default(Box::new(value.expr)), either))
            }
            (Function::First, []) => Some((Transform::First, given.single().clone())),
            (Function::Last, []) => Some((Transform::Last, given.single().clone())),
            (Function::Unique, []) => Some((Transform::Unique, listed(given))),
            (Function::Compact, []) => Some((Transform::Compact, listed(given))),
            (Function::Count, []) => Some((Transform::Count, Type::Number)),
            _ => self.arguments_of(function, call, at),
        }
    }

    fn arguments_of<T>(&mut self, function: Function, call: &Call, at: At<'_>) -> Option<T> {
        let message = if call.arguments.is_empty() {
            format!("`{}` needs arguments", call.name)
        } else {
            format!("`{}` does not take these arguments", call.name)
        };
        self.wrong_arguments(function, at.place.span(&call.at), message);
        None
    }

    fn phone(
        &mut self,
        function: Function,
        call: &Call,
        arguments: &[Argument],
        given: &Type,
        at: At<'_>,
    ) -> Option<(Transform, Type)> {
        self.uses_phone = true;
        let region = match arguments {
            [] => self.region,
            [argument] => {
                let Some(code) = text_literal(argument) else {
                    return self.arguments_of(function, call, at);
                };
                let Some(region) = Region::from_code(code) else {
                    let span = at.place.span(&argument.value.at);
                    self.wrong_arguments(function, span, format!("no region `{code}`"));
                    return None;
                };
                region
            }
            _ => return self.arguments_of(function, call, at),
        };
        Some((Transform::Phone(region), given.each(Type::Phone)))
    }

    fn datetime(
        &mut self,
        function: Function,
        call: &Call,
        arguments: &[Argument],
        given: &Type,
        at: At<'_>,
    ) -> Option<(Transform, Type)> {
        let mut pattern = None;
        let mut zone = None;
        for argument in arguments {
            let span = at.place.span(&argument.value.at);
            let Written::Literal(Literal::Text(written)) = &argument.value.kind else {
                return self.arguments_of(function, call, at);
            };
            match argument.name.as_deref() {
                None if pattern.is_none() => match Pattern::parse(written) {
                    Ok(parsed) => pattern = Some(parsed),
                    Err(message) => {
                        self.wrong_arguments(function, span, message);
                        return None;
                    }
                },
                Some("tz") if zone.is_none() => {
                    zone = Some(zone_or_report(
                        written,
                        span,
                        codes::WRONG_ARGUMENTS,
                        self.out,
                    )?);
                }
                _ => return self.arguments_of(function, call, at),
            }
        }
        let zone = zone.unwrap_or_else(|| self.zone.clone());
        Some((
            Transform::DateTime(Format::new(pattern, zone)),
            given.each(Type::DateTime),
        ))
    }

    fn lookup(
        &mut self,
        table: &Argument,
        otherwise: Option<&Expression>,
        given: &Type,
        at: At<'_>,
    ) -> Option<(Transform, Type)> {
        let span = |range: &Range<usize>| at.place.span(range);
        let name = bare_name(&table.value).filter(|_| table.name.is_none());
        let Some(name) = name else {
            self.wrong_arguments(
                Function::Lookup,
                span(&table.value.at),
                "the name of a table is expected".to_owned(),
            );
            return None;
        };
        let place = self
            .tables
            .iter()
            .position(|known| known.table.name == name);
        let Some((number, known)) =
            place.and_then(|place| Some((place, self.tables.get_mut(place)?)))
        else {
            let known: Vec<&str> = self
                .tables
                .iter()
                .map(|known| known.table.name.as_str())
                .collect();
            let help = did_you_mean(name, known.iter().copied()).unwrap_or_else(|| {
                if known.is_empty() {
                    "the file has no `tables`".to_owned()
                } else {
                    format!("the file has: {}", known.join(", "))
                }
            });
            let message = format!("no table `{name}`");
            self.error(
                Diagnostic::error(codes::UNKNOWN_TABLE, message)
                    .at(span(&table.value.at), "unknown table")
                    .help(help),
            );
            return None;
        };
        known.is_used = true;
        let value = known.gives.clone();
        let (otherwise, result) = match otherwise {
            None => (Otherwise::Fail, value),
            Some(written) if bare_name(written) == Some("skip") => (Otherwise::Skip, value),
            Some(Expression {
                kind: Written::Literal(literal),
                ..
            }) => {
                let (other, otherwise) = constant(literal);
                (Otherwise::Value(other), value.or(otherwise))
            }
            Some(written) => {
                self.wrong_arguments(
                    Function::Lookup,
                    span(&written.at),
                    "`else` is a literal, null or skip".to_owned(),
                );
                return None;
            }
        };
        let transform = Transform::Lookup {
            table: number,
            otherwise,
        };
        Some((transform, given.each(result)))
    }
}

fn listed(given: &Type) -> Type {
    match given {
        Type::List(_) => given.clone(),
        _ => Type::list(Type::Any),
    }
}

/// An argument that is a bare name, such as a table.
fn bare_name(written: &Expression) -> Option<&str> {
    match &written.kind {
        Written::Path(path) if path.start == Start::Element(0) => match path.steps.as_slice() {
            [Step::Key(name)] => Some(name),
            _ => None,
        },
        _ => None,
    }
}

fn text_literal(argument: &Argument) -> Option<&str> {
    match &argument.value.kind {
        Written::Literal(Literal::Text(text)) if argument.name.is_none() => Some(text),
        _ => None,
    }
}

/// A text that is not empty.
fn filled_literal(argument: &Argument) -> Option<&str> {
    text_literal(argument).filter(|text| !text.is_empty())
}

fn number_literal(argument: &Argument) -> Option<usize> {
    match &argument.value.kind {
        Written::Literal(Literal::Number(number)) if argument.name.is_none() => number.parse().ok(),
        _ => None,
    }
}
