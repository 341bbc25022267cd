//! What a value looks like, without saying what it is.
//!
//! Shapes confirm or veto what a name suggests, and stand for the values in comments, where no value of a person may
//! appear. They use the transforms themselves wherever there is one, so that what is proposed also works.

use std::{borrow::Cow, sync::LazyLock};

use jiff::tz::TimeZone;

use super::data::Data;
use crate::mapping::transform::{
    datetime::{self, Form as Read, Format, Pattern},
    phone::{Region, phone},
    text,
};

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Shape {
    Null,
    Blank,
    Bool,
    Email,
    Phone,
    Curp,
    Rfc,
    /// Quentli's own identifier of a customer.
    CustomerId,
    Uuid,
    Url,
    DateTime,
    Date,
    /// Seconds or milliseconds since 1970.
    Unix,
    /// `sí`, `no`, `1` and their like.
    YesNo,
    Number,
    /// One word of letters, digits and a few marks.
    Code,
    Text,
    List,
    Object,
}

impl Shape {
    pub(super) fn of(value: &Data) -> Self {
        match value {
            Data::Null => Self::Null,
            Data::Bool(_) => Self::Bool,
            Data::List(_) => Self::List,
            Data::Object(_) => Self::Object,
            Data::Number(number) => Self::of_number(number),
            Data::Text(text) => Self::of_text(text),
        }
    }

    pub(super) fn of_number(number: &str) -> Self {
        if unix_moment(number).is_some() {
            Self::Unix
        } else if is_phone(number) {
            Self::Phone
        } else {
            Self::Number
        }
    }

    pub(super) fn of_text(written: &str) -> Self {
        let written = text::trim(written);
        let is_digits = !written.is_empty() && written.bytes().all(|byte| byte.is_ascii_digit());
        if written.is_empty() {
            Self::Blank
        } else if text::email(written).is_some() {
            Self::Email
        } else if is_customer_id(written) {
            Self::CustomerId
        } else if is_uuid(written) {
            Self::Uuid
        } else if is_url(written) {
            Self::Url
        } else if is_curp(written) {
            Self::Curp
        } else if is_rfc(written) {
            Self::Rfc
        } else if is_digits && unix_moment(written).is_some() {
            Self::Unix
        } else if is_phone(written) {
            Self::Phone
        } else if let Some(moment) = Moment::of_texts(&[written]) {
            if moment.has_time {
                Self::DateTime
            } else {
                Self::Date
            }
        } else if is_digits {
            Self::Number
        } else if text::boolean(written).is_some() {
            Self::YesNo
        } else if is_code(written) {
            Self::Code
        } else {
            Self::Text
        }
    }

    /// For the comment that lists paths.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Blank => "blank",
            Self::Bool => "true or false",
            Self::Email => "e-mail address",
            Self::Phone => "phone number",
            Self::Curp => "CURP",
            Self::Rfc => "RFC",
            Self::CustomerId => "Quentli customer id",
            Self::Uuid => "UUID",
            Self::Url => "web address",
            Self::DateTime => "date and time",
            Self::Date => "date",
            Self::Unix => "time since 1970",
            Self::YesNo => "yes or no",
            Self::Number => "number",
            Self::Code => "code or word",
            Self::Text => "text",
            Self::List => "empty list",
            Self::Object => "empty object",
        }
    }
}

/// The text of a value that is one by itself.
pub(super) fn text_of(value: &Data) -> Option<&str> {
    match value {
        Data::Text(text) => Some(text::trim(text)),
        Data::Number(number) => Some(number),
        Data::Null | Data::Bool(_) | Data::List(_) | Data::Object(_) => None,
    }
}

/// Whether there is nothing to judge: null, or a text without content.
pub(super) fn is_empty(value: &Data) -> bool {
    match value {
        Data::Null => true,
        Data::Text(text) => text::is_blank(text),
        _ => false,
    }
}

pub(super) fn is_phone(written: &str) -> bool {
    let digits = written.bytes().filter(u8::is_ascii_digit).count();
    digits >= 10 && phone(written, Region::DEFAULT).is_some()
}

/// Words of letters, as people's names are; no code such as `CONTACT_UPDATED`.
pub(super) fn is_name(written: &str) -> bool {
    let letters = written.chars().filter(|c| c.is_alphabetic()).count();
    letters >= 2
        && written.chars().count() <= 100
        && written.chars().all(|c| {
            c.is_alphabetic() || matches!(c, ' ' | '.' | '\'' | '’' | '-' | ',' | '\u{a0}')
        })
}

/// Quentli's `cus_…`.
pub(super) fn is_customer_id(written: &str) -> bool {
    written.strip_prefix("cus_").is_some_and(|rest| {
        rest.len() >= 3
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

/// What can number a record: short, without spaces, no address.
pub(super) fn is_identifier(written: &str) -> bool {
    (1..=64).contains(&written.len())
        && written
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/'))
        && written.chars().any(char::is_alphanumeric)
}

/// One word of the sender's own vocabulary.
pub(super) fn is_code(written: &str) -> bool {
    written.len() <= 80
        && written.starts_with(|c: char| c.is_ascii_alphabetic() || c == '\\')
        && written
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.:/\\-".contains(&byte))
}

pub(super) fn is_uuid(written: &str) -> bool {
    let parts: Vec<usize> = written.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12]
        && written
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn is_url(written: &str) -> bool {
    ["https://", "http://"]
        .iter()
        .any(|scheme| written.starts_with(scheme))
}

/// Whether each character is of the kind that a pattern names: `A` a letter, `9` a digit, `*` either.
fn follows(written: &str, pattern: &str) -> bool {
    written.chars().count() == pattern.len()
        && written
            .chars()
            .zip(pattern.chars())
            .all(|(c, kind)| match kind {
                'A' => c.is_alphabetic() || c == '&',
                '9' => c.is_ascii_digit(),
                _ => c.is_ascii_alphanumeric(),
            })
}

/// The population register's key: four letters, a date, six letters, two more.
pub(super) fn is_curp(written: &str) -> bool {
    follows(written, "AAAA999999AAAAAA*9")
}

/// The tax register's key of a person or a company.
pub(super) fn is_rfc(written: &str) -> bool {
    follows(written, "AAAA999999***") || follows(written, "AAA999999***")
}

/// How a path's values are read as times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) form: Form,
    /// Whether there is more than a day.
    pub(super) has_time: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Standard,
    DayFirst,
    Pattern(&'static str),
    UnixS,
    UnixMs,
}

/// What neither the standard forms nor those with the day first read; month first only where nothing else fits.
const PATTERNS: [&str; 7] = [
    "YYYY/MM/DD HH:mm:ss",
    "YYYY/MM/DD HH:mm",
    "YYYY/MM/DD",
    "YYYYMMDD",
    "MM/DD/YYYY HH:mm:ss",
    "MM/DD/YYYY HH:mm",
    "MM/DD/YYYY",
];

/// The ways of reading a text, in the order in which they are tried; in the time zone of drafts.
static FORMATS: LazyLock<Vec<(Form, Format)>> = LazyLock::new(|| {
    let zone = datetime::zone("America/Mexico_City").unwrap_or(TimeZone::UTC);
    let standard = [
        (Form::Standard, Format::new(Read::Standard, zone.clone())),
        (Form::DayFirst, Format::new(Read::DayFirst, zone.clone())),
    ];
    let patterns = PATTERNS.into_iter().filter_map(|text| {
        let pattern = Pattern::parse(text).ok()?;
        Some((
            Form::Pattern(text),
            Format::new(Read::Pattern(pattern), zone.clone()),
        ))
    });
    standard.into_iter().chain(patterns).collect()
});

impl Moment {
    /// The one form in which all of these values are times. A number is one only since 1970.
    pub(super) fn of(values: &[&Data]) -> Option<Self> {
        let written: Option<Vec<&str>> = values.iter().map(|value| text_of(value)).collect();
        let written = written.filter(|written| !written.is_empty())?;
        let are_texts = values.iter().all(|value| matches!(value, Data::Text(_)));
        are_texts
            .then(|| Self::of_texts(&written))
            .flatten()
            .or_else(|| Self::since_1970(&written))
    }

    fn of_texts(written: &[&str]) -> Option<Self> {
        let reads = |format: &Format| {
            written.iter().all(|text| {
                format
                    .read(text)
                    .is_ok_and(|time| is_plausible(time.as_second()))
            })
        };
        let (form, _) = FORMATS.iter().find(|(_, format)| reads(format))?;
        let has_time = match form {
            Form::Pattern(pattern) => pattern.contains("HH"),
            // Microsoft writes an instant as `/Date(1736937000000)/`.
            _ => written
                .iter()
                .all(|text| text.contains(':') || text.starts_with("/Date(")),
        };
        Some(Self {
            form: *form,
            has_time,
        })
    }

    fn since_1970(written: &[&str]) -> Option<Self> {
        let forms: Option<Vec<Form>> = written.iter().map(|text| unix_moment(text)).collect();
        let forms = forms?;
        let first = *forms.first()?;
        forms.iter().all(|form| *form == first).then_some(Self {
            form: first,
            has_time: true,
        })
    }

    /// The step of a pipe that reads it.
    pub(super) fn transform(self) -> Cow<'static, str> {
        match self.form {
            Form::Standard => "datetime".into(),
            Form::DayFirst => "day_first".into(),
            Form::Pattern(pattern) => format!("datetime('{pattern}')").into(),
            Form::UnixS => "unix_s".into(),
            Form::UnixMs => "unix_ms".into(),
        }
    }
}

/// From 1970 to 2100, so that `20260115` is a day and `99991231` is not one that anybody means.
fn is_plausible(second: i64) -> bool {
    (0..4_102_444_800).contains(&second)
}

/// Seconds from 2001 to 2033, which no telephone number of ten digits looks like, or the same in milliseconds.
fn unix_moment(written: &str) -> Option<Form> {
    let is_digits = written.bytes().all(|byte| byte.is_ascii_digit());
    match written.parse::<i64>().ok().filter(|_| is_digits)? {
        1_000_000_000..2_000_000_000 => Some(Form::UnixS),
        1_000_000_000_000..2_000_000_000_000 => Some(Form::UnixMs),
        _ => None,
    }
}
