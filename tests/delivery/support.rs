//! A world to deliver in: a sandbox, a store, a clock, and a dispatcher that can be stopped and started.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use quentli_gateway::{
    clock::Clock,
    customer::{CustomerId, CustomerReference, FindBy, OnConflict, OnMissing, PartKey, Patch},
    delivery::{Dispatcher, Handle, Parts, Settings},
    event::{
        Attempt, DedupKey, Delivery, DeliveryPos, End, EventSeq, LaneKey, MappingHash, NewerData,
        OrderBy, OrganisationName, Redelivery, SourceName,
    },
    quentli::{Client, ClientSettings},
    sandbox::{self, Action, Exchange, Running, Sandbox},
    store::{
        Acceptance, AppliedPart, Bury, DeliveryRecord, Fate, Finish, Hands, KnownRequest, LaneHead,
        Learned, NewDelivery, NewEvent, NewGroup, Retry, ReusedId, Standing, Store, StoreError,
        Totals,
        sqlite::{SqliteOptions, SqliteStore},
    },
    telemetry::Metrics,
};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// How long a state is waited for, in real time.
const PATIENCE: Duration = Duration::from_secs(20);
/// Real time between two looks at a state.
pub(crate) const GLANCE: Duration = Duration::from_millis(2);

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_mins(1);

/// What wraps the store before the dispatcher gets it.
pub(crate) type Wrap = fn(Arc<dyn Store>) -> Arc<dyn Store>;

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) sandbox: Sandbox,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) hands: Arc<dyn Hands>,
    pub(crate) settings: Settings,
    pub(crate) wrap: Wrap,
    /// The keys of metadata by which mappings find customers.
    pub(crate) find_by: Vec<&'static str>,
    /// None while Quentli cannot be reached.
    pub(crate) quentli: Option<Running>,
    url: String,
    delivering: Option<Delivering>,
    events: u32,
    accepted_at: HashMap<EventSeq, Timestamp>,
    directory: TempDir,
}

/// Whatever a test is about, all that went to Quentli and came from it must fit the published schema.
impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let problems = crate::schema::Checker::new().problems(&self.sandbox.exchanges());
            assert!(problems.is_empty(), "{problems:#?}");
        }
    }
}

/// A dispatcher at work.
pub(crate) struct Delivering {
    pub(crate) handle: Handle,
    pub(crate) soft: CancellationToken,
    pub(crate) hard: CancellationToken,
    pub(crate) task: JoinSet<Result<(), StoreError>>,
}

impl World {
    /// A world in which the pace limits nothing, each update goes by itself, and no dispatcher is at work yet.
    pub(crate) async fn new() -> Self {
        crate::log::start();
        let clock = Clock::manual("2026-03-02T12:00:00Z".parse().unwrap());
        let sandbox = Sandbox::new(sandbox::Settings {
            clock: clock.clone(),
            max_exchanges: 1_000_000,
            ..sandbox::Settings::default()
        });
        let quentli = sandbox.start(([127, 0, 0, 1], 0).into()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path(), &clock);
        Self {
            url: quentli.url(),
            quentli: Some(quentli),
            hands: store.clone(),
            store,
            settings: Settings {
                rate: number(100_000),
                burst: number(100_000),
                merge_most: number(1),
                ..Settings::default()
            },
            wrap: |store| store,
            find_by: Vec::new(),
            clock,
            sandbox,
            delivering: None,
            events: 0,
            accepted_at: HashMap::new(),
            directory,
        }
    }

    /// A world at whose Quentli these customers are known, and in which a dispatcher is at work.
    pub(crate) async fn with_customers(usernames: &[&str]) -> Self {
        let mut world = Self::new().await;
        for username in usernames {
            world.add_customer(username);
        }
        world.deliver();
        world
    }

    /// Makes a customer known to Quentli; its identifier is `cus-` and the user name.
    pub(crate) fn add_customer(&self, username: &str) -> String {
        let customer = json!({
            "id": id_of(username), "username": username, "email": format!("{username}@x.mx"), "name": username,
        });
        self.sandbox.add(&customer).unwrap()
    }

    pub(crate) fn deliver(&mut self) {
        let mut client = ClientSettings::new(self.url.parse().unwrap(), "sk_test".into());
        client.clock = self.clock.clone();
        let (dispatcher, handle) = Dispatcher::new(
            Parts {
                organisation: OrganisationName::default_name(),
                store: (self.wrap)(Arc::clone(&self.store)),
                client: Client::new(client).unwrap(),
                clock: self.clock.clone(),
                metrics: Metrics::new(),
                settings: self.settings,
            },
            StdRng::seed_from_u64(7),
        );
        handle.find_by(self.find_by.iter().copied());
        let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
        let mut task = JoinSet::new();
        task.spawn(dispatcher.run(soft.clone(), hard.clone()));
        self.delivering = Some(Delivering {
            handle,
            soft,
            hard,
            task,
        });
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.delivering.as_ref().unwrap().handle
    }

    pub(crate) fn delivering(&mut self) -> &mut Delivering {
        self.delivering.as_mut().unwrap()
    }

    /// Ends the dispatcher as a killed process would.
    pub(crate) async fn kill(&mut self) {
        let mut delivering = self.delivering.take().unwrap();
        delivering.hard.cancel();
        delivering.task.join_next().await.unwrap().unwrap().unwrap();
    }

    /// Ends the dispatcher as a killed process would, and opens the store again.
    pub(crate) async fn kill_and_reopen(&mut self) {
        self.kill().await;
        self.store.close().await;
        let store = open(self.directory.path(), &self.clock);
        (self.store, self.hands) = (store.clone(), store);
    }

    pub(crate) async fn unplug_quentli(&mut self) {
        self.quentli.take().unwrap().stop().await;
    }

    pub(crate) async fn plug_quentli_in(&mut self) {
        let address = self.url.strip_prefix("http://").unwrap().parse().unwrap();
        self.quentli = Some(self.sandbox.start(address).await.unwrap());
    }

    /// Accepts one update.
    pub(crate) async fn accept(&mut self, update: Update) -> EventSeq {
        self.accept_all(vec![update]).await
    }

    /// Accepts updates of one source as the items of one event.
    pub(crate) async fn accept_all(&mut self, updates: Vec<Update>) -> EventSeq {
        self.events += 1;
        let body = Bytes::from(format!("event {}", self.events));
        let source = updates[0].source.clone();
        let groups = updates.into_iter().zip(0..).map(|(update, item)| NewGroup {
            key: DedupKey::of_body(&source, &body, [], Some(item)),
            deliveries: vec![NewDelivery {
                item,
                number: 0,
                rule: None,
                warnings: Vec::new(),
                fate: Fate::Waiting {
                    lane: update.customer.lane().unwrap(),
                    customer: update.customer,
                    patch: update.patch,
                    order_by: update.order_by,
                },
            }],
        });
        let received_at = self.clock.now();
        let event = NewEvent {
            source: source.clone(),
            organisation: OrganisationName::default_name(),
            received_at,
            content_type: None,
            headers: Vec::new(),
            mapping: MappingHash::of(b""),
            groups: groups.collect(),
            body: body.clone(),
        };
        match self.store.accept(event).await.unwrap() {
            Acceptance::Accepted { event, .. } => {
                self.accepted_at.insert(event, received_at);
                event
            }
            duplicate @ Acceptance::Duplicate { .. } => panic!("{duplicate:?}"),
        }
    }

    /// When an event was accepted.
    pub(crate) fn accepted_at(&self, event: EventSeq) -> Timestamp {
        self.accepted_at[&event]
    }

    /// Has the dead deliveries of these events sent again; gives how many were put back.
    pub(crate) async fn redeliver(&self, events: &[EventSeq], newer: NewerData) -> usize {
        let mut positions = Vec::new();
        for event in events {
            match self.record(*event).await.standing {
                Standing::Open { pos, .. } => positions.push(pos),
                ended @ Standing::Ended { .. } => panic!("{ended:?}"),
            }
        }
        let how = Redelivery {
            at: self.clock.now(),
            newer,
        };
        let heads = self.hands.redeliver(positions, how).await.unwrap();
        let count = heads.len();
        if let Some(delivering) = &self.delivering {
            delivering.handle.revived(heads);
        }
        count
    }

    pub(crate) async fn totals(&self) -> Totals {
        self.store.totals().await.unwrap()
    }

    pub(crate) async fn record(&self, event: EventSeq) -> DeliveryRecord {
        self.store.deliveries_of(event).await.unwrap().remove(0)
    }

    pub(crate) async fn attempts(&self, event: EventSeq) -> Vec<Attempt> {
        self.store.attempts_of(event, 0, 0).await.unwrap()
    }

    /// The state or end of an event's delivery, with the code of what it died of.
    pub(crate) async fn standing(&self, event: EventSeq) -> String {
        match self.record(event).await.standing {
            Standing::Open { state, reason, .. } => {
                let code = reason.as_deref().unwrap_or_default();
                let code = code.split(':').next().unwrap_or_default();
                format!("{} {code}", state.as_str()).trim().to_owned()
            }
            Standing::Ended { end, .. } => end.as_str().to_owned(),
        }
    }

    /// Waits until the delivery of an event stands so.
    pub(crate) async fn wait_for(&self, event: EventSeq, standing: &str) {
        let mut last = String::new();
        let reached = tokio::time::timeout(PATIENCE, async {
            loop {
                last = self.standing(event).await;
                if last.starts_with(standing) {
                    return;
                }
                tokio::time::sleep(GLANCE).await;
            }
        });
        let reached = reached.await;
        assert!(reached.is_ok(), "waited for `{standing}`, it is `{last}`");
    }

    /// The same while time passes in steps: an attempt may be written down before its lane's next turn is set, so one step
    /// of the clock may come too early.
    pub(crate) async fn drive_for(&self, event: EventSeq, standing: &str, step: Duration) {
        let mut last = String::new();
        let reached = tokio::time::timeout(PATIENCE, async {
            loop {
                last = self.standing(event).await;
                if last.starts_with(standing) {
                    return;
                }
                self.clock.advance(step);
                tokio::time::sleep(GLANCE).await;
            }
        });
        let reached = reached.await;
        assert!(reached.is_ok(), "drove on for `{standing}`, it is `{last}`");
    }

    /// Waits until a delivery has so many attempts written down.
    pub(crate) async fn until_attempts(&self, event: EventSeq, attempts: usize) {
        let reached = tokio::time::timeout(PATIENCE, async {
            while self.attempts(event).await.len() < attempts {
                tokio::time::sleep(GLANCE).await;
            }
        });
        assert!(reached.await.is_ok(), "waited for {attempts} attempts");
    }

    /// The same while time passes, as [`World::drive_for`].
    pub(crate) async fn drive_until_attempts(&self, event: EventSeq, attempts: usize) {
        let reached = tokio::time::timeout(PATIENCE, async {
            while self.attempts(event).await.len() < attempts {
                self.clock.advance(Duration::from_secs(10));
                tokio::time::sleep(GLANCE).await;
            }
        });
        assert!(reached.await.is_ok(), "drove on for {attempts} attempts");
    }

    /// Names of the parts that Quentli confirmed of a customer.
    pub(crate) async fn confirmed(&self, username: &str) -> Vec<String> {
        let customer = id_of(username).parse().unwrap();
        let organisation = OrganisationName::default_name();
        let applied = self.store.applied(&organisation, &customer).await.unwrap();
        let mut names: Vec<String> = applied
            .iter()
            .filter(|applied| !applied.is_in_doubt)
            .map(|applied| applied.part.to_string())
            .collect();
        names.sort();
        names
    }

    /// Waits until something holds, without letting time pass.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        self.drive_until(what, Duration::ZERO, holds).await;
    }

    /// Lets time pass, a step at a glance, until something holds.
    pub(crate) async fn drive_until(
        &self,
        what: &str,
        step: Duration,
        holds: impl Fn(&Self) -> bool,
    ) {
        let reached = tokio::time::timeout(PATIENCE, async {
            while !holds(self) {
                tokio::time::sleep(GLANCE).await;
                self.clock.advance(step);
            }
        });
        let reached = reached.await.is_ok();
        let status = self.delivering.as_ref().map(|d| d.handle.status());
        assert!(reached, "waited for {what}; {status:?}");
    }

    /// Lets time pass until nothing waits and nothing is looked for.
    pub(crate) async fn drive_until_done(&self, step: Duration) {
        let mut last = Totals::default();
        let reached = tokio::time::timeout(PATIENCE * 3, async {
            loop {
                last = self.totals().await;
                if last.waiting == 0 && last.looking == 0 {
                    return;
                }
                tokio::time::sleep(GLANCE).await;
                self.clock.advance(step);
            }
        });
        let reached = reached.await.is_ok();
        let status = self.delivering.as_ref().map(|d| d.handle.status());
        assert!(reached, "it never ends: {last:?}; {status:?}");
    }

    /// The changes that reached Quentli, in the order of arrival.
    pub(crate) fn changes(&self) -> Vec<Exchange> {
        self.requests("PATCH")
    }

    pub(crate) fn looks(&self) -> Vec<Exchange> {
        self.requests("GET")
    }

    fn requests(&self, method: &str) -> Vec<Exchange> {
        let mut exchanges = self.sandbox.exchanges();
        exchanges.retain(|exchange| exchange.method == method);
        exchanges
    }

    /// A property of a customer at Quentli.
    pub(crate) fn at_quentli(&self, username: &str, property: &str) -> Value {
        self.sandbox.customer(&id_of(username)).unwrap()[property].clone()
    }
}

/// An update to accept.
#[derive(Clone)]
pub(crate) struct Update {
    source: SourceName,
    customer: CustomerReference,
    patch: Patch,
    order_by: Option<OrderBy>,
}

impl Update {
    fn of(customer: CustomerReference, patch: &Value) -> Self {
        Self {
            source: "sis".parse().unwrap(),
            customer,
            patch: serde_json::from_value(patch.clone()).unwrap(),
            order_by: None,
        }
    }

    /// For the customer with the identifier of this user name.
    pub(crate) fn by_id(username: &str, patch: &Value) -> Self {
        let customer = CustomerReference {
            id: Some(id_of(username).parse().unwrap()),
            find: Vec::new(),
            on_missing: OnMissing::Retry,
            on_conflict: OnConflict::Fail,
        };
        Self::of(customer, patch)
    }

    pub(crate) fn by_username(username: &str, patch: &Value) -> Self {
        Self::by(vec![FindBy::Username(username.to_owned())], patch)
    }

    pub(crate) fn by_email(username: &str, patch: &Value) -> Self {
        Self::by(vec![FindBy::Email(format!("{username}@x.mx"))], patch)
    }

    pub(crate) fn by(find: Vec<FindBy>, patch: &Value) -> Self {
        let customer = CustomerReference {
            id: None,
            find,
            on_missing: OnMissing::Retry,
            on_conflict: OnConflict::Fail,
        };
        Self::of(customer, patch)
    }

    #[must_use]
    pub(crate) fn on_missing(mut self, on_missing: OnMissing) -> Self {
        self.customer.on_missing = on_missing;
        self
    }

    #[must_use]
    pub(crate) fn drop_contact(mut self) -> Self {
        self.customer.on_conflict = OnConflict::DropContact;
        self
    }

    #[must_use]
    pub(crate) fn of_source(mut self, source: &str) -> Self {
        self.source = source.parse().unwrap();
        self
    }

    #[must_use]
    pub(crate) fn order_by(mut self, order_by: i64) -> Self {
        self.order_by = Some(OrderBy(order_by));
        self
    }
}

/// The identifier that [`World::add_customer`] gives.
pub(crate) fn id_of(username: &str) -> String {
    format!("cus-{username}")
}

/// The `input.data` of a change.
pub(crate) fn data(change: &Exchange) -> Value {
    let body: Value = serde_json::from_slice(&change.request).unwrap();
    body["input"]["data"].clone()
}

pub(crate) fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// An answer with this status.
pub(crate) fn status(status: u16) -> Action {
    Action::Status {
        status,
        retry_after: None,
        message: None,
    }
}

/// How many deliveries ended so.
pub(crate) fn ended(totals: &Totals, end: End) -> u64 {
    let place = End::ALL.iter().position(|other| *other == end).unwrap();
    totals.ended[place]
}

fn open(directory: &Path, clock: &Clock) -> Arc<SqliteStore> {
    let options = SqliteOptions {
        disk_reserve: 0,
        ..SqliteOptions::default()
    };
    Arc::new(SqliteStore::open(directory, options, clock.clone()).unwrap())
}

/// A store that fails on purpose.
#[derive(Debug)]
pub(crate) struct Trap {
    store: Arc<dyn Store>,
    /// Asking for what was applied to this customer panics.
    panics_over: Option<CustomerId>,
    /// So many calls of `finish` find the disk full.
    cannot_finish: AtomicU32,
}

impl Trap {
    pub(crate) fn panics_over(customer: &str, store: Arc<dyn Store>) -> Self {
        Self {
            store,
            panics_over: Some(customer.parse().unwrap()),
            cannot_finish: AtomicU32::new(0),
        }
    }

    pub(crate) fn cannot_finish(times: u32, store: Arc<dyn Store>) -> Self {
        Self {
            store,
            panics_over: None,
            cannot_finish: AtomicU32::new(times),
        }
    }
}

#[async_trait]
impl Store for Trap {
    async fn known(&self, request: KnownRequest) -> Result<Option<Acceptance>, StoreError> {
        self.store.known(request).await
    }

    async fn reused_ids(&self, limit: u32) -> Result<Vec<ReusedId>, StoreError> {
        self.store.reused_ids(limit).await
    }

    async fn accept(&self, event: NewEvent) -> Result<Acceptance, StoreError> {
        self.store.accept(event).await
    }

    fn arrivals(&self) -> watch::Receiver<DeliveryPos> {
        self.store.arrivals()
    }

    async fn arrived(
        &self,
        organisation: &OrganisationName,
        after: DeliveryPos,
        limit: u32,
    ) -> Result<Vec<LaneHead>, StoreError> {
        self.store.arrived(organisation, after, limit).await
    }

    async fn lanes(
        &self,
        organisation: &OrganisationName,
        after: Option<LaneKey>,
        limit: u32,
    ) -> Result<Vec<LaneHead>, StoreError> {
        self.store.lanes(organisation, after, limit).await
    }

    async fn take(
        &self,
        organisation: &OrganisationName,
        lane: LaneKey,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.store.take(organisation, lane, limit).await
    }

    async fn finish(
        &self,
        organisation: &OrganisationName,
        finish: Finish,
    ) -> Result<bool, StoreError> {
        let left = |left: u32| left.checked_sub(1);
        if self
            .cannot_finish
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, left)
            .is_ok()
        {
            return Err(StoreError::Unavailable {
                what: "the disk is full".to_owned(),
            });
        }
        self.store.finish(organisation, finish).await
    }

    async fn retry(
        &self,
        organisation: &OrganisationName,
        retry: Retry,
    ) -> Result<bool, StoreError> {
        self.store.retry(organisation, retry).await
    }

    async fn bury(&self, organisation: &OrganisationName, bury: Bury) -> Result<bool, StoreError> {
        self.store.bury(organisation, bury).await
    }

    async fn doubt(
        &self,
        organisation: &OrganisationName,
        customer: &CustomerId,
        parts: Vec<PartKey>,
    ) -> Result<(), StoreError> {
        self.store.doubt(organisation, customer, parts).await
    }

    async fn applied(
        &self,
        organisation: &OrganisationName,
        customer: &CustomerId,
    ) -> Result<Vec<AppliedPart>, StoreError> {
        assert_ne!(Some(customer), self.panics_over.as_ref(), "the trap snaps");
        self.store.applied(organisation, customer).await
    }

    fn value_key(&self) -> &[u8; 32] {
        self.store.value_key()
    }

    async fn deliveries_of(&self, event: EventSeq) -> Result<Vec<DeliveryRecord>, StoreError> {
        self.store.deliveries_of(event).await
    }

    async fn dead(
        &self,
        source: Option<&SourceName>,
        limit: u32,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        self.store.dead(source, limit).await
    }

    async fn attempts_of(
        &self,
        event: EventSeq,
        item: u32,
        number: u32,
    ) -> Result<Vec<Attempt>, StoreError> {
        self.store.attempts_of(event, item, number).await
    }

    async fn body_of(&self, event: EventSeq) -> Result<Option<Bytes>, StoreError> {
        self.store.body_of(event).await
    }

    async fn learn_secret(
        &self,
        source: &SourceName,
        secret: secrecy::SecretString,
        at: Timestamp,
    ) -> Result<Learned, StoreError> {
        self.store.learn_secret(source, secret, at).await
    }

    async fn forget_secret(&self, source: &SourceName) -> Result<bool, StoreError> {
        self.store.forget_secret(source).await
    }

    async fn learned_secrets(
        &self,
    ) -> Result<Vec<(SourceName, secrecy::SecretString)>, StoreError> {
        self.store.learned_secrets().await
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        self.store.totals().await
    }

    async fn totals_by_source(&self) -> Result<Vec<(SourceName, Totals)>, StoreError> {
        self.store.totals_by_source().await
    }

    async fn oldest_waiting(
        &self,
        organisation: &OrganisationName,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.store.oldest_waiting(organisation).await
    }

    fn is_writable(&self) -> Result<(), StoreError> {
        self.store.is_writable()
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
