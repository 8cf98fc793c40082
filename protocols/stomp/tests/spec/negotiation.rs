//! Version, heart-beats and acknowledgement modes.

use wharfmq_stomp::{AckMode, Error, HeartBeat, HeartBeats, SUPPORTED_VERSIONS, negotiate};

use crate::common::*;

fn beat(value: &str) -> HeartBeat {
    HeartBeat::parse(Some(value)).unwrap()
}

#[test]
fn v10_without_accept_version() {
    assert_eq!(negotiate(None), Ok(V10));
}

#[test]
fn v11_highest_common_version() {
    assert_eq!(negotiate(Some("1.0,1.1,2.0")), Ok(V11));
    assert_eq!(negotiate(Some("1.2,1.1,1.0")), Ok(V12));
    assert_eq!(negotiate(Some(" 1.0 , 1.2 ")), Ok(V12));
    assert_eq!(negotiate(Some("1.0")), Ok(V10));
}

#[test]
fn v12_no_common_version() {
    for list in ["2.0", "", ",", "1.3,9", "1.1.1"] {
        assert_eq!(negotiate(Some(list)), Err(Error::Version), "{list}");
    }
    assert_eq!(Error::Version.to_string(), "Supported protocol versions are 1.0,1.1,1.2");
    assert_eq!(negotiate(Some(SUPPORTED_VERSIONS)), Ok(V12));
}

#[test]
fn v11_heart_beat_missing_is_none() {
    assert_eq!(HeartBeat::parse(None).unwrap(), beat("0,0"));
}

#[test]
fn v11_heart_beat_is_two_numbers() {
    assert_eq!(beat("1000, 2000"), HeartBeat { can_send_ms: 1000, wants_ms: 2000 });
    assert_eq!(beat("99999999999999999999,0").can_send_ms, u32::MAX);
    assert_eq!(beat("5,6").to_string(), "5,6");
    for bad in ["", "1", ",", "1,", ",1", "-1,0", "1,2,3", "a,b", "+1,1", "1.5,2"] {
        assert_eq!(HeartBeat::parse(Some(bad)), Err(Error::HeartBeat), "{bad}");
    }
}

#[test]
fn v11_heart_beat_is_the_greater_of_both() {
    let agreed = HeartBeats::agree(beat("100,5000"), beat("3000,400"));
    assert_eq!(agreed, HeartBeats { send_ms: 400, expect_ms: 5000 });
    let mirrored = HeartBeats::agree(beat("3000,400"), beat("100,5000"));
    assert_eq!((mirrored.send_ms, mirrored.expect_ms), (agreed.expect_ms, agreed.send_ms));
}

#[test]
fn v11_heart_beat_zero_is_none_in_that_direction() {
    let agreed = HeartBeats::agree(beat("0,100"), beat("200,300"));
    assert_eq!(agreed, HeartBeats { send_ms: 0, expect_ms: 200 });
    assert_eq!(agreed.send_at(7), None);
    assert_eq!(HeartBeats::agree(beat("1,0"), beat("1,0")), HeartBeats::default());
    assert_eq!(HeartBeats::default().dead_at(7), None);
}

#[test]
fn v11_heart_beat_times() {
    let beats = HeartBeats { send_ms: 1000, expect_ms: 1000 };
    assert_eq!(beats.send_at(50), Some(800));
    assert_eq!(beats.dead_at(50), Some(2050));
    let least = HeartBeats { send_ms: 1, expect_ms: 1 };
    assert_eq!((least.send_at(50), least.dead_at(50)), (Some(51), Some(52)));
    let most = HeartBeats { send_ms: u32::MAX, expect_ms: u32::MAX };
    assert_eq!((most.send_at(u64::MAX), most.dead_at(u64::MAX)), (Some(u64::MAX), Some(u64::MAX)));
}

#[test]
fn v12_ack_modes() {
    assert_eq!(AckMode::parse(None), Ok(AckMode::Auto));
    for mode in [AckMode::Auto, AckMode::Client, AckMode::ClientIndividual] {
        assert_eq!(AckMode::parse(Some(mode.as_str())), Ok(mode));
    }
    assert_eq!(AckMode::parse(Some("Client")), Err(Error::AckMode));
    assert_eq!(AckMode::parse(Some("")), Err(Error::AckMode));
}
