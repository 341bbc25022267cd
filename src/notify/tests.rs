//! What is told, when, and how it is posted.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
};

use async_trait::async_trait;
use axum::{Router, extract::Request, http::HeaderMap, routing::post};
use bytes::Bytes;
use serde_json::Value;
use tokio::{sync::mpsc, task::JoinSet};

use super::{
    book::{Book, Notice, NoticeState},
    message::message,
    *,
};
use crate::{
    clock::Clock,
    telemetry::Metrics,
    verify::{Peer, Received, SigningSecret, Verifier, presets},
};

const WEEK: Duration = Duration::from_hours(7 * 24);
const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS1ub3RpZmljYXRpb25z";

fn start() -> Timestamp {
    "2026-01-15T10:00:00Z".parse().unwrap()
}

fn after(minutes: i64) -> Timestamp {
    start() + jiff::SignedDuration::from_mins(minutes)
}

fn settings(url: &str) -> Settings {
    Settings {
        url: SecretUrl::new(url.parse().unwrap()),
        secret: Some(SECRET.into()),
        oldest_waiting: Duration::from_mins(15),
        silent: BTreeMap::from([("sis".parse().unwrap(), Duration::from_hours(24))]),
    }
}

fn calm() -> Facts {
    Facts {
        dead: Some(0),
        requests: BTreeMap::from([("sis".parse().unwrap(), 7)]),
        ..Facts::default()
    }
}

fn troubled() -> Facts {
    let default = OrganisationName::default_name();
    Facts {
        keys_refused: vec![(default.clone(), start())],
        oldest_waiting: vec![(default, start())],
        dead: Some(3),
        secret_ends: vec![(
            "sis".parse().unwrap(),
            "SIS_SECRET".to_owned(),
            after(3 * 1440),
        )],
        is_full: true,
        ..calm()
    }
}

/// Looks at the facts of a minute and tells what there is; what was told counts as posted.
fn tell(book: &mut Book, facts: &Facts, minute: i64) -> Vec<Notice> {
    let now = after(minute);
    let notices = book.notices(facts, &settings("https://chat.example/x"), WEEK, now);
    book.told(&notices, now);
    notices
}

fn words(notices: &[Notice]) -> Vec<(&'static str, NoticeState)> {
    let words = notices.iter();
    words
        .map(|notice| (notice.subject.kind.as_str(), notice.state))
        .collect()
}

#[test]
fn every_trouble_is_told_once_when_it_begins_and_once_when_it_is_over() {
    let mut book = Book::default();
    assert_eq!(tell(&mut book, &calm(), 0), []);
    let all = [
        "key-refused",
        "dead",
        "oldest-waiting",
        "secret-ends",
        "store-not-writable",
    ];
    let began = all.map(|kind| (kind, NoticeState::Began));
    assert_eq!(words(&tell(&mut book, &troubled(), 20)), began);
    assert_eq!(tell(&mut book, &troubled(), 21), []);
    assert_eq!(
        words(&tell(&mut book, &calm(), 22)),
        all.map(|kind| (kind, NoticeState::Over))
    );
    assert_eq!(tell(&mut book, &calm(), 23), []);
    // Nothing came since the first look, a day and more ago.
    let silent = [("source-silent", NoticeState::Began)];
    assert_eq!(words(&tell(&mut book, &calm(), 1441)), silent);
    let mut again = calm();
    again.requests.insert("sis".parse().unwrap(), 8);
    let over = [("source-silent", NoticeState::Over)];
    assert_eq!(words(&tell(&mut book, &again, 1442)), over);
}

#[test]
fn what_comes_and_goes_is_not_told_each_time() {
    let mut book = Book::default();
    let full = Facts {
        is_full: true,
        ..calm()
    };
    assert_eq!(tell(&mut book, &full, 0).len(), 1);
    assert_eq!(tell(&mut book, &calm(), 1).len(), 1);
    assert_eq!(tell(&mut book, &full, 2), []);
    assert_eq!(tell(&mut book, &calm(), 3), []);
    assert_eq!(
        words(&tell(&mut book, &full, 17)),
        [("store-not-writable", NoticeState::Began)]
    );
}

#[test]
fn dead_deliveries_are_counted_together_and_what_goes_on_is_told_once_a_day() {
    let mut book = Book::default();
    let dead = |dead| Facts {
        dead: Some(dead),
        ..calm()
    };
    assert_eq!(tell(&mut book, &dead(2), 0)[0].more, Some(2));
    assert_eq!(tell(&mut book, &dead(9), 5), []);
    let grown = tell(&mut book, &dead(12), 16);
    assert_eq!(words(&grown), [("dead", NoticeState::GoesOn)]);
    assert_eq!(
        (grown[0].trouble.count, grown[0].more),
        (Some(12), Some(10))
    );
    assert_eq!(tell(&mut book, &dead(11), 60), []);
    assert_eq!(
        words(&tell(&mut book, &dead(11), 16 + 1441)),
        [
            ("dead", NoticeState::GoesOn),
            ("source-silent", NoticeState::Began),
        ]
    );
    // A store that cannot be asked is no sign that all is well.
    assert_eq!(
        tell(
            &mut book,
            &Facts {
                dead: None,
                ..calm()
            },
            1500
        ),
        []
    );
}

#[test]
fn deliveries_that_die_after_others_were_dealt_with_are_told() {
    let mut book = Book::default();
    let dead = |dead| Facts {
        dead: Some(dead),
        ..calm()
    };
    assert_eq!(tell(&mut book, &dead(10), 0).len(), 1);
    assert_eq!(tell(&mut book, &dead(2), 10), []);
    let grown = tell(&mut book, &dead(9), 30);
    assert_eq!(words(&grown), [("dead", NoticeState::GoesOn)]);
    assert_eq!((grown[0].trouble.count, grown[0].more), (Some(9), Some(7)));
}

#[test]
fn a_secret_that_has_ended_is_no_news() {
    let mut book = Book::default();
    assert_eq!(tell(&mut book, &calm(), 0), []);
    let ends = Facts {
        secret_ends: troubled().secret_ends,
        ..calm()
    };
    assert_eq!(tell(&mut book, &ends, 1).len(), 1);
    assert_eq!(tell(&mut book, &ends, 100), []);
    let later: Vec<_> = words(&tell(&mut book, &ends, 3 * 1440 + 1));
    assert_eq!(later, [("source-silent", NoticeState::Began)]);
}

#[test]
fn what_is_told_reads_well() {
    let mut book = Book::default();
    tell(&mut book, &calm(), 0);
    let began = message(&tell(&mut book, &troubled(), 20), after(20));
    let silent = message(&tell(&mut book, &troubled(), 1500), after(1500));
    let over = message(&tell(&mut book, &calm(), 1600), after(1600));
    let texts = [began, silent, over].map(|message| message["text"].as_str().unwrap().to_owned());
    insta::assert_snapshot!(texts.join("\n\n"), @r"
    quentli-gateway: Quentli refuses the API key of the organisation `default`, for 20 minutes now. Everything is kept and nothing is sent until it has a good key.
    3 deliveries wait for a person.
    The oldest waiting delivery of the organisation `default` has waited for 20 minutes.
    The secret SIS_SECRET of the source `sis` ends at 2026-01-18T10:00:00Z. If its sender still uses it, let it use the new one before.
    Events are refused: the store cannot write. Look at the disk first.

    quentli-gateway: Quentli refuses the API key of the organisation `default`, for 25 hours now. Everything is kept and nothing is sent until it has a good key.
    3 deliveries wait for a person.
    The oldest waiting delivery of the organisation `default` has waited for 25 hours.
    Nothing has come from the source `sis` for 25 hours.
    Events are refused: the store cannot write. Look at the disk first.

    quentli-gateway: The secret SIS_SECRET of the source `sis` does not end soon any more.
    Quentli takes the API key of the organisation `default` again.
    No delivery waits for a person any more.
    No delivery of the organisation `default` has waited for too long any more.
    The store can write again.
    ");
}

#[test]
fn the_json_is_as_it_is_documented() {
    let mut book = Book::default();
    let facts = Facts {
        secret_ends: troubled().secret_ends,
        dead: Some(1),
        ..calm()
    };
    let body = message(&tell(&mut book, &facts, 0), start());
    insta::assert_snapshot!(format!("{body:#}"), @r#"
    {
      "at": "2026-01-15T10:00:00Z",
      "notices": [
        {
          "count": 1,
          "kind": "dead",
          "since": "2026-01-15T10:00:00Z",
          "state": "began",
          "text": "1 delivery waits for a person."
        },
        {
          "kind": "secret-ends",
          "secret": "SIS_SECRET",
          "since": "2026-01-15T10:00:00Z",
          "source": "sis",
          "state": "began",
          "text": "The secret SIS_SECRET of the source `sis` ends at 2026-01-18T10:00:00Z. If its sender still uses it, let it use the new one before.",
          "until": "2026-01-18T10:00:00Z"
        }
      ],
      "text": "quentli-gateway: 1 delivery waits for a person.\nThe secret SIS_SECRET of the source `sis` ends at 2026-01-18T10:00:00Z. If its sender still uses it, let it use the new one before.",
      "type": "quentli-gateway.notices"
    }
    "#);
}

/// What arrived at a receiver.
struct Receiver {
    url: String,
    posts: mpsc::UnboundedReceiver<(HeaderMap, Bytes)>,
    status: Arc<AtomicU16>,
    _tasks: JoinSet<()>,
}

impl Receiver {
    async fn new() -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let (sender, posts) = mpsc::unbounded_channel();
        let status = Arc::new(AtomicU16::new(200));
        let answer = Arc::clone(&status);
        let router = Router::new().route(
            "/hook",
            post(async move |request: Request| {
                let (head, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                sender.send((head.headers, body)).unwrap();
                http::StatusCode::from_u16(answer.load(Ordering::Relaxed)).unwrap()
            }),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            posts,
            status,
            _tasks: tasks,
        }
    }

    /// Drives the clock until the next post.
    async fn next(&mut self, clock: &Clock) -> (HeaderMap, Bytes) {
        loop {
            match tokio::time::timeout(Duration::from_millis(20), self.posts.recv()).await {
                Ok(post) => return post.unwrap(),
                Err(_) => clock.advance(Duration::from_secs(5)),
            }
        }
    }
}

/// Facts that a test changes.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Facts>>);

#[async_trait]
impl Look for Told {
    async fn look(&self) -> Facts {
        self.0.lock().unwrap().clone()
    }
}

fn notifier(receiver: &Receiver, facts: &Told, clock: &Clock, data: &Path) -> Notifier {
    let poster = Poster::new(settings(&receiver.url)).unwrap();
    let posts = Notifications::new(poster, clock.clone());
    Notifier::new(posts, Arc::new(facts.clone()), Metrics::new(), WEEK, data)
}

fn kinds(body: &Bytes) -> Vec<String> {
    let body: Value = serde_json::from_slice(body).unwrap();
    let notices = body["notices"].as_array().unwrap().iter();
    notices
        .map(|notice| format!("{} {}", notice["kind"], notice["state"]).replace('"', ""))
        .collect()
}

#[tokio::test]
async fn a_post_is_signed_as_standard_webhooks_are() {
    let mut receiver = Receiver::new().await;
    let clock = Clock::manual(start());
    let poster = Poster::new(settings(&receiver.url)).unwrap();
    let posts = Notifications::new(poster, clock.clone());
    posts.test().await.unwrap();
    assert!(!posts.to().contains("hook"), "{}", posts.to());
    let (headers, body) = receiver.next(&clock).await;
    assert_eq!(kinds(&body), ["test began"]);
    let request = |body: Bytes| Received {
        method: http::Method::POST,
        public_url: receiver.url.clone(),
        path_and_query: "/hook".to_owned(),
        headers: headers.clone(),
        body,
        received_at: clock.now(),
        peer: Peer {
            client: "127.0.0.1".parse().unwrap(),
            through_trusted_proxy: false,
        },
    };
    let secret = SigningSecret {
        name: "s".to_owned(),
        value: SECRET.into(),
        until: None,
    };
    let preset = presets::find("standard-webhooks").unwrap();
    let verifier = Verifier::new(preset.verify_settings(), &[secret]).unwrap();
    assert!(verifier.verify(request(body), clock.now()).is_ok());
    assert!(verifier.verify(request("{}".into()), clock.now()).is_err());
    receiver.status.store(302, Ordering::Relaxed);
    let refused = posts.test().await.unwrap_err();
    assert!(matches!(refused, PostError::Status(status) if status == 302));
}

#[tokio::test]
async fn what_did_not_arrive_is_told_later_as_it_is_then_and_a_restart_repeats_nothing() {
    let mut receiver = Receiver::new().await;
    let (clock, facts, data) = (
        Clock::manual(start()),
        Told::default(),
        tempfile::tempdir().unwrap(),
    );
    *facts.0.lock().unwrap() = Facts {
        is_full: true,
        ..calm()
    };
    receiver.status.store(500, Ordering::Relaxed);
    let mut tasks = JoinSet::new();
    tasks.spawn(notifier(&receiver, &facts, &clock, data.path()).run());
    for _ in 0..3 {
        let (_, body) = receiver.next(&clock).await;
        assert_eq!(kinds(&body), ["store-not-writable began"]);
    }
    // What is over before anybody heard of it is not told at all.
    *facts.0.lock().unwrap() = Facts {
        dead: Some(4),
        ..calm()
    };
    receiver.status.store(204, Ordering::Relaxed);
    let (_, body) = receiver.next(&clock).await;
    assert_eq!(kinds(&body), ["dead began"]);
    let kept = data.path().join("notify.json");
    until(|| std::fs::read_to_string(&kept).is_ok_and(|text| text.contains("dead"))).await;
    tasks.shutdown().await;

    tasks.spawn(notifier(&receiver, &facts, &clock, data.path()).run());
    for _ in 0..20 {
        clock.advance(Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(receiver.posts.try_recv().is_err());
    *facts.0.lock().unwrap() = calm();
    let (_, body) = receiver.next(&clock).await;
    assert_eq!(kinds(&body), ["dead over"]);
}

/// Waits for what other threads do.
async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
