//! The text that is signed, as a template: `{timestamp}.{body}`.
//!
//! A template is parsed once and then fed piece by piece into a hash, so that a body is never copied.

use std::borrow::Cow;

use http::HeaderName;
use secrecy::{ExposeSecret as _, SecretSlice};

use super::{
    Refusal,
    json_path::JsonPath,
    request::{Request, fields},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Literal(String),
    Body,
    Timestamp,
    Id,
    Method,
    /// The public address as the sender wrote it.
    Url,
    /// The public address with some percent escapes decoded, see [`unescape`].
    UrlDecoded,
    Secret,
    /// Names and values of the form in the body, sorted by name, then value; repeated pairs once.
    FormSorted,
    Header(HeaderName),
    Query(String),
    Json(JsonPath),
}

/// What a template cannot find in the request itself.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) request: &'a Request<'a>,
    /// The address, or a variant of it.
    pub(super) url: &'a str,
    pub(super) timestamp: &'a str,
    pub(super) id: &'a str,
    pub(super) secret: Option<&'a SecretSlice<u8>>,
    /// Whether the form is covered by a hash in the address instead.
    pub(super) leave_out_form: bool,
}

/// Why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidTemplate {
    #[error("a `{{` without its `}}`, or a `}}` without its `{{`")]
    Unbalanced,
    #[error("`{{{0}}}` is not a part of a request")]
    Unknown(String),
    #[error("`{0}` is not a header name")]
    Header(String),
    #[error("`{0}` is not a path to one value")]
    Path(String),
    #[error("nothing would be signed")]
    Empty,
}

/// The parts that stand for something in a request, for messages.
pub(super) const PARTS: [&str; 11] = [
    "body",
    "timestamp",
    "id",
    "method",
    "url",
    "url_decoded",
    "secret",
    "form_sorted",
    "header:NAME",
    "query:NAME",
    "json:PATH",
];

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        let mut segments = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (literal, braced) = match rest.split_once('{') {
                Some((literal, braced)) => (literal, Some(braced)),
                None => (rest, None),
            };
            if literal.contains('}') {
                return Err(InvalidTemplate::Unbalanced);
            }
            if !literal.is_empty() {
                segments.push(Segment::Literal(literal.to_owned()));
            }
            rest = match braced {
                None => "",
                Some(braced) => {
                    let (part, after) =
                        braced.split_once('}').ok_or(InvalidTemplate::Unbalanced)?;
                    segments.push(Segment::parse(part)?);
                    after
                }
            };
        }
        if segments
            .iter()
            .all(|segment| matches!(segment, Segment::Literal(_) | Segment::Secret))
        {
            return Err(InvalidTemplate::Empty);
        }
        Ok(Self { segments })
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    pub(super) fn has(&self, wanted: impl Fn(&Segment) -> bool) -> bool {
        self.segments.iter().any(wanted)
    }

    /// Hands the signed text to `sink`, piece by piece.
    ///
    /// # Errors
    ///
    /// A part that the request lacks, or has twice.
    pub(super) fn feed(
        &self,
        parts: &Parts<'_>,
        mut sink: impl FnMut(&[u8]),
    ) -> Result<(), Refusal> {
        let request = parts.request;
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => sink(text.as_bytes()),
                Segment::Body => sink(request.body),
                Segment::Timestamp => sink(parts.timestamp.as_bytes()),
                Segment::Id => sink(parts.id.as_bytes()),
                Segment::Method => sink(request.method.as_str().as_bytes()),
                Segment::Url => sink(parts.url.as_bytes()),
                Segment::UrlDecoded => sink(unescape(parts.url).as_bytes()),
                Segment::Secret => {
                    sink(
                        parts
                            .secret
                            .map_or(&[][..], |secret| secret.expose_secret()),
                    );
                }
                Segment::FormSorted if parts.leave_out_form => {}
                Segment::FormSorted => {
                    let mut pairs: Vec<_> = fields(request.body).collect();
                    pairs.sort_unstable();
                    pairs.dedup();
                    for (name, value) in &pairs {
                        sink(name);
                        sink(value);
                    }
                }
                Segment::Header(name) => {
                    let value = request.header(name)?.ok_or(Refusal::MissingSignedPart)?;
                    sink(value.as_bytes());
                }
                Segment::Query(name) => {
                    let value = request.query(name)?.ok_or(Refusal::MissingSignedPart)?;
                    sink(&value);
                }
                Segment::Json(path) => {
                    let value = path
                        .scalar(request.json()?)
                        .ok_or(Refusal::MissingSignedPart)?;
                    sink(value.as_bytes());
                }
            }
        }
        Ok(())
    }
}

impl Segment {
    fn parse(part: &str) -> Result<Self, InvalidTemplate> {
        let unknown = || InvalidTemplate::Unknown(part.to_owned());
        match part.split_once(':') {
            None => match part {
                "body" => Ok(Self::Body),
                "timestamp" => Ok(Self::Timestamp),
                "id" => Ok(Self::Id),
                "method" => Ok(Self::Method),
                "url" => Ok(Self::Url),
                "url_decoded" => Ok(Self::UrlDecoded),
                "secret" => Ok(Self::Secret),
                "form_sorted" => Ok(Self::FormSorted),
                _ => Err(unknown()),
            },
            Some(("header", name)) => name
                .parse()
                .map(Self::Header)
                .map_err(|_| InvalidTemplate::Header(name.to_owned())),
            Some(("query", name)) if !name.is_empty() => Ok(Self::Query(name.to_owned())),
            Some(("json", path)) => match path.parse::<JsonPath>() {
                Ok(parsed) if !parsed.is_many() => Ok(Self::Json(parsed)),
                _ => Err(InvalidTemplate::Path(path.to_owned())),
            },
            Some(_) => Err(unknown()),
        }
    }
}

/// Decodes the escapes that HubSpot's page on request validation lists for version 3, and no others:
/// `%3A %2F %3F %40 %21 %24 %27 %28 %29 %2A %2C %3B`.
fn unescape(url: &str) -> Cow<'_, str> {
    let Some((first, rest)) = url.split_once('%') else {
        return Cow::Borrowed(url);
    };
    let mut decoded = String::with_capacity(url.len());
    decoded.push_str(first);
    for part in rest.split('%') {
        let (digits, after) = part.split_at_checked(2).unwrap_or(("", part));
        let character = match digits.to_ascii_uppercase().as_str() {
            "3A" => ':',
            "2F" => '/',
            "3F" => '?',
            "40" => '@',
            "21" => '!',
            "24" => '$',
            "27" => '\'',
            "28" => '(',
            "29" => ')',
            "2A" => '*',
            "2C" => ',',
            "3B" => ';',
            _ => {
                decoded.push('%');
                decoded.push_str(part);
                continue;
            }
        };
        decoded.push(character);
        decoded.push_str(after);
    }
    Cow::Owned(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_escapes_are_decoded() {
        assert_eq!(
            unescape("https://a.example/b%2Fc%3Fd?e=%3a%40%21%24%27%28%29%2a%2C%3B"),
            "https://a.example/b/c?d?e=:@!$'()*,;"
        );
        for untouched in [
            "%20", "%C3%B1", "a%", "%2", "%%", "%2%46", "%ñx", "%253A", "plain",
        ] {
            assert_eq!(unescape(untouched), untouched);
        }
    }

    #[test]
    fn a_template_is_a_row_of_known_parts() {
        let template = Template::parse("v0:{timestamp}:{header:X-Id}{body}").unwrap();
        assert_eq!(
            template.segments,
            [
                Segment::Literal("v0:".into()),
                Segment::Timestamp,
                Segment::Literal(":".into()),
                Segment::Header(HeaderName::from_static("x-id")),
                Segment::Body,
            ]
        );
    }

    #[test]
    fn texts_that_sign_nothing_or_make_no_sense_are_refused() {
        for (text, expected) in [
            ("", InvalidTemplate::Empty),
            ("fixed", InvalidTemplate::Empty),
            ("x{secret}", InvalidTemplate::Empty),
            ("{body", InvalidTemplate::Unbalanced),
            ("body}", InvalidTemplate::Unbalanced),
            ("{bdy}", InvalidTemplate::Unknown("bdy".into())),
            ("{query:}", InvalidTemplate::Unknown("query:".into())),
            ("{header:a b}", InvalidTemplate::Header("a b".into())),
            ("{json:a[].b}", InvalidTemplate::Path("a[].b".into())),
        ] {
            assert_eq!(Template::parse(text), Err(expected), "{text:?}");
        }
    }
}
