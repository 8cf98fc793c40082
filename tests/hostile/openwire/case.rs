//! One hostile act: what has been before, what is done, and how it must end.

use std::net::SocketAddr;
use std::time::Duration;

use wharfmq_openwire::{KeepAliveInfo, Structure};

use super::client::{Client, proposal, queue};

/// How long an answer is waited for: one that does not come must not use up the time of all.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) const JMS: &str = "javax.jms.JMSException";
pub(super) const XA: &str = "javax.transaction.xa.XAException";
pub(super) const INVALID_CLIENT: &str = "javax.jms.InvalidClientIDException";
pub(super) const INVALID_DESTINATION: &str = "javax.jms.InvalidDestinationException";
pub(super) const INVALID_SELECTOR: &str = "javax.jms.InvalidSelectorException";

/// What is so before the act.
#[derive(Clone, Copy, Debug)]
pub(super) enum Before {
    /// A connection, and nothing said.
    Nothing,
    /// The format was agreed on.
    Greeted,
    /// Logged in.
    Connected,
    /// And there is a producer 1, a consumer 1, and three messages that have been dispatched to it.
    Consuming,
}

/// How it ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// An exception of this class, for whoever waits for the command or for all, and the connection serves on.
    Fault(&'static str),
    /// An exception of this class, then the close.
    FaultThenClosed(&'static str),
    /// No exception, then the close.
    Closed,
    /// Any words, then the close.
    Cut,
    /// No exception, and the connection serves on.
    GoesOn,
    /// The broker says nothing and waits for more.
    Waits,
    /// Anything: these bytes are noise.
    Any,
}

/// What an act does to something that was right.
pub(super) type Change<T> = fn(&mut T);

type Act = Box<dyn Fn(&mut Client)>;

/// One hostile act.
pub(super) struct Case {
    pub(super) name: String,
    before: Before,
    act: Act,
    end: End,
}

/// All hostile acts.
#[derive(Default)]
pub(super) struct Corpus {
    pub(super) cases: Vec<Case>,
}

impl Corpus {
    pub(super) fn add(
        &mut self,
        name: impl Into<String>,
        before: Before,
        act: impl Fn(&mut Client) + 'static,
        end: End,
    ) {
        self.cases.push(Case { name: name.into(), before, act: Box::new(act), end });
    }

    /// Adds the first that is said on a connection.
    pub(super) fn first(&mut self, name: impl Into<String>, act: impl Fn(&mut Client) + 'static, end: End) {
        self.add(name, Before::Nothing, act, end);
    }

    /// Adds what comes before ConnectionInfo.
    pub(super) fn greeted(&mut self, name: impl Into<String>, act: impl Fn(&mut Client) + 'static, end: End) {
        self.add(name, Before::Greeted, act, end);
    }

    /// Adds what a client does that has logged in.
    pub(super) fn connected(
        &mut self,
        name: impl Into<String>,
        act: impl Fn(&mut Client) + 'static,
        end: End,
    ) {
        self.add(name, Before::Connected, act, end);
    }

    /// Adds what a client does that has a producer, a consumer, and three messages.
    pub(super) fn consuming(
        &mut self,
        name: impl Into<String>,
        act: impl Fn(&mut Client) + 'static,
        end: End,
    ) {
        self.add(name, Before::Consuming, act, end);
    }
}

impl Case {
    /// Does it; says what was wrong about the end.
    pub(super) fn run(&self, broker: SocketAddr, nth: usize) -> Result<(), String> {
        let mut client = Client::open(broker, &format!("ID:hostile-{nth}"));
        self.prepare(&mut client);
        (self.act)(&mut client);
        match self.end {
            End::Fault(class) => goes_on(client, &[class]),
            End::GoesOn => goes_on(client, &[]),
            End::FaultThenClosed(class) => closed(client, Some(&[class])),
            End::Closed => closed(client, Some(&[])),
            End::Cut => closed(client, None),
            End::Waits if client.is_closed_within(Duration::from_millis(1)) => {
                Err("it was closed".to_owned())
            }
            End::Waits | End::Any => Ok(()),
        }
    }

    fn prepare(&self, client: &mut Client) {
        if matches!(self.before, Before::Nothing) {
            return;
        }
        client.greet(&proposal());
        if matches!(self.before, Before::Greeted) {
            return;
        }
        client.login();
        if matches!(self.before, Before::Connected) {
            return;
        }
        let own = own(client);
        let producer = client.producer_info(1);
        client.ask(&producer);
        let consumer = client.consumer_info(1, &own);
        client.ask(&consumer);
        let mut came = Vec::new();
        for _ in 0..3 {
            let message = client.message(&own);
            client.ask(&message);
            came.push(client.take());
        }
        client.came = came;
    }
}

/// The queue of a client.
pub(super) fn own(client: &Client) -> wharfmq_openwire::Destination {
    queue(&format!("hostile.{}", client.id.decode().trim_start_matches("ID:")))
}

/// A sign of life goes out behind the act, and another one behind its answer, as an answer to the act may
/// wait for the log.
fn goes_on(mut client: Client, due: &[&str]) -> Result<(), String> {
    let mut came = Vec::new();
    for _ in 0..2 {
        client.send(&KeepAliveInfo { response_required: true, ..Default::default() });
        loop {
            match client.next_within(PATIENCE) {
                Some(Structure::KeepAliveInfo(_)) => break,
                Some(other) => came.push(other),
                None => return Err(format!("it does not go on; came: {came:?}")),
            }
        }
    }
    expect(&came, due)
}

/// What came until the broker closed.
fn closed(mut client: Client, due: Option<&[&str]>) -> Result<(), String> {
    let mut came = Vec::new();
    while let Some(command) = client.next_within(PATIENCE) {
        came.push(command);
    }
    if !client.is_closed_within(Duration::from_millis(1)) {
        return Err(format!("it stays open; came: {came:?}"));
    }
    due.map_or(Ok(()), |due| expect(&came, due))
}

fn expect(came: &[Structure], due: &[&str]) -> Result<(), String> {
    let class = |command: &Structure| {
        let exception = match command {
            Structure::ExceptionResponse(response) => response.exception.as_ref(),
            Structure::ConnectionError(error) => error.exception.as_ref(),
            _ => None,
        }?;
        Some(exception.class.as_ref()?.decode().into_owned())
    };
    let classes: Vec<_> = came.iter().filter_map(class).collect();
    if classes == due { Ok(()) } else { Err(format!("due were {due:?}, came {came:?}")) }
}
