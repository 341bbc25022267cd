//! One event from the request to Quentli's answers, personal data masked or revealed.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    filter::cursor,
    listed::{Counts, Stands, id, message, shown},
    mapped::Again,
};
use crate::{
    admin::Admin,
    customer::{CustomerReference, Masked, OnMissing, PartKey, Patch, masked_text},
    event::{Attempt, OBSERVED},
    store::{DeliveryPlace, EventFacts, ListedDelivery, ListedEvent, Page, Standing, StoreError},
};

/// An event. Members that are absent are not known, not kept, or personal and not revealed.
#[derive(Serialize)]
pub(super) struct Whole {
    event: i64,
    received_at: Timestamp,
    source: String,
    organisation: String,
    /// The hash of the file that mapped it, and whether that file is in force.
    mapping: String,
    mapping_in_force: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    headers: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_bytes: Option<u64>,
    revealed: bool,
    counts: Counts,
    /// From the first on, some of them.
    shown: Vec<DeliveryStory>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Something with a name: `value` where it is revealed, and else `mask`, what kind of value it is.
#[derive(Serialize)]
struct Shown {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mask: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
}

/// One delivery, with all that was tried.
#[derive(Serialize)]
struct DeliveryStory {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    item: u32,
    number: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[serde(flatten)]
    standing: Stands,
    /// The field that the message is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<String>,
    /// What is wrong, in words that may quote the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<String>,
    /// By what the customer is found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    found_by: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_missing: Option<&'static str>,
    /// The update as it was mapped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    update: Vec<Shown>,
    /// Names of the parts of the update.
    fields: Vec<String>,
    warnings: Vec<Warning>,
    attempts: Vec<AttemptStory>,
}

/// A fault that was left out: the field, and what was wrong in words that may quote the event.
#[derive(Serialize)]
struct Warning {
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

#[derive(Serialize)]
struct AttemptStory {
    number: u32,
    at: Timestamp,
    took_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<String>,
    /// Quentli's words or the error's, which may quote the update.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl Whole {
    pub(super) async fn read(
        admin: &Admin,
        event: ListedEvent,
        page: Page<ListedDelivery>,
        is_revealed: bool,
    ) -> Result<Self, StoreError> {
        let ListedEvent { facts, deliveries } = event;
        let again = Again::of(admin, &facts).await?;
        let mut shown = Vec::with_capacity(page.entries.len());
        for listed in page.entries {
            shown.push(DeliveryStory::read(admin, listed, &again, is_revealed).await?);
        }
        Ok(Self {
            event: facts.seq.0,
            received_at: facts.received_at,
            mapping: facts.mapping.to_string(),
            mapping_in_force: !matches!(again, Again::Changed),
            headers: headers(&facts, is_revealed),
            source: facts.source.to_string(),
            organisation: facts.organisation.to_string(),
            content_type: facts.content_type,
            body_bytes: facts.body_bytes,
            revealed: is_revealed,
            counts: deliveries.into(),
            shown,
            next: page.next.map(cursor),
        })
    }
}

impl DeliveryStory {
    async fn read(
        admin: &Admin,
        listed: ListedDelivery,
        again: &Again,
        is_revealed: bool,
    ) -> Result<Self, StoreError> {
        let record = listed.record;
        let (event, item, number) = (record.event, record.item, record.number);
        let attempts = admin.store.attempts_of(event, item, number).await?;
        let may_be_kept = match &record.standing {
            Standing::Open { .. } => true,
            Standing::Ended { reason, .. } => reason.as_deref() == Some(OBSERVED),
        };
        let place = DeliveryPlace {
            event,
            item,
            number,
        };
        let kept = if may_be_kept {
            admin.archive.kept_update(&record.source, place).await?
        } else {
            None
        };
        let kept = kept.map(|update| (update.customer, update.patch));
        let mapped = || {
            let update = again.update(item, number)?;
            Some((update.customer.clone(), update.patch.clone()))
        };
        let update = kept.or_else(mapped);
        let (reference, patch) = update.unzip();
        let message = message(&record.standing);
        let about = message.and_then(PartKey::at_start_of);
        let warnings = record.warnings.into_iter().map(|text| Warning {
            about: PartKey::at_start_of(&text).map(|part| part.to_string()),
            message: Some(text).filter(|_| is_revealed),
        });
        let customer = record.customer.as_ref();
        Ok(Self {
            id: id(&record.standing),
            item,
            number,
            rule: record.rule,
            about: about.map(|part| part.to_string()),
            message: message.map(str::to_owned).filter(|_| is_revealed),
            standing: Stands::from(&record.standing),
            customer: customer.map(|id| {
                if is_revealed {
                    id.to_string()
                } else {
                    shown(id)
                }
            }),
            on_missing: reference.as_ref().map(|reference| on_missing(reference)),
            found_by: reference.map_or_else(Vec::new, |keys| found_by(&keys, is_revealed)),
            update: patch.map_or_else(Vec::new, |patch| parts(&patch, is_revealed)),
            fields: record.fields,
            warnings: warnings.collect(),
            attempts: attempts
                .into_iter()
                .map(|attempt| AttemptStory::new(attempt, is_revealed))
                .collect(),
        })
    }
}

impl AttemptStory {
    fn new(attempt: Attempt, is_revealed: bool) -> Self {
        Self {
            number: attempt.number,
            at: attempt.at,
            took_ms: u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX),
            status: attempt.status,
            outcome: attempt.outcome.as_str(),
            customer: attempt.customer.as_ref().map(shown),
            message: attempt.message.filter(|_| is_revealed),
        }
    }
}

fn headers(facts: &EventFacts, is_revealed: bool) -> Vec<Shown> {
    let headers = facts.headers.iter();
    let shown = headers.map(|(name, value)| Shown {
        name: name.clone(),
        mask: (!is_revealed).then(|| masked_text("text", value)),
        value: is_revealed.then(|| json!(value)),
    });
    shown.collect()
}

fn found_by(reference: &CustomerReference, is_revealed: bool) -> Vec<Shown> {
    if !is_revealed {
        return reference.masked().into_iter().map(Shown::from).collect();
    }
    let keys = reference.keys().into_iter();
    let shown = keys.map(|(name, value)| Shown {
        name,
        mask: None,
        value: Some(json!(value)),
    });
    shown.collect()
}

fn parts(patch: &Patch, is_revealed: bool) -> Vec<Shown> {
    if !is_revealed {
        return patch.masked().into_iter().map(Shown::from).collect();
    }
    let parts = patch.parts().into_iter();
    let shown = parts.map(|(part, value)| Shown {
        name: part.to_string(),
        mask: None,
        value: Some(serde_json::from_str(&value).unwrap_or_default()),
    });
    shown.collect()
}

impl<Name: ToString> From<Masked<Name>> for Shown {
    fn from(masked: Masked<Name>) -> Self {
        Self {
            name: masked.name.to_string(),
            mask: Some(masked.mask),
            value: None,
        }
    }
}

const fn on_missing(reference: &CustomerReference) -> &'static str {
    match reference.on_missing {
        OnMissing::Retry => "retry",
        OnMissing::Fail => "fail",
        OnMissing::Drop => "drop",
        OnMissing::Create(_) => "create",
    }
}
