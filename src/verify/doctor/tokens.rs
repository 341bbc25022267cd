//! JSON web tokens: where one stands, and what its head says of algorithm and key.
//!
//! Who issued a token, whom it is for, its algorithm and the name of its key are no secrets, and are shown in bounds.

use serde_json::json;

use super::{
    Advice, Aspect, Case, Change, KeySetHandle, Remedy, Seen, State, Verdict, credentials,
};
use crate::{
    diag::visible,
    verify::{
        Refusal, VerifySettings,
        jwt::{Algorithms, JwtSettings, PublicAlgorithm, Said, SharedAlgorithm},
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

/// A name from a token, on one line and not too long. The query of an address may hold a secret.
pub(super) fn shown(text: &str) -> String {
    let bare = text.find('?').and_then(|start| text.get(..=start));
    let cut: String = bare.unwrap_or(text).chars().take(MOST_SHOWN).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("`{}{more}`", visible(&cut))
}

pub(super) fn jwt(settings: &VerifySettings) -> Option<&JwtSettings> {
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
    let set = case.key_set.and_then(KeySetHandle::current);
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
