//! Types of expressions, as far as they are known before any event arrives.

use crate::customer::FieldKind;

/// What an expression gives when it gives a value; every expression may also give null or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// Known only when an event is there: paths.
    Any,
    Null,
    Bool,
    Number,
    Text,
    Email,
    Phone,
    DateTime,
    List(Box<Self>),
}

impl Type {
    pub(super) fn list(element: Self) -> Self {
        Self::List(Box::new(element))
    }

    /// For messages: `but this gives …`.
    pub(super) fn described(&self) -> &'static str {
        match self {
            Self::Any => "whatever the event has there",
            Self::Null => "null",
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::Text => "text",
            Self::Email => "an e-mail address",
            Self::Phone => "a phone number",
            Self::DateTime => "a date and time",
            Self::List(_) => "a list",
        }
    }

    /// The type of a value that comes from either of two.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (left, right) if left == right => left,
            (Self::Null, known) | (known, Self::Null) => known,
            (Self::List(left), Self::List(right)) => Self::list(left.or(*right)),
            (left, right) if left.converts_to_text() && right.converts_to_text() => Self::Text,
            _ => Self::Any,
        }
    }

    /// Whether a value of this type is text, or becomes text by itself.
    fn converts_to_text(&self) -> bool {
        matches!(
            self,
            Self::Text | Self::Number | Self::Email | Self::Phone | Self::DateTime
        )
    }

    /// Whether text is taken from this, once it may be checked at run time.
    pub(super) fn may_be_text(&self) -> bool {
        self.converts_to_text() || matches!(self, Self::Any | Self::Null)
    }

    /// What a transform of single values gives for this: a list for a list.
    pub(super) fn each(&self, result: Self) -> Self {
        match self {
            Self::List(_) => Self::list(result),
            _ => result,
        }
    }

    /// The type of single values inside: of the elements for a list.
    pub(super) fn single(&self) -> &Self {
        match self {
            Self::List(element) => element,
            other => other,
        }
    }
}

/// Where a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Text,
    Email,
    Phone,
    DateTime,
    Bool,
    /// An entry of `tags`: one text or a list of texts.
    Tags,
    /// A value of `metadata`.
    Metadata,
}

impl Target {
    /// The target of a field with a single value, or of the entries of one with many.
    pub(super) fn of(kind: FieldKind) -> Self {
        match kind {
            FieldKind::Text => Self::Text,
            FieldKind::Email => Self::Email,
            FieldKind::Phone => Self::Phone,
            FieldKind::DateTime => Self::DateTime,
            FieldKind::Bool => Self::Bool,
            FieldKind::TextList => Self::Tags,
            FieldKind::KeyedText => Self::Metadata,
        }
    }

    /// For messages: `needs …`.
    pub(super) fn described(self) -> &'static str {
        match self {
            Self::Text | Self::Metadata => "text",
            Self::Email => "an e-mail address",
            Self::Phone => "a phone number",
            Self::DateTime => "a date and time",
            Self::Bool => "true or false",
            Self::Tags => "text or a list of texts",
        }
    }

    /// Whether a value of this type goes here, perhaps after a look at run time. Null is judged elsewhere.
    pub(super) fn takes(self, given: &Type) -> bool {
        match self {
            Self::Text | Self::Metadata => given.may_be_text(),
            Self::Email => matches!(given, Type::Email | Type::Null),
            Self::Phone => matches!(given, Type::Phone | Type::Null),
            Self::DateTime => matches!(given, Type::DateTime | Type::Null),
            Self::Bool => matches!(given, Type::Bool | Type::Null),
            Self::Tags => given.single().may_be_text(),
        }
    }

    /// What to do about a type that is not taken.
    pub(super) fn remedy(self, given: &Type) -> &'static str {
        match (self, given) {
            (Self::Email, _) => "add `| email`",
            (Self::Phone, _) => "add `| phone`",
            (Self::DateTime, Type::Number) => "add `| unix_ms` or `| unix_s`",
            (Self::DateTime, _) => "add `| datetime`",
            (Self::Bool, _) => "add `| bool`",
            (_, Type::List(_)) => "join the entries, `join(', ', …)`, or take one, `| first`",
            _ => {
                "use `lookup` with a table, or `cases`, to say which text stands for true and false"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_are_those_of_the_table() {
        let list = || Type::list(Type::Any);
        for (target, takes, refuses) in [
            (
                Target::Text,
                vec![
                    Type::Text,
                    Type::Number,
                    Type::Phone,
                    Type::Email,
                    Type::DateTime,
                    Type::Any,
                ],
                vec![Type::Bool, list()],
            ),
            (
                Target::Email,
                vec![Type::Email],
                vec![Type::Any, Type::Text],
            ),
            (
                Target::Phone,
                vec![Type::Phone],
                vec![Type::Any, Type::Text, Type::Number],
            ),
            (
                Target::DateTime,
                vec![Type::DateTime],
                vec![Type::Any, Type::Text, Type::Number],
            ),
            (
                Target::Bool,
                vec![Type::Bool],
                vec![Type::Any, Type::Text, Type::Number],
            ),
            (
                Target::Tags,
                vec![Type::Text, list(), Type::list(Type::Text), Type::Any],
                vec![Type::Bool, Type::list(Type::Bool)],
            ),
            (
                Target::Metadata,
                vec![Type::Text, Type::Number, Type::Any],
                vec![Type::Bool, list()],
            ),
        ] {
            for given in takes {
                assert!(target.takes(&given), "{target:?} {given:?}");
            }
            for given in refuses {
                assert!(!target.takes(&given), "{target:?} {given:?}");
            }
            assert!(target.takes(&Type::Null));
        }
    }

    #[test]
    fn either_of_two_types_is_known_as_far_as_possible() {
        for (left, right, either) in [
            (Type::Phone, Type::Phone, Type::Phone),
            (Type::Phone, Type::Null, Type::Phone),
            (Type::Phone, Type::Any, Type::Any),
            (Type::Phone, Type::Text, Type::Text),
            (Type::Number, Type::Text, Type::Text),
            (Type::Bool, Type::Text, Type::Any),
            (Type::list(Type::Text), Type::Text, Type::Any),
        ] {
            assert_eq!(left.clone().or(right.clone()), either);
            assert_eq!(right.or(left), either);
        }
    }
}
