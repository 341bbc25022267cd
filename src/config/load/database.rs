//! `database`: where several replicas keep what they share.

use secrecy::ExposeSecret as _;

use super::Reader;
use crate::{
    config::{
        Database, SecretReference, Shown,
        layers::{Origin, Written},
    },
    diag::{Diagnostic, Span},
    store::postgres::{Durability, PostgresAddress},
};

const PASSWORD_VARIABLE: &str = "GATEWAY_DATABASE_PASSWORD";

impl Reader<'_> {
    /// `None`: the file in the data directory.
    pub(super) fn database(&mut self) -> Option<Database> {
        let Some((url, written)) = self.database_url() else {
            if self.settings.database.url.is_none() {
                self.layers.shown.push(Shown {
                    key: "database".to_owned(),
                    value: "SQLite in the folder of `data`".to_owned(),
                    origin: Origin::Default,
                });
            }
            return None;
        };
        let address = match PostgresAddress::parse(&url) {
            Ok(address) => address,
            Err(error) => {
                self.report_unshown("config/value", &error.to_string(), None, &written);
                return None;
            }
        };
        let is_seen = matches!(written.origin, Origin::File(..) | Origin::Flag(_));
        if address.has_password() && is_seen {
            let help = format!(
                "take the password out of the URL, and give it by `database.password: {{file: /path}}` or {PASSWORD_VARIABLE}"
            );
            let message = "the database's URL holds a password where others can read it";
            self.report_unshown("config/literal-secret", message, Some(&help), &written);
            return None;
        }
        self.layers.shown.push(Shown {
            key: "database".to_owned(),
            value: address.told(),
            origin: written.origin,
        });
        let address = self.database_password(address)?;
        let written = self.settings.get("database.accept_data_loss");
        let read = |text: &str| match text {
            "true" => Ok(Durability::LossAccepted),
            "false" => Ok(Durability::Required),
            _ => Err("`true` or `false`"),
        };
        let show = |durability: &Durability| (*durability == Durability::LossAccepted).to_string();
        let key = "database.accept_data_loss";
        let durability = self
            .layers
            .settle(key, written, Durability::Required, read, show);
        Some(Database {
            address,
            durability,
        })
    }

    /// The URL, which may be a secret by itself, and where it was written.
    fn database_url(&mut self) -> Option<(String, Written)> {
        let flag = self.flags.database.clone();
        let flag = flag.map(|url| ("--database", url));
        let written = self.written("database.url", flag, Some("GATEWAY_DATABASE"));
        if let Some(written) = written {
            return Some((written.text.clone(), written));
        }
        let (reference, span) = self.settings.database.url.clone()?;
        let url = self.secret("database.url", &reference, Some(span))?;
        let (line, _) = self.layers.file.file().line_column(span.start);
        // What others can read is where it stands.
        let written = Written {
            text: String::new(),
            origin: Origin::Reference(self.layers.file.file().name().to_owned(), line),
            span: Some(span),
        };
        Some((url.expose_secret().to_owned(), written))
    }

    fn database_password(&mut self, mut address: PostgresAddress) -> Option<PostgresAddress> {
        let in_environment = self.environment.get(PASSWORD_VARIABLE).is_some();
        let reference = match self.settings.database.password.clone() {
            _ if in_environment => {
                let variable = PASSWORD_VARIABLE.to_owned();
                Some((SecretReference::Environment(variable), None))
            }
            named => named.map(|(reference, span)| (reference, Some(span))),
        };
        if let Some((reference, span)) = reference {
            let password = self.secret("database.password", &reference, span)?;
            address.set_password(password.expose_secret());
        }
        Some(address)
    }

    /// Reports a mistake at its place without showing the line, which may hold a password.
    fn report_unshown(
        &mut self,
        code: &'static str,
        message: &str,
        help: Option<&str>,
        written: &Written,
    ) {
        let mut diagnostic = Diagnostic::error(code, message.to_owned());
        if let Some(help) = help {
            diagnostic = diagnostic.help(help.to_owned());
        }
        let span: Option<Span> = written.span;
        if let Some(span) = span {
            self.layers.file.add(diagnostic.at(span, "").unshown());
        } else {
            let place = written.origin.to_string();
            self.layers.report_missing(diagnostic, &place, None);
        }
    }
}
