//! One source file, loaded: how it receives, its compiled mapping, its tests; and the set of all sources.
//!
//! A file is read in two steps. *Checking* needs nothing but the file (and samples its tests name) and finds every
//! mistake in it; that is what `check` does. *Arming* reads the secrets it refers to. A file that fails either step
//! still stands in the set, so that its address answers 503 and not 404, which many senders take as final.
//!
//! This module knows neither axum, nor the store, nor delivery.

mod conflict;
pub mod draft;
mod file;
mod folder;
mod learned;
mod mode;
pub mod receive;
pub mod reload;
pub mod schema;
mod set;
mod watch;
mod written;

pub use crate::mapping::{UnreadableSamples, content_type_of};
pub use file::{ArmError, CheckedSource, LEARNED, Source, SourceFile, kept_headers};
pub use folder::{find_files, names_in, unknown_silence};
pub use learned::{ChangeOfSecrets, LearnedSecrets};
pub use mode::Mode;
pub use set::{LoadError, Lookup, Set, Sources, Trouble};
pub use watch::{Seen, Watch};
pub use written::Written;

#[cfg(test)]
mod tests;
