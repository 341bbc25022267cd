//! Asks Quentli for a page of all customers, and lets everybody know who is on it.
//!
//! Runs as a task of its own and decides nothing: what follows from a page is `directory::scan`'s business.

use std::sync::Arc;

use super::{
    attempt::Context,
    directory::{Page, scan::PageRead},
    seek::lines_of,
};
use crate::{
    customer::FindBy,
    event::LaneKey,
    quentli::{CallError, KeyNumber},
    telemetry::ApiCall,
};

/// What came of asking for a page.
#[derive(Debug)]
pub(super) enum PageEnd {
    Read(PageRead),
    Failed(CallError),
    /// The dispatcher wanted nothing more to be sent.
    GivenBack,
    /// Quentli refuses this key.
    KeyRefused(KeyNumber),
}

impl Context {
    /// Reads a page into the directory.
    pub(super) async fn read_page(self: Arc<Self>, page: Page) -> PageEnd {
        // For the breaker, the list is one customer like any other.
        let of = LaneKey::of("list", "");
        let key = self.client.key_number();
        let mark = self.directory.lock().mark();
        let request = self.client.list(page.skip, page.take);
        let Ok(asked) = self.ask(ApiCall::List, of, request).await else {
            return PageEnd::GivenBack;
        };
        let customers = match asked.answer {
            Ok(customers) => customers,
            Err(error) if error.kind.is_refusal_of_key() => {
                return self.judge_refusal(error, key).await;
            }
            Err(error) => return PageEnd::Failed(error),
        };
        self.metrics
            .directory_read(&self.organisation, customers.len());
        let keys = self.directory.lock().keys();
        let rows: Vec<_> = customers
            .iter()
            .filter_map(|customer| keys.row(customer))
            .collect();
        let read = PageRead {
            customers: customers
                .iter()
                .map(|customer| LaneKey::of("id", customer.id.as_str()))
                .collect(),
            shows_metadata: !rows.is_empty(),
        };
        let findable: Vec<_> = customers.iter().flat_map(lines_of).collect();
        self.bindings().may_exist(&findable);
        let mut lanes: Vec<LaneKey> = findable.iter().map(FindBy::lane).collect();
        lanes.extend(&read.customers);
        {
            let mut directory = self.directory.lock();
            for row in rows {
                lanes.extend(directory.learn(row, mark));
            }
        }
        self.permits.appeared(lanes).await;
        PageEnd::Read(read)
    }

    /// A page was refused as by a wrong key: whether it is one shows another call.
    async fn judge_refusal(&self, error: CallError, key: KeyNumber) -> PageEnd {
        let of = LaneKey::of("list", "");
        let Ok(asked) = self.ask(ApiCall::Probe, of, self.client.probe()).await else {
            return PageEnd::GivenBack;
        };
        if self.client.key_number() != key {
            return PageEnd::GivenBack;
        }
        match asked.answer {
            Err(probe) if probe.kind.is_refusal_of_key() => PageEnd::KeyRefused(key),
            _ => PageEnd::Failed(error),
        }
    }
}
