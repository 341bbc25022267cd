//! Which deliveries a command means.

use serde_json::{Map, Value, json};

use super::{Exit, output, when::When};

/// Numbers, or a filter.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// The numbers of deliveries, as the status and the log have them (`id`, `delivery.id`)
    #[arg(value_name = "ID", conflicts_with_all = FILTERS)]
    ids: Vec<i64>,
    /// All of them, without a further filter
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
    #[arg(long, value_name = "WHEN", value_parser = When::read)]
    since: Option<When>,
    /// Those accepted before then
    #[arg(long, value_name = "WHEN", value_parser = When::read)]
    until: Option<When>,
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
    /// The source that is named, if one is.
    pub(super) fn source(&self) -> &str {
        self.source.as_deref().unwrap_or_default()
    }

    /// As the gateway is asked.
    ///
    /// # Errors
    /// Nothing is said; that is shown.
    pub(super) fn wish(&self) -> Result<Value, Exit> {
        if !self.ids.is_empty() {
            return Ok(json!({"ids": self.ids}));
        }
        let text = |when: &When| when.as_str().to_owned();
        let texts = [
            ("source", self.source.clone()),
            ("organisation", self.organisation.clone()),
            ("reason", self.reason.clone()),
            ("customer", self.customer.clone()),
            ("since", self.since.as_ref().map(text)),
            ("until", self.until.as_ref().map(text)),
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
