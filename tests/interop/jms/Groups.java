import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import org.apache.activemq.ActiveMQConnection;

/** Message groups: what is of one group goes to one consumer. */
final class Groups extends Kit {
    private static Message message(Session session, String group, String text) throws JMSException {
        Message message = session.createTextMessage(text);
        message.setStringProperty("JMSXGroupID", group);
        return message;
    }

    private static void sendTo(Session session, Queue queue, String group, String... texts) throws JMSException {
        MessageProducer producer = session.createProducer(queue);
        for (String text : texts) {
            producer.send(message(session, group, text));
        }
        producer.close();
    }

    /** Sends the end of a group. */
    private static void close(Session session, Queue queue, String group) throws JMSException {
        Message last = message(session, group, "end");
        last.setIntProperty("JMSXGroupSeq", -1);
        session.createProducer(queue).send(last);
    }

    /** Whether it is the first of its group that its consumer gets. */
    private static boolean isFirst(Message message) throws JMSException {
        return message.getBooleanProperty("JMSXGroupFirstForConsumer");
    }

    private static List<Message> drained(MessageConsumer consumer) throws JMSException {
        List<Message> all = new ArrayList<>();
        for (Message message = consumer.receive(QUIET_MS); message != null; message = consumer.receive(QUIET_MS)) {
            all.add(message);
        }
        return all;
    }

    @Case
    void eachGroupHasOneOwner() throws Exception {
        Queue queue = queue();
        ActiveMQConnection connection = connect();
        MessageConsumer[] consumers = new MessageConsumer[3];
        for (int n = 0; n < consumers.length; n++) {
            consumers[n] = session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        }
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        for (int n = 0; n < 60; n++) {
            sendTo(session, queue, "g" + n % 6, "m" + n);
        }
        Map<String, MessageConsumer> owners = new HashMap<>();
        Map<String, Integer> last = new HashMap<>();
        int count = 0;
        for (MessageConsumer consumer : consumers) {
            for (Message message : drained(consumer)) {
                String group = message.getStringProperty("JMSXGroupID");
                same(owners.get(group) == null, isFirst(message));
                check(owners.computeIfAbsent(group, unknown -> consumer) == consumer, group + " has two owners");
                int number = Integer.parseInt(text(message).substring(1));
                check(number > last.getOrDefault(group, -1), "the order is lost");
                last.put(group, number);
                count++;
            }
        }
        same(60, count);
        same(3L, owners.values().stream().distinct().count());
    }

    @Case
    void headers() throws Exception {
        Queue queue = queue();
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Message message = message(session, "g", "a");
        message.setIntProperty("JMSXGroupSeq", 7);
        session.createProducer(queue).send(message);
        sendTo(session, queue, "g", "b");
        MessageConsumer consumer = session.createConsumer(queue);
        Message first = expect(consumer, "a");
        same("g", first.getStringProperty("JMSXGroupID"));
        same(7, first.getIntProperty("JMSXGroupSeq"));
        check(isFirst(first), "a is not marked as the first");
        check(!isFirst(expect(consumer, "b")), "b is marked as the first");
    }

    @Case
    void withoutAGroup() throws Exception {
        Queue queue = queue();
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        send(session, queue, "a");
        Message message = expect(session.createConsumer(queue), "a");
        same(null, message.getStringProperty("JMSXGroupID"));
        check(!isFirst(message), "it is not of a group");
    }

    @Case
    void ownerLeaves() throws Exception {
        Queue queue = queue();
        ActiveMQConnection connection = connect();
        MessageConsumer one = session(connection, Session.CLIENT_ACKNOWLEDGE).createConsumer(queue);
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        sendTo(session, queue, "g", "a", "b", "c");
        expect(one, "a").acknowledge();
        MessageConsumer two = session(Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        sendTo(session, queue, "g", "d");
        nothing(two);
        connection.close();
        check(isFirst(expect(two, "b")), "b is not the first for its new consumer");
        expect(two, "c", "d");
    }

    @Case
    void closedAndBegunAgain() throws Exception {
        Queue queue = queue();
        MessageConsumer consumer = session(Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        sendTo(session, queue, "g", "a", "b");
        check(isFirst(expect(consumer, "a")), "a is not the first");
        check(!isFirst(expect(consumer, "b")), "b is the first");
        close(session, queue, "g");
        Message end = expect(consumer, "end");
        check(!isFirst(end), "the end is the first");
        same(-1, end.getIntProperty("JMSXGroupSeq"));
        sendTo(session, queue, "g", "c");
        check(isFirst(expect(consumer, "c")), "the group has not begun again");
    }

    @Case
    void closedGroupMayGoElsewhere() throws Exception {
        Queue queue = queue();
        ActiveMQConnection connection = connect();
        MessageConsumer one = session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        sendTo(session, queue, "g", "a");
        expect(one, "a");
        close(session, queue, "g");
        expect(one, "end");
        MessageConsumer two = session(Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        connection.close();
        sendTo(session, queue, "g", "b");
        check(isFirst(expect(two, "b")), "b is not the first");
    }

    /** With ActiveMQ it begins the group anew, with whoever is next. */
    @Case
    void sequenceOneKeepsTheOwner() throws Exception {
        Queue queue = queue();
        MessageConsumer consumer = session(Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        sendTo(session, queue, "g", "a");
        expect(consumer, "a");
        Message message = message(session, "g", "b");
        message.setIntProperty("JMSXGroupSeq", 1);
        session.createProducer(queue).send(message);
        check(!isFirst(expect(consumer, "b")), "b begins the group anew");
    }

    @Case
    void transacted() throws Exception {
        Queue queue = queue();
        Session session = session(Session.SESSION_TRANSACTED);
        sendTo(session, queue, "g", "a", "b");
        session.commit();
        Session receiving = session(Session.SESSION_TRANSACTED);
        MessageConsumer consumer = receiving.createConsumer(queue);
        check(isFirst(expect(consumer, "a")), "a is not the first");
        expect(consumer, "b");
        receiving.commit();
        nothing(consumer);
    }
}
