//! Whether requests whose check failed are kept whole, and how long.

use std::time::Duration;

use crate::{
    config::parse_duration,
    diag::{Collector, Diagnostic},
    verify::{BAD_VALUE, CODES},
    yaml::{Entry, KeyReader},
};

/// What is kept is personal and secret, and what is not accepted after a week never will be.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// Reads `keep_rejected`; mistakes go to `out`.
pub(super) fn read(entry: &Entry, out: &mut Collector) -> Option<Duration> {
    if entry.value.as_map().is_none() {
        out.add(
            Diagnostic::error(
                CODES.shape,
                format!(
                    "`keep_rejected` says how long, but here is {}",
                    entry.value.shape()
                ),
            )
            .at(entry.value.span, "expected a time")
            .help("write `keep_rejected: {bodies_for: 24h}`; to keep nothing, leave it out"),
        );
        return None;
    }
    let mut keys = KeyReader::new(&entry.value, "keep_rejected", CODES, out)?;
    let written = keys.require_text(
        "bodies_for",
        "write how long, such as `bodies_for: 24h`",
        out,
    );
    keys.finish(out);
    let (text, node) = written?;
    let read = parse_duration(text)
        .ok()
        .filter(|duration| !duration.is_zero() && *duration <= LONGEST);
    if read.is_none() {
        out.add(
            Diagnostic::error(BAD_VALUE, "this is not a time up to a week")
                .at(node.span, "expected a time")
                .help("write a time such as `24h` or `7d`, at most 7 days; to keep nothing, leave `keep_rejected` out"),
        );
    }
    read
}
