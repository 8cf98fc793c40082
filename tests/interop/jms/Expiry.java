import javax.jms.DeliveryMode;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.QueueBrowser;
import javax.jms.Session;
import javax.jms.Topic;
import org.apache.activemq.command.ActiveMQMessage;
import org.apache.activemq.command.ActiveMQQueue;

/** Messages that are worth something for a time only. */
final class Expiry extends Kit {
    private final Queue queue = new ActiveMQQueue(name("expiry"));
    private final String key = name();

    /** Sends a text that lives so long; the message as it was sent. */
    private Message sendFor(Session session, long life, int mode) throws Exception {
        Message message = session.createTextMessage("a");
        message.setStringProperty("key", key);
        session.createProducer(queue).send(message, mode, 4, life);
        return message;
    }

    /** Waits until its time is over. */
    private static void outlive(Message message) throws Exception {
        long end = message.getJMSExpiration();
        until("it has expired", () -> System.currentTimeMillis() > end + 5);
    }

    private MessageConsumer deadLetters(Session session) throws Exception {
        return session.createConsumer(new ActiveMQQueue("ActiveMQ.DLQ"), "key = '" + key + "'");
    }

    @Case
    void header() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Message sent = sendFor(session, 60_000, DeliveryMode.PERSISTENT);
        Message message = receive(session.createConsumer(queue));
        same(sent.getJMSExpiration(), message.getJMSExpiration());
        same(message.getJMSTimestamp() + 60_000, message.getJMSExpiration());
    }

    @Case
    void ofTheProducer() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageProducer producer = session.createProducer(queue);
        producer.setTimeToLive(60_000);
        producer.send(session.createTextMessage("a"));
        producer.setTimeToLive(0);
        producer.send(session.createTextMessage("b"));
        MessageConsumer consumer = session.createConsumer(queue);
        Message message = expect(consumer, "a");
        same(message.getJMSTimestamp() + 60_000, message.getJMSExpiration());
        same(0L, expect(consumer, "b").getJMSExpiration());
    }

    @Case
    void isNotDelivered() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        outlive(sendFor(session, 50, DeliveryMode.PERSISTENT));
        send(session, queue, "b");
        MessageConsumer consumer = session.createConsumer(queue);
        expect(consumer, "b");
        nothing(consumer);
    }

    @Case
    void isADeadLetter() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Message sent = sendFor(session, 50, DeliveryMode.PERSISTENT);
        Message dead = receive(deadLetters(session));
        same("a", text(dead));
        same(0L, dead.getJMSExpiration());
        same(sent.getJMSExpiration(), dead.getLongProperty("originalExpiration"));
        same(queue, ((ActiveMQMessage) dead).getOriginalDestination());
        same(new ActiveMQQueue("ActiveMQ.DLQ"), dead.getJMSDestination());
        same(sent.getJMSMessageID(), dead.getJMSMessageID());
    }

    @Case
    void goesByItselfWithoutAConsumer() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        sendFor(session, 50, DeliveryMode.NON_PERSISTENT);
        send(session, queue, "b");
        QueueBrowser browser = session.createBrowser(queue);
        until("only b is left", () -> {
            Message first = (Message) browser.getEnumeration().nextElement();
            return text(first).equals("b");
        });
    }

    @Case
    void expiresInTheClient() throws Exception {
        // It has been prefetched: the client finds that its time is over, and says so.
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(queue);
        Message sent = sendFor(session, 300, DeliveryMode.PERSISTENT);
        outlive(sent);
        nothing(consumer);
        Message dead = receive(deadLetters(session));
        same(sent.getJMSExpiration(), dead.getLongProperty("originalExpiration"));
        send(session, queue, "b");
        expect(consumer, "b");
        consumer.close();
        holds(queue);
    }

    @Case
    void expiresInTheClientOfATransaction() throws Exception {
        Session session = session(Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(queue);
        Session other = session(Session.AUTO_ACKNOWLEDGE);
        outlive(sendFor(other, 300, DeliveryMode.PERSISTENT));
        send(other, queue, "b");
        expect(consumer, "b");
        session.commit();
        nothing(consumer);
        consumer.close();
        holds(queue);
    }

    @Case
    void onATopic() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Topic topic = topic();
        MessageConsumer consumer = session.createConsumer(topic);
        Message message = session.createTextMessage("a");
        session.createProducer(topic).send(message, DeliveryMode.NON_PERSISTENT, 4, 100);
        send(session, topic, "b");
        outlive(message);
        expect(consumer, "b");
    }
}
