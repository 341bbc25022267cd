//! `limits`: bounds on what comes from outside.

use std::time::Duration;

use super::Reader;
use crate::{
    config::{ByteCount, Limits},
    diag::Diagnostic,
};

/// The most refused requests of a source that can be looked at: more than anybody reads.
const MOST_REJECTED: u32 = 10_000;

impl Reader<'_> {
    pub(super) fn limits(&mut self) -> Limits {
        let limits = Limits {
            body: self.bytes("limits.body", ByteCount(1 << 20)),
            memory: self.bytes("limits.memory", ByteCount(64 << 20)),
            requests: self.count("limits.requests", 256),
            connections: self.count("limits.connections", 1024),
            header_timeout: self.duration("limits.header_timeout", Duration::from_secs(10)),
            body_timeout: self.duration("limits.body_timeout", Duration::from_secs(30)),
            answer_timeout: self.duration("limits.answer_timeout", Duration::from_secs(30)),
            directory: self.count("limits.directory", 500_000),
            disk_reserve: self.bytes("limits.disk_reserve", ByteCount(256 << 20)),
            rejected: self.rejected(),
        };
        if limits.memory < limits.body {
            let diagnostic = Diagnostic::error(
                "config/value",
                format!(
                    "`limits.memory` ({}) is less than `limits.body` ({})",
                    limits.memory, limits.body
                ),
            )
            .help(
                "no body of the largest size could ever be taken; raise the one or lower the other",
            );
            let written = self
                .settings
                .get("limits.memory")
                .or_else(|| self.settings.get("limits.body"));
            if let Some(written) = written {
                self.layers.report(diagnostic, &written);
            }
        }
        limits
    }

    fn rejected(&mut self) -> u32 {
        let key = "limits.rejected";
        let written = self.settings.get(key);
        let read = |text: &str| {
            let number = text.trim().parse().ok();
            number
                .filter(|number| *number <= MOST_REJECTED)
                .ok_or("a whole number from 0 to 10000")
        };
        self.layers
            .settle(key, written, 100, read, ToString::to_string)
    }
}
