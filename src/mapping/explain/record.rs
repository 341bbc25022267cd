//! Writes down what the evaluator tells, with the values of each step.

mod field;

use self::field::FieldAt;
use super::{
    CustomerKey, Element, Explanation, Extent, Item, Tally, TriedRule,
    condition::answer,
    ending::ending,
    shown::{Shown, ShownKind},
    steps::{Step, Steps},
};
use crate::{
    diag::{SourceText, Span},
    event::{Failure, ItemOutcome, Mapped},
    mapping::{
        Found,
        compiled::{Customer, Expr, Rule, UpdateRule},
        evaluate::{Fault, Moment, Scope, rule::fail_event},
    },
};

pub(super) struct Recorder<'f> {
    file: &'f SourceText,
    found: Option<&'f [Found]>,
    extent: Extent,
    split: Option<Step>,
    items: Vec<Item>,
    others: Tally,
    at: At,
}

/// Where the evaluator is.
#[derive(Default)]
struct At {
    /// The item, from 1, and whether it is told.
    item: usize,
    tells_item: bool,
    /// The element, from 1; 0 where there is none. Elements that `only` leaves out count as well.
    element: usize,
    tells_element: bool,
    /// How many elements are told that are left out, and how many that are not.
    told_left_out: usize,
    told: usize,
    /// Whether an update has begun and not ended.
    in_update: bool,
    field: FieldAt,
}

impl<'f> Recorder<'f> {
    pub(super) fn new(file: &'f SourceText, found: Option<&'f [Found]>, extent: Extent) -> Self {
        Self {
            file,
            found,
            extent,
            split: None,
            items: Vec::new(),
            others: Tally::default(),
            at: At::default(),
        }
    }

    pub(super) fn finish(mut self, mapped: Result<Mapped, Failure>) -> Explanation {
        let is_whole = mapped.is_err() || self.at.item == 0;
        let mapped = mapped.unwrap_or_else(fail_event);
        for item in &mut self.items {
            if let (Some(mapped), false) = (mapped.items.get(item.number - 1), is_whole) {
                item.dedup_key.clone_from(&mapped.dedup);
            }
        }
        let outcomes = || mapped.items.iter().flat_map(|item| &item.outcomes);
        Explanation {
            split: self.split,
            items: self.items,
            others: self.others,
            ending: outcomes()
                .next()
                .filter(|_| is_whole)
                .map(|outcome| ending(outcome, self.found)),
            mapped,
        }
    }

    pub(super) fn record<'a>(&mut self, moment: Moment<'_, 'a>, scope: &Scope<'_, 'a>) {
        match moment {
            Moment::Items(expr, found) => {
                self.split = self.steps(|steps| steps.list("", expr, found)).pop();
            }
            Moment::Item(dedup) => self.item(dedup, scope),
            Moment::Outcome(outcome) => self.outcome(outcome),
            _ if !self.at.tells_item => {}
            Moment::Rule(rule, takes) => self.rule(rule, takes, scope),
            Moment::Each(expr, found) => {
                let step = self.steps(|steps| steps.list("", expr, found)).pop();
                if let Some(item) = self.items.last_mut() {
                    item.each = step;
                }
            }
            Moment::Element(only, selected) => self.element(only, selected, scope),
            Moment::Update(rule) => self.update(rule),
            _ if !self.at.tells_element => {}
            Moment::OrderBy(expr) => {
                let steps = self.steps(|steps| steps.expression("", expr, scope));
                if let Some(element) = self.present() {
                    element.order_by = steps;
                }
            }
            Moment::Customer(customer) => self.customer(customer, scope),
            Moment::Set => self.at.field.in_set = true,
            Moment::Field(rule) => self.field(rule),
            Moment::Entry(entry) => self.entry(entry, scope),
            Moment::Default(value) => self.at.field.default = Some(Shown::value(value)),
            Moment::Given(form, given) => self.given(form, given, scope),
            Moment::Key(expr) => self.key(expr, scope),
            Moment::Fault(fault, on_error) => self.fault(fault, on_error),
        }
    }

    fn steps(&self, write: impl FnOnce(&mut Steps<'f>)) -> Vec<Step> {
        let mut steps = Steps::new(self.file);
        write(&mut steps);
        steps.finish()
    }

    fn line(&self, span: Span) -> usize {
        self.file.line_column(span.start).0
    }

    fn item<'a>(&mut self, dedup: &'a [Expr], scope: &Scope<'_, 'a>) {
        let number = self.at.item + 1;
        let tells_item = match self.extent.item {
            Some(wanted) => wanted == number,
            None => number <= self.extent.most,
        };
        self.at = At {
            item: number,
            tells_item,
            ..At::default()
        };
        if !tells_item {
            self.others.count += 1;
            return;
        }
        let dedup = dedup
            .iter()
            .map(|expr| self.steps(|steps| steps.expression("", expr, scope)))
            .collect();
        self.items.push(Item {
            number,
            dedup,
            dedup_key: Vec::new(),
            rules: Vec::new(),
            each: None,
            elements: Vec::new(),
            others: Tally::default(),
            ending: None,
        });
    }

    fn rule<'a>(&mut self, rule: &'a Rule, takes: &Result<bool, Fault>, scope: &Scope<'_, 'a>) {
        let tried = TriedRule {
            name: rule.name.clone(),
            line: self.line(rule.span),
            when: rule.when.as_ref().map(|when| when.text.to_string()),
            answer: match &rule.when {
                Some(when) => answer(when, takes, scope),
                None => Shown::new(ShownKind::Yes, "yes: it takes every item"),
            },
        };
        if let Some(item) = self.items.last_mut() {
            item.rules.push(tried);
        }
    }

    fn element<'a>(
        &mut self,
        only: Option<&'a Expr>,
        selected: &Result<bool, Fault>,
        scope: &Scope<'_, 'a>,
    ) {
        self.at.element += 1;
        let number = self.at.element;
        let is_left_out = matches!(selected, Ok(false));
        self.at.in_update = !is_left_out;
        // Those that are left out must not crowd out those that are not.
        let told = if is_left_out {
            &mut self.at.told_left_out
        } else {
            &mut self.at.told
        };
        self.at.tells_element = *told < self.extent.most;
        *told += 1;
        let only = only.filter(|_| self.at.tells_element).and_then(|only| {
            self.steps(|steps| steps.condition("", only, selected, scope))
                .pop()
        });
        let Some(item) = self.items.last_mut() else {
            return;
        };
        if self.at.tells_element {
            item.elements.push(Element {
                number: Some(number),
                only,
                ..Element::default()
            });
        } else {
            item.others.count += 1;
            item.others.left_out += usize::from(is_left_out);
        }
    }

    fn update(&mut self, rule: &UpdateRule) {
        self.at.in_update = true;
        self.at.field.in_set = false;
        self.at.field.unseen = rule.fields.len();
        // An element has begun already.
        if self.at.element == 0 {
            self.at.tells_element = true;
            if let Some(item) = self.items.last_mut() {
                item.elements.push(Element::default());
            }
        }
    }

    fn customer<'a>(&mut self, customer: &'a Customer, scope: &Scope<'_, 'a>) {
        let id = customer.id.iter().map(|expr| ("id".to_owned(), expr));
        let find = customer
            .find
            .iter()
            .map(|line| (line.by.name(), &line.value));
        let keys = id
            .chain(find)
            .map(|(key, expr)| CustomerKey {
                key,
                steps: self.steps(|steps| steps.expression("", expr, scope)),
            })
            .collect();
        if let Some(element) = self.present() {
            element.customer = keys;
        }
    }

    fn outcome(&mut self, outcome: &ItemOutcome) {
        let was_in_update = std::mem::take(&mut self.at.in_update);
        if !self.at.tells_item {
            return self.others.add(self.at.item, outcome);
        }
        let number = self.at.element;
        let unseen = self.at.field.unseen;
        let tells_element = self.at.tells_element;
        let ending = Some(ending(outcome, self.found));
        let Some(item) = self.items.last_mut() else {
            return;
        };
        if !was_in_update {
            item.ending = ending;
        } else if !tells_element {
            item.others.add(number, outcome);
        } else if let Some(element) = item.elements.last_mut() {
            element.ending = ending;
            element.unseen = unseen;
        }
    }

    /// The element that is told at present.
    fn present(&mut self) -> Option<&mut Element> {
        self.items.last_mut()?.elements.last_mut()
    }
}
