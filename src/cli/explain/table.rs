//! Lines with columns: the line of the file, what it is for, the expression, and its value.

use crate::{
    cli::output::{Tone, painted},
    diag::{Style, visible},
    mapping::{Shown, ShownKind, Step},
};

/// A longer label is cut.
const LABEL: usize = 34;
/// A longer expression puts its value on the next line.
const EXPRESSION: usize = 46;

/// Lines that share their columns.
#[derive(Default)]
pub(super) struct Table {
    rows: Vec<Row>,
}

struct Row {
    /// Told where it differs from that of the row above.
    line: Option<usize>,
    label: String,
    expression: String,
    value: String,
    tone: Tone,
    /// What becomes of it.
    note: Option<(String, Tone)>,
}

impl Table {
    pub(super) fn row(
        &mut self,
        line: Option<usize>,
        label: &str,
        expression: &str,
        value: &Shown,
    ) {
        let label = visible(label);
        let mut short: String = label.chars().take(LABEL).collect();
        if short.len() < label.len() {
            short.pop();
            short.push('…');
        }
        self.rows.push(Row {
            line,
            label: short,
            expression: visible(expression),
            value: value.text.clone(),
            tone: tone(value.kind),
            note: None,
        });
    }

    /// The steps of one thing; the first has its label.
    pub(super) fn steps(&mut self, label: &str, steps: &[Step]) {
        for (index, step) in steps.iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            let expression = format!("{}{}", "  ".repeat(step.depth), step.expression);
            self.row(step.line, label, &expression, &step.value);
        }
    }

    /// What becomes of the row above.
    pub(super) fn note(&mut self, text: &str, tone: Tone) {
        if let Some(row) = self.rows.last_mut() {
            row.note = Some((format!("→ {}", visible(text)), tone));
        }
    }

    pub(super) fn lines(&self, style: Style) -> Vec<String> {
        let width = |of: fn(&Row) -> &str, most: usize| {
            let lengths = self.rows.iter().map(|row| of(row).chars().count());
            lengths
                .filter(|length| *length <= most)
                .max()
                .unwrap_or_default()
        };
        let label = width(|row| &row.label, LABEL);
        let expression = width(|row| &row.expression, EXPRESSION);
        let before = " ".repeat(5 + 2 + label + 2 + expression + 2);
        let mut lines = Vec::new();
        let mut last = None;
        for row in &self.rows {
            let number = row.line.filter(|line| last != Some(*line));
            last = row.line.or(last);
            let number = number.map_or_else(String::new, |line| line.to_string());
            let number = painted(&format!("{number:>5}"), Tone::Faint, style);
            let value = painted(&row.value, row.tone, style);
            let begin = format!(
                "{number}  {:label$}  {:expression$}",
                row.label, row.expression
            );
            if row.expression.chars().count() > expression && !row.value.is_empty() {
                lines.push(begin);
                lines.push(format!("{before}{value}"));
            } else {
                lines.push(format!("{begin}  {value}"));
            }
            let Some((note, tone)) = &row.note else {
                continue;
            };
            let note = painted(note, *tone, style);
            match lines.last_mut() {
                Some(line) if row.tone == Tone::Faint => {
                    line.push(' ');
                    line.push_str(&note);
                }
                _ => lines.push(format!("{before}{note}")),
            }
        }
        lines
            .iter()
            .map(|line| line.trim_end().to_owned())
            .collect()
    }
}

/// What gives nothing is faint, and has room for a note.
fn tone(kind: ShownKind) -> Tone {
    match kind {
        ShownKind::Value => Tone::Plain,
        ShownKind::Yes => Tone::Good,
        ShownKind::Absent
        | ShownKind::Null
        | ShownKind::Blank
        | ShownKind::No
        | ShownKind::Unused => Tone::Faint,
        ShownKind::Error => Tone::Bad,
    }
}
