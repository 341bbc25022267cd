//! Settings: flags over environment over `gateway.yaml` over defaults, and the secrets that files refer to.
//!
//! A file is read into a checked [`Config`] with no options left to doubt; every mistake is reported with its place
//! and a remedy, all at once. This is the only module that reads environment variables and secret files. It knows no
//! part of the running program.

mod environment;
mod file;
mod layers;
mod load;
mod secret;
mod settings;
mod units;

pub use environment::Environment;
pub use layers::{Origin, Shown};
pub use load::{ConfigError, DEFAULT_FILE, read_public_url};
pub use secret::{SecretError, SecretReference, oddity};
pub use settings::{
    Admin, Config, Database, Flags, Limits, Organisation, Receiving, RetentionSettings,
    RetrySettings, ShutdownSettings,
};
pub use units::{ByteCount, parse_duration, show_duration};
