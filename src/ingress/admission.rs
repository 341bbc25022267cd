//! Who is calling, and whether they may: decided from the head of a request, before anything of its body is read.

mod client;
mod rate;

use std::{
    net::IpAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use http::HeaderMap;

use self::rate::Rates;
use crate::{
    network::{Networks, is_private},
    source::Source,
    verify::Peer,
};

/// Decides for all sources.
pub(super) struct Admission {
    trusted_proxies: Networks,
    rates: Rates,
    /// Whether it was said that a proxy of ours seems to be missing among the trusted ones.
    told: AtomicBool,
}

/// Why somebody may not call, or not now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// The address is not among those that the source takes requests from.
    NotAllowed,
    /// The source takes the next request after this time.
    TooMany(Duration),
}

impl Admission {
    pub(super) fn new(trusted_proxies: Networks) -> Self {
        Self {
            trusted_proxies,
            rates: Rates::default(),
            told: AtomicBool::new(false),
        }
    }

    /// Who is at the other end of a connection from `from`.
    pub(super) fn peer(&self, from: IpAddr, headers: &HeaderMap) -> Peer {
        client::peer(from, headers, &self.trusted_proxies)
    }

    /// Whether a source takes a request from there, and now. Counts nothing yet.
    pub(super) fn admit(
        &self,
        source: &Source,
        peer: Peer,
        headers: &HeaderMap,
        now: Duration,
    ) -> Result<(), Denied> {
        let receive = source.receive();
        if receive.allow_from.is_some() {
            self.look_for_a_proxy(peer, headers);
        }
        if !may_call(source, peer) {
            return Err(Denied::NotAllowed);
        }
        match receive.rate_limit {
            Some(limit) => self
                .rates
                .ask(source.name(), limit, now)
                .map_err(Denied::TooMany),
            None => Ok(()),
        }
    }

    /// Counts a request of a source that was genuine, new and is stored.
    pub(super) fn count(&self, source: &Source, now: Duration) {
        if let Some(limit) = source.receive().rate_limit {
            self.rates.count(source.name(), limit, now);
        }
    }

    /// Says once that an allow-list compares the address of our own balancer, where it looks as if it did.
    fn look_for_a_proxy(&self, peer: Peer, headers: &HeaderMap) {
        let looks_like_one =
            !peer.through_trusted_proxy && is_private(peer.client) && client::is_forwarded(headers);
        if looks_like_one && !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "requests come from {}, which seems to be a proxy of your own, but is not among `trusted_proxies` in \
                 gateway.yaml (GATEWAY_TRUSTED_PROXIES): `allow_from` of the sources compares that address instead of \
                 the senders'",
                peer.client
            );
        }
    }
}

/// Whether a source takes requests from there.
pub(super) fn may_call(source: &Source, peer: Peer) -> bool {
    let allowed = source.receive().allow_from.as_ref();
    allowed.is_none_or(|allowed| allowed.contains(peer.client))
}
