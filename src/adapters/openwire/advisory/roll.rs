//! What OpenWire clients have said of themselves, for others to know.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use wharfmq_base::{RankedMutex, rank};
use wharfmq_core::{ConnId, SubTag};
use wharfmq_openwire::{ConnectionId, ConnectionInfo, ConsumerId, ConsumerInfo, Text};

/// The connections that are here, and their consumers.
#[derive(Debug, Default)]
pub struct Roll {
    known: RankedMutex<HashMap<ConnId, Known, RandomState>, { rank::ADDRESS }>,
}

#[derive(Debug)]
struct Known {
    info: Arc<ConnectionInfo>,
    /// By the numbers that the broker knows them by.
    consumers: HashMap<u32, Arc<ConsumerInfo>, RandomState>,
}

impl Roll {
    /// A client has introduced itself.
    pub(in super::super) fn add_client(&self, conn: ConnId, info: &ConnectionInfo) {
        let text = |text: &Option<Text>| text.as_ref().map(Text::compact);
        let value = text(&info.connection_id.as_ref().and_then(|id| id.value.clone()));
        let info = Arc::new(ConnectionInfo {
            connection_id: Some(Arc::new(ConnectionId { value })),
            client_id: text(&info.client_id),
            password: None,
            user_name: None,
            broker_path: None,
            client_ip: None,
            command_id: 0,
            response_required: false,
            ..info.clone()
        });
        self.known.lock().insert(conn, Known { info, consumers: HashMap::default() });
    }

    /// A consumer is about to take from one source, by the number `sub`.
    pub(in super::super) fn add_consumer(&self, conn: ConnId, sub: SubTag, info: &Arc<ConsumerInfo>) {
        if let Some(known) = self.known.lock().get_mut(&conn) {
            known.consumers.insert(sub.0, Arc::clone(info));
        }
    }

    /// It has ended.
    pub(in super::super) fn remove_consumer(&self, conn: ConnId, sub: SubTag) {
        if let Some(known) = self.known.lock().get_mut(&conn) {
            known.consumers.remove(&sub.0);
        }
    }

    pub(super) fn client(&self, conn: ConnId) -> Option<Arc<ConnectionInfo>> {
        self.known.lock().get(&conn).map(|known| Arc::clone(&known.info))
    }

    pub(super) fn connection(&self, conn: ConnId) -> Option<Text> {
        self.known.lock().get(&conn)?.info.connection_id.as_ref()?.value.clone()
    }

    pub(super) fn consumer(&self, conn: ConnId, sub: SubTag) -> Option<Arc<ConsumerInfo>> {
        self.known.lock().get(&conn)?.consumers.get(&sub.0).cloned()
    }

    pub(super) fn forget(&self, conn: ConnId) {
        // What it holds goes without the lock.
        let gone = self.known.lock().remove(&conn);
        drop(gone);
    }
}

/// What others may know of a consumer, without holding on to the frame that it came in.
pub(in super::super) fn told(info: &ConsumerInfo, client_id: &str) -> ConsumerInfo {
    let text = |text: &Option<Text>| text.as_ref().map(Text::compact);
    let id = info.consumer_id.as_deref().cloned().unwrap_or_default();
    ConsumerInfo {
        consumer_id: Some(Arc::new(ConsumerId { connection_id: text(&id.connection_id), ..id })),
        browser: info.browser,
        prefetch_size: info.prefetch_size,
        maximum_pending_message_limit: info.maximum_pending_message_limit,
        dispatch_async: info.dispatch_async,
        selector: text(&info.selector),
        client_id: (!client_id.is_empty()).then(|| client_id.into()),
        subscription_name: text(&info.subscription_name),
        no_local: info.no_local,
        exclusive: info.exclusive,
        retroactive: info.retroactive,
        priority: info.priority,
        optimized_acknowledge: info.optimized_acknowledge,
        no_range_acks: info.no_range_acks,
        ..ConsumerInfo::default()
    }
}
