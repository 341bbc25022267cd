//! Writes a rule, with comments that teach.

use super::lines::Lines;
use crate::{
    event::SourceName,
    mapping::draft::{
        guess::{Choice, Field, Form, Proposal},
        records::Scope,
        rules::{Action, Rule},
    },
};

/// Writes a rule. The first that updates explains what it does; the others need not.
pub(super) fn write(rule: &Rule, source: &SourceName, explains: bool, out: &mut Lines) {
    let mut writer = Writer {
        source,
        explains,
        out,
    };
    writer.out.entry(2, "- name", &rule.name);
    if let Some(when) = &rule.when {
        writer.out.entry(4, "when", when);
    }
    match &rule.action {
        Action::Drop(reason) => writer.out.entry(4, "drop", reason),
        Action::Update(scope) => writer.update(scope),
    }
}

struct Writer<'o> {
    source: &'o SourceName,
    explains: bool,
    out: &'o mut Lines,
}

impl Writer<'_> {
    fn update(&mut self, scope: &Scope) {
        let proposal = &scope.proposal;
        if let Some(each) = &scope.each {
            self.explain(4, "One update for each of these. In it `^` goes one level up; `only: …` leaves some out.");
            self.out.entry(4, "each", each);
        }
        if let Some(order_by) = &proposal.order_by {
            self.explain(
                4,
                "When it changed: an older change never overwrites a newer one.",
            );
            self.choice(4, "order_by", order_by, &order_by.expression);
        }
        self.customer(proposal);
        self.out.line(4, "set:");
        for field in &proposal.fields {
            self.field(6, field);
        }
        if !proposal.metadata.is_empty() {
            self.out.line(6, "metadata:");
            for field in &proposal.metadata {
                self.field(8, field);
            }
        }
    }

    fn customer(&mut self, proposal: &Proposal) {
        self.out.line(4, "customer:");
        if let Some(id) = &proposal.id {
            self.explain(6, "The customer's id in Quentli, where it is known.");
            self.choice(6, "id", id, &id.expression);
        }
        if proposal.number.is_none() && proposal.email().is_none() {
            return;
        }
        self.note(6, "find", "otherwise looked for, in this order");
        if let Some(number) = &proposal.number {
            let source = self.source;
            self.explain(
                8,
                &format!(
                    "The username in Quentli, here {source}-<number>; write it as yours are made."
                ),
            );
            let expression = format!("concat('{source}-', {})", number.expression);
            self.choice(8, "- username", number, &expression);
        }
        if let Some(email) = proposal.email() {
            self.out.entry(8, "- email", &format!("{email} | lower"));
        }
        if self.explains {
            self.out.noted(
                6,
                "on_missing",
                "retry",
                "look again for seven days; or `fail`, `drop`, `create`",
            );
        } else {
            self.out.entry(6, "on_missing", "retry");
        }
    }

    fn field(&mut self, indent: usize, field: &Field) {
        self.others(indent, &field.others);
        match &field.form {
            Form::Plain(from) => self.out.entry(indent, &field.name, from),
            Form::Long {
                when,
                from,
                skips_null,
                skips_errors,
            } => {
                self.out.line(indent, &format!("{}:", field.name));
                if let Some(when) = when {
                    self.out.entry(indent + 2, "when", when);
                }
                self.out.entry(indent + 2, "from", from);
                if *skips_null {
                    self.out
                        .noted(indent + 2, "on_null", "skip", "Quentli cannot clear it");
                }
                if *skips_errors {
                    self.out.noted(
                        indent + 2,
                        "on_error",
                        "skip",
                        "one that nobody can read must not hold up the rest",
                    );
                }
            }
            Form::Since { flag, from } => {
                self.out.line(indent, &format!("{}:", field.name));
                self.out.comment(
                    indent + 2,
                    "An opt-out must not be lost: one without its date waits for a person.",
                );
                self.out.line(indent + 2, "cases:");
                self.out
                    .entry(indent + 4, "- when", &format!("{flag} | bool"));
                // Null would be taken for an opt-in.
                let from = from.replacen(" | ", " | default('no date') | ", 1);
                self.out.entry(indent + 6, "from", &from);
                self.out
                    .entry(indent + 4, "- when", &format!("not ({flag} | bool)"));
                // Not the text `null`, which would be quoted.
                self.out
                    .line(indent + 6, "value: null           # opted in again: clear");
            }
        }
    }

    fn choice(&mut self, indent: usize, key: &str, choice: &Choice, expression: &str) {
        self.others(indent, &choice.others);
        self.out.entry(indent, key, expression);
    }

    fn others(&mut self, indent: usize, others: &[String]) {
        if !others.is_empty() {
            self.out
                .comment(indent, &format!("Or: {}", others.join(", ")));
        }
    }

    fn explain(&mut self, indent: usize, text: &str) {
        if self.explains {
            self.out.comment(indent, text);
        }
    }

    fn note(&mut self, indent: usize, key: &str, comment: &str) {
        if self.explains {
            self.out.opened(indent, key, comment);
        } else {
            self.out.line(indent, &format!("{key}:"));
        }
    }
}
