import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Enumeration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import javax.jms.BytesMessage;
import javax.jms.Destination;
import javax.jms.MapMessage;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.ObjectMessage;
import javax.jms.Session;
import javax.jms.StreamMessage;
import javax.jms.TextMessage;
import org.apache.activemq.command.ActiveMQDestination;
import org.apache.activemq.command.ActiveMQQueue;

/**
 * Every type of message, to clients of other protocols and from them: {@code Messages URL send OPTIONS DESTINATION}
 * or {@code Messages URL receive DESTINATION COUNT}, which prints a line for each message.
 */
final class Messages extends Kit {
    static final String TEXT = "h\u00e9llo \u20ac \ud83d\ude00";
    static final int LARGE = 5_000_000;

    public static void main(String[] arguments) throws Exception {
        url = arguments[0];
        Messages messages = new Messages();
        if (arguments[1].equals("send")) {
            messages.sendAll(arguments[2], ActiveMQDestination.createDestination(arguments[3], (byte) 1));
        } else {
            messages.receiveAll(ActiveMQDestination.createDestination(arguments[2], (byte) 1), Integer.parseInt(arguments[3]));
        }
        messages.closeAll();
        System.exit(0);
    }

    private void sendAll(String options, Destination to) throws Exception {
        Session session = session(connect(options.equals("-") ? "" : options), Session.AUTO_ACKNOWLEDGE);
        MessageProducer producer = session.createProducer(to);
        TextMessage text = session.createTextMessage(TEXT);
        text.setJMSType("greeting");
        text.setJMSCorrelationID("c:1");
        text.setJMSReplyTo(new ActiveMQQueue("re.ply"));
        text.setBooleanProperty("bool", true);
        text.setByteProperty("byte", (byte) -7);
        text.setShortProperty("short", (short) 3_000);
        text.setIntProperty("int", -70_000);
        text.setLongProperty("long", 1L << 40);
        text.setFloatProperty("float", 1.5f);
        text.setDoubleProperty("double", -2.25);
        text.setStringProperty("text", TEXT);
        producer.send(text);
        producer.send(session.createTextMessage(null));
        BytesMessage bytes = session.createBytesMessage();
        bytes.writeBytes(new byte[] {0, 1, (byte) 0xff});
        producer.send(bytes);
        MapMessage map = session.createMapMessage();
        map.setBoolean("bool", true);
        map.setByte("byte", (byte) -7);
        map.setChar("char", '\u20ac');
        map.setLong("long", 1L << 40);
        map.setDouble("double", -2.25);
        map.setString("text", TEXT);
        map.setBytes("bytes", new byte[] {8, (byte) 0xff});
        map.setObject("null", null);
        producer.send(map);
        StreamMessage stream = session.createStreamMessage();
        stream.writeInt(7);
        stream.writeString(TEXT);
        stream.writeBytes(new byte[] {8, (byte) 0xff});
        producer.send(stream);
        producer.send(session.createObjectMessage("an object"));
        producer.send(session.createTextMessage("x".repeat(LARGE)));
        producer.close();
    }

    private void receiveAll(Destination from, int count) throws Exception {
        MessageConsumer consumer = session(connect(), Session.AUTO_ACKNOWLEDGE).createConsumer(from);
        System.out.println("ready");
        for (int n = 0; n < count; n++) {
            System.out.println(shown(receive(consumer)));
        }
    }

    private static String shown(Message message) throws Exception {
        List<String> parts = new ArrayList<>();
        if (message instanceof TextMessage) {
            parts.add("text " + ((TextMessage) message).getText());
        } else if (message instanceof BytesMessage) {
            byte[] bytes = new byte[(int) ((BytesMessage) message).getBodyLength()];
            ((BytesMessage) message).readBytes(bytes);
            StringBuilder digits = new StringBuilder("bytes ");
            for (byte value : bytes) {
                digits.append(String.format("%02x", value));
            }
            parts.add(digits.toString());
        } else if (message instanceof MapMessage) {
            Map<String, String> entries = new TreeMap<>();
            MapMessage map = (MapMessage) message;
            for (Enumeration<?> names = map.getMapNames(); names.hasMoreElements();) {
                String name = (String) names.nextElement();
                entries.put(name, typed(map.getObject(name)));
            }
            parts.add("map " + entries);
        } else if (message instanceof StreamMessage) {
            List<String> values = new ArrayList<>();
            try {
                while (true) {
                    values.add(typed(((StreamMessage) message).readObject()));
                }
            } catch (javax.jms.MessageEOFException over) {
                parts.add("stream " + values);
            }
        } else {
            parts.add(message instanceof ObjectMessage ? "object" : "message");
        }
        parts.add("type=" + message.getJMSType());
        parts.add("correlation=" + message.getJMSCorrelationID());
        parts.add("reply=" + message.getJMSReplyTo());
        parts.add("colour=" + message.getStringProperty("colour"));
        check(message.getJMSMessageID().startsWith("ID:wharfmq"), message.getJMSMessageID());
        return String.join(" | ", parts);
    }

    private static String typed(Object value) {
        if (value instanceof byte[]) {
            return "Bytes " + new String((byte[]) value, StandardCharsets.ISO_8859_1).length();
        }
        return value == null ? "null" : value.getClass().getSimpleName() + " " + value;
    }
}
