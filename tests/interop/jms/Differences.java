import java.net.URI;
import java.util.Set;
import java.util.TreeSet;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.QueueBrowser;
import javax.jms.Session;
import javax.jms.TextMessage;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQSession;
import org.apache.activemq.BlobMessage;
import org.apache.activemq.command.ActiveMQQueue;
import org.apache.activemq.command.ActiveMQTopic;

/** What activemq-compat.md says of JMS applications and no other class shows. */
final class Differences extends Kit {
    /** The broker counts beside the client: one that dies with each consumer is a dead letter in the end. ActiveMQ's never is. */
    @Case
    void brokerCounts() throws Exception {
        Queue queue = new ActiveMQQueue(name("counted"));
        sendOnce(queue, "a");
        for (int delivery = 1; delivery <= 2; delivery++) {
            ActiveMQConnection connection = connect();
            Session session = session(connection, Session.CLIENT_ACKNOWLEDGE);
            Message message = expect(session.createConsumer(queue), "a");
            same(delivery, message.getIntProperty("JMSXDeliveryCount"));
            connection.getTransport().narrow(java.net.Socket.class).close();
        }
        deadLetterOf(queue);
    }

    @Case
    void twoOfOneClient() throws Exception {
        String client = name();
        ActiveMQConnection first = connect("jms.clientID=" + client);
        throwing(javax.jms.InvalidClientIDException.class, () -> connect("jms.clientID=" + client));
        first.close();
        until("the client id is free", () -> {
            try {
                connect("jms.clientID=" + client);
                return true;
            } catch (javax.jms.InvalidClientIDException inUse) {
                return false;
            }
        });
    }

    /** It gets the topic's past when it is made; in ActiveMQ each time that it comes back. */
    @Case
    void retroactiveDurable() throws Exception {
        ActiveMQTopic topic = new ActiveMQTopic(name());
        ActiveMQTopic past = new ActiveMQTopic(topic.getPhysicalName() + "?consumer.retroactive=true");
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Message kept = session.createTextMessage("kept");
        kept.setBooleanProperty("ActiveMQ.Retain", true);
        session.createProducer(topic).send(kept);
        String client = "jms.clientID=" + name();
        ActiveMQConnection connection = connect(client);
        expect(session(connection, Session.AUTO_ACKNOWLEDGE).createDurableSubscriber(past, "s"), "kept");
        connection.close();
        connection = connect(client);
        nothing(session(connection, Session.AUTO_ACKNOWLEDGE).createDurableSubscriber(past, "s"));
    }

    /** With the plugin, ActiveMQ answers. */
    @Case
    void noStatistics() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Queue replies = session.createTemporaryQueue();
        MessageConsumer consumer = session.createConsumer(replies);
        Message question = session.createMessage();
        question.setJMSReplyTo(replies);
        session.createProducer(new ActiveMQQueue("ActiveMQ.Statistics.Broker")).send(question);
        nothing(consumer);
    }

    /** As in ActiveMQ, nobody takes from the address that a blob lies at. */
    @Case
    void blob() throws Exception {
        ActiveMQSession session = (ActiveMQSession) session(Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        session.createProducer(queue).send(session.createBlobMessage(URI.create("http://127.0.0.1:1/blob").toURL()));
        BlobMessage blob = (BlobMessage) receive(session.createConsumer(queue));
        same("http://127.0.0.1:1/blob", blob.getURL().toString());
    }

    /** A client that asks for it has its own messages left out by the broker on topics only. */
    @Case
    void noLocalOfAQueue() throws Exception {
        ActiveMQQueue queue = new ActiveMQQueue(name());
        ActiveMQQueue others = new ActiveMQQueue(queue.getPhysicalName() + "?consumer.noLocal=true");
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(others);
        send(session, queue, "own");
        expect(consumer, "own");
    }

    /** A queue whose consumers are all gone is deleted by a client; one that is in use is not. */
    @Case
    void destroyed() throws Exception {
        ActiveMQQueue queue = new ActiveMQQueue(name());
        ActiveMQConnection connection = connect();
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        send(session, queue, "a");
        MessageConsumer consumer = session(Session.CLIENT_ACKNOWLEDGE).createConsumer(queue);
        throwing(javax.jms.JMSException.class, () -> connection.destroyDestination(queue));
        consumer.close();
        until("nobody uses it", () -> {
            try {
                connection.destroyDestination(queue);
                return true;
            } catch (javax.jms.JMSException inUse) {
                return false;
            }
        });
        holds(queue);
    }

    /** A message to a pattern is refused; ActiveMQ sends it to what matches. */
    @Case
    void sentToAWildcard() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        ActiveMQTopic pattern = new ActiveMQTopic(name() + ".>");
        throwing(javax.jms.InvalidDestinationException.class, () -> send(session, pattern, "a"));
    }

    /** What a STOMP client would see as null: each copy of a list has the id of the one that was sent. */
    @Case
    void copiesOfAList() throws Exception {
        ActiveMQQueue first = new ActiveMQQueue(name());
        ActiveMQQueue second = new ActiveMQQueue(name());
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        TextMessage sent = session.createTextMessage("a");
        session.createProducer(new ActiveMQQueue(first.getPhysicalName() + "," + second.getPhysicalName())).send(sent);
        Set<String> ids = new TreeSet<>();
        for (Queue queue : new Queue[] {first, second}) {
            ids.add(receive(session.createConsumer(queue)).getJMSMessageID());
        }
        same(Set.of(sent.getJMSMessageID()), ids);
    }

    /** A false one would end other clients' temporary destinations. ActiveMQ takes it. */
    @Case
    void advisoryFromAClient() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        ActiveMQTopic advisories = new ActiveMQTopic("ActiveMQ.Advisory.TempQueue");
        throwing(javax.jms.InvalidDestinationException.class, () -> send(session, advisories, "a"));
    }

    /** Who looks takes nothing. ActiveMQ tells of browsers as of any consumer. */
    @Case
    void browsersAreNotTold() throws Exception {
        ActiveMQQueue queue = new ActiveMQQueue(name());
        sendOnce(queue, "a");
        MessageConsumer advisories = session(Session.AUTO_ACKNOWLEDGE)
                .createConsumer(new ActiveMQTopic("ActiveMQ.Advisory.Consumer.Queue." + queue.getPhysicalName()));
        check(session(Session.AUTO_ACKNOWLEDGE).createBrowser(queue).getEnumeration().hasMoreElements(), "empty");
        nothing(advisories);
    }

    /** Such a client gets no cache. With ActiveMQ both sides spin for ever. */
    @Case
    void smallCache() throws Exception {
        Session session = session(connect("wireFormat.cacheSize=50"), Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        String[] texts = numbered("m", 200);
        send(session, queue, texts);
        expect(session.createConsumer(queue), texts);
    }

    /** As in ActiveMQ without populateJMSXUserID. */
    @Case
    void noUserId() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        send(session, queue, "a");
        same(null, expect(session.createConsumer(queue), "a").getStringProperty("JMSXUserID"));
    }

    private void deadLetterOf(Queue queue) throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        until("a dead letter of " + queue, () -> {
            QueueBrowser browser = session.createBrowser(new ActiveMQQueue("ActiveMQ.DLQ"));
            boolean found = false;
            for (var all = browser.getEnumeration(); all.hasMoreElements();) {
                found |= queue.equals(((org.apache.activemq.command.Message) all.nextElement()).getOriginalDestination());
            }
            browser.close();
            return found;
        });
    }
}
