//! The examples of bodies in the document for administrators.

use super::*;

/// A request as the document shows it, and the table below it.
struct Example {
    content_type: &'static str,
    headers: Vec<(String, String)>,
    body: &'static str,
    /// Paths and what they give.
    rows: Vec<(String, &'static str)>,
}

fn examples() -> Vec<Example> {
    let text = include_str!("../../../../docs/MAPPING.md");
    let read = |block: &'static str| {
        let (request, after) = block.split_once("```\n").unwrap();
        let (head, body) = request.split_once("\n\n").unwrap();
        let table = after.trim_start().split("\n\n").next().unwrap();
        let rows = table.lines().skip(2).map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            (
                cells[0].trim_matches('`').replace("\\|", "|"),
                cells[1].trim_matches('`'),
            )
        });
        let (content_type, headers) = head.split_once('\n').unwrap_or((head, ""));
        let header = |line: &str| {
            line.split_once(": ")
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        Example {
            content_type: content_type.strip_prefix("Content-Type: ").unwrap(),
            headers: headers.lines().filter_map(header).collect(),
            body: body.trim_end(),
            rows: rows.collect(),
        }
    };
    text.split("```http\n").skip(1).map(read).collect()
}

#[test]
fn paths_give_what_the_document_says() {
    let examples = examples();
    assert!(examples.len() >= 4);
    for example in examples {
        assert!(example.rows.len() > 3, "{}", example.content_type);
        for (path, gives) in example.rows {
            let (expression, expected) = match gives {
                "absent" => (path, "absent".to_owned()),
                "true" => (format!("{path} | lookup(yes)"), r#""true""#.to_owned()),
                text => (path, format!("{text:?}")),
            };
            let shown = value_with(
                example.content_type,
                &example.headers,
                example.body.as_bytes(),
                &expression,
            );
            assert_eq!(shown, expected, "{expression}");
        }
    }
}
