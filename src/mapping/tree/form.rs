//! Form bodies (`application/x-www-form-urlencoded`) into the same tree.
//!
//! Names with brackets nest: `contact[fields][12]=x` is `contact.fields."12"`. A level whose names are `0, 1, 2, …`
//! in any order, or empty (`tags[]=a&tags[]=b`), is a list; a name given several times without brackets is a list
//! of its values in the order written. All values are texts. The forms are those that PHP-like senders write
//! (Kommo, `ActiveCampaign`); no standard describes them.

use std::borrow::Cow;

use super::{Object, Tree};
use crate::mapping::limits::EVENT_DEPTH;

/// Why a form body cannot be read. It never quotes the body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} in pair {pair}")]
pub(in crate::mapping) struct FormError {
    what: &'static str,
    /// Which `name=value`, from 1.
    pair: usize,
}

/// Reads a form body. An empty body is an object without keys.
pub(in crate::mapping) fn read_form(body: &[u8]) -> Result<Tree<'_>, FormError> {
    let mut root = Level::default();
    let pairs = body
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty());
    for (index, pair) in pairs.enumerate() {
        let fault = |what| FormError {
            what,
            pair: index + 1,
        };
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = decode(halves.next().unwrap_or_default()).ok_or(fault("not UTF-8"))?;
        let value = decode(halves.next().unwrap_or_default()).ok_or(fault("not UTF-8"))?;
        let keys = split_name(&name);
        if keys.len() >= EVENT_DEPTH {
            return Err(fault("nested deeper than 64 levels"));
        }
        // The first name is a name even when it is empty; only `[]` inside brackets adds to a list.
        if let Some((first, inner)) = keys.split_first() {
            root.named(first).put(inner, value);
        }
    }
    Ok(root.into_object())
}

/// `%xx` and `+` resolved.
fn decode(raw: &[u8]) -> Option<Cow<'_, str>> {
    if !raw.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return std::str::from_utf8(raw).ok().map(Cow::Borrowed);
    }
    let spaced: Vec<u8> = raw
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    let bytes: Vec<u8> = percent_encoding::percent_decode(&spaced).collect();
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// `a[b][]` as `a`, `b` and an empty name. A name whose brackets do not pair is one plain name.
fn split_name(name: &str) -> Vec<String> {
    let plain = || vec![name.to_owned()];
    let Some((first, mut rest)) = name.split_once('[') else {
        return plain();
    };
    let mut keys = vec![first.to_owned()];
    loop {
        let Some((key, after)) = rest.split_once(']') else {
            return plain();
        };
        if key.contains('[') {
            return plain();
        }
        keys.push(key.to_owned());
        match after.strip_prefix('[') {
            Some(next) => rest = next,
            None if after.is_empty() => return keys,
            None => return plain(),
        }
    }
}

/// The number that a name spells without sign and leading zeros.
fn list_index(name: &str) -> Option<usize> {
    let canonical =
        name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    canonical.then(|| name.parse().ok()).flatten()
}

/// What stands under one name while pairs still come.
#[derive(Default)]
struct Level<'a> {
    /// Values given for exactly this name.
    values: Vec<Cow<'a, str>>,
    /// Names inside, in the order of their first appearance.
    children: Vec<(String, Self)>,
    /// Where each child stands, so that thousands of names do not search each other.
    index: std::collections::HashMap<String, usize>,
    /// Elements under `[]`.
    appended: Vec<Self>,
}

impl<'a> Level<'a> {
    fn put(&mut self, keys: &[String], value: Cow<'a, str>) {
        let Some((key, rest)) = keys.split_first() else {
            self.values.push(value);
            return;
        };
        if key.is_empty() {
            let mut element = Self::default();
            element.put(rest, value);
            self.appended.push(element);
        } else {
            self.named(key).put(rest, value);
        }
    }

    fn named(&mut self, key: &str) -> &mut Self {
        let at = *self.index.entry(key.to_owned()).or_insert_with(|| {
            self.children.push((key.to_owned(), Self::default()));
            self.children.len() - 1
        });
        let (_, child) = self
            .children
            .get_mut(at)
            .expect("the index holds places of children");
        child
    }

    fn into_object(self) -> Tree<'a> {
        let entries = self
            .children
            .into_iter()
            .map(|(key, child)| (Cow::Owned(key), child.into_tree()))
            .collect();
        Tree::Object(Object::new(entries))
    }

    fn into_tree(mut self) -> Tree<'a> {
        if !self.appended.is_empty() && self.children.is_empty() {
            return Tree::List(self.appended.into_iter().map(Self::into_tree).collect());
        }
        if !self.children.is_empty() {
            let mut places: Vec<Option<usize>> = self
                .children
                .iter()
                .map(|(key, _)| list_index(key))
                .collect();
            places.sort_unstable();
            let is_list = places.into_iter().eq((0..self.children.len()).map(Some));
            if !is_list {
                return self.into_object();
            }
            self.children.sort_by_key(|(key, _)| list_index(key));
            return Tree::List(
                self.children
                    .into_iter()
                    .map(|(_, child)| child.into_tree())
                    .collect(),
            );
        }
        if self.values.len() == 1 {
            return Tree::Text(self.values.remove(0));
        }
        Tree::List(self.values.into_iter().map(Tree::Text).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json(body: &str) -> String {
        let mut out = String::new();
        read_form(body.as_bytes()).unwrap().write_json(&mut out);
        out
    }

    #[test]
    fn names_with_brackets_nest_and_numbered_names_are_lists() {
        for (body, tree) in [
            ("", "{}"),
            ("a=1&b=", r#"{"a":"1","b":""}"#),
            ("a=x+y&b=%C3%A9%26", r#"{"a":"x y","b":"é&"}"#),
            (
                "contact%5Bfields%5D%5B12%5D=x",
                r#"{"contact":{"fields":{"12":"x"}}}"#,
            ),
            (
                "a[0][id]=1&a[0][n]=x&a[1][id]=2",
                r#"{"a":[{"id":"1","n":"x"},{"id":"2"}]}"#,
            ),
            ("a[1]=y&a[0]=x", r#"{"a":["x","y"]}"#),
            ("a[]=x&a[]=y", r#"{"a":["x","y"]}"#),
            ("a=x&a=y", r#"{"a":["x","y"]}"#),
            ("a[0]=x&a[2]=y", r#"{"a":{"0":"x","2":"y"}}"#),
            ("a[00]=x", r#"{"a":{"00":"x"}}"#),
            ("=1&[]=2", r#"{"":["2"]}"#),
            ("a[+0]=x", r#"{"a":{" 0":"x"}}"#),
            ("a[b=1&c]=2&d[e]f=3", r#"{"a[b":"1","c]":"2","d[e]f":"3"}"#),
        ] {
            assert_eq!(json(body), tree, "{body}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        let told = |body: &[u8]| read_form(body).unwrap_err().to_string();
        assert_eq!(told(b"a=1&b=%FF"), "not UTF-8 in pair 2");
        let deep = format!("a{}=1", "[x]".repeat(EVENT_DEPTH));
        assert_eq!(
            told(deep.as_bytes()),
            "nested deeper than 64 levels in pair 1"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_tree_or_a_reason(body in "[a-c0-2=&%+\\[\\]ñ]{0,60}") {
            if let Ok(tree) = read_form(body.as_bytes()) {
                prop_assert!(matches!(tree, Tree::Object(_)));
            }
        }
    }
}
