//! The address of Quentli's API, as people write it.

use std::{fmt, net::IpAddr, str::FromStr};

use url::{Host, Url};

/// Where the API is, without the version: `https://api.quentli.com`, or with a path before `/v1` where a proxy adds
/// one.
///
/// Read with or without `/v1` at the end and with or without trailing slashes. Quentli's own example programs keep
/// `/v1` in the configured address, its reference does not.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

/// Why a text is not an address that the key may be sent to. Holds no part of the text, which may contain a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBaseUrl {
    #[error("not a URL: it should look like `https://api.quentli.com`")]
    Malformed,
    #[error(
        "must begin with `https://`; `http://` is only for this machine (`localhost`, `127.0.0.1`, `[::1]`)"
    )]
    NotSecure,
    #[error("must not contain a user name or password: the key is a setting of its own")]
    Credentials,
    #[error("must not contain a query (`?`) or a fragment (`#`)")]
    Extra,
}

impl BaseUrl {
    /// Whether the host is this machine by its very name, so that no request to it leaves the machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// Whether calls are encrypted; `http` is possible for loopback only.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The address of a resource; each segment becomes exactly one path segment, whatever characters it holds.
    pub(super) fn resource(&self, segments: &[&str]) -> Url {
        let mut address = self.0.clone();
        if let Ok(mut path) = address.path_segments_mut() {
            path.pop_if_empty().push("v1");
        }
        let mut path = address.path().to_owned();
        for segment in segments {
            path.push('/');
            path.extend(percent_encoding::utf8_percent_encode(segment, SEGMENT));
        }
        address.set_path(&path);
        address
    }
}

/// Everything but the characters that RFC 3986 calls unreserved. `Url::path_segments_mut` would leave some of the
/// others as they are and drop the segments `.` and `..`.
const SEGMENT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().is_loopback(),
        None => false,
    }
}

/// Whether something that others must not read may be sent to an address: encrypted, or to this machine; and without a
/// password inside, which would be shown with it.
///
/// # Errors
/// What is wrong with it.
pub fn check_secure(url: &Url) -> Result<(), InvalidBaseUrl> {
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(url) => {}
        "http" => return Err(InvalidBaseUrl::NotSecure),
        _ => return Err(InvalidBaseUrl::Malformed),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidBaseUrl::Credentials);
    }
    Ok(())
}

impl Default for BaseUrl {
    /// Quentli's production service.
    fn default() -> Self {
        "https://api.quentli.com"
            .parse()
            .expect("the address of the production service is valid")
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidBaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidBaseUrl> {
        let mut url = Url::parse(text.trim()).map_err(|_| InvalidBaseUrl::Malformed)?;
        check_secure(&url)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidBaseUrl::Extra);
        }
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix("/v1").unwrap_or(path);
        let path = path.trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }
}

/// Without the version and without a trailing slash.
impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_and_trailing_slashes_make_no_difference() {
        for (text, shown) in [
            ("https://api.quentli.com", "https://api.quentli.com"),
            ("https://api.quentli.com/", "https://api.quentli.com"),
            ("https://api.quentli.com/v1", "https://api.quentli.com"),
            ("https://api.quentli.com/v1//", "https://api.quentli.com"),
            (" https://API.quentli.com/v1/ ", "https://api.quentli.com"),
            ("https://proxy.example/q/v1", "https://proxy.example/q"),
            ("https://proxy.example/q/", "https://proxy.example/q"),
            ("http://localhost:9000", "http://localhost:9000"),
            ("http://127.0.0.1:9000/v1", "http://127.0.0.1:9000"),
            ("http://[::1]:9000/", "http://[::1]:9000"),
        ] {
            let base: BaseUrl = text.parse().unwrap();
            assert_eq!(base.to_string(), shown, "{text}");
            assert_eq!(shown.parse::<BaseUrl>().unwrap(), base, "{text}");
            assert_eq!(
                base.resource(&["customers"]).as_str(),
                format!("{shown}/v1/customers"),
                "{text}"
            );
        }
    }

    #[test]
    fn addresses_that_would_give_the_key_away_are_refused() {
        use InvalidBaseUrl as Invalid;
        for (text, reason) in [
            ("", Invalid::Malformed),
            ("api.quentli.com", Invalid::Malformed),
            ("ftp://api.quentli.com", Invalid::Malformed),
            ("file:///etc/passwd", Invalid::Malformed),
            ("http://api.quentli.com", Invalid::NotSecure),
            ("http://10.0.0.1", Invalid::NotSecure),
            ("http://localhost.example.com", Invalid::NotSecure),
            ("http://127.0.0.1.example.com", Invalid::NotSecure),
            ("https://me@api.quentli.com", Invalid::Credentials),
            ("https://me:pw@api.quentli.com", Invalid::Credentials),
            ("https://api.quentli.com?x=1", Invalid::Extra),
            ("https://api.quentli.com/#x", Invalid::Extra),
        ] {
            assert_eq!(text.parse::<BaseUrl>(), Err(reason), "{text}");
        }
    }

    #[test]
    fn an_identifier_is_always_one_segment_of_the_path() {
        let base = BaseUrl::default();
        for (id, segment) in [
            ("cus_1234567890abcdefghij", "cus_1234567890abcdefghij"),
            ("a/b", "a%2Fb"),
            ("../payments", "..%2Fpayments"),
            ("a?b#c", "a%3Fb%23c"),
            ("%2e%2e", "%252e%252e"),
            ("a\\b;c=d", "a%5Cb%3Bc%3Dd"),
            ("ñ", "%C3%B1"),
        ] {
            assert_eq!(
                base.resource(&["customers", id]).as_str(),
                format!("https://api.quentli.com/v1/customers/{segment}")
            );
        }
    }
}
