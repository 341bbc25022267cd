//! What becomes of items and elements in the end.

use crate::{
    customer::{FindBy, OnMissing, Patch},
    event::{ItemOutcome, OrderBy, Update},
    mapping::{
        Found,
        self_test::{self, Outcome, outcome_of},
    },
};

/// How many numbers of failing items or elements are kept.
const FAILING: usize = 10;

/// What becomes of an item or element.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    Update {
        recipient: Recipient,
        patch: Patch,
        order_by: Option<OrderBy>,
        warnings: Vec<String>,
    },
    Drop(String),
    /// A person must look.
    Fail {
        reason: String,
        line: Option<u32>,
    },
    /// It is looked for again.
    Retry(String),
}

/// Whose record changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    Known(String),
    /// Nobody yet: a customer is created, who gets all this.
    New(Patch),
    /// Whom Quentli finds by the first of these keys and values that it knows.
    Asked {
        keys: Vec<(String, String)>,
        if_nobody: IfNobody,
    },
}

/// What becomes of an update for which nobody is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfNobody {
    Retry,
    Fail,
    Drop,
    /// A customer is created, who gets all this.
    Create(Patch),
    /// Nobody can be created, for this reason.
    CannotCreate(String),
}

/// What became of things that are not told one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub count: usize,
    pub updates: usize,
    pub drops: usize,
    /// Elements that `only` leaves out.
    pub left_out: usize,
    /// The numbers of those that fail, the first few.
    pub failing: Vec<usize>,
    pub failures: usize,
}

/// With Quentli's answers, where they are known.
pub(super) fn ending(outcome: &ItemOutcome, found: Option<&[Found]>) -> Ending {
    match outcome {
        ItemOutcome::Drop { reason, .. } => Ending::Drop(reason.clone()),
        ItemOutcome::Fail(failure) => Ending::Fail {
            reason: failure.reason.clone(),
            line: failure.line,
        },
        ItemOutcome::Update(update) => {
            let reference = &update.customer;
            let must_ask = reference.id.is_none() && !reference.find.is_empty();
            let recipient = match (found, must_ask) {
                (None, true) => Recipient::Asked {
                    keys: reference.find.iter().map(asked).collect(),
                    if_nobody: if_nobody(update),
                },
                (found, _) => match outcome_of(update.clone(), found.unwrap_or_default()) {
                    Outcome::Update {
                        customer, patch, ..
                    } => match customer {
                        self_test::Recipient::Known(id) => Recipient::Known(id),
                        self_test::Recipient::New => Recipient::New(patch),
                    },
                    Outcome::Drop { reason, .. } => return Ending::Drop(reason),
                    Outcome::Retry { reason, .. } => return Ending::Retry(reason),
                    Outcome::Fail { reason, .. } => return Ending::Fail { reason, line: None },
                },
            };
            Ending::Update {
                recipient,
                patch: update.patch.clone(),
                order_by: update.order_by,
                warnings: update.warnings.clone(),
            }
        }
    }
}

fn if_nobody(update: &Update) -> IfNobody {
    match &update.customer.on_missing {
        OnMissing::Retry => IfNobody::Retry,
        OnMissing::Fail => IfNobody::Fail,
        OnMissing::Drop => IfNobody::Drop,
        OnMissing::Create(fields) => {
            match update.patch.for_newcomer(fields, &update.customer.find) {
                Ok(patch) => IfNobody::Create(patch),
                Err(why) => IfNobody::CannotCreate(why.to_string()),
            }
        }
    }
}

fn asked(line: &FindBy) -> (String, String) {
    let (key, value) = match line {
        FindBy::Username(value) => ("username".to_owned(), value),
        FindBy::Email(value) => ("email".to_owned(), value),
        FindBy::Metadata { key, value } => (format!("metadata.{key}"), value),
    };
    (key, value.clone())
}

impl Tally {
    pub(super) fn add(&mut self, number: usize, outcome: &ItemOutcome) {
        match outcome {
            ItemOutcome::Update(_) => self.updates += 1,
            ItemOutcome::Drop { .. } => self.drops += 1,
            ItemOutcome::Fail(_) => {
                self.failures += 1;
                if self.failing.len() < FAILING && self.failing.last() != Some(&number) {
                    self.failing.push(number);
                }
            }
        }
    }
}
