"""Exclusive consumers and consumer priority. exclusive.py MQTT_PORT STOMP_PORT CASE"""

from kit import Client, run, same

EXCLUSIVE = {"activemq.exclusive": "true"}


def consumer(port, queue, **headers):
    client = Client(port)
    client.subscribe(queue, ack="client-individual", **headers)
    return client


def send(port, queue, *bodies):
    writer = Client(port)
    for body in bodies:
        writer.send(queue, body)
    writer.leave()


def fail_over(_, port):
    queue = "/queue/exclusive.fail-over"
    first, second = consumer(port, queue, **EXCLUSIVE), consumer(port, queue, **EXCLUSIVE)
    send(port, queue, "0", "1", "2")
    frames = first.takes("0", "1", "2")
    first.ack(frames[0])
    second.nothing()
    first.drop()
    frames = second.takes("1", "2")
    same([frame.headers.get("redelivered") for frame in frames], ["true", "true"])
    send(port, queue, "3")
    second.takes("3")
    second.leave()


def before_others(_, port):
    """An exclusive consumer takes over from those that are not."""
    queue = "/queue/exclusive.before"
    plain, exclusive = consumer(port, queue), consumer(port, queue, **EXCLUSIVE)
    send(port, queue, "0", "1", "2", "3")
    exclusive.takes("0", "1", "2", "3")
    plain.nothing()
    exclusive.leave()
    plain.takes("0", "1", "2", "3")
    plain.leave()


def higher_priority_takes_over(_, port):
    queue = "/queue/exclusive.higher"
    first = consumer(port, queue, **EXCLUSIVE)
    send(port, queue, "0")
    first.takes("0")
    second = consumer(port, queue, **EXCLUSIVE, **{"activemq.priority": "10"})
    send(port, queue, "1", "2")
    second.takes("1", "2")
    first.nothing()
    first.leave()
    second.leave()


def priority(_, port):
    """The higher priority first, the lower one what is over its prefetch."""
    queue = "/queue/exclusive.priority"
    two = {"activemq.prefetchSize": "2"}
    low = consumer(port, queue, **two)
    high = consumer(port, queue, **two, **{"activemq.priority": "10"})
    send(port, queue, "0", "1", "2", "3", "4", "5")
    frames = high.takes("0", "1")
    low.takes("2", "3")
    high.ack(frames[0])
    high.takes("4")
    low.nothing()
    low.leave()
    high.leave()


def single_active(_, port):
    """`single_active = true`: as if every consumer were exclusive. WharfMQ only."""
    queue = "/queue/exclusive.single.orders"
    first, second = consumer(port, queue), consumer(port, queue)
    send(port, queue, "0", "1", "2")
    first.takes("0", "1", "2")
    second.nothing()
    first.drop()
    second.takes("0", "1", "2")
    second.leave()


run(
    {
        "fail_over": fail_over,
        "before_others": before_others,
        "higher_priority_takes_over": higher_priority_takes_over,
        "priority": priority,
        "single_active": single_active,
    }
)
