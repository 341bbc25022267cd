//! Texts from outside on a screen.

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
}
