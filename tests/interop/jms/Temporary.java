import javax.jms.Destination;
import javax.jms.InvalidDestinationException;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.QueueConnection;
import javax.jms.QueueRequestor;
import javax.jms.QueueSession;
import javax.jms.Session;
import javax.jms.TemporaryQueue;
import javax.jms.TemporaryTopic;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.DestinationDoesNotExistException;

/** Temporary destinations: replies to one connection. */
final class Temporary extends Kit {
    /** Answers each request of a queue from a connection of its own. */
    private void serve(Queue requests) throws JMSException {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageProducer replies = session.createProducer(null);
        session.createConsumer(requests).setMessageListener(request -> {
            try {
                Message reply = session.createTextMessage("to " + text(request));
                reply.setJMSCorrelationID(request.getJMSMessageID());
                replies.send(request.getJMSReplyTo(), reply);
            } catch (JMSException failed) {
                throw new AssertionError(failed);
            }
        });
    }

    private static void ask(Session session, Queue requests, Destination replies) throws Exception {
        MessageProducer producer = session.createProducer(requests);
        MessageConsumer consumer = session.createConsumer(replies);
        for (String text : numbered("m", 20)) {
            Message request = session.createTextMessage(text);
            request.setJMSReplyTo(replies);
            producer.send(request);
            Message reply = expect(consumer, "to " + text);
            same(request.getJMSMessageID(), reply.getJMSCorrelationID());
            same(replies, reply.getJMSDestination());
        }
    }

    @Case
    void requestAndReplyByQueue() throws Exception {
        Queue requests = queue();
        serve(requests);
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        ask(session, requests, session.createTemporaryQueue());
    }

    @Case
    void requestAndReplyByTopic() throws Exception {
        Queue requests = queue();
        serve(requests);
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        ask(session, requests, session.createTemporaryTopic());
    }

    @Case
    void requestAndReplyWithoutAdvisories() throws Exception {
        Queue requests = queue();
        serve(requests);
        Session session = session(connect("jms.watchTopicAdvisories=false"), Session.AUTO_ACKNOWLEDGE);
        ask(session, requests, session.createTemporaryQueue());
    }

    @Case
    void requestor() throws Exception {
        Queue requests = queue();
        serve(requests);
        QueueConnection connection = keep(factory("").createQueueConnection());
        connection.start();
        QueueSession session = connection.createQueueSession(false, Session.AUTO_ACKNOWLEDGE);
        QueueRequestor requestor = new QueueRequestor(session, requests);
        same("to a", text(requestor.request(session.createTextMessage("a"))));
        same("to b", text(requestor.request(session.createTextMessage("b"))));
        requestor.close();
    }

    @Case
    void names() throws Exception {
        ActiveMQConnection connection = connect();
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        TemporaryQueue queue = session.createTemporaryQueue();
        TemporaryTopic topic = session.createTemporaryTopic();
        String id = connection.getConnectionInfo().getConnectionId().getValue();
        check(queue.getQueueName().startsWith(id), queue.getQueueName());
        check(topic.getTopicName().startsWith(id), topic.getTopicName());
    }

    @Case
    void replyToKeepsItsKind() throws Exception {
        Queue queue = queue();
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Message message = session.createMessage();
        message.setJMSReplyTo(session.createTemporaryTopic());
        session.createProducer(queue).send(message);
        Session other = session(Session.AUTO_ACKNOWLEDGE);
        Message received = receive(other.createConsumer(queue));
        check(received.getJMSReplyTo() instanceof TemporaryTopic, "" + received.getJMSReplyTo());
        same(message.getJMSReplyTo(), received.getJMSReplyTo());
    }

    @Case
    void sharedBySessions() throws Exception {
        ActiveMQConnection connection = connect();
        Session one = session(connection, Session.AUTO_ACKNOWLEDGE);
        Session two = session(connection, Session.AUTO_ACKNOWLEDGE);
        TemporaryQueue queue = one.createTemporaryQueue();
        send(one, queue, "a", "b");
        expect(two.createConsumer(queue), "a", "b");
    }

    @Case
    void foreignConsumerIsRefused() throws Exception {
        TemporaryQueue queue = session(Session.AUTO_ACKNOWLEDGE).createTemporaryQueue();
        Session other = session(Session.AUTO_ACKNOWLEDGE);
        throwing(InvalidDestinationException.class, () -> other.createConsumer(queue));
        send(other, queue(), "the connection goes on");
    }

    @Case
    void deletedWithConsumer() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        TemporaryQueue queue = session.createTemporaryQueue();
        MessageConsumer consumer = session.createConsumer(queue);
        throwing(JMSException.class, queue::delete);
        consumer.close();
        queue.delete();
    }

    @Case
    void sendToDeleted() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Session other = session(Session.AUTO_ACKNOWLEDGE);
        TemporaryQueue queue = session.createTemporaryQueue();
        until("the other connection knows of it", () -> sends(other, queue));
        queue.delete();
        until("the other connection knows that it is gone", () -> !sends(other, queue));
        throwing(DestinationDoesNotExistException.class, () -> send(other, queue, "a"));
        throwing(InvalidDestinationException.class, () -> session.createProducer(null).send(queue, session.createMessage()));
    }

    @Case
    void sendToDeletedUnknowingly() throws Exception {
        // Without advisories it is the broker that says so.
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Session other = session(connect("jms.watchTopicAdvisories=false"), Session.AUTO_ACKNOWLEDGE);
        TemporaryQueue queue = session.createTemporaryQueue();
        send(other, queue, "a");
        queue.delete();
        throwing(DestinationDoesNotExistException.class, () -> send(other, queue, "b"));
        send(other, queue(), "the connection goes on");
    }

    @Case
    void goneWithItsConnection() throws Exception {
        ActiveMQConnection owner = connect();
        TemporaryQueue queue = session(owner, Session.AUTO_ACKNOWLEDGE).createTemporaryQueue();
        Session other = session(Session.AUTO_ACKNOWLEDGE);
        until("the other connection knows of it", () -> sends(other, queue));
        owner.close();
        until("the other connection knows that it is gone", () -> !sends(other, queue));
    }

    private static boolean sends(Session session, Destination to) throws JMSException {
        // Without a destination, as the broker refuses a producer to one that is gone.
        MessageProducer producer = session.createProducer(null);
        try {
            producer.send(to, session.createTextMessage("a"));
            return true;
        } catch (InvalidDestinationException unknown) {
            return false;
        } catch (DestinationDoesNotExistException gone) {
            // The broker has said so, the client does not know yet.
            return true;
        } finally {
            producer.close();
        }
    }

    @Case
    void transacted() throws Exception {
        ActiveMQConnection connection = connect();
        Session session = session(connection, Session.SESSION_TRANSACTED);
        TemporaryQueue queue = session.createTemporaryQueue();
        MessageConsumer consumer = session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        send(session, queue, "a");
        nothing(consumer);
        session.commit();
        expect(consumer, "a");
    }
}
