use proptest::prelude::*;

use super::*;

/// The tree in one line, with parentheses wherever something binds.
fn shown(expression: &Expression) -> String {
    let all = |parts: &[Expression], by: &str| {
        let parts: Vec<String> = parts.iter().map(shown).collect();
        format!("({})", parts.join(by))
    };
    let call = |call: &Call| {
        let arguments: Vec<String> = call
            .arguments
            .iter()
            .map(|argument| match &argument.name {
                Some(name) => format!("{name}={}", shown(&argument.value)),
                None => shown(&argument.value),
            })
            .collect();
        format!("{}({})", call.name, arguments.join(", "))
    };
    let literal = |literal: &Literal| match literal {
        Literal::Null => "null".to_owned(),
        Literal::Bool(flag) => flag.to_string(),
        Literal::Number(number) => number.clone(),
        Literal::Text(text) => format!("{text:?}"),
    };
    match &expression.kind {
        Kind::Literal(value) => literal(value),
        Kind::Path(path) => {
            let mut text = match path.start {
                Start::Body => "$".to_owned(),
                Start::Element(levels) => format!("@{}", "^".repeat(levels)),
            };
            for step in &path.steps {
                let step = match step {
                    Step::Key(key) => format!(".{key}"),
                    Step::Index(index) => format!("[{index}]"),
                    Step::Every => "[]".to_owned(),
                    Step::Where(key, value) => format!("[{key}={}]", literal(value)),
                };
                text.push_str(&step);
            }
            text
        }
        Kind::List(parts) => format!("list{}", all(parts, ", ")),
        Kind::Fallback(parts) => all(parts, " ?? "),
        Kind::Pipe { input, calls } => {
            let calls: Vec<String> = calls.iter().map(call).collect();
            format!("({} | {})", shown(input), calls.join(" | "))
        }
        Kind::Call(called) => call(called),
        Kind::Compare {
            operator,
            left,
            right,
        } => format!("({} {} {})", shown(left), operator.as_str(), shown(right)),
        Kind::Not(inner) => format!("not {}", shown(inner)),
        Kind::And(parts) => all(parts, " and "),
        Kind::Or(parts) => all(parts, " or "),
    }
}

#[test]
fn the_grammar_binds_as_documented() {
    for (text, tree) in [
        (
            "contact.fullName | squeeze | title",
            "(@.contact.fullName | squeeze() | title())",
        ),
        ("a ?? b | phone", "((@.a ?? @.b) | phone())"),
        ("(a | trim) ?? b", "((@.a | trim()) ?? @.b)"),
        (
            "a | lower == 'x' and not b or c",
            "((((@.a | lower()) == \"x\") and not @.b) or @.c)",
        ),
        (
            "x in ['a', 'it''s', 5]",
            "(@.x in list(\"a\", \"it's\", 5))",
        ),
        ("$[]", "$[]"),
        (
            "^.students[status='ACTIVE'].grade",
            "@^.students[status=\"ACTIVE\"].grade",
        ),
        ("^^name", "@^^.name"),
        ("^", "@^"),
        ("properties.\"tipo de plan\"", "@.properties.tipo de plan"),
        ("a[2].in[ok=true]", "@.a[2].in[ok=true]"),
        ("join(' ', a, b[].c)", "join(\" \", @.a, @.b[].c)"),
        (
            "v | lookup(t, else=skip)",
            "(@.v | lookup(@.t, else=@.skip))",
        ),
        ("ñandú-1 | max_len(10)", "(@.ñandú-1 | max_len(10))"),
        ("-5 < n", "(-5 < @.n)"),
        ("not (a | bool)", "not (@.a | bool())"),
        ("true", "true"),
        ("[]", "list()"),
    ] {
        assert_eq!(
            shown(&parse(text).unwrap_or_else(|e| panic!("{text}: {e:?}"))),
            tree
        );
    }
}

#[test]
fn what_cannot_be_read_is_told_with_place_and_help() {
    let mut told = Vec::new();
    for text in [
        "",
        "a | trim ?? b",
        "'open",
        "f(a",
        "a[2",
        "a |",
        "a ??",
        "a b",
        "a = 'x'",
        "a == b == c",
        "a && b",
        "!a",
        "type == \"ping\"",
        "a.12",
        "a.0.name",
        "a.2026-Q1",
        "a in ('x', 5)",
        "a.b.trim() == 'x'",
        "a.replace('x', 'y')",
        "a - b",
        "12ab",
        "a[x]",
        "a[x==1]",
        "{a}",
        "‘a’",
        "and",
        "a[-1]",
    ] {
        let error = parse(text).unwrap_err();
        let help = error
            .help
            .map(|help| format!(" ({help})"))
            .unwrap_or_default();
        told.push(format!(
            "{text}\n  {:?} {}: {}{help}",
            error.at, error.code, error.message
        ));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"

      0..0 map/syntax: an expression is missing here
    a | trim ?? b
      9..11 map/ambiguous-fallback: `??` after a transform is ambiguous (put the part before `??` in parentheses, `(a | trim) ?? b`, or the transform last, `a ?? b | trim`)
    'open
      0..5 map/unclosed: the quote ' is never closed (close it. If this is a one-line `{…}` or `[…]`, a comma ended the value: put the whole value in double quotes)
    f(a
      1..2 map/unclosed: the parenthesis `(` is never closed (close it. If this is a one-line `{…}` or `[…]`, a comma ended the value: put the whole value in double quotes)
    a[2
      1..2 map/unclosed: the bracket `[` is never closed (close it. If this is a one-line `{…}` or `[…]`, a comma ended the value: put the whole value in double quotes)
    a |
      3..3 map/syntax: expected a transform after `|`, but the expression ends here
    a ??
      4..4 map/syntax: expected a value, but the expression ends here
    a b
      2..3 map/syntax: `b` cannot stand here (a text is written in single quotes: 'b'; a name with spaces in double quotes: contact."tipo de plan")
    a = 'x'
      2..3 map/syntax: one `=` compares nothing (write `==` to compare)
    a == b == c
      7..9 map/syntax: `==` cannot follow a comparison (join two comparisons with `and`)
    a && b
      2..4 map/syntax: there is no `&&` (write `and`)
    !a
      0..1 map/syntax: `!` means nothing here (write `not`)
    type == "ping"
      8..14 map/syntax: a name in double quotes cannot stand here (a text is written in single quotes: 'ping'; a key with other characters follows a dot: $."ping")
    a.12
      2..4 map/syntax: a name cannot begin with a digit: `12` (for an element of a list write [12]; for a key put it in double quotes: ."12")
    a.0.name
      2..8 map/syntax: a name cannot begin with a digit: `0.name` (for an element of a list write [0].name; for a key put it in double quotes: ."0".name)
    a.2026-Q1
      2..9 map/syntax: a name cannot begin with a digit: `2026-Q1` (put it in double quotes: ."2026-Q1")
    a in ('x', 5)
      5..13 map/syntax: a list stands in brackets (write ['x', 5])
    a.b.trim() == 'x'
      3..8 map/syntax: `trim` cannot be called with a dot (a transform follows `|`: `… | trim`)
    a.replace('x', 'y')
      1..9 map/syntax: `replace` cannot be called with a dot (a transform follows `|`: `… | replace(…)`)
    a - b
      2..3 map/syntax: there is no arithmetic: `-` stands only inside names and numbers (a name with other characters is written in double quotes: contact."a - b")
    12ab
      0..4 map/syntax: `12ab` is neither a number nor a name (a text is written in single quotes: '12ab')
    a[x]
      3..4 map/syntax: expected `=`, but `]` stands here (brackets hold nothing, a number, or a condition: [type='home'])
    a[x==1]
      3..5 map/syntax: expected `=`, but `==` stands here (one `=` is enough inside brackets)
    {a}
      0..1 map/syntax: `{` means nothing here (braces belong in `template`)
    ‘a’
      0..3 map/syntax: `‘` means nothing here (use straight single quotes: '…')
    and
      0..3 map/syntax: expected a value, but `and` stands here
    a[-1]
      2..4 map/syntax: expected a whole number from 0, but `-1` stands here
    "#);
}

#[test]
fn length_and_nesting_are_limited() {
    let code = |text: &str| parse(text).unwrap_err().code;
    assert_eq!(code(&"a".repeat(EXPRESSION_CHARS + 1)), codes::LIMIT);
    assert_eq!(code(&"(".repeat(EXPRESSION_NESTING + 1)), codes::LIMIT);
    assert_eq!(code(&"not ".repeat(EXPRESSION_NESTING + 1)), codes::LIMIT);
    assert_eq!(code(&"[".repeat(EXPRESSION_NESTING + 1)), codes::LIMIT);
    assert_eq!(code(&"f(".repeat(EXPRESSION_NESTING + 1)), codes::LIMIT);
}

proptest! {
    #[test]
    fn any_text_gives_a_tree_or_a_place_inside_it(text in "[a-c0-2ñ'\"|?().,=<>!$^\\[\\] _&-]{0,40}") {
        if let Err(error) = parse(&text) {
            prop_assert!(error.at.start <= error.at.end && error.at.end <= text.len());
            prop_assert!(text.is_char_boundary(error.at.start) && text.is_char_boundary(error.at.end));
        }
    }

    #[test]
    fn any_unicode_text_never_panics(text in "\\PC{0,60}") {
        let parsed = parse(&text);
        prop_assert!(parsed.is_ok() || parsed.is_err());
    }
}
