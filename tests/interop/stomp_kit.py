"""A stomp.py connection for scripts: every frame that matters is confirmed, everything received lands in a box."""

import os

import stomp

from waiting import Box, same

# The broker the scripts run against; where the two differ, a script says so with this.
ON_ACTIVEMQ = os.environ.get("PEER") == "activemq"


class Listener(stomp.ConnectionListener):
    def __init__(self):
        self.messages = Box()
        self.errors = Box()
        self.receipts = Box()
        self.connected = Box()
        self.lost = Box()
        # RECEIPT, ERROR and the end of the connection in the order they came: whoever waits for one hears of each.
        self.answers = Box()

    def on_connected(self, frame):
        self.connected.put(frame.headers)

    def on_message(self, frame):
        self.messages.put(frame)

    def on_error(self, frame):
        self.errors.put(frame)
        self.answers.put(("ERROR", f"{frame.headers.get('message', '')}\n{frame.body}"))

    def on_receipt(self, frame):
        self.receipts.put(frame.headers["receipt-id"])
        self.answers.put(("RECEIPT", frame.headers["receipt-id"]))

    def on_disconnected(self):
        self.lost.put(True)
        self.answers.put(("CLOSED", ""))


class Client:
    """A connection with its listener."""

    def __init__(self, port, kind=stomp.Connection12, headers=None, **options):
        self.connection = kind([("127.0.0.1", port)], **options)
        self.heard = Listener()
        self.connection.set_listener("case", self.heard)
        self.connection.connect(wait=True, headers=headers or {}, with_connect_command=True)
        self.greeting = self.heard.connected.take("CONNECTED")
        self.count = 0

    def receipt(self):
        self.count += 1
        return f"receipt-{self.count}"

    def confirmed(self, send, **headers):
        """Calls `send` with the headers and a receipt, and waits for that receipt."""
        wanted = self.receipt()
        send({**headers, "receipt": wanted})
        same(self.heard.answers.take("RECEIPT"), ("RECEIPT", wanted))

    def refused(self, command, headers, body="", silent=False):
        """Sends a frame that must be answered with ERROR, whose text is given.

        Where `silent` says so, the end of the connection without a word will do as well.
        """
        self.connection.send_frame(command, {**headers, "receipt": self.receipt()}, body)
        kind, text = self.heard.answers.take("ERROR")
        assert kind == "ERROR" or (silent and kind == "CLOSED"), f"{command} was answered with {kind} {text}"
        return text

    def send(self, destination, body, receipt=True, **headers):
        headers.setdefault("persistent", "true")
        if receipt:
            self.confirmed(lambda all_headers: self.connection.send(destination, body, headers=all_headers), **headers)
        else:
            self.connection.send(destination, body, headers=headers)

    def subscribe(self, destination, number="1", ack="auto", **headers):
        self.confirmed(
            lambda all_headers: self.connection.subscribe(destination, number, ack, headers=all_headers), **headers
        )

    def unsubscribe(self, number="1", **headers):
        self.frame("UNSUBSCRIBE", id=number, **headers)

    def frame(self, command, **headers):
        self.confirmed(lambda all_headers: self.connection.send_frame(command, all_headers), **headers)

    def ack(self, frame, **headers):
        self.frame("ACK", id=frame.headers["ack"], **headers)

    def nack(self, frame, **headers):
        self.frame("NACK", id=frame.headers["ack"], **headers)

    def begin(self, transaction):
        self.frame("BEGIN", transaction=transaction)

    def commit(self, transaction):
        self.frame("COMMIT", transaction=transaction)

    def abort(self, transaction):
        self.frame("ABORT", transaction=transaction)

    def take(self, seconds=None):
        """The next message."""
        return self.heard.messages.take(seconds=seconds)

    def takes(self, *bodies):
        """Takes as many messages, which must have these bodies in this order; gives their frames."""
        frames = [self.take() for _ in bodies]
        same([frame.body for frame in frames], list(bodies))
        return frames

    def takes_any(self, *bodies):
        """Takes as many messages, which must have these bodies in any order; gives their frames."""
        frames = [self.take() for _ in bodies]
        same(sorted(frame.body for frame in frames), sorted(bodies))
        return frames

    def nothing(self):
        """Nothing comes for a while."""
        self.heard.messages.nothing()

    def leave(self):
        """Says goodbye, and waits until the connection has ended."""
        self.connection.disconnect()
        self.heard.lost.take("the end of the connection")

    def drop(self):
        """Ends the connection as a crash would: without a word."""
        self.connection.transport.disconnect_socket()


def shown(frame, *names):
    """These headers of a frame; None where it has none."""
    return tuple(frame.headers.get(name) for name in names)


def found(port, queue, body):
    """Takes messages from the queue up to one with this body, which is given."""
    client = Client(port)
    client.subscribe(queue)
    while (frame := client.take()).body != body:
        pass
    client.leave()
    return frame


def rest(port, queue):
    """The bodies of what a new consumer finds in the queue; empties it."""
    client = Client(port)
    client.send(queue, "the end")
    client.subscribe(queue)
    found = []
    while (body := client.take().body) != "the end":
        found.append(body)
    client.leave()
    return found
