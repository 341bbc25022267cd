//! What holds for any file and any event.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{explain::is_told_as_it_is, *};

const FILES: [&str; 2] = [
    include_str!("hubspot.yaml"),
    include_str!("sis-aguilas.yaml"),
];

/// One of each kind of body, and of each way to write text.
const CONTENT_TYPES: [&str; 12] = [
    "application/json",
    "application/json; charset=iso-8859-1",
    "application/json; charset=utf-16",
    "application/x-ndjson",
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=shift_jis",
    "multipart/form-data; boundary=b",
    "text/xml",
    "text/xml; charset=gb18030",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "text/plain; charset=klingon",
];

/// The headers of a cloud event in binary mode.
fn any_attributes() -> impl Strategy<Value = Vec<(String, String)>> {
    let names = [
        "ce-specversion",
        "ce-id",
        "ce-source",
        "ce-type",
        "ce-v",
        "x-a",
    ];
    prop::collection::vec("[a%\"\\\\ñ0-9C]{0,8}", 0..=names.len()).prop_map(move |values| {
        let headers = names.into_iter().zip(values);
        headers
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    })
}

/// Every function and construct, on paths that any event may have.
static EVERYTHING: LazyLock<Mapping> = LazyLock::new(|| {
    let expressions = [
        "v | trim",
        "v | lower",
        "v | upper",
        "v | title",
        "v | squeeze",
        "v | replace('a', 'bb')",
        "v | strip_prefix('a')",
        "v | strip_suffix('a')",
        "v | require_prefix('a')",
        "v | digits",
        "v | max_len(3)",
        "v | split(',') | last",
        "v | text",
        "v | number",
        "v | number(decimal=',')",
        "v | given_first",
        "v | curp",
        "v | rfc",
        "v | rfc(strict=true)",
        "v | phone",
        "v | phone('US')",
        "v | email",
        "v | datetime",
        "v | datetime('DD/MM/YYYY HH:mm')",
        "v | datetime('D MMM YY h:mm A')",
        "v | day_first",
        "v | unix_s",
        "v | unix_ms",
        "v | lookup(t)",
        "v | lookup(t, else=skip)",
        "v | lookup(t, else=null)",
        "v | default(w)",
        "v | first",
        "v | last",
        "v | unique | first",
        "v | compact | last",
        "v | count",
        "join(', ', v, w, l[])",
        "concat(v, w)",
        "l[].v | first",
        "l[v=1].w",
        "l[1].l[].v | count",
        "^.v ?? w ?? v",
        "$.l[].l[] | count",
    ];
    let conditions = [
        "v | bool",
        "exists(v)",
        "is_null(v)",
        "is_blank(v)",
        "v | starts_with('a')",
        "v | ends_with('a')",
        "v | contains('a')",
        "v | matches('^a+$')",
        "v == w",
        "v != w",
        "v < w",
        "v in l",
        "v in l[].w",
        "not v or w and v",
    ];
    let expressions = expressions.iter().enumerate().map(|(number, text)| {
        let quoted = text.replace('\'', "''");
        format!("    - {{key: e{number}, from: '{quoted}', on_error: skip, on_blank: keep}}")
    });
    let conditions = conditions.iter().enumerate().map(|(number, text)| {
        let quoted = text.replace('\'', "''");
        format!("    - {{key: c{number}, when: '{quoted}', value: x, on_error: skip}}")
    });
    let entries: Vec<String> = expressions.chain(conditions).collect();
    let rule = format!(
        "each: l[]\nonly: not (w == 1)\norder_by: order\ncustomer:\n  id: id\n  find: [{{username: v | default('u')}}, {{email: mail}}]\n  on_missing: create\n  create:\n    name: {{from: w, on_error: skip}}\n    metadata: {{new: {{from: v, on_error: skip}}}}\nset:\n  tags:\n    - {{each: v, when: v == 1, template: 'x {{w}}', on_error: skip}}\n    - {{from: v, on_error: skip}}\n  metadata:\n{}",
        entries.join("\n")
    );
    compiled(&file("tables: {t: {a: b, '1': c}}", &rule))
});

#[test]
fn the_mapping_of_everything_gives_something() {
    let body = r#"{"l": [{"v": "1", "w": "2", "l": [{"v": 1, "w": 3}]}, {"w": 1}, {"v": {}, "order": "x"}]}"#;
    let outcomes = mapped(&EVERYTHING, body);
    let [ItemOutcome::Update(update), ItemOutcome::Fail(failure)] = outcomes.as_slice() else {
        panic!("an update and a failure: {outcomes:?}");
    };
    let entries = json(&update.patch).matches("\"key\"").count();
    assert!(entries > 20, "{entries}: {}", json(&update.patch));
    assert!(!update.warnings.is_empty());
    assert!(failure.reason.starts_with("order_by: "));
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just(" ".to_owned()),
        "[a1, @.x+$/:-]{0,12}",
        Just("2025-01-15T04:30".to_owned()),
        Just("15/01/2025 04:30".to_owned()),
        Just("55 1234 5678".to_owned()),
        Just("1736937000".to_owned()),
        "\\PC{0,8}",
    ]
}

fn any_event() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0..3_i64).prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        let keys = prop_oneof![
            Just("v"),
            Just("w"),
            Just("l"),
            Just("guardians"),
            Just("students"),
            Just("type"),
            Just("role"),
            Just("propertyName"),
            Just("propertyValue"),
            Just("phones"),
            Just("number"),
            Just("status"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((keys, inner), 0..5).prop_map(|entries| {
                let entries = entries.into_iter();
                Value::Object(
                    entries
                        .map(|(key, value)| (key.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

/// Every item has an outcome, no update is empty, a second time gives the same, and so does telling it.
fn is_sound(mapping: &Mapping, input: &Input<'_>) -> Result<(), TestCaseError> {
    let mapped = mapping.map(input);
    prop_assert!(!mapped.items.is_empty());
    for item in &mapped.items {
        prop_assert!(!item.outcomes.is_empty());
        for outcome in &item.outcomes {
            if let ItemOutcome::Update(update) = outcome {
                prop_assert!(!update.patch.is_empty());
            }
        }
    }
    prop_assert_eq!(mapping.map(input), mapped);
    is_told_as_it_is(mapping, input)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_event_is_mapped_the_same_each_time(event in any_event(), wrapped in any_event()) {
        let wrapped = json!({
            "l": [wrapped, {"v": event, "w": wrapped}, {"v": wrapped, "l": [event]}], "v": event, "type": "family.updated", "guardians": [event, {"role": "PAYER", "phones": event}],
        });
        for body in [event.to_string(), wrapped.to_string()] {
            let input = Input { body: body.as_bytes(), content_type: None, headers: &[], now: now() };
            is_sound(&EVERYTHING, &input)?;
            for file in FILES {
                is_sound(&compiled_once(file), &input)?;
            }
        }
    }

    #[test]
    fn any_bytes_are_mapped_as_any_kind_of_body(
        body in prop::collection::vec(any::<u8>(), 0..60),
        content_type in prop::sample::select(&CONTENT_TYPES),
        headers in any_attributes(),
    ) {
        is_sound(&EVERYTHING, &Input { body: &body, content_type: Some(content_type), headers: &headers, now: now() })?;
    }

    #[test]
    fn a_body_in_another_charset_is_mapped_like_the_same_in_utf8(event in any_event()) {
        let body = event.to_string();
        let other: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mapped = |content_type, body| {
            EVERYTHING.map(&Input { body, content_type: Some(content_type), headers: &[], now: now() })
        };
        prop_assert_eq!(
            mapped("application/json; charset=utf-16le", other.as_slice()),
            mapped("application/json", body.as_bytes())
        );
    }

    #[test]
    fn any_content_type_is_taken(content_type in "(multipart/form-data|text/xml|application/json|a/b|;|charset=|boundary=|\"|\\\\|b|utf-16| |ñ){0,8}") {
        for body in ["--b\r\n\r\n--b--", "<l/>", "{}"] {
            is_sound(&EVERYTHING, &Input { body: body.as_bytes(), content_type: Some(&content_type), headers: &[], now: now() })?;
        }
    }

    #[test]
    fn any_parts_are_mapped(body in "(--b|--b--|\r\n|\n|Content-Disposition: form-data|; name=|; filename=|Content-Type: application/json|\"|v|l\\[\\]|l\\[0\\]\\[v\\]|\\{\"v\":1\\}|1){0,30}") {
        let content_type = Some("multipart/form-data; boundary=b");
        for body in [body.clone(), format!("--b\nContent-Disposition: form-data; name=l[]\n\n{body}\n--b--")] {
            is_sound(&EVERYTHING, &Input { body: body.as_bytes(), content_type, headers: &[], now: now() })?;
        }
    }

    #[test]
    fn any_cloud_event_is_mapped(event in any_event(), content_type in prop::sample::select(&CONTENT_TYPES), data in "[{}\\[\\]<>/a=&1 -]{0,20}") {
        use base64::{Engine as _, engine::general_purpose::STANDARD};

        let encoded = STANDARD.encode(&data);
        let events = json!([
            event,
            {"datacontenttype": content_type, "data": data},
            {"datacontenttype": content_type, "data_base64": encoded},
            {"datacontenttype": event, "data": event, "data_base64": event},
        ]);
        for kind in ["application/cloudevents+json", "application/cloudevents-batch+json"] {
            for body in [events.to_string(), events[1].to_string(), events[2].to_string()] {
                is_sound(&EVERYTHING, &Input { body: body.as_bytes(), content_type: Some(kind), headers: &[], now: now() })?;
            }
        }
    }

    #[test]
    fn any_form_is_mapped(body in "[vwl=&%\\[\\]0-2a+]{0,40}") {
        let content_type = Some("application/x-www-form-urlencoded");
        is_sound(&EVERYTHING, &Input { body: body.as_bytes(), content_type, headers: &[], now: now() })?;
    }

    #[test]
    fn any_xml_is_mapped(body in "(<l>|</l>|<v>|</v>|<w>|</w>|<v/>|<w k='1'>|<l n='a' xsi:nil='true'/>|1|a|&#49;|<!\\[CDATA\\[|\\]\\]>| ){0,30}") {
        for body in [body.clone(), format!("<l>{body}</l>"), format!("<l><l>{body}</l></l>")] {
            is_sound(&EVERYTHING, &Input { body: body.as_bytes(), content_type: Some("text/xml"), headers: &[], now: now() })?;
        }
    }

    #[test]
    fn any_damage_to_a_file_gives_a_mapping_or_errors(
        which in 0..FILES.len(),
        at in any::<prop::sample::Index>(),
        length in 0..12_usize,
        with in "[a-z0-9 :|?'\"\\[\\]{}^$.,=\n-]{0,8}",
    ) {
        let chars: Vec<char> = FILES[which].chars().collect();
        let at = at.index(chars.len());
        let damaged: String = chars[..at]
            .iter()
            .chain(&with.chars().collect::<Vec<_>>())
            .chain(chars[at..].iter().skip(length))
            .collect();
        // `read` checks that there is a mapping or an error.
        let (_, lines) = read(&damaged);
        prop_assert!(lines.iter().all(|line| line.starts_with("m.yaml:")));
    }

    #[test]
    fn any_expression_compiles_or_is_refused(text in "[a-d^$.()|?'=<>!, \\[\\]0-3]{0,30}|(v|w|l\\[\\]|'a'|[0-9]|trim|lower|phone|first|count|join\\(|concat\\(|\\)| \\| | \\?\\? | == | and |not |\\[|\\]|, ){0,12}") {
        let quoted = text.replace('\'', "''");
        let (mapping, _) = read(&setting("", &format!("metadata: [{{key: k, from: '{quoted}'}}]")));
        if let Some(mapping) = mapping {
            let body = br#"{"a": [1, null, "x"], "v": {"a": "b"}, "l": [{"a": 1}], "w": ""}"#;
            is_sound(&mapping, &Input { body, content_type: None, headers: &[], now: now() })?;
        }
    }
}

fn compiled_once(file: &'static str) -> Arc<Mapping> {
    static COMPILED: LazyLock<Vec<(&str, Arc<Mapping>)>> =
        LazyLock::new(|| FILES.map(|file| (file, Arc::new(compiled(file)))).into());
    let (_, mapping) = COMPILED
        .iter()
        .find(|(known, _)| *known == file)
        .expect("a file of the list");
    Arc::clone(mapping)
}
