//! Cuts an expression's text into tokens.

use std::ops::Range;

use super::SyntaxError;
use crate::mapping::tree::number_length;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name or a word such as `and`; the parser tells them apart by where they stand.
    Name(String),
    /// `'…'`, unquoted.
    Text(String),
    /// `"…"`, unquoted: the name of a key.
    QuotedName(String),
    Number(String),
    /// Punctuation and operators.
    Symbol(&'static str),
    End,
}

/// Longer ones before those they begin with.
const SYMBOLS: [&str; 18] = [
    "??", "==", "!=", "<=", ">=", "<", ">", "=", "|", "(", ")", "[", "]", ",", ".", "$", "^", "-",
];

/// The tokens of a text, each with its place, ending with [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Range<usize>)>, SyntaxError> {
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let Some(c) = rest.chars().next() else {
            found.push((Token::End, at..at));
            return Ok(found);
        };
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (token, length) = token(rest, c, at, found.last().map(|(token, _)| token))?;
        found.push((token, at..at + length));
        at += length;
    }
}

fn token(
    rest: &str,
    first: char,
    at: usize,
    before: Option<&Token>,
) -> Result<(Token, usize), SyntaxError> {
    // `@name` is an attribute of XML, `#text` its text.
    let after_mark = match first {
        '@' => rest.strip_prefix('@'),
        '#' => rest
            .strip_prefix('#')
            .filter(|after| after.starts_with("text")),
        _ => None,
    };
    let word = after_mark.unwrap_or(rest);
    if word.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        let end = word
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')))
            .unwrap_or(word.len());
        let length = rest.len() - word.len() + end;
        let name = rest.get(..length).unwrap_or_default().to_owned();
        return Ok((Token::Name(name), length));
    }
    if first.is_ascii_digit() || (first == '-' && starts_number(rest)) {
        return number(rest, at, before);
    }
    match first {
        '\'' => quoted(rest, at, '\'').map(|(text, length)| (Token::Text(text), length)),
        '"' => quoted(rest, at, '"').map(|(text, length)| (Token::QuotedName(text), length)),
        _ => symbol(rest, first, at),
    }
}

fn starts_number(rest: &str) -> bool {
    rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit())
}

fn number(rest: &str, at: usize, before: Option<&Token>) -> Result<(Token, usize), SyntaxError> {
    let length = number_length(rest).unwrap_or(1);
    let run = rest
        .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')))
        .unwrap_or(rest.len())
        .max(length);
    let whole = rest.get(..run).unwrap_or_default();
    // After a dot a key is expected, and keys that begin with a digit need quotes.
    if before == Some(&Token::Symbol(".")) {
        return Err(SyntaxError::new(
            at..at + run,
            format!("a name cannot begin with a digit: `{whole}`"),
        )
        .help(digits_after_dot(whole)));
    }
    if run > length {
        return Err(SyntaxError::new(
            at..at + run,
            format!("`{whole}` is neither a number nor a name"),
        )
        .help(format!("a text is written in single quotes: '{whole}'")));
    }
    Ok((Token::Number(whole.to_owned()), length))
}

/// The remedy for `.0.name`, which other languages take for an element, and for `.2026-Q1`.
fn digits_after_dot(written: &str) -> String {
    let (name, rest) = match written.split_once('.') {
        Some((name, rest)) => (name, format!(".{rest}")),
        None => (written, String::new()),
    };
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        format!(
            "for an element of a list write [{name}]{rest}; for a key put it in double quotes: .\"{name}\"{rest}"
        )
    } else {
        format!("put it in double quotes: .\"{name}\"{rest}")
    }
}

/// A text between quotes; a doubled quote inside is one.
fn quoted(rest: &str, at: usize, quote: char) -> Result<(String, usize), SyntaxError> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((index, c)) = chars.next() {
        if c != quote {
            text.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
            chars.next();
            text.push(quote);
        } else {
            return Ok((text, index + 1));
        }
    }
    Err(SyntaxError::unclosed(
        at..at + rest.len(),
        format!("the quote {quote} is never closed"),
    ))
}

fn symbol(rest: &str, first: char, at: usize) -> Result<(Token, usize), SyntaxError> {
    for (written, meant) in [("&&", "and"), ("||", "or")] {
        if rest.starts_with(written) {
            return Err(
                SyntaxError::new(at..at + 2, format!("there is no `{written}`"))
                    .help(format!("write `{meant}`")),
            );
        }
    }
    if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
        if symbol == "-" {
            return Err(SyntaxError::new(
                at..at + 1,
                "there is no arithmetic: `-` stands only inside names and numbers",
            )
            .help("a name with other characters is written in double quotes: contact.\"a - b\""));
        }
        return Ok((Token::Symbol(symbol), symbol.len()));
    }
    let error = SyntaxError::new(
        at..at + first.len_utf8(),
        format!("`{}` means nothing here", first.escape_debug()),
    );
    Err(match first {
        '!' => error.help("write `not`"),
        '+' | '*' | '/' | '%' => {
            error.help("there is no arithmetic; `join` and `concat` put texts together")
        }
        '{' | '}' => error.help("braces belong in `template`"),
        '‘' | '’' | '“' | '”' => error.help("use straight single quotes: '…'"),
        _ => error,
    })
}
