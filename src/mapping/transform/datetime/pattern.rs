//! Forms that the author of a mapping describes: `DD/MM/YYYY HH:mm`.

use super::{Parts, cursor::Cursor};
use crate::mapping::transform::text::is_space;

/// The letters of a pattern, for messages.
const LETTERS_SHOWN: &str = "YYYY YY MMMM MMM MM M DD D HH H hh h mm ss SSS A Z";

/// A form such as `DD/MM/YYYY HH:mm`.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::mapping) struct Pattern {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Piece {
    Year,
    /// Two digits: 69 to 99 are of the 20th century, as in POSIX.
    ShortYear,
    /// How many digits it has at least, where others stand beside it.
    Month(usize),
    MonthName,
    Day(usize),
    Hour(usize),
    /// Of twelve.
    HalfHour(usize),
    Half,
    Minute,
    Second,
    Millisecond,
    Offset,
    /// One or more of any white space.
    Space,
    Literal(char),
}

/// What a piece gives; a pattern gives each at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Year,
    Month,
    Day,
    Hour,
    Half,
    Minute,
    Second,
    Millisecond,
    Offset,
}

const LETTERS: [(&str, Piece, Part); 17] = [
    ("YYYY", Piece::Year, Part::Year),
    ("YY", Piece::ShortYear, Part::Year),
    ("MMMM", Piece::MonthName, Part::Month),
    ("MMM", Piece::MonthName, Part::Month),
    ("MM", Piece::Month(2), Part::Month),
    ("M", Piece::Month(1), Part::Month),
    ("DD", Piece::Day(2), Part::Day),
    ("D", Piece::Day(1), Part::Day),
    ("HH", Piece::Hour(2), Part::Hour),
    ("H", Piece::Hour(1), Part::Hour),
    ("hh", Piece::HalfHour(2), Part::Hour),
    ("h", Piece::HalfHour(1), Part::Hour),
    ("mm", Piece::Minute, Part::Minute),
    ("SSS", Piece::Millisecond, Part::Millisecond),
    ("ss", Piece::Second, Part::Second),
    ("A", Piece::Half, Part::Half),
    ("Z", Piece::Offset, Part::Offset),
];

impl Piece {
    fn is_digits(self) -> bool {
        match self {
            Self::Year
            | Self::ShortYear
            | Self::Month(_)
            | Self::Day(_)
            | Self::Hour(_)
            | Self::HalfHour(_)
            | Self::Minute
            | Self::Second
            | Self::Millisecond => true,
            Self::MonthName | Self::Half | Self::Offset | Self::Space | Self::Literal(_) => false,
        }
    }
}

impl Pattern {
    /// Reads a pattern. Text in square brackets stands for itself, other letters than those of the pattern and `T`
    /// are refused.
    ///
    /// # Errors
    /// What is wrong with it, for the person who wrote it.
    pub(in crate::mapping) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut letters_of: Vec<(Part, &str)> = Vec::new();
        // As Spanish and spreadsheets write a pattern.
        let upper = text.to_uppercase();
        if upper.contains("AAAA") || (upper.contains("YYYY") && !text.contains("YYYY")) {
            return Err(
                "the letters of a pattern are YYYY for the year, MM for the month, DD for the day, HH:mm:ss for the time"
                    .to_owned(),
            );
        }
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let read = if let Some((letters, piece, part)) = LETTERS
                .into_iter()
                .find(|(letters, ..)| rest.starts_with(letters))
            {
                if let Some((_, before)) = letters_of.iter().find(|(known, _)| *known == part) {
                    return Err(if *before == letters {
                        format!("`{letters}` stands twice in the pattern")
                    } else {
                        format!("`{before}` and `{letters}` in the pattern give the same")
                    });
                }
                letters_of.push((part, letters));
                pieces.push(piece);
                letters.len()
            } else if c == '[' {
                let Some((literal, _)) = rest.get(1..).and_then(|rest| rest.split_once(']')) else {
                    return Err("a `[` in the pattern is never closed".to_owned());
                };
                pieces.extend(literal.chars().map(Piece::of));
                literal.len() + 2
            } else if c.is_alphanumeric() && c != 'T' {
                return Err(format!(
                    "the pattern has no letter `{c}`: use {LETTERS_SHOWN}, and put other text in square brackets, such as [de]"
                ));
            } else {
                pieces.push(Piece::of(c));
                c.len_utf8()
            };
            rest = rest.get(read..).unwrap_or_default();
        }
        let pattern = Self {
            text: text.to_owned(),
            pieces,
        };
        pattern.check(&letters_of)?;
        Ok(pattern)
    }

    /// As it is written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn check(&self, letters_of: &[(Part, &str)]) -> Result<(), String> {
        let has = |part| letters_of.iter().any(|(known, _)| *known == part);
        for (part, letters) in [(Part::Year, "YYYY"), (Part::Month, "MM"), (Part::Day, "DD")] {
            if !has(part) {
                return Err(format!("the pattern lacks `{letters}`"));
            }
        }
        let is_of_twelve = self
            .pieces
            .iter()
            .any(|piece| matches!(piece, Piece::HalfHour(_)));
        match (is_of_twelve, has(Part::Half)) {
            (true, false) => {
                return Err("`h` counts to twelve, so the pattern needs `A` for a. m. and p. m.; or write `HH`".to_owned());
            }
            (false, true) => return Err("`A` goes with `h`".to_owned()),
            _ => {}
        }
        for (index, piece) in self.pieces.iter().enumerate() {
            let (Piece::Month(1) | Piece::Day(1) | Piece::Hour(1) | Piece::HalfHour(1)) = piece
            else {
                continue;
            };
            if !self.stands_alone(index) {
                let letters = LETTERS.iter().find(|(_, known, _)| known == piece);
                let letter = letters.map_or("", |(letters, ..)| letters);
                return Err(format!(
                    "where `{letter}` ends is unclear, since digits stand beside it: write `{letter}{letter}`"
                ));
            }
        }
        Ok(())
    }

    /// Whether no other digits touch those of a piece. `5/1/2025` is clear without zeros.
    fn stands_alone(&self, index: usize) -> bool {
        let before = index
            .checked_sub(1)
            .and_then(|before| self.pieces.get(before));
        ![before, self.pieces.get(index + 1)]
            .into_iter()
            .flatten()
            .any(|piece| piece.is_digits())
    }

    pub(super) fn read(&self, text: &str) -> Option<Parts> {
        let mut rest = Cursor(text);
        let mut parts = Parts::default();
        let mut half = None;
        for (index, piece) in self.pieces.iter().enumerate() {
            let least = |least: usize| if self.stands_alone(index) { 1 } else { least };
            match *piece {
                Piece::Year => parts.year = rest.digits(4, 4)?,
                Piece::ShortYear => {
                    let year = rest.digits(2, 2)?;
                    parts.year = year + if year < 69 { 2000 } else { 1900 };
                }
                Piece::Month(digits) => parts.month = rest.two(least(digits))?,
                Piece::MonthName => {
                    parts.month = rest.month_name()?;
                    // `ene.`, but not the point of `15.ene.2026`.
                    if self.pieces.get(index + 1) != Some(&Piece::Literal('.')) {
                        rest.eat('.');
                    }
                }
                Piece::Day(digits) => parts.day = rest.two(least(digits))?,
                Piece::Hour(digits) | Piece::HalfHour(digits) => {
                    parts.hour = rest.two(least(digits))?;
                }
                Piece::Half => half = Some(rest.half()?),
                Piece::Minute => parts.minute = rest.two(2)?,
                Piece::Second => parts.second = rest.two(2)?,
                Piece::Millisecond => parts.millisecond = rest.digits(3, 3)?,
                Piece::Offset => parts.offset = Some(rest.offset()?),
                Piece::Space => rest.eat_spaces().then_some(())?,
                Piece::Literal(c) => rest.eat(c).then_some(())?,
            }
        }
        if let Some(half) = half {
            parts.hour = half.hour(parts.hour)?;
        }
        rest.is_at_end().then_some(parts)
    }
}

impl Piece {
    /// The piece that a character outside the letters stands for.
    fn of(c: char) -> Self {
        if is_space(c) {
            Self::Space
        } else {
            Self::Literal(c)
        }
    }
}
