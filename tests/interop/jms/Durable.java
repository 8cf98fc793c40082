import javax.jms.InvalidDestinationException;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Session;
import javax.jms.Topic;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.command.ActiveMQTopic;

/** Durable subscriptions: a topic's messages for who is away. */
final class Durable extends Kit {
    private final String client = name("client");

    /** A session of a new connection of this client id. */
    private Session come(String clientId) throws JMSException {
        return session(connect("jms.clientID=" + clientId), Session.AUTO_ACKNOWLEDGE);
    }

    private Session come() throws JMSException {
        return come(client);
    }

    /** Closes the connection of a session. */
    private static void go(Session session) throws JMSException {
        ((org.apache.activemq.ActiveMQSession) session).getConnection().close();
    }

    /** Makes a subscription that is then without a consumer. */
    private void subscribeAndGo(Topic topic, String name, String selector) throws JMSException {
        Session session = come();
        session.createDurableSubscriber(topic, name, selector, false);
        go(session);
    }

    @Case
    void backlogOfWhoIsAway() throws Exception {
        Topic topic = topic();
        sendOnce(topic, "before");
        subscribeAndGo(topic, "s", null);
        sendOnce(topic, numbered("m", 300));
        Session session = come();
        MessageConsumer consumer = session.createDurableSubscriber(topic, "s");
        expect(consumer, numbered("m", 300));
        sendOnce(topic, "live");
        Message message = expect(consumer, "live");
        same(topic, message.getJMSDestination());
        nothing(consumer);
    }

    @Case
    void whatWasNotAcknowledgedComesAgain() throws Exception {
        Topic topic = topic();
        subscribeAndGo(topic, "s", null);
        sendOnce(topic, "a", "b", "c");
        ActiveMQConnection connection = connect("jms.clientID=" + client);
        Session session = session(connection, Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer consumer = session.createDurableSubscriber(topic, "s");
        expect(consumer, "a").acknowledge();
        expect(consumer, "b");
        connection.close();
        consumer = come().createDurableSubscriber(topic, "s");
        Message message = expect(consumer, "b");
        check(message.getJMSRedelivered(), "b is not marked as redelivered");
        message = expect(consumer, "c");
        nothing(consumer);
    }

    @Case
    void consumerLeavesAndComesBack() throws Exception {
        Topic topic = topic();
        Session session = come();
        MessageConsumer consumer = session.createDurableSubscriber(topic, "s");
        sendOnce(topic, "a");
        expect(consumer, "a");
        consumer.close();
        sendOnce(topic, "b");
        expect(session.createDurableSubscriber(topic, "s"), "b");
    }

    @Case
    void eachNameAndEachClientHasItsOwn() throws Exception {
        Topic topic = topic();
        Session session = come();
        MessageConsumer one = session.createDurableSubscriber(topic, "one");
        MessageConsumer two = session.createDurableSubscriber(topic, "two");
        MessageConsumer other = come(client + ".other").createDurableSubscriber(topic, "one");
        sendOnce(topic, "a");
        expect(one, "a");
        expect(two, "a");
        expect(other, "a");
    }

    @Case
    void selector() throws Exception {
        Topic topic = topic();
        subscribeAndGo(topic, "s", "n = 2");
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        for (int n = 1; n <= 3; n++) {
            Message message = session.createTextMessage("m" + n);
            message.setIntProperty("n", n);
            session.createProducer(topic).send(message);
        }
        MessageConsumer consumer = come().createDurableSubscriber(topic, "s", "n = 2", false);
        expect(consumer, "m2");
        nothing(consumer);
    }

    @Case
    void changedSelectorDropsTheBacklog() throws Exception {
        Topic topic = topic();
        subscribeAndGo(topic, "s", null);
        sendOnce(topic, "old");
        MessageConsumer consumer = come().createDurableSubscriber(topic, "s", "missing IS NULL", false);
        sendOnce(topic, "new");
        expect(consumer, "new");
        nothing(consumer);
    }

    @Case
    void changedTopicDropsTheBacklog() throws Exception {
        Topic topic = topic();
        Topic other = topic();
        subscribeAndGo(topic, "s", null);
        sendOnce(topic, "old");
        MessageConsumer consumer = come().createDurableSubscriber(other, "s");
        sendOnce(topic, "elsewhere");
        sendOnce(other, "new");
        expect(consumer, "new");
        nothing(consumer);
    }

    @Case
    void inUse() throws Exception {
        Topic topic = topic();
        Session session = come();
        MessageConsumer consumer = session.createDurableSubscriber(topic, "s");
        JMSException thrown = throwing(JMSException.class, () -> session.createDurableSubscriber(topic, "s"));
        contains("Durable consumer is in use", thrown.getMessage());
        thrown = throwing(JMSException.class, () -> session.unsubscribe("s"));
        contains("Durable consumer is in use", thrown.getMessage());
        sendOnce(topic, "a");
        expect(consumer, "a");
    }

    @Case
    void unsubscribed() throws Exception {
        Topic topic = topic();
        subscribeAndGo(topic, "s", null);
        sendOnce(topic, "old");
        Session session = come();
        session.unsubscribe("s");
        MessageConsumer consumer = session.createDurableSubscriber(topic, "s");
        sendOnce(topic, "new");
        expect(consumer, "new");
        nothing(consumer);
    }

    @Case
    void unsubscribeUnknown() throws Exception {
        Session session = come();
        InvalidDestinationException thrown =
            throwing(InvalidDestinationException.class, () -> session.unsubscribe("unknown"));
        contains("No durable subscription exists for", thrown.getMessage());
        send(session, queue(), "the connection goes on");
    }

    @Case
    void withoutClientId() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        throwing(JMSException.class, () -> session.createDurableSubscriber(topic(), "s"));
    }

    @Case
    void transacted() throws Exception {
        Topic topic = topic();
        subscribeAndGo(topic, "s", null);
        sendOnce(topic, "a", "b");
        ActiveMQConnection connection = connect("jms.clientID=" + client);
        Session session = session(connection, Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createDurableSubscriber(topic, "s");
        expect(consumer, "a");
        session.commit();
        expect(consumer, "b");
        connection.close();
        consumer = come().createDurableSubscriber(topic, "s");
        expect(consumer, "b");
        nothing(consumer);
    }

    @Case
    void wildcard() throws Exception {
        String base = name();
        Topic all = new ActiveMQTopic(base + ".>");
        Topic one = new ActiveMQTopic(base + ".one");
        subscribeAndGo(all, "s", null);
        sendOnce(one, "a");
        MessageConsumer consumer = come().createDurableSubscriber(all, "s");
        same(one, expect(consumer, "a").getJMSDestination());
    }
}
