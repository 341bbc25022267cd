//! `POST /api/v1/erase`: removes every trace of a person, or counts what that would remove.
//!
//! The person stands in the body of the request, since an address ends up in logs. An answer comes after some seconds at the
//! latest, with a receipt of what was done so far; `next` in it is where to go on, by asking once more with `after`.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    response::{IntoResponse as _, Response},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Admin,
    answer::{misread, unavailable},
    operator::Operator,
};
use crate::{
    customer::{CustomerId, FindBy},
    event::{End, EventSeq, OrganisationName, SourceName},
    store::{
        Act, RefusedId,
        erase::{EraseAfter, ErasePage, Erased, Person},
    },
};

/// How long one answer may take, in pages that are each done as a whole.
const LONGEST: Duration = Duration::from_secs(5);
/// The longest text of an identifier, in characters.
const LONGEST_TEXT: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    organisation: Option<String>,
    /// Quentli's identifier.
    customer: Option<CustomerId>,
    #[serde(default)]
    usernames: Vec<String>,
    #[serde(default)]
    emails: Vec<String>,
    #[serde(default)]
    metadata: Vec<Entry>,
    #[serde(default)]
    dry_run: bool,
    /// What stood as `next` in the answer before.
    after: Option<After>,
}

/// How far it has come.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum After {
    Event(i64),
    /// All events are done.
    Refused(i64),
}

impl From<After> for EraseAfter {
    fn from(after: After) -> Self {
        match after {
            After::Event(event) => Self::Event(EventSeq(event)),
            After::Refused(id) => Self::Refused(RefusedId(id)),
        }
    }
}

impl From<EraseAfter> for After {
    fn from(after: EraseAfter) -> Self {
        match after {
            EraseAfter::Event(event) => Self::Event(event.0),
            EraseAfter::Refused(id) => Self::Refused(id.0),
        }
    }
}

#[derive(Deserialize)]
struct Entry {
    key: String,
    value: String,
}

/// What was done; it names nobody but by the identifier that was asked for.
#[derive(Serialize)]
struct Receipt {
    organisation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<String>,
    /// How many other identifiers were asked for.
    identifiers: usize,
    /// How many of all were too short to be looked for in bodies.
    too_short: usize,
    dry_run: bool,
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    removed: Removed,
    /// Where to go on; nothing when all is done.
    next: Option<After>,
}

#[derive(Serialize)]
struct Removed {
    events: u64,
    deliveries: u64,
    history: u64,
    attempts: u64,
    observed: u64,
    bodies: u64,
    applied: u64,
    refused: u64,
}

pub(super) async fn erase(
    State(admin): State<Arc<Admin>>,
    operator: Operator,
    wish: Result<Json<Wish>, JsonRejection>,
) -> Response {
    let Ok(Json(wish)) = wish else {
        return misread(
            "it is JSON with `customer`, `usernames`, `emails` or `metadata`, and perhaps `organisation`, `dry_run` and `after`",
        );
    };
    let first = wish.after.map_or(EraseAfter::NOTHING, EraseAfter::from);
    let (dry_run, mut next) = (wish.dry_run, Some(first));
    let person = match person(&admin, wish) {
        Ok(person) => person,
        Err(detail) => return misread(&detail),
    };
    let sources = sources_of(&admin, &person.organisation);
    let at = admin.clock.now();
    let started = admin.clock.elapsed();
    let (mut removed, mut trouble) = (Erased::default(), None);
    // First, so that no attempt on its way writes the person down again behind the search.
    if !dry_run && let Err(answer) = admin.forgotten(&person).await {
        return answer;
    }
    while let Some(after) = next
        && admin.clock.elapsed().saturating_sub(started) < LONGEST
    {
        let page = ErasePage {
            person: person.clone(),
            sources: sources.clone(),
            after,
            dry_run,
            at,
        };
        match admin.erasure.erase(page).await {
            Ok(done) => {
                removed = removed.plus(&done.erased);
                next = done.next;
                if !dry_run {
                    for (source, deliveries) in &done.ended {
                        admin.metrics.ended(source, End::Erased, *deliveries);
                    }
                }
            }
            Err(error) => {
                trouble = Some(error);
                break;
            }
        }
    }
    let by = operator.0.as_ref().map(ToString::to_string);
    if !dry_run {
        let mut what = vec![("organisation", person.organisation.to_string())];
        what.extend(
            person
                .id
                .as_ref()
                .map(|id| ("customer", id.for_log().to_owned())),
        );
        what.push(("identifiers", person.find.len().to_string()));
        admin
            .write_down_done(operator, Act::Erase, what, removed.rows())
            .await;
        tracing::warn!(
            organisation = person.organisation.as_str(),
            events = removed.events,
            deliveries = removed.deliveries,
            bodies = removed.bodies,
            is_done = next.is_none(),
            "a customer was erased, as a person wanted it"
        );
    }
    if let Some(error) = trouble {
        // What was done until then is written down.
        return unavailable(&error);
    }
    let receipt = Receipt {
        organisation: person.organisation.to_string(),
        customer: person.id.as_ref().map(ToString::to_string),
        identifiers: person.find.len(),
        too_short: person.too_short(),
        dry_run,
        at,
        by,
        removed: Removed {
            events: removed.events,
            deliveries: removed.deliveries,
            history: removed.history,
            attempts: removed.attempts,
            observed: removed.observed,
            bodies: removed.bodies,
            applied: removed.applied,
            refused: removed.refused,
        },
        next: next.map(After::from),
    };
    Json(serde_json::json!({ "receipt": receipt })).into_response()
}

/// The sources of an organisation. One that has mistakes does not say whose it is, but where there is one organisation it can
/// be of no other.
fn sources_of(admin: &Admin, organisation: &OrganisationName) -> Vec<SourceName> {
    let set = admin.sources.set();
    if admin.organisations.len() == 1 {
        return set.sources().map(|(name, _)| name).collect();
    }
    let of_organisation = set
        .ready()
        .filter(|source| source.organisation() == organisation);
    of_organisation
        .map(|source| source.name().clone())
        .collect()
}

/// Who is meant, or what is wrong with that.
fn person(admin: &Admin, wish: Wish) -> Result<Person, String> {
    let organisation = match wish.organisation {
        Some(name) => name.parse().ok(),
        None => Some(OrganisationName::default_name()),
    };
    let organisation = organisation
        .filter(|name| admin.organisations.contains_key(name))
        .ok_or("there is no organisation of this name; the status lists all of them")?;
    let usernames = wish.usernames.into_iter().map(FindBy::Username);
    // As mappings give it.
    let emails = wish.emails.into_iter();
    let emails = emails.map(|email| FindBy::Email(email.to_lowercase()));
    let metadata = wish.metadata.into_iter();
    let metadata = metadata.map(|Entry { key, value }| FindBy::Metadata { key, value });
    let person = Person {
        organisation,
        id: wish.customer,
        find: usernames.chain(emails).chain(metadata).collect(),
    };
    let texts = person.texts();
    if texts.is_empty() {
        return Err(
            "name the person: by `customer`, `usernames`, `emails` or `metadata`".to_owned(),
        );
    }
    let fits = |text: &str| !text.trim().is_empty() && text.chars().count() <= LONGEST_TEXT;
    if texts.len() > 32 || !texts.into_iter().all(fits) {
        return Err("a person has up to 32 identifiers of 1 to 500 characters".to_owned());
    }
    Ok(person)
}
