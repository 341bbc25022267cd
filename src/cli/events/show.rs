//! `events show`: one event, and its body into a file.

use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use http::Method;

use super::page;
use crate::{
    cli::{
        Exit,
        operators::{Operators, Port},
        output::{self, Format},
    },
    config::Environment,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Show {
    /// The number of the event, as in the list, the log and the answer to the sender
    #[arg(value_name = "EVENT")]
    event: i64,
    /// Show personal data: values, Quentli's messages, what was wrong. Who asked is written into the audit log
    #[arg(long)]
    reveal: bool,
    /// Instead: save the body as it came into this new file, for `explain` and tests. This is written into the audit log,
    /// too
    #[arg(long, value_name = "FILE", conflicts_with_all = ["reveal", "format", "limit"])]
    body: Option<PathBuf>,
    /// How many of its deliveries, up to 200
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    limit: u32,
    /// How it is shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    port: Port,
}

pub(super) async fn run(show: Show, environment: &Environment) -> Result<(), Exit> {
    let operators = show.port.find(environment)?;
    if let Some(file) = &show.body {
        return save(&operators, show.event, file).await;
    }
    let reveal = if show.reveal { "&reveal=true" } else { "" };
    let path = format!("/api/v1/events/{}?limit={}{reveal}", show.event, show.limit);
    let answer = operators.answered(Method::GET, &path, "shown").await?;
    match show.format {
        Format::Json => output::line(&format!("{answer:#}")),
        Format::Human => page::one(&answer),
    }
    Ok(())
}

/// Into a file that is not there yet, and that nobody else can read.
async fn save(operators: &Operators, event: i64, file: &Path) -> Result<(), Exit> {
    let failed = |error: &std::io::Error| {
        output::error(&format!("{} cannot be written: {error}", file.display()));
        Exit::Unavailable
    };
    if file.exists() {
        output::error(&format!(
            "{} is there already; name another",
            file.display()
        ));
        return Err(Exit::Bad);
    }
    let path = format!("/api/v1/events/{event}/body?reveal=true");
    let body = operators.fetch(&path).await?;
    let mut new = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .map_err(|error| failed(&error))?;
    new.write_all(&body).map_err(|error| failed(&error))?;
    output::line(&format!(
        "the body of event {event} is in {}; it is personal data, remove it when you are done",
        file.display()
    ));
    Ok(())
}
