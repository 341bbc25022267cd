//! The request of a test: a body, what it is, and the headers that come with it.

use std::path::Path;

use jiff::Timestamp;

use super::error;
use crate::{
    diag::{Collector, Diagnostic},
    mapping::{
        CompileOptions, Input, UnreadableSamples, body, codes, compile::plain,
        tree::write_json_text,
    },
    yaml::{Entry, KeyReader, Kind, Node},
};

/// What a test maps.
#[derive(Debug)]
pub(super) struct Request {
    body: Vec<u8>,
    /// JSON where nothing is said.
    content_type: Option<String>,
    /// Each name once and in lower case.
    headers: Vec<(String, String)>,
}

impl Request {
    pub(super) fn input(&self, now: Timestamp) -> Input<'_> {
        Input {
            body: &self.body,
            content_type: self.content_type.as_deref(),
            headers: &self.headers,
            now,
        }
    }
}

/// What stands for the request in a file.
pub(super) enum Event {
    Read(Request),
    /// Its sample cannot be read, which was a warning.
    Unreadable,
}

/// Reads `event` or `event_file`, `content_type` and `headers` of a test; `None` where something is wrong with them.
pub(super) fn read(
    keys: &mut KeyReader<'_>,
    test: &Node,
    options: &CompileOptions<'_>,
    out: &mut Collector,
) -> Option<Event> {
    let event = keys.take("event");
    let event_file = keys.take_text("event_file", out);
    let content_type = keys.take_text("content_type", out);
    let headers = match keys.take("headers") {
        None => Some(Vec::new()),
        Some(entry) => read_headers(entry, out),
    };
    let (body, by_ending, shown, place) = match (event, event_file) {
        (Some(entry), None) => {
            let mut body = String::new();
            write_plain(&entry.value, &mut body);
            (body.into_bytes(), None, "event", entry.value.span)
        }
        (None, Some((path, node))) => match sample(path, node, options, out)? {
            Sample::Unreadable => return Some(Event::Unreadable),
            Sample::Read(body) => (
                body,
                body::content_type_of(Path::new(path)),
                path,
                node.span,
            ),
        },
        (Some(_), Some((_, node))) => {
            error(
                out,
                node.span,
                "a test has one of `event` and `event_file`",
                "remove one of the two",
            );
            return None;
        }
        (None, None) => {
            let first = test
                .as_map()
                .and_then(|entries| entries.first())
                .map_or(test.span, |entry| entry.key_span);
            error(
                out,
                first,
                "a test needs `event` or `event_file`",
                "write `event:` with the event below it, or `event_file:` with the path of a sample",
            );
            return None;
        }
    };
    let content_type = content_type.map(|(text, _)| text).or(by_ending);
    let request = Request {
        body,
        content_type: content_type.map(ToOwned::to_owned),
        headers: headers?,
    };
    if let Err(fault) = body::decode(&request.input(Timestamp::MAX)) {
        error(out, place, &format!("`{shown}`: {fault}"), "");
        return None;
    }
    Some(Event::Read(request))
}

enum Sample {
    Read(Vec<u8>),
    /// Which was a warning.
    Unreadable,
}

/// The bytes of a file; `None` where it cannot be read and that is an error.
fn sample(
    path: &str,
    node: &Node,
    options: &CompileOptions<'_>,
    out: &mut Collector,
) -> Option<Sample> {
    let reason = match (options.read_sample)(path) {
        Ok(body) => return Some(Sample::Read(body)),
        Err(reason) => reason,
    };
    let message = format!("`{path}` cannot be read: {reason}");
    if options.unreadable_samples == UnreadableSamples::Warn {
        out.add(
            Diagnostic::warning(codes::TEST_FORM, message).at(node.span, "the test is not run"),
        );
        return Some(Sample::Unreadable);
    }
    error(
        out,
        node.span,
        &message,
        "the path is relative to the mapping file",
    );
    None
}

fn read_headers(entry: &Entry, out: &mut Collector) -> Option<Vec<(String, String)>> {
    const HELP: &str = "write `{X-Topic: customers/update}`";
    let Some(entries) = entry.value.as_map() else {
        error(out, entry.value.span, "`headers` is a map of texts", HELP);
        return None;
    };
    let mut headers: Vec<(String, String)> = Vec::with_capacity(entries.len());
    for entry in entries {
        let name: Option<http::HeaderName> = entry.key.parse().ok();
        let name = name.filter(|name| headers.iter().all(|(known, _)| known != name.as_str()));
        match (name, entry.value.as_text()) {
            (Some(name), Some(value)) => headers.push((name.to_string(), value.to_owned())),
            (Some(_), None) => {
                error(out, entry.value.span, "a header's value is a text", HELP);
                return None;
            }
            (None, _) => {
                let message = format!(
                    "`{}` is no name of a header, or the second of it",
                    entry.key
                );
                error(out, entry.key_span, &message, HELP);
                return None;
            }
        }
    }
    Some(headers)
}

/// A tree of plain data as JSON. The file's own limits bound its depth.
pub(super) fn write_plain(node: &Node, out: &mut String) {
    match &node.kind {
        Kind::Scalar(_) => plain(node).expect("a scalar is plain data").write_json(out),
        Kind::List(nodes) => {
            out.push('[');
            for (index, node) in nodes.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_plain(node, out);
            }
            out.push(']');
        }
        Kind::Map(entries) => {
            out.push('{');
            for (index, entry) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json_text(&entry.key, out);
                out.push(':');
                write_plain(&entry.value, out);
            }
            out.push('}');
        }
    }
}
