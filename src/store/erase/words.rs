//! Whether a person stands in what was received.
//!
//! A text is looked for as a word, whatever its case, in what the bytes say by their byte order mark, the charset of their
//! content type or the declaration of XML, and without any of these in UTF-8 and, where they are not that, in
//! `windows-1252`; as it stands and with the escapes of JSON, of forms and of XML undone, up to [three](LAYERS) of them inside
//! each other; and in what stands there in base64.
//! Texts of less than four characters are not looked for: they stand in nearly every body.
//!
//! What is compressed, encrypted, in a picture or a document, or in base64 inside base64 is not found.
//!
//! The work is a multiple of the bytes, whatever stands in them and however many texts are looked for.

mod code;
mod escapes;

use std::borrow::Cow;

use aho_corasick::AhoCorasick;
use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use super::{Person, SHORTEST_TEXT};
use crate::store::KeptRequest;

/// How many escapes inside each other are undone.
const LAYERS: usize = 3;
/// How far into a body a declaration of XML is looked for.
const DECLARATION: usize = 200;
/// How many bytes of what was decoded are searched at once, since most of it is short.
const DECODED: usize = 1 << 16;

/// The texts by which a person is found, in lower case.
pub(in crate::store) struct Words {
    texts: Vec<String>,
    /// Finds all of them in one pass.
    finder: Option<AhoCorasick>,
    is_ascii: bool,
}

impl Words {
    pub(in crate::store) fn of(person: &Person) -> Self {
        let texts = person.texts().into_iter();
        let long = texts.filter(|text| text.chars().count() >= SHORTEST_TEXT);
        Self::new(long.map(str::to_lowercase).collect())
    }

    fn new(mut texts: Vec<String>) -> Self {
        // As a form has them that is part of something else.
        let spaced = texts.iter().filter(|text| text.contains(' '));
        let in_forms: Vec<String> = spaced.map(|text| text.replace(' ', "+")).collect();
        texts.extend(in_forms);
        Self {
            finder: AhoCorasick::new(&texts).ok(),
            is_ascii: texts.iter().all(|text| text.is_ascii()),
            texts,
        }
    }

    /// Whether one of them stands in bytes that came with this content type.
    pub(in crate::store) fn stand_in(&self, bytes: &[u8], content_type: Option<&str>) -> bool {
        if bytes.is_empty() || self.texts.is_empty() {
            return false;
        }
        self.readings(bytes, content_type)
            .any(|text| self.stand_in_text(text))
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

    fn stand_in_text(&self, text: Cow<'_, str>) -> bool {
        any_layer(text, |text| {
            self.are_written_in(text) || self.are_coded_in(text)
        })
    }

    fn are_written_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let is_word = |from, to| is_word(&text, from, to);
        match &self.finder {
            Some(finder) => finder
                .find_overlapping_iter(&text)
                .any(|found| is_word(found.start(), found.end())),
            None => self.texts.iter().any(|word| {
                text.match_indices(word)
                    .any(|(at, found)| is_word(at, at + found.len()))
            }),
        }
    }

    /// Whether one stands in something that is written in base64.
    fn are_coded_in(&self, text: &str) -> bool {
        let mut gathered = String::new();
        let is_found = code::any_decoded(text, |bytes| {
            let says_its_charset =
                Encoding::for_bom(bytes).is_some() || declaration(bytes).is_some();
            if says_its_charset {
                let mut readings = self.readings(bytes, None);
                return readings.any(|text| self.are_plain_in(text));
            }
            for text in self.readings(bytes, None) {
                gathered.push_str(&text);
                gathered.push('\n');
            }
            gathered.len() >= DECODED && self.are_plain_in(std::mem::take(&mut gathered).into())
        });
        is_found || self.are_plain_in(gathered.into())
    }

    fn are_plain_in(&self, text: Cow<'_, str>) -> bool {
        any_layer(text, |text| self.are_written_in(text))
    }

    /// What the bytes may say.
    fn readings<'b>(
        &self,
        bytes: &'b [u8],
        content_type: Option<&str>,
    ) -> impl Iterator<Item = Cow<'b, str>> + use<'b> {
        let declared = content_type
            .and_then(|value| parameter(value, "charset"))
            .or_else(|| declaration(bytes))
            .and_then(|label| Encoding::for_label_no_replacement(label.as_bytes()));
        let marked = Encoding::for_bom(bytes).map(|(encoding, _)| encoding);
        let said = marked.or(declared).filter(|said| *said != UTF_8);
        let utf8 = String::from_utf8_lossy(bytes);
        let is_utf8 = matches!(utf8, Cow::Borrowed(_));
        // They differ in nothing that is ASCII.
        let western =
            (!is_utf8 && !self.is_ascii).then(|| WINDOWS_1252.decode_without_bom_handling(bytes).0);
        let said = said.map(|said| said.decode_with_bom_removal(bytes).0);
        std::iter::once(utf8).chain(said).chain(western)
    }
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

/// Whether a text is wanted, or what it says with its escapes undone.
fn any_layer(mut text: Cow<'_, str>, wanted: impl Fn(&str) -> bool) -> bool {
    for _ in 0..LAYERS {
        if wanted(&text) {
            return true;
        }
        match escapes::undone(&text) {
            Some(plain) => text = plain.into(),
            None => return false,
        }
    }
    wanted(&text)
}

/// Whether what stands between two places is no part of a longer word.
fn is_word(text: &str, from: usize, to: usize) -> bool {
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '@');
    let before = text
        .get(..from)
        .and_then(|before| before.chars().next_back());
    let after = text.get(to..).and_then(|after| after.chars().next());
    !before.is_some_and(|c| joins(c) || matches!(c, '.' | '+')) && !after.is_some_and(joins)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::{code::BASE64, *};

    fn words() -> Words {
        Words::new(
            ["ana.pérez@x.mx", "tut-1", "eva sol"]
                .map(str::to_owned)
                .into(),
        )
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
            (r#"{"text":"{\"email\":\"ana.p\\u00e9rez@x.mx\"}"}"#, true),
            (
                r#"{"a":"{\"b\":\"{\\\"c\\\":\\\"tut\\\\u002d1\\\"}\"}"}"#,
                true,
            ),
            (
                "payload=%7B%22email%22%3A%22ana.p%5Cu00e9rez%40x.mx%22%7D",
                true,
            ),
            (r#"{"xml":"<e>ana.p&#233;rez\u0040x.mx<\/e>"}"#, true),
            ("note=para+tut-1+y+nadie", true),
            ("name=Eva+Sol&a=b", true),
            (r#"{"url":"https://x.mx/?name=Eva+Sol"}"#, true),
            (r#"{"user":"x+tut-1"}"#, false),
            ("a=tut%2D1&b=2;c", true),
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

    #[test]
    fn a_person_is_found_in_base64_wherever_it_begins_and_its_lines_end() {
        let plain = r#"{"name":"Luis, who is somebody else","email":"ana.p\u00e9rez@x.mx","more":"nothing of it"}"#;
        let code = BASE64.encode(plain);
        let lines = |end: &str| {
            let lines = code.as_bytes().chunks(60);
            let lines = lines.map(|line| std::str::from_utf8(line).unwrap());
            lines.collect::<Vec<_>>().join(end)
        };
        let name = BASE64.encode("tut-1");
        let name = name.trim_end_matches('=');
        let part = "--b\r\nContent-Transfer-Encoding: base64";
        for body in [
            format!("{part}\r\n\r\n{code}\r\n--b--"),
            format!("{part}\r\n\r\n{}\r\n--b--", lines("\r\n")),
            format!("-----BEGIN DATA-----\n{}\n-----END DATA-----", lines("\n")),
            format!("name,data\nluis,x\n{}\n", lines("\n")),
            format!("<data>\n    {}\n</data>", lines("\n    ")),
            format!(r#"{{"data":"{}"}}"#, lines(r"\n")),
            format!(r#"{{"data":"{}\r\n"}}"#, lines(r"\r\n")),
            format!(r#"{{"data":"{{\"data\":\"{}\"}}"}}"#, lines(r"\\n")),
            format!("data={}", lines("%0A")),
            format!("/files/{code}"),
            format!("/webhooks/crm/{name}/more"),
            format!("id-{name}"),
            format!("a_{code}"),
            format!("abc{code}"),
            format!("{part}\r\n\r\n{name}\r\nb"),
        ] {
            assert!(words().stand_in(body.as_bytes(), None), "{body}");
        }
        let others = BASE64.encode(plain.replace("ana", "eva"));
        for body in [format!("/files/{others}"), others] {
            assert!(!words().stand_in(body.as_bytes(), None), "{body}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_searched_is_searched_to_its_end(bytes: Vec<u8>, text in r#"[\\u0-9a-f%&;#xA-Z+/=\r\n"é-]{0,200}"#) {
            words().stand_in(&bytes, None);
            let found = format!("{text} tut-1");
            proptest::prop_assert!(words().stand_in(found.as_bytes(), None));
        }
    }
}
