import java.util.ArrayList;
import java.util.Enumeration;
import java.util.List;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.QueueBrowser;
import javax.jms.Session;
import javax.jms.TemporaryQueue;

/** Browsers: a look at what a queue holds. */
final class Browsers extends Kit {
    private static List<String> shown(QueueBrowser browser) throws JMSException {
        List<String> texts = new ArrayList<>();
        for (Enumeration<?> shown = browser.getEnumeration(); shown.hasMoreElements();) {
            texts.add(text((Message) shown.nextElement()));
        }
        browser.close();
        return texts;
    }

    private static List<String> shown(Session session, Queue queue) throws JMSException {
        return shown(session.createBrowser(queue));
    }

    @Case
    void messagesStay() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b", "c");
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        same(List.of("a", "b", "c"), shown(session, queue));
        same(List.of("a", "b", "c"), shown(session, queue));
        MessageConsumer consumer = session.createConsumer(queue);
        check(!expect(consumer, "a").getJMSRedelivered(), "a browsed message is not a redelivered one");
        expect(consumer, "b", "c");
        nothing(consumer);
    }

    @Case
    void nothingThere() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        same(List.of(), shown(session, queue()));
    }

    @Case
    void selector() throws Exception {
        Queue queue = queue();
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageProducer producer = session.createProducer(queue);
        for (int n = 0; n < 10; n++) {
            Message message = session.createTextMessage("m" + n);
            message.setIntProperty("n", n);
            producer.send(message);
        }
        QueueBrowser browser = session.createBrowser(queue, "n % 3 = 0");
        same(queue, browser.getQueue());
        same("n % 3 = 0", browser.getMessageSelector());
        same(List.of("m0", "m3", "m6", "m9"), shown(browser));
    }

    @Case
    void moreThanTheWindow() throws Exception {
        Queue queue = queue();
        sendOnce(queue, numbered("m", 300));
        Session session = session(connect("jms.prefetchPolicy.queueBrowserPrefetch=20"), Session.AUTO_ACKNOWLEDGE);
        same(List.of(numbered("m", 300)), shown(session, queue));
    }

    @Case
    void aDeepQueue() throws Exception {
        Queue queue = queue();
        sendOnce(queue, numbered("m", 2_000));
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        same(List.of(numbered("m", 2_000)), shown(session, queue));
    }

    @Case
    void openedAgain() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a");
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        QueueBrowser browser = session.createBrowser(queue);
        Enumeration<?> first = browser.getEnumeration();
        same("a", text((Message) first.nextElement()));
        check(!first.hasMoreElements(), "there is more");
        sendOnce(queue, "b");
        Enumeration<?> second = browser.getEnumeration();
        same("a", text((Message) second.nextElement()));
        same("b", text((Message) second.nextElement()));
        check(!second.hasMoreElements(), "there is more");
    }

    @Case
    void closedHalfway() throws Exception {
        Queue queue = queue();
        sendOnce(queue, numbered("m", 100));
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        QueueBrowser browser = session.createBrowser(queue);
        same("m0", text((Message) browser.getEnumeration().nextElement()));
        browser.close();
        holds(queue, numbered("m", 100));
    }

    @Case
    void whatAConsumerHolds() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a", "b");
        MessageConsumer consumer = session(Session.CLIENT_ACKNOWLEDGE).createConsumer(queue);
        Message last = expect(consumer, "a", "b");
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        same(List.of("a", "b"), shown(session, queue));
        last.acknowledge();
        until("the queue is empty", () -> shown(session, queue).isEmpty());
    }

    @Case
    void expiredOnesAreNotShown() throws Exception {
        Queue queue = queue();
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageProducer producer = session.createProducer(queue);
        Message message = session.createTextMessage("a");
        producer.send(message, message.getJMSDeliveryMode(), 4, 50);
        send(session, queue, "b");
        until("it has expired", () -> System.currentTimeMillis() > message.getJMSExpiration() + 5);
        same(List.of("b"), shown(session, queue));
    }

    @Case
    void temporaryQueue() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        TemporaryQueue queue = session.createTemporaryQueue();
        send(session, queue, "a");
        same(List.of("a"), shown(session, queue));
        expect(session.createConsumer(queue), "a");
    }

    @Case
    void transactedSession() throws Exception {
        Queue queue = queue();
        sendOnce(queue, "a");
        Session session = session(Session.SESSION_TRANSACTED);
        send(session, queue, "b");
        same(List.of("a"), shown(session, queue));
        session.commit();
        same(List.of("a", "b"), shown(session, queue));
        session.rollback();
        holds(queue, "a", "b");
    }
}
