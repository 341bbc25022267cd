//! `healthcheck`: asks a running gateway's `/ready`; for containers without a shell.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{Exit, output};
use crate::config::Environment;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration file that says where the gateway listens [default: gateway.yaml where it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    /// Where the gateway listens [default: as for `serve`]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// How long to wait for the answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    timeout: u64,
}

pub(super) async fn run(arguments: Arguments, environment: Environment) -> Exit {
    // A port of its own to ask at is all it needs: mistakes elsewhere in the configuration are not its business.
    let address = arguments
        .listen
        .or_else(|| environment.get("GATEWAY_LISTEN").map(str::to_owned))
        .or_else(|| listen_of_file(arguments.config, &environment))
        .unwrap_or_else(|| "0.0.0.0:8080".to_owned());
    let Ok(address) = address.parse::<SocketAddr>() else {
        output::error(&format!("`{address}` is not an address and a port"));
        return Exit::Configuration;
    };
    let address = super::from_here(address);
    match tokio::time::timeout(Duration::from_secs(arguments.timeout), ask(address)).await {
        Ok(Ok(200)) => Exit::Fine,
        Ok(Ok(status)) => {
            output::error(&format!(
                "not ready: http://{address}/ready answers {status}"
            ));
            Exit::Bad
        }
        Ok(Err(error)) => {
            output::error(&format!("http://{address}/ready cannot be asked: {error}"));
            Exit::Unavailable
        }
        Err(_) => {
            output::error(&format!("http://{address}/ready does not answer"));
            Exit::Unavailable
        }
    }
}

fn listen_of_file(file: Option<std::path::PathBuf>, environment: &Environment) -> Option<String> {
    let flags = crate::config::Flags {
        config: file,
        ..Default::default()
    };
    crate::config::Config::load(&flags, environment)
        .ok()
        .map(|config| config.listen.to_string())
}

async fn ask(address: SocketAddr) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    let status = head
        .get(9..)
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok());
    status.ok_or_else(|| std::io::Error::other("what answers there is not HTTP"))
}
