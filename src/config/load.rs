//! All layers to one checked configuration.

mod database;
mod limits;
mod notify;
mod proxies;
mod retention;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use secrecy::SecretString;
use url::Url;

use super::{
    Admin, ByteCount, Config, Environment, Flags, Organisation, Receiving, RetrySettings,
    SecretReference, ShutdownSettings,
    file::FileSettings,
    layers::{Layers, Origin, Shown, Written},
    parse_duration, show_duration,
};
use crate::{
    diag::{Collector, Diagnostic, Findings, SourceText, Span},
    event::{OrganisationName, ReplicaName},
    quentli::BaseUrl,
    telemetry::{LogFormat, LogSettings},
};

/// The file that is read when no other is named, where it exists.
pub const DEFAULT_FILE: &str = "gateway.yaml";

/// What is wrong with the configuration, all of it.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has mistakes")]
pub struct ConfigError {
    pub findings: Vec<Findings>,
}

impl Config {
    /// Reads all layers.
    ///
    /// # Errors
    /// All mistakes of all layers, each with its place and a remedy.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Self, ConfigError> {
        let (text, file) = read_file(flags, environment)?;
        let mut layers = Layers::new(text);
        let settings = FileSettings::read(&mut layers.file);
        let config = Reader {
            flags,
            environment,
            settings,
            layers,
            base: folder_of(&file),
            file,
        }
        .read();
        let (findings, shown, config) = config;
        if findings.iter().any(Findings::has_errors) {
            return Err(ConfigError { findings });
        }
        Ok(Self { shown, ..config })
    }

    /// Reads of all layers only how the operators' port is reached. Mistakes elsewhere are not looked for, and no
    /// other secret is read.
    ///
    /// # Errors
    /// As for [`Config::load`].
    pub fn load_admin(flags: &Flags, environment: &Environment) -> Result<Admin, ConfigError> {
        let (text, file) = read_file(flags, environment)?;
        let settings = FileSettings::read(&mut Collector::new(Arc::clone(&text)));
        let mut reader = Reader {
            flags,
            environment,
            settings,
            layers: Layers::new(text),
            base: folder_of(&file),
            file,
        };
        let admin = reader.admin();
        let (findings, _) = reader.layers.finish();
        if findings.is_empty() {
            Ok(admin)
        } else {
            Err(ConfigError { findings })
        }
    }

    /// Reads of all layers only what the check of a request depends on, as [`Config::load_admin`] does for the port.
    ///
    /// # Errors
    /// As for [`Config::load`].
    pub fn load_receiving(
        flags: &Flags,
        environment: &Environment,
    ) -> Result<Receiving, ConfigError> {
        let (text, file) = read_file(flags, environment)?;
        let settings = FileSettings::read(&mut Collector::new(Arc::clone(&text)));
        let base = folder_of(&file);
        let mut reader = Reader {
            flags,
            environment,
            settings,
            layers: Layers::new(text),
            base: base.clone(),
            file,
        };
        let public_url = reader.public_url();
        let mappings = reader.mappings();
        let (findings, _) = reader.layers.finish();
        if findings.is_empty() {
            Ok(Receiving {
                public_url,
                mappings,
                base,
            })
        } else {
            Err(ConfigError { findings })
        }
    }

    /// Whether any layer set a key, so that it is not the default that is in effect.
    pub fn is_set(&self, key: &str) -> bool {
        let is_set = |shown: &Shown| shown.key == key && shown.origin != Origin::Default;
        self.shown.iter().any(is_set)
    }
}

/// Reads the address that senders were given.
///
/// # Errors
///
/// What was expected.
pub fn read_public_url(text: &str) -> Result<Url, &'static str> {
    let expected = "an address without a path, such as `https://hooks.school.mx`";
    let url = Url::parse(text).map_err(|_| expected)?;
    let bare = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty();
    if bare { Ok(url) } else { Err(expected) }
}

fn read_file(
    flags: &Flags,
    environment: &Environment,
) -> Result<(Arc<SourceText>, PathBuf), ConfigError> {
    let named = flags
        .config
        .clone()
        .or_else(|| environment.get("GATEWAY_CONFIG").map(PathBuf::from));
    let path = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    let name = path.display().to_string();
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((SourceText::new(name, text), path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
            Ok((SourceText::new(name, ""), path))
        }
        Err(error) => {
            let mut found = Collector::new(SourceText::new(name, ""));
            found.add(
                Diagnostic::error(
                    "config/unreadable",
                    format!("the configuration file cannot be read: {error}"),
                )
                .at(Span::new(0, 0), "")
                .help(
                    "check the path given with `--config` or GATEWAY_CONFIG, and its permissions",
                ),
            );
            Err(ConfigError {
                findings: vec![found.finish()],
            })
        }
    }
}

/// Where relative paths in the file start.
fn folder_of(file: &Path) -> PathBuf {
    file.parent().map(Path::to_path_buf).unwrap_or_default()
}

struct Reader<'a> {
    flags: &'a Flags,
    environment: &'a Environment,
    settings: FileSettings,
    layers: Layers,
    file: PathBuf,
    base: PathBuf,
}

impl Reader<'_> {
    fn read(mut self) -> (Vec<Findings>, Vec<Shown>, Config) {
        let listen = self.address(
            "listen",
            self.flags.listen.clone(),
            "--listen",
            "GATEWAY_LISTEN",
            ([0, 0, 0, 0], 8080),
        );
        let admin = self.admin();
        let public_url = self.public_url();
        let trusted_proxies = self.trusted_proxies();
        let mappings = self.mappings();
        let data = self.path("data", self.flags.data.clone(), "--data", "GATEWAY_DATA");
        let database = self.database();
        let organisations = self.organisations();
        let limits = self.limits();
        let retry = RetrySettings {
            budget: self.duration("retry.for", Duration::from_hours(72)),
            first_wait: self.duration("retry.first_wait", Duration::from_secs(1)),
            longest_wait: self.duration("retry.longest_wait", Duration::from_mins(10)),
            missing_for: self.duration("retry.missing_for", Duration::from_hours(7 * 24)),
        };
        let retention = self.retention();
        let unchanged_max_age = self.duration("unchanged.max_age", Duration::from_hours(24));
        let merge_most = self.count("merge.most", 32);
        let directory_refresh = self.duration("directory.refresh", Duration::from_hours(6));
        let shutdown = ShutdownSettings {
            drain: self.duration("shutdown.drain", Duration::ZERO),
            grace: self.duration("shutdown.grace", Duration::from_secs(25)),
        };
        let rotation_warn_before =
            self.duration("rotation.warn_before", Duration::from_hours(7 * 24));
        let reload_poll = self.duration("reload.poll", Duration::from_secs(5));
        let replica = self.replica();
        let notify = self.notify();
        let log = self.log();
        let (findings, shown) = self.layers.finish();
        let config = Config {
            listen,
            admin,
            public_url,
            trusted_proxies,
            mappings,
            data,
            database,
            organisations,
            limits,
            retry,
            retention,
            unchanged_max_age,
            merge_most,
            directory_refresh,
            notify,
            shutdown,
            log,
            rotation_warn_before,
            reload_poll,
            replica,
            file: self.file,
            base: self.base,
            shown: Vec::new(),
        };
        (findings, shown, config)
    }

    /// The highest layer that wrote a setting.
    fn written(
        &self,
        key: &str,
        flag: Option<(&'static str, String)>,
        variable: Option<&'static str>,
    ) -> Option<Written> {
        if let Some((name, text)) = flag {
            return Some(Written {
                text,
                origin: Origin::Flag(name),
                span: None,
            });
        }
        let from_environment = variable.and_then(|name| {
            let text = self.environment.get(name)?.to_owned();
            Some(Written {
                text,
                origin: Origin::Environment(name),
                span: None,
            })
        });
        from_environment.or_else(|| self.settings.get(key))
    }

    fn address(
        &mut self,
        key: &str,
        flag: Option<String>,
        flag_name: &'static str,
        variable: &'static str,
        default: ([u8; 4], u16),
    ) -> SocketAddr {
        let written = self.written(key, flag.map(|text| (flag_name, text)), Some(variable));
        self.layers.settle(
            key,
            written,
            SocketAddr::from(default),
            |text| {
                text.parse()
                    .map_err(|_| "an address and a port, such as `0.0.0.0:8080` or `[::1]:8081`")
            },
            ToString::to_string,
        )
    }

    fn path(
        &mut self,
        key: &str,
        flag: Option<PathBuf>,
        flag_name: &'static str,
        variable: &'static str,
    ) -> PathBuf {
        let flag = flag.map(|path| (flag_name, path.display().to_string()));
        let written = self.written(key, flag, Some(variable));
        // A relative path in the file starts at the file; one from a flag or the environment, where one stands.
        let base = match written.as_ref().map(|written| &written.origin) {
            Some(Origin::File(..)) => self.base.clone(),
            _ => PathBuf::new(),
        };
        let read = |text: &str| Ok::<_, String>(base.join(text));
        self.layers
            .settle(key, written, PathBuf::from(key), read, |path| {
                path.display().to_string()
            })
    }

    fn duration(&mut self, key: &str, default: Duration) -> Duration {
        let written = self.settings.get(key);
        self.layers
            .settle(key, written, default, parse_duration, |duration| {
                show_duration(*duration)
            })
    }

    fn bytes(&mut self, key: &str, default: ByteCount) -> ByteCount {
        let written = self.settings.get(key);
        self.layers
            .settle(key, written, default, str::parse, ToString::to_string)
    }

    fn count(&mut self, key: &str, default: u32) -> NonZeroU32 {
        let written = self.settings.get(key);
        let default = NonZeroU32::new(default).unwrap_or(NonZeroU32::MIN);
        let read = |text: &str| text.trim().parse().map_err(|_| "a whole number from 1");
        self.layers
            .settle(key, written, default, read, ToString::to_string)
    }

    fn admin(&mut self) -> Admin {
        let flag = self.flags.admin_listen.clone();
        let listen = self.address(
            "admin.listen",
            flag,
            "--admin-listen",
            "GATEWAY_ADMIN_LISTEN",
            ([127, 0, 0, 1], 8081),
        );
        let variable = SecretReference::Environment("GATEWAY_ADMIN_TOKEN".to_owned());
        let reference = match self.environment.get("GATEWAY_ADMIN_TOKEN") {
            Some(_) => Some((variable, None)),
            None => self
                .settings
                .admin_token
                .clone()
                .map(|(reference, span)| (reference, Some(span))),
        };
        let token =
            reference.and_then(|(reference, span)| self.secret("admin.token", &reference, span));
        if token.is_none() && !listen.ip().is_loopback() {
            let diagnostic = Diagnostic::error(
                "config/admin-token",
                format!(
                    "the admin port listens on {listen}, which others can reach, and has no token"
                ),
            )
            .help("set GATEWAY_ADMIN_TOKEN or `admin.token`, or listen on 127.0.0.1");
            self.layers
                .report_missing(diagnostic, "GATEWAY_ADMIN_TOKEN", None);
        }
        Admin { listen, token }
    }

    fn mappings(&mut self) -> PathBuf {
        let flag = self.flags.mappings.clone();
        self.path("mappings", flag, "--mappings", "GATEWAY_MAPPINGS")
    }

    fn replica(&mut self) -> Option<ReplicaName> {
        let written = self.written("replica.name", None, Some("GATEWAY_REPLICA"));
        let read = |text: &str| {
            let name = text.parse().map(Some);
            name.map_err(|_| "1 to 100 letters, digits, `.`, `_` and `-`")
        };
        let show = |name: &Option<ReplicaName>| {
            let of_host = || "(the host's name, and a random ending)".to_owned();
            name.as_ref().map_or_else(of_host, ToString::to_string)
        };
        self.layers
            .settle("replica.name", written, None, read, show)
    }

    fn public_url(&mut self) -> Option<Url> {
        let written = self.written("public_url", None, Some("GATEWAY_PUBLIC_URL"));
        let read = |text: &str| read_public_url(text).map(Some);
        let show = |url: &Option<Url>| {
            url.as_ref()
                .map_or_else(|| "none".to_owned(), ToString::to_string)
        };
        self.layers.settle("public_url", written, None, read, show)
    }

    fn organisations(&mut self) -> BTreeMap<OrganisationName, Organisation> {
        let default = OrganisationName::default_name();
        let mut references = std::mem::take(&mut self.settings.organisations);
        if references.is_empty() || self.environment.get("QUENTLI_API_KEY").is_some() {
            references.entry(default.clone()).or_insert(None);
        }
        let mut organisations = BTreeMap::new();
        for (name, reference) in references {
            let is_default = name == default;
            let dotted = |key: &str| format!("quentli.{name}.{key}");
            let variable = is_default.then_some("QUENTLI_API_URL");
            let written = self.written(&dotted("url"), None, variable);
            let url = self.layers.settle(
                &dotted("url"),
                written,
                BaseUrl::default(),
                |text| {
                    text.parse::<BaseUrl>()
                        .map_err(|error| format!("Quentli's address: {error}"))
                },
                ToString::to_string,
            );
            let rate = self.count(&dotted("rate"), 5);
            let concurrency = self.count(&dotted("concurrency"), 4);
            let timeout = self.duration(&dotted("timeout"), Duration::from_secs(10));
            if timeout.is_zero() {
                let written = self.settings.get(&dotted("timeout"));
                let diagnostic = Diagnostic::error("config/value", "a call needs some time");
                if let Some(written) = written {
                    self.layers.report(diagnostic, &written);
                }
            }
            let in_environment = is_default && self.environment.get("QUENTLI_API_KEY").is_some();
            let reference = match reference {
                Some((reference, span)) if !in_environment => Some((reference, Some(span))),
                _ if is_default => {
                    let variable = SecretReference::Environment("QUENTLI_API_KEY".to_owned());
                    Some((variable, None))
                }
                _ => {
                    let diagnostic = Diagnostic::error(
                        "config/missing-key",
                        format!("the organisation `{name}` has no `key`"),
                    )
                    .help("write `key: {env: NAME}` or `key: {file: /path}`");
                    self.layers.file.add(diagnostic);
                    None
                }
            };
            if let Some((key_reference, span)) = reference
                && let Some(key) = self.secret(&dotted("key"), &key_reference, span)
            {
                organisations.insert(
                    name,
                    Organisation {
                        url,
                        key,
                        key_reference,
                        rate,
                        concurrency,
                        timeout,
                    },
                );
            }
        }
        organisations
    }

    fn secret(
        &mut self,
        key: &str,
        reference: &SecretReference,
        span: Option<Span>,
    ) -> Option<SecretString> {
        let origin = match (reference, span) {
            (_, Some(span)) => {
                let (line, _) = self.layers.file.file().line_column(span.start);
                Origin::File(self.layers.file.file().name().to_owned(), line)
            }
            (SecretReference::Environment(name), None) if name == "QUENTLI_API_KEY" => {
                Origin::Environment("QUENTLI_API_KEY")
            }
            (SecretReference::Environment(name), None) if name == "GATEWAY_DATABASE_PASSWORD" => {
                Origin::Environment("GATEWAY_DATABASE_PASSWORD")
            }
            _ => Origin::Environment("GATEWAY_ADMIN_TOKEN"),
        };
        match reference.read(self.environment, &self.base) {
            Ok(secret) => {
                self.layers.shown.push(Shown {
                    key: key.to_owned(),
                    value: format!("({reference})"),
                    origin,
                });
                Some(secret)
            }
            Err(error) => {
                let reason = std::error::Error::source(&error)
                    .map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
                let help = match reference {
                    SecretReference::Environment(name) if name == "QUENTLI_API_KEY" => {
                        "set QUENTLI_API_KEY to the organisation's key (`sk_…`, in the settings of Quentli's \
                         dashboard), or name a file with `quentli.default.key: {file: /path}`"
                            .to_owned()
                    }
                    SecretReference::Environment(name) => format!("set {name}, or name a file with `{{file: /path}}`"),
                    SecretReference::File(_) => "check the path and its permissions".to_owned(),
                };
                let diagnostic =
                    Diagnostic::error("config/missing-secret", format!("`{key}`: {reason}"))
                        .help(help);
                self.layers
                    .report_missing(diagnostic, &reference.to_string(), span);
                None
            }
        }
    }

    fn log(&mut self) -> LogSettings {
        let written = self.written("log.format", None, Some("GATEWAY_LOG_FORMAT"));
        let read = |text: &str| text.parse::<LogFormat>().map_err(|_| "`json` or `human`");
        let show = |format: &LogFormat| match format {
            LogFormat::Json => "json".to_owned(),
            LogFormat::Human => "human".to_owned(),
        };
        let format = self
            .layers
            .settle("log.format", written, LogFormat::Json, read, show);
        let written = self.written("log.level", None, Some("GATEWAY_LOG_LEVEL"));
        let read = |text: &str| {
            tracing_subscriber::EnvFilter::try_new(text)
                .map(|_| text.to_owned())
                .map_err(|_| "`error`, `warn`, `info`, `debug`, or a filter such as `info,quentli_gateway=debug`")
        };
        let filter =
            self.layers
                .settle("log.level", written, "info".to_owned(), read, Clone::clone);
        LogSettings {
            format,
            filter,
            colour: false,
        }
    }
}
