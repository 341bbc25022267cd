//! `notify`: who is told when a person is needed.

use std::{collections::BTreeMap, time::Duration};

use secrecy::ExposeSecret as _;
use url::Url;

use super::Reader;
use crate::{
    config::{parse_duration, show_duration},
    diag::Diagnostic,
    event::SourceName,
    notify::{SecretUrl, Settings},
    quentli::{self, InvalidBaseUrl},
};

impl Reader<'_> {
    /// Nothing where nobody is to be told.
    pub(super) fn notify(&mut self) -> Option<Settings> {
        let key = "notify.oldest_waiting";
        let written = self.settings.get(key);
        let usual = Duration::from_mins(15);
        let oldest_waiting = self
            .layers
            .settle(key, written, usual, longer_than_none, |limit| {
                show_duration(*limit)
            });
        let silent = self.silent();
        let url = self.notify_url();
        let reference = self.settings.notify.secret.clone();
        let secret = reference
            .and_then(|(reference, span)| self.secret("notify.secret", &reference, Some(span)));
        Some(Settings {
            url: SecretUrl::new(url?),
            secret,
            oldest_waiting,
            silent,
        })
    }

    /// It may stand in the file, or elsewhere where it is a secret.
    fn notify_url(&mut self) -> Option<Url> {
        let key = "notify.url";
        if let Some((reference, span)) = self.settings.notify.url.clone() {
            let text = self.secret(key, &reference, Some(span))?;
            return match read_url(text.expose_secret()) {
                Ok(url) => Some(url),
                Err(expected) => {
                    let message = format!("`{key}` takes {expected}");
                    let diagnostic = Diagnostic::error("config/value", message);
                    self.layers
                        .report_missing(diagnostic, &reference.to_string(), Some(span));
                    None
                }
            };
        }
        let written = self.settings.get(key);
        let show = |url: &Option<Url>| {
            let url = url.clone().map(SecretUrl::new);
            url.map_or_else(|| "none".to_owned(), |url| url.shown())
        };
        self.layers
            .settle(key, written, None, |text| read_url(text).map(Some), show)
    }

    fn silent(&mut self) -> BTreeMap<SourceName, Duration> {
        let names = std::mem::take(&mut self.settings.notify.silent);
        let mut silent = BTreeMap::new();
        for name in names {
            let key = format!("notify.silent.{name}");
            let written = self.settings.get(&key);
            let limit = self.layers.settle(
                &key,
                written,
                Duration::from_hours(24),
                longer_than_none,
                |limit| show_duration(*limit),
            );
            silent.insert(name, limit);
        }
        silent
    }
}

/// With none, everything would always be late.
fn longer_than_none(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .ok()
        .filter(|limit| !limit.is_zero())
        .ok_or_else(|| {
            "a time above zero, such as `15m` or `24h`; leave it out where nobody is to be told"
                .to_owned()
        })
}

fn read_url(text: &str) -> Result<Url, String> {
    let expected = || "an address such as `https://hooks.example.com/…`".to_owned();
    let url = Url::parse(text.trim()).map_err(|_| expected())?;
    quentli::check_secure(&url).map_err(|error| match error {
        InvalidBaseUrl::Credentials => {
            format!("{}, without a user name or password in it", expected())
        }
        InvalidBaseUrl::NotSecure | InvalidBaseUrl::Malformed | InvalidBaseUrl::Extra => {
            format!("{}; `http://` is only for this machine", expected())
        }
    })?;
    if url.fragment().is_some() {
        return Err(format!("{}, without `#`", expected()));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_not_safe_is_refused_in_words_about_notifications() {
        let usual = "an address such as `https://hooks.example.com/…`";
        for (text, more) in [
            ("hooks", ""),
            (
                "http://hooks.example.com/x",
                "; `http://` is only for this machine",
            ),
            (
                "ftp://hooks.example.com/x",
                "; `http://` is only for this machine",
            ),
            (
                "https://ana:secret@hooks.example.com/x",
                ", without a user name or password in it",
            ),
            ("https://hooks.example.com/x#part", ", without `#`"),
        ] {
            assert_eq!(read_url(text), Err(format!("{usual}{more}")), "{text}");
        }
        assert!(read_url("http://127.0.0.1:9/x").is_ok());
    }
}
