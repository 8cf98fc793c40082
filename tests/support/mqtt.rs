//! A blocking MQTT client of a few lines, written from the standard and not from the broker's codec, so that
//! one mistake cannot hide in both.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::wait::{PATIENCE, QUIET};

/// Protocol levels.
pub(crate) const V31: u8 = 3;
pub(crate) const V311: u8 = 4;
pub(crate) const V5: u8 = 5;

/// A packet as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) body: Vec<u8>,
}

/// A PUBLISH that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publish {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    pub(crate) id: u16,
    /// The properties, undecoded.
    pub(crate) properties: Vec<u8>,
}

impl Publish {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.payload).unwrap()
    }
}

/// How a client connects.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) version: u8,
    pub(crate) id: String,
    pub(crate) clean: bool,
    pub(crate) keep_alive: u16,
    /// MQTT 5 properties, encoded.
    pub(crate) properties: Vec<u8>,
    /// Topic, payload, QoS.
    pub(crate) will: Option<(String, String, u8)>,
    /// MQTT 5 properties of the will, encoded.
    pub(crate) will_properties: Vec<u8>,
}

impl Options {
    pub(crate) fn new(version: u8, id: &str) -> Self {
        let (properties, will_properties) = (Vec::new(), Vec::new());
        Self {
            version,
            id: id.to_owned(),
            clean: true,
            keep_alive: 60,
            properties,
            will: None,
            will_properties,
        }
    }

    /// A session that outlives the connection.
    pub(crate) fn persistent(version: u8, id: &str) -> Self {
        let mut options = Self { clean: false, ..Self::new(version, id) };
        if version == V5 {
            options.properties = vec![0x11, 0x00, 0x00, 0x0E, 0x10];
        }
        options
    }

    /// CONNECT as bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = string(if self.version == V31 { "MQIsdp" } else { "MQTT" });
        let will = self.will.as_ref().map_or(0, |(_, _, qos)| 0x04 | qos << 3);
        body.extend([self.version, u8::from(self.clean) << 1 | will]);
        body.extend(self.keep_alive.to_be_bytes());
        if self.version == V5 {
            body.extend(var_int(self.properties.len()));
            body.extend(&self.properties);
        }
        body.extend(string(&self.id));
        if let Some((topic, payload, _)) = &self.will {
            if self.version == V5 {
                body.extend(var_int(self.will_properties.len()));
                body.extend(&self.will_properties);
            }
            body.extend(string(topic));
            body.extend(string(payload));
        }
        packet(0x10, &body)
    }
}

/// A connection; misused as easily as used.
pub(crate) struct Mqtt {
    pub(crate) stream: TcpStream,
    version: u8,
    input: Vec<u8>,
    held: VecDeque<Packet>,
    next_id: u16,
}

impl Mqtt {
    /// Opens the socket and says nothing.
    #[track_caller]
    pub(crate) fn open(address: SocketAddr, version: u8) -> Self {
        Self::over(TcpStream::connect(address).unwrap(), version)
    }

    fn over(stream: TcpStream, version: u8) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, version, input: Vec::new(), held: VecDeque::new(), next_id: 0 }
    }

    /// Connects; gives the client and the body of CONNACK.
    #[track_caller]
    pub(crate) fn login(address: SocketAddr, options: &Options) -> (Self, Vec<u8>) {
        let mut client = Self::open(address, options.version);
        client.write(&options.encode());
        let answer = client.expect(2);
        (client, answer.body)
    }

    /// Connects, unless the broker goes away meanwhile.
    pub(crate) fn try_login(address: SocketAddr, options: &Options) -> Option<(Self, Vec<u8>)> {
        let mut client = Self::over(TcpStream::connect(address).ok()?, options.version);
        client.stream.write_all(&options.encode()).ok()?;
        let answer = client.next_within(PATIENCE)?;
        Some((client, answer.body))
    }

    /// Connects with a clean session, which must succeed.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr, version: u8, id: &str) -> Self {
        Self::with(address, &Options::new(version, id))
    }

    /// Connects, which must succeed.
    #[track_caller]
    pub(crate) fn with(address: SocketAddr, options: &Options) -> Self {
        let (client, answer) = Self::login(address, options);
        assert_eq!(answer[1], 0, "refused: {answer:02x?}");
        client
    }

    #[track_caller]
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends a PUBLISH and gives its packet id, 0 for QoS 0.
    #[track_caller]
    pub(crate) fn send(&mut self, topic: &str, payload: &[u8], qos: u8, retain: bool) -> u16 {
        let id = if qos == 0 { 0 } else { self.id() };
        let bytes = self.publish_bytes(topic, payload, qos, retain, id, &[]);
        self.write(&bytes);
        id
    }

    /// A PUBLISH as bytes.
    pub(crate) fn publish_bytes(
        &self,
        topic: &str,
        payload: &[u8],
        qos: u8,
        retain: bool,
        id: u16,
        properties: &[u8],
    ) -> Vec<u8> {
        let mut body = string(topic);
        if qos > 0 {
            body.extend(id.to_be_bytes());
        }
        if self.version == V5 {
            body.extend(var_int(properties.len()));
            body.extend(properties);
        }
        body.extend(payload);
        packet(0x30 | qos << 1 | u8::from(retain), &body)
    }

    /// Publishes and waits for what confirms it.
    #[track_caller]
    pub(crate) fn publish(&mut self, topic: &str, payload: impl AsRef<[u8]>, qos: u8) {
        let id = self.send(topic, payload.as_ref(), qos, false);
        self.finish(id, qos);
    }

    /// Waits for what confirms a PUBLISH of that id.
    #[track_caller]
    pub(crate) fn finish(&mut self, id: u16, qos: u8) {
        match qos {
            0 => {}
            1 => assert_eq!(self.expect(4).body[..2], id.to_be_bytes()),
            _ => {
                assert_eq!(self.expect(5).body[..2], id.to_be_bytes());
                self.acknowledge(6, id);
                assert_eq!(self.expect(7).body[..2], id.to_be_bytes());
            }
        }
    }

    /// Subscribes, which must be granted.
    #[track_caller]
    pub(crate) fn subscribe(&mut self, filter: &str, qos: u8) {
        let answer = self.try_subscribe(filter, qos);
        assert_eq!(answer, qos, "subscription to {filter}: {answer:#x}");
    }

    /// Subscribes; gives the reason code.
    #[track_caller]
    pub(crate) fn try_subscribe(&mut self, filter: &str, options: u8) -> u8 {
        let id = self.id();
        let mut body = id.to_be_bytes().to_vec();
        if self.version == V5 {
            body.push(0);
        }
        body.extend(string(filter));
        body.push(options);
        self.write(&packet(0x82, &body));
        *self.expect(9).body.last().unwrap()
    }

    /// The next message, not yet acknowledged.
    #[track_caller]
    pub(crate) fn receive(&mut self) -> Publish {
        let packet = self.expect(3);
        self.decode(&packet)
    }

    /// The next message, acknowledged in full.
    #[track_caller]
    pub(crate) fn take(&mut self) -> Publish {
        let publish = self.receive();
        self.settle(&publish);
        publish
    }

    /// Acknowledges in full.
    #[track_caller]
    pub(crate) fn settle(&mut self, publish: &Publish) {
        match publish.qos {
            0 => {}
            1 => self.acknowledge(4, publish.id),
            _ => {
                self.acknowledge(5, publish.id);
                let released = self.expect(6);
                assert_eq!(released.body[..2], publish.id.to_be_bytes());
                self.acknowledge(7, publish.id);
            }
        }
    }

    /// PUBACK (4), PUBREC (5), PUBREL (6) or PUBCOMP (7).
    #[track_caller]
    pub(crate) fn acknowledge(&mut self, kind: u8, id: u16) {
        let flags = if kind == 6 { 2 } else { 0 };
        self.write(&packet(kind << 4 | flags, &id.to_be_bytes()));
    }

    /// Asserts that no message comes for a while; answers to a ping show that the connection lives.
    #[track_caller]
    pub(crate) fn nothing(&mut self) {
        self.ping();
        let held = self.held.iter().find(|packet| packet.kind == 3).cloned();
        let came = held.or_else(|| self.next_within(QUIET));
        assert_eq!(came, None, "something came");
    }

    /// Asks for a sign of life; a message that comes before it is kept.
    #[track_caller]
    pub(crate) fn ping(&mut self) {
        self.write(&[0xC0, 0]);
        self.expect(13);
    }

    /// Says goodbye.
    #[track_caller]
    pub(crate) fn disconnect(mut self) {
        self.write(&[0xE0, 0]);
        self.closed();
    }

    /// The next packet of that kind; messages that come before it are kept, anything else is an error.
    #[track_caller]
    pub(crate) fn expect(&mut self, kind: u8) -> Packet {
        if let Some(at) = self.held.iter().position(|packet| packet.kind == kind) {
            return self.held.remove(at).unwrap();
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let packet = self.next_within(left.max(Duration::from_millis(1)));
            match packet {
                Some(packet) if packet.kind == kind => return packet,
                Some(packet) if packet.kind == 3 => self.held.push_back(packet),
                Some(other) => panic!("waiting for packet {kind}: {other:02x?}"),
                None => panic!("waiting for packet {kind}: nothing came, or the connection was closed"),
            }
        }
    }

    /// The next packet; `None` when none comes in time or the connection ends.
    pub(crate) fn next_within(&mut self, patience: Duration) -> Option<Packet> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(packet) = self.parse() {
                return Some(packet);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return None;
            }
            self.stream.set_read_timeout(Some(left)).unwrap();
            let mut chunk = [0; 65_536];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(read) => self.input.extend_from_slice(&chunk[..read]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return None;
                }
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Waits until the broker closes; gives the packets that came before, held ones included.
    #[track_caller]
    pub(crate) fn closed(mut self) -> Vec<Packet> {
        let deadline = Instant::now() + PATIENCE;
        let mut packets: Vec<Packet> = self.held.drain(..).collect();
        let mut chunk = [0; 65_536];
        loop {
            while let Some(packet) = self.parse() {
                packets.push(packet);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(left > Duration::ZERO, "the connection stays open; came: {packets:02x?}");
            self.stream.set_read_timeout(Some(left)).unwrap();
            match self.stream.read(&mut chunk) {
                Ok(0) => return packets,
                Ok(read) => self.input.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return packets,
                Err(error) => panic!("the connection stays open ({error}); came: {packets:02x?}"),
            }
        }
    }

    /// A packet that came while another was waited for.
    pub(crate) fn pop_held(&mut self) -> Option<Packet> {
        self.held.pop_front()
    }

    /// Whether a message has come while something else was waited for.
    pub(crate) fn has_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether the broker has closed, or does so in that time. What it says is thrown away.
    pub(crate) fn is_closed_within(&mut self, patience: Duration) -> bool {
        self.stream.set_read_timeout(Some(patience)).unwrap();
        match self.stream.read(&mut [0; 4096]) {
            Ok(read) => read == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }

    fn id(&mut self) -> u16 {
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        self.next_id
    }

    fn parse(&mut self) -> Option<Packet> {
        split_packet(&mut self.input)
    }

    /// Reads a PUBLISH.
    pub(crate) fn decode(&self, packet: &Packet) -> Publish {
        let body = &packet.body;
        let topic_end = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
        let mut at = topic_end;
        let qos = packet.flags >> 1 & 3;
        let id = if qos == 0 {
            0
        } else {
            at += 2;
            u16::from_be_bytes([body[at - 2], body[at - 1]])
        };
        let mut properties = Vec::new();
        if self.version == V5 {
            let (length, width) = read_var_int(&body[at..]).unwrap();
            properties = body[at + width..at + width + length].to_vec();
            at += width + length;
        }
        Publish {
            topic: String::from_utf8(body[2..topic_end].to_vec()).unwrap(),
            payload: body[at..].to_vec(),
            qos,
            retain: packet.flags & 1 == 1,
            dup: packet.flags & 8 == 8,
            id,
            properties,
        }
    }
}

/// Takes the first packet out of what has come, if it is whole.
pub(crate) fn split_packet(input: &mut Vec<u8>) -> Option<Packet> {
    let first = *input.first()?;
    let (length, width) = read_var_int(&input[1..])?;
    let end = 1 + width + length;
    if input.len() < end {
        return None;
    }
    let body = input[1 + width..end].to_vec();
    input.drain(..end);
    Some(Packet { kind: first >> 4, flags: first & 0x0F, body })
}

/// A packet of this first byte and body.
pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    bytes.extend(var_int(body.len()));
    bytes.extend(body);
    bytes
}

/// A string with its length before it.
pub(crate) fn string(text: &str) -> Vec<u8> {
    let mut bytes = u16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

fn var_int(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7F).unwrap();
        value >>= 7;
        bytes.push(if value > 0 { low | 0x80 } else { low });
        if value == 0 {
            return bytes;
        }
    }
}

fn read_var_int(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}
