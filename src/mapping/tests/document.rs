//! Keeps `docs/MAPPING.md` and `docs/DIAGNOSTICS.md` true, and the pieces of files in `docs/VERIFICATION.md`: every example
//! there is one of these tests.

use super::{
    compiled::{Expr, ExprKind},
    transform::datetime,
    *,
};
use crate::{
    customer::{Field, FieldKind, Guard},
    diag::{Style, render_report},
    source::SourceFile,
};

const MAPPING: &str = include_str!("../../../docs/MAPPING.md");
const VERIFICATION: &str = include_str!("../../../docs/VERIFICATION.md");
const DIAGNOSTICS: &str = include_str!("../../../docs/DIAGNOSTICS.md");

/// What stands under a heading, up to the next one of the same or a higher rank.
fn section(heading: &str) -> &'static str {
    let (_, body) = MAPPING
        .split_once(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("no {heading}"));
    let rank = heading.split(' ').next().unwrap().len();
    let next = (1..=rank).map(|rank| format!("\n{} ", "#".repeat(rank)));
    next.filter_map(|next| body.split_once(&next).map(|(section, _)| section))
        .min_by_key(|section| section.len())
        .unwrap_or(body)
}

/// The rows of the table with this header.
fn rows(within: &str, header: &str) -> Vec<Vec<String>> {
    let (_, after) = within
        .split_once(&format!("{header}\n"))
        .unwrap_or_else(|| panic!("no table {header}"));
    after
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(cells)
        .collect()
}

/// A row's cells; `\|` does not divide them.
fn cells(row: &str) -> Vec<String> {
    let inner = row.trim().trim_start_matches('|').trim_end_matches('|');
    let masked = inner.replace("\\|", "\0");
    masked
        .split('|')
        .map(|cell| cell.trim().replace('\0', "|"))
        .collect()
}

/// The texts in backticks; two of them may have one inside.
fn code(cell: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = cell;
    while let Some((_, after)) = rest.split_once('`') {
        let (fence, inside) = match after.strip_prefix('`') {
            Some(inside) => ("``", inside),
            None => ("`", after),
        };
        let (text, after) = inside
            .split_once(fence)
            .unwrap_or_else(|| panic!("open code in {cell}"));
        found.push(if fence.len() > 1 { text.trim() } else { text }.to_owned());
        rest = after;
    }
    found
}

/// The blocks of YAML.
fn blocks(document: &'static str) -> Vec<&'static str> {
    document
        .split("```yaml\n")
        .skip(1)
        .map(|after| after.split("```").next().unwrap())
        .collect()
}

/// What an expression gives on an empty event, in a file with the document's table.
fn given(expression: &str) -> String {
    let (_, after) = section("### Tables").split_once("```yaml\n").unwrap();
    let (tables, _) = after.split_once("```").unwrap();
    evaluated(tables, expression, "{}")
}

/// The functions that an expression calls.
fn called(expr: &Expr, found: &mut Vec<Function>) {
    match &expr.kind {
        ExprKind::Pipe { input, steps } => {
            called(input, found);
            found.extend(steps.iter().map(|step| step.function));
        }
        ExprKind::Join(join) => found.push(join.function),
        ExprKind::Test(function, _) => found.push(*function),
        _ => {}
    }
}

/// The command `functions` shows the same examples.
fn is_in_the_catalogue(function: Function, example: &str) {
    let mut examples = function.examples().iter();
    assert!(
        examples.any(|(known, _)| *known == example),
        "the catalogue does not have {example}"
    );
}

#[test]
fn every_transform_is_shown_by_an_example_that_holds() {
    let rows = rows(
        section("## Transforms"),
        "| transform | example | gives | |",
    );
    for row in &rows {
        let [transform, example, gives, _] = row.as_slice() else {
            panic!("four cells: {row:?}");
        };
        let (transform, example, gives) = (code(transform), code(example), code(gives));
        let ([transform], [example], [gives]) =
            (transform.as_slice(), example.as_slice(), gives.as_slice())
        else {
            panic!("one code each: {row:?}");
        };
        let name = transform.split('(').next().unwrap();
        assert!(example.contains(name), "{example} does not show {name}");
        let function = Function::from_name(name).unwrap_or_else(|| panic!("no function {name}"));
        is_in_the_catalogue(function, example);
        assert_eq!(given(example), *gives, "{example}");
    }
    for function in Function::ALL {
        let is_shown = rows.iter().any(|row| {
            let shown = row[0].trim_start_matches('`');
            shown.split(['`', '(']).next() == Some(function.name())
        });
        assert!(is_shown, "{} has no row", function.name());
    }
}

#[test]
fn every_error_is_shown_by_an_example_that_holds() {
    let rows = rows(section("## Transforms"), "| example | error |");
    let mut shown = Vec::new();
    for row in &rows {
        let (example, error) = (code(&row[0]), code(&row[1]));
        assert_eq!(given(&example[0]), error[0]);
        let dedup = [(example[0].clone(), Span::new(0, 1))];
        let (mapping, _) = read_with(&file("tables: {level_tag: {a: b}}", "drop: x"), &dedup);
        called(&mapping.unwrap().dedup[0], &mut shown);
        is_in_the_catalogue(*shown.last().unwrap(), &example[0]);
    }
    for function in Function::ALL {
        // As the catalogue says it.
        if function.about().contains("error")
            && !matches!(function, Function::Text | Function::UnixMs)
        {
            assert!(shown.contains(&function), "no error of {}", function.name());
        }
    }
}

#[test]
fn the_forms_of_dates_are_read_as_they_are_shown() {
    let rows = rows(section("### Dates"), "| write | to read |");
    for row in &rows {
        let transform = &code(&row[0])[0];
        for date in code(&row[1]) {
            let given = given(&format!("'{date}' | {transform}"));
            assert!(
                given.ends_with('Z') && !given.contains(' '),
                "{date}: {given}"
            );
        }
    }
    assert!(rows.len() >= 4);
}

#[test]
fn the_letters_of_patterns_are_those_that_are_listed() {
    let mut listed: Vec<String> = rows(section("### Dates"), "| letters | read |")
        .iter()
        .flat_map(|row| code(&row[0]))
        .collect();
    // The message about a letter that does not exist lists them as well.
    let message = datetime::Pattern::parse("Q").unwrap_err();
    let (_, known) = message.split_once("use ").unwrap();
    let (known, _) = known.split_once(',').unwrap();
    let mut known: Vec<String> = known.split(' ').map(str::to_owned).collect();
    listed.sort_unstable();
    known.sort_unstable();
    assert_eq!(listed, known);
    for pattern in ["D [de] MMMM [de] YYYY", "DD/MM/YYYY HH:mm"] {
        assert!(MAPPING.contains(pattern));
        datetime::Pattern::parse(pattern).unwrap();
    }
}

#[test]
fn every_expression_that_is_shown_compiles() {
    let rows = rows(section("## Expressions"), "| write | to get |");
    for written in rows.iter().flat_map(|row| code(&row[0])) {
        let is_whole = written.contains(|c: char| c.is_alphanumeric()) && !written.contains('…');
        if is_whole {
            let (mapping, lines) =
                read_with(&file("", "drop: x"), &[(written.clone(), Span::new(0, 1))]);
            assert!(mapping.is_some(), "{written}: {lines:?}");
        }
    }
}

#[test]
fn the_fields_are_those_of_the_table() {
    let rows = rows(
        section("## What Quentli takes"),
        "| field | kind | may be cleared | |",
    );
    let mut listed: Vec<String> = rows.iter().flat_map(|row| code(&row[0])).collect();
    for field in Field::ALL {
        let row = rows
            .iter()
            .find(|row| code(&row[0]).contains(&field.as_str().to_owned()))
            .unwrap_or_else(|| panic!("no row for {field}"));
        listed.retain(|name| name != field.as_str());
        let kind = match field.kind() {
            FieldKind::Text => "text",
            FieldKind::Email => "e-mail address",
            FieldKind::Phone => "phone number",
            FieldKind::DateTime => "date",
            FieldKind::Bool => "true or false",
            FieldKind::TextList => "list of texts",
            FieldKind::KeyedText => "keys with texts",
        };
        assert!(row[1].starts_with(kind), "{field}: {}", row[1]);
        let cleared = match field {
            Field::Metadata => "key by key",
            _ if field.is_nullable() => "yes",
            _ => "no",
        };
        assert_eq!(row[2], cleared, "{field}");
        assert_eq!(
            row[3].starts_with("guarded"),
            field.guard() != Guard::None,
            "{field}"
        );
    }
    assert_eq!(listed, ["meta", "password", "otp"]);
}

#[test]
fn the_limits_are_those_of_the_program() {
    let text = section("## Limits").replace('\n', " ");
    for (limit, what) in [
        (limits::RULES, "rules"),
        (limits::FIELDS_PER_RULE, "fields in a rule"),
        (limits::TABLE_ENTRIES, "table entries"),
        (limits::EXPRESSION_CHARS, "characters, 32 levels"),
        (limits::EXPRESSION_NESTING, "levels. An event"),
        (limits::EVENT_DEPTH, "levels deep"),
        (limits::UPDATES_PER_EVENT, "updates"),
        (limits::BODY_PARTS, "names and values"),
        (limits::TEXT_CHARS, "characters, a list"),
        (limits::LIST_ENTRIES, "entries. Two"),
    ] {
        let shown = match (limit / 1000, limit % 1000) {
            (0, limit) => limit.to_string(),
            (thousands, rest) => format!("{thousands},{rest:03}"),
        };
        assert!(text.contains(&format!("{shown} {what}")), "{shown} {what}");
    }
    assert!(text.contains("1 MiB") && yaml::MAX_BYTES == 1 << 20);
}

/// The keys that a map takes, as its own message lists them.
fn known_keys(text: &str, what: &str) -> Vec<String> {
    let (_, lines) = read(text);
    let mark = format!("({what} knows: ");
    let line = lines.iter().find_map(|line| line.split_once(&mark));
    let (_, known) = line.unwrap_or_else(|| panic!("{what}: {lines:?}"));
    known
        .trim_end_matches(')')
        .split(", ")
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_keys_are_those_of_the_tables() {
    let keys = |heading: &str, header: &str| -> Vec<String> {
        rows(section(heading), header)
            .iter()
            .flat_map(|row| code(&row[0]))
            .collect()
    };
    for (mut documented, mut known) in [
        (
            keys("## The file", "| key | needed | meaning |"),
            known_keys("zzzzzzzz: 1", "a mapping file"),
        ),
        (
            keys("## Rules", "| key | meaning |"),
            known_keys(&file("", "zzzzzzzz: 1"), "a rule"),
        ),
        (
            keys("## Fields", "| key | meaning |"),
            known_keys(&setting("", "name: {zzzzzzzz: 1}"), "a field"),
        ),
    ] {
        // The four sources stand in the sentence above the table.
        known.retain(|key| !matches!(key.as_str(), "from" | "value" | "template" | "cases"));
        documented.sort_unstable();
        known.sort_unstable();
        assert_eq!(documented, known);
    }
    for word in ["from", "value", "template", "cases"] {
        assert!(section("## Fields").contains(&format!("`{word}`")));
    }
}

/// A whole file around a part of one.
fn framed(fragment: &str) -> String {
    let receive = "receive: {verify: none}\n";
    let tables = "tables: {level_tag: {PRI: Primaria}}\n";
    let skipped = "  - {name: skipped, when: skipped == true, drop: skipped}\n";
    let rule = |body: &str| format!("rules:\n{skipped}  - name: r\n{}", indented(body, "    "));
    let setting = |fields: &str| {
        rule(&format!(
            "customer: {{id: id}}\nset:\n{}",
            indented(fields, "  ")
        ))
    };
    let (receive, tables, rules) = match fragment.split(':').next().unwrap() {
        "receive" => (fragment, tables, rule("drop: x")),
        "tables" | "mode" | "on_conflict" => (receive, fragment, rule("drop: x")),
        "rules" => (
            receive,
            tables,
            fragment.replacen("rules:\n", &format!("rules:\n{skipped}"), 1),
        ),
        "customer" => (
            receive,
            tables,
            rule(&format!("{fragment}set: {{name: n}}\n")),
        ),
        "set" => (
            receive,
            tables,
            rule(&format!("customer: {{id: id}}\n{fragment}")),
        ),
        "metadata" | "tags" => (receive, tables, setting(fragment)),
        "when" => (receive, tables, rule(&format!("{fragment}drop: x\n"))),
        "tests" | "event_file" => (receive, tables, rule("drop: x")),
        other => panic!("no frame for `{other}`"),
    };
    let shown = match fragment.split_once(":\n") {
        Some(("tests", tests)) => tests.to_owned(),
        _ if fragment.starts_with("event_file:") => {
            let keys = indented(fragment, "    ");
            format!("  - name: shown\n{keys}    expect: [{{drop: x}}]\n")
        }
        _ => String::new(),
    };
    let tests =
        format!("{shown}  - {{name: t, event: {{skipped: true}}, expect: [{{drop: skipped}}]}}\n");
    format!(
        "mapping: 1\nsource: my-crm\n{receive}otherwise: drop\nallow: [tags]\n{tables}{rules}tests:\n{tests}"
    )
}

/// A part of the section `receive`, with what else that section needs.
fn received(fragment: &str) -> String {
    let has = |key: &str| fragment.lines().any(|line| line.starts_with(key));
    let mut section = fragment.to_owned();
    for (key, line) in [
        ("verify:", "verify: github\n"),
        ("secrets:", "secrets: [{env: CRM_SECRET}]\n"),
    ] {
        // A sender that publishes its keys, or shows a certificate, shares no secret.
        let shares_none = has("jwks:") || fragment.contains("type: client-certificate");
        let is_needed = key != "secrets:" || !shares_none;
        if is_needed && !has(key) {
            section.push_str(line);
        }
    }
    format!("receive:\n{}", indented(&section, "  "))
}

/// The errors of a file, and its warnings too where `strict`.
fn errors(text: &str, strict: bool) -> Vec<String> {
    let read_sample = |path: &str| {
        Ok(if path.ends_with(".multipart") {
            b"--part\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--part--\r\n"
                .to_vec()
        } else {
            b"{}".to_vec()
        })
    };
    let file = SourceFile::check(
        "my-crm.yaml",
        "my-crm",
        text.to_owned(),
        &read_sample,
        UnreadableSamples::Refuse,
    );
    render_lines(&file.findings)
        .into_iter()
        .filter(|line| line.contains(": error ") || (strict && !line.is_empty()))
        .collect()
}

#[test]
fn every_piece_of_a_file_that_is_shown_passes_check() {
    let blocks = blocks(MAPPING);
    for block in &blocks {
        let is_whole = block.starts_with("mapping:");
        let text = if is_whole {
            (*block).to_owned()
        } else {
            framed(block)
        };
        let shows_tests = block.starts_with("tests:");
        let errors: Vec<String> = errors(&text, is_whole)
            .into_iter()
            // Its outcomes come of rules that are not shown.
            .filter(|line| !(shows_tests && line.contains("map/test-failed")))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}\n{text}");
    }
    assert!(blocks.len() >= 11);
}

#[test]
fn every_piece_of_receive_that_is_shown_passes_check() {
    let mut blocks = blocks(VERIFICATION);
    // The gateway's own settings are no part of a source file.
    blocks.retain(|block| !block.starts_with("# gateway.yaml"));
    for block in &blocks {
        // A first line may name the file.
        let block = match block.split_once('\n') {
            Some((first, rest)) if first.starts_with("# ") => rest,
            _ => block,
        };
        let is_section = ["receive:", "rules:"]
            .iter()
            .any(|key| block.starts_with(key));
        let text = if is_section {
            framed(block)
        } else {
            framed(&received(block))
        };
        assert_eq!(errors(&text, false), [""; 0], "{text}");
    }
    assert!(blocks.len() >= 6);
}

#[test]
fn the_finding_that_is_shown_is_what_check_says() {
    let shown = DIAGNOSTICS
        .split("```\n")
        .nth(1)
        .expect("a block at the top");
    let text = format!(
        "{}rules:\n  - name: r\n    customer: {{id: id}}\n    set:\n      phoneNumbr: contact.phone | phone\n",
        "\n".repeat(9)
    );
    let mut out = Collector::new(SourceText::new("mappings/crm.yaml", text));
    let root = yaml::parse(&mut out).unwrap();
    compile_untested(&root, &options(), &mut out);
    let report = render_report(&out.finish(), Style::Plain);
    assert!(report.contains(shown.trim_end()), "{report}");
}
