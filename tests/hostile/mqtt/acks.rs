//! Acknowledgements: of nothing, with wrong reasons, in the wrong order.

use super::bytes::{ack, publish};
use super::case::{ALL, Before, Corpus, End, FIVE, V3};

const KINDS: [(&str, u8); 4] = [("PUBACK", 0x40), ("PUBREC", 0x50), ("PUBREL", 0x62), ("PUBCOMP", 0x70)];

pub(super) fn add(corpus: &mut Corpus) {
    unknown(corpus);
    reasons(corpus);
    shapes(corpus);
    order(corpus);
}

fn unknown(corpus: &mut Corpus) {
    for (name, first, answers) in [
        ("PUBACK", 0x40, vec![]),
        ("PUBREC", 0x50, vec![(6, 0x92)]),
        ("PUBREL", 0x62, vec![(7, 0x92)]),
        ("PUBCOMP", 0x70, vec![]),
    ] {
        for id in [1, 999, 65_535] {
            let end = End::GoesOn(answers.clone());
            corpus.connected(format!("{name} of unknown identifier {id}"), ALL, |_| ack(first, id, &[]), end);
        }
        let end = End::Violation(0x82);
        corpus.connected(format!("{name} of identifier 0"), ALL, |_| ack(first, 0, &[]), end.clone());
        let persistent = Before::Persistent;
        corpus.add(format!("{name} of identifier 0, kept"), ALL, persistent, |_| ack(first, 0, &[]), end);
        let end = End::GoesOn(answers);
        corpus.add(format!("{name} of nothing, kept"), ALL, persistent, |_| ack(first, 5, &[]), end);
    }
}

fn reasons(corpus: &mut Corpus) {
    let wrong: [(&str, u8, &[u8]); 4] = [
        ("PUBACK", 0x40, &[0x01, 0x04, 0x11, 0x81, 0x82, 0x92, 0x8E, 0xFF]),
        ("PUBREC", 0x50, &[0x01, 0x18, 0x84, 0x92, 0x95, 0xFF]),
        ("PUBREL", 0x62, &[0x01, 0x10, 0x80, 0x87, 0x91, 0xFF]),
        ("PUBCOMP", 0x70, &[0x01, 0x10, 0x80, 0x97, 0xFF]),
    ];
    for (name, first, codes) in wrong {
        for &code in codes {
            let bytes = |_| ack(first, 1, &[code]);
            corpus.connected(format!("{name} with reason {code:#04x}"), FIVE, bytes, End::Violation(0x82));
        }
    }
}

fn shapes(corpus: &mut Corpus) {
    for (name, first) in KINDS {
        let bytes = |_| ack(first, 1, &[0]);
        corpus.connected(format!("{name} of three bytes before MQTT 5"), V3, bytes, End::Closed);
        let bytes = |_| ack(first, 1, &[0, 0, 0]);
        corpus.connected(format!("{name} with a byte behind its end"), FIVE, bytes, End::Violation(0x81));
        let bytes = |_| ack(first, 1, &[0, 9]);
        corpus.connected(format!("{name} with properties that are not there"), FIVE, bytes, {
            End::Violation(0x81)
        });
        let bytes = |_| ack(first, 1, &[0, 4, 0x1F, 0, 1, 0xFF]);
        corpus.connected(format!("{name} with a reason that is no text"), FIVE, bytes, End::Violation(0x81));
    }
}

fn order(corpus: &mut Corpus) {
    let again = |version| publish(version, 0x3C, b"hostile/two", Some(7), &[]);
    corpus.add("QoS 2 again", ALL, Before::Publishing, again, End::GoesOn(vec![(5, 0)]));
    let other = |version| publish(version, 0x34, b"hostile/other", Some(7), &[]);
    corpus.add(
        "another message of the identifier",
        ALL,
        Before::Publishing,
        other,
        End::GoesOn(vec![(5, 0)]),
    );
    let twice = |_| [ack(0x62, 7, &[]), ack(0x62, 7, &[])].concat();
    corpus.add("PUBREL twice", ALL, Before::Publishing, twice, End::GoesOn(vec![(7, 0), (7, 0x92)]));
    let wrong = |_| ack(0x62, 8, &[]);
    corpus.add("PUBREL of another", ALL, Before::Publishing, wrong, End::GoesOn(vec![(7, 0x92)]));
    for (name, first) in [("PUBACK", 0x40), ("PUBCOMP", 0x70)] {
        let bytes = |_| ack(first, 7, &[]);
        let name = format!("{name} of one's own message");
        corpus.add(name, ALL, Before::Publishing, bytes, End::GoesOn(Vec::new()));
    }
    let own = |_| ack(0x50, 7, &[]);
    corpus.add("PUBREC of one's own message", ALL, Before::Publishing, own, End::GoesOn(vec![(6, 0x92)]));

    let receiving = Before::Receiving;
    let twice = |_| [ack(0x50, 1, &[]), ack(0x50, 1, &[])].concat();
    corpus.add("PUBREC twice", ALL, receiving, twice, End::GoesOn(vec![(6, 0), (6, 0)]));
    let after = |_| [ack(0x50, 1, &[]), ack(0x70, 1, &[]), ack(0x50, 1, &[])].concat();
    corpus.add("PUBREC after PUBCOMP", ALL, receiving, after, End::GoesOn(vec![(6, 0), (6, 0x92)]));
    let twice = |_| [ack(0x50, 1, &[]), ack(0x70, 1, &[]), ack(0x70, 1, &[])].concat();
    corpus.add("PUBCOMP twice", ALL, receiving, twice, End::GoesOn(vec![(6, 0)]));
    let first = |_| ack(0x62, 1, &[]);
    corpus.add("PUBREL of the broker's message", ALL, receiving, first, End::GoesOn(vec![(7, 0x92)]));
    let refused = |_| [ack(0x50, 1, &[0x80]), ack(0x70, 1, &[])].concat();
    corpus.add("PUBCOMP after a refusal", FIVE, receiving, refused, End::GoesOn(Vec::new()));
    for (name, first) in [("PUBACK for QoS 2", 0x40), ("PUBCOMP before PUBREC", 0x70)] {
        corpus.add(name, ALL, receiving, |_| ack(first, 1, &[]), End::GoesOn(Vec::new()));
    }
}
