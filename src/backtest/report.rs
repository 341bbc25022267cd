//! What came of a backtest, as it is shown.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::compare::{Changed, Sort};
use crate::{customer::masked_text, mapping::Mapping, source::Source, store::StoredRequest};

/// Fields that are counted one by one; keys of metadata may come from events.
const MOST_FIELDS: usize = 500;
/// Differences of one event that are shown.
const MOST_DIFFERENCES: usize = 20;
const OTHERS: &str = "(others)";
/// The longest value that is shown.
const MAX_VALUE_CHARS: usize = 200;

/// See [`super::Backtests::run`].
#[derive(Debug, Serialize)]
pub struct Report {
    pub source: String,
    /// The hashes of both files.
    pub old: String,
    pub new: String,
    #[serde(flatten)]
    pub totals: Totals,
    /// Why fewer events were looked at than asked for.
    pub cut: Option<Cut>,
    pub fields: BTreeMap<String, FieldCounts>,
    /// The latest events that differ.
    pub examples: Vec<Example>,
    /// What the comparison cannot show.
    pub remarks: Vec<String>,
    #[serde(skip)]
    most_examples: usize,
    pub revealed: bool,
}

/// How many events; one that differs may count in several of the lower lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    pub events: u64,
    pub same: u64,
    pub different: u64,
    /// Something fails that did not.
    pub now_fails: u64,
    /// Something that failed gives an update.
    pub newly_works: u64,
    /// Something that gave an update is dropped, or is not there any more.
    pub now_dropped: u64,
    /// Something that was dropped, or was not there, gives an update.
    pub newly_sent: u64,
}

/// Why a backtest looked at fewer events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cut {
    /// There are no more whose body is kept.
    NoMore,
    /// It took too long.
    Time,
}

/// In how many updates a field differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FieldCounts {
    pub changed: u64,
    /// It was not sent before.
    pub added: u64,
    /// It is not sent any more.
    pub removed: u64,
}

/// An event that differs.
#[derive(Debug, Serialize)]
pub struct Example {
    pub event: i64,
    pub received_at: String,
    pub differences: Vec<Difference>,
    /// Further differences, which are not shown.
    pub more: usize,
}

/// What differs in one outcome of an event.
#[derive(Debug, Serialize)]
pub struct Difference {
    pub item: usize,
    pub number: usize,
    pub was: &'static str,
    pub now: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Why nothing is sent; only where values are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Report {
    pub(super) fn new(old: &Source, new: &Mapping, most_examples: usize, reveals: bool) -> Self {
        let mut remarks = Vec::new();
        let known = old.mapping().headers();
        let unknown = new.headers().iter().filter(|name| !known.contains(name));
        let unknown: Vec<&str> = unknown.map(String::as_str).collect();
        if !unknown.is_empty() {
            remarks.push(format!(
                "the changed file reads headers that were not kept with these events, so they are absent here: {}",
                unknown.join(", ")
            ));
        }
        Self {
            source: old.name().to_string(),
            old: old.mapping_hash().to_string(),
            new: new.hash().to_string(),
            totals: Totals::default(),
            cut: None,
            fields: BTreeMap::new(),
            examples: Vec::new(),
            remarks,
            most_examples,
            revealed: reveals,
        }
    }

    /// Counts an event.
    pub(super) fn add(&mut self, request: &StoredRequest, changed: &[Changed]) {
        let totals = &mut self.totals;
        totals.events += 1;
        if changed.is_empty() {
            totals.same += 1;
            return;
        }
        totals.different += 1;
        let any = |is_so: fn(Sort, Sort) -> bool| {
            u64::from(
                changed
                    .iter()
                    .any(|changed| is_so(changed.was, changed.now)),
            )
        };
        totals.now_fails += any(|was, now| was != Sort::Fail && now == Sort::Fail);
        totals.newly_works += any(|was, now| was == Sort::Fail && now == Sort::Update);
        totals.now_dropped +=
            any(|was, now| was == Sort::Update && matches!(now, Sort::Drop | Sort::None));
        totals.newly_sent +=
            any(|was, now| matches!(was, Sort::Drop | Sort::None) && now == Sort::Update);
        for changed in changed {
            if (changed.was, changed.now) == (Sort::Update, Sort::Update) {
                self.count(changed);
            }
        }
        if self.examples.len() < self.most_examples {
            self.examples.push(self.example(request, changed));
        }
    }

    fn count(&mut self, changed: &Changed) {
        for (name, (before, after)) in &changed.fields {
            let is_room = self.fields.len() < MOST_FIELDS || self.fields.contains_key(name);
            let name = if is_room { name } else { OTHERS };
            let counts = self.fields.entry(name.to_owned()).or_default();
            match (before, after) {
                (None, _) => counts.added += 1,
                (_, None) => counts.removed += 1,
                _ => counts.changed += 1,
            }
        }
    }

    fn example(&self, request: &StoredRequest, changed: &[Changed]) -> Example {
        let mut differences: Vec<Difference> = Vec::new();
        for changed in changed {
            let plain = |field: Option<String>, before, after| Difference {
                item: changed.item,
                number: changed.number,
                was: changed.was.as_str(),
                now: changed.now.as_str(),
                field,
                before,
                after,
                reason: changed.reason.as_deref().filter(|_| self.revealed).map(cut),
            };
            if changed.fields.is_empty() {
                differences.push(plain(None, None, None));
            }
            for (name, (before, after)) in &changed.fields {
                let shown = |value: &Option<String>| {
                    let value = value.as_deref()?;
                    Some(if self.revealed {
                        cut(value)
                    } else {
                        masked(value)
                    })
                };
                differences.push(plain(Some(name.clone()), shown(before), shown(after)));
            }
        }
        let more = differences.len().saturating_sub(MOST_DIFFERENCES);
        differences.truncate(MOST_DIFFERENCES);
        Example {
            event: request.event.0,
            received_at: request.received_at.to_string(),
            differences,
            more,
        }
    }
}

/// A value in JSON without what it says: what kind it is, and how long.
fn masked(json: &str) -> String {
    match serde_json::from_str(json) {
        Ok(Value::Null) => "cleared".to_owned(),
        Ok(Value::Bool(_)) => "true or false".to_owned(),
        Ok(Value::Array(tags)) => {
            let plural = if tags.len() == 1 { "" } else { "s" };
            format!("{} tag{plural}", tags.len())
        }
        Ok(Value::Number(_)) => "number".to_owned(),
        Ok(Value::String(text)) => masked_text("text", &text),
        Ok(Value::Object(_)) | Err(_) => "value".to_owned(),
    }
}

fn cut(text: &str) -> String {
    let mut cut: String = text.chars().take(MAX_VALUE_CHARS).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}
