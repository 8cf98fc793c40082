//! What controls consumers and connections, and destinations that clients make themselves.

use wharfmq_core::record::Class;
use wharfmq_openwire::{ConnectionControl, ConsumerControl, DestinationInfo, ShutdownInfo};

use super::fault::{INVALID_DESTINATION, Stop};
use super::{Open, names};
use crate::broker::{Port, Refused};

/// What a DestinationInfo does, by its number.
const ADD: i8 = 0;
const REMOVE: i8 = 1;

impl Open {
    /// A client that has come back gives its consumers their prefetch again; any client may change it.
    pub(super) fn on_consumer_control(
        &mut self,
        control: &ConsumerControl,
        port: &mut Port,
    ) -> Result<(), Stop> {
        let Some(id) = control.consumer_id.as_deref() else { return Ok(()) };
        self.check_own(id.connection_id.as_ref())?;
        let Some(consumer) = self.consumers.by_id_mut(id) else { return Ok(()) };
        if control.close || control.start || control.stop || control.flush {
            return Ok(());
        }
        let wanted = u32::try_from(control.prefetch).unwrap_or(0);
        let more = wanted.saturating_sub(consumer.prefetch);
        // Less room is waited for: what was given is out already.
        consumer.debt = consumer.debt.saturating_add(consumer.prefetch.saturating_sub(wanted));
        consumer.prefetch = wanted;
        let tag = consumer.tag;
        consumer.grant(more, port);
        self.send_pending(tag, port);
        self.browse_more(tag, port);
        Ok(())
    }

    /// A client that fails over says so before it introduces itself; there is nothing to be done.
    #[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "as all commands are handled")]
    pub(super) const fn on_connection_control(&self, _control: &ConnectionControl) -> Result<(), Stop> {
        Ok(())
    }

    /// Has the client go elsewhere.
    pub(super) fn say_leaving(&mut self, port: &mut Port) {
        let fault_tolerant = self.client.as_ref().is_some_and(|client| client.fault_tolerant);
        if self.client.is_some() {
            let control = ConnectionControl {
                close: true,
                fault_tolerant,
                connected_brokers: Some("".into()),
                reconnect_to: Some("".into()),
                ..Default::default()
            };
            self.send(&control, port);
        }
        self.send(&ShutdownInfo::default(), port);
    }

    pub(super) fn on_destination(&mut self, info: &DestinationInfo, port: &mut Port) -> Result<(), Stop> {
        self.check_connection(info.connection_id.as_ref())?;
        self.flush(port);
        let destination = info.destination.as_deref();
        let destination = destination.ok_or_else(|| Stop::fault(INVALID_DESTINATION, "no destination"))?;
        let elements = names::elements(destination)?;
        let [(kind, name)] = &elements[..] else {
            return Err(Stop::fault(INVALID_DESTINATION, "one destination is added or removed at a time"));
        };
        let core_kind = names::kind_of(*kind);
        match (info.operation_type, kind.is_temporary()) {
            (ADD, true) => {
                port.temporary_named(core_kind, name)?;
            }
            (ADD, false) => {
                for address in names::addresses(destination, port)? {
                    port.route(&address)?;
                }
            }
            (REMOVE, true) => {
                match port.delete_temporary(&names::temporary(*kind, name)?) {
                    // It may have gone with the queue or topic of the same name, or be removed twice.
                    Ok(()) | Err(Refused::Gone(_)) => {}
                    Err(refused) => return Err(refused.into()),
                }
            }
            (REMOVE, false) => {
                let name = bytestring::ByteString::from(name.as_str());
                let Some(queue) = port.find(Class::Queue, &name).filter(|_| !kind.is_topic()) else {
                    return Ok(());
                };
                if queue.lock().queue().consumers().next().is_some() {
                    return Err(Stop::jms(format!(
                        "Destination still has an active subscription: queue://{name}"
                    )));
                }
                port.delete(&queue)?;
            }
            (other, _) => return Err(Stop::jms(format!("destinations know no operation {other}"))),
        }
        Ok(())
    }
}
