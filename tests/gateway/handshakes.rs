//! How senders register an address: what is answered, kept and fetched, and that events are events all the same.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::Semaphore,
};

use crate::{World, support::until};

/// The same lines as the tests of the module have.
const VECTORS: &str = include_str!("../../src/verify/handshake/vectors.jsonl");

/// What the lines of a system want under `receive`; `meatyhamhock` and the other secrets stand in the lines.
const SOURCES: [(&str, &str); 10] = [
    (
        "meta-whatsapp",
        "verify: meta-whatsapp, secrets: [{env: SCHOOL_SECRET}], handshake: {verify_token: {env: META_TOKEN}}",
    ),
    (
        "ms-graph",
        "verify: none, handshake: {kind: echo-query, parameter: validationToken, method: POST}",
    ),
    ("slack", "verify: slack, secrets: [{env: SCHOOL_SECRET}]"),
    ("monday", "verify: none, handshake: echo-json"),
    (
        "blackbaud-sky",
        "verify: blackbaud-sky, secrets: [{env: BLACKBAUD_KEY}]",
    ),
    ("mailchimp", "verify: none, handshake: plain-200"),
    (
        "dataverse",
        "verify: {type: token, token_source: 'query:code'}, secrets: [{env: DATAVERSE_CODE}], handshake: {kind: plain-200, \
         tests: [{header: x-ms-dynamics-request-name, value: URL_VALIDATION}]}",
    ),
    (
        "zoom",
        "verify: {type: hmac, signature_header: x-zm-signature, signature_format: {style: prefix, prefix: 'v0='}, \
         encoding: hex, signed: 'v0:{timestamp}:{body}', timestamp: {source: 'header:x-zm-request-timestamp', format: \
         opaque}}, secrets: [{env: ZOOM_SECRET}], handshake: hmac-token",
    ),
    (
        "x",
        "verify: {type: hmac, signature_header: x-twitter-webhooks-signature, signature_format: {style: prefix, prefix: \
         'sha256='}, encoding: base64}, secrets: [{env: X_SECRET}], handshake: {kind: hmac-token, parameter: crc_token}",
    ),
    (
        "asana",
        "verify: {type: hmac, signature_header: X-Hook-Signature, encoding: hex}, handshake: header-echo",
    ),
];

fn file(name: &str, receive: &str) -> String {
    format!(
        "mapping: 1\nsource: {name}\nreceive: {{{receive}}}\notherwise: drop\nrules:\n  - {{name: all, drop: nothing to \
         do}}\ntests:\n  - {{name: all, event: {{a: 1}}, expect: [{{drop: nothing to do}}]}}\n"
    )
}

async fn world() -> World {
    World::with(|setup| {
        let setup = setup
            .variable("META_TOKEN", "meatyhamhock")
            .variable("BLACKBAUD_KEY", "k3y")
            .variable("DATAVERSE_CODE", "abc")
            .variable("ZOOM_SECRET", "zoom-secret-token")
            .variable("X_SECRET", "consumer-secret");
        SOURCES.into_iter().fold(setup, |setup, (name, receive)| {
            setup.source(name, &file(name, receive))
        })
    })
    .await
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// An answer, with its body read.
struct Answer {
    status: u16,
    headers: http::HeaderMap,
    body: String,
}

async fn send(request: reqwest::RequestBuilder) -> Answer {
    let mut answer = request.send().await.unwrap();
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.unwrap() {
        body.extend_from_slice(&piece);
    }
    Answer {
        status: answer.status().as_u16(),
        headers: answer.headers().clone(),
        body: String::from_utf8(body).unwrap(),
    }
}

impl World {
    fn ask(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        client().request(method, format!("{}webhooks/{path}", self.gateway.url()))
    }

    async fn counted(&self, line: &str) {
        let metrics = self.gateway.metrics().await;
        let line = format!("quentli_gateway_handshakes_total{{{line}");
        assert!(metrics.contains(&line), "{line} is missing in:\n{metrics}");
    }

    async fn accepted(&self) -> Value {
        self.gateway.status().await["store"]["totals"]["accepted"].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_known_handshake_is_answered_as_its_sender_wants_and_none_is_stored() {
    let world = world().await;
    let mut wrong = Vec::new();
    for line in VECTORS.lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let (request, expect) = (&vector["request"], &vector["expect"]);
        let query = request["url"].as_str().unwrap().split_once('?');
        let query = query.map_or(String::new(), |(_, query)| format!("?{query}"));
        let path = format!("{}{query}", vector["system"].as_str().unwrap());
        let method = request["method"].as_str().unwrap().parse().unwrap();
        let body = STANDARD.decode(request["body_base64"].as_str().unwrap());
        let mut asked = world.ask(method, &path).body(body.unwrap());
        for pair in request["headers"].as_array().unwrap() {
            asked = asked.header(pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        }
        let answer = send(asked).await;
        let status_is_right = expect["status"]
            .as_u64()
            .map_or(answer.status >= 400, |status| {
                status == u64::from(answer.status)
            });
        let headers_are_right = expect["headers"].as_array().unwrap().iter().all(|pair| {
            let value = answer.headers.get(pair[0].as_str().unwrap());
            value.is_some_and(|value| {
                value
                    .to_str()
                    .unwrap()
                    .starts_with(pair[1].as_str().unwrap())
            })
        });
        let body_is_right = match expect["body_match"].as_str().unwrap() {
            "any" => {
                !answer.headers.contains_key("webhook-allowed-origin") || expect["status"] == 200
            }
            "exact" => answer.body == expect["body"].as_str().unwrap(),
            "contains" => answer.body.contains(expect["body"].as_str().unwrap()),
            "json" => serde_json::from_str::<Value>(&answer.body).unwrap() == expect["body"],
            other => !answer
                .body
                .contains(other.strip_prefix("must-not-contain:").unwrap()),
        };
        if !(status_is_right && headers_are_right && body_is_right) {
            wrong.push(format!(
                "{}: {} {:?} {}",
                vector["name"], answer.status, answer.headers, answer.body
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(world.accepted().await, json!(0));
    world
        .counted("source=\"meta-whatsapp\",kind=\"echo-query\",outcome=\"answered\"} 1")
        .await;
    world
        .counted("source=\"meta-whatsapp\",kind=\"echo-query\",outcome=\"refused\"} 1")
        .await;
    world
        .counted("source=\"asana\",kind=\"header-echo\",outcome=\"learned\"} 1")
        .await;
    let line = world.gateway.logged("\"handshake\":\"echo-query\"").await;
    assert!(line[0].contains("\"result\":\"handshake\""), "{line:?}");
    assert!(!world.gateway.log().join("\n").contains("meatyhamhock"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_repeated_is_text_that_no_browser_runs() {
    let world = world().await;
    let answer = send(world.ask(Method::POST, "ms-graph?validationToken=%3Cscript%3E")).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "<script>"));
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_address_takes_the_methods_of_its_handshake_and_says_so() {
    let world = world().await;
    for (source, method, allow) in [
        ("school", Method::GET, "POST"),
        ("school", Method::OPTIONS, "POST"),
        ("monday", Method::GET, "POST"),
        ("meta-whatsapp", Method::HEAD, "GET, POST"),
        ("mailchimp", Method::PUT, "GET, HEAD, POST"),
        ("blackbaud-sky", Method::GET, "OPTIONS, POST"),
    ] {
        let answer = send(world.ask(method.clone(), source)).await;
        assert_eq!(answer.status, 405, "{method} {source}");
        assert_eq!(answer.headers["allow"], allow, "{method} {source}");
    }
    let looked = send(world.ask(Method::HEAD, "mailchimp")).await;
    assert_eq!(looked.status, 200);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_with_a_challenge_in_it_is_stored_and_not_repeated() {
    let world = world().await;
    for (path, body) in [
        ("monday", r#"{"challenge":"m4rk","event":{"id":1}}"#),
        ("ms-graph?validationToken=m4rk", r#"{"value":[]}"#),
    ] {
        let answer = send(world.ask(Method::POST, path).body(body)).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body.contains("accepted"), "{path}: {}", answer.body);
        assert!(!answer.body.contains("m4rk"), "{path}: {}", answer.body);
    }
    assert_eq!(world.accepted().await, json!(2));
    world.end().await;
}

fn keyed(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_secret_is_kept_never_replaced_and_forgotten_by_a_person_only() {
    let (first, second) = ("first-secret-of-asana", "second-secret-of-asana");
    let mut world = world().await;
    let number = AtomicU32::new(0);
    let event = async |world: &World, secret: &str| {
        let body = format!("{{\"n\":{}}}", number.fetch_add(1, Ordering::Relaxed));
        let post = world.ask(Method::POST, "asana");
        let post = post.header("X-Hook-Signature", keyed(secret, &body));
        send(post.body(body)).await.status
    };
    let name = async |world: &World, secret: &str| {
        send(
            world
                .ask(Method::POST, "asana")
                .header("X-Hook-Secret", secret),
        )
        .await
    };
    assert_eq!(event(&world, first).await, 401, "nothing is known yet");
    world.gateway.logged("\"reason\":\"no-secret\"").await;

    let answer = name(&world, first).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["x-hook-secret"], first);
    assert_eq!(event(&world, first).await, 200);
    assert_eq!(event(&world, second).await, 401);

    for _ in 0..2 {
        let answer = name(&world, second).await;
        assert_eq!(answer.status, 403, "it is never replaced");
        assert!(!answer.headers.contains_key("x-hook-secret"));
        assert_eq!(
            name(&world, first).await.status,
            200,
            "the same again is answered"
        );
        assert_eq!(event(&world, first).await, 200);
        assert_eq!(event(&world, second).await, 401);
        world.gateway.logged("handshake-established").await;
        // All of it once more, after a restart.
        world = world.restart();
    }

    let forget = |world: &World, source: &str| {
        let address = world.gateway.admin_listen.to_string();
        let output = world
            .setup
            .run(&["forget-secret", source, "--admin-listen", &address]);
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (code, shown) = forget(&world, "asana");
    assert_eq!(code, Some(0));
    assert_eq!(shown, "the secret of `asana` is forgotten\n");
    assert_eq!(
        forget(&world, "asana").0,
        Some(1),
        "nothing is left to forget"
    );
    assert_eq!(event(&world, first).await, 401);
    assert_eq!(name(&world, second).await.status, 200);
    assert_eq!(event(&world, second).await, 200);
    let log = world.gateway.log().join("\n");
    assert!(!log.contains(first) && !log.contains(second));
    let stored = std::fs::read_dir(world.setup.data()).unwrap();
    assert!(stored.count() > 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_secret_ends_where_the_file_gets_secrets_of_its_own() {
    const NAMED: &str = "a-secret-that-was-named";
    let own = crate::support::school::SECRET;
    let world = world().await;
    let number = AtomicU32::new(0);
    let event = async |secret: &str| {
        let body = format!("{{\"n\":{}}}", number.fetch_add(1, Ordering::Relaxed));
        let post = world.ask(Method::POST, "asana");
        let post = post.header("X-Hook-Signature", keyed(secret, &body));
        send(post.body(body)).await.status
    };
    let secrets = async || {
        let status = world.gateway.status().await;
        let sources = status["sources"].as_array().unwrap().iter();
        let mut of_source = sources.filter(|source| source["source"] == "asana");
        let secrets = of_source.next().unwrap()["secrets"].as_array().cloned();
        let names = secrets.unwrap_or_default().into_iter();
        names
            .map(|secret| secret["secret"].clone())
            .collect::<Vec<_>>()
    };
    assert!(secrets().await.is_empty());
    let post = world.ask(Method::POST, "asana");
    let named = send(post.header("X-Hook-Secret", NAMED)).await;
    assert_eq!(named.status, 200);
    assert_eq!((event(NAMED).await, event(own).await), (200, 401));
    assert_eq!(secrets().await, ["learned"]);

    let (_, receive) = SOURCES[SOURCES.len() - 1];
    let with_own = format!("{receive}, secrets: [{{env: SCHOOL_SECRET}}]");
    for (receive, statuses, names) in [
        (with_own.as_str(), (401, 200), ["env:SCHOOL_SECRET"]),
        (receive, (200, 401), ["learned"]),
    ] {
        std::fs::write(world.setup.source_path("asana"), file("asana", receive)).unwrap();
        assert_eq!(world.gateway.reload().await.0, 200);
        assert_eq!((event(NAMED).await, event(own).await), statuses);
        assert_eq!(secrets().await, names);
    }
    let warned = world.gateway.logged("forget-secret asana").await;
    assert!(warned[0].contains("WARN"), "{warned:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_handshake_is_written_down_without_what_it_named() {
    let receive = "verify: {type: hmac, signature_header: X-Hook-Signature, encoding: hex}, secrets: [{env: \
                   SCHOOL_SECRET}], handshake: header-echo, keep_rejected: {bodies_for: 1h}";
    let world = World::with(|setup| setup.source("hooks", &file("hooks", receive))).await;
    let named = "a-secret-that-a-stranger-names";
    let answer = world
        .ask(Method::POST, "hooks")
        .header("X-Hook-Secret", named);
    let answer = send(answer).await;
    assert_eq!(answer.status, 403);
    assert!(
        answer.body.contains("/problems/handshake-refused"),
        "{}",
        answer.body
    );
    let url = format!(
        "http://{}/api/v1/rejected?source=hooks",
        world.gateway.admin_listen
    );
    let list = until("the record", async || {
        let answer = send(client().get(&url)).await;
        if answer.body.contains("handshake-established") {
            Ok(answer.body)
        } else {
            Err(answer.body)
        }
    })
    .await;
    assert!(!list.contains(named), "{list}");
    for file in std::fs::read_dir(world.setup.data()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let found = bytes
            .windows(named.len())
            .any(|window| window == named.as_bytes());
        assert!(!found, "it is in the data directory");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_files_let_their_senders_register() {
    let shipped = |name: &str| {
        let path = format!("{}/mappings/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    };
    let names = ["blackbaud-sky", "dataverse", "intercom"];
    let world = World::with(|setup| {
        let setup = names
            .iter()
            .fold(setup, |setup, name| setup.source(name, &shipped(name)));
        [
            "BLACKBAUD_WEBHOOK_KEY",
            "DATAVERSE_KEY",
            "INTERCOM_CLIENT_SECRET",
        ]
        .iter()
        .fold(setup, |setup, name| setup.variable(name, "k3y"))
    })
    .await;
    let validation = "x-ms-dynamics-request-name";
    let origin = "WebHook-Request-Origin";
    for (request, status) in [
        (world.ask(Method::HEAD, "intercom"), 200),
        (
            world
                .ask(Method::POST, "dataverse")
                .header(validation, "URL_VALIDATION"),
            200,
        ),
        (
            world
                .ask(Method::POST, "dataverse")
                .header(validation, "Update"),
            401,
        ),
        (
            world
                .ask(Method::POST, "dataverse")
                .header(validation, "URL_VALIDATION")
                .body("{}"),
            401,
        ),
        (
            world
                .ask(Method::OPTIONS, "blackbaud-sky?webhookKey=k3y")
                .header(origin, "eventgrid.azure.net"),
            200,
        ),
        (
            world
                .ask(Method::OPTIONS, "blackbaud-sky")
                .header(origin, "eventgrid.azure.net"),
            401,
        ),
    ] {
        let answer = send(request).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    assert_eq!(world.accepted().await, json!(0));
    world.end().await;
}

/// A host that somebody names: counts who fetches, and answers when it may.
struct Named {
    address: SocketAddr,
    fetched: Arc<AtomicU32>,
    may_answer: Arc<Semaphore>,
}

async fn named(answer: &'static str) -> Named {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (fetched, may_answer) = (Arc::new(AtomicU32::new(0)), Arc::new(Semaphore::new(0)));
    let (count, gate) = (Arc::clone(&fetched), Arc::clone(&may_answer));
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 1024];
            assert!(stream.read(&mut head).await.unwrap() > 0);
            count.fetch_add(1, Ordering::SeqCst);
            gate.acquire().await.unwrap().forget();
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    tasks.detach_all();
    Named {
        address,
        fetched,
        may_answer,
    }
}

const CONFIRM: &str = "verify: {type: token, token_source: 'query:key'}, secrets: [{env: SCHOOL_SECRET}], handshake: {kind: \
                       confirm-url, hosts: [127.0.0.1]}";

fn confirmation(url: &str) -> String {
    json!({"Type": "SubscriptionConfirmation", "SubscribeURL": url}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_fetched_once_at_a_time_for_genuine_messages_and_redirects_lead_nowhere() {
    let world = World::with(|setup| setup.source("topics", &file("topics", CONFIRM))).await;
    let target = named("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    let elsewhere = named("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let post = async |key: &str, url: &str| {
        let path = format!("topics?key={key}");
        send(world.ask(Method::POST, &path).body(confirmation(url)))
            .await
            .status
    };
    let url = format!("http://{}/confirm?Token=t0ken", target.address);
    let good = crate::support::school::SECRET;
    assert_eq!(post("wrong", &url).await, 401);
    assert_eq!(post(good, "http://localhost/confirm").await, 403);
    assert_eq!(post(good, "https://example.com/").await, 403);
    assert_eq!(target.fetched.load(Ordering::SeqCst), 0);

    assert_eq!(post(good, &url).await, 200, "the answer does not wait");
    until("the fetch", async || {
        match target.fetched.load(Ordering::SeqCst) {
            0 => Err(0),
            count => Ok(count),
        }
    })
    .await;
    assert_eq!(post(good, &url).await, 503, "one is under way");
    target.may_answer.add_permits(1);
    world.gateway.logged("the address was confirmed").await;
    world
        .counted("source=\"topics\",kind=\"confirm-url\",outcome=\"confirmed\"} 1")
        .await;
    assert_eq!(target.fetched.load(Ordering::SeqCst), 1);

    let redirect = format!(
        "HTTP/1.1 302 Found\r\nlocation: http://{}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        elsewhere.address
    );
    let redirecting = named(Box::leak(redirect.into_boxed_str())).await;
    redirecting.may_answer.add_permits(1);
    let url = format!("http://{}/confirm", redirecting.address);
    assert_eq!(post(good, &url).await, 200);
    world.gateway.logged("could not be confirmed").await;
    assert_eq!(elsewhere.fetched.load(Ordering::SeqCst), 0);
    assert_eq!(world.accepted().await, json!(0));
    assert!(!world.gateway.log().join("\n").contains("t0ken"));
    world.end().await;
}
