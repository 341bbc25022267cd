//! Diagnostics: messages about a file that a person edits, with place, cause and remedy, as a compiler gives them.
