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
pub(in crate::mapping) fn work(written: &str, region: Region) -> usize {
    match dialled(written, region) {
        None | Some(Dialled::Mexican(_)) => 0,
        Some(Dialled::International(_) | Dialled::National(_)) => PHONE_STEPS,
    }
}

/// The number in E.164, `+525512345678`. `None` where it is none.
pub(in crate::mapping) fn phone(written: &str, region: Region) -> Option<String> {
    let number = match dialled(written, region)? {
        Dialled::Mexican(national) => {
            return plan::is_mexican(&national)?.then(|| format!("+52{national}"));
        }
        Dialled::International(number) => phonenumber::parse(None, number),
        Dialled::National(digits) => phonenumber::parse(Some(region.0), digits),
    };
    let number = number.ok()?;
    phonenumber::is_valid(&number).then(|| number.format().mode(Mode::E164).to_string())
}

/// A number without what stands around its digits, by who knows whether it is one.
enum Dialled {
    /// The ten digits after `+52`, for our own part of the plan.
    Mexican(String),
    /// With `+` in front, for the library.
    International(String),
    /// Without a country code, for the library.
    National(String),
}

/// What is dialled; `None` where that cannot be a number.
fn dialled(written: &str, Region(region): Region) -> Option<Dialled> {
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
    let known = |national: &str| Some(Dialled::Mexican(national.to_owned()));
    if bare.starts_with('+') {
        if !(8..=15).contains(&digits.len()) {
            return None;
        }
        return match after_country(digits) {
            Some(national) if plan::is_known() => known(national),
            Some(national) => Some(Dialled::International(format!("+52{national}"))),
            None => Some(Dialled::International(bare)),
        };
    }
    if region != country::MX {
        return Some(Dialled::National(bare));
    }
    let national = mexican(digits)?;
    if plan::is_known() {
        known(national)
    } else {
        Some(Dialled::International(format!("+52{national}")))
    }
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

/// What was dialled before the ten digits within Mexico until 2019.
const TRUNKS: [&str; 3] = ["01", "044", "045"];

/// The ten digits after `52`, also where people keep after it what was dialled before it: `521…` was the form of
/// mobile numbers, and `52044…` is a mistake that can only mean one number.
fn after_country(digits: &str) -> Option<&str> {
    let after = digits.strip_prefix("52")?;
    let prefixes = ["", "1"].into_iter().chain(TRUNKS);
    ten_digits(after, prefixes)
}

/// The ten digits of a number as it is or was dialled in Mexico.
fn mexican(digits: &str) -> Option<&str> {
    ten_digits(digits, [""])
        .or_else(|| after_country(digits))
        .or_else(|| ten_digits(digits, TRUNKS))
}

/// What is left after one of these, if that is as long as a number in Mexico.
fn ten_digits(digits: &str, prefixes: impl IntoIterator<Item = &'static str>) -> Option<&str> {
    prefixes
        .into_iter()
        .filter_map(|prefix| digits.strip_prefix(prefix))
        .find(|national| national.len() == plan::MEXICAN_DIGITS)
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
            "+52 01 55 1234 5678",
            "+52 044 55 1234 5678",
            "+52 (045) 55 1234 5678",
            "52 01 55 1234 5678",
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
            "+52 046 55 1234 5678",
            "+52 01 55 1234 567",
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

    #[test]
    fn only_what_the_library_is_asked_costs() {
        for (written, region, cost) in [
            ("55 1234 5678", "MX", 0),
            ("(+52) 55 1234 5678", "MX", 0),
            ("+52 044 55 1234 5678", "US", 0),
            ("ext. 14", "MX", 0),
            ("+52 55 12", "MX", 0),
            ("(+44) 20 7946 0958", "MX", PHONE_STEPS),
            ("\u{202a}+44 20 7946 0958", "MX", PHONE_STEPS),
            ("(00) 44 20 7946 0958", "MX", PHONE_STEPS),
            ("+52 55 1234 567", "MX", PHONE_STEPS),
            ("55 1234 5678", "CO", PHONE_STEPS),
        ] {
            let region = Region::from_code(region).unwrap();
            assert_eq!(work(written, region), cost, "{written}");
        }
    }
}
