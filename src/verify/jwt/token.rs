//! Cuts a token into its parts, strictly: one way to write each token, and nothing that would change what a signature
//! covers.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use super::object;
use crate::verify::Refusal;

/// Far more than any header that names an algorithm and a key.
const MAX_HEADER_BYTES: usize = 4 * 1024;

/// RSA with 8192 bits has 1366 characters.
const MAX_SIGNATURE_BYTES: usize = 2 * 1024;

/// The longest name of a key that is looked for, in bytes.
const MAX_KEY_ID_BYTES: usize = 512;

/// A token in three parts, of which nothing but the header was read.
pub(super) struct Token<'a> {
    pub(super) algorithm: String,
    /// The name of the key that signed, as the token says.
    pub(super) key_id: Option<String>,
    /// Header and payload, as they came.
    pub(super) signed: &'a [u8],
    payload: &'a [u8],
    pub(super) signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// Reads `header.payload.signature`, each in base64 for addresses without padding and without stray bits.
    pub(super) fn cut(text: &'a [u8]) -> Result<Self, Refusal> {
        let mut parts = text.split(|byte| *byte == b'.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refusal::MalformedToken);
        };
        if header.len() > MAX_HEADER_BYTES || signature.len() > MAX_SIGNATURE_BYTES {
            return Err(Refusal::MalformedToken);
        }
        let signed = text
            .get(..header.len() + 1 + payload.len())
            .ok_or(Refusal::MalformedToken)?;
        let header = object::read(&decode(header)?)?;
        // RFC 7515, section 4.1.11: an extension that is not understood must be refused. RFC 7797 would make the
        // payload stand for itself.
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(Refusal::MalformedToken);
        }
        let algorithm = match header.get("alg") {
            Some(Value::String(name)) => name.clone(),
            _ => return Err(Refusal::MalformedToken),
        };
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) if id.len() <= MAX_KEY_ID_BYTES => Some(id.clone()),
            Some(_) => return Err(Refusal::MalformedToken),
        };
        Ok(Self {
            algorithm,
            key_id,
            signed,
            payload,
            signature: decode(signature)?,
        })
    }

    /// What was signed, decoded. For after the signature was checked.
    pub(super) fn payload(&self) -> Result<Vec<u8>, Refusal> {
        decode(self.payload)
    }
}

fn decode(part: &[u8]) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| Refusal::MalformedToken)
}
