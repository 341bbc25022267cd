//! The tests that a mapping file carries: an event, what is known of customers, and what must come out.
//!
//! A test shows the patches as if nothing else were waiting. Updates of one event for one customer are shown joined,
//! as they will be when they wait together; that they are sent as one patch is not promised. In the same way a new
//! customer is shown with everything it has in the end, whichever request brings it.

mod compare;
mod expect;
mod outcome;
mod read;
mod request;

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

pub(super) use outcome::{Outcome, outcome_of, outcomes};
pub(super) use read::read;

use self::request::Request;
use super::{Input, Mapping, codes};
use crate::diag::{Collector, Diagnostic, Span};

/// The tests of a file.
#[derive(Debug, Default)]
pub(super) struct Tests {
    ready: Vec<Test>,
    /// How many have no sample to run on.
    not_run: usize,
}

/// A test, read and ready to run.
#[derive(Debug)]
struct Test {
    name: String,
    span: Span,
    request: Request,
    found: Vec<Found>,
    now: Timestamp,
    expect: Vec<Expectation>,
}

impl Test {
    fn case(&self) -> TestCase<'_> {
        TestCase {
            name: &self.name,
            input: self.request.input(self.now),
            found: &self.found,
        }
    }
}

/// What Quentli answers when it is asked for a customer, such as `email=a@b.mx: cus_2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// `email=a@b.mx`
    pub(super) key: String,
    /// One, or several for a key that is not unique.
    pub(super) customers: Vec<String>,
}

/// A test, for those who want to see its event mapped.
#[derive(Clone, Copy)]
pub struct TestCase<'a> {
    pub name: &'a str,
    pub input: Input<'a>,
    pub found: &'a [Found],
}

#[derive(Debug)]
struct Expectation {
    /// Its first key.
    span: Span,
    /// Where `customer`, `warnings` and the fields of the patch are written.
    places: Vec<(String, Span)>,
    kind: Expected,
}

#[derive(Debug)]
enum Expected {
    Update {
        customer: Recipient,
        /// Exactly, or at least, these fields.
        patch: Value,
        is_whole: bool,
        warnings: Vec<String>,
    },
    Drop(String),
    Fail(String),
    Retry(String),
}

/// Whose record an update changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Recipient {
    /// By the identifier in Quentli.
    Known(String),
    /// Somebody who is created with it.
    New,
}

/// `cus_1`, or `a new customer`
impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(customer) => f.write_str(customer),
            Self::New => f.write_str("a new customer"),
        }
    }
}

/// What came of the tests of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestReport {
    /// In the order of the file.
    pub results: Vec<TestResult>,
    /// How many tests have a sample that cannot be read, where that is only a warning.
    pub not_run: usize,
}

/// What came of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestResult {
    pub name: String,
    /// Where the test stands in the file.
    pub span: Span,
    /// None for a test that passed.
    pub differences: Vec<Difference>,
}

/// One thing that is not as a test expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The expected field or outcome in the file, or the test where none is to blame.
    pub span: Span,
    /// Which outcome of the test, from 1.
    pub outcome: usize,
    /// `phoneNumber`, `metadata.Grado`, `customer`, `warnings`, or `outcome` where the kinds differ.
    pub field: String,
    pub expected: String,
    pub got: String,
    /// The rule that ran.
    pub rule: Option<String>,
}

impl Found {
    /// An answer for a key as it is written, `email=a@b.mx` or `username=tut-1`; `None` where it is not such a key.
    pub fn new(written: &str, customers: Vec<String>) -> Option<Self> {
        let key = match written.split_once('=')? {
            ("email", value) => format!("email={}", value.to_lowercase()),
            (by, _) if by == "username" || by.starts_with("metadata.") => written.to_owned(),
            _ => return None,
        };
        Some(Self { key, customers })
    }
}

impl TestReport {
    /// Whether no test that ran differs.
    pub fn has_passed(&self) -> bool {
        self.results.iter().all(TestResult::has_passed)
    }
}

impl TestResult {
    pub fn has_passed(&self) -> bool {
        self.differences.is_empty()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "outcome {}: ", self.outcome)?;
        if self.field != OUTCOME {
            write!(f, "{}: ", self.field)?;
        }
        write!(f, "expected {}, got {}", self.expected, self.got)?;
        match &self.rule {
            Some(rule) => write!(f, " (rule `{rule}`)"),
            None => Ok(()),
        }
    }
}

/// The `field` of a [`Difference`] between kinds of outcomes.
const OUTCOME: &str = "outcome";

/// Runs all tests of a file.
pub(super) fn run(mapping: &Mapping) -> TestReport {
    let results = mapping
        .tests
        .ready
        .iter()
        .map(|test| {
            let mapped = mapping.map(&test.case().input);
            let outcomes = outcome::outcomes(mapped, &test.found);
            TestResult {
                name: test.name.clone(),
                span: test.span,
                differences: compare::differences(test, &outcomes),
            }
        })
        .collect();
    TestReport {
        results,
        not_run: mapping.tests.not_run,
    }
}

/// Adds a diagnostic for every difference; whether all tests passed.
pub(super) fn report_failures(report: &TestReport, out: &mut Collector) -> bool {
    for result in &report.results {
        for difference in &result.differences {
            out.add(
                Diagnostic::error(
                    codes::TEST_FAILED,
                    format!("test `{}`: {difference}", result.name),
                )
                .at(difference.span, "differs"),
            );
        }
    }
    report.has_passed()
}

/// Reports that a test cannot be run as it is written.
fn error(out: &mut Collector, span: Span, message: &str, help: &str) {
    out.add(
        Diagnostic::error(codes::TEST_FORM, message)
            .at(span, "")
            .maybe_help((!help.is_empty()).then(|| help.to_owned())),
    );
}

impl Mapping {
    /// The tests that can run; their requests are also a sample of what the source sends.
    pub fn tests(&self) -> impl Iterator<Item = TestCase<'_>> {
        self.tests.ready.iter().map(Test::case)
    }
}
