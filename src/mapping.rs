//! The mapping language: from a file that people write to a function from request bodies to customer updates.
//!
//! A *mapping file* holds *rules*. A request body is split into *items*; the first rule whose condition holds takes
//! an item and makes updates of it, or drops it. A rule sets *fields* from *expressions*: *paths* into the item,
//! with *fallbacks*, changed by *transforms*. [`compile`] reads, checks and compiles a file, runs the tests that it
//! carries, and reports every mistake with its place; [`Mapping::map`] applies it.
//!
//! Promises: a mapping is pure and total. It never panics, gives the same for the same input, does no I/O, reads no
//! clock, and its work is bounded by the limits of the language, whatever the body. What cannot be mapped is data
//! (a [`Failure`] with rule, field, line and reason), so that an event can always be stored.
//!
//! The way through the module: `expression` (text to syntax tree), `compile` (tree of the file to `compiled` form),
//! `body` and `tree` (request to borrowed tree), `evaluate` and `transform` (compiled form on a tree), `self_test` and `coverage`
//! (the tests inside a file). Verification, answers and everything else that a source's file says is not read here.

mod body;
mod codes;
mod compile;
mod compiled;
mod coverage;
pub mod draft;
mod evaluate;
mod explain;
mod expression;
mod function;
mod limits;
mod number;
mod self_test;
mod transform;
mod tree;
mod types;
mod value;

use std::{fmt, io, sync::Arc};

use jiff::Timestamp;

pub use body::{content_type_of, is_cloud_event};
pub use explain::{
    Assignment, CustomerKey, Effect, Element, Ending, Explanation, Extent, IfNobody, Item,
    Recipient, Shown, ShownKind, Step, Tally, TriedRule, Unreadable,
};
pub use function::Function;
pub use self_test::{Difference, Found, TestCase, TestReport, TestResult};

use self::{
    compiled::{Action, Expr, FindKey, Rule, Table, Unmatched},
    evaluate::rule,
    self_test::Tests,
};
use crate::{
    diag::{Collector, SourceText, Span},
    event::{Failure, Mapped, MappingHash, SourceName},
    yaml::Node,
};

/// What the rest of the program knows about a file that is compiled.
#[derive(Clone, Copy)]
pub struct CompileOptions<'a> {
    /// Keys at the top of the file that others read.
    pub also_known: &'a [&'static str],
    /// Expressions whose values on an item make its dedup key, each with its place in the file. A place as long as
    /// the text is taken to hold it, so that a mistake inside can be marked exactly and the tests should show its
    /// paths; another place is that of a preset.
    pub dedup: &'a [(String, Span)],
    /// Reads the file that a test names with `event_file`, relative to the mapping file.
    pub read_sample: &'a dyn Fn(&str) -> io::Result<Vec<u8>>,
    /// What it means for the file that a sample cannot be read.
    pub unreadable_samples: UnreadableSamples,
    /// Names of headers, in lower case, that hold what proves a request genuine: not to be read, nor stored.
    pub secret_headers: &'a [String],
}

/// What becomes of a file when a sample that one of its tests names cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnreadableSamples {
    /// It is an error, for those who write the file.
    Refuse,
    /// It is a warning, and the test is not run: a mapping that was checked before may be deployed without its
    /// samples.
    Warn,
}

/// One request body with what is needed to map it.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    pub body: &'a [u8],
    /// The request's `Content-Type`; without one the body is taken as JSON.
    pub content_type: Option<&'a str>,
    /// The headers that [`Mapping::headers`] names and those of a [cloud event](is_cloud_event), each name once and in
    /// lower case. Others make no difference.
    pub headers: &'a [(String, String)],
    /// Time of arrival, for values that lie in the future.
    pub now: Timestamp,
}

/// A mapping file, compiled. Cheap to share behind an [`Arc`], never changed.
pub struct Mapping {
    file: Arc<SourceText>,
    hash: MappingHash,
    name: SourceName,
    items: Option<Expr>,
    otherwise: Unmatched,
    tables: Vec<Table>,
    rules: Vec<Rule>,
    dedup: Vec<Expr>,
    headers: Vec<String>,
    paths: Vec<PathInfo>,
    tests: Tests,
}

/// What came of a file.
#[derive(Debug)]
pub struct Compiled {
    /// `None` where the file has errors; a test that fails is one.
    pub mapping: Option<Mapping>,
    /// The mapping of a file whose tests fail and that is fine otherwise: to look at, never to use.
    pub failing: Option<Mapping>,
    /// What came of the file's tests; `None` where other errors kept them from running.
    pub tests: Option<TestReport>,
}

/// A path as it is written, for coverage.
#[derive(Debug)]
struct PathInfo {
    text: String,
    span: Span,
    /// Whether the file's tests should show a value there.
    is_covered: bool,
}

/// Reads, checks and compiles the tree of a mapping file and runs its tests. Everything that is wrong is added to
/// `out`, with warnings.
pub fn compile(root: &Node, options: &CompileOptions<'_>, out: &mut Collector) -> Compiled {
    let Some(mapping) = compile_untested(root, options, out) else {
        return Compiled {
            mapping: None,
            failing: None,
            tests: None,
        };
    };
    let report = mapping.run_tests();
    let has_passed = self_test::report_failures(&report, out);
    // Also where tests fail, for a misspelt path is why many do. Samples that are missing would have shown paths as well.
    if report.not_run == 0 {
        coverage::report(&mapping, out);
    }
    let (mapping, failing) = if has_passed {
        (Some(mapping), None)
    } else {
        (None, Some(mapping))
    };
    Compiled {
        mapping,
        failing,
        tests: Some(report),
    }
}

/// All but running the tests; `None` where an error was found.
fn compile_untested(
    root: &Node,
    options: &CompileOptions<'_>,
    out: &mut Collector,
) -> Option<Mapping> {
    let (compiled, tests) = compile::compile_file(root, options, out);
    let tests = match tests {
        Some(entry) => self_test::read(&entry.value, options, out),
        None => Tests::default(),
    };
    let compiled = compiled?;
    if out.has_errors() {
        return None;
    }
    let file = Arc::clone(out.file());
    Some(Mapping {
        hash: MappingHash::of(file.text().as_bytes()),
        file,
        name: compiled.name,
        items: compiled.items,
        otherwise: compiled.otherwise,
        tables: compiled.tables,
        rules: compiled.rules,
        dedup: compiled.dedup,
        headers: compiled.headers,
        paths: compiled.paths,
        tests,
    })
}

impl Mapping {
    /// The name of the source, as the file gives it.
    pub fn name(&self) -> &SourceName {
        &self.name
    }

    /// Stands for the file's text, also in what is stored with an event.
    pub fn hash(&self) -> MappingHash {
        self.hash
    }

    /// The text it was compiled from.
    pub fn file(&self) -> &Arc<SourceText> {
        &self.file
    }

    /// The names of the rules, in the order in which they are tried.
    pub fn rules(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.name.as_str())
    }

    /// How many dedup expressions it evaluates on each item.
    pub fn dedup_len(&self) -> usize {
        self.dedup.len()
    }

    /// The names of the headers that it reads, in lower case, each once.
    pub fn headers(&self) -> &[String] {
        &self.headers
    }

    /// The keys of metadata by which its rules find customers.
    pub fn metadata_looked_for(&self) -> impl Iterator<Item = &str> {
        let lines = self.rules.iter().flat_map(|rule| match &rule.action {
            Action::Update(update) => update.customer.find.as_slice(),
            Action::Drop(_) | Action::Fail(_) => &[],
        });
        lines.filter_map(|line| match &line.by {
            FindKey::Metadata(key) => Some(key.as_str()),
            FindKey::Username | FindKey::Email => None,
        })
    }

    /// Maps one request body: items in the order of the body, at least one, each with at least one outcome.
    ///
    /// A body that cannot be read is one item that failed; so is an event above a limit.
    pub fn map(&self, input: &Input<'_>) -> Mapped {
        self.map_within(input, limits::STEPS_PER_EVENT)
            .unwrap_or_else(|| rule::fail_event(rule::exhausted()))
    }

    /// [`Mapping::map`], for those who must not be held up: it gives up after some milliseconds of work. A usual event
    /// takes some microseconds.
    pub fn map_briefly(&self, input: &Input<'_>) -> Option<Mapped> {
        self.map_within(input, limits::BRIEF_STEPS)
    }

    fn map_within(&self, input: &Input<'_>, steps: u64) -> Option<Mapped> {
        let mapped = match body::decode(input) {
            Ok(tree) => rule::run(self, &tree, input, steps, None)?,
            Err(error) => Err(Failure {
                rule: None,
                reason: format!("body: {error}"),
                line: None,
            }),
        };
        Some(mapped.unwrap_or_else(rule::fail_event))
    }

    /// Runs the tests that the file carries. Those of a compiled mapping passed when it was compiled.
    pub fn run_tests(&self) -> TestReport {
        self_test::run(self)
    }
}

/// The names of the file's own parts; values and texts may be secrets of the source.
impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping")
            .field("name", &self.name)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
