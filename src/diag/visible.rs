//! Texts from outside on a screen.

use std::{borrow::Cow, fmt::Write as _};

/// A text in which line breaks, control characters and everything else that cannot be seen are spelled out, so that
/// it stays on its line and commands no terminal.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // The standard escapes, without those that only string literals need.
    for piece in text.split_inclusive(['\'', '"', '\\']) {
        let mut rest = piece.chars();
        let quote = rest.next_back().filter(|c| matches!(c, '\'' | '"' | '\\'));
        let plain = if quote.is_some() {
            rest.as_str()
        } else {
            piece
        };
        out.extend(plain.escape_debug());
        out.extend(quote);
    }
    out
}

/// A text that was put together for a screen, or as JSON, in which what commands a terminal or turns the direction of what
/// stands behind it is spelled out, as JSON spells it. Line breaks, tabs and our own colours stay.
pub fn inert(text: &str) -> Cow<'_, str> {
    if !text.contains(is_commanding) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for (place, c) in text.char_indices() {
        let stays = !is_commanding(c) || (c == '\u{1b}' && begins_colour(text.get(place..)));
        if stays {
            out.push(c);
        } else {
            // Writing into a text cannot fail.
            write!(out, "\\u{:04x}", u32::from(c)).ok();
        }
    }
    Cow::Owned(out)
}

/// Control characters, and those that turn the direction of a text or hide in it.
fn is_commanding(c: char) -> bool {
    let is_control = c.is_control() && !matches!(c, '\n' | '\t');
    is_control
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What `painted` and the reports write: an end, bold, faint, and colours that can be read. Nothing that hides a text.
const OUR_CODES: [&str; 14] = [
    "", "0", "1", "2", "31", "32", "33", "34", "36", "91", "92", "93", "94", "96",
];

/// Whether a text begins with codes that we write ourselves: `ESC [`, some of them with semicolons between, `m`.
fn begins_colour(text: Option<&str>) -> bool {
    let rest = text.and_then(|text| text.strip_prefix("\u{1b}["));
    let codes = rest.and_then(|rest| rest.split_once('m'));
    codes.is_some_and(|(codes, _)| codes.split(';').all(|code| OUR_CODES.contains(&code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_spelled_out_and_accents_are_not() {
        for (text, seen) in [
            ("José Peñá", "José Peñá"),
            ("Jose\u{301}", "Jose\u{301}"),
            ("a\u{a0}b", "a\\u{a0}b"),
            ("a\nb\tc", "a\\nb\\tc"),
            ("\u{1b}[31m", "\\u{1b}[31m"),
            ("\u{9b}31m \u{202e}x", "\\u{9b}31m \\u{202e}x"),
            (r#"a\b "c" 'd'"#, r#"a\b "c" 'd'"#),
        ] {
            assert_eq!(visible(text), seen);
        }
    }

    #[test]
    fn what_commands_a_terminal_is_spelled_out_as_in_json() {
        for (text, seen) in [
            ("José\n\tPeñá", "José\n\tPeñá"),
            ("\u{1b}[1;31mred\u{1b}[0m", "\u{1b}[1;31mred\u{1b}[0m"),
            (
                "\u{1b}[8mhidden\u{1b}[30;40m",
                "\\u001b[8mhidden\\u001b[30;40m",
            ),
            ("\u{1b}[2J\u{1b}]0;x\u{7}", "\\u001b[2J\\u001b]0;x\\u0007"),
            ("a\u{202e}b\u{9b}31m\r", "a\\u202eb\\u009b31m\\u000d"),
            (
                "\u{2066}x\u{2069}\u{200f}\u{feff}",
                "\\u2066x\\u2069\\u200f\\ufeff",
            ),
        ] {
            assert_eq!(inert(text), seen);
        }
        let json = format!("{:#}", serde_json::json!({"by": "a\u{202e}b\u{7f}"}));
        let read: serde_json::Value = serde_json::from_str(&inert(&json)).unwrap();
        assert_eq!(read["by"], "a\u{202e}b\u{7f}");
    }
}
