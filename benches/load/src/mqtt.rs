//! As much MQTT 3.1.1 and 5.0 as a load needs: a few packets written once, and a scan that copies nothing.

use std::io::{Read, Write};

use crate::fault::{Doing, Fault, Result};
use crate::template::{IdAt, SPREAD_DIGITS, Spread, Template};
use crate::wire::Seen;

const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const PUBREC: u8 = 5;
const PUBREL: u8 = 6;
const PUBCOMP: u8 = 7;

/// Packets whose content does not matter here.
const IGNORED: [u8; 3] = [9, 11, 13];

/// Which version is spoken, and as whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect<'a> {
    pub(crate) v5: bool,
    pub(crate) login: Option<(&'a str, &'a str)>,
}

impl Dialect<'_> {
    /// CONNECT with a clean session and no keep-alive, waiting for the CONNACK.
    pub(crate) fn connect(self, stream: &mut (impl Read + Write), client_id: &str) -> Result<()> {
        let mut body = Vec::new();
        put_text(&mut body, "MQTT");
        body.push(if self.v5 { 5 } else { 4 });
        body.push(if self.login.is_some() { 0b1100_0010 } else { 0b10 });
        body.extend([0, 0]);
        self.no_properties(&mut body);
        put_text(&mut body, client_id);
        if let Some((user, password)) = self.login {
            put_text(&mut body, user);
            put_text(&mut body, password);
        }
        send(stream, &packet(0x10, &body))?;
        let answer = expect(stream, 2)?;
        match answer.get(1) {
            Some(0) => Ok(()),
            code => Fault::broken(format!("CONNECT refused with code {code:?}")),
        }
    }

    /// SUBSCRIBE to one filter, waiting for the SUBACK.
    pub(crate) fn subscribe(self, stream: &mut (impl Read + Write), filter: &str, qos: u8) -> Result<()> {
        self.subscribe_all(stream, std::iter::once(filter), qos)
    }

    /// SUBSCRIBE to several filters with one packet, waiting for the SUBACK.
    pub(crate) fn subscribe_all<'f>(
        self,
        stream: &mut (impl Read + Write),
        filters: impl Iterator<Item = &'f str>,
        qos: u8,
    ) -> Result<()> {
        let mut body = vec![0, 1];
        self.no_properties(&mut body);
        for filter in filters {
            put_text(&mut body, filter);
            body.push(qos);
        }
        send(stream, &packet(0x82, &body))?;
        match expect(stream, 9)?.last() {
            Some(&granted) if granted == qos => Ok(()),
            granted => Fault::broken(format!("asked for QoS {qos}, was granted {granted:?}")),
        }
    }

    /// PUBLISH with the payload given; `among` topics take turns, told apart by digits added to `topic`.
    pub(crate) fn publish(self, topic: &str, among: Option<u32>, qos: u8, payload: &[u8]) -> Template {
        let mut body = Vec::new();
        let digits = if among.is_some() { "0".repeat(SPREAD_DIGITS) } else { String::new() };
        put_text(&mut body, &format!("{topic}{digits}"));
        let digits_in_body = body.len() - digits.len();
        let id_in_body = body.len();
        if qos > 0 {
            body.extend([0, 1]);
        }
        self.no_properties(&mut body);
        let payload_in_body = body.len();
        body.extend(payload);
        let frame = packet(0x30 | qos << 1, &body);
        let head = frame.len() - body.len();
        let id_at = if qos > 0 { IdAt::Packet(head + id_in_body) } else { IdAt::None };
        Template {
            payload_at: head + payload_in_body,
            id_at,
            spread: among.map(|among| Spread { at: head + digits_in_body, among }),
            frame,
        }
    }

    fn no_properties(self, body: &mut Vec<u8>) {
        if self.v5 {
            body.push(0);
        }
    }
}

/// The reading side of a connection.
#[derive(Debug)]
pub(crate) struct Mqtt {
    pub(crate) v5: bool,
}

impl Mqtt {
    pub(crate) fn scan(&self, input: &[u8], reply: &mut Vec<u8>, seen: &mut impl Seen) -> Result<usize> {
        let mut at = 0;
        while let Some((first, body, len)) = split_packet(&input[at..])? {
            if first >> 4 == PUBLISH {
                self.publish(first, body, reply, seen)?;
            } else {
                answer(first >> 4, body, reply, seen)?;
            }
            at += len;
        }
        Ok(at)
    }

    fn publish(&self, first: u8, body: &[u8], reply: &mut Vec<u8>, seen: &mut impl Seen) -> Result<()> {
        let qos = first >> 1 & 3;
        let payload = (|| {
            let (len, rest) = body.split_first_chunk()?;
            let mut rest = rest.get(usize::from(u16::from_be_bytes(*len))..)?;
            if qos > 0 {
                let (id, after) = rest.split_first_chunk::<2>()?;
                reply.extend([if qos == 1 { PUBACK } else { PUBREC } << 4, 2, id[0], id[1]]);
                rest = after;
            }
            if self.v5 {
                let (len, bytes) = variable_integer(rest)?;
                rest = rest.get(bytes + len..)?;
            }
            Some(rest)
        })();
        seen.message(payload.ok_or_else(|| Fault::Broken("a PUBLISH too short for its parts".to_owned()))?);
        Ok(())
    }
}

/// The four packets that acknowledge. Reason codes of MQTT 5 from 0x80 on are refusals.
fn answer(kind: u8, body: &[u8], reply: &mut Vec<u8>, seen: &mut impl Seen) -> Result<()> {
    if IGNORED.contains(&kind) {
        return Ok(());
    }
    let Some((id, rest)) = body.split_first_chunk::<2>() else {
        return Fault::broken(format!("packet of type {kind} without an id: the broker ends the connection"));
    };
    if rest.first().is_some_and(|reason| *reason >= 0x80) {
        return Fault::broken(format!("packet of type {kind} refuses with {rest:02x?}"));
    }
    match kind {
        PUBACK | PUBCOMP => seen.settled(u16::from_be_bytes(*id)),
        PUBREC => reply.extend([PUBREL << 4 | 2, 2, id[0], id[1]]),
        PUBREL => reply.extend([PUBCOMP << 4, 2, id[0], id[1]]),
        _ => return Fault::broken(format!("unexpected packet of type {kind}")),
    }
    Ok(())
}

/// First byte, body and whole length of the packet at the head of `input`; `None` while it is incomplete.
fn split_packet(input: &[u8]) -> Result<Option<(u8, &[u8], usize)>> {
    let Some((&first, rest)) = input.split_first() else { return Ok(None) };
    let Some((len, bytes)) = variable_integer(rest) else {
        return if rest.len() < 4 { Ok(None) } else { Fault::broken("a length of more than four bytes") };
    };
    Ok(rest.get(bytes..bytes + len).map(|body| (first, body, 1 + bytes + len)))
}

/// MQTT 3.1.1, 2.2.3: value and number of bytes.
fn variable_integer(input: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (at, byte) in input.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let mut len = body.len();
    while len > 0x7f {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    out.extend(body);
    out
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u16).to_be_bytes());
    out.extend(text.as_bytes());
}

fn send(stream: &mut impl Write, bytes: &[u8]) -> Result<()> {
    stream.write_all(bytes).doing(|| "write while connecting".to_owned())
}

/// Reads one packet, which must be of type `kind`, byte-exact: nothing behind it is taken from the socket.
fn expect(stream: &mut impl Read, kind: u8) -> Result<Vec<u8>> {
    let mut read =
        |buffer: &mut [u8]| stream.read_exact(buffer).doing(|| format!("wait for packet type {kind}"));
    let mut head = vec![0; 2];
    read(&mut head)?;
    while head.last().is_some_and(|byte| byte & 0x80 != 0) && head.len() < 5 {
        head.push(0);
        let last = head.len() - 1;
        read(&mut head[last..])?;
    }
    let len = variable_integer(&head[1..]).map_or(0, |(len, _)| len);
    if head[0] >> 4 != kind || len > 1 << 16 {
        return Fault::broken(format!("expected packet type {kind}, got {head:02x?}"));
    }
    let mut body = vec![0; len];
    read(&mut body)?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tests::Noted;

    fn scan(v5: bool, input: &[u8]) -> (usize, Vec<u8>, Noted) {
        let (mut reply, mut noted) = (Vec::new(), Noted::default());
        let taken = Mqtt { v5 }.scan(input, &mut reply, &mut noted).unwrap();
        (taken, reply, noted)
    }

    #[test]
    fn finds_the_payload_of_what_it_publishes() {
        for v5 in [false, true] {
            for qos in 0..=2 {
                let template = Dialect { v5, login: None }.publish("a/b", None, qos, &[7; 200]);
                assert_eq!(&template.frame[template.payload_at..], &[7; 200]);
                let (taken, reply, noted) = scan(v5, &template.frame);
                assert_eq!(taken, template.frame.len());
                assert_eq!(noted.messages, [vec![7; 200]]);
                let answer = [vec![], vec![0x40, 2, 0, 1], vec![0x50, 2, 0, 1]];
                assert_eq!(reply, answer[usize::from(qos)]);
            }
        }
    }

    #[test]
    fn waits_for_the_rest_at_every_cut() {
        let frame = Dialect { v5: false, login: None }.publish("a/b", None, 1, &[7; 200]).frame;
        for cut in 0..frame.len() {
            assert_eq!(scan(false, &frame[..cut]), (0, vec![], Noted::default()));
        }
    }

    #[test]
    fn goes_through_the_exchange_of_qos_2() {
        let (_, reply, noted) = scan(false, &[0x50, 2, 1, 2, 0x62, 2, 3, 4, 0x70, 2, 5, 6]);
        assert_eq!(reply, [0x62, 2, 1, 2, 0x70, 2, 3, 4]);
        assert_eq!(noted.settled, [0x0506]);
    }

    #[test]
    fn a_refusal_ends_the_run() {
        let mut noted = Noted::default();
        assert!(Mqtt { v5: true }.scan(&[0x40, 3, 0, 1, 0x87], &mut vec![], &mut noted).is_err());
        assert!(Mqtt { v5: true }.scan(&[0xe0, 0], &mut vec![], &mut noted).is_err());
        assert!(
            Mqtt { v5: false }.scan(&[0x30, 0xff, 0xff, 0xff, 0xff, 0xff], &mut vec![], &mut noted).is_err()
        );
    }
}
