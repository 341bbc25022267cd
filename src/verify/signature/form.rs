//! What may be said of the value of a signature header: its form, never the value itself. Where another kind of sender
//! was expected, a token may stand in the place of a signature, and many tokens look like one.

use http::HeaderName;

use crate::verify::{
    format::SignatureFormat,
    settings::{Kind, VerifySettings},
};

impl VerifySettings {
    /// The form of the signatures in a header's value, such as "64 hexadecimal digits behind `sha256=`": how many
    /// there are, how long, in which letters. `None` for a header that holds no signatures. Of the value nothing is
    /// told but lengths and kinds of letters.
    pub fn signature_form(&self, header: &HeaderName, value: &[u8]) -> Option<String> {
        let Kind::Signature(settings) = &self.kind else {
            return None;
        };
        if !settings.place.headers().contains(header) {
            return None;
        }
        let mut found = Vec::new();
        let read = std::str::from_utf8(value)
            .ok()
            .filter(|text| settings.format.signatures(text, &mut found).is_ok());
        let before = settings.format.before();
        let forms: Vec<String> = found.iter().map(|signature| letters(signature)).collect();
        Some(match (read, forms.as_slice()) {
            (None, _) | (_, []) => {
                let bytes = value.len();
                let wanted = before.map_or_else(String::new, |before| format!(" behind {before}"));
                format!("{bytes} characters, no signature{wanted}")
            }
            (Some(_), [one]) => match before {
                Some(before) => format!("{one} behind {before}"),
                None => one.clone(),
            },
            (Some(_), several) => {
                let place =
                    before.map_or_else(String::new, |before| format!(" behind {before} each"));
                format!(
                    "{} signatures{place}: {}",
                    several.len(),
                    several.join("; ")
                )
            }
        })
    }
}

impl SignatureFormat {
    /// What stands before a signature, from the settings.
    fn before(&self) -> Option<String> {
        match self {
            Self::Plain => None,
            Self::Prefix { prefix, .. } => Some(format!("`{prefix}`")),
            Self::Pairs {
                assign, key: name, ..
            }
            | Self::List {
                assign,
                version: name,
                ..
            } => Some(format!("`{name}{assign}`")),
        }
    }
}

/// How many letters there are, and of which kind.
fn letters(signature: &str) -> String {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(byte);
    let bytes = signature.as_bytes();
    let kind = if bytes.iter().all(u8::is_ascii_hexdigit) {
        "hexadecimal digits"
    } else if bytes.iter().all(is_base64) {
        "characters of base64"
    } else {
        "characters"
    };
    format!("{} {kind}", signature.chars().count())
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use insta::assert_snapshot;

    use crate::verify::read::tests::read;

    fn form(format: &str, value: &str) -> String {
        let yaml = format!("{{type: hmac, signature_header: X-S, encoding: hex{format}}}");
        let settings = read(&yaml).unwrap();
        let header = HeaderName::from_static("x-s");
        let form = settings.signature_form(&header, value.as_bytes());
        form.unwrap()
    }

    #[test]
    fn a_signature_is_told_by_its_form() {
        let (hex, prefix) = (
            "0f".repeat(32),
            ", signature_format: {style: prefix, prefix: 'sha256='}",
        );
        let pairs = ", signature_format: {style: pairs, key: v1}";
        assert_snapshot!(form("", &hex), @"64 hexadecimal digits");
        assert_snapshot!(form("", "c2VjcmV0/+=="), @"12 characters of base64");
        assert_snapshot!(form("", "Bearer ñ!"), @"9 characters");
        assert_snapshot!(form("", ""), @"0 characters, no signature");
        assert_snapshot!(form(prefix, &format!("sha256={hex}")), @"64 hexadecimal digits behind `sha256=`");
        assert_snapshot!(form(prefix, &hex), @"64 characters, no signature behind `sha256=`");
        assert_snapshot!(form(pairs, "t=1,v1=abcd,v1=x_"), @"2 signatures behind `v1=` each: 4 hexadecimal digits; 2 characters of base64");
    }

    #[test]
    fn of_another_header_nothing_is_told() {
        let settings = read("{type: hmac, signature_header: X-S, encoding: hex}").unwrap();
        let header = HeaderName::from_static("x-t");
        assert_eq!(settings.signature_form(&header, b"abcd"), None);
    }
}
