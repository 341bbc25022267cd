//! The part that plays Quentli: `/v1`.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::{Request, State as Shared},
    response::Response,
};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER},
};
use http_body_util::{BodyExt as _, Limited};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::{
    Action, End, Exchange, Filters, Keys, Missing, Refusal, Sandbox, State,
    exchange::{Outcome, changed},
    fault::Traits,
    field::Change,
    query::{ListQuery, Operator},
    record::Record,
};

/// The largest body that is read, in bytes.
const BODY_CAP: usize = 1024 * 1024;

/// Marks a response that must not be sent: the server closes the connection instead.
#[derive(Clone, Copy)]
pub(super) struct Cut;

/// An answer before it is a response.
struct Answer {
    status: StatusCode,
    content_type: &'static str,
    /// One more header.
    header: Option<(http::HeaderName, String)>,
    body: String,
    applied: bool,
    unknown_fields: Vec<String>,
}

impl Answer {
    fn json(status: u16, body: &Value) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            content_type: "application/json; charset=utf-8",
            header: None,
            body: body.to_string(),
            applied: false,
            unknown_fields: Vec::new(),
        }
    }

    fn html(status: StatusCode, body: String) -> Self {
        Self {
            content_type: "text/html; charset=utf-8",
            body,
            ..Self::json(status.as_u16(), &Value::Null)
        }
    }

    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if let Some((name, value)) = self.header
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            headers.insert(name, value);
        }
        response
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::json(refusal.status, &refusal.body())
    }
}

/// What a request is for.
enum Resource {
    Customers,
    Customer(String),
    Unknown,
}

impl Resource {
    fn of(path: &str) -> Self {
        let Some(rest) = path.strip_prefix("/v1/customers") else {
            return Self::Unknown;
        };
        if rest.is_empty() {
            return Self::Customers;
        }
        match rest.strip_prefix('/') {
            Some(segment) if !segment.is_empty() && !segment.contains('/') => {
                match percent_decode_str(segment).decode_utf8() {
                    Ok(id) => Self::Customer(id.into_owned()),
                    Err(_) => Self::Unknown,
                }
            }
            _ => Self::Unknown,
        }
    }
}

/// Answers a request and records it.
pub(super) async fn handle(Shared(sandbox): Shared<Sandbox>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, BODY_CAP).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(_) => Err(Refusal::new(413, "the body is too long, or broken off")),
    };
    let call = Call {
        method: &parts.method,
        resource: Resource::of(parts.uri.path()),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body,
    };
    let (mut visit, fault) = Visit::begin(&sandbox, &call);
    let now = sandbox.0.clock.now();
    let answer = match fault {
        None => call.answer(&sandbox),
        Some(Action::Slow { milliseconds }) => {
            let answer = call.answer(&sandbox);
            visit.note(&answer);
            let wait = Duration::from_millis(milliseconds);
            sandbox.0.clock.sleep(wait).await;
            answer
        }
        Some(Action::CutBefore) => return visit.cut(),
        Some(Action::CutAfter) => {
            visit.note(&call.answer(&sandbox));
            return visit.cut();
        }
        Some(Action::Status {
            status,
            retry_after,
            message,
        }) => {
            let message = message.unwrap_or_else(|| format!("ordered by a fault: {status}"));
            Answer {
                header: retry_after.map(|wait| (RETRY_AFTER, wait.header(now))),
                ..Answer::from(Refusal::new(status, message))
            }
        }
        Some(Action::Html) => Answer::html(
            StatusCode::OK,
            "<!DOCTYPE html><title>Welcome</title><p>Log in to use this network.</p>\n".to_owned(),
        ),
        Some(Action::WithoutCustomer) => Answer::json(200, &json!({"ok": true})),
        Some(Action::OtherCustomer) => call.about_somebody_else(now),
        Some(Action::Redirect) => Answer {
            header: Some((LOCATION, format!("{}?redirected=true", call.path))),
            ..Answer::html(StatusCode::TEMPORARY_REDIRECT, String::new())
        },
        Some(Action::Null) => Answer::json(200, &Value::Null),
    };
    visit.answer(answer)
}

/// A request, taken apart.
struct Call<'a> {
    method: &'a Method,
    resource: Resource,
    path: &'a str,
    query: &'a str,
    headers: &'a HeaderMap,
    body: Result<Bytes, Refusal>,
}

impl Call<'_> {
    /// The usual answer; applies what the request asks for.
    fn answer(&self, sandbox: &Sandbox) -> Answer {
        let now = sandbox.0.clock.now();
        let mut state = sandbox.state();
        if matches!(self.resource, Resource::Unknown) {
            return self.unknown();
        }
        if let Err(refusal) = self.check_key(&state.keys) {
            return refusal.into();
        }
        let answer = match (self.method, &self.resource) {
            (&Method::GET, Resource::Customers) => self.list(&state),
            (&Method::GET, Resource::Customer(id)) => match state.register.get(id) {
                Some(record) => Ok(Answer::json(200, &record.shown())),
                None if state.missing == Missing::Null => Ok(Answer::json(200, &Value::Null)),
                None => Err(Refusal::new(404, "Customer not found")),
            },
            (&Method::POST, Resource::Customers) => self.input(Input::Closed).and_then(|input| {
                let (record, unknown) = state.register.create(&input, now)?;
                Ok(Answer {
                    applied: true,
                    unknown_fields: unknown,
                    ..Answer::json(200, &json!({"customer": record.shown()}))
                })
            }),
            (&Method::PATCH, Resource::Customer(id)) => self.data().and_then(|data| {
                let (record, unknown) = state.register.update(id, &data, now)?;
                Ok(Answer {
                    applied: true,
                    unknown_fields: unknown,
                    ..Answer::json(200, &json!({"customer": record.shown()}))
                })
            }),
            _ => return self.unknown(),
        };
        answer.unwrap_or_else(Answer::from)
    }

    fn list(&self, state: &State) -> Result<Answer, Refusal> {
        let mut query = ListQuery::read(self.query)?;
        if state.filters == Filters::Ignored {
            query.filters.clear();
        }
        Ok(Answer::json(
            200,
            &Value::Array(state.register.list(&query)),
        ))
    }

    /// A path or method that the service does not have. What Quentli answers is not published; web servers answer so.
    fn unknown(&self) -> Answer {
        let page = format!(
            "<!DOCTYPE html><pre>Cannot {} this path</pre>\n",
            self.method
        );
        Answer::html(StatusCode::NOT_FOUND, page)
    }

    fn check_key(&self, keys: &Keys) -> Result<(), Refusal> {
        let unauthenticated = || Refusal::new(401, "You are not authenticated");
        let key = self
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.strip_prefix("Bearer "))
            .map(str::trim)
            .filter(|key| !key.is_empty())
            .ok_or_else(unauthenticated)?;
        match keys {
            Keys::Any => Ok(()),
            Keys::Only { forbidden, .. } if forbidden.iter().any(|known| known == key) => {
                Err(Refusal::new(403, "Permission denied"))
            }
            Keys::Only { accepted, .. } if accepted.iter().any(|known| known == key) => Ok(()),
            Keys::Only { .. } => Err(unauthenticated()),
        }
    }

    /// The object `input` of the body.
    fn input(&self, outer: Input) -> Result<Map<String, Value>, Refusal> {
        let body = self.body.as_ref().map_err(Refusal::clone)?;
        let body: Value =
            serde_json::from_slice(body).map_err(|_| Refusal::new(400, "the body is not JSON"))?;
        let Value::Object(mut body) = body else {
            return Err(Refusal::new(400, "the body must be an object"));
        };
        let Some(Value::Object(input)) = body.remove("input") else {
            return Err(Refusal::new(400, "input is required"));
        };
        // The schema of creation forbids further keys beside `input`, that of updating does not.
        if outer == Input::Closed && !body.is_empty() {
            return Err(Refusal::new(400, "only input is allowed in the body"));
        }
        Ok(input)
    }

    /// The object `input.data` of the body.
    fn data(&self) -> Result<Map<String, Value>, Refusal> {
        let mut input = self.input(Input::Open)?;
        if input.get("otp").is_some_and(|otp| !otp.is_string()) {
            return Err(Refusal::new(400, "otp must be a text"));
        }
        match input.remove("data") {
            Some(Value::Object(data)) => Ok(data),
            _ => Err(Refusal::new(400, "input.data is required")),
        }
    }

    /// The names by which a fault may know the customer of this request.
    fn names(&self, state: &State) -> Vec<String> {
        let mut names = Vec::new();
        match &self.resource {
            Resource::Customer(id) => {
                names.push(id.clone());
                let record = state.register.get(id);
                names.extend(record.and_then(|record| Some(record.text("username")?.to_owned())));
            }
            Resource::Customers if *self.method == Method::POST => {
                let username = self
                    .input(Input::Open)
                    .ok()
                    .and_then(|input| Some(input.get("username")?.as_str()?.to_owned()));
                names.extend(username);
            }
            Resource::Customers => {
                let filters = ListQuery::read(self.query).map_or(Vec::new(), |list| list.filters);
                for filter in filters {
                    if filter.operator == Operator::Equals {
                        let id = state.register.id_of(filter.field, &filter.value);
                        names.extend(id.map(str::to_owned));
                        names.push(filter.value);
                    }
                }
            }
            Resource::Unknown => {}
        }
        names
    }

    /// Whether it asks for a page of all customers.
    fn is_list(&self) -> bool {
        let filters = || ListQuery::read(self.query).map_or(Vec::new(), |list| list.filters);
        *self.method == Method::GET
            && matches!(self.resource, Resource::Customers)
            && filters().is_empty()
    }

    /// An answer with a record that nobody asked for.
    fn about_somebody_else(&self, now: Timestamp) -> Answer {
        let mut record = Record::new("cus_somebodyelse00000000".to_owned(), now);
        let mut change = Change::default();
        change.values.insert("name", json!("Somebody Else"));
        change.values.insert("username", json!("somebody-else"));
        record.apply(&change, now);
        let customer = record.shown();
        if *self.method == Method::GET {
            Answer::json(200, &customer)
        } else {
            Answer::json(200, &json!({"customer": customer}))
        }
    }
}

/// Whether keys beside `input` are forbidden.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    Open,
    Closed,
}

/// A request in flight. Recorded when it begins, and when it ends in whatever way, also when the connection is dropped.
struct Visit {
    sandbox: Sandbox,
    number: u64,
    /// The customer that it changes.
    changes: Option<String>,
    began: Duration,
    outcome: Outcome,
}

impl Visit {
    fn begin(sandbox: &Sandbox, call: &Call<'_>) -> (Self, Option<Action>) {
        let mut guard = sandbox.state();
        let state = &mut *guard;
        let names = call.names(state);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let fault = state.script.take(Traits {
            method: call.method.as_str(),
            names: &names,
            is_list: call.is_list(),
            body: call.body.as_deref().unwrap_or_default(),
        });
        let customer = match &call.resource {
            Resource::Customer(id) => Some(id.clone()),
            Resource::Customers | Resource::Unknown => None,
        };
        let exchange = Exchange {
            number: 0,
            at: sandbox.0.clock.now(),
            method: call.method.to_string(),
            path: call.path.to_owned(),
            query: call.query.to_owned(),
            customer,
            request: call.body.clone().unwrap_or_default(),
            end: End::Pending,
            response: Bytes::new(),
            fault: fault.as_ref().map(Action::as_str),
            applied: false,
            unknown_fields: Vec::new(),
            changes_in_flight: 0,
            in_flight: 0,
            ended_before: None,
            took: Duration::ZERO,
        };
        let visit = Self {
            sandbox: sandbox.clone(),
            changes: changed(&exchange).map(str::to_owned),
            number: state.ledger.begin(exchange),
            began: sandbox.0.clock.elapsed(),
            outcome: Outcome::default(),
        };
        (visit, fault)
    }

    /// Keeps what an answer says that was done, whether or not it will be given.
    fn note(&mut self, answer: &Answer) {
        self.outcome.applied = answer.applied;
        self.outcome
            .unknown_fields
            .clone_from(&answer.unknown_fields);
    }

    fn answer(mut self, answer: Answer) -> Response {
        self.note(&answer);
        self.outcome.end = End::Answered(answer.status.as_u16());
        self.outcome.response = Bytes::from(answer.body.clone());
        answer.into_response()
    }

    fn cut(mut self) -> Response {
        self.outcome.end = End::Cut;
        // A server other than ours, which does not know the mark, answers with this.
        let mut response = Answer::json(500, &Value::Null).into_response();
        response.extensions_mut().insert(Cut);
        response
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.outcome.took = self.sandbox.0.clock.elapsed().saturating_sub(self.began);
        let outcome = std::mem::take(&mut self.outcome);
        self.sandbox
            .state()
            .ledger
            .end(self.number, self.changes.as_deref(), outcome);
        self.sandbox
            .0
            .ended
            .send_modify(|ended| *ended = ended.saturating_add(1));
    }
}
