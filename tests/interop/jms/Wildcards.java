import java.util.Set;
import java.util.TreeSet;
import javax.jms.Destination;
import javax.jms.MessageConsumer;
import javax.jms.Session;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.command.ActiveMQQueue;
import org.apache.activemq.command.ActiveMQTopic;

/** Consumers of all names that match. */
final class Wildcards extends Kit {
    private final String base = name();

    private Destination topic(String rest) {
        return new ActiveMQTopic(base + rest);
    }

    private Destination named(String rest) {
        return new ActiveMQQueue(base + rest);
    }

    /** Sends to each of these topics its own name and then the end. */
    private MessageConsumer consumerOf(String pattern, String... names) throws Exception {
        MessageConsumer consumer = session(Session.AUTO_ACKNOWLEDGE).createConsumer(topic(pattern));
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        for (String name : names) {
            send(session, topic(name), name);
        }
        return consumer;
    }

    @Case
    void oneElement() throws Exception {
        MessageConsumer consumer = consumerOf(".*", ".a.b", "", ".a", ".b");
        same(topic(".a"), expect(consumer, ".a").getJMSDestination());
        expect(consumer, ".b");
        nothing(consumer);
    }

    @Case
    void oneElementInTheMiddle() throws Exception {
        MessageConsumer consumer = consumerOf(".*.x", ".a.y", ".a", ".a.x", ".a.b.x", ".b.x");
        expect(consumer, ".a.x", ".b.x");
        nothing(consumer);
    }

    @Case
    void theRest() throws Exception {
        MessageConsumer consumer = consumerOf(".>", ".a", ".a.b", ".a.b.c");
        expect(consumer, ".a", ".a.b", ".a.b.c");
        nothing(consumer);
    }

    @Case
    void theRestIncludesItsBase() throws Exception {
        expect(consumerOf(".a.>", ".a", ".a.b"), ".a", ".a.b");
    }

    @Case
    void overlapping() throws Exception {
        ActiveMQConnection connection = connect();
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer one = session.createConsumer(topic(".>"));
        MessageConsumer two = session.createConsumer(topic(".*"));
        MessageConsumer three = session.createConsumer(topic(".a"));
        sendOnce(topic(".a"), "a");
        expect(one, "a");
        expect(two, "a");
        expect(three, "a");
        nothing(one);
    }

    @Case
    void withSelector() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(topic(".>"), "JMSPriority = 4");
        session.createProducer(topic(".a")).send(session.createTextMessage("high"), 2, 9, 0);
        send(session, topic(".b"), "b");
        expect(consumer, "b");
    }

    @Case
    void queuesThatAreThere() throws Exception {
        sendOnce(named(".a"), "a");
        sendOnce(named(".b"), "b");
        sendOnce(named(".a.deeper"), "c");
        MessageConsumer consumer = session(Session.AUTO_ACKNOWLEDGE).createConsumer(named(".*"));
        same(Set.of("a", "b"), new TreeSet<>(Set.of(text(receive(consumer)), text(receive(consumer)))));
        nothing(consumer);
        holds(named(".a.deeper"), "c");
    }

    @Case
    void queuesThatCome() throws Exception {
        MessageConsumer consumer = session(Session.AUTO_ACKNOWLEDGE).createConsumer(named(".>"));
        for (String name : Set.of(".a", ".b", ".a.b")) {
            sendOnce(named(name), name);
            same(named(name), expect(consumer, name).getJMSDestination());
        }
        nothing(consumer);
    }

    @Case
    void queuesByClientAcknowledge() throws Exception {
        sendOnce(named(".a"), numbered("a", 5));
        sendOnce(named(".b"), numbered("b", 5));
        ActiveMQConnection connection = connect();
        MessageConsumer consumer = session(connection, Session.CLIENT_ACKNOWLEDGE).createConsumer(named(".*"));
        for (int n = 0; n < 9; n++) {
            receive(consumer);
        }
        receive(consumer).acknowledge();
        connection.close();
        holds(named(".>"));
    }

    @Case
    void queuesWithSmallPrefetch() throws Exception {
        sendOnce(named(".a"), numbered("a", 5));
        sendOnce(named(".b"), numbered("b", 5));
        Session session = session(connect("jms.prefetchPolicy.queuePrefetch=1"), Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(named(".*"));
        Set<String> texts = new TreeSet<>();
        for (int n = 0; n < 10; n++) {
            texts.add(text(receive(consumer)));
        }
        same(10, texts.size());
        nothing(consumer);
    }
}
