//! Checks expressions and compiles them: names, levels, arguments and types, from the inside out.

use std::borrow::Cow;
use std::ops::Range;

use super::Compiler;
use crate::{
    diag::{Diagnostic, Span},
    mapping::{
        PathInfo, codes,
        compiled::{Expr, ExprKind, Path, PathStart, Step},
        expression::{
            self, Expression, Kind as Written, Literal, Operator, Path as WrittenPath, Start,
            SyntaxError,
        },
        types::Type,
        value::Value,
    },
    yaml::Node,
};

/// Where an expression's text stands in the file.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// In a scalar, beginning at a byte of its text.
    Scalar { node: &'a Node, offset: usize },
    /// Somewhere that is not read as YAML here; verbatim when the lengths agree.
    Foreign { span: Span, length: usize },
}

impl Place<'_> {
    pub(super) fn span(self, at: &Range<usize>) -> Span {
        match self {
            Self::Scalar { node, offset } => node.span_within(offset + at.start, offset + at.end),
            Self::Foreign { span, .. } if self.holds_the_text() => {
                Span::new(span.start + at.start, span.start + at.end)
            }
            Self::Foreign { span, .. } => span,
        }
    }

    /// Whether the expression stands in the file as it is read.
    fn holds_the_text(self) -> bool {
        match self {
            Self::Scalar { .. } => true,
            Self::Foreign { span, length } => span.range().len() == length,
        }
    }
}

/// A compiled expression with what is known of its result.
pub(super) struct Typed {
    pub(super) expr: Expr,
    pub(super) gives: Type,
}

impl Compiler<'_> {
    /// The expression of a scalar whose names begin `level` elements below the item.
    pub(super) fn expression(&mut self, node: &Node, level: usize) -> Option<Typed> {
        let Some(scalar) = node.as_scalar() else {
            self.error(
                Diagnostic::error(
                    codes::WRONG_VALUE,
                    format!("an expression is expected, but here is {}", node.shape()),
                )
                .at(node.span, "expected an expression")
                .help("put an expression that begins with `[` or `{` in quotes"),
            );
            return None;
        };
        if node.is_null() && scalar.text != "null" {
            self.error(
                Diagnostic::error(codes::SYNTAX, "an expression is missing here")
                    .at(node.span, "nothing is written")
                    .help("write where the value comes from, such as `contact.name`, or remove the key"),
            );
            return None;
        }
        let place = Place::Scalar { node, offset: 0 };
        self.expression_text(&scalar.text, place, level)
    }

    /// An expression from another part of the file, on an item.
    pub(super) fn foreign_expression(&mut self, text: &str, span: Span) -> Option<Expr> {
        let place = Place::Foreign {
            span,
            length: text.len(),
        };
        let paths = self.paths.len();
        let typed = self.expression_text(text, place, 0);
        // Those of a preset stand elsewhere, and no test needs to show them.
        for path in self.paths.iter_mut().skip(paths) {
            path.is_covered = place.holds_the_text();
        }
        typed.map(|typed| typed.expr)
    }

    pub(super) fn expression_text(
        &mut self,
        text: &str,
        place: Place<'_>,
        level: usize,
    ) -> Option<Typed> {
        match expression::parse(text) {
            Ok(written) => self.lower(&written, text, place, level),
            Err(error) => {
                self.syntax_error(error, place);
                None
            }
        }
    }

    pub(super) fn syntax_error(&mut self, mut error: SyntaxError, place: Place<'_>) {
        let span = place.span(&error.at);
        if self.is_cut_by_comment(&error, place) {
            error.help = Some(
                "in YAML ` #` begins a comment, so the value ended there: put the whole value in double quotes".to_owned(),
            );
        }
        self.error(
            Diagnostic::error(error.code, error.message)
                .at(span, error.label)
                .maybe_help(error.help),
        );
    }

    /// Whether the expression lacks its end, and a comment stands where that would be.
    fn is_cut_by_comment(&self, error: &SyntaxError, place: Place<'_>) -> bool {
        let Place::Scalar { node, .. } = place else {
            return false;
        };
        let length = node.as_text().map_or(0, str::len);
        let lacks_its_end = error.code == codes::UNCLOSED || error.at.start == length;
        let after = self.out.file().text().get(node.span.end..);
        let after = after.unwrap_or_default();
        let behind_spaces = after.trim_start_matches([' ', '\t']);
        lacks_its_end && behind_spaces.len() < after.len() && behind_spaces.starts_with('#')
    }

    /// A condition: true or false, or a path whose value is looked at when it comes.
    pub(super) fn condition(&mut self, node: &Node, level: usize) -> Option<Expr> {
        let typed = self.expression(node, level)?;
        self.check_condition(typed)
    }

    fn check_condition(&mut self, typed: Typed) -> Option<Expr> {
        if matches!(typed.gives, Type::Bool | Type::Any | Type::Null) {
            return Some(typed.expr);
        }
        self.error(
            Diagnostic::error(
                codes::WRONG_TYPE,
                format!(
                    "a condition gives true or false, but this gives {}",
                    typed.gives.described()
                ),
            )
            .at(
                typed.expr.span,
                format!("gives {}", typed.gives.described()),
            )
            .help("compare it, `… == '…'`, ask `exists(…)`, or add `| bool`"),
        );
        None
    }

    /// An expression for `items` or `each`.
    pub(super) fn list_expression(&mut self, key: &str, node: &Node, level: usize) -> Option<Expr> {
        let typed = self.expression(node, level)?;
        if matches!(typed.gives, Type::List(_) | Type::Any) {
            return Some(typed.expr);
        }
        self.error(
            Diagnostic::error(
                codes::WRONG_TYPE,
                format!(
                    "`{key}` needs a list, but this gives {}",
                    typed.gives.described()
                ),
            )
            .at(
                typed.expr.span,
                format!("gives {}", typed.gives.described()),
            )
            .help("a path to a list ends with `[]`"),
        );
        None
    }

    pub(super) fn lower(
        &mut self,
        written: &Expression,
        text: &str,
        place: Place<'_>,
        level: usize,
    ) -> Option<Typed> {
        let span = place.span(&written.at);
        let shown = text.get(written.at.clone()).unwrap_or_default();
        let typed = |kind, gives| {
            Some(Typed {
                expr: Expr {
                    kind,
                    span,
                    text: shown.into(),
                },
                gives,
            })
        };
        match &written.kind {
            Written::Literal(literal) => {
                let (value, gives) = constant(literal);
                typed(ExprKind::Constant(value), gives)
            }
            Written::Path(path) => {
                let (path, gives) = self.path(path, shown, span, level)?;
                typed(ExprKind::Path(path), gives)
            }
            Written::List(parts) => {
                let (parts, gives) = self.lower_all(parts, text, place, level)?;
                typed(ExprKind::List(parts), Type::list(gives))
            }
            Written::Fallback(parts) => {
                let (parts, gives) = self.lower_all(parts, text, place, level)?;
                typed(ExprKind::Fallback(parts), gives)
            }
            Written::Pipe { input, calls } => {
                let (kind, gives) = self.pipe(input, calls, text, place, level)?;
                typed(kind, gives)
            }
            Written::Call(call) => {
                let (kind, gives) = self.call(call, span, text, place, level)?;
                typed(kind, gives)
            }
            Written::Compare {
                operator,
                left,
                right,
            } => {
                let left = self.lower(left, text, place, level);
                let right = self.lower(right, text, place, level);
                let (left, right) = (left?, right?);
                self.check_comparison(*operator, &left, &right)?;
                typed(
                    ExprKind::Compare {
                        operator: *operator,
                        left: Box::new(left.expr),
                        right: Box::new(right.expr),
                    },
                    Type::Bool,
                )
            }
            Written::Not(inner) => {
                let inner = self.lower(inner, text, place, level)?;
                let inner = self.check_condition(inner)?;
                typed(ExprKind::Not(Box::new(inner)), Type::Bool)
            }
            Written::And(parts) => {
                let parts = self.conditions(parts, text, place, level)?;
                typed(ExprKind::And(parts), Type::Bool)
            }
            Written::Or(parts) => {
                let parts = self.conditions(parts, text, place, level)?;
                typed(ExprKind::Or(parts), Type::Bool)
            }
        }
    }

    /// Several expressions, and the type of a value that comes from any of them.
    fn lower_all(
        &mut self,
        parts: &[Expression],
        text: &str,
        place: Place<'_>,
        level: usize,
    ) -> Option<(Vec<Expr>, Type)> {
        let lowered: Vec<Option<Typed>> = parts
            .iter()
            .map(|part| self.lower(part, text, place, level))
            .collect();
        let mut gives: Option<Type> = None;
        let mut exprs = Vec::with_capacity(parts.len());
        for typed in lowered {
            let typed = typed?;
            gives = Some(match gives {
                None => typed.gives,
                Some(gives) => gives.or(typed.gives),
            });
            exprs.push(typed.expr);
        }
        // An empty list suits any element.
        Some((exprs, gives.unwrap_or(Type::Null)))
    }

    fn conditions(
        &mut self,
        parts: &[Expression],
        text: &str,
        place: Place<'_>,
        level: usize,
    ) -> Option<Vec<Expr>> {
        let lowered: Vec<Option<Expr>> = parts
            .iter()
            .map(|part| {
                let typed = self.lower(part, text, place, level)?;
                self.check_condition(typed)
            })
            .collect();
        lowered.into_iter().collect()
    }

    fn path(
        &mut self,
        written: &WrittenPath,
        shown: &str,
        span: Span,
        level: usize,
    ) -> Option<(Path, Type)> {
        let start = match written.start {
            Start::Body => PathStart::Body,
            Start::Element(levels) if levels > level => {
                let (message, help) = match level {
                    0 => (
                        "there is nothing above the item".to_owned(),
                        "leave out `^.`, since names begin at the item; `$` is the whole body",
                    ),
                    1 => (
                        "only the item is above this place".to_owned(),
                        "write one `^`; `$` is the whole body",
                    ),
                    _ => (
                        format!("only {level} levels are above this place"),
                        "write fewer `^`; `$` is the whole body",
                    ),
                };
                self.error(
                    Diagnostic::error(codes::UNKNOWN_LEVEL, message)
                        .at(span, "too far up")
                        .help(help),
                );
                return None;
            }
            Start::Element(levels) => PathStart::Element(levels),
        };
        let steps: Vec<Step> = written
            .steps
            .iter()
            .map(|step| match step {
                expression::Step::Key(key) => Step::Key(key.clone()),
                expression::Step::Index(index) => Step::Index(*index),
                expression::Step::Every => Step::Every,
                expression::Step::Where(key, literal) => {
                    Step::Where(key.clone(), constant(literal).0)
                }
            })
            .collect();
        let gives = if steps.iter().any(|step| matches!(step, Step::Every)) {
            Type::list(Type::Any)
        } else {
            Type::Any
        };
        let number = self.paths.len();
        self.paths.push(PathInfo {
            text: shown.to_owned(),
            span,
            is_covered: true,
        });
        Some((
            Path {
                number,
                start,
                steps,
            },
            gives,
        ))
    }

    fn check_comparison(&mut self, operator: Operator, left: &Typed, right: &Typed) -> Option<()> {
        match operator {
            Operator::Equal | Operator::NotEqual => Some(()),
            Operator::In => {
                if matches!(right.gives, Type::List(_) | Type::Any | Type::Null) {
                    return Some(());
                }
                self.error(
                    Diagnostic::error(
                        codes::WRONG_TYPE,
                        format!(
                            "`in` needs a list on its right, but this gives {}",
                            right.gives.described()
                        ),
                    )
                    .at(
                        right.expr.span,
                        format!("gives {}", right.gives.described()),
                    )
                    .help("write a list, `in ['a', 'b']`, or a path that ends with `[]`"),
                );
                None
            }
            _ => {
                let ordered = |gives: &Type| {
                    matches!(
                        gives,
                        Type::Number | Type::DateTime | Type::Any | Type::Null
                    )
                };
                let wrong = [left, right]
                    .into_iter()
                    .find(|side| !ordered(&side.gives))
                    .or_else(|| {
                        let mixed = matches!(
                            (&left.gives, &right.gives),
                            (Type::Number, Type::DateTime) | (Type::DateTime, Type::Number)
                        );
                        mixed.then_some(right)
                    });
                let Some(wrong) = wrong else {
                    return Some(());
                };
                self.error(
                    Diagnostic::error(
                        codes::WRONG_TYPE,
                        format!(
                            "`{}` compares two numbers or two dates, but this gives {}",
                            operator.as_str(),
                            wrong.gives.described()
                        ),
                    )
                    .at(
                        wrong.expr.span,
                        format!("gives {}", wrong.gives.described()),
                    )
                    .help("add `| number` or `| datetime`"),
                );
                None
            }
        }
    }
}

pub(super) fn constant(literal: &Literal) -> (Value<'static>, Type) {
    match literal {
        Literal::Null => (Value::Null, Type::Null),
        Literal::Bool(flag) => (Value::Bool(*flag), Type::Bool),
        Literal::Number(number) => (Value::Number(Cow::Owned(number.clone())), Type::Number),
        Literal::Text(text) => (Value::Text(Cow::Owned(text.clone())), Type::Text),
    }
}
