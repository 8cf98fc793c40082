"""Failed deliveries: NACK, counts, pauses, dead letters. redelivery.py MQTT_PORT STOMP_PORT CASE

ActiveMQ sends what a STOMP client refuses to the dead letters at once and counts nothing.
"""

import time

from kit import ON_ACTIVEMQ, Client, found, rest, run, same, shown

DEAD = "/queue/ActiveMQ.DLQ"


def filled(port, queue, count, ack="client-individual"):
    client = Client(port)
    for n in range(count):
        client.send(queue, str(n))
    client.subscribe(queue, ack=ack)
    return client


def refuse_until_dead(client, body):
    """Refuses the message until the broker gives it up; gives how often it was delivered."""
    for count in range(1, 2 if ON_ACTIVEMQ else 4):
        frame = client.takes(body)[0]
        again = ("true", str(count)) if count > 1 else (None, None)
        same(shown(frame, "redelivered", "JMSXDeliveryCount"), again)
        client.nack(frame)
    client.nothing()
    return count


def nack_to_dead_letters(_, port):
    queue = "/queue/redelivery.count"
    client = Client(port)
    client.send(queue, "poison", colour="red", **{"correlation-id": "c1"})
    client.subscribe(queue, ack="client-individual")
    count = refuse_until_dead(client, "poison")
    dead = found(port, DEAD, "poison")
    same(shown(dead, "destination", "original-destination"), (DEAD, queue))
    same(shown(dead, "colour", "correlation-id", "persistent", "redelivered"), ("red", "c1", "true", None))
    if ON_ACTIVEMQ:
        same(shown(dead, "dlqDeliveryFailureCause", "originalExpiration"), (None, "0"))
    else:
        same(shown(dead, "dlq-deliveries", "dlq-queue"), (str(count), "redelivery.count"))
        assert dead.headers["dlqDeliveryFailureCause"], dead.headers
    client.leave()
    same(rest(port, queue), [])


def others_go_on(_, port):
    queue = "/queue/redelivery.others"
    client = filled(port, queue, 3)
    first, second, third = client.takes("0", "1", "2")
    client.nack(second)
    client.ack(first)
    client.ack(third)
    if not ON_ACTIVEMQ:
        client.ack(client.takes("1")[0])
    client.nothing()
    client.leave()
    same(rest(port, queue), [])


def nack_in_client_mode(_, port):
    """NACK holds for all up to that message, as STOMP demands; in ActiveMQ for that message only."""
    queue = "/queue/redelivery.client"
    client = filled(port, queue, 4, ack="client")
    frames = client.takes("0", "1", "2", "3")
    client.nack(frames[2])
    if not ON_ACTIVEMQ:
        again = client.takes_any("0", "1", "2")
        same([frame.headers["JMSXDeliveryCount"] for frame in again], ["2"] * 3)
    client.nothing()
    client.leave()
    left = ["0", "1", "3"] if ON_ACTIVEMQ else ["0", "1", "2", "3"]
    same(sorted(rest(port, queue)), left)


def back_in_order(_, port):
    """What was not acknowledged is there again, in its order, when the consumer is gone."""
    queue = "/queue/redelivery.slow.order"
    client = filled(port, queue, 4)
    frames = client.takes("0", "1", "2", "3")
    client.ack(frames[1])
    client.drop()
    client = Client(port)
    client.subscribe(queue, ack="client-individual")
    frames = client.takes("0", "2", "3")
    same([frame.headers.get("redelivered") for frame in frames], ["true"] * 3)
    client.unsubscribe()
    client.subscribe(queue, "2", ack="client-individual")
    client.takes("0", "2", "3")
    client.leave()


def back_off(_, port):
    queue = "/queue/redelivery.backoff.pauses"
    client = filled(port, queue, 1)
    frame = client.takes("0")[0]
    for pause in [] if ON_ACTIVEMQ else [0.2, 0.6, 1.8]:
        started = time.monotonic()
        client.nack(frame)
        frame = client.takes("0")[0]
        took = time.monotonic() - started
        assert pause * 0.9 <= took <= pause + 1.5, f"{took} s instead of {pause} s"
    client.nack(frame)
    client.nothing()
    client.leave()


def own_dead_letters(_, port):
    queue = "/queue/redelivery.own.orders"
    client = filled(port, queue, 1)
    refuse_until_dead(client, "0")
    dead = found(port, "/queue/DLQ.redelivery.own.orders", "0")
    same(shown(dead, "original-destination"), (queue,))
    client.leave()


def dead_letters_dropped(_, port):
    queue = "/queue/redelivery.drop.orders"
    client = Client(port)
    client.send(queue, "dropped")
    client.subscribe(queue, ack="client-individual")
    refuse_until_dead(client, "dropped")
    client.leave()
    assert "dropped" not in rest(port, DEAD)


def non_persistent(_, port):
    """ActiveMQ drops what is not persistent; here it is worth a look."""
    queue = "/queue/redelivery.light"
    client = Client(port)
    client.send(queue, "light", persistent="false")
    client.subscribe(queue, ack="client-individual")
    refuse_until_dead(client, "light")
    client.leave()
    same(rest(port, DEAD), [] if ON_ACTIVEMQ else ["light"])


def on_a_topic(_, port):
    client = Client(port)
    client.subscribe("/topic/redelivery.topic", ack="client-individual")
    client.send("/topic/redelivery.topic", "once")
    client.nack(client.takes("once")[0])
    client.nothing()
    client.leave()


def within_the_dead_letters(_, port):
    """ActiveMQ forgets a dead letter that is refused; here it stays and comes again."""
    queue = "/queue/redelivery.twice"
    client = filled(port, queue, 1)
    refuse_until_dead(client, "0")
    client.subscribe(DEAD, "2", ack="client-individual")
    client.nack(client.takes("0")[0])
    if not ON_ACTIVEMQ:
        client.takes("0")
    client.leave()
    same(rest(port, DEAD), [] if ON_ACTIVEMQ else ["0"])


def policy_dead_letter(_, port):
    """`nack = "dead-letter"`: as ActiveMQ does it."""
    queue = "/queue/redelivery.refused.orders"
    client = filled(port, queue, 1)
    client.nack(client.takes("0")[0])
    client.nothing()
    same(shown(found(port, DEAD, "0"), "original-destination"), (queue,))
    client.leave()


def policy_discard(_, port):
    """`nack = "discard"`. WharfMQ only."""
    queue = "/queue/redelivery.discarded.orders"
    client = filled(port, queue, 1)
    client.nack(client.takes("0")[0])
    client.nothing()
    client.leave()
    same(rest(port, queue), [])
    same(rest(port, DEAD), [])


def nack_with_delay(_, port):
    """The header `delay` of NACK is the pause in milliseconds. WharfMQ only."""
    client = filled(port, "/queue/redelivery.slow.delay", 1)
    started = time.monotonic()
    client.nack(client.takes("0")[0], delay="700")
    frame = client.takes("0")[0]
    took = time.monotonic() - started
    assert 0.65 <= took <= 3, took
    same(shown(frame, "redelivered", "JMSXDeliveryCount"), ("true", "2"))
    client.nack(frame, delay="0")
    client.takes("0")
    client.leave()


def nack_without_requeue(_, port):
    """`requeue:false` of NACK: to the dead letters at once. WharfMQ only."""
    queue = "/queue/redelivery.slow.requeue"
    client = filled(port, queue, 2)
    client.nack(client.takes("0", "1")[0], requeue="false")
    dead = found(port, DEAD, "0")
    same(shown(dead, "original-destination", "dlq-deliveries"), (queue, "1"))
    client.leave()
    same(rest(port, queue), ["1"])


run(
    {
        "nack_to_dead_letters": nack_to_dead_letters,
        "others_go_on": others_go_on,
        "nack_in_client_mode": nack_in_client_mode,
        "back_in_order": back_in_order,
        "back_off": back_off,
        "own_dead_letters": own_dead_letters,
        "dead_letters_dropped": dead_letters_dropped,
        "non_persistent": non_persistent,
        "on_a_topic": on_a_topic,
        "within_the_dead_letters": within_the_dead_letters,
        "policy_dead_letter": policy_dead_letter,
        "policy_discard": policy_discard,
        "nack_with_delay": nack_with_delay,
        "nack_without_requeue": nack_without_requeue,
    }
)
