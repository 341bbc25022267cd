//! Expressions: one row per row of the language's tables.

use super::*;

#[test]
fn paths_step_into_what_is_there() {
    for (path, text) in [
        ("s", r#""x""#),
        ("$.s", r#""x""#),
        ("o.k", r#""v""#),
        ("o.\"tipo de plan\"", r#""anual""#),
        ("o.dup", r#""2""#),
        ("d", r#""8450.00""#),
        ("l[1]", r#""b""#),
        ("phones[type='mobile'].number", r#""2""#),
        ("phones[number='3'].type", r#""mobile""#),
        ("phones[type='fax'].number", "absent"),
        ("phones[9].number", "absent"),
        ("s.k", "absent"),
        ("nil.k", "absent"),
        ("l.k", "absent"),
        ("o[0]", "absent"),
        ("o[k='v']", "absent"),
        ("none.of.this", "absent"),
        ("nil", "null"),
        ("join(',', grid[].row[])", r#""1,2,3""#),
        ("join(',', phones[].number)", r#""1,2,3""#),
        ("join(',', phones[].row)", "absent"),
        ("join(',', s[])", "absent"),
        ("o", "error: expected a text, got an object"),
        ("t", "error: expected a text, got true or false"),
    ] {
        assert_eq!(text_of("", path, FAMILY), text, "{path}");
    }
}

#[test]
fn comparison_follows_its_rules() {
    for (condition, expected) in [
        ("n == 5", true),
        ("n == 5.0", true),
        ("n == '5'", true),
        ("'5' == n", true),
        ("n == '5.0'", false),
        ("s == 'X'", false),
        ("s | upper == 'X'", true),
        ("t == true", true),
        ("t == 'true'", false),
        ("t == 1", false),
        ("none == null", false),
        ("none == other", true),
        ("none == ''", false),
        ("none != 'x'", true),
        ("nil == null", true),
        ("e == ''", true),
        ("n < 10", true),
        ("n <= 5", true),
        ("n > 5", false),
        ("n >= 5.0", true),
        ("none < 5", false),
        ("nil > 5", false),
        ("e < 5", false),
        (
            "('2025-01-15' | datetime) < ('2025-01-16' | datetime)",
            true,
        ),
        ("s in ['x', 'y']", true),
        ("n in ['5']", true),
        ("s in l", false),
        ("'a' in l", true),
        ("'a' in l[]", true),
        ("'2' in phones[].number", true),
        ("s in none", false),
        ("none in ['x']", false),
        ("nil in [null]", true),
        ("s in []", false),
        ("exists(nil)", true),
        ("exists(none)", false),
        ("is_null(nil)", true),
        ("is_null(none)", false),
        ("is_blank(e)", true),
        ("is_blank(sp)", true),
        ("is_blank(el)", true),
        ("is_blank(none)", false),
        ("is_blank(nil)", false),
        ("t and n == 5", true),
        ("t and not t", false),
        ("none or t", true),
        ("none and t", false),
        ("not none", false),
        ("not nil", false),
        ("not e", false),
        ("not (none | bool)", false),
        ("not (n == 6)", true),
        ("not t or t", true),
        ("none", false),
        ("nil", false),
        ("true", true),
    ] {
        assert_eq!(holds(condition, FAMILY), expected, "{condition}");
    }
}

#[test]
fn a_condition_that_is_neither_true_nor_false_fails() {
    for (condition, reason) in [
        ("s", "name: expected true or false, got a text"),
        ("not n", "name: expected true or false, got a number"),
        (
            "s < 5",
            "name: `<` compares two numbers or two dates, got a text and a number",
        ),
        (
            "'x' in s",
            "name: `in` needs a list on its right, got a text",
        ),
    ] {
        let quoted = condition.replace('\'', "''");
        let fields = format!("name:\n  when: '{quoted}'\n  value: x");
        assert_eq!(
            set(&fields, FAMILY),
            format!("fail: {reason}"),
            "{condition}"
        );
    }
}

#[test]
fn a_fallback_takes_the_first_value_else_null_else_blank_else_nothing() {
    for (expression, text) in [
        ("none ?? e ?? s", r#""x""#),
        ("none ?? nil ?? e", "null"),
        ("none ?? e", r#""""#),
        ("e ?? nil", "null"),
        ("none ?? other", "absent"),
        ("none ?? s | upper", r#""X""#),
        ("(s | upper) ?? n", r#""X""#),
        ("none ?? 'lit'", r#""lit""#),
    ] {
        assert_eq!(text_of("", expression, FAMILY), text, "{expression}");
    }
}
