//! Lists without repeats.
//!
//! What counts as a repeat is what [`Value::equals`] says. Single values are looked up, so that a long list takes no
//! longer than reading it; lists and objects are held against each other, which [`work`] counts.

use std::{borrow::Cow, collections::HashSet};

use jiff::Timestamp;

use super::datetime;
use crate::mapping::{number, tree::Tree, value::Value};

/// How many steps it takes besides reading the list.
pub(super) fn work(input: &Value<'_>) -> usize {
    let (count, size) = match input {
        Value::List(elements) => {
            let compounds = elements.iter().filter(|element| is_compound(element));
            compounds.fold((0, 0), |(count, size), element| {
                (count + 1, size + element.size())
            })
        }
        Value::Tree(Tree::List(elements)) => {
            let compounds = elements.iter().filter(|element| {
                matches!(element, Tree::List(_) | Tree::Object(_) | Tree::Sole(_))
            });
            compounds.fold((0, 0), |(count, size), element: &Tree<'_>| {
                (count + 1, size + element.size())
            })
        }
        _ => (0, 0),
    };
    size.saturating_mul(count)
}

/// The elements that equal none before them.
pub(super) fn unique(elements: Vec<Value<'_>>) -> Vec<Value<'_>> {
    let mut seen = Seen::default();
    let mut kept = Vec::with_capacity(elements.len());
    let mut compounds: Vec<usize> = Vec::new();
    for element in elements {
        if is_compound(&element) {
            let mut known = compounds.iter().filter_map(|index| kept.get(*index));
            if known.any(|known: &Value<'_>| known.equals(&element)) {
                continue;
            }
            compounds.push(kept.len());
        } else if !seen.add(&element) {
            continue;
        }
        kept.push(element);
    }
    kept
}

fn is_compound(value: &Value<'_>) -> bool {
    matches!(value, Value::List(_) | Value::Tree(_))
}

/// The single values that were kept, by all that another value may equal them in.
#[derive(Default)]
struct Seen<'a> {
    texts: HashSet<Cow<'a, str>>,
    /// Numbers as they are spelled: a text equals that.
    spellings: HashSet<Cow<'a, str>>,
    numbers: HashSet<number::Key>,
    times: HashSet<Timestamp>,
    /// Times as they are written: a text equals that.
    written: HashSet<String>,
    flags: HashSet<bool>,
    null: bool,
    absent: bool,
}

impl<'a> Seen<'a> {
    /// Whether the value was not there yet; then it is now.
    fn add(&mut self, value: &Value<'a>) -> bool {
        match value {
            Value::Absent => !std::mem::replace(&mut self.absent, true),
            Value::Null => !std::mem::replace(&mut self.null, true),
            Value::Bool(flag) => self.flags.insert(*flag),
            Value::Number(number) => {
                let key = number::Key::of(number);
                let is_new = !self.texts.contains(number) && !self.numbers.contains(&key);
                if is_new {
                    self.numbers.insert(key);
                    self.spellings.insert(number.clone());
                }
                is_new
            }
            Value::Text(text) => {
                let is_new = !self.texts.contains(text)
                    && !self.spellings.contains(text)
                    && !self.written.contains(text.as_ref());
                if is_new {
                    self.texts.insert(text.clone());
                }
                is_new
            }
            Value::DateTime(time) => {
                let written = datetime::written(*time);
                let is_new = !self.times.contains(time) && !self.texts.contains(written.as_str());
                if is_new {
                    self.times.insert(*time);
                    self.written.insert(written);
                }
                is_new
            }
            Value::List(_) | Value::Tree(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_value() -> impl Strategy<Value = Value<'static>> {
        const TIME: Timestamp = Timestamp::UNIX_EPOCH;
        let spelled = prop::sample::select(vec![
            "5",
            "5.0",
            "50e-1",
            "0",
            "-0",
            "0e3",
            "-5",
            "5e0",
            "1e999999999999999999999",
        ]);
        let single = prop_oneof![
            spelled.clone().prop_map(|text| Value::Number(text.into())),
            spelled.prop_map(|text| Value::Text(text.into())),
            Just(Value::Text(datetime::written(TIME).into())),
            Just(Value::DateTime(TIME)),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Null),
            Just(Value::Absent),
            Just(Value::Text("true".into())),
        ];
        let list = prop::collection::vec(single.clone(), 0..2).prop_map(Value::List);
        prop_oneof![4 => single, 1 => list]
    }

    proptest! {
        #[test]
        fn what_is_kept_is_what_equality_says(elements in prop::collection::vec(any_value(), 0..20)) {
            let mut expected: Vec<Value<'_>> = Vec::new();
            for element in &elements {
                if !expected.iter().any(|known| known.equals(element)) {
                    expected.push(element.clone());
                }
            }
            prop_assert_eq!(unique(elements), expected);
        }
    }

    #[test]
    fn only_what_is_held_against_each_other_takes_the_square() {
        let numbers = (0..900).map(|number| Value::Number(number.to_string().into()));
        assert_eq!(work(&Value::List(numbers.clone().collect())), 0);
        let lists = numbers.map(|number| Value::List(vec![number]));
        assert_eq!(work(&Value::List(lists.collect())), 900 * 900 * 2);
    }
}
