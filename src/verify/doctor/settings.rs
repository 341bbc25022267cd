//! Settings as they are written: what the doctor changes key by key, and then reads as any other.

use serde_json::{Map, Value};

use crate::{
    diag::{Collector, Findings, SourceText},
    verify::{VerifySettings, presets::Preset},
    yaml::{self, Kind, Node},
};

/// The long form of `verify`, as it stands in a source file or a preset, key by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    keys: Map<String, Value>,
    /// `jwks` and `claims`, where they stand beside `verify`.
    beside: Map<String, Value>,
}

impl Settings {
    /// The settings of a preset.
    pub fn of_preset(preset: &Preset) -> Self {
        let mut out = Collector::new(SourceText::new(preset.name, preset.settings));
        yaml::parse(&mut out)
            .and_then(|node| Self::of_node(&node))
            .expect("a test reads every preset")
    }

    /// The settings that a node holds; `None` where it is no map.
    pub fn of_node(node: &Node) -> Option<Self> {
        match value(node) {
            Value::Object(keys) => Some(Self::of_json(keys)),
            _ => None,
        }
    }

    /// The settings of a JSON object.
    pub fn of_json(keys: Map<String, Value>) -> Self {
        Self {
            keys,
            beside: Map::new(),
        }
    }

    /// With a key that stands beside `verify` and completes it: `jwks` or `claims`. No change takes it away.
    #[must_use]
    pub fn beside(mut self, key: &str, node: &Node) -> Self {
        self.beside.insert(key.to_owned(), value(node));
        self
    }

    /// A value by its key; `timestamp.format` is a key inside.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        let mut parts = key.split('.');
        let first = self.keys.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    /// With other values of some keys; `None` removes one.
    #[must_use]
    pub fn with(&self, changes: &[(String, Option<Value>)]) -> Self {
        let mut keys = self.keys.clone();
        for (key, new) in changes {
            let (map, key) = match key.split_once('.') {
                Some((outer, inner)) => {
                    let map = keys
                        .entry(outer)
                        .or_insert_with(|| Value::Object(Map::new()));
                    match map {
                        Value::Object(map) => (map, inner),
                        _ => continue,
                    }
                }
                None => (&mut keys, key.as_str()),
            };
            match new {
                Some(value) => map.insert(key.to_owned(), value.clone()),
                None => map.remove(key),
            };
        }
        Self {
            keys,
            beside: self.beside.clone(),
        }
    }

    /// The settings, checked.
    ///
    /// # Errors
    ///
    /// The findings; places are those in the settings as JSON.
    pub fn read(&self) -> Result<VerifySettings, Findings> {
        let (mut out, node) = parsed(&self.keys);
        let settings = node.and_then(|node| VerifySettings::read(&node, &mut out));
        let mut settings = settings.ok_or_else(|| out.finish())?;
        let (mut out, beside) = parsed(&self.beside);
        if let Some(keys) = beside.as_ref().and_then(|beside| beside.get("jwks")) {
            settings.read_key_set(keys, &mut out);
        }
        if let Some(claims) = beside.as_ref().and_then(|beside| beside.get("claims")) {
            settings.read_claims(claims, &mut out);
        }
        if out.has_errors() {
            return Err(out.finish());
        }
        Ok(settings)
    }

    /// The keys with their values, in the order of the alphabet.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.keys.iter().map(|(key, value)| (key.as_str(), value))
    }
}

fn parsed(keys: &Map<String, Value>) -> (Collector, Option<Node>) {
    let text = Value::Object(keys.clone()).to_string();
    let mut out = Collector::new(SourceText::new("verify", text));
    let node = yaml::parse(&mut out);
    (out, node)
}

/// Scalars keep their text: what they mean is decided by those who read the settings.
fn value(node: &Node) -> Value {
    match &node.kind {
        Kind::Scalar(scalar) => Value::String(scalar.text.clone()),
        Kind::List(nodes) => nodes.iter().map(value).collect(),
        Kind::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), value(&entry.value)))
            .collect(),
    }
}
