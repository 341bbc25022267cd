//! Form bodies (`application/x-www-form-urlencoded`) into the same tree.
//!
//! Names nest with brackets: see [`Fields`]. All values are texts; one that is an object or a list in JSON, such as
//! the `payload` of GitHub, has that inside.

mod fields;

use std::borrow::Cow;

pub(in crate::mapping) use fields::Fields;

use super::{Charset, NotText, Tree, text_or_json};

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
    #[error("{error} in pair {pair}")]
    Text { error: NotText, pair: usize },
}

/// Reads a form body whose names and values are written in a charset. An empty body is an object without keys.
pub(in crate::mapping) fn read_form(body: &[u8], charset: Charset) -> Result<Tree<'_>, FormError> {
    if matches!(body.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return Err(FormError::LooksLikeJson);
    }
    let mut fields = Fields::new();
    let pairs = body
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty());
    for (index, pair) in pairs.enumerate() {
        let fault = |what| FormError::Pair {
            what,
            pair: index + 1,
        };
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let mut half = || {
            let text = decode(halves.next().unwrap_or_default(), charset);
            text.map_err(|error| FormError::Text {
                error,
                pair: index + 1,
            })
        };
        let (name, value) = (half()?, half()?);
        fields.put(&name, text_or_json(value)).map_err(fault)?;
    }
    Ok(fields.into_tree())
}

/// `%xx` and `+` resolved.
fn decode(raw: &[u8], charset: Charset) -> Result<Cow<'_, str>, NotText> {
    if !raw.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return charset.text(raw);
    }
    let spaced: Vec<u8> = raw
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    let bytes: Vec<u8> = percent_encoding::percent_decode(&spaced).collect();
    let text = charset.text(&bytes)?;
    Ok(Cow::Owned(text.into_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        fields::{TWO_LISTS, VALUE_AND_MORE},
        *,
    };
    use crate::mapping::limits::{BODY_PARTS, EVENT_DEPTH};

    fn read_utf8(body: &str) -> Result<Tree<'_>, FormError> {
        read_form(body.as_bytes(), Charset::UTF_8)
    }

    fn json(body: &str) -> String {
        let mut out = String::new();
        read_utf8(body).unwrap().write_json(&mut out);
        out
    }

    fn texts(tree: &Tree<'_>) -> usize {
        match tree {
            Tree::Text(_) | Tree::Layered(_) => 1,
            Tree::Sole(only) => texts(only),
            Tree::List(elements) => elements.iter().map(texts).sum(),
            Tree::Object(object) => object.iter().map(|(_, value)| texts(value)).sum(),
            Tree::Numbered(numbered) => numbered.iter().map(|(_, value)| texts(value)).sum(),
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
    fn a_field_given_once_is_also_a_list_of_its_value() {
        let tree = read_utf8("a=x&b=x&b=y&c[d]=x&e[]=x&f[0]=x&g=[1,2]&h={}").unwrap();
        for (name, count) in [("a", 1), ("b", 2), ("e", 1), ("f", 1), ("g", 2), ("h", 1)] {
            let elements = tree.get(name).and_then(Tree::elements);
            assert_eq!(elements.map(<[_]>::len), Some(count), "{name}");
        }
        assert_eq!(tree.get("c").and_then(Tree::elements), None);
    }

    #[test]
    fn numbers_with_gaps_are_names_and_the_list_of_their_values() {
        let tree = read_utf8("a[10]=z&a[1][id]=x&a[3]=y&b[0]=p&b[1]=q&c[1]=x&c[n]=y").unwrap();
        let a = tree.get("a").unwrap();
        let mut values = String::new();
        for element in a.elements().unwrap() {
            element.write_json(&mut values);
        }
        assert_eq!(values, r#"{"id":"x"}"y""z""#);
        assert_eq!(a.get("10").and_then(Tree::text), Some("z"));
        assert!(
            ["0", "2", "01", "id", ""]
                .iter()
                .all(|name| a.get(name).is_none())
        );
        assert_eq!(a.names().collect::<Vec<_>>(), ["1", "3", "10"]);
        let b = tree.get("b").unwrap();
        assert_eq!(b.get("1").and_then(Tree::text), Some("q"));
        assert!(["2", "01"].iter().all(|name| b.get(name).is_none()));
        assert_eq!(tree.get("c").and_then(Tree::elements), None);
        assert_eq!(tree.clone().into_owned(), tree);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        let told = |body: &str| read_utf8(body).unwrap_err().to_string();
        assert_eq!(told("a=1&b=%FF"), "not text in UTF-8 in pair 2");
        let deep = format!("a{}=1", "[x]".repeat(EVENT_DEPTH));
        assert_eq!(told(&deep), "nested deeper than 64 levels in pair 1");
    }

    #[test]
    fn names_and_values_are_read_in_the_charset() {
        let body = b"a=Pe%F1a&b=Pe\xf1a&a%F1o=x";
        let tree = read_form(body, Charset::of_label("iso-8859-1")).unwrap();
        let mut out = String::new();
        tree.write_json(&mut out);
        assert_eq!(out, r#"{"a":"Peña","b":"Peña","año":"x"}"#);
    }

    #[test]
    fn the_forms_of_known_senders_are_read() {
        for (sender, body, tree) in [
            (
                "Bitrix24",
                "event=ONCRMCONTACTUPDATE&data%5BFIELDS%5D%5BID%5D=42&ts=1793527200&auth%5Bdomain%5D=colegio.bitrix24.mx&auth%5Bmember_id%5D=a1",
                r#"{"event":"ONCRMCONTACTUPDATE","data":{"FIELDS":{"ID":"42"}},"ts":"1793527200","auth":{"domain":"colegio.bitrix24.mx","member_id":"a1"}}"#,
            ),
            (
                "ActiveCampaign",
                "type=update&contact%5Bid%5D=7&contact%5Bfirst_name%5D=Luc%C3%ADa&contact%5Bfields%5D%5B12%5D=Primaria&contact%5Bfields%5D%5B3%5D=A-1029",
                r#"{"type":"update","contact":{"id":"7","first_name":"Lucía","fields":{"3":"A-1029","12":"Primaria"}}}"#,
            ),
            (
                "Mailchimp",
                "type=profile&fired_at=2026-11-01+10%3A00%3A00&data%5Bemail%5D=a%40b.mx&data%5Bmerges%5D%5BFNAME%5D=Ana&data%5Bmerges%5D%5BGROUPINGS%5D%5B0%5D%5Bname%5D=Grado",
                r#"{"type":"profile","fired_at":"2026-11-01 10:00:00","data":{"email":"a@b.mx","merges":{"FNAME":"Ana","GROUPINGS":[{"name":"Grado"}]}}}"#,
            ),
        ] {
            assert_eq!(json(body), tree, "{sender}");
        }
    }

    #[test]
    fn a_value_that_is_json_keeps_its_text_and_has_something_inside() {
        let tree =
            read_utf8("payload=%7B%22a%22%3A%5B1%2C2.50%5D%7D&list= [1]&broken={a}&n=5").unwrap();
        let numbers = tree.get("payload").and_then(|payload| payload.get("a"));
        let numbers = numbers.and_then(Tree::elements).unwrap();
        assert_eq!(numbers[1], Tree::Number("2.50".into()));
        assert_eq!(tree.get("list").and_then(Tree::elements).unwrap().len(), 1);
        for plain in ["broken", "n"] {
            assert_eq!(tree.get(plain).and_then(|text| text.get("a")), None);
        }
        assert_eq!(
            json("payload=%7B%22a%22%3A1%7D"),
            r#"{"payload":"{\"a\":1}"}"#
        );
    }

    #[test]
    fn json_under_the_content_type_of_forms_is_refused() {
        for body in ["{\"a\": 1}", " \r\n\t{}", "[1]", "{"] {
            assert_eq!(read_utf8(body), Err(FormError::LooksLikeJson), "{body}");
        }
        assert_eq!(json("a={\"b\":1}&%7B=1"), r#"{"a":"{\"b\":1}","{":"1"}"#);
    }

    #[test]
    fn a_name_is_never_two_things_at_once() {
        let told = |body: &str| read_utf8(body).unwrap_err().to_string();
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
        let tree = read_utf8(&body).unwrap();
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
        let told = |body: &str| read_utf8(body).unwrap_err().to_string();
        // A pair makes 62 levels and its value.
        let pair = format!("a{}=1&", "[]".repeat(62));
        assert!(read_utf8(&pair.repeat(BODY_PARTS / 63)).is_ok());
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
            if let Ok(tree) = read_utf8(&body) {
                prop_assert!(matches!(tree, Tree::Object(_)));
                let pairs = body.split('&').filter(|pair| !pair.is_empty()).count();
                prop_assert_eq!(texts(&tree), pairs, "every value is kept");
            }
        }
    }
}
