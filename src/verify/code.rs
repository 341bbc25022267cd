//! Hashes and keyed hashes, written as text the way a sender writes them.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq as _;

/// SHA-1 is for senders that still sign so: as a keyed hash it has not been broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// How the bytes of a signature are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Lower case, as every known sender writes it.
    Hex,
    /// With its padding; hashes also without any, as some senders write them.
    Base64,
    /// With or without padding.
    Base64Url,
}

/// A hash under way. One made by [`Algorithm::keyed`] has its key prepared; cloning it is cheaper than keying anew.
#[derive(Clone)]
pub(super) enum Hasher {
    KeyedSha1(Hmac<Sha1>),
    KeyedSha256(Hmac<Sha256>),
    KeyedSha384(Hmac<Sha384>),
    KeyedSha512(Hmac<Sha512>),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Algorithm {
    const fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Begins an HMAC (RFC 2104).
    pub(super) fn keyed(self, key: &[u8]) -> Hasher {
        const ANY_LENGTH: &str = "an HMAC takes a key of any length";
        match self {
            Self::Sha1 => Hasher::KeyedSha1(Hmac::new_from_slice(key).expect(ANY_LENGTH)),
            Self::Sha256 => Hasher::KeyedSha256(Hmac::new_from_slice(key).expect(ANY_LENGTH)),
            Self::Sha384 => Hasher::KeyedSha384(Hmac::new_from_slice(key).expect(ANY_LENGTH)),
            Self::Sha512 => Hasher::KeyedSha512(Hmac::new_from_slice(key).expect(ANY_LENGTH)),
        }
    }

    /// Begins a plain hash.
    pub(super) fn plain(self) -> Hasher {
        match self {
            Self::Sha1 => Hasher::Sha1(Sha1::new()),
            Self::Sha256 => Hasher::Sha256(Sha256::new()),
            Self::Sha384 => Hasher::Sha384(Sha384::new()),
            Self::Sha512 => Hasher::Sha512(Sha512::new()),
        }
    }
}

impl Encoding {
    /// The number of characters of the essence of a signature, for telling a malformed one from a wrong one.
    pub(super) const fn text_length(self, algorithm: Algorithm) -> usize {
        let bytes = algorithm.bytes();
        match self {
            Self::Hex => bytes * 2,
            Self::Base64 | Self::Base64Url => (bytes * 4).div_ceil(3),
        }
    }

    /// The text of some bytes.
    pub(super) fn write(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => hex::encode(bytes),
            Self::Base64 => STANDARD.encode(bytes),
            Self::Base64Url => URL_SAFE_NO_PAD.encode(bytes),
        }
    }

    /// The bytes of a text that [`Encoding::write`] could have written, and of no other spelling of them.
    pub(super) fn read(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex if text.bytes().any(|byte| byte.is_ascii_uppercase()) => None,
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => STANDARD.decode(text).ok(),
            Self::Base64Url => URL_SAFE_NO_PAD.decode(self.essence(text)).ok(),
        }
    }

    /// The text of a signature without what the sender may add.
    pub(super) fn essence(self, text: &str) -> &str {
        match self {
            Self::Hex => text,
            // The whole padding or none.
            Self::Base64 if !text.len().is_multiple_of(4) => text,
            Self::Base64 | Self::Base64Url => text
                .strip_suffix("==")
                .or_else(|| text.strip_suffix('='))
                .unwrap_or(text),
        }
    }
}

impl Hasher {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::KeyedSha1(mac) => mac.update(bytes),
            Self::KeyedSha256(mac) => mac.update(bytes),
            Self::KeyedSha384(mac) => mac.update(bytes),
            Self::KeyedSha512(mac) => mac.update(bytes),
            Self::Sha1(hash) => hash.update(bytes),
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha384(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    pub(super) fn finish(self, encoding: Encoding) -> Code {
        match self {
            Self::KeyedSha1(mac) => Code::write(&mac.finalize().into_bytes(), encoding),
            Self::KeyedSha256(mac) => Code::write(&mac.finalize().into_bytes(), encoding),
            Self::KeyedSha384(mac) => Code::write(&mac.finalize().into_bytes(), encoding),
            Self::KeyedSha512(mac) => Code::write(&mac.finalize().into_bytes(), encoding),
            Self::Sha1(hash) => Code::write(&hash.finalize(), encoding),
            Self::Sha256(hash) => Code::write(&hash.finalize(), encoding),
            Self::Sha384(hash) => Code::write(&hash.finalize(), encoding),
            Self::Sha512(hash) => Code::write(&hash.finalize(), encoding),
        }
    }
}

/// The text of the right signature. It is compared, never shown: it has no `Debug`.
///
/// Comparing texts instead of bytes means that there is one way to write a signature: upper-case digits, another
/// alphabet or left-over bits are refused without a decoder having to look for them.
pub(super) struct Code {
    text: String,
    encoding: Encoding,
}

impl Code {
    fn write(bytes: &[u8], encoding: Encoding) -> Self {
        Self {
            text: encoding.write(bytes),
            encoding,
        }
    }

    /// Compares with the essence of a signature in constant time; only the length may be learnt.
    pub(super) fn matches(&self, essence: &str) -> bool {
        let right = self.encoding.essence(&self.text);
        right.as_bytes().ct_eq(essence.as_bytes()).into()
    }

    /// For a sender.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_every_signature_is_known_beforehand() {
        for algorithm in [
            Algorithm::Sha1,
            Algorithm::Sha256,
            Algorithm::Sha384,
            Algorithm::Sha512,
        ] {
            for encoding in [Encoding::Hex, Encoding::Base64, Encoding::Base64Url] {
                for hasher in [algorithm.keyed(b"key"), algorithm.plain()] {
                    let text = hasher.finish(encoding).into_text();
                    assert_eq!(
                        encoding.essence(&text).len(),
                        encoding.text_length(algorithm),
                        "{algorithm:?} {encoding:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn there_is_one_way_to_write_bytes() {
        for encoding in [Encoding::Hex, Encoding::Base64, Encoding::Base64Url] {
            let text = encoding.write(&[0xfb, 0xef, 0x01, 0x0a]);
            assert_eq!(encoding.read(&text), Some(vec![0xfb, 0xef, 0x01, 0x0a]));
        }
        for (encoding, text) in [
            (Encoding::Hex, "FB"),
            (Encoding::Hex, "fbe"),
            (Encoding::Hex, " fb"),
            (Encoding::Base64, "++8"),
            (Encoding::Base64, "++8=="),
            (Encoding::Base64, "++8=\n"),
            (Encoding::Base64, "--8="),
            // The last two bits stand for nothing, and must be zero.
            (Encoding::Base64, "++9="),
            (Encoding::Base64Url, "++8"),
            (Encoding::Base64Url, "--9"),
        ] {
            assert_eq!(encoding.read(text), None, "{text}");
        }
    }

    #[test]
    fn padding_is_left_to_the_sender() {
        assert_eq!(Encoding::Base64Url.essence("ab=="), "ab");
        assert_eq!(Encoding::Base64Url.essence("ab==="), "ab=");
        assert_eq!(Encoding::Base64.essence("ab=="), "ab");
        assert_eq!(Encoding::Base64.essence("abc="), "abc");
        // In the usual alphabet as a whole: half of it is a mistake.
        assert_eq!(Encoding::Base64.essence("ab="), "ab=");
        assert_eq!(Encoding::Base64.essence("abcd="), "abcd=");
        assert_eq!(Encoding::Base64.essence("ab"), "ab");
        assert_eq!(Encoding::Hex.essence("ab=="), "ab==");
    }
}
