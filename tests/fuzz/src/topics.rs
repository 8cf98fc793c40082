//! Topic names and filters: the grammar told twice, matching told three times.

use wharfmq::adapters::destination::{mqtt_address, mqtt_pattern, to_mqtt};
use wharfmq_mqtt::topic::{check_filter, check_topic, is_shared, matches, parse_filter};

/// Levels beyond which the plain matcher is not asked.
const LEVELS: usize = 64;

/// A filter, a line feed, and a topic name.
pub fn topic(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (filter, topic) = text.split_once('\n').unwrap_or((text, text));
    assert_eq!(check_topic(topic).is_ok(), is_name(topic), "name {topic:?}");
    assert_eq!(check_filter(filter).is_ok(), is_filter(filter), "filter {filter:?}");
    let Ok(parsed) = parse_filter(filter) else { return };
    assert_eq!(parsed.share.is_some(), is_shared(filter));
    if let Some(share) = parsed.share {
        assert!(!share.is_empty() && !share.contains(['/', '+', '#']));
        assert_eq!(format!("$share/{share}/{}", parsed.filter), filter);
    }
    assert!(is_filter(parsed.filter));
    if is_name(topic) {
        match_all_ways(parsed.filter, topic);
    }
}

fn match_all_ways(filter: &str, topic: &str) {
    let plain = matches(filter, topic);
    let levels = |text: &str| text.split('/').count();
    if levels(filter) <= LEVELS && levels(topic) <= LEVELS {
        let expected = naive(&filter.split('/').collect::<Vec<_>>(), &topic.split('/').collect::<Vec<_>>())
            && !(topic.starts_with('$') && filter.starts_with(['+', '#']));
        assert_eq!(plain, expected, "{filter:?} {topic:?}");
    }
    // The core has bounds of its own for names.
    let (Ok(pattern), Ok(address)) = (mqtt_pattern(filter), mqtt_address(topic)) else { return };
    assert_eq!(to_mqtt(pattern.text()), filter);
    assert_eq!(to_mqtt(&address.name), topic);
    assert_eq!(pattern.matches(&address.name), plain, "the core's pattern: {filter:?} {topic:?}");
    assert_eq!(pattern.matches_address(&address), plain);
    assert_eq!(pattern.is_exact(), !filter.contains(['+', '#']));
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 65_535 && !text.contains(['\0', '+', '#'])
}

fn is_filter(text: &str) -> bool {
    let levels: Vec<&str> = text.split('/').collect();
    let last = levels.len() - 1;
    let fine = |(at, level): (usize, &&str)| match *level {
        "#" => at == last,
        "+" => true,
        other => !other.contains(['+', '#']),
    };
    !text.is_empty() && text.len() <= 65_535 && !text.contains('\0') && levels.iter().enumerate().all(fine)
}

fn naive(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        (["#"], _) | ([], []) => true,
        ([pattern, filter @ ..], [name, topic @ ..]) => {
            (*pattern == "+" || pattern == name) && naive(filter, topic)
        }
        _ => false,
    }
}
