import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import javax.jms.Connection;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TextMessage;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.command.ActiveMQQueue;

/**
 * An application that knows nothing of failures: {@code Restarts tcp://HOST:PORT MESSAGES}. Senders send so many
 * messages each, and listeners pass them on in transactions, through {@code failover:} and whatever happens to the
 * broker meanwhile. It says how far it is, and counts in the end: each message has to be there once.
 */
final class Restarts {
    static final int SENDERS = 2;
    static final int LISTENERS = 2;
    static final Queue IN = new ActiveMQQueue("failover.in");
    static final Queue OUT = new ActiveMQQueue("failover.out");

    /** How long the queue has to be empty for nothing more to come. */
    static final long QUIET_MS = 3_000;

    static ActiveMQConnectionFactory factory;
    static int messages;
    static final AtomicInteger sent = new AtomicInteger();
    static final AtomicInteger passed = new AtomicInteger();
    static final AtomicInteger rolledBack = new AtomicInteger();
    static volatile boolean over;

    public static void main(String[] arguments) throws Exception {
        String options = "?initialReconnectDelay=10&useExponentialBackOff=false";
        factory = new ActiveMQConnectionFactory("failover:(" + arguments[0] + ")" + options);
        messages = Integer.parseInt(arguments[1]);
        Thread[] senders = new Thread[SENDERS];
        for (int n = 0; n < SENDERS; n++) {
            String name = "s" + n;
            senders[n] = start(name, () -> send(name));
        }
        Thread[] listeners = new Thread[LISTENERS];
        for (int n = 0; n < LISTENERS; n++) {
            listeners[n] = start("l" + n, Restarts::passOn);
        }
        for (Thread thread : senders) {
            thread.join();
        }
        int all = SENDERS * messages;
        System.out.println("all sent");
        Map<String, Integer> found = count(all);
        over = true;
        for (Thread thread : listeners) {
            thread.join();
        }
        int twice = (int) found.values().stream().filter(times -> times > 1).count();
        System.out.println("found " + found.size() + " of " + all + ", " + twice + " more than once, "
                + rolledBack + " transactions rolled back");
        System.exit(found.size() == all && twice == 0 ? 0 : 1);
    }

    interface Task {
        void run() throws Exception;
    }

    private static Thread start(String name, Task task) {
        Thread thread = new Thread(() -> {
            try {
                task.run();
            } catch (Exception failure) {
                failure.printStackTrace();
                System.out.println("failed: " + name + ": " + failure);
                System.exit(2);
            }
        }, name);
        thread.start();
        return thread;
    }

    private static void send(String name) throws JMSException {
        Connection connection = factory.createConnection();
        connection.start();
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageProducer producer = session.createProducer(IN);
        for (int n = 0; n < messages; n++) {
            producer.send(session.createTextMessage(name + "." + n));
            say("sent", sent.incrementAndGet());
        }
        connection.close();
    }

    private static void passOn() throws JMSException {
        Connection connection = factory.createConnection();
        connection.start();
        Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(IN);
        MessageProducer producer = session.createProducer(OUT);
        while (!over) {
            try {
                TextMessage message = (TextMessage) consumer.receive(100);
                if (message != null) {
                    producer.send(session.createTextMessage(message.getText()));
                    session.commit();
                    say("passed", passed.incrementAndGet());
                }
            } catch (JMSException interrupted) {
                rolledBack.incrementAndGet();
                session.rollback();
            }
        }
        connection.close();
    }

    private static Map<String, Integer> count(int all) throws JMSException {
        Connection connection = factory.createConnection();
        connection.start();
        Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(OUT);
        Map<String, Integer> found = new HashMap<>();
        long patience = System.nanoTime() + 60_000_000_000L;
        while (found.size() < all && System.nanoTime() < patience) {
            take(session, consumer.receive(100), found);
        }
        // What is there twice comes as well.
        for (Message more = consumer.receive(QUIET_MS); more != null; more = consumer.receive(QUIET_MS)) {
            take(session, more, found);
        }
        connection.close();
        return found;
    }

    private static void take(Session session, Message message, Map<String, Integer> found) throws JMSException {
        if (message != null) {
            session.commit();
            found.merge(((TextMessage) message).getText(), 1, Integer::sum);
        }
    }

    private static void say(String what, int count) {
        if (count % 100 == 0) {
            System.out.println(what + " " + count);
        }
    }
}
