//! The way from a replica to the database, which can be cut without anybody being told: nothing comes through, and nothing
//! says so, until it is healed and what was on its way arrives after all.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

pub(crate) struct Wire {
    /// What the replica takes for the database.
    pub(crate) address: SocketAddr,
    is_cut: watch::Sender<bool>,
}

impl Wire {
    /// Leads to the database at `to`, such as `127.0.0.1:5432`, as long as the test runs.
    pub(crate) async fn new(to: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (is_cut, seen) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((here, _)) = listener.accept().await {
                tokio::spawn(lead(here, to.clone(), seen.clone()));
            }
        });
        Self { address, is_cut }
    }

    pub(crate) fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    pub(crate) fn heal(&self) {
        self.is_cut.send_replace(false);
    }
}

/// One connection, until either side closes it.
async fn lead(here: TcpStream, to: String, is_cut: watch::Receiver<bool>) {
    // Where nobody listens the replica's connection is closed, too.
    let Ok(there) = TcpStream::connect(to).await else {
        return;
    };
    let (asked, answers) = here.into_split();
    let (answered, questions) = there.into_split();
    tokio::select! {
        () = pass(asked, questions, is_cut.clone()) => {}
        () = pass(answered, answers, is_cut) => {}
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut is_cut: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        let is_open = is_cut.wait_for(|is_cut| !is_cut).await.is_ok();
        if !is_open || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
