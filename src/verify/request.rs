//! Finds the values that decide in a request, arrived or about to be sent; refuses those that are there twice.

use std::{borrow::Cow, cell::OnceCell};

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::percent_decode;
use serde_json::Value;

use super::{Received, Refusal};

/// A view of a request. The body is parsed as JSON at most once, and only when somebody asks.
pub(super) struct Request<'a> {
    pub(super) method: &'a Method,
    /// As the sender wrote it.
    pub(super) url: &'a str,
    query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    /// Whether a proxy of ours handed it on, so that what it says in headers counts.
    pub(super) through_trusted_proxy: bool,
    json: OnceCell<Option<Value>>,
}

impl<'a> Request<'a> {
    pub(super) fn new(
        method: &'a Method,
        url: &'a str,
        path_and_query: &'a str,
        headers: &'a HeaderMap,
        body: &'a [u8],
    ) -> Self {
        Self {
            method,
            url,
            query: query_of(path_and_query),
            headers,
            body,
            through_trusted_proxy: false,
            json: OnceCell::new(),
        }
    }

    /// The one value of a header; two headers of the name are refused.
    pub(super) fn header(&self, name: &HeaderName) -> Result<Option<&'a HeaderValue>, Refusal> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next();
        match values.next() {
            Some(_) => Err(Refusal::AmbiguousHeader),
            None => Ok(first),
        }
    }

    /// The one value of a query parameter, decoded; two parameters of the name are refused.
    pub(super) fn query(&self, name: &str) -> Result<Option<Cow<'a, [u8]>>, Refusal> {
        one_of(fields(self.query.as_bytes()), name)
    }

    /// The one value of a field of the body, read as a form; two fields of the name are refused.
    pub(super) fn form(&self, name: &str) -> Result<Option<Cow<'a, [u8]>>, Refusal> {
        one_of(fields(self.body), name)
    }

    /// The body as JSON. The parser limits the depth; ingress limits the size.
    pub(super) fn json(&self) -> Result<&Value, Refusal> {
        self.json
            .get_or_init(|| serde_json::from_slice(self.body).ok())
            .as_ref()
            .ok_or(Refusal::UnreadableBody)
    }
}

impl<'a> From<&'a Received> for Request<'a> {
    fn from(received: &'a Received) -> Self {
        let request = Self::new(
            &received.method,
            &received.public_url,
            &received.path_and_query,
            &received.headers,
            &received.body,
        );
        Self {
            through_trusted_proxy: received.peer.through_trusted_proxy,
            ..request
        }
    }
}

/// What stands behind the `?`; empty where there is none.
pub(super) fn query_of(address: &str) -> &str {
    let without_fragment = address
        .split_once('#')
        .map_or(address, |(before, _)| before);
    without_fragment
        .split_once('?')
        .map_or("", |(_, query)| query)
}

/// Names and values of an `application/x-www-form-urlencoded` text, decoded to bytes: nothing is replaced, so two
/// different texts cannot become one.
pub(super) fn fields(text: &[u8]) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    text.split(|byte| *byte == b'&')
        .filter(|field| !field.is_empty())
        .map(|field| {
            let mut halves = field.splitn(2, |byte| *byte == b'=');
            let name = halves.next().unwrap_or_default();
            let value = halves.next().unwrap_or_default();
            (decode(name), decode(value))
        })
}

fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if text.contains(&b'+') {
        let spaced: Vec<u8> = text
            .iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte })
            .collect();
        Cow::Owned(percent_decode(&spaced).collect())
    } else {
        percent_decode(text).into()
    }
}

fn one_of<'a>(
    fields: impl Iterator<Item = (Cow<'a, [u8]>, Cow<'a, [u8]>)>,
    name: &str,
) -> Result<Option<Cow<'a, [u8]>>, Refusal> {
    let mut found = None;
    for (field, value) in fields {
        if *field == *name.as_bytes() && found.replace(value).is_some() {
            return Err(Refusal::AmbiguousValue);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_byte_for_byte() {
        let found: Vec<_> = fields(b"a=1+2&b%5B0%5D=%C3%B1%ff&&c&=x&d=e=f").collect();
        let expected: [(&[u8], &[u8]); 5] = [
            (b"a", b"1 2"),
            (b"b[0]", b"\xC3\xB1\xFF"),
            (b"c", b""),
            (b"", b"x"),
            (b"d", b"e=f"),
        ];
        assert_eq!(found.len(), expected.len());
        for ((name, value), (wanted_name, wanted_value)) in found.iter().zip(expected) {
            assert_eq!((&**name, &**value), (wanted_name, wanted_value));
        }
    }

    #[test]
    fn the_query_ends_before_the_fragment() {
        assert_eq!(query_of("/a?b=1&c=2#d?e"), "b=1&c=2");
        assert_eq!(query_of("/a"), "");
    }
}
