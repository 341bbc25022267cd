//! Requests that somebody kept in a file: a raw HTTP request, a `curl` command, or a request of a HAR file.
//!
//! A kept request is seldom byte for byte what was sent: editors add a line end, tools undo chunks. What can be seen of
//! that is told as a [`Captured::remarks`], and what is missing is an [`Unreadable`] with its place. Nothing of the file
//! is ever repeated in a message, since a token may stand there.
//!
//! Everything is bounded. Nothing is read but the text itself and, through the function handed in, the files that a
//! `curl` command names.

mod curl;
mod har;
mod http;
mod shell;

use std::{fmt, io};

use ::http::{HeaderMap, HeaderName, HeaderValue, Method};
use bytes::Bytes;

/// The largest file that is taken, in bytes: more than the largest body of most senders.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// More headers than any sender writes.
const MAX_HEADERS: usize = 500;

/// Reads a file that a command names. A relative name starts where the person stands.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> io::Result<Vec<u8>>;

/// A request as the file has it.
#[derive(Clone)]
pub struct Captured {
    pub kind: CaptureKind,
    pub method: Method,
    /// Where the file names it: scheme and host, perhaps with a port, such as `https://hooks.school.mx`.
    pub origin: Option<String>,
    /// Begins with `/`.
    pub path_and_query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// What is odd about the file, and how it was read all the same; one sentence each.
    pub remarks: Vec<String>,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureKind {
    Http,
    Curl,
    Har,
}

/// Why a file is no request, with the place from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}{}", help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default())]
pub struct Unreadable {
    pub line: usize,
    pub column: usize,
    pub message: String,
    pub help: Option<String>,
}

impl Captured {
    /// Reads a request, whatever form it has.
    ///
    /// # Errors
    ///
    /// What is no request, too large, or needs something that is not there.
    pub fn read(bytes: &[u8], read_file: ReadFile<'_>) -> Result<Self, Unreadable> {
        if bytes.len() > MAX_BYTES {
            return Err(
                Unreadable::at(1, 1, format!("the file is larger than {MAX_BYTES} bytes"))
                    .help("keep one request in it"),
            );
        }
        let start = bytes.trim_ascii_start();
        let start = start.strip_prefix("\u{feff}".as_bytes()).unwrap_or(start);
        if start.is_empty() {
            return Err(Unreadable::at(1, 1, "there is nothing in the file").help(FORMS));
        }
        if curl::is_command(start) {
            curl::read(bytes, read_file)
        } else if start.first() == Some(&b'{') {
            har::read(start)
        } else {
            http::read(bytes)
        }
    }
}

/// Says what may stand in a file.
const FORMS: &str = "write a raw HTTP request, beginning with a line such as `POST /webhooks/crm HTTP/1.1`, or a curl command";

impl Unreadable {
    fn at(line: usize, column: usize, message: impl Into<String>) -> Self {
        Self {
            line,
            column,
            message: message.into(),
            help: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Shows nothing of the request: tokens and personal data are in it.
impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captured")
            .field("kind", &self.kind)
            .field("method", &self.method)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Adds a header; the value's surrounding white space is not part of it (RFC 9110, section 5.5).
fn add_header(headers: &mut HeaderMap, name: &[u8], value: &[u8]) -> Result<(), BadHeader> {
    let name = HeaderName::from_bytes(name).map_err(|_| BadHeader::Name)?;
    let value = HeaderValue::from_bytes(value.trim_ascii()).map_err(|_| BadHeader::Value)?;
    if headers.len() >= MAX_HEADERS {
        return Err(BadHeader::TooMany);
    }
    headers.append(name, value);
    Ok(())
}

/// Why a line is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum BadHeader {
    #[error("this is not the name of a header")]
    Name,
    #[error("the value of this header has a control character inside")]
    Value,
    #[error("there are more than {MAX_HEADERS} headers")]
    TooMany,
}

/// An address in halves: scheme and host, and the rest, which begins with `/`. `None` without a scheme and a host.
fn split_address(address: &str) -> Option<(String, String)> {
    let (scheme, rest) = address.split_once("://")?;
    let is_scheme = matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https");
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    // A fragment is never sent.
    let path = path.split('#').next().unwrap_or_default();
    let slash = if path.starts_with('/') { "" } else { "/" };
    (is_scheme && !authority.is_empty())
        .then(|| (format!("{scheme}://{authority}"), format!("{slash}{path}")))
}

#[cfg(test)]
mod tests;
