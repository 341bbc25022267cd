//! `on_conflict` of a source file: what becomes of a change for which somebody else has the user name, the e-mail address
//! or the telephone number already.

use crate::{
    customer::OnConflict,
    diag::{Collector, Diagnostic},
    yaml::Node,
};

/// The words of the file.
pub(super) const WORDS: [(&str, OnConflict); 2] = [
    ("fail", OnConflict::Fail),
    ("drop_contact", OnConflict::DropContact),
];

/// Reads the key at the top of a file. Mistakes go to `out`.
pub(super) fn read(root: &Node, out: &mut Collector) -> OnConflict {
    let Some(node) = root.get("on_conflict") else {
        return OnConflict::default();
    };
    let word = node.as_text().filter(|_| !node.is_null());
    let found = WORDS.into_iter().find(|(known, _)| word == Some(known));
    found.map_or_else(
        || {
            out.add(
                Diagnostic::error(
                    "recv/on-conflict",
                    "`on_conflict` takes `fail` or `drop_contact`",
                )
                .at(node.span, "neither of them")
                .help("with `drop_contact` a refused change is sent once more without username, email and phoneNumber; leave `on_conflict` out to keep it for a person"),
            );
            OnConflict::default()
        },
        |(_, meaning)| meaning,
    )
}
