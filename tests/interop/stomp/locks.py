"""Locks: a delivery that is not acknowledged in time is given to somebody else. WharfMQ only.

locks.py MQTT_PORT STOMP_PORT CASE

settings.toml gives these queues a lock_timeout of one second, and three deliveries.
"""

import time

from kit import Client, rest, run, same, shown

TIMEOUT = 1.0


def locked(port, queue, *bodies, **headers):
    client = Client(port)
    for body in bodies:
        client.send(queue, body)
    client.subscribe(queue, ack="client-individual", **headers)
    return client


def timeout(_, port):
    queue = "/queue/locks.timeout"
    slow = locked(port, queue, "work")
    slow.takes("work")
    started = time.monotonic()
    helper = locked(port, queue)
    frame = helper.takes("work")[0]
    same(shown(frame, "redelivered", "JMSXDeliveryCount"), ("true", "2"))
    took = time.monotonic() - started
    assert took <= TIMEOUT + 3, took
    helper.ack(frame)
    slow.leave()
    helper.leave()
    same(rest(port, queue), [])


def late_ack(_, port):
    """What comes too late settles nothing, and is no error."""
    queue = "/queue/locks.late"
    slow = locked(port, queue, "work")
    first = slow.takes("work")[0]
    helper = locked(port, queue)
    helper.takes("work")
    slow.ack(first)
    helper.leave()
    again = slow.takes("work")[0]
    slow.ack(again)
    slow.leave()
    same(rest(port, queue), [])


def same_consumer(_, port):
    queue = "/queue/locks.alone"
    client = locked(port, queue, "work")
    first = client.takes("work")[0]
    second = client.takes("work")[0]
    same(shown(second, "redelivered", "JMSXDeliveryCount"), ("true", "2"))
    client.frame("ACK", id=first.headers["ack"])
    client.ack(second)
    client.leave()
    same(rest(port, queue), [])


def in_time(_, port):
    queue = "/queue/locks.in-time"
    client = locked(port, queue, "1", "2")
    for frame in client.takes("1", "2"):
        client.ack(frame)
    client.heard.messages.nothing(TIMEOUT * 1.5)
    client.leave()
    same(rest(port, queue), [])


def to_the_dead_letters(_, port):
    queue = "/queue/locks.dead"
    client = locked(port, queue, "work")
    client.takes("work", "work", "work")
    reader = Client(port)
    reader.subscribe("/queue/ActiveMQ.DLQ")
    dead = reader.takes("work")[0]
    same(shown(dead, "original-destination", "dlq-deliveries"), (queue, "3"))
    client.leave()
    reader.leave()


def extended(_, port):
    """ACK with `extend` keeps the delivery for so many milliseconds more instead of settling it."""
    queue = "/queue/locks.extended"
    client = locked(port, queue, "work")
    frame = client.takes("work")[0]
    client.ack(frame, extend="3000")
    client.heard.messages.nothing(TIMEOUT * 2)
    client.ack(frame)
    client.leave()
    same(rest(port, queue), [])


def of_the_consumer(_, port):
    """SUBSCRIBE with `lock` has a time-out of its own, in milliseconds."""
    queue = "/queue/locks.own"
    client = locked(port, queue, "work", lock="5000")
    frame = client.takes("work")[0]
    client.heard.messages.nothing(TIMEOUT * 2)
    client.ack(frame)
    client.leave()
    client = locked(port, "/queue/unlocked", "work", lock="1000")
    client.takes("work")
    again = client.takes("work")[0]
    same(shown(again, "redelivered"), ("true",))
    client.leave()


run(
    {
        "timeout": timeout,
        "late_ack": late_ack,
        "same_consumer": same_consumer,
        "in_time": in_time,
        "to_the_dead_letters": to_the_dead_letters,
        "extended": extended,
        "of_the_consumer": of_the_consumer,
    }
)
