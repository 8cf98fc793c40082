"""Scheduled messages: delay, repeats, cron. scheduled.py MQTT_PORT STOMP_PORT CASE"""

import time

from kit import Client, run, same, shown

DELAY, PERIOD = "AMQ_SCHEDULED_DELAY", "AMQ_SCHEDULED_PERIOD"
REPEAT, CRON = "AMQ_SCHEDULED_REPEAT", "AMQ_SCHEDULED_CRON"
# ActiveMQ looks twice a second what is due.
LATE = 1.5


def after(started, expected):
    took = time.monotonic() - started
    assert expected * 0.95 <= took <= expected + LATE, f"{took} s instead of {expected} s"


def listening(port, destination):
    client = Client(port)
    client.subscribe(destination)
    return client


def delay(_, port):
    queue = "/queue/scheduled.delay"
    client, started = listening(port, queue), time.monotonic()
    client.send(queue, "late", colour="red", **{DELAY: "1000", "correlation-id": "c1"})
    client.send(queue, "at once")
    client.takes("at once")
    frame = client.takes("late")[0]
    after(started, 1.0)
    same(shown(frame, "destination", "colour", "correlation-id", "persistent"), (queue, "red", "c1", "true"))
    same(shown(frame, DELAY), (None,), "the schedule is not shown")
    same(shown(frame, "scheduledJobId"), (frame.headers["message-id"],))
    client.leave()


def in_order_of_time(_, port):
    queue = "/queue/scheduled.order"
    client = listening(port, queue)
    client.send(queue, "last", **{DELAY: "2600"})
    client.send(queue, "first", **{DELAY: "400"})
    client.send(queue, "second", **{DELAY: "1500"})
    client.takes("first", "second", "last")
    client.leave()


def repeat(_, port):
    """REPEAT is how often it comes after the first time; without DELAY the first time is after one PERIOD."""
    queue = "/queue/scheduled.repeat"
    client, started = listening(port, queue), time.monotonic()
    client.send(queue, "again", **{PERIOD: "600", REPEAT: "2"})
    frames = []
    for count in [1, 2, 3]:
        frames += client.takes("again")
        after(started, 0.6 * count)
    client.heard.messages.nothing(1.2)
    ids = {frame.headers["message-id"] for frame in frames}
    jobs = {frame.headers["scheduledJobId"] for frame in frames}
    same((len(ids), len(jobs)), (3, 1), "new messages of one job")
    same([shown(frame, PERIOD, REPEAT) for frame in frames], [(None, None)] * 3)
    client.leave()


def delay_and_repeat(_, port):
    queue = "/queue/scheduled.both"
    client, started = listening(port, queue), time.monotonic()
    client.send(queue, "again", **{DELAY: "1200", PERIOD: "300", REPEAT: "1"})
    client.takes("again")
    after(started, 1.2)
    client.takes("again")
    after(started, 1.5)
    client.heard.messages.nothing(1.0)
    client.leave()


def period_alone(_, port):
    """PERIOD without REPEAT is a delay."""
    queue = "/queue/scheduled.period"
    client, started = listening(port, queue), time.monotonic()
    client.send(queue, "once", **{PERIOD: "500"})
    client.takes("once")
    after(started, 0.5)
    client.heard.messages.nothing(1.2)
    client.leave()


def repeat_alone(_, port):
    """REPEAT without PERIOD is no schedule."""
    queue = "/queue/scheduled.repeat-alone"
    client = listening(port, queue)
    client.send(queue, "once", **{REPEAT: "2"})
    frame = client.takes("once")[0]
    same(shown(frame, "scheduledJobId"), (None,))
    client.nothing()
    client.leave()


def no_delay(_, port):
    queue = "/queue/scheduled.zero"
    client, started = listening(port, queue), time.monotonic()
    client.send(queue, "now", **{DELAY: "0"})
    client.takes("now")
    after(started, 0)
    client.leave()


def to_a_topic(_, port):
    topic = "/topic/scheduled.topic"
    client = listening(port, topic)
    client.send(topic, "late", persistent="false", **{DELAY: "600"})
    later = listening(port, topic)
    frame = client.takes("late")[0]
    same(shown(frame, "destination", "persistent"), (topic, None))
    later.takes("late")
    client.leave()
    later.leave()


def in_a_transaction(_, port):
    """The delay begins with COMMIT."""
    queue = "/queue/scheduled.transaction"
    client = listening(port, queue)
    client.begin("t")
    client.send(queue, "given up", transaction="t", **{DELAY: "100"})
    client.abort("t")
    client.begin("t")
    client.send(queue, "late", transaction="t", **{DELAY: "800"})
    client.heard.messages.nothing(1.5)
    started = time.monotonic()
    client.commit("t")
    client.takes("late")
    after(started, 0.8)
    client.nothing()
    client.leave()


def expiry_begins_with_the_delivery(_, port):
    """The time to live is counted from when the message is due, so a delay does not eat it up."""
    queue = "/queue/scheduled.expiry"
    client, now = listening(port, queue), int(time.time() * 1000)
    client.send(queue, "late", expires=str(now + 500), **{DELAY: "1200"})
    frame = client.takes("late")[0]
    assert int(frame.headers["expires"]) >= now + 1600, frame.headers
    client.leave()


def bad_values(_, port):
    """Refused; ActiveMQ closes the connection, mostly without a word."""
    bad = [{DELAY: "soon"}, {DELAY: "-5"}, {DELAY: "1.5"}, {PERIOD: "x"}, {DELAY: "1", REPEAT: "x"}]
    bad += [{CRON: "nonsense"}, {CRON: "99 * * * *"}, {CRON: "* * *"}]
    bad += [{DELAY: "1", PERIOD: "10", REPEAT: "1001"}]
    for headers in bad:
        client = Client(port)
        client.refused("SEND", {"destination": "/queue/scheduled.bad", **headers}, "x", silent=True)


def long_cron(_, port):
    """At the beginning of every minute; takes up to two."""
    queue = "/queue/scheduled.cron"
    client = listening(port, queue)
    client.send(queue, "minute", **{CRON: "* * * * *"})
    frames = []
    for _ in range(2):
        frames.append(client.take(seconds=65))
        second = time.time() % 60
        assert second < 5 or second > 59.9, second
    same([frame.body for frame in frames], ["minute", "minute"])
    same([shown(frame, CRON) for frame in frames], [(None,)] * 2)
    assert frames[0].headers["message-id"] != frames[1].headers["message-id"]
    client.leave()


run(
    {
        "delay": delay,
        "in_order_of_time": in_order_of_time,
        "repeat": repeat,
        "delay_and_repeat": delay_and_repeat,
        "period_alone": period_alone,
        "repeat_alone": repeat_alone,
        "no_delay": no_delay,
        "to_a_topic": to_a_topic,
        "in_a_transaction": in_a_transaction,
        "expiry_begins_with_the_delivery": expiry_begins_with_the_delivery,
        "bad_values": bad_values,
        "long_cron": long_cron,
    }
)
