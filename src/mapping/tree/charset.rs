//! Which text the bytes of a body are.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

/// A way to write text as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mapping) struct Charset(&'static Encoding);

/// The bytes do not stand for text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not text in {charset}")]
pub(in crate::mapping) struct NotText {
    charset: &'static str,
}

impl Charset {
    pub(in crate::mapping) const UTF_8: Self = Self(UTF_8);

    /// The charset of a label such as `ISO-8859-1`, which is read as its superset `windows-1252` (WHATWG Encoding,
    /// section 4.2). US-ASCII is read as its superset UTF-8, and so is a label that nobody knows: the bytes tell
    /// whether it is wrong.
    pub(in crate::mapping) fn of_label(label: &str) -> Self {
        let label = label.trim();
        // The first by far the most often.
        let is_utf8 = ["utf-8", "us-ascii", "ascii"]
            .into_iter()
            .any(|known| label.eq_ignore_ascii_case(known));
        if is_utf8 {
            return Self::UTF_8;
        }
        Self(Encoding::for_label_no_replacement(label.as_bytes()).unwrap_or(UTF_8))
    }

    /// What a byte order mark in front says, which goes before everything else, and the bytes after it.
    pub(in crate::mapping) fn marked(body: &[u8]) -> Option<(Self, &[u8])> {
        let (encoding, length) = Encoding::for_bom(body)?;
        Some((Self(encoding), body.get(length..).unwrap_or_default()))
    }

    pub(in crate::mapping) fn is_utf8(self) -> bool {
        self == Self::UTF_8
    }

    /// Whether bytes below 128 are the characters of ASCII.
    pub(in crate::mapping) fn has_ascii(self) -> bool {
        self.0.is_ascii_compatible()
    }

    /// The text; borrowed where it is UTF-8.
    pub(in crate::mapping) fn text(self, bytes: &[u8]) -> Result<Cow<'_, str>, NotText> {
        let text = if self.is_utf8() {
            std::str::from_utf8(bytes).ok().map(Cow::Borrowed)
        } else {
            self.0
                .decode_without_bom_handling_and_without_replacement(bytes)
        };
        text.ok_or(NotText {
            charset: self.0.name(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(label: &str, bytes: &[u8]) -> String {
        match Charset::of_label(label).text(bytes) {
            Ok(text) => text.into_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_label_says_how_bytes_are_read() {
        for (label, bytes, expected) in [
            ("utf-8", "Peña".as_bytes(), "Peña"),
            ("UTF8", "Peña".as_bytes(), "Peña"),
            ("utf-8", b"Pe\xf1a", "not text in UTF-8"),
            ("us-ascii", "Peña".as_bytes(), "Peña"),
            ("US-ASCII", b"Pe\xf1a", "not text in UTF-8"),
            ("iso-8859-1", b"Pe\xf1a", "Peña"),
            ("Latin1", b"Pe\xf1a", "Peña"),
            ("windows-1252", b"\x80 50", "€ 50"),
            ("iso-8859-15", b"\xa4 50", "€ 50"),
            (" shift_jis ", b"\x83\x6e", "ハ"),
            ("shift_jis", b"\xfc\xff", "not text in Shift_JIS"),
            ("utf-16", b"P\0\xf1\0", "Pñ"),
            ("utf-16be", b"\0P\0\xf1", "Pñ"),
            ("utf-16le", b"P\0\xf1", "not text in UTF-16LE"),
            ("klingon", "Peña".as_bytes(), "Peña"),
            ("klingon", b"Pe\xf1a", "not text in UTF-8"),
        ] {
            assert_eq!(text(label, bytes), expected, "{label} {bytes:x?}");
        }
    }

    #[test]
    fn a_byte_order_mark_says_what_follows() {
        for (bytes, expected) in [
            (&b"\xef\xbb\xbfa"[..], Some("a")),
            (b"\xff\xfea\0", Some("a")),
            (b"\xfe\xff\0a", Some("a")),
            (b"a", None),
            (b"", None),
        ] {
            let text = Charset::marked(bytes).map(|(charset, rest)| charset.text(rest).unwrap());
            assert_eq!(text.as_deref(), expected, "{bytes:x?}");
        }
    }
}
