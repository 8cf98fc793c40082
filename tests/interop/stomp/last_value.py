"""Last values: a later message of the same key replaces the earlier one. WharfMQ only.

last_value.py MQTT_PORT STOMP_PORT CASE
"""

from kit import Client, rest, run, same


def sent(port, queue, *messages):
    """Sends pairs of key and body; gives the client."""
    client = Client(port)
    for key, body in messages:
        client.send(queue, body, **({"key": key} if key else {}))
    return client


def replaced(_, port):
    queue = "/queue/last-value.replaced"
    sent(port, queue, ("a", "1"), ("b", "2"), ("a", "3"), ("a", "4"), ("c", "5")).leave()
    same(sorted(rest(port, queue)), ["2", "4", "5"])


def without_key(_, port):
    queue = "/queue/last-value.without"
    sent(port, queue, (None, "1"), (None, "2"), ("a", "3"), (None, "4")).leave()
    same(rest(port, queue), ["1", "2", "3", "4"])


def in_hand(_, port):
    """What a consumer holds already is not taken back; the new value follows it."""
    queue = "/queue/last-value.in-hand"
    client = sent(port, queue, ("a", "1"))
    client.subscribe(queue, ack="client-individual", **{"activemq.prefetchSize": "1"})
    frame = client.takes("1")[0]
    client.send(queue, "2", key="a")
    client.send(queue, "3", key="a")
    client.ack(frame)
    client.ack(client.takes("3")[0])
    client.nothing()
    client.leave()
    same(rest(port, queue), [])


def browsed(_, port):
    queue = "/queue/last-value.browsed"
    client = sent(port, queue, ("a", "1"), ("b", "2"), ("a", "3"))
    client.subscribe(queue, browser="true")
    frames = [client.take() for _ in range(3)]
    same(sorted(frame.body for frame in frames[:2]), ["2", "3"])
    same(frames[2].headers["browser"], "end")
    client.leave()


def in_a_transaction(_, port):
    queue = "/queue/last-value.transaction"
    client = sent(port, queue, ("a", "1"))
    client.begin("t")
    client.send(queue, "2", key="a", transaction="t")
    client.abort("t")
    client.begin("t")
    client.send(queue, "3", key="b", transaction="t")
    client.send(queue, "4", key="b", transaction="t")
    client.commit("t")
    client.leave()
    same(sorted(rest(port, queue)), ["1", "4"])


run(
    {
        "replaced": replaced,
        "without_key": without_key,
        "in_hand": in_hand,
        "browsed": browsed,
        "in_a_transaction": in_a_transaction,
    }
)
