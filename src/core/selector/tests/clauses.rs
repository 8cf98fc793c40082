//! The clauses of the JMS specification, section 3.8.1.1 "Message selector syntax", and of 3.8.1.2 "Null
//! values" and 3.8.1.3 "Special notes".

use super::kit::{FALSE, TRUE, UNKNOWN, assert_truths};
use crate::{Selector, Typing};

#[test]
fn string_literals_are_in_single_quotes_with_a_quote_doubled() {
    assert_truths(&[
        ("colour = 'red'", TRUE),
        ("colour = 'Red'", FALSE),
        ("name = 'O''Brien'", TRUE),
        ("empty = ''", TRUE),
        ("'''' = ''''", TRUE),
        ("'''a''''b''' = '''a''''b'''", TRUE),
        ("'größe ∞' = 'größe ∞'", TRUE),
    ]);
}

#[test]
fn comments_are_passed_over() {
    assert_truths(&[
        ("/* a remark */ colour /**/ = 'red' /* the end */", TRUE),
        ("colour -- it's red\n = 'red'", TRUE),
        ("colour = '/* no remark */'", FALSE),
        ("1 --1 = 2", TRUE),
        ("4 / 2 = 2", TRUE),
    ]);
}

#[test]
fn exact_numeric_literals_are_java_integers() {
    assert_truths(&[
        ("57 = 57L", TRUE),
        ("weight = +2500", TRUE),
        ("-957 < +62", TRUE),
        ("0x9C4 = weight", TRUE),
        ("0X9c4l = weight", TRUE),
        ("04704 = weight", TRUE),
        ("0 = 00", TRUE),
        ("big = 9223372036854775807", TRUE),
        ("big = 9223372036854775806", FALSE),
        ("least = -9223372036854775808", TRUE),
        ("least = -9223372036854775807", FALSE),
        ("big < 9223372036854775808", TRUE),
    ]);
}

#[test]
fn approximate_numeric_literals_are_java_floats() {
    assert_truths(&[
        ("7E3 = 7000", TRUE),
        ("-57.9E2 = -5790", TRUE),
        ("7. = 7", TRUE),
        ("-95.7 < 0", TRUE),
        ("+6.2 > 6", TRUE),
        (".5 = 5e-1", TRUE),
        ("1.5D = 1.5f", TRUE),
        ("7d = 7F", TRUE),
        ("09.5 = price", TRUE),
        ("1E+2 = 100", TRUE),
    ]);
}

#[test]
fn boolean_literals_are_true_and_false_in_any_case() {
    assert_truths(&[
        ("TRUE", TRUE),
        ("false", FALSE),
        ("urgent = True", TRUE),
        ("closed = fAlSe", TRUE),
        ("urgent <> TRUE", FALSE),
    ]);
}

#[test]
fn identifiers_are_case_sensitive_java_identifiers() {
    assert_truths(&[
        ("Colour = 'red'", UNKNOWN),
        ("COLOUR IS NULL", TRUE),
        ("$x_1 = 1", TRUE),
        ("größe = 2", TRUE),
        ("app.version:minor = 3", TRUE),
        ("JMSPriority >= 4", TRUE),
    ]);
}

#[test]
fn identifiers_in_double_quotes_are_any_name() {
    assert_truths(&[
        ("\"content-type\" = 'text/plain'", TRUE),
        ("content-type = 'text/plain'", UNKNOWN),
        ("\"a\"\"b\" = 5", TRUE),
        ("\"NULL\" = 6", TRUE),
        ("\"colour\" = 'red'", TRUE),
    ]);
}

#[test]
fn white_space_and_case_of_keywords_do_not_matter() {
    assert_truths(&[
        ("weight\tbEtWeEn\n2500\r\nand\u{c}2500", TRUE),
        ("weight>=2500 AND colour='red'or(closed)", TRUE),
        ("weight*2=5000", TRUE),
        ("weight-1=2499", TRUE),
    ]);
}

#[test]
fn a_selector_is_true_only_if_it_evaluates_to_true() {
    for (text, expected) in [("urgent", true), ("closed", false), ("missing", false), ("weight = 'x'", false)]
    {
        let selector = Selector::parse(text, Typing::Strict).unwrap();
        assert_eq!(selector.matches(&super::kit::message()), expected, "{text}");
    }
}

#[test]
fn a_boolean_property_is_a_condition() {
    assert_truths(&[
        ("urgent AND weight > 1", TRUE),
        ("NOT closed", TRUE),
        ("(urgent)", TRUE),
        ("colour", UNKNOWN),
        ("weight OR urgent", TRUE),
        ("(weight > 1) = urgent", TRUE),
        ("(weight < 1) <> urgent", TRUE),
        ("(missing < 1) = urgent", UNKNOWN),
    ]);
}

#[test]
fn evaluation_is_by_precedence_and_from_left_to_right() {
    assert_truths(&[
        ("1 + 2 * 3 = 7", TRUE),
        ("(1 + 2) * 3 = 9", TRUE),
        ("10 - 4 - 3 = 3", TRUE),
        ("100 / 10 / 5 = 2", TRUE),
        ("2 * 7 % 4 = 2", TRUE),
        ("-2 * -3 = 6", TRUE),
        ("2 - -3 = 5", TRUE),
        ("- - -2 = -2", TRUE),
        ("-weight + 2500 = 0", TRUE),
        ("FALSE AND FALSE OR TRUE", TRUE),
        ("TRUE OR FALSE AND FALSE", TRUE),
        ("(TRUE OR FALSE) AND FALSE", FALSE),
        ("NOT FALSE AND FALSE", FALSE),
        ("NOT (FALSE AND FALSE)", TRUE),
        ("NOT weight = 1 AND urgent", TRUE),
        ("NOT NOT urgent", TRUE),
        ("weight BETWEEN 1 AND 2 + 2498 AND urgent", TRUE),
    ]);
}

#[test]
fn comparison_operators() {
    assert_truths(&[
        ("weight = 2500", TRUE),
        ("weight <> 2500", FALSE),
        ("weight != 2501", TRUE),
        ("weight > 2499", TRUE),
        ("weight >= 2500", TRUE),
        ("weight < 2500", FALSE),
        ("weight <= 2500", TRUE),
        ("weight = 2500.0", TRUE),
        ("2500 = weight", TRUE),
        ("price > 9", TRUE),
    ]);
}

#[test]
fn only_like_type_values_can_be_compared() {
    assert_truths(&[
        ("seven = 7", UNKNOWN),
        ("'1' = 1", UNKNOWN),
        ("'1' <> 1", UNKNOWN),
        ("NOT '1' = 1", UNKNOWN),
        ("urgent = 'true'", UNKNOWN),
        ("urgent = 1", UNKNOWN),
        ("seven > 1", UNKNOWN),
    ]);
}

#[test]
fn strings_and_booleans_have_no_order() {
    assert_truths(&[
        ("colour > 'a'", UNKNOWN),
        ("colour <= 'red'", UNKNOWN),
        ("urgent >= TRUE", UNKNOWN),
        ("colour BETWEEN 'a' AND 'z'", UNKNOWN),
    ]);
}

#[test]
fn arithmetic_operators_promote_as_java_does() {
    assert_truths(&[
        ("7 / 2 = 3", TRUE),
        ("7 / 2.0 = 3.5", TRUE),
        ("-7 / 2 = -3", TRUE),
        ("-7 % 4 = -3", TRUE),
        ("+weight = 2500", TRUE),
        ("big + 1 > big", TRUE),
        ("least - 1 < 0", TRUE),
        ("-least > big", TRUE),
        ("least / -1 > big", TRUE),
        ("least % -1 = 0", TRUE),
    ]);
}

#[test]
fn division_by_zero_is_unknown_for_integers_and_java_for_floats() {
    assert_truths(&[
        ("1 / zero = 1", UNKNOWN),
        ("1 % zero = 1", UNKNOWN),
        ("1.0 / zero > 1e300", TRUE),
        ("0.0 / zero = 0", UNKNOWN),
        ("0.0 / zero <> 0", UNKNOWN),
        ("nan = nan", UNKNOWN),
        ("nan < 1", UNKNOWN),
        ("nan IN (1, 2)", UNKNOWN),
    ]);
}

#[test]
fn arithmetic_needs_numbers() {
    assert_truths(&[
        ("seven + 1 = 8", UNKNOWN),
        ("colour + 'x' = 'redx'", UNKNOWN),
        ("urgent * 1 = 1", UNKNOWN),
        ("+colour = 'red'", UNKNOWN),
        ("-missing = 1", UNKNOWN),
    ]);
}

#[test]
fn between() {
    assert_truths(&[
        ("weight BETWEEN 2500 AND 2500", TRUE),
        ("weight BETWEEN 2501 AND 3000", FALSE),
        ("weight NOT BETWEEN 2501 AND 3000", TRUE),
        ("weight BETWEEN 3000 AND 1", FALSE),
        ("price BETWEEN 9 AND 10", TRUE),
        ("missing BETWEEN 1 AND 2", UNKNOWN),
        ("missing NOT BETWEEN 1 AND 2", UNKNOWN),
        ("weight BETWEEN 3000 AND missing", FALSE),
        ("weight BETWEEN 1 AND missing", UNKNOWN),
        ("weight + 1 BETWEEN zero AND weight * 2", TRUE),
    ]);
}

#[test]
fn in_lists() {
    assert_truths(&[
        ("colour IN ('green', 'red')", TRUE),
        ("colour IN ('green')", FALSE),
        ("colour NOT IN ('green', 'blue')", TRUE),
        ("colour NOT IN ('red')", FALSE),
        ("missing IN ('a')", UNKNOWN),
        ("missing NOT IN ('a')", UNKNOWN),
        ("weight IN (1, -2, +2500)", TRUE),
        ("least IN (-9223372036854775808)", TRUE),
        ("weight IN (2500.0)", TRUE),
        ("weight NOT IN (1, 2)", TRUE),
        ("weight IN ('2500')", UNKNOWN),
        ("colour IN (1, 'red')", TRUE),
        ("colour IN (1, 'green')", UNKNOWN),
        ("urgent IN ('true')", UNKNOWN),
        ("name IN ('O''Brien')", TRUE),
    ]);
}

#[test]
fn is_null_tests_for_a_missing_property() {
    assert_truths(&[
        ("missing IS NULL", TRUE),
        ("missing IS NOT NULL", FALSE),
        ("colour IS NULL", FALSE),
        ("colour is not null", TRUE),
        ("empty IS NULL", FALSE),
        ("missing + 1 IS NULL", TRUE),
    ]);
}

#[test]
fn null_values_make_comparison_and_arithmetic_unknown() {
    assert_truths(&[
        ("missing = 1", UNKNOWN),
        ("missing <> 'a'", UNKNOWN),
        ("missing = missing", UNKNOWN),
        ("missing + 1 = 2", UNKNOWN),
        ("missing LIKE '%'", UNKNOWN),
        ("missing", UNKNOWN),
        ("NOT missing", UNKNOWN),
    ]);
}

#[test]
fn the_examples_of_the_specification_parse() {
    for text in [
        "JMSType = 'car' AND color = 'blue' AND weight > 2500",
        "age BETWEEN 15 AND 19",
        "age >= 15 AND age <= 19",
        "age NOT BETWEEN 15 AND 19",
        "Country IN (' UK', 'US', 'France')",
        "NOT ((Country = ' UK') OR (Country = 'US') OR (Country = 'France'))",
        "phone LIKE '12%3'",
        "underscored LIKE '\\_%' ESCAPE '\\'",
        "phone NOT LIKE '12%3'",
        "prop_name IS NULL",
        "prop_name IS NOT NULL",
    ] {
        assert!(Selector::parse(text, Typing::Strict).is_ok(), "{text}");
    }
}

#[test]
fn text_names_and_equality() {
    let parse = |text| Selector::parse(text, Typing::Strict).unwrap();
    let selector = parse("  b = 1 AND a = 2 OR b = \"c d\" \n");
    assert_eq!(selector.text(), "b = 1 AND a = 2 OR b = \"c d\"");
    assert_eq!(selector.names().collect::<Vec<_>>(), ["b", "a", "c d"]);
    assert_eq!(selector.typing(), Typing::Strict);
    assert_eq!(parse("a = 1"), parse(" a = 1 "));
    assert_ne!(parse("a = 1"), parse("a = 2"));
    assert_ne!(parse("a = 1"), Selector::parse("a = 1", Typing::Loose).unwrap());
    assert_eq!(selector, selector.clone());
}
