//! Whole drafts, checked as `check --strict` would.

mod properties;

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
fn a_school_in_spanish_becomes_a_draft_to_begin_with() {
    insta::assert_snapshot!(draft_of(&[school_event()]), @r#"
    # yaml-language-server: $schema=source.schema.json
    #
    # my-crm: a draft, made of a sample event by `quentli-gateway new`. Nobody has judged it yet.
    #
    # What to do next; docs/MAPPING.md explains the language:
    #   1. Read `rules`: is it the right customer, and does each field get the right value?
    #   2. Add what is missing. A list of everything in the samples stands below the rules.
    #   3. Say under `receive` how requests prove that they are genuine, and put the secret into the environment variable
    #      MY_CRM_SECRET of the gateway.
    #   4. Compare the tests at the end with what you want. Add an event of each kind. After each change run
    #      quentli-gateway check my-crm.yaml
    #   5. Register https://<your gateway>/webhooks/my-crm in the sending system.

    mapping: 1
    source: my-crm
    receive:
      # A keyed hash of the body, which most systems can send. Ask yours for the name of the header and for the encoding.
      verify:
        type: hmac                    # or `token` or `basic`, where a system cannot sign
        algorithm: sha256
        signature_header: X-Signature
        encoding: hex                 # or base64
      # Other ways: a preset, such as `verify: standard-webhooks`; `signature_format: {style: prefix, prefix: "sha256="}`; a
      # fixed token, `verify: {type: token, token_source: "header:X-Token"}`; user and password, `verify: {type: basic}`.
      secrets:
        - env: MY_CRM_SECRET
      # What numbers the events, so that one that is sent twice is applied once. It must be another for each event; if it is
      # not, name the parts that together are, such as `[id, updatedAt]`.
      dedup: [id_evento]
    timezone: America/Mexico_City   # of dates and times without an offset
    phone_region: MX                # of phone numbers without a country code
    otherwise: fail                 # what no rule takes waits for a person; `drop` lets it go

    rules:
      - name: alumno.actualizado
        when: evento == 'alumno.actualizado'
        # When it changed: an older change never overwrites a newer one.
        order_by: fecha_hora | day_first
        customer:
          find:                     # otherwise looked for, in this order
            # The username in Quentli, here my-crm-<number>; write it as yours are made.
            # Or: alumno.matricula
            - username: concat('my-crm-', tutor.id)
            - email: tutor.correo | lower
          on_missing: retry         # look again for seven days; or `fail`, `drop`, `create`
        set:
          # Or: alumno.nombre
          name: join(' ', tutor.nombre, tutor.apellido_paterno, tutor.apellido_materno) | squeeze | title
          email: tutor.correo | lower | email
          phoneNumber: tutor.celular | phone
          secondaryPhoneNumber:
            from: tutor.telefono_casa | phone
            on_error: skip          # one that nobody can read must not hold up the rest
          skipTaxInvoice: not (tutor.requiere_factura | bool)
          optedOutWhatsappAt: tutor.baja_whatsapp | day_first
          metadata:
            CURP: alumno.curp
            Grado: alumno.grado
            Grupo: alumno.grupo
            Matrícula: alumno.matricula
            # Or: plantel.nombre
            Plantel: plantel.codigo
            RFC: tutor.rfc

    # What the samples hold, and what it looks like. Add what you need to a rule: under `set`, or under `metadata` for
    # data of your own.
    #
    #   alumno.apellido_materno  code or word
    #   alumno.apellido_paterno  text
    #   alumno.curp              CURP
    #   alumno.fecha_nacimiento  date
    #   alumno.grado             number
    #   alumno.grupo             code or word
    #   alumno.matricula         code or word
    #   alumno.nombre            text
    #   evento                   code or word
    #   fecha_hora               date and time
    #   id_evento                code or word
    #   plantel.codigo           code or word
    #   plantel.nombre           text
    #   tutor.apellido_materno   text
    #   tutor.apellido_paterno   text
    #   tutor.baja_whatsapp      date
    #   tutor.celular            phone number
    #   tutor.correo             e-mail address
    #   tutor.direccion          text
    #   tutor.id                 number
    #   tutor.nombre             code or word
    #   tutor.notas              text
    #   tutor.requiere_factura   yes or no
    #   tutor.rfc                RFC
    #   tutor.telefono_casa      phone number

    tests:
      - name: sample 1
        event:
          alumno:
            apellido_materno: Mora
            apellido_paterno: Ríos
            curp: XEXX010101HNEXXXA4
            fecha_nacimiento: "13/02/2001"
            grado: 5
            grupo: B
            matricula: A-00001
            nombre: Elena
          evento: alumno.actualizado
          fecha_hora: "01/11/2026 10:00:05"
          id_evento: aa-1
          plantel:
            codigo: AAA-1
            nombre: Jorge Vega
          tutor:
            apellido_materno: SALAS
            apellido_paterno: RÍOS
            baja_whatsapp: "13/02/2001"
            celular: "5512340001"
            correo: persona1@correo.example
            direccion: Aa. Aaaaaaa Aaaa 001, Aaaaaaaaa
            id: 1000001
            nombre: ELENA
            notas: Aaaaaaaa aaa aa aaaaaa aaa aa aaaab
            requiere_factura: Sí
            rfc: XAXX010101000
            telefono_casa: "5512340002"
        found:                      # what Quentli would answer
          username=my-crm-1000001: cus_1
        expect:
          - customer: cus_1
            patch:
              name: Elena Ríos Salas
              email: persona1@correo.example
              phoneNumber: "+525512340001"
              secondaryPhoneNumber: "+525512340002"
              skipTaxInvoice: false
              optedOutWhatsappAt: "2001-02-13T06:00:00.000Z"
              metadata:
                - {key: CURP, value: XEXX010101HNEXXXA4}
                - {key: Grado, value: "5"}
                - {key: Grupo, value: B}
                - {key: Matrícula, value: A-00001}
                - {key: Plantel, value: AAA-1}
                - {key: RFC, value: XAXX010101000}
    "#);
}

#[test]
fn changes_of_one_property_each_become_fields_with_conditions() {
    let (_, given) = shipped()
        .into_iter()
        .find(|(name, _)| name == "hubspot")
        .unwrap();
    let options = DraftOptions {
        preset: Some("hubspot-v3"),
        ..OPTIONS
    };
    let text = drafted(&given, &options);
    insta::assert_snapshot!(before_tests(&text).split("mapping: 1\n").nth(1).unwrap(), @r"
    source: my-crm
    receive:
      # HubSpot, signature version 3: HMAC-SHA256 of method, public address, body and time
      # It signs the address it calls: give the gateway its `public_url`.
      verify: hubspot-v3
      secrets:
        - env: MY_CRM_SECRET
      # An event that is sent twice is known by portalId, subscriptionId, eventId, objectId, occurredAt, propertyName ?? '-': the preset says so.
    timezone: America/Mexico_City   # of dates and times without an offset
    phone_region: MX                # of phone numbers without a country code
    # One request carries several records; the rules see one at a time. `$` is the whole request.
    items: $[]
    otherwise: fail                 # what no rule takes waits for a person; `drop` lets it go

    rules:
      - name: contact.deletion
        when: subscriptionType == 'contact.deletion'
        drop: a customer stays in Quentli when the record is deleted

      - name: contact.propertyChange
        when: subscriptionType == 'contact.propertyChange'
        # When it changed: an older change never overwrites a newer one.
        order_by: occurredAt | unix_ms
        customer:
          find:                     # otherwise looked for, in this order
            # The username in Quentli, here my-crm-<number>; write it as yours are made.
            - username: concat('my-crm-', objectId)
          on_missing: retry         # look again for seven days; or `fail`, `drop`, `create`
        set:
          email:
            when: propertyName == 'email'
            from: propertyValue | lower | email
          phoneNumber:
            when: propertyName == 'phone'
            from: propertyValue | phone

      - name: contact.creation
        when: subscriptionType == 'contact.creation'
        drop: these events carry no data of a person who can be found in Quentli

    # What the samples hold, and what it looks like. Add what you need to a rule: under `set`, or under `metadata` for
    # data of your own. In a rule, paths begin at the record, below `items`.
    #
    #   [].portalId          number
    #   [].appId             number
    #   [].occurredAt        time since 1970
    #   [].attemptNumber     number
    #   [].eventId           number
    #   [].subscriptionId    number
    #   [].subscriptionType  code or word
    #   [].objectId          number
    #   [].changeSource      code or word
    #   [].changeFlag        code or word
    #   [].propertyName      code or word
    #   [].propertyValue     blank, e-mail address, phone number
    #   [].sourceId          code or word
    ");
}

#[test]
fn lists_of_guardians_become_one_update_each() {
    let (_, given) = shipped()
        .into_iter()
        .find(|(name, _)| name == "school-system")
        .unwrap();
    insta::assert_snapshot!(rules(&drafted(&given, &OPTIONS)), @r"
    - name: ping
      when: type == 'ping'
      drop: connection test

    - name: family.created and family.updated
      when: type in ['family.created', 'family.updated']
      # One update for each of these. In it `^` goes one level up; `only: …` leaves some out.
      each: guardians[]
      # When it changed: an older change never overwrites a newer one.
      order_by: ^.occurredAt | datetime
      customer:
        # The customer's id in Quentli, where it is known.
        id: quentliId
        find:                     # otherwise looked for, in this order
          # The username in Quentli, here my-crm-<number>; write it as yours are made.
          - username: concat('my-crm-', id)
          - email: email | lower
        on_missing: retry         # look again for seven days; or `fail`, `drop`, `create`
      set:
        name: fullName | squeeze | title
        email: email | lower | email
        phoneNumber:
          from: phones[type='mobile'].number | phone
          on_error: skip          # one that nobody can read must not hold up the rest
        secondaryPhoneNumber:
          from: phones[type='work'].number | phone
          on_error: skip          # one that nobody can read must not hold up the rest
        skipTaxInvoice: not (needsInvoice | bool)
        optedOutWhatsappAt:
          # An opt-out must not be lost: one without its date waits for a person.
          cases:
            - when: whatsapp.optOut | bool
              from: whatsapp.optOutAt | default('no date') | day_first
            - when: not (whatsapp.optOut | bool)
              value: null           # opted in again: clear
        metadata:
          Plantel: ^.school.code
          # Or: ^.students[].level
          Nivel: join(', ', ^.school.levels[])
          Grado: join(', ', ^.students[].grade)
          Grupo: join(', ', ^.students[].group)
          RFC: attributes[name='rfc'].value
    ");
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
fn what_a_sender_proves_itself_with_is_never_written() {
    let event = json!({
        "type": "contact.updated", "token": "s3cr3t-t0ken", "data": {"id": "c-1", "name": "Ana Luna", "webhook_secret": "hush-hush"},
    });
    let given = [Given::json("sample", &event)];
    for values in [Values::Invented, Values::Kept] {
        let text = drafted(&given, &DraftOptions { values, ..OPTIONS });
        assert!(!text.contains("s3cr3t") && !text.contains("hush"), "{text}");
    }
    assert!(drafted(&given, &OPTIONS).contains("  secrets:\n    - env: MY_CRM_SECRET\n"));
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
fn the_samples_may_propose_a_preset() {
    for (system, proposed) in [
        ("hubspot", Some("hubspot-v3")),
        ("intercom", Some("intercom")),
        ("close", Some("close")),
        ("pipedrive", Some("pipedrive")),
        ("zoho-crm", Some("zoho-crm")),
        ("moodle", Some("moodle")),
        ("standard-webhooks", Some("standard-webhooks")),
        ("school-system", None),
        ("avela", None),
        ("kommo", None),
    ] {
        let (_, given) = shipped()
            .into_iter()
            .find(|(name, _)| name == system)
            .unwrap();
        let text = drafted(&given, &OPTIONS);
        let line = text
            .lines()
            .find(|line| line.contains("If they are, write"));
        assert_eq!(line.is_some(), proposed.is_some(), "{system}");
        if let (Some(line), Some(proposed)) = (line, proposed) {
            assert!(line.contains(&format!("`verify: {proposed}`")), "{line}");
            let options = DraftOptions {
                preset: Some(proposed),
                ..OPTIONS
            };
            let text = drafted(&given, &options);
            assert!(
                text.contains(&format!("\n  verify: {proposed}\n")),
                "{text}"
            );
            assert_eq!(findings(&text, &given, "my-crm"), [""; 0], "{system}");
        }
    }
}

#[test]
fn every_mark_names_a_preset() {
    for (preset, _) in MARKS {
        assert!(presets::find(preset).is_some(), "{preset}");
    }
}

#[test]
fn a_draft_with_any_preset_passes_a_strict_check() {
    let given = [Given::json("sample", &school_event())];
    for preset in presets::all() {
        let options = DraftOptions {
            preset: Some(preset.name),
            ..OPTIONS
        };
        let text = drafted(&given, &options);
        assert_eq!(
            findings(&text, &given, "my-crm"),
            [""; 0],
            "{}",
            preset.name
        );
    }
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
