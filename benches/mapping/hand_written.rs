//! What `family.yaml` says, written by hand in Rust on a [`serde_json::Value`]: the yardstick of the benchmark, and an
//! independent second opinion for the test that compares both on random events.

use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::{Map, Value, json};

/// One update, or what became of it instead.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    Update(Update),
    Drop(&'static str),
    Fail,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Update {
    pub(crate) id: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) order_by: Option<i64>,
    pub(crate) patch: Value,
    pub(crate) warnings: usize,
}

/// The value of a field does not fit.
#[derive(Debug)]
pub(crate) struct Unfit;

/// What a source gives: something, an explicit null, or nothing that counts.
#[derive(Clone)]
enum Given<T> {
    Value(T),
    Null,
    Nothing,
}

/// Maps one body, which is valid JSON.
pub(crate) fn map(body: &[u8]) -> Vec<Outcome> {
    let event: Value = serde_json::from_slice(body).expect("the event is JSON");
    match event["type"].as_str() {
        Some("ping") => return vec![Outcome::Drop("connection test")],
        Some("family.created" | "family.updated") => {}
        _ => return vec![Outcome::Fail],
    }
    let guardians = event["guardians"].as_array();
    let paying = guardians
        .into_iter()
        .flatten()
        .filter(|guardian| matches!(guardian["role"].as_str(), Some("PAYER" | "CO_PAYER")));
    let outcomes: Vec<Outcome> = paying
        .map(|guardian| match guardian_update(&event, guardian) {
            Ok(update) => Outcome::Update(update),
            Err(Unfit) => Outcome::Fail,
        })
        .collect();
    if outcomes.is_empty() {
        return vec![Outcome::Drop("nothing selected")];
    }
    outcomes
}

fn guardian_update(event: &Value, guardian: &Value) -> Result<Update, Unfit> {
    let order_by = match text(event.get("occurredAt"))? {
        Given::Value(time) => Some(
            time.trim()
                .parse::<Timestamp>()
                .map_err(|_| Unfit)?
                .as_millisecond(),
        ),
        _ => None,
    };
    let mut warnings = 0;
    let mut patch = Map::new();

    match text(guardian.get("fullName"))? {
        Given::Value(name) => {
            patch.insert("name".into(), title(&name).into());
        }
        Given::Null => return Err(Unfit),
        Given::Nothing => {}
    }
    let address = text(guardian.get("email"))?;
    match &address {
        Given::Value(address) => {
            let address = email(&address.to_lowercase()).ok_or(Unfit)?;
            patch.insert("email".into(), address.into());
        }
        Given::Null => {
            patch.insert("email".into(), Value::Null);
        }
        Given::Nothing => {}
    }
    let number = match text(number_of(guardian, "mobile"))? {
        Given::Value(number) => Given::Value(number),
        Given::Null => match text(number_of(guardian, "work"))? {
            Given::Value(number) => Given::Value(number),
            _ => Given::Null,
        },
        Given::Nothing => text(number_of(guardian, "work"))?,
    };
    match number {
        Given::Value(number) => {
            patch.insert("phoneNumber".into(), phone(&number).ok_or(Unfit)?.into());
        }
        Given::Null => {
            patch.insert("phoneNumber".into(), Value::Null);
        }
        Given::Nothing => {}
    }
    match text(number_of(guardian, "home")) {
        Ok(Given::Value(number)) => match phone(&number) {
            Some(number) => {
                patch.insert("secondaryPhoneNumber".into(), number.into());
            }
            None => warnings += 1,
        },
        Ok(Given::Null) => {
            patch.insert("secondaryPhoneNumber".into(), Value::Null);
        }
        Ok(Given::Nothing) => {}
        Err(Unfit) => warnings += 1,
    }
    match boolean(guardian.get("needsInvoice"))? {
        Given::Value(needs) => {
            patch.insert("skipTaxInvoice".into(), (!needs).into());
        }
        Given::Null => return Err(Unfit),
        Given::Nothing => {}
    }
    let assistant = match boolean(
        guardian
            .get("prefs")
            .and_then(|prefs| prefs.get("assistant")),
    )? {
        Given::Value(assistant) => assistant,
        Given::Null | Given::Nothing => true,
    };
    patch.insert("replyWithAssistant".into(), assistant.into());
    let whatsapp = &guardian["whatsapp"];
    match whatsapp["optOut"].as_bool() {
        Some(true) => match text(whatsapp.get("optOutAt"))? {
            Given::Value(time) => {
                let time = day_and_time(&time).ok_or(Unfit)?;
                patch.insert("optedOutWhatsappAt".into(), time.into());
            }
            Given::Null => {
                patch.insert("optedOutWhatsappAt".into(), Value::Null);
            }
            Given::Nothing => {}
        },
        Some(false) => {
            patch.insert("optedOutWhatsappAt".into(), Value::Null);
        }
        None => {}
    }
    patch.insert("tags".into(), tags(event)?.into());
    let metadata = metadata(event, guardian)?;
    if !metadata.is_empty() {
        patch.insert("metadata".into(), metadata.into());
    }

    let id = match text(guardian.get("quentliId"))? {
        Given::Value(id) => Some(id.trim().to_owned()),
        _ => None,
    };
    let username = match text(guardian.get("id"))? {
        Given::Value(id) => Some(format!("tut-{id}").trim().to_owned()),
        _ => None,
    };
    Ok(Update {
        id,
        username,
        email: match address {
            Given::Value(address) => Some(address.trim().to_lowercase()),
            _ => None,
        },
        order_by,
        patch: Value::Object(patch),
        warnings,
    })
}

fn tags(event: &Value) -> Result<Vec<Value>, Unfit> {
    let mut tags = vec!["Colegiatura".to_owned()];
    for level in event["school"]["levels"].as_array().into_iter().flatten() {
        if let Given::Value(level) = text(Some(level))? {
            tags.push(
                match level.trim() {
                    "PRI" => "Primaria",
                    "SEC" => "Secundaria",
                    "PREP" => "Preparatoria",
                    _ => return Err(Unfit),
                }
                .to_owned(),
            );
        }
    }
    for student in active_students(event) {
        let Given::Value(grade) = text(student.get("grade"))? else {
            continue;
        };
        if let Given::Value(group) = text(student.get("group"))? {
            let tag = format!("Grado {grade}{}", group.to_uppercase());
            tags.push(tag.trim().to_owned());
        }
    }
    let mut unique: Vec<Value> = Vec::with_capacity(tags.len());
    for tag in tags {
        if !unique.iter().any(|known| known == &tag) {
            unique.push(tag.into());
        }
    }
    Ok(unique)
}

fn metadata(event: &Value, guardian: &Value) -> Result<Vec<Value>, Unfit> {
    let mut entries: Vec<(String, Value)> = Vec::new();
    let mut put = |key: &str, given: Given<String>| {
        let value = match given {
            Given::Value(value) => Value::String(value.trim().to_owned()),
            Given::Null => Value::Null,
            Given::Nothing => return,
        };
        match entries.iter_mut().find(|(known, _)| known == key) {
            Some(entry) => entry.1 = value,
            None => entries.push((key.to_owned(), value)),
        }
    };
    put("guardianId", text(guardian.get("id"))?);
    put("Plantel", text(event["school"].get("code"))?);
    let grade = active_students(event)
        .next()
        .and_then(|student| student.get("grade"));
    put("Grado", text(grade)?);
    let mut ids = Vec::new();
    for student in event["students"].as_array().into_iter().flatten() {
        if let Given::Value(id) = text(student.get("id"))? {
            ids.push(id);
        }
    }
    if !ids.is_empty() {
        put("Matrículas", Given::Value(ids.join(" ")));
    }
    for attribute in guardian["attributes"].as_array().into_iter().flatten() {
        let value = text(attribute.get("value"))?;
        if matches!(value, Given::Nothing) {
            continue;
        }
        match text(attribute.get("name"))? {
            Given::Value(key) => put(&key, value),
            // A value without a key would be lost.
            Given::Null | Given::Nothing => return Err(Unfit),
        }
    }
    Ok(entries
        .into_iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect())
}

fn active_students(event: &Value) -> impl Iterator<Item = &Value> {
    let students = event["students"].as_array();
    students
        .into_iter()
        .flatten()
        .filter(|student| student["status"] == "ACTIVE")
}

fn number_of<'a>(guardian: &'a Value, kind: &str) -> Option<&'a Value> {
    guardian["phones"]
        .as_array()?
        .iter()
        .find(|phone| phone["type"] == kind)?
        .get("number")
}

/// Text or a number as text; blank text and an empty list count as nothing.
fn text(value: Option<&Value>) -> Result<Given<String>, Unfit> {
    match value {
        None => Ok(Given::Nothing),
        Some(Value::Null) => Ok(Given::Null),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(Given::Nothing),
        Some(Value::Array(elements)) if elements.is_empty() => Ok(Given::Nothing),
        Some(Value::String(text)) => Ok(Given::Value(text.clone())),
        Some(Value::Number(number)) => Ok(Given::Value(number.to_string())),
        Some(_) => Err(Unfit),
    }
}

fn boolean(value: Option<&Value>) -> Result<Given<bool>, Unfit> {
    if let Some(Value::Bool(flag)) = value {
        return Ok(Given::Value(*flag));
    }
    Ok(match text(value)? {
        Given::Value(word) => Given::Value(match word.trim().to_lowercase().as_str() {
            "true" | "1" | "yes" | "y" | "si" | "sí" | "verdadero" | "on" => true,
            "false" | "0" | "no" | "n" | "falso" | "off" => false,
            _ => return Err(Unfit),
        }),
        Given::Null => Given::Null,
        Given::Nothing => Given::Nothing,
    })
}

fn title(name: &str) -> String {
    let words = name.split_whitespace().enumerate().map(|(index, word)| {
        let lower = word.to_lowercase();
        if index > 0 && matches!(lower.as_str(), "de" | "del" | "la" | "las" | "los" | "y") {
            return lower;
        }
        let mut letters = lower.chars();
        match letters.next() {
            Some(first) => first.to_uppercase().chain(letters).collect(),
            None => lower,
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn email(address: &str) -> Option<String> {
    let address = address.trim();
    let (local, domain) = address.split_once('@')?;
    let is_sound = !local.is_empty()
        && !address.contains(char::is_whitespace)
        && domain.contains('.')
        && domain.split('.').all(|label| {
            !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
    is_sound.then(|| address.to_owned())
}

fn phone(written: &str) -> Option<String> {
    let bare: String = written
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '.' | '(' | ')'))
        .collect();
    let bare = match bare.strip_prefix("00") {
        Some(rest) => format!("+{rest}"),
        None => bare,
    };
    let digits = bare.strip_prefix('+').unwrap_or(&bare);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let old_mobile = digits.strip_prefix("521").filter(|rest| rest.len() == 10);
    let number = if let Some(national) = old_mobile {
        format!("+52{national}")
    } else if bare.starts_with('+') {
        if !(8..=15).contains(&digits.len()) {
            return None;
        }
        bare
    } else {
        let national = match digits.len() {
            10 => digits,
            12 => digits
                .strip_prefix("52")
                .or_else(|| digits.strip_prefix("01"))?,
            13 => digits
                .strip_prefix("044")
                .or_else(|| digits.strip_prefix("045"))?,
            _ => return None,
        };
        format!("+52{national}")
    };
    let number = phonenumber::parse(None, number).ok()?;
    phonenumber::is_valid(&number)
        .then(|| number.format().mode(phonenumber::Mode::E164).to_string())
}

/// `DD/MM/YYYY HH:mm` in Mexico City.
fn day_and_time(written: &str) -> Option<String> {
    let time = civil::DateTime::strptime("%d/%m/%Y %H:%M", written.trim()).ok()?;
    let zone = TimeZone::get("America/Mexico_City").ok()?;
    let time = zone.to_ambiguous_zoned(time).unambiguous().ok()?;
    let utc = time.timestamp().to_zoned(TimeZone::UTC);
    Some(utc.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
}
