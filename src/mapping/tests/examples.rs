//! Whole files with their tests.

use super::*;

const HUBSPOT: &str = include_str!("hubspot.yaml");
const SIS: &str = include_str!("sis-aguilas.yaml");

#[test]
fn the_examples_compile_without_a_word_and_pass_their_tests() {
    for text in [HUBSPOT, SIS] {
        let (mapping, lines) = read(text);
        assert_eq!(lines, [""; 0]);
        let report = mapping.unwrap().run_tests();
        assert!(report.has_passed() && report.results.len() >= 3);
    }
}

#[test]
fn a_failing_test_tells_each_differing_field_with_the_rule_that_ran() {
    let text = SIS
        .replace("phoneNumber: \"+525550001111\"", "phoneNumber: \"+525550002222\"")
        .replace("- {key: Grado, value: \"5\"}\n            - {key: Matrículas, value: A-1029 A-1344}\n            - {key: rfc", "- {key: rfc")
        .replace("- drop: connection test\n\n", "- fail: connection test\n\n");
    let (mapping, lines) = read(&text);
    assert!(mapping.is_none());
    insta::assert_snapshot!(lines.join("\n"), @r#"
    m.yaml:99:11: error map/test-failed: test `family with two guardians, one pays`: outcome 1: metadata.Grado: expected nothing, got "5" (rule `paying guardians of a family`)
    m.yaml:99:11: error map/test-failed: test `family with two guardians, one pays`: outcome 1: metadata.Matrículas: expected nothing, got "A-1029 A-1344" (rule `paying guardians of a family`)
    m.yaml:107:11: error map/test-failed: test `family with two guardians, one pays`: outcome 2: phoneNumber: expected "+525550002222", got "+525550001111" (rule `paying guardians of a family`)
    m.yaml:136:9: error map/test-failed: test `pings are dropped`: outcome 1: expected fail: connection test, got drop: connection test (rule `connection test`)
    "#);
}
