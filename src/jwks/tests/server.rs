//! A key server that answers as a test tells it, and counts.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body, extract::State, routing::any};
use http::{Response, header};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinSet};

/// What the server answers.
#[derive(Clone)]
pub(crate) enum Behaviour {
    Keys(Value),
    /// Keys with a header `Cache-Control`.
    Cached(Value, &'static str),
    Status(u16),
    Text(String),
    /// The head of an answer, and never the rest.
    Silence,
    Redirect(String),
}

pub(crate) struct KeyServer {
    pub(crate) url: String,
    behaviour: Arc<Mutex<Behaviour>>,
    asked: watch::Receiver<usize>,
    _task: JoinSet<()>,
}

#[derive(Clone)]
struct Shared {
    behaviour: Arc<Mutex<Behaviour>>,
    asked: Arc<watch::Sender<usize>>,
}

impl KeyServer {
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let (sender, asked) = watch::channel(0);
        let behaviour = Arc::new(Mutex::new(behaviour));
        let shared = Shared {
            behaviour: Arc::clone(&behaviour),
            asked: Arc::new(sender),
        };
        let router = Router::new().fallback(any(answer)).with_state(shared);
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            behaviour,
            asked,
            _task: task,
        }
    }

    pub(crate) fn set(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        *self.asked.borrow()
    }

    /// Waits until it was asked so often.
    pub(crate) async fn was_asked(&self, times: usize) {
        let mut asked = self.asked.clone();
        let reached = asked.wait_for(|asked| *asked >= times);
        let waited = tokio::time::timeout(Duration::from_secs(20), reached).await;
        let count = waited.map(|reached| *reached.unwrap());
        assert_eq!(count.unwrap_or_else(|_| self.asked()), times);
    }
}

async fn answer(State(shared): State<Shared>) -> Response<Body> {
    let behaviour = shared.behaviour.lock().unwrap().clone();
    shared.asked.send_modify(|asked| *asked += 1);
    let document = |keys: &Value| Body::from(json!({"keys": keys}).to_string());
    let builder = Response::builder();
    let built = match behaviour {
        Behaviour::Keys(keys) => builder.body(document(&keys)),
        Behaviour::Cached(keys, cache) => builder
            .header(header::CACHE_CONTROL, cache)
            .body(document(&keys)),
        Behaviour::Status(status) => builder.status(status).body(Body::empty()),
        Behaviour::Text(text) => builder.body(Body::from(text)),
        Behaviour::Silence => {
            let never = futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
            builder.body(Body::from_stream(never))
        }
        Behaviour::Redirect(to) => builder
            .status(302)
            .header(header::LOCATION, to)
            .body(Body::empty()),
    };
    built.unwrap()
}
