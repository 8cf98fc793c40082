import javax.jms.IllegalStateException;
import javax.jms.InvalidClientIDException;
import javax.jms.InvalidDestinationException;
import javax.jms.InvalidSelectorException;
import javax.jms.JMSException;
import javax.jms.Session;
import javax.jms.TemporaryQueue;
import javax.jms.Topic;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQConnectionFactory;


/** The exceptions that applications look at. */
final class Errors extends Kit {
    @Case
    void clientIdInUse() throws Exception {
        String id = name("client");
        ActiveMQConnection first = keep((ActiveMQConnection) factory("").createConnection());
        first.setClientID(id);
        first.start();
        ActiveMQConnection second = keep((ActiveMQConnection) factory("").createConnection());
        contains(id, throwing(InvalidClientIDException.class, () -> second.setClientID(id)).getMessage());
        // The first goes on, and the id is free when it is closed.
        session(first, Session.AUTO_ACKNOWLEDGE);
        first.close();
        ActiveMQConnection third = keep((ActiveMQConnection) factory("").createConnection());
        third.setClientID(id);
        third.start();
    }

    @Case
    void clientIdTooLate() throws Exception {
        ActiveMQConnection connection = connect();
        session(connection, Session.AUTO_ACKNOWLEDGE);
        throwing(IllegalStateException.class, () -> connection.setClientID("late"));
    }

    @Case
    void selector() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        throwing(InvalidSelectorException.class, () -> session.createConsumer(queue(), "a = "));
        throwing(InvalidSelectorException.class, () -> session.createBrowser(queue(), "= 1").getEnumeration());
        // The session is still good.
        session.createConsumer(queue(), "a = 1");
    }

    @Case
    void noDestination() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        throwing(InvalidDestinationException.class, () -> session.createConsumer(null));
    }

    @Case
    void durableInUse() throws Exception {
        ActiveMQConnection connection = keep((ActiveMQConnection) factory("").createConnection());
        connection.setClientID(name("client"));
        connection.start();
        Topic topic = topic();
        session(connection, Session.AUTO_ACKNOWLEDGE).createDurableSubscriber(topic, "name");
        Session other = session(connection, Session.AUTO_ACKNOWLEDGE);
        JMSException twice = throwing(JMSException.class, () -> other.createDurableSubscriber(topic, "name"));
        contains("Durable consumer is in use", twice.getMessage());
        contains("in use", throwing(JMSException.class, () -> other.unsubscribe("name")).getMessage());
    }

    @Case
    void unknownSubscription() throws Exception {
        ActiveMQConnection connection = keep((ActiveMQConnection) factory("").createConnection());
        connection.setClientID(name("client"));
        connection.start();
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        throwing(InvalidDestinationException.class, () -> session.unsubscribe("nobody's"));
    }

    @Case
    void temporaryOfAnother() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Session other = session(Session.AUTO_ACKNOWLEDGE);
        TemporaryQueue queue = other.createTemporaryQueue();
        throwing(InvalidDestinationException.class, () -> session.createConsumer(queue));
    }

    @Case
    void closed() throws Exception {
        ActiveMQConnection connection = connect();
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        session.close();
        throwing(IllegalStateException.class, () -> session.createConsumer(queue()));
        connection.close();
        throwing(JMSException.class, connection::start);
    }

    @Case
    void notTransacted() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        throwing(IllegalStateException.class, session::commit);
        throwing(IllegalStateException.class, session::rollback);
        Session transacted = session(Session.SESSION_TRANSACTED);
        throwing(IllegalStateException.class, transacted::recover);
    }

    @Case
    void notReachable() throws Exception {
        throwing(JMSException.class, () -> started(new ActiveMQConnectionFactory("tcp://127.0.0.1:1")));
    }
}
