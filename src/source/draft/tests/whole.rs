//! Whole drafts, as a person reads them.

use super::*;

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
