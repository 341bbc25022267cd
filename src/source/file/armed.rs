//! A source whose secrets are read: it verifies requests and maps them.

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use jiff::Timestamp;

use super::CheckedSource;
use crate::{
    event::{ItemOutcome, Mapped, MappingHash, OrganisationName, SourceName},
    mapping::{Input, Mapping, is_cloud_event},
    source::{mode::Mode, receive::Receive},
    verify::{Verified, Verifier, handshake::Handshake},
};

/// What tells a cloud event from every other: its source and its id (`CloudEvents` 1.0.2, section 3.1). The type is for
/// senders that number each type anew.
const EVENT_IDENTITY: [&str; 3] = ["ce-id", "ce-source", "ce-type"];

/// A source that can receive.
#[derive(Debug)]
pub struct Source {
    pub(super) checked: CheckedSource,
    pub(super) verifier: Verifier,
    pub(super) handshake: Option<Handshake>,
    /// Of secrets and certificates that have one, by name.
    pub(super) ends: Vec<(String, Timestamp)>,
}

impl Source {
    pub fn name(&self) -> &SourceName {
        &self.checked.name
    }

    pub fn organisation(&self) -> &OrganisationName {
        &self.checked.organisation
    }

    /// Whether its updates are sent.
    pub fn mode(&self) -> Mode {
        self.checked.mode
    }

    pub fn receive(&self) -> &Receive {
        &self.checked.receive
    }

    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The keys of metadata by which customers are looked for.
    pub fn metadata_looked_for(&self) -> impl Iterator<Item = &str> {
        self.checked.mapping.metadata_looked_for()
    }

    /// Until when those secrets and certificates are accepted that have an end, by the names that
    /// [`Verified::secret_name`] has for them.
    pub fn ends(&self) -> &[(String, Timestamp)] {
        &self.ends
    }

    pub fn mapping(&self) -> &Mapping {
        &self.checked.mapping
    }

    /// Which text of the file mapped an event.
    pub fn mapping_hash(&self) -> MappingHash {
        self.checked.mapping.hash()
    }

    /// Maps a genuine request. Pure; takes microseconds for a body of a few kilobytes.
    pub fn map(&self, verified: &Verified) -> Mapped {
        let mapped = self.with_input(verified, |input| self.checked.mapping.map(input));
        self.marked(mapped)
    }

    /// [`Source::map`], or nothing where that would take more than some milliseconds.
    pub fn map_briefly(&self, verified: &Verified) -> Option<Mapped> {
        let mapped = self.with_input(verified, |input| self.checked.mapping.map_briefly(input))?;
        Some(self.marked(mapped))
    }

    /// With what the file says for all of its updates.
    fn marked(&self, mut mapped: Mapped) -> Mapped {
        let outcomes = mapped.items.iter_mut().flat_map(|item| &mut item.outcomes);
        for outcome in outcomes {
            if let ItemOutcome::Update(update) = outcome {
                update.customer.on_conflict = self.checked.on_conflict;
            }
        }
        mapped
    }

    /// Maps an event once more from what the store keeps of it: its body as it came, its content type, the headers that
    /// were kept, and when it was received.
    pub fn map_stored(
        &self,
        body: &[u8],
        content_type: Option<&str>,
        headers: &[(String, String)],
        received_at: Timestamp,
    ) -> Mapped {
        self.checked.mapping.map(&Input {
            body,
            content_type,
            headers,
            now: received_at,
        })
    }

    fn with_input<T>(&self, verified: &Verified, map: impl FnOnce(&Input<'_>) -> T) -> T {
        let received = verified.received();
        map(&Input {
            body: &received.body,
            content_type: content_type(&received.headers),
            headers: &self.kept_headers(&received.headers),
            now: received.received_at,
        })
    }

    /// [`kept_headers`] of this source.
    pub fn kept_headers(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        kept_headers(&self.checked.receive, &self.checked.mapping, headers)
    }

    /// Of the headers that are kept of a request, those that make another event of the same body: the ones that a
    /// rule reads and, of a cloud event, what says which event it is. Its other attributes, such as the time at which
    /// it was sent, may differ when it is sent again.
    pub fn telling_headers<'h>(&self, kept: &'h [(String, String)]) -> Vec<(&'h str, &'h str)> {
        let read = self.checked.mapping.headers();
        kept.iter()
            .filter(|(name, _)| EVENT_IDENTITY.contains(&name.as_str()) || read.contains(name))
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }
}

/// The headers that mapping needs, so that an event can be mapped again later: those that a rule reads, and the
/// attributes of a cloud event. Each name once, in lower case and in order; never one that proves the request.
pub fn kept_headers(
    receive: &Receive,
    mapping: &Mapping,
    headers: &HeaderMap,
) -> Vec<(String, String)> {
    let wanted = mapping.headers();
    let is_event = is_cloud_event(content_type(headers), |name| headers.contains_key(name));
    if wanted.is_empty() && !is_event {
        return Vec::new();
    }
    let secret = receive.verify.secret_headers();
    let mut kept: Vec<(String, String)> = headers
        .keys()
        .filter(|name| {
            let is_wanted = wanted.iter().any(|wanted| name.as_str() == wanted);
            let is_attribute = is_event && name.as_str().starts_with("ce-");
            (is_wanted || is_attribute) && !secret.contains(name)
        })
        .map(|name| (name.to_string(), joined(headers.get_all(name).iter())))
        .collect();
    kept.sort_unstable();
    kept
}

pub(super) fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE)?.to_str().ok()
}

/// The text of a header; several of one name are one with commas between them (RFC 9110, section 5.3). Bytes that are
/// not UTF-8 are read as ISO-8859-1, as headers once were.
fn joined<'a>(values: impl Iterator<Item = &'a HeaderValue>) -> String {
    let text = |value: &HeaderValue| match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_owned(),
        Err(_) => value.as_bytes().iter().copied().map(char::from).collect(),
    };
    values.map(text).collect::<Vec<String>>().join(", ")
}
