//! Reads the details of handshakes, with a finding for every mistake.
//!
//! The keys, by `kind`; each kind also works as its word alone, but for those with a key that is needed:
//!
//! | key | `kind` | value |
//! | --- | --- | --- |
//! | `parameter` | `echo-query` | the query parameter that is repeated; `challenge` unless said otherwise |
//! | `method` | `echo-query` | `GET` (default) or `POST` |
//! | `verify_parameter` | `echo-query` | the parameter that holds our `verify_token`; `hub.verify_token` where only that is given |
//! | `require` | `echo-query`, `echo-json`, `hmac-token`, `confirm-url` | parameters or fields that must have a value, `{hub.mode: subscribe}` |
//! | `field` | `echo-json`, `hmac-token`, `confirm-url` | the field that is repeated, signed, or fetched |
//! | `beside` | `echo-json` | list of fields that may stand beside it |
//! | `answer` | `echo-json` | `json` (default): `{field: text}`; or `text` |
//! | `parameter` | `hmac-token` | instead of `field`: the query parameter of a `GET` |
//! | `answer_field`, `token_field` | `hmac-token` | the fields of the answer for the hash, and for the token again |
//! | `encoding`, `prefix` | `hmac-token` | how the hash is written |
//! | `header` | `header-echo` | the header with the secret; `X-Hook-Secret` unless said otherwise |
//! | `origins` | `cloudevents` | list of those that are let in; any where it is missing |
//! | `methods` | `plain-200` | list of `GET` and `HEAD`; both unless said otherwise |
//! | `tests` | `plain-200` | list of what a `POST` is known by that only tries: `{header, value}`, `{field, value}`, `empty` |
//! | `hosts` | `confirm-url` | list of hosts from which an address may be fetched |
//!
//! `verify_token` of `echo-query` is a reference to a secret and is read where those are.

use http::{HeaderName, Method};

use super::{
    CODES,
    value::{
        BAD_VALUE, CONTRADICTION, Read, Reported, choice, json_path, not_empty, optional_header,
        optional_text, report, text_or, unknown_word,
    },
};
use crate::{
    diag::{Collector, Diagnostic},
    verify::{
        code::Encoding,
        handshake::{
            CloudEvents, Confirm, EchoJson, EchoQuery, HandshakeSettings, HeaderEcho, HmacToken,
            Kind, Plain, PlainTest, TokenAt, is_origin,
        },
        json_path::JsonPath,
    },
    yaml::{self, KeyReader, Node},
};

/// More entries than any list of a handshake needs.
const MAX_ENTRIES: usize = 16;

impl HandshakeSettings {
    /// Reads the word of a kind, or a map with `kind`, as presets have them. `None` where it has mistakes; they are in
    /// `out`.
    pub fn read(node: &Node, out: &mut Collector) -> Option<Self> {
        let whole = Self::as_map(node);
        let mut keys = KeyReader::new(&whole, "a handshake", CODES, out)?;
        let (word, place) = if let Some(word) = node.as_text() {
            (word, node)
        } else if let Some(kind) = keys.require_text("kind", &Self::help(), out) {
            kind
        } else {
            keys.give_up(out);
            return None;
        };
        let settings = Self::of_kind(word, place, &mut keys, false, out);
        keys.finish(out);
        settings
    }

    /// A node whose keys can be read: the map itself, or, for a word alone, a map without keys at its place.
    pub fn as_map(node: &Node) -> Node {
        if node.as_text().is_none() {
            return node.clone();
        }
        Node {
            span: node.span,
            kind: yaml::Kind::Map(Vec::new()),
        }
    }

    /// Takes the keys of a kind, which is the `word` at `place`. `has_token` says whether `verify_token` is there, which
    /// the caller reads.
    pub fn of_kind(
        word: &str,
        place: &Node,
        keys: &mut KeyReader<'_>,
        has_token: bool,
        out: &mut Collector,
    ) -> Option<Self> {
        let kind = match word {
            "echo-query" => echo_query(keys, has_token, out).map(Kind::EchoQuery),
            "echo-json" => echo_json(keys, out).map(Kind::EchoJson),
            "hmac-token" => hmac_token(keys, out).map(Kind::HmacToken),
            "header-echo" => header_echo(keys, out).map(Kind::HeaderEcho),
            "cloudevents" => cloud_events(keys, out).map(Kind::CloudEvents),
            "plain-200" => plain(keys, out).map(Kind::Plain),
            "confirm-url" => confirm(keys, out).map(Kind::Confirm),
            "none" => report(
                out,
                Diagnostic::error(BAD_VALUE, "`none` has no details")
                    .at(place.span, "details of nothing")
                    .help("write `handshake: none`"),
            ),
            _ => report(
                out,
                unknown_word(place, "a kind of handshake", word, &Self::KINDS),
            ),
        };
        kind.ok().map(|kind| Self { kind })
    }

    /// What to write for `kind`.
    pub fn help() -> String {
        format!("write `kind:` with one of {}", Self::KINDS.join(", "))
    }
}

fn echo_query(keys: &mut KeyReader<'_>, has_token: bool, out: &mut Collector) -> Read<EchoQuery> {
    let parameter = text_or(keys, "parameter", "challenge", out);
    let methods = [("GET", Method::GET), ("POST", Method::POST)];
    let method = word_of(
        keys,
        "method",
        "a method of this handshake",
        methods,
        Method::GET,
        out,
    );
    let verify_parameter = optional_text(keys, "verify_parameter", out)
        .map(|given| given.map(|(text, _)| text.to_owned()));
    let require = pairs(keys, "require", out);
    let default = has_token.then(|| "hub.verify_token".to_owned());
    Ok(EchoQuery {
        method: method?,
        parameter: parameter?,
        verify_parameter: verify_parameter?.or(default),
        require: require?,
    })
}

fn echo_json(keys: &mut KeyReader<'_>, out: &mut Collector) -> Read<EchoJson> {
    let field = text_or(keys, "field", "challenge", out);
    let require = pairs(keys, "require", out);
    let beside = texts(keys, "beside", out);
    let answers = [("json", false), ("text", true)];
    let as_text = word_of(keys, "answer", "a form of answer", answers, false, out);
    Ok(EchoJson {
        field: field?,
        require: require?,
        beside: beside?.unwrap_or_default(),
        as_text: as_text?,
    })
}

fn hmac_token(keys: &mut KeyReader<'_>, out: &mut Collector) -> Read<HmacToken> {
    let parameter = optional_text(keys, "parameter", out);
    let field = optional_text(keys, "field", out);
    let require_entry = keys.take("require");
    let require = require_entry.map_or(Ok(None), |entry| field_pairs(&entry.value, out).map(Some));
    let (parameter, field) = (parameter?, field?);
    let is_parameter = parameter.is_some();
    let token = match (parameter, field) {
        (Some(_), Some((_, node))) => report(
            out,
            Diagnostic::error(CONTRADICTION, "the token is in one place")
                .at(node.span, "`parameter` says another place"),
        ),
        (Some((name, _)), None) => match require_entry {
            Some(entry) => report(
                out,
                Diagnostic::error(CONTRADICTION, "`require` is about fields of a body")
                    .at(entry.key_span, "a `GET` has none"),
            ),
            None => Ok(TokenAt::Parameter(name.to_owned())),
        },
        (None, Some((path, node))) => {
            let field = json_path(path, node, out);
            Ok(TokenAt::Field {
                field: field?,
                require: require?.unwrap_or_else(url_validation),
            })
        }
        (None, None) => Ok(TokenAt::Field {
            field: known_path("payload.plainToken"),
            require: require?.unwrap_or_else(url_validation),
        }),
    };
    let (answer_field, token_field) = if is_parameter {
        ("response_token", None)
    } else {
        ("encryptedToken", Some("plainToken"))
    };
    let answer_field = text_or(keys, "answer_field", answer_field, out);
    let given_token_field = optional_text(keys, "token_field", out);
    let encodings = [
        ("hex", Encoding::Hex),
        ("base64", Encoding::Base64),
        ("base64url", Encoding::Base64Url),
    ];
    let usual = if is_parameter {
        Encoding::Base64
    } else {
        Encoding::Hex
    };
    let encoding = choice(
        keys,
        "encoding",
        "an encoding",
        &encodings,
        Some(usual),
        out,
    );
    let prefix = optional_text(keys, "prefix", out);
    let usual = if is_parameter { "sha256=" } else { "" };
    let given_token_field = given_token_field?.map(|(text, _)| text);
    Ok(HmacToken {
        token: token?,
        answer_field: answer_field?,
        token_field: given_token_field.or(token_field).map(str::to_owned),
        encoding: encoding?,
        prefix: prefix?.map_or(usual, |(text, _)| text).to_owned(),
    })
}

fn url_validation() -> Vec<(JsonPath, String)> {
    vec![(known_path("event"), "endpoint.url_validation".to_owned())]
}

fn known_path(text: &str) -> JsonPath {
    text.parse().expect("a test reads every default")
}

fn header_echo(keys: &mut KeyReader<'_>, out: &mut Collector) -> Read<HeaderEcho> {
    let header = optional_header(keys, "header", out)?;
    Ok(HeaderEcho {
        header: header.unwrap_or(HeaderName::from_static("x-hook-secret")),
        signature_headers: Vec::new(),
    })
}

fn cloud_events(keys: &mut KeyReader<'_>, out: &mut Collector) -> Read<CloudEvents> {
    let origins = hosts(keys, "origins", out)?;
    Ok(CloudEvents {
        origins: origins.unwrap_or_default(),
    })
}

fn plain(keys: &mut KeyReader<'_>, out: &mut Collector) -> Read<Plain> {
    let both = || vec![Method::GET, Method::HEAD];
    let methods = match keys.take("methods") {
        None => Ok(both()),
        Some(entry) => entries(&entry.value, "methods", out).and_then(|nodes| {
            let mut methods: Vec<Method> = Vec::new();
            for node in nodes {
                let method = both()
                    .into_iter()
                    .find(|method| node.as_text() == Some(method.as_str()));
                match method {
                    Some(method) if !methods.contains(&method) => methods.push(method),
                    Some(_) => {}
                    None => {
                        return report(
                            out,
                            Diagnostic::error(BAD_VALUE, "this is not a method of this handshake")
                                .at(node.span, "not such a method")
                                .help("write `methods: [GET, HEAD]`, one of them, or `[]`"),
                        );
                    }
                }
            }
            methods.sort_by(|one, other| one.as_str().cmp(other.as_str()));
            Ok(methods)
        }),
    };
    let tests = match keys.take("tests") {
        None => Ok(Vec::new()),
        Some(entry) => entries(&entry.value, "tests", out).and_then(|nodes| {
            let tests: Vec<_> = nodes.iter().map(|node| plain_test(node, out)).collect();
            tests.into_iter().collect()
        }),
    };
    let (methods, tests) = (methods?, tests?);
    if methods.is_empty() && tests.is_empty() {
        return report(
            out,
            Diagnostic::error(CONTRADICTION, "this handshake answers nothing")
                .help("give it `methods` or `tests`, or write `handshake: none`"),
        );
    }
    Ok(Plain { methods, tests })
}

fn plain_test(node: &Node, out: &mut Collector) -> Read<PlainTest> {
    const HELP: &str =
        "write `{header: X-Event, value: ping}`, `{field: topic, value: ping}` or `empty`";
    if let Some(word) = node.as_text() {
        return if word == "empty" {
            Ok(PlainTest::Empty)
        } else {
            report(
                out,
                Diagnostic::error(BAD_VALUE, "this is not a test of an address")
                    .at(node.span, "unknown")
                    .help(HELP),
            )
        };
    }
    let mut keys = KeyReader::new(node, "a test", CODES, out).ok_or(Reported)?;
    let header = optional_header(&mut keys, "header", out);
    let field = optional_text(&mut keys, "field", out);
    let value = keys.require_text("value", HELP, out).ok_or(Reported);
    let value = value.and_then(|(text, node)| not_empty("value", text, node, out));
    keys.finish(out);
    let value = value?.0.to_owned();
    match (header?, field?) {
        (Some(name), None) => Ok(PlainTest::Header(name, value)),
        (None, Some((path, node))) => Ok(PlainTest::Field(json_path(path, node, out)?, value)),
        (Some(_), Some(_)) | (None, None) => report(
            out,
            Diagnostic::error(CONTRADICTION, "a test is known by a header or by a field")
                .at(node.span, "neither, or both")
                .help(HELP),
        ),
    }
}

fn confirm(keys: &mut KeyReader<'_>, out: &mut Collector) -> Read<Confirm> {
    const HELP: &str = "name every host from which an address may be fetched, such as `hosts: [sns.us-east-1.amazonaws.com]`";
    let field = match optional_text(keys, "field", out) {
        Ok(Some((path, node))) => json_path(path, node, out),
        Ok(None) => Ok(known_path("SubscribeURL")),
        Err(reported) => Err(reported),
    };
    let require = match keys.take("require") {
        Some(entry) => field_pairs(&entry.value, out),
        None => Ok(vec![(
            known_path("Type"),
            "SubscriptionConfirmation".to_owned(),
        )]),
    };
    let hosts = match keys.require("hosts", HELP, out) {
        None => Err(Reported),
        Some(entry) => match host_list(&entry.value, "hosts", out) {
            Ok(hosts) if hosts.is_empty() => report(
                out,
                Diagnostic::error(BAD_VALUE, "`hosts` is empty, so nothing could be confirmed")
                    .at(entry.value.span, "nothing here")
                    .help(HELP),
            ),
            read => read,
        },
    };
    Ok(Confirm {
        field: field?,
        require: require?,
        hosts: hosts?,
    })
}

/// [`choice`] among values that are not `Copy`.
fn word_of<T, const N: usize>(
    keys: &mut KeyReader<'_>,
    key: &'static str,
    what: &str,
    choices: [(&'static str, T); N],
    default: T,
    out: &mut Collector,
) -> Read<T> {
    let Some((text, node)) = optional_text(keys, key, out)? else {
        return Ok(default);
    };
    let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
    match choices.into_iter().find(|(word, _)| *word == text) {
        Some((_, value)) => Ok(value),
        None => report(out, unknown_word(node, what, text, &words)),
    }
}

fn entries<'a>(node: &'a Node, key: &str, out: &mut Collector) -> Read<&'a [Node]> {
    match node.as_list() {
        Some(nodes) if nodes.len() <= MAX_ENTRIES => Ok(nodes),
        _ => report(
            out,
            Diagnostic::error(
                CODES.shape,
                format!("`{key}` takes a list of at most {MAX_ENTRIES} entries"),
            )
            .at(node.span, "expected such a list"),
        ),
    }
}

fn text_list(node: &Node, key: &str, out: &mut Collector) -> Read<Vec<String>> {
    let nodes = entries(node, key, out)?;
    let text = |node: &Node| match node.as_text().filter(|text| !text.is_empty()) {
        Some(text) => Ok(text.to_owned()),
        None => report(
            out,
            Diagnostic::error(CODES.shape, format!("`{key}` takes a list of texts"))
                .at(node.span, "expected a text"),
        ),
    };
    nodes.iter().map(text).collect()
}

fn texts(
    keys: &mut KeyReader<'_>,
    key: &'static str,
    out: &mut Collector,
) -> Read<Option<Vec<String>>> {
    let entry = keys.take(key);
    entry.map_or(Ok(None), |entry| {
        text_list(&entry.value, key, out).map(Some)
    })
}

fn hosts(
    keys: &mut KeyReader<'_>,
    key: &'static str,
    out: &mut Collector,
) -> Read<Option<Vec<String>>> {
    let entry = keys.take(key);
    entry.map_or(Ok(None), |entry| {
        host_list(&entry.value, key, out).map(Some)
    })
}

/// Names of hosts, in lower case.
fn host_list(node: &Node, key: &str, out: &mut Collector) -> Read<Vec<String>> {
    let names = text_list(node, key, out)?;
    if let Some(name) = names.iter().find(|name| !is_origin(name)) {
        return report(
            out,
            Diagnostic::error(BAD_VALUE, format!("`{name}` is not the name of a host"))
                .at(node.span, "not a name")
                .help("write the name alone, without `https://`, path or `*`"),
        );
    }
    Ok(names.iter().map(|name| name.to_ascii_lowercase()).collect())
}

/// Names with the texts that they must have.
fn pairs(
    keys: &mut KeyReader<'_>,
    key: &'static str,
    out: &mut Collector,
) -> Read<Vec<(String, String)>> {
    let entry = keys.take(key);
    entry.map_or(Ok(Vec::new()), |entry| pair_list(&entry.value, out))
}

fn field_pairs(node: &Node, out: &mut Collector) -> Read<Vec<(JsonPath, String)>> {
    let pairs = pair_list(node, out)?;
    let path = |(path, value): (String, String)| Ok((json_path(&path, node, out)?, value));
    pairs.into_iter().map(path).collect()
}

fn pair_list(node: &Node, out: &mut Collector) -> Read<Vec<(String, String)>> {
    let entries = node
        .as_map()
        .filter(|entries| (1..=MAX_ENTRIES).contains(&entries.len()));
    let pair = |entry: &yaml::Entry| Some((entry.key.clone(), entry.value.as_text()?.to_owned()));
    let read = entries.and_then(|entries| entries.iter().map(pair).collect::<Option<Vec<_>>>());
    read.ok_or(()).or_else(|()| {
        report(
            out,
            Diagnostic::error(CODES.shape, "`require` takes a map of names and texts")
                .at(node.span, "expected such a map")
                .help("write something like `require: {type: url_verification}`"),
        )
    })
}
