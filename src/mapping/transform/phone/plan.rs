//! The numbering plan of Mexico, compiled once from the metadata that the `phonenumber` crate carries.
//!
//! The crate finds region, national prefix and kind of any number, through a cache of regular expressions that all
//! threads share behind one lock; that is most of the work of an event with telephone numbers. A number that already
//! is `+52` and ten digits needs only its last question, whether the digits belong to a number that can exist. It is
//! asked here of the same patterns; a test compares the answers with the crate's.

use std::sync::LazyLock;

use phonenumber::{
    country,
    metadata::{DATABASE, Descriptor},
};
use regex::{Regex, RegexBuilder};

/// The digits of a number in Mexico, without country code.
pub(super) const MEXICAN_DIGITS: usize = 10;

static MEXICO: LazyLock<Option<Plan>> = LazyLock::new(|| Plan::read(MEXICAN_DIGITS));

/// Which digits make a number.
struct Plan {
    /// What every number looks like.
    general: Regex,
    /// What a number of some kind (mobile, fixed, toll-free, …) looks like.
    kinds: Regex,
}

impl Plan {
    /// The plan for numbers of this length; `None` where the metadata lacks it, and then the crate is asked.
    fn read(digits: usize) -> Option<Self> {
        let digits = u16::try_from(digits).ok()?;
        let region = DATABASE.by_id(country::MX.as_ref())?.descriptors();
        let kinds = [
            region.mobile(),
            region.fixed_line(),
            region.toll_free(),
            region.premium_rate(),
            region.shared_cost(),
            region.voip(),
            region.personal_number(),
            region.pager(),
            region.uan(),
            region.voicemail(),
        ];
        let of_length = |kind: &&Descriptor| {
            let lengths = kind.possible_length();
            lengths.is_empty() || lengths.contains(&digits)
        };
        let general = Some(region.general()).filter(of_length)?;
        let kinds: Vec<&str> = kinds
            .into_iter()
            .flatten()
            .filter(of_length)
            .map(|kind| kind.national_number().as_str())
            .collect();
        if kinds.is_empty() {
            return None;
        }
        Some(Self {
            general: at_start(general.national_number().as_str())?,
            kinds: at_start(&kinds.join("|"))?,
        })
    }
}

/// The pattern, which the metadata writes over several lines, where it matches from the first digit on.
fn at_start(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(&format!("^(?:{pattern})"))
        .ignore_whitespace(true)
        .build()
        .ok()
}

/// Whether [`is_mexican`] knows.
pub(super) fn is_known() -> bool {
    MEXICO.is_some()
}

/// Whether ten digits are a number in Mexico; `None` where the plan does not know, and the crate must be asked.
pub(super) fn is_mexican(national: &str) -> Option<bool> {
    let plan = MEXICO.as_ref()?;
    Some(plan.general.is_match(national) && plan.kinds.is_match(national))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn the_plan_says_what_the_library_says(national in "[0-9]{10}") {
            let library = phonenumber::parse(None, format!("+52{national}"))
                .is_ok_and(|number| phonenumber::is_valid(&number) && number.national().to_string() == national);
            prop_assert_eq!(is_mexican(&national), Some(library));
        }
    }
}
