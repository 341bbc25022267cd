//! A text that grows line by line.

use crate::mapping::draft::{data::Data, write};

/// Lines of YAML, each at its indentation.
#[derive(Default)]
pub(super) struct Lines(String);

/// Where a comment begins that stands beside a value.
const COMMENT_COLUMN: usize = 32;

impl Lines {
    /// Text as it is, with its line ends.
    pub(super) fn raw(&mut self, text: &str) {
        self.0.push_str(text);
    }

    pub(super) fn blank(&mut self) {
        self.0.push('\n');
    }

    /// A line that needs no quotes.
    pub(super) fn line(&mut self, indent: usize, text: &str) {
        self.0.push_str(&" ".repeat(indent));
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// `key: value`, both quoted where they must be. A key may begin with `- `.
    pub(super) fn entry(&mut self, indent: usize, key: &str, value: &str) {
        self.line(indent, &pair(key, value));
    }

    /// `key: value   # comment`
    pub(super) fn noted(&mut self, indent: usize, key: &str, value: &str, comment: &str) {
        let width = COMMENT_COLUMN.saturating_sub(indent);
        self.line(indent, &format!("{:width$}# {comment}", pair(key, value)));
    }

    /// `key:   # comment`, for what stands below it.
    pub(super) fn opened(&mut self, indent: usize, key: &str, comment: &str) {
        let width = COMMENT_COLUMN.saturating_sub(indent);
        self.line(indent, &format!("{:width$}# {comment}", format!("{key}:")));
    }

    /// A key with data below it or beside it.
    pub(super) fn data(&mut self, indent: usize, key: &str, value: &Data) {
        write::entry(key, value, indent, &mut self.0);
    }

    pub(super) fn comment(&mut self, indent: usize, text: &str) {
        self.line(indent, format!("# {text}").trim_end());
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

fn pair(key: &str, value: &str) -> String {
    let (dash, key) = match key.strip_prefix("- ") {
        Some(key) => ("- ", key),
        None => ("", key),
    };
    format!("{dash}{}: {}", write::text(key), write::text(value))
}
