//! The limits that bound the work of a mapping file and of an event.

/// Characters of one expression.
pub(super) const EXPRESSION_CHARS: usize = 2_000;
/// Parentheses, calls and lists inside each other in one expression.
pub(super) const EXPRESSION_NESTING: usize = 32;
pub(super) const RULES: usize = 200;
/// Fields of one rule; entries of `tags` and `metadata` count as well.
pub(super) const FIELDS_PER_RULE: usize = 200;
/// Entries of all lookup tables together.
pub(super) const TABLE_ENTRIES: usize = 10_000;
/// Lists and objects inside each other in an event.
pub(super) const EVENT_DEPTH: usize = 64;
/// Names, list elements and repeated values of a form or multipart body, elements and attributes of XML, at all
/// levels; no honest body of 1 MiB has as many.
pub(super) const BODY_PARTS: usize = 50_000;
/// Attributes of one XML element.
pub(super) const XML_ATTRIBUTES: usize = 250;
/// The text between the parts of a multipart body (RFC 2046, section 5.1.1).
pub(super) const BOUNDARY_BYTES: usize = 70;
/// Headers of one part of a multipart body, up to the line that passes it.
pub(super) const PART_HEADER_BYTES: usize = 8 * 1024;
/// Outcomes of one event. An event above it is one failure that says how many there would be.
pub(super) const UPDATES_PER_EVENT: usize = 5_000;
/// Characters of a text that a transform or a field gives.
pub(super) const TEXT_CHARS: usize = 10_000;
/// Entries of a list that a transform or a field gives.
pub(super) const LIST_ENTRIES: usize = 1_000;
/// Steps of evaluation in one event: expressions evaluated, list elements and object keys passed, text read. No
/// honest event comes near it; it stops one that would make lists search each other.
pub(super) const STEPS_PER_EVENT: u64 = 20_000_000;
/// Steps that are taken where others wait for the thread: some milliseconds at most. A usual event takes hundreds.
pub(super) const BRIEF_STEPS: u64 = 50_000;
/// Bytes of text that cost one step.
pub(super) const TEXT_BYTES_PER_STEP: usize = 16;
/// Steps for a telephone number of a region whose patterns may have to be compiled first.
pub(super) const PHONE_STEPS: usize = 1_000;
/// Bytes of a compiled regular expression. Searching a text takes its length times this.
pub(super) const REGEX_BYTES: usize = 32 * 1024;
