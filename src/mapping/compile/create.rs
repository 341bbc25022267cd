//! Customers whom Quentli does not have yet: what they are created with, and whether they can be.

use super::{Compiler, form::Purpose};
use crate::{
    diag::{Diagnostic, Span},
    mapping::{
        codes,
        compiled::{FieldRule, Find, FindKey, Missing, OnBlank, OnNull},
    },
    yaml::{Entry, Node},
};

/// What `on_missing` says.
#[derive(Clone, Copy)]
enum Word {
    Retry,
    Fail,
    Drop,
    Create,
}

impl Compiler<'_> {
    /// What happens to updates of a customer whom Quentli does not have.
    pub(super) fn on_missing(
        &mut self,
        written: Option<&Entry>,
        create: Option<&Entry>,
        level: usize,
    ) -> Option<Missing> {
        let Some(written) = written else {
            self.refuse_create(create, None);
            return Some(Missing::Retry);
        };
        let words = [
            ("retry", Word::Retry),
            ("fail", Word::Fail),
            ("drop", Word::Drop),
            ("create", Word::Create),
        ];
        let missing = match self.word("on_missing", &written.value, &words)? {
            Word::Retry => Missing::Retry,
            Word::Fail => Missing::Fail,
            Word::Drop => Missing::Drop,
            Word::Create => {
                let fields = self.optional(create, |this, node| this.creation_fields(node, level));
                return Some(Missing::Create(fields.ok()?.unwrap_or_default()));
            }
        };
        self.refuse_create(create, Some(written.value.span));
        Some(missing)
    }

    /// `create` where nobody is created.
    fn refuse_create(&mut self, create: Option<&Entry>, word: Option<Span>) {
        let Some(create) = create else { return };
        let mut diagnostic = Diagnostic::error(
            codes::RULE_FORM,
            "`create` is for new customers, and this rule creates none",
        )
        .at(create.key_span, "never used")
        .help("write `on_missing: create`, or remove `create`");
        if let Some(word) = word {
            diagnostic = diagnostic.also(word, "here");
        }
        self.error(diagnostic);
    }

    /// Fields of a new customer. Those without a value are left out, since there is nothing to clear.
    fn creation_fields(&mut self, node: &Node, level: usize) -> Option<Vec<FieldRule>> {
        let usual = self.defaults;
        self.defaults.null = OnNull::Skip;
        if usual.blank == OnBlank::Clear {
            self.defaults.blank = OnBlank::Skip;
        }
        let fields = self.fields("create", node, Purpose::Create, level);
        self.defaults = usual;
        fields
    }

    /// A new customer is found again by what it was looked for, or each event would create another.
    pub(super) fn check_newcomer_is_found(&mut self, missing: &Missing, find: &[Find], span: Span) {
        let is_found = find
            .iter()
            .any(|line| matches!(line.by, FindKey::Username | FindKey::Email));
        if matches!(missing, Missing::Create(_)) && !is_found {
            self.rule_error(
                span,
                "a new customer must be found again by the next event".to_owned(),
                "add `find` with a line `- username: …` or `- email: …`: the new customer gets that value",
            );
        }
    }

    /// Quentli takes no customer without a name.
    pub(super) fn check_newcomer_has_name(&mut self, customer: &Node, set: &Node) {
        let Some(word) = customer.get("on_missing") else {
            return;
        };
        let has_name = [Some(set), customer.get("create")]
            .into_iter()
            .flatten()
            .any(|fields| fields.get("name").is_some());
        if word.as_text() == Some("create") && !has_name {
            self.rule_error(
                word.span,
                "a new customer needs a name".to_owned(),
                "give `name` under `set`, or under `create`",
            );
        }
    }
}
