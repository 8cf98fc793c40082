import java.io.DataOutputStream;
import java.io.InputStream;
import java.net.Socket;
import java.net.URI;
import javax.jms.JMSException;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.Session;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQMessageConsumer;
import org.apache.activemq.command.ActiveMQDestination;
import org.apache.activemq.command.ActiveMQTempQueue;
import org.apache.activemq.command.ConsumerControl;
import org.apache.activemq.openwire.OpenWireFormat;
import org.apache.activemq.openwire.OpenWireFormatFactory;

/** What keeps connections, consumers and destinations in order. */
final class Control extends Kit {
    private static final String IMPATIENT =
        "wireFormat.maxInactivityDuration=600&wireFormat.maxInactivityDurationInitalDelay=300";

    @Case
    void idleConnectionStays() throws Exception {
        ActiveMQConnection connection = connect(IMPATIENT);
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        MessageConsumer consumer = session.createConsumer(queue);
        // Several times as long as either side may be silent.
        check(consumer.receive(2_500) == null, "nothing was sent");
        check(!connection.isTransportFailed(), "the connection was lost");
        send(session, queue, "a");
        expect(consumer, "a");
    }

    @Case
    void silentClientIsDropped() throws Exception {
        URI broker = new URI(url);
        Socket socket = new Socket(broker.getHost(), broker.getPort());
        keep(socket, socket::close);
        OpenWireFormatFactory factory = new OpenWireFormatFactory();
        factory.setMaxInactivityDuration(500);
        factory.setMaxInactivityDurationInitalDelay(300);
        OpenWireFormat format = (OpenWireFormat) factory.createWireFormat();
        DataOutputStream out = new DataOutputStream(socket.getOutputStream());
        format.marshal(format.getPreferedWireFormatInfo(), out);
        out.flush();
        long begun = System.nanoTime();
        InputStream in = socket.getInputStream();
        socket.setSoTimeout((int) PATIENCE_MS);
        // The broker itself is not silent meanwhile.
        while (in.read(new byte[4_096]) >= 0) {
            check(System.nanoTime() - begun < PATIENCE_MS * 1_000_000, "the connection is still there");
        }
        check(System.nanoTime() - begun > 250_000_000L, "it was dropped too early");
    }

    @Case
    void prefetchChanged() throws Exception {
        Queue queue = queue();
        ActiveMQConnection connection = connect("jms.prefetchPolicy.queuePrefetch=1");
        MessageConsumer one = session(connection, Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        ConsumerControl control = new ConsumerControl();
        control.setConsumerId(((ActiveMQMessageConsumer) one).getConsumerId());
        control.setDestination((ActiveMQDestination) queue);
        control.setPrefetch(3);
        connection.syncSendPacket(control);
        sendOnce(queue, "a", "b", "c", "d", "e");
        holds(queue, "d", "e");
        expect(one, "a", "b", "c");
    }

    @Case
    void pendingMessagesAreLimited() throws Exception {
        // What a slow consumer of a topic has no room for waits; of too many the oldest are dropped.
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        String topic = name("limited");
        MessageConsumer slow = session.createConsumer(
            session.createTopic(topic + "?consumer.prefetchSize=1&consumer.maximumPendingMessageLimit=5"));
        MessageConsumer quick = session.createConsumer(session.createTopic(topic));
        sendOnce(session.createTopic(topic), numbered("m", 20));
        expect(quick, numbered("m", 20));
        expect(slow, "m0", "m15", "m16", "m17", "m18", "m19");
        nothing(slow);
    }

    @Case
    void queueIsDestroyed() throws Exception {
        ActiveMQConnection connection = connect();
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        send(session, queue, "a");
        MessageConsumer consumer = session.createConsumer(queue, "FALSE");
        JMSException thrown =
            throwing(JMSException.class, () -> connection.destroyDestination((ActiveMQDestination) queue));
        contains("active subscription", thrown.getMessage());
        consumer.close();
        connection.destroyDestination((ActiveMQDestination) queue);
        holds(queue);
    }

    @Case
    void unknownTemporaryQueueIsDestroyed() throws Exception {
        ActiveMQConnection connection = connect();
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        String id = connection.getConnectionInfo().getConnectionId().getValue();
        connection.destroyDestination(new ActiveMQTempQueue(id + ":99"));
        send(session, queue(), "the connection goes on");
    }
}
