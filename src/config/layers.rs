//! Where a setting comes from, and the mistakes found on the way.

use std::{fmt, sync::Arc};

use crate::diag::{Collector, Diagnostic, Findings, SourceText, Span};

/// Where a value in effect came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Flag(&'static str),
    Environment(&'static str),
    /// File name and line.
    File(String, usize),
    /// Not in the file, but where it says; file name and line.
    Reference(String, usize),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "{name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File(name, line) | Self::Reference(name, line) => write!(f, "{name}:{line}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One line of what `config` prints; secrets are never here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub key: String,
    pub value: String,
    pub origin: Origin,
}

/// A value as one layer wrote it.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) text: String,
    pub(super) origin: Origin,
    /// Its place in the file, for values of the file.
    pub(super) span: Option<Span>,
}

/// Collects what is in effect and what is wrong with it.
pub(super) struct Layers {
    pub(super) file: Collector,
    elsewhere: Vec<Findings>,
    pub(super) shown: Vec<Shown>,
}

impl Layers {
    pub(super) fn new(file: Arc<SourceText>) -> Self {
        Self {
            file: Collector::new(file),
            elsewhere: Vec::new(),
            shown: Vec::new(),
        }
    }

    /// Settles one setting: the first layer that wrote it, or the default. A value that cannot be read is reported
    /// where it was written, and the default stands in so that reading goes on.
    pub(super) fn settle<T, E: fmt::Display>(
        &mut self,
        key: &str,
        written: Option<Written>,
        default: T,
        read: impl FnOnce(&str) -> Result<T, E>,
        show: impl FnOnce(&T) -> String,
    ) -> T {
        let (value, origin) = match written {
            None => (default, Origin::Default),
            Some(written) => match read(&written.text) {
                Ok(value) => (value, written.origin),
                Err(expected) => {
                    let message = format!("`{key}` takes {expected}");
                    self.report(Diagnostic::error("config/value", message), &written);
                    (default, written.origin)
                }
            },
        };
        self.shown.push(Shown {
            key: key.to_owned(),
            value: show(&value),
            origin,
        });
        value
    }

    /// Reports a mistake at the place where a value was written.
    pub(super) fn report(&mut self, diagnostic: Diagnostic, written: &Written) {
        match (&written.origin, written.span) {
            (_, Some(span)) => self.file.add(diagnostic.at(span, "")),
            (Origin::Flag(name) | Origin::Environment(name), None) => {
                let place = if matches!(written.origin, Origin::Flag(_)) {
                    "command line"
                } else {
                    "environment"
                };
                // An address may hold a password, which does not belong on a screen.
                let shown = if written.text.contains('@') {
                    "(hidden)"
                } else {
                    &written.text
                };
                let text = format!("{name}={shown}");
                let span = Span::new(name.len() + 1, text.len());
                let mut found = Collector::new(SourceText::new(place, text));
                found.add(diagnostic.at(span, ""));
                self.elsewhere.push(found.finish());
            }
            _ => self.file.add(diagnostic),
        }
    }

    /// Reports a secret that is missing, at the place that names it; the value is not repeated, since there is none.
    pub(super) fn report_missing(
        &mut self,
        diagnostic: Diagnostic,
        name: &str,
        span: Option<Span>,
    ) {
        if let Some(span) = span {
            self.file.add(diagnostic.at(span, ""));
        } else {
            let mut found = Collector::new(SourceText::new("environment", name));
            found.add(diagnostic.at(Span::new(0, name.len()), ""));
            self.elsewhere.push(found.finish());
        }
    }

    /// All findings, those of the file first.
    pub(super) fn finish(self) -> (Vec<Findings>, Vec<Shown>) {
        let mut all = vec![self.file.finish()];
        all.extend(self.elsewhere);
        all.retain(|findings| !findings.list.is_empty());
        (all, self.shown)
    }
}
