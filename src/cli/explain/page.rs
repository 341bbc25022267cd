//! An explanation for people: a table for each item and each element, and what would be sent below it.

use serde::Serialize;

use super::{Shown, patch, table::Table};
use crate::{
    cli::output::{Tone, counted, painted, quoted},
    customer::Patch,
    diag::{Style, visible},
    event::ItemOutcome,
    mapping::{
        Assignment, Effect, Element, Ending, Explanation, IfNobody, Item, Recipient,
        Shown as Value, Tally,
    },
    quentli::Creation,
    source::receive::DedupRule,
};

/// A longer body is cut, unless everything is asked for.
const BODY: usize = 2_000;

/// The lines of the page.
pub(super) fn page(shown: &Shown<'_>, explanation: &Explanation, style: Style) -> Vec<String> {
    let mut page = Page {
        shown,
        style,
        lines: Vec::new(),
        is_void: false,
        asked: None,
    };
    page.heading(&format!("{}, {}", shown.file, visible(&shown.event)));
    if let Some(split) = &explanation.split {
        let mut table = Table::default();
        table.steps("items", std::slice::from_ref(split));
        page.table(&table);
    }
    if let Some(ending) = &explanation.ending {
        page.lines.push(String::new());
        page.ending(ending);
        page.is_void = true;
        if !explanation.items.is_empty() {
            page.line("This is what came before:", Tone::Plain);
        }
    }
    let count = explanation.items.len() + explanation.others.count;
    for item in &explanation.items {
        page.item(item, count);
    }
    if !shown.is_one_item {
        page.others(&explanation.others, "item");
    }
    page.end(explanation);
    page.lines
}

struct Page<'a> {
    shown: &'a Shown<'a>,
    style: Style,
    lines: Vec<String>,
    /// Whether the event fails as a whole, so that nothing becomes of its items.
    is_void: bool,
    /// A key by which Quentli would be asked for a customer.
    asked: Option<(String, String)>,
}

impl Page<'_> {
    fn line(&mut self, text: &str, tone: Tone) {
        self.lines.push(painted(text, tone, self.style));
    }

    fn heading(&mut self, text: &str) {
        if !self.lines.is_empty() {
            self.lines.push(String::new());
        }
        self.line(text, Tone::Heading);
    }

    fn table(&mut self, table: &Table) {
        self.lines.extend(table.lines(self.style));
    }

    fn item(&mut self, item: &Item, count: usize) {
        let is_only = count == 1;
        if is_only {
            self.lines.push(String::new());
        } else {
            self.heading(&format!("item {} of {count}", item.number));
        }
        let mut table = Table::default();
        self.dedup(item, &mut table);
        for rule in &item.rules {
            let label = format!("rule {}", rule.name);
            let when = rule.when.as_deref().unwrap_or_default();
            table.row(Some(rule.line), &label, when, &rule.answer);
        }
        if let Some(each) = &item.each {
            table.steps("each", std::slice::from_ref(each));
        }
        self.table(&table);
        let elements = item.elements.len() + item.others.count;
        let place = if is_only {
            String::new()
        } else {
            format!("item {}, ", item.number)
        };
        for element in &item.elements {
            self.element(element, &place, elements);
        }
        self.others(&item.others, "element");
        if let (Some(ending), false) = (&item.ending, self.is_void) {
            self.ending(ending);
        }
    }

    fn dedup(&self, item: &Item, table: &mut Table) {
        let whole = "the whole body";
        match self.shown.dedup {
            DedupRule::Header(name) => {
                table.row(None, "dedup", &format!("header {name}"), &Value::none());
            }
            DedupRule::Body => table.row(None, "dedup", whole, &Value::none()),
            DedupRule::Expressions(_) => {
                for (index, steps) in item.dedup.iter().enumerate() {
                    table.steps(if index == 0 { "dedup" } else { "" }, steps);
                }
                if item.dedup_key.iter().any(Option::is_none) {
                    let note = format!("a part has no value, so {whole} counts");
                    table.note(&note, Tone::Plain);
                }
            }
        }
    }

    fn element(&mut self, element: &Element, item: &str, count: usize) {
        let mut table = Table::default();
        match element.number {
            Some(number) => self.heading(&format!("{item}element {number} of {count}")),
            None => self.lines.push(String::new()),
        }
        if let Some(only) = &element.only {
            table.steps("only", std::slice::from_ref(only));
            if element.ending.is_none() {
                table.note("left out", Tone::Faint);
            }
        }
        table.steps("order_by", &element.order_by);
        for key in &element.customer {
            table.steps(&format!("customer {}", key.key), &key.steps);
        }
        for assignment in &element.create {
            let label = format!("create {}", assignment.field);
            assign(&label, assignment, &mut table);
        }
        for assignment in &element.fields {
            assign(&assignment.field, assignment, &mut table);
        }
        self.table(&table);
        if element.unseen > 0 {
            let more = counted(element.unseen, "more field");
            self.line(&format!("{more} not looked at"), Tone::Faint);
        }
        if let (Some(ending), false) = (&element.ending, self.is_void) {
            self.ending(ending);
        }
    }

    fn ending(&mut self, ending: &Ending) {
        match ending {
            Ending::Update {
                recipient,
                patch: changes,
                warnings,
                ..
            } => {
                self.request(recipient, changes);
                for warning in warnings {
                    self.line(&format!("warning: {}", visible(warning)), Tone::Doubtful);
                }
            }
            Ending::Drop(reason) => {
                self.line(
                    &format!("would drop it: {}", visible(reason)),
                    Tone::Doubtful,
                );
            }
            Ending::Retry(reason) => {
                let text = format!("would try again later: {}", visible(reason));
                self.line(&text, Tone::Doubtful);
            }
            Ending::Fail { reason, line } => self.failure(reason, *line),
        }
    }

    fn request(&mut self, recipient: &Recipient, changes: &Patch) {
        match recipient {
            Recipient::Known(id) => {
                let path = visible(&patch::path(id));
                self.line(&format!("would send PATCH {path}"), Tone::Good);
                self.body(&patch::update(changes));
            }
            Recipient::New(all) => {
                self.line("would find nobody and create a customer", Tone::Good);
                self.creation(all);
            }
            Recipient::Asked { keys, if_nobody } => {
                let written: Vec<String> = keys
                    .iter()
                    .map(|(key, value)| format!("{key} '{}'", visible(value)))
                    .collect();
                let written = written.join(", then ");
                self.line(
                    &format!("would look for the customer by {written}"),
                    Tone::Good,
                );
                self.line("and send PATCH /v1/customers/<id>", Tone::Good);
                self.body(&patch::update(changes));
                self.if_nobody(if_nobody);
                if self.asked.is_none() {
                    self.asked = keys.first().cloned();
                }
            }
        }
    }

    fn creation(&mut self, all: &Patch) {
        let creation = Creation::of(all);
        self.line("with POST /v1/customers", Tone::Good);
        self.body(&creation);
        if !creation.rest().is_empty() {
            self.line("and then PATCH /v1/customers/<id>", Tone::Good);
            self.body(&patch::update(creation.rest()));
        }
    }

    fn if_nobody(&mut self, if_nobody: &IfNobody) {
        let text = match if_nobody {
            IfNobody::Retry => "look again later (on_missing: retry)".to_owned(),
            IfNobody::Fail => "fail (on_missing: fail)".to_owned(),
            IfNobody::Drop => "drop it (on_missing: drop)".to_owned(),
            IfNobody::Create(_) => "create a customer (on_missing: create)".to_owned(),
            IfNobody::CannotCreate(why) => format!("fail, for {why}"),
        };
        self.line(&format!("or, if nobody is found, {text}"), Tone::Good);
        if let IfNobody::Create(all) = if_nobody {
            self.creation(all);
        }
    }

    fn failure(&mut self, reason: &str, line: Option<u32>) {
        let place = line.map_or_else(String::new, |line| format!(" (line {line})"));
        let reason = visible(reason);
        let text = format!("would fail, and wait for a person: {reason}{place}");
        self.line(&text, Tone::Bad);
    }

    fn body(&mut self, body: &impl Serialize) {
        let body = patch::visible_json(body);
        match body.char_indices().nth(BODY) {
            Some((end, _)) if !self.shown.is_whole => {
                let length = body.chars().count();
                self.line(body.get(..end).unwrap_or_default(), Tone::Plain);
                self.line(
                    &format!("… {length} characters; --all shows them"),
                    Tone::Faint,
                );
            }
            _ => self.line(&body, Tone::Plain),
        }
    }

    /// Those that are not shown, in a line.
    fn others(&mut self, others: &Tally, what: &str) {
        if others.count == 0 {
            return;
        }
        let mut text = format!(
            "… {} not shown: {}",
            counted(others.count, &format!("more {what}")),
            summary(
                others.updates,
                others.drops,
                others.failures,
                others.left_out
            )
        );
        if !others.failing.is_empty() {
            let numbers: Vec<String> = others.failing.iter().map(usize::to_string).collect();
            let more = if others.failures > others.failing.len() {
                ", …"
            } else {
                ""
            };
            text = format!("{text} ({what} {}{more})", numbers.join(", "));
        }
        text.push_str("; --all shows them");
        self.lines.push(String::new());
        self.line(&text, Tone::Faint);
    }

    /// What becomes of all of it together, and what might be asked next.
    fn end(&mut self, explanation: &Explanation) {
        let outcomes: Vec<&ItemOutcome> = explanation.outcomes().collect();
        if outcomes.len() > 1 {
            let count =
                |is: fn(&ItemOutcome) -> bool| outcomes.iter().filter(|one| is(one)).count();
            let text = summary(
                count(|one| matches!(one, ItemOutcome::Update(_))),
                count(|one| matches!(one, ItemOutcome::Drop { .. })),
                count(|one| matches!(one, ItemOutcome::Fail(_))),
                0,
            );
            self.heading(&format!("in all: {text}"));
        }
        if let (Some((key, value)), false) = (&self.asked, self.shown.is_answered) {
            let example = quoted(&format!("{key}={value}: cus_1"));
            let text = format!("to say whom Quentli would find: --found {example}");
            self.lines.push(String::new());
            self.line(&text, Tone::Faint);
        }
    }
}

/// `2 updates, 1 dropped, 1 failure`, without what there is none of.
fn summary(updates: usize, drops: usize, failures: usize, left_out: usize) -> String {
    let parts = [
        (updates, counted(updates, "update")),
        (drops, format!("{drops} dropped")),
        (failures, counted(failures, "failure")),
        (left_out, format!("{left_out} left out")),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    parts.map(|(_, text)| text).collect::<Vec<_>>().join(", ")
}

fn assign(label: &str, assignment: &Assignment, table: &mut Table) {
    table.steps(label, &assignment.steps);
    if let Some(note) = &assignment.note {
        let tone = match assignment.effect {
            Effect::Sets | Effect::Clears => Tone::Plain,
            Effect::Nothing | Effect::Each => Tone::Faint,
            Effect::Skips => Tone::Doubtful,
            Effect::Fails => Tone::Bad,
        };
        table.note(note, tone);
    }
}
