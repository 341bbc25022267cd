//! `CloudEvents` 1.0.2 over HTTP: in whatever way an event travels, its tree is the object of its JSON format, with
//! what it carries under `data`.
//!
//! The JSON format has data that is not JSON as text or in base64; both become what its content type says, where that
//! can be read. In binary mode the attributes are headers, and the body is the data.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{BodyError, Format, Parameterised, read};
use crate::mapping::{
    Input,
    tree::{Charset, Layered, Object, Tree},
};

/// In front of the name of an attribute that travels as a header.
const PREFIX: &str = "ce-";

/// What every event has.
const REQUIRED: [&str; 4] = ["ce-specversion", "ce-id", "ce-source", "ce-type"];

/// What is not an attribute although it stands beside them.
const NOT_ATTRIBUTES: [&str; 3] = ["data", "data_base64", "datacontenttype"];

/// Whether a request is an event in binary mode: its headers have all that an event must have (HTTP protocol
/// binding, section 3). All its headers whose names begin with `ce-` are then part of the event.
pub fn is_cloud_event(content_type: Option<&str>, has_header: impl Fn(&str) -> bool) -> bool {
    const STRUCTURED: &str = "application/cloudevents";
    let is_structured = || {
        content_type
            .and_then(|content_type| content_type.get(..STRUCTURED.len()))
            .is_some_and(|start| start.eq_ignore_ascii_case(STRUCTURED))
    };
    REQUIRED.into_iter().all(has_header) && !is_structured()
}

/// The event of a request in binary mode.
pub(super) fn binary<'a>(
    input: &Input<'a>,
    content_type: Parameterised<'a>,
) -> Result<Tree<'a>, BodyError> {
    let mut entries = Vec::with_capacity(input.headers.len() + 2);
    for (header, value) in input.headers {
        let name = header.strip_prefix(PREFIX);
        let Some(name) = name.filter(|name| !NOT_ATTRIBUTES.contains(name)) else {
            continue;
        };
        let value = attribute(value).ok_or(BodyError::Attribute)?;
        entries.push((Cow::Borrowed(name), Tree::Text(value)));
    }
    if let Some(content_type) = input.content_type {
        let content_type = Tree::Text(Cow::Borrowed(content_type));
        entries.push((Cow::Borrowed("datacontenttype"), content_type));
    }
    if !input.body.is_empty() {
        entries.push(if let Some(data) = data(input.body, content_type)? {
            (Cow::Borrowed("data"), data)
        } else {
            let encoded = Tree::Text(Cow::Owned(STANDARD.encode(input.body)));
            (Cow::Borrowed("data_base64"), encoded)
        });
    }
    Ok(Tree::Object(Object::new(entries)))
}

/// The value of a header as the attribute that it is (section 3.1.3.2).
fn attribute(value: &str) -> Option<Cow<'_, str>> {
    match unquoted(value) {
        Cow::Borrowed(value) => percent_encoding::percent_decode_str(value)
            .decode_utf8()
            .ok(),
        Cow::Owned(value) => {
            let text = percent_encoding::percent_decode_str(&value).decode_utf8();
            text.ok().map(|text| Cow::Owned(text.into_owned()))
        }
    }
}

/// Older senders write a value in quotes, with backslashes before what would end it.
fn unquoted(value: &str) -> Cow<'_, str> {
    let inner = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    match inner {
        None => Cow::Borrowed(value),
        Some(inner) if !inner.contains('\\') => Cow::Borrowed(inner),
        Some(inner) => {
            let mut is_escaped = false;
            let kept = inner.chars().filter(|c| {
                is_escaped = *c == '\\' && !is_escaped;
                !is_escaped
            });
            Cow::Owned(kept.collect())
        }
    }
}

/// An event in the JSON format, with its data read; anything else as it is.
pub(super) fn structured(tree: Tree<'_>) -> Result<Tree<'_>, BodyError> {
    let Tree::Object(event) = tree else {
        return Ok(tree);
    };
    let text = |name: &str| match event.get(name) {
        Some(Tree::Text(text)) => Some(text),
        _ => None,
    };
    let content_type = text("datacontenttype").map_or("", AsRef::as_ref);
    let content_type = Parameterised::new(content_type);
    let read_data = match (event.get("data"), text("data_base64")) {
        (None | Some(Tree::Null), Some(encoded)) if !encoded.is_empty() => {
            let decoded = STANDARD.decode(encoded.as_bytes());
            let decoded = decoded.map_err(|_| BodyError::Base64)?;
            data(&decoded, content_type)?.map(Tree::into_owned)
        }
        // A string under a JSON type is a JSON string (JSON event format, section 3.1.1).
        (Some(Tree::Text(text)), _) => match Format::of(content_type.value()) {
            format @ (Format::Xml | Format::Form | Format::Lines) => {
                let inside = read(text.as_bytes(), format, Parameterised::new(""))?;
                Some(Tree::Layered(Box::new(Layered {
                    text: Cow::Owned(text.clone().into_owned()),
                    inside: inside.into_owned(),
                })))
            }
            _ => None,
        },
        _ => None,
    };
    Ok(Tree::Object(match read_data {
        Some(data) => event.with("data", data),
        None => event,
    }))
}

/// A list of events in the JSON format.
pub(super) fn batch(tree: Tree<'_>) -> Result<Tree<'_>, BodyError> {
    match tree {
        Tree::List(events) => {
            let events = events.into_iter().map(structured);
            events.collect::<Result<_, _>>().map(Tree::List)
        }
        other => Ok(other),
    }
}

/// What the bytes of an event's data say; `None` where nobody here can read them.
fn data<'a>(
    bytes: &'a [u8],
    content_type: Parameterised<'_>,
) -> Result<Option<Tree<'a>>, BodyError> {
    let format = match content_type.value() {
        "" => Format::Other,
        media_type => Format::of(media_type),
    };
    match format {
        Format::Other => {
            if let Ok(tree) = read(bytes, Format::Json, content_type) {
                return Ok(Some(tree));
            }
            if !content_type.is_text() {
                return Ok(None);
            }
            let label = content_type.parameter("charset").unwrap_or_default();
            Ok(Some(Tree::Text(Charset::of_label(&label).text(bytes)?)))
        }
        // An event inside an event is data like any other.
        Format::CloudEvent | Format::CloudEvents => {
            read(bytes, Format::Json, content_type).map(Some)
        }
        format => read(bytes, format, content_type).map(Some),
    }
}
