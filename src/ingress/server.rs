//! The accept loop of a port: bounded connections, bounded time for a head and for taking an answer, orderly end.
//!
//! Written on hyper, because axum's own loop cuts off neither a client that sends nothing nor one that sends half a
//! head (`tokio-rs/axum#3478`).

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use axum::Router;
use http::Request;
use hyper::{
    body::Incoming,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::task::TaskTracker;

use crate::lifecycle::Shutdown;

/// Heads of requests up to this size are taken, in bytes, and none of twice the size; header fields are at most hyper's 100.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Connections that wait for the accept loop.
const BACKLOG: u32 = 1024;

/// Bounds on connections.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// Open at once; further ones wait in the listen queue.
    pub connections: NonZeroU32,
    /// From the first byte, or from the last answer, to the end of the next head. Also ends idle connections.
    pub header_timeout: Duration,
    /// How long a client may take nothing of what is written to it. Whoever reads slowly, but reads, is not cut off.
    pub answer_timeout: Duration,
}

/// Whose connection a request came by; every request has it as an extension.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectedFrom(pub(super) IpAddr);

/// Opens a port; port 0 picks a free one.
///
/// # Errors
/// The address is in use or not ours.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until soft shutdown; then closes the port, lets requests under way end, and returns when all connections
/// are closed or hard shutdown fires.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServerLimits,
    shutdown: Shutdown,
) {
    let slots = Arc::new(Semaphore::new(
        usize::try_from(limits.connections.get()).unwrap_or(usize::MAX),
    ));
    let graceful = GracefulShutdown::new();
    let connections = TaskTracker::new();
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(MAX_HEAD_BYTES);

    while let Some((stream, from, slot)) = next_connection(&listener, &slots, &shutdown).await {
        let router = TowerToHyperService::new(router.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectedFrom(from));
            router.call(request)
        });
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(limits.answer_timeout));
        let io = TokioIo::new(Box::pin(stream));
        let connection = graceful.watch(http.serve_connection(io, service));
        let hard = shutdown.hard().clone();
        connections.spawn(async move {
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(error.chain = %error, "connection ended");
                },
                () = hard.cancelled() => {}
            }
            drop(slot);
        });
    }
    drop(listener);
    connections.close();
    tokio::select! {
        () = async { tokio::join!(graceful.shutdown(), connections.wait()); } => {}
        () = shutdown.hard().cancelled() => {}
    }
}

async fn next_connection(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    shutdown: &Shutdown,
) -> Option<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    loop {
        let next = async {
            let slot = Arc::clone(slots)
                .acquire_owned()
                .await
                .expect("the semaphore is never closed");
            (listener.accept().await, slot)
        };
        let (accepted, slot) = tokio::select! {
            biased;
            () = shutdown.soft().cancelled() => return None,
            next = next => next,
        };
        match accepted {
            Ok((stream, from)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(error.chain = %error, "a connection broke before it was served");
                    continue;
                }
                return Some((stream, from.ip(), slot));
            }
            // Out of file descriptors, or the client is gone already: wait a little rather than spin.
            Err(error) => {
                tracing::warn!(error.chain = %error, "cannot take a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
