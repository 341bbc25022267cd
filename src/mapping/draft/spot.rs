//! A *spot*: a path as the language writes it, from where a rule stands, such as `data.email`,
//! `phones[type='mobile'].number` or `^.school.code`; and which keys of an event the language can write at all.

/// Where a path begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Origin {
    /// The record: an item, or an element of `each`.
    Here,
    /// The item around the element.
    Item,
    /// The body around the item.
    Body,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Key(String),
    First,
    Every,
    Where { key: String, literal: Literal },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Literal {
    True,
    Text(String),
}

/// A path that the language can write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Spot {
    pub(super) origin: Origin,
    pub(super) steps: Vec<Step>,
    /// Where one property travels at a time: which key names it, and the name.
    pub(super) property: Option<(String, String)>,
}

/// Longer names are data, and a path of them would be unreadable.
pub(super) const MAX_KEY_CHARS: usize = 100;

impl Step {
    /// Whether it is a key that is written without quotes.
    pub(super) fn is_plain_key(&self) -> bool {
        matches!(self, Self::Key(key) if is_plain_name(key))
    }
}

impl Spot {
    /// The path as the language writes it.
    pub(super) fn text(&self) -> String {
        let start = match self.origin {
            Origin::Here => "",
            Origin::Item => "^",
            Origin::Body => "$",
        };
        self.steps.iter().fold(start.to_owned(), |mut text, step| {
            let dot = if text.is_empty() { "" } else { "." };
            let step = match step {
                Step::Key(key) if is_plain_name(key) => format!("{dot}{key}"),
                Step::Key(key) => format!("{dot}\"{}\"", key.replace('"', "\"\"")),
                Step::First => "[0]".to_owned(),
                Step::Every => "[]".to_owned(),
                Step::Where { key, literal } => match literal {
                    Literal::True => format!("[{key}=true]"),
                    Literal::Text(literal) => format!("[{key}={}]", quoted(literal)),
                },
            };
            text.push_str(&step);
            text
        })
    }

    /// The condition that an event is about this property, where one travels at a time.
    pub(super) fn condition(&self) -> Option<String> {
        let (key, name) = self.property.as_ref()?;
        Some(format!("{key} == {}", quoted(name)))
    }

    /// Whether it leads to many values.
    pub(super) fn is_list(&self) -> bool {
        self.steps.contains(&Step::Every)
    }
}

/// Whether the language can write a key; at the beginning of a path it must be a plain name.
pub(super) fn is_writable(key: &str, is_first: bool) -> bool {
    !key.is_empty()
        && key.chars().count() <= MAX_KEY_CHARS
        && is_printable(key)
        && !is_data(key)
        && (!is_first || is_plain_name(key) && !RESERVED.contains(&key))
}

/// Words that cannot begin a path.
const RESERVED: [&str; 7] = ["or", "and", "not", "in", "true", "false", "null"];

/// Whether a key is a value of the sample rather than a name: the key of a map by person.
pub(super) fn is_data(key: &str) -> bool {
    use super::shape::{is_curp, is_phone, is_rfc, is_uuid};
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    key.find('@').is_some_and(|at| at > 0)
        || is_uuid(key)
        || is_curp(key)
        || is_rfc(key)
        || is_phone(key)
        || (digits >= 4 && digits * 2 >= key.len() && key.len() < 32)
}

/// Whether a text shows as what it is, wherever it is written: no line ends, no invisible or reordering marks.
pub(super) fn is_printable(text: &str) -> bool {
    let is_hidden = |c: char| {
        c.is_control()
            || c.is_whitespace()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
            || u32::from(c) & 0xfffe == 0xfffe
    };
    text.chars().all(|c| c == ' ' || !is_hidden(c))
}

pub(super) fn is_plain_name(key: &str) -> bool {
    // `@name` is an attribute of XML, and `#text` what stands in it.
    let key = key
        .strip_prefix('@')
        .unwrap_or(if key == "#text" { "text" } else { key });
    key.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && key
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

/// A text as a literal of the language.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
