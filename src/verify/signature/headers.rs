//! A list of headers that are signed, which the request itself carries.
//!
//! The sender chooses the headers, and the list is part of what it signs, so nobody else can shorten it.

use http::{HeaderMap, HeaderName};

use super::place::Value;
use crate::verify::{Refusal, request::Request, settings::SignatureSettings};

/// More than any sender signs.
const MAX_HEADERS: usize = 32;

/// How the list of signed headers is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) struct HeaderList {
    /// The key beside the signature that holds the names.
    pub(in crate::verify) pair: String,
    /// Between two names, in the list and in the signed text.
    pub(in crate::verify) name_separator: String,
    /// Between two values, in the signed text.
    pub(in crate::verify) value_separator: String,
}

/// What `{header_names}` and `{header_values}` stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::verify) struct SignedHeaders {
    pub(in crate::verify) names: String,
    pub(in crate::verify) values: Vec<u8>,
}

impl HeaderList {
    /// The list of a request. No list is an empty one: a sender with nothing to list may leave it out.
    pub(super) fn read(
        &self,
        settings: &SignatureSettings,
        request: &Request<'_>,
        values: &[Value<'_>],
    ) -> Result<SignedHeaders, Refusal> {
        let list = match values {
            [value] => settings.format.pair(&value.text, &self.pair)?,
            _ => None,
        };
        let Some(list) = list.filter(|list| !list.is_empty()) else {
            return Ok(SignedHeaders::default());
        };
        let names: Vec<_> = list
            .split(self.name_separator.as_str())
            .take(MAX_HEADERS + 1)
            .collect();
        // Senders write names in small letters, and sign them so. No sender has a full stop in one, which could stand for
        // the one behind the list in the signed text.
        let is_odd = |name: &&str| {
            let mut bytes = name.bytes();
            bytes.any(|byte| byte.is_ascii_uppercase() || byte == b'.')
        };
        if names.len() > MAX_HEADERS || names.iter().any(is_odd) {
            return Err(Refusal::MalformedSignature);
        }
        let names: Vec<HeaderName> = names
            .into_iter()
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map_err(|_| Refusal::MalformedSignature)?;
        self.collect(&names, request)
    }

    /// For a sender: all headers that the request has so far.
    pub(in crate::verify) fn of_all(
        &self,
        headers: &HeaderMap,
        request: &Request<'_>,
    ) -> Result<SignedHeaders, Refusal> {
        let mut names: Vec<_> = headers.keys().cloned().collect();
        names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        names.truncate(MAX_HEADERS);
        self.collect(&names, request)
    }

    fn collect(
        &self,
        names: &[HeaderName],
        request: &Request<'_>,
    ) -> Result<SignedHeaders, Refusal> {
        let mut signed = SignedHeaders::default();
        for (number, name) in names.iter().enumerate() {
            let value = request.header(name)?.ok_or(Refusal::MissingSignedPart)?;
            if number > 0 {
                signed.names.push_str(&self.name_separator);
                signed.values.extend(self.value_separator.as_bytes());
            }
            signed.names.push_str(name.as_str());
            signed.values.extend(value.as_bytes());
        }
        Ok(signed)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Method};

    use super::*;
    use crate::verify::{presets, settings::Kind};

    #[test]
    fn a_list_has_small_letters_and_no_full_stop() {
        let settings = presets::find("hook0").unwrap().verify_settings();
        let Kind::Signature(settings) = &settings.kind else {
            panic!("{settings:?}");
        };
        let list = settings.signed_headers.as_ref().unwrap();
        let mut headers = HeaderMap::new();
        for name in ["x-a", "x-a.b"] {
            headers.insert(name, HeaderValue::from_static("1"));
        }
        let request = Request::new(&Method::POST, "", "", &headers, b"");
        for (names, expected) in [
            ("x-a", Ok("x-a")),
            ("X-A", Err(Refusal::MalformedSignature)),
            ("x-a.b", Err(Refusal::MalformedSignature)),
        ] {
            let text = format!("t=1,h={names},v1=00");
            let value = Value {
                header: 0,
                text: text.into(),
            };
            let read = list.read(settings, &request, &[value]);
            let read = read.as_ref().map(|signed| signed.names.as_str());
            assert_eq!(read, expected.as_ref().copied(), "{names}");
        }
    }
}
