//! What a JSON web token says of its sender and of the request, against what the settings ask of it.
//!
//! Where the signature is right and only claims are against it, all that is wrong is found at once: claim by claim, by
//! the check that decides about requests, with everything else let pass. Whom a token names is shown in bounds; the
//! values of other claims are not.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    Advice, Case, Explanation, Remedy, address, body, search,
    tokens::{jwt, shown},
};
use crate::verify::{
    Refusal, VerifySettings,
    code::Encoding,
    jwt::{Audience, ClaimSettings, Said},
    request::Request,
    settings::Kind,
};

/// What all bodies may take together that are tried for the hash of one, in bytes.
const MOST_OF_BODIES: usize = 16 * 1024 * 1024;

const HASH_ENCODINGS: [(&str, Encoding); 3] = [
    ("hex", Encoding::Hex),
    ("base64", Encoding::Base64),
    ("base64url", Encoding::Base64Url),
];

/// All that is wrong about the claims of a token whose signature is right; `None` where that is not the trouble.
pub(super) fn explained(
    case: &Case<'_>,
    settings: &VerifySettings,
    moments: &[Timestamp],
) -> Option<Explanation> {
    let jwt = jwt(settings)?;
    let request = Request::from(case.request);
    let said = Said::in_request(jwt, &request)?;
    let lenient = lenient(&said, &jwt.claims);
    let mut relaxed = settings.clone();
    if let Kind::Jwt(jwt) = &mut relaxed.kind {
        jwt.claims = lenient.clone();
    }
    let verifier = search::verifier(relaxed, case.secrets, case.public_keys, case.key_set).ok()?;
    verifier.check(&request, case.now).ok()?;
    let mut claims = Claims {
        case,
        wanted: &jwt.claims,
        said,
        lenient,
        parts: Vec::new(),
    };
    let at = claims.time(moments);
    claims.issuer();
    claims.audience();
    claims.required();
    claims.address();
    claims.body();
    let parts = claims.parts;
    (!parts.is_empty()).then_some(Explanation { parts, at })
}

/// Settings that let every claim pass.
fn lenient(said: &Said, wanted: &ClaimSettings) -> ClaimSettings {
    let audiences = said.audiences().into_iter();
    ClaimSettings {
        issuers: Vec::new(),
        audiences: audiences
            .map(|name| Audience::Text(name.to_owned()))
            .collect(),
        require: Vec::new(),
        equal: Vec::new(),
        of_source: Vec::new(),
        url_sha256: None,
        body_sha256: None,
        hash_encoding: wanted.hash_encoding,
        check_expiry: false,
        leeway: SignedDuration::MAX,
    }
}

struct Claims<'a> {
    case: &'a Case<'a>,
    wanted: &'a ClaimSettings,
    said: Said,
    lenient: ClaimSettings,
    parts: Vec<Advice>,
}

impl Claims<'_> {
    /// Whether the token passes where only what `strict` puts back is checked.
    fn judged(&self, strict: impl FnOnce(&mut ClaimSettings)) -> Result<(), Refusal> {
        let mut claims = self.lenient.clone();
        strict(&mut claims);
        let request = Request::from(self.case.request);
        self.said.judged(&claims, &request, self.case.now)
    }

    fn say(&mut self, finding: impl Into<String>, remedy: Remedy) {
        self.parts.push(Advice {
            finding: finding.into(),
            remedy,
        });
    }

    /// A setting with a name from the token, where that can be read and written as it is.
    fn set(&mut self, finding: String, key: &str, name: Option<&str>) {
        let is_clear = |name: &str| shown(name) == format!("`{name}`");
        let remedy = if name.is_none_or(is_clear) {
            Remedy::Settings(vec![(key.to_owned(), name.map(|name| json!(name)))])
        } else {
            Remedy::Words(format!("write `{key}` as the sender's page says it"))
        };
        self.say(finding, remedy);
    }

    /// Looks at the times; gives the moment at which they would have been right, where they are not.
    fn time(&mut self, moments: &[Timestamp]) -> Option<Timestamp> {
        let mut strict = self.lenient.clone();
        strict.check_expiry = self.wanted.check_expiry;
        strict.leeway = self.wanted.leeway;
        let request = Request::from(self.case.request);
        let at = |moment| self.said.judged(&strict, &request, moment);
        match at(self.case.now) {
            Err(Refusal::MissingClaim) => {
                self.say(
                    "the token does not say when it expires (`exp`): whoever has seen one can use it for ever",
                    Remedy::Settings(vec![("check_exp".to_owned(), Some(json!(false)))]),
                );
                None
            }
            Err(_) => {
                let moment = moments.iter().copied().find(|moment| at(*moment).is_ok());
                if moment.is_none() {
                    self.say(
                        "the times in the token (`nbf`, `iat`, `exp`) leave no moment at which it is valid",
                        Remedy::Words("ask the sender, or look at its clock".to_owned()),
                    );
                }
                moment
            }
            Ok(()) => None,
        }
    }

    fn issuer(&mut self) {
        let issuers = self.wanted.issuers.clone();
        if self
            .judged(|claims| claims.issuers.clone_from(&issuers))
            .is_ok()
        {
            return;
        }
        let wanted: Vec<String> = issuers.iter().map(|issuer| shown(issuer)).collect();
        let wanted = wanted.join(" or ");
        let found = self.said.issuer().map(str::to_owned);
        let finding = match &found {
            Some(issuer) => format!(
                "the token was issued by {} (`iss`), and the settings take {wanted}: change them only if that is the sender",
                shown(issuer)
            ),
            None => format!(
                "the token does not say who issued it (`iss`), and the settings take {wanted}"
            ),
        };
        self.set(finding, "claims.iss", found.as_deref());
    }

    fn audience(&mut self) {
        let audiences = self.wanted.audiences.clone();
        if self
            .judged(|claims| claims.audiences.clone_from(&audiences))
            .is_ok()
        {
            return;
        }
        let found: Option<String> = self.said.audiences().first().map(|name| (*name).to_owned());
        if audiences.contains(&Audience::Url) {
            let changes = address::changes(self.case);
            let right = changes.into_iter().find(|change| change.url == found);
            if let Some(change) = right {
                self.parts.push(change.advice);
                return;
            }
        }
        let wanted: Vec<String> = audiences
            .iter()
            .map(|audience| match audience {
                Audience::Text(text) => shown(text),
                Audience::Url => "the address that the sender was given".to_owned(),
            })
            .collect();
        let wanted = if wanted.is_empty() {
            "do not say who we are".to_owned()
        } else {
            format!("take {}", wanted.join(" or "))
        };
        let finding = match &found {
            Some(name) => format!(
                "the token is for {} (`aud`), and the settings {wanted}: change them only if that is what the sender calls you",
                shown(name)
            ),
            None => {
                format!("the token does not say whom it is for (`aud`), and the settings {wanted}")
            }
        };
        self.set(finding, "claims.aud", found.as_deref());
    }

    fn required(&mut self) {
        let (lacking, there): (Vec<_>, Vec<_>) = self
            .wanted
            .require
            .iter()
            .cloned()
            .partition(|name| !self.said.claims.contains_key(name));
        if !lacking.is_empty() {
            let names: Vec<String> = lacking.iter().map(|name| shown(name)).collect();
            self.say(
                format!(
                    "the token lacks {}, which `claims.require` asks for",
                    names.join(" and ")
                ),
                Remedy::Settings(vec![(
                    "claims.require".to_owned(),
                    (!there.is_empty()).then(|| json!(there)),
                )]),
            );
        }
        for pair in &self.wanted.equal {
            let verdict = self.judged(|claims| claims.equal = vec![pair.clone()]);
            let place = shown(&pair.0.to_string());
            let finding = match verdict {
                Ok(()) => continue,
                Err(Refusal::MissingClaim) => {
                    format!("the token has no claim {place}, which the settings ask for")
                }
                Err(_) => format!("the claim {place} has another value than the settings ask for"),
            };
            self.say(
                finding,
                Remedy::Words(
                    "compare `claims` with what the sender says of your account; perhaps the event is another customer's of the sender"
                        .to_owned(),
                ),
            );
        }
    }

    fn address(&mut self) {
        let Some(name) = &self.wanted.url_sha256 else {
            return;
        };
        let strict = |claims: &mut ClaimSettings| claims.url_sha256 = Some(name.clone());
        if self.judged(strict).is_ok() || self.hash_encoding(name, strict) {
            return;
        }
        if self.lacks(name, "url_sha256_claim") {
            return;
        }
        let mut claims = self.lenient.clone();
        strict(&mut claims);
        let right = address::changes(self.case).into_iter().find(|change| {
            let mut request = self.case.request.clone();
            request.public_url = change.url.clone().unwrap_or_default();
            let request = Request::from(&request);
            self.said.judged(&claims, &request, self.case.now).is_ok()
        });
        match right {
            Some(change) => self.parts.push(change.advice),
            None => self.say(
                format!("the token holds the hash of another address ({})", shown(name)),
                Remedy::Words(
                    "compare the address that the sender was given with `public_url`, letter by letter"
                        .to_owned(),
                ),
            ),
        }
    }

    fn body(&mut self) {
        let Some(name) = &self.wanted.body_sha256 else {
            return;
        };
        let strict = |claims: &mut ClaimSettings| claims.body_sha256 = Some(name.clone());
        if self.judged(strict).is_ok() || self.hash_encoding(name, strict) {
            return;
        }
        if self.lacks(name, "body_sha256_claim") {
            return;
        }
        let mut claims = self.lenient.clone();
        strict(&mut claims);
        let right = body::changes(self.case, MOST_OF_BODIES)
            .into_iter()
            .find(|change| {
                let mut request = self.case.request.clone();
                if let Some(body) = &change.body {
                    request.body = body.clone();
                }
                let request = Request::from(&request);
                self.said.judged(&claims, &request, self.case.now).is_ok()
            });
        match right {
            Some(change) => self.parts.push(change.advice),
            None => self.say(
                format!("the token holds the hash of another body ({})", shown(name)),
                Remedy::Words(
                    "keep the request where it enters your network, as bytes, and look for what writes the body anew on the way"
                        .to_owned(),
                ),
            ),
        }
    }

    /// Says that a hash is not there, if so.
    fn lacks(&mut self, name: &str, key: &str) -> bool {
        let lacks = !self.said.claims.contains_key(name);
        if lacks {
            self.say(
                format!(
                    "the token has no claim {}, which `claims.{key}` names",
                    shown(name)
                ),
                Remedy::Words(
                    "name the claim that holds the hash, as the sender's page says it".to_owned(),
                ),
            );
        }
        lacks
    }

    /// Says that a hash is written in another way, if so.
    fn hash_encoding(&mut self, name: &str, strict: impl Fn(&mut ClaimSettings)) -> bool {
        let word = HASH_ENCODINGS.into_iter().find(|(_, encoding)| {
            let judged = self.judged(|claims| {
                strict(claims);
                claims.hash_encoding = *encoding;
            });
            judged.is_ok()
        });
        let Some((word, _)) = word else {
            return false;
        };
        self.say(
            format!("the hash in {} is written as `{word}`", shown(name)),
            Remedy::Settings(vec![("claims.hash_encoding".to_owned(), Some(json!(word)))]),
        );
        true
    }
}
