//! The tables of words, in Spanish and in English: phrases separated by commas.

use super::{Meaning, Verb};

pub(super) const PHRASES: &[(Meaning, &str)] = &[
    (
        Meaning::FullName,
        "nombre completo, nombre y apellidos, full name, complete name, display name",
    ),
    (Meaning::Name, "nombre, name"),
    (
        Meaning::GivenName,
        "first name, given name, forename, primer nombre, nombre de pila",
    ),
    (Meaning::MiddleName, "middle name, segundo nombre"),
    (
        Meaning::FamilyName,
        "last name, family name, surname, apellido",
    ),
    (
        Meaning::PaternalName,
        "apellido paterno, primer apellido, paterno, ap paterno, first surname",
    ),
    (
        Meaning::MaternalName,
        "apellido materno, segundo apellido, materno, ap materno, second surname",
    ),
    (
        Meaning::Email,
        "email, e mail, mail, correo, correo electronico, email address, direccion de correo",
    ),
    (
        Meaning::Mobile,
        "celular, cel, movil, whatsapp, telefono celular, telefono movil, numero celular, mobile, cell, mobile \
         phone, cell phone, mobile number, whatsapp number",
    ),
    (
        Meaning::Phone,
        "telefono, tel, numero de telefono, phone, telephone, phone number",
    ),
    (
        Meaning::OtherPhone,
        "telefono casa, telefono de casa, telefono fijo, telefono trabajo, telefono oficina, telefono 2, \
         segundo telefono, otro telefono, telefono alterno, telefono secundario, home phone, phone home, work \
         phone, phone work, office phone, landline, phone 2, secondary phone, second phone, other phone, \
         alternate phone, secondary phone number",
    ),
    (
        Meaning::WantsInvoice,
        "requiere factura, necesita factura, quiere factura, desea factura, solicita factura, facturar, \
         factura, requires invoice, needs invoice, wants invoice, invoice required, require tax invoice",
    ),
    (
        Meaning::SkipsInvoice,
        "sin factura, no facturar, no requiere factura, skip invoice, skip tax invoice, no invoice",
    ),
    (
        Meaning::OptOut,
        "baja whatsapp, whatsapp baja, fecha baja whatsapp, baja mensajes, no contactar, no molestar, opt out, \
         opt out at, opted out, opted out at, whatsapp opt out, do not contact, unsubscribed, unsubscribed at",
    ),
    (
        Meaning::Identity,
        "folio, expediente, numero de control, numero de cliente, clave, matricula, id number",
    ),
    (
        Meaning::EventId,
        "event id, id evento, notification id, message id, delivery id, webhook event id, meta id, metadata \
         id, folio evento",
    ),
    (
        Meaning::Changed,
        "updated at, updated, update time, updated time, date updated, last updated, last update, last \
         modified, modified at, modified on, modified, modified date, date modified, changed at, occurred at, \
         occurred on, timestamp, event time, event date, server time, time created, time modified, sent at, \
         time, fecha actualizacion, fecha de actualizacion, actualizado, actualizado en, fecha modificacion, \
         fecha de modificacion, modificado, modificado en, ultima modificacion, ultima actualizacion, fecha \
         evento, fecha del evento, fecha hora, ocurrido en",
    ),
    (
        Meaning::EventType,
        "event type, type, event, event name, topic, subscription type, action, operation, message name, \
         change type, verb, tipo, tipo evento, tipo de evento, evento, nombre evento, accion, operacion, tema",
    ),
    (
        Meaning::Entity,
        "entity, entity type, entity name, object type, object, module, resource, resource type, record type, \
         primary entity name, entidad, tipo de registro, modulo",
    ),
    (Meaning::Metadata("Grado"), "grado, grade"),
    (Meaning::Metadata("Grupo"), "grupo, group, class group"),
    (Meaning::Metadata("Sección"), "seccion, section"),
    (
        Meaning::Metadata("Plantel"),
        "plantel, campus, sede, school code, school name, nombre plantel, nombre escuela, escuela nombre, \
         codigo plantel, plantel codigo, plantel nombre, campus code, campus name",
    ),
    (Meaning::Metadata("Nivel"), "nivel, level, nivel educativo"),
    (
        Meaning::Metadata("Ciclo"),
        "ciclo, ciclo escolar, school year, academic year",
    ),
    (Meaning::Metadata("Turno"), "turno, shift"),
    (
        Meaning::Metadata("Matrícula"),
        "matricula, student id, student number, enrollment number, numero de matricula",
    ),
    (Meaning::Metadata("CURP"), "curp"),
    (Meaning::Metadata("RFC"), "rfc, tax id"),
    (
        Meaning::Other,
        "username, user name, short name, nick name, nombre corto, file name, host name, domain name, \
         organization name, organizacion nombre, company name, nombre empresa, nombre colegio, email opt out, \
         sms opt out, correo baja, table name, logical name, product name, course name, group name, address, \
         ip address, street address",
    ),
];

/// Words after a name that make something else of it: `email_verified` is no address.
pub(super) const SPOILERS: &str = "type, tipo, verified, verificado, valid, valido, ok, okay, opt, id, status, estado, label, etiqueta, \
     code, codigo, country, pais, ext, extension, hash, format, formato, preferred, count, prefix, prefijo, \
     suffix, domain, dominio, provider, at, fecha, date";

/// Words beside `id` that say whose id it is, where it is not the record's.
pub(super) const FOREIGN_IDS: &str = "account, organization, org, tenant, workspace, app, owner, lead, company, portal, subscription, webhook, \
     channel, request, correlation, business, responsible, api, oauth, session, device, context, initiating, \
     operation, event, notification, message, delivery, role, source, avatar, root, course, school, plantel, \
     campus, escuela, grupo, group, action, attempt, change, integration, parent, created, updated, modified, \
     evento, cuenta";

/// What stands below them is about something else than the person: an employee, the school, the message itself.
pub(super) const FOREIGN: &str = "school, escuela, colegio, plantel, campus, company, empresa, organization, organizacion, owner, agent, \
     asesor, vendedor, sender, account, cuenta, creator, created by, updated by, modified by, teacher, \
     profesor, maestro, link, metadata, meta, app";

/// The people who pay.
pub(super) const PAYERS: &str = "tutor, guardian, padre, madre, parent, responsable, payer, pagador, titular, contacto, contact, cliente, \
     customer";

/// The state before a change, which is never to be sent.
pub(super) const PAST: &str = "old, previous, prev, before, anterior, old values, old value, previous data, previous values, previous \
     attributes, valor anterior, datos anteriores, antes, pre entity images, original";

/// Names without a meaning of their own: they take that of what they stand in.
pub(super) const NEUTRAL: &str = "value, valor, values, number, numero, text, texto, address, main, primary, principal, default, raw, data, \
     dato";

/// Names of lists whose elements are often records or events of their own.
pub(super) const ENVELOPES: &str = "event, evento, record, registro, item, data, dato, result, resultado, change, cambio, notification, \
     notificacion, update, row, object, entry, entries, contact, contacto, person, persona, cliente, customer, \
     lead, batch";

/// Those of them that are lists also where only one thing is there.
pub(super) const SURE_ENVELOPES: &str =
    "event, evento, record, registro, notification, notificacion, row";

pub(super) const VERBS: &[(Verb, &str)] = &[
    (
        Verb::Created,
        "create, created, creation, add, added, insert, inserted, new, alta, nuevo, nueva, creado, creada, \
         creacion, registrado, registrada",
    ),
    (
        Verb::Changed,
        "update, updated, change, changed, modify, modified, edit, edited, upsert, save, saved, actualizado, \
         actualizada, actualizacion, modificado, modificada, modificacion, cambio, cambiado, editado, editada",
    ),
    (
        Verb::Deleted,
        "delete, deleted, deletion, remove, removed, destroy, destroyed, erase, erased, eliminado, eliminada, \
         eliminacion, borrado, borrada",
    ),
    (Verb::Tested, "ping, test, testpayload, prueba, heartbeat"),
];

/// Keys whose values are words of the sender's vocabulary.
pub(super) const VOCABULARY: &str = "role, rol, status, estatus, type, tipo, kind, action, accion, event, evento, operation, operacion, \
    topic, entity, entidad, module, modulo, language, idioma, currency, moneda, version, label, verb, \
    method";

/// Words of keys that hold what proves a request, which never stands in a file.
pub(super) const SECRETS: &str = "token, secret, secreto, secreta, password, credential, credencial, cookie, jwt, contrasena, signature, firma, apikey, authorization";

/// Words of keys that hold the time at which something happened to the record.
pub(super) const TIMES: &str = "created, updated, modified, changed, occurred, sent, time, timestamp, creado, actualizado, \
    modificado, creacion, actualizacion, modificacion";
