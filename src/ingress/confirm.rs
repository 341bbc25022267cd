//! Fetches the address that a sender wants confirmed, in the background: one at a time for each source, with short
//! limits, without following anything.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio_util::task::TaskTracker;

use crate::{
    event::SourceName,
    telemetry::{HandshakeOutcome, Metrics},
    verify::handshake::ConfirmUrl,
};

/// From the look-up of the name to the end of the answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// More than any confirmation says; the rest is not read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Those who fetch.
#[derive(Debug, Default)]
pub(super) struct Confirmer {
    under_way: Arc<Mutex<BTreeSet<SourceName>>>,
    tasks: TaskTracker,
}

/// The turn of a source, given back when it is dropped.
struct Turn {
    under_way: Arc<Mutex<BTreeSet<SourceName>>>,
    source: SourceName,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.source);
    }
}

impl Confirmer {
    /// Begins to fetch an address; `false` where one of the same source is under way. What came of it is logged and
    /// counted.
    pub(super) fn begin(&self, source: &SourceName, url: ConfirmUrl, metrics: &Metrics) -> bool {
        let is_first = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(source.clone());
        if !is_first {
            return false;
        }
        let turn = Turn {
            under_way: Arc::clone(&self.under_way),
            source: source.clone(),
        };
        let metrics = metrics.clone();
        self.tasks.spawn(async move {
            let fetched = fetch(&url).await;
            let outcome = match &fetched {
                Ok(status) if status.is_success() => HandshakeOutcome::Confirmed,
                Ok(_) | Err(_) => HandshakeOutcome::Unconfirmed,
            };
            metrics.handshake(&turn.source, "confirm-url", outcome);
            match fetched {
                Ok(status) if status.is_success() => {
                    tracing::info!(source = %turn.source, host = url.host(), "the address was confirmed to its sender");
                }
                Ok(status) => {
                    tracing::warn!(
                        source = %turn.source, host = url.host(), http.status = status.as_u16(),
                        "the address could not be confirmed to its sender; register it again"
                    );
                }
                Err(error) => {
                    // The address itself holds a token.
                    let error = error.without_url();
                    tracing::warn!(
                        source = %turn.source, host = url.host(), error.chain = %error,
                        "the address could not be confirmed to its sender; register it again"
                    );
                }
            }
        });
        true
    }

    /// Waits for those under way; at most as long as one may take.
    pub(super) async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn fetch(url: &ConfirmUrl) -> Result<reqwest::StatusCode, reqwest::Error> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("quentli-gateway/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .timeout(TIMEOUT);
    if url.url().scheme() == "http" {
        // On this machine, for tests: neither a proxy nor the system's certificates are needed.
        builder = builder.no_proxy().tls_certs_only(std::iter::empty());
    }
    let mut response = builder.build()?.get(url.url().clone()).send().await?;
    let mut read = 0_usize;
    while let Some(piece) = response.chunk().await? {
        read = read.saturating_add(piece.len());
        if read > MAX_ANSWER_BYTES {
            break;
        }
    }
    Ok(response.status())
}
