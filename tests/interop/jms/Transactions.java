import java.util.concurrent.atomic.AtomicInteger;
import javax.jms.DeliveryMode;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.Topic;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQConnectionFactory;

/** Transactions of one session. */
final class Transactions extends Kit {
    @Case
    void sendsAreSeenAtTheCommit() throws Exception {
        Queue queue = queue();
        Session session = session(Session.SESSION_TRANSACTED);
        send(session, queue, "a", "b");
        MessageConsumer other = session(Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        nothing(other);
        session.commit();
        expect(other, "a", "b");
    }

    @Case
    void sendsAreGoneAfterARollback() throws Exception {
        Queue queue = queue();
        Session session = session(Session.SESSION_TRANSACTED);
        send(session, queue, "a", "b");
        session.rollback();
        send(session, queue, "c");
        session.commit();
        holds(queue, "c");
    }

    @Case
    void receivedComesAgainAfterARollback() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b");
        Session session = session(Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(queue);
        Message first = expect(consumer, "a");
        same(false, first.getJMSRedelivered());
        expect(consumer, "b");
        session.rollback();
        Message again = expect(consumer, "a");
        same(true, again.getJMSRedelivered());
        same(2, again.getIntProperty("JMSXDeliveryCount"));
        expect(consumer, "b");
        session.commit();
        holds(queue);
    }

    @Case
    void bothSidesTogether() throws Exception {
        Queue from = queue();
        Queue to = queue();
        sendOnce(from, numbered("m", 10));
        Session session = session(Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(from);
        MessageProducer producer = session.createProducer(to);
        for (int n = 0; n < 10; n++) {
            producer.send(session.createTextMessage("out " + text(receive(consumer))));
        }
        session.commit();
        holds(from);
        holds(to, numbered("out m", 10));
    }

    @Case
    void closedWithoutCommit() throws Exception {
        Queue from = queue();
        Queue to = queue();
        sendOnce(from, "a");
        ActiveMQConnection connection = connect();
        Session session = session(connection, Session.SESSION_TRANSACTED);
        expect(session.createConsumer(from), "a");
        send(session, to, "b");
        session.close();
        connection.close();
        holds(from, "a");
        holds(to);
    }

    @Case
    void lostConnection() throws Exception {
        Queue from = queue();
        Queue to = queue();
        sendOnce(from, "a");
        ActiveMQConnection connection = connect();
        Session session = session(connection, Session.SESSION_TRANSACTED);
        expect(session.createConsumer(from), "a");
        send(session, to, "b");
        connection.getTransport().stop();
        MessageConsumer consumer = session(Session.AUTO_ACKNOWLEDGE).createConsumer(from);
        Message again = expect(consumer, "a");
        same(true, again.getJMSRedelivered());
        holds(to);
    }

    @Case
    void largerThanThePrefetch() throws Exception {
        Queue queue = queue();
        sendOnce(queue, numbered("m", 100));
        Session session = session(connect("jms.prefetchPolicy.all=4"), Session.SESSION_TRANSACTED);
        expect(session.createConsumer(queue), numbered("m", 100));
        session.commit();
        holds(queue);
    }

    @Case
    void prefetchOfOne() throws Exception {
        Queue queue = queue();
        sendOnce(queue, numbered("m", 20));
        Session session = session(connect("jms.prefetchPolicy.all=1"), Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(queue);
        expect(consumer, numbered("m", 20));
        session.commit();
        holds(queue);
    }

    /** After a rollback, too, more than the prefetch can be received. */
    @Case
    void prefetchOfOneAfterARollback() throws Exception {
        Queue queue = queue();
        sendOnce(queue, numbered("m", 10));
        ActiveMQConnectionFactory factory = factory("jms.prefetchPolicy.all=1");
        factory.getRedeliveryPolicy().setInitialRedeliveryDelay(0);
        Session session = session(started(factory), Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(queue);
        expect(consumer, numbered("m", 5));
        session.rollback();
        expect(consumer, numbered("m", 10));
        session.commit();
        holds(queue);
    }

    @Case
    void thousandsAtOnce() throws Exception {
        Queue queue = queue();
        Session session = session(Session.SESSION_TRANSACTED);
        send(session, queue, numbered("m", 5_000));
        session.commit();
        expect(session.createConsumer(queue), numbered("m", 5_000));
        session.commit();
        holds(queue);
    }

    @Case
    void severalConsumersOfOneSession() throws Exception {
        Queue one = queue();
        Queue two = queue();
        sendOnce(one, "a");
        sendOnce(two, "b");
        Session session = session(Session.SESSION_TRANSACTED);
        MessageConsumer first = session.createConsumer(one);
        MessageConsumer second = session.createConsumer(two);
        expect(first, "a");
        expect(second, "b");
        session.rollback();
        expect(first, "a");
        expect(second, "b");
        session.commit();
        holds(one);
        holds(two);
    }

    @Case
    void consumerClosedBeforeTheCommit() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b");
        Session session = session(Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(queue);
        expect(consumer, "a");
        consumer.close();
        session.commit();
        holds(queue, "b");
    }

    @Case
    void consumerClosedBeforeTheRollback() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b");
        Session session = session(Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(queue);
        expect(consumer, "a");
        consumer.close();
        session.rollback();
        holds(queue, "a", "b");
    }

    @Case
    void listenerThatRollsBack() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a");
        Session session = session(connect("jms.redeliveryPolicy.initialRedeliveryDelay=0"), Session.SESSION_TRANSACTED);
        AtomicInteger calls = new AtomicInteger();
        AtomicInteger commits = new AtomicInteger();
        session.createConsumer(queue).setMessageListener(message -> {
            try {
                if (calls.incrementAndGet() < 3) {
                    session.rollback();
                } else {
                    session.commit();
                    commits.incrementAndGet();
                }
            } catch (javax.jms.JMSException error) {
                throw new IllegalStateException(error);
            }
        });
        until("the third call commits", () -> commits.get() == 1);
        same(3, calls.get());
        holds(queue);
    }

    @Case
    void twoSessionsOfOneConnection() throws Exception {
        Queue queue = queue();
        ActiveMQConnection connection = connect();
        Session one = session(connection, Session.SESSION_TRANSACTED);
        Session two = session(connection, Session.SESSION_TRANSACTED);
        send(one, queue, "one");
        send(two, queue, "two");
        one.rollback();
        two.commit();
        holds(queue, "two");
    }

    @Case
    void individuallyAcknowledged() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b", "c");
        ActiveMQConnection connection = connect("jms.transactedIndividualAck=true");
        Session session = session(connection, Session.SESSION_TRANSACTED);
        expect(session.createConsumer(queue), "a", "b");
        session.commit();
        connection.close();
        holds(queue, "c");
    }

    @Case
    void sendsToSeveral() throws Exception {
        Session session = session(Session.SESSION_TRANSACTED);
        Queue one = queue();
        Queue two = queue();
        Topic topic = topic();
        MessageConsumer subscriber = session(Session.AUTO_ACKNOWLEDGE).createConsumer(topic);
        send(session, one, "a");
        send(session, topic, "b");
        send(session, two, "c");
        nothing(subscriber);
        session.commit();
        expect(subscriber, "b");
        holds(one, "a");
        holds(two, "c");
    }

    @Case
    void sendsOfBothDeliveryModesInOrder() throws Exception {
        Session session = session(Session.SESSION_TRANSACTED);
        Queue queue = queue();
        MessageProducer producer = session.createProducer(queue);
        for (int n = 0; n < 20; n++) {
            producer.setDeliveryMode(n % 2 == 0 ? DeliveryMode.PERSISTENT : DeliveryMode.NON_PERSISTENT);
            producer.send(session.createTextMessage("m" + n));
        }
        session.commit();
        holds(queue, numbered("m", 20));
    }

    @Case
    void receivesUndoneAreNotForOthers() throws Exception {
        // While their consumer is open they are its own: it gives them to the application again.
        Queue queue = queue();
        sendOnce(queue, "a", "b");
        Session session = session(connect(AT_ONCE), Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(queue);
        expect(consumer, "a", "b");
        session.rollback();
        MessageConsumer other = session(Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        nothing(other);
        consumer.close();
        session.commit();
        expect(other, "a", "b");
    }

    @Case
    void rolledBackAgainAndAgain() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b");
        Session session =
            session(connect("jms.redeliveryPolicy.maximumRedeliveries=-1&" + AT_ONCE), Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(queue);
        for (int n = 1; n <= 20; n++) {
            same(n, expect(consumer, "a").getIntProperty("JMSXDeliveryCount"));
            expect(consumer, "b");
            session.rollback();
        }
        expect(consumer, "a", "b");
        session.commit();
        holds(queue);
    }

    @Case
    void nothingInIt() throws Exception {
        Session session = session(Session.SESSION_TRANSACTED);
        session.commit();
        session.rollback();
        MessageConsumer consumer = session.createConsumer(queue());
        nothing(consumer);
        session.commit();
        session.rollback();
    }
}
