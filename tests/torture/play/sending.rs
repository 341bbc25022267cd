//! Sends the requests of a plan, also while the gateway dies.

use std::{sync::Arc, time::Duration};

use quentli_gateway::sender::{Answer, SendError, TestEvent};
use rand::RngExt as _;
use tokio::task::JoinSet;

use super::{Player, Send};
use crate::sources::SOURCES;

impl Player {
    pub(super) fn note_requests(&mut self, requests: &[usize], how: &str) {
        self.is_at_rest = false;
        for number in requests {
            let request = self.plan.requests[*number].clone();
            for item in &request.items {
                self.note_item(request.source, *item);
            }
            let (name, items) = (SOURCES[request.source].name, request.items);
            let text = format!("{how}: request {number} of {name}, {} items", items.len());
            self.note(
                Some(SOURCES[request.source].organisation),
                Some(items),
                text,
            );
        }
    }

    /// What its source makes of an item that it sends for the first time.
    fn note_item(&mut self, source: usize, number: usize) {
        let item = &self.plan.items[number];
        if item.is_note() || !self.known.insert(number) {
            return;
        }
        let is_mended = self.mended.contains(&source);
        if is_mended {
            self.all_mended.insert(number);
        } else if item.is_unforeseen {
            self.unmapped.insert(number);
            return;
        }
        if self.observing.contains(&source) {
            self.all_observed.insert(number);
            self.observed.insert(number);
        }
    }

    fn post(&self, request: usize) -> impl Future<Output = Result<Answer, SendError>> + use<> {
        let event = TestEvent::new(
            &format!("r{request}"),
            "application/json",
            self.plan.body(request),
        );
        let source = Arc::clone(&self.sources[self.plan.requests[request].source]);
        let (sender, url, now) = (
            self.sender.clone(),
            self.world.url(),
            self.world.clock.now(),
        );
        async move { sender.send(&source, &event, &url, &url, now).await }
    }

    fn acknowledged(&mut self, request: usize, begun: u64, answer: &Answer) {
        assert_eq!(answer.status, 200, "request {request}: {answer:?}");
        self.moment += 1;
        self.sends.push(Send {
            request,
            begun,
            acknowledged: self.moment,
        });
    }

    /// Sends requests at once, and gives those that were not acknowledged since the gateway was gone.
    async fn send_once(&mut self, requests: &[usize], dies: bool) -> Vec<usize> {
        self.moment += 1;
        let begun = self.moment;
        let mut under_way = JoinSet::new();
        for request in requests {
            let (request, post) = (*request, self.post(*request));
            under_way.spawn(async move { (request, post.await) });
        }
        if dies {
            tokio::time::sleep(Duration::from_micros(self.random.random_range(0..6_000))).await;
            self.world.kill();
        }
        let mut lost = Vec::new();
        while let Some(ended) = under_way.join_next().await {
            match ended.unwrap() {
                (request, Ok(answer)) => self.acknowledged(request, begun, &answer),
                (request, Err(error)) if dies => {
                    assert!(matches!(error, SendError::NoAnswer { .. }), "{error}");
                    lost.push(request);
                }
                (request, Err(error)) => panic!("request {request}: {error:?}"),
            }
        }
        lost
    }

    pub(super) async fn send(&mut self, requests: &[usize]) {
        let lost = self.send_once(requests, false).await;
        assert!(lost.is_empty());
    }

    pub(super) async fn send_and_kill(&mut self, requests: &[usize]) {
        let lost = self.send_once(requests, true).await;
        self.kills.push(self.numbers());
        self.world.start().await;
        self.send(&lost).await;
    }

    pub(super) async fn kill_and_start(&mut self) {
        self.world.kill();
        self.kills.push(self.numbers());
        self.world.start().await;
    }
}
