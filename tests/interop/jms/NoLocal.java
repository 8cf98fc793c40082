import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Session;
import javax.jms.Topic;
import org.apache.activemq.ActiveMQConnection;

/** Consumers that do not want what their own connection sends. */
final class NoLocal extends Kit {
    private final Topic topic = topic();

    @Case
    void othersOnly() throws Exception {
        ActiveMQConnection connection = connect();
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(topic, null, true);
        send(session, topic, "own");
        send(session(connection, Session.AUTO_ACKNOWLEDGE), topic, "of another session");
        sendOnce(topic, "another's");
        expect(consumer, "another's");
        nothing(consumer);
    }

    @Case
    void itsNeighboursGetAll() throws Exception {
        ActiveMQConnection connection = connect();
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        session.createConsumer(topic, null, true);
        MessageConsumer consumer = session.createConsumer(topic, null, false);
        send(session, topic, "own");
        expect(consumer, "own");
    }

    @Case
    void withSelector() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(topic, "wanted = TRUE", true);
        Session other = session(Session.AUTO_ACKNOWLEDGE);
        for (Session from : new Session[] {session, other}) {
            Message message = from.createTextMessage(from == session ? "own" : "another's");
            message.setBooleanProperty("wanted", true);
            from.createProducer(topic).send(message);
        }
        send(other, topic, "not wanted");
        expect(consumer, "another's");
        nothing(consumer);
    }

    @Case
    void durable() throws Exception {
        String client = name("client");
        ActiveMQConnection connection = connect("jms.clientID=" + client);
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createDurableSubscriber(topic, "s", null, true);
        send(session, topic, "own");
        sendOnce(topic, "another's");
        expect(consumer, "another's");
        nothing(consumer);
        connection.close();
        sendOnce(topic, "while away");
        session = session(connect("jms.clientID=" + client), Session.AUTO_ACKNOWLEDGE);
        expect(session.createDurableSubscriber(topic, "s", null, true), "while away");
    }

    @Case
    void transacted() throws Exception {
        ActiveMQConnection connection = connect();
        Session session = session(connection, Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(topic, null, true);
        send(session, topic, "own");
        session.commit();
        sendOnce(topic, "another's");
        expect(consumer, "another's");
        nothing(consumer);
    }
}
