"""Message groups: a group stays with one consumer. groups.py MQTT_PORT STOMP_PORT CASE"""

from kit import ON_ACTIVEMQ, Client, rest, run, same, shown


def two(port, queue, **headers):
    """Two consumers of a queue and a producer."""
    first, second, writer = Client(port), Client(port), Client(port)
    first.subscribe(queue, ack="client-individual", **headers)
    second.subscribe(queue, ack="client-individual", **headers)
    return first, second, writer


def send(writer, queue, *bodies, **headers):
    """Sends bodies whose first letter is their group."""
    for body in bodies:
        writer.send(queue, body, JMSXGroupID=body[0], **headers)


def owner_first(clients, body):
    """The clients, the one first that got the message."""
    first, second = clients
    try:
        frame = first.take(seconds=2)
    except AssertionError:
        first, second = second, first
        frame = first.take()
    same(frame.body, body)
    return first, second


def sticky(_, port):
    queue = "/queue/groups.sticky"
    first, second, writer = two(port, queue)
    send(writer, queue, "A0", "B0", "A1", "B1", "A2", "B2")
    got = sorted([[first.take().body for _ in range(3)], [second.take().body for _ in range(3)]])
    same(got, [["A0", "A1", "A2"], ["B0", "B1", "B2"]], "one group for each consumer")
    first.nothing()
    second.nothing()
    for client in [first, second, writer]:
        client.leave()


def ungrouped_beside(_, port):
    """What has no group goes to whoever has room, past a group that waits."""
    queue = "/queue/groups.beside"
    first, second, writer = two(port, queue, **{"activemq.prefetchSize": "2"})
    send(writer, queue, "A0", "A1", "A2")
    owner, other = owner_first((first, second), "A0")
    owner.takes("A1")
    writer.send(queue, "any")
    other.takes("any")
    owner.leave()
    other.takes("A0")
    for client in [other, writer]:
        client.leave()


def moves_when_consumer_leaves(_, port):
    queue = "/queue/groups.moves"
    first, second, writer = two(port, queue)
    send(writer, queue, "A0", "A1")
    owner, other = owner_first((first, second), "A0")
    owner.takes("A1")
    other.nothing()
    owner.drop()
    frames = other.takes("A0", "A1")
    same([frame.headers.get("redelivered") for frame in frames], ["true", "true"])
    back = Client(port)
    back.subscribe(queue, ack="client-individual")
    send(writer, queue, "A2")
    other.takes("A2")
    back.nothing()
    for client in [other, back, writer]:
        client.leave()


def waits_for_its_consumer(_, port):
    """A group waits for its consumer; the other one takes what comes after it."""
    queue = "/queue/groups.waits"
    first, second, writer = two(port, queue, **{"activemq.prefetchSize": "1"})
    send(writer, queue, "A0", "A1")
    owner, other = owner_first((first, second), "A0")
    other.nothing()
    send(writer, queue, "B0")
    other.takes("B0")
    owner.nothing()
    for client in [first, second, writer]:
        client.leave()
    same(sorted(rest(port, queue)), ["A0", "A1", "B0"])


def closed(_, port):
    """JMSXGroupSeq -1 goes to the group's consumer and frees the group, which then begins anew anywhere."""
    queue = "/queue/groups.closed"
    first, second, writer = two(port, queue, **{"activemq.prefetchSize": "2"})
    send(writer, queue, "A0")
    owner, other = owner_first((first, second), "A0")
    send(writer, queue, "A1", JMSXGroupSeq="-1")
    owner.takes("A1")
    send(writer, queue, "A2")
    other.takes("A2")
    for client in [first, second, writer]:
        client.leave()


def first_for_consumer(_, port):
    """The first message of a group for a consumer says so. ActiveMQ shows no group to a STOMP consumer."""
    queue = "/queue/groups.first"
    client, writer = Client(port), Client(port)
    client.subscribe(queue, ack="client-individual")
    send(writer, queue, "A0", "A1", "B0", JMSXGroupSeq="1")
    names = "JMSXGroupID", "JMSXGroupSeq", "JMSXGroupFirstForConsumer"
    got = [shown(frame, *names) for frame in client.takes("A0", "A1", "B0")]
    ours = [("A", "1", "true"), ("A", "1", None), ("B", "1", "true")]
    same(got, [(None, None, None)] * 3 if ON_ACTIVEMQ else ours)
    client.leave()
    writer.leave()


def backlog(_, port):
    """A consumer that finds a backlog takes all of its groups; the next one gets new groups."""
    queue = "/queue/groups.backlog"
    writer, first, second = Client(port), Client(port), Client(port)
    send(writer, queue, "A0", "B0", "C0", "A1", "B1", "C1")
    first.subscribe(queue, ack="client-individual")
    first.takes("A0", "B0", "C0", "A1", "B1", "C1")
    second.subscribe(queue, ack="client-individual")
    send(writer, queue, "A2", "B2", "C2")
    first.takes("A2", "B2", "C2")
    second.nothing()
    for client in [first, second, writer]:
        client.leave()


def no_groups_on_topics(_, port):
    first, second, writer = two(port, "/topic/groups.topic")
    send(writer, "/topic/groups.topic", "A0", "A1")
    first.takes("A0", "A1")
    second.takes("A0", "A1")
    for client in [first, second, writer]:
        client.leave()


def strict(_, port):
    """`groups = "strict"`: of a group nothing else while one is in hand. WharfMQ only."""
    queue = "/queue/groups.strict.orders"
    client, writer = Client(port), Client(port)
    client.subscribe(queue, ack="client-individual")
    send(writer, queue, "A0", "A1", "B0", "A2")
    first, other = client.takes("A0", "B0")
    client.nothing()
    client.ack(first)
    second = client.takes("A1")[0]
    client.nothing()
    client.ack(other)
    client.nothing()
    client.ack(second)
    client.takes("A2")
    client.leave()
    writer.leave()


def strict_and_refused(_, port):
    """A refused message keeps its group back until it has come again. WharfMQ only."""
    queue = "/queue/groups.strict.refused"
    client, writer = Client(port), Client(port)
    client.subscribe(queue, ack="client-individual")
    send(writer, queue, "A0", "A1")
    client.nack(client.takes("A0")[0])
    client.ack(client.takes("A0")[0])
    client.takes("A1")
    client.leave()
    writer.leave()


def switched_off(_, port):
    """`groups = "none"`: the header means nothing. WharfMQ only."""
    queue = "/queue/groups.none.orders"
    first, second, writer = two(port, queue)
    send(writer, queue, "A0", "A1", "A2", "A3")
    got = [{first.take().body, first.take().body}, {second.take().body, second.take().body}]
    same(set.union(*got), {"A0", "A1", "A2", "A3"})
    for client in [first, second, writer]:
        client.leave()


run(
    {
        "sticky": sticky,
        "ungrouped_beside": ungrouped_beside,
        "moves_when_consumer_leaves": moves_when_consumer_leaves,
        "waits_for_its_consumer": waits_for_its_consumer,
        "closed": closed,
        "first_for_consumer": first_for_consumer,
        "backlog": backlog,
        "no_groups_on_topics": no_groups_on_topics,
        "strict": strict,
        "strict_and_refused": strict_and_refused,
        "switched_off": switched_off,
    }
)
