//! Signals and the two phases of shutdown.
