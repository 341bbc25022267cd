//! Several organisations in one gateway: what is of one is nothing to another.

use quentli_gateway::sandbox::{Action, Fault, Keys, RetryAfter, Running, Sandbox, Settings};
use serde_json::{Value, json};

use crate::{
    World,
    support::{
        school::{SECRET, SOURCE_FILE, School},
        until,
    },
};

const SOUTH: &str = "south";

/// The source file of a school, whose contacts are also found by a number in their metadata.
fn file(source: &str, organisation: &str) -> String {
    SOURCE_FILE
        .replace(
            "source: school",
            &format!("source: {source}\nquentli: {organisation}"),
        )
        .replace(
            "find: [{username: contact.username}]",
            "find: [{username: contact.username}, {metadata.Folio: contact.folio}]",
        )
        .replace("username: u,", "username: u, folio: F-1,")
}

/// Two schools. In both Quentlis the same username, address, number and identifier are somebody's.
struct Two {
    world: World,
    south: Sandbox,
    south_school: School,
    _running: Running,
}

fn only(key: &str) -> Keys {
    Keys::Only {
        accepted: vec![key.to_owned()],
        forbidden: Vec::new(),
    }
}

impl Two {
    /// `limits` are settings of the southern organisation.
    async fn new(limits: &str) -> Self {
        let south = Sandbox::new(Settings::default());
        let running = south.start(([127, 0, 0, 1], 0).into()).await.unwrap();
        let settings = format!(
            "quentli:\n  default: {{key: {{env: QUENTLI_API_KEY}}, rate: 5000, concurrency: 16}}\n  south: {{key: {{env: \
             SOUTH_KEY}}, url: \"{}\"{limits}}}\n",
            running.url()
        );
        let file_south = file(SOUTH, SOUTH);
        let world = World::with(|setup| {
            setup
                .settings(&settings)
                .variable("SOUTH_KEY", "sk_south")
                .source("school", &file("school", "default"))
                .source(SOUTH, &file_south)
        })
        .await;
        world.sandbox.clear();
        world.sandbox.set_keys(only("sk_test_key"));
        south.set_keys(only("sk_south"));
        for sandbox in [&world.sandbox, &south] {
            for n in 0..20 {
                let customer = json!({"id": format!("cus_{n}"), "username": format!("u{n}"), "name": "nobody yet",
                    "metadata": [{"key": "Folio", "value": format!("F-{n}")}]});
                sandbox.add(&customer).unwrap();
            }
        }
        Self {
            south_school: School::of(SOUTH, &file_south, SECRET),
            south,
            world,
            _running: running,
        }
    }

    /// Both schools send a change of the same contact, each with a name of its own.
    async fn send(&self, id: &str, by: Value) {
        for (school, name) in [(&self.world.school, "north"), (&self.south_school, "south")] {
            let mut contact = by.clone();
            contact["name"] = json!(format!("{name} {id}"));
            let body = json!({"type": "contact.updated", "contact": contact}).to_string();
            let answer = school
                .send(&self.world.gateway.url(), id, body)
                .await
                .unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }

    fn changed(sandbox: &Sandbox) -> usize {
        let exchanges = sandbox.exchanges();
        let is_change = |exchange: &&quentli_gateway::sandbox::Exchange| exchange.applied;
        exchanges.iter().filter(is_change).count()
    }

    /// Waits until so many changes have been applied in the north.
    async fn north_has(&self, changes: usize) {
        until("the changes of the north", async || {
            let seen = Self::changed(&self.world.sandbox);
            if seen >= changes { Ok(()) } else { Err(seen) }
        })
        .await;
    }

    async fn state(&self, organisation: &str) -> String {
        let status = self.world.gateway.status().await;
        status["organisations"][organisation]["state"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_has_its_own_key_customers_directory_and_confirmed_values() {
    let two = Two::new("").await;
    for (id, by) in [
        ("1", json!({"quentliId": "cus_1"})),
        ("2", json!({"username": "u2"})),
        ("3", json!({"folio": "F-3"})),
    ] {
        two.send(id, by).await;
    }
    two.world.gateway.settled().await;
    for (id, by) in [
        // Looked up before: what was found and confirmed of one says nothing of the other.
        ("4", json!({"username": "u2"})),
        ("5", json!({"folio": "F-3"})),
    ] {
        two.send(id, by).await;
    }
    let totals = two.world.gateway.settled().await;
    assert_eq!(totals["ended"]["delivered"], 10, "{totals}");
    for (sandbox, name) in [(&two.world.sandbox, "north"), (&two.south, "south")] {
        for (customer, event) in [("cus_1", 1), ("cus_2", 4), ("cus_3", 5)] {
            assert_eq!(
                sandbox.customer(customer).unwrap()["name"],
                format!("{name} {event}")
            );
        }
        let refused = sandbox.exchanges();
        let refused = refused
            .iter()
            .find(|exchange| exchange.status() == Some(401));
        assert!(refused.is_none(), "{name}: {refused:?}");
    }
    two.world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_refused_throttled_or_out_of_reach_holds_no_other_up() {
    let status = |status, retry_after| {
        Fault::always(Action::Status {
            status,
            retry_after,
            message: None,
        })
    };
    for (trouble, state) in [
        (status(401, None), "paused"),
        (status(429, Some(RetryAfter::Seconds(600))), "throttled"),
        (Fault::always(Action::CutBefore), "breaker-open"),
    ] {
        let two = Two::new("").await;
        two.south.fault(trouble).unwrap();
        for n in 0..5 {
            two.send(&n.to_string(), json!({"quentliId": format!("cus_{n}")}))
                .await;
        }
        two.north_has(5).await;
        until(state, async || {
            let seen = two.state(SOUTH).await;
            if seen == state { Ok(()) } else { Err(seen) }
        })
        .await;
        two.send("again", json!({"quentliId": "cus_9"})).await;
        two.north_has(6).await;
        assert_eq!(
            two.state("default").await,
            "delivering",
            "while the other is {state}"
        );
        assert_eq!(Two::changed(&two.south), 0);
        two.world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_has_its_own_rate() {
    let two = Two::new(", rate: 1").await;
    for n in 0..20 {
        two.send(&n.to_string(), json!({"quentliId": format!("cus_{n}")}))
            .await;
    }
    two.north_has(20).await;
    // Twenty would take the south twenty seconds.
    let south = two.south.exchanges();
    assert!(south.len() < 20, "{} requests", south.len());
    two.world.end().await;
}
