//! A stand-in for Quentli that takes every change at once and only counts, so that it is not what is measured.

use std::net::SocketAddr;

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::patch,
};
use serde_json::{Value, json};
use tokio::sync::watch;

pub(crate) struct Quentli {
    address: SocketAddr,
    changes: watch::Receiver<u64>,
}

impl Quentli {
    pub(crate) async fn start() -> Self {
        let (count, changes) = watch::channel(0);
        let router = Router::new()
            .route("/v1/customers/{id}", patch(change))
            .with_state(count);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // Ends with the program.
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, changes }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until so many changes came.
    pub(crate) async fn has(&self, many: u64) {
        let mut changes = self.changes.clone();
        changes.wait_for(|count| *count >= many).await.unwrap();
    }
}

async fn change(State(count): State<watch::Sender<u64>>, Path(id): Path<String>) -> Json<Value> {
    count.send_modify(|count| *count += 1);
    Json(json!({"customer": {"id": id}}))
}
