import java.util.ArrayList;
import java.util.List;
import javax.jms.InvalidSelectorException;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.Topic;

/** Selectors: which messages a consumer wants. */
final class Selectors extends Kit {
    /** Stands before each selector. */
    private String prefix = "";

    /** Each of these chooses, or does not choose, one message that has properties of all types. */
    private void choose(boolean chosen, String... selectors) throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Topic topic = topic();
        List<MessageConsumer> consumers = new ArrayList<>();
        for (String selector : selectors) {
            // The last message comes to all, so that nobody has to wait for nothing.
            consumers.add(session.createConsumer(topic, prefix + "(" + selector + ") OR last = TRUE"));
        }
        MessageProducer producer = session.createProducer(topic);
        producer.send(message(session));
        Message last = session.createTextMessage("last");
        last.setBooleanProperty("last", true);
        producer.send(last);
        List<String> wrong = new ArrayList<>();
        for (int n = 0; n < selectors.length; n++) {
            if (text(receive(consumers.get(n))).equals("chosen") != chosen) {
                wrong.add(selectors[n]);
            }
        }
        same(List.of(), wrong);
    }

    private static Message message(Session session) throws JMSException {
        Message message = session.createTextMessage("chosen");
        message.setBooleanProperty("yes", true);
        message.setBooleanProperty("no", false);
        message.setByteProperty("by", (byte) 4);
        message.setShortProperty("sh", (short) 4);
        message.setIntProperty("i", 4);
        message.setLongProperty("l", 4L);
        message.setFloatProperty("f", 1.5f);
        message.setDoubleProperty("d", 1.5);
        message.setStringProperty("s", "text");
        message.setStringProperty("five", "5");
        message.setStringProperty("under", "a_b");
        message.setStringProperty("percent", "100%");
        message.setStringProperty("quote", "it's");
        message.setStringProperty("umlaut", "größer");
        message.setJMSType("type");
        message.setJMSCorrelationID("correlation");
        message.setStringProperty("JMSXGroupID", "group");
        message.setIntProperty("JMSXGroupSeq", 3);
        return message;
    }

    @Case
    void comparisons() throws Exception {
        choose(true, "i = 4", "i <> 5", "i > 3", "i >= 4", "i < 5", "i <= 4", "4 = i", "i = 4.0", "i = l", "d = 1.5",
            "f = 1.5", "f = d", "by = 4", "sh = 4", "l = 4", "s = 'text'", "s <> 'Text'", "quote = 'it''s'",
            "umlaut = 'größer'", "yes", "yes = TRUE", "no = FALSE", "NOT no", "yes <> no");
        choose(false, "i = 5", "i > 4", "s = 'Text'", "S = 'text'", "s = 'tex'", "no", "NOT yes", "l <> 4");
    }

    @Case
    void arithmetic() throws Exception {
        choose(true, "i + 1 = 5", "i - 1 = 3", "i * 2 = 8", "5.0 / 2 = 2.5", "i % 3 = 1", "-i = -4", "i + d = 5.5",
            "2 + 3 * 2 = 8", "(2 + 3) * 2 = 10", "0x10 = 16", "010 = 8", "1.5e1 = 15", "i = 4L");
        choose(false, "i + 1 = 4", "missing + 1 = 1", "s + 1 = 1");
    }

    @Case
    void logic() throws Exception {
        choose(true, "i = 4 AND s = 'text'", "i = 5 OR s = 'text'", "i = 4 or i = 5 and no", "NOT (i = 5)",
            "TRUE", "i = 4 and not no", "missing = 1 OR i = 4", "NOT (missing IS NOT NULL)");
        choose(false, "i = 4 AND s = 'x'", "FALSE", "missing = 1 AND i = 4", "NOT (missing = 1 OR i = 4)", "NOT i = 4");
    }

    @Case
    void operators() throws Exception {
        choose(true, "i BETWEEN 4 AND 6", "i NOT BETWEEN 5 AND 6", "s IN ('text', 'x')", "s NOT IN ('x')",
            "s LIKE 't%'", "s LIKE '_ext'", "s NOT LIKE 'x%'", "under LIKE 'a\\_b' ESCAPE '\\'",
            "percent LIKE '%!%' ESCAPE '!'", "missing IS NULL", "s IS NOT NULL", "s LIKE 'text'", "s LIKE '%x%'");
        choose(false, "i BETWEEN 5 AND 6", "i NOT BETWEEN 4 AND 6", "s IN ('x')", "s LIKE 'T%'", "s LIKE 'tex'",
            "s LIKE 'text!_' ESCAPE '!'", "s IS NULL", "missing IS NOT NULL", "missing IN ('x')", "missing LIKE '%'");
    }

    @Case
    void missingProperties() throws Exception {
        choose(false, "missing", "missing = 1", "missing > 1", "missing = 'x'", "missing = i");
    }

    @Case
    void typesThatDiffer() throws Exception {
        choose(true, "five = '5'", "by = sh");
        choose(false, "i = '4'", "five = 5", "five > 4", "s = TRUE", "yes = 'true'", "i IN ('4')");
    }

    @Case
    void convertedText() throws Exception {
        prefix = "convert_string_expressions:";
        choose(true, "five = 5", "five > 4", "i = '4'");
        choose(false, "five = 4", "s = 5");
    }

    /** What SQL-92 says, and ActiveMQ does not. */
    @Case
    void asInSql() throws Exception {
        choose(true, "5 / 2 = 2", "sh = by", "i = sh", "NOT (i <> 4 AND missing = 1)", "NOT i = 5");
        choose(false, "missing = missing", "5 / 2 = 2.5");
    }

    @Case
    void headers() throws Exception {
        choose(true, "JMSPriority = 4", "JMSType = 'type'", "JMSCorrelationID = 'correlation'",
            "JMSDeliveryMode = 'PERSISTENT'", "JMSMessageID LIKE 'ID:%'", "JMSTimestamp > 0", "JMSXGroupID = 'group'",
            "JMSXGroupSeq = 3", "JMSXDeliveryCount = 1", "JMSRedelivered = FALSE", "JMSExpiration = 0",
            "JMSReplyTo IS NULL");
        choose(false, "JMSPriority > 4", "JMSDeliveryMode = 'NON_PERSISTENT'", "JMSRedelivered = TRUE");
    }

    @Case
    void comments() throws Exception {
        choose(true, "i = 4 /* a remark */", "/* a remark */ i = 4");
        choose(false, "i = /* a remark */ 5");
    }

    @Case
    void invalid() throws Exception {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        Queue queue = queue();
        for (String selector : List.of("=", "i =", "i = 'x", "(i = 4", "i LIKE 4", "s > 'x'", "i IN (1, 2)")) {
            throwing(InvalidSelectorException.class, () -> session.createConsumer(queue, selector));
        }
        send(session, queue, "the connection goes on");
    }

    private void sendNumbers(Queue queue, int count) throws JMSException {
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageProducer producer = session.createProducer(queue);
        for (int n = 0; n < count; n++) {
            Message message = session.createTextMessage("m" + n);
            message.setIntProperty("n", n);
            producer.send(message);
        }
    }

    @Case
    void othersStayInTheQueue() throws Exception {
        Queue queue = queue();
        sendNumbers(queue, 6);
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(queue, "n > 2");
        same("n > 2", consumer.getMessageSelector());
        expect(consumer, "m3", "m4", "m5");
        nothing(consumer);
        holds(queue, "m0", "m1", "m2");
    }

    @Case
    void eachTakesItsOwn() throws Exception {
        Queue queue = queue();
        Session session = session(Session.AUTO_ACKNOWLEDGE);
        MessageConsumer even = session.createConsumer(queue, "n % 2 = 0");
        MessageConsumer odd = session.createConsumer(queue, "n % 2 = 1");
        sendNumbers(queue, 6);
        expect(even, "m0", "m2", "m4");
        expect(odd, "m1", "m3", "m5");
    }

    @Case
    void deepInTheQueue() throws Exception {
        Queue queue = queue();
        sendNumbers(queue, 2_000);
        expect(session(Session.AUTO_ACKNOWLEDGE).createConsumer(queue, "n = 1999"), "m1999");
    }
}
