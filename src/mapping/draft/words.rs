//! What a key of an event means, judged by its name alone, in Spanish and in English.
//!
//! A key is cut into plain words: `correoElectronico`, `CORREO_ELECTRONICO` and `Correo electrónico` are the same
//! two. A meaning is then looked for in the tables below, longer phrases first. Names mislead; whether the values
//! agree is not judged here.

mod tables;

use std::cmp::Reverse;

use self::tables::{
    ENVELOPES, FOREIGN, FOREIGN_IDS, NEUTRAL, PAST, PAYERS, PHRASES, SECRETS, SPOILERS,
    SURE_ENVELOPES, TIMES, VERBS, VOCABULARY,
};

/// What a value is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Meaning {
    FullName,
    /// A whole name, or the given one where a family name stands beside it.
    Name,
    GivenName,
    MiddleName,
    FamilyName,
    PaternalName,
    MaternalName,
    Email,
    Mobile,
    Phone,
    /// A second number: at home, at work.
    OtherPhone,
    /// Whether an invoice is wanted.
    WantsInvoice,
    /// Whether no invoice is wanted.
    SkipsInvoice,
    /// Whether or since when no messages are wanted.
    OptOut,
    /// Which record.
    Identity,
    /// Which event.
    EventId,
    /// When something changed.
    Changed,
    /// What kind of event.
    EventType,
    /// What kind of record.
    Entity,
    /// Data that a school wants to see beside a customer; the text is the metadata key.
    Metadata(&'static str),
    /// Looks like one of the others and is not.
    Other,
}

/// How surely a name means something: 4 for the whole name, 3 for its beginning or end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Guess {
    pub(super) meaning: Meaning,
    pub(super) strength: i32,
}

/// What happened to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Created,
    Changed,
    Deleted,
    /// Nothing: the sender tries the connection.
    Tested,
}

/// Longer than any name that somebody gives to a field.
const MAX_NAME_BYTES: usize = 200;

/// The plain words of a name: lower case, without accents, cut at capitals, digits and punctuation.
/// A name that is too long to be one has none.
pub(super) fn words(name: &str) -> Vec<String> {
    if name.len() > MAX_NAME_BYTES {
        return Vec::new();
    }
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut chars = name.chars().peekable();
    let mut before: Option<char> = None;
    while let Some(c) = chars.next() {
        if !c.is_alphanumeric() {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            before = None;
            continue;
        }
        let next_is_lower = chars.peek().is_some_and(|next| next.is_lowercase());
        let begins = before.is_some_and(|before| {
            before.is_numeric() != c.is_numeric()
                || (c.is_uppercase() && (before.is_lowercase() || next_is_lower))
        });
        if begins {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
        }
        word.extend(c.to_lowercase().map(without_accent));
        before = Some(c);
    }
    words.extend((!word.is_empty()).then_some(word));
    // Salesforce marks fields of one's own with `__c`.
    if name.ends_with("__c") && words.len() > 1 {
        words.pop();
    }
    words
}

fn without_accent(c: char) -> char {
    match c {
        'á' | 'à' | 'â' | 'ã' | 'ä' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' => 'o',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'ñ' => 'n',
        'ç' => 'c',
        c => c,
    }
}

/// Whether words are a phrase, written apart or together, in the singular or the plural.
fn are(words: &[String], phrase: &str) -> bool {
    let mut rest = words.iter().flat_map(|word| word.chars());
    let fits = phrase
        .chars()
        .filter(|c| *c != ' ')
        .all(|wanted| rest.next() == Some(wanted));
    let ending = [rest.next(), rest.next(), rest.next()];
    fits && matches!(
        ending,
        [None, ..] | [Some('s'), None, _] | [Some('e'), Some('s'), None]
    )
}

fn is_one_of(words: &[String], phrases: &str) -> bool {
    phrases.split(", ").any(|phrase| are(words, phrase))
}

fn has_one_of(words: &[String], list: &str) -> bool {
    words
        .iter()
        .any(|word| is_one_of(std::slice::from_ref(word), list))
}

/// Whether a text is the name of a field: a whole phrase of the tables, perhaps with a number behind it.
pub(super) fn is_field_name(text: &str) -> bool {
    let mut words = words(text);
    if words.len() > 1
        && words
            .last()
            .is_some_and(|last| last.chars().all(char::is_numeric))
    {
        words.pop();
    }
    meanings(&words).iter().any(|guess| guess.strength >= 4)
}

/// Everything that a name may mean, the surest first.
pub(super) fn meanings(words: &[String]) -> Vec<Guess> {
    // Longer phrases are surer, and a whole name is surer than a part of one.
    let mut found: Vec<(i32, usize, Meaning)> = Vec::new();
    for (meaning, phrases) in PHRASES {
        let best = phrases
            .split(", ")
            .filter_map(|phrase| strength(words, phrase).map(|strength| (strength, phrase.len())))
            .max();
        found.extend(best.map(|(strength, length)| (strength, length, *meaning)));
    }
    if let Some(strength) = identity(words) {
        found.push((strength, 2, Meaning::Identity));
    }
    // Of `apellido paterno` only the longest phrase counts; `matrícula` is both an identity and metadata.
    found.sort_by_key(|(strength, length, _)| Reverse((*strength, *length)));
    let longest = found.iter().map(|(_, length, _)| *length).max();
    found
        .into_iter()
        .filter(|(strength, length, meaning)| {
            *strength == 4 || Some(*length) == longest || *meaning == Meaning::Identity
        })
        .take_while(|(_, _, meaning)| *meaning != Meaning::Other)
        .map(|(strength, _, meaning)| Guess { meaning, strength })
        .collect()
}

fn strength(words: &[String], phrase: &str) -> Option<i32> {
    if are(words, phrase) {
        return Some(4);
    }
    (1..words.len()).find_map(|cut| {
        let (front, back) = words.split_at_checked(cut)?;
        let is_end = are(back, phrase);
        let is_beginning = are(front, phrase) && !has_one_of(back, SPOILERS);
        (is_end || is_beginning).then_some(3)
    })
}

/// `id`, or an id of somebody: `contact_id`, `id_alumno`, `contactid`.
fn identity(words: &[String]) -> Option<i32> {
    let is_id = |word: &String| matches!(word.as_str(), "id" | "uid" | "uuid" | "guid");
    match words {
        [only] if only == "id" => Some(5),
        [only] if is_id(only) => Some(2),
        [only] => [
            "contactid",
            "objectid",
            "personid",
            "entityid",
            "recordid",
            "externalid",
        ]
        .contains(&only.as_str())
        .then_some(3),
        [first, .., last] if is_id(first) || is_id(last) => {
            (!has_one_of(words, FOREIGN_IDS)).then_some(3)
        }
        _ => None,
    }
}

/// Whether a name is that of the people who pay.
pub(super) fn is_payer(words: &[String]) -> bool {
    has_one_of(words, PAYERS)
}

/// Whether what stands below a name is about a school, an employee or the sender.
pub(super) fn is_foreign(words: &[String]) -> bool {
    is_one_of(words, FOREIGN)
}

/// Whether what stands below a name is how it was before.
pub(super) fn is_past(words: &[String]) -> bool {
    is_one_of(words, PAST) || matches!(words.first().map(String::as_str), Some("old" | "previous"))
}

/// Whether a name means nothing by itself.
pub(super) fn is_neutral(words: &[String]) -> bool {
    is_one_of(words, NEUTRAL)
}

/// Whether a list of this name may hold records or events of their own.
pub(super) fn is_envelope(words: &[String]) -> bool {
    is_one_of(words, ENVELOPES)
}

/// Whether something of this name is one of a list, even if no other is there. A plural names what is around them.
pub(super) fn is_one_of_many(words: &[String]) -> bool {
    matches!(words, [only] if SURE_ENVELOPES.split(", ").any(|known| known == only))
}

/// Whether the values of this name are words of the sender's own vocabulary.
pub(super) fn has_vocabulary(words: &[String]) -> bool {
    words
        .last()
        .is_some_and(|last| VOCABULARY.split(", ").any(|known| known == last))
}

/// Whether this is when something happened to a record, not a date of a person's life.
pub(super) fn is_time(words: &[String]) -> bool {
    has_one_of(words, TIMES)
        || meanings(words)
            .iter()
            .any(|guess| guess.meaning == Meaning::Changed)
}

/// Whether this is what proves a request.
pub(super) fn is_secret(words: &[String]) -> bool {
    has_one_of(words, SECRETS)
}

/// What happened, as a word of an event's type says it.
pub(super) fn verb(word: &str) -> Option<Verb> {
    VERBS
        .iter()
        .find(|(_, known)| known.split(", ").any(|known| known == word))
        .map(|(verb, _)| *verb)
}
