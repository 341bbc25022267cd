//! Ranges of network addresses as people write them, and whether an address lies in one.
//!
//! An IPv4 address inside IPv6 (`::ffff:192.0.2.1`), as sockets that take both kinds show it, is the IPv4 address.
//! This module resolves no names and opens no connection.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::{IpNet, Ipv4Net};

/// More ranges than any list needs; it bounds the work that one request can cause.
pub const MAX_NETWORKS: usize = 256;

/// One range, such as `192.0.2.0/24`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

/// Why a text is not a range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    #[error("`{0}` is not an address or a range such as `192.0.2.0/24`")]
    NotARange(String),
    #[error("`{written}` is inside a range and does not begin one; the range is `{range}`")]
    NotTheBeginning { written: String, range: IpNet },
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let written = text.trim();
        let range = match written.parse::<IpNet>() {
            Ok(range) => range,
            Err(_) => match written.parse::<IpAddr>() {
                Ok(address) => IpNet::from(address),
                Err(_) => return Err(NetworkError::NotARange(written.to_owned())),
            },
        };
        if range.addr() != range.network() {
            return Err(NetworkError::NotTheBeginning {
                written: written.to_owned(),
                range: range.trunc(),
            });
        }
        Ok(Self(canonical(range)))
    }
}

/// A range of IPv4 addresses that is written inside IPv6 as what it is.
fn canonical(range: IpNet) -> IpNet {
    match (
        range.addr().to_canonical(),
        range.prefix_len().checked_sub(96),
    ) {
        (IpAddr::V4(address), Some(prefix)) if matches!(range, IpNet::V6(_)) => {
            Ipv4Net::new(address, prefix).map_or(range, IpNet::V4)
        }
        _ => range,
    }
}

impl Network {
    /// Whether it holds every address of its kind.
    pub fn is_everything(&self) -> bool {
        self.0.prefix_len() == 0
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            self.0.addr().fmt(f)
        } else {
            self.0.fmt(f)
        }
    }
}

/// A list of ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

impl Networks {
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|range| range.0.contains(&address))
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Network> {
        self.0.iter()
    }
}

impl FromIterator<Network> for Networks {
    fn from_iter<I: IntoIterator<Item = Network>>(ranges: I) -> Self {
        Self(ranges.into_iter().collect())
    }
}

/// The ranges with commas between them; nothing for an empty list.
impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            range.fmt(f)?;
        }
        Ok(())
    }
}

/// Whether an address belongs to a network of one's own: the machine itself, a private network, or one shared behind a
/// provider (RFC 1918, 4193, 3927, 4291 and 6598). A sender on the internet never has one.
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, _, _] = address.octets();
            address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Networks {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_range_holds_its_addresses_in_either_spelling() {
        let list = networks(&[
            "192.0.2.0/24",
            "2001:db8::/32",
            "198.51.100.7",
            "::ffff:203.0.113.0/120",
        ]);
        for (address, is_inside) in [
            ("192.0.2.0", true),
            ("192.0.2.255", true),
            ("192.0.3.0", false),
            ("::ffff:192.0.2.1", true),
            ("::192.0.2.1", false),
            ("2001:db8:ffff::1", true),
            ("2001:db9::1", false),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("203.0.113.9", true),
            ("::ffff:203.0.113.9", true),
        ] {
            assert_eq!(
                list.contains(address.parse().unwrap()),
                is_inside,
                "{address}"
            );
        }
        assert_eq!(
            list.to_string(),
            "192.0.2.0/24, 2001:db8::/32, 198.51.100.7, 203.0.113.0/24"
        );
        assert!(!Networks::default().contains("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_range_is_refused_with_what_was_meant() {
        for (text, said) in [
            ("192.0.2.7/24", "the range is `192.0.2.0/24`"),
            ("2001:db8::1/64", "the range is `2001:db8::/64`"),
            ("192.0.2", "is not an address"),
            ("192.0.2.0/33", "is not an address"),
            ("hooks.school.mx", "is not an address"),
            ("192.0.2.1:443", "is not an address"),
            ("", "is not an address"),
        ] {
            let error = text.parse::<Network>().unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
        let everything: Network = "0.0.0.0/0".parse().unwrap();
        assert!(everything.is_everything());
        assert!("::/0".parse::<Network>().unwrap().is_everything());
    }

    #[test]
    fn private_addresses_are_told_from_public_ones() {
        for (address, private) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.16.0.1", true),
            ("172.32.0.1", false),
            ("192.168.1.1", true),
            ("::ffff:192.168.1.1", true),
            ("169.254.1.1", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("203.0.113.1", false),
            ("::1", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_private(address.parse().unwrap()), private, "{address}");
        }
    }
}
