//! A request of a HAR file (HTTP Archive 1.2), as browsers and proxies export it: the whole file with one request, one
//! entry, or its request alone.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, Method};
use serde_json::Value;

use super::{CaptureKind, Captured, FORMS, Unreadable, add_header, split_address};

pub(super) fn read(bytes: &[u8]) -> Result<Captured, Unreadable> {
    let root: Value = serde_json::from_slice(bytes).map_err(|error| {
        // The parser's own words may repeat the text.
        let (line, column) = (error.line(), error.column());
        Unreadable::at(line, column, "this begins like JSON, but is broken here").help(FORMS)
    })?;
    let request = match root.pointer("/log/entries").and_then(Value::as_array) {
        Some(entries) => {
            let [entry] = entries.as_slice() else {
                let message = format!("the HAR file has {} requests", entries.len());
                return Err(Unreadable::at(1, 1, message).help("keep one of its `entries`"));
            };
            entry.get("request")
        }
        None => root.get("request").or(Some(&root)),
    };
    let request = request.ok_or_else(|| lacks("request"))?;
    let text = |key: &'static str| request.get(key).and_then(Value::as_str);
    let method = text("method").ok_or_else(|| lacks("method"))?;
    let method = Method::from_bytes(method.as_bytes())
        .map_err(|_| Unreadable::at(1, 1, "`method` is not a method"))?;
    let url = text("url").ok_or_else(|| lacks("url"))?;
    let (origin, path_and_query) = split_address(url).ok_or_else(|| {
        Unreadable::at(1, 1, "`url` is not a web address").help("it begins with https://")
    })?;
    let mut headers = HeaderMap::new();
    for header in request
        .get("headers")
        .and_then(Value::as_array)
        .ok_or_else(|| lacks("headers"))?
    {
        let part = |key: &str| header.get(key).and_then(Value::as_str);
        let (Some(name), Some(value)) = (part("name"), part("value")) else {
            return Err(lacks("name` or `value` of a header"));
        };
        // HTTP/2 keeps method and address among the headers.
        if !name.starts_with(':') {
            add_header(&mut headers, name.as_bytes(), value.as_bytes())
                .map_err(|error| Unreadable::at(1, 1, format!("in `headers`: {error}")))?;
        }
    }
    let body = match request.get("postData") {
        None | Some(Value::Null) => Vec::new(),
        Some(data) => {
            let text = data.get("text").and_then(Value::as_str);
            let text = text.ok_or_else(|| lacks("text` of `postData"))?;
            if data.get("encoding").and_then(Value::as_str) == Some("base64") {
                let bytes = STANDARD.decode(text);
                bytes.map_err(|_| Unreadable::at(1, 1, "`postData.text` is not base64"))?
            } else {
                text.as_bytes().to_vec()
            }
        }
    };
    Ok(Captured {
        kind: CaptureKind::Har,
        method,
        origin: Some(origin),
        path_and_query,
        headers,
        body: body.into(),
        remarks: Vec::new(),
    })
}

fn lacks(key: &str) -> Unreadable {
    Unreadable::at(
        1,
        1,
        format!("this JSON is no request of a HAR file: it lacks `{key}`"),
    )
    .help(FORMS)
}
