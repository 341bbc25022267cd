//! Finds the address that a genuine message wants fetched, and sees that it is one that may be.

use std::fmt;

use url::{Host, Url};

use super::{Confirm, HandshakeAnswer, Verdict, settings::has_fields};
use crate::verify::{Refusal, request::Request};

/// Longer than any sender's.
const MAX_URL_BYTES: usize = 2048;

/// An address of a host that the source names, by HTTPS; by HTTP on this machine only, for tests.
///
/// Its `Debug` shows the host only: the rest is a secret of the sender's.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfirmUrl(Url);

impl ConfirmUrl {
    pub const fn url(&self) -> &Url {
        &self.0
    }

    /// For logs.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    fn new(text: &str, hosts: &[String]) -> Option<Self> {
        let url = Url::parse(text)
            .ok()
            .filter(|_| text.len() <= MAX_URL_BYTES)?;
        let is_loopback = match url.host()? {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(ip) => ip.is_loopback(),
            Host::Ipv6(ip) => ip.is_loopback(),
        };
        let is_way = (url.scheme() == "https" && (is_loopback || url.port().is_none()))
            || (url.scheme() == "http" && is_loopback);
        let is_known = hosts
            .iter()
            .any(|host| Some(host.as_str()) == url.host_str());
        let is_plain = url.username().is_empty() && url.password().is_none();
        (is_way && is_known && is_plain).then_some(Self(url))
    }
}

impl fmt::Debug for ConfirmUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfirmUrl({}, …)", self.host())
    }
}

pub(super) fn ask(settings: &Confirm, request: &Request<'_>) -> Verdict {
    if !has_fields(request, &settings.require) {
        return Verdict::Event;
    }
    let json = request.json().ok();
    match json.and_then(|json| settings.field.scalar(json)) {
        None => Verdict::Event,
        Some(text) => ConfirmUrl::new(&text, &settings.hosts).map_or(
            Verdict::Refused(Refusal::HandshakeHost),
            |url| Verdict::Confirm {
                url,
                answer: HandshakeAnswer::empty(),
            },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_of_a_known_host_by_https_is_fetched() {
        let hosts = ["sns.example.com".to_owned(), "127.0.0.1".to_owned()];
        for good in [
            "https://sns.example.com/?Action=ConfirmSubscription&Token=t",
            "https://SNS.EXAMPLE.COM:443/a",
            "http://127.0.0.1:8080/confirm",
            // As browsers read it, a backslash ends the host; what is judged here is what is fetched.
            "https://sns.example.com\\@evil.example/",
        ] {
            assert!(ConfirmUrl::new(good, &hosts).is_some(), "{good}");
        }
        let long = format!("https://sns.example.com/{}", "a".repeat(MAX_URL_BYTES));
        for bad in [
            "http://sns.example.com/",
            "https://sns.example.com:8443/",
            "https://user@sns.example.com/",
            "https://:word@sns.example.com/",
            "https://evil.example/?sns.example.com",
            "https://sns.example.com.evil.example/",
            "https://sns.example.com@evil.example/",
            "https://localhost/",
            "https://169.254.169.254/latest",
            "http://[::1]/",
            "ftp://sns.example.com/",
            "file:///etc/passwd",
            "/confirm",
            "",
            &long,
        ] {
            assert_eq!(ConfirmUrl::new(bad, &hosts), None, "{bad}");
        }
    }

    #[test]
    fn debug_output_shows_the_host_only() {
        let url = ConfirmUrl::new("https://a.example/?Token=s3cret", &["a.example".into()]);
        assert_eq!(format!("{:?}", url.unwrap()), "ConfirmUrl(a.example, …)");
    }
}
