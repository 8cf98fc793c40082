"""Duplicates: a message whose identity the queue has seen is confirmed and dropped. WharfMQ only.

dedup.py MQTT_PORT STOMP_PORT CASE
"""

import time

from kit import Client, rest, run, same

IDENTITY = "_AMQ_DUPL_ID"


def sent(port, queue, *messages, name=IDENTITY):
    """Sends pairs of identity and body, each confirmed; gives what the queue then holds."""
    client = Client(port)
    for identity, body in messages:
        client.send(queue, body, **({name: identity} if identity else {}))
    client.leave()
    return rest(port, queue)


def dropped(_, port):
    messages = [("a", "1"), ("b", "2"), ("a", "3"), ("b", "4"), ("c", "5")]
    same(sent(port, "/queue/dedup.dropped", *messages), ["1", "2", "5"])


def without_identity(_, port):
    same(sent(port, "/queue/dedup.without", (None, "1"), (None, "1"), ("", "2")), ["1", "1", "2"])


def after_consumption(_, port):
    """The identity is remembered although the message is long gone."""
    queue = "/queue/dedup.consumed"
    same(sent(port, queue, ("a", "1")), ["1"])
    same(sent(port, queue, ("a", "1"), ("b", "2")), ["2"])


def queue_by_queue(_, port):
    same(sent(port, "/queue/dedup.one", ("a", "1")), ["1"])
    same(sent(port, "/queue/dedup.two", ("a", "1")), ["1"])


def other_header(_, port):
    """`dedup_by = "order-id"`."""
    queue = "/queue/dedup.by-order.all"
    same(sent(port, queue, ("7", "1"), ("7", "2"), ("8", "3"), name="order-id"), ["1", "3"])
    same(sent(port, queue, ("a", "4"), ("a", "5")), ["4", "5"])


def forgotten(_, port):
    """`dedup = "1s"`: what is older is not remembered."""
    queue = "/queue/dedup.short.all"
    client = Client(port)
    client.subscribe(queue)
    client.send(queue, "1", **{IDENTITY: "a"})
    client.takes("1")
    deadline = time.monotonic() + 10
    while client.heard.messages.empty():
        assert time.monotonic() < deadline, "never forgotten"
        client.send(queue, "2", **{IDENTITY: "a"})
        client.heard.lost.nothing()
    client.takes("2")
    client.leave()


def in_transactions(_, port):
    """An aborted transaction leaves no identity behind; within one the second is dropped."""
    queue = "/queue/dedup.transaction"
    client = Client(port)
    client.begin("t")
    client.send(queue, "1", transaction="t", **{IDENTITY: "a"})
    client.abort("t")
    client.begin("t")
    client.send(queue, "2", transaction="t", **{IDENTITY: "a"})
    client.send(queue, "3", transaction="t", **{IDENTITY: "a"})
    client.commit("t")
    client.send(queue, "4", **{IDENTITY: "a"})
    client.leave()
    same(rest(port, queue), ["2"])


run(
    {
        "dropped": dropped,
        "without_identity": without_identity,
        "after_consumption": after_consumption,
        "queue_by_queue": queue_by_queue,
        "other_header": other_header,
        "forgotten": forgotten,
        "in_transactions": in_transactions,
    }
)
