//! What a source file's own tests say of a sample.

use std::collections::BTreeMap;

use quentli_gateway::{
    diag::{Collector, SourceText},
    yaml::{self, Kind, Node, ScalarStyle},
};
use serde_json::{Map, Value, json};

/// Fields with their values; each key of `metadata` stands for itself, as `metadata.KEY`.
pub(super) type Fields = BTreeMap<String, Value>;

/// What a test presumes and expects.
#[derive(Debug)]
pub(super) struct Expectation {
    /// Whom Quentli knows before, in the form that the sandbox takes.
    pub(super) customers: Vec<Value>,
    /// What is to reach Quentli, by customer.
    pub(super) patches: BTreeMap<String, Fields>,
    pub(super) drops: u64,
    pub(super) fails: u64,
}

impl Expectation {
    /// By the test of the file that shows most of what becomes of the sample, and waits for nobody; of several the
    /// first.
    pub(super) fn of(file: &str, sample: &str) -> Self {
        let tests = tests_in(file).into_iter().filter(|test| {
            test["event_file"] == sample && outcomes(test, "retry").next().is_none()
        });
        let test = tests
            .rev()
            .max_by_key(|test| outcomes(test, "patch").count())
            .unwrap_or_else(|| panic!("{sample} stands in no test of its file"));
        let count = |kind: &str| u64::try_from(outcomes(&test, kind).count()).unwrap();
        let understood = count("patch") + count("drop") + count("fail");
        let all = test["expect"].as_array().unwrap().len();
        assert_eq!(understood, u64::try_from(all).unwrap(), "{test:#}");
        let patches = outcomes(&test, "patch").map(|outcome| {
            let customer = outcome["customer"].as_str().unwrap().to_owned();
            (customer, fields(&outcome["patch"]))
        });
        Self {
            customers: customers(&test),
            patches: patches.collect(),
            drops: count("drop"),
            fails: count("fail"),
        }
    }
}

/// The fields of a patch.
pub(super) fn fields(patch: &Value) -> Fields {
    let mut fields = Fields::new();
    for (field, value) in patch.as_object().unwrap() {
        let Some(entries) = value.as_array().filter(|_| field == "metadata") else {
            fields.insert(field.clone(), value.clone());
            continue;
        };
        for entry in entries {
            let key = entry["key"].as_str().unwrap();
            fields.insert(format!("metadata.{key}"), entry["value"].clone());
        }
    }
    fields
}

fn tests_in(file: &str) -> Vec<Value> {
    let mut out = Collector::new(SourceText::new("shipped", file));
    let root = yaml::parse(&mut out).unwrap();
    let tests = root.get("tests").unwrap().as_list().unwrap();
    tests.iter().map(data).collect()
}

/// Plain data as tests write it: what is not quoted and reads as JSON is that, all else is text.
fn data(node: &Node) -> Value {
    match &node.kind {
        Kind::Scalar(scalar) => Some(scalar)
            .filter(|scalar| scalar.style == ScalarStyle::Plain)
            .and_then(|scalar| serde_json::from_str(&scalar.text).ok())
            .unwrap_or_else(|| json!(scalar.text)),
        Kind::List(nodes) => nodes.iter().map(data).collect(),
        Kind::Map(entries) => {
            let pairs = entries
                .iter()
                .map(|entry| (entry.key.clone(), data(&entry.value)));
            Value::Object(pairs.collect::<Map<_, _>>())
        }
    }
}

/// The expected outcomes of a kind.
fn outcomes<'a>(test: &'a Value, kind: &str) -> impl Iterator<Item = &'a Value> {
    let outcomes = test["expect"].as_array().unwrap().iter();
    outcomes.filter(move |outcome| !outcome[kind].is_null())
}

/// Those whom the test changes, with the names and addresses by which it finds them.
fn customers(test: &Value) -> Vec<Value> {
    let seed = |id: &str| json!({"id": id, "name": "Before"});
    let mut customers: BTreeMap<&str, Value> = outcomes(test, "customer")
        .map(|outcome| outcome["customer"].as_str().unwrap())
        .map(|id| (id, seed(id)))
        .collect();
    for (line, id) in test["found"].as_object().into_iter().flatten() {
        let (field, value) = line.split_once('=').unwrap();
        let id = id.as_str().expect("one customer for each line");
        let customer = customers.entry(id).or_insert_with(|| seed(id));
        customer[field] = json!(value);
    }
    customers.into_values().collect()
}
