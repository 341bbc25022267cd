//! The words of a command, as a POSIX shell or bash splits them: quotes of three kinds, backslashes, joined lines.
//!
//! Variables and commands inside the command are not run: what they would give is not known here.

use super::Unreadable;

/// A word and where it begins.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) text: Vec<u8>,
    pub(super) line: usize,
    pub(super) column: usize,
}

/// The words of the first command of a text, and whether something stands behind it.
pub(super) fn words(bytes: &[u8]) -> Result<(Vec<Word>, bool), Unreadable> {
    let mut reader = Reader {
        bytes,
        at: 0,
        line: 1,
        column: 1,
    };
    let mut words = Vec::new();
    loop {
        match reader.peek() {
            None | Some(b'\n' | b'\r') => {
                // The command ends with its line; empty lines may follow.
                let rest = reader.bytes.get(reader.at..).unwrap_or_default();
                return Ok((words, !rest.trim_ascii().is_empty()));
            }
            Some(b' ' | b'\t') => reader.step(),
            Some(b'\\') if reader.joins_lines() => {}
            Some(b'|' | b'&' | b';' | b'<' | b'>' | b'(' | b')') => return Ok((words, true)),
            Some(b'#') => return Ok((words, false)),
            Some(_) => words.push(reader.word()?),
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    column: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn peek_second(&self) -> Option<u8> {
        self.bytes.get(self.at + 1).copied()
    }

    fn step(&mut self) {
        if self.peek() == Some(b'\n') {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        self.at += 1;
    }

    /// The byte here, which is passed.
    fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.step();
        Some(byte)
    }

    /// Passes a backslash at the end of a line with that end.
    fn joins_lines(&mut self) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = [&b"\\\n"[..], b"\\\r\n"]
            .into_iter()
            .find(|joint| rest.starts_with(joint))
            .map(<[u8]>::len);
        for _ in 0..length.unwrap_or_default() {
            self.step();
        }
        length.is_some()
    }

    fn wrong(&self, message: &str, help: &str) -> Unreadable {
        Unreadable::at(self.line, self.column, message).help(help)
    }

    fn word(&mut self) -> Result<Word, Unreadable> {
        let mut word = Word {
            text: Vec::new(),
            line: self.line,
            column: self.column,
        };
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' | b'|' | b'&' | b';' | b'<' | b'>' | b'(' | b')' => {
                    break;
                }
                b'\'' => self.single(&mut word.text)?,
                b'"' => self.double(&mut word.text)?,
                b'$' if self.peek_second() == Some(b'\'') => self.ansi(&mut word.text)?,
                b'$' | b'`' => self.variable(&mut word.text)?,
                b'^' if matches!(self.peek_second(), Some(b'\n' | b'\r' | b'"')) => {
                    return Err(self.wrong(
                        "this is a command for cmd of Windows",
                        "copy it for bash; browsers offer `Copy as cURL (bash)`",
                    ));
                }
                b'\\' if self.joins_lines() => {}
                b'\\' => {
                    self.step();
                    word.text.extend(self.take());
                }
                _ => {
                    word.text.push(byte);
                    self.step();
                }
            }
        }
        Ok(word)
    }

    fn unended(&self, (line, column): (usize, usize)) -> Unreadable {
        Unreadable {
            line,
            column,
            ..self.wrong("this quote is never closed", "add the second one")
        }
    }

    fn single(&mut self, text: &mut Vec<u8>) -> Result<(), Unreadable> {
        let start = (self.line, self.column);
        self.step();
        loop {
            match self.take() {
                Some(b'\'') => return Ok(()),
                Some(byte) => text.push(byte),
                None => return Err(self.unended(start)),
            }
        }
    }

    fn double(&mut self, text: &mut Vec<u8>) -> Result<(), Unreadable> {
        let start = (self.line, self.column);
        self.step();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.step();
                    return Ok(());
                }
                Some(b'$' | b'`') => self.variable(text)?,
                Some(b'\\') if self.joins_lines() => {}
                Some(b'\\') => {
                    self.step();
                    match self.take() {
                        Some(byte @ (b'"' | b'\\' | b'$' | b'`')) => text.push(byte),
                        Some(byte) => text.extend([b'\\', byte]),
                        None => return Err(self.unended(start)),
                    }
                }
                Some(byte) => {
                    text.push(byte);
                    self.step();
                }
                None => return Err(self.unended(start)),
            }
        }
    }

    /// A `$` or a backtick; only a `$` that begins nothing is itself.
    fn variable(&mut self, text: &mut Vec<u8>) -> Result<(), Unreadable> {
        let begins = self.peek() == Some(b'`')
            || self.peek_second().is_some_and(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'{' | b'(')
            });
        if begins {
            return Err(self.wrong(
                "a shell would put something in here, which is not known",
                "write the value itself, or put the text in single quotes if it is meant as it stands",
            ));
        }
        text.extend(self.take());
        Ok(())
    }

    /// `$'…'`, as browsers write bodies (ANSI-C quoting of bash).
    fn ansi(&mut self, text: &mut Vec<u8>) -> Result<(), Unreadable> {
        let start = (self.line, self.column);
        self.step();
        self.step();
        loop {
            match self.take() {
                Some(b'\'') => return Ok(()),
                Some(b'\\') => self.escape(text)?,
                Some(byte) => text.push(byte),
                None => return Err(self.unended(start)),
            }
        }
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Result<(), Unreadable> {
        let byte = match self.take() {
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'a') => 7,
            Some(b'b') => 8,
            Some(b'e' | b'E') => 27,
            Some(b'f') => 12,
            Some(b'v') => 11,
            Some(letter @ (b'x' | b'u' | b'U')) => {
                let most = match letter {
                    b'x' => 2,
                    b'u' => 4,
                    _ => 8,
                };
                let number = self.number(16, most);
                if letter == b'x' {
                    text.extend(number.and_then(|number| u8::try_from(number).ok()));
                } else if let Some(character) = number.and_then(char::from_u32) {
                    text.extend_from_slice(character.to_string().as_bytes());
                } else {
                    return Err(self.wrong(
                        "this escape is not a character",
                        "write the character itself",
                    ));
                }
                return Ok(());
            }
            Some(b'0'..=b'7') => {
                self.at -= 1;
                self.column -= 1;
                let number = self.number(8, 3).unwrap_or_default();
                u8::try_from(number & 0xff).unwrap_or_default()
            }
            Some(byte) => byte,
            None => return Ok(()),
        };
        text.push(byte);
        Ok(())
    }

    /// Up to `most` digits; `None` where there is none.
    fn number(&mut self, radix: u32, most: usize) -> Option<u32> {
        let mut number = None;
        for _ in 0..most {
            let Some(digit) = self
                .peek()
                .and_then(|byte| char::from(byte).to_digit(radix))
            else {
                break;
            };
            number = Some(number.unwrap_or(0_u32).wrapping_mul(radix) + digit);
            self.step();
        }
        number
    }
}
