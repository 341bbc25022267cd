//! The part of the status about what is removed for its age.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::Serialize;

use crate::{store::upkeep::Retained, upkeep::Standing};

#[derive(Serialize)]
pub(super) struct UpkeepStatus {
    /// The date by which age is judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<Timestamp>,
    /// Nothing is removed before that, since the clock has jumped ahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_until: Option<Timestamp>,
    /// Events that are old enough and still to be looked at.
    overdue: BTreeMap<&'static str, u64>,
    kept_days: BTreeMap<&'static str, f64>,
    /// Since the start.
    removed: BTreeMap<&'static str, u64>,
}

impl UpkeepStatus {
    pub(super) fn new(standing: &Standing) -> Self {
        let kinds = || Retained::ALL.into_iter().zip(standing.kinds);
        let days = |kept: Duration| kept.as_secs_f64() / Duration::from_hours(24).as_secs_f64();
        let removed = &standing.removed;
        Self {
            date: standing.calendar.map(|calendar| calendar.date),
            waits_until: standing.waits_until(),
            overdue: kinds()
                .map(|(kind, (_, overdue))| (kind.as_str(), overdue))
                .collect(),
            kept_days: kinds()
                .map(|(kind, (kept, _))| (kind.as_str(), days(kept)))
                .collect(),
            removed: BTreeMap::from([
                ("bodies", removed.bodies),
                ("dedup_keys", removed.dedup_keys),
                ("history", removed.history),
                ("attempts", removed.attempts),
                ("events", removed.events),
            ]),
        }
    }
}
