//! Alerts and panels ask for metrics that there are, with labels that they have, and each alert leads to a chapter that says
//! what to do.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::Value;

use crate::{
    file,
    support::{
        executable::Setup,
        school::{SECRET, SECRET_VARIABLE, SOURCE_FILE},
    },
};

const RULES: &str = "deploy/prometheus/alerts.yaml";
const PANELS: &str = "deploy/grafana/quentli-gateway.json";

/// What the page of metrics looks like when everything has happened: the names with their labels. Another test keeps this
/// file as the program writes it.
const EVERYTHING: &str = "src/telemetry/snapshots/quentli_gateway__telemetry__metrics__tests__the_page_names_every_metric_once_with_its_labels.snap";

/// A metric without what histograms add to its name.
fn family(name: &str) -> &str {
    ["_bucket", "_count", "_sum"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .unwrap_or(name)
}

/// Each metric that a text names, with the labels that it is asked for.
fn named(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let metric = Regex::new(r"(quentli_gateway_[a-z_]+)(?:\{([^}]*)\})?").unwrap();
    let label = Regex::new(r"([a-z_]+)\s*(?:=~|!=|!~|=)").unwrap();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for found_metric in metric.captures_iter(text) {
        let labels = found
            .entry(family(&found_metric[1]).to_owned())
            .or_default();
        if let Some(selector) = found_metric.get(2) {
            let names = label.captures_iter(selector.as_str());
            labels.extend(names.map(|name| name[1].to_owned()));
        }
    }
    found
}

/// All expressions of the dashboard.
fn expressions(panels: &Value, found: &mut Vec<String>) {
    match panels {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "expr" || name == "query" => {
                        found.push(text.clone());
                    }
                    other => expressions(other, found),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

fn panels() -> Vec<String> {
    let panels: Value = serde_json::from_str(&file(PANELS)).unwrap();
    let mut found = Vec::new();
    expressions(&panels, &mut found);
    found
}

#[test]
fn alerts_and_panels_name_metrics_that_there_are_with_labels_that_they_have() {
    let there_are = named(&file(EVERYTHING));
    let documents = file("docs/OPERATIONS.md");
    let mut wrong = Vec::new();
    for (place, text) in [(RULES, file(RULES)), (PANELS, panels().join("\n"))] {
        let asked = named(&text);
        assert!(asked.len() > 5, "{place} names hardly anything: {asked:?}");
        for (metric, labels) in asked {
            let Some(known) = there_are.get(&metric) else {
                wrong.push(format!("{place}: there is no metric {metric}"));
                continue;
            };
            // Buckets have a label of their own, and Prometheus adds two to everything.
            let added = ["le", "job", "instance"].map(str::to_owned);
            for label in labels
                .difference(known)
                .filter(|label| !added.contains(label))
            {
                wrong.push(format!("{place}: {metric} has no label {label}"));
            }
            if !documents.contains(&format!("`{metric}`")) {
                wrong.push(format!("docs/OPERATIONS.md does not explain {metric}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A gauge that is absent until something happens looks like one that is well; those that wake somebody are there from the
/// start.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_to_which_nothing_has_happened_shows_what_the_urgent_alerts_ask_for() {
    let gateway = Setup::new("http://127.0.0.1:9")
        .source("school", SOURCE_FILE)
        .variable(SECRET_VARIABLE, SECRET)
        .start();
    let shown = named(&gateway.metrics().await);
    let urgent = file(RULES);
    let urgent = urgent
        .split("- alert: ")
        .filter(|rule| rule.contains("severity: page"));
    let urgent: Vec<&str> = urgent.collect();
    assert!(urgent.len() >= 3, "{urgent:?}");
    for rule in urgent {
        let gauges = named(rule).into_keys();
        for metric in gauges.filter(|metric| !metric.ends_with("_total")) {
            assert!(
                shown.contains_key(&metric),
                "{metric} is not shown at the start"
            );
        }
    }
}

#[test]
fn each_alert_leads_to_a_chapter_about_it() {
    let rules = file(RULES);
    let documents = file("docs/OPERATIONS.md");
    let alert = Regex::new(r"- alert: (\w+)").unwrap();
    let page = Regex::new(r"runbook: docs/OPERATIONS\.md#([a-z0-9-]+)").unwrap();
    let alerts: Vec<&str> = rules.split("\n      - alert: ").skip(1).collect();
    assert_eq!(alerts.len(), alert.captures_iter(&rules).count());
    // As the places that show documents make an address of a heading.
    let addresses: BTreeSet<String> = documents
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .map(|heading| heading.trim_start_matches('#').trim().to_lowercase())
        .map(|heading| {
            heading
                .chars()
                .filter(|character| {
                    character.is_alphanumeric() || *character == ' ' || *character == '-'
                })
                .map(|character| if character == ' ' { '-' } else { character })
                .collect()
        })
        .collect();
    for alert in alerts {
        let name = alert.lines().next().unwrap();
        let found = page.captures(alert);
        let address = found.unwrap_or_else(|| panic!("{name} has no `runbook`"));
        assert!(
            addresses.contains(&address[1]),
            "{name}: #{} is no chapter",
            &address[1]
        );
        assert!(
            documents.contains(&format!("`{name}`")),
            "docs/OPERATIONS.md does not name {name}"
        );
    }
}
