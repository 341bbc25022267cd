//! Form bodies (`application/x-www-form-urlencoded`) into the same tree.
//!
//! Names with brackets nest: `contact[fields][12]=x` is `contact.fields."12"`. A level whose names are `0, 1, 2, …`
//! in any order, or empty (`tags[]=a&tags[]=b`), is a list; a name given several times without brackets is a list
//! of its values in the order written. A name is one of a value, a list and an object: a form that uses it as two
//! of them is refused, since one would be lost. All values are texts. The forms are those that PHP-like senders
//! write (Kommo, `ActiveCampaign`); no standard describes them.

use std::{borrow::Cow, collections::HashMap};

use super::{LINEAR, Object, Tree};
use crate::mapping::limits::{EVENT_DEPTH, FORM_PARTS};

/// Why a name cannot be both at once.
const VALUE_AND_MORE: &str = "a name is both a value and a list or object";
const TWO_LISTS: &str = "a name is both a list of `[]` and an object or numbered list";

/// Why a form body cannot be read. It never quotes the body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::mapping) enum FormError {
    /// Read as a form it would be one odd name, and no rule would know it.
    #[error(
        "the body looks like JSON, but the content type says it is a form; the sender must say `application/json`"
    )]
    LooksLikeJson,
    #[error("{what} in pair {pair}")]
    Pair {
        what: &'static str,
        /// Which `name=value`, from 1.
        pair: usize,
    },
}

/// Reads a form body. An empty body is an object without keys.
pub(in crate::mapping) fn read_form(body: &[u8]) -> Result<Tree<'_>, FormError> {
    if matches!(body.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return Err(FormError::LooksLikeJson);
    }
    let mut root = Names::default();
    let mut parts = Parts { left: FORM_PARTS };
    let pairs = body
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty());
    for (index, pair) in pairs.enumerate() {
        let fault = |what| FormError::Pair {
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
            root.put(first, inner, value, &mut parts).map_err(fault)?;
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
fn split_name(name: &str) -> Vec<&str> {
    let Some((first, mut rest)) = name.split_once('[') else {
        return vec![name];
    };
    let mut keys = vec![first];
    loop {
        let Some((key, after)) = rest.split_once(']') else {
            return vec![name];
        };
        if key.contains('[') {
            return vec![name];
        }
        keys.push(key);
        match after.strip_prefix('[') {
            Some(next) => rest = next,
            None if after.is_empty() => return keys,
            None => return vec![name],
        }
    }
}

/// The number that a name spells without sign and leading zeros.
fn list_index(name: &str) -> Option<usize> {
    let canonical =
        name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    canonical.then(|| name.parse().ok()).flatten()
}

/// How many more names, elements and repeated values a body may have. Two bytes of a body can make one, and each
/// takes up to about two hundred bytes of memory.
struct Parts {
    left: usize,
}

impl Parts {
    fn take(&mut self) -> Result<(), &'static str> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or("more than 50,000 names and values")?;
        Ok(())
    }
}

/// What stands under one name while pairs still come.
enum Level<'a> {
    Value(Cow<'a, str>),
    /// Several values given for the same name.
    Values(Vec<Cow<'a, str>>),
    /// Elements under `[]`.
    Elements(Vec<Self>),
    Names(Box<Names<'a>>),
}

/// Names inside a name, in the order of their first appearance.
#[derive(Default)]
struct Names<'a> {
    children: Vec<(String, Level<'a>)>,
    /// Where each child stands, kept when there are more than [`LINEAR`], so that thousands of names do not search
    /// each other.
    index: HashMap<String, usize>,
}

impl<'a> Level<'a> {
    /// A level that holds one value, inside these names.
    fn new(keys: &[&str], value: Cow<'a, str>, parts: &mut Parts) -> Result<Self, &'static str> {
        parts.take()?;
        Ok(match keys.split_first() {
            None => Self::Value(value),
            // One element takes its own size; a growing list would take four at once.
            Some((&"", rest)) => Self::Elements(vec![Self::new(rest, value, parts)?]),
            Some((key, rest)) => Self::Names(Box::new(Names {
                children: vec![((*key).to_owned(), Self::new(rest, value, parts)?)],
                index: HashMap::new(),
            })),
        })
    }

    fn put(
        &mut self,
        keys: &[&str],
        value: Cow<'a, str>,
        parts: &mut Parts,
    ) -> Result<(), &'static str> {
        match (&mut *self, keys.split_first()) {
            (Self::Value(first), None) => {
                parts.take()?;
                *self = Self::Values(vec![std::mem::take(first), value]);
            }
            (Self::Values(values), None) => {
                parts.take()?;
                values.push(value);
            }
            (Self::Elements(elements), Some((&"", rest))) => {
                elements.push(Self::new(rest, value, parts)?);
            }
            (Self::Names(names), Some((key, rest))) if !key.is_empty() => {
                names.put(key, rest, value, parts)?;
            }
            (Self::Value(_) | Self::Values(_), Some(_))
            | (Self::Elements(_) | Self::Names(_), None) => return Err(VALUE_AND_MORE),
            (Self::Elements(_) | Self::Names(_), Some(_)) => return Err(TWO_LISTS),
        }
        Ok(())
    }

    fn into_tree(self) -> Tree<'a> {
        match self {
            Self::Value(value) => Tree::Text(value),
            Self::Values(values) => Tree::List(values.into_iter().map(Tree::Text).collect()),
            Self::Elements(elements) => {
                Tree::List(elements.into_iter().map(Self::into_tree).collect())
            }
            Self::Names(names) => names.into_tree(),
        }
    }
}

impl<'a> Names<'a> {
    fn put(
        &mut self,
        key: &str,
        rest: &[&str],
        value: Cow<'a, str>,
        parts: &mut Parts,
    ) -> Result<(), &'static str> {
        if let Some(child) = self.child(key) {
            return child.put(rest, value, parts);
        }
        self.children
            .push((key.to_owned(), Level::new(rest, value, parts)?));
        let known = self.index.len();
        if self.children.len() > LINEAR {
            for (at, (name, _)) in self.children.iter().enumerate().skip(known) {
                self.index.insert(name.clone(), at);
            }
        }
        Ok(())
    }

    fn child(&mut self, key: &str) -> Option<&mut Level<'a>> {
        let at = if self.index.is_empty() {
            self.children.iter().position(|(name, _)| name == key)
        } else {
            self.index.get(key).copied()
        };
        self.children.get_mut(at?).map(|(_, child)| child)
    }

    /// A list where the names are `0, 1, 2, …` in any order.
    fn into_tree(mut self) -> Tree<'a> {
        let mut places: Vec<Option<usize>> = self
            .children
            .iter()
            .map(|(name, _)| list_index(name))
            .collect();
        places.sort_unstable();
        if !places.into_iter().eq((0..self.children.len()).map(Some)) {
            return self.into_object();
        }
        self.children.sort_by_key(|(name, _)| list_index(name));
        let children = self.children.into_iter();
        Tree::List(children.map(|(_, child)| child.into_tree()).collect())
    }

    fn into_object(self) -> Tree<'a> {
        let children = self.children.into_iter();
        let entries = children.map(|(name, child)| (Cow::Owned(name), child.into_tree()));
        Tree::Object(Object::new(entries.collect()))
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

    fn texts(tree: &Tree<'_>) -> usize {
        match tree {
            Tree::Text(_) => 1,
            Tree::List(elements) => elements.iter().map(texts).sum(),
            Tree::Object(object) => object.iter().map(|(_, value)| texts(value)).sum(),
            Tree::Null | Tree::Bool(_) | Tree::Number(_) => 0,
        }
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
            ("&[]=2", r#"{"":["2"]}"#),
            (
                "a[]=x&a[]=y&b[][c]=1&b[][c]=2&b[][]=3",
                r#"{"a":["x","y"],"b":[{"c":"1"},{"c":"2"},["3"]]}"#,
            ),
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

    #[test]
    fn json_under_the_content_type_of_forms_is_refused() {
        for body in ["{\"a\": 1}", " \r\n\t{}", "[1]", "{"] {
            assert_eq!(
                read_form(body.as_bytes()),
                Err(FormError::LooksLikeJson),
                "{body}"
            );
        }
        assert_eq!(json("a={\"b\":1}&%7B=1"), r#"{"a":"{\"b\":1}","{":"1"}"#);
    }

    #[test]
    fn a_name_is_never_two_things_at_once() {
        let told = |body: &str| read_form(body.as_bytes()).unwrap_err().to_string();
        for body in [
            "a=1&a[b]=2",
            "a[b]=2&a=1",
            "a=1&a[]=2",
            "a[]=2&a=1",
            "=1&[]=2",
        ] {
            assert_eq!(told(body), format!("{VALUE_AND_MORE} in pair 2"), "{body}");
        }
        for body in [
            "a[]=x&a[0]=y",
            "a[0]=x&a[]=y",
            "x[y][]=1&x[y][z]=2",
            "x[y][z]=1&x[y][]=2",
        ] {
            assert_eq!(told(body), format!("{TWO_LISTS} in pair 2"), "{body}");
        }
    }

    #[test]
    fn thousands_of_names_are_found_again() {
        let pairs: Vec<String> = (0..2_000)
            .chain(0..2_000)
            .map(|n| format!("a[k{n}]=v{n}"))
            .collect();
        let body = pairs.join("&");
        let tree = read_form(body.as_bytes()).unwrap();
        let Tree::Object(root) = &tree else {
            panic!("{tree:?}");
        };
        let Some(Tree::Object(names)) = root.get("a") else {
            panic!("{tree:?}");
        };
        assert_eq!(names.iter().count(), 2_000);
        for n in 0..2_000 {
            let value = Tree::Text(format!("v{n}").into());
            assert_eq!(
                names.get(&format!("k{n}")),
                Some(&Tree::List(vec![value.clone(), value]))
            );
        }
    }

    #[test]
    fn many_small_parts_are_refused_before_they_fill_the_memory() {
        let told = |body: &str| read_form(body.as_bytes()).unwrap_err().to_string();
        // A pair makes 62 levels and its value.
        let pair = format!("a{}=1&", "[]".repeat(62));
        assert!(read_form(pair.repeat(FORM_PARTS / 63).as_bytes()).is_ok());
        let refused = told(&pair.repeat(8_000));
        assert_eq!(refused, "more than 50,000 names and values in pair 807");
        for body in ["a&".repeat(60_000), "a[]&".repeat(60_000)] {
            assert!(told(&body).starts_with("more than 50,000"), "{body:.20}");
        }
        let names: Vec<String> = (0..60_000).map(|n| n.to_string()).collect();
        assert!(told(&names.join("&")).ends_with("in pair 50001"));
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_tree_or_a_reason(body in "[a-c0-2=&%+\\[\\]ñ]{0,60}") {
            if let Ok(tree) = read_form(body.as_bytes()) {
                prop_assert!(matches!(tree, Tree::Object(_)));
                let pairs = body.split('&').filter(|pair| !pair.is_empty()).count();
                prop_assert_eq!(texts(&tree), pairs, "every value is kept");
            }
        }
    }
}
