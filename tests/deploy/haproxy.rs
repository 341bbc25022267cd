//! A real HAProxy with the shipped configuration, before gateways of a test.

use std::{
    net::SocketAddr,
    process::{Child, Stdio},
};

use url::Url;

use crate::{
    file, free_port, program,
    support::{children, until},
};

/// A running HAProxy. Dropping it kills the process.
pub(crate) struct HaProxy {
    child: Child,
    listen: SocketAddr,
    watch: SocketAddr,
    folder: tempfile::TempDir,
}

impl HaProxy {
    /// Starts it before gateways and waits until it calls all of them well; nothing where there is no HAProxy, which is said.
    pub(crate) async fn start(test: &str, gateways: &[SocketAddr]) -> Option<Self> {
        let program = program(test, ["haproxy", "/usr/sbin/haproxy"])?;
        let (listen, watch) = (free_port(), free_port());
        let folder = tempfile::Builder::new()
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap();
        let settings = settings(listen, watch, gateways);
        let path = folder.path().join("haproxy.cfg");
        std::fs::write(&path, settings).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = children::command(program);
        command
            .args(["-db", "-f"])
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let child = children::spawn(command).unwrap();
        let proxy = Self {
            child,
            listen,
            watch,
            folder,
        };
        let all = (1..=gateways.len()).map(|number| format!("gateway-{number}"));
        for gateway in all {
            proxy.comes_to_be(&gateway, "UP").await;
        }
        Some(proxy)
    }

    /// Where senders come in.
    pub(crate) fn url(&self) -> Url {
        format!("http://{}", self.listen).parse().unwrap()
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Waits until it takes a gateway for `UP` or `DOWN`.
    pub(crate) async fn comes_to_be(&self, gateway: &str, state: &str) {
        until(&format!("{gateway} to be {state}"), async || {
            let page = match reqwest::get(format!("http://{}/;csv", self.watch)).await {
                Ok(answer) => answer.text().await.unwrap(),
                Err(error) => return Err(format!("{error}; {}", self.log())),
            };
            let mut lines = page.lines();
            let column = |name: &str, line: &str| {
                let at = page.lines().next().unwrap().split(',');
                let at = at.into_iter().position(|column| column == name).unwrap();
                line.split(',').nth(at).unwrap().to_owned()
            };
            let line = lines.find(|line| column("svname", line) == gateway);
            let found = line.map(|line| column("status", line)).unwrap_or_default();
            // While checks fail or succeed one after the other, it is `UP 1/2` or the like.
            if found == state { Ok(()) } else { Err(found) }
        })
        .await;
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The shipped file with the addresses of this test, and nothing else changed.
fn settings(listen: SocketAddr, watch: SocketAddr, gateways: &[SocketAddr]) -> String {
    let shipped = file("deploy/haproxy/haproxy.cfg");
    let mut servers = gateways.iter().enumerate();
    let mut settings = String::new();
    for line in shipped.lines() {
        let line = match line.trim() {
            "bind :80" => format!("    bind {listen}"),
            "bind 127.0.0.1:8404" => format!("    bind {watch}"),
            server if server.starts_with("server gateway-") => {
                let Some((index, address)) = servers.next() else {
                    continue;
                };
                format!("    server gateway-{} {address}", index + 1)
            }
            _ => line.to_owned(),
        };
        settings.push_str(&line);
        settings.push('\n');
    }
    assert!(
        servers.next().is_none(),
        "the shipped file has too few servers"
    );
    settings
}
