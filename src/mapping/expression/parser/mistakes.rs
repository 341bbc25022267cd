//! What people write who know other languages, and how it is written here.

use super::{Parser, SyntaxError, Token};

impl Parser {
    /// `x in ('a', 'b')`, whose `(` comes next; `None` where it is something else in parentheses.
    pub(super) fn list_in_parentheses(&self) -> Option<SyntaxError> {
        let rest = self.tokens.get(self.next..)?;
        let [(Token::Symbol("("), open), rest @ ..] = rest else {
            return None;
        };
        let mut shown = Vec::new();
        let mut tokens = rest.iter();
        let end = loop {
            shown.push(match tokens.next()? {
                (Token::Text(text), _) => format!("'{}'", text.replace('\'', "''")),
                (Token::Number(number), _) => number.clone(),
                _ => return None,
            });
            match tokens.next()? {
                (Token::Symbol(","), _) => {}
                (Token::Symbol(")"), at) => break at.end,
                _ => return None,
            }
        };
        // One value in parentheses is that value.
        if shown.len() < 2 {
            return None;
        }
        let error = SyntaxError::new(open.start..end, "a list stands in brackets");
        Some(error.help(format!("write [{}]", shown.join(", "))))
    }

    /// `name.trim()`, whose `(` comes next.
    pub(super) fn method(&self) -> Option<SyntaxError> {
        let taken = self.tokens.get(..self.next)?;
        let [.., (Token::Symbol("."), dot), (Token::Name(name), at)] = taken else {
            return None;
        };
        let error = SyntaxError::new(
            dot.start..at.end,
            format!("`{name}` cannot be called with a dot"),
        );
        let call = match self.peek_second() {
            Token::Symbol(")") => name.clone(),
            _ => format!("{name}(…)"),
        };
        Some(error.help(format!("a transform follows `|`: `… | {call}`")))
    }
}
