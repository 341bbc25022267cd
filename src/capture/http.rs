//! A raw HTTP/1 request, with line ends of either kind.

use http::{HeaderMap, Method, header};

use super::{CaptureKind, Captured, FORMS, Unreadable, add_header, split_address};

pub(super) fn read(bytes: &[u8]) -> Result<Captured, Unreadable> {
    let mut lines = Lines {
        rest: bytes,
        number: 0,
    };
    let mut remarks = Vec::new();
    let first = loop {
        let line = lines.next().unwrap_or_default();
        let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        if !line.is_empty() {
            break line;
        }
    };
    let (method, target) = request_line(first, lines.number)?;
    let (origin, path_and_query) = match split_address(target) {
        Some((origin, path)) => (Some(origin), path),
        None if target.starts_with('/') => (None, target.to_owned()),
        None => {
            let column = method.as_str().len() + 2;
            return Err(Unreadable::at(
                lines.number,
                column,
                "this is not the address of a request",
            )
            .help("write a path such as /webhooks/crm, or a whole address with https://"));
        }
    };
    let headers = headers(&mut lines, &mut remarks)?;
    let body = body(&headers, lines.rest, &mut remarks);
    Ok(Captured {
        kind: CaptureKind::Http,
        method,
        origin,
        path_and_query,
        headers,
        body: body.into(),
        remarks,
    })
}

struct Lines<'a> {
    rest: &'a [u8],
    /// Of the line read last, from 1.
    number: usize,
}

impl<'a> Lines<'a> {
    /// The next line without its end; `None` behind the last.
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let mut halves = self.rest.splitn(2, |byte| *byte == b'\n');
        let line = halves.next().unwrap_or_default();
        self.rest = halves.next().unwrap_or_default();
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

fn request_line(line: &[u8], number: usize) -> Result<(Method, &str), Unreadable> {
    let wrong = |column, message: &str| Err(Unreadable::at(number, column, message).help(FORMS));
    if line.starts_with(b"HTTP/") {
        return wrong(1, "this is an answer, not a request");
    }
    let Ok(line) = std::str::from_utf8(line) else {
        return wrong(1, "this is no request: its first line is not text");
    };
    let mut words = line.split_ascii_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next());
    let is_method = !method.is_empty()
        && method
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    match (target, words.next(), words.next()) {
        (Some(target), version, None)
            if is_method && version.is_none_or(|version| version.starts_with("HTTP/")) =>
        {
            match Method::from_bytes(method.as_bytes()) {
                Ok(method) => Ok((method, target)),
                Err(_) => wrong(1, "this is not a method"),
            }
        }
        _ if method.ends_with(':') => wrong(
            1,
            "a request begins with its method and address, and here is a header",
        ),
        _ => wrong(1, "this is not the first line of a request"),
    }
}

fn headers(lines: &mut Lines<'_>, remarks: &mut Vec<String>) -> Result<HeaderMap, Unreadable> {
    let mut headers = HeaderMap::new();
    loop {
        let Some(line) = lines.next() else {
            remarks.push(
                "the file ends with the headers: there is no empty line and no body".to_owned(),
            );
            return Ok(headers);
        };
        if line.is_empty() {
            return Ok(headers);
        }
        let wrong =
            |message: String, help: &str| Err(Unreadable::at(lines.number, 1, message).help(help));
        if line.first().is_some_and(u8::is_ascii_whitespace) {
            return wrong(
                "this line begins with white space".to_owned(),
                "write each header in one line, and an empty line before the body",
            );
        }
        if line.first() == Some(&b':') {
            return wrong(
                "this is a pseudo-header of HTTP/2".to_owned(),
                "write the request line of HTTP/1.1 instead, such as `POST /webhooks/crm HTTP/1.1`, and a `Host`",
            );
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return wrong(
                "this is not a header: it has no colon".to_owned(),
                "write `Name: value`; an empty line ends the headers",
            );
        };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default();
        if let Err(error) = add_header(&mut headers, name, value) {
            return wrong(
                error.to_string(),
                "write `Name: value`; an empty line ends the headers",
            );
        }
    }
}

/// The body as its sender wrote it, as far as the headers tell.
fn body(headers: &HeaderMap, rest: &[u8], remarks: &mut Vec<String>) -> Vec<u8> {
    let is_chunked = headers
        .get_all(header::TRANSFER_ENCODING)
        .iter()
        .any(|value| value.as_bytes().to_ascii_lowercase().ends_with(b"chunked"));
    if is_chunked {
        if let Some(body) = unchunked(rest) {
            return body;
        }
        remarks.push(
            "`Transfer-Encoding` says chunked, but the body is not in chunks: it was taken as it stands"
                .to_owned(),
        );
        return rest.to_vec();
    }
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok());
    let Some(length) = length else {
        return rest.to_vec();
    };
    match rest.split_at_checked(length) {
        Some((body, [])) => body.to_vec(),
        Some((body, b"\n" | b"\r\n")) => {
            remarks.push(
                "the file has a line end behind the body, as editors add it; `Content-Length` says that it is not part of it, so it was left out"
                    .to_owned(),
            );
            body.to_vec()
        }
        Some((body, more)) => {
            remarks.push(format!(
                "the file has {} bytes more than the {length} of `Content-Length`; they were left out",
                more.len()
            ));
            body.to_vec()
        }
        None => {
            let missing = length - rest.len();
            let unix_ends = rest
                .split_inclusive(|byte| *byte == b'\n')
                .filter(|line| line.ends_with(b"\n") && !line.ends_with(b"\r\n"))
                .count();
            remarks.push(if unix_ends == missing {
                format!(
                    "the body has {missing} bytes less than `Content-Length` says, one for each line: its line ends were changed from CR LF to LF"
                )
            } else {
                format!(
                    "the body has {} bytes, but `Content-Length` says {length}: it was cut or changed when it was kept, or on the way",
                    rest.len()
                )
            });
            rest.to_vec()
        }
    }
}

/// The content of chunks (RFC 9112, section 7.1), with line ends of either kind; `None` where these are none.
fn unchunked(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut lines = Lines {
        rest: bytes,
        number: 0,
    };
    let mut body = Vec::new();
    loop {
        let line = std::str::from_utf8(lines.next()?).ok()?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let length = usize::from_str_radix(digits, 16).ok()?;
        if length == 0 {
            return Some(body);
        }
        let (chunk, rest) = lines.rest.split_at_checked(length)?;
        body.extend_from_slice(chunk);
        lines.rest = rest;
        if !lines.next()?.is_empty() {
            return None;
        }
    }
}
