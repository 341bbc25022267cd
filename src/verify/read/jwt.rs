//! Reads the settings of JSON web tokens, and refuses those that contradict each other.

use jiff::SignedDuration;
use url::{Host, Url};

use super::{
    CODES,
    value::{
        BAD_VALUE, CONTRADICTION, Read, Reported, choice, duration, json_path, not_empty,
        optional_text, report, secret_encoding, text_or, unknown_word,
    },
};
use crate::{
    diag::{Collector, Diagnostic},
    verify::{
        KeySetPlace, VerifySettings,
        code::Encoding,
        json_path::JsonPath,
        jwt::{
            Algorithms, Audience, ClaimSettings, EventPlace, JwtSettings, PublicAlgorithm,
            SharedAlgorithm, TokenAt,
        },
        settings::{Kind, TokenPlace},
    },
    yaml::{Entry, KeyReader, Node},
};

/// Stands for the address that the sender was given, as it does in the text of signatures.
const URL: &str = "{url}";

impl VerifySettings {
    /// Reads where the sender's public keys stand, in place of what the settings say.
    pub fn read_key_set(&mut self, node: &Node, out: &mut Collector) {
        if let Ok(place) = key_set_place(node, out) {
            self.set_key_set(place);
        }
    }

    /// Reads claims that must have a value, on top of what the settings say.
    pub fn read_claims(&mut self, node: &Node, out: &mut Collector) {
        if let (Ok(claims), Kind::Jwt(settings)) = (equal(node, out), &mut self.kind) {
            settings.claims.equal.extend(claims);
        }
    }

    /// The places of claims whose value the source must say and has not said.
    pub fn claims_of_source(&self) -> Vec<String> {
        let Kind::Jwt(settings) = &self.kind else {
            return Vec::new();
        };
        let claims = &settings.claims;
        let is_said = |place: &&JsonPath| claims.equal.iter().any(|(said, _)| said == *place);
        let missing = claims.of_source.iter().filter(|place| !is_said(place));
        missing.map(ToString::to_string).collect()
    }
}

pub(super) fn read(
    keys: &mut KeyReader<'_>,
    node: &Node,
    out: &mut Collector,
) -> Read<JwtSettings> {
    let place = place(keys, out);
    let prefix = text_or(keys, "token_prefix", "", out);
    let algorithms = algorithms(keys, node, out);
    let event = choice(
        keys,
        "event",
        "what an event can be",
        &[("body", EventPlace::Body), ("claims", EventPlace::Claims)],
        Some(EventPlace::Body),
        out,
    );
    let claims = claims(keys, out);
    let (place, event, claims) = (place?, event?, claims?);
    let event = match (&place, event) {
        (TokenAt::Body, EventPlace::Body) if node.get("event").is_some() => {
            let finding = Diagnostic::error(
                CONTRADICTION,
                "where the body is the token, the event is what the token says",
            );
            let span = node.get("event").unwrap_or(node).span;
            let finding = finding.at(span, "does not fit with the rest");
            return report(out, finding.help("remove `event`"));
        }
        (TokenAt::Body, _) => EventPlace::Claims,
        (TokenAt::Place(_), event) => event,
    };
    if let Some(message) = contradiction(&place, event, &claims) {
        let span = node.get("claims").unwrap_or(node).span;
        let finding = Diagnostic::error(CONTRADICTION, message);
        return report(out, finding.at(span, "does not fit with the rest"));
    }
    Ok(JwtSettings {
        place,
        prefix: prefix?,
        algorithms: algorithms?,
        claims,
        event,
    })
}

fn contradiction(
    place: &TokenAt,
    event: EventPlace,
    claims: &ClaimSettings,
) -> Option<&'static str> {
    let (hashes_body, hashes_url) = (claims.body_sha256.is_some(), claims.url_sha256.is_some());
    match place {
        _ if hashes_body && event == EventPlace::Claims => Some(
            "where the event is what the token says, the body around it is not looked at: `body_sha256_claim` is too much",
        ),
        TokenAt::Place(TokenPlace::Form(_) | TokenPlace::Json(_)) if hashes_body => {
            Some("a token inside the body cannot hold the hash of the body")
        }
        TokenAt::Place(TokenPlace::Query(_)) if hashes_url => {
            Some("a token inside the address cannot hold the hash of the address")
        }
        _ => None,
    }
}

fn place(keys: &mut KeyReader<'_>, out: &mut Collector) -> Read<TokenAt> {
    let help =
        "write where the token stands: header:NAME, query:NAME, form:NAME, json:PATH or body";
    let (text, node) = keys
        .require_text("token_source", help, out)
        .ok_or(Reported)?;
    if text == "body" {
        return Ok(TokenAt::Body);
    }
    let place = super::token_place(text, node, ", or body", out)?;
    if let TokenPlace::Json(path) = &place
        && path.is_many()
    {
        let finding = Diagnostic::error(
            BAD_VALUE,
            "a request has one token, not one for each element",
        );
        return report(out, finding.at(node.span, "leads to many"));
    }
    Ok(TokenAt::Place(place))
}

/// The algorithms, all of one family, and what their keys are made of.
fn algorithms(keys: &mut KeyReader<'_>, node: &Node, out: &mut Collector) -> Read<Algorithms> {
    let secret_encoding = secret_encoding(keys, out);
    let key_set_entry = keys.take("jwks");
    let key_set = key_set_entry
        .map(|entry| key_set_place(&entry.value, out))
        .transpose();
    let help = "write the algorithms that the sender documents, such as `algorithms: [RS256]`";
    let entry = keys.require("algorithms", help, out).ok_or(Reported)?;
    let (mut shared, mut public) = (Vec::new(), Vec::new());
    for (text, node) in texts(entry, out)? {
        let known = SharedAlgorithm::ALL.iter();
        if let Some(algorithm) = known.clone().find(|known| known.as_str() == text) {
            shared.push(*algorithm);
        } else if let Some(algorithm) = PublicAlgorithm::ALL
            .iter()
            .find(|known| known.as_str() == text)
        {
            public.push(*algorithm);
        } else {
            let words: Vec<_> = known
                .map(|algorithm| algorithm.as_str())
                .chain(PublicAlgorithm::ALL.iter().map(|known| known.as_str()))
                .collect();
            return report(
                out,
                unknown_word(node, "an algorithm of tokens that is taken", text, &words),
            );
        }
    }
    match (shared.is_empty(), public.is_empty()) {
        (false, true) if key_set_entry.is_none() => Ok(Algorithms::Shared {
            allowed: shared,
            secret_encoding: secret_encoding?,
        }),
        (true, false) if node.get("secret_encoding").is_none() => Ok(Algorithms::Public {
            allowed: public,
            key_set: key_set?,
        }),
        (false, false) => report(
            out,
            Diagnostic::error(
                CONTRADICTION,
                "algorithms with a shared secret (HS…) and with a key pair (RS256, ES256) do not stand together",
            )
            .at(entry.value.span, "two families")
            .help("a public key that is taken for a shared secret lets anybody sign; keep the family the sender uses"),
        ),
        (false, true) => report(
            out,
            Diagnostic::error(CONTRADICTION, "these algorithms have a shared secret, not published keys")
                .at(entry.value.span, "does not fit with `jwks`")
                .help("remove `jwks`, or write the algorithm of the key pair, such as RS256"),
        ),
        (true, false) => report(
            out,
            Diagnostic::error(CONTRADICTION, "these algorithms have published keys, not a shared secret")
                .at(entry.value.span, "does not fit with `secret_encoding`")
                .help("remove `secret_encoding`"),
        ),
        (true, true) => report(
            out,
            Diagnostic::error(BAD_VALUE, "`algorithms` is empty")
                .at(entry.value.span, "nothing here")
                .help(help),
        ),
    }
}

/// `{url: https://…}` or `{file: /path}`.
fn key_set_place(node: &Node, out: &mut Collector) -> Read<KeySetPlace> {
    let mut keys = KeyReader::new(node, "jwks", CODES, out).ok_or(Reported)?;
    let url = optional_text(&mut keys, "url", out);
    let file = optional_text(&mut keys, "file", out);
    keys.finish(out);
    match (url?, file?) {
        (Some((text, node)), None) => match text.parse().ok().filter(is_fit) {
            Some(url) => Ok(KeySetPlace::Url(url)),
            None => report(
                out,
                Diagnostic::error(BAD_VALUE, "this is not an address of published keys")
                    .at(node.span, "no such address")
                    .help("write the sender's address as `https://…`, without a user or password in it"),
            ),
        },
        (None, Some((text, _))) => Ok(KeySetPlace::File(text.into())),
        _ => report(
            out,
            Diagnostic::error(CODES.shape, "`jwks` takes `url` or `file`, one of them")
                .at(node.span, "expected one")
                .help("write `jwks: {url: https://…}`, or `jwks: {file: /path}`"),
        ),
    }
}

/// Keys that came over a line that others can write to would be anybody's keys.
fn is_fit(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return false,
    };
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_here);
    is_safe && url.username().is_empty() && url.password().is_none() && url.fragment().is_none()
}

fn claims(keys: &mut KeyReader<'_>, out: &mut Collector) -> Read<ClaimSettings> {
    let check_expiry = choice(
        keys,
        "check_exp",
        "an answer",
        &[("true", true), ("false", false)],
        Some(true),
        out,
    );
    let leeway = duration(keys, "leeway", "leeway_s", out);
    let entry = keys.take("claims");
    let mut settings = ClaimSettings {
        issuers: Vec::new(),
        audiences: Vec::new(),
        require: Vec::new(),
        equal: Vec::new(),
        of_source: Vec::new(),
        url_sha256: None,
        body_sha256: None,
        hash_encoding: Encoding::Hex,
        check_expiry: check_expiry?,
        leeway: leeway?.unwrap_or(SignedDuration::ZERO),
    };
    let Some(entry) = entry else {
        return Ok(settings);
    };
    let mut keys = KeyReader::new(&entry.value, "claims", CODES, out).ok_or(Reported)?;
    let issuers = keys.take("iss").map(|entry| texts(entry, out)).transpose();
    let audiences = keys.take("aud").map(|entry| texts(entry, out)).transpose();
    let require = keys
        .take("require")
        .map(|entry| texts(entry, out))
        .transpose();
    let equal = keys
        .take("equal")
        .map(|entry| equal(&entry.value, out))
        .transpose();
    let of_source = keys.take("of_source").map(|entry| {
        let paths = texts(entry, out)?.into_iter();
        let paths: Vec<_> = paths
            .map(|(text, node)| one_value(text, node, out))
            .collect();
        paths.into_iter().collect::<Read<Vec<_>>>()
    });
    let of_source = of_source.transpose();
    let url_sha256 = optional_text(&mut keys, "url_sha256_claim", out);
    let body_sha256 = optional_text(&mut keys, "body_sha256_claim", out);
    let hash_encoding = choice(
        &mut keys,
        "hash_encoding",
        "an encoding",
        &[
            ("hex", Encoding::Hex),
            ("base64", Encoding::Base64),
            ("base64url", Encoding::Base64Url),
        ],
        Some(Encoding::Hex),
        out,
    );
    keys.finish(out);
    settings.issuers = owned(issuers?);
    settings.audiences = owned(audiences?)
        .into_iter()
        .map(|text| {
            if text == URL {
                Audience::Url
            } else {
                Audience::Text(text)
            }
        })
        .collect();
    settings.require = owned(require?);
    settings.equal = equal?.unwrap_or_default();
    settings.of_source = of_source?.unwrap_or_default();
    settings.url_sha256 = url_sha256?.map(|(text, _)| text.to_owned());
    settings.body_sha256 = body_sha256?.map(|(text, _)| text.to_owned());
    settings.hash_encoding = hash_encoding?;
    Ok(settings)
}

/// Places of claims with the values that they must have.
fn equal(node: &Node, out: &mut Collector) -> Read<Vec<(JsonPath, String)>> {
    let Some(entries) = node.as_map() else {
        return report(
            out,
            Diagnostic::error(CODES.shape, "claims stand as `name: value` lines")
                .at(node.span, "expected names with values"),
        );
    };
    let read: Vec<_> = entries
        .iter()
        .map(|entry| {
            let place = one_value(&entry.key, node, out);
            let value = match entry.value.as_text() {
                Some(text) if !entry.value.is_null() => {
                    not_empty(&entry.key, text, &entry.value, out)
                }
                _ => report(
                    out,
                    Diagnostic::error(
                        CODES.shape,
                        "the value of a claim is a text, a number or true or false",
                    )
                    .at(entry.value.span, "expected a value"),
                ),
            };
            Ok((place?, value?.0.to_owned()))
        })
        .collect();
    read.into_iter().collect()
}

fn one_value(text: &str, node: &Node, out: &mut Collector) -> Read<JsonPath> {
    let path = json_path(text, node, out)?;
    if path.is_many() {
        let finding =
            Diagnostic::error(BAD_VALUE, format!("`{text}` leads to more than one claim"));
        return report(out, finding.at(node.span, "leads to many"));
    }
    Ok(path)
}

fn owned(texts: Option<Vec<(&str, &Node)>>) -> Vec<String> {
    let texts = texts.unwrap_or_default().into_iter();
    texts.map(|(text, _)| text.to_owned()).collect()
}

/// One text, or a list of them that is not empty.
fn texts<'a>(entry: &'a Entry, out: &mut Collector) -> Read<Vec<(&'a str, &'a Node)>> {
    let node = &entry.value;
    let nodes = node.as_list().unwrap_or(std::slice::from_ref(node));
    let texts: Option<Vec<_>> = nodes
        .iter()
        .map(|node| {
            let text = node
                .as_text()
                .filter(|text| !text.is_empty() && !node.is_null())?;
            Some((text, node))
        })
        .collect();
    match texts.filter(|texts| !texts.is_empty()) {
        Some(texts) => Ok(texts),
        None => report(
            out,
            Diagnostic::error(
                CODES.shape,
                format!("`{}` takes a text, or a list of texts", entry.key),
            )
            .at(node.span, "expected texts"),
        ),
    }
}
