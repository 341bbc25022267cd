//! What somebody sees who waits for a file to be sent: one line that changes, on a terminal; a line now and then elsewhere.

use std::{
    io::{IsTerminal as _, Write as _},
    time::Duration,
};

use crate::{cli::output, sender::Figures};

pub(super) struct Screen {
    started: Duration,
    /// Of the file, in bytes.
    size: Option<u64>,
    is_terminal: bool,
    /// Whether the last line may be written over.
    has_line: bool,
}

impl Screen {
    pub(super) fn new(now: Duration, size: Option<u64>) -> Self {
        Self {
            started: now,
            size,
            is_terminal: std::io::stderr().is_terminal(),
            has_line: false,
        }
    }

    pub(super) const fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Shows how far it is.
    pub(super) fn progress(&mut self, figures: &Figures, held: Duration, now: Duration) {
        let line = progress(figures, self.size, held, now.saturating_sub(self.started));
        if !self.is_terminal {
            return output::note(&line);
        }
        // Nothing is lost where a line about progress cannot be shown.
        drop(write!(std::io::stderr(), "\r\x1b[2K{line}"));
        self.has_line = true;
    }

    /// Says something that stays.
    pub(super) fn say(&mut self, text: &str) {
        self.clear();
        output::note(text);
    }

    /// Says in the end what became of everything.
    pub(super) fn summary(&mut self, figures: &Figures, now: Duration) {
        self.clear();
        for line in summary(figures, now.saturating_sub(self.started)) {
            output::line(&line);
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.has_line) {
            drop(write!(std::io::stderr(), "\r\x1b[2K"));
        }
    }
}

fn progress(figures: &Figures, size: Option<u64>, held: Duration, elapsed: Duration) -> String {
    let percent = size.filter(|size| *size > 0).map(|size| {
        let percent = u128::from(figures.position) * 100 / u128::from(size);
        format!(" ({percent}%)")
    });
    let mut parts = vec![format!(
        "{} done{}",
        grouped(figures.done()),
        percent.unwrap_or_default()
    )];
    parts.push(format!("{}/s", rate(figures.done(), elapsed)));
    if held >= Duration::from_secs(1) {
        parts.push(format!("waiting {} for the gateway", span(held)));
    } else if let Some(left) = size.and_then(|size| left(figures.position, size, elapsed)) {
        parts.push(format!("about {} left", span(left)));
    }
    format!("{}: {}", parts.join(", "), outcomes(figures))
}

fn summary(figures: &Figures, elapsed: Duration) -> Vec<String> {
    let events = many(figures.done(), "event");
    let mut lines = vec![format!(
        "{events} in {}: {}",
        span(elapsed),
        outcomes(figures)
    )];
    if figures.known_items > 0 {
        lines.push(format!(
            "known already, in accepted events: {}",
            many(figures.known_items, "item")
        ));
    }
    if figures.untold > 0 {
        lines.push(format!(
            "the source answers in its own way, so nobody can tell which of these were known already: {}",
            many(figures.untold, "accepted event")
        ));
    }
    if figures.retried > 0 {
        lines.push(format!(
            "sent again because the gateway could not take it at once: {}",
            many(figures.retried, "request")
        ));
    }
    lines
}

fn outcomes(figures: &Figures) -> String {
    format!(
        "{} accepted ({}), {} duplicate, {} refused",
        grouped(figures.accepted),
        many(figures.items, "item"),
        grouped(figures.duplicate),
        grouped(figures.refused)
    )
}

/// How long the rest takes if it goes on as it went; nothing in the first seconds.
fn left(position: u64, size: u64, elapsed: Duration) -> Option<Duration> {
    if elapsed < Duration::from_secs(2) || position == 0 {
        return None;
    }
    let rest = u128::from(size.saturating_sub(position));
    let millis = elapsed.as_millis().saturating_mul(rest) / u128::from(position);
    u64::try_from(millis).ok().map(Duration::from_millis)
}

/// With one digit behind the point.
fn rate(done: u64, elapsed: Duration) -> String {
    let tenths = u128::from(done) * 10_000 / elapsed.as_millis().max(1);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// `1 item`, `1,234 items`.
fn many(number: u64, what: &str) -> String {
    format!(
        "{} {what}{}",
        grouped(number),
        if number == 1 { "" } else { "s" }
    )
}

/// `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// `42 s`, `12 min`, `3 h 20 min`.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIGURES: Figures = Figures {
        accepted: 12_000,
        duplicate: 300,
        refused: 45,
        items: 24_690,
        known_items: 7,
        untold: 0,
        position: 4_100,
        retried: 3,
    };

    #[test]
    fn progress_tells_how_far_it_is_and_how_long_it_takes() {
        let at = |figures: &Figures, size, held, elapsed| {
            let second = Duration::from_secs;
            progress(figures, size, second(held), second(elapsed))
        };
        let lines = [
            at(&Figures::default(), Some(10_000), 0, 0),
            at(&FIGURES, Some(10_000), 0, 620),
            at(&FIGURES, Some(10_000), 30, 620),
            at(&FIGURES, None, 0, 620),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r"
        0 done (0%), 0.0/s: 0 accepted (0 items), 0 duplicate, 0 refused
        12,345 done (41%), 19.9/s, about 14 min left: 12,000 accepted (24,690 items), 300 duplicate, 45 refused
        12,345 done (41%), 19.9/s, waiting 30 s for the gateway: 12,000 accepted (24,690 items), 300 duplicate, 45 refused
        12,345 done, 19.9/s: 12,000 accepted (24,690 items), 300 duplicate, 45 refused
        ");
    }

    #[test]
    fn the_summary_says_what_became_of_everything() {
        let own = Figures {
            untold: 12_000,
            ..FIGURES
        };
        let one = Figures {
            accepted: 1,
            items: 1,
            ..Figures::default()
        };
        let lines = [
            summary(&FIGURES, Duration::from_mins(200)),
            summary(&own, Duration::from_secs(62)),
            summary(&one, Duration::from_secs(1)),
        ];
        insta::assert_snapshot!(lines.concat().join("\n"), @r"
        12,345 events in 3 h 20 min: 12,000 accepted (24,690 items), 300 duplicate, 45 refused
        known already, in accepted events: 7 items
        sent again because the gateway could not take it at once: 3 requests
        12,345 events in 1 min: 12,000 accepted (24,690 items), 300 duplicate, 45 refused
        known already, in accepted events: 7 items
        the source answers in its own way, so nobody can tell which of these were known already: 12,000 accepted events
        sent again because the gateway could not take it at once: 3 requests
        1 event in 1 s: 1 accepted (1 item), 0 duplicate, 0 refused
        ");
    }
}
