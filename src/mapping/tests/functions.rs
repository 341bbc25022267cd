//! Every function, as a file uses it.

use super::*;

const BODY: &str = r#"{
    "s": " Ana  LUNA ", "n": 5, "t": true, "nil": null, "e": "", "sp": " ", "l": ["b", "a", null, "b", " "], "el": [],
    "phone": "55 1234 5678", "when": "15/01/2025 04:30", "mail": "ANA@X.MX", "code": "PRI", "no": "No",
    "phones": ["5512345678", null, "5550001111"], "nums": [1, 2]
}"#;

const TABLES: &str = "tables:\n  level: {PRI: Primaria, '5': Quinto, true: Sí}\n  size: {PRI: 10}";

#[test]
fn every_function_does_what_the_catalogue_says() {
    let rows = [
        (Function::Trim, "s | trim", r#""Ana  LUNA""#),
        (Function::Lower, "s | lower", r#""ana  luna""#),
        (Function::Upper, "s | upper", r#""ANA  LUNA""#),
        (Function::Title, "s | title", r#""Ana  Luna""#),
        (Function::Squeeze, "s | squeeze", r#""Ana LUNA""#),
        (
            Function::GivenFirst,
            "'LUNA DE LA O,  ANA' | given_first | title",
            r#""Ana Luna de la O""#,
        ),
        (
            Function::GivenFirst,
            "'LUNA, ANA, LIC.' | given_first",
            "error: given_first: 'LUNA, ANA, LIC.' has several commas; only the one between surnames and given names is expected",
        ),
        (Function::Replace, "code | replace('R', '')", r#""PI""#),
        (Function::StripPrefix, "code | strip_prefix('P')", r#""RI""#),
        (
            Function::StripPrefix,
            "code | strip_prefix('x')",
            r#""PRI""#,
        ),
        (Function::StripSuffix, "code | strip_suffix('RI')", r#""P""#),
        (
            Function::RequirePrefix,
            "code | require_prefix('P')",
            r#""PRI""#,
        ),
        (
            Function::RequirePrefix,
            "code | require_prefix('x')",
            "error: require_prefix: 'PRI' does not begin with 'x'",
        ),
        (Function::Digits, "phone | digits", r#""5512345678""#),
        (Function::Digits, "n | digits", r#""5""#),
        (Function::MaxLen, "code | max_len(2)", r#""PR""#),
        (
            Function::Split,
            "join('+', when | split('/'))",
            r#""15+01+2025 04:30""#,
        ),
        (
            Function::Split,
            "join('+', ' a,, b ,c' | split(','))",
            r#""a+b+c""#,
        ),
        (
            Function::Header,
            "header('X-Topic') | default('none')",
            r#""none""#,
        ),
        (Function::Text, "n | text", r#""5""#),
        (
            Function::Text,
            "t | text",
            "error: text: expected a text, got true or false",
        ),
        (Function::Number, "'$ 1,234.50' | number", r#""1234.50""#),
        (
            Function::Number,
            "code | number",
            "error: number: 'PRI' is not a number",
        ),
        (
            Function::Number,
            "'1.234,50' | number(decimal=',')",
            r#""1234.50""#,
        ),
        (
            Function::Number,
            "'1.234,50' | number",
            "error: number: '1.234,50' is not a number; for a decimal comma write number(decimal=',')",
        ),
        (
            Function::Number,
            "'1,234.50' | number(decimal=',')",
            "error: number: '1,234.50' is not a number with a decimal comma; for a point write number",
        ),
        (
            Function::Number,
            "code | number(decimal=',')",
            "error: number: 'PRI' is not a number",
        ),
        (
            Function::Curp,
            "' boxw310820hnerxn09' | curp",
            r#""BOXW310820HNERXN09""#,
        ),
        (
            Function::Curp,
            "'BOXW310820HNERXN0' | curp",
            "error: curp: 'BOXW310820HNERXN0' is not a CURP: it has 17 characters, not 18",
        ),
        (
            Function::Rfc,
            "'gode-561231-gr8' | rfc",
            r#""GODE561231GR8""#,
        ),
        (Function::Rfc, "'GODE561231GR9' | rfc", r#""GODE561231GR9""#),
        (
            Function::Rfc,
            "'GODE561231GR9' | rfc(strict=true)",
            "error: rfc: 'GODE561231GR9' is not an RFC: its last character does not fit the others, so one is mistyped",
        ),
        (Function::Phone, "phone | phone", r#""+525512345678""#),
        (
            Function::Phone,
            "'(212) 555-2368' | phone('US')",
            r#""+12125552368""#,
        ),
        (
            Function::Phone,
            "code | phone",
            "error: phone: 'PRI' is not a phone number",
        ),
        (
            Function::Phone,
            "join(' ', phones | phone)",
            r#""+525512345678 +525550001111""#,
        ),
        (Function::Email, "mail | email", r#""ANA@x.mx""#),
        (
            Function::Email,
            "code | email",
            "error: email: 'PRI' is not an e-mail address",
        ),
        (
            Function::DateTime,
            "when | datetime('DD/MM/YYYY HH:mm')",
            r#""2025-01-15T10:30:00.000Z""#,
        ),
        (
            Function::DateTime,
            "when | datetime('DD/MM/YYYY HH:mm', tz='UTC')",
            r#""2025-01-15T04:30:00.000Z""#,
        ),
        (
            Function::DateTime,
            "when | datetime",
            "error: datetime: '15/01/2025 04:30' is not a date and time; where the day comes first, use `day_first`",
        ),
        (
            Function::DateTime,
            "n | datetime",
            "error: datetime: 5 is a number; use `unix_s` or `unix_ms`",
        ),
        (
            Function::DateTime,
            "code | datetime('DD/MM/YYYY')",
            "error: datetime: 'PRI' is not a date of the form DD/MM/YYYY",
        ),
        (
            Function::DayFirst,
            "when | day_first",
            r#""2025-01-15T10:30:00.000Z""#,
        ),
        (
            Function::DayFirst,
            "when | day_first(tz='UTC')",
            r#""2025-01-15T04:30:00.000Z""#,
        ),
        (
            Function::DayFirst,
            "code | day_first",
            "error: day_first: 'PRI' is not a date with the day first",
        ),
        (
            Function::UnixS,
            "1736937000 | unix_s",
            r#""2025-01-15T10:30:00.000Z""#,
        ),
        (
            Function::UnixMs,
            "'1736937000123' | unix_ms",
            r#""2025-01-15T10:30:00.123Z""#,
        ),
        (
            Function::UnixMs,
            "code | unix_ms",
            "error: unix_ms: 'PRI' is not a time since 1970",
        ),
        (
            Function::UnixS,
            "'1736937000123' | unix_s",
            "error: unix_s: '1736937000123' is not a time since 1970; for milliseconds use `unix_ms`",
        ),
        (Function::Lookup, "code | lookup(level)", r#""Primaria""#),
        (Function::Lookup, "' PRI ' | lookup(level)", r#""Primaria""#),
        (Function::Lookup, "n | lookup(level)", r#""Quinto""#),
        (Function::Lookup, "t | lookup(level)", r#""Sí""#),
        (Function::Lookup, "code | lookup(size)", r#""10""#),
        (
            Function::Lookup,
            "no | lookup(level)",
            "error: lookup: table `level` has no entry 'No'",
        ),
        (Function::Lookup, "no | lookup(level, else=skip)", "absent"),
        (Function::Lookup, "no | lookup(level, else=null)", "null"),
        (Function::Lookup, "no | lookup(level, else='?')", r#""?""#),
        (Function::Default, "none | default('d')", r#""d""#),
        (Function::Default, "nil | default(code)", r#""PRI""#),
        (Function::Default, "e | default('d') | upper", r#""D""#),
        (Function::Default, "code | default('d')", r#""PRI""#),
        (Function::First, "l | first", r#""b""#),
        (Function::First, "el | first", "absent"),
        (
            Function::First,
            "s | first",
            "error: first: expected a list, got a text",
        ),
        (Function::Last, "nums | last", r#""2""#),
        (Function::Unique, "join(',', l | unique)", r#""b,a""#),
        (Function::Compact, "l | compact | count", r#""3""#),
        (Function::Count, "l | count", r#""5""#),
        (Function::Count, "none | count", r#""0""#),
        (
            Function::Count,
            "code | count",
            "error: count: expected a list, got a text",
        ),
        (
            Function::Join,
            "join(', ', code, none, e, nil, n, l)",
            r#""PRI, 5, b, a, b""#,
        ),
        (Function::Join, "join(', ', none, e)", "absent"),
        (
            Function::Join,
            "join(', ', t)",
            "error: join: expected a text, got true or false",
        ),
        (Function::Concat, "concat('tut-', n)", r#""tut-5""#),
        // Fixed text alone is nothing, wherever it stands.
        (Function::Concat, "concat('tut-', none)", "absent"),
        (Function::Concat, "concat('tut-' | upper, nil)", "absent"),
        (Function::Concat, "concat('tut-', concat('a', e))", "absent"),
        (
            Function::Concat,
            "concat(concat('tut', '-'), none ?? e)",
            "absent",
        ),
        (
            Function::Concat,
            "concat('tut-', none ?? 'x')",
            r#""tut-x""#,
        ),
        (Function::Concat, "concat('tut', '-')", r#""tut-""#),
        (Function::Join, "join(' ', ['Sra.'], none)", "absent"),
        (Function::Concat, "concat(none, e)", "absent"),
    ];
    for (function, expression, text) in rows {
        assert!(expression.contains(function.name()));
        assert_eq!(text_of(TABLES, expression, BODY), text, "{expression}");
    }
    let conditions = [
        (Function::Bool, "no | bool", false),
        (Function::Bool, "t | bool", true),
        (Function::Bool, "1 | bool", true),
        (Function::Exists, "exists(nil)", true),
        (Function::IsNull, "is_null(nil)", true),
        (Function::IsBlank, "is_blank(e)", true),
        (Function::StartsWith, "code | starts_with('PR')", true),
        (Function::EndsWith, "code | ends_with('PR')", false),
        (Function::Contains, "code | contains('R')", true),
        (Function::Contains, "l | contains('a')", true),
        (Function::Contains, "l[] | contains('z')", false),
        (Function::Contains, "nums | contains('2')", true),
        (Function::Matches, "code | matches('^[A-Z]{3}$')", true),
        (Function::Matches, "code | matches('^x')", false),
    ];
    for (function, condition, expected) in conditions {
        assert!(condition.contains(function.name()));
        assert_eq!(holds(condition, BODY), expected, "{condition}");
    }
    let shown: Vec<Function> = rows
        .iter()
        .map(|row| row.0)
        .chain(conditions.iter().map(|row| row.0))
        .collect();
    for function in Function::ALL {
        assert!(shown.contains(&function), "{function:?} has no row");
    }
}

/// A call of every transform, with one value it takes and what it gives for it.
const CALLS: [(Function, &str, &str, &str); 38] = [
    (Function::Trim, "trim", "' a '", "'a'"),
    (Function::Lower, "lower", "'A'", "'a'"),
    (Function::Upper, "upper", "'a'", "'A'"),
    (Function::Title, "title", "'ana'", "'Ana'"),
    (Function::Squeeze, "squeeze", "'a  b'", "'a b'"),
    (Function::GivenFirst, "given_first", "'B, A'", "'A B'"),
    (Function::Replace, "replace('a', 'b')", "'aa'", "'bb'"),
    (Function::StripPrefix, "strip_prefix('a')", "'ab'", "'b'"),
    (Function::StripSuffix, "strip_suffix('b')", "'ab'", "'a'"),
    (
        Function::RequirePrefix,
        "require_prefix('a')",
        "'ab'",
        "'ab'",
    ),
    (Function::Digits, "digits", "'a1'", "'1'"),
    (Function::MaxLen, "max_len(1)", "'ab'", "'a'"),
    (Function::Split, "split(',')", "'a'", "'a'"),
    (Function::Text, "text", "5", "'5'"),
    (Function::Number, "number", "'5'", "5"),
    (Function::Number, "number(decimal=',')", "'5,5'", "5.5"),
    (Function::Bool, "bool", "'no'", "false"),
    (Function::Phone, "phone", "'5512345678'", "'+525512345678'"),
    (Function::Email, "email", "'a@B.mx'", "'a@b.mx'"),
    (
        Function::Curp,
        "curp",
        "'boxw310820hnerxn09'",
        "'BOXW310820HNERXN09'",
    ),
    (Function::Rfc, "rfc", "'gode561231gr8'", "'GODE561231GR8'"),
    (
        Function::DateTime,
        "datetime",
        "'2025-01-15'",
        "2025-01-15T06:00:00.000Z",
    ),
    (
        Function::DayFirst,
        "day_first",
        "'15/1/2025'",
        "2025-01-15T06:00:00.000Z",
    ),
    (
        Function::UnixS,
        "unix_s",
        "1736937000",
        "2025-01-15T10:30:00.000Z",
    ),
    (
        Function::UnixMs,
        "unix_ms",
        "1736937000123",
        "2025-01-15T10:30:00.123Z",
    ),
    (Function::Lookup, "lookup(level)", "'PRI'", "'Primaria'"),
    (Function::StartsWith, "starts_with('a')", "'ab'", "true"),
    (Function::EndsWith, "ends_with('a')", "'ab'", "false"),
    (Function::Contains, "contains('a')", "'ab'", "true"),
    (Function::Matches, "matches('^a')", "'ab'", "true"),
    // What follows is about lists, or about what is not there.
    (Function::First, "first", "['a']", "'a'"),
    (Function::Last, "last", "['a']", "'a'"),
    (Function::Unique, "unique", "['a', 'a']", "['a']"),
    (Function::Compact, "compact", "['a', null]", "['a']"),
    (Function::Count, "count", "['a']", "1"),
    (Function::Default, "default('d')", "'a'", "'a'"),
    (Function::Default, "default(none)", "'a'", "'a'"),
    (Function::Default, "default(null)", "'a'", "'a'"),
];

#[test]
fn every_transform_that_follows_a_pipe_is_in_the_list_of_calls() {
    for function in Function::ALL {
        let is_there = CALLS.iter().any(|(called, ..)| *called == function);
        assert_eq!(is_there, function.is_piped(), "{function:?}");
    }
    for (function, call, ..) in CALLS {
        assert!(call.starts_with(function.name()), "{call}");
    }
}

#[test]
fn absent_null_and_blank_pass_through_every_transform() {
    for (function, call, ..) in CALLS {
        for (input, passed) in [
            ("none", "nothing"),
            ("nil", "null"),
            ("e", ""),
            ("sp", " "),
            ("el", "[]"),
        ] {
            let given = evaluated(TABLES, &format!("{input} | {call}"), BODY);
            let expected = match (function, call, input) {
                (Function::Default, "default('d')", _) => "d",
                (Function::Default, "default(none)", _)
                | (Function::First | Function::Last, _, "el") => "nothing",
                (Function::Default, _, _) => "null",
                (Function::Count, ..) => "0",
                _ => passed,
            };
            assert_eq!(given, expected, "{input} | {call}");
        }
    }
}

#[test]
fn a_list_goes_through_every_transform_of_single_values_element_by_element() {
    for (function, call, input, output) in CALLS {
        let one = evaluated(TABLES, &format!("[({input} | {call})]"), BODY);
        let list = evaluated(
            TABLES,
            &format!("[{input}, null, none, ' ', {input}] | {call}"),
            BODY,
        );
        let expected = match function {
            // A list of texts that are split is one list.
            Function::Split => format!("[{output}, null, ' ', {output}]"),
            // These look at the whole list.
            Function::Contains => "false".to_owned(),
            Function::First
            | Function::Last
            | Function::Unique
            | Function::Compact
            | Function::Count
            | Function::Default => continue,
            _ => {
                assert_eq!(one, format!("[{output}]"), "{input} | {call}");
                format!("[{output}, null, ' ', {output}]")
            }
        };
        assert_eq!(list, expected, "{call}");
    }
}

#[test]
fn transforms_of_lists_take_nothing_else() {
    for call in ["first", "last", "unique", "compact", "count"] {
        for (input, kind) in [("s", "a text"), ("n", "a number"), ("t", "true or false")] {
            assert_eq!(
                evaluated(TABLES, &format!("{input} | {call}"), BODY),
                format!("{call}: expected a list, got {kind}")
            );
        }
    }
    for (expression, given) in [
        ("l | first", "b"),
        ("l | last", " "),
        ("l | unique", "['b', 'a', null, ' ']"),
        ("l | compact", "['b', 'a', 'b']"),
        ("l | count", "5"),
        // By the rules of comparison.
        ("['a', 5, '5', 5.0, 'A'] | unique", "['a', 5, 'A']"),
    ] {
        assert_eq!(evaluated(TABLES, expression, BODY), given, "{expression}");
    }
}

#[test]
fn no_transform_of_single_values_takes_an_object() {
    for (_, call, ..) in CALLS {
        let given = evaluated(TABLES, &format!("o | {call}"), r#"{"o": {"k": "v"}}"#);
        let is_default = call.starts_with("default");
        assert!(
            is_default
                || given.contains("expected a text, got an object")
                || given.contains("expected a list, got an object"),
            "{call}: {given}"
        );
    }
}

#[test]
fn an_accent_apart_from_its_letter_makes_no_difference() {
    let body = "{\"Matri\u{301}cula\": \"Jose\u{301}\", \"l\": [{\"k\": \"pe\u{301}\", \"v\": \"Nun\u{303}ez\"}]}";
    let top = "tables:\n  t: {José: sí}";
    for (expression, text) in [
        ("Matrícula", r#""José""#),
        ("Matri\u{301}cula", r#""José""#),
        ("Matrícula | lookup(t)", r#""sí""#),
        ("l[k='pé'].v", r#""Nuñez""#),
        ("l[k='pe\u{301}'].v | max_len(3)", r#""Nuñ""#),
        ("join(',', l[].v)", r#""Nuñez""#),
    ] {
        assert_eq!(text_of(top, expression, body), text, "{expression}");
    }
    assert!(holds("Matrícula == 'José'", body));
    assert_eq!(
        set("metadata:\n  - {key_from: Matrícula, value: x}", body),
        r#"{"metadata":[{"key":"José","value":"x"}]}"#
    );
}

#[test]
fn lists_of_the_event_and_lists_that_are_written_are_the_same() {
    for (expression, given) in [
        ("join(',', l | upper)", "B,A,B"),
        ("join(',', l[] | upper | unique)", "B,A"),
        ("nums | lookup(level, else=skip)", "[]"),
        ("['a;b', 'c'] | split(';')", "['a', 'b', 'c']"),
        ("['x', none, 'y'] | count", "2"),
    ] {
        assert_eq!(evaluated(TABLES, expression, BODY), given, "{expression}");
    }
}

#[test]
fn every_example_of_the_catalogue_is_true() {
    let text = file(function::TABLES, "drop: x");
    for function in Function::ALL {
        for (expression, gives) in function.examples() {
            let dedup = [((*expression).to_owned(), Span::default())];
            let (mapping, lines) = read_with(&text, &dedup);
            let mapping = mapping.unwrap_or_else(|| panic!("{expression}: {lines:?}"));
            let input = Input {
                body: b"{}",
                content_type: None,
                headers: &[("x-topic".to_owned(), "contact.updated".to_owned())],
                now: now(),
            };
            let extent = Extent {
                item: None,
                most: 1,
            };
            let told = mapping.explain(&input, None, extent).unwrap();
            let steps = &told.items[0].dedup[0];
            let last = steps.iter().rfind(|step| step.depth == 0).unwrap();
            assert_eq!(last.value.text, *gives, "{expression}");
            assert!(expression.contains(function.name()), "{expression}");
        }
    }
}
