import java.util.Set;
import java.util.TreeSet;
import javax.jms.Destination;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.Topic;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.command.ActiveMQMessage;
import org.apache.activemq.command.ActiveMQQueue;
import org.apache.activemq.command.ActiveMQTopic;

/** Destinations that name several. */
final class Composite extends Kit {
    private final String first = name();
    private final String second = name();
    private final Queue both = new ActiveMQQueue(first + "," + second);

    @Case
    void sendToQueues() throws Exception {
        sendOnce(both, "a", "b");
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        for (String name : Set.of(first, second)) {
            Message message = expect(session.createConsumer(new ActiveMQQueue(name)), "a", "b");
            same(new ActiveMQQueue(name), message.getJMSDestination());
            same(both, ((ActiveMQMessage) message).getOriginalDestination());
        }
    }

    @Case
    void sendToQueueAndTopic() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Topic topic = new ActiveMQTopic(second);
        MessageConsumer listening = session.createConsumer(topic);
        sendOnce(new ActiveMQQueue(first + ",topic://" + second), "a");
        same(topic, expect(listening, "a").getJMSDestination());
        holds(new ActiveMQQueue(first), "a");
    }

    @Case
    void sendFromTopicToQueue() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer listening = session.createConsumer(new ActiveMQTopic(first));
        sendOnce(new ActiveMQTopic(first + ",queue://" + second), "a");
        expect(listening, "a");
        holds(new ActiveMQQueue(second), "a");
    }

    @Case
    void sendInTransaction() throws Exception {
        Session session = session(Session.SESSION_TRANSACTED);
        send(session, both, "rolled back");
        session.rollback();
        send(session, both, "a");
        session.commit();
        holds(new ActiveMQQueue(first), "a");
        holds(new ActiveMQQueue(second), "a");
    }

    @Case
    void consumeFromQueues() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(both);
        for (String name : Set.of(first, second)) {
            Destination queue = new ActiveMQQueue(name);
            sendOnce(queue, "to " + name);
            same(queue, expect(consumer, "to " + name).getJMSDestination());
        }
        nothing(consumer);
    }

    @Case
    void consumeBacklog() throws Exception {
        sendOnce(new ActiveMQQueue(first), "a", "b");
        sendOnce(new ActiveMQQueue(second), "c");
        Session session = session(Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(both);
        Set<String> texts = new TreeSet<>();
        Message last = null;
        for (int n = 0; n < 3; n++) {
            last = receive(consumer);
            texts.add(text(last));
        }
        same(Set.of("a", "b", "c"), texts);
        last.acknowledge();
        nothing(consumer);
        consumer.close();
        holds(both);
    }

    @Case
    void consumeFromTopics() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(new ActiveMQTopic(first + "," + second));
        sendOnce(new ActiveMQTopic(first), "a");
        expect(consumer, "a");
        sendOnce(new ActiveMQTopic(second), "b");
        expect(consumer, "b");
    }

    @Case
    void consumeFromQueueAndTopic() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(new ActiveMQQueue(first + ",topic://" + second));
        sendOnce(new ActiveMQQueue(first), "a");
        expect(consumer, "a");
        sendOnce(new ActiveMQTopic(second), "b");
        expect(consumer, "b");
    }

    @Case
    void consumeInTransaction() throws Exception {
        ActiveMQConnection connection = connect();
        sendOnce(both, "a");
        Session session = session(connection, Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(both);
        expect(consumer, "a", "a");
        connection.close();
        holds(both, "a", "a");
    }
}
