//! MQTT 3.1.1 as a client speaks it, over the packets of mqttbytes.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, Disconnect, Packet, PingReq, PubAck, PubComp, PubRec, PubRel,
    Publish, SubAck, Subscribe, SubscribeReasonCode,
};
use mqttbytes::{Error, QoS, qos};

use super::destination::{Destination, from_mqtt};
use super::wire::{FRAME_MAX, Wire};
use super::{Ack, Client, Received, WINDOW};

/// Seconds of silence after which the broker may think us gone.
const KEEP_ALIVE: u16 = 60;
/// What mqttbytes writes wrongly when it is longer: the length field has 16 bits.
const STRING_MAX: usize = 65_535;

pub(super) struct Mqtt {
    wire: Wire,
    topic: String,
    qos: QoS,
    retain: bool,
    next_id: u16,
    /// Publishes whose confirmation is still to come.
    open: BTreeSet<u16>,
    /// Whether a ping is unanswered.
    pinged: bool,
}

impl Mqtt {
    pub(super) fn connect(
        wire: Wire,
        destination: Destination,
        level: u8,
        retain: bool,
    ) -> Result<Self, String> {
        let topic = destination.mqtt();
        if topic.len() > STRING_MAX {
            return Err(format!("a topic name of {} bytes is more than MQTT's {STRING_MAX}", topic.len()));
        }
        let qos = qos(level).map_err(broken)?;
        let mut client = Self { wire, topic, qos, retain, next_id: 0, open: BTreeSet::new(), pinged: false };
        let mut connect = Connect::new(format!("wharfmq-{}", std::process::id()));
        connect.keep_alive = KEEP_ALIVE;
        client.write(|out| connect.write(out))?;
        match client.answer()? {
            Packet::ConnAck(ConnAck { code: ConnectReturnCode::Success, .. }) => Ok(client),
            Packet::ConnAck(ConnAck { code, .. }) => {
                Err(format!("the broker refused the connection: {code:?}"))
            }
            other => Err(unexpected(&other)),
        }
    }

    fn write(&mut self, packet: impl FnOnce(&mut BytesMut) -> Result<usize, Error>) -> Result<(), String> {
        let mut out = BytesMut::new();
        packet(&mut out).map_err(broken)?;
        self.wire.write(&out)
    }

    /// The next packet, or nothing when the deadline passes first.
    fn packet(&mut self, deadline: Option<Instant>) -> Result<Option<Packet>, String> {
        loop {
            match mqttbytes::v4::read(&mut self.wire.input, FRAME_MAX) {
                Ok(packet) => return Ok(Some(packet)),
                Err(Error::InsufficientBytes(_)) => {}
                Err(error) => return Err(broken(error)),
            }
            if !self.wire.fill(deadline)? {
                return Ok(None);
            }
        }
    }

    fn answer(&mut self) -> Result<Packet, String> {
        let deadline = self.wire.answer_by();
        self.packet(Some(deadline))?.ok_or_else(|| format!("no answer within {:?}", self.wire.patience))
    }

    /// Does what a packet asks for; gives the message if it is one.
    fn handle(&mut self, packet: Packet) -> Result<Option<Publish>, String> {
        match packet {
            Packet::Publish(publish) => return Ok(Some(publish)),
            Packet::PubAck(PubAck { pkid }) | Packet::PubComp(PubComp { pkid }) => {
                self.open.remove(&pkid);
            }
            Packet::PubRec(PubRec { pkid }) => self.write(|out| PubRel::new(pkid).write(out))?,
            Packet::PubRel(PubRel { pkid }) => self.write(|out| PubComp::new(pkid).write(out))?,
            Packet::PingResp => self.pinged = false,
            other => return Err(unexpected(&other)),
        }
        Ok(None)
    }

    /// Waits until at most `most` publishes are unconfirmed.
    fn settle(&mut self, most: usize) -> Result<(), String> {
        while self.open.len() > most {
            let packet = self.answer()?;
            self.handle(packet)?;
        }
        Ok(())
    }

    fn id(&mut self) -> u16 {
        // The window is far smaller than the ids, so an open one is never met again.
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        self.next_id
    }
}

impl Client for Mqtt {
    fn send(&mut self, body: &[u8]) -> Result<(), String> {
        let mut publish = Publish::new(self.topic.as_str(), self.qos, body);
        publish.retain = self.retain;
        if self.qos != QoS::AtMostOnce {
            self.settle(WINDOW - 1)?;
            publish.pkid = self.id();
            self.open.insert(publish.pkid);
        }
        self.write(|out| publish.write(out))
    }

    fn subscribe(&mut self, _most: Option<u64>) -> Result<(), String> {
        let mut subscribe = Subscribe::new(self.topic.as_str(), self.qos);
        subscribe.pkid = self.id();
        self.write(|out| subscribe.write(out))?;
        match self.answer()? {
            Packet::SubAck(SubAck { return_codes, .. })
                if return_codes.contains(&SubscribeReasonCode::Failure) =>
            {
                Err("the broker refused the subscription".into())
            }
            Packet::SubAck(_) => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    fn receive(&mut self, deadline: Option<Instant>) -> Result<Option<Received>, String> {
        loop {
            let ping_at = Instant::now() + Duration::from_secs(u64::from(KEEP_ALIVE) / 2);
            let until = deadline.map_or(ping_at, |deadline| deadline.min(ping_at));
            match self.packet(Some(until))? {
                Some(packet) => {
                    if let Some(publish) = self.handle(packet)? {
                        return Ok(Some(received(publish)));
                    }
                }
                None if deadline.is_some_and(|deadline| Instant::now() >= deadline) => return Ok(None),
                None if self.pinged => return Err("the broker no longer answers".into()),
                None => {
                    self.pinged = true;
                    self.write(|out| PingReq.write(out))?;
                }
            }
        }
    }

    fn acknowledge(&mut self, ack: Ack) -> Result<(), String> {
        match ack {
            Ack::Mqtt { id, qos: 1 } => self.write(|out| PubAck::new(id).write(out)),
            Ack::Mqtt { id, .. } => self.write(|out| PubRec::new(id).write(out)),
            _ => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), String> {
        self.settle(0)?;
        self.write(|out| Disconnect.write(out))
    }
}

fn received(publish: Publish) -> Received {
    let qos = publish.qos as u8;
    Received {
        destination: from_mqtt(&publish.topic),
        extra: vec![
            ("qos", qos.into()),
            ("retain", publish.retain.into()),
            ("duplicate", publish.dup.into()),
        ],
        ack: if qos == 0 { Ack::None } else { Ack::Mqtt { id: publish.pkid, qos } },
        body: publish.payload.to_vec(),
    }
}

fn broken(error: Error) -> String {
    format!("the broker speaks no MQTT 3.1.1 that can be read: {error:?}")
}

fn unexpected(packet: &Packet) -> String {
    let text = format!("{packet:?}");
    format!("the broker sent an unexpected {}", text.split(['(', ' ']).next().unwrap_or_default())
}
