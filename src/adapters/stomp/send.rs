//! SEND: staged as offsets into one buffer per round.

use std::borrow::Cow;

use bytestring::ByteString;
use wharfmq_base::Millis;
use wharfmq_core::{Item, Qos, Span};
use wharfmq_stomp::{Frame, Header, Version};

use super::fault::Stop;
use super::receipts::SILENT;
use super::terms::{Asked, may_ask};
use super::transformation::Form;
use super::{Open, Phase, ROUND_BYTES, elements, transformation};
use crate::adapters::convert::{self, STOMP, TEXT_LINE};
use crate::broker::Port;

/// Marks a frame that no client can be sent as it is.
const NO_PASS: u16 = u16::MAX;
const PRIORITY: u8 = 4;
const PRIORITY_MAX: u8 = 9;

/// What the headers of a SEND say to the broker.
pub(super) struct Sent<'a> {
    pub(super) destination: Option<Cow<'a, str>>,
    pub(super) receipt: Option<Cow<'a, str>>,
    pub(super) transaction: Option<Cow<'a, str>>,
    persistent: Option<bool>,
    priority: Option<u8>,
    expires: Option<Millis>,
    retain: Option<bool>,
    is_text: Option<bool>,
    form: Option<Form>,
    pub(super) asked: Option<Box<Asked>>,
}

impl Open {
    pub(super) fn on_send(&mut self, frame: &Frame<'_>, waiting: usize, port: &mut Port) -> Result<(), Stop> {
        if self.raw.capacity() == 0 {
            // What has been received and not yet handled bounds what this round can stage.
            self.raw.reserve(waiting.min(ROUND_BYTES).max(frame.consumed()) + TEXT_LINE.len());
        }
        let start = self.raw.len();
        let staged = self.stage(frame, start, port);
        if staged.is_err() {
            self.raw.truncate(start);
        }
        staged
    }

    fn stage(&mut self, frame: &Frame<'_>, start: usize, port: &mut Port) -> Result<(), Stop> {
        let sent = self.put_head(frame, port)?;
        if self.phase != Phase::Open {
            return self.turn_away(&sent, start, port);
        }
        let Some(destination) = &sent.destination else {
            return Err(Stop::fault("destination is missing"));
        };
        if sent.asked.as_ref().is_some_and(|asked| asked.manages) && self.manage(frame, &sent, start, port)? {
            return Ok(());
        }
        if let Some(form) = sent.form {
            form.check(frame.body())?;
        }
        let plain = self.routes.is_last(destination) || elements::is_plain(destination);
        let several = if plain { None } else { Some(self.resolve(destination, port)?) };
        let errand = self.errand(&sent, destination, several.as_ref(), port)?;
        let head_at = self.mark_text(start, !frame.has_content_length(), sent.is_text);
        let body_at = self.raw.len();
        self.raw.extend_from_slice(frame.body());
        let span = |from: usize, to: usize| Span { start: from as u32, len: (to - from) as u32 };
        let item = Item {
            frame: span(head_at, self.raw.len()),
            head: span(head_at, body_at),
            body: span(body_at, self.raw.len()),
            address: 0,
            patch: NO_PASS,
            tag: STOMP,
            qos: if sent.persistent == Some(true) { Qos::ExactlyOnce } else { Qos::AtMostOnce },
            retain: sent.retain == Some(true),
            priority: sent.priority.unwrap_or(PRIORITY),
            expires: sent.expires.unwrap_or(Millis::NEVER),
        };
        if let Some(errand) = errand {
            return self.stage_errand(&errand, item, start, &sent, port);
        }
        if let Some(routes) = several {
            return self.stage_each(&routes, item, start, &sent, port);
        }
        let route = self.routes.get(destination, port).map_err(Stop::fault)?;
        if let Some(name) = &sent.transaction {
            port.publish_in(name, route, item, None, &self.raw)?;
            self.raw.truncate(start);
            self.promise_receipt(sent.receipt.as_deref(), port);
            return Ok(());
        }
        let token = match &sent.receipt {
            Some(id) => Some(self.receipts.push(id)),
            None if route.is_storage_less() && !item.retain => None,
            // A queue may refuse it, and the client is to know.
            None => Some(SILENT),
        };
        port.publish(route, item, token);
        Ok(())
    }

    /// The broker is stopping: nothing more is published, and no transaction of which a part is missing.
    fn turn_away(&mut self, sent: &Sent<'_>, start: usize, port: &mut Port) -> Result<(), Stop> {
        self.raw.truncate(start);
        if let Some(name) = &sent.transaction {
            let name = ByteString::from(&**name);
            return self.abort(&name, port);
        }
        Ok(())
    }

    /// Appends the head that is stored: all headers but those that hold for one hop or are the broker's.
    fn put_head<'a>(&mut self, frame: &Frame<'a>, port: &mut Port) -> Result<Sent<'a>, Stop> {
        let mut sent = Sent {
            destination: None,
            receipt: None,
            transaction: None,
            persistent: None,
            priority: None,
            expires: None,
            retain: None,
            is_text: None,
            form: None,
            asked: None,
        };
        if !frame.has_content_length() {
            self.raw.extend_from_slice(TEXT_LINE);
        }
        for header in frame.headers() {
            let Header { name, value, line } = header?;
            match &*name {
                "destination" => first(&mut sent.destination, value),
                "receipt" => first(&mut sent.receipt, value),
                "transaction" => first(&mut sent.transaction, value),
                "persistent" => first(&mut sent.persistent, &*value == "true"),
                "retain" => first(&mut sent.retain, &*value == "true"),
                "ActiveMQ.Retain" => first(&mut sent.retain, value.eq_ignore_ascii_case("true")),
                "priority" => first(&mut sent.priority, priority(&value)?),
                "expires" => first(&mut sent.expires, expires(&value)?),
                "amq-msg-type" => first(&mut sent.is_text, is_text(&value)?),
                name if convert::is_reserved(name) => {}
                "reply-to" => match elements::reply_to(&value, port)? {
                    Some(own) => convert::put_header(&mut self.raw, &name, &[&own]),
                    None => self.put_line(&name, &value, line),
                },
                "transformation" if let Some(form) = transformation::form(&value)? => {
                    first(&mut sent.form, form);
                    first(&mut sent.is_text, true);
                    convert::put_header(&mut self.raw, &name, &[&value]);
                }
                name if may_ask(name) && !sent.asked.get_or_insert_default().read(name, &value)? => {}
                _ => self.put_line(&name, &value, line),
            }
        }
        Ok(sent)
    }

    /// Appends a header as it came, but in the escapes of 1.2.
    fn put_line(&mut self, name: &str, value: &str, line: &str) {
        if self.version == Version::V1_2 {
            self.raw.extend_from_slice(line.as_bytes());
            self.raw.extend_from_slice(b"\n");
        } else {
            convert::put_header(&mut self.raw, name, &[value]);
        }
    }

    /// Makes the head say text or bytes where `amq-msg-type` says other than content-length did; where
    /// it begins.
    fn mark_text(&mut self, start: usize, marked: bool, said: Option<bool>) -> usize {
        match said {
            Some(true) if !marked => {
                let head = self.raw.split_off(start);
                self.raw.extend_from_slice(TEXT_LINE);
                self.raw.extend_from_slice(&head);
                start
            }
            Some(false) if marked => start + TEXT_LINE.len(),
            _ => start,
        }
    }
}

/// Of a repeated header the first counts.
fn first<T>(slot: &mut Option<T>, value: T) {
    if slot.is_none() {
        *slot = Some(value);
    }
}

fn priority(value: &str) -> Result<u8, Stop> {
    let n: i64 = value.parse().map_err(|_| Stop::fault("priority is not a number"))?;
    Ok(n.clamp(0, i64::from(PRIORITY_MAX)) as u8)
}

fn expires(value: &str) -> Result<Millis, Stop> {
    match value.parse() {
        Ok(0) => Ok(Millis::NEVER),
        Ok(at) => Ok(Millis(at)),
        Err(_) => Err(Stop::fault("expires is not a time in milliseconds since 1970")),
    }
}

fn is_text(value: &str) -> Result<bool, Stop> {
    if value.eq_ignore_ascii_case("text") {
        Ok(true)
    } else if value.eq_ignore_ascii_case("bytes") {
        Ok(false)
    } else {
        Err(Stop::fault("amq-msg-type is neither text nor bytes"))
    }
}
