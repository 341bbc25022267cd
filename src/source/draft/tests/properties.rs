//! What holds for the draft of any samples.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Names that mean something, names that are hard to write, and others.
fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "id", "type", "event", "name", "nombre", "apellidos", "apellido_paterno", "email", "correo", "celular",
            "telefono", "phone2", "updated_at", "timestamp", "data", "contacts", "guardians", "tutor", "old", "key",
            "value", "propertyName", "propertyValue", "grado", "matricula", "curp", "rfc", "requiere_factura",
            "baja_whatsapp", "opted_out", "event_id", "entity", "quentliId", "phones", "emails", "primary", "label",
            "customer_id",
        ]).prop_map(str::to_owned),
        1 => prop::sample::select(vec![
            "tipo de plan", "and", "null", "1a", "", "a.b", "a\"b", "a'b", "#x", "x: y", "x #y", "- x", "a\nb", "<<",
            "ñ", "\u{feff}z", "ana@b.mx", "5512345678", "\u{202e}x", "a\\b", "?", "[]", "{x}", "a,b", "key:",
        ]).prop_map(str::to_owned),
        1 => "\\PC{1,6}",
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    let texts = prop::sample::select(vec![
        "",
        " ",
        "Ana Luna",
        "ANA",
        "contact.updated",
        "contact.deleted",
        "person",
        "ana@b.mx",
        "55 1234 5678",
        "pedir en recepción",
        "2026-01-15T10:30:00Z",
        "15/01/2026 04:30",
        "2026-01-15",
        "1736937000",
        "cus_123",
        "Sí",
        "no",
        "PEGJ800101AB1",
        "A-1029",
        "null",
        "0123",
        "1e5",
        "mobile",
        "email",
        "x: y",
        "- x",
        "#",
        "'",
        "\"",
        "line\nline",
        "{a}",
        "[a]",
        "a, b",
        "\u{feff}",
        "2026-02-30",
        "https://a.mx/x",
        "true",
    ]);
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => (0..9_i64).prop_map(Value::from),
        1 => Just(Value::from(5_512_345_678_i64)),
        1 => Just(Value::from(1_736_937_000_123_i64)),
        6 => texts.prop_map(Value::from),
        1 => "\\PC{0,10}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            3 => prop::collection::vec((any_key(), inner), 0..8)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// An element with attributes, texts and others inside, alone or repeated.
fn any_element() -> impl Strategy<Value = String> {
    let names = || {
        prop::sample::select(vec![
            "contact", "event", "id", "nombre", "email", "phone", "type", "student", "item",
            "value", "key",
        ])
    };
    let texts = || {
        prop::sample::select(vec![
            "",
            "ana@b.mx",
            "55 1234 5678",
            "Ana Luna",
            "email",
            "contact.updated",
            "7",
            "{&quot;a&quot;: 1}",
        ])
    };
    let attribute = prop::option::of(texts())
        .prop_map(|value| value.map_or_else(String::new, |value| format!(" type=\"{value}\"")));
    let leaf = (names(), attribute.clone(), texts())
        .prop_map(|(name, attribute, text)| format!("<{name}{attribute}>{text}</{name}>"));
    leaf.prop_recursive(4, 30, 5, move |inner| {
        (
            names(),
            attribute.clone(),
            prop::collection::vec(inner, 0..5),
        )
            .prop_map(|(name, attribute, inner)| {
                format!("<{name}{attribute}>{}</{name}>", inner.concat())
            })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_samples_give_a_draft_that_passes_a_strict_check_or_a_refusal(
        events in prop::collection::vec(any_value(), 1..4),
        keeps: bool,
        in_files: bool,
    ) {
        let given: Vec<Given> = events
            .iter()
            .enumerate()
            .map(|(index, event)| Given {
                event_file: in_files.then(|| format!("samples/{index}.json")),
                ..Given::json(&format!("sample {index}"), event)
            })
            .collect();
        let values = if keeps { Values::Kept } else { Values::Invented };
        let options = DraftOptions { values, ..OPTIONS };
        match draft(&options, &samples(&given)) {
            Ok(text) => {
                prop_assert_eq!(findings(&text, &given, "my-crm"), [""; 0], "{}", text);
                prop_assert_eq!(draft(&options, &samples(&given)).unwrap(), text);
            }
            Err(DraftError::Cannot(CannotDraft::Empty | CannotDraft::Mixed)) => {}
            Err(error) => prop_assert!(false, "{error}: {}", json!(events)),
        }
    }

    #[test]
    fn any_samples_in_xml_and_forms_give_one_too(
        xml in prop::collection::vec(any_element(), 1..3),
        form in "((contact|events|data)?(\\[(email|id|0|1|nombre|type)\\]){0,2}=(ana%40b\\.mx|5512345678|Ana\\+Luna|a\\.updated|)&){1,8}",
        keeps: bool,
        in_files: bool,
    ) {
        let wrap = |element: &String| format!("<events><event>{element}</event></events>");
        let xml = xml.iter().map(|element| (wrap(element), "text/xml", "xml"));
        let form = [(form, "application/x-www-form-urlencoded", "form")];
        for (kind, bodies) in [xml.collect::<Vec<_>>(), form.to_vec()].into_iter().enumerate() {
            let given: Vec<Given> = bodies
                .into_iter()
                .enumerate()
                .map(|(index, (body, content_type, ending))| Given {
                    body: body.into_bytes(),
                    content_type,
                    event_file: in_files.then(|| format!("samples/{kind}-{index}.{ending}")),
                    ..Given::json(&format!("sample {index}"), &Value::Null)
                })
                .collect();
            let values = if keeps { Values::Kept } else { Values::Invented };
            match draft(&DraftOptions { values, ..OPTIONS }, &samples(&given)) {
                Ok(text) => prop_assert_eq!(findings(&text, &given, "my-crm"), [""; 0], "{}", text),
                // A name cannot be two things at once.
                Err(DraftError::Cannot(CannotDraft::Empty | CannotDraft::Unreadable { .. })) => {}
                Err(error) => prop_assert!(false, "{error}"),
            }
        }
    }

    #[test]
    fn no_text_of_a_sample_stands_outside_the_tests(event in any_value()) {
        let event = json!({"type": "contact.updated", "data": with_sentinels(&event)});
        let given = [Given::json("sample", &event)];
        let text = drafted(&given, &DraftOptions { values: Values::Kept, ..OPTIONS });
        prop_assert!(!before_tests(&text).contains("zqx"), "{}", text);
    }
}

/// The same with every text marked, but for those that say what kind of event or record it is.
fn with_sentinels(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(format!("{text}zqx")),
        Value::Array(list) => list.iter().map(with_sentinels).collect(),
        Value::Object(map) => {
            let marked = |(key, value): (&String, &Value)| match (key.as_str(), value) {
                ("type" | "event" | "entity", Value::String(_)) => (key.clone(), value.clone()),
                _ => (key.clone(), with_sentinels(value)),
            };
            Value::Object(map.iter().map(marked).collect())
        }
        other => other.clone(),
    }
}
