//! Whole drafts, checked as `check --strict` would.

mod properties;
mod receive;
mod whole;

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::{Value, json};

use super::*;

/// Samples that are owned, so that they are easily made.
struct Given {
    name: String,
    body: Vec<u8>,
    content_type: &'static str,
    event_file: Option<String>,
}

impl Given {
    fn json(name: &str, body: &Value) -> Self {
        Self {
            name: name.to_owned(),
            body: body.to_string().into_bytes(),
            content_type: "application/json",
            event_file: None,
        }
    }
}

fn samples(given: &[Given]) -> Vec<Sample<'_>> {
    given
        .iter()
        .map(|given| Sample {
            name: &given.name,
            body: &given.body,
            content_type: Some(given.content_type),
            event_file: given.event_file.as_deref(),
        })
        .collect()
}

const OPTIONS: DraftOptions<'_> = DraftOptions {
    source: "my-crm",
    path: None,
    preset: None,
    values: Values::Invented,
};

fn drafted(given: &[Given], options: &DraftOptions<'_>) -> String {
    draft(options, &samples(given)).unwrap_or_else(|error| panic!("{error}"))
}

/// The draft of events that are written into it.
fn draft_of(events: &[Value]) -> String {
    let number = |(index, event)| Given::json(&format!("sample {}", index + 1), event);
    let given: Vec<Given> = events.iter().enumerate().map(number).collect();
    drafted(&given, &OPTIONS)
}

/// What `check --strict` finds.
fn findings(text: &str, given: &[Given], source: &str) -> Vec<String> {
    let read = |path: &str| {
        let named = given
            .iter()
            .find(|given| given.event_file.as_deref() == Some(path));
        named
            .map(|given| given.body.clone())
            .ok_or_else(|| std::io::ErrorKind::NotFound.into())
    };
    let shown = format!("{source}.yaml");
    let file = SourceFile::check(
        &shown,
        source,
        text.to_owned(),
        &read,
        UnreadableSamples::Refuse,
    );
    render_lines(&file.findings)
}

/// The part of a draft that is not tests.
fn before_tests(text: &str) -> &str {
    text.split("\ntests:\n").next().unwrap()
}

/// Its rules alone.
fn rules(text: &str) -> &str {
    let rules = text.split("\nrules:\n").nth(1).unwrap();
    rules.split("\n# What the samples hold").next().unwrap()
}

/// The shipped samples, by system.
fn shipped() -> Vec<(String, Vec<Given>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("mappings/samples");
    let mut systems: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    systems.sort();
    systems.retain(|path| path.is_dir());
    let read = |system: &PathBuf| {
        let name = system.file_name().unwrap().to_str().unwrap().to_owned();
        let mut files: Vec<PathBuf> = fs::read_dir(system)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let given = files
            .iter()
            .map(|file| Given {
                name: file.file_stem().unwrap().to_str().unwrap().to_owned(),
                body: fs::read(file).unwrap(),
                content_type: match file.extension().unwrap().to_str().unwrap() {
                    "form" => "application/x-www-form-urlencoded",
                    "xml" => "text/xml",
                    _ => "application/json",
                },
                event_file: Some(format!(
                    "samples/{name}/{}",
                    file.file_name().unwrap().to_str().unwrap()
                )),
            })
            .collect();
        (name, given)
    };
    systems.iter().map(read).collect()
}

/// An event of a school, with every kind of value that is about a person.
fn school_event() -> Value {
    json!({
        "evento": "alumno.actualizado",
        "id_evento": "ev-1",
        "fecha_hora": "01/11/2026 10:00:05",
        "alumno": {
            "matricula": "Z-98712", "nombre": "Zacarías", "apellido_paterno": "Quiñones", "apellido_materno": "Ybarra",
            "grado": 5, "grupo": "B", "curp": "QUYZ140220HNLRNG04", "fecha_nacimiento": "20/02/2014",
        },
        "tutor": {
            "id": 7_733_551, "nombre": "WENCESLAO", "apellido_paterno": "QUIÑONES", "apellido_materno": "DE LA O",
            "correo": "Wences@Example.com", "celular": "044 55 8899 7766", "telefono_casa": "81 8765 4321",
            "rfc": "QUOW800101AB1", "requiere_factura": "Sí", "baja_whatsapp": "15/01/2026",
            "direccion": "Av. Siempre Viva 742, Monterrey", "notas": "Prefiere que le llamen por la tarde",
        },
        "plantel": {"codigo": "NTE-7", "nombre": "Plantel Norte"},
    })
}

#[test]
fn the_samples_of_every_system_give_a_draft_that_passes_a_strict_check() {
    let systems = shipped();
    assert!(systems.len() >= 14, "{}", systems.len());
    for (name, mut given) in systems {
        let options = DraftOptions {
            source: &name,
            ..OPTIONS
        };
        assert_eq!(
            findings(&drafted(&given, &options), &given, &name),
            [""; 0],
            "{name}, from files"
        );
        for sample in &mut given {
            sample.event_file = None;
        }
        for values in [Values::Invented, Values::Kept] {
            let options = DraftOptions { values, ..options };
            assert_eq!(
                findings(&drafted(&given, &options), &given, &name),
                [""; 0],
                "{name}, {values:?}"
            );
        }
    }
}

/// Everything in an event that is about a person.
fn personal(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(map) => map.values().flat_map(personal).collect(),
        Value::Array(list) => list.iter().flat_map(personal).collect(),
        Value::String(text) => [text.clone()].into(),
        Value::Number(number) if number.to_string().len() > 2 => [number.to_string()].into(),
        _ => BTreeSet::new(),
    }
}

#[test]
fn nothing_of_a_person_stands_outside_the_tests_and_nothing_at_all_unless_asked() {
    let event = school_event();
    let vocabulary = ["alumno.actualizado", "Sí", "B"];
    let given = [Given::json("sample", &event)];
    let invented = drafted(&given, &OPTIONS);
    let kept = drafted(
        &given,
        &DraftOptions {
            values: Values::Kept,
            ..OPTIONS
        },
    );
    let values = personal(&event);
    assert!(values.len() > 20);
    for value in values
        .iter()
        .filter(|value| !vocabulary.contains(&value.as_str()))
    {
        assert!(!before_tests(&kept).contains(value.as_str()), "{value}");
        assert!(kept.contains(value.as_str()), "{value} is not kept");
        // The time of the event tells nothing about anybody.
        let stays = value == "01/11/2026 10:00:05";
        assert_eq!(invented.contains(value.as_str()), stays, "{value}");
    }
}

#[test]
fn a_test_says_what_its_sample_is_where_the_ending_does_not() {
    let part = |name: &str, value: &str| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = [
        part("id", "C-4711"),
        part("correo", "ana@correo.example"),
        "--x--\r\n".to_owned(),
    ]
    .concat();
    let given = [Given {
        body: body.into_bytes(),
        content_type: "multipart/form-data; boundary=x",
        event_file: Some("samples/contact.multipart".to_owned()),
        ..Given::json("sample", &Value::Null)
    }];
    let text = drafted(&given, &OPTIONS);
    assert!(
        text.contains("    content_type: multipart/form-data; boundary=x\n"),
        "{text}"
    );
    assert!(
        text.contains("      email: correo | lower | email\n"),
        "{text}"
    );
    assert_eq!(findings(&text, &given, "my-crm"), [""; 0]);
}

#[test]
fn what_is_no_use_is_refused_with_a_reason() {
    let refusal = |events: &[&str]| {
        let given: Vec<Given> = events
            .iter()
            .map(|body| Given {
                body: body.as_bytes().to_vec(),
                ..Given::json("sample", &Value::Null)
            })
            .collect();
        draft(&OPTIONS, &samples(&given)).unwrap_err().to_string()
    };
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(60), "]".repeat(60));
    let list = |entry: &str, times: usize| format!("[{}]", vec![entry; times].join(","));
    let long = list(r#"{"a": 1}"#, 20_001);
    let many = list(r#"{"id": 1, "email": "ana@b.mx"}"#, 501);
    let key = |number: usize| format!("\"{}{number}\": 1", "x".repeat(900));
    let wordy = format!("{{{}}}", (0..1_500).map(key).collect::<Vec<_>>().join(","));
    for (events, reason) in [
        (vec![], "at least one sample"),
        (vec!["{}"], "nothing that has a name and a value"),
        (vec!["[]"], "nothing that has a name and a value"),
        (vec!["[1, 2]"], "nothing that has a name and a value"),
        (vec!["5"], "nothing that has a name and a value"),
        (vec!["{\"a\": 1}", "[{\"a\": 1}]"], "one draft of each kind"),
        (vec!["{"], "sample: not JSON"),
        (vec![deep.as_str()], "too large or too deep"),
        (vec![long.as_str()], "too large or too deep"),
        (vec![many.as_str()], "fewer samples, or shorter ones"),
        (vec![wordy.as_str()], "fewer samples, or shorter ones"),
    ] {
        let found = refusal(&events);
        assert!(found.contains(reason), "{events:?}: {found}");
    }
    for (options, reason) in [
        (
            DraftOptions {
                source: "My CRM",
                ..OPTIONS
            },
            "is not a name",
        ),
        (
            DraftOptions {
                preset: Some("hubspot"),
                ..OPTIONS
            },
            "no preset `hubspot`",
        ),
    ] {
        let given = [Given::json("sample", &json!({"a": 1}))];
        let found = draft(&options, &samples(&given)).unwrap_err().to_string();
        assert!(found.contains(reason), "{found}");
    }
}
