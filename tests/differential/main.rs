//! The compiled mapping against the same mapping written by hand: what a person would have programmed is what the
//! language must give, on any event, with missing, null, blank, odd and wrong values.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use jiff::Timestamp;
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::select,
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};
use quentli_gateway::{
    customer::FindBy,
    event::ItemOutcome,
    mapping::{Input, Mapping, UnreadableSamples},
    source::SourceFile,
};
use serde_json::{Map, Value, json};

#[path = "../../benches/mapping/hand_written.rs"]
mod hand_written;

use hand_written::{Outcome, Update};

fn mapping() -> Mapping {
    let file = SourceFile::check(
        "family.yaml",
        "family",
        include_str!("../../benches/mapping/family.yaml").to_owned(),
        &|_| Ok(include_bytes!("../../benches/mapping/family.json").to_vec()),
        UnreadableSamples::Refuse,
    );
    file.checked
        .expect("the mapping of the benchmark passes its tests")
        .into_mapping()
}

/// What the compiled mapping gives, in the words of the other.
fn compiled(mapping: &Mapping, body: &[u8]) -> Vec<Outcome> {
    let mapped = mapping.map(&Input {
        body,
        content_type: None,
        headers: &[],
        now: Timestamp::MAX,
    });
    let outcomes = mapped.items.into_iter().flat_map(|item| item.outcomes);
    outcomes
        .map(|outcome| match outcome {
            ItemOutcome::Update(update) => {
                let (mut username, mut email) = (None, None);
                for line in update.customer.find {
                    match line {
                        FindBy::Username(value) => username = Some(value),
                        FindBy::Email(value) => email = Some(value),
                        FindBy::Metadata { .. } => unreachable!("no line of the file asks for it"),
                    }
                }
                Outcome::Update(Update {
                    id: update.customer.id.map(String::from),
                    username,
                    email,
                    order_by: update.order_by.map(|order_by| order_by.0),
                    patch: serde_json::to_value(&update.patch).unwrap(),
                    warnings: update.warnings.len(),
                })
            }
            ItemOutcome::Drop { reason, .. } => Outcome::Drop(match reason.as_str() {
                "connection test" => "connection test",
                "nothing selected" => "nothing selected",
                other => panic!("dropped: {other}"),
            }),
            ItemOutcome::Fail(_) => Outcome::Fail,
        })
        .collect()
}

/// One of these values; now and then a text that does not fit, null, blank, a number, or something of another kind.
fn odd(
    usual: &'static [&'static str],
    unfit: &'static [&'static str],
) -> impl Strategy<Value = Value> {
    prop_oneof![
        90 => select(usual).prop_map(Value::from),
        3 => select(unfit).prop_map(Value::from),
        3 => Just(Value::Null),
        2 => select(&["", " ", "\u{a0}"][..]).prop_map(Value::from),
        1 => (0..99_999_999_999_i64).prop_map(Value::from),
        1 => select(vec![json!(true), json!([]), json!(["x"]), json!({}), json!({"x": 1})]),
    ]
}

/// An object of the keys that are there.
fn object(keys: Vec<(&'static str, Option<Value>)>) -> Value {
    let there = keys
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(there.collect::<Map<_, _>>())
}

fn phones() -> impl Strategy<Value = Value> {
    const NUMBERS: [&str; 8] = [
        "55 1234 5678",
        "+52 1 55 1234 5678",
        "(55) 8765-4321",
        "044 81 8345 6789",
        "01 33 3615 0000",
        "0052 55 5555 0199",
        "525512345678",
        "+1 212 555 2368",
    ];
    const UNFIT: [&str; 4] = ["55-98", "ext. 14", "0000000000", "55 1234 5678 ext 2"];
    let phone = (
        option::weighted(0.95, odd(&["mobile", "work", "home"], &["fax"])),
        option::weighted(0.9, odd(&NUMBERS, &UNFIT)),
    );
    vec(
        phone.prop_map(|(kind, number)| object(vec![("type", kind), ("number", number)])),
        0..5,
    )
    .prop_map(Value::from)
}

fn whatsapp() -> impl Strategy<Value = Value> {
    let flag = prop_oneof![
        8 => any::<bool>().prop_map(Value::from),
        1 => select(vec![json!(null), json!("true"), json!(1)]),
    ];
    let time = odd(
        &["15/01/2026 04:30", "01/07/1999 23:59"],
        &[
            "1/1/2026 4:30",
            "31/02/2026 10:00",
            "03/04/2022 02:30",
            "2026-01-15",
        ],
    );
    (option::weighted(0.9, flag), option::weighted(0.9, time))
        .prop_map(|(flag, time)| object(vec![("optOut", flag), ("optOutAt", time)]))
}

fn guardian() -> impl Strategy<Value = Value> {
    const NAMES: [&str; 7] = [
        "maría guadalupe  PÉREZ DE LA CRUZ ",
        "JUAN CARLOS HERNÁNDEZ Y GÓMEZ",
        "De la O",
        "ñandú",
        "ana",
        " ÁNGELES DEL RÍO",
        "O\u{2019}Brien",
    ];
    const ADDRESSES: [&str; 3] = [
        " Maria.Perez@Example.COM",
        "ana@x.mx",
        "ÑANDÚ@Correo.example",
    ];
    const UNFIT: [&str; 4] = ["nobody", "a@b", "a b@c.mx", "a@b..mx"];
    let attribute = (
        odd(&["rfc", "banco", "guardianId", "Grado"], &["apodo"]),
        option::weighted(0.9, odd(&["PEGJ800101AB1", " x "], &["y"])),
    );
    let attributes = vec(
        attribute.prop_map(|(name, value)| object(vec![("name", Some(name)), ("value", value)])),
        0..4,
    );
    let names = (
        option::weighted(
            0.95,
            odd(&["PAYER", "CO_PAYER", "PAYER", "EMERGENCY"], &["payer"]),
        ),
        option::weighted(0.95, odd(&["G-1"], &[" 7 "])),
        option::weighted(0.8, odd(&["cus_1234567890abcdefghij"], &[" cus_2 "])),
        option::weighted(0.9, odd(&NAMES, &["x"])),
        option::weighted(0.9, odd(&ADDRESSES, &UNFIT)),
    );
    let details = (
        option::weighted(0.9, phones()),
        option::weighted(0.8, odd(&["Sí", "NO", "si", "1"], &["quizá"])),
        option::weighted(0.8, odd(&["no", "on", "verdadero"], &["nunca"])),
        option::weighted(0.8, whatsapp()),
        option::weighted(0.8, attributes.prop_map(Value::from)),
    );
    (names, details).prop_map(|(names, details)| {
        let (role, id, quentli_id, name, email) = names;
        let (phones, invoice, assistant, whatsapp, attributes) = details;
        object(vec![
            ("role", role),
            ("id", id),
            ("quentliId", quentli_id),
            ("fullName", name),
            ("email", email),
            ("phones", phones),
            ("needsInvoice", invoice),
            ("prefs", Some(object(vec![("assistant", assistant)]))),
            ("whatsapp", whatsapp),
            ("attributes", attributes),
        ])
    })
}

fn event() -> impl Strategy<Value = Value> {
    let student = (
        option::weighted(0.95, odd(&["A-1029", "C-3"], &[" B "])),
        option::weighted(0.9, odd(&["5", "2"], &["x"])),
        option::weighted(0.9, odd(&["a", "c"], &["ß"])),
        option::weighted(0.9, odd(&["ACTIVE", "WITHDRAWN"], &["active"])),
    );
    let students = vec(
        student.prop_map(|(id, grade, group, status)| {
            object(vec![
                ("id", id),
                ("grade", grade),
                ("group", group),
                ("status", status),
            ])
        }),
        0..4,
    );
    let levels = vec(odd(&["PRI", "SEC", " PREP"], &["KINDER"]), 0..3);
    (
        option::weighted(0.97, odd(&["family.updated", "family.created"], &["ping"])),
        option::weighted(
            0.8,
            odd(
                &["2026-01-15T10:30:00.250-06:00", "2026-01-15T10:30:00Z"],
                &["soon"],
            ),
        ),
        option::weighted(0.9, odd(&["AGUILAS-DV"], &[" AGUILAS "])),
        option::weighted(0.9, levels.prop_map(Value::from)),
        option::weighted(0.9, students.prop_map(Value::from)),
        option::weighted(0.95, vec(guardian(), 0..4).prop_map(Value::from)),
    )
        .prop_map(|(kind, at, code, levels, students, guardians)| {
            object(vec![
                ("type", kind),
                ("occurredAt", at),
                (
                    "school",
                    Some(object(vec![("code", code), ("levels", levels)])),
                ),
                ("students", students),
                ("guardians", guardians),
            ])
        })
}

#[test]
fn the_language_gives_what_a_person_would_have_written_by_hand() {
    let mapping = mapping();
    let mut kinds = [0_usize; 3];
    let mut runner = TestRunner::new(Config {
        source_file: Some(file!()),
        ..Config::with_cases(2_000)
    });
    let result = runner.run(&event(), |event| {
        let body = event.to_string();
        let by_hand = hand_written::map(body.as_bytes());
        prop_assert_eq!(compiled(&mapping, body.as_bytes()), by_hand);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    // The comparison is worth something only where every kind of outcome is common.
    for body in sampled(500) {
        for outcome in compiled(&mapping, body.as_bytes()) {
            match outcome {
                Outcome::Update(_) => kinds[0] += 1,
                Outcome::Drop(_) => kinds[1] += 1,
                Outcome::Fail => kinds[2] += 1,
            }
        }
    }
    assert!(kinds.iter().all(|count| *count > 50), "{kinds:?}");
}

/// So many events, always the same.
fn sampled(count: usize) -> Vec<String> {
    let mut runner = TestRunner::deterministic();
    let strategy = event();
    (0..count)
        .map(|_| {
            strategy
                .new_tree(&mut runner)
                .unwrap()
                .current()
                .to_string()
        })
        .collect()
}
