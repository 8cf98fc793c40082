"""Transactions of sends and acknowledgements. transactions.py MQTT_PORT STOMP_PORT CASE"""

from kit import ON_ACTIVEMQ, Client, rest, run, same, shown


def filled(port, queue, count, ack="client-individual"):
    client = Client(port)
    for n in range(count):
        client.send(queue, str(n))
    client.subscribe(queue, ack=ack)
    return client


def commit(_, port):
    """Over several queues and a topic; every frame has its receipt."""
    client, reader = Client(port), Client(port)
    names = ["/queue/transactions.commit.a", "/queue/transactions.commit.b", "/topic/transactions.commit.c"]
    for number, name in enumerate(names):
        reader.subscribe(name, str(number))
    client.begin("t")
    for name in names:
        client.send(name, name, transaction="t")
    reader.nothing()
    client.commit("t")
    reader.takes_any(*names)
    client.leave()
    reader.leave()


def abort(_, port):
    queue = "/queue/transactions.abort"
    client = Client(port)
    client.begin("t")
    client.send(queue, "1", transaction="t")
    client.abort("t")
    client.begin("t")
    client.send(queue, "2", transaction="t")
    client.commit("t")
    client.leave()
    same(rest(port, queue), ["2"])


def lost_connection(_, port):
    """Sends are forgotten, acknowledged messages come back; in ActiveMQ not always into their order."""
    queue, target = "/queue/transactions.lost", "/queue/transactions.lost.target"
    client = filled(port, queue, 2)
    frames = client.takes("0", "1")
    client.begin("t")
    client.ack(frames[0], transaction="t")
    client.send(target, "x", transaction="t")
    client.drop()
    client = Client(port)
    client.subscribe(queue, ack="client-individual")
    bodies = [frame.body for frame in client.takes_any("0", "1")]
    assert ON_ACTIVEMQ or bodies == ["0", "1"], bodies
    client.leave()
    same(rest(port, target), [])


def several_at_once(_, port):
    queue = "/queue/transactions.several"
    client = Client(port)
    client.begin("one")
    client.begin("two")
    client.send(queue, "1", transaction="one")
    client.send(queue, "2", transaction="two")
    client.send(queue, "3")
    client.commit("two")
    client.abort("one")
    client.leave()
    same(rest(port, queue), ["3", "2"])


def ack_and_commit(_, port):
    queue, target = "/queue/transactions.ack", "/queue/transactions.ack.target"
    client = filled(port, queue, 2)
    frames = client.takes("0", "1")
    client.begin("t")
    client.ack(frames[0], transaction="t")
    client.send(target, "done", transaction="t")
    client.commit("t")
    client.leave()
    same(rest(port, queue), ["1"])
    same(rest(port, target), ["done"])


def ack_and_abort(_, port):
    """An acknowledgement that was taken back: the message is still in hand, and can be acknowledged again."""
    queue = "/queue/transactions.taken-back"
    client = filled(port, queue, 2)
    frames = client.takes("0", "1")
    client.begin("t")
    client.ack(frames[0], transaction="t")
    client.ack(frames[1], transaction="t")
    client.abort("t")
    client.nothing()
    client.ack(frames[0])
    client.leave()
    client = Client(port)
    client.subscribe(queue)
    same(shown(client.takes("1")[0], "redelivered"), ("true",))
    client.leave()


def cumulative_ack(_, port):
    queue = "/queue/transactions.cumulative"
    client = filled(port, queue, 4, ack="client")
    frames = client.takes("0", "1", "2", "3")
    client.begin("t")
    client.ack(frames[1], transaction="t")
    client.abort("t")
    client.begin("t")
    client.ack(frames[2], transaction="t")
    client.commit("t")
    client.leave()
    same(rest(port, queue), ["3"])


def nack_within(_, port):
    """ActiveMQ refuses it; here it is part of the transaction."""
    queue = "/queue/redelivery.refused.transaction"
    client = filled(port, queue, 2)
    frames = client.takes("0", "1")
    client.begin("t")
    if ON_ACTIVEMQ:
        text = client.refused("NACK", {"id": frames[0].headers["ack"], "transaction": "t"})
        assert "Poison ack cannot be transacted" in text, text
        client.abort("t")
        client.leave()
        return
    client.nack(frames[0], transaction="t")
    client.abort("t")
    client.begin("t")
    client.nack(frames[1], transaction="t")
    client.commit("t")
    client.subscribe("/queue/ActiveMQ.DLQ", "dead")
    client.takes("1")
    client.nothing()
    client.leave()
    same(rest(port, queue), ["0"])


def subscribe_within(_, port):
    """SUBSCRIBE has no part in a transaction: it holds at once, and stays after ABORT."""
    queue = "/queue/transactions.subscribe"
    client, writer = Client(port), Client(port)
    client.begin("t")
    client.subscribe(queue, transaction="t")
    writer.send(queue, "1")
    client.takes("1")
    client.abort("t")
    writer.send(queue, "2")
    client.takes("2")
    client.leave()
    writer.leave()


def unknown(_, port):
    """Each is answered with an ERROR that names the transaction."""
    headers = {"transaction": "nope", "destination": "/queue/transactions.unknown"}
    for command in ["COMMIT", "ABORT", "SEND"]:
        text = Client(port).refused(command, headers, "x" if command == "SEND" else "")
        assert "ransaction" in text, text
    for command in ["BEGIN", "COMMIT"]:
        text = Client(port).refused(command, {})
        assert "transaction" in text, text


def begun_twice(_, port):
    client = Client(port)
    client.begin("t")
    text = client.refused("BEGIN", {"transaction": "t"})
    assert "transaction" in text, text


def ended(_, port):
    client = Client(port)
    client.begin("t")
    client.commit("t")
    client.refused("COMMIT", {"transaction": "t"})


run(
    {
        "commit": commit,
        "abort": abort,
        "lost_connection": lost_connection,
        "several_at_once": several_at_once,
        "ack_and_commit": ack_and_commit,
        "ack_and_abort": ack_and_abort,
        "cumulative_ack": cumulative_ack,
        "nack_within": nack_within,
        "subscribe_within": subscribe_within,
        "unknown": unknown,
        "begun_twice": begun_twice,
        "ended": ended,
    }
)
