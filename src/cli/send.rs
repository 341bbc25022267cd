//! `send`: a test event, signed as its source would sign it; or a whole file of events.

#![expect(
    clippy::doc_markdown,
    reason = "comments on arguments are the help that people read"
)]

mod load;
mod screen;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use url::Url;

use super::{Exit, output, request};
use crate::{
    clock::Clock,
    config::Environment,
    sender::{self, Sender, Sign, TestEvent},
    source::{Source, SourceFile, UnreadableSamples},
    verify::{CannotSign, PrivateKey, Verifier},
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The source, as in its address /webhooks/<source>
    #[arg(long, value_name = "NAME")]
    source: String,
    /// The body to send, or with `--rate` a file of events; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    head: request::Head,
    /// The gateway
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: Url,
    /// The address that senders were given, where it differs: some schemes sign it
    /// [environment: GATEWAY_PUBLIC_URL] [default: the value of --url]
    #[arg(long, value_name = "URL")]
    public_url: Option<Url>,
    /// The folder of source files [environment: GATEWAY_MAPPINGS] [default: mappings]
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
    /// The sender's number of the event; send it again with the same to see a duplicate [default: a new one]
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// The private key to sign with, in PEM, where the source has public keys: one that you made for trying it out
    #[arg(long, value_name = "FILE")]
    private_key: Option<PathBuf>,
    /// The environment variable with the secret to sign with, in place of the source's: where its sender names the
    /// secret when it registers the address, or to see another one refused
    #[arg(long, value_name = "NAME", conflicts_with = "private_key")]
    secret_env: Option<String>,
    #[command(flatten)]
    load: load::Arguments,
}

pub(super) async fn run(arguments: Arguments, environment: Environment) -> Exit {
    let folder = arguments
        .mappings
        .clone()
        .or_else(|| environment.get("GATEWAY_MAPPINGS").map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from("mappings"));
    let path = folder.join(format!("{}.yaml", arguments.source));
    let file = SourceFile::read(&path, UnreadableSamples::Warn);
    let Some(checked) = file.checked else {
        output::findings(&file.findings, output::usual_style(&environment));
        return Exit::Bad;
    };
    let source = match checked.arm(&environment, Path::new("")) {
        Ok(source) => source,
        Err(error) => {
            output::error(&output::chain(&error));
            return Exit::Configuration;
        }
    };
    let other = match other_secret(&source, arguments.secret_env.as_deref(), &environment) {
        Ok(other) => other,
        Err(message) => {
            output::error(&message);
            return Exit::Configuration;
        }
    };
    let private = match arguments.private_key.as_deref().map(read_private_key) {
        None => None,
        Some(Ok(private)) => Some(private),
        Some(Err((exit, message))) => {
            output::error(&message);
            return exit;
        }
    };
    let from_environment = || {
        environment
            .get("GATEWAY_PUBLIC_URL")
            .and_then(|text| Url::parse(text).ok())
    };
    let public = arguments
        .public_url
        .clone()
        .or_else(from_environment)
        .unwrap_or_else(|| arguments.url.clone());
    let source = Arc::new(source);
    let sign = signing(Arc::clone(&source), public, private, other);
    if arguments.load.is_wanted() {
        return load::run(arguments, source, sign).await;
    }
    one(&arguments, &sign).await
}

/// Sends one event and shows the answer.
async fn one(arguments: &Arguments, sign: &Sign) -> Exit {
    let body = match request::read_body(&arguments.file) {
        Ok(body) => body,
        Err(error) => {
            output::error(&format!(
                "{} cannot be read: {error}",
                arguments.file.display()
            ));
            return Exit::Unavailable;
        }
    };
    let clock = Clock::system();
    let event = TestEvent {
        id: arguments.id.clone().unwrap_or_else(|| {
            format!(
                "test-{}-{:08x}",
                clock.now().as_millisecond(),
                rand::random::<u32>()
            )
        }),
        headers: arguments.head.headers(&arguments.file),
        body: body.into(),
    };
    let outgoing = match sign(&event, clock.now()) {
        Ok(outgoing) => outgoing,
        Err(error) => return cannot_sign(&error),
    };
    let sent = match Sender::new() {
        Ok(sender) => sender.post(outgoing, &arguments.url).await,
        Err(error) => Err(error),
    };
    match sent {
        Ok(answer) => {
            output::note(&format!("event {}: HTTP {}", event.id, answer.status));
            output::line(answer.body.trim_end());
            if (200..300).contains(&answer.status) {
                Exit::Fine
            } else {
                Exit::Bad
            }
        }
        Err(error) => {
            output::error(&output::chain(&error));
            Exit::Unavailable
        }
    }
}

/// Signs as the source's sender does, with what was given to sign with.
fn signing(
    source: Arc<Source>,
    public: Url,
    private: Option<PrivateKey>,
    other: Option<Verifier>,
) -> Sign {
    Arc::new(move |event, now| {
        if let Some(private) = &private {
            return sender::sign_with(&source, event, &public, now, private);
        }
        let verifier = other.as_ref().unwrap_or_else(|| source.verifier());
        sender::sign_by(&source, verifier, event, &public, now)
    })
}

fn cannot_sign(error: &CannotSign) -> Exit {
    let help = match error {
        CannotSign::NeedsPrivateKey => "; give it with `--private-key FILE`",
        _ => "",
    };
    output::error(&format!("cannot sign the event: {error}{help}"));
    Exit::Bad
}

/// What signs where it is not the source's own secret; or what to do where the source has none.
fn other_secret(
    source: &Source,
    variable: Option<&str>,
    environment: &Environment,
) -> Result<Option<Verifier>, String> {
    let Some(variable) = variable else {
        if source.learns_its_secret() {
            return Err(format!(
                "cannot sign the event: the sender of {} names the secret when it registers the address, and a gateway shows it to \
                 nobody; register the address with a secret of your own, put that into an environment variable, and give \
                 `--secret-env NAME` (docs/VERIFICATION.md, \"A secret that the sender names\")",
                source.name()
            ));
        }
        return Ok(None);
    };
    let value = environment
        .get(variable)
        .ok_or_else(|| format!("the environment variable {variable} is not set, or is empty"))?;
    let verifier = source.verifier_with(variable, value.into());
    verifier
        .map(Some)
        .map_err(|error| format!("cannot sign with another secret: {error}"))
}

fn read_private_key(path: &Path) -> Result<PrivateKey, (Exit, String)> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        (
            Exit::Unavailable,
            format!("{shown} cannot be read: {error}"),
        )
    })?;
    PrivateKey::read(&text.into()).map_err(|error| (Exit::Usage, format!("{shown}: {error}")))
}
