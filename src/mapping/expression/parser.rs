//! Tokens to syntax tree, by recursive descent along the grammar.
//!
//! ```text
//! or       = and { "or" and }
//! and      = not { "and" not }
//! not      = "not" not | compare
//! compare  = pipe [ ( "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" ) pipe ]
//! pipe     = alt { "|" call }
//! alt      = primary { "??" primary }
//! primary  = path | literal | function "(" args ")" | "(" or ")" | "[" [ primary { "," primary } ] "]"
//! call     = function [ "(" args ")" ]
//! args     = [ arg { "," arg } ]      arg = [ name "=" ] or
//! path     = ( "$" | "^"... [ [ "." ] name ] | name )
//!            { "." name | '."' any name '"' | "[" number "]" | "[]" | "[" name "=" literal "]" }
//! ```

mod mistakes;

use std::ops::Range;

use super::{
    Argument, Call, Expression, Kind, Literal, Operator, Path, Start, Step, SyntaxError,
    lexer::{Token, tokens},
};
use crate::mapping::{
    codes,
    limits::{EXPRESSION_CHARS, EXPRESSION_NESTING},
};

/// Words that cannot begin a path.
const WORDS: [&str; 7] = ["or", "and", "not", "in", "true", "false", "null"];

/// Reads one expression.
pub(in crate::mapping) fn parse(text: &str) -> Result<Expression, SyntaxError> {
    let chars = text.chars().count();
    if chars > EXPRESSION_CHARS {
        let message =
            format!("the expression has {chars} characters; at most {EXPRESSION_CHARS} are taken");
        return Err(SyntaxError::limit(0..text.len(), message).help(
            "use a table with `lookup`, or `cases`, in place of a long list of comparisons",
        ));
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        next: 0,
        nesting: 0,
    };
    if *parser.peek() == Token::End {
        return Err(SyntaxError::new(
            0..text.len(),
            "an expression is missing here",
        ));
    }
    let expression = parser.or()?;
    match parser.peek() {
        Token::End => Ok(expression),
        _ => Err(parser.unexpected_after()),
    }
}

struct Parser {
    tokens: Vec<(Token, Range<usize>)>,
    next: usize,
    nesting: usize,
}

type Parsed<T> = Result<T, SyntaxError>;

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens
            .get(self.next)
            .map_or(&Token::End, |(token, _)| token)
    }

    fn peek_second(&self) -> &Token {
        self.tokens
            .get(self.next + 1)
            .map_or(&Token::End, |(token, _)| token)
    }

    /// The place of the next token.
    fn here(&self) -> Range<usize> {
        self.tokens
            .get(self.next)
            .or(self.tokens.last())
            .map_or(0..0, |(_, at)| at.clone())
    }

    /// Where the last token that was taken ends.
    fn end(&self) -> usize {
        self.next
            .checked_sub(1)
            .and_then(|last| self.tokens.get(last))
            .map_or(0, |(_, at)| at.end)
    }

    fn advance(&mut self) {
        self.next += 1;
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek(), Token::Symbol(found) if *found == symbol)
    }

    fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Token::Name(name) if name == word);
        if found {
            self.advance();
        }
        found
    }

    /// Takes the symbol that closes what was opened at `open`.
    fn close(&mut self, symbol: &'static str, open: Range<usize>) -> Parsed<()> {
        if self.eat_symbol(symbol) {
            return Ok(());
        }
        if *self.peek() == Token::End {
            let what = match symbol {
                ")" => "the parenthesis `(` is never closed",
                _ => "the bracket `[` is never closed",
            };
            return Err(SyntaxError::unclosed(open, what));
        }
        Err(self.unexpected(&format!("`{symbol}`")))
    }

    fn unexpected(&self, expected: &str) -> SyntaxError {
        let found = match self.peek() {
            Token::End => "the expression ends".to_owned(),
            Token::Name(name) => format!("`{name}` stands"),
            Token::Number(number) => format!("`{number}` stands"),
            Token::Text(_) => "a text stands".to_owned(),
            Token::QuotedName(_) => "a name in double quotes stands".to_owned(),
            Token::Symbol(symbol) => format!("`{symbol}` stands"),
        };
        SyntaxError::new(
            self.here(),
            format!("expected {expected}, but {found} here"),
        )
    }

    /// Something follows a complete expression.
    fn unexpected_after(&self) -> SyntaxError {
        let error = |message: String| {
            SyntaxError::new(self.here(), message)
                .label("expected `|`, a comparison, `and`, `or`, or the end")
        };
        match self.peek() {
            Token::Symbol("=") => {
                error("one `=` compares nothing".to_owned()).help("write `==` to compare")
            }
            Token::Symbol("??") => error("`??` cannot stand here".to_owned())
                .help("put parentheses around the part before `??`"),
            Token::Symbol(symbol @ ("==" | "!=" | "<" | "<=" | ">" | ">=")) => {
                error(format!("`{symbol}` cannot follow a comparison"))
                    .help("join two comparisons with `and`")
            }
            Token::Symbol(symbol) => error(format!("`{symbol}` cannot stand here")),
            Token::Name(word) | Token::Number(word) => {
                error(format!("`{word}` cannot stand here")).help(format!(
                    "a text is written in single quotes: '{word}'; a name with spaces in double quotes: contact.\"tipo de plan\""
                ))
            }
            Token::Text(_) | Token::QuotedName(_) => error("a text cannot stand here".to_owned())
                .help("compare it, `… == '…'`, or put `join(' ', …)` around the parts"),
            Token::End => self.unexpected("an expression"),
        }
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.nesting == EXPRESSION_NESTING {
            let message =
                format!("the expression has more than {EXPRESSION_NESTING} levels of parentheses");
            return Err(SyntaxError::limit(self.here(), message).label("too deep"));
        }
        self.nesting += 1;
        let result = read(self);
        self.nesting -= 1;
        result
    }

    fn or(&mut self) -> Parsed<Expression> {
        self.chain("or", Self::and, Kind::Or)
    }

    fn and(&mut self) -> Parsed<Expression> {
        self.chain("and", Self::not, Kind::And)
    }

    fn chain(
        &mut self,
        word: &str,
        read: fn(&mut Self) -> Parsed<Expression>,
        make: fn(Vec<Expression>) -> Kind,
    ) -> Parsed<Expression> {
        let start = self.here().start;
        let first = read(self)?;
        if !matches!(self.peek(), Token::Name(name) if name == word) {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.eat_word(word) {
            parts.push(read(self)?);
        }
        Ok(Expression {
            kind: make(parts),
            at: start..self.end(),
        })
    }

    fn not(&mut self) -> Parsed<Expression> {
        let start = self.here().start;
        if !self.eat_word("not") {
            return self.compare();
        }
        let inner = self.nested(Self::not)?;
        Ok(Expression {
            kind: Kind::Not(Box::new(inner)),
            at: start..self.end(),
        })
    }

    fn compare(&mut self) -> Parsed<Expression> {
        let start = self.here().start;
        let left = self.pipe()?;
        let operator = match self.peek() {
            Token::Symbol("==") => Operator::Equal,
            Token::Symbol("!=") => Operator::NotEqual,
            Token::Symbol("<") => Operator::Less,
            Token::Symbol("<=") => Operator::LessOrEqual,
            Token::Symbol(">") => Operator::Greater,
            Token::Symbol(">=") => Operator::GreaterOrEqual,
            Token::Name(name) if name == "in" => Operator::In,
            _ => return Ok(left),
        };
        self.advance();
        if operator == Operator::In
            && let Some(error) = self.list_in_parentheses()
        {
            return Err(error);
        }
        let right = self.pipe()?;
        Ok(Expression {
            kind: Kind::Compare {
                operator,
                left: Box::new(left),
                right: Box::new(right),
            },
            at: start..self.end(),
        })
    }

    fn pipe(&mut self) -> Parsed<Expression> {
        let start = self.here().start;
        let input = self.alternatives()?;
        let mut calls = Vec::new();
        while self.eat_symbol("|") {
            calls.push(self.piped_call()?);
            if self.is_symbol("??") {
                return Err(SyntaxError {
                    code: codes::AMBIGUOUS_FALLBACK,
                    ..SyntaxError::new(self.here(), "`??` after a transform is ambiguous")
                        .help("put the part before `??` in parentheses, `(a | trim) ?? b`, or the transform last, `a ?? b | trim`")
                });
            }
        }
        if calls.is_empty() {
            return Ok(input);
        }
        Ok(Expression {
            kind: Kind::Pipe {
                input: Box::new(input),
                calls,
            },
            at: start..self.end(),
        })
    }

    fn piped_call(&mut self) -> Parsed<Call> {
        match self.peek() {
            Token::Name(name) => {
                let (name, name_at) = (name.clone(), self.here());
                self.advance();
                self.call(name, name_at)
            }
            _ => Err(self.unexpected("a transform after `|`")),
        }
    }

    /// The arguments of a function whose name was taken, where there are any.
    fn call(&mut self, name: String, name_at: Range<usize>) -> Parsed<Call> {
        let mut arguments = Vec::new();
        let open = self.here();
        if self.eat_symbol("(") {
            if !self.is_symbol(")") {
                loop {
                    arguments.push(self.nested(Self::argument)?);
                    if !self.eat_symbol(",") {
                        break;
                    }
                }
            }
            self.close(")", open)?;
        }
        Ok(Call {
            name,
            at: name_at.start..self.end(),
            name_at,
            arguments,
        })
    }

    fn argument(&mut self) -> Parsed<Argument> {
        let start = self.here().start;
        let name = match (self.peek(), self.peek_second()) {
            (Token::Name(name), Token::Symbol("=")) => Some(name.clone()),
            _ => None,
        };
        if name.is_some() {
            self.advance();
            self.advance();
        }
        let value = self.or()?;
        let at = start..value.at.end;
        Ok(Argument { name, at, value })
    }

    fn alternatives(&mut self) -> Parsed<Expression> {
        let start = self.here().start;
        let first = self.primary()?;
        if !self.is_symbol("??") {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.eat_symbol("??") {
            parts.push(self.primary()?);
        }
        Ok(Expression {
            kind: Kind::Fallback(parts),
            at: start..self.end(),
        })
    }

    fn primary(&mut self) -> Parsed<Expression> {
        let at = self.here();
        let kind = match self.peek().clone() {
            Token::Symbol("(") => {
                self.advance();
                let inner = self.nested(Self::or)?;
                self.close(")", at.clone())?;
                inner.kind
            }
            Token::Symbol("[") => {
                self.advance();
                Kind::List(self.nested(|parser| parser.list(at.clone()))?)
            }
            Token::Symbol("$") => {
                self.advance();
                self.path(Start::Body, None)?
            }
            Token::Symbol("^") => {
                let mut levels = 0;
                while self.eat_symbol("^") {
                    levels += 1;
                }
                let first = self.eat_name();
                self.path(Start::Element(levels), first)?
            }
            Token::Name(name) => {
                if let Some(literal) = word_literal(&name) {
                    self.advance();
                    Kind::Literal(literal)
                } else if WORDS.contains(&name.as_str()) {
                    return Err(self.unexpected("a value"));
                } else {
                    self.advance();
                    if self.is_symbol("(") {
                        Kind::Call(self.call(name, at.clone())?)
                    } else {
                        self.path(Start::Element(0), Some(name))?
                    }
                }
            }
            Token::Text(text) => {
                self.advance();
                Kind::Literal(Literal::Text(text))
            }
            Token::Number(number) => {
                self.advance();
                Kind::Literal(Literal::Number(number))
            }
            Token::QuotedName(name) => {
                return Err(
                    SyntaxError::new(at, "a name in double quotes cannot stand here").help(
                        format!("a text is written in single quotes: '{name}'; a key with other characters follows a dot: $.\"{name}\""),
                    ),
                );
            }
            Token::Symbol(_) | Token::End => return Err(self.unexpected("a value")),
        };
        Ok(Expression {
            kind,
            at: at.start..self.end(),
        })
    }

    fn eat_name(&mut self) -> Option<String> {
        let Token::Name(name) = self.peek() else {
            return None;
        };
        // `^ and …`: the word goes on after the path.
        if WORDS.contains(&name.as_str()) {
            return None;
        }
        let name = name.clone();
        self.advance();
        Some(name)
    }

    /// The elements of a list whose `[` was taken.
    fn list(&mut self, open: Range<usize>) -> Parsed<Vec<Expression>> {
        let mut elements = Vec::new();
        if !self.is_symbol("]") {
            loop {
                elements.push(self.primary()?);
                if !self.eat_symbol(",") {
                    break;
                }
            }
        }
        self.close("]", open)?;
        Ok(elements)
    }

    fn path(&mut self, start: Start, first: Option<String>) -> Parsed<Kind> {
        let mut steps: Vec<Step> = first.into_iter().map(Step::Key).collect();
        loop {
            let open = self.here();
            if self.eat_symbol(".") {
                match self.peek() {
                    Token::Name(name) | Token::QuotedName(name) => {
                        steps.push(Step::Key(name.clone()));
                        self.advance();
                        if self.is_symbol("(")
                            && let Some(error) = self.method()
                        {
                            return Err(error);
                        }
                    }
                    _ => return Err(self.unexpected("a name after `.`")),
                }
            } else if self.eat_symbol("[") {
                steps.push(self.bracket()?);
                self.close("]", open)?;
            } else {
                return Ok(Kind::Path(Path { start, steps }));
            }
        }
    }

    /// What stands between `[` and `]` of a path.
    fn bracket(&mut self) -> Parsed<Step> {
        match self.peek().clone() {
            Token::Symbol("]") => Ok(Step::Every),
            Token::Number(number) => {
                let Ok(index) = number.parse::<usize>() else {
                    return Err(self.unexpected("a whole number from 0"));
                };
                self.advance();
                Ok(Step::Index(index))
            }
            Token::Name(name) | Token::QuotedName(name) => {
                self.advance();
                if self.is_symbol("==") {
                    return Err(self
                        .unexpected("`=`")
                        .help("one `=` is enough inside brackets"));
                }
                if !self.eat_symbol("=") {
                    return Err(self
                        .unexpected("`=`")
                        .help("brackets hold nothing, a number, or a condition: [type='home']"));
                }
                let literal = match self.peek().clone() {
                    Token::Text(text) => Some(Literal::Text(text)),
                    Token::Number(number) => Some(Literal::Number(number)),
                    Token::Name(word) => word_literal(&word),
                    _ => None,
                };
                let Some(literal) = literal else {
                    return Err(self.unexpected("a literal").help(
                        "compare with a text in single quotes, a number, true, false or null",
                    ));
                };
                self.advance();
                Ok(Step::Where(name, literal))
            }
            Token::Text(_) | Token::Symbol(_) | Token::End => {
                Err(self.unexpected("`]`, a number or a condition such as [type='home']"))
            }
        }
    }
}

fn word_literal(word: &str) -> Option<Literal> {
    match word {
        "true" => Some(Literal::Bool(true)),
        "false" => Some(Literal::Bool(false)),
        "null" => Some(Literal::Null),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
