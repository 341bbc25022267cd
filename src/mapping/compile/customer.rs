//! Whose record a rule changes.

use super::{Compiler, KEYS};
use crate::{
    diag::{Diagnostic, did_you_mean},
    mapping::{
        codes,
        compiled::{Customer, Expr, Find, FindKey},
        types::Target,
    },
    yaml::{KeyReader, Node},
};

impl Compiler<'_> {
    pub(super) fn customer(&mut self, node: &Node, level: usize) -> Option<Customer> {
        let mut keys = KeyReader::new(node, "`customer`", KEYS, self.out)?;
        let id = keys.take("id");
        let find = keys.take("find");
        let on_missing = keys.take("on_missing");
        let create = keys.take("create");
        keys.finish(self.out);

        if id.is_none() && find.is_none() {
            self.rule_error(
                node.span,
                "`customer` needs `id` or `find`".to_owned(),
                "write `id: …`, or `find:` with lines such as `- email: …`",
            );
        }
        let id = self.optional(id, |this, node| this.identifier("customer.id", node, level));
        let find = self.optional(find, |this, node| this.find_lines(node, level));
        let word = on_missing.map_or(node.span, |entry| entry.value.span);
        let on_missing = self.on_missing(on_missing, create, level);
        if let (Some(missing), Ok(find)) = (&on_missing, &find) {
            self.check_newcomer_is_found(missing, find.as_deref().unwrap_or_default(), word);
        }
        Some(Customer {
            id: id.ok()?,
            find: find.ok()?.unwrap_or_default(),
            on_missing: on_missing?,
        })
    }

    fn find_lines(&mut self, node: &Node, level: usize) -> Option<Vec<Find>> {
        let Some(nodes) = node.as_list().filter(|nodes| !nodes.is_empty()) else {
            self.rule_error(
                node.span,
                "`find` is a list of lines, tried in order".to_owned(),
                "write `- username: …`, `- email: …` or `- metadata.KEY: …`",
            );
            return None;
        };
        let lines: Vec<Option<Find>> = nodes
            .iter()
            .map(|node| self.find_line(node, level))
            .collect();
        lines.into_iter().collect()
    }

    fn find_line(&mut self, node: &Node, level: usize) -> Option<Find> {
        let Some([entry]) = node.as_map() else {
            let was_cut = node
                .as_map()
                .and_then(|entries| entries.first())
                .is_some_and(|entry| {
                    let text = entry.value.as_text().unwrap_or_default();
                    text.contains('(') && !text.contains(')')
                });
            self.rule_error(
                node.span,
                "a line of `find` has one key".to_owned(),
                if was_cut {
                    "in a one-line `{…}` a comma ends the value: put the whole value in double quotes"
                } else {
                    "write `- username: …`, `- email: …` or `- metadata.KEY: …`"
                },
            );
            return None;
        };
        let by = match entry.key.as_str() {
            "username" => FindKey::Username,
            "email" => FindKey::Email,
            key => {
                let metadata = key.strip_prefix("metadata.");
                let Some(metadata) = metadata.filter(|key| !key.is_empty()) else {
                    let known = ["username", "email"];
                    let unknown = format!("customers are not found by `{key}`");
                    self.error(
                        Diagnostic::error(codes::UNKNOWN_KEY, unknown)
                            .at(entry.key_span, "unknown key")
                            .help(did_you_mean(key, known).unwrap_or_else(|| {
                                "use `username`, `email` or `metadata.KEY`".to_owned()
                            })),
                    );
                    return None;
                };
                FindKey::Metadata(metadata.to_owned())
            }
        };
        let value = self.identifier(&by.name(), &entry.value, level)?;
        Some(Find { by, value })
    }

    /// An expression whose text names a customer.
    fn identifier(&mut self, name: &str, node: &Node, level: usize) -> Option<Expr> {
        // Some ids are built: `id: {template: "x_{extId}"}`.
        if let Some([entry]) = node.as_map()
            && entry.key == "template"
        {
            return self.template(&entry.value, level);
        }
        let typed = self.expression(node, level)?;
        self.check_type(&typed, name, Target::Text)?;
        Some(typed.expr)
    }
}
