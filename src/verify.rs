//! Decides whether a request is genuine.
//!
//! One checked [`VerifySettings`] says how a source proves itself; a [`Verifier`] is those settings together with the
//! signing secrets, prepared once. Its [`Verifier::verify`] is the only way from a [`Received`] request to a
//! [`Verified`] one, so nothing further on can be reached by a request that was not checked. [`presets`] names the
//! settings of well-known senders, and [`Verifier::sign`] does what the sender does, for test events.
//!
//! What holds for every kind of check:
//!
//! - The bytes that arrived are checked, before any parsing; an empty body is a legal signed body.
//! - No secret or public key, an empty one, or only expired ones never accepts anything.
//! - Signatures, tokens and passwords are compared in constant time, as the text that the sender should have written;
//!   for public keys, which hold nothing secret, the signature is decoded from the one spelling that it has.
//! - A header, query parameter or form field that decides must be there once; twice is a refusal, not a choice.
//! - A timestamp is bounded in length and lies within the tolerance on either side; the edge is inside.
//! - Whatever a stranger sends, the answer is a [`Refusal`], and the work is bounded: a few signatures, a few secrets or keys.
//!
//! This module does no I/O and reads no clock: secrets and the time are handed in. It knows neither the web server
//! nor the store. It says nothing to the sender: a refusal is for our log and metric.

mod basic;
mod certificate;
mod code;
mod coverage;
pub mod doctor;
mod format;
pub mod handshake;
mod json_path;
mod jwt;
pub mod presets;
mod private_key;
mod public_key;
mod read;
mod received;
mod refusal;
mod request;
mod secret;
mod settings;
mod sign;
mod signature;
mod template;
mod timestamp;
mod token;
pub mod vector;
mod verifier;

pub use coverage::{AddressCoverage, BodyCoverage, Coverage};
pub use jwt::{KeySet, KeySetError, KeySetHandle, KeySetPlace};
pub use private_key::{InvalidPrivateKey, PrivateKey};
pub use public_key::{InvalidPublicKey, PublicKey};
pub use read::{BAD_VALUE, CODES, until};
pub use received::{Peer, Received, Verified};
pub use refusal::Refusal;
pub use secret::{MAX_SECRETS, SecretEncoding, SettingsError, SigningSecret};
pub use settings::VerifySettings;
pub use sign::{CannotSign, Outgoing};
pub use timestamp::MAX_REPLAY_WINDOW;
pub use verifier::Verifier;

#[cfg(test)]
pub(crate) use jwt::tests as jwt_tests;
#[cfg(test)]
mod tests;
