//! `config`: every setting in effect and where it came from.

#![expect(
    clippy::doc_markdown,
    reason = "comments on arguments are the help that people read"
)]

use super::{Exit, output};
use crate::{
    config::{Config, Environment, Flags},
    source::{names_in, unknown_silence},
};

#[derive(Debug, Default, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// The flags that override settings, shared by the commands that read the configuration.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Settings {
    /// The configuration file [environment: GATEWAY_CONFIG] [default: gateway.yaml where it exists]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<std::path::PathBuf>,
    /// Where webhooks arrive [environment: GATEWAY_LISTEN] [default: 0.0.0.0:8080]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// Where operators look [environment: GATEWAY_ADMIN_LISTEN] [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin_listen: Option<String>,
    /// The folder of source files [environment: GATEWAY_MAPPINGS] [default: mappings]
    #[arg(long, value_name = "DIR")]
    pub(crate) mappings: Option<std::path::PathBuf>,
    /// The folder of the database [environment: GATEWAY_DATA] [default: data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<std::path::PathBuf>,
    /// A PostgreSQL database that several replicas share, such as postgres://gateway@db.example.mx/gateway; it is given its
    /// password by GATEWAY_DATABASE_PASSWORD [environment: GATEWAY_DATABASE] [default: SQLite in the folder of --data]
    #[arg(long, value_name = "URL")]
    pub(crate) database: Option<String>,
}

impl From<Settings> for Flags {
    fn from(settings: Settings) -> Self {
        Self {
            config: settings.config,
            listen: settings.listen,
            admin_listen: settings.admin_listen,
            mappings: settings.mappings,
            data: settings.data,
            database: settings.database,
        }
    }
}

pub(super) fn run(arguments: &Arguments, environment: &Environment) -> Exit {
    let Some(config) = load(arguments.settings.clone(), environment) else {
        return Exit::Configuration;
    };
    let widths = |pick: fn(&crate::config::Shown) -> usize| {
        config.shown.iter().map(pick).max().unwrap_or_default()
    };
    let key = widths(|shown| shown.key.chars().count());
    let value = widths(|shown| shown.value.chars().count());
    for shown in &config.shown {
        output::line(&format!(
            "{:key$}  {:value$}  {}",
            shown.key, shown.value, shown.origin
        ));
    }
    warn_of_silence(&config);
    Exit::Fine
}

/// A folder that cannot be read is no matter of the settings; `serve` says so.
fn warn_of_silence(config: &Config) {
    let watched = config.notify.iter().flat_map(|notify| notify.silent.keys());
    if let Ok(known) = names_in(&config.mappings) {
        for line in unknown_silence(watched, &known) {
            output::note(&format!("warning: {line}"));
        }
    }
}

/// The configuration, or all its mistakes on the screen.
pub(crate) fn load(settings: Settings, environment: &Environment) -> Option<Config> {
    match Config::load(&settings.into(), environment) {
        Ok(config) => Some(config),
        Err(error) => {
            for findings in &error.findings {
                output::findings(findings, output::usual_style(environment));
            }
            output::error(&format!(
                "the configuration has mistakes: {}",
                output::count(&error.findings)
            ));
            None
        }
    }
}
