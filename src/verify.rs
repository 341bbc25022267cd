//! Decides whether a request is genuine.
