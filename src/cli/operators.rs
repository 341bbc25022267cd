//! Asks a running gateway on its operators' port, for the commands that do.

#![expect(
    clippy::doc_markdown,
    reason = "comments on arguments are the help that people read"
)]

use std::time::Duration;

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::{Exit, output};
use crate::{
    config::{Admin, Config, Environment, Flags},
    event::OperatorName,
};

/// The largest answer that is read: a report holds a few hundred lines at most.
const MAX_ANSWER_BYTES: usize = 4 << 20;
/// The same of bodies of events, which are as large as `limits.body` lets them be.
const MAX_FETCHED_BYTES: usize = 1 << 30;

/// Where the port is.
#[derive(Debug, clap::Args)]
pub(super) struct Port {
    /// The configuration file that says where the gateway listens for operators, and with which token
    /// [environment: GATEWAY_CONFIG] [default: gateway.yaml where it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    /// Where the gateway listens for operators [environment: GATEWAY_ADMIN_LISTEN] [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDR")]
    admin_listen: Option<String>,
    /// Who you are, for the audit log of what people do [default: your user name on this machine]
    #[arg(long, value_name = "NAME")]
    by: Option<OperatorName>,
    /// How long to wait for the answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 40)]
    timeout: u64,
}

/// A gateway's operators' port.
pub(super) struct Operators {
    admin: Admin,
    by: Option<OperatorName>,
    limit: Duration,
}

/// What is sent along.
enum Payload {
    Text(String),
    Json(Value),
}

impl Port {
    /// Finds the port; what hinders is shown.
    ///
    /// # Errors
    /// How the command ends then.
    pub(super) fn find(self, environment: &Environment) -> Result<Operators, Exit> {
        let flags = Flags {
            config: self.config,
            admin_listen: self.admin_listen,
            ..Flags::default()
        };
        match Config::load_admin(&flags, environment) {
            Ok(mut admin) => {
                admin.listen = super::from_here(admin.listen);
                let limit = Duration::from_secs(self.timeout);
                let by = self.by.or_else(|| user(environment));
                Ok(Operators { admin, by, limit })
            }
            Err(error) => {
                for found in &error.findings {
                    output::findings(found, output::usual_style(environment));
                }
                Err(Exit::Configuration)
            }
        }
    }
}

impl Operators {
    /// Asks for `path`, which begins with `/`; the status and the JSON of the answer.
    ///
    /// # Errors
    /// Nobody answers, which is shown; how the command ends then.
    pub(super) async fn ask(&self, method: Method, path: &str) -> Result<(u16, Value), Exit> {
        self.ask_with(method, path, None).await
    }

    /// Posts a text to `path`; the rest as in [`Operators::ask`].
    ///
    /// # Errors
    /// As in [`Operators::ask`].
    pub(super) async fn post_text(&self, path: &str, text: String) -> Result<(u16, Value), Exit> {
        self.ask_with(Method::POST, path, Some(Payload::Text(text)))
            .await
    }

    async fn ask_with(
        &self,
        method: Method,
        path: &str,
        payload: Option<Payload>,
    ) -> Result<(u16, Value), Exit> {
        match self.send(method, path, payload, MAX_ANSWER_BYTES).await {
            Ok((status, body)) => Ok((status, serde_json::from_slice(&body).unwrap_or_default())),
            Err(error) => Err(self.unreachable(error)),
        }
    }

    /// Asks, and expects an answer that has the member `part`.
    ///
    /// # Errors
    /// Anything else, which is shown; how the command ends then.
    pub(super) async fn answered(
        &self,
        method: Method,
        path: &str,
        part: &str,
    ) -> Result<Value, Exit> {
        let (status, answer) = self.ask(method, path).await?;
        self.with_part(status, answer, part)
    }

    /// As [`Operators::answered`], by whoever asks again and again: only the reason, and nothing is shown, while nobody
    /// answers or the gateway cannot answer now.
    ///
    /// # Errors
    /// Any other answer, which is shown; how the command ends then.
    pub(super) async fn answered_again(
        &self,
        path: &str,
        part: &str,
    ) -> Result<Result<Value, String>, Exit> {
        match self.send(Method::GET, path, None, MAX_ANSWER_BYTES).await {
            Err(error) => Ok(Err(output::chain(&error.without_url()))),
            Ok((status @ (503 | 504), _)) => Ok(Err(format!("it answered {status}"))),
            Ok((status, body)) => {
                let answer = serde_json::from_slice(&body).unwrap_or_default();
                self.with_part(status, answer, part).map(Ok)
            }
        }
    }

    /// Posts a wish, and expects an answer that has the member `part`.
    ///
    /// # Errors
    /// As [`Operators::answered`].
    pub(super) async fn post(&self, path: &str, wish: &Value, part: &str) -> Result<Value, Exit> {
        let (status, answer) = self
            .ask_with(Method::POST, path, Some(Payload::Json(wish.clone())))
            .await?;
        self.with_part(status, answer, part)
    }

    fn with_part(&self, status: u16, answer: Value, part: &str) -> Result<Value, Exit> {
        if status == 200 && answer.get(part).is_some() {
            Ok(answer)
        } else {
            Err(self.refused(status, &answer))
        }
    }

    /// Asks for something that is not JSON.
    ///
    /// # Errors
    /// Anything else than that, which is shown; how the command ends then.
    pub(super) async fn fetch(&self, path: &str) -> Result<Vec<u8>, Exit> {
        match self.send(Method::GET, path, None, MAX_FETCHED_BYTES).await {
            Ok((200, body)) if body.len() < MAX_FETCHED_BYTES => Ok(body),
            Ok((200, _)) => {
                output::error("what the gateway sends is larger than this command takes");
                Err(Exit::Bad)
            }
            Ok((status, body)) => {
                Err(self.refused(status, &serde_json::from_slice(&body).unwrap_or_default()))
            }
            Err(error) => Err(self.unreachable(error)),
        }
    }

    /// Says that nobody answers; how the command ends then.
    fn unreachable(&self, error: reqwest::Error) -> Exit {
        let error = output::chain(&error.without_url());
        output::error(&format!(
            "the gateway cannot be asked at http://{}: {error}",
            self.admin.listen
        ));
        Exit::Unavailable
    }

    /// Says why an answer is not what was asked for, by its status and its problem; how the command ends then.
    pub(super) fn refused(&self, status: u16, answer: &Value) -> Exit {
        let text = |name| answer.get(name).and_then(Value::as_str).unwrap_or_default();
        let exit = match status {
            // The token is a setting, and wrong or missing here.
            401 => Exit::Configuration,
            400 | 403 | 409 => Exit::Bad,
            // A page of the webhooks' port would be named.
            404 | 405 if text("type") == "about:blank" => Exit::Bad,
            503 | 504 => Exit::Unavailable,
            _ => {
                output::error(&format!(
                    "what answers at http://{} is not the gateway's operators' port, as `admin.listen` in \
                     gateway.yaml, GATEWAY_ADMIN_LISTEN or --admin-listen names it; webhooks have another",
                    self.admin.listen
                ));
                return Exit::Unavailable;
            }
        };
        output::error(&format!("{}: {}", text("title"), text("detail")));
        exit
    }

    /// The status, and as much of the body as it may have.
    async fn send(
        &self,
        method: Method,
        path: &str,
        payload: Option<Payload>,
        most: usize,
    ) -> Result<(u16, Vec<u8>), reqwest::Error> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(self.limit)
            .no_proxy()
            // There is no TLS to this port, so the system's certificates, which may be missing, are not needed.
            .tls_certs_only(std::iter::empty())
            .build()?;
        let mut request = client.request(method, format!("http://{}{path}", self.admin.listen));
        request = match payload {
            None => request,
            Some(Payload::Text(text)) => request.body(text),
            Some(Payload::Json(wish)) => request
                .header(http::header::CONTENT_TYPE, "application/json")
                .body(wish.to_string()),
        };
        if let Some(by) = &self.by {
            request = request.header("Gateway-Operator", by.as_str());
        }
        if let Some(token) = &self.admin.token {
            request = request.bearer_auth(token.expose_secret());
        }
        let mut response = request.send().await?;
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await? {
            let room = most.saturating_sub(body.len());
            body.extend(piece.iter().take(room));
        }
        Ok((response.status().as_u16(), body))
    }
}

/// A text as part of an address.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The user who runs the command: who became another one by `sudo`, or else by name, or else by number.
fn user(environment: &Environment) -> Option<OperatorName> {
    let named = ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| environment.get(name)?.parse().ok());
    named.or_else(|| {
        let number = rustix::process::getuid().as_raw();
        format!("user {number}").parse().ok()
    })
}
