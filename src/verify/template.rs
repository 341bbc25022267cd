//! The text that is signed, as a template: `{timestamp}.{body}`.
//!
//! A template is parsed once and then fed piece by piece into a hash, so that a body is never copied. A part in square
//! brackets, such as `[id:{query:id};]`, is left out of the text where the request lacks what it names.

use std::borrow::Cow;

use http::HeaderName;
use secrecy::{ExposeSecret as _, SecretSlice};

use super::{Refusal, json_path::JsonPath, request::Request, signature::SignedHeaders};

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
    /// The names in the request's list of signed headers.
    HeaderNames,
    /// The values of those headers.
    HeaderValues,
    Header(HeaderName),
    Query(String),
    Form(String),
    Json(JsonPath),
    /// Left out as a whole where a part of it is missing or empty.
    Optional(Vec<Self>),
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
    pub(super) signed_headers: &'a SignedHeaders,
    /// Whether the form is covered by a hash in the address instead.
    pub(super) leave_out_form: bool,
}

/// Why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidTemplate {
    #[error("a `{{` without its `}}`, or a `}}` without its `{{`")]
    Unbalanced,
    #[error("a `[` without its `]`, a `]` without its `[`, or one pair inside another")]
    UnbalancedOptional,
    #[error("in `[{0}]` nothing can be missing that `[…]` could leave out")]
    NeverMissing(String),
    #[error(
        "`{{{0}}}` cannot be left out, so it cannot stand in `[…]`: only `{{header:NAME}}`, `{{query:NAME}}`, `{{form:NAME}}`, \
         `{{json:PATH}}` and fixed text can"
    )]
    NotOptional(&'static str),
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
pub(super) const PARTS: [&str; 14] = [
    "body",
    "timestamp",
    "id",
    "method",
    "url",
    "url_decoded",
    "secret",
    "form_sorted",
    "header_names",
    "header_values",
    "header:NAME",
    "query:NAME",
    "form:NAME",
    "json:PATH",
];

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        let segments = segments(text)?;
        let proves_nothing = |segment: &Segment| {
            matches!(
                segment,
                Segment::Literal(_) | Segment::Secret | Segment::Optional(_)
            )
        };
        if segments.iter().all(proves_nothing) {
            return Err(InvalidTemplate::Empty);
        }
        Ok(Self { segments })
    }

    /// All parts, those that may be left out among them.
    pub(super) fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter().flat_map(|segment| match segment {
            Segment::Optional(inside) => inside.as_slice(),
            segment => std::slice::from_ref(segment),
        })
    }

    pub(super) fn has(&self, wanted: impl Fn(&Segment) -> bool) -> bool {
        self.segments().any(wanted)
    }

    /// Whether the text is the body as it is, and nothing else.
    pub(super) fn is_body(&self) -> bool {
        self.segments == [Segment::Body]
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
        for segment in &self.segments {
            match segment {
                Segment::Optional(inside) => {
                    if let Some(text) = optional(inside, parts)? {
                        sink(&text);
                    }
                }
                segment => segment.feed(parts, &mut sink)?,
            }
        }
        Ok(())
    }

    /// The signed text as a whole.
    ///
    /// # Errors
    ///
    /// As [`Template::feed`].
    pub(super) fn text(&self, parts: &Parts<'_>) -> Result<Vec<u8>, Refusal> {
        let mut text = Vec::new();
        self.feed(parts, |bytes| text.extend_from_slice(bytes))?;
        Ok(text)
    }
}

/// The text of an optional part; `None` where something in it is missing.
fn optional(inside: &[Segment], parts: &Parts<'_>) -> Result<Option<Vec<u8>>, Refusal> {
    let mut text = Vec::new();
    for segment in inside {
        let before = text.len();
        match segment.feed(parts, &mut |bytes: &[u8]| text.extend_from_slice(bytes)) {
            Ok(()) if text.len() > before => {}
            Ok(()) | Err(Refusal::MissingSignedPart) => return Ok(None),
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(Some(text))
}

fn segments(text: &str) -> Result<Vec<Segment>, InvalidTemplate> {
    let mut segments = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(['{', '}', '[', ']']) {
        let (literal, special) = rest.split_at(start);
        if !literal.is_empty() {
            segments.push(Segment::Literal(literal.to_owned()));
        }
        rest = if let Some(braced) = special.strip_prefix('{') {
            let (part, after) = braced.split_once('}').ok_or(InvalidTemplate::Unbalanced)?;
            segments.push(Segment::parse(part)?);
            after
        } else if let Some(bracketed) = special.strip_prefix('[') {
            let end = end_of_optional(bracketed).ok_or(InvalidTemplate::UnbalancedOptional)?;
            let (inside, after) = bracketed.split_at(end);
            let parts = self::segments(inside)?;
            // Else a sender could leave out the proof itself along with what may be missing.
            if let Some(part) = parts.iter().find_map(Segment::never_missing) {
                return Err(InvalidTemplate::NotOptional(part));
            }
            if !parts.iter().any(Segment::can_be_missing) {
                return Err(InvalidTemplate::NeverMissing(inside.to_owned()));
            }
            segments.push(Segment::Optional(parts));
            after.strip_prefix(']').unwrap_or_default()
        } else if special.starts_with(']') {
            return Err(InvalidTemplate::UnbalancedOptional);
        } else {
            return Err(InvalidTemplate::Unbalanced);
        };
    }
    if !rest.is_empty() {
        segments.push(Segment::Literal(rest.to_owned()));
    }
    Ok(segments)
}

/// Where the `]` of an optional part stands: the first that is outside of braces. None may begin inside.
fn end_of_optional(bracketed: &str) -> Option<usize> {
    let mut is_braced = false;
    for (place, character) in bracketed.char_indices() {
        match character {
            '{' => is_braced = true,
            '}' => is_braced = false,
            ']' if !is_braced => return Some(place),
            '[' if !is_braced => return None,
            _ => {}
        }
    }
    None
}

impl Segment {
    /// Whether a request may lack it, without being refused for that elsewhere.
    const fn can_be_missing(&self) -> bool {
        matches!(
            self,
            Self::Header(_) | Self::Query(_) | Self::Form(_) | Self::Json(_)
        )
    }

    /// What a text is called that every request has, or is refused without.
    const fn never_missing(&self) -> Option<&'static str> {
        match self {
            Self::Body => Some("body"),
            Self::Timestamp => Some("timestamp"),
            Self::Id => Some("id"),
            Self::Method => Some("method"),
            Self::Url => Some("url"),
            Self::UrlDecoded => Some("url_decoded"),
            Self::Secret => Some("secret"),
            Self::FormSorted => Some("form_sorted"),
            Self::HeaderNames => Some("header_names"),
            Self::HeaderValues => Some("header_values"),
            Self::Literal(_)
            | Self::Header(_)
            | Self::Query(_)
            | Self::Form(_)
            | Self::Json(_)
            | Self::Optional(_) => None,
        }
    }

    fn feed(&self, parts: &Parts<'_>, sink: &mut impl FnMut(&[u8])) -> Result<(), Refusal> {
        let request = parts.request;
        match self {
            Self::Literal(text) => sink(text.as_bytes()),
            Self::Body => sink(request.body),
            Self::Timestamp => sink(parts.timestamp.as_bytes()),
            Self::Id => sink(parts.id.as_bytes()),
            Self::Method => sink(request.method.as_str().as_bytes()),
            Self::Url => sink(parts.url.as_bytes()),
            Self::UrlDecoded => sink(unescape(parts.url).as_bytes()),
            Self::Secret => sink(
                parts
                    .secret
                    .map_or(&[][..], |secret| secret.expose_secret()),
            ),
            Self::FormSorted if parts.leave_out_form => {}
            Self::FormSorted => sink(request.sorted_form()?),
            Self::HeaderNames => sink(parts.signed_headers.names.as_bytes()),
            Self::HeaderValues => sink(&parts.signed_headers.values),
            Self::Header(name) => sink(present(request.header(name)?)?.as_bytes()),
            Self::Query(name) => sink(&present(request.query(name)?)?),
            Self::Form(name) => sink(&present(request.signed_field(name)?)?),
            Self::Json(path) => sink(present(path.scalar(request.json()?))?.as_bytes()),
            // Only a template has them, which looks inside by itself.
            Self::Optional(_) => {}
        }
        Ok(())
    }

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
                "header_names" => Ok(Self::HeaderNames),
                "header_values" => Ok(Self::HeaderValues),
                _ => Err(unknown()),
            },
            Some(("header", name)) => name
                .parse()
                .map(Self::Header)
                .map_err(|_| InvalidTemplate::Header(name.to_owned())),
            Some(("query", name)) if !name.is_empty() => Ok(Self::Query(name.to_owned())),
            Some(("form", name)) if !name.is_empty() => Ok(Self::Form(name.to_owned())),
            Some(("json", path)) => match path.parse::<JsonPath>() {
                Ok(parsed) if !parsed.is_many() => Ok(Self::Json(parsed)),
                _ => Err(InvalidTemplate::Path(path.to_owned())),
            },
            Some(_) => Err(unknown()),
        }
    }
}

fn present<T>(part: Option<T>) -> Result<T, Refusal> {
    part.ok_or(Refusal::MissingSignedPart)
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
    use http::{HeaderMap, HeaderValue, Method};

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

    /// The signed text of a request for `/?<query>` with an optional header.
    fn text(template: &str, query: &str, header: Option<&'static str>) -> Result<String, Refusal> {
        let mut headers = HeaderMap::new();
        if let Some(value) = header {
            headers.insert("x-request-id", HeaderValue::from_static(value));
        }
        let url = format!("https://a.example/?{query}");
        let request = Request::new(&Method::POST, &url, &url, &headers, b"{}");
        let parts = Parts {
            request: &request,
            url: &url,
            timestamp: "17",
            id: "",
            secret: None,
            signed_headers: &SignedHeaders::default(),
            leave_out_form: false,
        };
        let text = Template::parse(template).unwrap().text(&parts)?;
        Ok(String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_part_in_brackets_is_left_out_as_a_whole_where_something_in_it_is_missing() {
        let template = "[id:{query:data.id};][request-id:{header:x-request-id};]ts:{timestamp};";
        for (query, header, expected) in [
            ("data.id=9", Some("r"), "id:9;request-id:r;ts:17;"),
            ("data.id=9", None, "id:9;ts:17;"),
            ("", Some("r"), "request-id:r;ts:17;"),
            ("data.id=", Some(""), "ts:17;"),
            ("", None, "ts:17;"),
        ] {
            assert_eq!(text(template, query, header).as_deref(), Ok(expected));
        }
        assert_eq!(
            text(template, "data.id=9&data.id=8", None),
            Err(Refusal::AmbiguousValue)
        );
        assert_eq!(
            text("{query:data.id}{timestamp}", "", None),
            Err(Refusal::MissingSignedPart)
        );
    }

    #[test]
    fn a_part_in_brackets_names_nothing_that_must_be_there() {
        for part in PARTS {
            let (part, is_optional) = match part.split_once(':') {
                Some((kind, _)) => (format!("{kind}:a"), true),
                None => (part.to_owned(), false),
            };
            for text in [
                format!("{{body}}[{{header:x-id}}{{{part}}}]"),
                format!("[{{{part}}}.{{query:a}}]{{body}}"),
            ] {
                match Template::parse(&text) {
                    Ok(_) => assert!(is_optional, "{text}"),
                    Err(InvalidTemplate::NotOptional(named)) => assert_eq!(named, part, "{text}"),
                    Err(other) => panic!("{text}: {other}"),
                }
            }
        }
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
            ("[{query:a}]", InvalidTemplate::Empty),
            ("{body}[{query:a}", InvalidTemplate::UnbalancedOptional),
            ("{body}{query:a}]", InvalidTemplate::UnbalancedOptional),
            ("{body}[a[{query:a}]]", InvalidTemplate::UnbalancedOptional),
            (
                "{body}[fixed]",
                InvalidTemplate::NeverMissing("fixed".into()),
            ),
            ("{body}[{query:a]", InvalidTemplate::UnbalancedOptional),
        ] {
            assert_eq!(Template::parse(text), Err(expected), "{text:?}");
        }
    }
}
