//! The lookup tables of a file.

use std::collections::HashMap;

use super::{Compiler, KnownTable, constant::plain};
use crate::{
    diag::Diagnostic,
    mapping::{codes, compiled::Table, limits, types::Type, value::Value},
    yaml::{Entry, Node},
};

impl Compiler<'_> {
    pub(super) fn read_tables(&mut self, node: &Node) {
        let Some(tables) = node.as_map() else {
            self.error(
                Diagnostic::error(
                    codes::WRONG_VALUE,
                    format!("`tables` is a map of tables, but here is {}", node.shape()),
                )
                .at(node.span, ""),
            );
            return;
        };
        let mut total = 0_usize;
        for entry in tables {
            let Some(entries) = entry.value.as_map() else {
                self.error(
                    Diagnostic::error(
                        codes::WRONG_VALUE,
                        format!(
                            "a table is a map of keys and values, but here is {}",
                            entry.value.shape()
                        ),
                    )
                    .at(entry.value.span, ""),
                );
                continue;
            };
            total = total.saturating_add(entries.len());
            self.read_table(entry, entries);
        }
        if total > limits::TABLE_ENTRIES {
            self.error(
                Diagnostic::error(
                    codes::LIMIT,
                    format!(
                        "the tables have {total} entries; at most {} are taken",
                        limits::TABLE_ENTRIES
                    ),
                )
                .at(node.span, ""),
            );
        }
    }

    fn read_table(&mut self, entry: &Entry, entries: &[Entry]) {
        let mut values = HashMap::with_capacity(entries.len());
        let mut gives: Option<Type> = None;
        for Entry {
            key,
            key_span,
            value,
        } in entries
        {
            let read = plain(value).unwrap_or(Value::Absent);
            let this = match &read {
                Value::Text(_) => Type::Text,
                Value::Number(_) => Type::Number,
                Value::Bool(_) => Type::Bool,
                _ => {
                    self.error(
                        Diagnostic::error(
                            codes::WRONG_VALUE,
                            "a table gives texts, numbers, or true and false",
                        )
                        .at(value.span, "none of these")
                        .help("leave the key out and use `lookup(…, else=null)` or `else=skip`"),
                    );
                    continue;
                }
            };
            let first = gives.get_or_insert_with(|| this.clone());
            if *first != this {
                let message = format!(
                    "the values of a table have one type, but after {} comes {}",
                    first.described(),
                    this.described()
                );
                self.error(
                    Diagnostic::error(codes::WRONG_TYPE, message)
                        .at(value.span, this.described())
                        .help("put texts that look like something else in quotes"),
                );
            }
            if values.insert(key.trim().to_owned(), read).is_some() {
                self.error(
                    Diagnostic::error(
                        codes::DUPLICATE,
                        format!("the table has two entries for `{}`", key.trim()),
                    )
                    .at(*key_span, "again here")
                    .help("spaces around a key do not count: remove one of the two"),
                );
            }
        }
        self.tables.push(KnownTable {
            table: Table {
                name: entry.key.clone(),
                entries: values,
            },
            gives: gives.unwrap_or(Type::Text),
            span: entry.key_span,
            is_used: false,
        });
    }
}
