//! PUBLISH to the client, from what nothing stores.
//!
//! What came from a client of the same protocol version and goes out at the same quality of service is
//! passed on as it came: a run of QoS 0 messages is one slice of the publisher's own bytes.

use std::ops::Range;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;
use smallvec::SmallVec;
use wharfmq_base::Millis;
use wharfmq_core::{Address, Chunk, HeadTag, Item, Notes, Qos, Run, SubTag};
use wharfmq_mqtt::encode::{self, PublishHead};
use wharfmq_mqtt::state::AliasUse;
use wharfmq_mqtt::{PacketId, Properties, PropertyId, PropertyWriter, Value, Version, var_int_len};

use super::publish::{NO_PASS, mqtt_qos};
use super::{OUT_HIGH, Open};
use crate::adapters::convert::openwire::{self, MapForm};
use crate::adapters::convert::{self, MQTT3, MQTT5, OPENWIRE};
use crate::adapters::destination;
use crate::broker::{Cause, Port};

/// Frames from this size on are sent by reference, except for their first bytes.
const CHAIN_BYTES: usize = 2_048;

/// What is kept between two messages that are written anew.
#[derive(Default)]
pub(super) struct Writing {
    scratch: BytesMut,
    /// The last destination, and how MQTT spells it.
    spelling: Option<(Arc<Address>, ByteString)>,
}

/// What the subscriptions that a run matches ask for together.
pub(super) struct Plan {
    pub(super) qos: Qos,
    pub(super) retain_as_published: bool,
    pub(super) ids: SmallVec<[u32; 2]>,
}

/// A message to be written anew.
#[derive(Clone)]
pub(super) struct Outgoing<'a> {
    pub(super) address: &'a Arc<Address>,
    pub(super) tag: HeadTag,
    pub(super) head: &'a [u8],
    pub(super) notes: &'a Notes,
    pub(super) body: Bytes,
    pub(super) expires: Millis,
    pub(super) qos: Qos,
    pub(super) retain: bool,
    pub(super) dup: bool,
    pub(super) id: Option<PacketId>,
    pub(super) sub_ids: &'a [u32],
}

impl Open {
    /// What subscriptions ask for together: the highest quality of service, every identifier (3.3.4).
    pub(super) fn plan(&self, subs: &[SubTag]) -> Plan {
        let mut plan = Plan { qos: Qos::AtMostOnce, retain_as_published: false, ids: SmallVec::new() };
        for sub in subs.iter().filter_map(|tag| self.subs.get(tag.0 as usize)?.as_ref()) {
            plan.qos = plan.qos.max(sub.qos);
            plan.retain_as_published |= sub.retain_as_published;
            if sub.id != 0 {
                plan.ids.push(sub.id);
            }
        }
        plan
    }

    /// Sends the items of a run from the cursor on; false where the rest has to wait.
    pub(super) fn send_chunk(&mut self, chunk: &Arc<Chunk>, run: &Run, port: &mut Port) -> bool {
        let plan = self.plan(&run.subs);
        let start = (run.start + self.cursor) as usize;
        let items = chunk.items.get(start..run.end as usize).unwrap_or_default();
        let mut passed: Range<u32> = 0..0;
        let (mut whole, mut bodies) = (0_usize, 0_usize);
        for (nth, item) in items.iter().enumerate() {
            if self.passes_whole(item, &plan) {
                whole += 1;
                bodies += item.body.len as usize;
                if passed.end == item.frame.start && !passed.is_empty() {
                    passed.end = item.frame.end();
                } else {
                    pass(chunk, &passed, port);
                    passed = item.frame.start..item.frame.end();
                }
                continue;
            }
            pass(chunk, &std::mem::take(&mut passed), port);
            if port.out.len() >= OUT_HIGH || !self.send_item(chunk, item, &plan, port) {
                self.cursor += nth as u32;
                port.traffic.sent(whole, bodies);
                return false;
            }
        }
        pass(chunk, &passed, port);
        port.traffic.sent(whole, bodies);
        true
    }

    /// Whether an item goes out as its publisher's own bytes, unchanged.
    fn passes_whole(&self, item: &Item, plan: &Plan) -> bool {
        item.qos == Qos::AtMostOnce
            && !item.retain
            && self.is_same_wire(item, plan)
            && item.frame.len <= self.client_max_packet
    }

    /// Whether an item's frame is good for this client but for its first byte and its packet id.
    fn is_same_wire(&self, item: &Item, plan: &Plan) -> bool {
        if self.version.is_v5() {
            item.tag == MQTT5 && item.patch != NO_PASS && plan.ids.is_empty() && item.expires == Millis::NEVER
        } else {
            item.tag == MQTT3 && item.patch != NO_PASS
        }
    }

    /// Sends one item; false where the client's window is full.
    fn send_item(&mut self, chunk: &Chunk, item: &Item, plan: &Plan, port: &mut Port) -> bool {
        if item.expires <= port.now.wall {
            port.count(Cause::ExpiredOnTheWay);
            return true;
        }
        let address = chunk.addresses.get(usize::from(item.address));
        if item.qos.is_persistent() && address.is_some_and(|address| self.comes_queued(address)) {
            return true;
        }
        let qos = item.qos.min(plan.qos);
        let id = match self.packet_id(qos) {
            Ok(id) => id,
            Err(WindowFull) => return false,
        };
        let retain = item.retain && plan.retain_as_published;
        let is_patched = qos == item.qos && !self.outbound.is_used() && self.is_same_wire(item, plan);
        if is_patched && item.frame.len <= self.client_max_packet {
            send_patched(chunk, item, retain, id, port);
            return true;
        }
        let Some(address) = address else { return true };
        let outgoing = Outgoing {
            address,
            tag: item.tag,
            head: item.head.of(&chunk.raw),
            notes: &Notes::default(),
            body: item.body.slice(&chunk.raw),
            expires: item.expires,
            qos,
            retain,
            dup: false,
            id,
            sub_ids: &plan.ids,
        };
        if !self.send_anew(&outgoing, port) {
            self.release(id);
        }
        true
    }

    /// Takes a packet id where one is needed.
    pub(super) fn packet_id(&mut self, qos: Qos) -> Result<Option<PacketId>, WindowFull> {
        if qos == Qos::AtMostOnce {
            return Ok(None);
        }
        if self.is_window_full() {
            return Err(WindowFull);
        }
        self.ids.allocate().map(Some).ok_or(WindowFull)
    }

    /// Whether as many messages are unacknowledged as the client wants. Those that an earlier connection
    /// sent count when they are sent again (4.9).
    pub(super) fn is_window_full(&self) -> bool {
        self.places_used() >= usize::from(self.window)
    }

    pub(super) fn places_used(&self) -> usize {
        self.ids.used().saturating_sub(self.flights.unsent())
    }

    pub(super) fn release(&mut self, id: Option<PacketId>) {
        if let Some(id) = id {
            self.ids.release(id);
        }
    }

    /// Writes a PUBLISH from its parts. False where it is larger than the client takes, or cannot be
    /// said in MQTT at all: it is dropped then, counted, and done with (MQTT-3.1.2-25).
    pub(super) fn send_anew(&mut self, outgoing: &Outgoing<'_>, port: &mut Port) -> bool {
        self.write_anew(outgoing, true, port)
    }

    /// [`Open::send_anew`] of a packet that may go out behind later ones unless `in_order`.
    pub(super) fn write_anew(&mut self, outgoing: &Outgoing<'_>, in_order: bool, port: &mut Port) -> bool {
        if outgoing.tag == OPENWIRE {
            self.write_converted(outgoing, in_order, port)
        } else {
            self.write_as_is(outgoing, in_order, port)
        }
    }

    /// [`Open::write_anew`] of a message whose body is not what is stored.
    #[cold]
    fn write_converted(&mut self, outgoing: &Outgoing<'_>, in_order: bool, port: &mut Port) -> bool {
        let most = self.options.max_packet as usize;
        match openwire::body_of(outgoing.head, &outgoing.body, MapForm::Plain, most) {
            Ok(body) => self.write_as_is(&Outgoing { body, ..outgoing.clone() }, in_order, port),
            Err(why) => {
                port.count(Cause::NotConverted);
                tracing::debug!(topic = %outgoing.address.name, %why, "the contents of a message are sent as they are");
                let raw = openwire::unconverted(outgoing.head, outgoing.notes, why);
                let outgoing = Outgoing { head: &raw.head, notes: &raw.notes, ..outgoing.clone() };
                self.write_as_is(&outgoing, in_order, port)
            }
        }
    }

    fn write_as_is(&mut self, outgoing: &Outgoing<'_>, in_order: bool, port: &mut Port) -> bool {
        let mut writing = self.writing.take().unwrap_or_default();
        let topic = writing.spell(outgoing.address);
        let alias = self.outbound.choose(&topic, in_order);
        let mut written = self.write(outgoing, &topic, alias, &mut writing.scratch, port);
        if let (Err(_), AliasUse::New(_)) = (written, alias) {
            // The client would never learn what the alias stands for. Without it the packet is shorter.
            self.outbound.take_back(&topic);
            written = self.write(outgoing, &topic, AliasUse::None, &mut writing.scratch, port);
        }
        self.writing = Some(writing);
        written.map_err(|cause| port.count(cause)).is_ok()
    }

    fn write(
        &self,
        outgoing: &Outgoing<'_>,
        topic: &str,
        alias: AliasUse,
        scratch: &mut BytesMut,
        port: &mut Port,
    ) -> Result<(), Cause> {
        scratch.clear();
        if self.version.is_v5() {
            put_properties(outgoing, alias, port.now.wall, scratch);
        }
        let head = PublishHead {
            dup: outgoing.dup,
            qos: mqtt_qos(outgoing.qos),
            retain: outgoing.retain,
            topic: if let AliasUse::Known(_) = alias { "" } else { topic },
            packet_id: outgoing.id,
            properties: Properties::from_raw(scratch),
            shared_properties_len: 0,
        };
        if packet_len(self.version, &head, outgoing.body.len()) > self.client_max_packet as usize {
            return Err(Cause::TooLargeForClient);
        }
        let body = &outgoing.body;
        let written = port.out.with(|out| encode::publish_head(out, self.version, &head, body.len()));
        written.map_err(|_| Cause::CannotBeSaid)?;
        port.out.chain(body.clone());
        port.traffic.sent(1, body.len());
        Ok(())
    }
}

/// Writes the properties of a PUBLISH of MQTT 5.
fn put_properties(outgoing: &Outgoing<'_>, alias: AliasUse, now: Millis, scratch: &mut BytesMut) {
    let mut writer = PropertyWriter::new(scratch);
    // None of these can fail: the values are in range.
    if let AliasUse::New(alias) | AliasUse::Known(alias) = alias {
        let _ = writer.put(PropertyId::TopicAlias, Value::U16(alias));
    }
    if outgoing.expires != Millis::NEVER {
        // Rounded up, so that a message that is still alive never says 0.
        let seconds = outgoing.expires.since(now).0.div_ceil(1_000);
        let seconds = Value::U32(u32::try_from(seconds).unwrap_or(u32::MAX));
        let _ = writer.put(PropertyId::MessageExpiryInterval, seconds);
    }
    for id in outgoing.sub_ids {
        let _ = writer.put(PropertyId::SubscriptionIdentifier, Value::VarInt(*id));
    }
    if outgoing.tag == MQTT5 && outgoing.notes.0.is_empty() {
        let skip = [PropertyId::TopicAlias, PropertyId::MessageExpiryInterval];
        writer.copy(Properties::from_raw(outgoing.head), |id| !skip.contains(&id));
    } else {
        let text = convert::body_is_text(outgoing.tag, outgoing.head, &outgoing.body);
        convert::write_mqtt5_properties(outgoing.tag, outgoing.head, outgoing.notes, text, scratch);
    }
}

/// The size of a PUBLISH, to the byte.
fn packet_len(version: Version, head: &PublishHead<'_>, body: usize) -> usize {
    let var_int_len = |value: usize| var_int_len(u32::try_from(value).unwrap_or(u32::MAX));
    let mut remaining = 2 + head.topic.len() + body;
    if head.packet_id.is_some() {
        remaining += 2;
    }
    if version.is_v5() {
        let properties = head.properties.raw().len();
        remaining += var_int_len(properties) + properties;
    }
    1 + var_int_len(remaining) + remaining
}

impl Writing {
    /// MQTT's spelling of a destination.
    fn spell(&mut self, address: &Arc<Address>) -> ByteString {
        match &self.spelling {
            Some((known, topic)) if Arc::ptr_eq(known, address) => topic.clone(),
            _ => {
                let topic = ByteString::from(destination::mqtt_topic(address).into_owned());
                self.spelling = Some((Arc::clone(address), topic.clone()));
                topic
            }
        }
    }
}

/// The client has as many messages unacknowledged as it wants.
pub(super) struct WindowFull;

/// Sends consecutive frames as they are.
fn pass(chunk: &Chunk, frames: &Range<u32>, port: &mut Port) {
    if !frames.is_empty() {
        port.out.chain(chunk.raw.slice(frames.start as usize..frames.end as usize));
    }
}

/// Sends a frame with a new first byte and packet id.
fn send_patched(chunk: &Chunk, item: &Item, retain: bool, id: Option<PacketId>, port: &mut Port) {
    let frame = item.frame.of(&chunk.raw);
    port.traffic.sent(1, item.body.len as usize);
    let Some(&first) = frame.first() else { return };
    // DUP says something about the publisher's connection, not about this one (3.3.1.1).
    let first = first & 0b1111_0110 | u8::from(retain);
    let copied =
        if frame.len() < CHAIN_BYTES { frame.len() } else { (item.body.start - item.frame.start) as usize };
    port.out.with(|out| {
        let start = out.len();
        out.put_slice(frame.get(..copied).unwrap_or_default());
        if let Some(byte) = out.get_mut(start) {
            *byte = first;
        }
        let at = start + usize::from(item.patch);
        if let (Some(id), Some(bytes)) = (id, out.get_mut(at..at + 2)) {
            bytes.copy_from_slice(&id.get().to_be_bytes());
        }
    });
    if copied < frame.len() {
        port.out.chain(item.body.slice(&chunk.raw));
    }
}
