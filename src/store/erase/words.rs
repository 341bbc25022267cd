//! Whether a person stands in what was received.
//!
//! A text is looked for as a word, whatever its case, in what the bytes say by their byte order mark, the charset of their
//! content type or the declaration of XML, and without any of these in UTF-8 and, where they are not that, in
//! `windows-1252`; as it stands and with the escapes of JSON, of forms and of XML undone; and in what stands there in base64.
//! Texts of less than four characters are not looked for: they stand in nearly every body.
//!
//! What is compressed, encrypted, in a picture or a document, or in base64 inside base64 is not found.

use std::borrow::Cow;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use percent_encoding::percent_decode;

use super::Person;
use crate::store::KeptRequest;

const SHORTEST_TEXT: usize = 4;
/// Characters of base64 that the shortest text needs.
const SHORTEST_CODE: usize = 6;
/// How far into a body a declaration of XML is looked for.
const DECLARATION: usize = 200;

/// With or without padding, whatever the bits are that no byte needs.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The texts by which a person is found, in lower case.
pub(in crate::store) struct Words(Vec<String>);

impl Words {
    pub(in crate::store) fn of(person: &Person) -> Self {
        let texts = person.texts().into_iter();
        let long = texts.filter(|text| text.chars().count() >= SHORTEST_TEXT);
        Self(long.map(str::to_lowercase).collect())
    }

    /// Whether one of them stands in bytes that came with this content type.
    pub(in crate::store) fn stand_in(&self, bytes: &[u8], content_type: Option<&str>) -> bool {
        if bytes.is_empty() || self.0.is_empty() {
            return false;
        }
        readings(bytes, content_type).any(|text| self.stand_in_text(&text))
    }

    /// Whether one of them stands in a request that was kept whole.
    pub(in crate::store) fn stand_in_request(&self, request: &KeptRequest) -> bool {
        let content_type = request
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("content-type"))
            .and_then(|(_, value)| std::str::from_utf8(value).ok());
        let mut headers = request.headers.iter();
        self.stand_in(&request.body, content_type)
            || self.stand_in(request.path_and_query.as_bytes(), None)
            || headers.any(|(_, value)| self.stand_in(value, None))
    }

    fn stand_in_text(&self, text: &str) -> bool {
        let mut undone = vec![Cow::Borrowed(text)];
        if text.contains('\\') {
            undone.push(without_backslashes(text).into());
        }
        if text.contains(['%', '+']) {
            undone.push(of_form(text).into());
        }
        if text.contains('&') {
            undone.push(of_xml(text).into());
        }
        undone
            .iter()
            .any(|text| self.are_written_in(text) || self.are_coded_in(text))
    }

    fn are_written_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.0.iter().any(|word| has_word(&text, word))
    }

    /// Whether one stands in something that is written in base64, of either alphabet.
    fn are_coded_in(&self, text: &str) -> bool {
        let is_code = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_');
        // A line break may stand in longer ones.
        let joined = text.replace(['\r', '\n'], "");
        let runs = joined.split(|c| !is_code(c));
        let long = runs.filter(|run| run.len() >= SHORTEST_CODE);
        long.map(|run| run.replace('-', "+").replace('_', "/"))
            .filter_map(|run| {
                // One character more than bytes need belongs to something else.
                let whole = run.len() - usize::from(run.len() % 4 == 1);
                BASE64.decode(run.get(..whole)?).ok()
            })
            .any(|bytes| readings(&bytes, None).any(|text| self.are_plain_in(&text)))
    }

    fn are_plain_in(&self, text: &str) -> bool {
        self.are_written_in(text)
            || (text.contains('\\') && self.are_written_in(&without_backslashes(text)))
    }
}

/// What the bytes may say.
fn readings<'b>(bytes: &'b [u8], content_type: Option<&str>) -> impl Iterator<Item = Cow<'b, str>> {
    let declared = content_type
        .and_then(|value| parameter(value, "charset"))
        .or_else(|| declaration(bytes))
        .and_then(|label| Encoding::for_label_no_replacement(label.as_bytes()));
    let marked = Encoding::for_bom(bytes).map(|(encoding, _)| encoding);
    let said = marked.or(declared).filter(|said| *said != UTF_8);
    let utf8 = String::from_utf8_lossy(bytes);
    let is_utf8 = matches!(utf8, Cow::Borrowed(_));
    let western = (!is_utf8).then(|| WINDOWS_1252.decode_without_bom_handling(bytes).0);
    let said = said.map(|said| said.decode_with_bom_removal(bytes).0);
    std::iter::once(utf8).chain(said).chain(western)
}

/// The value of a parameter of a content type.
fn parameter<'v>(value: &'v str, name: &str) -> Option<&'v str> {
    value.split(';').skip(1).find_map(|part| {
        let (key, value) = part.split_once('=')?;
        let value = value.trim().trim_matches('"');
        key.trim().eq_ignore_ascii_case(name).then_some(value)
    })
}

/// The encoding that XML declares.
fn declaration(bytes: &[u8]) -> Option<&str> {
    let start = bytes.get(..DECLARATION.min(bytes.len()))?;
    let start = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(start.get(..error.valid_up_to())?).ok()?,
    };
    let inside = start
        .trim_start()
        .strip_prefix("<?xml")?
        .split("?>")
        .next()?;
    let value = inside
        .split_once("encoding")?
        .1
        .split_once('=')?
        .1
        .trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    value.get(1..)?.split(quote).next()
}

fn has_word(text: &str, word: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '@');
    text.match_indices(word).any(|(at, found)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text
            .get(at + found.len()..)
            .and_then(|after| after.chars().next());
        !before.is_some_and(|c| joins(c) || matches!(c, '.' | '+')) && !after.is_some_and(joins)
    })
}

/// Undoes the escapes of JSON (RFC 8259, section 7).
fn without_backslashes(text: &str) -> String {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let mut buffer = [0; 2];
        if c != '\\' {
            units.extend_from_slice(c.encode_utf16(&mut buffer));
            continue;
        }
        match rest.next() {
            Some('u') => {
                let digits: String = rest.by_ref().take(4).collect();
                units.push(u16::from_str_radix(&digits, 16).unwrap_or(u16::from(b' ')));
            }
            Some('n' | 't' | 'r' | 'b' | 'f') => units.push(u16::from(b' ')),
            Some(other) => units.extend_from_slice(other.encode_utf16(&mut buffer)),
            None => {}
        }
    }
    String::from_utf16_lossy(&units)
}

fn of_form(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode(spaced.as_bytes())
        .decode_utf8_lossy()
        .into_owned()
}

fn of_xml(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut parts = text.split('&');
    plain.extend(parts.next());
    for part in parts {
        let Some((name, rest)) = part.split_once(';') else {
            plain.push('&');
            plain.push_str(part);
            continue;
        };
        plain.push_str(&entity(name));
        plain.push_str(rest);
    }
    plain
}

fn entity(name: &str) -> Cow<'_, str> {
    let number = match name.strip_prefix('#') {
        Some(digits) => match digits.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => digits.parse().ok(),
        },
        None => None,
    };
    match (name, number.and_then(char::from_u32)) {
        (_, Some(c)) => c.to_string().into(),
        ("amp", _) => "&".into(),
        ("lt", _) => "<".into(),
        ("gt", _) => ">".into(),
        ("quot", _) => "\"".into(),
        ("apos", _) => "'".into(),
        (other, _) => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        Words(vec!["ana.pérez@x.mx".to_owned(), "tut-1".to_owned()])
    }

    #[test]
    fn a_person_is_found_as_a_word_however_it_is_written() {
        for (body, expected) in [
            (r#"{"email":"Ana.Pérez@X.MX"}"#, true),
            (r#"{"email":"ana.p\u00e9rez@x.mx"}"#, true),
            (r#"{"email":"ana.p\u00C9rez@x.mx","a":"\/"}"#, true),
            ("email=Ana.P%C3%A9rez%40x.mx&a=b", true),
            ("<e>ana.p&#233;rez@x.mx</e>", true),
            ("<e>ana.p&#xE9;rez&#64;x.mx</e>", true),
            (r#"{"user":"tut-1"}"#, true),
            (r#"{"user":"tut-12"}"#, false),
            (r#"{"user":"xtut-1"}"#, false),
            (r#"{"email":"mariana.pérez@x.mx"}"#, false),
            (r#"{"email":"ana.pérez@x.mx.org"}"#, true),
            ("", false),
            ("{\"broken\\u12", false),
        ] {
            let found = words().stand_in(body.as_bytes(), None);
            assert_eq!(found, expected, "{body}");
        }
    }

    #[test]
    fn a_person_is_found_in_whatever_charset_it_is_written() {
        let latin = b"{\"email\":\"ana.p\xe9rez@x.mx\"}".to_vec();
        let xml = |label: &str| {
            let mut xml = format!("<?xml version='1.0' encoding='{label}'?><e>").into_bytes();
            xml.extend_from_slice(b"ana.p\xe9rez@x.mx</e>");
            xml
        };
        let wide: Vec<u8> = "ana.pérez@x.mx"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let marked = [&[0xff, 0xfe][..], &wide].concat();
        for (bytes, content_type, expected) in [
            (&latin, Some("application/json; charset=ISO-8859-1"), true),
            (&latin, Some("application/json"), true),
            (&latin, None, true),
            (&xml("iso-8859-1"), Some("text/xml"), true),
            (&xml("klingon"), None, true),
            (
                &wide,
                Some("text/csv; header=present; Charset=\"UTF-16LE\""),
                true,
            ),
            (&marked, Some("text/csv"), true),
            (&wide, Some("text/csv"), false),
        ] {
            let found = words().stand_in(bytes, content_type);
            assert_eq!(found, expected, "{content_type:?} {}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_person_is_found_in_base64() {
        let plain = r#"{"email":"ana.pérez@x.mx","a":"?>?>"}"#;
        let code = BASE64.encode(plain);
        let for_urls = code.replace('+', "-").replace('/', "_");
        assert_ne!(code, for_urls, "it must have what the alphabets differ in");
        let latin = BASE64.encode(b"ana.p\xe9rez@x.mx");
        let (first, second) = code.split_at(20);
        for body in [
            format!(r#"{{"data_base64":"{code}"}}"#),
            format!(r#"{{"data_base64":"{}"}}"#, code.replace('/', "\\/")),
            format!(r#"{{"data":"{}"}}"#, for_urls.trim_end_matches('=')),
            format!("<data>{first}\r\n{second}</data>"),
            format!("data={}", code.replace('+', "%2B").replace('/', "%2F")),
            format!(r#"{{"data_base64":"{latin}"}}"#),
        ] {
            assert!(words().stand_in(body.as_bytes(), None), "{body}");
        }
        let twice = BASE64.encode(&code);
        assert!(!words().stand_in(twice.as_bytes(), None), "only once");
    }
}
