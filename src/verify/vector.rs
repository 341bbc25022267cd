//! Test vectors: requests with settings, secrets, a time and the verdict that is expected, one JSON object in a line.
//!
//! With them the rules of a sender can be tried before there is a source file. `docs/VERIFICATION.md` describes the
//! form. A line that is broken says where; it never stands for a refusal, which some vectors expect.

mod challenge;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use serde_json::{Map, Value};

pub use self::challenge::Challenge;
use super::{
    KeySet, KeySetHandle, Outgoing, PublicKey, SettingsError, SigningSecret, Verifier,
    VerifySettings, doctor::Settings,
};
use crate::diag::render_lines;

/// A longer line is not read.
pub const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;

/// What a line holds.
#[derive(Clone)]
pub enum Line {
    Signature(Box<Vector>),
    Handshake(Box<Challenge>),
}

/// A request with the verdict that a correct check gives.
#[derive(Clone)]
pub struct Vector {
    pub name: String,
    pub is_accepted: bool,
    settings: Settings,
    secrets: Vec<SigningSecret>,
    public_keys: Vec<PublicKey>,
    /// In place of secrets, for tokens that are signed with a sender's own keys.
    key_set: Option<KeySetHandle>,
    request: Request,
    now: Timestamp,
}

/// A request as a line has it.
#[derive(Clone)]
struct Request {
    method: Method,
    url: String,
    headers: Vec<(HeaderName, String)>,
    body: Vec<u8>,
}

/// Why a line is no vector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("column {column}: the line is not JSON")]
    NotJson { column: usize },
    #[error("the line is not a JSON object")]
    NotObject,
    #[error("the line is larger than {MAX_LINE_BYTES} bytes")]
    TooLong,
    #[error("`{key}` is missing")]
    Missing { key: &'static str },
    #[error("`{key}` is not {expected}")]
    Value {
        key: &'static str,
        expected: &'static str,
    },
    #[error("`verifier` is not a map of settings that fit together: {0}")]
    Settings(String),
}

/// How a vector was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    pub is_accepted: bool,
    /// The code of the refusal, or why settings and secrets make no check; empty for what is accepted.
    pub code: String,
    /// The same for people.
    pub reason: String,
}

/// Reads a line.
///
/// # Errors
///
/// What is no vector, or one whose settings have mistakes.
pub fn read(line: &str) -> Result<Line, Broken> {
    if line.len() > MAX_LINE_BYTES {
        return Err(Broken::TooLong);
    }
    let value: Value = serde_json::from_str(line).map_err(|error| Broken::NotJson {
        column: error.column(),
    })?;
    let Value::Object(keys) = value else {
        return Err(Broken::NotObject);
    };
    if keys.contains_key("kind") {
        challenge::read(&keys).map(|challenge| Line::Handshake(Box::new(challenge)))
    } else {
        signature(&keys).map(|vector| Line::Signature(Box::new(vector)))
    }
}

fn signature(keys: &Map<String, Value>) -> Result<Vector, Broken> {
    let wrong = |key, expected| Broken::Value { key, expected };
    let verifier = get(keys, "verifier")?.as_object();
    let settings = Settings::of_json(verifier.ok_or(wrong("verifier", "an object"))?.clone());
    if let Err(findings) = settings.read() {
        return Err(Broken::Settings(render_lines(&findings).join("; ")));
    }
    let secret = |value: &Value| {
        Some(SigningSecret {
            name: "secret".to_owned(),
            value: value.as_str()?.into(),
            until: None,
        })
    };
    let secrets = get(keys, "secrets")?
        .as_array()
        .and_then(|secrets| secrets.iter().map(secret).collect::<Option<Vec<_>>>());
    let public_keys = match keys.get("public_keys") {
        None => Some(Vec::new()),
        Some(keys) => keys.as_array().and_then(|keys| {
            let key = |key: &Value| {
                Some(PublicKey {
                    name: "public key".to_owned(),
                    text: key.as_str()?.to_owned(),
                    until: None,
                })
            };
            keys.iter().map(key).collect::<Option<Vec<_>>>()
        }),
    };
    let now = get(keys, "now_unix")?
        .as_i64()
        .and_then(|second| Timestamp::from_second(second).ok());
    Ok(Vector {
        name: text(keys, "name")?.to_owned(),
        is_accepted: match text(keys, "expect")? {
            "accept" => true,
            "reject" => false,
            _ => return Err(wrong("expect", "`accept` or `reject`")),
        },
        settings,
        secrets: secrets.ok_or(wrong("secrets", "a list of texts"))?,
        key_set: match keys.get("jwks") {
            None => None,
            Some(set) => Some(
                KeySet::read(set.to_string().as_bytes())
                    .map(KeySetHandle::holding)
                    .map_err(|_| wrong("jwks", "a set of keys"))?,
            ),
        },
        public_keys: public_keys.ok_or(wrong("public_keys", "a list of texts"))?,
        request: Request::read(keys)?,
        now: now.ok_or(wrong("now_unix", "a time in whole seconds"))?,
    })
}

impl Request {
    fn read(keys: &Map<String, Value>) -> Result<Self, Broken> {
        let wrong = |key, expected| Broken::Value { key, expected };
        let header = |pair: &Value| {
            let name = pair.get(0)?.as_str()?.parse().ok()?;
            Some((name, pair.get(1)?.as_str()?.to_owned()))
        };
        let headers = get(keys, "headers")?
            .as_array()
            .and_then(|pairs| pairs.iter().map(header).collect());
        let url = Some(text(keys, "url")?).filter(|url| url.contains("://"));
        Ok(Self {
            method: Method::from_bytes(text(keys, "method")?.as_bytes())
                .map_err(|_| wrong("method", "a method"))?,
            url: url.ok_or(wrong("url", "a whole address"))?.to_owned(),
            headers: headers.ok_or(wrong("headers", "a list of pairs of name and value"))?,
            body: STANDARD
                .decode(text(keys, "body_base64")?)
                .map_err(|_| wrong("body_base64", "base64"))?,
        })
    }

    /// `bytes` says how the text of a header becomes bytes; `None` where a value cannot stand in one.
    fn outgoing(&self, bytes: impl Fn(&str) -> Option<Vec<u8>>) -> Option<Outgoing> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(name, HeaderValue::from_bytes(&bytes(value)?).ok()?);
        }
        Some(Outgoing {
            method: self.method.clone(),
            url: self.url.clone(),
            headers,
            body: self.body.clone().into(),
        })
    }
}

fn get<'a>(keys: &'a Map<String, Value>, key: &'static str) -> Result<&'a Value, Broken> {
    keys.get(key).ok_or(Broken::Missing { key })
}

fn text<'a>(keys: &'a Map<String, Value>, key: &'static str) -> Result<&'a str, Broken> {
    get(keys, key)?.as_str().ok_or(Broken::Value {
        key,
        expected: "a text",
    })
}

impl Vector {
    /// The settings as they are written.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn secrets(&self) -> &[SigningSecret] {
        &self.secrets
    }

    /// When the request arrives.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The request. Header values are texts here: where one has characters beyond ASCII, there are two requests, with
    /// its bytes in UTF-8 and in ISO-8859-1, and both are to be judged the same.
    pub fn requests(&self) -> Vec<Outgoing> {
        let is_ascii = self
            .request
            .headers
            .iter()
            .all(|(_, value)| value.is_ascii());
        let latin = |text: &str| {
            let bytes = text.chars().map(|c| u8::try_from(c).ok());
            bytes.collect::<Option<Vec<u8>>>()
        };
        let mut requests = Vec::new();
        requests.extend(self.request.outgoing(|text| Some(text.as_bytes().to_vec())));
        if !is_ascii {
            requests.extend(self.request.outgoing(latin));
        }
        requests
    }

    /// Settings with what they take.
    ///
    /// # Errors
    ///
    /// Those that make no check: some vectors expect a refusal for that.
    pub fn verifier(&self, settings: VerifySettings) -> Result<Verifier, SettingsError> {
        if settings.takes_public_keys() {
            return Verifier::with_public_keys(settings, &self.public_keys);
        }
        let verifier = Verifier::new(settings, &self.secrets)?;
        if let Some(keys) = &self.key_set {
            verifier.use_keys(keys.clone());
        }
        Ok(verifier)
    }

    /// Judges the request; where there are two, the one that differs from what is expected.
    pub fn judge(&self) -> Judged {
        let refused = |code: &str, reason: String| Judged {
            is_accepted: false,
            code: code.to_owned(),
            reason,
        };
        let Ok(settings) = self.settings.read() else {
            return refused("settings", "the settings have mistakes".to_owned());
        };
        let verifier = match self.verifier(settings) {
            Ok(verifier) => verifier,
            Err(error) => return refused("secrets", error.to_string()),
        };
        let mut judged = refused("headers", "a value cannot stand in a header".to_owned());
        for request in self.requests() {
            judged = match verifier.verify(request.into_received(self.now), self.now) {
                Ok(_) => Judged {
                    is_accepted: true,
                    code: String::new(),
                    reason: String::new(),
                },
                Err((_, refusal)) => refused(refusal.as_str(), refusal.to_string()),
            };
            if judged.is_accepted != self.is_accepted {
                break;
            }
        }
        judged
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line() -> Value {
        json!({
            "name": "a", "method": "POST", "url": "https://gw.example/a", "headers": [["X-Token", "ñ"]],
            "body_base64": "YQ==", "secrets": ["ñ"], "now_unix": 1, "expect": "accept",
            "verifier": {"type": "token", "token_source": "header:X-Token"},
        })
    }

    #[test]
    fn a_broken_line_is_named_and_never_a_refusal() {
        let mut found = vec![
            read("{\"name\": }").err().unwrap().to_string(),
            read("[]").err().unwrap().to_string(),
            read("{\"a\": 1}").err().unwrap().to_string(),
        ];
        for (key, value) in [
            ("headers", json!([["a b", "c"]])),
            ("secrets", json!("s3cret")),
            ("now_unix", json!("1")),
            ("expect", json!("maybe")),
            ("url", json!("/a")),
            ("body_base64", json!("!")),
            ("method", json!("P ST")),
            ("verifier", json!({"type": "hmca"})),
            ("name", json!(1)),
        ] {
            let mut line = line();
            line[key] = value;
            found.push(read(&line.to_string()).err().unwrap().to_string());
            line.as_object_mut().unwrap().remove(key);
            if key != "verifier" {
                let missing = read(&line.to_string()).err().unwrap();
                assert_eq!(missing, Broken::Missing { key });
            }
        }
        insta::assert_snapshot!(found.join("\n"), @r"
        column 10: the line is not JSON
        the line is not a JSON object
        `verifier` is missing
        `headers` is not a list of pairs of name and value
        `secrets` is not a list of texts
        `now_unix` is not a time in whole seconds
        `expect` is not `accept` or `reject`
        `url` is not a whole address
        `body_base64` is not base64
        `method` is not a method
        `verifier` is not a map of settings that fit together: verify:1:9: error recv/bad-value: `hmca` is not a type of verification (did you mean `hmac`?)
        `name` is not a text
        ");
    }

    #[test]
    fn a_value_beyond_ascii_is_judged_in_both_encodings() {
        let Line::Signature(vector) = read(&line().to_string()).unwrap() else {
            panic!("a vector");
        };
        let judged = vector.judge();
        assert_eq!(
            (judged.is_accepted, judged.code.as_str()),
            (false, "wrong-token")
        );
        assert_eq!(vector.requests().len(), 2);
    }

    #[test]
    fn what_a_handshake_answers_otherwise_is_said_and_not_shown() {
        let line = |expect: Value| {
            let line = json!({
                "name": "meta", "kind": "echo-query-param", "secret": "hush", "expect": expect,
                "request": {
                    "method": "GET", "url": "https://gw.example/a?hub.challenge=4711&hub.mode=subscribe&hub.verify_token=hush",
                    "headers": [], "body_base64": "",
                },
            });
            match read(&line.to_string()) {
                Ok(Line::Handshake(challenge)) => challenge.differences(),
                Ok(Line::Signature(_)) => panic!("a handshake"),
                Err(error) => Err(error),
            }
        };
        let right = json!({"status": 200, "headers": [["content-type", "text/plain"]], "body": "4711", "body_match": "exact"});
        assert_eq!(line(right), Ok(Vec::new()));
        let wrong = json!({"status": 403, "headers": [["content-type", "a/b"], ["x-a", "b"]], "body": "", "body_match": "must-not-contain:4711"});
        insta::assert_snapshot!(line(wrong).unwrap().join("\n"), @r"
        the status is to be 403, but it is 200
        the header `content-type` has another value
        the header `x-a` is missing
        the body is another
        ");
        let broken = json!({"status": 200, "headers": [], "body_match": "nearly"});
        assert!(matches!(
            line(broken),
            Err(Broken::Value {
                key: "expect.body_match",
                ..
            })
        ));
        let missing = line(json!({"status": 200, "body_match": "any"}))
            .err()
            .unwrap();
        assert_eq!(missing.to_string(), "`expect.headers` is missing");
    }
}
