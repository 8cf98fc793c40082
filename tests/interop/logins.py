"""Real clients by user name and password: logins.py MQTT_PORT STOMP_PORT CASE"""

import paho.mqtt.client as paho
import stomp

from stomp_kit import Listener
from waiting import Box, run, same

USER = "ada"
PASSWORD = "Grüße: 7\\n"


def connect(port, user, password, passed):
    """What stomp.py is answered."""
    connection = stomp.Connection12([("127.0.0.1", port)], reconnect_attempts_max=1)
    heard = Listener()
    connection.set_listener("case", heard)
    connection.connect(user, password, wait=False)
    box = heard.connected if passed else heard.errors
    answer = box.take("the answer to CONNECT")
    if passed:
        connection.disconnect()
    return answer


def over_stomp(_, port):
    connect(port, USER, PASSWORD, True)
    same(connect(port, USER, "wrong", False).headers["message"], "login or passcode is wrong")
    same(connect(port, "eve", PASSWORD, False).headers["message"], "login or passcode is wrong")
    assert "not authorized" in connect(port, None, None, False).headers["message"]


def over_mqtt(version, wrong, nobody):
    def answer(port, user, password):
        box = Box()
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=version)
        if user:
            client.username_pw_set(user, password)
        client.on_connect = lambda client, data, flags, reason, properties: box.put(str(reason))
        client.connect("127.0.0.1", port)
        client.loop_start()
        try:
            return box.take("CONNACK")
        finally:
            client.disconnect()
            client.loop_stop()

    def case(port, _):
        same(answer(port, USER, PASSWORD), "Success")
        same(answer(port, USER, "wrong"), wrong)
        same(answer(port, "eve", PASSWORD), wrong)
        same(answer(port, None, None), nobody)

    return case


run(
    {
        "stomp": over_stomp,
        "mqtt_311": over_mqtt(paho.MQTTv311, "Bad user name or password", "Not authorized"),
        "mqtt_5": over_mqtt(paho.MQTTv5, "Bad user name or password", "Not authorized"),
    }
)
