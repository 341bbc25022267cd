//! The log: one line per request and per attempt, to standard error.

use std::str::FromStr;

use tracing_subscriber::{
    EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// Aligned text, for people.
    Human,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "human" => Ok(Self::Human),
            _ => Err("a log format is `json` or `human`"),
        }
    }
}

/// What is logged and how.
#[derive(Clone, Debug)]
pub struct LogSettings {
    pub format: LogFormat,
    /// In the syntax of `tracing`'s `EnvFilter`: `info`, or `info,quentli_gateway::delivery=debug`.
    pub filter: String,
    pub colour: bool,
}

/// Starts logging for the whole process. A filter that cannot be read is replaced by `info`; a second call changes
/// nothing.
pub fn start_logs(settings: &LogSettings) {
    let filter = EnvFilter::try_new(&settings.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = match settings.format {
        LogFormat::Json => tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_writer(std::io::stderr)
            .boxed(),
        LogFormat::Human => tracing_subscriber::fmt::layer()
            .with_ansi(settings.colour)
            .with_target(false)
            .with_writer(std::io::stderr)
            .boxed(),
    };
    let started = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init();
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}
