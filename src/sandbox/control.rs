//! The part that Quentli does not have: looking in, adding customers, ordering faults. JSON in, JSON out.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Query, State as Shared},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Exchange, Fault, Sandbox};

/// The largest body of customers to add, in bytes.
const BODY_CAP: usize = 16 * 1024 * 1024;

/// The most customers or requests of one answer.
const MAX_PAGE: usize = 1_000;

pub(super) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/sandbox/customers", get(customers).post(add_customers))
        .route("/sandbox/requests", get(requests).delete(forget_requests))
        .route(
            "/sandbox/faults",
            get(faults).post(order_fault).delete(lift_faults),
        )
        .layer(DefaultBodyLimit::max(BODY_CAP))
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    skip: usize,
    take: Option<usize>,
}

async fn customers(Shared(sandbox): Shared<Sandbox>, Query(page): Query<Page>) -> Json<Value> {
    let take = page.take.unwrap_or(100).min(MAX_PAGE);
    Json(sandbox.customers(page.skip, take).into())
}

/// Adds one customer or a list of them; those before the first that is refused stay.
async fn add_customers(Shared(sandbox): Shared<Sandbox>, body: Bytes) -> Response {
    let customers = match serde_json::from_slice(&body) {
        Ok(Value::Array(customers)) => customers,
        Ok(customer) => vec![customer],
        Err(error) => return refused(&error.to_string()),
    };
    let mut ids = Vec::new();
    for (place, customer) in customers.iter().enumerate() {
        match sandbox.add(customer) {
            Ok(id) => ids.push(id),
            Err(error) => return refused(&format!("customer {place}: {error}")),
        }
    }
    Json(json!({ "ids": ids })).into_response()
}

#[derive(Deserialize)]
struct Last {
    last: Option<usize>,
}

/// The last requests, oldest first.
async fn requests(Shared(sandbox): Shared<Sandbox>, Query(wish): Query<Last>) -> Json<Value> {
    let last = wish.last.unwrap_or(100).min(MAX_PAGE);
    let exchanges = sandbox.last_exchanges(last);
    Json(exchanges.iter().map(Exchange::to_json).collect())
}

async fn forget_requests(Shared(sandbox): Shared<Sandbox>) -> StatusCode {
    sandbox.forget_exchanges();
    StatusCode::NO_CONTENT
}

async fn faults(Shared(sandbox): Shared<Sandbox>) -> Json<Vec<Fault>> {
    Json(sandbox.faults())
}

/// Orders one fault or a list of them; those before the first that is refused stay.
async fn order_fault(Shared(sandbox): Shared<Sandbox>, body: Bytes) -> Response {
    let faults = match serde_json::from_slice(&body) {
        Ok(Value::Array(faults)) => faults,
        Ok(fault) => vec![fault],
        Err(error) => return refused(&error.to_string()),
    };
    for (place, fault) in faults.into_iter().enumerate() {
        let ordered = serde_json::from_value(fault)
            .map_err(|error| error.to_string())
            .and_then(|fault| sandbox.fault(fault).map_err(|error| error.to_string()));
        if let Err(error) = ordered {
            return refused(&format!("fault {place}: {error}"));
        }
    }
    Json(sandbox.faults()).into_response()
}

async fn lift_faults(Shared(sandbox): Shared<Sandbox>) -> StatusCode {
    sandbox.lift_faults();
    StatusCode::NO_CONTENT
}

fn refused(message: &str) -> Response {
    let body = Json(json!({"error": {"message": message}}));
    (StatusCode::BAD_REQUEST, body).into_response()
}
