//! Two replicas of which one delivers for an organisation, and one customer there: for tests of one thing each.

use quentli_gateway::{
    sandbox::{Action, Fault, Sandbox},
    sender::{Answer, Sender, TestEvent},
};
use serde_json::{Value, json};
use url::Url;

use crate::{
    cluster::Cluster,
    sources::SOURCES,
    support::{executable::Gateway, until},
};

pub(crate) const CUSTOMER: &str = "cus-1";

pub(crate) struct Small {
    pub(crate) cluster: Cluster,
    /// The number of the replica that delivers for the first organisation.
    owner: usize,
}

impl Small {
    /// Nothing where there is no PostgreSQL, which is said.
    pub(crate) async fn start() -> Option<Self> {
        let cluster = Cluster::pair().await?;
        let customer = json!({"id": CUSTOMER, "username": "u1", "name": "nobody yet"});
        cluster.sandbox(0).add(&customer).unwrap();
        // One for each: from then on nothing moves by itself.
        until("each replica to have one organisation", async || {
            let owners = (cluster.owner(0).await, cluster.owner(1).await);
            if owners.0 == owners.1 {
                Err(owners)
            } else {
                Ok(())
            }
        })
        .await;
        let owner = cluster.owner(0).await;
        Some(Self { cluster, owner })
    }

    pub(crate) fn owner(&self) -> &Gateway {
        self.cluster.replicas[self.owner].gateway()
    }

    /// The one that does not deliver for it.
    pub(crate) fn other(&self) -> &Gateway {
        self.cluster.replicas[1 - self.owner].gateway()
    }

    pub(crate) fn both(&self) -> [&Gateway; 2] {
        [self.owner(), self.other()]
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        self.cluster.sandbox(0)
    }

    pub(crate) fn name(&self) -> Value {
        self.sandbox().customer(CUSTOMER).unwrap()["name"].clone()
    }

    /// How many changes came to Quentli.
    pub(crate) fn changes(&self) -> usize {
        let exchanges = self.sandbox().exchanges();
        exchanges
            .iter()
            .filter(|exchange| exchange.method == "PATCH")
            .count()
    }

    /// Quentli refuses every change until its troubles are lifted.
    pub(crate) fn refuse_changes(&self) {
        let status = Action::Status {
            status: 400,
            retry_after: None,
            message: None,
        };
        let fault = Fault::always(status).on_method("PATCH");
        self.sandbox().fault(fault).unwrap();
    }
}

/// Sends a change of the customer's name to this replica.
pub(crate) async fn rename(gateway: &Gateway, id: &str, name: &str) -> Answer {
    try_to_rename(gateway.url(), id, name).await.unwrap()
}

/// The same, where perhaps nobody answers.
pub(crate) async fn try_to_rename(url: Url, id: &str, name: &str) -> Option<Answer> {
    try_to_rename_one(url, CUSTOMER, id, name).await
}

/// The same of any customer.
pub(crate) async fn try_to_rename_one(
    url: Url,
    customer: &str,
    id: &str,
    name: &str,
) -> Option<Answer> {
    let item = json!({"id": id, "kind": "change", "by": {"id": customer}, "set": {"name": name}});
    let body = json!({"request": 0, "events": [item]}).to_string();
    let event = TestEvent::new(id, "application/json", body);
    let sender = Sender::new().unwrap();
    let now = jiff::Timestamp::now();
    let answer = sender
        .send(&SOURCES[0].armed(), &event, &url, &url, now)
        .await;
    answer.ok()
}

/// Asks at the operators' port of this replica.
pub(crate) async fn ask(gateway: &Gateway, path: &str, wish: &Value) -> Value {
    let (status, answer) = gateway.wish("POST", path, wish).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// Waits until the status that a replica shows is as it should be.
pub(crate) async fn shows(gateway: &Gateway, what: &str, is_meant: impl Fn(&Value) -> bool) {
    until(what, async || {
        let status = gateway.status().await;
        if is_meant(&status) {
            Ok(())
        } else {
            Err(status)
        }
    })
    .await;
}
