//! JSON web tokens: what a token says of itself, against what the settings ask of it.
//!
//! Where the signature is right and only claims are against it, all that is wrong is found at once: claim by claim, by
//! the check that decides about requests, with everything else let pass. Who issued a token, whom it is for, its
//! algorithm and the name of its key are no secrets, and are shown in bounds; the values of other claims are not.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    Advice, Aspect, Case, Change, Explanation, Remedy, Seen, State, Verdict, address, body,
    credentials, search,
};
use crate::{
    diag::visible,
    verify::{
        Refusal, VerifySettings,
        code::Encoding,
        jwt::{
            Algorithms, Audience, ClaimSettings, JwtSettings, PublicAlgorithm, Said,
            SharedAlgorithm,
        },
        request::Request,
        settings::Kind,
    },
};

/// A name from a token is shown up to so many characters.
const MOST_SHOWN: usize = 120;
/// Keys are named up to this many.
const MOST_KEYS: usize = 6;
/// A request has few tokens.
const MOST_PLACES: usize = 6;

const HASH_ENCODINGS: [(&str, Encoding); 3] = [
    ("hex", Encoding::Hex),
    ("base64", Encoding::Base64),
    ("base64url", Encoding::Base64Url),
];

/// A name from a token, on one line and not too long. The query of an address may hold a secret.
fn shown(text: &str) -> String {
    let bare = text.find('?').and_then(|start| text.get(..=start));
    let cut: String = bare.unwrap_or(text).chars().take(MOST_SHOWN).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("`{}{more}`", visible(&cut))
}

fn jwt(settings: &VerifySettings) -> Option<&JwtSettings> {
    match &settings.kind {
        Kind::Jwt(settings) => Some(settings),
        _ => None,
    }
}

/// What the token says of itself, for the inventory.
pub(super) fn seen(case: &Case<'_>, verdict: &Verdict) -> Vec<Seen> {
    let Ok(settings) = case.settings.read() else {
        return Vec::new();
    };
    let said = jwt(&settings).and_then(|jwt| Said::in_request(jwt, &Request::from(case.request)));
    let Some(said) = said else {
        return Vec::new();
    };
    let one = |what, found: String, refusal| Seen {
        what,
        found,
        state: if *verdict == Verdict::Refused(refusal) {
            State::Bad
        } else {
            State::Open
        },
    };
    let mut seen = vec![one(
        "algorithm",
        shown(&said.algorithm),
        Refusal::AlgorithmNotAllowed,
    )];
    let key = said.key_id.as_deref();
    seen.extend(key.map(|id| one("key", shown(id), Refusal::UnknownKey)));
    let issuer = said.issuer();
    seen.extend(issuer.map(|issuer| one("issuer", shown(issuer), Refusal::WrongIssuer)));
    if let [first, rest @ ..] = said.audiences().as_slice() {
        let more = match rest.len() {
            0 => String::new(),
            count => format!(" and {count} more"),
        };
        let found = format!("{}{more}", shown(first));
        seen.push(one("audience", found, Refusal::WrongAudience));
    }
    seen
}

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
        let right = body::changes(self.case).into_iter().find(|change| {
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

/// Another algorithm, and other places where a token stands.
pub(super) fn changes(case: &Case<'_>) -> Vec<Change> {
    if case.settings.text("type") != Some("jwt") {
        return Vec::new();
    }
    let mut changes = places(case);
    let settings = case.settings.read();
    let said = settings.as_ref().ok().and_then(jwt).and_then(|jwt| {
        let said = Said::in_request(jwt, &Request::from(case.request))?;
        let words = words_of_family(&jwt.algorithms);
        words.into_iter().find(|word| *word == said.algorithm)
    });
    changes.extend(said.map(|word| {
        Change::of_settings(
            Aspect::Algorithm,
            format!("the token is signed with `{word}`"),
            vec![("algorithms".to_owned(), Some(json!([word])))],
        )
    }));
    changes
}

/// The algorithms that may stand in the place of those of the settings.
fn words_of_family(algorithms: &Algorithms) -> Vec<&'static str> {
    match algorithms {
        Algorithms::Shared { .. } => SharedAlgorithm::ALL.map(SharedAlgorithm::as_str).into(),
        Algorithms::Public { .. } => PublicAlgorithm::ALL.map(PublicAlgorithm::as_str).into(),
    }
}

/// Every place at which something stands that looks like a token.
fn places(case: &Case<'_>) -> Vec<Change> {
    let mut found: Vec<(String, String)> = credentials::texts(case)
        .into_iter()
        .filter_map(|placed| {
            let text = placed.text.trim();
            let token = text.rsplit(' ').next().unwrap_or_default();
            let prefix = text.strip_suffix(token).unwrap_or_default();
            is_token(token).then(|| (placed.place, prefix.to_owned()))
        })
        .collect();
    if std::str::from_utf8(&case.request.body).is_ok_and(|body| is_token(body.trim())) {
        found.push(("body".to_owned(), String::new()));
    }
    found.truncate(MOST_PLACES);
    let source = case.settings.text("token_source").unwrap_or_default();
    let current = case.settings.text("token_prefix").unwrap_or_default();
    let mut changes = Vec::new();
    for (place, prefix) in found {
        let is_word =
            prefix.len() <= 24 && prefix.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let mut wanted = Vec::new();
        if !source.eq_ignore_ascii_case(&place) {
            wanted.push(("token_source".to_owned(), Some(json!(place))));
        }
        if current != prefix {
            let prefix = (!prefix.is_empty()).then(|| json!(prefix));
            wanted.push(("token_prefix".to_owned(), prefix));
        }
        if is_word && !wanted.is_empty() {
            let behind = match prefix.trim() {
                "" => String::new(),
                word => format!(", behind {}", shown(word)),
            };
            let finding = format!("the token stands in {}{behind}", shown(&place));
            changes.push(Change::of_settings(Aspect::Shape, finding, wanted));
        }
    }
    changes
}

/// Whether a text looks like a token: three parts, the first of which begins as JSON does in base64.
fn is_token(text: &str) -> bool {
    let is_part = |part: &str| {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        !part.is_empty() && part.bytes().all(is_letter)
    };
    text.starts_with("eyJ") && text.split('.').count() == 3 && text.split('.').all(is_part)
}

/// What the token's head alone shows, where no try explains a refusal.
pub(super) fn compared(
    case: &Case<'_>,
    settings: &VerifySettings,
    refusal: Refusal,
) -> Option<Advice> {
    let jwt = jwt(settings)?;
    let request = Request::from(case.request);
    let (finding, remedy) = match refusal {
        Refusal::AlgorithmNotAllowed => algorithm(jwt, &Said::in_request(jwt, &request)?),
        Refusal::UnknownKey => key(case, &Said::in_request(jwt, &request)?),
        Refusal::MalformedToken => (
            "what stands at the place of the token is no JSON web token".to_owned(),
            "have the sender send one, or change `token_source` and `token_prefix` to where it stands; the tool that kept this request may have cut or masked it".to_owned(),
        ),
        _ => return None,
    };
    Some(Advice {
        finding,
        remedy: Remedy::Words(remedy),
    })
}

fn algorithm(jwt: &JwtSettings, said: &Said) -> (String, String) {
    let is_shared = matches!(jwt.algorithms, Algorithms::Shared { .. });
    let finding = format!(
        "the token says that it is signed with {} (`alg`), and `algorithms` takes {}",
        shown(&said.algorithm),
        allowed(&jwt.algorithms)
    );
    let is_one = |words: &[&str]| words.contains(&&*said.algorithm);
    let remedy = if is_one(&SharedAlgorithm::ALL.map(SharedAlgorithm::as_str)) && !is_shared {
        "if the sender's page says so too, it shares a secret with you: write that algorithm, and `secrets` in place of `jwks`"
    } else if is_one(&PublicAlgorithm::ALL.map(PublicAlgorithm::as_str)) && is_shared {
        "if the sender's page says so too, it publishes keys: write that algorithm, and `jwks` with their address in place of `secrets`"
    } else if said.algorithm.eq_ignore_ascii_case("none") {
        "it is not signed at all, and anybody can write it: have the sender sign, with one of the algorithms of the settings"
    } else if is_one(&words_of_family(&jwt.algorithms)) {
        "write that algorithm if the sender's page says so; this token fits no secret or key that is known here, so look at these, too"
    } else {
        "that algorithm is not taken: have the sender use HS256, HS384, HS512, RS256 or ES256"
    };
    (finding, remedy.to_owned())
}

fn allowed(algorithms: &Algorithms) -> String {
    let words: Vec<&str> = match algorithms {
        Algorithms::Shared { allowed, .. } => allowed.iter().map(|word| word.as_str()).collect(),
        Algorithms::Public { allowed, .. } => allowed.iter().map(|word| word.as_str()).collect(),
    };
    words.join(", ")
}

fn key(case: &Case<'_>, said: &Said) -> (String, String) {
    let set = case.key_set.and_then(super::KeySetHandle::current);
    let names: Vec<String> = set
        .iter()
        .flat_map(|set| set.names())
        .take(MOST_KEYS)
        .map(shown)
        .collect();
    let known = if names.is_empty() {
        "none of the published keys has a name".to_owned()
    } else {
        format!("the published keys are {}", names.join(", "))
    };
    let id = said.key_id.as_deref().unwrap_or_default();
    (
        format!("the token names the key {} (`kid`), and {known}", shown(id)),
        "see that `jwks` leads to the keys of this sender and not of a test system; keys in a file must be put there anew when the sender changes them".to_owned(),
    )
}
