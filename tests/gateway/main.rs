//! The gateway from outside: signed webhooks in, what reaches Quentli and what operators see out.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests: a surprise ends the test"
)]

mod acts;
mod admission;
mod answers;
mod creation;
mod directory;
mod drain;
mod driven;
mod erase;
mod flood;
mod handshakes;
mod headers;
mod hostile;
mod hubspot;
mod journey;
mod limits;
mod looking;
mod notify;
mod observe;
mod organisations;
mod public_keys;
mod refusals;
mod rejected;
mod reload;
mod retention;
mod shipped;
mod sources;
mod watch;

#[path = "../support/schema.rs"]
mod schema;
#[path = "../support/support.rs"]
mod support;

use quentli_gateway::sandbox::{Running, Sandbox, Settings};
use serde_json::json;

use crate::support::{
    executable::{Gateway, Setup},
    school::{SECRET, SECRET_VARIABLE, SOURCE_FILE, School},
};

/// A sandbox, a gateway that delivers to it, and a school that sends.
struct World {
    sandbox: Sandbox,
    quentli: Running,
    setup: Setup,
    gateway: Gateway,
    school: School,
    /// Somebody whom Quentli knows, with the user name `ana`.
    customer: String,
}

impl World {
    async fn new() -> Self {
        Self::with(|setup| setup).await
    }

    async fn with(change: impl FnOnce(Setup) -> Setup) -> Self {
        let sandbox = Sandbox::new(Settings::default());
        let quentli = sandbox.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let customer = sandbox
            .add(&json!({"name": "Ana", "username": "ana"}))
            .unwrap();
        let setup = Setup::new(&quentli.url())
            .source("school", SOURCE_FILE)
            .variable(SECRET_VARIABLE, SECRET);
        let setup = change(setup);
        let gateway = setup.start();
        Self {
            sandbox,
            quentli,
            setup,
            gateway,
            school: School::new(),
            customer,
        }
    }

    /// Stops and starts the gateway.
    fn restart(self) -> Self {
        assert!(self.gateway.terminate().success());
        let gateway = self.setup.start();
        Self { gateway, ..self }
    }

    /// Names that were sent to Quentli, in order.
    fn names_sent(&self) -> Vec<String> {
        let changes = self
            .sandbox
            .exchanges()
            .into_iter()
            .filter(|exchange| exchange.method == "PATCH");
        let name = |body: &[u8]| {
            let body: serde_json::Value = serde_json::from_slice(body).unwrap();
            body["input"]["data"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        changes.map(|exchange| name(&exchange.request)).collect()
    }

    /// Ends the test: everything that went to Quentli and came from it must fit the published schema.
    async fn end(self) {
        let problems = schema::Checker::new().problems(&self.sandbox.exchanges());
        assert!(problems.is_empty(), "{problems:#?}");
        self.quentli.stop().await;
    }
}
