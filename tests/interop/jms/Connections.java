import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.jms.ConnectionMetaData;
import javax.jms.IllegalStateException;
import javax.jms.JMSException;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.Session;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQConnectionFactory;


/** Connections and sessions: many of them, what they say of themselves, how they end. */
final class Connections extends Kit {
    @Case
    void metaData() throws Exception {
        ConnectionMetaData data = connect().getMetaData();
        same("ActiveMQ", data.getJMSProviderName());
        same(1, data.getJMSMajorVersion());
        check(data.getProviderMajorVersion() >= 5, data.getProviderVersion());
    }

    @Case
    void whatTheBrokerSaysOfItself() throws Exception {
        ActiveMQConnection connection = connect();
        until("the broker has said who it is", () -> connection.getBrokerInfo() != null);
        check(connection.getBrokerName() != null, "it has no name");
        check(connection.getBrokerInfo().getBrokerId() != null, "it has no id");
    }

    @Case
    void thousandSessions() throws Exception {
        ActiveMQConnection connection = connect();
        Queue queue = queue();
        List<Session> sessions = new ArrayList<>();
        for (int n = 0; n < 1_000; n++) {
            sessions.add(session(connection, Session.AUTO_ACKNOWLEDGE));
        }
        for (int n = 0; n < 1_000; n += 50) {
            send(sessions.get(n), queue, "m" + n);
            expect(sessions.get(999 - n).createConsumer(queue), "m" + n);
            sessions.get(999 - n).close();
        }
    }

    @Case
    void hundredConnections() throws Exception {
        Queue queue = queue();
        List<MessageConsumer> consumers = new ArrayList<>();
        for (int n = 0; n < 100; n++) {
            consumers.add(session(connect(), Session.AUTO_ACKNOWLEDGE).createConsumer(queue));
        }
        sendOnce(queue, numbered("m", 100));
        // In turn, as they came.
        for (MessageConsumer consumer : consumers) {
            receive(consumer);
        }
    }

    @Case
    void hundredConsumersOfOneSession() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        List<Queue> queues = new ArrayList<>();
        List<MessageConsumer> consumers = new ArrayList<>();
        for (int n = 0; n < 100; n++) {
            queues.add(queue());
            consumers.add(session.createConsumer(queues.get(n)));
        }
        for (int n = 0; n < 100; n++) {
            send(session, queues.get(n), "m" + n);
            expect(consumers.get(n), "m" + n);
        }
    }

    @Case
    void told() throws Exception {
        // A connection that the other side ends is told to the application.
        Relay relay = new Relay(url);
        keep(relay, relay);
        ActiveMQConnection connection = started(new ActiveMQConnectionFactory(relay.url()));
        CountDownLatch told = new CountDownLatch(1);
        connection.setExceptionListener(failure -> told.countDown());
        relay.cut();
        check(told.await(PATIENCE_MS, TimeUnit.MILLISECONDS), "nobody was told");
        throwing(JMSException.class, () -> session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(queue()));
    }

    @Case
    void throughFailover() throws Exception {
        Relay relay = new Relay(url);
        keep(relay, relay);
        String failover = "failover:(" + relay.url() + ")?initialReconnectDelay=10";
        ActiveMQConnection connection = started(new ActiveMQConnectionFactory(failover));
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        MessageConsumer consumer = session.createConsumer(queue);
        for (int n = 0; n < 5; n++) {
            send(session, queue, "m" + n);
            expect(consumer, "m" + n);
            relay.cut();
        }
        send(session, queue, "last");
        expect(consumer, "last");
        nothing(consumer);
    }

    @Case
    void closedWhileReceiving() throws Exception {
        ActiveMQConnection connection = connect();
        MessageConsumer consumer = session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(queue());
        Thread closing = new Thread(() -> {
            try {
                connection.close();
            } catch (JMSException thrown) {
                throw new AssertionError(thrown);
            }
        });
        closing.start();
        // Ends without a message: by the close, or as it was closed before.
        try {
            same(null, consumer.receive(PATIENCE_MS));
        } catch (IllegalStateException closed) {
            closing.join();
        }
    }
}
