//! Literals of a file, in the form of the field they go to.

use std::borrow::Cow;

use super::{Compiler, form::FieldLabel};
use crate::{
    diag::Diagnostic,
    mapping::{
        codes,
        transform::{datetime, phone, text},
        tree::number_length,
        types::Target,
        value::Value,
    },
    yaml::{Kind, Node, ScalarStyle},
};

/// A scalar as data: unquoted `true`, `false`, `null` and JSON numbers are typed, all else is text. `None` for
/// lists and maps.
pub(in crate::mapping) fn plain(node: &Node) -> Option<Value<'static>> {
    let scalar = node.as_scalar()?;
    let text = || Value::Text(Cow::Owned(scalar.text.clone()));
    if scalar.style != ScalarStyle::Plain {
        return Some(text());
    }
    Some(match scalar.text.as_str() {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ if node.is_null() => Value::Null,
        number if number_length(number) == Some(number.len()) => {
            Value::Number(Cow::Owned(scalar.text.clone()))
        }
        _ => text(),
    })
}

impl Compiler<'_> {
    /// A literal for `value` or `default`, checked and brought into the form of the target.
    pub(super) fn constant(
        &mut self,
        node: &Node,
        label: &FieldLabel<'_>,
    ) -> Option<Value<'static>> {
        if let Kind::List(nodes) = &node.kind
            && label.target == Target::Tags
        {
            let elements: Vec<_> = nodes
                .iter()
                .map(|node| self.scalar_constant(node, label))
                .collect();
            return elements
                .into_iter()
                .collect::<Option<Vec<_>>>()
                .map(Value::List);
        }
        self.scalar_constant(node, label)
    }

    fn scalar_constant(&mut self, node: &Node, label: &FieldLabel<'_>) -> Option<Value<'static>> {
        let Some(value) = plain(node) else {
            self.error(
                Diagnostic::error(
                    codes::FIELD_FORM,
                    format!("a fixed value is expected, but here is {}", node.shape()),
                )
                .at(node.span, "expected a text, a number, true, false or null")
                .help("only `tags` takes a list, `value: [a, b]`"),
            );
            return None;
        };
        if value == Value::Null {
            if !label.nullable {
                self.not_nullable(label, node.span);
                return None;
            }
            return Some(value);
        }
        let converted = match (label.target, &value) {
            (Target::Text | Target::Tags | Target::Metadata, Value::Text(_) | Value::Number(_))
            | (Target::Bool, Value::Bool(_)) => Some(value.clone()),
            (Target::Email, Value::Text(written)) => text::email(written).map(owned),
            (Target::Phone, Value::Text(written) | Value::Number(written)) => {
                self.uses_phone = true;
                phone::phone(written, self.region).map(owned)
            }
            (Target::DateTime, Value::Text(written)) => {
                datetime::Format::new(datetime::Form::Standard, self.zone.clone())
                    .read(written)
                    .ok()
                    .map(Value::DateTime)
            }
            _ => None,
        };
        if converted.is_none() {
            let help = match (label.target, &value) {
                (Target::Text | Target::Tags | Target::Metadata, Value::Bool(flag)) => {
                    Some(format!("for the text `{flag}` write '{flag}'"))
                }
                (Target::Bool, _) => Some("write true or false without quotes".to_owned()),
                (Target::Email, _) => Some("write an address such as ana@example.com".to_owned()),
                (Target::Phone, _) => {
                    Some("write the whole number, such as '+525512345678'".to_owned())
                }
                (Target::DateTime, _) => {
                    Some("write it as 2026-01-15 or 2026-01-15T04:30".to_owned())
                }
                _ => None,
            };
            self.error(
                Diagnostic::error(
                    codes::WRONG_TYPE,
                    format!(
                        "`{}` needs {}, but this is {}",
                        label.name,
                        label.target.described(),
                        value.quoted()
                    ),
                )
                .at(node.span, format!("is not {}", label.target.described()))
                .maybe_help(help),
            );
        }
        converted
    }
}

fn owned(text: String) -> Value<'static> {
    Value::Text(Cow::Owned(text))
}
