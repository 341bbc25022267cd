//! Which parts of a request a proof covers, so that a change of them is noticed.
//!
//! For people who choose how a source is verified: the command `presets` and the documentation show it, and a test
//! changes every part of signed requests and looks whether it is as said here.

use http::HeaderName;

use super::{
    VerifySettings,
    jwt::{Audience, EventPlace, JwtSettings},
    settings::{Kind, SignatureSettings},
    template::Segment,
    timestamp::TimestampPlace,
};

/// What a change of a request meets with: what is named here is noticed, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    pub body: BodyCoverage,
    /// Whether the time of sending is signed and compared with the clock. Where not, an old request stays genuine.
    pub time: bool,
    pub method: bool,
    pub address: AddressCoverage,
    /// Those that are signed, the one of the event's id among them, but not the one that holds the time.
    pub headers: Vec<HeaderName>,
    /// Whether the request itself lists further headers that are signed.
    pub listed_headers: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BodyCoverage {
    Whole,
    /// Names and values of the fields of a form, not how they are written; of a body that is no form, its hash.
    Form,
    /// Fields of JSON or of a form, by their paths or names.
    Fields(Vec<String>),
    #[default]
    Nothing,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AddressCoverage {
    Whole,
    /// Parameters of the query, by their names.
    Parameters(Vec<String>),
    #[default]
    Nothing,
}

impl VerifySettings {
    /// What the proof of a request covers.
    pub fn coverage(&self) -> Coverage {
        match &self.kind {
            Kind::None | Kind::Basic | Kind::Token(_) | Kind::Certificate(_) => Coverage::default(),
            Kind::Signature(settings) => of_signature(settings),
            Kind::Jwt(settings) => of_token(settings),
        }
    }
}

/// What a token says of the request beside it; the token itself is signed in any case.
fn of_token(settings: &JwtSettings) -> Coverage {
    let claims = &settings.claims;
    let has_body = settings.event == EventPlace::Claims || claims.body_sha256.is_some();
    let has_address = claims.url_sha256.is_some() || claims.audiences.contains(&Audience::Url);
    Coverage {
        body: if has_body {
            BodyCoverage::Whole
        } else {
            BodyCoverage::Nothing
        },
        time: claims.check_expiry,
        address: if has_address {
            AddressCoverage::Whole
        } else {
            AddressCoverage::Nothing
        },
        ..Coverage::default()
    }
}

fn of_signature(settings: &SignatureSettings) -> Coverage {
    let mut coverage = Coverage::default();
    let (mut fields, mut parameters) = (Vec::new(), Vec::new());
    for segment in settings.signed.segments() {
        match segment {
            Segment::Literal(_) | Segment::Secret | Segment::Optional(_) => {}
            Segment::Body => coverage.body = BodyCoverage::Whole,
            Segment::FormSorted => coverage.body = BodyCoverage::Form,
            Segment::Timestamp => {
                if let Some(timestamp) = &settings.timestamp {
                    coverage.time = timestamp.tolerance.is_some();
                    match &timestamp.place {
                        TimestampPlace::Header(name) if !coverage.time => {
                            coverage.headers.push(name.clone());
                        }
                        TimestampPlace::Json(path) => fields.push(path.to_string()),
                        TimestampPlace::Header(_) | TimestampPlace::Pair(_) => {}
                    }
                }
            }
            Segment::Id => coverage.headers.extend(settings.id_header.clone()),
            Segment::Method => coverage.method = true,
            Segment::Url | Segment::UrlDecoded => coverage.address = AddressCoverage::Whole,
            Segment::Header(name) => coverage.headers.push(name.clone()),
            Segment::Query(name) => parameters.push(name.clone()),
            Segment::Form(name) => fields.push(name.clone()),
            Segment::Json(path) => fields.push(path.to_string()),
            Segment::HeaderNames | Segment::HeaderValues => coverage.listed_headers = true,
        }
    }
    if coverage.body == BodyCoverage::Nothing && !fields.is_empty() {
        coverage.body = BodyCoverage::Fields(fields);
    }
    if coverage.address == AddressCoverage::Nothing && !parameters.is_empty() {
        coverage.address = AddressCoverage::Parameters(parameters);
    }
    coverage
}

impl Coverage {
    /// What is signed, in words: `the body`, `the time`. Empty where nothing is.
    pub fn signed(&self) -> Vec<String> {
        let listed = |all: &[String]| {
            let quoted: Vec<String> = all.iter().map(|one| format!("`{one}`")).collect();
            quoted.join(", ")
        };
        let headers: Vec<String> = self.headers.iter().map(ToString::to_string).collect();
        let parts = [
            match &self.body {
                BodyCoverage::Whole => Some("the body".to_owned()),
                BodyCoverage::Form => Some("the fields of the form".to_owned()),
                BodyCoverage::Fields(paths) => Some(format!("{} in the body", listed(paths))),
                BodyCoverage::Nothing => None,
            },
            self.time.then(|| "the time".to_owned()),
            self.method.then(|| "the method".to_owned()),
            match &self.address {
                AddressCoverage::Whole => Some("the address".to_owned()),
                AddressCoverage::Parameters(names) => {
                    Some(format!("{} in the address", listed(names)))
                }
                AddressCoverage::Nothing => None,
            },
            (!headers.is_empty()).then(|| match headers.len() {
                1 => format!("the header {}", listed(&headers)),
                _ => format!("the headers {}", listed(&headers)),
            }),
            self.listed_headers
                .then(|| "the headers that the request lists".to_owned()),
        ];
        parts.into_iter().flatten().collect()
    }

    /// What is not signed, in words. Never empty: no sender signs all headers.
    pub fn unsigned(&self) -> Vec<&'static str> {
        let parts = [
            match self.body {
                BodyCoverage::Whole => None,
                BodyCoverage::Form => Some("how the form is written"),
                BodyCoverage::Fields(_) => Some("the rest of the body"),
                BodyCoverage::Nothing => Some("the body"),
            },
            (!self.time).then_some("the time"),
            (!self.method).then_some("the method"),
            match self.address {
                AddressCoverage::Whole => None,
                AddressCoverage::Parameters(_) => Some("the rest of the address"),
                AddressCoverage::Nothing => Some("the address"),
            },
            Some(if self.headers.is_empty() && !self.listed_headers {
                "headers"
            } else {
                "other headers"
            }),
        ];
        parts.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::{presets, read::tests::read};

    fn words(settings: &VerifySettings) -> String {
        let coverage = settings.coverage();
        format!(
            "{} | {}",
            coverage.signed().join(", "),
            coverage.unsigned().join(", ")
        )
    }

    #[test]
    fn what_is_covered_is_said_in_words() {
        let of_preset = |name| words(&presets::find(name).unwrap().verify_settings());
        insta::assert_snapshot!(of_preset("github"), @"the body | the time, the method, the address, headers");
        insta::assert_snapshot!(of_preset("stripe"), @"the body, the time | the method, the address, headers");
        insta::assert_snapshot!(of_preset("hubspot-v3"), @"the body, the time, the method, the address | headers");
        insta::assert_snapshot!(of_preset("twilio"), @"the fields of the form, the address | how the form is written, the time, the method, headers");
        insta::assert_snapshot!(of_preset("dreamclass"), @"`id` in the body | the rest of the body, the time, the method, the address, headers");
        insta::assert_snapshot!(of_preset("zoho-crm"), @" | the body, the time, the method, the address, headers");
        let several = read(
            "{type: hmac, signature_header: s, encoding: hex, id_header: X-Id, \
             signed: '{id}{header:X-A}{query:b}{query:c}{timestamp}', timestamp: {source: 'header:T', format: opaque}}",
        );
        insta::assert_snapshot!(words(&several.unwrap()), @"`b`, `c` in the address, the headers `x-id`, `x-a`, `t` | the body, the time, the method, the rest of the address, other headers");
    }
}
