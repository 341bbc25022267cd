//! The calls, and the settings they are made with.

use std::{fmt, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use reqwest::{
    Method, RequestBuilder,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::{
    BaseUrl, CallError, CallErrorKind, Creation, Customer, Found, Search,
    call::{self, Answer},
    search,
};
use crate::{
    clock::Clock,
    customer::{CustomerId, Patch},
};

/// The longest answer about one customer, in bytes. Quentli's own are about a kilobyte.
const ANSWER_CAP: usize = 1024 * 1024;

/// The longest list, in bytes: a hundred customers with much metadata.
const LIST_CAP: usize = 8 * 1024 * 1024;

/// How long an unused connection is kept. Shorter than the keep-alive of common servers (five seconds in Node.js), so
/// that a request is seldom sent into a connection that is just being closed, which would leave its outcome unknown.
const IDLE: Duration = Duration::from_secs(4);

/// What a client is made with.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    pub base: BaseUrl,
    /// The API key of one organisation (`sk_…`).
    pub key: SecretString,
    /// The longest time for a whole call, from looking up the address to the last byte of the answer.
    pub timeout: Duration,
    /// The longest time for address, connection and TLS together. Where it is not shorter than `timeout`, four fifths
    /// of that are used, so that running out of time here is told apart from an answer that did not come.
    pub connect_timeout: Duration,
    pub user_agent: String,
    /// Turns the dates of `Retry-After` into waits.
    pub clock: Clock,
}

impl ClientSettings {
    /// Settings for an address and a key, with ten seconds for a call and five for connecting.
    pub fn new(base: BaseUrl, key: SecretString) -> Self {
        Self {
            base,
            key,
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            user_agent: concat!("quentli-gateway/", env!("CARGO_PKG_VERSION")).to_owned(),
            clock: Clock::system(),
        }
    }
}

/// Why no client can be made of some settings. Holds no part of the key.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(
        "the API key is empty or has characters that no key has (white space, line breaks, accents)"
    )]
    Key,
    #[error("cannot prepare calls to Quentli")]
    Prepare(#[source] reqwest::Error),
}

/// Calls Quentli with the key of one organisation. Cheap to clone; clones share connections and the key.
///
/// Every method makes one request and returns a [`CallError`] that says what can be done about it. Dropping the
/// future of a change leaves its outcome unknown, like [`CallErrorKind::Interrupted`].
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: BaseUrl,
    key: Arc<ArcSwap<Key>>,
    clock: Clock,
}

/// Tells a client's keys apart, in the order in which they were set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyNumber(u64);

impl Client {
    /// Makes a client; no request is sent.
    ///
    /// # Errors
    /// A key that cannot be sent, or no trusted root certificates on this system (only needed for `https`).
    pub fn new(settings: ClientSettings) -> Result<Self, ClientError> {
        let key = Key::new(&settings.key, KeyNumber::default())?;
        let connect_limit = settings.timeout.mul_f32(0.8);
        let mut builder = reqwest::Client::builder()
            .user_agent(settings.user_agent)
            .timeout(settings.timeout)
            .connect_timeout(settings.connect_timeout.min(connect_limit))
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false);
        if settings.base.is_loopback() {
            builder = builder.no_proxy();
        }
        if !settings.base.is_https() {
            // Without TLS the system's root certificates are not needed, and may be missing.
            builder = builder.tls_certs_only(std::iter::empty());
        }
        Ok(Self {
            http: builder.build().map_err(ClientError::Prepare)?,
            base: settings.base,
            key: Arc::new(ArcSwap::from_pointee(key)),
            clock: settings.clock,
        })
    }

    /// Replaces the key, for this client and its clones; calls in flight keep theirs.
    ///
    /// # Errors
    /// A key that cannot be sent; the old one stays.
    pub fn set_key(&self, key: &SecretString) -> Result<(), ClientError> {
        let KeyNumber(number) = self.key_number();
        let key = Key::new(key, KeyNumber(number.wrapping_add(1)))?;
        self.key.store(Arc::new(key));
        Ok(())
    }

    /// Which key calls are made with now. What came back from a call that began under another says nothing of this
    /// one.
    pub fn key_number(&self) -> KeyNumber {
        self.key.load().number
    }

    /// Where the calls go.
    pub fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// Changes a customer: `PATCH /v1/customers/{id}`. Safe to repeat, since a patch holds absolute values.
    pub async fn update(&self, id: &CustomerId, patch: &Patch) -> Result<Customer, CallError> {
        let body = UpdateRequest::new(patch);
        let address = UpdateRequest::address(&self.base, id);
        let answer = self.call_with_body(Method::PATCH, address, &body).await?;
        answer
            .read(|body| read_customer(body.get("customer")?))
            .and_then(|customer| answer.about(id, customer))
    }

    /// Reads a customer: `GET /v1/customers/{id}`. Both documented forms of "not found" give
    /// [`CallErrorKind::NotFound`].
    pub async fn get(&self, id: &CustomerId) -> Result<Customer, CallError> {
        let address = self.base.resource(&["customers", id.as_str()]);
        let answer = self.call(Method::GET, address, ANSWER_CAP).await?;
        if answer.body.is_null() {
            return Err(CallError {
                kind: CallErrorKind::NotFound,
                ..answer.not_quentli()
            });
        }
        answer
            .read(read_customer)
            .and_then(|customer| answer.about(id, customer))
    }

    /// Looks for the one customer that has exactly this value, in one request.
    ///
    /// [`Found::None`] is certain as far as Quentli's list shows everybody. Where the answer shows that the filter was
    /// ignored and the customer is not on the page that came, it is an error of [`CallErrorKind::NotQuentli`], never
    /// "none": a customer wrongly held to be missing would be created twice or lose its update.
    pub async fn find(&self, by: Search<'_>) -> Result<Found, CallError> {
        let (filter, value) = by.filter();
        let mut address = self.base.resource(&["customers"]);
        address
            .query_pairs_mut()
            .append_pair("take", &search::PAGE.to_string())
            .append_pair(filter, value);
        let answer = self.call(Method::GET, address, LIST_CAP).await?;
        let page = answer.read(read_customers)?;
        by.judge(page).ok_or_else(|| CallError {
            message: Some("a full page without a match: the filter was ignored".to_owned()),
            ..answer.not_quentli()
        })
    }

    /// Creates a customer: `POST /v1/customers`. Not safe to repeat: after [`CallErrorKind::Interrupted`] or
    /// [`CallErrorKind::NotQuentli`] look whether it exists before trying again.
    pub async fn create(&self, creation: &Creation) -> Result<Customer, CallError> {
        let address = self.base.resource(&["customers"]);
        let answer = self.call_with_body(Method::POST, address, creation).await?;
        answer.read(|body| read_customer(body.get("customer")?))
    }

    /// Asks whether the service answers and takes the key, without changing anything: `GET /v1/customers?take=1`.
    pub async fn probe(&self) -> Result<(), CallError> {
        let mut address = self.base.resource(&["customers"]);
        address.query_pairs_mut().append_pair("take", "1");
        let answer = self.call(Method::GET, address, ANSWER_CAP).await?;
        answer.read(|body| body.is_array().then_some(()))
    }

    /// One page of all customers, oldest first: `take` of them (1 to 100) after the first `skip`. A page shorter than
    /// `take` is the last one.
    pub async fn list(&self, skip: u64, take: u8) -> Result<Vec<Customer>, CallError> {
        let mut address = self.base.resource(&["customers"]);
        address
            .query_pairs_mut()
            .append_pair("skip", &skip.to_string())
            .append_pair("take", &take.to_string())
            // Without an order, customers added during a scan could push others past its end.
            .append_pair("orderBy[createdAt]", "asc");
        let answer = self.call(Method::GET, address, LIST_CAP).await?;
        answer.read(read_customers)
    }

    async fn call(&self, method: Method, address: Url, cap: usize) -> Result<Answer, CallError> {
        let request = self.http.request(method, address);
        self.send(request, cap).await
    }

    async fn call_with_body(
        &self,
        method: Method,
        address: Url,
        body: &impl Serialize,
    ) -> Result<Answer, CallError> {
        let body = serde_json::to_vec(body).expect("a patch is always writable as JSON");
        let request = self
            .http
            .request(method, address)
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        self.send(request, ANSWER_CAP).await
    }

    async fn send(&self, request: RequestBuilder, cap: usize) -> Result<Answer, CallError> {
        let key = self.key.load_full();
        let request = request
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, key.authorization.clone());
        call::send(request, cap, key.text.expose_secret(), || self.clock.now()).await
    }
}

/// Shows where the calls go, and not the key.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

/// A key and the header that carries it.
struct Key {
    number: KeyNumber,
    text: SecretString,
    authorization: HeaderValue,
}

impl Key {
    fn new(text: &SecretString, number: KeyNumber) -> Result<Self, ClientError> {
        let key = text.expose_secret();
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ClientError::Key);
        }
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| ClientError::Key)?;
        authorization.set_sensitive(true);
        Ok(Self {
            number,
            text: text.clone(),
            authorization,
        })
    }
}

/// What [`Client::update`] sends. Serializes as the body.
#[derive(Serialize)]
pub struct UpdateRequest<'a> {
    input: UpdateInput<'a>,
}

#[derive(Serialize)]
struct UpdateInput<'a> {
    data: &'a Patch,
}

impl<'a> UpdateRequest<'a> {
    pub const fn new(patch: &'a Patch) -> Self {
        Self {
            input: UpdateInput { data: patch },
        }
    }

    /// Where it goes.
    pub fn address(base: &BaseUrl, id: &CustomerId) -> Url {
        base.resource(&["customers", id.as_str()])
    }
}

fn read_customers(list: &Value) -> Option<Vec<Customer>> {
    list.as_array()?.iter().map(read_customer).collect()
}

/// Reads a customer leniently: only the identifier must be there, and what is not of the expected type is absent.
fn read_customer(record: &Value) -> Option<Customer> {
    let text = |name| record.get(name).and_then(Value::as_str).map(str::to_owned);
    let metadata = match (record.get("metadata"), record.get("meta")) {
        (Some(Value::Array(entries)), _) => Some(
            entries
                .iter()
                .filter_map(|entry| {
                    let key = entry.get("key")?.as_str()?;
                    let value = entry.get("value")?.as_str()?;
                    Some((key.to_owned(), value.to_owned()))
                })
                .collect(),
        ),
        (_, Some(Value::Object(entries))) => Some(
            entries
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect(),
        ),
        (Some(Value::Null), _) | (_, Some(Value::Null)) => Some(std::collections::BTreeMap::new()),
        _ => None,
    };
    Some(Customer {
        id: record.get("id")?.as_str()?.parse().ok()?,
        username: text("username"),
        email: text("email"),
        metadata,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(key: &str) -> ClientSettings {
        ClientSettings::new("http://127.0.0.1:1".parse().unwrap(), key.into())
    }

    #[test]
    fn a_key_that_cannot_be_one_is_refused_without_being_shown() {
        for key in ["", " ", "sk_live\n", "sk live", "sk_\u{e9}"] {
            let error = Client::new(settings(key)).unwrap_err();
            assert!(matches!(error, ClientError::Key), "{key:?}: {error:?}");
        }
        let client = Client::new(settings("sk_good")).unwrap();
        assert!(client.set_key(&"sk bad".into()).is_err());
        assert!(client.set_key(&"sk_better".into()).is_ok());
    }

    #[test]
    fn the_key_is_in_no_debug_output() {
        let settings = settings("sk_very_secret");
        let shown = format!("{settings:?} {:?}", Client::new(settings.clone()).unwrap());
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn a_customer_is_read_by_its_identifier_alone() {
        let read = |value: Value| read_customer(&value);
        assert!(read(json!({"id": "cus_1"})).is_some());
        for other in [
            json!(null),
            json!({}),
            json!({"id": 1}),
            json!({"id": ""}),
            json!([{"id": "cus_1"}]),
        ] {
            assert_eq!(read(other.clone()), None, "{other}");
        }
        let odd = read(json!({"id": "cus_1", "username": 7, "email": null, "metadata": "x"}));
        let odd = odd.unwrap();
        assert_eq!((odd.username, odd.email), (None, None));
        assert_eq!(odd.metadata, None);
        let none = read(json!({"id": "cus_1", "metadata": null})).unwrap();
        assert_eq!(none.metadata, Some(std::collections::BTreeMap::new()));
        for metadata in [
            json!({"id": "cus_1", "metadata": [{"key": "Grado", "value": "5"}, {"key": "x"}]}),
            json!({"id": "cus_1", "meta": {"Grado": "5", "x": null}}),
        ] {
            let metadata = read(metadata).unwrap().metadata.unwrap();
            assert_eq!(metadata["Grado"], "5");
            assert_eq!(metadata.len(), 1);
        }
    }
}
