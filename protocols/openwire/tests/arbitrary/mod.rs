//! Any structure, out of a row of bytes.

use std::sync::Arc;

use bytes::Bytes;
use wharfmq_openwire::*;

/// Structures within structures.
const DEPTH: u32 = 4;
/// Elements of arrays.
const ELEMENTS: u8 = 4;

/// Bytes that decide; where they end, everything is zero, null or false.
pub(crate) struct Choice<'a> {
    rest: &'a [u8],
    depth: u32,
}

/// What can be made out of them.
pub(crate) trait Any: Sized {
    fn any(choice: &mut Choice<'_>) -> Self;
}

impl<'a> Choice<'a> {
    pub(crate) const fn new(rest: &'a [u8]) -> Self {
        Self { rest, depth: 0 }
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    fn bytes(&mut self) -> Bytes {
        let len = usize::from(self.byte() % 48).min(self.rest.len());
        let (bytes, rest) = self.rest.split_at(len);
        self.rest = rest;
        Bytes::copy_from_slice(bytes)
    }

    /// Something nested, unless it is null or nested too deep.
    fn nested<T: Any>(&mut self) -> Option<T> {
        if self.depth >= DEPTH || self.byte().is_multiple_of(3) {
            return None;
        }
        self.depth += 1;
        let value = T::any(self);
        self.depth -= 1;
        Some(value)
    }
}

impl Any for bool {
    fn any(choice: &mut Choice<'_>) -> Self {
        choice.byte() % 2 == 1
    }
}

impl Any for i8 {
    fn any(choice: &mut Choice<'_>) -> Self {
        choice.byte() as Self
    }
}

impl Any for i32 {
    fn any(choice: &mut Choice<'_>) -> Self {
        match choice.byte() {
            0..=99 => choice.byte().into(),
            100 => Self::MAX,
            101 => Self::MIN,
            _ => Self::from_be_bytes([choice.byte(), choice.byte(), choice.byte(), choice.byte()]),
        }
    }
}

/// Around each bound of the tight encoding.
impl Any for i64 {
    fn any(choice: &mut Choice<'_>) -> Self {
        const BOUNDS: [i64; 8] = [0, 1, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000, -1, i64::MIN];
        match choice.byte() {
            at @ ..64 => BOUNDS[usize::from(at % 8)],
            at => Self::from(at) << (choice.byte() % 57),
        }
    }
}

impl Any for [u8; 8] {
    fn any(choice: &mut Choice<'_>) -> Self {
        std::array::from_fn(|_| choice.byte())
    }
}

/// Text of one, two and three bytes, with and without what is no text at all.
impl Any for Text {
    fn any(choice: &mut Choice<'_>) -> Self {
        match choice.byte() % 5 {
            0 => "".into(),
            1 => "\u{0}h\u{e9}llo \u{20ac} \u{1f600}".into(),
            2 => "x".repeat(usize::from(choice.byte()) * 4).into(),
            3 => Self::from_wire(choice.bytes()),
            _ => "ID:host-1-2-3:4:5".into(),
        }
    }
}

impl Any for Bytes {
    fn any(choice: &mut Choice<'_>) -> Self {
        choice.bytes()
    }
}

impl<T: Any> Any for Option<T> {
    fn any(choice: &mut Choice<'_>) -> Self {
        choice.nested()
    }
}

impl<T: Any> Any for Box<T> {
    fn any(choice: &mut Choice<'_>) -> Self {
        Self::new(T::any(choice))
    }
}

impl<T: Any> Any for Arc<T> {
    fn any(choice: &mut Choice<'_>) -> Self {
        Self::new(T::any(choice))
    }
}

impl<T: Any> Any for Vec<T> {
    fn any(choice: &mut Choice<'_>) -> Self {
        (0..choice.byte() % ELEMENTS).map(|_| T::any(choice)).collect()
    }
}

impl Any for Destination {
    fn any(choice: &mut Choice<'_>) -> Self {
        use DestinationKind::{Queue, TempQueue, TempTopic, Topic};
        let kind = [Queue, Topic, TempQueue, TempTopic][usize::from(choice.byte() % 4)];
        Self { kind, physical_name: Any::any(choice) }
    }
}

impl Any for TransactionId {
    fn any(choice: &mut Choice<'_>) -> Self {
        if bool::any(choice) { Self::Local(Any::any(choice)) } else { Self::Xa(Any::any(choice)) }
    }
}

impl Any for Throwable {
    fn any(choice: &mut Choice<'_>) -> Self {
        Self {
            class: Any::any(choice),
            message: Any::any(choice),
            stack: Any::any(choice),
            cause: Any::any(choice),
        }
    }
}

impl Any for StackFrame {
    fn any(choice: &mut Choice<'_>) -> Self {
        Self {
            class: Any::any(choice),
            method: Any::any(choice),
            file: Any::any(choice),
            line: Any::any(choice),
        }
    }
}

impl Any for Blob {
    fn any(choice: &mut Choice<'_>) -> Self {
        Self {
            remote_blob_url: Any::any(choice),
            mime_type: Any::any(choice),
            deleted_by_broker: Any::any(choice),
        }
    }
}

impl Any for Message {
    fn any(choice: &mut Choice<'_>) -> Self {
        let kind = MessageKind::of(23 + choice.byte() % 7).unwrap();
        let blob = (kind == MessageKind::Blob).then(|| Any::any(choice));
        Self { kind, blob, ..message_fields(choice) }
    }
}

fn message_fields(choice: &mut Choice<'_>) -> Message {
    Message {
        command_id: Any::any(choice),
        response_required: Any::any(choice),
        producer_id: Any::any(choice),
        destination: Any::any(choice),
        transaction_id: Any::any(choice),
        original_destination: Any::any(choice),
        message_id: Any::any(choice),
        original_transaction_id: Any::any(choice),
        group_id: Any::any(choice),
        group_sequence: Any::any(choice),
        correlation_id: Any::any(choice),
        persistent: Any::any(choice),
        expiration: Any::any(choice),
        priority: Any::any(choice),
        reply_to: Any::any(choice),
        timestamp: Any::any(choice),
        jms_type: Any::any(choice),
        content: Any::any(choice),
        marshalled_properties: Any::any(choice),
        data_structure: Any::any(choice),
        target_consumer_id: Any::any(choice),
        compressed: Any::any(choice),
        redelivery_counter: Any::any(choice),
        broker_path: Any::any(choice),
        arrival: Any::any(choice),
        user_id: Any::any(choice),
        received_by_df_bridge: Any::any(choice),
        droppable: Any::any(choice),
        cluster: Any::any(choice),
        broker_in_time: Any::any(choice),
        broker_out_time: Any::any(choice),
        jmsx_group_first_for_consumer: Any::any(choice),
        ..Message::default()
    }
}

/// The object of a RemoveInfo is an id.
impl Any for RemoveInfo {
    fn any(choice: &mut Choice<'_>) -> Self {
        let id = match choice.byte() % 6 {
            0 => Structure::ConnectionId(Any::any(choice)),
            1 => Structure::SessionId(Any::any(choice)),
            2 => Structure::ConsumerId(Any::any(choice)),
            3 => Structure::ProducerId(Any::any(choice)),
            4 => Structure::BrokerId(Any::any(choice)),
            _ => Structure::Destination(Any::any(choice)),
        };
        Self {
            command_id: Any::any(choice),
            response_required: Any::any(choice),
            object_id: bool::any(choice).then(|| Arc::new(id)),
            last_delivered_sequence_id: Any::any(choice),
        }
    }
}

macro_rules! any {
    ($($name:ident { $($field:ident),* })*) => {
        $(impl Any for $name {
            fn any(choice: &mut Choice<'_>) -> Self {
                Self { $($field: Any::any(choice),)* }
            }
        })*
    };
}

any! {
    WireFormatInfo { magic, version, marshalled_properties }
    BrokerInfo {
        command_id, response_required, broker_id, broker_url, peer_broker_infos, broker_name,
        slave_broker, master_broker, fault_tolerant_configuration, duplex_connection, network_connection,
        connection_id, broker_upload_url, network_properties
    }
    ConnectionInfo {
        command_id, response_required, connection_id, client_id, password, user_name, broker_path,
        broker_master_connector, manageable, client_master, fault_tolerant, failover_reconnect, client_ip
    }
    SessionInfo { command_id, response_required, session_id }
    ConsumerInfo {
        command_id, response_required, consumer_id, browser, destination, prefetch_size,
        maximum_pending_message_limit, dispatch_async, selector, client_id, subscription_name, no_local,
        exclusive, retroactive, priority, broker_path, additional_predicate, network_subscription,
        optimized_acknowledge, no_range_acks, network_consumer_path
    }
    ProducerInfo {
        command_id, response_required, producer_id, destination, broker_path, dispatch_async, window_size
    }
    TransactionInfo { command_id, response_required, connection_id, transaction_id, operation }
    DestinationInfo {
        command_id, response_required, connection_id, destination, operation_type, timeout, broker_path
    }
    RemoveSubscriptionInfo { command_id, response_required, connection_id, subscription_name, client_id }
    KeepAliveInfo { command_id, response_required }
    ShutdownInfo { command_id, response_required }
    ControlCommand { command_id, response_required, command }
    FlushCommand { command_id, response_required }
    ConnectionError { command_id, response_required, exception, connection_id }
    ConsumerControl {
        command_id, response_required, destination, close, consumer_id, prefetch, flush, start, stop
    }
    ConnectionControl {
        command_id, response_required, close, exit, fault_tolerant, resume, suspend, connected_brokers,
        reconnect_to, rebalance_connection, token
    }
    ProducerAck { command_id, response_required, producer_id, size }
    MessagePull {
        command_id, response_required, consumer_id, destination, timeout, correlation_id, message_id
    }
    MessageDispatch { command_id, response_required, consumer_id, destination, message, redelivery_counter }
    MessageAck {
        command_id, response_required, destination, transaction_id, consumer_id, ack_type,
        first_message_id, last_message_id, message_count, poison_cause
    }
    Response { command_id, response_required, correlation_id }
    ExceptionResponse { command_id, response_required, correlation_id, exception }
    DataResponse { command_id, response_required, correlation_id, data }
    DataArrayResponse { command_id, response_required, correlation_id, data }
    IntegerResponse { command_id, response_required, correlation_id, result }
    DiscoveryEvent { service_name, broker_name }
    JournalTopicAck {
        destination, message_id, message_sequence_id, subscription_name, client_id, transaction_id
    }
    JournalQueueAck { destination, message_ack }
    JournalTrace { message }
    JournalTransaction { transaction_id, operation, was_prepared }
    SubscriptionInfo { client_id, destination, selector, subscription_name, subscribed_destination, no_local }
    PartialCommand { command_id, data }
    LastPartialCommand { command_id, data }
    ReplayCommand { command_id, response_required, first_nak_number, last_nak_number }
    MessageDispatchNotification {
        command_id, response_required, consumer_id, destination, delivery_sequence_id, message_id
    }
    NetworkBridgeFilter { network_ttl, network_broker_id, message_ttl, consumer_ttl }
    BrokerSubscriptionInfo { command_id, response_required, broker_id, broker_name, subscription_infos }
    MessageId { text_view, producer_id, producer_sequence_id, broker_sequence_id }
    LocalTransactionId { value, connection_id }
    XATransactionId { format_id, global_transaction_id, branch_qualifier }
    ConnectionId { value }
    SessionId { connection_id, value }
    ConsumerId { connection_id, session_id, value }
    ProducerId { connection_id, value, session_id }
    BrokerId { value }
}

macro_rules! any_structure {
    ($($name:ident),* $(,)?) => {
        impl Any for Structure {
            fn any(choice: &mut Choice<'_>) -> Self {
                const KINDS: &[fn(&mut Choice<'_>) -> Structure] =
                    &[$(|choice| Structure::$name(Any::any(choice))),*];
                KINDS[usize::from(choice.byte()) % KINDS.len()](choice)
            }
        }
    };
}

any_structure! {
    WireFormatInfo, BrokerInfo, ConnectionInfo, SessionInfo, ConsumerInfo, ProducerInfo, TransactionInfo,
    DestinationInfo, RemoveSubscriptionInfo, KeepAliveInfo, ShutdownInfo, RemoveInfo, ControlCommand,
    FlushCommand, ConnectionError, ConsumerControl, ConnectionControl, ProducerAck, MessagePull,
    MessageDispatch, MessageAck, Response, ExceptionResponse, DataResponse, DataArrayResponse,
    IntegerResponse, DiscoveryEvent, JournalTopicAck, JournalQueueAck, JournalTrace, JournalTransaction,
    SubscriptionInfo, PartialCommand, LastPartialCommand, ReplayCommand, MessageDispatchNotification,
    NetworkBridgeFilter, BrokerSubscriptionInfo, MessageId, LocalTransactionId, XATransactionId,
    ConnectionId, SessionId, ConsumerId, ProducerId, BrokerId, Message, Destination,
}
