import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.Session;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.command.ActiveMQQueue;

/** Exclusive consumers and consumers with priorities. */
final class Exclusive extends Kit {
    private final String name = name();
    private final Queue queue = new ActiveMQQueue(name);

    private MessageConsumer consumer(ActiveMQConnection connection, String options) throws Exception {
        return session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(new ActiveMQQueue(name + options));
    }

    @Case
    void theFirstTakesAll() throws Exception {
        MessageConsumer one = consumer(connect(), "?consumer.exclusive=true");
        MessageConsumer two = consumer(connect(), "?consumer.exclusive=true");
        sendOnce(queue, numbered("m", 20));
        expect(one, numbered("m", 20));
        nothing(two);
    }

    @Case
    void theNextTakesOver() throws Exception {
        ActiveMQConnection first = connect();
        MessageConsumer one = consumer(first, "?consumer.exclusive=true");
        MessageConsumer two = consumer(connect(), "?consumer.exclusive=true");
        sendOnce(queue, "a");
        expect(one, "a");
        one.close();
        sendOnce(queue, "b");
        expect(two, "b");
    }

    @Case
    void whatTheFirstHeldComesToTheNext() throws Exception {
        ActiveMQConnection first = connect();
        Session session = session(first, Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer one = session.createConsumer(new ActiveMQQueue(name + "?consumer.exclusive=true"));
        MessageConsumer two = consumer(connect(), "?consumer.exclusive=true");
        sendOnce(queue, "a", "b", "c");
        expect(one, "a").acknowledge();
        first.close();
        expect(two, "b", "c");
    }

    @Case
    void goesBeforeOthers() throws Exception {
        MessageConsumer plain = consumer(connect(), "");
        MessageConsumer exclusive = consumer(connect(), "?consumer.exclusive=true");
        sendOnce(queue, "a", "b");
        expect(exclusive, "a", "b");
        nothing(plain);
        exclusive.close();
        sendOnce(queue, "c");
        expect(plain, "c");
    }

    @Case
    void higherPriorityGoesBeforeFirst() throws Exception {
        MessageConsumer low = consumer(connect(), "?consumer.exclusive=true&consumer.priority=1");
        MessageConsumer high = consumer(connect(), "?consumer.exclusive=true&consumer.priority=2");
        sendOnce(queue, "a", "b");
        expect(high, "a", "b");
        nothing(low);
        high.close();
        sendOnce(queue, "c");
        expect(low, "c");
    }

    @Case
    void priorityIsServedFirst() throws Exception {
        MessageConsumer low = consumer(connect(), "?consumer.priority=1");
        MessageConsumer high = consumer(connect(), "?consumer.priority=10");
        sendOnce(queue, numbered("m", 20));
        expect(high, numbered("m", 20));
        nothing(low);
    }

    @Case
    void lowerPriorityGetsTheRest() throws Exception {
        MessageConsumer low = consumer(connect(), "?consumer.priority=1");
        Session session = session(Session.CLIENT_ACKNOWLEDGE);
        String options = "?consumer.priority=10&consumer.prefetchSize=2";
        MessageConsumer high = session.createConsumer(new ActiveMQQueue(name + options));
        sendOnce(queue, "a", "b", "c", "d");
        expect(low, "c", "d");
        expect(high, "a", "b");
    }
}
