//! `multipart/form-data` (RFC 7578) into the tree of a form.
//!
//! A part without a file name is a field, with the rules of forms for its name and its value; where its content type
//! says JSON, XML or the like, it is what that says. A part with a file name is a file: its name, content type and
//! size, not its bytes; the content only of one that is JSON. Line ends may be LF alone, as in a sample that somebody
//! has edited. Parts are counted like the fields of a form, and their headers are limited.

use std::borrow::Cow;

use super::{BodyError, Format, Parameterised, read};
use crate::mapping::{
    limits::{BODY_PARTS, BOUNDARY_BYTES, PART_HEADER_BYTES},
    tree::{Charset, Fields, Object, Tree, text_or_json},
};

/// The object of the parts of a body.
pub(super) fn read_multipart<'a>(
    body: &'a [u8],
    content_type: Parameterised<'_>,
) -> Result<Tree<'a>, BodyError> {
    let boundary = content_type.parameter("boundary").unwrap_or_default();
    if boundary.is_empty() || boundary.len() > BOUNDARY_BYTES {
        return Err(BodyError::Multipart("the content type has no boundary"));
    }
    let charset = content_type.parameter("charset");
    let charset = Charset::of_label(charset.as_deref().unwrap_or("utf-8"));
    let mut fields = Fields::new();
    for (index, part) in parts(body, boundary.as_bytes())?.into_iter().enumerate() {
        let fault = |what| BodyError::Part {
            part: index + 1,
            what,
        };
        let part = Part::read(part).map_err(fault)?;
        let value = part.value(charset).map_err(|error| BodyError::InPart {
            part: index + 1,
            error: Box::new(error),
        })?;
        fields.put(&part.name, value).map_err(fault)?;
    }
    Ok(fields.into_tree())
}

/// The bytes between the lines that begin with the boundary (RFC 2046, section 5.1.1). What stands before the first
/// and after the last of them is not looked at.
fn parts<'a>(body: &'a [u8], boundary: &[u8]) -> Result<Vec<&'a [u8]>, BodyError> {
    let mut parts = Vec::new();
    let mut start: Option<usize> = None;
    let mut at = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let (line_start, line_end) = (at, at + line.len());
        at = line_end;
        let marked = line
            .strip_prefix(b"--")
            .and_then(|line| line.strip_prefix(boundary));
        let is_last = match marked.map(<[u8]>::trim_ascii_end) {
            Some(b"") => false,
            Some(b"--") => true,
            _ => continue,
        };
        if let Some(start) = start {
            if parts.len() == BODY_PARTS {
                return Err(BodyError::Multipart("more than 50,000 parts"));
            }
            let part = body.get(start..line_start).unwrap_or_default();
            parts.push(without_line_end(part));
        }
        if is_last {
            return Ok(parts);
        }
        start = Some(line_end);
    }
    Err(BodyError::Multipart(match start {
        None => "no line begins with the boundary of the content type",
        Some(_) => "it ends too early",
    }))
}

fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// One part, its headers read.
struct Part<'a> {
    name: String,
    /// Of a file.
    filename: Option<String>,
    content_type: Option<&'a str>,
    content: &'a [u8],
}

impl<'a> Part<'a> {
    fn read(part: &'a [u8]) -> Result<Self, &'static str> {
        let (headers, content) = split_headers(part)?;
        let header = |wanted: &str| {
            let mut lines = headers.lines().filter_map(|line| line.split_once(':'));
            let found = lines.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.trim())
        };
        let is_encoded = header("content-transfer-encoding").is_some_and(|encoding| {
            !["7bit", "8bit", "binary"]
                .iter()
                .any(|identity| encoding.eq_ignore_ascii_case(identity))
        });
        if is_encoded {
            return Err("a transfer encoding, which is not read");
        }
        let disposition = header("content-disposition").unwrap_or_default();
        let disposition = Parameterised::new(disposition);
        if !disposition.value().eq_ignore_ascii_case("form-data") {
            return Err("no `Content-Disposition: form-data`");
        }
        let name = disposition.parameter("name").ok_or("no name")?;
        let filename = disposition.parameter("filename");
        Ok(Self {
            name: unescaped(&name),
            filename: filename.map(|filename| unescaped(&filename)),
            content_type: header("content-type"),
            content,
        })
    }

    fn value(&self, charset: Charset) -> Result<Tree<'a>, BodyError> {
        let content_type = Parameterised::new(self.content_type.unwrap_or("text/plain"));
        let format = match Format::of(content_type.value()) {
            // A form inside a form, or an event: data like any other.
            Format::CloudEvent | Format::CloudEvents => Format::Json,
            Format::Multipart => Format::Other,
            format => format,
        };
        if self.filename.is_some() {
            let content = match format {
                Format::Json => read(self.content, format, content_type).ok(),
                _ => None,
            };
            return Ok(self.file(content.map(|content| ("content", content))));
        }
        if format != Format::Other {
            return read(self.content, format, content_type);
        }
        if !content_type.is_text() {
            return Ok(self.file(None));
        }
        let label = content_type.parameter("charset");
        let charset = label.map_or(charset, |label| Charset::of_label(&label));
        Ok(text_or_json(charset.text(self.content)?))
    }

    /// What is told of bytes that nobody here reads.
    fn file(&self, content: Option<(&'static str, Tree<'a>)>) -> Tree<'a> {
        let size = Tree::Number(Cow::Owned(self.content.len().to_string()));
        let filename = self.filename.clone().map(Cow::Owned);
        let text = |name: &'static str, text: Option<Cow<'a, str>>| {
            text.map(|text| (name, Tree::Text(text)))
        };
        let entries = [
            text("filename", filename),
            text("content_type", self.content_type.map(Cow::Borrowed)),
            Some(("size", size)),
            content,
        ];
        let entries = entries.into_iter().flatten();
        let entries = entries.map(|(name, value)| (Cow::Borrowed(name), value));
        Tree::Object(Object::new(entries.collect()))
    }
}

/// The lines of headers, and the content after the empty line that ends them.
fn split_headers(part: &[u8]) -> Result<(&str, &[u8]), &'static str> {
    const TOO_LONG: &str = "more than 8 KiB of headers";
    let mut at = 0;
    for line in part.split_inclusive(|byte| *byte == b'\n') {
        if at > PART_HEADER_BYTES {
            return Err(TOO_LONG);
        }
        let start = at;
        at += line.len();
        if without_line_end(line).is_empty() {
            let headers = part.get(..start).unwrap_or_default();
            let headers = std::str::from_utf8(headers).map_err(|_| "headers that are not UTF-8")?;
            return Ok((headers, part.get(at..).unwrap_or_default()));
        }
    }
    Err("no empty line after its headers")
}

/// Browsers write these three in place of what would end the name (WHATWG HTML, "Multipart form data").
fn unescaped(name: &str) -> String {
    name.replace("%22", "\"")
        .replace("%0D", "\r")
        .replace("%0A", "\n")
}
