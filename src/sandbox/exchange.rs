//! The record of what was asked and answered.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    time::Duration,
};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The most bytes of bodies that are remembered.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// A request to `/v1` and what became of it.
#[derive(Clone)]
pub struct Exchange {
    /// Counts from 0 in the order of arrival.
    pub number: u64,
    pub at: Timestamp,
    pub method: String,
    /// As it arrived, percent-encoding included.
    pub path: String,
    /// As it arrived, without `?`; empty where there is none.
    pub query: String,
    /// The identifier in the path, decoded, whether or not there is such a customer.
    pub customer: Option<String>,
    pub request: Bytes,
    pub end: End,
    /// Empty unless [`End::Answered`].
    pub response: Bytes,
    /// The word for the fault that it met.
    pub fault: Option<&'static str>,
    /// Whether a customer was changed or created.
    pub applied: bool,
    /// Field names in the request that Quentli does not document, and that did nothing.
    pub unknown_fields: Vec<String>,
    /// How many changes (`PATCH`) of this customer were in flight when it arrived, itself included; 0 for reads.
    pub changes_in_flight: usize,
    /// How many requests of any kind were in flight when it arrived, itself included.
    pub in_flight: usize,
    /// Once it has ended, the number of the next request to arrive. So it was in flight together with those whose number
    /// lies between its own and this one.
    pub ended_before: Option<u64>,
    /// From its arrival to its end.
    pub took: Duration,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// It is still in flight.
    Pending,
    /// It was answered with this status.
    Answered(u16),
    /// The sandbox closed the connection without an answer.
    Cut,
    /// The caller went away before the answer.
    #[default]
    Abandoned,
}

impl Exchange {
    /// The status of the answer, where there was one.
    pub fn status(&self) -> Option<u16> {
        match self.end {
            End::Answered(status) => Some(status),
            End::Pending | End::Cut | End::Abandoned => None,
        }
    }

    /// Whether the answer is one that Quentli would not give, by order of a fault.
    pub fn is_odd(&self) -> bool {
        matches!(
            self.fault,
            Some("html" | "withoutCustomer" | "otherCustomer" | "redirect" | "null")
        )
    }

    /// As JSON, bodies as JSON where they are.
    pub(super) fn to_json(&self) -> Value {
        let body = |bytes: &Bytes| {
            serde_json::from_slice(bytes)
                .unwrap_or_else(|_| json!(String::from_utf8_lossy(bytes).into_owned()))
        };
        json!({
            "number": self.number,
            "at": self.at,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "customer": self.customer,
            "request": body(&self.request),
            "end": self.end.as_str(),
            "status": self.status(),
            "response": body(&self.response),
            "fault": self.fault,
            "applied": self.applied,
            "unknownFields": self.unknown_fields,
            "changesInFlight": self.changes_in_flight,
            "inFlight": self.in_flight,
            "endedBefore": self.ended_before,
            "tookMilliseconds": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

impl End {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Answered(_) => "answered",
            Self::Cut => "cut",
            Self::Abandoned => "abandoned",
        }
    }
}

/// Shows how it went, and no bodies and queries, which hold personal data.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "#{} {} {} {:?}",
            self.number, self.method, self.path, self.end
        )?;
        match self.fault {
            Some(fault) => write!(f, " ({fault})"),
            None => Ok(()),
        }
    }
}

/// The last exchanges, and what is in flight.
pub(super) struct Ledger {
    capacity: usize,
    begun: u64,
    /// Numbers without a gap, so that the number gives the place.
    exchanges: VecDeque<Exchange>,
    bytes: usize,
    in_flight: usize,
    /// Changes in flight by customer; no zeros.
    changes: HashMap<String, usize>,
}

impl Ledger {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            begun: 0,
            exchanges: VecDeque::new(),
            bytes: 0,
            in_flight: 0,
            changes: HashMap::new(),
        }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Exchange> {
        self.exchanges.iter()
    }

    /// Forgets what was recorded; what is in flight stays counted.
    pub(super) fn clear(&mut self) {
        self.exchanges.clear();
        self.bytes = 0;
    }

    /// Records a request that has arrived. Gives its number; numbers and counts of `exchange` are filled in here.
    pub(super) fn begin(&mut self, mut exchange: Exchange) -> u64 {
        exchange.number = self.begun;
        self.begun = self.begun.saturating_add(1);
        self.in_flight = self.in_flight.saturating_add(1);
        exchange.in_flight = self.in_flight;
        if let Some(customer) = changed(&exchange) {
            let changes = self.changes.entry(customer.to_owned()).or_default();
            *changes = changes.saturating_add(1);
            exchange.changes_in_flight = *changes;
        }
        let number = exchange.number;
        self.bytes = self.bytes.saturating_add(exchange.request.len());
        self.exchanges.push_back(exchange);
        self.evict();
        number
    }

    /// Records how a request ended. `changed` is the customer that [`Ledger::begin`] counted a change for.
    pub(super) fn end(&mut self, number: u64, customer: Option<&str>, outcome: Outcome) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(customer) = customer
            && let Some(changes) = self.changes.get_mut(customer)
        {
            *changes = changes.saturating_sub(1);
            if *changes == 0 {
                self.changes.remove(customer);
            }
        }
        let first = self.exchanges.front().map_or(0, |exchange| exchange.number);
        let place = number
            .checked_sub(first)
            .and_then(|place| usize::try_from(place).ok());
        // It may have been forgotten meanwhile.
        if let Some(exchange) = place.and_then(|place| self.exchanges.get_mut(place)) {
            self.bytes = self.bytes.saturating_add(outcome.response.len());
            exchange.end = outcome.end;
            exchange.ended_before = Some(self.begun);
            exchange.response = outcome.response;
            exchange.applied = outcome.applied;
            exchange.unknown_fields = outcome.unknown_fields;
            exchange.took = outcome.took;
            self.evict();
        }
    }

    fn evict(&mut self) {
        while self.exchanges.len() > self.capacity
            || (self.bytes > MAX_BYTES && self.exchanges.len() > 1)
        {
            if let Some(old) = self.exchanges.pop_front() {
                let freed = old.request.len().saturating_add(old.response.len());
                self.bytes = self.bytes.saturating_sub(freed);
            }
        }
    }
}

/// The customer that a request changes.
pub(super) fn changed(exchange: &Exchange) -> Option<&str> {
    exchange
        .customer
        .as_deref()
        .filter(|_| exchange.method == "PATCH")
}

/// How a request ended, for the record; by default its caller went away.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) end: End,
    pub(super) response: Bytes,
    pub(super) applied: bool,
    pub(super) unknown_fields: Vec<String>,
    pub(super) took: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(method: &str, customer: Option<&str>, size: usize) -> Exchange {
        Exchange {
            number: 0,
            at: Timestamp::UNIX_EPOCH,
            method: method.to_owned(),
            path: String::new(),
            query: String::new(),
            customer: customer.map(str::to_owned),
            request: vec![0; size].into(),
            end: End::Pending,
            response: Bytes::new(),
            fault: None,
            applied: false,
            unknown_fields: Vec::new(),
            changes_in_flight: 0,
            in_flight: 0,
            ended_before: None,
            took: Duration::ZERO,
        }
    }

    fn answered(size: usize) -> Outcome {
        Outcome {
            end: End::Answered(200),
            response: vec![0; size].into(),
            applied: true,
            unknown_fields: Vec::new(),
            took: Duration::ZERO,
        }
    }

    #[test]
    fn changes_in_flight_are_counted_by_customer() {
        let mut ledger = Ledger::new(100);
        let first = ledger.begin(exchange("PATCH", Some("a"), 0));
        ledger.begin(exchange("PATCH", Some("b"), 0));
        ledger.begin(exchange("GET", Some("a"), 0));
        ledger.begin(exchange("PATCH", Some("a"), 0));
        ledger.end(first, Some("a"), answered(0));
        ledger.begin(exchange("PATCH", Some("a"), 0));
        let counts: Vec<(usize, usize)> = ledger
            .iter()
            .map(|exchange| (exchange.changes_in_flight, exchange.in_flight))
            .collect();
        assert_eq!(counts, [(1, 1), (1, 2), (0, 3), (2, 4), (2, 4)]);
        let ends: Vec<Option<u64>> = ledger
            .iter()
            .map(|exchange| exchange.ended_before)
            .collect();
        assert_eq!(ends, [Some(4), None, None, None, None]);
    }

    #[test]
    fn the_oldest_give_way_by_number_and_by_size() {
        let mut ledger = Ledger::new(3);
        for _ in 0..5 {
            ledger.begin(exchange("GET", None, 0));
        }
        let numbers = |ledger: &Ledger| -> Vec<u64> {
            ledger.iter().map(|exchange| exchange.number).collect()
        };
        assert_eq!(numbers(&ledger), [2, 3, 4]);
        // One that is forgotten ends without a trace, one that is known is found by its number.
        ledger.end(0, None, answered(0));
        ledger.end(3, None, answered(0));
        let ended: Vec<u64> = ledger
            .iter()
            .filter(|exchange| exchange.end != End::Pending)
            .map(|exchange| exchange.number)
            .collect();
        assert_eq!(ended, [3]);
        ledger.end(4, None, answered(MAX_BYTES + 1));
        assert_eq!(numbers(&ledger), [4]);
    }
}
