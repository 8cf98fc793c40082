import java.io.IOException;
import javax.jms.JMSException;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TemporaryQueue;
import javax.jms.Topic;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.transport.failover.FailoverTransport;

/** The transport that connects again by itself, while the broker stays. */
final class Failover extends Kit {
    private ActiveMQConnection failover(String options) throws JMSException {
        String urls = "failover:(" + url + ")?maxReconnectDelay=100" + options;
        return started(new ActiveMQConnectionFactory(urls));
    }

    /** Has the connection lose its socket, and waits for the next one. */
    private static void lose(ActiveMQConnection connection) throws Exception {
        FailoverTransport transport = connection.getTransport().narrow(FailoverTransport.class);
        transport.handleTransportFailure(new IOException("lost by the test"));
        until("connected again", transport::isConnected);
    }

    @Case
    void firstUrlIsDead() throws Exception {
        String urls = "failover:(tcp://127.0.0.1:1," + url + ")?randomize=false";
        Session session = session(started(new ActiveMQConnectionFactory(urls)), Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        send(session, queue, "a");
        expect(session.createConsumer(queue), "a");
    }

    @Case
    void producersAndConsumersGoOn() throws Exception {
        ActiveMQConnection connection = failover("");
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        MessageConsumer consumer = session.createConsumer(queue);
        for (int n = 0; n < 5; n++) {
            send(session, queue, "m" + n);
            expect(consumer, "m" + n);
            lose(connection);
        }
        send(session, queue, "last");
        expect(consumer, "last");
        nothing(consumer);
    }

    @Case
    void whatWasPrefetchedComesAgain() throws Exception {
        ActiveMQConnection connection = failover("");
        Queue queue = queue();
        sendOnce(queue, numbered("m", 10));
        MessageConsumer consumer = session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        expect(consumer, "m0", "m1", "m2");
        lose(connection);
        expect(consumer, "m3", "m4", "m5", "m6", "m7", "m8", "m9");
        nothing(consumer);
    }

    @Case
    void topicConsumer() throws Exception {
        ActiveMQConnection connection = failover("");
        Topic topic = topic();
        MessageConsumer consumer = session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(topic);
        lose(connection);
        until("it hears again", () -> {
            sendOnce(topic, "a");
            return consumer.receive(QUIET_MS) != null;
        });
    }

    @Case
    void clientIdAndDurableSubscription() throws Exception {
        ActiveMQConnection connection = failover("&jms.clientID=" + name("client"));
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        Topic topic = topic();
        MessageConsumer consumer = session.createDurableSubscriber(topic, "s");
        lose(connection);
        sendOnce(topic, "a");
        expect(consumer, "a");
        consumer.close();
        session.unsubscribe("s");
    }

    @Case
    void temporaryQueue() throws Exception {
        ActiveMQConnection connection = failover("");
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        TemporaryQueue queue = session.createTemporaryQueue();
        MessageConsumer consumer = session.createConsumer(queue);
        lose(connection);
        send(session, queue, "a");
        expect(consumer, "a");
    }

    @Case
    void transactionIsSentAgain() throws Exception {
        ActiveMQConnection connection = failover("");
        Session session = session(connection, Session.SESSION_TRANSACTED);
        Queue queue = queue();
        send(session, queue, "a", "b");
        lose(connection);
        send(session, queue, "c");
        session.commit();
        holds(queue, "a", "b", "c");
    }

    @Case
    void pulls() throws Exception {
        ActiveMQConnection connection = failover("&jms.prefetchPolicy.all=0");
        Queue queue = queue();
        sendOnce(queue, "a", "b");
        MessageConsumer consumer = session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        expect(consumer, "a");
        lose(connection);
        expect(consumer, "b");
        check(consumer.receiveNoWait() == null, "nothing is left");
    }
}
