use proptest::prelude::*;

use super::*;

fn json(text: &str) -> String {
    let mut out = String::new();
    read_xml(text).unwrap().write_json(&mut out);
    out
}

fn told(text: &str) -> String {
    read_xml(text).unwrap_err().to_string()
}

/// A tree with everything that its JSON does not show.
fn inside(tree: &Tree<'_>) -> String {
    match tree {
        Tree::Object(object) => {
            let entries = object
                .iter()
                .map(|(key, value)| format!("{key}: {}", inside(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Tree::List(elements) => {
            format!(
                "[{}]",
                elements.iter().map(inside).collect::<Vec<_>>().join(", ")
            )
        }
        Tree::Sole(only) => format!("sole {}", inside(only)),
        Tree::Layered(layered) => {
            format!("{:?} with {}", layered.text, inside(&layered.inside))
        }
        Tree::Text(text) => format!("{text:?}"),
        Tree::Null => "null".to_owned(),
        Tree::Bool(_) | Tree::Number(_) | Tree::Numbered(_) => panic!("{tree:?}"),
    }
}

#[test]
fn elements_are_objects_texts_and_lists() {
    for (xml, tree) in [
        ("<a/>", r#"{a: sole ""}"#),
        ("<a></a>", r#"{a: sole ""}"#),
        ("<a> x </a>", r#"{a: sole " x "}"#),
        (
            "<?xml version='1.0'?>\n<!-- c --><?p q?><a>x<!-- c -->y</a>\n",
            r#"{a: sole "xy"}"#,
        ),
        ("\n<?xml version='1.0'?><a/>", r#"{a: sole ""}"#),
        ("<a><b>1</b></a>", r#"{a: sole {b: sole "1"}}"#),
        (
            "<a>\n  <b>1</b>\n  <c/>\n</a>",
            r#"{a: sole {b: sole "1", c: sole ""}}"#,
        ),
        (
            "<a><b>1</b><c/><b>2</b></a>",
            r#"{a: sole {b: ["1", "2"], c: sole ""}}"#,
        ),
        (
            "<s:a xmlns:s='u' xmlns='v'><t:b xmlns:t='w'/></s:a>",
            r#"{a: sole {b: sole ""}}"#,
        ),
        (
            "<a><x:b>1</x:b><y:b>2</y:b></a>",
            r#"{a: sole {b: ["1", "2"]}}"#,
        ),
        ("<a k='1'>x</a>", r#"{a: sole "x" with {@k: "1"}}"#),
        ("<a k='1'/>", r#"{a: sole "" with {@k: "1"}}"#),
        ("<a k='1'><b/></a>", r#"{a: sole {@k: "1", b: sole ""}}"#),
        ("<a x:k='1'/>", r#"{a: sole "" with {@k: "1"}}"#),
        (
            "<a x:k='1' k='2' y:k='3'/>",
            r#"{a: sole "" with {@k: "2"}}"#,
        ),
        ("<a k=' 1\n2 '/>", r#"{a: sole "" with {@k: " 1 2 "}}"#),
        (
            "<a> x <b/> y </a>",
            r#"{a: sole {b: sole "", #text: "x  y"}}"#,
        ),
        ("<a xsi:nil='true'/>", "{a: sole null}"),
        ("<a xsi:nil=\"1\" k='1'></a>", "{a: sole null}"),
        ("<a xsi:nil='false'/>", r#"{a: sole ""}"#),
        ("<a nil='true'/>", r#"{a: sole "" with {@nil: "true"}}"#),
        (
            "<a><![CDATA[<b> & ]]]]><![CDATA[>]]></a>",
            r#"{a: sole "<b> & ]]>"}"#,
        ),
        (
            "<a>&lt;&gt;&amp;&quot;&apos;&#233;&#xF1;</a>",
            r#"{a: sole "<>&\"'éñ"}"#,
        ),
        (
            "<a k='&lt;&amp;&#233;&quot;'/>",
            r#"{a: sole "" with {@k: "<&é\""}}"#,
        ),
        ("<a>x\r\ny\rz</a>", r#"{a: sole "x\ny\nz"}"#),
        ("<a-b.c>ñ</a-b.c>", r#"{a-b.c: sole "ñ"}"#),
    ] {
        assert_eq!(inside(&read_xml(xml).unwrap()), tree, "{xml}");
    }
}

#[test]
fn elements_are_written_as_what_they_say() {
    assert_eq!(
        json("<a k='1'><b l='2'>x</b><c xsi:nil='true'/><d>1</d><d>2</d></a>"),
        r#"{"a":{"@k":"1","b":"x","c":null,"d":["1","2"]}}"#
    );
}

#[test]
fn what_is_no_xml_is_told_with_its_place_and_without_the_text() {
    for (xml, error) in [
        ("", "no element at line 1 column 1"),
        ("  ", "no element at line 1 column 3"),
        ("secret", "text outside the root element at line 1 column 1"),
        (
            "<a/>secret",
            "text outside the root element at line 1 column 5",
        ),
        (
            "<a/><![CDATA[secret]]>",
            "text outside the root element at line 1 column 5",
        ),
        (
            "&amp;<a/>",
            "text outside the root element at line 1 column 1",
        ),
        ("<a/><b/>", "a second root element at line 1 column 5"),
        ("<a>", "the XML ends too early at line 1 column 4"),
        ("<a>\n<b>", "the XML ends too early at line 2 column 4"),
        ("<a>\n<b", "something is never closed at line 2 column 1"),
        ("<a k='1", "something is never closed at line 1 column 1"),
        ("<a><!-- ", "something is never closed at line 1 column 4"),
        (
            "<a><![CDATA[x</a>",
            "something is never closed at line 1 column 4",
        ),
        (
            "<a></b>",
            "an end tag of another name than the element that is open at line 1 column 4",
        ),
        (
            "</a>",
            "an end tag without an element that is open at line 1 column 1",
        ),
        (
            "<a>&secret;</a>",
            "a reference other than `&amp;`, `&lt;`, `&gt;`, `&quot;`, `&apos;` and those to characters at line 1 column 4",
        ),
        (
            "<a k='&secret;'/>",
            "a reference other than `&amp;`, `&lt;`, `&gt;`, `&quot;`, `&apos;` and those to characters at line 1 column 1",
        ),
        (
            "<a>&#0;</a>",
            "a reference other than `&amp;`, `&lt;`, `&gt;`, `&quot;`, `&apos;` and those to characters at line 1 column 4",
        ),
        (
            "<a>&#xD800;</a>",
            "a reference other than `&amp;`, `&lt;`, `&gt;`, `&quot;`, `&apos;` and those to characters at line 1 column 4",
        ),
        (
            "<a>x & y</a>",
            "`&` that begins no reference at line 1 column 6",
        ),
        (
            "<a k/>",
            "an attribute that is not `name=\"value\"` at line 1 column 1",
        ),
        (
            "<a k=1/>",
            "an attribute that is not `name=\"value\"` at line 1 column 1",
        ),
        (
            "<a><></></a>",
            "an element or attribute without a name at line 1 column 4",
        ),
        (
            "<!DOCTYPE a><a/>",
            "a document type (`<!DOCTYPE`), which is not read at line 1 column 1",
        ),
        (
            "<!doctype html><a/>",
            "a document type (`<!DOCTYPE`), which is not read at line 1 column 1",
        ),
    ] {
        assert_eq!(told(xml), error, "{xml}");
    }
}

#[test]
fn entities_are_never_defined_nor_expanded() {
    let laughs =
        "<?xml version='1.0'?>\n<!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]>\n<l>&b;</l>";
    assert_eq!(
        told(laughs),
        "a document type (`<!DOCTYPE`), which is not read at line 2 column 1"
    );
    assert!(told("<l>&b;</l>").starts_with("a reference other than"));
}

#[test]
fn depth_elements_and_attributes_are_limited() {
    let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(read_xml(&nested(EVENT_DEPTH)).is_ok());
    assert!(told(&nested(EVENT_DEPTH + 1)).starts_with("nested deeper than 64 levels at"));
    assert!(told(&"<a>".repeat(3_000_000)).starts_with("nested deeper than 64 levels at"));

    let flat = |count: usize| format!("<r>{}</r>", "<a/>".repeat(count));
    assert!(read_xml(&flat(49_999)).is_ok());
    assert!(told(&flat(50_000)).starts_with("more than 50,000 names and values at"));

    let attributes = |count: usize| {
        let all: String = (0..count)
            .flat_map(|number| [" a".to_owned(), number.to_string(), "=''".to_owned()])
            .collect();
        format!("<r{all}/>")
    };
    assert!(read_xml(&attributes(250)).is_ok());
    for count in [251, 100_000] {
        assert!(told(&attributes(count)).starts_with("an element with more than 250 attributes"));
    }
    let namespaces: String = (0..300)
        .flat_map(|number| [" xmlns:a".to_owned(), number.to_string(), "=''".to_owned()])
        .collect();
    assert!(told(&format!("<r{namespaces} k='1'/>")).starts_with("an element with more than 250"));
}

#[test]
fn a_declaration_says_how_the_document_is_written() {
    for (xml, label) in [
        (
            &b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>"[..],
            Some("ISO-8859-1"),
        ),
        (
            b" \n<?xml version='1.0' encoding = 'latin1' ?><a/>",
            Some("latin1"),
        ),
        (b"<?xml version='1.0'?><a encoding='x'/>", None),
        (b"<?xml version='1.0' encoding=x?><a/>", None),
        (b"<?xml encoding='", None),
        (b"<a/>", None),
        (b"", None),
    ] {
        assert_eq!(declared_encoding(xml), label, "{}", xml.escape_ascii());
    }
}

proptest! {
    #[test]
    fn any_text_gives_a_tree_or_a_reason(text in "(<[ab:]|</[ab]>|/>|>| k='|'|&amp;|&#|;|<!\\[CDATA\\[|\\]\\]>|<!--|-->|<\\?x|\\?>|<!|[ab ñ]){0,30}") {
        if let Ok(tree) = read_xml(&text) {
            prop_assert!(matches!(tree, Tree::Object(_)));
            prop_assert_eq!(read_xml(&text), Ok(tree));
        }
    }
}
