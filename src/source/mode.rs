//! `mode` of a source file: whether what is received is delivered.

use crate::{
    diag::{Collector, Diagnostic},
    yaml::Node,
};

/// What becomes of the updates of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// They are delivered.
    #[default]
    Live,
    /// They are kept to be looked at; nothing is sent.
    Observe,
}

impl Mode {
    pub const ALL: [Self; 2] = [Self::Live, Self::Observe];

    /// The word used in files, logs, metrics and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Observe => "observe",
        }
    }

    /// Reads the key at the top of a file; absent, the source is live. Mistakes go to `out`.
    pub(super) fn read(root: &Node, out: &mut Collector) -> Self {
        let Some(node) = root.get("mode") else {
            return Self::default();
        };
        let word = node.as_text().filter(|_| !node.is_null());
        let found = Self::ALL
            .into_iter()
            .find(|mode| word == Some(mode.as_str()));
        found.unwrap_or_else(|| {
            out.add(
                Diagnostic::error("recv/mode", "`mode` takes `live` or `observe`")
                    .at(node.span, "not a mode")
                    .help("with `observe` everything is received, mapped and shown, and nothing is sent; leave `mode` out to deliver"),
            );
            Self::default()
        })
    }
}
