//! How fields, tags and keys of the metadata get their values.

use super::Recorder;
use crate::{
    diag::visible,
    mapping::{
        compiled::{Entry, EntryKey, Expr, FieldRule, FieldValueRule, Form, OnError, Source},
        evaluate::{
            Fault, Scope, elements, evaluate,
            field::{Cause, FieldFault, Given},
            holds,
        },
        explain::{
            Assignment, Effect,
            shown::{Shown, ShownKind},
            steps::{Step, counted},
        },
    },
};

/// Where in the fields of an update it is.
#[derive(Default)]
pub(super) struct FieldAt {
    /// Whether the fields are those of `set`, not those for creation; and how many of `set` are still to come.
    pub(super) in_set: bool,
    pub(super) unseen: usize,
    /// As it is called, such as `metadata.Grado`, and where it stands.
    name: String,
    line: usize,
    kind: FieldKind,
    /// How many values the field, or the present entry of it, gave.
    given: usize,
    /// What stands in for a source without value.
    pub(super) default: Option<Shown>,
}

/// What a field is made of.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum FieldKind {
    #[default]
    One,
    Tags,
    Metadata,
}

impl Recorder<'_> {
    pub(super) fn field(&mut self, rule: &FieldRule) {
        if self.at.field.in_set {
            self.at.field.unseen = self.at.field.unseen.saturating_sub(1);
        }
        rule.field.as_str().clone_into(&mut self.at.field.name);
        self.at.field.line = self.line(rule.span);
        self.at.field.given = 0;
        self.at.field.kind = match &rule.value {
            FieldValueRule::Single(_) => FieldKind::One,
            FieldValueRule::List(_) => FieldKind::Tags,
            FieldValueRule::Keyed(_) => FieldKind::Metadata,
        };
    }

    pub(super) fn entry<'a>(&mut self, entry: &'a Entry, scope: &Scope<'_, 'a>) {
        self.at.field.name = match (self.at.field.kind, &entry.key) {
            (FieldKind::Tags, _) => "tags".to_owned(),
            (_, Some(EntryKey::Literal(key))) => format!("metadata.{key}"),
            _ => "metadata".to_owned(),
        };
        self.at.field.line = self.line(entry.form.span);
        self.at.field.given = 0;
        if let Some(each) = &entry.each {
            let found = elements(each, scope);
            let steps = self.steps(|steps| steps.list("each ", each, &found));
            self.assign(steps, Effect::Each, None);
        }
    }

    pub(super) fn given<'a>(
        &mut self,
        form: &'a Form,
        given: &Result<Given<'a>, Fault>,
        scope: &Scope<'_, 'a>,
    ) {
        self.at.field.given += 1;
        let default = self.at.field.default.take();
        if self.at.field.given > self.extent.most {
            let more = counted(self.at.field.given - self.extent.most, "more element");
            let list = self.assignments().into_iter().flatten();
            if let Some(each) = list.rev().find(|known| known.effect == Effect::Each) {
                each.note = Some(format!("{more} not shown"));
            }
            return;
        }
        let steps = self.steps(|steps| {
            if let Some(when) = &form.when {
                let holds = holds(when, scope);
                steps.condition("when ", when, &holds, scope);
                if !matches!(holds, Ok(true)) {
                    return;
                }
            }
            steps.source(&form.source, scope);
        });
        let kind = self.at.field.kind;
        let (effect, note) = match given {
            Ok(Given::Nothing(cause)) => (Effect::Nothing, Some(left_alone(kind, *cause))),
            Ok(Given::Clear(cause)) => cleared(kind, *cause),
            // A fixed value is meant as it is.
            Ok(Given::Value(value))
                if value.is_blank() && !matches!(form.source, Source::Constant(_)) =>
            {
                (Effect::Sets, Some("kept, although blank".to_owned()))
            }
            Ok(Given::Value(_)) => (Effect::Sets, None),
            // What it means is told next.
            Err(_) => (Effect::Fails, None),
        };
        let note = match (default, note) {
            (Some(default), None) => Some(format!("the default: {}", default.text)),
            (Some(default), Some(note)) => Some(format!("the default: {}; {note}", default.text)),
            (None, note) => note,
        };
        self.assign(steps, effect, note);
    }

    pub(super) fn key<'a>(&mut self, expr: &'a Expr, scope: &Scope<'_, 'a>) {
        if self.at.field.given > self.extent.most {
            return;
        }
        let steps = self.steps(|steps| steps.expression("key ", expr, scope));
        let key = evaluate(expr, scope)
            .ok()
            .and_then(|key| key.into_text().ok());
        let Some(assignment) = self.assignments().and_then(|list| list.last_mut()) else {
            return;
        };
        if let Some(key) = key {
            assignment.field = format!("metadata.{key}");
        }
        assignment.steps.splice(0..0, steps);
    }

    pub(super) fn fault(&mut self, fault: &FieldFault, on_error: OnError) {
        if self.at.field.given > self.extent.most {
            return;
        }
        let (effect, meaning) = match on_error {
            OnError::Fail => (Effect::Fails, "nothing of this update is sent"),
            OnError::Skip => (Effect::Skips, "left out, with a warning (on_error: skip)"),
        };
        let error = Shown::error(&fault.fault.message).text;
        let message = visible(&fault.fault.message);
        let Some(last) = self.assignments().and_then(|list| list.last_mut()) else {
            return;
        };
        let is_shown = last
            .steps
            .iter()
            .any(|step| step.value.kind == ShownKind::Error && step.value.text.ends_with(&message));
        last.effect = effect;
        last.note = Some(if is_shown {
            meaning.to_owned()
        } else {
            format!("{error}; {meaning}")
        });
    }

    fn assignments(&mut self) -> Option<&mut Vec<Assignment>> {
        let in_set = self.at.field.in_set;
        let element = self.present()?;
        Some(if in_set {
            &mut element.fields
        } else {
            &mut element.create
        })
    }

    fn assign(&mut self, steps: Vec<Step>, effect: Effect, note: Option<String>) {
        let assignment = Assignment {
            field: self.at.field.name.clone(),
            line: self.at.field.line,
            steps,
            effect,
            note,
        };
        if let Some(list) = self.assignments() {
            list.push(assignment);
        }
    }
}

fn left_alone(kind: FieldKind, cause: Cause) -> String {
    let what = match kind {
        FieldKind::One => "left alone",
        FieldKind::Tags | FieldKind::Metadata => "left out",
    };
    match cause {
        Cause::Condition | Cause::Absent => what.to_owned(),
        Cause::Null => format!("{what} (on_null: skip)"),
        Cause::Blank => format!("{what}, being blank"),
    }
}

fn cleared(kind: FieldKind, cause: Cause) -> (Effect, Option<String>) {
    let (effect, what) = match kind {
        FieldKind::One => (Effect::Clears, "cleared"),
        FieldKind::Metadata => (Effect::Clears, "the key is removed"),
        FieldKind::Tags => (Effect::Nothing, "left out"),
    };
    let note = match cause {
        Cause::Blank => format!("{what} (on_blank: clear)"),
        Cause::Condition | Cause::Absent | Cause::Null => what.to_owned(),
    };
    (effect, Some(note))
}
