import javax.jms.DeliveryMode;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.QueueConnection;
import javax.jms.QueueReceiver;
import javax.jms.QueueSender;
import javax.jms.QueueSession;
import javax.jms.Session;
import javax.jms.TextMessage;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.activemq.ActiveMQConnection;

/** Point to point: one consumer gets each message. */
final class Queues extends Kit {
    @Case
    void sendAndReceive() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        send(session, queue, "a", "b", "c");
        MessageConsumer consumer = session.createConsumer(queue);
        expect(consumer, "a", "b", "c");
        nothing(consumer);
    }

    @Case
    void consumerFirst() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        MessageConsumer consumer = session.createConsumer(queue);
        check(consumer.receiveNoWait() == null, "something came before anything was sent");
        send(session, queue, "a");
        expect(consumer, "a");
    }

    @Case
    void headers() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        Queue replies = queue();
        TextMessage sent = session.createTextMessage("a");
        sent.setJMSCorrelationID("correlation");
        sent.setJMSReplyTo(replies);
        sent.setJMSType("type");
        MessageProducer producer = session.createProducer(queue);
        long before = System.currentTimeMillis();
        producer.send(sent, DeliveryMode.NON_PERSISTENT, 7, 60_000);
        Message message = receive(session.createConsumer(queue));
        same(sent.getJMSMessageID(), message.getJMSMessageID());
        check(message.getJMSMessageID().startsWith("ID:"), message.getJMSMessageID());
        same("correlation", message.getJMSCorrelationID());
        same(replies, message.getJMSReplyTo());
        same(queue, message.getJMSDestination());
        same("type", message.getJMSType());
        same(7, message.getJMSPriority());
        same(DeliveryMode.NON_PERSISTENT, message.getJMSDeliveryMode());
        same(message.getJMSTimestamp() + 60_000, message.getJMSExpiration());
        check(message.getJMSTimestamp() >= before, "the time stamp is older than the message");
        same(false, message.getJMSRedelivered());
        same(1, message.getIntProperty("JMSXDeliveryCount"));
    }

    @Case
    void correlationAsBytes() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        Message sent = session.createMessage();
        sent.setJMSCorrelationIDAsBytes("ähnlich".getBytes("UTF-8"));
        session.createProducer(queue).send(sent);
        Message message = receive(session.createConsumer(queue));
        same("ähnlich", new String(message.getJMSCorrelationIDAsBytes(), "UTF-8"));
    }

    @Case
    void disabledIdAndTimestamp() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        MessageProducer producer = session.createProducer(queue);
        producer.setDisableMessageTimestamp(true);
        producer.setDisableMessageID(true);
        producer.send(session.createTextMessage("a"));
        Message message = receive(session.createConsumer(queue));
        same(0L, message.getJMSTimestamp());
        same(0L, message.getJMSExpiration());
    }

    @Case
    void listener() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        BlockingQueue<Message> got = new LinkedBlockingQueue<>();
        session.createConsumer(queue).setMessageListener(got::add);
        Session other = session(Session.AUTO_ACKNOWLEDGE);
        send(other, queue, numbered("m", 50));
        for (String text : numbered("m", 50)) {
            same(text, text(got.poll(PATIENCE_MS, TimeUnit.MILLISECONDS)));
        }
        same(0, got.size());
    }

    @Case
    void stoppedConnection() throws Exception {
        ActiveMQConnection connection = connect();
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        MessageConsumer consumer = session.createConsumer(queue);
        connection.stop();
        send(session, queue, "a");
        nothing(consumer);
        connection.start();
        expect(consumer, "a");
    }

    @Case
    void queueInterfaces() throws Exception {
        QueueConnection connection = keep(factory("").createQueueConnection());
        connection.start();
        QueueSession session = connection.createQueueSession(false, Session.AUTO_ACKNOWLEDGE);
        Queue queue = session.createQueue(name());
        QueueSender sender = session.createSender(queue);
        same(queue, sender.getQueue());
        sender.send(session.createTextMessage("a"));
        QueueReceiver receiver = session.createReceiver(queue);
        same(queue, receiver.getQueue());
        expect(receiver, "a");
    }

    @Case
    void sharedFairly() throws Exception {
        ActiveMQConnection connection = connect();
        Queue queue = queue();
        MessageConsumer one = session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        MessageConsumer two = session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        sendOnce(queue, numbered("m", 100));
        List<String> first = drained(one);
        List<String> second = drained(two);
        Set<String> all = new HashSet<>(first);
        all.addAll(second);
        same(100, first.size() + second.size());
        same(100, all.size());
        check(Math.abs(first.size() - second.size()) <= 10, first.size() + " and " + second.size());
    }

    private static List<String> drained(MessageConsumer consumer) throws Exception {
        List<String> texts = new ArrayList<>();
        for (Message message = consumer.receive(QUIET_MS); message != null; message = consumer.receive(QUIET_MS)) {
            texts.add(text(message));
        }
        return texts;
    }

    @Case
    void keptWithoutConsumer() throws Exception {
        Queue queue = queue();
        sendOnce(queue, numbered("m", 1_000));
        holds(queue, numbered("m", 1_000));
    }

    @Case
    void inOrderThroughManyConsumers() throws Exception {
        Queue queue = queue();
        sendOnce(queue, numbered("m", 20));
        ActiveMQConnection connection = connect();
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        for (String text : numbered("m", 20)) {
            MessageConsumer consumer = session.createConsumer(queue);
            expect(consumer, text);
            consumer.close();
        }
    }

    @Case
    void closedConsumer() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        MessageConsumer consumer = session.createConsumer(queue);
        send(session, queue, "a");
        expect(consumer, "a");
        consumer.close();
        send(session, queue, "b");
        expect(session.createConsumer(queue), "b");
    }

    @Case
    void messageSentOnItsWay() throws Exception {
        // A received message that is sent on keeps its body and gets an id of its own.
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Queue first = queue();
        Queue second = queue();
        send(session, first, "a");
        Message message = receive(session.createConsumer(first));
        String id = message.getJMSMessageID();
        session.createProducer(second).send(message);
        Message forwarded = receive(session.createConsumer(second));
        same("a", text(forwarded));
        same(second, forwarded.getJMSDestination());
        check(!id.equals(forwarded.getJMSMessageID()), "the id is the same");
    }
}
