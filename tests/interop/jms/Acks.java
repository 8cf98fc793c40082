import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.Topic;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQSession;

/** When a message is done with. */
final class Acks extends Kit {
    @Case
    void autoAcknowledge() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b", "c");
        ActiveMQConnection connection = connect();
        expect(session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(queue), "a", "b");
        connection.close();
        holds(queue, "c");
    }

    @Case
    void autoAcknowledgeInListener() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b", "c");
        ActiveMQConnection connection = connect();
        BlockingQueue<Message> got = new LinkedBlockingQueue<>();
        session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(queue).setMessageListener(got::add);
        until("all three", () -> got.size() == 3);
        connection.close();
        holds(queue);
    }

    @Case
    void clientAcknowledgesAllSoFar() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b", "c");
        ActiveMQConnection connection = connect();
        MessageConsumer consumer = session(connection, Session.CLIENT_ACKNOWLEDGE).createConsumer(queue);
        expect(consumer, "a", "b").acknowledge();
        expect(consumer, "c");
        connection.close();
        holds(queue, "c");
    }

    @Case
    void clientAcknowledgesForAllConsumersOfItsSession() throws Exception {
        Queue one = queue();
        Queue two = queue();
        sendOnce(one, "a");
        sendOnce(two, "b");
        ActiveMQConnection connection = connect();
        Session session = session(connection, Session.CLIENT_ACKNOWLEDGE);
        expect(session.createConsumer(one), "a");
        expect(session.createConsumer(two), "b").acknowledge();
        connection.close();
        holds(one);
        holds(two);
    }

    @Case
    void individually() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b", "c", "d");
        ActiveMQConnection connection = connect();
        Session session = session(connection, ActiveMQSession.INDIVIDUAL_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(queue);
        expect(consumer, "a");
        Message second = expect(consumer, "b");
        expect(consumer, "c");
        expect(consumer, "d").acknowledge();
        second.acknowledge();
        connection.close();
        holds(queue, "a", "c");
    }

    @Case
    void dupsOkOnQueueAndTopic() throws Exception {
        Queue queue = queue();
        Topic topic = topic();
        ActiveMQConnection connection = connect();
        Session session = session(connection, Session.DUPS_OK_ACKNOWLEDGE);
        MessageConsumer ofTopic = session.createConsumer(topic);
        sendOnce(queue, numbered("q", 1_500));
        sendOnce(topic, numbered("t", 100));
        expect(session.createConsumer(queue), numbered("q", 1_500));
        expect(ofTopic, numbered("t", 100));
        connection.close();
        holds(queue);
    }

    @Case
    void optimized() throws Exception {
        Queue queue = queue();
        sendOnce(queue, numbered("m", 2_500));
        ActiveMQConnection connection = connect("jms.optimizeAcknowledge=true");
        MessageConsumer consumer = session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        expect(consumer, numbered("m", 2_500));
        consumer.close();
        connection.close();
        holds(queue);
    }

    /** More than the prefetch may be received before the first acknowledgement. */
    @Case
    void beyondThePrefetch() throws Exception {
        Queue queue = queue();
        sendOnce(queue, numbered("m", 50));
        ActiveMQConnection connection = connect("jms.prefetchPolicy.all=5");
        MessageConsumer consumer = session(connection, Session.CLIENT_ACKNOWLEDGE).createConsumer(queue);
        expect(consumer, numbered("m", 50)).acknowledge();
        connection.close();
        holds(queue);
    }

    @Case
    void prefetchBoundsWhatIsTaken() throws Exception {
        Queue queue = queue();
        sendOnce(queue, numbered("m", 10));
        MessageConsumer first = session(connect("jms.prefetchPolicy.all=3"), Session.CLIENT_ACKNOWLEDGE)
            .createConsumer(queue);
        expect(first, "m0");
        MessageConsumer second = session(connect(), Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        // The first holds one that was received and three more at most.
        Message message = receive(second);
        int from = Integer.parseInt(text(message).substring(1));
        check(from == 3 || from == 4, "the first consumer was given " + from);
    }

    @Case
    void synchronously() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b");
        ActiveMQConnection connection = connect("jms.sendAcksAsync=false");
        MessageConsumer consumer = session(connection, Session.CLIENT_ACKNOWLEDGE).createConsumer(queue);
        expect(consumer, "a").acknowledge();
        connection.close();
        holds(queue, "b");
    }

    @Case
    void unacknowledgedGoBackInOrder() throws Exception {
        Queue queue = queue();
        sendOnce(queue, numbered("m", 20));
        ActiveMQConnection connection = connect();
        expect(session(connection, Session.CLIENT_ACKNOWLEDGE).createConsumer(queue), numbered("m", 10));
        connection.close();
        holds(queue, numbered("m", 20));
    }

    @Case
    void fromAnotherThread() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b");
        ActiveMQConnection connection = connect();
        Session session = session(connection, ActiveMQSession.INDIVIDUAL_ACKNOWLEDGE);
        BlockingQueue<Message> got = new LinkedBlockingQueue<>();
        session.createConsumer(queue).setMessageListener(got::add);
        Message first = got.poll(PATIENCE_MS, TimeUnit.MILLISECONDS);
        Message second = got.poll(PATIENCE_MS, TimeUnit.MILLISECONDS);
        second.acknowledge();
        first.acknowledge();
        connection.close();
        holds(queue);
    }

    @Case
    void individualBackwards() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b", "c");
        ActiveMQConnection connection = connect();
        MessageConsumer consumer = session(connection, ActiveMQSession.INDIVIDUAL_ACKNOWLEDGE).createConsumer(queue);
        Message[] got = {receive(consumer), receive(consumer), receive(consumer)};
        got[2].acknowledge();
        got[0].acknowledge();
        connection.close();
        holds(queue, "b");
    }

    @Case
    void individualWithSmallWindow() throws Exception {
        Queue queue = queue();
        sendOnce(queue, numbered("m", 30));
        ActiveMQConnection connection = connect("jms.prefetchPolicy.all=4");
        MessageConsumer consumer = session(connection, ActiveMQSession.INDIVIDUAL_ACKNOWLEDGE).createConsumer(queue);
        for (String text : numbered("m", 30)) {
            expect(consumer, text).acknowledge();
        }
        connection.close();
        holds(queue);
    }

    @Case
    void withAnswers() throws Exception {
        // Acknowledgements that wait for the broker's response.
        Queue queue = queue();
        sendOnce(queue, "a", "b", "c");
        ActiveMQConnection connection = connect("jms.sendAcksAsync=false");
        MessageConsumer consumer = session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        expect(consumer, "a", "b");
        connection.close();
        holds(queue, "c");
    }
}
