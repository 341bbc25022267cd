//! A gateway inside the test, whose clock the test drives: what only days show.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use quentli_gateway::{
    app::{self, Ended, Strictness},
    clock::Clock,
    config::{Config, Environment, Flags},
    lifecycle::Shutdown,
    sender::{Sender, TestEvent, sign},
    verify::Outgoing,
};
use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, task::JoinSet};
use tracing::subscriber::DefaultGuard;
use url::Url;

use crate::support::school::{SECRET, SECRET_VARIABLE, SOURCE_FILE, School};

pub(crate) const DAY: Duration = Duration::from_hours(24);

/// What was logged, as JSON lines.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// How many lines of a level say something.
    pub(crate) fn count(&self, level: &str, what: &str) -> usize {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().filter(|line| line.contains(what));
        lines
            .filter(|line| serde_json::from_str::<Value>(line).unwrap()["level"] == level)
            .count()
    }
}

pub(crate) struct Driven {
    pub(crate) clock: Clock,
    url: Url,
    admin: Url,
    shutdown: Shutdown,
    running: JoinSet<Result<(), Ended>>,
    pub(crate) log: Log,
    _guard: DefaultGuard,
    _folder: tempfile::TempDir,
}

impl Driven {
    /// Starts at noon on 2 March 2026 with the school's file. Quentli is away.
    pub(crate) async fn start(file: &str) -> Self {
        Self::start_with(file, "").await
    }

    /// The same, with a text for `gateway.yaml`.
    pub(crate) async fn start_with(file: &str, settings: &str) -> Self {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_writer(move || writer.clone())
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let folder = tempfile::tempdir().unwrap();
        let mappings = folder.path().join("mappings");
        std::fs::create_dir(&mappings).unwrap();
        std::fs::write(mappings.join("school.yaml"), file).unwrap();
        let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
        let environment: Environment = [
            ("QUENTLI_API_KEY", "sk_test_key".to_owned()),
            ("QUENTLI_API_URL", "http://127.0.0.1:9".to_owned()),
            ("GATEWAY_LISTEN", "127.0.0.1:0".to_owned()),
            ("GATEWAY_ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
            ("GATEWAY_MAPPINGS", path(&mappings)),
            ("GATEWAY_DATA", path(&folder.path().join("data"))),
            (SECRET_VARIABLE, SECRET.to_owned()),
        ]
        .into_iter()
        .collect();
        let flags = Flags {
            config: Some(folder.path().join("gateway.yaml")),
            ..Flags::default()
        };
        std::fs::write(folder.path().join("gateway.yaml"), settings).unwrap();
        let config = Config::load(&flags, &environment).unwrap();
        let clock = Clock::manual("2026-03-02T12:00:00Z".parse().unwrap());
        let app = app::start(config, &environment, Strictness::Strict, clock.clone())
            .await
            .unwrap();
        let shutdown = Shutdown::new();
        let url = format!("http://{}", app.listen()).parse().unwrap();
        let admin = format!("http://{}", app.admin_listen()).parse().unwrap();
        let mut running = JoinSet::new();
        running.spawn(app.run(shutdown.clone()));
        Self {
            clock,
            url,
            admin,
            shutdown,
            running,
            log,
            _guard: guard,
            _folder: folder,
        }
    }

    /// An event, signed some seconds from now.
    pub(crate) fn signed(&self, id: &str, after: i64) -> Outgoing {
        let event = TestEvent::new(id, "application/json", "{}");
        let at = self.clock.now() + jiff::SignedDuration::from_secs(after);
        sign(School::new().source(), &event, &self.url, at).unwrap()
    }

    /// The status, and the gateway's word for what it did.
    pub(crate) async fn post(&self, signed: Outgoing) -> (u16, String) {
        let answer = Sender::new()
            .unwrap()
            .post(signed, &self.url)
            .await
            .unwrap();
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        (
            answer.status,
            body["status"].as_str().unwrap_or_default().to_owned(),
        )
    }

    async fn send(&self, id: &str) -> u16 {
        self.post(self.signed(id, 0)).await.0
    }

    /// Posts JSON to the operators' port, and goes away without waiting for the answer.
    pub(crate) async fn post_and_leave(&self, path: &str, wish: &str) {
        let address = self.admin.socket_addrs(|| None).unwrap()[0];
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{wish}",
            wish.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
    }

    pub(crate) async fn look(&self, path: &str) -> String {
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only(std::iter::empty())
            .build()
            .unwrap();
        let mut answer = client
            .get(self.admin.join(path).unwrap())
            .send()
            .await
            .unwrap();
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.unwrap() {
            body.extend_from_slice(&piece);
        }
        String::from_utf8(body).unwrap()
    }

    /// Where webhooks arrive.
    pub(crate) const fn url(&self) -> &Url {
        &self.url
    }

    /// As a first signal does.
    pub(crate) fn begin_to_stop(&self) {
        self.shutdown.begin();
    }

    /// Waits for its end in order.
    pub(crate) async fn ended(mut self) {
        while let Some(ended) = self.running.join_next().await {
            ended.unwrap().unwrap();
        }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.abort();
        self.shutdown.begin();
        self.ended().await;
    }
}

#[tokio::test]
async fn an_old_secret_that_is_still_used_is_told_of_once_a_day_before_it_ends() {
    let ending = SOURCE_FILE.replace(
        "{env: SCHOOL_SECRET}",
        "{env: SCHOOL_SECRET, until: 2026-03-11}",
    );
    let gateway = Driven::start(&ending).await;
    let told = "a secret that the sender still uses is about to end";
    let told = || gateway.log.count("WARN", told);
    assert_eq!(
        (gateway.send("1").await, told()),
        (200, 0),
        "nine days before"
    );
    gateway.clock.advance(DAY * 3);
    assert_eq!(
        (gateway.send("2").await, told()),
        (200, 1),
        "six and a half days before"
    );
    gateway.clock.advance(DAY / 2);
    assert_eq!(
        (gateway.send("3").await, told()),
        (200, 1),
        "said within a day"
    );
    gateway.clock.advance(DAY / 2);
    assert_eq!((gateway.send("4").await, told()), (200, 2));
    assert_eq!(
        gateway
            .log
            .count("INFO", "\"secret.name\":\"env:SCHOOL_SECRET\""),
        4
    );

    let end: jiff::Timestamp = "2026-03-12T00:00:00Z".parse().unwrap();
    let line = format!("secret=\"env:SCHOOL_SECRET\"}} {}.0", end.as_second());
    assert!(gateway.look("metrics").await.contains(&line), "{line}");
    let accepted = async || {
        let status: Value = serde_json::from_str(&gateway.look("api/v1/status").await).unwrap();
        status["sources"][0]["secrets"].clone()
    };
    let shown = |accepted: bool| serde_json::json!([{"secret": "env:SCHOOL_SECRET", "until": "2026-03-12T00:00:00Z", "accepted": accepted}]);
    assert_eq!(accepted().await, shown(true));

    gateway.clock.advance(DAY * 6);
    let none_left =
        "every request of this source is refused: all its secrets have passed their `until`";
    for id in ["5", "6"] {
        assert_eq!(gateway.send(id).await, 401);
        assert_eq!(gateway.log.count("ERROR", none_left), 1);
    }
    assert_eq!(accepted().await, shown(false));
    gateway.clock.advance(DAY);
    assert_eq!(
        (
            gateway.send("7").await,
            gateway.log.count("ERROR", none_left)
        ),
        (401, 2)
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_captured_request_changes_nothing_as_long_as_its_signature_is_good_and_is_refused_after()
{
    let gateway = Driven::start(SOURCE_FILE).await;
    let accepted = |word: &str| (200, word.to_owned());
    // Signed by a clock that goes ahead as far as it may, so that it stays good for twice the tolerance.
    let captured = gateway.signed("1", 300);
    assert_eq!(gateway.post(captured.clone()).await, accepted("accepted"));
    for _ in 0..2 {
        assert_eq!(gateway.post(captured.clone()).await, accepted("duplicate"));
        gateway.clock.advance(Duration::from_mins(5));
    }
    assert_eq!(
        gateway.post(captured.clone()).await,
        accepted("duplicate"),
        "the edge is inside"
    );
    gateway.clock.advance(Duration::from_secs(1));
    assert_eq!(gateway.post(captured).await.0, 401);
    assert!(
        gateway
            .look("metrics")
            .await
            .contains("reason=\"timestamp-too-old\"} 1")
    );
    gateway.stop().await;
}
