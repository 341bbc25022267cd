//! Transforms of text.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

/// The text in Unicode's form NFC, in which `é` is one character. Some senders, among them systems on macOS, write it
/// as an `e` and an accent; people see no difference, and neither must comparisons, tables or Quentli.
pub(in crate::mapping) fn nfc(text: &str) -> Cow<'_, str> {
    const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    NFC.normalize(text)
}

/// White space, also the no-break and zero-width kinds that copied text brings along.
pub(in crate::mapping) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// Whether a text is empty or only spaces.
pub(in crate::mapping) fn is_blank(text: &str) -> bool {
    text.chars().all(is_space)
}

/// Without spaces at both ends.
pub(in crate::mapping) fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// [`trim`], keeping the ownership of an owned text that needs none.
pub(in crate::mapping) fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(trim(text)),
        Cow::Owned(text) if trim(&text).len() == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(trim(&text).to_owned()),
    }
}

/// Spaces at both ends removed, runs of white space inside made one space.
pub(super) fn squeeze(text: Cow<'_, str>) -> Cow<'_, str> {
    let text = trimmed(text);
    let mut before = ' ';
    let tidy = text.chars().all(|c| {
        let fine = !c.is_whitespace() || (c == ' ' && before != ' ');
        before = c;
        fine
    });
    if tidy {
        return text;
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    Cow::Owned(words.join(" "))
}

/// Words that stay low inside a name.
const PARTICLES: [&str; 6] = ["de", "del", "la", "las", "los", "y"];

/// The first letter of each word up, the rest down; particles stay low unless they come first. A word begins after
/// white space, and its parts after `-`, `/`, `.` and `(`.
pub(super) fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_first_word = true;
    let mut rest = text;
    while !rest.is_empty() {
        let start = rest
            .find(|c: char| !c.is_whitespace())
            .unwrap_or(rest.len());
        let (space, from_word) = rest.split_at(start);
        out.push_str(space);
        let end = from_word
            .find(char::is_whitespace)
            .unwrap_or(from_word.len());
        let (word, after) = from_word.split_at(end);
        let lower = word.to_lowercase();
        if !is_first_word && PARTICLES.contains(&lower.as_str()) {
            out.push_str(&lower);
        } else {
            let mut begins = true;
            for c in lower.chars() {
                if begins {
                    out.extend(c.to_uppercase());
                } else {
                    out.push(c);
                }
                begins = matches!(c, '-' | '/' | '.' | '(');
            }
        }
        is_first_word = is_first_word && word.is_empty();
        rest = after;
    }
    out
}

/// `PÉREZ GARCÍA, JUAN CARLOS` with the given names in front; a name without a comma has them there already. `None`
/// where several commas leave it open which part is which.
pub(super) fn given_first(text: &str) -> Option<String> {
    let (surnames, given) = match text.split_once(',') {
        Some((_, given)) if given.contains(',') => return None,
        Some((surnames, given)) => (surnames, given),
        None => (text, ""),
    };
    let parts = [given, surnames].map(|part| squeeze(Cow::Borrowed(part)));
    let parts: Vec<&str> = parts
        .iter()
        .map(AsRef::as_ref)
        .filter(|part| !part.is_empty())
        .collect();
    Some(parts.join(" "))
}

/// Only 0 to 9.
pub(super) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// At most so many characters from the beginning.
pub(super) fn max_len(text: Cow<'_, str>, chars: usize) -> Cow<'_, str> {
    let Some((end, _)) = text.char_indices().nth(chars) else {
        return text;
    };
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(..end).unwrap_or(text)),
        Cow::Owned(mut text) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    }
}

/// An address in the form that Quentli takes: trimmed, one `@`, a dotted domain in lower case. `None` for others.
pub(in crate::mapping) fn email(text: &str) -> Option<String> {
    let text = trim(text);
    let (local, domain) = text.split_once('@')?;
    let labels = || domain.split('.');
    let fits = !local.is_empty()
        && local.chars().count() <= 64
        && text.len() <= 254
        && !text.chars().any(|c| {
            is_space(c) || c.is_control() || matches!(c, ',' | ';' | '<' | '>' | '"' | '(' | ')')
        })
        && labels().count() >= 2
        && labels().all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
    fits.then(|| format!("{local}@{}", domain.to_lowercase()))
}

/// The sign between a number and its fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mapping) enum DecimalSign {
    Point,
    Comma,
}

impl DecimalSign {
    fn as_char(self) -> char {
        match self {
            Self::Point => '.',
            Self::Comma => ',',
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::Point => Self::Comma,
            Self::Comma => Self::Point,
        }
    }
}

/// A number out of the ways people write one: `1,234.50`, `$ 8450`, `1 234.50`; with a comma `1.234,50`. `None` where
/// it is unclear.
pub(super) fn number(text: &str, decimal: DecimalSign) -> Option<String> {
    let text = trim(text);
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, trim(rest)),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let text = trim(text.strip_prefix('$').unwrap_or(text));
    let (whole, fraction) = match text.split_once(decimal.as_char()) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if fraction.is_some_and(|fraction| !is_digits(fraction)) {
        return None;
    }
    // Thousands stand apart by the other sign or by a space, by the same one throughout.
    let between = whole.chars().find(|c| !c.is_ascii_digit());
    if between.is_some_and(|c| c != decimal.other().as_char() && !is_space(c)) {
        return None;
    }
    let mut groups = whole.split(|c| Some(c) == between);
    let first = groups.next().unwrap_or_default();
    let fits = is_digits(first)
        && (between.is_none() || first.len() <= 3)
        && groups.all(|group| group.len() == 3 && is_digits(group));
    if !fits {
        return None;
    }
    let digits: String = whole.chars().filter(char::is_ascii_digit).collect();
    let significant = match digits.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let mut out = if negative { "-" } else { "" }.to_owned();
    out.push_str(significant);
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    Some(out)
}

/// True or false out of the words people use. `None` for others.
pub(in crate::mapping) fn boolean(text: &str) -> Option<bool> {
    match trim(text).to_lowercase().as_str() {
        "true" | "1" | "yes" | "y" | "si" | "sí" | "verdadero" | "on" => Some(true),
        "false" | "0" | "no" | "n" | "falso" | "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trim_takes_no_break_and_zero_width_spaces() {
        assert_eq!(trim("\u{a0} a b\u{200b}\u{feff}\n"), "a b");
        assert!(is_blank(" \u{a0}\u{200b}") && is_blank("") && !is_blank("."));
    }

    #[test]
    fn squeeze_leaves_one_space_between_words() {
        for (from, to) in [
            (" a  b\tc ", "a b c"),
            ("a b", "a b"),
            ("", ""),
            ("\u{a0}", ""),
        ] {
            assert_eq!(squeeze(from.into()), to);
        }
    }

    #[test]
    fn title_raises_words_and_keeps_particles_low() {
        for (from, to) in [
            ("juan carlos PÉREZ garcía", "Juan Carlos Pérez García"),
            ("MARÍA DE LOS ÁNGELES Y SOTO", "María de los Ángeles y Soto"),
            ("DE LA o", "De la O"),
            (" de la cruz", " De la Cruz"),
            ("ana-sofía o'brien", "Ana-Sofía O'brien"),
            ("j.m. (pepe)", "J.M. (Pepe)"),
            ("", ""),
        ] {
            assert_eq!(title(from), to);
        }
    }

    #[test]
    fn digits_and_max_len_cut() {
        assert_eq!(digits("a1-2 ٣3"), "123");
        assert_eq!(max_len("ñandú".into(), 2), "ña");
        assert_eq!(max_len(Cow::Owned("ñandú".to_owned()), 9), "ñandú");
    }

    #[test]
    fn addresses_are_checked_and_their_domain_lowered() {
        for (from, to) in [
            (" Juan.Perez@Example.COM", Some("Juan.Perez@example.com")),
            ("a+b@x-y.mx", Some("a+b@x-y.mx")),
            ("ñ@correo.example", Some("ñ@correo.example")),
            ("a@b", None),
            ("a@b@c.mx", None),
            ("@b.mx", None),
            ("a b@c.mx", None),
            ("a@.mx", None),
            ("a@b..mx", None),
            ("Ana <a@b.mx>", None),
            ("a@b.mx, c@d.mx", None),
            ("a.@b.mx", Some("a.@b.mx")),
            ("a@-b.mx", None),
        ] {
            assert_eq!(email(from).as_deref(), to, "{from}");
        }
    }

    #[test]
    fn numbers_are_read_only_where_they_are_clear() {
        for (from, to) in [
            ("1,234.50", Some("1234.50")),
            ("$ 8450", Some("8450")),
            (" -$1,000 ", Some("-1000")),
            ("007", Some("7")),
            ("0", Some("0")),
            ("1.234", Some("1.234")),
            ("+5", Some("5")),
            ("1,23", None),
            ("1.234,50", None),
            ("1 234.50", Some("1234.50")),
            ("1\u{a0}234\u{a0}567", Some("1234567")),
            ("1 234,567", None),
            ("1 23", None),
            ("1,2345", None),
            ("1234,567", None),
            ("12a", None),
            (".5", None),
            ("5.", None),
            ("--5", None),
            ("$", None),
        ] {
            assert_eq!(number(from, DecimalSign::Point).as_deref(), to, "{from}");
        }
        for (from, to) in [
            ("1.234,50", Some("1234.50")),
            ("1 234,50", Some("1234.50")),
            ("$ 8450", Some("8450")),
            ("-0,5", Some("-0.5")),
            ("1.234", Some("1234")),
            ("1,234", Some("1.234")),
            ("1,234.50", None),
            ("1.23", None),
            ("1.234 567,5", None),
            ("1,2,3", None),
        ] {
            assert_eq!(number(from, DecimalSign::Comma).as_deref(), to, "{from}");
        }
    }

    #[test]
    fn given_names_come_first() {
        for (from, to) in [
            (
                "PÉREZ GARCÍA, JUAN CARLOS",
                Some("JUAN CARLOS PÉREZ GARCÍA"),
            ),
            (" de la O ,  Ana ", Some("Ana de la O")),
            ("Ana  Luna", Some("Ana Luna")),
            ("LUNA,", Some("LUNA")),
            (", ANA", Some("ANA")),
            ("LUNA, ANA, LIC.", None),
        ] {
            assert_eq!(given_first(from).as_deref(), to, "{from}");
        }
    }

    #[test]
    fn an_accent_apart_from_its_letter_is_put_onto_it() {
        assert_eq!(nfc("Jose\u{301} Nun\u{303}ez"), "José Nuñez");
        for tidy in ["José", "Jose", ""] {
            assert!(matches!(nfc(tidy), Cow::Borrowed(_)), "{tidy}");
        }
    }

    #[test]
    fn words_for_true_and_false_are_known_in_any_case() {
        for word in [
            "true",
            "1",
            "YES",
            "y",
            "Si",
            "sí",
            "SÍ",
            "Verdadero",
            " on ",
        ] {
            assert_eq!(boolean(word), Some(true), "{word}");
        }
        for word in ["false", "0", "No", "N", "falso", "OFF"] {
            assert_eq!(boolean(word), Some(false), "{word}");
        }
        for word in ["", "2", "maybe", "s"] {
            assert_eq!(boolean(word), None, "{word}");
        }
    }
}
