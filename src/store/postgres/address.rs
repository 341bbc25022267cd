//! Where the database is and how the way to it is protected, from a `postgres://` URL.
//!
//! A connection over a network is by TLS with the server's certificate checked, name included, unless the URL says
//! `sslmode=disable`. The URL may hold a password, so nothing here repeats any of it in errors or debug output.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr as _};

use tokio_postgres::config::{Config, Host, SslMode, TargetSessionAttrs};

use super::connect::APPLICATION;

/// How the way to the server is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// The server shows a certificate for its name from an authority of this file (PEM), or of the system's where there is none.
    Verified { authorities: Option<PathBuf> },
    /// Nothing protects it; `is_local` where it does not leave this machine.
    Off { is_local: bool },
}

/// A server and a database of it.
#[derive(Clone)]
pub struct PostgresAddress {
    pub(super) config: Config,
    pub(super) tls: Tls,
}

/// Why a URL is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("the database's URL must begin with `postgres://` or `postgresql://`")]
    Scheme,
    #[error(
        "the database's URL cannot be read ({0}); it looks like `postgres://user@host:5432/database`, and special characters in \
         it are written as `%` and two hexadecimal digits"
    )]
    Syntax(String),
    #[error("the database's URL names no host")]
    NoHost,
    #[error("the database's URL names no database (`postgres://user@host:5432/database`)")]
    NoDatabase,
    #[error(
        "`sslmode={0}` is not known in the database's URL: it is `verify-full` (what holds without it, but for this machine), or \
         `disable`; what lies between does not protect"
    )]
    SslMode(String),
    #[error("`{0}` in the database's URL is set by the gateway; take it out")]
    Ours(&'static str),
}

impl PostgresAddress {
    /// # Errors
    /// The text says what to change and quotes no part of the URL but the mode of TLS.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(AddressError::Scheme);
        }
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let mut mode = None;
        let mut authorities = None;
        let mut others = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let text = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
            match name {
                "sslmode" => mode = Some(text.into_owned()),
                "sslrootcert" => authorities = Some(PathBuf::from(text.into_owned())),
                "options" => return Err(AddressError::Ours("options")),
                "application_name" => return Err(AddressError::Ours("application_name")),
                "target_session_attrs" => return Err(AddressError::Ours("target_session_attrs")),
                _ => others.push(pair),
            }
        }
        let url = if others.is_empty() {
            base.to_owned()
        } else {
            format!("{base}?{}", others.join("&"))
        };
        let mut config =
            Config::from_str(&url).map_err(|error| AddressError::Syntax(cause(&error)))?;
        if config.get_hosts().is_empty() {
            return Err(AddressError::NoHost);
        }
        if config.get_dbname().is_none() {
            return Err(AddressError::NoDatabase);
        }
        let is_local = config.get_hosts().iter().all(is_local)
            && config.get_hostaddrs().iter().all(IpAddr::is_loopback);
        let tls = match mode.as_deref() {
            None if is_local && authorities.is_none() => Tls::Off { is_local },
            // Verified all the same: what others mean by `require` protects from nobody who can change what is sent.
            None | Some("verify-full" | "verify-ca" | "require") => Tls::Verified { authorities },
            Some("disable") => Tls::Off { is_local },
            Some(other) => return Err(AddressError::SslMode(other.chars().take(20).collect())),
        };
        config
            .ssl_mode(match tls {
                Tls::Verified { .. } => SslMode::Require,
                Tls::Off { .. } => SslMode::Disable,
            })
            // Of several hosts, the one that can be written to: after a failover that is another one.
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .application_name(APPLICATION);
        Ok(Self { config, tls })
    }

    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// Signs in with this password instead of one in the URL.
    pub fn set_password(&mut self, password: &str) {
        self.config.password(password);
    }

    pub const fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Hosts and database, for people; never a user or a password.
    pub fn told(&self) -> String {
        let host = |(at, host): (usize, &Host)| {
            let ports = self.config.get_ports();
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) => format!("{name}:{port}"),
                Host::Unix(path) => path.display().to_string(),
            }
        };
        let hosts: Vec<String> = self
            .config
            .get_hosts()
            .iter()
            .enumerate()
            .map(host)
            .collect();
        format!(
            "{}/{}",
            hosts.join(","),
            self.config.get_dbname().unwrap_or_default()
        )
    }
}

impl fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresAddress")
            .field("at", &self.told())
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
    }
}

/// The client's own text for what it could not read, which names the option and quotes no value.
fn cause(error: &tokio_postgres::Error) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_crossed_by_verified_tls_unless_the_url_says_otherwise() {
        let verified = Tls::Verified { authorities: None };
        let cases = [
            ("postgres://gateway@db.example.mx/gateway", verified.clone()),
            (
                "postgres://gateway@db.example.mx/gateway?sslmode=require",
                verified.clone(),
            ),
            (
                "postgres://gateway@localhost/gateway?sslmode=verify-full",
                verified,
            ),
            (
                "postgres://gateway@db.example.mx/gateway?sslrootcert=/etc/db%20ca.pem",
                Tls::Verified {
                    authorities: Some("/etc/db ca.pem".into()),
                },
            ),
            (
                "postgres://gateway@db.example.mx/gateway?sslmode=disable",
                Tls::Off { is_local: false },
            ),
            (
                "postgres://gateway@127.0.0.1:5433/gateway",
                Tls::Off { is_local: true },
            ),
            (
                "postgres://gateway@%2Frun%2Fpostgresql/gateway",
                Tls::Off { is_local: true },
            ),
        ];
        for (url, tls) in cases {
            assert_eq!(PostgresAddress::parse(url).unwrap().tls, tls, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_without_the_password() {
        for url in [
            "mysql://gateway:hunter2@db/gateway",
            "postgres://gateway:hunter2@db:port/gateway",
            "postgres://gateway:hunter2@db",
            "postgres://gateway:hunter2@db/gateway?sslmode=prefer",
            "postgres://gateway:hunter2@db/gateway?options=-c%20fsync=off",
            "postgres://gateway:hunter2@db/gateway?nonsense=hunter2",
        ] {
            let error = PostgresAddress::parse(url).unwrap_err();
            assert!(
                !format!("{error} {error:?}").contains("hunter2"),
                "{error:?}"
            );
        }
    }

    #[test]
    fn debug_output_and_what_is_told_hold_no_user_and_no_password() {
        let mut address =
            PostgresAddress::parse("postgres://ana:hunter2@db.example.mx,db2:6000/school").unwrap();
        address.set_password("correcthorse");
        let shown = format!("{address:?}");
        assert_eq!(address.told(), "db.example.mx:5432,db2:6000/school");
        for secret in ["ana", "hunter2", "correcthorse"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
