//! Vectors of registration handshakes: a request, and what a correct gateway answers.

use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Broken, Request, get, text};
use crate::verify::handshake::{HandshakeVector, Verdict};

/// A handshake with the answer that is expected.
#[derive(Clone)]
pub struct Challenge {
    pub name: String,
    kind: String,
    secret: Option<String>,
    /// The JSON of the line's own settings.
    handshake: Option<String>,
    verifier: Option<String>,
    request: Request,
    now: Timestamp,
    expected: Expected,
}

#[derive(Clone)]
struct Expected {
    /// `None` for any.
    status: Option<u64>,
    headers: Vec<(String, String)>,
    body: Body,
}

#[derive(Clone)]
enum Body {
    Any,
    Exact(String),
    Contains(String),
    Json(Value),
    /// Stands neither in the body nor in a header.
    Lacks(String),
}

pub(super) fn read(keys: &Map<String, Value>) -> Result<Challenge, Broken> {
    let wrong = |key, expected| Broken::Value { key, expected };
    let object = |key| {
        let value = get(keys, key)?.as_object();
        value.ok_or(wrong(key, "an object"))
    };
    let secret = match get(keys, "secret")? {
        Value::Null => None,
        value => Some(
            value
                .as_str()
                .ok_or(wrong("secret", "a text or null"))?
                .to_owned(),
        ),
    };
    let own = |key: &str| keys.get(key).map(Value::to_string);
    let second = keys.get("now_unix").map_or(Some(0), Value::as_i64);
    Ok(Challenge {
        name: text(keys, "name")?.to_owned(),
        kind: text(keys, "kind")?.to_owned(),
        secret,
        handshake: own("handshake"),
        verifier: own("verifier"),
        request: Request::read(object("request")?)?,
        now: second
            .and_then(|second| Timestamp::from_second(second).ok())
            .ok_or(wrong("now_unix", "a time in whole seconds"))?,
        expected: expected(object("expect")?).map_err(in_expect)?,
    })
}

/// Names a key by the object that it belongs to.
fn in_expect(broken: Broken) -> Broken {
    let whole = |key| match key {
        "headers" => "expect.headers",
        "status" => "expect.status",
        "body" => "expect.body",
        "body_match" => "expect.body_match",
        other => other,
    };
    match broken {
        Broken::Missing { key } => Broken::Missing { key: whole(key) },
        Broken::Value { key, expected } => Broken::Value {
            key: whole(key),
            expected,
        },
        other => other,
    }
}

fn expected(keys: &Map<String, Value>) -> Result<Expected, Broken> {
    let wrong = |key, expected| Broken::Value { key, expected };
    let pair = |pair: &Value| {
        let text = |index: usize| pair.get(index)?.as_str().map(str::to_owned);
        Some((text(0)?, text(1)?))
    };
    let headers = get(keys, "headers")?
        .as_array()
        .and_then(|pairs| pairs.iter().map(pair).collect());
    let body = || text(keys, "body").map(str::to_owned);
    Ok(Expected {
        status: match get(keys, "status")? {
            Value::Null => None,
            status => Some(status.as_u64().ok_or(wrong("status", "a number or null"))?),
        },
        headers: headers.ok_or(wrong("headers", "a list of pairs of name and value"))?,
        body: match text(keys, "body_match")? {
            "any" => Body::Any,
            "exact" => Body::Exact(body()?),
            "contains" => Body::Contains(body()?),
            "json" => Body::Json(get(keys, "body")?.clone()),
            other => match other.strip_prefix("must-not-contain:") {
                Some(forbidden) => Body::Lacks(forbidden.to_owned()),
                None => {
                    return Err(wrong(
                        "body_match",
                        "`any`, `exact`, `contains`, `json` or `must-not-contain:TEXT`",
                    ));
                }
            },
        },
    })
}

impl Challenge {
    /// What of the answer is not as expected; nothing where all is. No value of the answer is in it: a secret may be.
    ///
    /// # Errors
    ///
    /// An unknown kind, or settings that make no sense.
    pub fn differences(&self) -> Result<Vec<String>, Broken> {
        let line = HandshakeVector {
            kind: &self.kind,
            secret: self.secret.as_deref(),
            handshake: self.handshake.as_deref(),
            verifier: self.verifier.as_deref(),
        };
        let request = self.request.outgoing(|text| Some(text.as_bytes().to_vec()));
        let request = request.ok_or(Broken::Value {
            key: "headers",
            expected: "a list of pairs of name and value",
        })?;
        let verdict = line
            .verdict(&request.into_received(self.now), self.now)
            .map_err(|error| Broken::Settings(error.to_string()))?;
        Ok(self.expected.differences(&verdict))
    }
}

impl Expected {
    fn differences(&self, verdict: &Verdict) -> Vec<String> {
        let mut found = Vec::new();
        let status = verdict.status();
        if let Some(wanted) = self.status
            && Some(wanted) != status.map(u64::from)
        {
            let given = status.map_or_else(
                || "it is taken for an event".to_owned(),
                |status| format!("it is {status}"),
            );
            found.push(format!("the status is to be {wanted}, but {given}"));
        }
        let none = HeaderMap::new();
        let (headers, body) = match verdict.answer() {
            Some(answer) => (&answer.headers, &answer.body[..]),
            None => (&none, &[][..]),
        };
        for (name, wanted) in &self.headers {
            let given = headers.get(name).and_then(|value| value.to_str().ok());
            // A content type may say its charset.
            let essence = given.map(|given| given.split(';').next().unwrap_or_default());
            if essence != Some(wanted) {
                let how = if given.is_some() {
                    "has another value"
                } else {
                    "is missing"
                };
                found.push(format!("the header `{name}` {how}"));
            }
        }
        if !self.body.is_right(body, headers) {
            found.push("the body is another".to_owned());
        }
        found
    }
}

impl Body {
    fn is_right(&self, body: &[u8], headers: &HeaderMap) -> bool {
        let holds = |text: &[u8], part: &str| {
            part.is_empty()
                || text
                    .windows(part.len())
                    .any(|piece| piece == part.as_bytes())
        };
        match self {
            Self::Any => true,
            Self::Exact(wanted) => body == wanted.as_bytes(),
            Self::Contains(part) => holds(body, part),
            Self::Json(wanted) => {
                serde_json::from_slice::<Value>(body).ok().as_ref() == Some(wanted)
            }
            Self::Lacks(part) => {
                !holds(body, part) && !headers.values().any(|value| holds(value.as_bytes(), part))
            }
        }
    }
}
