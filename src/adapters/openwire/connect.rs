//! ConnectionInfo: who the client is.

use std::sync::Arc;

use bytestring::ByteString;
use wharfmq_base::Millis;
use wharfmq_openwire::{ConnectionControl, ConnectionId, ConnectionInfo, Text};

use super::fault::{Fault, INVALID_CLIENT_ID, SECURITY, Stop};
use super::replies::Reply;
use super::{Open, id_text, text};
use crate::adapters::Close;
use crate::broker::{Claim, Login, Port};
use crate::security::{Credentials, Denied, Principal};

/// Bytes of a connection id or a client id.
const ID_BYTES_MAX: usize = 1_024;
/// Milliseconds for which an earlier connection of the same id is waited for.
const PATIENCE: Millis = Millis(1_000);

/// A client that has introduced itself.
pub(super) struct Client {
    pub(super) id: Arc<ConnectionId>,
    pub(super) connection: ByteString,
    pub(super) client_id: ByteString,
    /// Whether it comes back by itself after a loss, and sends again what was not answered.
    pub(super) fault_tolerant: bool,
    /// It has come back.
    pub(super) returns: bool,
}

/// A client that has to wait: its password is checked, or an earlier connection of its id has to go.
pub(super) struct Proving {
    client: Client,
    command: i32,
    wants: bool,
    manageable: bool,
    /// What others may know of it.
    told: ConnectionInfo,
    user: Option<String>,
    /// Until when the earlier connection is waited for.
    patience: Millis,
}

impl Open {
    pub(super) fn on_connection(
        &mut self,
        info: &ConnectionInfo,
        port: &mut Port,
    ) -> Result<Option<Reply>, Stop> {
        if self.client.is_some() {
            return Err(Stop::Close(Close::Violation("a second ConnectionInfo".into())));
        }
        let id =
            info.connection_id.as_ref().ok_or_else(|| Stop::jms("ConnectionInfo has no connection id"))?;
        let connection = id_text(id);
        let client_id = ByteString::from(&*text(info.client_id.as_ref()));
        if connection.is_empty() || connection.len() > ID_BYTES_MAX || client_id.len() > ID_BYTES_MAX {
            return Err(Stop::fault(
                INVALID_CLIENT_ID,
                "the connection id or the client id is empty or too long",
            ));
        }
        let user = info.user_name.as_ref().map(Text::decode);
        let password = info.password.as_ref().map(Text::decode);
        let given = Credentials::given(user.as_deref(), password.as_deref().map(str::as_bytes));
        let user = given.as_ref().map(|given| given.user.clone());
        self.proving = Some(Box::new(Proving {
            client: Client {
                id: Arc::new(id.compact()),
                connection,
                client_id,
                fault_tolerant: info.fault_tolerant,
                returns: info.failover_reconnect,
            },
            command: info.command_id,
            wants: info.response_required,
            manageable: info.manageable,
            told: info.clone(),
            user,
            patience: Millis::NEVER,
        }));
        match port.login(given) {
            Login::Granted => self.arrive(port).map_err(Stop::Close)?,
            Login::Wait => {}
            Login::Denied(why) => return Err(Stop::Close(self.deny(why.text(), why, port))),
        }
        Ok(None)
    }

    /// What came of a password.
    pub(super) fn on_verdict(
        &mut self,
        verdict: &Result<Box<str>, &'static str>,
        port: &mut Port,
    ) -> Result<(), Close> {
        if self.proving.is_none() {
            return Ok(());
        }
        match verdict {
            Ok(name) => {
                port.is_now(Principal { name: name.clone().into() });
                self.arrive(port)
            }
            Err(why) => Err(self.deny(why, Denied::WrongPassword, port)),
        }
    }

    /// It is known who the client is: takes its connection id, from a connection of its own that has not
    /// noticed yet that it is lost if need be.
    fn arrive(&mut self, port: &mut Port) -> Result<(), Close> {
        let Some(proving) = &mut self.proving else { return Ok(()) };
        match port.claim_connection(&proving.client.connection) {
            Some(Claim::Granted) => self.welcome(port),
            Some(Claim::Wait) => {
                proving.patience = port.now.mono.plus(PATIENCE);
                Ok(())
            }
            None => {
                let why = "the connection id is that of another user's connection";
                let (command, wants) = (proving.command, proving.wants);
                self.say_fault(&Fault::new(INVALID_CLIENT_ID, why), wants.then_some(command), port);
                Err(Close::Refused(why.into()))
            }
        }
    }

    /// The earlier connection has gone, with all that it held.
    pub(super) fn on_claimed(&mut self, port: &mut Port) -> Result<(), Close> {
        let waits = self.proving.as_ref().is_some_and(|proving| proving.patience != Millis::NEVER);
        if waits { self.welcome(port) } else { Ok(()) }
    }

    /// Until when an earlier connection is waited for.
    pub(super) fn patience(&self) -> Millis {
        self.proving.as_ref().map_or(Millis::NEVER, |proving| proving.patience)
    }

    /// The earlier connection does not go by itself.
    pub(super) fn oust(&mut self, port: &mut Port) {
        port.oust();
        if let Some(proving) = &mut self.proving {
            proving.patience = port.now.mono.plus(PATIENCE);
        }
    }

    fn welcome(&mut self, port: &mut Port) -> Result<(), Close> {
        let Some(proving) = self.proving.take() else { return Ok(()) };
        let Proving { client, command, wants, manageable, told, .. } = *proving;
        if !client.client_id.is_empty() && !port.claim_client(&client.client_id) {
            let why = format!(
                "Broker: {} - Client: {} already connected",
                self.options.broker_name, client.client_id
            );
            let fault = Fault::new(INVALID_CLIENT_ID, why);
            self.say_fault(&fault, wants.then_some(command), port);
            return Err(Close::Refused("the client id is in use".into()));
        }
        port.traffic.heard();
        client.begin(port);
        self.options.roll.add_client(port.conn(), &told);
        port.introduce(&client.client_id);
        self.client = Some(client);
        if wants {
            self.respond(command, port);
        }
        if manageable {
            self.send(
                &ConnectionControl {
                    connected_brokers: Some("".into()),
                    reconnect_to: Some("".into()),
                    ..Default::default()
                },
                port,
            );
        }
        Ok(())
    }

    /// Refuses a login, and has the log say so; the client is not told which part was wrong.
    fn deny(&mut self, why: &str, kind: Denied, port: &mut Port) -> Close {
        let Some(proving) = self.proving.take() else { return Close::Refused(why.to_owned()) };
        port.report_refused(proving.user.as_deref(), why);
        let message = match kind {
            Denied::Busy => "The broker is busy with other logins; try again.".to_owned(),
            _ => match &proving.user {
                Some(user) => format!("User name [{user}] or password is invalid."),
                None => "User name and password are needed.".to_owned(),
            },
        };
        let fault = Fault::new(SECURITY, message);
        self.say_fault(&fault, proving.wants.then_some(proving.command), port);
        Close::Refused(format!("login: {why}"))
    }

    /// Everything but ConnectionInfo needs a client that has introduced itself.
    pub(super) fn check_client(&self) -> Result<(), Stop> {
        self.client().map(drop)
    }

    pub(super) fn client(&self) -> Result<&Client, Stop> {
        let missing = "the connection was not introduced: ConnectionInfo comes first";
        self.client.as_ref().ok_or_else(|| Stop::jms(missing))
    }

    /// Where a command names a connection it has to be this one.
    pub(super) fn check_connection(&self, id: Option<&Arc<ConnectionId>>) -> Result<(), Stop> {
        self.check_client()?;
        id.map_or(Ok(()), |id| self.check_own(id.value.as_ref()))
    }

    /// An id that a command names has to be one of this connection.
    pub(super) fn check_own(&self, connection: Option<&Text>) -> Result<(), Stop> {
        let client = self.client()?;
        if client.id.value.as_ref() == connection {
            return Ok(());
        }
        Err(Stop::jms("the id belongs to another connection"))
    }
}
