//! `retention`: how long things are kept.

use std::time::Duration;

use super::Reader;
use crate::{
    config::{RetentionSettings, parse_duration, show_duration, units::LONGEST_DURATION},
    verify::MAX_REPLAY_WINDOW,
};

const DAY: Duration = Duration::from_hours(24);

impl Reader<'_> {
    pub(super) fn retention(&mut self) -> RetentionSettings {
        // Sooner, a request that somebody captured could be sent again as a new one.
        let replay = Duration::try_from(MAX_REPLAY_WINDOW).unwrap_or_default();
        RetentionSettings {
            bodies: self.kept_for("retention.bodies", 14 * DAY, DAY),
            history: self.kept_for("retention.history", 90 * DAY, DAY),
            dedup_keys: self.kept_for("retention.dedup_keys", 30 * DAY, replay),
        }
    }

    fn kept_for(&mut self, key: &str, default: Duration, least: Duration) -> Duration {
        let written = self.settings.get(key);
        let read = |text: &str| {
            let kept = parse_duration(text).ok().filter(|kept| *kept >= least);
            kept.ok_or_else(|| {
                format!(
                    "a time from {} to {}, such as `{}`",
                    show_duration(least),
                    show_duration(LONGEST_DURATION),
                    show_duration(default)
                )
            })
        };
        self.layers.settle(key, written, default, read, |duration| {
            show_duration(*duration)
        })
    }
}
