//! Topic grammar (4.7, 4.8.2).

use proptest::prelude::*;
use wharfmq_mqtt::Error;
use wharfmq_mqtt::topic::{ParsedFilter, check_topic, matches, parse_filter, valid_filter, valid_topic};

#[test]
fn valid_names_and_filters() {
    for topic in ["a", "/", "a/b", "//", "$SYS/x", "é/日本", " ", "a b"] {
        assert!(valid_topic(topic) && valid_filter(topic), "{topic}");
    }
    for topic in ["", "+", "a/#", "a\0", "a+b"] {
        assert!(!valid_topic(topic), "{topic}");
    }
    for filter in ["#", "+", "+/+", "/+", "+/", "a/+/b", "a/#", "/#", "+/#", "//#"] {
        assert!(valid_filter(filter), "{filter}");
    }
    for filter in ["", "a#", "#/", "#/a", "a+", "+a", "a/+b/c", "a\0", "a/##"] {
        assert!(!valid_filter(filter), "{filter}");
    }
}

#[test]
fn mqtt_4_7_3_3_longest_topic() {
    assert!(valid_topic(&"a".repeat(65_535)));
    assert_eq!(check_topic(&"a".repeat(65_536)), Err(Error::TopicTooLong));
    assert!(!valid_filter(&"a".repeat(65_536)));
}

#[test]
fn shared_filters_are_taken_apart() {
    let parsed = |share, filter| Ok(ParsedFilter { share, filter });
    assert_eq!(parse_filter("a/#"), parsed(None, "a/#"));
    assert_eq!(parse_filter("$share/g/a/+"), parsed(Some("g"), "a/+"));
    assert_eq!(parse_filter("$share/g//a"), parsed(Some("g"), "/a"));
    assert_eq!(parse_filter("$share"), parsed(None, "$share"));
    assert_eq!(parse_filter("$shared/g/a"), parsed(None, "$shared/g/a"));
    assert_eq!(parse_filter("$share/g"), Err(Error::ShareFilter));
    assert_eq!(parse_filter("$share/a+b/x"), Err(Error::ShareName));
}

#[test]
fn examples_of_the_specification() {
    for (filter, topic) in [
        ("sport/tennis/player1/#", "sport/tennis/player1"),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking"),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"),
        ("sport/#", "sport"),
        ("#", "a/b"),
        ("sport/tennis/+", "sport/tennis/player1"),
        ("sport/+", "sport/"),
        ("+/+", "/finance"),
        ("/+", "/finance"),
        ("$SYS/#", "$SYS/uptime"),
        ("$SYS/monitor/+", "$SYS/monitor/clients"),
        ("é/a", "é/a"),
    ] {
        assert!(matches(filter, topic), "{filter} {topic}");
    }
    for (filter, topic) in [
        ("sport/tennis/+", "sport/tennis/player1/ranking"),
        ("sport/+", "sport"),
        ("+", "/finance"),
        ("#", "$SYS/uptime"),
        ("+/monitor/clients", "$SYS/monitor/clients"),
        ("ACCOUNTS", "Accounts"),
        ("/finance", "finance"),
        ("a", "a/b"),
    ] {
        assert!(!matches(filter, topic), "{filter} {topic}");
    }
}

/// Another way to say the same: recursion over lists of levels.
fn naive(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        (["#"], _) | ([], []) => true,
        ([pattern, filter @ ..], [name, topic @ ..]) => {
            (*pattern == "+" || pattern == name) && naive(filter, topic)
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn names_are_checked_alike_at_any_length(text in "[a-c+#/\\x00]{0,3}[a-z/]{0,40}[a-c+#/\\x00]{0,3}") {
        let expected = !text.is_empty() && !text.contains(['+', '#', '\0']);
        prop_assert_eq!(valid_topic(&text), expected);
    }

    #[test]
    fn matching_agrees_with_the_naive_way(filter in "(\\+|[ab]?)(/(\\+|[ab]?)){0,3}(/#)?", topic in "[ab]?(/[ab]?){0,3}") {
        let expected = naive(&filter.split('/').collect::<Vec<_>>(), &topic.split('/').collect::<Vec<_>>());
        prop_assert_eq!(matches(&filter, &topic), expected);
    }
}
