//! Finds the values that decide in a request, arrived or about to be sent; refuses those that are there twice.

use std::{borrow::Cow, cell::OnceCell};

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::percent_decode;
use serde_json::Value;

use super::{Received, Refusal};

/// More fields than any sender puts into a form that it signs.
pub(super) const MAX_SIGNED_FIELDS: usize = 1000;

/// The name and the value of a field.
type Field<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// A view of a request. The body is parsed as JSON, or as a signed form, at most once, and only when somebody asks:
/// the signed text is made for every secret and every variant of the address.
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
    signed_fields: OnceCell<Result<Vec<Field<'static>>, Refusal>>,
    sorted_form: OnceCell<Vec<u8>>,
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
            signed_fields: OnceCell::new(),
            sorted_form: OnceCell::new(),
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

    /// As [`Request::form`], of a form whose fields are signed.
    ///
    /// # Errors
    ///
    /// Two fields of the name, or more than [`MAX_SIGNED_FIELDS`] in all.
    pub(super) fn signed_field(&self, name: &str) -> Result<Option<Cow<'_, [u8]>>, Refusal> {
        let fields = self.signed_fields()?.iter();
        let borrowed =
            fields.map(|(name, value)| (Cow::Borrowed(&**name), Cow::Borrowed(&**value)));
        one_of(borrowed, name)
    }

    /// Names and values of the form in the body, one behind the other, sorted by name, then value; repeated pairs once.
    ///
    /// # Errors
    ///
    /// More fields than [`MAX_SIGNED_FIELDS`].
    pub(super) fn sorted_form(&self) -> Result<&[u8], Refusal> {
        let fields = self.signed_fields()?;
        Ok(self.sorted_form.get_or_init(|| {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable();
            fields.dedup();
            let halves = fields.into_iter().flat_map(|(name, value)| [name, value]);
            halves.flat_map(|half| half.iter().copied()).collect()
        }))
    }

    fn signed_fields(&self) -> Result<&[Field<'static>], Refusal> {
        let fields = self.signed_fields.get_or_init(|| {
            let owned = |half: Cow<'_, [u8]>| Cow::Owned(half.into_owned());
            let fields: Vec<_> = fields(self.body)
                .take(MAX_SIGNED_FIELDS + 1)
                .map(|(name, value)| (owned(name), owned(value)))
                .collect();
            if fields.len() > MAX_SIGNED_FIELDS {
                return Err(Refusal::TooManyFields);
            }
            Ok(fields)
        });
        fields.as_deref().map_err(|refusal| *refusal)
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
pub(super) fn fields(text: &[u8]) -> impl Iterator<Item = Field<'_>> {
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
    fields: impl Iterator<Item = Field<'a>>,
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
    fn a_signed_form_is_read_and_sorted_once_however_often_somebody_asks() {
        let headers = HeaderMap::new();
        let request = Request::new(&Method::POST, "", "", &headers, b"b=2&a=%31&b=2&a=0");
        let sorted = request.sorted_form().unwrap();
        assert_eq!(sorted, b"a0a1b2");
        assert!(std::ptr::eq(sorted, request.sorted_form().unwrap()));
        let fields = request.signed_fields().unwrap();
        assert!(std::ptr::eq(fields, request.signed_fields().unwrap()));
        assert_eq!(request.signed_field("b"), Err(Refusal::AmbiguousValue));
    }

    #[test]
    fn a_signed_form_has_so_many_fields_and_no_more_are_read() {
        let headers = HeaderMap::new();
        for (fields, expected) in [
            (MAX_SIGNED_FIELDS, Ok(true)),
            (MAX_SIGNED_FIELDS + 1, Err(Refusal::TooManyFields)),
            (175_000, Err(Refusal::TooManyFields)),
        ] {
            let body = "a=1&b=2&".repeat(fields / 2) + if fields % 2 == 1 { "c=3" } else { "" };
            let request = Request::new(&Method::POST, "", "", &headers, body.as_bytes());
            let sorted = request.sorted_form().map(|sorted| sorted == b"a1b2");
            assert_eq!(sorted, expected, "{fields} fields");
            let missing = request.signed_field("d").map(|field| field.is_none());
            assert_eq!(missing, expected, "{fields} fields");
        }
    }

    #[test]
    fn the_query_ends_before_the_fragment() {
        assert_eq!(query_of("/a?b=1&c=2#d?e"), "b=1&c=2");
        assert_eq!(query_of("/a"), "");
    }
}
