//! ActiveMQ's options of a consumer within its destination: `/queue/Q?consumer.prefetchSize=1`.

use std::borrow::Cow;

use super::fault::Stop;

/// Options that one destination may have.
const OPTIONS_MAX: usize = 16;

/// Calls `each` with every option's name, without its `consumer.`, and its value.
pub(super) fn read<'a>(
    options: &'a str,
    mut each: impl FnMut(&'a str, Cow<'a, str>) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let all = options.split('&').filter(|option| !option.is_empty());
    for (nth, option) in all.enumerate() {
        if nth == OPTIONS_MAX {
            return Err(Stop::Fault(format!("a destination may have {OPTIONS_MAX} options")));
        }
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let Some(name) = name.strip_prefix("consumer.") else { return Err(unknown(name)) };
        each(name, unescape(value)?)?;
    }
    Ok(())
}

/// The answer to an option that there is none of.
pub(super) fn unknown(name: &str) -> Stop {
    let name: String = name.chars().take(64).filter(|sign| !sign.is_control()).collect();
    Stop::Fault(format!(
        "option {name} in the destination is unknown: there are consumer.prefetchSize, exclusive, priority, \
         noLocal, retroactive, selector, dispatchAsync and maximumPendingMessageLimit"
    ))
}

/// Resolves `%20` and `+` as in a URL's query.
fn unescape(value: &str) -> Result<Cow<'_, str>, Stop> {
    if !value.contains(['%', '+']) {
        return Ok(Cow::Borrowed(value));
    }
    let wrong = || Stop::fault("the value of an option in the destination has a % without two digits");
    let mut out = Vec::with_capacity(value.len());
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(bytes.next()), digit(bytes.next()));
                (high.ok_or_else(wrong)? << 4 | low.ok_or_else(wrong)?) as u8
            }
            other => other,
        });
    }
    let text = String::from_utf8(out);
    text.map(Cow::Owned).map_err(|_| Stop::fault("the value of an option in the destination is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(options: &str) -> Result<Vec<(String, String)>, Stop> {
        let mut found = Vec::new();
        read(options, |name, value| {
            found.push((name.to_owned(), value.into_owned()));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn names_and_values() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            all("consumer.prefetchSize=1&consumer.selector=a='%C3%BC'+OR+b%3d1&&consumer.exclusive").unwrap(),
            [pair("prefetchSize", "1"), pair("selector", "a='ü' OR b=1"), pair("exclusive", "")]
        );
        assert_eq!(all("").unwrap(), []);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (options, word) in [
            ("consumer.a=1&producer.x=1", "producer.x"),
            ("consumer.a=%2", "%"),
            ("consumer.a=%ff", "UTF-8"),
            (&"consumer.a=1&".repeat(17), "16"),
        ] {
            let Err(Stop::Fault(why)) = all(options) else { panic!("{options}") };
            assert!(why.contains(word), "{why}");
        }
    }
}
