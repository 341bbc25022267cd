//! Finds the events in which a person stands: by the references of their deliveries, and by the texts of their bodies.
//!
//! A text is looked for as a word, whatever its case, in the body as it came and with the escapes of JSON, of forms and of XML
//! undone. Texts of less than four characters are not looked for: they stand in nearly every body.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use rusqlite::{Connection, params};

use super::{ErasePage, Erasing};
use crate::{
    customer::{CustomerId, CustomerReference},
    event::EventSeq,
    store::{
        erase::Person,
        sqlite::{decode, fault::Fault},
    },
};

/// Most events of a page, and after how many bytes of bodies it ends.
const EVENTS: u32 = 200;
const BYTES: usize = 4 << 20;
const SHORTEST_TEXT: usize = 4;

/// An event in which the person stands.
pub(super) struct Found {
    pub(super) event: i64,
    /// Whether it has one delivery and a body that tells of the person, so that what cannot be mapped is the person's.
    pub(super) is_single: bool,
}

pub(super) const PAGE: &str = "
    SELECT seq, organisation, headers, body FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2";
pub(super) const IN_HISTORY: &str = "
    SELECT EXISTS (SELECT 1 FROM history WHERE event = ?1 AND customer = ?2)
        OR EXISTS (SELECT 1 FROM attempt WHERE event = ?1 AND customer = ?2)";
pub(super) const REFERENCES: &str = "
    SELECT customer FROM delivery WHERE event = ?1 AND customer IS NOT NULL
    UNION ALL
    SELECT customer FROM observed WHERE source = (SELECT source FROM event WHERE seq = ?1) AND event = ?1";
pub(super) const DELIVERIES: &str = "
    SELECT (SELECT count(*) FROM delivery WHERE event = ?1) + (SELECT count(*) FROM history WHERE event = ?1)";

/// Reads a page and finds in it what is to be erased.
pub(super) fn page(connection: &Connection, page: ErasePage) -> Result<Erasing, Fault> {
    let person = &page.person;
    let wanted: Vec<String> = person
        .texts()
        .into_iter()
        .filter(|text| text.chars().count() >= SHORTEST_TEXT)
        .map(str::to_lowercase)
        .collect();
    let mut statement = connection.prepare_cached(PAGE)?;
    let mut rows = statement.query(params![page.after.0, EVENTS])?;
    let (mut events, mut next, mut bytes, mut read) = (Vec::new(), None, 0_usize, 0_u32);
    while let Some(row) = rows.next()? {
        let event: i64 = row.get(0)?;
        read += 1;
        if row.get_ref(1)?.as_str()? == person.organisation.as_str() {
            let headers = row.get_ref(2)?.as_bytes_or_null()?.unwrap_or_default();
            let body = row.get_ref(3)?.as_bytes_or_null()?.unwrap_or_default();
            bytes = bytes.saturating_add(body.len());
            let is_told = mentions(body, &wanted) || mentions(headers, &wanted);
            if is_told || is_delivered(connection, event, person)? {
                let deliveries: i64 = connection
                    .prepare_cached(DELIVERIES)?
                    .query_row([event], |row| row.get(0))?;
                events.push(Found {
                    event,
                    is_single: is_told && deliveries == 1,
                });
            }
        }
        if read == EVENTS || bytes >= BYTES {
            next = Some(EventSeq(event));
            break;
        }
    }
    drop(rows);
    drop(statement);
    Ok(Erasing { page, events, next })
}

/// Whether a delivery of the event was or is for the person.
fn is_delivered(connection: &Connection, event: i64, person: &Person) -> Result<bool, Fault> {
    if let Some(id) = person.id.as_ref().map(CustomerId::as_str) {
        let is_there: bool = connection
            .prepare_cached(IN_HISTORY)?
            .query_row(params![event, id], |row| row.get(0))?;
        if is_there {
            return Ok(true);
        }
    }
    let mut statement = connection.prepare_cached(REFERENCES)?;
    let mut rows = statement.query([event])?;
    while let Some(row) = rows.next()? {
        let reference: CustomerReference = decode::json(row.get_ref(0)?.as_str()?, "customer")?;
        if person.is_meant_by(&reference) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether one of the texts, in lower case, stands in the bytes as a word.
fn mentions(bytes: &[u8], wanted: &[String]) -> bool {
    if bytes.is_empty() || wanted.is_empty() {
        return false;
    }
    let text = String::from_utf8_lossy(bytes);
    let holds = |text: &str| {
        let text = text.to_lowercase();
        wanted.iter().any(|word| has_word(&text, word))
    };
    holds(&text)
        || (text.contains('\\') && holds(&without_backslashes(&text)))
        || (text.contains(['%', '+']) && holds(&of_form(&text)))
        || (text.contains('&') && holds(&of_xml(&text)))
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

    #[test]
    fn a_person_is_found_as_a_word_however_it_is_written() {
        let wanted = ["ana.pérez@x.mx".to_owned(), "tut-1".to_owned()];
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
            assert_eq!(mentions(body.as_bytes(), &wanted), expected, "{body}");
        }
    }
}
