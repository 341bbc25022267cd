//! Work that a running gateway does a page at a time: asked for again and again, with progress, until it is through or
//! somebody interrupts it.

use std::{io, io::IsTerminal as _, pin::Pin, time::Duration};

use serde_json::{Value, json};

use super::{Exit, operators::Operators, output, table::count};
use crate::clock::Clock;

/// How often progress is said.
const SAY_EVERY: Duration = Duration::from_secs(2);

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Through {
    All,
    /// Somebody pressed Ctrl-C. What was answered is done.
    Interrupted,
}

/// Hears Ctrl-C, also between two pages. Once stops after the page at hand; once more, at once.
pub(super) struct Interrupts {
    pressed: Pin<Box<dyn Future<Output = io::Result<()>> + Send>>,
    is_stopping: bool,
}

impl Interrupts {
    pub(super) fn new() -> Self {
        Self {
            pressed: Box::pin(tokio::signal::ctrl_c()),
            is_stopping: false,
        }
    }

    /// Whether the page at hand is to be the last.
    pub(super) const fn is_stopping(&self) -> bool {
        self.is_stopping
    }

    /// Asks for a page; `None` when it was interrupted at once, and what became of the page is not known.
    ///
    /// # Errors
    /// It was refused, which is shown.
    pub(super) async fn post(
        &mut self,
        operators: &Operators,
        path: &str,
        wish: &Value,
        part: &str,
    ) -> Result<Option<Value>, Exit> {
        let post = operators.post(path, wish, part);
        let Some(answer) = self.during(post).await else {
            output::note("stopped; what became of the last page is not known");
            return Ok(None);
        };
        answer.map(Some)
    }

    /// Does a page of work; `None` when it was interrupted at once, and what became of it is not known.
    pub(super) async fn during<T>(&mut self, page: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(page);
        loop {
            // Both are cancel-safe: the work goes on until it is dropped.
            tokio::select! {
                done = &mut page => return Some(done),
                heard = &mut self.pressed => {
                    self.pressed = Box::pin(tokio::signal::ctrl_c());
                    if heard.is_err() || self.is_stopping {
                        return None;
                    }
                    self.is_stopping = true;
                    output::note("stopping after this page; press Ctrl-C again to stop at once");
                }
            }
        }
    }
}

/// The wish, for no later delivery than this.
pub(super) fn up_to(mut wish: Value, last: Option<i64>) -> Value {
    if let (Some(members), Some(last)) = (wish.as_object_mut(), last) {
        members.insert("stretch".to_owned(), json!({"up_to": last}));
    }
    wish
}

/// Posts `wish` for one page after the other and gives each answer to `add`. Ctrl-C stops after the page at hand; once
/// more, at once.
///
/// # Errors
/// A page was refused, which is shown. Those before are done.
pub(super) async fn walk(
    operators: &Operators,
    path: &str,
    mut wish: Value,
    part: &str,
    mut add: impl FnMut(&Value),
) -> Result<Through, Exit> {
    let clock = Clock::system();
    let is_seen = std::io::stderr().is_terminal();
    let (mut said_at, mut found) = (clock.elapsed(), 0);
    let mut interrupts = Interrupts::new();
    loop {
        let Some(answer) = interrupts.post(operators, path, &wish, part).await? else {
            return Ok(Through::Interrupted);
        };
        add(&answer);
        found += count(&answer, "found");
        let Some(next) = answer.get("next").and_then(Value::as_i64) else {
            return Ok(Through::All);
        };
        if interrupts.is_stopping() {
            return Ok(Through::Interrupted);
        }
        if let Some(members) = wish.as_object_mut() {
            let up_to = answer.get("up_to").cloned().unwrap_or_default();
            members.insert("stretch".to_owned(), json!({"after": next, "up_to": up_to}));
        }
        let now = clock.elapsed();
        if is_seen && now.saturating_sub(said_at) >= SAY_EVERY {
            said_at = now;
            output::note(&format!("{found} so far"));
        }
    }
}
