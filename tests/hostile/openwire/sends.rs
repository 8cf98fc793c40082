//! Messages, and where they are sent.

use wharfmq_openwire::{
    Destination, DestinationInfo, DestinationKind, Message, MessageKind, Structure, Text,
};

use super::case::{Change, Corpus, End, INVALID_DESTINATION, JMS};
use super::client::{Client, queue, topic};
use super::greetings::exploit;

pub(super) fn add(corpus: &mut Corpus) {
    destinations(corpus);
    destination_infos(corpus);
    fields(corpus);
    properties(corpus);
    contents(corpus);
}

/// Sends one message of a producer.
fn send(c: &mut Client, change: impl Fn(&mut Message)) {
    let info = c.producer_info(1);
    c.ask(&info);
    let mut message = c.message(&queue("hostile.sent"));
    change(&mut message);
    c.send(&message);
}

/// Names of destinations, and whether one can send to them.
fn names() -> Vec<(&'static str, Destination, bool)> {
    vec![
        ("of no name", Destination { kind: DestinationKind::Queue, physical_name: None }, false),
        ("of an empty name", queue(""), false),
        ("of a comma", queue(","), false),
        ("of 10,000 commas", queue(&",".repeat(10_000)), false),
        (
            "of 65 names",
            queue(&(0..65).map(|n| format!("hostile.c{n}")).collect::<Vec<_>>().join(",")),
            false,
        ),
        ("of 64 names", queue(&(0..64).map(|n| format!("hostile.c{n}")).collect::<Vec<_>>().join(",")), true),
        ("of one name 60 times", queue(&"hostile.same,".repeat(60)), true),
        ("of a queue and a topic", queue("queue://hostile.q,topic://hostile.t"), true),
        ("of schemes alone", queue("queue://,topic://"), false),
        ("of a topic with a wildcard", topic("hostile.*"), false),
        ("of all topics", topic(">"), false),
        ("of a topic among others with a wildcard", queue("hostile.a,topic://hostile.>"), false),
        ("of 200 levels", queue(&"a.".repeat(200)), false),
        ("of a zero", queue("hostile.\0"), false),
        ("of 30,000 bytes", queue(&format!("hostile.{}", "x".repeat(30_000))), true),
    ]
}

fn destinations(corpus: &mut Corpus) {
    for (name, destination, is_good) in names() {
        let end = if is_good { End::GoesOn } else { End::Fault(INVALID_DESTINATION) };
        let to = destination.clone();
        corpus.connected(
            format!("a message to a destination {name}"),
            move |c| send(c, |m| m.destination = Some(to.clone().into())),
            end,
        );
        corpus.connected(
            format!("a producer for a destination {name}"),
            move |c| {
                let mut info = c.producer_info(1);
                info.destination = Some(destination.clone().into());
                c.send(&info);
            },
            end,
        );
    }
    corpus.connected("a message to nowhere", |c| send(c, |m| m.destination = None), End::Fault(JMS));
    for kind in [DestinationKind::TempQueue, DestinationKind::TempTopic] {
        corpus.connected(
            format!("a message to a {kind:?} that is not there"),
            move |c| send(c, |m| m.destination = Some(Destination::new(kind, "ID:nobody:1").into())),
            End::Fault("org.apache.activemq.DestinationDoesNotExistException"),
        );
    }
    corpus.connected(
        "a message to a name that is no text",
        |c| {
            let name = Text::from_wire(vec![0xff, 0xfe, 0xed, 0xa0, 0x80].into());
            send(c, |m| {
                m.destination = Some(
                    Destination { kind: DestinationKind::Queue, physical_name: Some(name.clone()) }.into(),
                )
            });
        },
        End::Any,
    );
}

fn destination_infos(corpus: &mut Corpus) {
    let info = |destination: Destination, operation_type| DestinationInfo {
        command_id: 7,
        response_required: true,
        destination: Some(destination.into()),
        operation_type,
        ..Default::default()
    };
    for operation in [-128, -1, 2, 127] {
        corpus.connected(
            format!("operation {operation} on a destination"),
            move |c| c.send(&info(queue("a"), operation)),
            End::Fault(JMS),
        );
    }
    corpus.connected(
        "a DestinationInfo of nothing",
        |c| c.send(&DestinationInfo::default()),
        End::Fault(INVALID_DESTINATION),
    );
    for (name, destination) in
        [("none", queue("")), ("two", queue("a,b")), ("10,000 commas", queue(&",".repeat(10_000)))]
    {
        corpus.connected(
            format!("a destination made of {name}"),
            move |c| c.send(&info(destination.clone(), 0)),
            End::Fault(INVALID_DESTINATION),
        );
    }
    corpus.connected(
        "the end of a queue that is not there",
        move |c| c.send(&info(queue("hostile.none"), 1)),
        End::GoesOn,
    );
    corpus.connected(
        "the end of the queue of another consumer",
        move |c| c.send(&info(queue("witness"), 1)),
        End::Fault(JMS),
    );
    corpus.connected(
        "the end of a temporary queue that is not there",
        move |c| c.send(&info(Destination::new(DestinationKind::TempQueue, "ID:nobody:1"), 1)),
        End::GoesOn,
    );
    corpus.connected(
        "a temporary queue twice, and its end twice",
        move |c| {
            let name = Destination::new(DestinationKind::TempQueue, "ID:own:1");
            (0..2).for_each(|_| c.ask(&info(name.clone(), 0)));
            c.ask(&info(name.clone(), 1));
            c.send(&info(name, 1));
        },
        End::GoesOn,
    );
}

fn fields(corpus: &mut Corpus) {
    let changes: [(&str, Change<Message>); 18] = [
        ("of priority -128", |m| m.priority = -128),
        ("of priority 127", |m| m.priority = 127),
        ("that expires at -1", |m| m.expiration = -1),
        ("that expires at MIN", |m| m.expiration = i64::MIN),
        ("that expires at MAX", |m| m.expiration = i64::MAX),
        ("of the time MIN", |m| m.timestamp = i64::MIN),
        ("of group sequence MIN", |m| {
            m.group_id = Some("g".into());
            m.group_sequence = i32::MIN;
        }),
        ("of a group of 30,000 bytes", |m| m.group_id = Some("g".repeat(30_000).into())),
        ("delivered 2^31-1 times", |m| m.redelivery_counter = i32::MAX),
        ("delivered -1 times", |m| m.redelivery_counter = -1),
        ("of command number MIN", |m| m.command_id = i32::MIN),
        ("without an id", |m| m.message_id = None),
        ("of sequence MIN", |m| {
            if let Some(id) = &mut m.message_id {
                (id.producer_sequence_id, id.broker_sequence_id) = (i64::MIN, i64::MIN);
            }
        }),
        ("through 2,000 brokers", |m| {
            m.broker_path = Some(vec![None; 2_000]);
            m.cluster = Some(vec![None; 2_000]);
        }),
        ("with an exception to be instantiated in it", |m| {
            m.data_structure = Some(Box::new(Structure::ExceptionResponse(Box::new(exploit()))));
        }),
        ("with a message in it", |m| m.data_structure = Some(Box::new(Structure::Message(Box::default())))),
        ("of a blob at an address", |m| {
            m.kind = MessageKind::Blob;
            m.blob = Some(Box::new(wharfmq_openwire::Blob {
                remote_blob_url: Some("file:///etc/passwd".into()),
                mime_type: None,
                deleted_by_broker: true,
            }));
        }),
        ("of somebody", |m| m.user_id = Some("root".into())),
    ];
    for (name, change) in changes {
        corpus.connected(format!("a message {name}"), move |c| send(c, change), End::GoesOn);
    }
}

/// A map of one entry.
pub(super) fn map(name: &str, value: &[u8]) -> Vec<u8> {
    let mut map = vec![0, 0, 0, 1];
    map.extend((name.len() as u16).to_be_bytes());
    map.extend(name.as_bytes());
    map.extend(value);
    map
}

fn properties(corpus: &mut Corpus) {
    const LONG_MIN: [u8; 9] = [6, 0x80, 0, 0, 0, 0, 0, 0, 0];
    const LONG_MAX: [u8; 9] = [6, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    const INT_MIN: [u8; 5] = [5, 0x80, 0, 0, 0];
    for (name, value) in [
        ("AMQ_SCHEDULED_DELAY", &LONG_MIN[..]),
        ("AMQ_SCHEDULED_DELAY", &LONG_MAX),
        ("AMQ_SCHEDULED_DELAY", &[1, 1]),
        ("AMQ_SCHEDULED_DELAY", &[0]),
        ("AMQ_SCHEDULED_DELAY", &[11, 0, 0, 0, 0]),
        ("AMQ_SCHEDULED_DELAY", &[12, 0, 0, 0, 0]),
        ("AMQ_SCHEDULED_DELAY", &[10, 0, 0, 0, 1, b'7']),
        ("AMQ_SCHEDULED_DELAY", &[9, 0, 3, b'x', b'y', b'z']),
        ("AMQ_SCHEDULED_PERIOD", &LONG_MIN),
        ("AMQ_SCHEDULED_REPEAT", &INT_MIN),
        ("AMQ_SCHEDULED_CRON", &[9, 0, 5, b'*', b' ', b'*', b' ', b'*']),
        ("AMQ_SCHEDULED_CRON", &[9, 0, 9, b'9', b'9', b' ', b'*', b' ', b'*', b' ', b'*', b' ']),
        ("AMQ_SCHEDULED_CRON", &[5, 0, 0, 0, 1]),
    ] {
        let properties = map(name, value);
        corpus.connected(
            format!("{name} of type {} and {} bytes", value[0], value.len()),
            move |c| send(c, |m| m.marshalled_properties = Some(properties.clone().into())),
            End::Fault(JMS),
        );
    }
    let named = b"AMQ_SCHEDULED_DELAY";
    for (name, properties) in [
        ("that end early", [&[0, 0, 0, 9, 0, 19][..], named, &[6, 0, 0, 0, 0, 0, 0, 0, 1]].concat()),
        ("of more than there can be", [&[0x7f, 0xff, 0xff, 0xff, 0, 19][..], named, &[0]].concat()),
        ("of fewer than none", [&[0x80, 0, 0, 0, 0, 19][..], named, &[0]].concat()),
        ("of no type", map("AMQ_SCHEDULED_DELAY", &[99])),
        ("nested without end", map("AMQ_SCHEDULED_DELAY", &[12, 0, 0, 0, 1].repeat(5_000))),
    ] {
        corpus.connected(
            format!("properties for the scheduler {name}"),
            move |c| send(c, |m| m.marshalled_properties = Some(properties.clone().into())),
            End::Fault(JMS),
        );
    }
    for (name, properties) in [
        ("of noise", vec![0xff; 100]),
        ("of nothing", vec![]),
        ("of a count alone", vec![0x7f, 0xff, 0xff, 0xff]),
        ("nested without end", map("x", &[12, 0, 0, 0, 1].repeat(5_000))),
        ("of 900 kB", map("x", &[&[13, 0, 0x0d, 0xbb, 0xa0][..], &vec![b'x'; 900_000]].concat())),
    ] {
        corpus.connected(
            format!("properties {name}"),
            move |c| send(c, |m| m.marshalled_properties = Some(properties.clone().into())),
            End::GoesOn,
        );
    }
    for action in ["", "REMOVE", "EXPLODE", "BROWSE"] {
        let mut value = vec![9];
        value.extend((action.len() as u16).to_be_bytes());
        value.extend(action.as_bytes());
        let properties = map("AMQ_SCHEDULER_ACTION", &value);
        corpus.connected(
            format!("an order {action:?} to the scheduler"),
            move |c| {
                send(c, |m| {
                    m.destination = Some(topic("ActiveMQ.Scheduler.Management").into());
                    m.marshalled_properties = Some(properties.clone().into());
                });
            },
            End::Fault(JMS),
        );
    }
}

fn contents(corpus: &mut Corpus) {
    for kind in 23..=29 {
        for (name, compressed, content) in [
            ("noise", false, vec![0xee; 50]),
            ("compressed noise", true, vec![0xee; 50]),
            ("nothing that is compressed", true, vec![]),
            ("a length of 2^31-1", kind == 24, vec![0x7f, 0xff, 0xff, 0xff, 0x78, 0x9c]),
        ] {
            corpus.connected(
                format!("a message of type {kind} with {name}"),
                move |c| {
                    send(c, |m| {
                        m.kind = MessageKind::of(kind).unwrap();
                        m.compressed = compressed;
                        m.content = Some(content.clone().into());
                    });
                },
                End::GoesOn,
            );
        }
    }
}
