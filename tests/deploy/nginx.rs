//! A real nginx with the shipped configuration, before gateways of a test.

use std::{
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use url::Url;

use crate::{file, free_port, program, support::until};

/// A running nginx. Dropping it ends the process.
pub(crate) struct Nginx {
    child: Child,
    listen: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// Starts it before gateways and waits until it answers; nothing where there is no nginx, which is said.
    pub(crate) async fn start(test: &str, gateways: &[SocketAddr]) -> Option<Self> {
        let program = program(test, ["nginx", "/usr/sbin/nginx"])?;
        let listen = free_port();
        let folder = tempfile::Builder::new()
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap();
        let at = folder.path();
        std::fs::write(at.join("gateways.conf"), settings(listen, at, gateways)).unwrap();
        let at = at.display();
        // What a distribution's nginx.conf says besides; one process, so that it ends with the test.
        let main = format!(
            "daemon off;\nmaster_process off;\npid {at}/pid;\nerror_log {at}/error;\nevents {{}}\nhttp {{\n\
             client_body_temp_path {at}/body;\nproxy_temp_path {at}/proxy;\nfastcgi_temp_path {at}/fastcgi;\n\
             uwsgi_temp_path {at}/uwsgi;\nscgi_temp_path {at}/scgi;\ninclude {at}/gateways.conf;\n}}\n"
        );
        let path = folder.path().join("nginx.conf");
        std::fs::write(&path, main).unwrap();
        let child = Command::new(program)
            .arg("-c")
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let proxy = Self {
            child,
            listen,
            _folder: folder,
        };
        until("nginx to answer", async || {
            let answer = reqwest::get(proxy.url()).await;
            match answer.map(|answer| answer.status().as_u16()) {
                Ok(404) => Ok(()),
                other => Err(other),
            }
        })
        .await;
        Some(proxy)
    }

    /// Where senders come in.
    pub(crate) fn url(&self) -> Url {
        format!("http://{}", self.listen).parse().unwrap()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The shipped file with the addresses and the folder of this test, and nothing else changed.
fn settings(listen: SocketAddr, folder: &std::path::Path, gateways: &[SocketAddr]) -> String {
    let shipped = file("deploy/nginx/quentli-gateway.conf");
    let mut servers = gateways.iter();
    let mut settings = String::new();
    for line in shipped.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let line = match words[..] {
            ["listen", "80;"] => format!("listen {listen};"),
            ["access_log", _, format] => format!("access_log {}/access {format}", folder.display()),
            ["server", shown, ..] if shown != "{" => match servers.next() {
                Some(server) => line.replace(shown, &server.to_string()),
                None => continue,
            },
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
