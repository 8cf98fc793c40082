"""Temporary destinations, and requests with replies over them. temporary.py MQTT_PORT STOMP_PORT CASE"""

from kit import ON_ACTIVEMQ, Client, run, same, shown


def asked(port, queue, mailbox):
    """A client that has asked for an answer in its temporary destination, and the server with the request."""
    client, server = Client(port), Client(port)
    client.subscribe(mailbox)
    server.subscribe(queue)
    client.send(queue, "question", **{"reply-to": mailbox, "correlation-id": "7"})
    return client, server, server.takes("question")[0]


def request_and_reply(_, port):
    client, server, request = asked(port, "/queue/temporary.work", "/temp-queue/answers")
    reply_to = request.headers["reply-to"]
    assert reply_to.startswith("/remote-temp-queue/"), reply_to
    server.send(reply_to, "answer", **{"correlation-id": request.headers["correlation-id"]})
    answer = client.takes("answer")[0]
    same(shown(answer, "destination", "correlation-id"), ("/temp-queue/answers", "7"))
    client.leave()
    server.leave()


def over_a_topic(_, port):
    client, server, request = asked(port, "/queue/temporary.news", "/temp-topic/answers")
    reply_to = request.headers["reply-to"]
    assert reply_to.startswith("/remote-temp-topic/"), reply_to
    client.subscribe("/temp-topic/answers", "2")
    server.send(reply_to, "answer")
    frames = client.takes("answer", "answer")
    same({frame.headers["subscription"] for frame in frames}, {"1", "2"})
    same(shown(frames[0], "destination"), ("/temp-topic/answers",))
    client.leave()
    server.leave()


def one_for_each_connection(_, port):
    """The same name is another destination on every connection."""
    first, server, to_first = asked(port, "/queue/temporary.two", "/temp-queue/answers")
    second, other, to_second = asked(port, "/queue/temporary.three", "/temp-queue/answers")
    assert to_first.headers["reply-to"] != to_second.headers["reply-to"]
    server.send(to_second.headers["reply-to"], "for the second")
    second.takes("for the second")
    first.nothing()
    for client in [first, second, server, other]:
        client.leave()


def foreign_subscription(_, port):
    """Only the connection that made it may consume. ActiveMQ 5 leaves that to its Java client."""
    client, server, request = asked(port, "/queue/temporary.private", "/temp-queue/answers")
    reply_to = request.headers["reply-to"]
    if ON_ACTIVEMQ:
        server.subscribe(reply_to, "spy")
    else:
        server.refused("SUBSCRIBE", {"id": "spy", "destination": reply_to})
    client.leave()


def own_remote_name(_, port):
    """Its owner may use the name that others see, and sees its own name in return."""
    client, server, request = asked(port, "/queue/temporary.own", "/temp-queue/answers")
    reply_to = request.headers["reply-to"]
    client.send(reply_to, "to myself", **{"reply-to": reply_to})
    frame = client.takes("to myself")[0]
    same(shown(frame, "destination", "reply-to"), ("/temp-queue/answers", "/temp-queue/answers"))
    client.leave()
    server.leave()


def sent_before_subscribed(_, port):
    client = Client(port)
    client.send("/temp-queue/some/where.else", "early")
    client.subscribe("/temp-queue/some/where.else")
    same(shown(client.takes("early")[0], "destination"), ("/temp-queue/some/where.else",))
    client.leave()


def given_back(_, port):
    """It stays as long as the connection, whoever is subscribed."""
    client = Client(port)
    client.subscribe("/temp-queue/box", ack="client-individual")
    client.send("/temp-queue/box", "1")
    client.takes("1")
    client.unsubscribe()
    client.send("/temp-queue/box", "2")
    client.subscribe("/temp-queue/box", "2", ack="client-individual")
    same(shown(client.takes("1", "2")[0], "redelivered"), ("true",))
    client.leave()


def gone_with_its_connection(_, port):
    client, server, request = asked(port, "/queue/temporary.gone", "/temp-queue/answers")
    client.leave()
    text = server.refused("SEND", {"destination": request.headers["reply-to"]}, "too late")
    assert "does not exist" in text, text


def made_up_name(_, port):
    client = Client(port)
    text = client.refused("SEND", {"destination": "/remote-temp-queue/ID:nobody"}, "x")
    assert "does not exist" in text, text


def in_a_transaction(_, port):
    client, server, request = asked(port, "/queue/temporary.transaction", "/temp-queue/answers")
    server.begin("t")
    server.send(request.headers["reply-to"], "answer", transaction="t")
    client.nothing()
    server.commit("t")
    client.takes("answer")
    client.leave()
    server.leave()


run(
    {
        "request_and_reply": request_and_reply,
        "over_a_topic": over_a_topic,
        "one_for_each_connection": one_for_each_connection,
        "foreign_subscription": foreign_subscription,
        "own_remote_name": own_remote_name,
        "sent_before_subscribed": sent_before_subscribed,
        "given_back": given_back,
        "gone_with_its_connection": gone_with_its_connection,
        "made_up_name": made_up_name,
        "in_a_transaction": in_a_transaction,
    }
)
