import javax.jms.DeliveryMode;
import javax.jms.IllegalStateException;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import org.apache.activemq.command.ActiveMQQueue;

/** Priorities of messages. */
final class Priority extends Kit {
    private final Queue sorting = new ActiveMQQueue(name("priority"));

    private static void send(Session session, Queue queue, int priority, String... texts) throws JMSException {
        MessageProducer producer = session.createProducer(queue);
        for (String text : texts) {
            producer.send(session.createTextMessage(text), DeliveryMode.PERSISTENT, priority, 0);
        }
        producer.close();
    }

    @Case
    void header() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        for (int priority = 0; priority <= 9; priority++) {
            send(session, queue, priority, "p" + priority);
        }
        send(session, queue, "default");
        MessageConsumer consumer = session.createConsumer(queue);
        for (int priority = 0; priority <= 9; priority++) {
            same(priority, expect(consumer, "p" + priority).getJMSPriority());
        }
        same(Message.DEFAULT_PRIORITY, expect(consumer, "default").getJMSPriority());
    }

    @Case
    void ofTheProducer() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        MessageProducer producer = session.createProducer(queue);
        producer.setPriority(8);
        producer.send(session.createTextMessage("a"));
        same(8, expect(session.createConsumer(queue), "a").getJMSPriority());
        throwing(IllegalStateException.class, () -> producer.setPriority(10));
    }

    @Case
    void higherFirst() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        send(session, sorting, 1, "low");
        send(session, sorting, 4, "middle0", "middle1");
        send(session, sorting, 9, "high0", "high1");
        MessageConsumer consumer = session.createConsumer(sorting);
        expect(consumer, "high0", "high1", "middle0", "middle1", "low");
    }

    @Case
    void higherFirstAfterCommit() throws Exception {
        Session session = session(Session.SESSION_TRANSACTED);
        send(session, sorting, 2, "low");
        send(session, sorting, 7, "high");
        session.commit();
        holds(sorting, "high", "low");
    }

    @Case
    void elsewhereInTheOrderOfSending() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        send(session, queue, 1, "first");
        send(session, queue, 9, "second");
        expect(session.createConsumer(queue), "first", "second");
    }
}
