//! The frames of both sides, each in one call.

use bytes::BytesMut;

use super::write::Encoder;
use crate::frame::{Command, Version};

/// What follows the body of a frame that [`encode_head`] or [`Encoder::head`] began.
pub const FRAME_END: &[u8] = b"\0";

/// Appends MESSAGE up to its blank line: the server's headers, then `raw`, which is the sender's header
/// lines, escaped for this version and ending in LF. The caller adds the body and [`FRAME_END`], so
/// that a body can be written by reference.
pub fn encode_head(out: &mut BytesMut, version: Version, message: &Message<'_>, raw: &[u8]) {
    let mut frame = Encoder::new(out, Command::Message, version)
        .maybe("subscription", message.subscription)
        .known("message-id", message.message_id)
        .maybe("destination", message.destination)
        .maybe("ack", message.ack);
    if message.redelivered {
        frame = frame.known("redelivered", "true");
    }
    if let Some(length) = message.content_length {
        frame = frame.number("content-length", length as u64);
    }
    frame.raw(raw).head();
}

/// The server's headers of a MESSAGE.
#[derive(Clone, Copy, Debug, Default)]
pub struct Message<'a> {
    /// The id the client gave in SUBSCRIBE; required from 1.1.
    pub subscription: Option<&'a str>,
    /// Unique on the connection.
    pub message_id: &'a str,
    /// Where the message was sent to; none where the raw lines say it.
    pub destination: Option<&'a str>,
    /// What ACK and NACK must name; 1.2, if the subscription acknowledges.
    pub ack: Option<&'a str>,
    /// Adds `redelivered:true`.
    pub redelivered: bool,
    /// Bytes of the body; none for a text body without NUL whose receivers shall take it for text.
    pub content_length: Option<usize>,
}

/// Appends CONNECTED. `server` is a name with an optional version, `name/1.0`; `heart_beat` is what
/// the server offers, none for a 1.0 client.
pub fn encode_connected(
    out: &mut BytesMut,
    version: Version,
    session: &str,
    server: &str,
    heart_beat: Option<crate::HeartBeat>,
) {
    let heart_beat = heart_beat.map(|beat| beat.to_string());
    Encoder::new(out, Command::Connected, version)
        .known("version", version.as_str())
        .known("session", session)
        .known("server", server)
        .maybe("heart-beat", heart_beat.as_deref())
        .end();
}

/// Appends RECEIPT for the frame that carried `receipt:id`.
pub fn encode_receipt(out: &mut BytesMut, version: Version, id: &str) {
    Encoder::new(out, Command::Receipt, version).known("receipt-id", id).end();
}

/// Appends ERROR: `message` in one line, `receipt` of the frame at fault if it asked for one, and
/// `detail` as the body, if any. After it the connection is closed.
pub fn encode_error(
    out: &mut BytesMut,
    version: Version,
    message: &str,
    receipt: Option<&str>,
    detail: &str,
) {
    let frame =
        Encoder::new(out, Command::Error, version).known("message", message).maybe("receipt-id", receipt);
    if detail.is_empty() {
        frame.end();
    } else {
        frame.known("content-type", "text/plain").body(detail.as_bytes());
    }
}

/// Appends the ERROR that answers a CONNECT without a common version, and says which ones there are.
pub fn encode_version_refused(out: &mut BytesMut) {
    let text = crate::Error::Version.to_string();
    Encoder::new(out, Command::Error, Version::V1_0)
        .known("version", crate::SUPPORTED_VERSIONS)
        .known("message", &text)
        .known("content-type", "text/plain")
        .body(text.as_bytes());
}

/// Appends CONNECT. Its headers are never escaped; see [`Encoder::header`] for what that loses.
pub fn encode_connect(out: &mut BytesMut, connect: &Connect<'_>) {
    let heart_beat = connect.heart_beat.map(|beat| beat.to_string());
    Encoder::new(out, Command::Connect, Version::V1_2)
        .known("accept-version", connect.accept_version)
        .known("host", connect.host)
        .maybe("login", connect.login)
        .maybe("passcode", connect.passcode)
        .maybe("client-id", connect.client_id)
        .maybe("heart-beat", heart_beat.as_deref())
        .end();
}

/// The headers of a CONNECT.
#[derive(Clone, Copy, Default)]
pub struct Connect<'a> {
    /// The versions the client speaks, such as [`SUPPORTED_VERSIONS`](crate::SUPPORTED_VERSIONS).
    pub accept_version: &'a str,
    /// The virtual host.
    pub host: &'a str,
    /// The name to log in by.
    pub login: Option<&'a str>,
    /// The password.
    pub passcode: Option<&'a str>,
    /// The name of the client, for durable subscriptions.
    pub client_id: Option<&'a str>,
    /// What the client offers and wants.
    pub heart_beat: Option<crate::HeartBeat>,
}

/// Without the passcode, so that a log line cannot hold it.
impl std::fmt::Debug for Connect<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect")
            .field("accept_version", &self.accept_version)
            .field("host", &self.host)
            .field("login", &self.login)
            .field("client_id", &self.client_id)
            .field("heart_beat", &self.heart_beat)
            .finish_non_exhaustive()
    }
}

/// Appends SEND with its body behind a content-length. `headers` are the application's.
pub fn encode_send(
    out: &mut BytesMut,
    version: Version,
    send: &Sent<'_>,
    headers: &[(&str, &str)],
    body: &[u8],
) {
    let frame = Encoder::new(out, Command::Send, version)
        .known("destination", send.destination)
        .maybe("receipt", send.receipt)
        .maybe("transaction", send.transaction);
    headers.iter().fold(frame, |frame, (name, value)| frame.header(name, value)).body(body);
}

/// The protocol's own headers of a SEND.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent<'a> {
    /// Where to.
    pub destination: &'a str,
    /// Asks for a RECEIPT with this id.
    pub receipt: Option<&'a str>,
    /// The transaction it belongs to.
    pub transaction: Option<&'a str>,
}

/// Appends SUBSCRIBE.
pub fn encode_subscribe(
    out: &mut BytesMut,
    version: Version,
    subscribe: &Subscribe<'_>,
    headers: &[(&str, &str)],
) {
    let frame = Encoder::new(out, Command::Subscribe, version)
        .known("id", subscribe.id)
        .known("destination", subscribe.destination)
        .known("ack", subscribe.ack.as_str())
        .maybe("receipt", subscribe.receipt);
    headers.iter().fold(frame, |frame, (name, value)| frame.header(name, value)).end();
}

/// The protocol's own headers of a SUBSCRIBE.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subscribe<'a> {
    /// Unique on the connection.
    pub id: &'a str,
    /// Where from.
    pub destination: &'a str,
    /// How deliveries are acknowledged.
    pub ack: crate::AckMode,
    /// Asks for a RECEIPT with this id.
    pub receipt: Option<&'a str>,
}

/// Appends UNSUBSCRIBE for the subscription `id`.
pub fn encode_unsubscribe(out: &mut BytesMut, version: Version, id: &str, receipt: Option<&str>) {
    Encoder::new(out, Command::Unsubscribe, version).known("id", id).maybe("receipt", receipt).end();
}

/// Appends ACK for the delivery `id` of `subscription`: in 1.2 the `ack` header of the MESSAGE, before
/// that its `message-id`. `transaction` makes it part of one.
pub fn encode_ack(
    out: &mut BytesMut,
    version: Version,
    id: &str,
    subscription: &str,
    transaction: Option<&str>,
) {
    settle(out, Command::Ack, version, id, subscription, transaction);
}

/// Appends NACK; as [`encode_ack`].
pub fn encode_nack(
    out: &mut BytesMut,
    version: Version,
    id: &str,
    subscription: &str,
    transaction: Option<&str>,
) {
    settle(out, Command::Nack, version, id, subscription, transaction);
}

/// Appends BEGIN.
pub fn encode_begin(out: &mut BytesMut, version: Version, transaction: &str, receipt: Option<&str>) {
    transact(out, Command::Begin, version, transaction, receipt);
}

/// Appends COMMIT.
pub fn encode_commit(out: &mut BytesMut, version: Version, transaction: &str, receipt: Option<&str>) {
    transact(out, Command::Commit, version, transaction, receipt);
}

/// Appends ABORT.
pub fn encode_abort(out: &mut BytesMut, version: Version, transaction: &str, receipt: Option<&str>) {
    transact(out, Command::Abort, version, transaction, receipt);
}

/// Appends DISCONNECT; with a receipt the client learns that all before it has arrived.
pub fn encode_disconnect(out: &mut BytesMut, version: Version, receipt: Option<&str>) {
    Encoder::new(out, Command::Disconnect, version).maybe("receipt", receipt).end();
}

fn settle(
    out: &mut BytesMut,
    command: Command,
    version: Version,
    id: &str,
    subscription: &str,
    transaction: Option<&str>,
) {
    let frame = Encoder::new(out, command, version);
    match version {
        Version::V1_2 => frame.known("id", id),
        _ => frame.known("message-id", id).known("subscription", subscription),
    }
    .maybe("transaction", transaction)
    .end();
}

fn transact(
    out: &mut BytesMut,
    command: Command,
    version: Version,
    transaction: &str,
    receipt: Option<&str>,
) {
    Encoder::new(out, command, version).known("transaction", transaction).maybe("receipt", receipt).end();
}
