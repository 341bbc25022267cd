//! Serving: the routes, and a server that can close a connection instead of answering.
//!
//! Web frameworks turn every outcome into a response. Hyper itself closes the connection when a service fails, which
//! is how a cut is made.

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, routing::get};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{
    Sandbox,
    api::{self, Cut},
    control, page,
};

/// The most connections at once; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 512;

/// How long requests in flight may take to end once the server shall stop.
const GRACE: Duration = Duration::from_secs(2);

impl Sandbox {
    /// All routes. Served by anything but [`Sandbox::serve`], a cut connection becomes a 500.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", get(page::show))
            .merge(control::routes())
            .fallback(api::handle)
            .with_state(self.clone())
    }

    /// Serves until `shutdown`, then gives requests in flight two seconds.
    pub async fn serve(&self, listener: TcpListener, shutdown: CancellationToken) {
        let router = self.router();
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let accepted = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = accept(&listener, &places) => accepted,
            };
            match accepted {
                Ok((stream, place)) => {
                    let connection = serve_connection(stream, router.clone(), shutdown.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                // No more file descriptors, say: others must end first.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        drop(listener);
        let ended = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            connections.shutdown().await;
        }
    }

    /// Listens on an address (port 0 picks a free one) and serves until the result is dropped or stopped.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn start(&self, address: SocketAddr) -> io::Result<Running> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let (sandbox, token) = (self.clone(), shutdown.clone());
        tasks.spawn(async move { sandbox.serve(listener, token).await });
        Ok(Running {
            address,
            shutdown,
            tasks,
        })
    }
}

/// A sandbox that serves on an address of its own. Dropping it stops it at once.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    shutdown: CancellationToken,
    tasks: JoinSet<()>,
}

impl Running {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where a client finds it: `http://127.0.0.1:41234`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops it and waits until its port is free, so that connecting is refused. The sandbox keeps its state and can be
    /// started again.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, place))
}

/// The failure that makes hyper close the connection.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut by order of a fault")]
struct CutByFault;

async fn serve_connection(stream: TcpStream, router: Router, shutdown: CancellationToken) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let router = router.clone();
        async move {
            let response = match router.oneshot(request.map(Body::new)).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            if response.extensions().get::<Cut>().is_some() {
                Err(CutByFault)
            } else {
                Ok(response)
            }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // However a connection ends, there is nothing to be done about it: the record has what was asked.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    connection.await.unwrap_or_default();
}
