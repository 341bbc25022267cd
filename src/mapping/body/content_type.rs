//! Headers of the form `value; name=value; name="value"` (RFC 9110, section 5.6.6): `Content-Type` and, inside a
//! multipart body, `Content-Disposition`.

use std::borrow::Cow;

/// A header's first value, and the parameters after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameterised<'a> {
    value: &'a str,
    parameters: &'a str,
}

impl<'a> Parameterised<'a> {
    pub(super) fn new(header: &'a str) -> Self {
        let (value, parameters) = header.split_once(';').unwrap_or((header, ""));
        Self {
            value: value.trim(),
            parameters,
        }
    }

    /// Such as `text/xml`; compare it without regard to capitals.
    pub(super) fn value(self) -> &'a str {
        self.value
    }

    /// Whether it is of the kind `text`.
    pub(super) fn is_text(self) -> bool {
        let kind = self.value.get(..5);
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case("text/"))
    }

    /// The first parameter of a name, without its quotes.
    pub(super) fn parameter(self, wanted: &str) -> Option<Cow<'a, str>> {
        let mut rest = self.parameters;
        while let Some((name, after)) = rest.split_once('=') {
            // What has no `=` is no parameter.
            let name = name.rsplit(';').next().unwrap_or_default().trim();
            let after = after.trim_start();
            let (value, after) = if let Some(quoted) = after.strip_prefix('"') {
                unquoted(quoted)
            } else {
                let (value, after) = after.split_once(';').unwrap_or((after, ""));
                (Cow::Borrowed(value.trim()), after)
            };
            if name.eq_ignore_ascii_case(wanted) {
                return Some(value);
            }
            rest = after;
        }
        None
    }
}

/// The text up to the closing quote, and what follows it. Before a quote and before itself a backslash is none.
fn unquoted(text: &str) -> (Cow<'_, str>, &str) {
    let mut owned: Option<String> = None;
    let mut start = 0;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        let piece = || text.get(start..at).unwrap_or_default();
        match c {
            '"' => {
                let value = match owned {
                    None => Cow::Borrowed(piece()),
                    Some(before) => Cow::Owned(before + piece()),
                };
                return (value, text.get(at + 1..).unwrap_or_default());
            }
            '\\' if text
                .get(at + 1..)
                .unwrap_or_default()
                .starts_with(['"', '\\']) =>
            {
                owned.get_or_insert_default().push_str(piece());
                start = at + 1;
                chars.next();
            }
            _ => {}
        }
    }
    let rest = text.get(start..).unwrap_or_default();
    let value = match owned {
        None => Cow::Borrowed(rest),
        Some(before) => Cow::Owned(before + rest),
    };
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_and_its_parameters_are_told_apart() {
        for (header, value, name, parameter) in [
            ("text/xml", "text/xml", "charset", None),
            ("", "", "charset", None),
            (
                " Text/XML ;charset=utf-8",
                "Text/XML",
                "charset",
                Some("utf-8"),
            ),
            (
                "a/b; Charset = \"UTF-8\" ; x=y",
                "a/b",
                "charset",
                Some("UTF-8"),
            ),
            ("a/b; x=y; charset=latin1", "a/b", "charset", Some("latin1")),
            (
                "a/b; flag; charset=latin1",
                "a/b",
                "charset",
                Some("latin1"),
            ),
            (
                "a/b; charset=one; charset=two",
                "a/b",
                "charset",
                Some("one"),
            ),
            (
                "a/b; x=\"; charset=no\"; charset=yes",
                "a/b",
                "charset",
                Some("yes"),
            ),
            (
                r#"form-data; name="a \"b\" \\ c:\d""#,
                "form-data",
                "name",
                Some(r#"a "b" \ c:\d"#),
            ),
            (
                r#"form-data; name="never closed"#,
                "form-data",
                "name",
                Some("never closed"),
            ),
            (
                r#"form-data; name="ends \""#,
                "form-data",
                "name",
                Some("ends \""),
            ),
            ("form-data; name=", "form-data", "name", Some("")),
            ("a/b; =x; charset=y", "a/b", "charset", Some("y")),
        ] {
            let read = Parameterised::new(header);
            assert_eq!(read.value(), value, "{header}");
            assert_eq!(read.parameter(name).as_deref(), parameter, "{header}");
        }
    }
}
