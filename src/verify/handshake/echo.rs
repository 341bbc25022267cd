//! Repeats a parameter of the query, or a field of a JSON body.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use super::{
    EchoJson, EchoQuery, HandshakeAnswer, Verdict,
    answer::{MAX_ECHO_BYTES, repeatable},
};
use crate::verify::{Refusal, request::Request};

/// A challenge and what stands around it; a longer body is an event.
const MAX_BODY_BYTES: usize = 4 * MAX_ECHO_BYTES;

/// `token` is what the sender must repeat, where the settings want it.
pub(super) fn query(
    settings: &EchoQuery,
    token: Option<&SecretString>,
    request: &Request<'_>,
) -> Verdict {
    // What has a body is an event, whatever stands in its address.
    if *request.method != settings.method || !request.body.is_empty() {
        return Verdict::Event;
    }
    let challenge = match request.query(&settings.parameter) {
        Ok(Some(challenge)) => challenge,
        Ok(None) => return Verdict::Event,
        Err(refusal) => return Verdict::Refused(refusal),
    };
    for (name, wanted) in &settings.require {
        match request.query(name) {
            Ok(Some(given)) if *given == *wanted.as_bytes() => {}
            Ok(_) => return Verdict::Refused(Refusal::HandshakeMalformed),
            Err(refusal) => return Verdict::Refused(refusal),
        }
    }
    if let Some(name) = &settings.verify_parameter {
        let expected = token.map_or("", |token| token.expose_secret());
        match request.query(name) {
            Ok(Some(given)) if !expected.is_empty() && is_same(expected, &given) => {}
            Ok(_) => return Verdict::Refused(Refusal::HandshakeToken),
            Err(refusal) => return Verdict::Refused(refusal),
        }
    }
    repeatable(&challenge).map_or(Verdict::Refused(Refusal::HandshakeMalformed), |text| {
        Verdict::Answer(HandshakeAnswer::text(text))
    })
}

fn is_same(expected: &str, given: &[u8]) -> bool {
    expected.as_bytes().ct_eq(given).into()
}

/// Answers a body that is a challenge and nothing else.
pub(super) fn json(settings: &EchoJson, request: &Request<'_>) -> Verdict {
    challenge(settings, request).map_or(Verdict::Event, |text| {
        Verdict::Answer(if settings.as_text {
            HandshakeAnswer::text(&text)
        } else {
            HandshakeAnswer::json(&json!({ settings.field.as_str(): text }))
        })
    })
}

fn challenge(settings: &EchoJson, request: &Request<'_>) -> Option<String> {
    if *request.method != http::Method::POST || request.body.len() > MAX_BODY_BYTES {
        return None;
    }
    let Fields(fields) = serde_json::from_slice(request.body).ok()?;
    let mut challenge = None;
    let mut required = 0_usize;
    for (name, value) in fields {
        let wanted = settings.require.iter().find(|(field, _)| *field == name);
        if name == settings.field {
            challenge = Some(value.as_str()?.to_owned());
        } else if let Some((_, wanted)) = wanted {
            value.as_str().filter(|value| value == wanted)?;
            required += 1;
        } else if !(settings.beside.contains(&name) && value.is_string()) {
            return None;
        }
    }
    let challenge = challenge?;
    repeatable(challenge.as_bytes())?;
    (required == settings.require.len()).then_some(challenge)
}

/// The fields of a JSON object in which no name stands twice.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields: Vec<(String, Value)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if fields.iter().any(|(known, _)| *known == name) {
                        return Err(serde::de::Error::custom("a name stands twice"));
                    }
                    fields.push((name, value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}
