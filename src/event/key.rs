//! Fixed-size digests that stand for something longer: a repeated event, a customer's lane, a mapping file.

use std::fmt;

use sha2::{Digest, Sha256};

macro_rules! digest16 {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type([u8; 16]);

        impl $type {
            /// The 16 bytes that the store keeps.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// Takes back bytes that the store kept.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }
    };
}

digest16! {
    /// Stands for an event or an item that must be accepted only once: the first 16 bytes of a SHA-256 over the
    /// source and the parts of its key, each with its length, so that `a`+`bc` is not `ab`+`c`.
    DedupKey
}

digest16! {
    /// Stands for one customer's queue within an organisation: the first 16 bytes of a SHA-256 over the kind and
    /// the value of the first key of `customer` that has a value. It keeps names and addresses out of indexes.
    LaneKey
}

digest16! {
    /// Stands for the text of one mapping file, so that an event can say which version mapped it.
    MappingHash
}

impl fmt::Display for MappingHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl MappingHash {
    /// The hash of a file's text.
    pub fn of(text: &[u8]) -> Self {
        Self(first_half(Sha256::digest(text).into()))
    }
}

impl LaneKey {
    /// The lane of a key such as (`username`, `tut-1`); `kind` never holds personal data, `value` may.
    pub fn of(kind: &str, value: &str) -> Self {
        let mut builder = LengthPrefixed::new(b"lane");
        builder.part(kind.as_bytes());
        builder.part(value.as_bytes());
        Self(builder.finish())
    }
}

/// Collects the parts of a [`DedupKey`].
pub struct DedupKeyBuilder(LengthPrefixed);

impl DedupKeyBuilder {
    /// A key made of the values that a source names (an event id, or several parts of an item).
    pub fn composite(source: &super::SourceName) -> Self {
        let mut parts = LengthPrefixed::new(b"key");
        parts.part(source.as_str().as_bytes());
        Self(parts)
    }

    /// Adds one part; `None` (the part has no value) differs from an empty text.
    pub fn part(&mut self, part: Option<&[u8]>) {
        match part {
            Some(bytes) => self.0.part(bytes),
            None => self.0.absent(),
        }
    }

    /// The finished key.
    pub fn finish(self) -> DedupKey {
        DedupKey(self.0.finish())
    }
}

impl DedupKey {
    /// The key of a request whose source numbers nothing: its raw body, with the headers that say what it means.
    /// `item` tells the items of one body apart.
    pub fn of_body<'h>(
        source: &super::SourceName,
        body: &[u8],
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        item: Option<u32>,
    ) -> Self {
        let mut parts = LengthPrefixed::new(b"body");
        parts.part(source.as_str().as_bytes());
        parts.part(body);
        match item {
            Some(index) => parts.part(&index.to_be_bytes()),
            None => parts.absent(),
        }
        // Last, so that a request without such headers has the key of its body alone.
        for (name, value) in headers {
            parts.part(name.as_bytes());
            parts.part(value.as_bytes());
        }
        Self(parts.finish())
    }
}

struct LengthPrefixed(Sha256);

impl LengthPrefixed {
    fn new(domain: &'static [u8]) -> Self {
        let mut this = Self(Sha256::new());
        this.part(domain);
        this
    }

    fn part(&mut self, bytes: &[u8]) {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.0.update(length.to_be_bytes());
        self.0.update(bytes);
    }

    /// A length that no part in memory can have.
    fn absent(&mut self) {
        self.0.update(u64::MAX.to_be_bytes());
    }

    fn finish(self) -> [u8; 16] {
        first_half(self.0.finalize().into())
    }
}

fn first_half(digest: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(digest) {
        *to = from;
    }
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(source: &str, parts: &[Option<&str>]) -> DedupKey {
        let mut builder = DedupKeyBuilder::composite(&source.parse().unwrap());
        for part in parts {
            builder.part(part.map(str::as_bytes));
        }
        builder.finish()
    }

    #[test]
    fn parts_cannot_flow_into_each_other() {
        assert_ne!(
            key("s", &[Some("a"), Some("bc")]),
            key("s", &[Some("ab"), Some("c")])
        );
        assert_ne!(
            key("s", &[Some("a"), None]),
            key("s", &[Some("a"), Some("")])
        );
        assert_ne!(key("s", &[Some("a")]), key("s", &[Some("a"), None]));
        assert_ne!(key("s", &[Some("a")]), key("t", &[Some("a")]));
        assert_eq!(key("s", &[Some("a"), None]), key("s", &[Some("a"), None]));
    }

    fn of_body(headers: &[(&str, &str)], item: Option<u32>) -> DedupKey {
        DedupKey::of_body(&"s".parse().unwrap(), b"x", headers.iter().copied(), item)
    }

    #[test]
    fn a_body_key_is_not_a_composite_key_of_the_same_bytes() {
        assert_ne!(of_body(&[], None), key("s", &[Some("x")]));
        assert_ne!(of_body(&[], None), of_body(&[], Some(0)));
    }

    #[test]
    fn headers_tell_equal_bodies_apart_and_cannot_flow_into_each_other() {
        let keys = [
            of_body(&[], None),
            of_body(&[("a", "")], None),
            of_body(&[("a", "b")], None),
            of_body(&[("ab", "")], None),
            of_body(&[("a", "b"), ("c", "d")], None),
            of_body(&[("a", "bcd")], None),
            of_body(&[("a", "b")], Some(0)),
        ];
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(key), "{index}");
        }
    }

    /// The store remembers keys for weeks, over releases.
    #[test]
    fn the_key_of_a_body_alone_never_changes() {
        assert_eq!(
            format!("{:?}", of_body(&[], None)),
            "946a6b536488b3dbc5aedb2b37199ce0"
        );
        assert_eq!(
            format!("{:?}", of_body(&[], Some(1))),
            "7db03b57247fd5abf04c25cf418bf6c3"
        );
    }
}
