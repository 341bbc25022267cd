//! A person's telephone numbers.

use super::{
    Field, Form, Records,
    candidate::{Candidate, is_phone},
    field, others,
};
use crate::mapping::draft::{shape, words::Meaning};

impl Records<'_> {
    /// The number that messages go to, and a second one.
    pub(super) fn phones(&self) -> Vec<Field> {
        let as_phone = |path: &str| format!("{path} | phone");
        let mobile = self.fitting(Meaning::Mobile, is_phone);
        let plain = self.fitting(Meaning::Phone, is_phone);
        let other = self.fitting(Meaning::OtherPhone, is_phone);
        let (first, mut second) = match (mobile.first(), plain.first()) {
            (Some(best), Some(fallback)) if can_stand_in(best, fallback) => {
                let path = format!("{} ?? {}", best.path(), fallback.path());
                let first = Field {
                    name: "phoneNumber".to_owned(),
                    path: best.path(),
                    form: Form::Plain(as_phone(&path)),
                    others: others(mobile.get(1..).unwrap_or_default(), &path),
                };
                (Some(first), Vec::new())
            }
            (Some(best), Some(same)) if have_same_values(best, same) => {
                (field("phoneNumber", &mobile, as_phone), Vec::new())
            }
            (Some(_), _) => (field("phoneNumber", &mobile, as_phone), plain),
            (None, Some(_)) => (field("phoneNumber", &plain, as_phone), Vec::new()),
            (None, None) => {
                return field("phoneNumber", &other, as_phone).into_iter().collect();
            }
        };
        second.splice(0..0, other);
        let second = field("secondaryPhoneNumber", &second, as_phone).map(forgiving);
        first.into_iter().chain(second).collect()
    }
}

/// A bad second number must not hold up the rest.
fn forgiving(field: Field) -> Field {
    let (when, from) = match field.form {
        Form::Plain(from) => (None, from),
        Form::Long { when, from, .. } => (when, from),
        form @ Form::Since { .. } => return Field { form, ..field },
    };
    let form = Form::Long {
        when,
        from,
        skips_null: false,
        skips_errors: true,
    };
    Field { form, ..field }
}

/// Whether a plain number is to be taken where there is no mobile one: some sample has just one of them, and in none
/// are they two different ones.
fn can_stand_in(mobile: &Candidate<'_>, plain: &Candidate<'_>) -> bool {
    let is_simple = |candidate: &Candidate<'_>| candidate.is_whole && !candidate.travels_alone();
    let digits = |candidate: &Candidate<'_>, record: usize| -> String {
        let value = candidate
            .found
            .values
            .iter()
            .find(|(known, _)| *known == record);
        let text = value
            .and_then(|(_, value)| shape::text_of(value))
            .unwrap_or_default();
        text.chars().filter(char::is_ascii_digit).collect()
    };
    let records = mobile
        .found
        .values
        .iter()
        .chain(&plain.found.values)
        .map(|(record, _)| *record);
    let pairs: Vec<(String, String)> = records
        .map(|record| (digits(mobile, record), digits(plain, record)))
        .collect();
    let differ = pairs
        .iter()
        .any(|(one, two)| !one.is_empty() && !two.is_empty() && one != two);
    let complete = pairs
        .iter()
        .any(|(one, two)| one.is_empty() != two.is_empty());
    is_simple(mobile) && is_simple(plain) && complete && !differ
}

fn have_same_values(one: &Candidate<'_>, other: &Candidate<'_>) -> bool {
    one.found.values == other.found.values
}
