import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.Topic;
import org.apache.activemq.command.ActiveMQQueue;
import org.apache.activemq.command.ActiveMQTopic;

/** Virtual topics: queues that get what is published to a topic. */
final class VirtualTopics extends Kit {
    private final String name = "VirtualTopic." + name();
    private final Topic topic = new ActiveMQTopic(name);

    private Queue of(String group) {
        return new ActiveMQQueue("Consumer." + group + "." + name);
    }

    @Case
    void eachGroupGetsACopy() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer a = session.createConsumer(of("A"));
        MessageConsumer b = session.createConsumer(of("B"));
        sendOnce(topic, "m");
        Message message = expect(a, "m");
        same(of("A"), message.getJMSDestination());
        expect(b, "m");
        nothing(a);
    }

    @Case
    void consumersOfAGroupShare() throws Exception {
        MessageConsumer one = session(Session.AUTO_ACKNOWLEDGE).createConsumer(of("A"));
        MessageConsumer two = session(Session.AUTO_ACKNOWLEDGE).createConsumer(of("A"));
        sendOnce(topic, "m0", "m1");
        String first = text(receive(one));
        String second = text(receive(two));
        check(!first.equals(second), first + " came twice");
        nothing(one);
        nothing(two);
    }

    @Case
    void backlog() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        session.createConsumer(of("A")).close();
        sendOnce(topic, numbered("m", 10));
        expect(session.createConsumer(of("A")), numbered("m", 10));
    }

    @Case
    void topicConsumersToo() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer a = session.createConsumer(of("A"));
        MessageConsumer plain = session.createConsumer(topic);
        sendOnce(topic, "m");
        expect(a, "m");
        same(topic, expect(plain, "m").getJMSDestination());
    }

    @Case
    void allBelow() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer all = session.createConsumer(new ActiveMQQueue("Consumer.A." + name + ".>"));
        sendOnce(new ActiveMQTopic(name + ".x"), "x");
        expect(all, "x");
        sendOnce(new ActiveMQTopic(name + ".y"), "y");
        expect(all, "y");
        nothing(all);
    }

    @Case
    void selectorLeavesOthersInTheQueue() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer chosen = session.createConsumer(of("A"), "n = 1");
        for (int n = 0; n < 2; n++) {
            Message message = session.createTextMessage("m" + n);
            message.setIntProperty("n", n);
            session.createProducer(topic).send(message);
        }
        expect(chosen, "m1");
        chosen.close();
        holds(of("A"), "m0");
    }

    @Case
    void transacted() throws Exception {
        MessageConsumer a = session(Session.AUTO_ACKNOWLEDGE).createConsumer(of("A"));
        Session session = session(Session.SESSION_TRANSACTED);
        send(session, topic, "rolled back");
        session.rollback();
        send(session, topic, "m");
        session.commit();
        expect(a, "m");
        nothing(a);
    }
}
