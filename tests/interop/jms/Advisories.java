import java.util.concurrent.atomic.AtomicInteger;
import javax.jms.BytesMessage;
import javax.jms.DeliveryMode;
import javax.jms.Destination;
import javax.jms.InvalidDestinationException;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Session;
import javax.jms.TemporaryQueue;
import javax.jms.TemporaryTopic;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.DestinationDoesNotExistException;
import org.apache.activemq.advisory.AdvisorySupport;
import org.apache.activemq.advisory.ConsumerEventSource;
import org.apache.activemq.advisory.DestinationSource;
import org.apache.activemq.advisory.ProducerEventSource;
import org.apache.activemq.command.ActiveMQDestination;
import org.apache.activemq.command.ActiveMQMessage;
import org.apache.activemq.command.ActiveMQQueue;
import org.apache.activemq.command.ActiveMQTopic;
import org.apache.activemq.command.ConnectionInfo;
import org.apache.activemq.command.ConsumerInfo;
import org.apache.activemq.command.ProducerInfo;
import org.apache.activemq.command.RemoveInfo;

/** What the broker tells of what happens in it. */
final class Advisories extends Kit {
    @Case
    void consumers() throws Exception {
        ActiveMQQueue queue = (ActiveMQQueue) queue();
        ActiveMQConnection connection = connect();
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer told = session.createConsumer(AdvisorySupport.getConsumerAdvisoryTopic((ActiveMQDestination) queue));
        MessageConsumer consumer = session.createConsumer(queue, "a = 1");
        ActiveMQMessage message = advisory(told);
        same(1, message.getIntProperty("consumerCount"));
        ConsumerInfo info = (ConsumerInfo) message.getDataStructure();
        same(connection.getConnectionInfo().getConnectionId().getValue(), info.getConsumerId().getConnectionId());
        same(queue, info.getDestination());
        same("a = 1", info.getSelector());
        consumer.close();
        message = advisory(told);
        same(0, message.getIntProperty("consumerCount"));
        RemoveInfo gone = (RemoveInfo) message.getDataStructure();
        same(info.getConsumerId(), gone.getObjectId());
    }

    @Case
    void consumersThatAreThere() throws Exception {
        ActiveMQTopic topic = (ActiveMQTopic) topic();
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        session.createConsumer(topic);
        MessageConsumer told = session.createConsumer(AdvisorySupport.getConsumerAdvisoryTopic((ActiveMQDestination) topic));
        ActiveMQMessage message = advisory(told);
        same(1, message.getIntProperty("consumerCount"));
        same(topic, ((ConsumerInfo) message.getDataStructure()).getDestination());
        nothing(told);
    }

    @Case
    void producers() throws Exception {
        ActiveMQQueue queue = (ActiveMQQueue) queue();
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer told = session.createConsumer(AdvisorySupport.getProducerAdvisoryTopic((ActiveMQDestination) queue));
        MessageProducer producer = session.createProducer(queue);
        ActiveMQMessage message = advisory(told);
        same(1, message.getIntProperty("producerCount"));
        ProducerInfo info = (ProducerInfo) message.getDataStructure();
        same(queue, info.getDestination());
        producer.close();
        message = advisory(told);
        same(0, message.getIntProperty("producerCount"));
        same(info.getProducerId(), ((RemoveInfo) message.getDataStructure()).getObjectId());
        session.createProducer(null).close();
        nothing(told);
    }

    @Case
    void connections() throws Exception {
        ActiveMQConnection connection = connect();
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer told = session.createConsumer(AdvisorySupport.getConnectionAdvisoryTopic());
        String id = name("client");
        ActiveMQConnection other = keep((ActiveMQConnection) factory("").createConnection());
        other.setClientID(id);
        other.start();
        ConnectionInfo info;
        do {
            Object said = advisory(told).getDataStructure();
            info = said instanceof ConnectionInfo ? (ConnectionInfo) said : null;
        } while (info == null || !id.equals(info.getClientId()));
        same(other.getConnectionInfo().getConnectionId(), info.getConnectionId());
        check(info.getClientIp().contains("127.0.0.1"), info.getClientIp());
        check(info.getPassword() == null || info.getPassword().isEmpty(), "no password");
        other.close();
        Object said;
        do {
            said = advisory(told).getDataStructure();
        } while (!(said instanceof RemoveInfo) || !((RemoveInfo) said).getObjectId().equals(info.getConnectionId()));
    }

    @Case
    void queuesAndTopics() throws Exception {
        ActiveMQConnection connection = connect();
        ActiveMQQueue early = (ActiveMQQueue) queue();
        sendOnce(early, "m");
        DestinationSource source = connection.getDestinationSource();
        until("the early queue", () -> source.getQueues().contains(early));
        ActiveMQQueue late = (ActiveMQQueue) queue();
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        session.createConsumer(late);
        until("the late queue", () -> source.getQueues().contains(late));
        ActiveMQTopic topic = (ActiveMQTopic) topic();
        session.createConsumer(topic);
        until("the topic", () -> source.getTopics().contains(topic));
        TemporaryQueue temporary = session.createTemporaryQueue();
        until("the temporary queue", () -> source.getTemporaryQueues().contains(temporary));
        connection.destroyDestination(early);
        until("the end of the early queue", () -> !source.getQueues().contains(early));
        temporary.delete();
        until("the end of the temporary queue", () -> !source.getTemporaryQueues().contains(temporary));
    }

    @Case
    void destroyedWhileInUse() throws Exception {
        ActiveMQConnection connection = connect();
        Session session = session(connection, Session.AUTO_ACKNOWLEDGE);
        ActiveMQQueue queue = (ActiveMQQueue) queue();
        MessageConsumer consumer = session.createConsumer(queue);
        JMSException inUse = throwing(JMSException.class, () -> connection.destroyDestination(queue));
        contains("still has an active subscription", inUse.getMessage());
        consumer.close();
        send(session, queue, "gone");
        connection.destroyDestination(queue);
        holds(queue);
    }

    @Case
    void eventSources() throws Exception {
        ActiveMQQueue queue = (ActiveMQQueue) queue();
        ActiveMQConnection connection = connect();
        AtomicInteger consumers = new AtomicInteger();
        AtomicInteger producers = new AtomicInteger();
        ConsumerEventSource ofConsumers = new ConsumerEventSource(connection, queue);
        ofConsumers.setConsumerListener(event -> consumers.set(event.getConsumerCount()));
        ofConsumers.start();
        ProducerEventSource ofProducers = new ProducerEventSource(connection, queue);
        ofProducers.setProducerListener(event -> producers.set(event.getProducerCount()));
        ofProducers.start();
        ActiveMQConnection other = connect();
        for (int n = 0; n < 2; n++) {
            Session session = session(other, Session.AUTO_ACKNOWLEDGE);
            session.createConsumer(queue);
            session.createProducer(queue);
        }
        until("two consumers", () -> consumers.get() == 2);
        until("two producers", () -> producers.get() == 2);
        other.close();
        until("no consumer", () -> consumers.get() == 0);
        until("no producer", () -> producers.get() == 0);
    }

    @Case
    void temporaryDestinationsThatAreThere() throws Exception {
        ActiveMQConnection owner = connect();
        Session session = session(owner, Session.AUTO_ACKNOWLEDGE);
        TemporaryQueue queue = session.createTemporaryQueue();
        TemporaryTopic topic = session.createTemporaryTopic();
        MessageConsumer ofQueue = session.createConsumer(queue);
        MessageConsumer ofTopic = session.createConsumer(topic);
        ActiveMQConnection late = connect();
        Session other = session(late, Session.AUTO_ACKNOWLEDGE);
        // Told asynchronously to a connection that has just come.
        until("the queue is known", () -> sends(other, queue, "q"));
        until("the topic is known", () -> sends(other, topic, "t"));
        expect(ofQueue, "q");
        expect(ofTopic, "t");
        owner.close();
        until("the queue is gone", () -> !sends(other, queue, "late"));
        until("the topic is gone", () -> !sends(other, topic, "late"));
    }

    private static boolean sends(Session session, Destination to, String text) throws JMSException {
        try {
            send(session, to, text);
            return true;
        } catch (InvalidDestinationException | DestinationDoesNotExistException gone) {
            // The client itself says the first, once it has been told.
            return false;
        }
    }

    @Case
    void expired() throws Exception {
        ActiveMQQueue queue = (ActiveMQQueue) queue();
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer told = session.createConsumer(AdvisorySupport.getExpiredMessageTopic((ActiveMQDestination) queue));
        MessageConsumer dead = session.createConsumer(AdvisorySupport.getMessageDLQdAdvisoryTopic((ActiveMQDestination) queue));
        MessageProducer producer = session.createProducer(queue);
        producer.setTimeToLive(QUIET_MS / 2);
        Message sent = session.createTextMessage("m");
        sent.setStringProperty("color", "red");
        producer.send(sent);
        // Longer than it lives.
        nothing(session.createConsumer(queue, "color = 'blue'"));
        nothing(session.createConsumer(queue));
        ActiveMQMessage message = advisory(told);
        same(sent.getJMSMessageID(), message.getStringProperty("orignalMessageId"));
        ActiveMQMessage payload = (ActiveMQMessage) message.getDataStructure();
        same(sent.getJMSMessageID(), payload.getJMSMessageID());
        same("red", payload.getStringProperty("color"));
        same(queue, payload.getDestination());
        message = advisory(dead);
        same(sent.getJMSMessageID(), ((ActiveMQMessage) message.getDataStructure()).getJMSMessageID());
    }

    @Case
    void slowConsumer() throws Exception {
        ActiveMQTopic topic = new ActiveMQTopic(name("slow"));
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer told = session.createConsumer(AdvisorySupport.getSlowConsumerAdvisoryTopic(topic));
        Session slow = session(Session.AUTO_ACKNOWLEDGE);
        slow.createConsumer(new ActiveMQTopic(topic.getPhysicalName() + "?consumer.prefetchSize=10"));
        Thread sending = new Thread(() -> flood(topic));
        sending.setDaemon(true);
        sending.start();
        ActiveMQMessage message = advisory(told);
        ConsumerInfo info = (ConsumerInfo) message.getDataStructure();
        same(topic, info.getDestination());
        same(info.getConsumerId().toString(), message.getStringProperty("consumerId"));
        sending.interrupt();
    }

    private void flood(ActiveMQTopic topic) {
        try {
            Session session = session(Session.AUTO_ACKNOWLEDGE);
            MessageProducer producer = session.createProducer(topic);
            producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
            BytesMessage message = session.createBytesMessage();
            message.writeBytes(new byte[100_000]);
            for (int n = 0; n < 1_000 && !Thread.interrupted(); n++) {
                producer.send(message);
            }
        } catch (JMSException stopped) {
            // The case is over.
        }
    }

    @Case
    void full() throws Exception {
        ActiveMQQueue queue = new ActiveMQQueue(name("refuse"));
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer told = session.createConsumer(AdvisorySupport.getFullAdvisoryTopic(queue));
        MessageProducer producer = session(connect("jms.alwaysSyncSend=true"), Session.AUTO_ACKNOWLEDGE).createProducer(queue);
        producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
        BytesMessage message = session.createBytesMessage();
        message.writeBytes(new byte[60_000]);
        throwing(JMSException.class, () -> {
            for (int n = 0; n < 100; n++) {
                producer.send(message);
            }
        });
        check(advisory(told).getStringProperty("usageName") != null, "usageName");
    }

    @Case
    void nothingAboutItself() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer told = session.createConsumer(new ActiveMQTopic("ActiveMQ.Advisory.Consumer.Topic.ActiveMQ.>"));
        session.createConsumer(new ActiveMQTopic("ActiveMQ.Advisory.Queue"));
        nothing(told);
    }

    private static ActiveMQMessage advisory(MessageConsumer consumer) throws JMSException {
        ActiveMQMessage message = (ActiveMQMessage) receive(consumer);
        same("Advisory", message.getJMSType());
        check(message.getStringProperty("originBrokerName") != null, "originBrokerName");
        check(message.getStringProperty("originBrokerId") != null, "originBrokerId");
        same(false, message.isPersistent());
        return message;
    }
}
