//! The compiled form of a mapping file: everything looked up, checked and split beforehand.
//!
//! Nothing here is found by name while an event is mapped. Every part keeps its place in the file, so that a
//! failure can name its line and a step can be shown beside its source text.

use std::collections::HashMap;

use regex_lite::Regex;

use super::{
    expression::Operator,
    function::Function,
    transform::{datetime::Format, phone::Region, text::DecimalSign},
    types::Target,
    value::Value,
};
use crate::{customer::Field, diag::Span};

/// An expression ready to be evaluated.
#[derive(Debug)]
pub(super) struct Expr {
    pub(super) kind: ExprKind,
    pub(super) span: Span,
    /// As it is written, without the quotes and escapes of YAML.
    pub(super) text: Box<str>,
}

impl Expr {
    /// Whether it gives the same for every event, where that is plain to see.
    pub(super) fn is_fixed(&self) -> bool {
        match &self.kind {
            ExprKind::Constant(_) => true,
            ExprKind::List(parts) | ExprKind::Fallback(parts) => parts.iter().all(Self::is_fixed),
            ExprKind::Pipe { input, .. } => input.is_fixed(),
            ExprKind::Join(join) => !join.needs_variable,
            ExprKind::Path(_)
            | ExprKind::Header(_)
            | ExprKind::Template(_)
            | ExprKind::Test(..)
            | ExprKind::Compare { .. }
            | ExprKind::Not(_)
            | ExprKind::And(_)
            | ExprKind::Or(_) => false,
        }
    }
}

#[derive(Debug)]
pub(super) enum ExprKind {
    Constant(Value<'static>),
    Path(Path),
    Header(Header),
    List(Vec<Expr>),
    Fallback(Vec<Expr>),
    Pipe {
        input: Box<Expr>,
        steps: Vec<PipeStep>,
    },
    /// Text with expressions in it.
    Template(Template),
    Join(Join),
    /// `exists`, `is_null` or `is_blank`.
    Test(Function, Box<Expr>),
    Compare {
        operator: Operator,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
}

/// `join` or `concat`.
#[derive(Debug)]
pub(super) struct Join {
    pub(super) function: Function,
    pub(super) separator: String,
    pub(super) parts: Vec<Expr>,
    /// Whether what is fixed gives nothing by itself: `concat('tut-', id)` without an `id` must not become the
    /// customer `tut-`.
    pub(super) needs_variable: bool,
}

/// A header of the request.
#[derive(Debug)]
pub(super) struct Header {
    /// Which of the file's paths this is, for coverage.
    pub(super) number: usize,
    /// In lower case.
    pub(super) name: String,
}

#[derive(Debug)]
pub(super) struct Path {
    /// Which of the file's paths this is, for coverage.
    pub(super) number: usize,
    pub(super) start: PathStart,
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum PathStart {
    Body,
    /// The element so many levels above the current one.
    Element(usize),
}

#[derive(Debug)]
pub(super) enum Step {
    Key(String),
    Index(usize),
    Every,
    Where(String, Value<'static>),
}

/// One `| transform` of a pipe.
#[derive(Debug)]
pub(super) struct PipeStep {
    pub(super) function: Function,
    pub(super) transform: Transform,
    pub(super) span: Span,
    /// The call as it is written, without the `|`.
    pub(super) text: Box<str>,
}

#[derive(Debug)]
pub(super) enum Transform {
    Trim,
    Lower,
    Upper,
    Title,
    Squeeze,
    GivenFirst,
    Replace {
        from: String,
        to: String,
    },
    StripPrefix(String),
    StripSuffix(String),
    RequirePrefix(String),
    Digits,
    MaxLen(usize),
    Split(String),
    Text,
    Number(DecimalSign),
    Bool,
    Phone(Region),
    Email,
    Curp,
    Rfc {
        /// Whether the check digit counts.
        strict: bool,
    },
    DateTime(Format),
    /// The milliseconds of one unit.
    Unix(i64),
    Lookup {
        table: usize,
        otherwise: Otherwise,
    },
    Default(Box<Expr>),
    First,
    Last,
    Unique,
    Compact,
    Count,
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    Matches(Regex),
}

/// What `lookup` gives for a key that the table does not have.
#[derive(Debug)]
pub(super) enum Otherwise {
    Fail,
    Skip,
    Value(Value<'static>),
}

#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) entries: HashMap<String, Value<'static>>,
}

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) span: Span,
    pub(super) when: Option<Expr>,
    pub(super) action: Action,
}

#[derive(Debug)]
pub(super) enum Action {
    /// Nothing is sent, for this reason.
    Drop(String),
    /// A person must look, for this reason.
    Fail(String),
    Update(Box<UpdateRule>),
}

#[derive(Debug)]
pub(super) struct UpdateRule {
    pub(super) each: Option<Expr>,
    pub(super) only: Option<Expr>,
    pub(super) order_by: Option<Expr>,
    pub(super) customer: Customer,
    pub(super) fields: Vec<FieldRule>,
}

#[derive(Debug)]
pub(super) struct Customer {
    pub(super) id: Option<Expr>,
    pub(super) find: Vec<Find>,
    pub(super) on_missing: Missing,
}

#[derive(Debug)]
pub(super) struct Find {
    pub(super) by: FindKey,
    pub(super) value: Expr,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FindKey {
    Username,
    Email,
    Metadata(String),
}

#[derive(Debug)]
pub(super) enum Missing {
    Retry,
    Fail,
    Drop,
    /// With these fields besides those of the rule.
    Create(Vec<FieldRule>),
}

impl Missing {
    /// The fields for creation; none where nobody is created.
    pub(super) fn created_with(&self) -> &[FieldRule] {
        match self {
            Self::Create(fields) => fields,
            Self::Retry | Self::Fail | Self::Drop => &[],
        }
    }
}

#[derive(Debug)]
pub(super) struct FieldRule {
    pub(super) field: Field,
    pub(super) span: Span,
    pub(super) value: FieldValueRule,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all fields have a single value, which is read without one more step"
)]
pub(super) enum FieldValueRule {
    Single(Form),
    /// `tags`
    List(Vec<Entry>),
    /// `metadata`
    Keyed(Vec<Entry>),
}

/// One entry of `tags` or `metadata`.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) each: Option<Expr>,
    /// For `metadata`.
    pub(super) key: Option<EntryKey>,
    pub(super) form: Form,
}

#[derive(Debug)]
pub(super) enum EntryKey {
    Literal(String),
    From(Expr),
}

/// Where a value comes from and what happens when there is none.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) target: Target,
    pub(super) source: Source,
    pub(super) when: Option<Expr>,
    /// Already in the form of the target.
    pub(super) default: Option<Value<'static>>,
    pub(super) on_null: OnNull,
    pub(super) on_blank: OnBlank,
    pub(super) on_error: OnError,
    pub(super) required: bool,
    pub(super) span: Span,
}

#[derive(Debug)]
pub(super) enum Source {
    Expression(Expr),
    /// Already in the form of the target.
    Constant(Value<'static>),
    Cases(Vec<Case>),
}

#[derive(Debug)]
pub(super) struct Case {
    pub(super) when: Expr,
    pub(super) source: Source,
}

#[derive(Debug)]
pub(super) struct Template {
    pub(super) parts: Vec<TemplatePart>,
}

#[derive(Debug)]
pub(super) enum TemplatePart {
    Text(String),
    Expression(Expr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnNull {
    Clear,
    Skip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnBlank {
    Skip,
    Clear,
    Keep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnError {
    Fail,
    Skip,
}

/// What happens to an item that no rule takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unmatched {
    Drop,
    Fail,
}
