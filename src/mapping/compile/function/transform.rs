//! Makes the transform of a call out of its arguments.

use std::ops::Range;

use regex_lite::RegexBuilder;

use super::{At, written};
use crate::{
    diag::{Diagnostic, Span, did_you_mean},
    mapping::{
        codes,
        compile::{Compiler, REGIONS, expression::constant, zone_or_report},
        compiled::{Otherwise, Transform},
        expression::{Argument, Call, Expression, Kind as Written, Literal, Start, Step},
        function::Function,
        limits,
        transform::{
            datetime::{Form, Format, Pattern},
            phone::Region,
            text::DecimalSign,
        },
        types::Type,
    },
};

impl Compiler<'_> {
    /// The transform of a call, and what it gives for this input.
    pub(super) fn transform(
        &mut self,
        function: Function,
        call: &Call,
        given: &Type,
        at: At<'_>,
    ) -> Option<(Transform, Type)> {
        self.check_names(function, call, at)?;
        let text = |transform| Some((transform, given.each(Type::Text)));
        match (function, call.arguments.as_slice()) {
            (Function::Trim, []) => text(Transform::Trim),
            (Function::Lower, []) => text(Transform::Lower),
            (Function::Upper, []) => text(Transform::Upper),
            (Function::Title, []) => text(Transform::Title),
            (Function::Squeeze, []) => text(Transform::Squeeze),
            (Function::GivenFirst, []) => text(Transform::GivenFirst),
            (Function::Curp, []) => text(Transform::Curp),
            (Function::Rfc, []) => text(Transform::Rfc { strict: false }),
            (Function::Rfc, [argument]) => match named_literal(argument) {
                Some(Literal::Bool(strict)) => text(Transform::Rfc { strict: *strict }),
                _ => self.arguments_of(function, call, at),
            },
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
                match RegexBuilder::new(pattern)
                    .size_limit(limits::REGEX_BYTES)
                    .build()
                {
                    Ok(regex) => Some((Transform::Matches(regex), given.each(Type::Bool))),
                    Err(error) => {
                        self.not_a_pattern(&error, at.place.span(&argument.value.at));
                        None
                    }
                }
            }
            (Function::Number, arguments) => {
                let decimal = match arguments {
                    [] => DecimalSign::Point,
                    [argument] => match named_literal(argument) {
                        Some(Literal::Text(sign)) if sign == "," => DecimalSign::Comma,
                        Some(Literal::Text(sign)) if sign == "." => DecimalSign::Point,
                        _ => return self.arguments_of(function, call, at),
                    },
                    _ => return self.arguments_of(function, call, at),
                };
                Some((Transform::Number(decimal), given.each(Type::Number)))
            }
            (Function::Bool, []) => Some((Transform::Bool, given.each(Type::Bool))),
            (Function::Email, []) => Some((Transform::Email, given.each(Type::Email))),
            (Function::UnixS, []) => Some((Transform::Unix(1000), given.each(Type::DateTime))),
            (Function::UnixMs, []) => Some((Transform::Unix(1), given.each(Type::DateTime))),
            (Function::Phone, arguments) => self.phone(function, call, arguments, given, at),
            (Function::DateTime | Function::DayFirst, arguments) => {
                self.datetime(function, call, arguments, given, at)
            }
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

    /// Whether the function has arguments of these names.
    fn check_names(&mut self, function: Function, call: &Call, at: At<'_>) -> Option<()> {
        let known = function.argument_names();
        let unknown = call.arguments.iter().find_map(|argument| {
            let name = argument.name.as_deref()?;
            (!known.contains(&name)).then_some((name, argument))
        });
        let Some((name, argument)) = unknown else {
            return Some(());
        };
        let help = did_you_mean(name, known.iter().copied());
        self.error(
            Diagnostic::error(
                codes::WRONG_ARGUMENTS,
                format!("`{}` has no argument `{name}`", call.name),
            )
            .at(at.place.span(&argument.at), "unknown argument")
            .help(help.unwrap_or_else(|| written(function))),
        );
        None
    }

    fn arguments_of<T>(&mut self, function: Function, call: &Call, at: At<'_>) -> Option<T> {
        let message = if call.arguments.is_empty() {
            format!("`{}` needs an argument in parentheses", call.name)
        } else if function.usage().contains('(') {
            format!("`{}` does not take these arguments", call.name)
        } else {
            format!("`{}` takes no arguments", call.name)
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
                    let message = format!("no region `{code}`");
                    self.refuse_call(span, message, REGIONS.to_owned());
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
        let mut form = match function {
            Function::DayFirst => Some(Form::DayFirst),
            _ => None,
        };
        let mut zone = None;
        for argument in arguments {
            let span = at.place.span(&argument.value.at);
            let Written::Literal(Literal::Text(written)) = &argument.value.kind else {
                return self.arguments_of(function, call, at);
            };
            match argument.name.as_deref() {
                None if form.is_none() => match Pattern::parse(written) {
                    Ok(pattern) => form = Some(Form::Pattern(pattern)),
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
            Transform::DateTime(Format::new(form.unwrap_or(Form::Standard), zone)),
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
            // A name may also be an abbreviation of the other.
            let shortened = known
                .iter()
                .find(|known| known.starts_with(name) || name.starts_with(**known))
                .map(|known| format!("did you mean `{known}`?"));
            let help = did_you_mean(name, known.iter().copied()).or(shortened);
            let help = help.unwrap_or_else(|| {
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
                    "`else` is a text in quotes, a number, true, false, null or skip".to_owned(),
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

    fn not_a_pattern(&mut self, error: &regex_lite::Error, span: Span) {
        // The library tells its limit only in words.
        let diagnostic = if error.to_string().contains("size limit") {
            Diagnostic::error(
                codes::WRONG_ARGUMENTS,
                "the regular expression is too large",
            )
            .at(span, "too large")
            .help("shorten the repetitions, such as {1000}")
        } else {
            Diagnostic::error(
                codes::WRONG_ARGUMENTS,
                format!("this is not a regular expression: {error}"),
            )
            .at(span, "cannot be read")
            .help(r"put `\` before a sign that stands for itself: . * + ? ( ) [ ] { } ^ $ | \")
        };
        self.error(diagnostic);
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

/// The literal of a named argument.
fn named_literal(argument: &Argument) -> Option<&Literal> {
    match &argument.value.kind {
        Written::Literal(literal) if argument.name.is_some() => Some(literal),
        _ => None,
    }
}

pub(super) fn text_literal(argument: &Argument) -> Option<&str> {
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
