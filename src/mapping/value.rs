//! Values while an expression is evaluated.

use std::borrow::Cow;

use jiff::Timestamp;

use super::{
    limits::TEXT_BYTES_PER_STEP,
    number,
    transform::{datetime, text},
    tree::{Tree, write_json_text},
};

/// What an expression gives. Lists and objects of the event stay where they are and are referred to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// Nothing is there.
    Absent,
    Null,
    Bool(bool),
    /// As a JSON number is spelled.
    Number(Cow<'a, str>),
    /// Also e-mail addresses and telephone numbers, once they were made so.
    Text(Cow<'a, str>),
    DateTime(Timestamp),
    /// A list that an expression made.
    List(Vec<Self>),
    /// A list or object of the event; of another kind only in [`Value::to_enter`].
    Tree(&'a Tree<'a>),
}

impl<'a> Value<'a> {
    /// The value of a part of the event. Of a text that is not ASCII this looks at all of it.
    pub(super) fn of_tree(tree: &'a Tree<'a>) -> Self {
        match tree {
            Tree::Null => Self::Null,
            Tree::Bool(flag) => Self::Bool(*flag),
            Tree::Number(number) => Self::Number(Cow::Borrowed(number)),
            Tree::Text(text) => Self::Text(text::nfc(text)),
            Tree::List(_) | Tree::Object(_) | Tree::Numbered(_) => Self::Tree(tree),
            Tree::Layered(layered) => Self::Text(text::nfc(&layered.text)),
            Tree::Sole(only) => Self::of_sole(only),
        }
    }

    /// Apart, so that the way of JSON stays short.
    #[cold]
    fn of_sole(only: &'a Tree<'a>) -> Self {
        Self::of_tree(only)
    }

    /// For paths that go on from here: where there is more inside than the value tells, it stays as it is in the event.
    pub(super) fn to_enter(tree: &'a Tree<'a>) -> Self {
        match tree {
            Tree::Sole(only) if **only == Tree::Null => Self::Null,
            Tree::Text(_) | Tree::Layered(_) | Tree::Sole(_) => Self::Tree(tree),
            _ => Self::of_tree(tree),
        }
    }

    /// The same value, without taking over what is borrowed.
    pub(super) fn borrowed(&'a self) -> Self {
        match self {
            Self::Number(number) => Self::Number(Cow::Borrowed(number)),
            Self::Text(text) => Self::Text(Cow::Borrowed(text)),
            Self::List(elements) => Self::List(elements.iter().map(Self::borrowed).collect()),
            Self::Absent | Self::Null | Self::Bool(_) | Self::DateTime(_) | Self::Tree(_) => {
                self.clone()
            }
        }
    }

    /// The elements, where this is a list.
    pub(super) fn elements(self) -> Result<Vec<Self>, Self> {
        match self {
            Self::List(elements) => Ok(elements),
            Self::Tree(Tree::List(elements)) => Ok(elements.iter().map(Self::of_tree).collect()),
            other => Err(other),
        }
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self, Self::List(_) | Self::Tree(Tree::List(_)))
    }

    /// Text that is empty or only spaces, or an empty list.
    pub(super) fn is_blank(&self) -> bool {
        match self {
            Self::Text(text) => text::is_blank(text),
            Self::List(elements) => elements.is_empty(),
            Self::Tree(Tree::List(elements)) => elements.is_empty(),
            Self::Tree(Tree::Object(_) | Tree::Numbered(_)) => false,
            Self::Tree(tree) => Self::is_blank_to_enter(tree),
            _ => false,
        }
    }

    /// [`Self::is_blank`] of [`Self::to_enter`].
    #[cold]
    fn is_blank_to_enter(tree: &Tree<'_>) -> bool {
        Value::of_tree(tree).is_blank()
    }

    /// Absent, null or blank.
    pub(super) fn has_no_value(&self) -> bool {
        matches!(self, Self::Absent | Self::Null) || self.is_blank()
    }

    /// The text of what converts to text by itself.
    pub(super) fn into_text(self) -> Result<Cow<'a, str>, Self> {
        match self {
            Self::Text(text) | Self::Number(text) => Ok(text),
            Self::DateTime(time) => Ok(Cow::Owned(datetime::written(time))),
            other => Err(other),
        }
    }

    /// Whether `==` holds.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Absent, Self::Absent) | (Self::Null, Self::Null) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::Number(left), Self::Number(right)) => number::compare(left, right).is_eq(),
            (Self::Text(left), Self::Text(right) | Self::Number(right))
            | (Self::Number(left), Self::Text(right)) => left == right,
            (Self::DateTime(left), Self::DateTime(right)) => left == right,
            (Self::DateTime(time), Self::Text(text)) | (Self::Text(text), Self::DateTime(time)) => {
                *text == datetime::written(*time)
            }
            (left, right) if left.is_list() && right.is_list() => {
                match (left.clone().elements(), right.clone().elements()) {
                    (Ok(left), Ok(right)) => {
                        left.len() == right.len()
                            && left.iter().zip(&right).all(|(l, r)| l.equals(r))
                    }
                    _ => false,
                }
            }
            (Self::Tree(left), Self::Tree(right)) => left == right,
            _ => false,
        }
    }

    /// How many steps of evaluation it takes to see whether `==` holds: values of different kinds are not looked at.
    pub(super) fn equality_work(&self, other: &Self) -> usize {
        match (self, other) {
            (Self::Text(_), Self::Text(_) | Self::Number(_)) | (Self::Number(_), Self::Text(_)) => {
                self.size().min(other.size())
            }
            (Self::Number(_), Self::Number(_))
            | (Self::List(_) | Self::Tree(_), Self::List(_) | Self::Tree(_)) => {
                self.size().saturating_add(other.size())
            }
            _ => 1,
        }
    }

    /// The text of a text or number.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text),
            _ => None,
        }
    }

    /// How much there is to it: one for each value inside, and more for long texts.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Text(text) | Self::Number(text) => 1 + text.len() / TEXT_BYTES_PER_STEP,
            Self::List(elements) => 1 + elements.iter().map(Self::size).sum::<usize>(),
            Self::Tree(tree) => tree.size(),
            Self::Absent | Self::Null | Self::Bool(_) | Self::DateTime(_) => 1,
        }
    }

    /// What it is, for messages: `a text`.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Absent => "nothing",
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::DateTime(_) => "a date and time",
            Self::List(_) | Self::Tree(Tree::List(_)) => "a list",
            Self::Tree(_) => "an object",
        }
    }

    /// The value in messages, cut short: `'ext. 14'`, `5`, `a list`.
    pub(super) fn quoted(&self) -> String {
        const CHARS: usize = 40;
        match self {
            Self::Text(text) => {
                let mut shown: String = text.chars().take(CHARS).collect();
                if text.chars().nth(CHARS).is_some() {
                    shown.push('…');
                }
                format!("'{shown}'")
            }
            Self::Number(number) => number.chars().take(CHARS).collect(),
            Self::Bool(flag) => flag.to_string(),
            Self::DateTime(time) => datetime::written(*time),
            other => other.kind().to_owned(),
        }
    }

    /// Adds the value as compact JSON; what is absent writes null.
    pub(super) fn write_json(&self, out: &mut String) {
        match self {
            Self::Absent | Self::Null => out.push_str("null"),
            Self::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Number(number) => out.push_str(number),
            Self::Text(text) => write_json_text(text, out),
            Self::DateTime(time) => write_json_text(&datetime::written(*time), out),
            Self::List(elements) => {
                out.push('[');
                for (index, element) in elements.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    element.write_json(out);
                }
                out.push(']');
            }
            Self::Tree(tree) => tree.write_json(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_follows_the_rules_of_comparison() {
        let text = |text: &'static str| Value::Text(text.into());
        let number = |text: &'static str| Value::Number(text.into());
        for (left, right, equal) in [
            (number("5"), text("5"), true),
            (number("5.0"), text("5"), false),
            (number("5.0"), number("5"), true),
            (text("A"), text("a"), false),
            (Value::Bool(true), text("true"), false),
            (Value::Bool(true), number("1"), false),
            (Value::Absent, Value::Absent, true),
            (Value::Absent, Value::Null, false),
            (Value::Absent, text(""), false),
            (Value::Null, Value::Null, true),
            (Value::Null, text(""), false),
            (
                Value::List(vec![number("1")]),
                Value::List(vec![text("1")]),
                true,
            ),
        ] {
            assert_eq!(left.equals(&right), equal, "{left:?} {right:?}");
            assert_eq!(right.equals(&left), equal, "{right:?} {left:?}");
        }
    }
}
