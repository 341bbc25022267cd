//! `sandbox`: a local Quentli to try things against.

use std::net::SocketAddr;

use super::{Exit, output};
use crate::{
    lifecycle::Signals,
    sandbox::{Sandbox, Settings},
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where it listens; its control addresses ask for no key, so keep it on the loopback
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
}

pub(super) async fn run(arguments: Arguments) -> Exit {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            output::error(&format!("cannot listen for signals: {error}"));
            return Exit::Internal;
        }
    };
    if !arguments.listen.ip().is_loopback() {
        output::note(&format!(
            "warning: {} can be reached by others, and the sandbox's control addresses ask for no key",
            arguments.listen
        ));
    }
    let sandbox = Sandbox::new(Settings::default());
    let running = match sandbox.start(arguments.listen).await {
        Ok(running) => running,
        Err(error) => {
            output::error(&format!("cannot listen on {}: {error}", arguments.listen));
            return Exit::Unavailable;
        }
    };
    let url = running.url();
    output::line(&format!(
        "A local stand-in for Quentli's customers API, in memory only. Any key is taken.

  page for people    {url}/
  for the gateway    QUENTLI_API_URL={url} QUENTLI_API_KEY=sk_any quentli-gateway serve
  add a customer     curl {url}/sandbox/customers -d '{{\"name\": \"Ana Luna\", \"username\": \"tut-1\"}}'
  order a trouble    curl {url}/sandbox/faults -d '{{\"action\": {{\"status\": {{\"status\": 500}}}}}}'

Ctrl-C ends it."
    ));
    signals.next().await;
    running.stop().await;
    Exit::Fine
}
