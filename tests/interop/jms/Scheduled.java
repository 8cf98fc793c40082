import java.util.ArrayList;
import java.util.List;
import javax.jms.Destination;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.Topic;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ScheduledMessage;

/** Messages that are delivered later, or again and again, and the scheduler that is told what to do with them. */
final class Scheduled extends Kit {
    private static final String JOB = "scheduledJobId";
    private static final long HOUR = 3_600_000;

    private final Queue queue = queue();

    private static Message delayed(Session session, String text, long delay) throws JMSException {
        Message message = session.createTextMessage(text);
        message.setLongProperty(ScheduledMessage.AMQ_SCHEDULED_DELAY, delay);
        return message;
    }

    private static void sendDelayed(Session session, Destination to, String text, long delay) throws JMSException {
        session.createProducer(to).send(delayed(session, text, delay));
    }

    /** Tells the scheduler to do something. */
    private static Message order(Session session, String action) throws JMSException {
        Message order = session.createMessage();
        order.setStringProperty(ScheduledMessage.AMQ_SCHEDULER_ACTION, action);
        return order;
    }

    private static void tell(Session session, Message order) throws JMSException {
        MessageProducer producer =
            session.createProducer(session.createTopic(ScheduledMessage.AMQ_SCHEDULER_MANAGEMENT_DESTINATION));
        producer.send(order);
        producer.close();
    }

    /** The jobs of this case's queue. */
    private List<Message> jobs(Session session, Long from, Long to) throws JMSException {
        Destination replies = session.createTemporaryQueue();
        MessageConsumer consumer = session.createConsumer(replies);
        Message order = order(session, ScheduledMessage.AMQ_SCHEDULER_ACTION_BROWSE);
        order.setJMSReplyTo(replies);
        if (from != null) {
            order.setStringProperty(ScheduledMessage.AMQ_SCHEDULER_ACTION_START_TIME, Long.toString(from));
            order.setStringProperty(ScheduledMessage.AMQ_SCHEDULER_ACTION_END_TIME, Long.toString(to));
        }
        tell(session, order);
        List<Message> jobs = new ArrayList<>();
        for (Message job = consumer.receive(QUIET_MS); job != null; job = consumer.receive(QUIET_MS)) {
            jobs.add(job);
        }
        consumer.close();
        return jobs;
    }

    private static List<String> texts(List<Message> messages) throws JMSException {
        List<String> texts = new ArrayList<>();
        for (Message message : messages) {
            texts.add(text(message));
        }
        texts.sort(null);
        return texts;
    }

    private void clear(Session session) throws JMSException {
        tell(session, order(session, ScheduledMessage.AMQ_SCHEDULER_ACTION_REMOVEALL));
    }

    @Case
    void delay() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(queue);
        long begun = System.nanoTime();
        Message sent = delayed(session, "later", 600);
        session.createProducer(queue).send(sent);
        send(session, queue, "now");
        expect(consumer, "now");
        Message message = expect(consumer, "later");
        check(System.nanoTime() - begun >= 590_000_000L, "it came too early");
        check(message.getStringProperty(JOB) != null, "it does not name its job");
        check(!message.propertyExists(ScheduledMessage.AMQ_SCHEDULED_DELAY), "it still has a delay");
        same(queue, message.getJMSDestination());
        same(sent.getJMSMessageID(), message.getJMSMessageID());
    }

    @Case
    void toATopic() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Topic topic = topic();
        MessageConsumer consumer = session.createConsumer(topic);
        sendDelayed(session, topic, "later", 100);
        same(topic, expect(consumer, "later").getJMSDestination());
    }

    @Case
    void repeated() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(queue);
        Message message = delayed(session, "again", 100);
        message.setLongProperty(ScheduledMessage.AMQ_SCHEDULED_PERIOD, 100);
        message.setIntProperty(ScheduledMessage.AMQ_SCHEDULED_REPEAT, 2);
        message.setStringProperty("kept", "yes");
        session.createProducer(queue).send(message);
        List<String> ids = new ArrayList<>();
        for (int n = 0; n < 3; n++) {
            Message received = expect(consumer, "again");
            same("yes", received.getStringProperty("kept"));
            check(!ids.contains(received.getJMSMessageID()), "an id came twice");
            ids.add(received.getJMSMessageID());
        }
        nothing(consumer);
    }

    @Case
    void cron() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        clear(session);
        Message message = session.createTextMessage("once a year");
        message.setStringProperty(ScheduledMessage.AMQ_SCHEDULED_CRON, "0 3 29 2 *");
        session.createProducer(queue).send(message);
        same(List.of("once a year"), texts(jobs(session, null, null)));
        nothing(session.createConsumer(queue));
        clear(session);
    }

    @Case
    void transacted() throws Exception {
        ActiveMQConnection connection = connect();
        MessageConsumer consumer = session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        Session session = session(connection, Session.SESSION_TRANSACTED);
        sendDelayed(session, queue, "rolled back", 50);
        session.rollback();
        sendDelayed(session, queue, "a", 50);
        nothing(consumer);
        session.commit();
        expect(consumer, "a");
        nothing(consumer);
    }

    @Case
    void browseAndRemove() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        clear(session);
        sendDelayed(session, queue, "a", HOUR);
        sendDelayed(session, queue, "b", 2 * HOUR);
        List<Message> jobs = jobs(session, null, null);
        same(List.of("a", "b"), texts(jobs));
        for (Message job : jobs) {
            if (text(job).equals("a")) {
                Message order = order(session, ScheduledMessage.AMQ_SCHEDULER_ACTION_REMOVE);
                order.setStringProperty(JOB, job.getStringProperty(JOB));
                tell(session, order);
            }
        }
        same(List.of("b"), texts(jobs(session, null, null)));
        clear(session);
        same(List.of(), texts(jobs(session, null, null)));
    }

    @Case
    void browseSpan() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        clear(session);
        long now = System.currentTimeMillis();
        sendDelayed(session, queue, "a", HOUR);
        sendDelayed(session, queue, "b", 3 * HOUR);
        same(List.of("b"), texts(jobs(session, now + 2 * HOUR, now + 4 * HOUR)));
        clear(session);
    }

    @Case
    void manyInOrder() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(queue);
        sendDelayed(session, queue, "c", 900);
        sendDelayed(session, queue, "b", 600);
        sendDelayed(session, queue, "a", 300);
        expect(consumer, "a", "b", "c");
    }
}
