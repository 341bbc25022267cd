//! What became of events: `GET /api/v1/events`, one of them, its body, and `GET /api/v1/deliveries`.
//!
//! Nothing personal is part of an answer unless `reveal=true` asks for it, and then it is written down first who did.

mod filter;
mod listed;
mod mapped;
mod whole;

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{Path, RawQuery, State, rejection::PathRejection},
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use self::{
    filter::{PARAMETERS, Wish, cursor, place},
    listed::{DeliveryEntry, EventEntry},
};
use super::{
    Admin,
    answer::{misread, unavailable},
    guard::problem,
    names::{must_be_a_source, must_be_an_event, must_be_an_organisation},
    operator::Operator,
    query::Parameters,
};
use crate::{
    dedup::key_of_parts,
    event::{EventSeq, SourceName},
    store::{Act, ArchiveFilter, ListedDelivery, ListedEvent, Order, Page},
};

/// Deliveries of one event that are shown, unless it is said, and at most.
const SHOWN: u32 = 20;
const MOST_SHOWN: u32 = 200;
/// What finds events by the numbers that their senders gave them.
const BY_SENDER: [&str; 2] = ["sender_id", "source"];

/// `GET /api/v1/events`.
pub(super) async fn list(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    match page(&admin, query.as_deref()).await {
        Err(answer) => answer,
        Ok(page) => {
            let next = page.next.map(cursor);
            let events = page.entries.into_iter().map(EventEntry::from);
            let events: Vec<EventEntry> = events.collect();
            Json(json!({"events": events, "next": next, "looked_at": page.looked_at}))
                .into_response()
        }
    }
}

async fn page(admin: &Admin, query: Option<&str>) -> Result<Page<ListedEvent>, Response> {
    let mut known = vec!["sender_id"];
    known.extend(PARAMETERS);
    let parameters = Parameters::read(query, &known)?;
    if !parameters.all("sender_id").is_empty() {
        return by_sender(admin, query).await;
    }
    let wish = Wish::read(&parameters)?;
    must_be_a_source(admin, wish.filter.source.as_ref()).await?;
    let page = admin
        .archive
        .events(wish.filter.clone(), wish.order, wish.after, wish.limit);
    let page = page.await.map_err(|error| unavailable(&error))?;
    if page.entries.is_empty() {
        must_be_meant(admin, &wish).await?;
    }
    Ok(page)
}

/// Nothing was found on a page. Refuses an organisation and an event that there are not, where it is the first page and so
/// may be a slip, and does not have the others walked through for it. Only now: an organisation that is gone from the settings
/// may have events still of which no index tells.
async fn must_be_meant(admin: &Admin, wish: &Wish) -> Result<(), Response> {
    if wish.after.is_some() {
        return Ok(());
    }
    must_be_an_organisation(admin, wish.filter.organisation.as_ref()).await?;
    must_be_an_event(admin, wish.filter.event).await
}

/// The events that their sender numbers by the parts `sender_id`, of one source or of any.
async fn by_sender(admin: &Admin, query: Option<&str>) -> Result<Page<ListedEvent>, Response> {
    let parameters = Parameters::read(query, &BY_SENDER)?;
    let parts = parameters.all("sender_id");
    let named: Option<SourceName> = parameters.parsed("source", "the name of a source")?;
    must_be_a_source(admin, named.as_ref()).await?;
    let set = admin.sources.set();
    let mut entries = Vec::new();
    let (mut looked_at, mut is_numbered) = (0, false);
    for source in set.ready() {
        if named.as_ref().is_some_and(|name| name != source.name()) {
            continue;
        }
        let Some(key) = key_of_parts(source.name(), &source.receive().dedup, &parts) else {
            continue;
        };
        is_numbered = true;
        looked_at += 1;
        let holder = admin.archive.holder(key).await;
        if let Some(seq) = holder.map_err(|error| unavailable(&error))? {
            let event = admin.archive.event(seq).await;
            entries.extend(event.map_err(|error| unavailable(&error))?);
        }
    }
    if !is_numbered {
        return Err(misread(
            "no source that receives numbers its events like that: `sender_id` stands there once for each part of the \
             source's `dedup`, in its order; a source without `dedup` knows its events by their bodies",
        ));
    }
    entries.sort_by_key(|event| std::cmp::Reverse(event.facts.seq));
    Ok(Page {
        entries,
        next: None,
        looked_at,
    })
}

/// `GET /api/v1/deliveries`.
pub(super) async fn deliveries(
    State(admin): State<Arc<Admin>>,
    RawQuery(query): RawQuery,
) -> Response {
    match page_of_deliveries(&admin, query.as_deref()).await {
        Err(answer) => answer,
        Ok(page) => {
            let next = page.next.map(cursor);
            let deliveries = page.entries.into_iter().map(DeliveryEntry::from);
            let deliveries: Vec<DeliveryEntry> = deliveries.collect();
            Json(json!({"deliveries": deliveries, "next": next, "looked_at": page.looked_at}))
                .into_response()
        }
    }
}

async fn page_of_deliveries(
    admin: &Admin,
    query: Option<&str>,
) -> Result<Page<ListedDelivery>, Response> {
    let wish = Wish::read(&Parameters::read(query, &PARAMETERS)?)?;
    must_be_a_source(admin, wish.filter.source.as_ref()).await?;
    let page = admin
        .archive
        .deliveries(wish.filter.clone(), wish.order, wish.after, wish.limit);
    let page = page.await.map_err(|error| unavailable(&error))?;
    if page.entries.is_empty() {
        must_be_meant(admin, &wish).await?;
    }
    Ok(page)
}

/// `GET /api/v1/events/{event}`: its facts, and its deliveries from the first on with all that was tried.
pub(super) async fn one(
    State(admin): State<Arc<Admin>>,
    operator: Operator,
    number: Result<Path<i64>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Response {
    let Ok(Path(number)) = number else {
        return not_there();
    };
    match show(&admin, operator, EventSeq(number), query.as_deref()).await {
        Ok(answer) | Err(answer) => answer,
    }
}

async fn show(
    admin: &Admin,
    operator: Operator,
    seq: EventSeq,
    query: Option<&str>,
) -> Result<Response, Response> {
    let parameters = Parameters::read(query, &["reveal", "after", "limit"])?;
    let is_revealed = parameters.is("reveal")?;
    let after = parameters.one("after")?.map(place).transpose()?;
    let limit = parameters.limit(SHOWN, MOST_SHOWN)?;
    let found = admin.archive.event(seq).await;
    let event = found
        .map_err(|error| unavailable(&error))?
        .ok_or_else(not_there)?;
    if is_revealed {
        reveal(admin, operator, seq, event.facts.source.as_str()).await?;
    }
    let filter = ArchiveFilter {
        event: Some(seq),
        ..ArchiveFilter::default()
    };
    let page = admin
        .archive
        .deliveries(filter, Order::OldestFirst, after, limit);
    let page = page.await.map_err(|error| unavailable(&error))?;
    let whole = whole::Whole::read(admin, event, page, is_revealed).await;
    let whole = whole.map_err(|error| unavailable(&error))?;
    Ok(Json(whole).into_response())
}

/// `GET /api/v1/events/{event}/body?reveal=true`: the bytes as they came.
pub(super) async fn body(
    State(admin): State<Arc<Admin>>,
    operator: Operator,
    number: Result<Path<i64>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Response {
    let Ok(Path(number)) = number else {
        return not_there();
    };
    match give_body(&admin, operator, EventSeq(number), query.as_deref()).await {
        Ok(answer) | Err(answer) => answer,
    }
}

async fn give_body(
    admin: &Admin,
    operator: Operator,
    seq: EventSeq,
    query: Option<&str>,
) -> Result<Response, Response> {
    let parameters = Parameters::read(query, &["reveal"])?;
    if !parameters.is("reveal")? {
        return Err(misread(
            "a body is personal data: ask with `reveal=true`, which is written down",
        ));
    }
    let found = admin.archive.event(seq).await;
    let event = found
        .map_err(|error| unavailable(&error))?
        .ok_or_else(not_there)?;
    let body = admin.store.body_of(seq).await;
    let Some(body) = body.map_err(|error| unavailable(&error))? else {
        return Err(problem(
            StatusCode::NOT_FOUND,
            "The body is not kept any more",
            "bodies are kept for a time; what became of the event is kept longer",
        ));
    };
    reveal(admin, operator, seq, event.facts.source.as_str()).await?;
    let mut answer = Response::new(Body::from(body));
    let headers = answer.headers_mut();
    // Whatever it says it is: a browser must save it, not run it.
    let kind = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, kind);
    let attachment = HeaderValue::from_static("attachment");
    headers.insert(header::CONTENT_DISPOSITION, attachment);
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    Ok(answer)
}

/// Writes down that personal data of an event is about to be shown.
async fn reveal(
    admin: &Admin,
    operator: Operator,
    seq: EventSeq,
    source: &str,
) -> Result<(), Response> {
    let what = vec![("event", seq.to_string()), ("source", source.to_owned())];
    admin.write_down(operator, Act::Reveal, what, 1).await
}

fn not_there() -> Response {
    problem(
        StatusCode::NOT_FOUND,
        "There is no such event",
        "look at its number; `/api/v1/events` lists those that are kept",
    )
}
