//! What is posted. The JSON is documented in `docs/OPERATIONS.md`.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::book::{Kind, Notice, NoticeState, Subject};

/// The most lines of `text`; all notices stand in `notices`.
const MOST_LINES: usize = 20;

/// The body of a post.
pub(super) fn message(notices: &[Notice], now: Timestamp) -> Value {
    let mut lines: Vec<String> = notices.iter().map(|notice| line(notice, now)).collect();
    let shown: Vec<Value> = notices
        .iter()
        .zip(&lines)
        .map(|(notice, text)| shown(notice, text))
        .collect();
    if lines.len() > MOST_LINES {
        let more = lines.len() - MOST_LINES;
        lines.truncate(MOST_LINES);
        lines.push(format!("and {more} more"));
    }
    json!({
        "type": "quentli-gateway.notices",
        "at": now.to_string(),
        "text": format!("quentli-gateway: {}", lines.join("\n")),
        "notices": shown,
    })
}

fn shown(notice: &Notice, text: &str) -> Value {
    let Subject {
        kind,
        organisation,
        source,
        secret,
    } = &notice.subject;
    let mut shown = json!({
        "kind": kind.as_str(),
        "state": notice.state,
        "since": notice.trouble.since.to_string(),
        "text": text,
    });
    let text_of = |part: &Option<String>| part.clone().map(Value::String);
    let parts = [
        ("organisation", text_of(organisation)),
        ("source", text_of(source)),
        ("secret", text_of(secret)),
        (
            "until",
            notice.trouble.until.map(|until| until.to_string().into()),
        ),
        ("count", notice.trouble.count.map(Value::from)),
    ];
    if let Value::Object(shown) = &mut shown {
        let parts = parts.into_iter();
        shown.extend(parts.filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    shown
}

/// A notice for a person.
fn line(notice: &Notice, now: Timestamp) -> String {
    let of = |part: &Option<String>| part.clone().unwrap_or_default();
    let subject = &notice.subject;
    let (organisation, source) = (of(&subject.organisation), of(&subject.source));
    let age = span(now.duration_since(notice.trouble.since));
    let is_over = notice.state == NoticeState::Over;
    match (subject.kind, is_over) {
        (Kind::KeyRefused, false) => format!(
            "Quentli refuses the API key of the organisation `{organisation}`, for {age} now. Everything is kept and nothing is sent until it has a good key."
        ),
        (Kind::KeyRefused, true) => {
            format!("Quentli takes the API key of the organisation `{organisation}` again.")
        }
        (Kind::Dead, false) => {
            let count = notice.trouble.count.unwrap_or_default();
            let more = notice.more.unwrap_or_default();
            let new = if more == count || more == 0 {
                String::new()
            } else {
                format!(" ({more} of them new since the last notice)")
            };
            let (deliveries, wait) = if count == 1 {
                ("delivery", "waits")
            } else {
                ("deliveries", "wait")
            };
            format!("{count} {deliveries} {wait} for a person{new}.")
        }
        (Kind::Dead, true) => "No delivery waits for a person any more.".to_owned(),
        (Kind::OldestWaiting, false) => format!(
            "The oldest waiting delivery of the organisation `{organisation}` has waited for {age}."
        ),
        (Kind::OldestWaiting, true) => format!(
            "No delivery of the organisation `{organisation}` has waited for too long any more."
        ),
        (Kind::SecretEnds, false) => {
            let until = notice.trouble.until.map(|until| until.to_string());
            format!(
                "The secret {} of the source `{source}` ends at {}. If its sender still uses it, let it use the new one before.",
                of(&subject.secret),
                until.unwrap_or_default()
            )
        }
        (Kind::SecretEnds, true) => format!(
            "The secret {} of the source `{source}` does not end soon any more.",
            of(&subject.secret)
        ),
        (Kind::SourceSilent, false) => {
            format!("Nothing has come from the source `{source}` for {age}.")
        }
        (Kind::SourceSilent, true) => format!("The source `{source}` sends again."),
        (Kind::StoreNotWritable, false) => {
            "Events are refused: the store cannot write. Look at the disk first.".to_owned()
        }
        (Kind::StoreNotWritable, true) => "The store can write again.".to_owned(),
        (Kind::Test, _) => "This is a test. Notifications of this gateway arrive here.".to_owned(),
    }
}

/// `5 minutes`, `26 hours`.
fn span(time: SignedDuration) -> String {
    let minutes = time.as_mins().max(0);
    let (number, what) = match minutes {
        0..=119 => (minutes, "minute"),
        120..=2879 => (minutes / 60, "hour"),
        _ => (minutes / 1440, "day"),
    };
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
