import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import javax.jms.Destination;
import javax.jms.JMSException;
import javax.jms.Session;

/** What the threads of one run share. */
final class Run {
    final Settings settings;
    final boolean topic;
    final String name = "load." + ProcessHandle.current().pid();
    /** Tells payloads of this run from those of another. */
    final long id = System.nanoTime();
    final Failures failures = new Failures();
    final List<Sender> senders = new ArrayList<>();
    final List<Receiver> receivers = new ArrayList<>();
    final CountDownLatch started;
    /** Times are recorded only while this is set. */
    volatile boolean measuring;
    volatile boolean stopping;

    Run(Settings settings, boolean topic) {
        this.settings = settings;
        this.topic = topic;
        started = new CountDownLatch(settings.producers + settings.consumers);
    }

    Session session(javax.jms.Connection connection) throws JMSException {
        return settings.batch > 0
            ? connection.createSession(true, Session.SESSION_TRANSACTED)
            : connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
    }

    Destination destination(Session session) throws JMSException {
        return topic ? session.createTopic(name) : session.createQueue(name);
    }

    /** Messages that went out and, where the client waits for that, are confirmed. */
    long sent() {
        return senders.stream().mapToLong(sender -> sender.sent.get()).sum();
    }

    /** Deliveries to all consumers. */
    long received() {
        return receivers.stream().mapToLong(receiver -> receiver.received.get()).sum();
    }

    /** What {@link #received} must come to. */
    long due() {
        return topic ? sent() * receivers.size() : receivers.isEmpty() ? 0 : sent();
    }

    /** How many more messages one producer may send before it has to ask again. */
    long room() {
        if (receivers.isEmpty()) {
            return Long.MAX_VALUE;
        }
        long arrived = topic
            ? receivers.stream().mapToLong(receiver -> receiver.received.get()).min().getAsLong()
            : received();
        return (settings.ahead - (sent() - arrived)) / senders.size();
    }
}
