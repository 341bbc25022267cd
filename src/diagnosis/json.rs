//! A report for programs.

use serde_json::{Map, Value, json};

use super::Diagnosis;
use crate::verify::doctor::{Advice, Remedy, State, Verdict};

pub(super) fn json(shown: &Diagnosis<'_>) -> Value {
    let report = &shown.report;
    let (verdict, code, message, secret) = match &report.verdict {
        Verdict::Genuine(secret) => ("genuine", None, None, secret.as_deref()),
        Verdict::Refused(refusal) => (
            "refused",
            Some(refusal.as_str()),
            Some(refusal.to_string()),
            None,
        ),
        Verdict::Unfit(error) => ("unfit", None, Some(error.to_string()), None),
    };
    let seen = report.seen.iter().map(|seen| {
        let state = match seen.state {
            State::Good => "good",
            State::Bad => "bad",
            State::Open => "open",
        };
        json!({"what": seen.what, "found": seen.found, "state": state})
    });
    let explanations = report.explanations.iter().map(|explanation| {
        let parts = explanation.parts.iter().map(|part| advice(shown, part));
        json!({"parts": parts.collect::<Vec<_>>(), "signedAt": explanation.at})
    });
    json!({
        "verdict": verdict,
        "reason": code,
        "message": message,
        "secret": secret,
        "source": shown.source,
        "request": report.concealed.text(&shown.request),
        "at": shown.at,
        "seen": seen.collect::<Vec<_>>(),
        "remarks": shown.remarks.iter().map(|remark| report.concealed.text(remark)).collect::<Vec<_>>(),
        "explanations": explanations.collect::<Vec<_>>(),
        "unseen": report.unseen,
        "tries": report.tries,
        "cut": report.is_cut,
    })
}

fn advice(shown: &Diagnosis<'_>, part: &Advice) -> Value {
    let remedy = match &part.remedy {
        Remedy::Settings(changes) => {
            let set = changes.iter().filter_map(|(key, value)| {
                let value = value.clone()?;
                Some((key.clone(), value))
            });
            let remove: Vec<_> = changes
                .iter()
                .filter(|(_, value)| value.is_none())
                .map(|(key, _)| key.clone())
                .collect();
            let set: Map<String, Value> = set.collect();
            json!({"kind": "settings", "set": set, "remove": remove, "file": shown.file, "line": line(shown, changes)})
        }
        Remedy::Whole(settings) => {
            let set: Map<String, Value> = settings
                .keys()
                .map(|(key, value)| (key.to_owned(), value.clone()))
                .collect();
            json!({"kind": "verify", "set": set, "file": shown.file, "line": line(shown, &[])})
        }
        Remedy::Preset(name) => {
            json!({"kind": "preset", "preset": name, "file": shown.file, "line": line(shown, &[])})
        }
        Remedy::PublicUrl(url) => json!({"kind": "public-url", "public_url": url}),
        Remedy::Secrets(words) => {
            let place = shown.written.entry("secrets");
            let line = place.map(|span| shown.written.line_column(span).0);
            json!({"kind": "secrets", "help": words, "file": shown.file, "line": line})
        }
        Remedy::Words(words) => json!({"kind": "words", "help": words}),
    };
    json!({"finding": part.finding, "remedy": remedy})
}

/// The line of the first setting that is there, or of `verify`.
fn line(shown: &Diagnosis<'_>, changes: &[(String, Option<Value>)]) -> Option<usize> {
    let written = shown.written;
    let first = changes.iter().find_map(|(key, _)| written.setting(key));
    let span = first.or_else(|| written.entry("verify"))?;
    Some(written.line_column(span).0)
}
