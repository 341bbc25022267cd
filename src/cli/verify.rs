//! `verify`: why a request is refused, and which setting to change to what; or a file of test vectors, judged.

#![expect(
    clippy::doc_markdown,
    reason = "comments on arguments are the help that people read"
)]

mod gateway;
mod vectors;

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use clap::ArgGroup;
use http::header;
use jiff::Timestamp;
use url::Url;

use super::{
    Exit,
    output::{self, ColourFlag, Format},
};
use crate::{
    capture::{Captured, MAX_BYTES},
    clock::Clock,
    config::{Config, Environment, Flags, Receiving, SecretReference, read_public_url},
    diag::{Tone, did_you_mean, painted},
    diagnosis::{Diagnosis, Proofs, others},
    jwks,
    source::{SourceFile, UnreadableSamples, Written, find_files, receive::Receive},
    verify::{
        KeySetHandle, KeySetPlace, Outgoing, Received, SigningSecret,
        doctor::{self, Case, Settings},
    },
};

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("what").required(true).args(["request", "vectors"]))]
pub(super) struct Arguments {
    /// The source, as in its address /webhooks/<source>
    #[arg(long, value_name = "NAME", required_unless_present = "vectors")]
    source: Option<String>,
    /// The request: a file with a raw HTTP request, a curl command or an entry of a HAR file; `-` reads standard input
    #[arg(long, value_name = "FILE", requires = "source")]
    request: Option<PathBuf>,
    /// When the request arrived, as 2026-01-15T10:30:00Z [default: now]
    #[arg(long, value_name = "TIME", conflicts_with = "vectors")]
    at: Option<Timestamp>,
    /// The address that senders were given, without a path: some schemes sign it [environment: GATEWAY_PUBLIC_URL]
    /// [default: public_url of gateway.yaml, else what the request says]
    #[arg(long, value_name = "URL", value_parser = public_url, conflicts_with = "vectors")]
    public_url: Option<Url>,
    /// An environment variable with another secret, to be tried instead of those of the source
    #[arg(long, value_name = "NAME", conflicts_with_all = ["vectors", "secret_file"])]
    secret_env: Option<String>,
    /// A file with another secret, to be tried instead of those of the source
    #[arg(long, value_name = "FILE", conflicts_with = "vectors")]
    secret_file: Option<PathBuf>,
    /// The folder of source files [environment: GATEWAY_MAPPINGS] [default: mappings]
    #[arg(long, value_name = "DIR", conflicts_with = "vectors")]
    mappings: Option<PathBuf>,
    /// Instead of a request: a file of test vectors, one JSON object in a line; `-` reads standard input
    #[arg(long, value_name = "FILE", conflicts_with = "source")]
    vectors: Option<PathBuf>,
    /// How the result is shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    colour: ColourFlag,
}

pub(super) async fn run(arguments: Arguments, environment: Environment) -> Exit {
    let style = arguments.colour.of_result(&environment);
    if let Some(file) = &arguments.vectors {
        return vectors::run(file, arguments.format, style);
    }
    let (Some(name), Some(request)) = (&arguments.source, &arguments.request) else {
        return Exit::Usage;
    };
    match examine(&arguments, name, request, &environment).await {
        Err(exit) => exit,
        Ok(true) => Exit::Fine,
        Ok(false) => Exit::Bad,
    }
}

/// Shows what becomes of the request; whether it is genuine.
async fn examine(
    arguments: &Arguments,
    name: &str,
    request: &Path,
    environment: &Environment,
) -> Result<bool, Exit> {
    let flags = Flags {
        mappings: arguments.mappings.clone(),
        ..Flags::default()
    };
    let receiving = Config::load_receiving(&flags, environment).map_err(|error| {
        for findings in &error.findings {
            output::findings(findings, arguments.colour.of_messages(environment));
        }
        Exit::Configuration
    })?;
    let file = source_file(&receiving.mappings, name)?;
    let Some((receive, _)) = file.parts() else {
        output::findings(&file.findings, arguments.colour.of_messages(environment));
        return Err(Exit::Bad);
    };
    let is_now = arguments.at.is_none();
    let at = arguments.at.unwrap_or_else(|| Clock::system().now());
    let Some(written) = Written::read(&file.findings.file) else {
        output::line(&format!(
            "genuine: {name} has `verify: none`, so every request is taken"
        ));
        return Ok(true);
    };
    let is_learned = receive
        .handshake
        .as_ref()
        .is_some_and(|handshake| handshake.settings.learns());
    if is_learned && receive.secrets.is_empty() && other_secret(arguments).is_none() {
        output::error(&format!(
            "the secret of {name} stands in no file: the sender named it when it registered its address (handshake `header-echo`), and the gateway keeps it in its store and shows it to nobody; write it in a file and give it with --secret-file"
        ));
        return Err(Exit::Usage);
    }
    let proofs = proofs(arguments, receive, &receiving.base, environment, at).await?;
    let captured = read_request(request)?;
    let obstacles = gateway::obstacles(name, receive, &receiving, &captured);
    let (received, remarks) = received(captured, arguments, &receiving, written.settings(), at);
    let others = others(&receiving.mappings, &receiving.base, name, environment);
    let report = doctor::examine(Case {
        settings: written.settings(),
        secrets: &proofs.secrets,
        public_keys: &proofs.public_keys,
        key_set: proofs.key_set.as_ref(),
        others: &others,
        request: &received,
        now: at,
    });
    let shown = Diagnosis {
        source: name,
        request: if request.as_os_str() == "-" {
            "standard input".to_owned()
        } else {
            request.display().to_string()
        },
        file: file.findings.file.name(),
        written: &written,
        at,
        is_now,
        remarks,
        report,
    };
    let style = arguments.colour.of_result(environment);
    match arguments.format {
        Format::Human => {
            for line in shown.page(style) {
                output::line(&line);
            }
            for obstacle in &obstacles {
                let line = format!("but the gateway {}", shown.report.concealed.text(obstacle));
                output::line(&painted(&line, Tone::Bad, style));
            }
        }
        Format::Json => {
            let mut report = shown.json();
            if let Some(keys) = report.as_object_mut() {
                keys.insert("gateway".to_owned(), obstacles.clone().into());
            }
            output::line(&format!("{report:#}"));
        }
    }
    Ok(shown.is_genuine() && obstacles.is_empty())
}

fn source_file(folder: &Path, name: &str) -> Result<SourceFile, Exit> {
    let path = folder.join(format!("{name}.yaml"));
    if path.exists() {
        return Ok(SourceFile::read(&path, UnreadableSamples::Warn));
    }
    let files = find_files(folder).unwrap_or_default();
    let names: Vec<&str> = files
        .iter()
        .filter_map(|file| file.file_stem()?.to_str())
        .collect();
    let help = did_you_mean(name, names.iter().copied()).unwrap_or_else(|| {
        if names.is_empty() {
            "there is no source file in that folder; --mappings names another".to_owned()
        } else {
            format!("sources are {}", names.join(", "))
        }
    });
    output::error(&format!("{} is not there ({help})", path.display()));
    Err(Exit::Unavailable)
}

/// As in the configuration.
fn public_url(text: &str) -> Result<Url, String> {
    read_public_url(text).map_err(|expected| format!("expected {expected}"))
}

fn other_secret(arguments: &Arguments) -> Option<SecretReference> {
    let variable = arguments
        .secret_env
        .clone()
        .map(SecretReference::Environment);
    let file = arguments.secret_file.clone().map(SecretReference::File);
    variable.or(file)
}

/// What to try: another secret that was named, else what the source has. Keys at an address are fetched once.
async fn proofs(
    arguments: &Arguments,
    receive: &Receive,
    base: &Path,
    environment: &Environment,
    at: Timestamp,
) -> Result<Proofs, Exit> {
    if let Some(reference) = other_secret(arguments) {
        let value = reference.read(environment, Path::new(""));
        let value = value.map_err(|error| {
            output::error(&output::chain(&error));
            Exit::Configuration
        })?;
        let secret = SigningSecret {
            name: reference.to_string(),
            value,
            until: None,
        };
        return Ok(Proofs {
            secrets: vec![secret],
            ..Proofs::default()
        });
    }
    let mut proofs = Proofs::read(receive, base, environment, at).map_err(|failed| {
        for error in &failed {
            output::error(error);
        }
        Exit::Configuration
    })?;
    if let Some(KeySetPlace::Url(url)) = receive.verify.key_set() {
        let set = jwks::fetch_once(url).await.map_err(|error| {
            let error = output::chain(&error);
            output::error(&format!(
                "the sender's public keys cannot be had from {url}: {error}"
            ));
            Exit::Unavailable
        })?;
        proofs.key_set = Some(KeySetHandle::holding(set));
    }
    Ok(proofs)
}

fn read_request(path: &Path) -> Result<Captured, Exit> {
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX) + 1;
    let read = |reader: &mut dyn std::io::Read| {
        let mut bytes = Vec::new();
        reader.take(limit).read_to_end(&mut bytes).map(|_| bytes)
    };
    let name = if path.as_os_str() == "-" {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let bytes = if path.as_os_str() == "-" {
        read(&mut std::io::stdin())
    } else {
        std::fs::File::open(path).and_then(|mut file| read(&mut file))
    };
    let bytes = bytes.map_err(|error| {
        output::error(&format!("{name} cannot be read: {error}"));
        Exit::Unavailable
    })?;
    let read_file = |name: &str| std::fs::File::open(name).and_then(|mut file| read(&mut file));
    Captured::read(&bytes, &read_file).map_err(|error| {
        output::error(&format!("{name}:{error}"));
        Exit::Usage
    })
}

/// The request as it would arrive, and what is odd about it.
fn received(
    captured: Captured,
    arguments: &Arguments,
    receiving: &Receiving,
    settings: &Settings,
    at: Timestamp,
) -> (Received, Vec<String>) {
    let mut remarks = captured.remarks;
    let told = arguments
        .public_url
        .as_ref()
        .or(receiving.public_url.as_ref());
    let host = captured
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let signs_url = settings.read().is_ok_and(|settings| settings.signs_url());
    let origin = match (told, &captured.origin, host) {
        (Some(url), _, _) => url.as_str().trim_end_matches('/').to_owned(),
        (None, Some(origin), _) => origin.clone(),
        (None, None, Some(host)) => format!("https://{host}"),
        (None, None, None) => "https://localhost".to_owned(),
    };
    if signs_url && told.is_none() {
        remarks.push(
            "the address is part of what is signed, and nothing says what senders were given: it was taken from the request; --public-url or `public_url` in gateway.yaml says it"
                .to_owned(),
        );
    }
    let mut received = Outgoing {
        method: captured.method,
        url: format!("{origin}{}", captured.path_and_query),
        headers: captured.headers,
        body: captured.body,
    }
    .into_received(at);
    received.path_and_query = captured.path_and_query;
    if settings
        .read()
        .is_ok_and(|settings| settings.needs_trusted_proxy())
    {
        received.peer.through_trusted_proxy = true;
        remarks.push(
            "which way the request came is not to be seen here: it is judged as if one of `trusted_proxies` had handed it on"
                .to_owned(),
        );
    }
    (received, remarks)
}
