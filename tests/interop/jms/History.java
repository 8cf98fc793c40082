import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Session;
import org.apache.activemq.command.ActiveMQTopic;

/** Retroactive consumers: what a topic has kept comes first. */
final class History extends Kit {
    private final String name = name("history");
    private final ActiveMQTopic topic = new ActiveMQTopic(name);
    private final ActiveMQTopic retroactive = new ActiveMQTopic(name + "?consumer.retroactive=true");

    @Case
    void thePastComesFirst() throws Exception {
        sendOnce(topic, numbered("m", 15));
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(retroactive);
        MessageConsumer plain = session.createConsumer(topic);
        for (int n = 5; n < 15; n++) {
            Message message = expect(consumer, "m" + n);
            same(topic, message.getJMSDestination());
        }
        sendOnce(topic, "live");
        expect(consumer, "live");
        expect(plain, "live");
        nothing(consumer);
    }

    @Case
    void selected() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        for (int n = 0; n < 4; n++) {
            Message message = session.createTextMessage("m" + n);
            message.setIntProperty("n", n);
            session.createProducer(topic).send(message);
        }
        MessageConsumer consumer = session.createConsumer(retroactive, "n > 1");
        expect(consumer, "m2", "m3");
        nothing(consumer);
    }

    @Case
    void ofAWildcard() throws Exception {
        sendOnce(new ActiveMQTopic(name + ".x"), "x");
        MessageConsumer consumer = session(Session.AUTO_ACKNOWLEDGE)
            .createConsumer(new ActiveMQTopic(name + ".*?consumer.retroactive=true"));
        expect(consumer, "x");
        sendOnce(new ActiveMQTopic(name + ".y"), "y");
        expect(consumer, "y");
    }

    @Case
    void withASmallPrefetch() throws Exception {
        sendOnce(topic, numbered("m", 10));
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer =
            session.createConsumer(new ActiveMQTopic(name + "?consumer.retroactive=true&consumer.prefetchSize=2"));
        expect(consumer, numbered("m", 10));
        sendOnce(topic, "live");
        expect(consumer, "live");
    }
}
