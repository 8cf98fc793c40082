//! Payloads as JSON, in the shape that ActiveMQ gives them for STOMP: one member, named after the structure.

use serde_json::{Map, Value, json};
use wharfmq_openwire::{
    ConnectionId, ConsumerId, Destination, DestinationKind, Message, MessageKind, ProducerId, Structure, Text,
};

/// The JSON text of a payload.
pub(super) fn text(payload: &Structure) -> String {
    let (name, value) = match payload {
        Structure::ConnectionInfo(info) => (
            "ConnectionInfo",
            json!({
                "connectionId": info.connection_id.as_deref().map(connection),
                "clientId": shown(info.client_id.as_ref()),
                "clientIp": shown(info.client_ip.as_ref()),
                "userName": shown(info.user_name.as_ref()),
                "manageable": info.manageable,
                "faultTolerant": info.fault_tolerant,
                "failoverReconnect": info.failover_reconnect,
            }),
        ),
        Structure::DestinationInfo(info) => (
            "DestinationInfo",
            json!({
                "connectionId": info.connection_id.as_deref().map(connection),
                "destination": info.destination.as_deref().map(destination),
                "operationType": info.operation_type,
                "timeout": info.timeout,
            }),
        ),
        Structure::ConsumerInfo(info) => (
            "ConsumerInfo",
            json!({
                "consumerId": info.consumer_id.as_deref().map(consumer),
                "destination": info.destination.as_deref().map(destination),
                "prefetchSize": info.prefetch_size,
                "browser": info.browser,
                "dispatchAsync": info.dispatch_async,
                "selector": shown(info.selector.as_ref()),
                "clientId": shown(info.client_id.as_ref()),
                "subscriptionName": shown(info.subscription_name.as_ref()),
                "noLocal": info.no_local,
                "exclusive": info.exclusive,
                "retroactive": info.retroactive,
                "priority": info.priority,
            }),
        ),
        Structure::ProducerInfo(info) => (
            "ProducerInfo",
            json!({
                "producerId": info.producer_id.as_deref().map(producer),
                "destination": info.destination.as_deref().map(destination),
                "windowSize": info.window_size,
            }),
        ),
        Structure::RemoveInfo(info) => (
            "RemoveInfo",
            json!({
                "objectId": info.object_id.as_deref().map(object),
                "lastDeliveredSequenceId": info.last_delivered_sequence_id,
            }),
        ),
        Structure::Message(message) => (class(message.kind), self::message(message)),
        _ => return String::new(),
    };
    json!({ name: without_nulls(value) }).to_string()
}

fn message(message: &Message) -> Value {
    let id = message.message_id.as_ref();
    json!({
        "messageId": id.map(|id| without_nulls(json!({
            "textView": shown(id.text_view.as_ref()),
            "producerId": id.producer_id.as_deref().map(producer),
            "producerSequenceId": id.producer_sequence_id,
            "brokerSequenceId": id.broker_sequence_id,
        }))),
        "destination": message.destination.as_deref().map(destination),
        "originalDestination": message.original_destination.as_deref().map(destination),
        "correlationId": shown(message.correlation_id.as_ref()),
        "replyTo": message.reply_to.as_deref().map(destination),
        "type": shown(message.jms_type.as_ref()),
        "expiration": message.expiration,
        "timestamp": message.timestamp,
        "brokerInTime": message.broker_in_time,
        "persistent": message.persistent,
        "priority": message.priority,
    })
}

fn class(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Plain => "ActiveMQMessage",
        MessageKind::Bytes => "ActiveMQBytesMessage",
        MessageKind::Map => "ActiveMQMapMessage",
        MessageKind::Object => "ActiveMQObjectMessage",
        MessageKind::Stream => "ActiveMQStreamMessage",
        MessageKind::Text => "ActiveMQTextMessage",
        MessageKind::Blob => "ActiveMQBlobMessage",
    }
}

fn destination(destination: &Destination) -> Value {
    let class = match destination.kind {
        DestinationKind::Queue => "ActiveMQQueue",
        DestinationKind::Topic => "ActiveMQTopic",
        DestinationKind::TempQueue => "ActiveMQTempQueue",
        DestinationKind::TempTopic => "ActiveMQTempTopic",
    };
    json!({ "@class": class, "string": shown(destination.physical_name.as_ref()) })
}

fn connection(id: &ConnectionId) -> Value {
    json!({ "value": shown(id.value.as_ref()) })
}

fn consumer(id: &ConsumerId) -> Value {
    json!({ "connectionId": shown(id.connection_id.as_ref()), "sessionId": id.session_id, "value": id.value })
}

fn producer(id: &ProducerId) -> Value {
    json!({ "connectionId": shown(id.connection_id.as_ref()), "sessionId": id.session_id, "value": id.value })
}

/// An id that says what it is of.
fn object(id: &Structure) -> Value {
    let (class, mut value) = match id {
        Structure::ConnectionId(id) => ("ConnectionId", connection(id)),
        Structure::ConsumerId(id) => ("ConsumerId", consumer(id)),
        Structure::ProducerId(id) => ("ProducerId", producer(id)),
        _ => return Value::Null,
    };
    if let Some(members) = value.as_object_mut() {
        members.insert("@class".into(), class.into());
    }
    value
}

fn shown(text: Option<&Text>) -> Option<String> {
    text.map(Text::to_string)
}

/// What is not there is not mentioned.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
        }
        other => other,
    }
}
