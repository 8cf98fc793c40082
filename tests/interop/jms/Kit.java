import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import javax.jms.Connection;
import javax.jms.Destination;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TextMessage;
import javax.jms.Topic;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.command.ActiveMQQueue;
import org.apache.activemq.command.ActiveMQTopic;

/** What every class of cases builds on: connections that are closed in the end, names of its own, waiting, checks. */
abstract class Kit {
    /** Of the broker: {@code tcp://HOST:PORT}. */
    static String url;

    /** Options of a client that gives a message to its application again without waiting. */
    static final String AT_ONCE = "jms.redeliveryPolicy.initialRedeliveryDelay=0&jms.redeliveryPolicy.redeliveryDelay=0";

    /** How long anything may take that normally takes milliseconds. */
    static final long PATIENCE_MS = 15_000;

    /** How long to look for something that must not come: it can only miss a fault, never invent one. */
    static final long QUIET_MS = 250;

    private static final String RUN = Long.toString(System.currentTimeMillis(), 36);
    private static final AtomicInteger NAMES = new AtomicInteger();

    private final List<AutoCloseable> open = new ArrayList<>();

    // Names that no other case and no other run has.

    static String name() {
        return name("plain");
    }

    /** Below {@code jms.KIND}, for which the broker may have settings. */
    static String name(String kind) {
        return "jms." + kind + "." + RUN + "." + NAMES.incrementAndGet();
    }

    static Queue queue() {
        return queue("");
    }

    /** With options of the client, as {@code ?consumer.prefetchSize=1}. */
    static Queue queue(String options) {
        return new ActiveMQQueue(name() + options);
    }

    static Topic topic() {
        return new ActiveMQTopic(name());
    }

    // Connections.

    static ActiveMQConnectionFactory factory(String options) {
        return new ActiveMQConnectionFactory(url + (options.isEmpty() ? "" : "?" + options));
    }

    /** A started connection. */
    ActiveMQConnection connect() throws JMSException {
        return connect("");
    }

    /** A started connection by a URL with these options, as {@code jms.prefetchPolicy.all=1}. */
    ActiveMQConnection connect(String options) throws JMSException {
        return started(factory(options));
    }

    ActiveMQConnection started(ActiveMQConnectionFactory factory) throws JMSException {
        ActiveMQConnection connection = keep((ActiveMQConnection) factory.createConnection());
        connection.start();
        return connection;
    }

    /** A session of a connection of its own that acknowledges so. */
    Session session(int mode) throws JMSException {
        return session(connect(), mode);
    }

    static Session session(Connection connection, int mode) throws JMSException {
        return connection.createSession(mode == Session.SESSION_TRANSACTED, mode);
    }

    /** Closes it when the case is over. */
    <T extends Connection> T keep(T connection) {
        return keep(connection, connection::close);
    }

    /** Does this when the case is over. */
    <T> T keep(T thing, AutoCloseable close) {
        synchronized (open) {
            open.add(close);
        }
        return thing;
    }

    /** Closes what is still open, the newest first, and in threads: a broker that hangs must not hold up the rest. */
    void closeAll() throws InterruptedException {
        List<AutoCloseable> all;
        synchronized (open) {
            all = new ArrayList<>(open);
            open.clear();
        }
        Collections.reverse(all);
        Thread thread = new Thread(() -> all.forEach(Kit::closeQuietly), "closing");
        thread.setDaemon(true);
        thread.start();
        thread.join(PATIENCE_MS);
    }

    private static void closeQuietly(AutoCloseable closeable) {
        try {
            closeable.close();
        } catch (Exception gone) {
            // What the case itself has broken can't be closed in order.
        }
    }

    // Sending and receiving.

    static void send(Session session, Destination to, String... texts) throws JMSException {
        MessageProducer producer = session.createProducer(to);
        for (String text : texts) {
            producer.send(session.createTextMessage(text));
        }
        producer.close();
    }

    /** Sends texts over a connection that is gone afterwards. */
    void sendOnce(Destination to, String... texts) throws JMSException {
        ActiveMQConnection connection = connect();
        send(session(connection, Session.AUTO_ACKNOWLEDGE), to, texts);
        connection.close();
    }

    /** {@code prefix0}, {@code prefix1} and so on. */
    static String[] numbered(String prefix, int count) {
        String[] texts = new String[count];
        for (int n = 0; n < count; n++) {
            texts[n] = prefix + n;
        }
        return texts;
    }

    /** The next message, which must come. */
    static Message receive(MessageConsumer consumer) throws JMSException {
        Message message = consumer.receive(PATIENCE_MS);
        check(message != null, "no message came");
        return message;
    }

    static String text(Message message) throws JMSException {
        check(message instanceof TextMessage, "not a text message: " + message);
        return ((TextMessage) message).getText();
    }

    /** Receives messages that must have these texts in this order; gives the last one. */
    static Message expect(MessageConsumer consumer, String... texts) throws JMSException {
        Message message = null;
        for (String text : texts) {
            message = receive(consumer);
            same(text, text(message));
        }
        return message;
    }

    /** Nothing comes. */
    static void nothing(MessageConsumer consumer) throws JMSException {
        Message message = consumer.receive(QUIET_MS);
        check(message == null, "not expected: " + message);
    }

    /** Everything a queue holds has these texts, as a consumer of a connection of its own finds it. */
    void holds(Destination queue, String... texts) throws JMSException {
        ActiveMQConnection connection = connect();
        MessageConsumer consumer = session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        expect(consumer, texts);
        nothing(consumer);
        connection.close();
    }

    // Checks.

    interface Action {
        void run() throws Exception;
    }

    interface Condition {
        boolean holds() throws Exception;
    }

    static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    static void same(Object expected, Object found) {
        check(Objects.equals(expected, found), "expected <" + expected + "> but found <" + found + ">");
    }

    /** The action must throw this class or one below it; gives what was thrown. */
    static <T extends Throwable> T throwing(Class<T> expected, Action action) {
        try {
            action.run();
        } catch (Throwable thrown) {
            if (expected.isInstance(thrown)) {
                return expected.cast(thrown);
            }
            throw new AssertionError("expected " + expected.getName() + " but was thrown " + thrown, thrown);
        }
        throw new AssertionError("nothing was thrown, expected " + expected.getName());
    }

    static void contains(String part, String text) {
        check(text != null && text.contains(part), "no <" + part + "> in <" + text + ">");
    }

    /** Asks again and again until it holds. */
    static void until(String what, Condition condition) throws Exception {
        long deadline = System.nanoTime() + PATIENCE_MS * 1_000_000;
        while (!condition.holds()) {
            check(System.nanoTime() < deadline, "not in time: " + what);
            LockSupport.parkNanos(2_000_000);
        }
    }
}
