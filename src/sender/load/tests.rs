use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
    routing::post,
};
use http::{HeaderValue, StatusCode, header};

use super::*;
use crate::{
    config::Environment,
    source::{SourceFile, UnreadableSamples},
};

const FILE: &str = "
mapping: 1
source: sis
receive: {verify: {type: token, token_source: 'header:X-Token'}, secrets: [{env: SECRET}], dedup: {header: X-Id}}
otherwise: drop
rules:
  - name: r
    customer: {find: [{username: who}]}
    set: {name: name}
tests: [{name: t, event: {who: a, name: b}, found: {username=a: cus_1}, expect: [{customer: cus_1, patch: {name: b}}]}]
";

/// What a gateway saw, and how it answers.
#[derive(Default)]
struct Gateway {
    seen: Mutex<Vec<(String, String)>>,
    /// Requests under way, by customer.
    busy: Mutex<HashMap<String, usize>>,
    most_at_once: AtomicUsize,
    /// Taken one after the other; afterwards everything is accepted.
    script: Mutex<Vec<(u16, Option<u64>)>>,
    is_slow: bool,
}

async fn answer(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let id = request.headers()["x-id"].to_str().unwrap().to_owned();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20)
        .await
        .unwrap();
    let event: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let who = event["who"].as_str().unwrap_or_default().to_owned();
    {
        let mut busy = gateway.busy.lock().unwrap();
        let of_customer = busy.entry(who.clone()).or_default();
        *of_customer += 1;
        assert_eq!(*of_customer, 1, "two requests of {who} at once");
        gateway
            .most_at_once
            .fetch_max(busy.values().sum(), Ordering::Relaxed);
    }
    if gateway.is_slow {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    *gateway.busy.lock().unwrap().get_mut(&who).unwrap() -= 1;
    let name = event["name"].as_str().unwrap_or_default().to_owned();
    let is_known = {
        let mut seen = gateway.seen.lock().unwrap();
        let is_known = seen.iter().any(|(known, _)| *known == id);
        seen.push((id, name));
        is_known
    };
    let next = gateway.script.lock().unwrap().pop();
    match next {
        Some((status, wait)) => {
            let problem = r#"{"type": "/problems/x", "title": "Not now", "status": 0}"#;
            let mut response = (StatusCode::from_u16(status).unwrap(), problem).into_response();
            if let Some(wait) = wait {
                let headers = response.headers_mut();
                headers.insert(header::RETRY_AFTER, HeaderValue::from(wait));
            }
            response
        }
        None if is_known => r#"{"status": "duplicate", "event": 1}"#.into_response(),
        None => r#"{"status": "accepted", "event": 1, "new": 1, "known": 0}"#.into_response(),
    }
}

struct World {
    gateway: Arc<Gateway>,
    url: Url,
    source: Arc<Source>,
    tasks: JoinSet<()>,
}

impl World {
    async fn new(gateway: Gateway) -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let no_samples = |_: &str| Err(std::io::Error::other("there are no samples"));
        let file = SourceFile::check(
            "sis.yaml",
            "sis",
            FILE.to_owned(),
            &no_samples,
            UnreadableSamples::Refuse,
        );
        assert!(!file.findings.has_errors(), "{:#?}", file.findings);
        let environment: Environment = [("SECRET", "s3cret")].into_iter().collect();
        let source = file
            .checked
            .unwrap()
            .arm(&environment, std::path::Path::new(""))
            .unwrap();
        let gateway = Arc::new(gateway);
        let router = Router::new()
            .route("/webhooks/sis", post(answer))
            .with_state(Arc::clone(&gateway));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            gateway,
            url,
            source: Arc::new(source),
            tasks,
        }
    }

    fn load(&self, lines: &[&str], from_line: u64, clock: &Clock) -> Load {
        let (sender, receiver) = mpsc::channel(lines.len().max(1));
        for (index, text) in lines.iter().enumerate() {
            let number = u64::try_from(index).unwrap() + 1;
            let body = Ok(Bytes::copy_from_slice(text.as_bytes()));
            sender
                .try_send(Line {
                    number,
                    end: number,
                    body,
                })
                .unwrap();
        }
        let (source, url) = (Arc::clone(&self.source), self.url.clone());
        let sign: Sign = Arc::new(move |event, now| crate::sender::sign(&source, event, &url, now));
        let settings = LoadSettings {
            gateway: self.url.clone(),
            headers: HeaderMap::from_iter([(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            )]),
            rate: "1000/s".parse().unwrap(),
            in_flight: 8,
            patience: Duration::from_mins(10),
            from_line,
        };
        let source = Arc::clone(&self.source);
        Load::new(
            receiver,
            source,
            sign,
            Sender::new().unwrap(),
            settings,
            clock.clone(),
        )
    }

    fn names_seen(&self) -> Vec<String> {
        let seen = self
            .gateway
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        seen.iter().map(|(_, name)| name.clone()).collect()
    }
}

/// Runs a load to its end and gives what it refused.
async fn finish(load: &mut Load) -> Vec<(u64, String)> {
    let mut refused = Vec::new();
    while let Some(step) = load.next().await {
        if let Step::Refused(one) = step {
            refused.push((one.line, one.reason));
        }
    }
    refused
}

fn line(who: &str, name: &str) -> String {
    format!(r#"{{"who": "{who}", "name": "{name}"}}"#)
}

#[tokio::test]
async fn customers_go_at_once_and_each_in_the_order_of_the_file() {
    let gateway = Gateway {
        is_slow: true,
        ..Gateway::default()
    };
    let world = World::new(gateway).await;
    let lines: Vec<String> = (0..40)
        .map(|n| line(&format!("c{}", n % 5), &format!("{n:02}")))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut load = world.load(&lines, 1, &Clock::system());
    assert_eq!(finish(&mut load).await, []);
    assert_eq!(
        (load.ended(), load.figures().accepted, load.figures().items),
        (Ended::Whole, 40, 40)
    );
    for customer in 0..5 {
        let of_customer = |name: &String| name.parse::<u32>().unwrap() % 5 == customer;
        let names: Vec<String> = world.names_seen().into_iter().filter(of_customer).collect();
        assert!(names.is_sorted() && names.len() == 8, "{names:?}");
    }
    assert!(world.gateway.most_at_once.load(Ordering::Relaxed) > 1);
}

#[tokio::test]
async fn what_cannot_be_taken_now_is_sent_again_when_the_gateway_says() {
    let script = Mutex::new(vec![(429, Some(7)), (503, Some(60)), (500, None)]);
    let gateway = Gateway {
        script,
        ..Gateway::default()
    };
    let world = World::new(gateway).await;
    let clock = Clock::manual("2026-01-15T10:00:00Z".parse().unwrap());
    let (a, b) = (line("a", "1"), line("a", "2"));
    let mut load = world.load(&[&a, &b], 1, &clock);
    let mut waited = Vec::new();
    loop {
        // The clock moves only where everybody waits for it.
        let next = tokio::time::timeout(Duration::from_millis(100), load.next());
        match next.await {
            Ok(None) => break,
            Ok(Some(step)) => assert_eq!(step, Step::Done),
            Err(_) => {
                let held = load.held();
                if !held.is_zero() {
                    waited.push(held.as_secs());
                }
                clock.advance(held.max(Duration::from_millis(1)));
            }
        }
    }
    assert_eq!(waited, [1, 60, 7]);
    assert_eq!(world.names_seen(), ["1", "1", "1", "1", "2"]);
    assert_eq!((load.ended(), load.figures().retried), (Ended::Whole, 3));
    // The gateway had seen the first event when it could not take it.
    assert_eq!((load.figures().accepted, load.figures().duplicate), (1, 1));
}

#[tokio::test]
async fn a_refused_line_is_told_with_its_reason_and_the_rest_goes_on() {
    let script = Mutex::new(vec![(413, None)]);
    let world = World::new(Gateway {
        script,
        ..Gateway::default()
    })
    .await;
    let (a, b) = (line("a", "1"), line("a", "2"));
    let mut load = world.load(&[&a, "{\"who\": ", &b], 1, &Clock::system());
    let mut refused = finish(&mut load).await;
    refused.sort();
    assert_eq!(
        refused,
        [
            (1, "HTTP 413: Not now".to_owned()),
            (
                2,
                "not JSON: EOF while parsing a value at line 1 column 8".to_owned()
            ),
        ]
    );
    assert_eq!((load.ended(), load.figures().accepted), (Ended::Whole, 1));
}

#[tokio::test]
async fn a_load_of_which_nothing_is_accepted_ends_early() {
    let script = Mutex::new(vec![(401, None); 100]);
    let world = World::new(Gateway {
        script,
        ..Gateway::default()
    })
    .await;
    let lines: Vec<String> = (0..100).map(|n| line(&format!("c{n}"), "x")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut load = world.load(&lines, 1, &Clock::system());
    let refused = finish(&mut load).await.len();
    assert!((20..28).contains(&refused), "{refused}");
    assert_eq!(load.ended(), Ended::NothingAccepted);
}

#[tokio::test]
async fn a_gateway_that_stays_away_ends_the_load_where_it_can_go_on() {
    let mut world = World::new(Gateway::default()).await;
    let (a, b) = (line("a", "1"), line("b", "2"));
    let mut load = world.load(&[&a], 1, &Clock::system());
    finish(&mut load).await;
    assert_eq!(load.first_open(), 2);
    // The client keeps no connection of another load, so the second finds nobody.
    world.tasks.shutdown().await;
    let mut load = world.load(&[&a, &b], 2, &Clock::system());
    load.settings.patience = Duration::ZERO;
    finish(&mut load).await;
    assert!(matches!(load.ended(), Ended::Away(why) if why.contains("no answer")));
    assert_eq!(load.first_open(), 2);
}

#[tokio::test]
async fn a_load_that_is_stopped_goes_on_without_a_gap() {
    let gateway = Gateway {
        is_slow: true,
        ..Gateway::default()
    };
    let world = World::new(gateway).await;
    let lines: Vec<String> = (0..30)
        .map(|n| line(&format!("c{}", n % 7), &format!("{n}")))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut load = world.load(&lines, 1, &Clock::system());
    for _ in 0..6 {
        load.next().await;
    }
    load.stop();
    finish(&mut load).await;
    let go_on = load.first_open();
    assert_eq!(load.ended(), Ended::Stopped);
    assert!((6..30).contains(&go_on), "{go_on}");
    let first = load.figures().done();
    let mut load = world.load(&lines, go_on, &Clock::system());
    finish(&mut load).await;
    let seen: BTreeSet<String> = world.names_seen().into_iter().collect();
    assert_eq!(seen.len(), 30);
    // What was under way behind a gap is sent again, and is known.
    let figures = load.figures();
    assert_eq!(first + figures.accepted, 30);
    assert_eq!(figures.done(), 31 - go_on);
}
