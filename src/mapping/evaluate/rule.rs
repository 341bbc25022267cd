//! Runs the rules on the items of an event.

use jiff::{SignedDuration, Timestamp};

use super::{
    EXHAUSTED, Fault, Listener, Moment, Run, Scope, each_element, elements, evaluate,
    field::{FieldFault, field_value},
    holds, identifying_text,
};
use crate::{
    customer::{CustomerReference, FindBy, OnConflict, OnMissing, Patch},
    diag::Span,
    event::{Failure, ItemOutcome, Mapped, MappedItem, OrderBy, Update},
    mapping::{
        Input, Mapping,
        compiled::{
            Action, Customer, Expr, FieldRule, FindKey, Missing, Rule, Unmatched, UpdateRule,
        },
        limits, number,
        transform::{datetime, text},
        tree::Tree,
        value::Value,
    },
};

/// The reason of a drop when no rule took an item.
pub(in crate::mapping) const NO_RULE: &str = "no rule";
/// The reason of a drop when a rule set no field.
pub(in crate::mapping) const NOTHING_TO_CHANGE: &str = "nothing to change";
/// The reason of a drop when there was no element.
pub(in crate::mapping) const NOTHING_SELECTED: &str = "nothing selected";

/// Maps a whole event, or says why it fails as a whole; `None` where that takes more steps than it may.
pub(in crate::mapping) fn run<'a>(
    mapping: &'a Mapping,
    body: &'a Tree<'a>,
    input: &Input<'a>,
    steps: u64,
    listener: Option<&'a Listener<'a>>,
) -> Option<Result<Mapped, Failure>> {
    let run = Run::within(body, input.headers, &mapping.tables, steps).told_to(listener);
    let mapped = mapping.items(&run, input.now);
    (!run.is_exhausted()).then_some(mapped)
}

/// Why an event fails that takes more steps than any event may.
pub(in crate::mapping) fn exhausted() -> Failure {
    Failure {
        rule: None,
        reason: EXHAUSTED.to_owned(),
        line: None,
    }
}

/// An event that fails as a whole.
pub(in crate::mapping) fn fail_event(failure: Failure) -> Mapped {
    Mapped {
        items: vec![MappedItem {
            dedup: Vec::new(),
            outcomes: vec![ItemOutcome::Fail(failure)],
        }],
    }
}

fn too_many(count: usize, what: &str) -> Failure {
    Failure {
        rule: None,
        reason: format!(
            "the event gives {count} {what}; at most {} are taken",
            limits::UPDATES_PER_EVENT
        ),
        line: None,
    }
}

/// Keeps outcomes up to the limit, and counts them beyond it.
#[derive(Default)]
struct Sink {
    items: Vec<MappedItem>,
    count: usize,
}

impl Sink {
    fn begin(&mut self, dedup: Vec<Option<String>>) {
        self.items.push(MappedItem {
            dedup,
            outcomes: Vec::new(),
        });
    }

    fn push(&mut self, outcome: ItemOutcome, scope: &Scope<'_, '_>) {
        scope.tell(Moment::Outcome(&outcome));
        self.count += 1;
        if self.count <= limits::UPDATES_PER_EVENT
            && let Some(item) = self.items.last_mut()
        {
            item.outcomes.push(outcome);
        }
    }
}

/// A part of a dedup key as text. A value without content tells no two events apart and is as good as missing.
fn dedup_text<'a>(expr: &'a Expr, scope: &Scope<'_, 'a>) -> Option<String> {
    match evaluate(expr, scope).ok()? {
        value if value.has_no_value() => None,
        Value::Tree(Tree::Object(object)) if object.is_empty() => None,
        value => match value.into_text() {
            Ok(text) => Some(text.into_owned()),
            Err(other) => {
                scope.run.spend(other.size(), expr.span).ok()?;
                let mut out = String::new();
                other.write_json(&mut out);
                Some(out)
            }
        },
    }
}

impl Mapping {
    /// All items of the event, or as many as there are steps for; or why the event fails as a whole.
    fn items<'m>(&'m self, run: &Run<'m>, now: Timestamp) -> Result<Mapped, Failure> {
        let whole = Scope::item(run, Value::of_tree(run.body));
        let items = match &self.items {
            None => vec![Value::of_tree(run.body)],
            Some(expr) => {
                let found = elements(expr, &whole);
                whole.tell(Moment::Items(expr, &found));
                match found {
                    Ok(Some(items)) if !items.is_empty() => items,
                    Ok(found) => return Ok(self.nothing_inside(expr, found.is_some())),
                    Err(fault) => {
                        return Err(self.failure(None, &FieldFault::new("items", fault)));
                    }
                }
            }
        };
        let mut sink = Sink::default();
        if items.len() > limits::UPDATES_PER_EVENT {
            return Err(too_many(items.len(), "items"));
        }
        for item in items {
            let scope = Scope::item(run, item);
            scope.tell(Moment::Item(&self.dedup));
            let dedup = self
                .dedup
                .iter()
                .map(|expr| dedup_text(expr, &scope))
                .collect();
            sink.begin(dedup);
            self.item(&scope, now, &mut sink);
            if run.is_exhausted() {
                break;
            }
        }
        if sink.count > limits::UPDATES_PER_EVENT {
            return Err(too_many(sink.count, "updates"));
        }
        Ok(Mapped { items: sink.items })
    }

    /// What becomes of an event without items: an empty list is nothing to do; no list at all is what `otherwise`
    /// says, since a list may have been expected there.
    fn nothing_inside(&self, items: &Expr, is_list: bool) -> Mapped {
        let outcome = match self.otherwise {
            Unmatched::Fail if !is_list => {
                let fault = Fault::new(items.span, "the body has no such list");
                ItemOutcome::Fail(self.failure(None, &FieldFault::new("items", fault)))
            }
            _ => ItemOutcome::Drop {
                rule: None,
                reason: NOTHING_SELECTED.to_owned(),
            },
        };
        Mapped {
            items: vec![MappedItem {
                dedup: Vec::new(),
                outcomes: vec![outcome],
            }],
        }
    }

    fn failure(&self, rule: Option<&Rule>, fault: &FieldFault) -> Failure {
        Failure {
            rule: rule.map(|rule| rule.name.clone()),
            reason: fault.reason(),
            line: self.line(fault.fault.span),
        }
    }

    /// The line of the file at which something begins.
    fn line(&self, span: Span) -> Option<u32> {
        let (line, _) = self.file.line_column(span.start);
        u32::try_from(line).ok()
    }

    /// The first rule that takes an item, or the failure of its condition.
    pub(in crate::mapping) fn rule_for<'m>(
        &'m self,
        scope: &Scope<'_, 'm>,
    ) -> Result<Option<&'m Rule>, Failure> {
        for rule in &self.rules {
            let takes = match &rule.when {
                None => Ok(true),
                Some(when) => holds(when, scope),
            };
            scope.tell(Moment::Rule(rule, &takes));
            if takes.map_err(|fault| self.failure(Some(rule), &FieldFault::new("when", fault)))? {
                return Ok(Some(rule));
            }
        }
        Ok(None)
    }

    fn item<'m>(&'m self, scope: &Scope<'_, 'm>, now: Timestamp, sink: &mut Sink) {
        let rule = match self.rule_for(scope) {
            Err(failure) => return sink.push(ItemOutcome::Fail(failure), scope),
            Ok(None) => return sink.push(self.unmatched(), scope),
            Ok(Some(rule)) => rule,
        };
        let update = match &rule.action {
            Action::Drop(reason) => {
                let rule = Some(rule.name.clone());
                let reason = reason.clone();
                return sink.push(ItemOutcome::Drop { rule, reason }, scope);
            }
            Action::Fail(reason) => {
                let failure = Failure {
                    rule: Some(rule.name.clone()),
                    reason: reason.clone(),
                    line: self.line(rule.span),
                };
                return sink.push(ItemOutcome::Fail(failure), scope);
            }
            Action::Update(update) => update,
        };
        let Some(each) = &update.each else {
            return sink.push(self.update(rule, update, scope, now), scope);
        };
        let found = each_element(each, scope);
        scope.tell(Moment::Each(each, &found));
        let found = match found {
            Ok(found) => found.unwrap_or_default(),
            Err(fault) => {
                let fault = FieldFault::new("each", fault);
                return sink.push(ItemOutcome::Fail(self.failure(Some(rule), &fault)), scope);
            }
        };
        let mut any = false;
        for element in found {
            let inner = scope.inner(element);
            let selected = match &update.only {
                None => Ok(true),
                Some(only) => holds(only, &inner),
            };
            inner.tell(Moment::Element(update.only.as_ref(), &selected));
            let outcome = match selected {
                Ok(false) => continue,
                Ok(true) => self.update(rule, update, &inner, now),
                Err(fault) => {
                    let fault = FieldFault::new("only", fault);
                    ItemOutcome::Fail(self.failure(Some(rule), &fault))
                }
            };
            sink.push(outcome, &inner);
            any = true;
            if scope.run.is_exhausted() {
                break;
            }
        }
        if !any {
            let rule = Some(rule.name.clone());
            let reason = NOTHING_SELECTED.to_owned();
            sink.push(ItemOutcome::Drop { rule, reason }, scope);
        }
    }

    fn unmatched(&self) -> ItemOutcome {
        match self.otherwise {
            Unmatched::Drop => ItemOutcome::Drop {
                rule: None,
                reason: NO_RULE.to_owned(),
            },
            Unmatched::Fail => ItemOutcome::Fail(Failure {
                rule: None,
                reason: NO_RULE.to_owned(),
                line: None,
            }),
        }
    }

    fn update<'m>(
        &'m self,
        rule: &'m Rule,
        update: &'m UpdateRule,
        scope: &Scope<'_, 'm>,
        now: Timestamp,
    ) -> ItemOutcome {
        match try_update(rule, update, scope, now) {
            Ok(outcome) => outcome,
            Err(fault) => ItemOutcome::Fail(self.failure(Some(rule), &fault)),
        }
    }
}

/// What a rule makes of one element, or the fault that stops all of it.
fn try_update<'a>(
    rule: &'a Rule,
    update: &'a UpdateRule,
    scope: &Scope<'_, 'a>,
    now: Timestamp,
) -> Result<ItemOutcome, FieldFault> {
    let mut warnings = Vec::new();
    scope.tell(Moment::Update(update));
    let order_by = match &update.order_by {
        None => None,
        Some(expr) => order_by(expr, scope, now, &mut warnings)
            .map_err(|fault| FieldFault::new("order_by", fault))?,
    };
    let customer = customer(&update.customer, scope, &mut warnings)?;
    scope.tell(Moment::Set);
    let patch = patch(&update.fields, scope, &mut warnings)?;
    if patch.is_empty() {
        return Ok(ItemOutcome::Drop {
            rule: Some(rule.name.clone()),
            reason: NOTHING_TO_CHANGE.to_owned(),
        });
    }
    Ok(ItemOutcome::Update(Update {
        rule: rule.name.clone(),
        customer,
        patch,
        order_by,
        warnings,
    }))
}

/// The fields that get a value or are cleared.
fn patch<'a>(
    fields: &'a [FieldRule],
    scope: &Scope<'_, 'a>,
    warnings: &mut Vec<String>,
) -> Result<Patch, FieldFault> {
    let mut patch = Patch::new();
    for field in fields {
        if let Some(value) = field_value(field, scope, warnings)? {
            patch.set(field.field, value).map_err(|error| {
                let fault = Fault::new(field.span, format!("cannot be {}", error.what));
                FieldFault::new(field.field.as_str(), fault)
            })?;
        }
    }
    Ok(patch)
}

/// A number without its fraction, or the milliseconds of a time; a time more than an hour ahead counts as now.
fn order_by<'a>(
    expr: &'a Expr,
    scope: &Scope<'_, 'a>,
    now: Timestamp,
    warnings: &mut Vec<String>,
) -> Result<Option<OrderBy>, Fault> {
    scope.tell(Moment::OrderBy(expr));
    let value = evaluate(expr, scope)?;
    if value.has_no_value() {
        return Ok(None);
    }
    match &value {
        Value::Number(number) => match number::cut(number) {
            Some(whole) => Ok(Some(OrderBy(whole))),
            None => Err(Fault::new(
                expr.span,
                format!("{} is too large; 18 digits fit", value.quoted()),
            )),
        },
        Value::DateTime(time) => {
            let latest = now.saturating_add(SignedDuration::from_hours(1));
            let time = match latest {
                Ok(latest) if *time > latest => {
                    warnings.push(format!(
                        "order_by: {} is in the future and counts as now",
                        datetime::written(*time)
                    ));
                    now
                }
                _ => *time,
            };
            Ok(Some(OrderBy(time.as_millisecond())))
        }
        other => Err(Fault::new(
            expr.span,
            format!("expected a number or a date and time, got {}", other.kind()),
        )),
    }
}

fn customer<'a>(
    customer: &'a Customer,
    scope: &Scope<'_, 'a>,
    warnings: &mut Vec<String>,
) -> Result<CustomerReference, FieldFault> {
    scope.tell(Moment::Customer(customer));
    let id = match &customer.id {
        None => None,
        Some(expr) => {
            let in_field = |fault| FieldFault::new("customer.id", fault);
            match identifying_text(expr, scope).map_err(in_field)? {
                None => None,
                Some(text) => Some(text.parse().map_err(|_| {
                    let shown = Value::Text(text.clone()).quoted();
                    in_field(Fault::new(
                        expr.span,
                        format!("{shown} is not a customer identifier"),
                    ))
                })?),
            }
        }
    };
    let mut find = Vec::new();
    for line in &customer.find {
        let text = identifying_text(&line.value, scope)
            .map_err(|fault| FieldFault::new(format!("customer.find.{}", line.by.name()), fault))?;
        let Some(text) = text else { continue };
        let is_for_new = matches!(customer.on_missing, Missing::Create(_));
        // A new customer gets it, so it must be an address.
        if is_for_new && line.by == FindKey::Email && text::email(&text).is_none() {
            let shown = Value::Text(text).quoted();
            warnings.push(format!(
                "customer.find.email: {shown} is not an e-mail address and is left out"
            ));
            continue;
        }
        find.push(match &line.by {
            FindKey::Username => FindBy::Username(text.into_owned()),
            FindKey::Email => FindBy::Email(text.to_lowercase()),
            FindKey::Metadata(key) => FindBy::Metadata {
                key: key.clone(),
                value: text.into_owned(),
            },
        });
    }
    Ok(CustomerReference {
        id,
        find,
        // The file as a whole says it, and not its rules.
        on_conflict: OnConflict::default(),
        on_missing: match &customer.on_missing {
            Missing::Retry => OnMissing::Retry,
            Missing::Fail => OnMissing::Fail,
            Missing::Drop => OnMissing::Drop,
            Missing::Create(fields) => OnMissing::Create(creation(fields, scope, warnings)?),
        },
    })
}

/// What a new customer gets besides the update. It is found out also where the customer may well exist: who does is
/// not known here.
fn creation<'a>(
    fields: &'a [FieldRule],
    scope: &Scope<'_, 'a>,
    warnings: &mut Vec<String>,
) -> Result<Patch, FieldFault> {
    let of_creation = |text: &str| format!("create.{text}");
    let mut tolerated = Vec::new();
    let patch = patch(fields, scope, &mut tolerated).map_err(|fault| FieldFault {
        field: of_creation(&fault.field),
        ..fault
    })?;
    warnings.extend(tolerated.iter().map(|warning| of_creation(warning)));
    Ok(patch)
}

impl FindKey {
    /// As it is written in files.
    pub(in crate::mapping) fn name(&self) -> String {
        match self {
            Self::Username => "username".to_owned(),
            Self::Email => "email".to_owned(),
            Self::Metadata(key) => format!("metadata.{key}"),
        }
    }
}
