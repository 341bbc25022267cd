//! The address of the client, from the connection and from what trusted proxies add to `X-Forwarded-For`.
//!
//! Each proxy puts the address that it sees at the end of the list, so the list is read from its end: as long as the
//! address reached so far is a trusted proxy's, the entry before it is what that proxy saw. The first address that is no
//! trusted proxy's is the client's. Whatever a client writes into the header itself stands before that and is never
//! reached.
//!
//! `Forwarded` (RFC 7239) is not read: a proxy that writes the one header usually passes on the other as the client
//! wrote it, so that only one of them can be believed, and `X-Forwarded-For` is the one that proxies write.

use std::net::IpAddr;

use http::HeaderMap;

use crate::{network::Networks, verify::Peer};

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Who is at the other end of a connection from `from`. An entry that cannot be read ends the walk at the proxy that
/// wrote it.
pub(super) fn peer(from: IpAddr, headers: &HeaderMap, trusted: &Networks) -> Peer {
    let from = from.to_canonical();
    if !trusted.contains(from) {
        return Peer::direct(from);
    }
    let mut client = from;
    // Several headers are one list, in the order in which they came (RFC 9110, section 5.3).
    let entries = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .rev()
        .flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    for entry in entries {
        let Some(address) = address(entry) else { break };
        client = address;
        if !trusted.contains(client) {
            break;
        }
    }
    Peer {
        client,
        through_trusted_proxy: true,
    }
}

/// Whether a request says that it came by way of a proxy.
pub(super) fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED_FOR)
}

/// `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:443`, an IPv6 address perhaps with the
/// zone it belongs to (`fe80::1%eth0`).
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            if !host.contains(':') {
                return None;
            }
            (
                host,
                port.strip_prefix(':').or(port.is_empty().then_some("0")),
            )
        }
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (text, Some("0")),
        },
    };
    port?.parse::<u16>().ok()?;
    let host = match host.split_once('%') {
        Some((host, zone)) if host.contains(':') && !zone.is_empty() => host,
        Some(_) => return None,
        None => host,
    };
    host.parse::<IpAddr>()
        .ok()
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn trusted() -> Networks {
        let ranges = ["10.0.0.0/8", "fd00::/8"];
        ranges.iter().map(|range| range.parse().unwrap()).collect()
    }

    fn headers<V: AsRef<[u8]>>(values: &[V]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
            headers.append(FORWARDED_FOR, value);
        }
        headers
    }

    fn client(from: &str, values: &[&str]) -> String {
        peer(ip(from), &headers(values), &trusted())
            .client
            .to_string()
    }

    #[test]
    fn the_client_is_the_last_hop_that_is_no_trusted_proxy() {
        for (values, expected) in [
            (&[][..], "10.0.0.1"),
            (&["192.0.2.1"], "192.0.2.1"),
            (&["198.51.100.9, 192.0.2.1"], "192.0.2.1"),
            (&["192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            (
                &["198.51.100.9", "192.0.2.1 ,\t10.0.0.2", "10.0.0.3"],
                "192.0.2.1",
            ),
            (&["192.0.2.1", "198.51.100.9"], "198.51.100.9"),
            // A proxy that calls by itself.
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            (&["2001:db8::1, fd00::5"], "2001:db8::1"),
        ] {
            assert_eq!(client("10.0.0.1", values), expected, "{values:?}");
        }
    }

    #[test]
    fn entries_are_read_with_ports_brackets_zones_and_in_either_spelling() {
        for (entry, expected) in [
            ("192.0.2.1:52114", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:52114", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25]:443", "fe80::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("[::ffff:192.0.2.1]:443", "192.0.2.1"),
            // Trusted, in another spelling.
            ("192.0.2.1, ::ffff:10.0.0.9", "192.0.2.1"),
        ] {
            assert_eq!(client("::ffff:10.0.0.1", &[entry]), expected, "{entry}");
        }
    }

    #[test]
    fn an_entry_that_cannot_be_read_ends_the_walk_at_the_proxy_that_wrote_it() {
        for entry in [
            "unknown",
            "_hidden",
            "",
            " ",
            "192.0.2",
            "192.0.2.1:",
            "192.0.2.1:99999",
            "192.0.2.1:x",
            "[192.0.2.1]",
            "[2001:db8::1",
            "[2001:db8::1]x",
            "[]",
            "192.0.2.1%eth0",
            "fe80::1%",
            "\"192.0.2.1\"",
            "for=192.0.2.1",
            "192.0.2.01",
            "0xC0000201",
            "3221225985",
            "192.0.2.1/24",
            "192.0.2.1 192.0.2.2",
            "192.0.2.\u{661}",
        ] {
            let values = [format!("198.51.100.9, {entry}, 10.0.0.2")];
            let found = peer(ip("10.0.0.1"), &headers(&values), &trusted());
            assert_eq!(found.client, ip("10.0.0.2"), "{entry:?}");
        }
        let latin = peer(ip("10.0.0.1"), &headers(&[b"192.0.2.1, \xe9"]), &trusted());
        assert_eq!(latin.client, ip("10.0.0.1"));
    }

    #[test]
    fn nobody_else_is_believed() {
        let found = peer(ip("203.0.113.5"), &headers(&["192.0.2.1"]), &trusted());
        assert_eq!(found, Peer::direct(ip("203.0.113.5")));
        let nobody = Networks::default();
        let found = peer(ip("127.0.0.1"), &headers(&["192.0.2.1"]), &nobody);
        assert_eq!(found, Peer::direct(ip("127.0.0.1")));
    }

    #[test]
    fn hundreds_of_hops_are_walked() {
        let hops = vec!["10.0.0.2"; 2000].join(",");
        assert_eq!(
            client("10.0.0.1", &[&format!("192.0.2.1,{hops}")]),
            "192.0.2.1"
        );
        let commas = ",".repeat(30_000);
        assert_eq!(client("10.0.0.1", &[&commas]), "10.0.0.1");
    }

    fn outside() -> impl Strategy<Value = IpAddr> {
        any::<IpAddr>().prop_filter("not a trusted proxy", |address| {
            !trusted().contains(*address)
        })
    }

    proptest! {
        /// Whatever a client puts into the header, through any chain of trusted proxies, each of which adds what it saw
        /// to the last header or as one of its own.
        #[test]
        fn a_client_that_forges_headers_gains_no_address_but_its_own(
            forged in proptest::collection::vec("[0-9a-f.:, \\[\\]%x-]{0,40}|(10\\.0\\.0\\.[1-9], ?){0,4}|192\\.0\\.2\\.1", 0..4),
            own in outside(),
            proxies in proptest::collection::vec((1u8..255, any::<bool>()), 1..5),
        ) {
            let mut values = forged;
            let mut seen = own;
            for (number, adds_header) in &proxies {
                match values.last_mut() {
                    Some(last) if !adds_header => *last = format!("{last}, {seen}"),
                    _ => values.push(seen.to_string()),
                }
                seen = IpAddr::from([10, 0, 0, *number]);
            }
            let found = peer(seen, &headers(&values), &trusted());
            prop_assert_eq!(found.client, own.to_canonical());
        }

        /// Without a proxy nothing that a client writes changes anything.
        #[test]
        fn a_direct_client_is_its_connection(
            own in outside(),
            bytes in proptest::collection::vec((32u8..=255).prop_filter("no header has it", |byte| *byte != 127), 0..60),
        ) {
            let found = peer(own, &headers(&[bytes]), &trusted());
            prop_assert_eq!(found, Peer::direct(own.to_canonical()));
        }
    }
}
