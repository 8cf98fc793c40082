import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.Topic;
import org.apache.activemq.ActiveMQConnection;

/** Consumers with prefetch 0: they ask for each message. */
final class Pull extends Kit {
    private static final String NO_PREFETCH = "jms.prefetchPolicy.all=0";

    private Session pulling(int mode) throws JMSException {
        return session(connect(NO_PREFETCH), mode);
    }

    /** Receives in a thread of its own. */
    private static FutureTask<Message> receiving(MessageConsumer consumer, long timeout) {
        FutureTask<Message> task = new FutureTask<>(() -> consumer.receive(timeout));
        Thread thread = new Thread(task, "receiving");
        thread.setDaemon(true);
        thread.start();
        return task;
    }

    @Case
    void receives() throws Exception {
        Queue queue = queue();
        sendOnce(queue, numbered("m", 50));
        MessageConsumer consumer = pulling(Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        expect(consumer, numbered("m", 50));
        nothing(consumer);
    }

    @Case
    void waitsForWhatIsSentLater() throws Exception {
        Queue queue = queue();
        MessageConsumer consumer = pulling(Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        FutureTask<Message> forEver = receiving(consumer, 0);
        sendOnce(queue, "a");
        same("a", text(forEver.get(PATIENCE_MS, TimeUnit.MILLISECONDS)));
        FutureTask<Message> forLong = receiving(consumer, PATIENCE_MS);
        sendOnce(queue, "b");
        same("b", text(forLong.get(PATIENCE_MS, TimeUnit.MILLISECONDS)));
    }

    @Case
    void doesNotWait() throws Exception {
        Queue queue = queue();
        MessageConsumer consumer = pulling(Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        check(consumer.receiveNoWait() == null, "nothing was sent");
        sendOnce(queue, "a", "b");
        same("a", text(consumer.receiveNoWait()));
        same("b", text(consumer.receiveNoWait()));
        check(consumer.receiveNoWait() == null, "nothing is left");
    }

    @Case
    void waitsInVain() throws Exception {
        // What comes when nobody waits any more is there for others.
        Queue queue = queue();
        MessageConsumer consumer = pulling(Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        check(consumer.receive(50) == null, "nothing was sent");
        check(consumer.receiveNoWait() == null, "nothing was sent");
        sendOnce(queue, "a");
        holds(queue, "a");
        check(consumer.receiveNoWait() == null, "it was another's");
    }

    @Case
    void takesOneAtATime() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b", "c");
        MessageConsumer one = pulling(Session.CLIENT_ACKNOWLEDGE).createConsumer(queue);
        MessageConsumer two = pulling(Session.CLIENT_ACKNOWLEDGE).createConsumer(queue);
        expect(one, "a");
        expect(two, "b");
        expect(one, "c").acknowledge();
    }

    @Case
    void shareWithPrefetching() throws Exception {
        Queue queue = queue();
        MessageConsumer pulling = pulling(Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        MessageConsumer prefetching = session(Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        sendOnce(queue, "a", "b");
        expect(prefetching, "a", "b");
        check(pulling.receiveNoWait() == null, "it has not asked");
    }

    @Case
    void selector() throws Exception {
        Queue queue = queue();
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageProducer producer = session.createProducer(queue);
        for (int n = 0; n < 6; n++) {
            Message message = session.createTextMessage("m" + n);
            message.setIntProperty("n", n);
            producer.send(message);
        }
        MessageConsumer consumer = pulling(Session.AUTO_ACKNOWLEDGE).createConsumer(queue, "n % 2 = 1");
        expect(consumer, "m1", "m3", "m5");
        check(consumer.receiveNoWait() == null, "the others do not match");
        holds(queue, "m0", "m2", "m4");
    }

    @Case
    void listenerIsRefused() throws Exception {
        MessageConsumer consumer = pulling(Session.AUTO_ACKNOWLEDGE).createConsumer(queue());
        throwing(JMSException.class, () -> consumer.setMessageListener(message -> {}));
    }

    @Case
    void transacted() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b", "c", "d");
        ActiveMQConnection connection = connect(NO_PREFETCH + "&jms.redeliveryPolicy.initialRedeliveryDelay=0");
        Session session = session(connection, Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(queue);
        expect(consumer, "a", "b");
        session.rollback();
        check(expect(consumer, "a").getJMSRedelivered(), "a is not marked as redelivered");
        expect(consumer, "b", "c");
        session.commit();
        expect(consumer, "d");
        session.commit();
        nothing(consumer);
        connection.close();
        holds(queue);
    }

    @Case
    void ofTwoQueues() throws Exception {
        String first = name();
        String second = name();
        Session session = pulling(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(session.createQueue(first + "," + second));
        sendOnce(session.createQueue(second), "a");
        expect(consumer, "a");
        sendOnce(session.createQueue(first), "b");
        expect(consumer, "b");
        check(consumer.receiveNoWait() == null, "nothing is left");
    }

    @Case
    void aTopic() throws Exception {
        Topic topic = topic();
        MessageConsumer consumer = pulling(Session.AUTO_ACKNOWLEDGE).createConsumer(topic);
        sendOnce(topic, "a", "b");
        expect(consumer, "a", "b");
        check(consumer.receiveNoWait() == null, "nothing is left");
        FutureTask<Message> waiting = receiving(consumer, PATIENCE_MS);
        sendOnce(topic, "c");
        same("c", text(waiting.get(PATIENCE_MS, TimeUnit.MILLISECONDS)));
    }

    @Case
    void durable() throws Exception {
        Topic topic = topic();
        Session session = session(connect(NO_PREFETCH + "&jms.clientID=" + name("client")), Session.AUTO_ACKNOWLEDGE);
        session.createDurableSubscriber(topic, "s").close();
        sendOnce(topic, "a", "b");
        MessageConsumer consumer = session.createDurableSubscriber(topic, "s");
        expect(consumer, "a", "b");
        check(consumer.receiveNoWait() == null, "nothing is left");
    }
}
