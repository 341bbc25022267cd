//! Undoes the escapes of forms, of XML and of JSON, one layer at a time.
//!
//! What is no escape stays as it is. A text never grows by more than what it takes to say that bytes are no UTF-8, and each
//! step reads it once.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// How far after its `&` the end of an entity is looked for, in bytes.
const LONGEST_ENTITY: usize = 12;

/// The text with one layer of each kind undone; `None` where there was nothing to undo.
pub(super) fn undone(text: &str) -> Option<String> {
    let mut text = Cow::Borrowed(text);
    for step in [of_form, of_xml, of_json] {
        if let Some(plain) = step(&text) {
            text = Cow::Owned(plain);
        }
    }
    match text {
        Cow::Owned(plain) => Some(plain),
        Cow::Borrowed(_) => None,
    }
}

fn of_form(text: &str) -> Option<String> {
    let spaced = if text.contains('+') && is_form(text) {
        Cow::Owned(text.replace('+', " "))
    } else {
        Cow::Borrowed(text)
    };
    if spaced.contains('%')
        && let plain = percent_decode_str(&spaced).decode_utf8_lossy()
        && plain != spaced
    {
        return Some(plain.into_owned());
    }
    match spaced {
        Cow::Owned(spaced) => Some(spaced),
        Cow::Borrowed(_) => None,
    }
}

/// Whether a plus may be a space in it: nothing stands there that forms and addresses escape.
fn is_form(text: &str) -> bool {
    let mut bytes = text.trim_ascii().bytes();
    bytes.all(|byte| byte.is_ascii_graphic() && !b"\"<>{}\\".contains(&byte))
}

fn of_xml(text: &str) -> Option<String> {
    let mut plain = String::new();
    let (mut rest, mut is_changed) = (text, false);
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        rest = after;
        let named = after.bytes().take(LONGEST_ENTITY);
        let end = named.into_iter().position(|byte| byte == b';');
        let name = end.and_then(|end| after.get(..end));
        if let Some(name) = name
            && let Some(c) = entity(name)
        {
            plain.push(c);
            rest = after.get(name.len() + 1..).unwrap_or_default();
            is_changed = true;
        } else {
            plain.push('&');
        }
    }
    plain.push_str(rest);
    is_changed.then_some(plain)
}

fn entity(name: &str) -> Option<char> {
    if let Some(digits) = name.strip_prefix('#') {
        let number = match digits.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => digits.parse().ok()?,
        };
        return char::from_u32(number);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

/// RFC 8259, section 7.
fn of_json(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return None;
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let mut characters = after.chars();
        let first = characters.next();
        rest = characters.as_str();
        match first {
            Some('u') => match unicode(rest) {
                Some((c, after)) => {
                    plain.push(c);
                    rest = after;
                }
                None => plain.push('u'),
            },
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('t' | 'b' | 'f') => plain.push(' '),
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain.push_str(rest);
    Some(plain)
}

/// What four digits stand for, or two times four, and what comes after.
fn unicode(text: &str) -> Option<(char, &str)> {
    let unit = |text: &str| {
        let digits = text.get(..4)?;
        let is_number = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_number.then(|| u16::from_str_radix(digits, 16).ok())?
    };
    let first = unit(text)?;
    let rest = text.get(4..)?;
    let second = rest.strip_prefix("\\u").and_then(unit);
    let mut both = char::decode_utf16([first].into_iter().chain(second));
    match both.next()? {
        Ok(c) if c.len_utf16() == 2 => Some((c, rest.get(6..)?)),
        Ok(c) => Some((c, rest)),
        Err(_) => Some((char::REPLACEMENT_CHARACTER, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_undone_and_what_is_no_escape_stays() {
        for (text, expected) in [
            ("plain + text", None),
            ("100 % & more; yes", None),
            (r"a\u00e9\n\/\\b", Some("aé\n/\\b")),
            (r"\ud83d\ude00\ud83dx", Some("😀\u{fffd}x")),
            (r"\u12é\", Some("u12é")),
            ("a=b+c&d=%C3%A9%2B", Some("a=b c&d=é+")),
            (r#"{"a":"b+c%40d"}"#, Some(r#"{"a":"b+c@d"}"#)),
            ("&lt;&#233;&#xE9;&b=2;c&amp", Some("<éé&b=2;c&amp")),
            ("%26amp%3Blt;", Some("&lt;")),
        ] {
            assert_eq!(undone(text).as_deref(), expected, "{text}");
        }
    }
}
