//! The way to a value inside a JSON body: `token`, `auth.key`, `value[].clientState`.

use std::{fmt, str::FromStr};

use serde_json::{Map, Value};

/// Names joined by `.`; `[]` behind a name means every element of the list there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JsonPath {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Every,
}

/// Why a text is not a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a path is names joined by `.`, such as `auth.key`; `[]` behind a name means every element"
)]
pub(super) struct InvalidPath;

impl FromStr for JsonPath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        let mut steps = Vec::new();
        for part in text.split('.') {
            let name = part.trim_end_matches("[]");
            if name.is_empty() || name.contains(['[', ']']) {
                return Err(InvalidPath);
            }
            steps.push(Step::Key(name.to_owned()));
            for _ in 0..(part.len() - name.len()) / 2 {
                steps.push(Step::Every);
            }
        }
        // Far more than any sender nests; it bounds the recursion below.
        if steps.len() > 16 {
            return Err(InvalidPath);
        }
        Ok(Self { steps })
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.steps.iter().enumerate() {
            match step {
                Step::Key(name) if place == 0 => f.write_str(name)?,
                Step::Key(name) => write!(f, ".{name}")?,
                Step::Every => f.write_str("[]")?,
            }
        }
        Ok(())
    }
}

impl JsonPath {
    /// Whether it may lead to more than one value.
    pub(super) fn is_many(&self) -> bool {
        self.steps.contains(&Step::Every)
    }

    /// The texts it leads to. `None` unless every one of them is there and is a text, and there is at least one: a
    /// list without elements proves nothing.
    pub(super) fn texts<'a>(&self, root: &'a Value) -> Option<Vec<&'a str>> {
        let mut found = Vec::new();
        collect(&self.steps, root, &mut found)?;
        found.iter().map(|value| value.as_str()).collect()
    }

    /// The one value it leads to, as the text that a sender signs: a text itself, or a whole number, or a truth
    /// value. Other numbers have no single spelling.
    pub(super) fn scalar(&self, root: &Value) -> Option<String> {
        let mut found = Vec::new();
        collect(&self.steps, root, &mut found)?;
        match found.as_slice() {
            [Value::String(text)] => Some(text.clone()),
            [Value::Number(number)] if !number.is_f64() => Some(number.to_string()),
            [Value::Bool(truth)] => Some(truth.to_string()),
            _ => None,
        }
    }

    /// Writes a text at the place (in every element for `[]`), making objects on the way; `false` where something
    /// else is in the way.
    pub(super) fn write(&self, root: &mut Value, text: &str) -> bool {
        write(&self.steps, root, text)
    }
}

fn collect<'a>(steps: &[Step], value: &'a Value, found: &mut Vec<&'a Value>) -> Option<()> {
    match steps.split_first() {
        None => found.push(value),
        Some((Step::Key(name), rest)) => collect(rest, value.get(name)?, found)?,
        Some((Step::Every, rest)) => {
            let elements = value.as_array().filter(|elements| !elements.is_empty())?;
            for element in elements {
                collect(rest, element, found)?;
            }
        }
    }
    Some(())
}

fn write(steps: &[Step], value: &mut Value, text: &str) -> bool {
    match steps.split_first() {
        None => {
            *value = Value::String(text.to_owned());
            true
        }
        Some((Step::Key(name), rest)) => {
            if value.is_null() {
                *value = Value::Object(Map::new());
            }
            match value.as_object_mut() {
                Some(object) => write(
                    rest,
                    object.entry(name.as_str()).or_insert(Value::Null),
                    text,
                ),
                None => false,
            }
        }
        Some((Step::Every, rest)) => match value.as_array_mut() {
            Some(elements) if !elements.is_empty() => elements
                .iter_mut()
                .all(|element| write(rest, element, text)),
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_element_must_have_the_text() {
        let path: JsonPath = "value[].state".parse().unwrap();
        assert_eq!(path.to_string(), "value[].state");
        let both = json!({"value": [{"state": "a"}, {"state": "b"}]});
        assert_eq!(path.texts(&both), Some(vec!["a", "b"]));
        for incomplete in [
            json!({"value": [{"state": "a"}, {}]}),
            json!({"value": [{"state": "a"}, {"state": 1}]}),
            json!({"value": []}),
            json!({"value": {"state": "a"}}),
            json!([]),
        ] {
            assert_eq!(path.texts(&incomplete), None, "{incomplete}");
        }
    }

    #[test]
    fn what_is_written_is_found() {
        for (path, mut root) in [
            ("a.b", json!({"x": 1})),
            ("list[].t", json!({"list": [{}, {"t": "old"}]})),
        ] {
            let path: JsonPath = path.parse().unwrap();
            assert!(path.write(&mut root, "new"));
            assert!(path.texts(&root).unwrap().iter().all(|text| *text == "new"));
        }
        assert!(
            !"a.b"
                .parse::<JsonPath>()
                .unwrap()
                .write(&mut json!({"a": 5}), "x")
        );
    }

    #[test]
    fn numbers_without_one_spelling_are_not_signed_text() {
        let body = json!({"a": 12, "b": 1.5, "c": null, "d": "x"});
        let read = |path: &str| path.parse::<JsonPath>().unwrap().scalar(&body);
        assert_eq!(read("a").as_deref(), Some("12"));
        assert_eq!(read("d").as_deref(), Some("x"));
        assert_eq!((read("b"), read("c"), read("e")), (None, None, None));
    }

    #[test]
    fn texts_that_are_no_path_are_refused() {
        for text in ["", ".", "a.", "a[0]", "a]b", "[]", &["a"; 17].join(".")] {
            assert_eq!(text.parse::<JsonPath>(), Err(InvalidPath), "{text:?}");
        }
    }
}
