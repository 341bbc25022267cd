//! The part of the loop that has the list of customers read for the directory.

use std::{sync::Arc, time::Duration};

use rand::RngExt as _;

use super::{Dispatcher, Done, Task};
use crate::{
    delivery::{
        DirectoryStatus,
        directory::scan::{Follows, Wish},
        gate::Standing,
        page::PageEnd,
    },
    quentli::{CallError, CallErrorKind},
    telemetry::DirectoryState,
};

impl Dispatcher {
    /// Asks for the next page of all customers, where it is time for it.
    pub(super) fn scan(&mut self, now: Duration) {
        if self.scan_due(now).is_none_or(|at| at > now) {
            return;
        }
        if !self.scan.is_running() {
            let as_of = self.context.as_of_now();
            self.scan_began = self.time_of(now);
            self.context.directory.lock().begin_scan(as_of);
            self.scan.begin(now);
        }
        if let Some(page) = self.scan.ask() {
            let context = Arc::clone(&self.context);
            self.spawn(Task::Page, async move {
                Ok(Done::Page(context.read_page(page).await))
            });
        }
    }

    /// When there is something to read of the list of customers; `None` while nothing may leave.
    pub(super) fn scan_due(&self, now: Duration) -> Option<Duration> {
        if self.is_draining || self.gate.standing(now) != Standing::Open {
            return None;
        }
        let figures = self.context.directory.lock().figures();
        let wish = if figures.keys == 0 {
            Wish::Never
        } else if !figures.is_complete {
            Wish::First
        } else if self.lanes.parked() > 0 {
            Wish::Now
        } else if figures.is_asked_again {
            Wish::Soon
        } else {
            Wish::Age
        };
        self.scan.next_at(wish)
    }

    pub(super) fn page_ended(&mut self, end: PageEnd) {
        let now = self.now();
        let page = match end {
            PageEnd::Read(page) => page,
            PageEnd::GivenBack => return self.scan.given_back(),
            PageEnd::KeyRefused(key) => {
                self.scan.given_back();
                if self.is_current(key) {
                    self.gate.key_refused(self.time_of(now), now);
                }
                return;
            }
            PageEnd::Failed(error) => {
                let random = self.random.random();
                return self.scan.failed(&error, now, random);
            }
        };
        let shared = self.context.directory.clone();
        let mut directory = shared.lock();
        if !self.scan.is_running() {
            return;
        }
        if !directory.is_scanning() {
            self.scan.overflowed(directory.limit(), now);
            return;
        }
        match self.scan.read(&page, now) {
            Follows::Nothing => {}
            Follows::Nought => directory.call_off_scan(),
            Follows::Complete { customers, took } => {
                let Some(scan) = directory.complete_scan() else {
                    return;
                };
                let figures = directory.figures();
                drop(directory);
                self.scanned = Some(self.scan_began);
                let context = &self.context;
                context
                    .metrics
                    .directory_complete(&context.organisation, self.scan_began);
                tracing::info!(
                    organisation = %context.organisation,
                    customers,
                    entries = figures.entries,
                    ambiguous = figures.ambiguous,
                    duration_s = took.as_secs(),
                    "the list of customers was read"
                );
                self.lanes.scanned(scan, now);
            }
        }
    }

    /// Our own code failed on a page.
    pub(super) fn page_panicked(&mut self) {
        tracing::error!(
            organisation = %self.context.organisation,
            "reading a page of the list of customers panicked; this is a bug, please report it"
        );
        self.page_ended(PageEnd::Failed(CallError {
            kind: CallErrorKind::Interrupted,
            status: None,
            message: None,
            retry_after: None,
        }));
    }

    /// Mappings ask for other keys.
    pub(super) fn found_by_others(&mut self) {
        let mut directory = self.context.directory.lock();
        if directory.figures().keys == 0 {
            directory.call_off_scan();
            self.scan.stop();
        }
        drop(directory);
        self.scan.hurry();
        // Those whose mapping is gone say so that their key is still needed.
        self.lanes.ask_again(self.now());
    }

    pub(super) fn directory_status(&self) -> DirectoryStatus {
        let figures = self.context.directory.lock().figures();
        let state = if figures.keys == 0 {
            DirectoryState::Unused
        } else if figures.is_full {
            DirectoryState::Full
        } else if self.scan.came_to_nothing() {
            DirectoryState::Unusable
        } else if figures.is_complete {
            DirectoryState::Ready
        } else {
            DirectoryState::Building
        };
        DirectoryStatus {
            state,
            keys: figures.keys,
            entries: figures.entries,
            ambiguous: figures.ambiguous,
            waiting: self.lanes.parked(),
            reading: self.scan.customers(),
            complete: self.scanned,
        }
    }

    pub(super) fn show_directory(&self, status: DirectoryStatus) {
        let context = &self.context;
        context.metrics.directory(
            &context.organisation,
            status.state,
            status.entries,
            status.ambiguous,
            status.waiting,
        );
    }
}
