"""paho-mqtt, stomp.py and websocket-client over WebSocket, one case a run:
websocket_client.py MQTT_PORT STOMP_PORT CASE WS_PORT WSS_PORT CA_FILE"""

import socket
import sys
import urllib.error
import urllib.request

import paho.mqtt.client as mqtt
import stomp
import websocket

from mqtt_client import Client
from waiting import PATIENCE, Box, run, same

WS, WSS, CA = int(sys.argv[4]), int(sys.argv[5]), sys.argv[6]


def both_ways(port, **options):
    """Every version and quality of service, towards a client over TCP and back."""
    tcp = int(sys.argv[1])
    for version in [mqtt.MQTTv31, mqtt.MQTTv311, mqtt.MQTTv5]:
        web = Client(port, "web", version, transport="websockets", **options)
        plain = Client(tcp, "plain", version)
        web.subscribe("to/web", 2)
        plain.subscribe("to/plain", 2)
        for qos in range(3):
            web.publish("to/plain", f"{qos}", qos)
            plain.publish("to/web", f"{qos}", qos)
            for client in [web, plain]:
                message = client.take()
                same((message.payload, message.qos), (b"%d" % qos, qos))
        web.leave()
        plain.leave()


def paho(*_):
    both_ways(WS)


def paho_within_tls(*_):
    both_ways(WSS, ca=CA)


def ten_megabytes(port, _):
    body = bytes(range(256)) * (10 << 12)
    for options in [{"port": WS}, {"port": WSS, "ca": CA}]:
        web = Client(name="web", transport="websockets", **options)
        plain = Client(port, "plain")
        web.subscribe("to/web")
        plain.subscribe("to/plain")
        plain.publish("to/web", body)
        assert web.take().payload == body, "it came back changed"
        # paho gives up a frame that its socket does not take at once.
        urls = [f"wss://localhost:{WSS}/", f"ws://127.0.0.1:{WS}/"]
        sender = websocket.create_connection(
            urls["ca" not in options], subprotocols=["mqtt"], timeout=PATIENCE, sslopt={"ca_certs": CA}
        )
        # PUBLISH of QoS 0, its length in four bytes (MQTT 3.1.1, 2.2.3).
        length = 2 + len("to/plain") + len(body)
        digits = bytes((length >> 7 * n & 0x7F) | (0x80 if n < 3 else 0) for n in range(4))
        sender.send_binary(CONNECT)
        same(receive(sender, len(CONNACK)), CONNACK)
        sender.send_binary(b"\x30" + digits + b"\x00\x08to/plain" + body)
        assert plain.take().payload == body, "it came back changed"
        sender.close()
        web.leave()
        plain.leave()


def session_outlives_its_connection(port, _):
    client = Client(WS, "kept", transport="websockets", SessionExpiryInterval=300)
    client.subscribe("kept/#")
    client.vanish()
    publisher = Client(port, "publisher")
    publisher.publish("kept/1", "missed")
    # The other way in, the same session.
    client = Client(port, "kept", clean=False, SessionExpiryInterval=300)
    same(client.session_present, True)
    same(client.take().payload, b"missed")
    client.leave()
    publisher.leave()


def connect(*names):
    made = websocket.create_connection(
        f"ws://127.0.0.1:{WS}/any/path", subprotocols=list(names), timeout=PATIENCE
    )
    same(made.getsubprotocol(), names[0])
    return made


CONNECT = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01w"
CONNACK = b"\x20\x02\x00\x00"
SUBSCRIBE = b"\x82\x06\x00\x01\x00\x01t\x00"
SUBACK = b"\x90\x03\x00\x01\x00"


def receive(connection, length):
    got = b""
    while len(got) < length:
        part = connection.recv()
        assert isinstance(part, bytes) and part, part
        got += part
    return got


def packets_in_frames(*_):
    """Frames have nothing to do with packets (MQTT 5, 6.0.0-2)."""
    publications = b"".join(b"\x30\x07\x00\x01t%04d" % n for n in range(1_000))
    everything = CONNECT + SUBSCRIBE + publications
    answers = CONNACK + SUBACK + publications
    connection = connect("mqtt")
    connection.send_binary(everything)
    same(receive(connection, len(answers)), answers)
    connection.close()
    connection = connect("mqttv3.1")
    for byte in everything[:500]:
        connection.send_binary(bytes([byte]))
    whole = 500 - len(CONNECT) - len(SUBSCRIBE)
    answers = CONNACK + SUBACK + publications[: whole // 9 * 9]
    same(receive(connection, len(answers)), answers)
    connection.close()


def text_within_mqtt(*_):
    connection = connect("mqtt")
    connection.send("text")
    opcode, data = connection.recv_data()
    same((opcode, data[:2]), (websocket.ABNF.OPCODE_CLOSE, (1003).to_bytes(2, "big")))


def ping(*_):
    connection = connect("mqtt")
    connection.ping("there?")
    same(connection.recv_data(control_frame=True), (websocket.ABNF.OPCODE_PONG, b"there?"))
    connection.close()


def stomp_text(*_):
    connection = connect("v12.stomp", "v11.stomp")
    connection.send("CONNECT\naccept-version:1.2\nhost:h\nheart-beat:0,0\n\n\0")
    assert connection.recv().startswith("CONNECTED\nversion:1.2\n")
    connection.send("SUBSCRIBE\nid:0\ndestination:/queue/w\n\n\0")
    connection.send("SEND\ndestination:/queue/w\n\nGröße: 3 €\0")
    message = connection.recv()
    assert isinstance(message, str) and "\n\nGröße: 3 €\0" in message, message
    # What is not text comes as bytes.
    connection.send_binary(b"SEND\ndestination:/queue/w\ncontent-length:2\n\n\xff\x00\0")
    message = connection.recv()
    assert isinstance(message, bytes) and b"\n\n\xff\x00\0" in message, message
    connection.send("DISCONNECT\nreceipt:r\n\n\0")
    assert "receipt-id:r" in connection.recv()
    opcode, data = connection.recv_data()
    same((opcode, data[:2]), (websocket.ABNF.OPCODE_CLOSE, (1000).to_bytes(2, "big")))


class Printer(stomp.ConnectionListener):
    def __init__(self):
        self.messages, self.errors = Box(), Box()

    def on_message(self, frame):
        self.messages.put(frame.body)

    def on_error(self, frame):
        self.errors.put(frame)


def stomp_py(*_):
    connection = stomp.WSConnection([("127.0.0.1", WS)], header=["Sec-WebSocket-Protocol: v12.stomp"])
    printer = Printer()
    connection.set_listener("", printer)
    connection.connect(wait=True)
    connection.subscribe("/queue/py", "0")
    connection.send("/queue/py", "Grüße")
    same(printer.messages.take(), "Grüße")
    connection.disconnect()


def asked(request):
    """Sends a request; gives status, headers and text of the answer."""
    with socket.create_connection(("127.0.0.1", WS), PATIENCE) as connection:
        connection.sendall(request.encode())
        connection.shutdown(socket.SHUT_WR)
        said = b""
        while part := connection.recv(4096):
            said += part
    head, _, text = said.decode().partition("\r\n\r\n")
    return head, text


def browsers_and_strangers(*_):
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{WS}/", timeout=PATIENCE)
        raise AssertionError("it was answered")
    except urllib.error.HTTPError as error:
        same((error.code, error.headers["Upgrade"]), (426, "websocket"))
        assert "v12.stomp" in error.read().decode()
    head, text = asked("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
    assert head.startswith("HTTP/1.1 405 ") and "Allow: GET" in head, head
    head, text = asked("GET / HTTP/1.1\r\nX: " + "x" * (1 << 20) + "\r\n\r\n")
    assert head.startswith("HTTP/1.1 431 "), head
    for names in [["amqp"], None]:
        try:
            websocket.create_connection(f"ws://127.0.0.1:{WS}/", subprotocols=names, timeout=PATIENCE)
            raise AssertionError("it was accepted")
        except websocket.WebSocketBadStatusException as error:
            same(error.status_code, 400)
            assert b"mqttv3.1" in error.resp_body


run(globals())
