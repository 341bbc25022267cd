//! Which open deliveries a person means: some by number, or all that match, a page at a time.

#![expect(
    clippy::result_large_err,
    reason = "the answer to a person, made once for a request and given on at once"
)]

use std::collections::BTreeSet;

use axum::{Json, extract::rejection::JsonRejection, response::Response};
use jiff::Timestamp;
use serde::Deserialize;

use super::{
    Admin,
    answer::misread,
    names::{meant, must_be_a_source, must_be_an_event, must_be_an_organisation},
};
use crate::{
    customer::CustomerId,
    event::{DEAD_REASONS, DeliveryPos, DeliveryState, EventSeq, OrganisationName, SourceName},
    store::{MOST_CHANGED, OpenDelivery, OpenFilter, StoreError},
};

/// Deliveries of a page, unless it is said, and at most.
const PAGE: u32 = 200;
const LARGEST_PAGE: u32 = 500;

/// What is meant, as it is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Which {
    /// Numbers of deliveries; nothing else is said then.
    ids: Vec<i64>,
    /// Whatever there is.
    all: bool,
    /// `dead`, `waiting` or `looking`.
    states: Vec<String>,
    source: Option<String>,
    organisation: Option<String>,
    /// Why they are dead.
    reason: Option<String>,
    customer: Option<String>,
    event: Option<i64>,
    /// Accepted at this time or later, and before that one.
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// Where in it to go on.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Stretch {
    pub(super) after: i64,
    pub(super) up_to: Option<i64>,
    limit: Option<u32>,
}

impl Stretch {
    /// # Errors
    /// A page without any place, or a larger one than there are.
    pub(super) fn understood(self) -> Result<Self, Response> {
        if (1..=LARGEST_PAGE).contains(&self.limit()) {
            return Ok(self);
        }
        Err(misread(&format!(
            "`limit` is not a number from 1 to {LARGEST_PAGE}"
        )))
    }

    /// Deliveries of a page.
    pub(super) fn limit(self) -> u32 {
        self.limit.unwrap_or(PAGE)
    }
}

/// What is meant, understood.
pub(super) struct Selection {
    what: What,
    stretch: Stretch,
    /// For the audit log: names of what was asked for, with what was said.
    said: Vec<(&'static str, String)>,
}

enum What {
    These(Vec<DeliveryPos>),
    Matching(Box<OpenFilter>),
}

/// A page of it.
pub(super) struct Page {
    pub(super) found: Vec<OpenDelivery>,
    /// Numbers for which nothing is open.
    pub(super) not_open: u64,
    pub(super) next: Option<DeliveryPos>,
    /// No later delivery belongs to the selection, so that what dies again meanwhile is not taken twice.
    pub(super) up_to: DeliveryPos,
}

impl Which {
    /// Understands what is meant; without a word about states, what is dead.
    ///
    /// # Errors
    /// It says nothing, or not what can be meant.
    pub(super) async fn understood(
        mut self,
        admin: &Admin,
        stretch: Stretch,
    ) -> Result<Selection, Response> {
        let stretch = stretch.understood()?;
        let said = self.said();
        if !self.ids.is_empty() {
            if !said.is_empty() || self.all {
                return Err(misread("`ids` stands alone, without a filter"));
            }
            if self.ids.len() > MOST_CHANGED {
                return Err(misread(&format!(
                    "`ids` holds {MOST_CHANGED} numbers at most"
                )));
            }
            let mut seen = BTreeSet::new();
            self.ids.retain(|id| seen.insert(*id));
            let ids: Vec<String> = self.ids.iter().take(20).map(ToString::to_string).collect();
            return Ok(Selection {
                said: vec![("deliveries", ids.join(" "))],
                stretch,
                what: What::These(self.ids.into_iter().map(DeliveryPos).collect()),
            });
        }
        if said.is_empty() && !self.all {
            return Err(misread(
                "say which deliveries: `ids`, a filter such as `source` or `reason`, or `all`",
            ));
        }
        let mut states = Vec::new();
        for word in &self.states {
            let mut all = DeliveryState::ALL.into_iter();
            let state = all.find(|state| state.as_str() == word);
            let wrong = || {
                let help = meant(
                    word,
                    DeliveryState::ALL.map(DeliveryState::as_str).into_iter(),
                );
                misread(&format!("`states` has a word that is no state; {help}"))
            };
            states.push(state.ok_or_else(wrong)?);
        }
        if states.is_empty() {
            states.push(DeliveryState::Dead);
        }
        let filter = OpenFilter {
            states,
            source: name::<SourceName>(self.source.as_deref(), "`source` is not a name")?,
            organisation: name::<OrganisationName>(
                self.organisation.as_deref(),
                "`organisation` is not a name",
            )?,
            code: self.reason,
            customer: name::<CustomerId>(
                self.customer.as_deref(),
                "`customer` is not the identifier of a customer",
            )?,
            event: self.event.map(EventSeq),
            since: self.since,
            until: self.until,
            up_to: None,
        };
        must_be_a_source(admin, filter.source.as_ref()).await?;
        must_be_an_organisation(admin, filter.organisation.as_ref()).await?;
        must_be_an_event(admin, filter.event).await?;
        if let Some(reason) = &filter.code
            && !DEAD_REASONS.contains(&reason.as_str())
        {
            let help = meant(reason, DEAD_REASONS.into_iter());
            return Err(misread(&format!(
                "`reason` is no reason of dead deliveries; {help}"
            )));
        }
        Ok(Selection {
            what: What::Matching(Box::new(filter)),
            stretch,
            said,
        })
    }

    /// The source, where nothing else is asked for.
    pub(super) fn only_source(&self) -> Option<&str> {
        let is_alone = self.ids.is_empty() && !self.all && self.said().len() == 1;
        self.source.as_deref().filter(|_| is_alone)
    }

    fn said(&self) -> Vec<(&'static str, String)> {
        let states = (!self.states.is_empty()).then(|| self.states.join(" "));
        let parts = [
            ("states", states),
            ("source", self.source.clone()),
            ("organisation", self.organisation.clone()),
            ("reason", self.reason.clone()),
            ("customer", self.customer.as_deref().map(for_log)),
            ("event", self.event.map(|event| event.to_string())),
            ("since", self.since.map(|since| since.to_string())),
            ("until", self.until.map(|until| until.to_string())),
        ];
        let said = parts.into_iter();
        said.filter_map(|(name, text)| Some((name, text?)))
            .collect()
    }
}

impl Selection {
    /// For the audit log.
    pub(super) fn said(&self) -> Vec<(&'static str, String)> {
        if self.said.is_empty() {
            return vec![("all", "deliveries".to_owned())];
        }
        self.said.clone()
    }

    /// The page that is asked for.
    pub(super) async fn page(&self, admin: &Admin) -> Result<Page, StoreError> {
        let up_to = match self.stretch.up_to {
            Some(up_to) => DeliveryPos(up_to),
            None => admin.hands.newest().await?,
        };
        match &self.what {
            What::These(positions) => {
                let mut page = Page {
                    found: Vec::new(),
                    not_open: 0,
                    next: None,
                    up_to,
                };
                for pos in positions {
                    match admin.hands.open_delivery(*pos).await? {
                        Some(open) => page.found.push(open),
                        None => page.not_open += 1,
                    }
                }
                Ok(page)
            }
            What::Matching(filter) => {
                let filter = OpenFilter {
                    up_to: Some(up_to),
                    ..OpenFilter::clone(filter)
                };
                let after = DeliveryPos(self.stretch.after);
                let page = admin
                    .hands
                    .open_deliveries(filter, after, self.stretch.limit())
                    .await?;
                Ok(Page {
                    found: page.deliveries,
                    not_open: 0,
                    next: page.next,
                    up_to,
                })
            }
        }
    }
}

/// A body that says what is wanted.
pub(super) fn read<T>(wish: Result<Json<T>, JsonRejection>) -> Result<T, Response> {
    match wish {
        Ok(Json(wish)) => Ok(wish),
        // It names members, and quotes at most a word of the request to whoever sent it.
        Err(error) => Err(misread(&error.body_text())),
    }
}

fn for_log(customer: &str) -> String {
    let customer = customer.parse::<CustomerId>();
    customer.map_or_else(
        |_| "(not shown)".to_owned(),
        |customer| customer.for_log().to_owned(),
    )
}

fn name<T: std::str::FromStr>(text: Option<&str>, wrong: &str) -> Result<Option<T>, Response> {
    text.map(|text| text.parse().map_err(|_| misread(wrong)))
        .transpose()
}
