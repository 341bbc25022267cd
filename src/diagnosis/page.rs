//! A report for people: the verdict, what was looked at, why, and what to change.

use serde_json::Value;

use super::Diagnosis;
use crate::{
    diag::{Style, Tone, painted, visible},
    verify::doctor::{Advice, Explanation, Remedy, Settings, State, Verdict, distance, in_words},
};

/// Text is broken into lines of this many characters.
const WIDTH: usize = 110;

/// The lines of the page.
pub(super) fn page(shown: &Diagnosis<'_>, style: Style) -> Vec<String> {
    let mut page = Page {
        shown,
        style,
        lines: Vec::new(),
    };
    page.verdict();
    page.seen();
    for remark in &shown.remarks {
        page.text(0, &format!("note: {remark}"));
    }
    page.explanations();
    page.lines
}

struct Page<'a> {
    shown: &'a Diagnosis<'a>,
    style: Style,
    lines: Vec<String>,
}

impl Page<'_> {
    fn line(&mut self, text: &str, tone: Tone) {
        let text = self.shown.report.concealed.text(text);
        self.lines.push(painted(&text, tone, self.style));
    }

    /// Text in lines that fit a screen, moved in.
    fn text(&mut self, indent: usize, text: &str) {
        for line in wrapped(text, WIDTH - indent) {
            self.line(&format!("{:indent$}{line}", ""), Tone::Plain);
        }
    }

    fn item(&mut self, text: &str) {
        for (index, line) in wrapped(text, WIDTH - 4).iter().enumerate() {
            let mark = if index == 0 { '-' } else { ' ' };
            self.line(&format!("  {mark} {line}"), Tone::Plain);
        }
    }

    fn heading(&mut self, text: &str) {
        for (index, line) in wrapped(text, WIDTH - 5).iter().enumerate() {
            let indent = if index == 0 { 0 } else { 5 };
            self.line(&format!("{:indent$}{line}", ""), Tone::Heading);
        }
    }

    fn empty(&mut self) {
        self.lines.push(String::new());
    }

    fn verdict(&mut self) {
        let (line, tone) = match &self.shown.report.verdict {
            Verdict::Genuine(secret) => {
                let with = secret
                    .as_ref()
                    .map_or_else(String::new, |secret| format!(", proved with {secret}"));
                (format!("genuine{with}"), Tone::Good)
            }
            Verdict::Refused(refusal) => (
                format!("refused ({}): {refusal}", refusal.as_str()),
                Tone::Bad,
            ),
            Verdict::Unfit(error) => (format!("refused: {error}"), Tone::Bad),
        };
        self.line(&line, tone);
        let at = if self.shown.is_now {
            format!("now, {:.0}", self.shown.at)
        } else {
            self.shown.at.to_string()
        };
        let line = format!(
            "{}, arriving at the source `{}` {at}",
            visible(&self.shown.request),
            self.shown.source
        );
        self.line(&line, Tone::Faint);
    }

    fn seen(&mut self) {
        self.empty();
        let seen = &self.shown.report.seen;
        let width = seen
            .iter()
            .map(|seen| seen.what.len())
            .max()
            .unwrap_or_default();
        for seen in seen {
            let tone = match seen.state {
                State::Good => Tone::Good,
                State::Bad => Tone::Bad,
                State::Open => Tone::Plain,
            };
            let mark = match seen.state {
                State::Good => "ok",
                State::Bad => "!!",
                State::Open => "  ",
            };
            self.line(
                &format!("  {mark} {:width$}  {}", seen.what, seen.found),
                tone,
            );
        }
        self.empty();
    }

    fn explanations(&mut self) {
        let report = &self.shown.report;
        if matches!(report.verdict, Verdict::Genuine(_)) {
            self.lines.pop_if(|line| line.is_empty());
            return;
        }
        if !self.lines.last().is_some_and(String::is_empty) {
            self.empty();
        }
        let Some((first, others)) = report.explanations.split_first() else {
            self.nothing();
            return;
        };
        self.explanation(first);
        if !others.is_empty() {
            self.empty();
            self.line("It would also be genuine if", Tone::Heading);
            for other in others {
                let findings: Vec<&str> = other
                    .parts
                    .iter()
                    .map(|part| part.finding.as_str())
                    .collect();
                self.item(&findings.join("; and "));
            }
        }
    }

    fn explanation(&mut self, explanation: &Explanation) {
        let several = explanation.parts.len() > 1;
        for (index, part) in explanation.parts.iter().enumerate() {
            if index > 0 {
                self.empty();
            }
            let word = if index > 0 { "and" } else { "why" };
            self.heading(&format!("{word}: {}", part.finding));
            self.remedy(part);
        }
        if several {
            self.empty();
            self.line("Only with both is the request genuine.", Tone::Plain);
        }
        self.time(explanation);
    }

    /// What the time of the request has to do with it.
    fn time(&mut self, explanation: &Explanation) {
        let Some(signed) = explanation.at else { return };
        let alone = explanation.parts.is_empty();
        let apart = distance(signed, self.shown.at);
        let age = self.shown.at.duration_since(signed);
        if alone {
            self.heading(&format!(
                "why: only the time is against it: it was signed at {signed}, {apart}"
            ));
        } else {
            self.empty();
            self.line(
                &format!("and: it was signed at {signed}, {apart}"),
                Tone::Heading,
            );
        }
        let line = if self.shown.is_now && age.is_positive() {
            format!(
                "It would have been genuine {} ago. Say when it arrived: --at {signed}",
                in_words(age)
            )
        } else if age.as_secs() % 1800 == 0 && age.as_hours().abs() < 15 {
            "Whole hours apart: the sender writes its local time as if it were UTC, or a clock is in the wrong time zone."
                .to_owned()
        } else if age.is_negative() {
            "A clock is wrong, the sender's or this machine's: look at `timedatectl`.".to_owned()
        } else {
            "A clock is wrong (look at `timedatectl`), or the request was on its way so long: the sender must sign anew when it repeats one. `timestamp.tolerance` says how much is allowed."
                .to_owned()
        };
        self.text(2, &line);
    }

    fn remedy(&mut self, part: &Advice) {
        match &part.remedy {
            Remedy::Settings(changes) => self.settings(changes),
            Remedy::Whole(settings) => self.change("verify", Some(&long_form(settings))),
            Remedy::Preset(name) => {
                let new = format!("verify: {name}");
                self.change("verify", Some(&new));
            }
            Remedy::PublicUrl(url) => {
                self.text(
                    2,
                    &format!(
                        "write `public_url: {url}` in gateway.yaml, or set GATEWAY_PUBLIC_URL={url}"
                    ),
                );
            }
            Remedy::Secrets(words) => {
                let place = self.place("secrets");
                self.text(2, &format!("{words} ({place})"));
            }
            Remedy::Words(words) => self.text(2, words),
        }
    }

    /// `mappings/crm.yaml:7:5`.
    fn place(&self, key: &str) -> String {
        let written = self.shown.written;
        match written.entry(key) {
            Some(span) => {
                let (line, column) = written.line_column(span);
                format!("{}:{line}:{column}", self.shown.file)
            }
            None => self.shown.file.to_owned(),
        }
    }

    /// The whole of a key of `receive`, replaced.
    fn change(&mut self, key: &str, new: Option<&str>) {
        let written = self.shown.written;
        let place = self.place(key);
        self.line(&format!("  in {place} write"), Tone::Plain);
        if let Some(span) = written.entry(key) {
            let old = written.text(span);
            self.old_lines(old);
        }
        for line in new.unwrap_or_default().lines() {
            self.line(&format!("    + {line}"), Tone::Good);
        }
    }

    fn old_lines(&mut self, old: &str) {
        for line in old.lines().filter(|line| !line.trim().is_empty()) {
            self.line(&format!("    - {}", visible(line)), Tone::Bad);
        }
    }

    fn settings(&mut self, changes: &[(String, Option<Value>)]) {
        let written = self.shown.written;
        if let Some(preset) = written.preset() {
            let settings = written.settings().with(changes);
            let name = preset.name;
            self.line(
                &format!("  the preset `{name}` does not say so; write the settings out:"),
                Tone::Plain,
            );
            self.change("verify", Some(&long_form(&settings)));
            if written.entry("dedup").is_none() {
                self.text(
                    2,
                    &format!("and `dedup` below it, which the preset brought: see `quentli-gateway presets {name}`"),
                );
            }
            return;
        }
        for (key, new) in changes {
            let shown_key = key.rsplit('.').next().unwrap_or(key);
            let inside = key.rsplit_once('.').map_or_else(
                || "verify".to_owned(),
                |(outer, _)| format!("verify.{outer}"),
            );
            match (written.setting(key), new) {
                (Some(span), new) => {
                    let (line, column) = written.line_column(span);
                    let verb = if new.is_some() { "write" } else { "remove" };
                    let place = format!("  in {}:{line}:{column} {verb}", self.shown.file);
                    self.line(&place, Tone::Plain);
                    self.old_lines(written.text(span));
                }
                (None, Some(_)) => {
                    let place = self.place("verify");
                    let holder = match inside.split_once('.') {
                        Some((_, outer)) => written.setting(outer),
                        None => written.entry("verify"),
                    };
                    let is_flow = holder
                        .and_then(|span| written.text(span).split_once(':'))
                        .is_some_and(|(_, value)| value.trim_start().starts_with('{'));
                    let place_in = if is_flow {
                        "inside the braces of"
                    } else {
                        "below"
                    };
                    self.line(
                        &format!("  in {place} add {place_in} `{inside}`"),
                        Tone::Plain,
                    );
                }
                (None, None) => continue,
            }
            if let Some(value) = new {
                self.line(&format!("    + {shown_key}: {}", flow(value)), Tone::Good);
            }
        }
    }

    fn nothing(&mut self) {
        let report = &self.shown.report;
        if let Verdict::Unfit(_) = report.verdict {
            let place = self.place("secrets");
            self.line(
                &format!("  The gateway does not load such a source. Look at {place}."),
                Tone::Plain,
            );
            return;
        }
        let cut = if report.is_cut {
            ", and then stopped, since the request is large"
        } else {
            ""
        };
        self.line(
            &format!(
                "None of the usual mistakes explains it: {} were tried, alone and in pairs{cut}.",
                report.tries
            ),
            Tone::Heading,
        );
        if !report.unseen.is_empty() {
            self.line(
                "What cannot be seen from here, the likeliest first:",
                Tone::Plain,
            );
            for cause in &report.unseen {
                self.item(cause);
            }
        }
    }
}

/// The whole of `verify`, as YAML.
fn long_form(settings: &Settings) -> String {
    let mut keys: Vec<_> = settings.keys().collect();
    keys.sort_by_key(|(key, _)| !LEADERS.contains(key));
    let line = |(key, value): (&str, &Value)| format!("\n  {key}: {}", flow(value));
    let lines: Vec<String> = keys.into_iter().map(line).collect();
    format!("verify:{}", lines.concat())
}

/// Keys that stand first where they are: they say what the others are about.
const LEADERS: [&str; 3] = ["type", "style", "source"];

/// A value as YAML in one line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::Object(keys) => {
            let mut keys: Vec<_> = keys.iter().collect();
            keys.sort_by_key(|(key, _)| !LEADERS.contains(&key.as_str()));
            let pairs: Vec<String> = keys
                .into_iter()
                .map(|(key, value)| format!("{key}: {}", flow(value)))
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(flow).collect();
            format!("[{}]", values.join(", "))
        }
        other => other.to_string(),
    }
}

/// A text in lines of at most so many characters, longer words excepted.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Whether a text needs no quotes.
fn is_plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}
