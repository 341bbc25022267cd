//! Expressions as they are written: the syntax tree and the reader that makes it.
//!
//! The tree says nothing yet about meaning: whether a transform, a table or a level above exists is the checker's
//! question. Places are byte offsets in the expression's text.

mod lexer;
mod parser;

use std::ops::Range;

pub(super) use parser::parse;

/// A part of an expression with its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expression {
    pub(super) kind: Kind,
    pub(super) at: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Literal(Literal),
    Path(Path),
    /// `[a, b]`
    List(Vec<Expression>),
    /// `a ?? b`, at least two.
    Fallback(Vec<Expression>),
    /// `input | name(…) | …`, at least one call.
    Pipe {
        input: Box<Expression>,
        calls: Vec<Call>,
    },
    /// `name(…)` without a pipe in front.
    Call(Call),
    Compare {
        operator: Operator,
        left: Box<Expression>,
        right: Box<Expression>,
    },
    Not(Box<Expression>),
    /// At least two.
    And(Vec<Expression>),
    /// At least two.
    Or(Vec<Expression>),
}

/// A plain value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    /// As a JSON number is spelled.
    Number(String),
    Text(String),
}

/// Where in the event a value is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    pub(super) start: Start,
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// `$`
    Body,
    /// The current element (0), or as many levels above it as there are `^`.
    Element(usize),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// `.name`
    Key(String),
    /// `[2]`, from 0.
    Index(usize),
    /// `[]`
    Every,
    /// `[name='x']`
    Where(String, Literal),
}

/// The use of a function.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) name_at: Range<usize>,
    /// The name with its arguments.
    pub(super) at: Range<usize>,
    pub(super) arguments: Vec<Argument>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Argument {
    pub(super) name: Option<String>,
    /// The name and the value.
    pub(super) at: Range<usize>,
    pub(super) value: Expression,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
}

impl Operator {
    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
        }
    }
}

/// Why a text is not an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) at: Range<usize>,
    /// Stands beside the marked text; may be empty.
    pub(super) label: String,
    pub(super) help: Option<String>,
}

impl SyntaxError {
    fn new(at: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            code: super::codes::SYNTAX,
            message: message.into(),
            at,
            label: String::new(),
            help: None,
        }
    }

    fn limit(at: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            code: super::codes::LIMIT,
            ..Self::new(at, message)
        }
    }

    fn unclosed(at: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            code: super::codes::UNCLOSED,
            ..Self::new(at, message)
        }
        .label("opened here")
        .help("close it. If this is a one-line `{…}` or `[…]`, a comma ended the value: put the whole value in double quotes")
    }

    fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
