import javax.jms.DeliveryMode;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.command.ActiveMQMessage;
import org.apache.activemq.command.ActiveMQQueue;

/** What comes again, how often, and where it ends. */
final class Redelivery extends Kit {
    private static final Queue DEAD = new ActiveMQQueue("ActiveMQ.DLQ");

    private static ActiveMQConnectionFactory patient(int most) {
        ActiveMQConnectionFactory factory = factory("");
        factory.getRedeliveryPolicy().setInitialRedeliveryDelay(0);
        factory.getRedeliveryPolicy().setRedeliveryDelay(0);
        factory.getRedeliveryPolicy().setMaximumRedeliveries(most);
        return factory;
    }

    /** What came to the dead letters from a queue. */
    private Message dead(Queue from) throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        String selector = "mark = '" + from.getQueueName() + "'";
        return receive(session.createConsumer(DEAD, selector));
    }

    private static void sendMarked(Session session, Queue queue, String text, int mode) throws Exception {
        MessageProducer producer = session.createProducer(queue);
        Message message = session.createTextMessage(text);
        message.setStringProperty("mark", queue.getQueueName());
        producer.send(message, mode, 4, 0);
        producer.close();
    }

    @Case
    void recover() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b");
        Session session = session(started(patient(6)), Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(queue);
        expect(consumer, "a", "b");
        session.recover();
        Message again = expect(consumer, "a");
        same(true, again.getJMSRedelivered());
        expect(consumer, "b").acknowledge();
        session.close();
        holds(queue);
    }

    @Case
    void poison() throws Exception {
        Queue queue = queue();
        Session session = session(started(patient(2)), Session.SESSION_TRANSACTED);
        sendMarked(session, queue, "bad", DeliveryMode.PERSISTENT);
        sendMarked(session, queue, "good", DeliveryMode.PERSISTENT);
        session.commit();
        MessageConsumer consumer = session.createConsumer(queue);
        for (int n = 1; n <= 3; n++) {
            same(n, expect(consumer, "bad").getIntProperty("JMSXDeliveryCount"));
            session.rollback();
        }
        expect(consumer, "good");
        session.commit();
        Message dead = dead(queue);
        same("bad", text(dead));
        same(DEAD, dead.getJMSDestination());
        same(queue, ((ActiveMQMessage) dead).getOriginalDestination());
        contains("redelivery", dead.getStringProperty("dlqDeliveryFailureCause").toLowerCase());
        same(false, dead.getJMSRedelivered());
        same(0L, dead.getJMSExpiration());
        holds(queue);
    }

    @Case
    void listenerThatThrows() throws Exception {
        Queue queue = queue();
        Session session = session(started(patient(1)), Session.AUTO_ACKNOWLEDGE);
        sendMarked(session(Session.AUTO_ACKNOWLEDGE), queue, "bad", DeliveryMode.PERSISTENT);
        session.createConsumer(queue).setMessageListener(message -> {
            throw new IllegalStateException("not today");
        });
        same("bad", text(dead(queue)));
    }

    @Case
    void redeliveredAfterClosing() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b");
        ActiveMQConnection connection = connect();
        expect(session(connection, Session.CLIENT_ACKNOWLEDGE).createConsumer(queue), "a");
        connection.close();
        MessageConsumer consumer = session(Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        Message seen = expect(consumer, "a");
        same(true, seen.getJMSRedelivered());
        same(2, seen.getIntProperty("JMSXDeliveryCount"));
        // It was prefetched and never looked at.
        same(false, expect(consumer, "b").getJMSRedelivered());
    }

    @Case
    void nothingSeenNothingRedelivered() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b");
        ActiveMQConnection connection = connect();
        MessageConsumer first = session(connection, Session.CLIENT_ACKNOWLEDGE).createConsumer(queue);
        check(first != null, "no consumer");
        connection.close();
        MessageConsumer consumer = session(Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        same(false, expect(consumer, "a").getJMSRedelivered());
        same(false, expect(consumer, "b").getJMSRedelivered());
    }

    @Case
    void redeliveredAfterALoss() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b");
        ActiveMQConnection connection = connect();
        expect(session(connection, Session.CLIENT_ACKNOWLEDGE).createConsumer(queue), "a");
        connection.getTransport().stop();
        MessageConsumer consumer = session(Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        same(true, expect(consumer, "a").getJMSRedelivered());
        expect(consumer, "b");
    }

    /** The client waits before it delivers again, and keeps the order. */
    @Case
    void pause() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b");
        ActiveMQConnectionFactory factory = patient(6);
        factory.getRedeliveryPolicy().setInitialRedeliveryDelay(300);
        Session session = session(started(factory), Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(queue);
        expect(consumer, "a");
        session.rollback();
        long begun = System.nanoTime();
        expect(consumer, "a", "b");
        check(System.nanoTime() - begun > 250_000_000, "no pause was made");
        session.commit();
    }

    @Case
    void withoutBlocking() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b", "c");
        ActiveMQConnectionFactory factory = patient(6);
        factory.setNonBlockingRedelivery(true);
        factory.getRedeliveryPolicy().setInitialRedeliveryDelay(500);
        Session session = session(started(factory), Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(queue);
        expect(consumer, "a");
        session.rollback();
        expect(consumer, "b", "c", "a");
        session.commit();
        holds(queue);
    }

    /** What nobody could handle is kept for somebody to look at, even if it was not to be stored. */
    @Case
    void poisonOfWhatIsNotPersistent() throws Exception {
        Queue queue = queue();
        Session session = session(started(patient(0)), Session.SESSION_TRANSACTED);
        sendMarked(session, queue, "bad", DeliveryMode.NON_PERSISTENT);
        session.commit();
        MessageConsumer consumer = session.createConsumer(queue);
        expect(consumer, "bad");
        session.rollback();
        nothing(consumer);
        same("bad", text(dead(queue)));
    }

    @Case
    void countedOnEveryReturn() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a");
        for (int n = 1; n <= 4; n++) {
            ActiveMQConnection connection = connect();
            MessageConsumer consumer = session(connection, Session.CLIENT_ACKNOWLEDGE).createConsumer(queue);
            Message message = expect(consumer, "a");
            same(n, message.getIntProperty("JMSXDeliveryCount"));
            same(n > 1, message.getJMSRedelivered());
            connection.close();
        }
    }

    @Case
    void prefetchedButUnseen() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b", "c");
        ActiveMQConnection connection = connect();
        MessageConsumer consumer = session(connection, Session.CLIENT_ACKNOWLEDGE).createConsumer(queue);
        expect(consumer, "a");
        connection.close();
        MessageConsumer next = session(Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        same(true, expect(next, "a").getJMSRedelivered());
        same(false, expect(next, "b").getJMSRedelivered());
        same(1, expect(next, "c").getIntProperty("JMSXDeliveryCount"));
    }

    @Case
    void backToTheOtherConsumer() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b");
        ActiveMQConnection connection = connect();
        MessageConsumer consumer = session(connection, Session.CLIENT_ACKNOWLEDGE).createConsumer(queue);
        expect(consumer, "a", "b");
        MessageConsumer waiting = session(Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        nothing(waiting);
        connection.close();
        expect(waiting, "a", "b");
    }

    @Case
    void rolledBackAndClosed() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a");
        ActiveMQConnection connection = connect(AT_ONCE);
        Session session = session(connection, Session.SESSION_TRANSACTED);
        expect(session.createConsumer(queue), "a");
        session.rollback();
        connection.close();
        Message message = expect(session(Session.AUTO_ACKNOWLEDGE).createConsumer(queue), "a");
        same(true, message.getJMSRedelivered());
        same(2, message.getIntProperty("JMSXDeliveryCount"));
    }
}
