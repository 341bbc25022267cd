//! Numbers as text: compared and read without passing through floating point, so that `0.1` is `0.10` and a
//! 20-digit identifier is not its neighbour.

use std::cmp::Ordering;

/// Compares two JSON numbers by value.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (Decimal::of(left), Decimal::of(right));
    match (left.is_zero(), right.is_zero()) {
        (true, true) => return Ordering::Equal,
        (true, false) if right.negative => return Ordering::Greater,
        (true, false) => return Ordering::Less,
        (false, true) if left.negative => return Ordering::Less,
        (false, true) => return Ordering::Greater,
        (false, false) => {}
    }
    match (left.negative, right.negative) {
        (false, true) => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, false) => left.magnitude(&right),
        (true, true) => right.magnitude(&left),
    }
}

/// The value of a JSON number that is whole and fits, also where it is spelled `1.0` or `1e3`.
pub(super) fn whole(number: &str) -> Option<i64> {
    Decimal::of(number).whole()
}

/// The value of a JSON number without its fraction, if that fits.
pub(super) fn cut(number: &str) -> Option<i64> {
    let mut decimal = Decimal::of(number);
    let whole_digits = decimal.point.clamp(0, 20);
    decimal.digits.truncate(usize::try_from(whole_digits).ok()?);
    decimal.whole()
}

/// What two numbers have in common exactly if [`compare`] finds them equal.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(Decimal);

impl Key {
    pub(super) fn of(number: &str) -> Self {
        let decimal = Decimal::of(number);
        if decimal.is_zero() {
            // Zero has many spellings, some of them with a sign.
            return Self(Decimal {
                negative: false,
                digits: String::new(),
                point: 0,
            });
        }
        Self(decimal)
    }
}

/// 0.`digits` × 10^`point`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Decimal {
    negative: bool,
    /// Without zeros at either end; empty for zero.
    digits: String,
    point: i64,
}

impl Decimal {
    fn of(number: &str) -> Self {
        let unsigned = number.strip_prefix('-').unwrap_or(number);
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all: String = [whole, fraction].concat();
        let without_front = all.trim_start_matches('0');
        let dropped = all.len() - without_front.len();
        let exponent: i64 = exponent.parse().unwrap_or_else(|_| {
            // Too many digits for any honest number; its sign still says which end it is at.
            if exponent.starts_with('-') {
                i64::MIN / 2
            } else {
                i64::MAX / 2
            }
        });
        let length = |length: usize| i64::try_from(length).unwrap_or(i64::MAX / 4);
        Self {
            negative: number.starts_with('-'),
            digits: without_front.trim_end_matches('0').to_owned(),
            point: length(whole.len())
                .saturating_sub(length(dropped))
                .saturating_add(exponent),
        }
    }

    fn whole(&self) -> Option<i64> {
        if self.is_zero() {
            return Some(0);
        }
        let length = i64::try_from(self.digits.len()).ok()?;
        if self.point < length || self.point > 19 {
            return None;
        }
        let mut text = if self.negative { "-" } else { "" }.to_owned();
        text.push_str(&self.digits);
        for _ in length..self.point {
            text.push('0');
        }
        text.parse().ok()
    }

    fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    fn magnitude(&self, other: &Self) -> Ordering {
        // Digits without leading zeros after the same point compare as texts.
        self.point
            .cmp(&other.point)
            .then_with(|| self.digits.cmp(&other.digits))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_compare_by_value_whatever_their_spelling() {
        for (left, right) in [
            ("5", "5.0"),
            ("0.1", "0.10"),
            ("1e3", "1000"),
            ("-0", "0"),
            ("0e9", "0.0"),
            ("12.5E-1", "1.25"),
        ] {
            assert_eq!(compare(left, right), Ordering::Equal, "{left} {right}");
        }
        for (less, more) in [
            ("2", "10"),
            ("-10", "-2"),
            ("-1", "0"),
            ("0", "0.001"),
            ("12345678901234567890", "12345678901234567891"),
            ("1e-99999999999999999999", "1e99999999999999999999"),
        ] {
            assert_eq!(compare(less, more), Ordering::Less, "{less} {more}");
            assert_eq!(compare(more, less), Ordering::Greater, "{less} {more}");
        }
    }

    #[test]
    fn whole_numbers_are_read_exactly() {
        for (text, value) in [
            ("1736937000123", Some(1_736_937_000_123)),
            ("-7.0", Some(-7)),
            ("1e3", Some(1000)),
            ("0.0", Some(0)),
            ("1.5", None),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("1e400", None),
            ("1e-400", None),
        ] {
            assert_eq!(whole(text), value, "{text}");
        }
    }

    #[test]
    fn fractions_are_cut() {
        for (text, value) in [
            ("1768473000.123", Some(1_768_473_000)),
            ("-1.9", Some(-1)),
            ("0.9", Some(0)),
            ("1e-400", Some(0)),
            ("12e2", Some(1200)),
            ("1e400", None),
            ("99999999999999999999", None),
            ("99999999999999999999.5", None),
            ("9223372036854775807.5", Some(i64::MAX)),
            ("9223372036854775808", None),
        ] {
            assert_eq!(cut(text), value, "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_integers(left in any::<i64>(), right in any::<i64>()) {
            prop_assert_eq!(compare(&left.to_string(), &right.to_string()), left.cmp(&right));
            prop_assert_eq!(whole(&left.to_string()), Some(left));
        }
    }
}
