"""Full queues, and paused ones. WharfMQ only. flow.py MQTT_PORT STOMP_PORT CASE

settings.toml gives these queues room for three messages. ActiveMQ bounds a queue by memory alone and spools to disk.
"""

from kit import Client, rest, run, same, shown


def full(port, queue):
    """A producer that has sent as much as the queue takes."""
    client = Client(port)
    for n in range(3):
        client.send(queue, str(n))
    return client


def refused(_, port):
    """`overflow = "reject"`."""
    queue = "/queue/flow.refuse.orders"
    client = full(port, queue)
    text = client.refused("SEND", {"destination": queue, "persistent": "true"}, "3")
    assert "full" in text, text
    reader = Client(port)
    reader.subscribe(queue)
    reader.takes("0", "1", "2")
    reader.nothing()
    reader.leave()


def blocked(_, port):
    """`overflow = "block"`: the receipt comes when there is room."""
    queue = "/queue/flow.block.orders"
    client = full(port, queue)
    client.connection.send(queue, "3", headers={"persistent": "true", "receipt": "later"})
    client.heard.answers.nothing(1.0)
    reader = Client(port)
    reader.subscribe(queue, ack="client-individual")
    frames = reader.takes("0", "1", "2")
    client.heard.answers.nothing()
    reader.ack(frames[0])
    same(client.heard.answers.take("RECEIPT"), ("RECEIPT", "later"))
    reader.takes("3")
    reader.leave()
    client.leave()


def dead_letters(_, port):
    """`overflow = "dead-letter"`: the oldest makes room."""
    queue = "/queue/flow.dead.orders"
    client = full(port, queue)
    client.send(queue, "3")
    client.subscribe("/queue/DLQ.flow.dead.orders", "dead")
    dead = client.takes("0")[0]
    same(shown(dead, "original-destination"), (queue,))
    assert dead.headers["dlqDeliveryFailureCause"], dead.headers
    client.unsubscribe("dead")
    client.subscribe(queue)
    client.takes("1", "2", "3")
    client.leave()


def in_a_transaction(_, port):
    """A transaction that does not fit is refused as a whole."""
    queue = "/queue/flow.refuse.transaction"
    client = Client(port)
    client.begin("t")
    for n in range(4):
        client.send(queue, str(n), transaction="t")
    client.refused("COMMIT", {"transaction": "t"})
    reader = Client(port)
    reader.subscribe(queue)
    reader.nothing()
    reader.leave()


def paused(_, port):
    """`paused = true`: messages are taken and can be looked at, but nobody gets one."""
    queue = "/queue/flow.paused.orders"
    client = full(port, queue)
    client.subscribe(queue)
    client.nothing()
    looker = Client(port)
    looker.subscribe(queue, browser="true")
    frames = [looker.take() for _ in range(4)]
    same([frame.body for frame in frames[:3]], ["0", "1", "2"])
    same(frames[3].headers["browser"], "end")
    looker.leave()
    client.leave()


def acknowledged_makes_room(_, port):
    queue = "/queue/flow.refuse.room"
    client = full(port, queue)
    client.subscribe(queue, ack="client-individual")
    frames = client.takes("0", "1", "2")
    client.ack(frames[1])
    client.send(queue, "3")
    client.leave()
    same(rest_of_full(port, queue), ["0", "2", "3"])


def rest_of_full(port, queue):
    """Like `rest`, which would need room for one more message."""
    client = Client(port)
    client.subscribe(queue)
    found = [client.take().body for _ in range(3)]
    client.nothing()
    client.leave()
    same(rest(port, queue), [])
    return found


run(
    {
        "refused": refused,
        "blocked": blocked,
        "dead_letters": dead_letters,
        "in_a_transaction": in_a_transaction,
        "paused": paused,
        "acknowledged_makes_room": acknowledged_makes_room,
    }
)
