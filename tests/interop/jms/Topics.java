import javax.jms.Connection;
import javax.jms.DeliveryMode;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Session;
import javax.jms.Topic;
import javax.jms.TopicConnection;
import javax.jms.TopicPublisher;
import javax.jms.TopicSession;
import javax.jms.TopicSubscriber;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.command.ActiveMQQueue;
import org.apache.activemq.command.ActiveMQTopic;

/** Publish and subscribe: every consumer gets each message. */
final class Topics extends Kit {
    @Case
    void everyConsumerGetsAll() throws Exception {
        Topic topic = topic();
        ActiveMQConnection connection = connect();
        MessageConsumer one = session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(topic);
        MessageConsumer two = session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(topic);
        MessageConsumer three = session(Session.AUTO_ACKNOWLEDGE).createConsumer(topic);
        sendOnce(topic, numbered("m", 200));
        for (MessageConsumer consumer : new MessageConsumer[] {one, two, three}) {
            expect(consumer, numbered("m", 200));
            nothing(consumer);
        }
    }

    @Case
    void nothingBeforeTheSubscription() throws Exception {
        Topic topic = topic();
        sendOnce(topic, "early");
        MessageConsumer consumer = session(Session.AUTO_ACKNOWLEDGE).createConsumer(topic);
        sendOnce(topic, "late");
        expect(consumer, "late");
        nothing(consumer);
    }

    @Case
    void nothingAfterClosing() throws Exception {
        Topic topic = topic();
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer first = session.createConsumer(topic);
        MessageConsumer second = session.createConsumer(topic);
        first.close();
        send(session, topic, "a");
        expect(second, "a");
    }

    @Case
    void headers() throws Exception {
        Topic topic = topic();
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(topic);
        MessageProducer producer = session.createProducer(topic);
        Message sent = session.createTextMessage("a");
        sent.setStringProperty("p", "v");
        producer.send(sent, DeliveryMode.PERSISTENT, 8, 0);
        Message message = receive(consumer);
        same(topic, message.getJMSDestination());
        same(DeliveryMode.PERSISTENT, message.getJMSDeliveryMode());
        same(8, message.getJMSPriority());
        same("v", message.getStringProperty("p"));
        same(sent.getJMSMessageID(), message.getJMSMessageID());
    }

    @Case
    void topicInterfaces() throws Exception {
        TopicConnection connection = keep(factory("").createTopicConnection());
        connection.start();
        TopicSession session = connection.createTopicSession(false, Session.AUTO_ACKNOWLEDGE);
        Topic topic = session.createTopic(name());
        TopicSubscriber subscriber = session.createSubscriber(topic);
        TopicPublisher publisher = session.createPublisher(topic);
        publisher.publish(session.createTextMessage("a"));
        expect(subscriber, "a");
    }

    /** A queue and a topic of one name are two destinations. */
    @Case
    void queueOfTheSameName() throws Exception {
        String name = name();
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer ofTopic = session.createConsumer(new ActiveMQTopic(name));
        send(session, new ActiveMQQueue(name), "queue");
        send(session, new ActiveMQTopic(name), "topic");
        expect(ofTopic, "topic");
        nothing(ofTopic);
        holds(new ActiveMQQueue(name), "queue");
    }

    /** A consumer that takes its time holds up nobody, and loses nothing. */
    @Case
    void slowConsumer() throws Exception {
        Topic topic = topic();
        ActiveMQConnection connection = connect("jms.prefetchPolicy.topicPrefetch=10");
        MessageConsumer slow = session(connection, Session.CLIENT_ACKNOWLEDGE).createConsumer(topic);
        MessageConsumer quick = session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(topic);
        sendOnce(topic, numbered("m", 1_000));
        expect(quick, numbered("m", 1_000));
        expect(slow, numbered("m", 1_000)).acknowledge();
    }

    @Case
    void transactedConsumer() throws Exception {
        Topic topic = topic();
        Session session = session(connect("jms.prefetchPolicy.topicPrefetch=3"), Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(topic);
        sendOnce(topic, numbered("m", 20));
        expect(consumer, numbered("m", 10));
        session.commit();
        expect(consumer, "m10", "m11");
        session.rollback();
        expect(consumer, "m10", "m11", "m12");
        session.commit();
    }

    @Case
    void manySubscribers() throws Exception {
        Topic topic = topic();
        Connection connection = connect();
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer[] consumers = new MessageConsumer[100];
        for (int n = 0; n < consumers.length; n++) {
            consumers[n] = session.createConsumer(topic);
        }
        sendOnce(topic, "a", "b");
        for (MessageConsumer consumer : consumers) {
            expect(consumer, "a", "b");
        }
    }

    @Case
    void smallWindow() throws Exception {
        Topic topic = topic();
        Session session = session(connect("jms.prefetchPolicy.all=2"), Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(topic);
        sendOnce(topic, numbered("m", 50));
        expect(consumer, numbered("m", 50));
        nothing(consumer);
    }

    @Case
    void duplicatesAllowedWithSmallWindow() throws Exception {
        Topic topic = topic();
        Session session = session(connect("jms.prefetchPolicy.all=4"), Session.DUPS_OK_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(topic);
        sendOnce(topic, numbered("m", 50));
        expect(consumer, numbered("m", 50));
    }

    @Case
    void recovered() throws Exception {
        Topic topic = topic();
        ActiveMQConnection connection = connect(AT_ONCE);
        Session session = session(connection, Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(topic);
        sendOnce(topic, "a", "b");
        expect(consumer, "a", "b");
        session.recover();
        expect(consumer, "a", "b").acknowledge();
        session.recover();
        nothing(consumer);
    }
}
