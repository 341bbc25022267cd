//! The codes of the mapping language's diagnostics. A code is stable and never used for anything else.

pub(super) const UNKNOWN_KEY: &str = "map/unknown-key";
pub(super) const MISSING_KEY: &str = "map/missing-key";
pub(super) const DUPLICATE: &str = "map/duplicate";
pub(super) const UNKNOWN_FIELD: &str = "map/unknown-field";
pub(super) const SYNTAX: &str = "map/syntax";
pub(super) const UNCLOSED: &str = "map/unclosed";
pub(super) const AMBIGUOUS_FALLBACK: &str = "map/ambiguous-fallback";
pub(super) const UNKNOWN_TRANSFORM: &str = "map/unknown-transform";
pub(super) const UNKNOWN_TABLE: &str = "map/unknown-table";
pub(super) const WRONG_ARGUMENTS: &str = "map/wrong-arguments";
pub(super) const WRONG_TYPE: &str = "map/wrong-type";
/// A key of the file whose value has the wrong shape or is none of the allowed words.
pub(super) const WRONG_VALUE: &str = "map/wrong-value";
/// `^` above the item.
pub(super) const UNKNOWN_LEVEL: &str = "map/unknown-level";
pub(super) const NOT_NULLABLE: &str = "map/not-nullable";
pub(super) const FIELD_FORM: &str = "map/field-form";
pub(super) const RULE_FORM: &str = "map/rule-form";
pub(super) const GUARDED_FIELD: &str = "map/guarded-field";
/// A header that proves the request genuine, or somebody's identity.
pub(super) const SECRET_HEADER: &str = "map/secret-header";
pub(super) const METADATA_AND_META: &str = "map/metadata-and-meta";
pub(super) const UNREACHABLE_RULE: &str = "map/unreachable-rule";
pub(super) const LIMIT: &str = "map/limit";
/// A test that cannot be run: its own form is wrong.
pub(super) const TEST_FORM: &str = "map/test-form";
pub(super) const TEST_FAILED: &str = "map/test-failed";
pub(super) const PATH_NEVER_SEEN: &str = "map/path-never-seen";
pub(super) const RULE_NEVER_REACHED: &str = "map/rule-never-reached";
pub(super) const UNUSED: &str = "map/unused";
