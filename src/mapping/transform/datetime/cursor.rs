//! Reads a text from left to right, one part of a date and time after the other.

use super::{thousandths, words};
use crate::mapping::transform::text::is_space;

/// What is left of a text.
pub(super) struct Cursor<'a>(pub(super) &'a str);

/// The first or the second twelve hours of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Am,
    Pm,
}

impl Half {
    /// The hour of the day. `16:30 p. m.` is taken too: it is written often and has one meaning.
    pub(super) fn hour(self, hour: i8) -> Option<i8> {
        match (self, hour) {
            (Self::Am, 12) => Some(0),
            (Self::Am, 0..12) | (Self::Pm, 12..24) => Some(hour),
            (Self::Pm, 1..12) => Some(hour + 12),
            _ => None,
        }
    }
}

impl<'a> Cursor<'a> {
    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn eat(&mut self, c: char) -> bool {
        match self.0.strip_prefix(c) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// The one of these characters that comes next.
    pub(super) fn eat_one_of(&mut self, chars: &[char]) -> Option<char> {
        chars.iter().copied().find(|c| self.eat(*c))
    }

    /// White space of any kind; whether there was some.
    pub(super) fn eat_spaces(&mut self) -> bool {
        let rest = self.0.trim_start_matches(is_space);
        let any = rest.len() < self.0.len();
        self.0 = rest;
        any
    }

    /// One of these words, in any case, where no letter follows it.
    pub(super) fn eat_word(&mut self, words: &[&str]) -> bool {
        let mut ahead = Cursor(self.0);
        let word = ahead.letters().to_lowercase();
        let known = words.contains(&word.as_str());
        if known {
            *self = ahead;
        }
        known
    }

    fn letters(&mut self) -> &'a str {
        let end = self
            .0
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        word
    }

    /// A number of so many digits.
    pub(super) fn digits(&mut self, least: usize, most: usize) -> Option<i16> {
        let count = self
            .0
            .bytes()
            .take(most)
            .take_while(u8::is_ascii_digit)
            .count();
        if count < least {
            return None;
        }
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        digits.parse().ok()
    }

    /// A number of two digits, or of `least`.
    pub(super) fn two(&mut self, least: usize) -> Option<i8> {
        self.digits(least, 2)?.try_into().ok()
    }

    /// The digits after a point as milliseconds; finer ones are cut.
    pub(super) fn fraction(&mut self) -> Option<i16> {
        let count = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, after) = self.0.split_at_checked(count)?;
        if digits.is_empty() {
            return None;
        }
        self.0 = after;
        Some(thousandths(digits))
    }

    /// The name of a month, whole or short, in Spanish or English.
    pub(super) fn month_name(&mut self) -> Option<i8> {
        words::month(&self.letters().to_lowercase())
    }

    /// `AM`, `a.m.` or `a. m.`, and the same with `p`.
    pub(super) fn half(&mut self) -> Option<Half> {
        let mut ahead = Cursor(self.0);
        let half = match ahead.eat_one_of(&['a', 'A', 'p', 'P'])? {
            'a' | 'A' => Half::Am,
            _ => Half::Pm,
        };
        if ahead.eat('.') {
            ahead.eat_spaces();
        }
        ahead.eat_one_of(&['m', 'M'])?;
        ahead.eat('.');
        *self = ahead;
        Some(half)
    }

    /// `Z`, `UTC`, `GMT`, `+06:00`, `+0600` or `+06`, as seconds east of UTC.
    pub(super) fn offset(&mut self) -> Option<i32> {
        if self.eat_word(&["z", "utc", "gmt"]) {
            return Some(0);
        }
        let sign = match self.eat_one_of(&['+', '-'])? {
            '+' => 1,
            _ => -1,
        };
        let hours = i32::from(self.two(2)?);
        let minutes = if self.eat(':') || self.0.starts_with(|c: char| c.is_ascii_digit()) {
            i32::from(self.two(2)?)
        } else {
            0
        };
        (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
    }
}
