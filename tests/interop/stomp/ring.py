"""Rings: a full queue drops its oldest message. WharfMQ only.

ring.py MQTT_PORT STOMP_PORT CASE

settings.toml gives these queues room for three messages.
"""

from kit import Client, rest, run, same


def fill(port, queue, count):
    client = Client(port)
    for n in range(count):
        client.send(queue, str(n))
    return client


def newest_stay(_, port):
    queue = "/queue/ring.newest"
    fill(port, queue, 8).leave()
    client = Client(port)
    client.subscribe(queue)
    client.takes("5", "6", "7")
    client.nothing()
    client.leave()


def room_is_used_first(_, port):
    queue = "/queue/ring.room"
    fill(port, queue, 3).leave()
    client = Client(port)
    client.subscribe(queue)
    client.takes("0", "1", "2")
    client.leave()


def in_hand(_, port):
    """What a consumer holds is not dropped under it."""
    queue = "/queue/ring.in-hand"
    client = fill(port, queue, 1)
    client.subscribe(queue, ack="client-individual", **{"activemq.prefetchSize": "1"})
    frame = client.takes("0")[0]
    for n in range(1, 6):
        client.send(queue, str(n))
    client.ack(frame)
    got = client.take()
    assert got.body in ("3", "4"), got.body
    client.leave()


def not_to_the_dead_letters(_, port):
    queue = "/queue/ring.dead"
    fill(port, queue, 5).leave()
    same(rest(port, "/queue/ActiveMQ.DLQ"), [])


run(
    {
        "newest_stay": newest_stay,
        "room_is_used_first": room_is_used_first,
        "in_hand": in_hand,
        "not_to_the_dead_letters": not_to_the_dead_letters,
    }
)
