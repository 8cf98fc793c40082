import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.jms.BytesMessage;
import javax.jms.DeliveryMode;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.QueueBrowser;
import javax.jms.Session;
import javax.jms.Topic;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.command.ActiveMQQueue;
import org.apache.activemq.command.ActiveMQTopic;

/** What stands behind the question mark of a connection's URL or of a destination's name. */
final class Options extends Kit {
    @Case
    void clientId() throws Exception {
        same("client-of-the-url", connect("jms.clientID=client-of-the-url").getClientID());
    }

    @Case
    void asyncSend() throws Exception {
        thereAndBack("jms.useAsyncSend=true");
        thereAndBack("jms.alwaysSyncSend=true");
        thereAndBack("jms.sendTimeout=10000");
    }

    /** The client waits for room in its window; the broker has to give back exactly what each message took. */
    @Case
    void producerWindow() throws Exception {
        ActiveMQConnection connection = connect("jms.useAsyncSend=true&jms.producerWindowSize=4096");
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        String[] texts = numbered("m", 200);
        send(session, queue, texts);
        expect(session.createConsumer(queue), texts);
    }

    @Case
    void compression() throws Exception {
        thereAndBack("jms.useCompression=true");
        Session session = session(connect("jms.useCompression=true"), Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        BytesMessage sent = session.createBytesMessage();
        sent.writeBytes(new byte[100_000]);
        session.createProducer(queue).send(sent);
        same(100_000L, ((BytesMessage) receive(session.createConsumer(queue))).getBodyLength());
    }

    @Case
    void acknowledgements() throws Exception {
        thereAndBack("jms.optimizeAcknowledge=true");
        thereAndBack("jms.sendAcksAsync=false");
        thereAndBack("jms.dispatchAsync=false");
        thereAndBack("jms.alwaysSessionAsync=false");
    }

    @Case
    void withoutAdvisories() throws Exception {
        thereAndBack("jms.watchTopicAdvisories=false");
    }

    @Case
    void queuePrefetch() throws Exception {
        leavesTheRestToOthers("jms.prefetchPolicy.queuePrefetch=1", "");
        leavesTheRestToOthers("jms.prefetchPolicy.all=1", "");
    }

    @Case
    void prefetchOfADestination() throws Exception {
        leavesTheRestToOthers("", "?consumer.prefetchSize=1");
    }

    @Case
    void topicPrefetch() throws Exception {
        Topic topic = topic();
        ActiveMQConnection connection = connect("jms.prefetchPolicy.topicPrefetch=1");
        MessageConsumer consumer = session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(topic);
        String[] texts = numbered("m", 50);
        sendOnce(topic, texts);
        expect(consumer, texts);
    }

    @Case
    void durableTopicPrefetch() throws Exception {
        Topic topic = topic();
        ActiveMQConnection connection =
                connect("jms.clientID=" + name() + "&jms.prefetchPolicy.durableTopicPrefetch=1");
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createDurableSubscriber(topic, "s");
        String[] texts = numbered("m", 50);
        sendOnce(topic, texts);
        expect(consumer, texts);
    }

    @Case
    void browserPrefetch() throws Exception {
        Queue queue = queue();
        sendOnce(queue, numbered("m", 20));
        ActiveMQConnection connection = connect("jms.prefetchPolicy.queueBrowserPrefetch=3");
        QueueBrowser browser = session(connection, Session.AUTO_ACKNOWLEDGE).createBrowser(queue);
        int shown = 0;
        for (var all = browser.getEnumeration(); all.hasMoreElements(); shown++) {
            same("m" + shown, text((Message) all.nextElement()));
        }
        same(20, shown);
    }

    /** As often as the client's policy says, then it is a dead letter. */
    @Case
    void redeliveryPolicy() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a");
        Session session = session(
                connect("jms.redeliveryPolicy.maximumRedeliveries=2&jms.redeliveryPolicy.initialRedeliveryDelay=0"
                        + "&jms.redeliveryPolicy.redeliveryDelay=0"),
                Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(queue);
        for (int delivery = 1; delivery <= 3; delivery++) {
            same(delivery, expect(consumer, "a").getIntProperty("JMSXDeliveryCount"));
            session.rollback();
        }
        nothing(consumer);
        session.close();
        holds(queue);
        deadLetterOf(queue);
    }

    @Case
    void redeliveryDelay() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a");
        Session session =
                session(connect("jms.redeliveryPolicy.initialRedeliveryDelay=400"), Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(queue);
        expect(consumer, "a");
        long since = System.nanoTime();
        session.rollback();
        expect(consumer, "a");
        check(System.nanoTime() - since > 380_000_000, "it came again at once");
        session.commit();
    }

    @Case
    void nonBlockingRedelivery() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b");
        ActiveMQConnection connection =
                connect("jms.nonBlockingRedelivery=true&jms.redeliveryPolicy.initialRedeliveryDelay=300");
        Session session = session(connection, Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(queue);
        expect(consumer, "a");
        session.rollback();
        expect(consumer, "b");
        session.commit();
        expect(consumer, "a");
        session.commit();
        connection.close();
        holds(queue);
    }

    @Case
    void exclusiveConsumer() throws Exception {
        onlyTheFirstGets("jms.exclusiveConsumer=true", "");
        onlyTheFirstGets("", "?consumer.exclusive=true");
    }

    @Case
    void consumerPriority() throws Exception {
        ActiveMQQueue queue = new ActiveMQQueue(name());
        ActiveMQQueue preferred = new ActiveMQQueue(queue.getPhysicalName() + "?consumer.priority=10");
        MessageConsumer other = session(Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        MessageConsumer first = session(Session.AUTO_ACKNOWLEDGE).createConsumer(preferred);
        sendOnce(queue, "a", "b", "c");
        expect(first, "a", "b", "c");
        nothing(other);
    }

    @Case
    void selectorOfADestination() throws Exception {
        ActiveMQTopic topic = new ActiveMQTopic(name());
        ActiveMQTopic chosen = new ActiveMQTopic(topic.getPhysicalName() + "?consumer.selector=JMSPriority%3D9");
        MessageConsumer consumer = session(Session.AUTO_ACKNOWLEDGE).createConsumer(chosen);
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageProducer producer = session.createProducer(topic);
        producer.send(session.createTextMessage("no"), DeliveryMode.PERSISTENT, 4, 0);
        producer.send(session.createTextMessage("yes"), DeliveryMode.PERSISTENT, 9, 0);
        expect(consumer, "yes");
        nothing(consumer);
    }

    @Case
    void noLocalOfADestination() throws Exception {
        ActiveMQTopic topic = new ActiveMQTopic(name());
        ActiveMQTopic others = new ActiveMQTopic(topic.getPhysicalName() + "?consumer.noLocal=true");
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(others);
        send(session, topic, "own");
        sendOnce(topic, "foreign");
        expect(consumer, "foreign");
        nothing(consumer);
    }

    @Case
    void withoutEffect() throws Exception {
        ActiveMQTopic topic = new ActiveMQTopic(name());
        ActiveMQTopic limited = new ActiveMQTopic(
                topic.getPhysicalName() + "?consumer.maximumPendingMessageLimit=1000&consumer.dispatchAsync=false");
        MessageConsumer consumer = session(Session.AUTO_ACKNOWLEDGE).createConsumer(limited);
        String[] texts = numbered("m", 100);
        sendOnce(topic, texts);
        expect(consumer, texts);
    }

    @Case
    void retroactive() throws Exception {
        ActiveMQTopic topic = new ActiveMQTopic(name());
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Message kept = session.createTextMessage("kept");
        kept.setBooleanProperty("ActiveMQ.Retain", true);
        session.createProducer(topic).send(kept);
        ActiveMQTopic past = new ActiveMQTopic(topic.getPhysicalName() + "?consumer.retroactive=true");
        Message message = expect(session.createConsumer(past), "kept");
        same(true, message.getBooleanProperty("ActiveMQ.Retained"));
        same(false, message.propertyExists("ActiveMQ.Retain"));
    }

    /** Of many topics, with a prefetch below their number; then what comes. */
    @Case
    void retroactiveBelowAPattern() throws Exception {
        String name = name();
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageProducer producer = session.createProducer(null);
        Set<String> expected = new TreeSet<>();
        for (int n = 0; n < 20; n++) {
            Message kept = session.createTextMessage("m" + n);
            kept.setBooleanProperty("ActiveMQ.Retain", true);
            kept.setBooleanProperty("odd", n % 2 == 1);
            producer.send(new ActiveMQTopic(name + "." + n), kept);
            if (n % 2 == 1) {
                expected.add("m" + n);
            }
        }
        ActiveMQTopic past = new ActiveMQTopic(name + ".>?consumer.retroactive=true&consumer.prefetchSize=3");
        MessageConsumer consumer = session.createConsumer(past, "odd = true OR odd IS NULL");
        sendOnce(new ActiveMQTopic(name + ".live"), "live");
        Set<String> found = new TreeSet<>();
        for (int n = 0; n < 10; n++) {
            found.add(text(receive(consumer)));
        }
        same(expected, found);
        expect(consumer, "live");
        nothing(consumer);
    }

    @Case
    void encodings() throws Exception {
        thereAndBack("wireFormat.tightEncodingEnabled=false");
        thereAndBack("wireFormat.cacheEnabled=false");
        thereAndBack("wireFormat.cacheSize=200");
        thereAndBack("wireFormat.stackTraceEnabled=false");
        thereAndBack("wireFormat.tcpNoDelayEnabled=false");
        thereAndBack("wireFormat.maxFrameSize=1000000");
    }

    @Case
    void versions() throws Exception {
        // Those between are for older clients: this one has only these.
        for (int version : new int[] {1, 9, 10, 11, 12}) {
            thereAndBack("wireFormat.version=" + version);
        }
    }

    /** Both sides say something before the other gives up. */
    @Case
    void inactivity() throws Exception {
        ActiveMQConnection connection =
                connect("wireFormat.maxInactivityDuration=600&wireFormat.maxInactivityDurationInitalDelay=100");
        CountDownLatch failed = new CountDownLatch(1);
        connection.setExceptionListener(exception -> failed.countDown());
        check(!failed.await(2, TimeUnit.SECONDS), "the connection was given up");
        thereAndBack(session(connection, Session.AUTO_ACKNOWLEDGE));
        thereAndBack("wireFormat.maxInactivityDuration=0");
    }

    @Case
    void tcp() throws Exception {
        thereAndBack("keepAlive=true&connectionTimeout=5000&socketBufferSize=16384&ioBufferSize=16384");
    }

    @Case
    void failover() throws Exception {
        String tries = "?initialReconnectDelay=5&maxReconnectAttempts=20&randomize=false&priorityBackup=false";
        for (String nested : new String[] {"", "?wireFormat.maxInactivityDuration=5000"}) {
            var factory = new org.apache.activemq.ActiveMQConnectionFactory(
                    "failover:(" + url + nested + ")" + tries + "&jms.useAsyncSend=true");
            thereAndBack(session(started(factory), Session.AUTO_ACKNOWLEDGE));
        }
        // The first of them is nobody's.
        var factory = new org.apache.activemq.ActiveMQConnectionFactory(
                "failover:(tcp://127.0.0.1:1," + url + ")" + tries);
        thereAndBack(session(started(factory), Session.AUTO_ACKNOWLEDGE));
    }

    /** The client itself refuses what it does not know. */
    @Case
    void misspelt() throws Exception {
        throwing(JMSException.class, () -> connect("jms.useAsyncSent=true"));
        throwing(JMSException.class, () -> connect("wireFormat.maxFramesize=1"));
        throwing(JMSException.class, () -> connect("transport.foo=1"));
    }

    private void thereAndBack(String options) throws Exception {
        ActiveMQConnection connection = connect(options);
        thereAndBack(session(connection, Session.AUTO_ACKNOWLEDGE));
        connection.close();
    }

    private static void thereAndBack(Session session) throws Exception {
        Queue queue = queue();
        MessageConsumer consumer = session.createConsumer(queue);
        send(session, queue, "a", "b");
        expect(consumer, "a", "b");
        consumer.close();
    }

    private void leavesTheRestToOthers(String options, String ofTheQueue) throws Exception {
        ActiveMQQueue queue = new ActiveMQQueue(name());
        ActiveMQQueue limited = new ActiveMQQueue(queue.getPhysicalName() + ofTheQueue);
        ActiveMQConnection connection = connect(options);
        MessageConsumer modest = session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(limited);
        sendOnce(queue, "a", "b", "c", "d");
        MessageConsumer other = session(Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        expect(other, "b", "c", "d");
        expect(modest, "a");
    }

    private void onlyTheFirstGets(String options, String ofTheQueue) throws Exception {
        ActiveMQQueue queue = new ActiveMQQueue(name());
        ActiveMQQueue exclusive = new ActiveMQQueue(queue.getPhysicalName() + ofTheQueue);
        MessageConsumer first = session(connect(options), Session.AUTO_ACKNOWLEDGE).createConsumer(exclusive);
        MessageConsumer second = session(connect(options), Session.AUTO_ACKNOWLEDGE).createConsumer(exclusive);

        sendOnce(queue, "a", "b", "c", "d");
        expect(first, "a", "b", "c", "d");
        nothing(second);
    }

    private void deadLetterOf(Queue queue) throws Exception {
        MessageConsumer consumer = session(Session.AUTO_ACKNOWLEDGE)
                .createConsumer(new ActiveMQQueue("ActiveMQ.DLQ?consumer.prefetchSize=1"));
        for (Message message = receive(consumer);; message = receive(consumer)) {
            if (queue.equals(((org.apache.activemq.command.Message) message).getOriginalDestination())) {
                check(message.propertyExists("dlqDeliveryFailureCause"), "no cause");
                return;
            }
        }
    }
}
