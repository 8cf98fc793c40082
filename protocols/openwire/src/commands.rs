//! The commands, as tables: fields in the order of the wire, each with the versions that have it.

use std::sync::Arc;

use bytes::Bytes;

use crate::destination::Destination;
use crate::ids::{BrokerId, ConnectionId, ConsumerId, MessageId, ProducerId, SessionId, TransactionId};
use crate::message::Message;
use crate::structure::{Structure, structures};
use crate::text::Text;
use crate::throwable::Throwable;

structures! {
    /// What a side proposes, as the first command of a connection. Always loose and uncached.
    WireFormatInfo = 1 {
        magic: [u8; 8];
        version: i32;
        marshalled_properties: Option<Bytes>;
    }
    /// Who the broker is; sent to each client unasked.
    BrokerInfo = 2 {
        command_id: i32;
        response_required: bool;
        broker_id: Option<Arc<BrokerId>>;
        broker_url: Option<Text>;
        peer_broker_infos: Option<Vec<Option<Box<BrokerInfo>>>>;
        broker_name: Option<Text>;
        slave_broker: bool;
        master_broker: bool;
        fault_tolerant_configuration: bool;
        duplex_connection: bool, in 2..=12;
        network_connection: bool, in 2..=12;
        connection_id: i64, in 2..=12;
        broker_upload_url: Option<Text>, in 3..=12;
        network_properties: Option<Text>, in 3..=12;
    }
    /// A client introduces its connection, and logs in.
    ConnectionInfo = 3 {
        command_id: i32;
        response_required: bool;
        connection_id: Option<Arc<ConnectionId>>;
        client_id: Option<Text>;
        password: Option<Text>;
        user_name: Option<Text>;
        broker_path: Option<Vec<Option<Box<BrokerId>>>>;
        broker_master_connector: bool;
        manageable: bool;
        client_master: bool, in 2..=12;
        fault_tolerant: bool, in 6..=12;
        failover_reconnect: bool, in 6..=12;
        client_ip: Option<Text>, in 8..=12;
    }
    /// A client opens a session.
    SessionInfo = 4 {
        command_id: i32;
        response_required: bool;
        session_id: Option<Arc<SessionId>>;
    }
    /// A client opens a consumer. In the payload of an advisory: one was opened.
    ConsumerInfo = 5 {
        command_id: i32;
        response_required: bool;
        consumer_id: Option<Arc<ConsumerId>>;
        browser: bool;
        destination: Option<Arc<Destination>>;
        prefetch_size: i32;
        maximum_pending_message_limit: i32;
        dispatch_async: bool;
        selector: Option<Text>;
        client_id: Option<Text>, in 10..=12;
        subscription_name: Option<Text>;
        no_local: bool;
        exclusive: bool;
        retroactive: bool;
        priority: i8;
        broker_path: Option<Vec<Option<Box<BrokerId>>>>;
        additional_predicate: Option<Box<Structure>>;
        network_subscription: bool;
        optimized_acknowledge: bool;
        no_range_acks: bool;
        network_consumer_path: Option<Vec<Option<Box<ConsumerId>>>>, in 4..=12;
    }
    /// A client opens a producer.
    ProducerInfo = 6 {
        command_id: i32;
        response_required: bool;
        producer_id: Option<Arc<ProducerId>>;
        destination: Option<Arc<Destination>>;
        broker_path: Option<Vec<Option<Box<BrokerId>>>>;
        dispatch_async: bool, in 2..=12;
        window_size: i32, in 3..=12;
    }
    /// A step of a local or an XA transaction.
    TransactionInfo = 7 {
        command_id: i32;
        response_required: bool;
        connection_id: Option<Arc<ConnectionId>>;
        transaction_id: Option<Arc<TransactionId>>;
        operation: i8;
    }
    /// A client adds or removes a destination, most often a temporary one.
    DestinationInfo = 8 {
        command_id: i32;
        response_required: bool;
        connection_id: Option<Arc<ConnectionId>>;
        destination: Option<Arc<Destination>>;
        operation_type: i8;
        timeout: i64;
        broker_path: Option<Vec<Option<Box<BrokerId>>>>;
    }
    /// A client ends a durable subscription.
    RemoveSubscriptionInfo = 9 {
        command_id: i32;
        response_required: bool;
        connection_id: Option<Arc<ConnectionId>>;
        subscription_name: Option<Text>;
        client_id: Option<Text>;
    }
    /// Shows that the peer is there. Answered by another one where a response is required.
    KeepAliveInfo = 10 {
        command_id: i32;
        response_required: bool;
    }
    /// The peer is about to close the connection.
    ShutdownInfo = 11 {
        command_id: i32;
        response_required: bool;
    }
    /// A client ends what has this id: a consumer, a producer, a session or the connection.
    RemoveInfo = 12 {
        command_id: i32;
        response_required: bool;
        object_id: Option<Arc<Structure>>;
        last_delivered_sequence_id: i64, in 5..=12;
    }
    /// A command to the broker's process; no broker obeys it.
    ControlCommand = 14 {
        command_id: i32;
        response_required: bool;
        command: Option<Text>;
    }
    /// Asks a transport to write what it holds.
    FlushCommand = 15 {
        command_id: i32;
        response_required: bool;
    }
    /// Says that a command failed that nobody waits for.
    ConnectionError = 16 {
        command_id: i32;
        response_required: bool;
        exception: Option<Box<Throwable>>;
        connection_id: Option<Box<ConnectionId>>;
    }
    /// Changes the prefetch of a consumer, or tells a client that one has ended.
    ConsumerControl = 17 {
        command_id: i32;
        response_required: bool;
        destination: Option<Box<Destination>>, in 6..=12;
        close: bool;
        consumer_id: Option<Box<ConsumerId>>;
        prefetch: i32;
        flush: bool, in 2..=12;
        start: bool, in 2..=12;
        stop: bool, in 2..=12;
    }
    /// Tells a client of other brokers, or that this one stops; tells the broker that the client fails over.
    ConnectionControl = 18 {
        command_id: i32;
        response_required: bool;
        close: bool;
        exit: bool;
        fault_tolerant: bool;
        resume: bool;
        suspend: bool;
        connected_brokers: Option<Text>, in 6..=12;
        reconnect_to: Option<Text>, in 6..=12;
        rebalance_connection: bool, in 6..=12;
        token: Option<Bytes>, in 8..=12;
    }
    /// Gives a producer room in its window.
    ProducerAck = 19 {
        command_id: i32;
        response_required: bool;
        producer_id: Option<Box<ProducerId>>, in 3..=12;
        size: i32, in 3..=12;
    }
    /// A consumer without prefetch asks for a message.
    MessagePull = 20 {
        command_id: i32;
        response_required: bool;
        consumer_id: Option<Arc<ConsumerId>>, in 2..=12;
        destination: Option<Arc<Destination>>, in 2..=12;
        timeout: i64, in 2..=12;
        correlation_id: Option<Text>, in 3..=12;
        message_id: Option<MessageId>, in 3..=12;
    }
    /// A message for a consumer. Without one it marks the end of a browse, or of the time to wait.
    MessageDispatch = 21 {
        command_id: i32;
        response_required: bool;
        consumer_id: Option<Arc<ConsumerId>>;
        destination: Option<Arc<Destination>>;
        message: Option<Box<Message>>;
        redelivery_counter: i32;
    }
    /// What a client has done with messages.
    MessageAck = 22 {
        command_id: i32;
        response_required: bool;
        destination: Option<Arc<Destination>>;
        transaction_id: Option<Arc<TransactionId>>;
        consumer_id: Option<Arc<ConsumerId>>;
        ack_type: i8;
        first_message_id: Option<MessageId>;
        last_message_id: Option<MessageId>;
        message_count: i32;
        poison_cause: Option<Box<Throwable>>, in 7..=12;
    }
    /// A command has succeeded.
    Response = 30 {
        command_id: i32;
        response_required: bool;
        correlation_id: i32;
    }
    /// A command has failed.
    ExceptionResponse = 31 {
        command_id: i32;
        response_required: bool;
        correlation_id: i32;
        exception: Option<Box<Throwable>>;
    }
    /// A command has succeeded with a result.
    DataResponse = 32 {
        command_id: i32;
        response_required: bool;
        correlation_id: i32;
        data: Option<Box<Structure>>;
    }
    /// A command has succeeded with several results.
    DataArrayResponse = 33 {
        command_id: i32;
        response_required: bool;
        correlation_id: i32;
        data: Option<Vec<Option<Box<Structure>>>>;
    }
    /// A command has succeeded with a number.
    IntegerResponse = 34 {
        command_id: i32;
        response_required: bool;
        correlation_id: i32;
        result: i32;
    }
    /// A broker was discovered.
    DiscoveryEvent = 40 {
        service_name: Option<Text>;
        broker_name: Option<Text>;
    }
    /// A record of ActiveMQ's own store.
    JournalTopicAck = 50 {
        destination: Option<Box<Destination>>;
        message_id: Option<MessageId>;
        message_sequence_id: i64;
        subscription_name: Option<Text>;
        client_id: Option<Text>;
        transaction_id: Option<Box<TransactionId>>;
    }
    /// A record of ActiveMQ's own store.
    JournalQueueAck = 52 {
        destination: Option<Box<Destination>>;
        message_ack: Option<Box<MessageAck>>;
    }
    /// A record of ActiveMQ's own store.
    JournalTrace = 53 {
        message: Option<Text>;
    }
    /// A record of ActiveMQ's own store.
    JournalTransaction = 54 {
        transaction_id: Option<Box<TransactionId>>;
        operation: i8;
        was_prepared: bool;
    }
    /// A durable subscription.
    SubscriptionInfo = 55 {
        client_id: Option<Text>;
        destination: Option<Arc<Destination>>;
        selector: Option<Text>;
        subscription_name: Option<Text>;
        subscribed_destination: Option<Box<Destination>>, in 3..=12;
        no_local: bool, in 11..=12;
    }
    /// A part of a command, on transports of datagrams.
    PartialCommand = 60 {
        command_id: i32;
        data: Option<Bytes>;
    }
    /// The last part of a command, on transports of datagrams.
    LastPartialCommand = 61 {
        command_id: i32;
        data: Option<Bytes>;
    }
    /// Asks for commands again, on transports of datagrams.
    ReplayCommand = 65 {
        command_id: i32;
        response_required: bool;
        first_nak_number: i32;
        last_nak_number: i32;
    }
    /// One broker tells another what it has dispatched.
    MessageDispatchNotification = 90 {
        command_id: i32;
        response_required: bool;
        consumer_id: Option<Arc<ConsumerId>>;
        destination: Option<Arc<Destination>>;
        delivery_sequence_id: i64;
        message_id: Option<MessageId>;
    }
    /// Which messages cross a bridge between brokers.
    NetworkBridgeFilter = 91 {
        network_ttl: i32, in 1..=9;
        network_broker_id: Option<Arc<BrokerId>>;
        message_ttl: i32, in 10..=12;
        consumer_ttl: i32, in 10..=12;
    }
    /// The subscriptions of a broker, for a bridge to it.
    BrokerSubscriptionInfo = 92 {
        command_id: i32;
        response_required: bool;
        broker_id: Option<Box<BrokerId>>, in 12..=12;
        broker_name: Option<Text>, in 12..=12;
        subscription_infos: Option<Vec<Option<Box<ConsumerInfo>>>>, in 12..=12;
    }
}
