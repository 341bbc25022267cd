//! Gives fields their values: what is sent for a value, null, blank, absence and an error.

use std::borrow::Cow;

use super::{Fault, Moment, Scope, each_element, evaluate, holds};
use crate::{
    customer::{Field, FieldValue, MetadataEntry},
    diag::Span,
    mapping::{
        compiled::{
            Entry, EntryKey, FieldRule, FieldValueRule, Form, OnBlank, OnError, OnNull, Source,
        },
        limits,
        transform::{self, text},
        types::Target,
        value::Value,
    },
};

/// A fault with the field it belongs to, as `phoneNumber` or `metadata.Grado`.
pub(in crate::mapping) struct FieldFault {
    pub(in crate::mapping) field: String,
    pub(in crate::mapping) fault: Fault,
}

impl FieldFault {
    pub(in crate::mapping) fn new(field: impl Into<String>, fault: Fault) -> Self {
        Self {
            field: field.into(),
            fault,
        }
    }

    /// `field: transform: what is wrong`
    pub(in crate::mapping) fn reason(&self) -> String {
        format!("{}: {}", self.field, self.fault)
    }
}

/// What a form gives to its field.
pub(in crate::mapping) enum Given<'a> {
    /// The field stays as it is.
    Nothing(Cause),
    Clear(Cause),
    Value(Value<'a>),
}

/// Why a form gives no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mapping) enum Cause {
    /// Its `when` does not hold.
    Condition,
    Absent,
    Null,
    Blank,
}

/// The new value of a field; `None` leaves it as it is. Faults that are skipped become warnings.
pub(in crate::mapping) fn field_value<'a>(
    rule: &'a FieldRule,
    scope: &Scope<'_, 'a>,
    warnings: &mut Vec<String>,
) -> Result<Option<FieldValue>, FieldFault> {
    scope.tell(Moment::Field(rule));
    match &rule.value {
        FieldValueRule::Single(form) => {
            let name = || rule.field.as_str().to_owned();
            let value = tolerate(form, scope, warnings, name, || {
                single(rule.field, form, given(form, scope)?)
            })?;
            Ok(value.flatten())
        }
        FieldValueRule::List(entries) => tags(entries, scope, warnings),
        FieldValueRule::Keyed(entries) => metadata(entries, scope, warnings),
    }
}

/// Turns a fault into a warning and nothing, where the form says so.
fn tolerate<T>(
    form: &Form,
    scope: &Scope<'_, '_>,
    warnings: &mut Vec<String>,
    field: impl FnOnce() -> String,
    give: impl FnOnce() -> Result<T, Fault>,
) -> Result<Option<T>, FieldFault> {
    match give() {
        Ok(given) => Ok(Some(given)),
        Err(fault) => {
            let fault = FieldFault::new(field(), fault);
            scope.tell(Moment::Fault(&fault, form.on_error));
            match form.on_error {
                OnError::Fail => Err(fault),
                OnError::Skip => {
                    warnings.push(fault.reason());
                    Ok(None)
                }
            }
        }
    }
}

fn given<'a>(form: &'a Form, scope: &Scope<'_, 'a>) -> Result<Given<'a>, Fault> {
    let given = decided(form, scope);
    scope.tell(Moment::Given(form, &given));
    given
}

/// Section by section: `when`, the source, `default`, `required`, then null and blank.
#[inline]
fn decided<'a>(form: &'a Form, scope: &Scope<'_, 'a>) -> Result<Given<'a>, Fault> {
    if let Some(when) = &form.when
        && !holds(when, scope)?
    {
        return Ok(Given::Nothing(Cause::Condition));
    }
    let mut value = source(&form.source, scope)?;
    if value.has_no_value() {
        // A written list without entries is meant as such.
        let meant = matches!(&form.source, Source::Constant(Value::List(_)));
        if meant && form.target == Target::Tags {
            return Ok(Given::Value(value));
        }
        if let Some(default) = &form.default {
            value = default.borrowed();
            scope.tell(Moment::Default(&value));
        }
    }
    if form.required && value.has_no_value() {
        return Err(Fault::new(form.span, "required, but it has no value"));
    }
    transform::check_size(&value).map_err(|message| Fault::new(form.span, message))?;
    // It will be kept: what an event may give is bounded as well as what it may do.
    scope.run.spend(value.size(), form.span)?;
    Ok(match value {
        Value::Absent => Given::Nothing(Cause::Absent),
        Value::Null => match form.on_null {
            OnNull::Clear => Given::Clear(Cause::Null),
            OnNull::Skip => Given::Nothing(Cause::Null),
        },
        value if value.is_blank() => match form.on_blank {
            OnBlank::Skip => Given::Nothing(Cause::Blank),
            OnBlank::Clear => Given::Clear(Cause::Blank),
            OnBlank::Keep => Given::Value(value),
        },
        value => Given::Value(value),
    })
}

fn source<'a>(source_form: &'a Source, scope: &Scope<'_, 'a>) -> Result<Value<'a>, Fault> {
    match source_form {
        Source::Expression(expr) => evaluate(expr, scope),
        Source::Constant(value) => Ok(value.borrowed()),
        Source::Cases(cases) => {
            for case in cases {
                if holds(&case.when, scope)? {
                    return source(&case.source, scope);
                }
            }
            Ok(Value::Absent)
        }
    }
}

fn single(field: Field, form: &Form, given: Given<'_>) -> Result<Option<FieldValue>, Fault> {
    match given {
        Given::Nothing(_) => Ok(None),
        Given::Clear(_) if field.is_nullable() => Ok(Some(FieldValue::Null)),
        Given::Clear(_) => Err(Fault::new(form.span, "Quentli cannot clear this field")),
        Given::Value(value) => converted(field, form.target, form.span, value).map(Some),
    }
}

/// The value in the form that Quentli takes.
fn converted(
    field: Field,
    target: Target,
    span: Span,
    value: Value<'_>,
) -> Result<FieldValue, Fault> {
    let never_blank =
        !matches!(target, Target::Text) || matches!(field, Field::Name | Field::Username);
    if value.is_blank() && never_blank {
        return Err(Fault::new(span, "cannot be blank"));
    }
    let expected = |value: &Value<'_>| {
        Fault::new(
            span,
            format!("expected {}, got {}", target.described(), value.kind()),
        )
    };
    match (target, value) {
        (Target::Bool, Value::Bool(flag)) => Ok(FieldValue::Bool(flag)),
        (Target::DateTime, value @ Value::DateTime(_))
        | (Target::Email | Target::Phone, value @ Value::Text(_))
        | (Target::Text | Target::Tags | Target::Metadata, value) => value
            .into_text()
            .map(|text| FieldValue::Text(text.into_owned()))
            .map_err(|other| expected(&other)),
        (_, value) => Err(expected(&value)),
    }
}

/// The trimmed text of an entry of `tags` or `metadata`.
fn entry_text<'a>(form: &Form, value: Value<'a>) -> Result<Cow<'a, str>, Fault> {
    value
        .into_text()
        .map(text::trimmed)
        .map_err(|other| Fault::new(form.span, format!("expected a text, got {}", other.kind())))
}

/// Does something with each element that an entry selects: those of its `each`, or, without one, the current element.
fn for_each<'a>(
    entry: &'a Entry,
    scope: &Scope<'_, 'a>,
    warnings: &mut Vec<String>,
    field: impl Fn() -> String,
    mut give: impl FnMut(&Scope<'_, 'a>) -> Result<(), Fault>,
) -> Result<(), FieldFault> {
    let form = &entry.form;
    scope.tell(Moment::Entry(entry));
    let Some(each) = &entry.each else {
        tolerate(form, scope, warnings, field, || give(scope))?;
        return Ok(());
    };
    let found = tolerate(form, scope, warnings, &field, || each_element(each, scope))?;
    for element in found.flatten().unwrap_or_default() {
        let inner = scope.inner(element);
        tolerate(form, &inner, warnings, &field, || give(&inner))?;
    }
    Ok(())
}

fn tags<'a>(
    entries: &'a [Entry],
    scope: &Scope<'_, 'a>,
    warnings: &mut Vec<String>,
) -> Result<Option<FieldValue>, FieldFault> {
    let mut tags: Vec<String> = Vec::new();
    // A list that was written without entries is sent even so.
    let mut meant_empty = false;
    for entry in entries {
        let form = &entry.form;
        let name = || Field::Tags.as_str().to_owned();
        for_each(entry, scope, warnings, name, |scope| {
            let Given::Value(value) = given(form, scope)? else {
                return Ok(());
            };
            meant_empty |= matches!(&value, Value::List(elements) if elements.is_empty());
            let values = match value.elements() {
                Ok(elements) => elements,
                Err(single) => vec![single],
            };
            for value in values {
                add_tag(form, value, scope, &mut tags)?;
            }
            Ok(())
        })?;
    }
    Ok((meant_empty || !tags.is_empty()).then_some(FieldValue::Tags(tags)))
}

fn add_tag<'a>(
    form: &Form,
    value: Value<'a>,
    scope: &Scope<'_, 'a>,
    tags: &mut Vec<String>,
) -> Result<(), Fault> {
    if matches!(value, Value::Absent | Value::Null)
        || (value.is_blank() && form.on_blank != OnBlank::Keep)
    {
        return Ok(());
    }
    let tag = entry_text(form, value)?;
    scope.run.spend(search_work(tags.len(), &tag), form.span)?;
    if tags.iter().any(|known| *known == tag) {
        return Ok(());
    }
    if tags.len() == limits::LIST_ENTRIES {
        return Err(too_many(form));
    }
    tags.push(tag.into_owned());
    Ok(())
}

fn metadata<'a>(
    entries: &'a [Entry],
    scope: &Scope<'_, 'a>,
    warnings: &mut Vec<String>,
) -> Result<Option<FieldValue>, FieldFault> {
    let mut found: Vec<MetadataEntry> = Vec::new();
    for entry in entries {
        let name = || match &entry.key {
            Some(EntryKey::Literal(key)) => format!("metadata.{key}"),
            Some(EntryKey::From(_)) | None => "metadata".to_owned(),
        };
        for_each(entry, scope, warnings, name, |scope| {
            add_metadata(entry, scope, &mut found)
        })?;
    }
    Ok((!found.is_empty()).then_some(FieldValue::Metadata(found)))
}

fn add_metadata<'a>(
    entry: &'a Entry,
    scope: &Scope<'_, 'a>,
    found: &mut Vec<MetadataEntry>,
) -> Result<(), Fault> {
    let form = &entry.form;
    let value = match given(form, scope)? {
        Given::Nothing(_) => return Ok(()),
        Given::Clear(_) => None,
        Given::Value(value) => Some(entry_text(form, value)?.into_owned()),
    };
    let key = metadata_key(entry, scope)?;
    scope.run.spend(search_work(found.len(), &key), form.span)?;
    let is_full = found.len() == limits::LIST_ENTRIES;
    match found.iter_mut().find(|known| known.key == key) {
        Some(known) => known.value = value,
        None if is_full => return Err(too_many(form)),
        None => found.push(MetadataEntry {
            key: key.into_owned(),
            value,
        }),
    }
    Ok(())
}

/// The key exactly as it is written or given.
fn metadata_key<'a>(entry: &'a Entry, scope: &Scope<'_, 'a>) -> Result<Cow<'a, str>, Fault> {
    let expr = match &entry.key {
        Some(EntryKey::Literal(key)) => return Ok(Cow::Borrowed(key)),
        Some(EntryKey::From(expr)) => expr,
        None => return Err(Fault::new(entry.form.span, "the entry has no key")),
    };
    scope.tell(Moment::Key(expr));
    let key = evaluate(expr, scope)?;
    if key.has_no_value() {
        return Err(Fault::new(expr.span, "the entry has a value, but no key"));
    }
    key.into_text()
        .map_err(|other| Fault::new(expr.span, format!("expected a text, got {}", other.kind())))
}

/// How many steps it takes to look for a text among so many.
fn search_work(among: usize, text: &str) -> usize {
    among.saturating_mul(1 + text.len() / limits::TEXT_BYTES_PER_STEP)
}

fn too_many(form: &Form) -> Fault {
    Fault::new(
        form.span,
        format!("more than {} entries", limits::LIST_ENTRIES),
    )
}
