//! What the log tells of attempts: one line for each, and nothing of anybody's data.

use std::{cell::RefCell, io};

use quentli_gateway::sandbox::{Action, Fault};
use serde_json::{Value, json};

use crate::support::{SECOND, Update, World};

thread_local! {
    /// What was logged on this thread. A test's runtime has one thread, so this is the log of one test.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts the log for all tests, since `tracing` asks only once per line of code whether anybody listens.
pub(crate) fn start() {
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(|| Log)
        .finish();
    // All but the first are too late, and need not be in time.
    tracing::subscriber::set_global_default(subscriber).ok();
}

fn text() -> String {
    LOG.with_borrow(|log| String::from_utf8(log.clone()).unwrap())
}

/// The lines of attempts.
fn attempts() -> Vec<Value> {
    text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["attempt.number"].is_u64())
        .collect()
}

#[tokio::test]
async fn each_attempt_is_one_line_without_values_or_quentlis_message() {
    let mut world = World::with_customers(&["ana"]).await;
    let cut = Fault::once(Action::CutBefore).on_method("PATCH");
    world.sandbox.fault(cut).unwrap();
    let refusal = Action::Status {
        status: 400,
        retry_after: None,
        message: Some("ana.luna@secret.mx is taken".to_owned()),
    };
    let refusal = Fault::once(refusal).on_method("PATCH");
    world.sandbox.fault(refusal).unwrap();
    let patch = json!({"name": "Ana Luna", "email": "ana.luna@secret.mx"});
    world.accept(Update::by_id("ana", &patch)).await;
    world.accept(Update::by_username("ana", &patch)).await;
    world.drive_until_done(SECOND).await;
    // The line comes after the record.
    world
        .until("quiet", |world| world.handle().status().lanes == 0)
        .await;
    let outcomes: Vec<Value> = attempts()
        .iter()
        .map(|line| {
            json!([
                line["attempt.number"],
                line["outcome"],
                line["error.kind"],
                line["http.status"]
            ])
        })
        .collect();
    assert_eq!(
        outcomes,
        [
            json!([1, "retry", "interrupted", null]),
            json!([2, "dead", "refused", 400]),
            json!([1, "delivered", null, null]),
        ]
    );
    let text = text();
    for secret in ["Luna", "secret", "taken"] {
        assert!(!text.contains(secret), "`{secret}` is in the log:\n{text}");
    }
}
