//! Which deliveries a command means.

use jiff::{
    Span, Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use serde_json::{Map, Value, json};

use super::{Exit, output};
use crate::clock::Clock;

/// Numbers, or a filter.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// The numbers of deliveries, as the status and the log have them (`id`, `delivery.id`)
    #[arg(value_name = "ID", conflicts_with_all = FILTERS)]
    ids: Vec<i64>,
    /// Whatever is dead
    #[arg(long, conflicts_with_all = ["source", "organisation", "reason", "customer", "event", "since", "until"])]
    all: bool,
    /// Those of one source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Those for one organisation
    #[arg(long, value_name = "NAME")]
    organisation: Option<String>,
    /// Those that are dead for one reason, such as `refused` or `customer-not-found`
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
    /// Those of one customer, by Quentli's identifier
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// Those of one event, by the gateway's number
    #[arg(long, value_name = "NUMBER")]
    event: Option<i64>,
    /// Those accepted since then: a time such as 2026-03-02T08:00, a day, or how long ago, such as 3h or 2d
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Those accepted before then
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
}

const FILTERS: [&str; 8] = [
    "all",
    "source",
    "organisation",
    "reason",
    "customer",
    "event",
    "since",
    "until",
];

impl Which {
    /// As the gateway is asked.
    ///
    /// # Errors
    /// A time cannot be read, or nothing is said; that is shown.
    pub(super) fn wish(&self) -> Result<Value, Exit> {
        if !self.ids.is_empty() {
            return Ok(json!({"ids": self.ids}));
        }
        let now = Clock::system().now();
        let time = |text: &Option<String>| match text.as_deref().map(|text| time(text, now)) {
            None => Ok(None),
            Some(Some(time)) => Ok(Some(time.to_string())),
            Some(None) => {
                output::error(
                    "a time is written like 2026-03-02T08:00, like 2026-03-02, or as how long ago: 3h, 2d",
                );
                Err(Exit::Usage)
            }
        };
        let texts = [
            ("source", self.source.clone()),
            ("organisation", self.organisation.clone()),
            ("reason", self.reason.clone()),
            ("customer", self.customer.clone()),
            ("since", time(&self.since)?),
            ("until", time(&self.until)?),
        ];
        let mut wish: Map<String, Value> = texts
            .into_iter()
            .filter_map(|(name, text)| Some((name.to_owned(), text?.into())))
            .collect();
        if let Some(event) = self.event {
            wish.insert("event".to_owned(), event.into());
        }
        if wish.is_empty() && !self.all {
            output::error(
                "say which: the numbers of deliveries, a filter such as `--source` or `--reason`, or `--all`",
            );
            return Err(Exit::Usage);
        }
        if self.all {
            wish.insert("all".to_owned(), true.into());
        }
        Ok(wish.into())
    }
}

/// Widens a filter to deliveries that are not dead.
pub(super) fn with_waiting(which: &mut Value) {
    if let (true, Some(members)) = (which.get("ids").is_none(), which.as_object_mut()) {
        let states = json!(["dead", "waiting", "looking"]);
        members.insert("states".to_owned(), states);
    }
}

/// A moment, in the time zone of this machine where the text has none.
fn time(text: &str, now: Timestamp) -> Option<Timestamp> {
    let zone = TimeZone::system();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    if let Ok(span) = text.parse::<Span>() {
        let ago = now.to_zoned(zone).checked_sub(span).ok()?;
        return Some(ago.timestamp()).filter(|ago| *ago <= now);
    }
    let local = text.parse::<DateTime>().or_else(|_| {
        let date = text.parse::<Date>();
        date.map(|date| date.to_datetime(jiff::civil::Time::midnight()))
    });
    let zoned = local.ok()?.to_zoned(zone).ok()?;
    Some(zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now: Timestamp = "2026-03-05T12:00:00Z".parse().unwrap();
        let zone = TimeZone::system();
        let local = |text: &str| {
            let local: DateTime = text.parse().unwrap();
            local.to_zoned(zone.clone()).unwrap().timestamp()
        };
        for (text, expected) in [
            (
                "2026-03-02T08:00:00Z",
                Some("2026-03-02T08:00:00Z".parse().unwrap()),
            ),
            (
                "2026-03-02T08:00:00-06:00",
                Some("2026-03-02T14:00:00Z".parse().unwrap()),
            ),
            ("2026-03-02T08:00", Some(local("2026-03-02T08:00"))),
            ("2026-03-02 08:00", Some(local("2026-03-02T08:00"))),
            ("2026-03-02", Some(local("2026-03-02T00:00"))),
            ("3h", Some("2026-03-05T09:00:00Z".parse().unwrap())),
            ("90m", Some("2026-03-05T10:30:00Z".parse().unwrap())),
            ("-3h", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(time(text, now), expected, "{text}");
        }
    }
}
