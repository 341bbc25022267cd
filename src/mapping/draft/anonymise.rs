//! Replaces what a sample says of people by something invented of the same shape.
//!
//! It keeps by a list, not by a suspicion: a value stays only where it is known to say nothing of a person (true and
//! false, small numbers, words of the sender's vocabulary, times at which something happened, a school's grades).
//! Everything else is replaced, the same value by the same invention, always in the same way. Names of keys stay,
//! unless they are values themselves.

use std::collections::HashMap;

use super::{
    Values,
    data::Data,
    lists::names_property,
    shape::{self, Form, Moment, Shape},
    spot::is_data,
    words::{self, Meaning},
};
use crate::mapping::tree::write_json_text;

/// Replaces values in the samples of one draft.
pub(super) struct Anonymiser<'k> {
    values: Values,
    /// Texts that the rules compare with.
    kept: &'k [String],
    /// The number of each value that was replaced, among those of its shape.
    numbers: HashMap<(Shape, String), usize>,
    /// How many values of a shape, and of a pattern of letters and digits, were replaced.
    counts: HashMap<(Shape, String), usize>,
}

const GIVEN: [&str; 8] = [
    "Ana", "Luis", "Elena", "Jorge", "Rosa", "Mario", "Inés", "Pablo",
];
const FAMILY: [&str; 8] = [
    "Luna", "Ríos", "Soto", "Vega", "Mora", "Campos", "Nieto", "Salas",
];

impl<'k> Anonymiser<'k> {
    pub(super) fn new(values: Values, kept: &'k [String]) -> Self {
        Self {
            values,
            kept,
            numbers: HashMap::new(),
            counts: HashMap::new(),
        }
    }

    /// The event as JSON, with values replaced. What is named as a secret is replaced in any case.
    pub(super) fn json(&mut self, tree: &Data) -> String {
        let mut out = String::new();
        self.write(tree, &[], &mut out);
        out
    }

    fn write(&mut self, tree: &Data, name: &[String], out: &mut String) {
        match tree {
            Data::Null => out.push_str("null"),
            Data::Bool(flag) => out.push_str(&flag.to_string()),
            Data::Number(number) => out.push_str(&self.number_instead(number, name)),
            Data::Text(text) => write_json_text(&self.text_instead(text, name), out),
            Data::List(elements) => {
                out.push('[');
                for (index, element) in elements.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    self.write(element, name, out);
                }
                out.push(']');
            }
            Data::Object(object) => {
                out.push('{');
                let named = names_property(object);
                for (index, (key, value)) in object.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    if is_data(key) && self.values == Values::Invented {
                        write_json_text(&self.text_instead(key, &[]), out);
                    } else {
                        write_json_text(key, out);
                    }
                    out.push(':');
                    let words = words::words(key);
                    if named == Some(key) {
                        // The name of a field, not of a person.
                        self.write(value, &["field".to_owned()], out);
                    } else if words::is_neutral(&words) {
                        // `phones[].number` is named by the list.
                        self.write(value, name, out);
                    } else {
                        self.write(value, &words, out);
                    }
                }
                out.push('}');
            }
        }
    }

    fn keeps(&self, name: &[String]) -> bool {
        self.values == Values::Kept && !words::is_secret(name)
    }

    /// The number of a value among those of its class, from 1.
    fn number_of(&mut self, shape: Shape, class: &str, value: &str) -> usize {
        let plain: Vec<String> = value.split_whitespace().map(str::to_lowercase).collect();
        let next = self.counts.entry((shape, class.to_owned())).or_default();
        *self
            .numbers
            .entry((shape, plain.join(" ")))
            .or_insert_with(|| {
                *next += 1;
                *next
            })
    }

    fn number_instead(&mut self, number: &str, name: &[String]) -> String {
        let digits = number.bytes().filter(u8::is_ascii_digit).count();
        let shape = Shape::of_number(number);
        if self.keeps(name)
            || digits <= 2
            || (digits <= 4 && is_harmless(name))
            || (shape == Shape::Unix && words::is_time(name))
        {
            return number.to_owned();
        }
        let n = self.number_of(shape, &pattern_of(shape, number), number);
        match shape {
            Shape::Phone => national_phone(n),
            Shape::Unix => unix(number.len(), n),
            // An exponent and the like would not stay a number.
            _ if number.contains(['e', 'E']) => n.to_string(),
            _ => {
                let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
                let sign = if whole.starts_with('-') { "-" } else { "" };
                let width = whole.len() - sign.len() - 1;
                let zeros = "0".repeat(fraction.len());
                let point = if fraction.is_empty() { "" } else { "." };
                if width == 0 {
                    format!("{whole}{point}{zeros}")
                } else {
                    format!("{sign}1{n:0width$}{point}{zeros}")
                }
            }
        }
    }

    fn text_instead(&mut self, text: &str, name: &[String]) -> String {
        let shape = Shape::of_text(text);
        let is_word = words::is_field_name(text)
            || (words::has_vocabulary(name)
                && shape == Shape::Code
                && !text.bytes().any(|byte| byte.is_ascii_digit()));
        let stays = match shape {
            _ if self.keeps(name) => true,
            _ if words::is_secret(name) => false,
            Shape::Blank | Shape::YesNo => true,
            Shape::DateTime | Shape::Date | Shape::Unix => words::is_time(name),
            _ => {
                is_word
                    || (is_short(text) && is_harmless(name))
                    || self.kept.iter().any(|kept| kept == text)
            }
        };
        if stays {
            return text.to_owned();
        }
        if shape::is_name(text) && is_of_person(name) {
            let n = self.number_of(shape, "a person", text);
            return in_case_of(text, &person(name, text, n));
        }
        let n = self.number_of(shape, &pattern_of(shape, text), text);
        match shape {
            Shape::Email => format!("persona{n}@correo.example"),
            Shape::Phone if text.contains('+') => format!("+52{}", national_phone(n)),
            Shape::Phone => national_phone(n),
            Shape::CustomerId => format!("cus_ejemplo{n}"),
            Shape::Uuid => format!("00000000-0000-4000-8000-{n:012}"),
            Shape::Url => format!("https://www.example/{n}"),
            // The keys that stand for everybody: a foreigner without one, and the general public.
            Shape::Curp => "XEXX010101HNEXXXA4".to_owned(),
            Shape::Rfc if text.trim().chars().count() == 12 => "XAX010101000".to_owned(),
            Shape::Rfc => "XAXX010101000".to_owned(),
            Shape::Unix => unix(text.trim().len(), n),
            Shape::DateTime | Shape::Date => day_instead(text.trim()),
            _ if text.chars().count() > 60 => format!("texto {n}"),
            _ => masked(text, n),
        }
    }
}

/// Ten digits that are a number in Mexico City.
fn national_phone(n: usize) -> String {
    format!("551234{:04}", n % 10_000)
}

fn unix(length: usize, n: usize) -> String {
    let (base, n) = (
        if length > 10 { "1000000000" } else { "1000" },
        n % 1_000_000,
    );
    if length > 10 {
        format!("{base}{:03}", n % 1000)
    } else {
        format!("{base}{n:06}")
    }
}

/// Values that keep their pattern are counted by it, so that two of them stay two.
fn pattern_of(shape: Shape, value: &str) -> String {
    match shape {
        Shape::Code | Shape::Text | Shape::Number => masked(value, 0),
        _ => String::new(),
    }
}

fn is_of_person(name: &[String]) -> bool {
    let guess = words::meanings(name).into_iter().next();
    matches!(
        guess.map(|guess| guess.meaning),
        Some(
            Meaning::FullName
                | Meaning::Name
                | Meaning::GivenName
                | Meaning::MiddleName
                | Meaning::FamilyName
                | Meaning::PaternalName
                | Meaning::MaternalName
        )
    )
}

/// An invented name for a key that names people: whole where the sample's is.
fn person(name: &[String], text: &str, n: usize) -> String {
    let pick = |list: [&'static str; 8], at: usize| list.get(at % 8).copied().unwrap_or_default();
    let given = pick(GIVEN, n);
    let family = pick(FAMILY, n + n / 8);
    let meaning = words::meanings(name)
        .into_iter()
        .next()
        .map(|guess| guess.meaning);
    match meaning {
        Some(Meaning::GivenName | Meaning::MiddleName) => given.to_owned(),
        Some(Meaning::FamilyName | Meaning::PaternalName) => family.to_owned(),
        Some(Meaning::MaternalName) => pick(FAMILY, n + 3).to_owned(),
        _ if text.trim().contains(' ') => format!("{given} {family}"),
        _ => given.to_owned(),
    }
}

/// In capitals where the sample is, so that the draft still shows what `title` is for.
fn in_case_of(text: &str, invented: &str) -> String {
    if text.chars().any(char::is_lowercase) {
        invented.to_owned()
    } else {
        invented.to_uppercase()
    }
}

/// Another day in the same form. What is not written in digits becomes digits.
fn day_instead(text: &str) -> String {
    let form = Moment::of(&[&Data::Text(text.to_owned())]).map(|moment| moment.form);
    let time = text
        .find(':')
        .and_then(|colon| text.get(colon.saturating_sub(2)..));
    match form {
        Some(Form::Pattern(pattern)) => [
            ("YYYY", "2001"),
            ("MM", "02"),
            ("DD", "13"),
            ("HH", "04"),
            ("mm", "05"),
            ("ss", "06"),
        ]
        .into_iter()
        .fold(pattern.to_owned(), |text, (letters, digits)| {
            text.replace(letters, digits)
        }),
        Some(Form::DayFirst) => match time {
            Some(time) => format!("13/02/2001 {}", time.trim_start()),
            None => "13/02/2001".to_owned(),
        },
        _ if text.starts_with("/Date(") => "/Date(982022400000)/".to_owned(),
        _ => format!("2001-02-13{}", text.get(10..).unwrap_or_default()),
    }
}

/// The same marks around other letters and digits, which count: the digits first, then the letters.
fn masked(text: &str, n: usize) -> String {
    let mut left = n;
    let mut next = |size: usize| {
        let here = left % size;
        left /= size;
        u8::try_from(here).unwrap_or_default()
    };
    let mut chars: Vec<char> = text.chars().collect();
    for c in chars.iter_mut().rev().filter(|c| c.is_numeric()) {
        *c = char::from(b'0' + next(10));
    }
    for c in chars.iter_mut().rev().filter(|c| c.is_alphabetic()) {
        *c = char::from(if c.is_uppercase() { b'A' } else { b'a' } + next(26));
    }
    chars.into_iter().collect()
}

fn is_short(text: &str) -> bool {
    text.chars().count() <= 20 && !text.contains(char::is_whitespace)
}

/// A grade, a group, a level: shared by many, and telling nobody apart.
fn is_harmless(name: &[String]) -> bool {
    let guess = words::meanings(name).into_iter().next();
    matches!(
        guess.map(|guess| guess.meaning),
        Some(Meaning::Metadata(
            "Grado" | "Grupo" | "Sección" | "Nivel" | "Ciclo" | "Turno"
        ))
    )
}
