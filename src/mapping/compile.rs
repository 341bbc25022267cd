//! From the tree of a mapping file to its compiled form, with a diagnostic for every mistake.
//!
//! The file is read top to bottom once; a mistake never hides another one. This module judges the file alone:
//! running the tests that it carries comes after it.

mod constant;
mod create;
mod customer;
mod expression;
mod form;
mod function;
mod rule;
mod set;
mod table;
mod template;

use jiff::tz::{TimeZone, TimeZoneDatabase};

pub(super) use constant::plain;

use super::{
    CompileOptions, PathInfo, codes,
    compiled::{Expr, OnBlank, OnError, OnNull, Rule, Table, Unmatched},
    transform::{datetime, phone::Region},
    types::Type,
};
use crate::{
    customer::{Field, Guard},
    diag::{Collector, Diagnostic, Span, closest, did_you_mean},
    event::SourceName,
    yaml::{Entry, KeyCodes, KeyReader, Node},
};

/// The codes of unknown, missing and misshapen keys.
pub(super) const KEYS: KeyCodes = KeyCodes {
    unknown: codes::UNKNOWN_KEY,
    missing: codes::MISSING_KEY,
    shape: codes::WRONG_VALUE,
    hides_unknown: false,
};

/// A file's own part, ready to be run; its tests are not looked at yet.
pub(super) struct CompiledFile {
    pub(super) name: SourceName,
    pub(super) items: Option<Expr>,
    pub(super) otherwise: Unmatched,
    pub(super) tables: Vec<Table>,
    pub(super) rules: Vec<Rule>,
    pub(super) dedup: Vec<Expr>,
    pub(super) headers: Vec<String>,
    pub(super) paths: Vec<PathInfo>,
}

/// How a region is written, for help lines.
const REGIONS: &str = "write two capital letters, such as MX, CO or US";

/// What is known while the parts of one file are compiled.
struct Compiler<'c> {
    out: &'c mut Collector,
    zone: TimeZone,
    region: Region,
    defaults: Defaults,
    tables: Vec<KnownTable>,
    allowed: Vec<Allowed>,
    paths: Vec<PathInfo>,
    /// The names of headers that expressions read.
    headers: Vec<String>,
    secret_headers: &'c [String],
    uses_phone: bool,
}

/// What fields do when they say nothing else.
#[derive(Clone, Copy)]
struct Defaults {
    null: OnNull,
    blank: OnBlank,
    error: OnError,
}

/// Something was written and is wrong; it has been reported.
struct Reported;

struct KnownTable {
    table: Table,
    gives: Type,
    span: Span,
    is_used: bool,
}

struct Allowed {
    field: Field,
    span: Span,
    is_used: bool,
}

/// Compiles everything but `tests`, whose node is returned for later. `None` where an error was found.
pub(super) fn compile_file<'n>(
    root: &'n Node,
    options: &CompileOptions<'_>,
    out: &mut Collector,
) -> (Option<CompiledFile>, Option<&'n Entry>) {
    let Some(mut keys) = KeyReader::new(root, "a mapping file", KEYS, out) else {
        return (None, None);
    };
    keys.also_known(options.also_known);
    let version = keys.require_text("mapping", "write `mapping: 1`", out);
    let source = keys.require_text(
        "source",
        "write `source:` and the file's name without `.yaml`",
        out,
    );
    let timezone = keys.take_text("timezone", out);
    let region = keys.take_text("phone_region", out);
    let items = keys.take("items");
    let otherwise = keys.require(
        "otherwise",
        "say what becomes of an item that no rule takes: `otherwise: drop` or `otherwise: fail`",
        out,
    );
    let defaults = keys.take("defaults");
    let allow = keys.take("allow");
    let tables = keys.take("tables");
    let rules = keys.require("rules", "write `rules:` with `- name: …` below it", out);
    let tests = keys.require(
        "tests",
        "write `tests:` with at least one event, and what must come of it, below it",
        out,
    );
    keys.finish(out);

    let mut compiler = Compiler {
        zone: compile_zone(timezone, out),
        region: compile_region(region, out),
        out,
        defaults: Defaults {
            null: OnNull::Clear,
            blank: OnBlank::Skip,
            error: OnError::Fail,
        },
        tables: Vec::new(),
        allowed: Vec::new(),
        paths: Vec::new(),
        headers: Vec::new(),
        secret_headers: options.secret_headers,
        uses_phone: false,
    };
    compiler.version(version);
    let name = source.and_then(|(text, node)| compiler.source_name(text, node));
    if let Some(entry) = defaults {
        compiler.read_defaults(&entry.value);
    }
    if let Some(entry) = allow {
        compiler.read_allow(&entry.value);
    }
    if let Some(entry) = tables {
        compiler.read_tables(&entry.value);
    }
    let otherwise = otherwise.and_then(|entry| {
        compiler.word(
            "otherwise",
            &entry.value,
            &[("drop", Unmatched::Drop), ("fail", Unmatched::Fail)],
        )
    });
    let items = items.and_then(|entry| compiler.list_expression("items", &entry.value, 0));
    let dedup = options
        .dedup
        .iter()
        .filter_map(|(text, span)| compiler.foreign_expression(text, *span))
        .collect();
    let rules = rules
        .map(|entry| compiler.rules(&entry.value))
        .unwrap_or_default();
    compiler.report_unused();
    if compiler.uses_phone {
        super::transform::phone::warm_up();
    }

    let paths = compiler.paths;
    let headers = compiler.headers;
    let tables = compiler.tables.into_iter().map(|known| known.table);
    let checked = match (name, otherwise) {
        (Some(name), Some(otherwise)) if !compiler.out.has_errors() => Some(CompiledFile {
            name,
            items,
            otherwise,
            tables: tables.collect(),
            rules,
            dedup,
            headers,
            paths,
        }),
        _ => None,
    };
    (checked, tests)
}

fn compile_zone(written: Option<(&str, &Node)>, out: &mut Collector) -> TimeZone {
    let (name, node) = match written {
        Some((name, node)) => (name, Some(node)),
        None => ("America/Mexico_City", None),
    };
    zone_or_report(
        name,
        node.map_or(Span::default(), |node| node.span),
        codes::WRONG_VALUE,
        out,
    )
    .unwrap_or(TimeZone::UTC)
}

/// A name for a source that looks like this text.
fn name_like(text: &str) -> Option<SourceName> {
    let words = text.to_lowercase();
    let words = words.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join("-").parse().ok()
}

/// Whether a zone is that of a city, as people write its name: `mexico city` for `America/Mexico_City`.
fn is_city_of(zone: &str, name: &str) -> bool {
    let city = zone.rsplit('/').next().unwrap_or_default();
    !name.is_empty() && city.eq_ignore_ascii_case(&name.replace(' ', "_"))
}

/// The zone of an IANA name; a name that is none is reported.
fn zone_or_report(
    name: &str,
    span: Span,
    code: &'static str,
    out: &mut Collector,
) -> Option<TimeZone> {
    let zone = datetime::zone(name);
    if zone.is_none() {
        let database = TimeZoneDatabase::bundled();
        let known: Vec<String> = database
            .available()
            .map(|name| name.as_str().to_owned())
            .collect();
        let of_city = known.iter().find(|zone| is_city_of(zone, name));
        let help = of_city
            .map(String::as_str)
            .or_else(|| closest(name, known.iter().map(String::as_str)))
            .map_or_else(
                || "write an IANA name such as America/Mexico_City".to_owned(),
                |name| format!("did you mean `{name}`?"),
            );
        out.add(
            Diagnostic::error(code, format!("no time zone `{name}`"))
                .at(span, "not in the time-zone database")
                .help(help),
        );
    }
    zone
}

fn compile_region(written: Option<(&str, &Node)>, out: &mut Collector) -> Region {
    let Some((code, node)) = written else {
        return Region::DEFAULT;
    };
    Region::from_code(code).unwrap_or_else(|| {
        out.add(
            Diagnostic::error(codes::WRONG_VALUE, format!("no region `{code}`"))
                .at(node.span, "not a region")
                .help(REGIONS),
        );
        Region::DEFAULT
    })
}

impl Compiler<'_> {
    fn error(&mut self, diagnostic: Diagnostic) {
        self.out.add(diagnostic);
    }

    /// Reads a key that may be left out.
    fn optional<T>(
        &mut self,
        entry: Option<&Entry>,
        read: impl FnOnce(&mut Self, &Node) -> Option<T>,
    ) -> Result<Option<T>, Reported> {
        entry
            .map(|entry| read(self, &entry.value).ok_or(Reported))
            .transpose()
    }

    fn version(&mut self, written: Option<(&str, &Node)>) {
        if let Some((text, node)) = written
            && text != "1"
        {
            self.error(
                Diagnostic::error(
                    codes::WRONG_VALUE,
                    format!("no version `{text}` of the mapping language"),
                )
                .at(node.span, "this release knows version 1")
                .help("write `mapping: 1`"),
            );
        }
    }

    fn source_name(&mut self, text: &str, node: &Node) -> Option<SourceName> {
        match text.parse() {
            Ok(name) => Some(name),
            Err(error) => {
                self.error(
                    Diagnostic::error(codes::WRONG_VALUE, error.to_string())
                        .at(node.span, "not a name")
                        .maybe_help(name_like(text).map(|name| format!("write `source: {name}`"))),
                );
                None
            }
        }
    }

    fn read_defaults(&mut self, node: &Node) {
        let Some(mut keys) = KeyReader::new(node, "`defaults`", KEYS, self.out) else {
            return;
        };
        let on_null = keys.take("on_null");
        let on_blank = keys.take("on_blank");
        let on_error = keys.take("on_error");
        keys.finish(self.out);
        if let Some(word) = on_null.and_then(|entry| self.on_null(&entry.value)) {
            self.defaults.null = word;
        }
        if let Some(word) = on_blank.and_then(|entry| self.on_blank(&entry.value)) {
            self.defaults.blank = word;
        }
        if let Some(word) = on_error.and_then(|entry| self.on_error(&entry.value)) {
            self.defaults.error = word;
        }
    }

    fn on_null(&mut self, node: &Node) -> Option<OnNull> {
        let words = [("clear", OnNull::Clear), ("skip", OnNull::Skip)];
        self.word("on_null", node, &words)
    }

    fn on_blank(&mut self, node: &Node) -> Option<OnBlank> {
        let words = [
            ("skip", OnBlank::Skip),
            ("clear", OnBlank::Clear),
            ("keep", OnBlank::Keep),
        ];
        self.word("on_blank", node, &words)
    }

    fn on_error(&mut self, node: &Node) -> Option<OnError> {
        let words = [("fail", OnError::Fail), ("skip", OnError::Skip)];
        self.word("on_error", node, &words)
    }

    /// One of a few words.
    fn word<T: Copy>(&mut self, key: &str, node: &Node, words: &[(&'static str, T)]) -> Option<T> {
        let written = node.as_text().unwrap_or_default();
        let found = words.iter().find(|(word, _)| *word == written);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let shown: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
            let message = match shown.as_slice() {
                [first @ .., last] if !first.is_empty() => {
                    format!("`{key}` takes {} or {last}", first.join(", "))
                }
                _ => format!("`{key}` takes {}", shown.join("")),
            };
            self.error(
                Diagnostic::error(codes::WRONG_VALUE, message)
                    .at(node.span, "none of these")
                    .maybe_help(did_you_mean(written, known)),
            );
        }
        found.map(|(_, value)| *value)
    }

    fn read_allow(&mut self, node: &Node) {
        let Some(nodes) = node.as_list() else {
            self.error(
                Diagnostic::error(
                    codes::WRONG_VALUE,
                    format!("`allow` is a list of fields, but here is {}", node.shape()),
                )
                .at(node.span, "expected a list")
                .help("write `allow: [tags]`"),
            );
            return;
        };
        for node in nodes {
            let written = node.as_text().unwrap_or_default();
            let Some(field) = Field::from_name(written) else {
                let guarded = Field::ALL
                    .into_iter()
                    .filter(|field| field.guard() != Guard::None)
                    .map(Field::as_str);
                self.error(
                    Diagnostic::error(
                        codes::UNKNOWN_FIELD,
                        format!("Quentli has no field `{written}`"),
                    )
                    .at(node.span, "unknown field")
                    .maybe_help(did_you_mean(written, guarded)),
                );
                continue;
            };
            self.allowed.push(Allowed {
                field,
                span: node.span,
                is_used: false,
            });
        }
    }

    fn report_unused(&mut self) {
        // What could not be read may be what uses a table.
        let all_is_read = !self.out.has_errors();
        let unused: Vec<Diagnostic> = self
            .tables
            .iter()
            .filter(|known| all_is_read && !known.is_used)
            .map(|known| {
                let message = format!("no rule uses the table `{}`", known.table.name);
                Diagnostic::warning(codes::UNUSED, message)
                    .at(known.span, "never used")
                    .help(format!(
                        "use it, `… | lookup({})`, or remove it",
                        known.table.name
                    ))
            })
            .chain(
                self.allowed
                    .iter()
                    .filter(|allowed| !allowed.is_used)
                    .map(|allowed| {
                        let message = match allowed.field.guard() {
                            Guard::None => format!("`{}` needs no permission", allowed.field),
                            _ => format!("no rule sets `{}`", allowed.field),
                        };
                        Diagnostic::warning(codes::UNUSED, message)
                            .at(allowed.span, "never used")
                            .help("remove it from `allow`")
                    }),
            )
            .collect();
        for diagnostic in unused {
            self.error(diagnostic);
        }
    }
}
