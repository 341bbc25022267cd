//! What a source's handshake looks like. Checked: whatever exists here makes sense by itself.

use http::{HeaderName, Method};

use crate::verify::{VerifySettings, code::Encoding, json_path::JsonPath, request::Request};

/// A kind of handshake and its details.
///
/// Read from YAML with [`HandshakeSettings::read`](HandshakeSettings::read), be it from a source file or of a preset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeSettings {
    pub(in crate::verify) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) enum Kind {
    EchoQuery(EchoQuery),
    EchoJson(EchoJson),
    HmacToken(HmacToken),
    HeaderEcho(HeaderEcho),
    CloudEvents(CloudEvents),
    Plain(Plain),
    Confirm(Confirm),
}

/// A parameter of the query is the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) struct EchoQuery {
    pub(in crate::verify) method: Method,
    pub(in crate::verify) parameter: String,
    /// The parameter with the text that we and the sender agreed on.
    pub(in crate::verify) verify_parameter: Option<String>,
    /// Parameters that must have these values.
    pub(in crate::verify) require: Vec<(String, String)>,
}

/// A field of a JSON body is the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) struct EchoJson {
    pub(in crate::verify) field: String,
    /// Fields that must have these values.
    pub(in crate::verify) require: Vec<(String, String)>,
    /// Fields that may be there as well; with any other the body is an event.
    pub(in crate::verify) beside: Vec<String>,
    /// Answered as the text alone, not as JSON with the field.
    pub(in crate::verify) as_text: bool,
}

/// A keyed hash of a token is the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) struct HmacToken {
    pub(in crate::verify) token: TokenAt,
    /// The field of the answer for the hash.
    pub(in crate::verify) answer_field: String,
    /// The field of the answer that repeats the token.
    pub(in crate::verify) token_field: Option<String>,
    pub(in crate::verify) encoding: Encoding,
    pub(in crate::verify) prefix: String,
}

/// Where the token stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) enum TokenAt {
    /// A parameter of a `GET`, which is not signed.
    Parameter(String),
    /// A field of a signed JSON body whose fields have certain values.
    Field {
        field: JsonPath,
        require: Vec<(JsonPath, String)>,
    },
}

/// A header is the answer, and its value the signing secret from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) struct HeaderEcho {
    pub(in crate::verify) header: HeaderName,
    /// A request with a header of signatures is an event, whatever else it has.
    pub(in crate::verify) signature_headers: Vec<HeaderName>,
}

/// The handshake of the `CloudEvents` HTTP webhook specification 1.0.1, section 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) struct CloudEvents {
    /// Any where it is empty.
    pub(in crate::verify) origins: Vec<String>,
}

/// The sender only wants to see a 2xx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) struct Plain {
    /// Of `GET` and `HEAD`, in this order.
    pub(in crate::verify) methods: Vec<Method>,
    pub(in crate::verify) tests: Vec<PlainTest>,
}

/// What a `POST` is known by that only tries the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) enum PlainTest {
    /// It has no body.
    Empty,
    Header(HeaderName, String),
    Field(JsonPath, String),
}

/// The sender names an address that is to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) struct Confirm {
    pub(in crate::verify) field: JsonPath,
    pub(in crate::verify) require: Vec<(JsonPath, String)>,
    /// In lower case; at least one.
    pub(in crate::verify) hosts: Vec<String>,
}

impl HandshakeSettings {
    /// The words of all kinds, as they are written in a file.
    pub const KINDS: [&str; 7] = [
        "echo-query",
        "echo-json",
        "hmac-token",
        "header-echo",
        "cloudevents",
        "plain-200",
        "confirm-url",
    ];

    pub const fn kind_name(&self) -> &'static str {
        match &self.kind {
            Kind::EchoQuery(_) => "echo-query",
            Kind::EchoJson(_) => "echo-json",
            Kind::HmacToken(_) => "hmac-token",
            Kind::HeaderEcho(_) => "header-echo",
            Kind::CloudEvents(_) => "cloudevents",
            Kind::Plain(_) => "plain-200",
            Kind::Confirm(_) => "confirm-url",
        }
    }

    /// Whether the source's secret is the one that the sender names in its handshake.
    pub const fn learns(&self) -> bool {
        matches!(self.kind, Kind::HeaderEcho(_))
    }

    /// Whether the sender repeats a text that we agreed on, which must be known then.
    pub const fn needs_token(&self) -> bool {
        matches!(&self.kind, Kind::EchoQuery(echo) if echo.verify_parameter.is_some())
    }

    /// Whether the sender repeats a text that we agreed on, or could.
    pub const fn takes_token(&self) -> bool {
        matches!(self.kind, Kind::EchoQuery(_))
    }

    /// Why these settings cannot stand beside a source's verification; what to do about it follows the `;`.
    pub fn contradiction(&self, verify: &VerifySettings) -> Option<&'static str> {
        let is_signed = matches!(verify.type_name(), "hmac" | "digest");
        match &self.kind {
            Kind::HmacToken(_) if !is_signed => Some(
                "`hmac-token` signs with the source's secret, but `verify` is no signature with one; use the preset or the \
                 `hmac` settings of the sender",
            ),
            Kind::HmacToken(HmacToken {
                token: TokenAt::Parameter(_),
                ..
            }) if !verify.signs_body_alone() => Some(
                "a stranger could have a part of an event signed, since more or less than the body is signed; \
                 `hmac-token` with `parameter` goes with `signed: \"{body}\"` only",
            ),
            Kind::HeaderEcho(_) if !is_signed => Some(
                "`header-echo` learns a signing secret, but `verify` is no signature with one; use the preset or the `hmac` \
                 settings of the sender",
            ),
            _ => None,
        }
    }

    pub(super) fn methods(&self) -> Vec<Method> {
        match &self.kind {
            Kind::EchoQuery(echo) if echo.method == Method::GET => vec![Method::GET],
            Kind::HmacToken(HmacToken {
                token: TokenAt::Parameter(_),
                ..
            }) => vec![Method::GET],
            Kind::CloudEvents(_) => vec![Method::OPTIONS],
            Kind::Plain(plain) => plain.methods.clone(),
            _ => Vec::new(),
        }
    }

    /// With what it must know of the verification beside it.
    pub(super) fn beside(mut self, verify: &VerifySettings) -> Self {
        if let Kind::HeaderEcho(echo) = &mut self.kind {
            echo.signature_headers = verify.secret_headers().to_vec();
        }
        self
    }
}

/// Whether every field has its value. A body that is no JSON has none.
pub(super) fn has_fields(request: &Request<'_>, required: &[(JsonPath, String)]) -> bool {
    required.iter().all(|(path, value)| {
        let json = request.json().ok();
        json.and_then(|json| path.scalar(json)).as_ref() == Some(value)
    })
}
