//! `send`: a test event, signed as its source would sign it.

#![expect(
    clippy::doc_markdown,
    reason = "comments on arguments are the help that people read"
)]

use std::path::PathBuf;

use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use url::Url;

use super::{Exit, output};
use crate::{
    clock::Clock,
    config::Environment,
    sender::{Sender, TestEvent},
    source::{self, SourceFile, UnreadableSamples},
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The source, as in its address /webhooks/<source>
    #[arg(long, value_name = "NAME")]
    source: String,
    /// The body to send; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// What the body is [default: by the ending of the file: .json, .form, .xml or .ndjson]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<HeaderValue>,
    /// A header of the request, such as 'X-Shopify-Topic: customers/update'; may be repeated
    #[arg(long = "header", value_name = "HEADER", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,
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
        output::findings(&file.findings);
        return Exit::Bad;
    };
    let source = match checked.arm(&environment, std::path::Path::new("")) {
        Ok(source) => source,
        Err(error) => {
            output::error(&output::chain(&error));
            return Exit::Configuration;
        }
    };
    let body = match read_body(&arguments.file) {
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
        headers: headers(&arguments),
        body: body.into(),
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
    let sent = match Sender::new() {
        Ok(sender) => {
            sender
                .send(&source, &event, &arguments.url, &public, clock.now())
                .await
        }
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

/// What the arguments say of the request; several headers of one name are sent one after the other.
fn headers(arguments: &Arguments) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &arguments.headers {
        headers.append(name, value.clone());
    }
    let by_ending = source::content_type_of(&arguments.file).unwrap_or("application/json");
    match &arguments.content_type {
        Some(content_type) => {
            headers.insert(CONTENT_TYPE, content_type.clone());
        }
        None if headers.contains_key(CONTENT_TYPE) => {}
        None => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(by_ending));
        }
    }
    headers
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    const WANTED: &str = "write a name, a colon and a value, such as 'X-Topic: customers/update'";
    let (name, value) = text.split_once(':').ok_or(WANTED)?;
    let name = name.trim().parse().map_err(|_| WANTED)?;
    let value = value.trim().parse().map_err(|_| WANTED)?;
    Ok((name, value))
}

fn read_body(file: &PathBuf) -> std::io::Result<Vec<u8>> {
    if file.as_os_str() == "-" {
        let mut body = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut body)?;
        return Ok(body);
    }
    std::fs::read(file)
}
