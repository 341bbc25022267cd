//! A sandbox that serves on a port of its own, a client for it, and a plain reader of HTTP answers.

use std::{net::SocketAddr, time::Duration};

use quentli_gateway::{
    customer::Patch,
    quentli::{CallError, CallErrorKind, Client, ClientSettings},
    sandbox::{Exchange, Running, Sandbox, Settings},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::schema::Checker;

pub(crate) const KEY: &str = "sk_sandbox_0123456789";

/// How long a test waits for what must happen at once.
const LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) client: Client,
    pub(crate) running: Running,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let sandbox = Sandbox::new(settings);
        let running = sandbox.start(([127, 0, 0, 1], 0).into()).await.unwrap();
        Self {
            client: client(&running.url()),
            sandbox,
            running,
        }
    }

    /// Adds a customer with this user name.
    pub(crate) fn customer(&self, username: &str) -> quentli_gateway::customer::CustomerId {
        let customer = serde_json::json!({"username": username});
        self.sandbox.add(&customer).unwrap().parse().unwrap()
    }

    /// The only request so far.
    pub(crate) fn only_exchange(&self) -> Exchange {
        let mut exchanges = self.sandbox.exchanges();
        assert_eq!(exchanges.len(), 1, "{exchanges:?}");
        exchanges.remove(0)
    }

    /// Fails if anything was asked or answered that Quentli's schema does not have.
    pub(crate) fn check_schema(&self) {
        let problems = Checker::new().problems(&self.sandbox.exchanges());
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }

    /// Waits until this many requests have ended.
    pub(crate) async fn ended(&self, count: u64) {
        let mut ended = self.sandbox.ended();
        let wait = ended.wait_for(|ended| *ended >= count);
        let in_time = tokio::time::timeout(LIMIT, wait).await.is_ok();
        let seen = self.sandbox.exchanges();
        assert!(in_time, "not {count} requests ended: {seen:?}");
    }

    /// A request of any kind, past the client of Quentli.
    pub(crate) async fn request(
        &self,
        method: &str,
        address: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, String) {
        request(self.running.address(), method, address, headers, body).await
    }

    /// The same with the key, and the body and answer as JSON.
    pub(crate) async fn api(&self, method: &str, address: &str, body: &str) -> (u16, Value) {
        let authorization = format!("Bearer {KEY}");
        let headers = [("authorization", authorization.as_str())];
        let (status, text) = self.request(method, address, &headers, body).await;
        (status, serde_json::from_str(&text).unwrap())
    }
}

pub(crate) fn settings(url: &str) -> ClientSettings {
    ClientSettings {
        timeout: LIMIT,
        ..ClientSettings::new(url.parse().unwrap(), KEY.into())
    }
}

pub(crate) fn client(url: &str) -> Client {
    Client::new(settings(url)).unwrap()
}

/// A client that gives up soon.
pub(crate) fn hasty_client(url: &str) -> Client {
    Client::new(ClientSettings {
        timeout: Duration::from_secs(1),
        ..settings(url)
    })
    .unwrap()
}

pub(crate) fn patch(json: &str) -> Patch {
    serde_json::from_str(json).unwrap()
}

/// The kind and status of a call that must have failed; the error must not show the key.
pub(crate) fn failure<T: std::fmt::Debug>(
    result: Result<T, CallError>,
) -> (CallErrorKind, Option<u16>) {
    let error = result.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(KEY), "{shown}");
    (error.kind, error.status)
}

/// One request on a connection of its own; gives the status and the body.
pub(crate) async fn request(
    to: SocketAddr,
    method: &str,
    address: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String) {
    let headers: String = headers
        .iter()
        .flat_map(|(name, value)| [name, ": ", value, "\r\n"])
        .collect();
    let text = format!(
        "{method} {address} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let exchange = async {
        let mut stream = TcpStream::connect(to).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = tokio::time::timeout(LIMIT, exchange).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// What a foreign server does once it has read a request.
#[derive(Clone)]
pub(crate) enum Then {
    /// Sends this and closes.
    Send(Vec<u8>),
    /// Sends this and leaves the connection open.
    SendAndHold(Vec<u8>),
}

/// A server that is not Quentli and says the same to everybody.
pub(crate) struct Foreign {
    pub(crate) url: String,
    _tasks: JoinSet<()>,
}

impl Foreign {
    pub(crate) async fn new(then: Then) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let then = then.clone();
                connections.spawn(async move { serve_foreign(stream, then).await });
            }
        });
        Self { url, _tasks: tasks }
    }

    /// A whole answer with this status line, further header lines and body.
    pub(crate) async fn answering(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}");
        Self::new(Then::Send(answer.into_bytes())).await
    }
}

async fn serve_foreign(mut stream: TcpStream, then: Then) {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    // The whole head, and the body where its length is given.
    loop {
        let text = String::from_utf8_lossy(&read).to_ascii_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                break;
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(count) => read.extend_from_slice(&buffer[..count]),
        }
    }
    let (bytes, hold) = match then {
        Then::Send(bytes) => (bytes, false),
        Then::SendAndHold(bytes) => (bytes, true),
    };
    // The client may have gone away, which is its right.
    if stream.write_all(&bytes).await.is_ok() && hold {
        std::future::pending::<()>().await;
    }
}
