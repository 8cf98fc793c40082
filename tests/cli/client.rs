//! `wharfmq send` and `wharfmq receive` against brokers that only know their lines.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::BytesMut;
use mqttbytes::v4::{
    ConnAck, ConnectReturnCode, Packet, PubAck, PubComp, PubRec, Publish, SubAck, SubscribeReasonCode,
};
use mqttbytes::{Error, QoS};

use super::{Run, command, run};

/// Serves one connection with `play` and gives what that comes to.
fn broker<T: Send + 'static>(play: impl FnOnce(TcpStream) -> T + Send + 'static) -> (u16, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        play(stream)
    });
    (port, thread)
}

struct Mqtt {
    stream: TcpStream,
    input: BytesMut,
}

impl Mqtt {
    fn accept(stream: TcpStream) -> Self {
        let mut mqtt = Self { stream, input: BytesMut::new() };
        assert!(matches!(mqtt.next(), Some(Packet::Connect(_))));
        mqtt.write(|out| ConnAck::new(ConnectReturnCode::Success, false).write(out));
        mqtt
    }

    fn next(&mut self) -> Option<Packet> {
        loop {
            match mqttbytes::v4::read(&mut self.input, 1 << 20) {
                Ok(packet) => return Some(packet),
                Err(Error::InsufficientBytes(_)) => {}
                Err(error) => panic!("{error:?}"),
            }
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk).unwrap() {
                0 => return None,
                read => self.input.extend_from_slice(&chunk[..read]),
            }
        }
    }

    fn write(&mut self, packet: impl FnOnce(&mut BytesMut) -> Result<usize, Error>) {
        let mut out = BytesMut::new();
        packet(&mut out).unwrap();
        self.stream.write_all(&out).unwrap();
    }

    /// Confirms every publish until the client leaves; gives topics and bodies.
    fn collect(mut self) -> Vec<(String, Vec<u8>, bool)> {
        let mut published = Vec::new();
        loop {
            match self.next() {
                Some(Packet::Publish(publish)) => {
                    match publish.qos {
                        QoS::AtMostOnce => {}
                        QoS::AtLeastOnce => self.write(|out| PubAck::new(publish.pkid).write(out)),
                        QoS::ExactlyOnce => self.write(|out| PubRec::new(publish.pkid).write(out)),
                    }
                    published.push((publish.topic, publish.payload.to_vec(), publish.retain));
                }
                Some(Packet::PubRel(rel)) => self.write(|out| PubComp::new(rel.pkid).write(out)),
                Some(Packet::Disconnect) => return published,
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn send_over_mqtt_at_each_qos() {
    for qos in 0..=2 {
        let (port, broker) = broker(|stream| Mqtt::accept(stream).collect());
        let run = run(&format!(
            "send topic://plant.line1.temp 21.5 --retain --qos {qos} --url mqtt://127.0.0.1:{port}"
        ));
        run.said(&[]);
        assert_eq!(broker.join().unwrap(), [("plant/line1/temp".into(), b"21.5".to_vec(), true)]);
    }
}

#[test]
fn send_each_line_of_standard_input() {
    let (port, broker) = broker(|stream| Mqtt::accept(stream).collect());
    let mut command = command(&format!("send topic://n --url mqtt://127.0.0.1:{port}"));
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let lines: Vec<String> = (0..500).map(|n| n.to_string()).collect();
    stdin.write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
    let bodies: Vec<Vec<u8>> = broker.join().unwrap().into_iter().map(|(_, body, _)| body).collect();
    assert_eq!(bodies, lines.iter().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>());
}

#[test]
fn send_fails_without_a_confirmation() {
    let (port, broker) = broker(|stream| {
        let mut mqtt = Mqtt::accept(stream);
        matches!(mqtt.next(), Some(Packet::Publish(_)))
    });
    run(&format!("send topic://a b --url mqtt://127.0.0.1:{port}")).failed(1, &["closed the connection"]);
    assert!(broker.join().unwrap());
    let (port, _broker) = self::broker(|mut stream| stream.read_to_end(&mut Vec::new()));
    run(&format!("send topic://a b --timeout 50ms --url mqtt://127.0.0.1:{port}"))
        .failed(1, &["no answer within 50ms"]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    run(&format!("send topic://a b --url mqtt://127.0.0.1:{port}")).failed(1, &["Connection refused"]);
}

fn deliver(stream: TcpStream, messages: &[(QoS, &[u8])]) -> Vec<u16> {
    let mut mqtt = Mqtt::accept(stream);
    let Some(Packet::Subscribe(subscribe)) = mqtt.next() else { panic!("no SUBSCRIBE") };
    assert_eq!(subscribe.filters[0].path, "plant/#");
    let code = SubscribeReasonCode::Success(QoS::ExactlyOnce);
    mqtt.write(|out| SubAck::new(subscribe.pkid, vec![code]).write(out));
    for (n, (qos, body)) in messages.iter().enumerate() {
        let mut publish = Publish::new("plant/line1", *qos, *body);
        publish.pkid = if *qos == QoS::AtMostOnce { 0 } else { n as u16 + 1 };
        mqtt.write(|out| publish.write(out));
    }
    let mut acknowledged = Vec::new();
    while let Some(packet) = mqtt.next() {
        match packet {
            Packet::PubAck(ack) => acknowledged.push(ack.pkid),
            Packet::PubRec(ack) => acknowledged.push(ack.pkid),
            Packet::Disconnect => break,
            other => panic!("{other:?}"),
        }
    }
    acknowledged
}

#[test]
fn receive_over_mqtt() {
    let messages: &[(QoS, &[u8])] = &[
        (QoS::AtMostOnce, b"zero"),
        (QoS::AtLeastOnce, b"one"),
        (QoS::ExactlyOnce, b"two"),
        (QoS::AtLeastOnce, b"3"),
    ];
    let (port, broker) = broker(|stream| deliver(stream, messages));
    let run = run(&format!("receive topic://plant.> --qos 2 --count 3 --url mqtt://127.0.0.1:{port}"));
    run.said(&[]);
    assert_eq!(run.out, "zero\none\ntwo\n");
    assert_eq!(broker.join().unwrap(), [2, 3], "what was not printed is not acknowledged");
}

#[test]
fn receive_as_json_until_the_time_is_over() {
    let messages: &[(QoS, &[u8])] = &[(QoS::AtLeastOnce, b"one"), (QoS::AtMostOnce, &[0xff])];
    let (port, broker) = broker(|stream| deliver(stream, messages));
    let run = run(&format!("receive topic://plant.> --json --timeout 1s --url mqtt://127.0.0.1:{port}"));
    run.said(&[]);
    let lines: Vec<serde_json::Value> =
        run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["destination"], "topic://plant.line1");
    assert_eq!((&lines[0]["body"], &lines[0]["qos"]), (&"one".into(), &1.into()));
    assert_eq!(lines[1]["body_base64"], "/w==");
    broker.join().unwrap();
    let (port, _broker) = self::broker(|stream| deliver(stream, &[]));
    let run = super::run(&format!(
        "receive topic://plant.> --count 2 --timeout 50ms --url mqtt://127.0.0.1:{port}"
    ));
    run.failed(1, &["0 of 2 messages"]);
}

struct Stomp(BufReader<TcpStream>);

impl Stomp {
    fn accept(stream: TcpStream) -> Self {
        let mut stomp = Self(BufReader::new(stream));
        assert!(stomp.next().starts_with("CONNECT\naccept-version:1.2\nhost:127.0.0.1\n"));
        stomp.write("CONNECTED\nversion:1.2\n\n\0\n");
        stomp
    }

    fn next(&mut self) -> String {
        let mut frame = Vec::new();
        self.0.read_until(0, &mut frame).unwrap();
        String::from_utf8(frame).unwrap().trim_matches(['\n', '\0']).to_owned()
    }

    fn write(&mut self, frame: &str) {
        self.0.get_mut().write_all(frame.as_bytes()).unwrap();
    }
}

#[test]
fn send_over_stomp_waits_for_the_receipt() {
    let (port, broker) = broker(|stream| {
        let mut stomp = Stomp::accept(stream);
        let send = stomp.next();
        stomp.write("RECEIPT\nreceipt-id:1\n\n\0");
        assert_eq!(stomp.next(), "DISCONNECT\nreceipt:2");
        stomp.write("RECEIPT\nreceipt-id:2\n\n\0");
        send
    });
    run(&format!("send queue://orders.eu hello --url stomp://127.0.0.1:{port}")).said(&[]);
    let expected = "SEND\ndestination:/queue/orders.eu\npersistent:true\nreceipt:1\n\nhello";
    assert_eq!(broker.join().unwrap(), expected);
    let (port, _broker) = self::broker(|stream| {
        let mut stomp = Stomp::accept(stream);
        stomp.next();
        stomp.write("ERROR\nmessage:no such right\n\nuser x may not write\n\0");
    });
    let refused = run(&format!("send queue://orders.eu hello --url stomp://127.0.0.1:{port}"));
    refused.failed(1, &["the broker says: no such right: user x may not write"]);
}

#[test]
fn receive_over_stomp() {
    let (port, broker) = broker(|stream| {
        let mut stomp = Stomp::accept(stream);
        assert!(stomp.next().contains("destination:/queue/orders\nack:client-individual\n"));
        stomp.write(
            "MESSAGE\nsubscription:0\nmessage-id:m\\c1\nack:a\\c1\ndestination:/queue/orders\n\nhello\0\n",
        );
        let ack = stomp.next();
        assert_eq!(stomp.next(), "DISCONNECT\nreceipt:1");
        stomp.write("RECEIPT\nreceipt-id:1\n\n\0");
        ack
    });
    let run = run(&format!("receive queue://orders --count 1 --json --url stomp://127.0.0.1:{port}"));
    run.said(&[r#""body":"hello""#, r#""destination":"queue://orders""#, r#""message_id":"m:1""#]);
    assert_eq!(broker.join().unwrap(), "ACK\nid:a\\c1");
}

#[test]
fn what_makes_no_sense_ends_with_2() {
    run("send orders x").failed(2, &["write queue://NAME or topic://NAME"]);
    run("send topic://a.> x").failed(2, &["only receive"]);
    run("send queue://a x --url mqtt://127.0.0.1").failed(2, &["MQTT knows topics only", "stomp://"]);
    run("send queue://a x --qos 2").failed(2, &["STOMP has no QoS 2"]);
    run("send queue://a x --retain").failed(2, &["--retain is a matter of MQTT"]);
    run("send topic://a x --url amqp://h").failed(2, &["does not speak amqp yet"]);
    run("send topic://a x --url mqtts://h").failed(2, &["does not speak TLS yet"]);
    run("send topic://a x --url tcp://h").failed(2, &["OpenWire is for JMS applications", "stomp://h:PORT"]);
    run("receive queue://a --url ssl://h").failed(2, &["OpenWire is for JMS applications"]);
    run("send topic://a x --qos 3").failed(2, &["--qos"]);
    run("receive topic://a --count 0").failed(2, &["--count"]);
    run("receive topic://a --timeout 5").failed(2, &["such as 500ms"]);
}

#[test]
fn a_reader_that_has_enough_ends_it() {
    let messages: Vec<(QoS, &[u8])> = vec![(QoS::AtMostOnce, b"x"); 2000];
    let (port, broker) = broker(move |stream| {
        let mut mqtt = Mqtt::accept(stream);
        let Some(Packet::Subscribe(subscribe)) = mqtt.next() else { panic!("no SUBSCRIBE") };
        let code = SubscribeReasonCode::Success(QoS::AtMostOnce);
        mqtt.write(|out| SubAck::new(subscribe.pkid, vec![code]).write(out));
        for (qos, body) in messages {
            let mut out = BytesMut::new();
            Publish::new("a", qos, body).write(&mut out).unwrap();
            if mqtt.stream.write_all(&out).is_err() {
                return;
            }
        }
        // The end of the connection, clean or not, is what is waited for.
        let _ = mqtt.stream.read_to_end(&mut Vec::new());
    });
    let mut command = command(&format!("receive topic://a --url mqtt://127.0.0.1:{port}"));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let run: Run = child.wait_with_output().unwrap().into();
    run.said(&[]);
    broker.join().unwrap();
}
