//! Whatever is changed about a request: it is answered with something of its own only if it is exactly a handshake.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

/// A text that stands nowhere else, so that it is seen where it comes back.
const MARK: &str = "m4rkm4rkm4rkm4rkm4rk";

/// Every kind, with what its handshake looks like here.
const SOURCES: [(&str, Option<&str>); 9] = [
    (
        "{kind: echo-query, parameter: hub.challenge, verify_parameter: hub.verify_token}",
        None,
    ),
    (
        "{kind: echo-query, parameter: validationToken, method: POST}",
        None,
    ),
    ("{kind: echo-json, beside: [token, type]}", None),
    ("hmac-token", Some(SIGNED)),
    ("{kind: hmac-token, parameter: crc_token}", Some(SIGNED)),
    ("header-echo", Some(SIGNED)),
    ("cloudevents", Some(KEYED)),
    (
        "{kind: plain-200, tests: [empty, {field: topic, value: ping}]}",
        None,
    ),
    ("{kind: confirm-url, hosts: [a.example]}", None),
];

#[derive(Clone, Debug)]
struct Asked {
    method: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: String,
}

impl Asked {
    fn url(&self) -> String {
        let pairs: Vec<_> = self
            .query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!("/x?{}", pairs.join("&"))
    }

    fn query(&self, name: &str) -> Vec<&str> {
        values(&self.query, name)
    }

    fn header(&self, name: &str) -> Vec<&str> {
        values(&self.headers, name)
    }
}

fn values<'a>(pairs: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    let of_name = pairs.iter().filter(|(known, _)| known == name);
    of_name.map(|(_, value)| value.as_str()).collect()
}

/// Requests near to handshakes: their own names and values, mixed with those of others and with marks.
fn asked() -> impl Strategy<Value = Asked> {
    let value = || select(vec![MARK, "s3cret", "subscribe", "wrong", "", "a.example"]);
    let parameter = select(vec![
        "hub.challenge",
        "hub.verify_token",
        "hub.mode",
        "validationToken",
        "challenge",
        "crc_token",
        "key",
        "other",
    ]);
    let header = select(vec![
        "X-Hook-Secret",
        "X-Hook-Signature",
        "WebHook-Request-Origin",
        "X-Other",
        "Content-Type",
    ]);
    let field = select(vec![
        "challenge",
        "token",
        "type",
        "topic",
        "event",
        "SubscribeURL",
        "Type",
    ]);
    let object = vec((field, value()), 0..4).prop_map(|fields| {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{}:{}", json!(name), json!(value)))
            .collect();
        format!("{{{}}}", fields.join(","))
    });
    let body = prop_oneof![
        3 => Just(String::new()),
        4 => object,
        1 => Just(MARK.to_owned()),
        1 => Just(format!("[{{\"challenge\":\"{MARK}\"}}]")),
        1 => "[ -~]{0,40}",
    ];
    let method = select(vec!["GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE"]);
    let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    (
        method,
        vec((parameter, value()), 0..4),
        vec((header, value()), 0..3),
        body,
    )
        .prop_map(move |(method, query, headers, body)| Asked {
            method: method.to_owned(),
            query: query.into_iter().map(pair).collect(),
            headers: headers.into_iter().map(pair).collect(),
            body,
        })
}

/// What may come back of a request, said without the code that is tested; `None` where nothing may.
fn may_come_back(source: usize, asked: &Asked) -> Option<String> {
    let is = |method: &str| asked.method == method;
    let once = |values: Vec<&str>| match values.as_slice() {
        [value] => Some((*value).to_owned()),
        _ => None,
    };
    match source {
        0 if is("GET")
            && asked.body.is_empty()
            && asked.query("hub.verify_token") == ["s3cret"] =>
        {
            once(asked.query("hub.challenge"))
        }
        1 if is("POST") && asked.body.is_empty() => once(asked.query("validationToken")),
        2 if is("POST") => {
            let object: Value = serde_json::from_str(&asked.body).ok()?;
            let allowed = ["challenge", "token", "type"];
            let only = object
                .as_object()?
                .keys()
                .all(|name| allowed.contains(&name.as_str()));
            let again = asked.body.matches("\"challenge\":").count();
            let challenge = object["challenge"].as_str()?;
            (only && again == 1).then(|| challenge.to_owned())
        }
        4 if is("GET") && asked.body.is_empty() => once(asked.query("crc_token")),
        5 if is("POST") && asked.header("X-Hook-Signature").is_empty() => {
            once(asked.header("X-Hook-Secret"))
        }
        6 if is("OPTIONS") && asked.query("key") == ["s3cret"] => {
            once(asked.header("WebHook-Request-Origin"))
        }
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn nothing_comes_back_of_what_is_not_exactly_a_handshake(source in 0..SOURCES.len(), asked in asked()) {
        let (settings, verify) = SOURCES[source];
        let headers: Vec<_> = asked.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        // A secret of the file would keep this kind from learning one.
        let secret = (settings != "header-echo").then_some("s3cret");
        let line = HandshakeVector { kind: "", secret, handshake: Some(settings), verifier: verify };
        let verdict = ask_of(line, &asked.method, &asked.url(), &headers, &asked.body);
        let shown = verdict.answer().map(|answer| {
            let headers: Vec<_> = answer.headers.values().map(|value| value.to_str().unwrap()).collect();
            format!("{} {}", headers.join(" "), String::from_utf8_lossy(&answer.body))
        });
        let shown = shown.unwrap_or_default();
        let allowed = may_come_back(source, &asked);
        // A handshake of the kinds that answer with nothing of their own says nothing.
        if allowed.is_none() {
            prop_assert!(!shown.contains(MARK) && !shown.contains("s3cret"), "{shown}");
            let says = verdict.answer().is_some_and(|answer| !answer.body.is_empty());
            prop_assert!(!says, "{shown}");
        }
        if shown.contains(MARK) {
            prop_assert_eq!(allowed.as_deref(), Some(MARK));
        }
        if let Verdict::Confirm { url, .. } = &verdict {
            prop_assert_eq!(url.host(), "a.example");
        }
    }

    /// The same of the known handshakes, with bytes of body, address and headers changed.
    #[test]
    fn known_handshakes_that_were_changed_repeat_nothing_else(
        which in 0usize..16,
        addition in "[a-z&=%\"{}:,<> ]{1,12}",
        place in any::<prop::sample::Index>(),
        part in 0..3,
    ) {
        let vector = &vectors()[which];
        let mut request = received(&vector["request"]);
        let insert = |text: &str| {
            let at = place.index(text.len() + 1);
            let (before, after) = text.split_at(at);
            format!("{before}{addition}{after}")
        };
        match part {
            0 => {
                let body = String::from_utf8(request.body.to_vec()).unwrap();
                request.body = insert(&body).into();
            }
            1 => {
                let query = request.path_and_query.split_once('?').map_or("", |(_, query)| query);
                request.path_and_query = format!("/hooks/src?{}", insert(query));
            }
            _ => {
                let name = request.headers.keys().next().cloned();
                if let Some(name) = name {
                    let value = insert(request.headers[&name].to_str().unwrap());
                    request.headers.insert(name, HeaderValue::from_str(&value).unwrap());
                }
            }
        }
        let verdict = verdict_of(vector, &request);
        let Some(answer) = verdict.answer() else { return Ok(()) };
        // Every answer is one of the known forms around a text of the request.
        let body = std::str::from_utf8(&answer.body).unwrap();
        prop_assert!(body.len() <= 2 * answer::MAX_ECHO_BYTES);
        prop_assert!(!body.chars().any(char::is_control));
        match answer.headers.get("content-type").map(|kind| kind.to_str().unwrap()) {
            None => prop_assert!(body.is_empty()),
            Some("application/json") => {
                let value: Value = serde_json::from_str(body).unwrap();
                prop_assert!(value.as_object().unwrap().len() <= 2);
            }
            Some(kind) => prop_assert_eq!(kind, "text/plain; charset=utf-8"),
        }
    }
}
