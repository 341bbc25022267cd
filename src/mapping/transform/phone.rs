//! Telephone numbers in E.164.
//!
//! Our own part is what the metadata of today's numbering plans no longer knows: the Mexican forms of before 2019
//! (mobile numbers with `1` after the country code, `044`, `045` and `01` in front). Whether the rest is a number
//! is asked of the `phonenumber` crate, which carries libphonenumber's metadata; for ten digits in Mexico, of the part of
//! that metadata which decides.

mod plan;

use phonenumber::{Mode, country};

use super::text::trim;
use crate::mapping::limits::PHONE_STEPS;

/// The region of a number without a country code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mapping) struct Region(country::Id);

impl Region {
    /// Mexico.
    pub(in crate::mapping) const DEFAULT: Self = Self(country::MX);

    /// A region by its two letters (ISO 3166-1 alpha-2), upper case.
    pub(in crate::mapping) fn from_code(code: &str) -> Option<Self> {
        code.parse().ok().map(Self)
    }
}

/// Reads the numbering plans, which takes milliseconds the first time; done before the first event.
pub(in crate::mapping) fn warm_up() {
    let known = plan::is_mexican("5512345678");
    debug_assert_eq!(known, Some(true), "the numbering plans include Mexico");
}

/// How many steps of evaluation it takes to read a number. Patterns of many regions push each other out of the library's
/// cache and are compiled again each time; those of Mexico are at hand.
pub(in crate::mapping) fn work(written: &str, Region(region): Region) -> usize {
    let written = written.trim_start();
    let is_mexican = written.starts_with("+52")
        || (region == country::MX && !written.starts_with('+') && !written.starts_with("00"));
    if is_mexican { 0 } else { PHONE_STEPS }
}

/// The number in E.164, `+525512345678`. `None` where it is none.
pub(in crate::mapping) fn phone(written: &str, Region(region): Region) -> Option<String> {
    let mut bare: String = trim(written)
        .chars()
        .filter(|c| !is_decoration(*c))
        .collect();
    if bare.starts_with("00") {
        bare.replace_range(..2, "+");
    }
    let digits = bare.strip_prefix('+').unwrap_or(&bare);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let international = if bare.starts_with('+') {
        if !(8..=15).contains(&digits.len()) {
            return None;
        }
        Some(match mexican_mobile(digits) {
            Some(national) => format!("+52{national}"),
            None => bare.clone(),
        })
    } else if region == country::MX {
        Some(format!("+52{}", mexican(digits)?))
    } else {
        None
    };
    let mexican = international
        .as_deref()
        .and_then(|number| number.strip_prefix("+52"))
        .filter(|national| national.len() == plan::MEXICAN_DIGITS)
        .and_then(plan::is_mexican);
    match mexican {
        Some(true) => return international,
        Some(false) => return None,
        None => {}
    }
    let number = match &international {
        Some(number) => phonenumber::parse(None, number),
        None => phonenumber::parse(Some(region), digits),
    };
    let number = number.ok()?;
    phonenumber::is_valid(&number).then(|| number.format().mode(Mode::E164).to_string())
}

/// What people and copied text put around digits: spaces, dashes, dots, parentheses and invisible marks.
fn is_decoration(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '-' | '.' | '(' | ')' | '\u{2010}'..='\u{2015}' | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}'
        )
}

/// The ten digits of `521…`, the form of mobile numbers until 2019.
fn mexican_mobile(digits: &str) -> Option<&str> {
    digits
        .strip_prefix("521")
        .filter(|national| national.len() == 10)
}

/// The ten digits of a number as it is or was dialled in Mexico.
fn mexican(digits: &str) -> Option<&str> {
    let national = match digits.len() {
        10 => digits,
        12 if digits.starts_with("52") => digits.strip_prefix("52")?,
        12 => digits.strip_prefix("01")?,
        13 => mexican_mobile(digits)
            .or_else(|| digits.strip_prefix("044"))
            .or_else(|| digits.strip_prefix("045"))?,
        _ => return None,
    };
    Some(national)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mexican_numbers_are_read_in_old_and_new_forms() {
        for written in [
            "55 1234 5678",
            "(55) 1234-5678",
            "5512345678",
            "55.1234.5678",
            "525512345678",
            "+52 55 1234 5678",
            "+52 1 55 1234 5678",
            "5215512345678",
            "044 55 1234 5678",
            "045 55 1234 5678",
            "01 55 1234 5678",
            "0052 55 1234 5678",
            "00521 55 1234 5678",
            "\u{a0}55\u{a0}1234 5678\u{200b}",
            "\u{202a}+52 55 1234\u{2011}5678\u{202c}",
        ] {
            assert_eq!(
                phone(written, Region::DEFAULT).as_deref(),
                Some("+525512345678"),
                "{written}"
            );
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for written in [
            "ext. 14",
            "55-98",
            "55 1234 5678 ext 2",
            "55 1234 567",
            "155 1234 5678",
            "+52 55 1234",
            "+1234567",
            "+1234567890123456",
            "0000000000",
            "+52 00 0000 0000",
            "+999 1234 5678",
            "+",
            "٥٥١٢٣٤٥٦٧٨",
        ] {
            assert_eq!(phone(written, Region::DEFAULT), None, "{written}");
        }
    }

    #[test]
    fn other_regions_are_read_by_the_numbering_plans() {
        let of = |code: &str, written: &str| phone(written, Region::from_code(code).unwrap());
        assert_eq!(of("CO", "321 1234567").as_deref(), Some("+573211234567"));
        assert_eq!(of("US", "(212) 555-2368").as_deref(), Some("+12125552368"));
        assert_eq!(of("MX", "+1 212 555 2368").as_deref(), Some("+12125552368"));
        assert_eq!(of("ES", "612 34 56 78").as_deref(), Some("+34612345678"));
        assert_eq!(of("US", "55 12"), None);
        assert!(Region::from_code("mexico").is_none());
    }
}
