import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import javax.jms.DeliveryMode;
import javax.jms.Destination;
import javax.jms.IllegalStateException;
import javax.jms.JMSException;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TextMessage;
import org.apache.activemq.ActiveMQMessageProducer;
import org.apache.activemq.AsyncCallback;


/** The ways to send: waiting or not, with windows, without a destination. */
final class Producers extends Kit {
    private void allArrive(String options, int mode) throws Exception {
        Session session = session(connect(options), Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        MessageProducer producer = session.createProducer(queue);
        producer.setDeliveryMode(mode);
        for (String text : numbered("m", 300)) {
            producer.send(session.createTextMessage(text));
        }
        holds(queue, numbered("m", 300));
    }

    @Case
    void withoutWaiting() throws Exception {
        allArrive("jms.useAsyncSend=true", DeliveryMode.PERSISTENT);
        allArrive("", DeliveryMode.NON_PERSISTENT);
    }

    @Case
    void alwaysWaiting() throws Exception {
        allArrive("jms.alwaysSyncSend=true", DeliveryMode.NON_PERSISTENT);
    }

    @Case
    void withSendTimeout() throws Exception {
        allArrive("jms.sendTimeout=10000", DeliveryMode.PERSISTENT);
    }

    @Case
    void windowOfFewMessages() throws Exception {
        // Room that does not come back to the last byte is used up before the last message.
        allArrive("jms.useAsyncSend=true&jms.producerWindowSize=3000", DeliveryMode.PERSISTENT);
        allArrive("jms.useAsyncSend=true&jms.producerWindowSize=3000", DeliveryMode.NON_PERSISTENT);
    }

    @Case
    void windowWithProperties() throws Exception {
        Session session =
            session(connect("jms.useAsyncSend=true&jms.producerWindowSize=4000"), Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        MessageProducer producer = session.createProducer(queue);
        for (int n = 0; n < 200; n++) {
            TextMessage message = session.createTextMessage("x".repeat(n * 10));
            message.setIntProperty("n", n);
            message.setStringProperty("text", "y".repeat(n));
            producer.send(message);
        }
        MessageConsumer consumer = session.createConsumer(queue);
        for (int n = 0; n < 200; n++) {
            same(n, receive(consumer).getIntProperty("n"));
        }
    }

    @Case
    void windowInATransaction() throws Exception {
        Session session =
            session(connect("jms.useAsyncSend=true&jms.producerWindowSize=3000"), Session.SESSION_TRANSACTED);
        Queue queue = queue();
        send(session, queue, numbered("m", 200));
        session.commit();
        holds(queue, numbered("m", 200));
    }

    @Case
    void anonymous() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageProducer producer = session.createProducer(null);
        Destination one = queue();
        Destination two = topic();
        MessageConsumer subscriber = session.createConsumer(two);
        producer.send(one, session.createTextMessage("a"));
        producer.send(two, session.createTextMessage("b"));
        expect(subscriber, "b");
        holds(one, "a");
        throwing(UnsupportedOperationException.class, () -> producer.send(session.createTextMessage("c")));
    }

    @Case
    void ofOneDestination() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageProducer producer = session.createProducer(queue());
        throwing(UnsupportedOperationException.class, () -> producer.send(queue(), session.createTextMessage("a")));
        producer.close();
        throwing(IllegalStateException.class, () -> producer.send(session.createTextMessage("a")));
    }

    @Case
    void callback() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        ActiveMQMessageProducer producer = (ActiveMQMessageProducer) session.createProducer(queue());
        CountDownLatch stored = new CountDownLatch(100);
        AtomicReference<JMSException> failure = new AtomicReference<>();
        AsyncCallback callback = new AsyncCallback() {
            @Override
            public void onSuccess() {
                stored.countDown();
            }

            @Override
            public void onException(JMSException thrown) {
                failure.set(thrown);
            }
        };
        for (String text : numbered("m", 100)) {
            producer.send(session.createTextMessage(text), callback);
        }
        check(stored.await(PATIENCE_MS, TimeUnit.MILLISECONDS), "not all were confirmed");
        same(null, failure.get());
    }

    @Case
    void manyOfOneSession() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        for (String text : numbered("m", 200)) {
            session.createProducer(queue).send(session.createTextMessage(text));
        }
        holds(queue, numbered("m", 200));
    }
}
