//! What names and shapes suggest, each in a table. Whole drafts are tested where `receive` is known.

use super::{
    data::Data,
    gather::Gathered,
    guess::{Form, Proposal, propose},
    shape::{Moment, Shape},
    spot::{Origin, is_data},
    words::{self, Meaning},
};
use crate::mapping::tree::read_json;

/// What a record is proposed to become, a line for each field, in the order in which they are written.
fn proposed(json: &str) -> Vec<String> {
    let tree = data(json);
    lines(&propose(&gathered(&[&tree])))
}

fn data(json: &str) -> Data {
    Data::of(&read_json(json.as_bytes()).unwrap())
}

fn gathered<'t>(records: &[&'t Data]) -> Gathered<'t> {
    let mut gathered = Gathered::default();
    for (number, record) in records.iter().enumerate() {
        gathered.add(Origin::Here, number, record, true, &[]);
    }
    gathered
}

fn lines(proposal: &Proposal) -> Vec<String> {
    let single = |name: &str, choice: &Option<super::guess::Choice>| {
        let choice = choice.as_ref()?;
        Some(format!("{name}: {}", choice.expression))
    };
    let fields = proposal
        .fields
        .iter()
        .chain(&proposal.metadata)
        .map(|field| {
            let form = match &field.form {
                Form::Plain(from) => from.clone(),
                Form::Long {
                    when,
                    from,
                    skips_null,
                    skips_errors,
                } => {
                    let when = when
                        .as_ref()
                        .map(|when| format!(" when {when}"))
                        .unwrap_or_default();
                    let null = if *skips_null { " skip null" } else { "" };
                    let errors = if *skips_errors { " skip errors" } else { "" };
                    format!("{from}{when}{null}{errors}")
                }
                Form::Since { flag, from } => format!("{from} if {flag}"),
            };
            format!("{}: {form}", field.name)
        });
    [
        single("id", &proposal.id),
        single("number", &proposal.number),
        single("order_by", &proposal.order_by),
    ]
    .into_iter()
    .flatten()
    .chain(fields)
    .collect()
}

#[test]
fn names_are_cut_into_plain_words() {
    for (name, expected) in [
        ("correoElectronico", "correo electronico"),
        ("CORREO_ELECTRÓNICO", "correo electronico"),
        ("Correo electrónico", "correo electronico"),
        ("emailaddress1", "emailaddress 1"),
        ("RFCTutor", "rfc tutor"),
        ("Matricula__c", "matricula"),
        ("telefono-2", "telefono 2"),
        ("__c", "c"),
        ("Año", "ano"),
        ("", ""),
    ] {
        assert_eq!(words::words(name).join(" "), expected, "{name}");
    }
}

#[test]
fn names_in_spanish_and_english_suggest_a_meaning() {
    for (meaning, names) in [
        (
            Meaning::FullName,
            "nombre_completo nombreCompleto fullName FULL_NAME displayName nombrecompleto",
        ),
        (
            Meaning::Name,
            "nombre Nombres name contact_name nombre_tutor",
        ),
        (
            Meaning::GivenName,
            "first_name firstname FirstName givenName primer_nombre tutor_first_name",
        ),
        (Meaning::MiddleName, "middle_name segundoNombre"),
        (
            Meaning::FamilyName,
            "last_name lastname Apellidos apellido surname familyName",
        ),
        (
            Meaning::PaternalName,
            "apellido_paterno apellidoPaterno primer_apellido paterno",
        ),
        (
            Meaning::MaternalName,
            "apellido_materno ApellidoMaterno segundo_apellido materno",
        ),
        (
            Meaning::Email,
            "email e-mail correo correos correo_electronico mail emailaddress1 email_address correo_tutor contactEmail",
        ),
        (
            Meaning::Mobile,
            "celular celulares cel movil móvil whatsapp mobile MobilePhone mobilephone cell telefono_celular",
        ),
        (
            Meaning::Phone,
            "telefono Teléfono tel phone phone_number telefono_tutor",
        ),
        (
            Meaning::OtherPhone,
            "telefono_casa home_phone phone2 telefono2 secondary_phone work_phone landline",
        ),
        (
            Meaning::WantsInvoice,
            "requiere_factura requiereFactura needsInvoice factura necesita_factura",
        ),
        (
            Meaning::SkipsInvoice,
            "skipTaxInvoice sin_factura no_requiere_factura",
        ),
        (
            Meaning::OptOut,
            "whatsapp_baja opt_out optedOutAt unsubscribed no_contactar",
        ),
        (
            Meaning::Identity,
            "id contact_id contactId id_alumno folio ObjectId clave",
        ),
        (
            Meaning::EventId,
            "event_id eventId notification_id id_evento",
        ),
        (
            Meaning::Changed,
            "updated_at updatedAt last_modified fecha_actualizacion timestamp occurredAt fecha_hora",
        ),
        (
            Meaning::EventType,
            "type event eventType topic subscriptionType action tipo evento MessageName",
        ),
        (
            Meaning::Entity,
            "entity object_type module entidad PrimaryEntityName",
        ),
        (Meaning::Metadata("Grado"), "grado grade"),
        (Meaning::Metadata("Grupo"), "grupo group"),
        (Meaning::Metadata("Plantel"), "plantel campus"),
        (Meaning::Metadata("Nivel"), "nivel level"),
        (
            Meaning::Metadata("Matrícula"),
            "matricula matrícula Matricula__c student_id",
        ),
        (Meaning::Metadata("CURP"), "curp CURP curp_alumno"),
        (Meaning::Metadata("RFC"), "rfc RFC taxId"),
    ] {
        for name in names.split(' ') {
            let found = words::meanings(&words::words(name));
            assert!(
                found.iter().any(|guess| guess.meaning == meaning),
                "{name} is not {meaning:?}: {found:?}"
            );
        }
    }
    for name in [
        "email_verified",
        "phone_type",
        "telefono_tipo",
        "email_opt_out",
        "user_name",
        "file_name",
        "account_id",
        "color",
        "address",
        "nombre_empresa",
        "mailing_list_count",
        "",
    ] {
        let found = words::meanings(&words::words(name));
        let is_field = |meaning| {
            !matches!(
                meaning,
                Meaning::EventType | Meaning::Entity | Meaning::OptOut | Meaning::Changed
            )
        };
        assert!(
            found.iter().all(|guess| !is_field(guess.meaning)),
            "{name}: {found:?}"
        );
    }
}

#[test]
fn values_have_shapes() {
    for (json, shape) in [
        ("null", Shape::Null),
        ("\" \"", Shape::Blank),
        ("true", Shape::Bool),
        ("\"ana@b.mx\"", Shape::Email),
        ("\"55 1234 5678\"", Shape::Phone),
        ("\"044 55 1234 5678\"", Shape::Phone),
        ("5512345678", Shape::Phone),
        ("\"55-98\"", Shape::Text),
        ("\"GALM850523MDFRRR09\"", Shape::Curp),
        ("\"PEGJ800101AB1\"", Shape::Rfc),
        ("\"ABC800101AB1\"", Shape::Rfc),
        ("\"cus_1234567890\"", Shape::CustomerId),
        ("\"1f81eb52-5198-4599-803e-771906343485\"", Shape::Uuid),
        ("\"https://a.mx/b\"", Shape::Url),
        ("\"2026-01-15T10:30:00Z\"", Shape::DateTime),
        ("\"15/01/2026 04:30\"", Shape::DateTime),
        ("\"15/01/2026\"", Shape::Date),
        ("\"2026-01-15\"", Shape::Date),
        ("1736937000", Shape::Unix),
        ("\"1736937000123\"", Shape::Unix),
        ("\"Sí\"", Shape::YesNo),
        ("\"no\"", Shape::YesNo),
        ("8450.00", Shape::Number),
        ("\"0\"", Shape::Number),
        ("\"A-1029\"", Shape::Code),
        ("\"contact.updated\"", Shape::Code),
        ("\"Ana Luna\"", Shape::Text),
        ("[]", Shape::List),
        ("{}", Shape::Object),
    ] {
        assert_eq!(Shape::of(&data(json)), shape, "{json}");
    }
}

#[test]
fn times_are_read_in_the_one_form_that_fits_all() {
    for (json, transform) in [
        (
            r#"["2026-01-15T10:30:00Z", "2026-01-15 10:30"]"#,
            Some("datetime"),
        ),
        (
            r#"["15/01/2026 04:30", "01/02/2026 10:00"]"#,
            Some("day_first"),
        ),
        (r#"["01/02/2026"]"#, Some("day_first")),
        (
            r#"["01/02/2026", "01/15/2026"]"#,
            Some("datetime('MM/DD/YYYY')"),
        ),
        (r#"["01/15/2026", "15/01/2026"]"#, None),
        (r#"["20260115"]"#, Some("datetime('YYYYMMDD')")),
        (r#"["/Date(1736937000000)/"]"#, Some("datetime")),
        (r#"["15 de enero de 2026, 4:30 p. m."]"#, Some("day_first")),
        // `datetime` takes no number.
        ("[20260115]", None),
        ("[1736937000, 1736937001]", Some("unix_s")),
        (r#"["1736937000123"]"#, Some("unix_ms")),
        ("[1736937000, 1736937000123]", None),
        (r#"["yesterday"]"#, None),
        ("[]", None),
    ] {
        let tree = data(json);
        let Data::List(values) = &tree else {
            panic!("{json}")
        };
        let moment = Moment::of(&values.iter().collect::<Vec<_>>());
        assert_eq!(
            moment
                .map(|moment| moment.transform().into_owned())
                .as_deref(),
            transform,
            "{json}"
        );
    }
}

#[test]
fn keys_that_are_values_are_known() {
    for key in [
        "ana@b.mx",
        "5512345678",
        "3652397000000649013",
        "PEGJ800101AB1",
        "1f81eb52-5198-4599-803e-771906343485",
        "A-10293",
    ] {
        assert!(is_data(key), "{key}");
    }
    for key in [
        "email",
        "phone2",
        "address1",
        "ab12cd34ef56ab12cd34ef56ab12cd34ef56ab12",
        "field_12",
        "año 2026",
    ] {
        assert!(!is_data(key), "{key}");
    }
}

#[test]
fn records_become_fields() {
    for (json, expected) in [
        (
            r#"{"id": 7, "nombre": "ana", "apellidos": "LUNA", "correo": "a@b.mx", "celular": "55 1234 5678", "requiere_factura": "No", "grado": 5}"#,
            vec![
                "number: id",
                "name: join(' ', nombre, apellidos) | squeeze | title",
                "email: correo | lower | email",
                "phoneNumber: celular | phone",
                "skipTaxInvoice: not (requiere_factura | bool)",
                "Grado: grado",
            ],
        ),
        (
            r#"{"type": "x", "id": "ev-1", "updated_at": 1736937000, "data": {"contact_id": "c-1", "full_name": "Ana Luna", "first_name": "Ana", "last_name": "Luna", "mail": "a@b.mx"}}"#,
            vec![
                "number: data.contact_id",
                "order_by: updated_at | unix_s",
                "name: data.full_name | squeeze | title",
                "email: data.mail | lower | email",
            ],
        ),
        // A name that already holds the family name is whole.
        (
            r#"{"name": "Ana Luna", "last_name": "Luna", "email": "a@b.mx"}"#,
            vec![
                "name: name | squeeze | title",
                "email: email | lower | email",
            ],
        ),
        // Values veto a name: neither an address nor a number nor a name is there.
        (
            r#"{"id": 1, "email": "yes", "telefono": "pedir en recepción", "name": "CONTACT_UPDATED", "correo": "a@b.mx"}"#,
            vec!["number: id", "email: correo | lower | email"],
        ),
        // What nobody confirmed is not proposed: it would clear the field.
        (
            r#"{"id": 1, "email": null, "celular": "", "nombre": "Ana Luna"}"#,
            vec!["number: id", "name: nombre | squeeze | title"],
        ),
        // The old state, the school's and the employee's data are not the person's.
        (
            r#"{"new": {"id": 1, "email": "a@b.mx"}, "old": {"email": "b@b.mx"}, "plantel": {"nombre": "Norte", "telefono": "5512345678"}, "owner": {"email": "c@b.mx"}}"#,
            vec![
                "number: new.id",
                "email: new.email | lower | email",
                "Plantel: plantel.nombre",
            ],
        ),
        // Contact points are told apart by their kinds.
        (
            r#"{"id": 1, "phones": [{"type": "home", "number": "81 1234 5678"}, {"type": "mobile", "number": "55 1234 5678"}], "emails": [{"value": "a@b.mx", "primary": false}, {"value": "b@b.mx", "primary": true}]}"#,
            vec![
                "number: id",
                "email: emails[primary=true].value | lower | email",
                "phoneNumber: phones[type='mobile'].number | phone",
                "secondaryPhoneNumber: phones[type='home'].number | phone skip errors",
            ],
        ),
        // Keys with their values are told apart by the key.
        (
            r#"{"id": 1, "fields": [{"code": "EMAIL", "values": [{"value": "a@b.mx"}]}, {"code": "COLOR", "values": [{"value": "red"}]}]}"#,
            vec![
                "number: id",
                "email: fields[code='EMAIL'].values[0].value | lower | email",
            ],
        ),
        (
            r#"{"id": 1, "correo": "a@b.mx", "whatsapp": {"optOut": true, "optOutAt": "15/01/2026 04:30"}}"#,
            vec![
                "number: id",
                "email: correo | lower | email",
                "optedOutWhatsappAt: whatsapp.optOutAt | day_first if whatsapp.optOut",
            ],
        ),
        (
            r#"{"id": "cus_1234567890", "name": "Ana Luna"}"#,
            vec!["id: id", "name: name | squeeze | title"],
        ),
        // Guarded fields are never proposed.
        (
            r#"{"id": 1, "name": "Ana Luna", "tags": ["a"], "password": "x", "emailVerified": true, "tosIp": "1.2.3.4", "signature": "x"}"#,
            vec!["number: id", "name: name | squeeze | title"],
        ),
        (
            r#"{"propertyName": "email", "propertyValue": "a@b.mx", "objectId": 5, "occurredAt": 1736937000123}"#,
            vec![
                "number: objectId",
                "order_by: occurredAt | unix_ms",
                "email: propertyValue | lower | email when propertyName == 'email'",
            ],
        ),
    ] {
        assert_eq!(proposed(json), expected, "{json}");
    }
}

#[test]
fn several_samples_are_judged_together() {
    let of = |records: &[&str]| {
        let trees: Vec<Data> = records.iter().map(|json| data(json)).collect();
        lines(&propose(&gathered(&trees.iter().collect::<Vec<_>>())))
    };
    for (records, expected) in [
        // One of two is no number: it is left out, not the rest.
        (
            [
                "{\"id\": 1, \"celular\": \"55 1234 5678\"}",
                "{\"id\": 2, \"celular\": \"recepción\"}",
            ],
            vec!["number: id", "phoneNumber: celular | phone skip errors"],
        ),
        // One number stands in for the other.
        (
            [
                "{\"id\": 1, \"celular\": \"55 1234 5678\", \"telefono\": null}",
                "{\"id\": 2, \"telefono\": \"81 1234 5678\"}",
            ],
            vec!["number: id", "phoneNumber: celular ?? telefono | phone"],
        ),
        // They are two numbers.
        (
            [
                "{\"id\": 1, \"celular\": \"55 1234 5678\", \"telefono\": \"81 1234 5678\"}",
                "{\"id\": 2, \"telefono\": \"81 1234 5678\"}",
            ],
            vec![
                "number: id",
                "phoneNumber: celular | phone",
                "secondaryPhoneNumber: telefono | phone skip errors",
            ],
        ),
        // Quentli cannot clear a name.
        (
            [
                "{\"id\": 1, \"nombre\": \"Ana Luna\"}",
                "{\"id\": 2, \"nombre\": null}",
            ],
            vec!["number: id", "name: nombre | squeeze | title skip null"],
        ),
        // Half of the times are in another form, which no expression reads.
        (
            [
                "{\"id\": 1, \"nombre\": \"Ana Luna\", \"updated_at\": 1736937000}",
                "{\"id\": 2, \"updated_at\": \"2026-01-15T10:30:00Z\"}",
            ],
            vec!["number: id", "name: nombre | squeeze | title"],
        ),
    ] {
        assert_eq!(of(&records), expected, "{records:?}");
    }
}
