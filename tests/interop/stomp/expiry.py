"""Expiry of messages. expiry.py MQTT_PORT STOMP_PORT CASE"""

import time

from kit import ON_ACTIVEMQ, Client, found, rest, run, same, shown

DEAD = "/queue/ActiveMQ.DLQ"
SOON = 300


def moment(milliseconds):
    """So many milliseconds from now, as the header wants it."""
    return str(int(time.time() * 1000) + milliseconds)


def shown_while_alive(_, port):
    queue, when = "/queue/expiry.alive", moment(60_000)
    client = Client(port)
    client.subscribe(queue)
    client.send(queue, "1", expires=when)
    client.send(queue, "2", expires="0")
    client.send(queue, "3")
    same([frame.headers["expires"] for frame in client.takes("1", "2", "3")], [when, "0", "0"])
    client.leave()


def to_the_dead_letters(_, port):
    queue, when = "/queue/expiry.dead", moment(SOON)
    client = Client(port)
    client.send(queue, "expired", expires=when, colour="red")
    dead = found(port, DEAD, "expired")
    same(shown(dead, "destination", "original-destination", "expires", "colour"), (DEAD, queue, "0", "red"))
    assert "xpired" in dead.headers["dlqDeliveryFailureCause"], dead.headers
    if ON_ACTIVEMQ:
        same(shown(dead, "originalExpiration"), (when,))
    client.subscribe(queue)
    client.nothing()
    client.leave()


def non_persistent(_, port):
    queue = "/queue/expiry.light"
    client = Client(port)
    client.send(queue, "light", expires=moment(SOON), persistent="false")
    client.send(queue, "heavy", expires=moment(SOON))
    found(port, DEAD, "heavy")
    client.leave()
    assert "light" not in rest(port, DEAD)
    same(rest(port, queue), [])


def in_the_past(_, port):
    """What has expired when it is sent is confirmed, and goes to the dead letters."""
    queue = "/queue/expiry.past"
    client = Client(port)
    client.subscribe(queue)
    client.send(queue, "long ago", expires="1000")
    client.nothing()
    same(shown(found(port, DEAD, "long ago"), "original-destination"), (queue,))
    client.leave()


def in_hand(_, port):
    """What a consumer holds does not expire under it; once given back it does."""
    queue = "/queue/expiry.in-hand"
    client = Client(port)
    client.subscribe(queue, ack="client-individual")
    client.send(queue, "acknowledged", expires=moment(SOON))
    client.send(queue, "given back", expires=moment(SOON))
    frame = client.takes("acknowledged", "given back")[0]
    client.heard.messages.nothing(SOON / 1000 * 2)
    client.ack(frame)
    client.leave()
    same(rest(port, queue), [])
    same(shown(found(port, DEAD, "given back"), "original-destination"), (queue,))
    assert "acknowledged" not in rest(port, DEAD)


def durable_subscription(_, port):
    """ActiveMQ keeps the expired messages of subscriptions as dead letters, WharfMQ drops and counts them."""
    topic, name = "/topic/expiry.durable", {"activemq.subscriptionName": "s"}
    client = Client(port, headers={"client-id": "expiry-durable"})
    client.subscribe(topic, **name)
    client.leave()
    writer = Client(port)
    writer.send(topic, "of a topic", expires=moment(SOON))
    writer.heard.messages.nothing(SOON / 1000 * 3)
    client = Client(port, headers={"client-id": "expiry-durable"})
    client.subscribe(topic, **name)
    client.nothing()
    client.leave()
    writer.leave()
    same("of a topic" in rest(port, DEAD), ON_ACTIVEMQ)


def own_queue(_, port):
    """`expired = "queue://EXPIRED.%n"`. WharfMQ only."""
    queue = "/queue/expiry.own.orders"
    client = Client(port)
    client.send(queue, "mine", expires=moment(SOON))
    dead = found(port, "/queue/EXPIRED.expiry.own.orders", "mine")
    same(shown(dead, "original-destination"), (queue,))
    client.leave()


def dropped(_, port):
    """`expired = "drop"`."""
    client = Client(port)
    client.send("/queue/expiry.drop", "dropped", expires=moment(SOON))
    client.send("/queue/expiry.kept", "kept", expires=moment(SOON))
    found(port, DEAD, "kept")
    client.leave()
    same(rest(port, "/queue/expiry.drop"), [])
    assert "dropped" not in rest(port, DEAD)


run(
    {
        "shown_while_alive": shown_while_alive,
        "to_the_dead_letters": to_the_dead_letters,
        "non_persistent": non_persistent,
        "in_the_past": in_the_past,
        "in_hand": in_hand,
        "durable_subscription": durable_subscription,
        "own_queue": own_queue,
        "dropped": dropped,
    }
)
