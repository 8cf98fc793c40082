//! Two JMS clients on one broker, in process.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use wharfmq::adapters::Closed;
use wharfmq::adapters::openwire::{OpenWireOptions, OpenWireSession};
use wharfmq::adapters::testing::{TestBroker, TestClient};
use wharfmq_base::Millis;
use wharfmq_core::record::Class;
use wharfmq_openwire::{Decoder, Encoder, Format, MessageDispatch, Proposal, Structure, frame_len};

use super::openwire_script::{Script, Step};

const STEPS_MAX: usize = 300;
/// More than any steps can put into the output of one turn.
const OUTPUT_MAX: usize = 64 << 20;

/// Runs the script that the input is. What the broker says must be OpenWire in the format that was agreed on;
/// when both are gone nobody may be left to take a message.
pub fn openwire_session(data: &[u8]) {
    let mut script = Script::new(data);
    let Some(how) = script.byte() else { return };
    let proposal = Proposal {
        version: i32::from(how % 12) + 1,
        tight: how & 0x80 != 0,
        cache: how & 0x40 != 0,
        cache_size: if how & 0x20 != 0 { 50 } else { 0 },
        stack_traces: how & 0x10 != 0,
        inactivity: 30_000,
        inactivity_delay: 10_000,
        ..Proposal::default()
    };
    let broker = TestBroker::new();
    let mut clients = [Client::new(&broker, &proposal), Client::new(&broker, &proposal)];
    for _ in 0..STEPS_MAX {
        let Some((who, step)) = script.next(|who| &clients[who].came) else { break };
        clients[who].step(step, &broker, &proposal);
        for client in &mut clients {
            if !client.stalled {
                client.turn(&broker);
            }
        }
    }
    for client in &mut clients {
        client.end(&broker);
    }
    // What waits for a time.
    broker.advance(Millis(10_000_000));
    let of_clients = |class| matches!(class, Class::Queue | Class::Durable | Class::Temporary);
    for cell in broker.broker.queues().all().into_iter().filter(|cell| of_clients(cell.class)) {
        assert!(cell.lock().queue().consumers().next().is_none(), "{} has a consumer", cell.name);
    }
    broker.stop();
}

struct Client {
    inner: TestClient,
    encoder: Encoder,
    decoder: Decoder,
    /// What has been dispatched to it.
    came: Vec<MessageDispatch>,
    stalled: bool,
}

impl Client {
    /// One that has agreed on the format, and no more.
    fn new(broker: &TestBroker, proposal: &Proposal) -> Self {
        let mut hello = BytesMut::new();
        Encoder::new(Format::default()).encode(&proposal.write(), &mut hello);
        let mut inner = broker.client(OpenWireSession::new(Arc::new(OpenWireOptions::default())));
        let mut rest = Bytes::from(inner.send(broker, &hello));
        let answer = next(&mut rest, &mut Decoder::new(Format::default()));
        let Structure::WireFormatInfo(info) = answer else { panic!("not WireFormatInfo: {answer:?}") };
        let format = wharfmq_openwire::negotiate(proposal, &Proposal::read(&info).unwrap());
        let mut decoder = Decoder::new(format);
        assert!(matches!(next(&mut rest, &mut decoder), Structure::BrokerInfo(_)));
        Self { inner, encoder: Encoder::new(format), decoder, came: Vec::new(), stalled: false }
    }

    fn step(&mut self, step: Step, broker: &TestBroker, proposal: &Proposal) {
        match step {
            Step::Send(command) => {
                let mut out = BytesMut::new();
                self.encoder.encode(&*command, &mut out);
                self.send(broker, &out);
            }
            Step::Raw(body) => {
                let frame = [&(body.len() as u32).to_be_bytes()[..], &body].concat();
                self.send(broker, &frame);
            }
            Step::Pass(ms) => broker.advance(Millis(ms)),
            Step::Stall => self.stalled = !self.stalled,
            Step::Lose => {
                self.end(broker);
                *self = Self::new(broker, proposal);
            }
            Step::Drain => self.inner.session.drain(&mut self.inner.port),
        }
        if self.inner.closed.is_some() {
            self.end(broker);
            *self = Self::new(broker, proposal);
        }
    }

    fn send(&mut self, broker: &TestBroker, bytes: &[u8]) {
        let out = self.inner.send(broker, bytes);
        self.note(out);
    }

    fn turn(&mut self, broker: &TestBroker) {
        let out = self.inner.turn(broker);
        self.note(out);
    }

    fn note(&mut self, out: Vec<u8>) {
        assert!(out.len() < OUTPUT_MAX, "{} bytes of output", out.len());
        let mut rest = Bytes::from(out);
        while !rest.is_empty() {
            if let Structure::MessageDispatch(dispatch) = next(&mut rest, &mut self.decoder) {
                self.came.push(*dispatch);
            }
        }
    }

    fn end(&mut self, broker: &TestBroker) {
        self.turn(broker);
        let how = self.inner.closed.take().map_or(Closed::Lost, Closed::Session);
        self.inner.close(how);
    }
}

/// The next command that the broker has sent.
fn next(rest: &mut Bytes, decoder: &mut Decoder) -> Structure {
    let len = frame_len(rest, OUTPUT_MAX).unwrap().expect("a whole frame");
    assert!(len <= rest.len(), "a whole frame");
    let frame = rest.split_to(len);
    decoder
        .decode(&frame.slice(4..))
        .unwrap_or_else(|error| panic!("what the broker says is no OpenWire: {error}"))
}
