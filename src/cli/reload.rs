//! `reload`: asks a running gateway to read its files again, and shows what came of it.

#![expect(
    clippy::doc_markdown,
    reason = "comments on arguments are the help that people read"
)]

use std::time::Duration;

use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::{Exit, output};
use crate::config::{Admin, Config, Environment, Flags};

/// The largest answer that is read: a report holds a few hundred lines at most.
const MAX_ANSWER_BYTES: usize = 4 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration file that says where the gateway listens for operators, and with which token
    /// [environment: GATEWAY_CONFIG] [default: gateway.yaml where it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    /// Where the gateway listens for operators [environment: GATEWAY_ADMIN_LISTEN] [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDR")]
    admin_listen: Option<String>,
    /// How long to wait for the answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 40)]
    timeout: u64,
}

pub(super) async fn run(arguments: Arguments, environment: Environment) -> Exit {
    let flags = Flags {
        config: arguments.config,
        admin_listen: arguments.admin_listen,
        ..Flags::default()
    };
    let mut admin = match Config::load_admin(&flags, &environment) {
        Ok(admin) => admin,
        Err(error) => {
            for found in &error.findings {
                output::findings(found, output::usual_style(&environment));
            }
            return Exit::Configuration;
        }
    };
    admin.listen = super::from_here(admin.listen);
    let limit = Duration::from_secs(arguments.timeout);
    let (status, body) = match ask(&admin, limit).await {
        Ok(answer) => answer,
        Err(error) => {
            let error = output::chain(&error.without_url());
            output::error(&format!(
                "the gateway cannot be asked at http://{}: {error}",
                admin.listen
            ));
            return Exit::Unavailable;
        }
    };
    let answer = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    if answer.get("sources").is_some() {
        show(&answer);
        return if status == 200 { Exit::Fine } else { Exit::Bad };
    }
    let exit = match status {
        // The token is a setting, and wrong or missing here.
        401 => Exit::Configuration,
        403 => Exit::Bad,
        503 | 504 => Exit::Unavailable,
        _ => {
            output::error(&format!(
                "what answers at http://{} is not the gateway's operators' port, as `admin.listen` in gateway.yaml, \
                 GATEWAY_ADMIN_LISTEN or --admin-listen names it; webhooks have another",
                admin.listen
            ));
            return Exit::Unavailable;
        }
    };
    let text = |name| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    output::error(&format!("{}: {}", text("title"), text("detail")));
    exit
}

async fn ask(admin: &Admin, limit: Duration) -> Result<(u16, Vec<u8>), reqwest::Error> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(limit)
        .no_proxy()
        // There is no TLS to this port, so the system's certificates, which may be missing, are not needed.
        .tls_certs_only(std::iter::empty())
        .build()?;
    let mut request = client.post(format!("http://{}/api/v1/reload", admin.listen));
    if let Some(token) = &admin.token {
        request = request.bearer_auth(token.expose_secret());
    }
    let mut response = request.send().await?;
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        let room = MAX_ANSWER_BYTES.saturating_sub(body.len());
        body.extend(piece.iter().take(room));
    }
    Ok((response.status().as_u16(), body))
}

/// What came of it: results to standard output, what a person must mend to standard error.
fn show(answer: &Value) {
    let word = |part: &str| {
        let outcome = answer.get(part).and_then(|part| part.get("outcome"));
        outcome
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    output::line(&format!("sources: {}", word("sources")));
    for list in ["added", "changed", "removed"] {
        for name in lines(answer, "sources", list) {
            output::line(&format!("  {list}: {name}"));
        }
    }
    output::line(&format!("keys: {}", word("keys")));
    for name in lines(answer, "keys", "renewed") {
        output::line(&format!("  new: {name}"));
    }
    for part in ["sources", "keys"] {
        for line in lines(answer, part, "warnings") {
            output::note(line);
        }
        for line in lines(answer, part, "trouble") {
            output::note(line);
        }
    }
    if answer.get("settings_changed") == Some(&Value::Bool(true)) {
        output::note(
            "gateway.yaml is not what the gateway started with; restart the gateway to use it",
        );
    }
}

fn lines<'a>(answer: &'a Value, part: &str, list: &str) -> impl Iterator<Item = &'a str> {
    let list = answer.get(part).and_then(|part| part.get(list));
    let entries = list.and_then(Value::as_array).into_iter().flatten();
    entries.filter_map(Value::as_str)
}
