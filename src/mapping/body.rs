//! From a request to the tree of its body: the content type says what the body is, and in which charset.
//!
//! What no content type says is JSON, and so is what has one that nobody knows here: senders often leave it out or
//! name one of their own. Bodies that cannot be read give a reason and never a part of a tree. Nothing is looked at
//! beyond the request, and the work is bounded by its size.

mod cloud_events;
mod content_type;
mod multipart;

use std::{borrow::Cow, path::Path};

pub use self::cloud_events::is_cloud_event;

use self::content_type::Parameterised;
use super::{
    Input,
    tree::{
        Charset, FormError, NotText, Tree, Unreadable, declared_encoding, read_form, read_json,
        read_xml,
    },
};

/// Why a body cannot be read. It never quotes the body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    #[error("not JSON: {0}")]
    Json(Unreadable),
    /// Neither what its content type says, which is nothing that is known here, nor JSON.
    #[error("its content type is none that is read, and it is not JSON: {0}")]
    Unknown(Unreadable),
    #[error("not a form: {0}")]
    Form(FormError),
    #[error("not multipart/form-data: {0}")]
    Multipart(&'static str),
    #[error("not multipart/form-data: {what} in part {part}")]
    Part {
        what: &'static str,
        /// From 1.
        part: usize,
    },
    #[error("in part {part}: {error}")]
    InPart { part: usize, error: Box<Self> },
    #[error("not XML: {0}")]
    Xml(Unreadable),
    #[error("{0}")]
    Text(#[from] NotText),
    #[error("`data_base64` is not base64")]
    Base64,
    #[error("a `ce-` header is not UTF-8 once it is percent-decoded")]
    Attribute,
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    /// JSON, one text to a line.
    Lines,
    Form,
    Multipart,
    Xml,
    /// An event in its JSON format.
    CloudEvent,
    /// Several of them.
    CloudEvents,
    /// Nothing that is known here.
    Other,
}

impl Format {
    /// What a media type says.
    fn of(media_type: &str) -> Self {
        // Most requests.
        if media_type.is_empty() || media_type.eq_ignore_ascii_case("application/json") {
            return Self::Json;
        }
        let media_type = media_type.to_ascii_lowercase();
        match media_type.as_str() {
            "application/x-www-form-urlencoded" => Self::Form,
            "multipart/form-data" => Self::Multipart,
            "text/xml" | "application/xml" => Self::Xml,
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonl"
            | "application/jsonlines"
            | "application/x-jsonlines" => Self::Lines,
            "text/json" => Self::Json,
            "application/cloudevents+json" => Self::CloudEvent,
            "application/cloudevents-batch+json" => Self::CloudEvents,
            other if other.ends_with("+json") => Self::Json,
            other if other.ends_with("+xml") => Self::Xml,
            _ => Self::Other,
        }
    }
}

/// The content type of a body that is kept in a file of this name; `None` where it is JSON.
pub fn content_type_of(file: &Path) -> Option<&'static str> {
    match file.extension().and_then(|ending| ending.to_str())? {
        "form" => Some("application/x-www-form-urlencoded"),
        "ndjson" | "jsonl" => Some("application/x-ndjson"),
        // Without a charset, so that the declaration inside the file counts.
        "xml" => Some("text/xml"),
        _ => None,
    }
}

/// The tree of a request's body, or why it cannot be read.
pub(super) fn decode<'a>(input: &Input<'a>) -> Result<Tree<'a>, BodyError> {
    let content_type = Parameterised::new(input.content_type.unwrap_or_default());
    let has_header = |wanted: &str| input.headers.iter().any(|(name, _)| name == wanted);
    if is_cloud_event(input.content_type, has_header) {
        return cloud_events::binary(input, content_type);
    }
    read(input.body, Format::of(content_type.value()), content_type)
}

fn read<'a>(
    body: &'a [u8],
    format: Format,
    content_type: Parameterised<'_>,
) -> Result<Tree<'a>, BodyError> {
    let (charset, body) = charset(body, format, content_type);
    match format {
        Format::Json | Format::Other => {
            let kind = if format == Format::Json {
                BodyError::Json
            } else {
                BodyError::Unknown
            };
            // UTF-8 is checked while it is read, so that the place of a fault is told.
            if charset.is_utf8() {
                return read_json(body).map_err(kind);
            }
            from_text(charset.text(body)?, |text| read_json(text.as_bytes())).map_err(kind)
        }
        Format::Lines => from_text(charset.text(body)?, read_lines).map_err(BodyError::Json),
        Format::Form => read_form(body, charset).map_err(BodyError::Form),
        Format::Multipart => multipart::read_multipart(body, content_type),
        Format::Xml => from_text(charset.text(body)?, read_xml).map_err(BodyError::Xml),
        Format::CloudEvent => cloud_events::structured(read(body, Format::Json, content_type)?),
        Format::CloudEvents => cloud_events::batch(read(body, Format::Json, content_type)?),
    }
}

/// How a body is written, and the body without its byte order mark. The mark goes before what the content type says,
/// and that before what the declaration of XML says (RFC 7303, section 3).
fn charset<'a>(
    body: &'a [u8],
    format: Format,
    content_type: Parameterised<'_>,
) -> (Charset, &'a [u8]) {
    if let Some(marked) = Charset::marked(body) {
        return marked;
    }
    let label = content_type.parameter("charset");
    let charset = match (format, &label) {
        // Names and `=` that can be told apart as they stand are not written in UTF-16, whatever is said.
        (Format::Form, Some(label)) => Some(Charset::of_label(label)).filter(|c| c.has_ascii()),
        (_, Some(label)) => Some(Charset::of_label(label)),
        // The same holds for a declaration.
        (Format::Xml, None) => declared_encoding(body)
            .map(Charset::of_label)
            .filter(|charset| charset.has_ascii()),
        (_, None) => None,
    };
    (charset.unwrap_or(Charset::UTF_8), body)
}

/// What a reader makes of a text, which is gone afterwards where it had to be made for that.
fn from_text<'a, E>(
    text: Cow<'a, str>,
    read: impl for<'t> Fn(&'t str) -> Result<Tree<'t>, E>,
) -> Result<Tree<'a>, E> {
    match text {
        Cow::Borrowed(text) => read(text),
        Cow::Owned(text) => read(&text).map(Tree::into_owned),
    }
}

/// A list of what the lines say; blank ones are passed over.
fn read_lines(text: &str) -> Result<Tree<'_>, Unreadable> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(index, line)| read_json(line.as_bytes()).map_err(|error| error.after_lines(index)));
    lines.collect::<Result<_, _>>().map(Tree::List)
}
