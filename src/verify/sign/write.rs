//! Writes values into a request that is about to be sent.

use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{CannotSign, Outgoing};
use crate::verify::{
    json_path::JsonPath,
    request::{fields, query_of},
};

pub(super) fn set_header(
    headers: &mut HeaderMap,
    name: &HeaderName,
    value: &str,
) -> Result<(), CannotSign> {
    let value =
        HeaderValue::from_str(value).map_err(|_| CannotSign::NotHeaderText(name.clone()))?;
    headers.insert(name, value);
    Ok(())
}

/// Adds a parameter, unless the address has it already, as an address that a person registered may.
pub(super) fn add_to_query(url: &mut String, name: &str, value: &str) {
    let has = fields(query_of(url).as_bytes()).any(|(field, _)| *field == *name.as_bytes());
    if !has {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&pair(name, value));
    }
}

/// Adds a field to a form.
pub(super) fn add_to_form(request: &mut Outgoing, name: &str, value: &str) {
    let mut body = request.body.to_vec();
    if !body.is_empty() {
        body.push(b'&');
    }
    body.extend_from_slice(pair(name, value).as_bytes());
    request.body = body.into();
}

fn pair(name: &str, value: &str) -> String {
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
    format!("{name}={value}")
}

pub(super) fn write_json(
    path: &JsonPath,
    text: &str,
    request: &mut Outgoing,
) -> Result<(), CannotSign> {
    let no_room = || CannotSign::NoRoomInBody(path.to_string());
    let mut body: Value = serde_json::from_slice(&request.body).map_err(|_| no_room())?;
    if !path.write(&mut body, text) {
        return Err(no_room());
    }
    request.body = body.to_string().into();
    Ok(())
}

pub(super) fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value
                .to_ascii_lowercase()
                .starts_with("application/x-www-form-urlencoded")
        })
}
