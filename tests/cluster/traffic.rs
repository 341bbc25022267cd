//! What senders send: events about several people from several systems, in batches, again and again until they are
//! acknowledged, and some of them once more.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use quentli_gateway::sender::{Sender, TestEvent};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use url::Url;

use crate::{
    cluster::Cluster,
    flow::Flow,
    item::Item,
    people::{Arrival, Key, ORGANISATIONS, Part, Person},
    sources::{SOURCES, Sending},
};

const PEOPLE_OF_EACH: usize = 6;
/// How long a sender waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A request: some items from one source. Sent again it is the same, byte by byte.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) source: usize,
    pub(crate) items: Vec<usize>,
    /// Moments, counted: when it was first sent, and when it was first acknowledged.
    pub(crate) begun: u64,
    pub(crate) acknowledged: Option<u64>,
}

/// All that was sent.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) items: Vec<Item>,
    pub(crate) requests: Vec<Request>,
}

pub(crate) struct Traffic {
    pub(crate) people: Vec<Person>,
    pub(crate) book: Mutex<Book>,
    moments: AtomicU64,
    pub(crate) stop: AtomicBool,
    /// How often a sender had to try again, by the status that it got; 0 where it got none.
    pub(crate) retries: Mutex<BTreeMap<u16, u64>>,
    pub(crate) flow: Flow,
    /// How often one sent once more what was acknowledged.
    pub(crate) repeated: AtomicU64,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        let organisations = 0..ORGANISATIONS.len();
        let people = organisations.flat_map(|organisation| {
            (0..PEOPLE_OF_EACH).map(move |number| Person {
                organisation,
                number,
                arrival: Arrival::There,
                keys: vec![if number % 2 == 0 {
                    Key::Id
                } else {
                    Key::Username
                }],
            })
        });
        Self {
            people: people.collect(),
            book: Mutex::default(),
            moments: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            retries: Mutex::default(),
            flow: Flow::new(),
            repeated: AtomicU64::new(0),
        }
    }

    fn moment(&self) -> u64 {
        self.moments.fetch_add(1, Ordering::SeqCst)
    }

    /// Makes the people known at Quentli, and starts so many senders.
    pub(crate) fn begin(
        self: &Arc<Self>,
        cluster: &Cluster,
        senders: u64,
        seed: u64,
    ) -> JoinSet<()> {
        for person in &self.people {
            let sandbox = cluster.sandbox(person.organisation);
            sandbox.add(&person.record()).unwrap();
        }
        let mut sending = JoinSet::new();
        for sender in 0..senders {
            let (traffic, urls) = (Arc::clone(self), cluster.urls());
            let seed = seed.wrapping_add(sender);
            sending.spawn(async move { traffic.send(&urls, sender, seed).await });
        }
        sending
    }

    /// Has the senders stop; whether they are through within a minute.
    pub(crate) async fn end(&self, mut senders: JoinSet<()>) -> bool {
        self.stop.store(true, Ordering::Relaxed);
        let is_sent = async {
            while let Some(ended) = senders.join_next().await {
                ended.unwrap();
            }
        };
        let is_sent = tokio::time::timeout(Duration::from_mins(1), is_sent).await;
        is_sent.is_ok()
    }

    /// How many requests were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        let book = self.book.lock().unwrap();
        let requests = book.requests.iter();
        requests
            .filter(|request| request.acknowledged.is_some())
            .count()
    }

    /// One sender, until it is told to stop; what it has begun it brings to an end.
    pub(crate) async fn send(&self, urls: &[Url], who: u64, seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        let sender = Sender::new().unwrap();
        let armed: Vec<_> = SOURCES.iter().map(Sending::armed).collect();
        let mut own: Vec<usize> = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let again = random.random_range(0..8);
            let number = match own.len() {
                many if many > 0 && again == 0 => own[random.random_range(0..many)],
                _ => self.make(&mut random, &own),
            };
            let (source, body) = self.body(number);
            let armed = &armed[source];
            if again == 1 {
                tokio::join!(
                    self.until_taken(&sender, armed, urls, number, &body, 0),
                    self.until_taken(&sender, armed, urls, number, &body, 1),
                );
            } else {
                self.until_taken(&sender, armed, urls, number, &body, number)
                    .await;
            }
            self.flow.accepted(who);
            if again <= 1 {
                self.repeated.fetch_add(1, Ordering::Relaxed);
            }
            own.push(number);
            tokio::time::sleep(Duration::from_millis(random.random_range(5..60))).await;
        }
    }

    async fn until_taken(
        &self,
        sender: &Sender,
        source: &quentli_gateway::source::Source,
        urls: &[Url],
        number: usize,
        body: &str,
        turn: usize,
    ) {
        let event = TestEvent::new(&format!("e{number}"), "application/json", body.to_owned());
        for url in urls.iter().cycle().skip(turn % urls.len()) {
            let now = jiff::Timestamp::now();
            let sent = sender.send(source, &event, url, url, now);
            let answer = tokio::time::timeout(PATIENCE, sent).await;
            let status = match answer {
                Ok(Ok(answer)) if (200..300).contains(&answer.status) => {
                    let moment = self.moment();
                    let request = &mut self.book.lock().unwrap().requests[number];
                    request.acknowledged.get_or_insert(moment);
                    return;
                }
                Ok(Ok(answer)) => {
                    // Only what a sender may try again.
                    let may_again = [502, 503, 504].contains(&answer.status);
                    assert!(may_again, "request {number}: {answer:?}");
                    answer.status
                }
                Ok(Err(_)) | Err(_) => 0,
            };
            *self.retries.lock().unwrap().entry(status).or_default() += 1;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Makes a new request of one of the sources.
    fn make(&self, random: &mut StdRng, own: &[usize]) -> usize {
        let sources: Vec<usize> = (0..SOURCES.len())
            .filter(|source| !SOURCES[*source].creates)
            .collect();
        let source = sources[random.random_range(0..sources.len())];
        let begun = self.moment();
        let mut book = self.book.lock().unwrap();
        let mut items = Vec::new();
        // One that is known already, among new ones.
        if SOURCES[source].knows_items() && random.random_ratio(1, 4) {
            let mut known = own.iter().map(|number| &book.requests[*number]);
            let known = known.rfind(|request| request.source == source);
            items.extend(known.map(|request| request.items[0]));
        }
        for _ in 0..random.random_range(1..5) {
            let number = book.items.len();
            let item = self.item(random, source, number);
            book.items.push(item);
            items.push(number);
        }
        book.requests.push(Request {
            source,
            items,
            begun,
            acknowledged: None,
        });
        book.requests.len() - 1
    }

    fn item(&self, random: &mut StdRng, source: usize, number: usize) -> Item {
        let organisation = SOURCES[source].organisation;
        let person = organisation * PEOPLE_OF_EACH + random.random_range(0..PEOPLE_OF_EACH);
        let mut change = BTreeMap::new();
        let is_note = random.random_ratio(1, 15);
        while change.is_empty() && !is_note {
            for part in Part::ALL {
                if random.random_ratio(1, 3) {
                    change.insert(part, value(random, part, number));
                }
            }
        }
        Item {
            source,
            person,
            key: self.people[person].keys[0],
            version: None,
            change,
            is_unforeseen: false,
        }
    }

    /// The source and the body of a request.
    fn body(&self, number: usize) -> (usize, String) {
        let book = self.book.lock().unwrap();
        let request = &book.requests[number];
        let events = request.items.iter().map(|number| {
            let item = &book.items[*number];
            item.event(*number, &self.people[item.person])
        });
        let events: Vec<Value> = events.collect();
        let body = json!({"request": number, "events": events});
        (request.source, body.to_string())
    }
}

fn value(random: &mut StdRng, part: Part, number: usize) -> Option<String> {
    match part {
        Part::Name => Some(format!("n{number}")),
        Part::Phone => Some(format!("+5255{:08}", 10_000_000 + number)),
        Part::Grupo => Some(format!("g{number}")),
        Part::Tags => Some(["a", "a,b", "b,c"][random.random_range(0..3)].to_owned()),
        Part::Grado if random.random_ratio(1, 4) => None,
        Part::Grado => Some(random.random_range(1..4).to_string()),
        Part::Beca => Some("si".to_owned()),
    }
}
