import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import javax.jms.BytesMessage;
import javax.jms.MapMessage;
import javax.jms.Message;
import javax.jms.MessageEOFException;
import javax.jms.ObjectMessage;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.StreamMessage;
import javax.jms.TextMessage;
import org.apache.activemq.ActiveMQConnectionFactory;


/** Bodies and properties of all types come out as they went in, plain and compressed. */
final class Bodies extends Kit {
    private static final String[] OPTIONS = {"", "jms.useCompression=true"};

    interface Filled {
        Message in(Session session) throws Exception;
    }

    interface Checked {
        void check(Message message) throws Exception;
    }

    /** Sends it plain and compressed, and checks what a connection of its own receives. */
    private void over(Filled sent, Checked received) throws Exception {
        for (String options : OPTIONS) {
            Queue queue = queue();
            Session session = session(connect(options), Session.AUTO_ACKNOWLEDGE);
            session.createProducer(queue).send(sent.in(session));
            ActiveMQConnectionFactory factory = factory("");
            factory.setTrustAllPackages(true);
            Session reading = session(started(factory), Session.AUTO_ACKNOWLEDGE);
            received.check(receive(reading.createConsumer(queue)));
        }
    }

    @Case
    void texts() throws Exception {
        String many = "word ".repeat(20_000);
        for (String text : new String[] {"plain", "", null, "\u00e4\u20ac", "\ud83d\ude00 and \ud834\udd1e", "a\u0000b", many}) {
            over(session -> session.createTextMessage(text), message -> same(text, text(message)));
        }
    }

    @Case
    void withoutBody() throws Exception {
        over(Session::createMessage, message -> check(!(message instanceof TextMessage), message.toString()));
    }

    @Case
    void bytes() throws Exception {
        byte[] all = new byte[100_000];
        new Random(1).nextBytes(all);
        for (byte[] bytes : new byte[][] {{}, {0}, {-1, 0, 1}, all}) {
            over(session -> {
                BytesMessage message = session.createBytesMessage();
                message.writeBytes(bytes);
                return message;
            }, message -> {
                byte[] got = new byte[(int) ((BytesMessage) message).getBodyLength()];
                same(bytes.length, got.length);
                ((BytesMessage) message).readBytes(got);
                check(Arrays.equals(bytes, got), "other bytes");
            });
        }
    }

    @Case
    void bytesOfAllTypes() throws Exception {
        over(session -> {
            BytesMessage message = session.createBytesMessage();
            message.writeBoolean(true);
            message.writeChar('\u20ac');
            message.writeShort((short) -2);
            message.writeInt(Integer.MIN_VALUE);
            message.writeLong(Long.MAX_VALUE);
            message.writeFloat(1.5f);
            message.writeDouble(-0.1);
            message.writeUTF("\ud83d\ude00\u0000");
            return message;
        }, received -> {
            BytesMessage message = (BytesMessage) received;
            same(true, message.readBoolean());
            same('\u20ac', message.readChar());
            same((short) -2, message.readShort());
            same(Integer.MIN_VALUE, message.readInt());
            same(Long.MAX_VALUE, message.readLong());
            same(1.5f, message.readFloat());
            same(-0.1, message.readDouble());
            same("\ud83d\ude00\u0000", message.readUTF());
            throwing(MessageEOFException.class, message::readByte);
        });
    }

    @Case
    void maps() throws Exception {
        over(session -> {
            MapMessage message = session.createMapMessage();
            message.setBoolean("boolean", true);
            message.setByte("byte", (byte) -1);
            message.setShort("short", (short) 300);
            message.setChar("char", '\u20ac');
            message.setInt("int", -70_000);
            message.setLong("long", 1L << 40);
            message.setFloat("float", 1.5f);
            message.setDouble("double", 2.25);
            message.setString("string", "x".repeat(9_000));
            message.setString("null", null);
            message.setBytes("bytes", new byte[] {1, 2, 3});
            return message;
        }, received -> {
            MapMessage message = (MapMessage) received;
            same(11, Collections.list((Enumeration<?>) message.getMapNames()).size());
            same(true, message.getObject("boolean"));
            same((byte) -1, message.getObject("byte"));
            same((short) 300, message.getObject("short"));
            same('\u20ac', message.getObject("char"));
            same(-70_000, message.getObject("int"));
            same(1L << 40, message.getObject("long"));
            same(1.5f, message.getObject("float"));
            same(2.25, message.getObject("double"));
            same("x".repeat(9_000), message.getObject("string"));
            check(message.itemExists("null") && message.getObject("null") == null, "null is not there");
            check(Arrays.equals(new byte[] {1, 2, 3}, message.getBytes("bytes")), "other bytes");
        });
    }

    @Case
    void nestedMaps() throws Exception {
        over(session -> {
            MapMessage message = session.createMapMessage();
            message.setObject("list", List.of(1, "two", 3L));
            message.setObject("map", Map.of("a", List.of(Map.of("b", 1.5))));
            return message;
        }, received -> {
            same(List.of(1, "two", 3L), ((MapMessage) received).getObject("list"));
            same(Map.of("a", List.of(Map.of("b", 1.5))), ((MapMessage) received).getObject("map"));
        });
    }

    @Case
    void streams() throws Exception {
        over(session -> {
            StreamMessage message = session.createStreamMessage();
            for (Object value : streamed()) {
                message.writeObject(value);
            }
            message.writeBytes(new byte[] {7, 8});
            return message;
        }, received -> {
            StreamMessage message = (StreamMessage) received;
            for (Object value : streamed()) {
                same(value, message.readObject());
            }
            check(Arrays.equals(new byte[] {7, 8}, (byte[]) message.readObject()), "other bytes");
            throwing(MessageEOFException.class, message::readObject);
        });
    }

    private static List<Object> streamed() {
        return Arrays.asList(true, (byte) 1, (short) 2, 'c', 4, 5L, 1.5f, 2.5, "text", "\ud83d\ude00", null);
    }

    @Case
    void objects() throws Exception {
        ArrayList<Object> object = new ArrayList<>(Arrays.asList(1, "two", null));
        over(session -> session.createObjectMessage(object), message -> same(object, ((ObjectMessage) message).getObject()));
        over(session -> session.createObjectMessage(null), message -> same(null, ((ObjectMessage) message).getObject()));
    }

    @Case
    void properties() throws Exception {
        Map<String, Object> properties = Map.of(
            "boolean", true, "byte", (byte) -1, "short", (short) 2, "int", 3, "long", -4L, "float", 1.5f,
            "double", 2.5, "string", "t\u00e9xt", "empty", "", "big", "x".repeat(10_000));
        over(session -> {
            Message message = session.createTextMessage("a");
            for (Map.Entry<String, Object> each : properties.entrySet()) {
                message.setObjectProperty(each.getKey(), each.getValue());
            }
            return message;
        }, message -> {
            for (Map.Entry<String, Object> each : properties.entrySet()) {
                same(each.getValue(), message.getObjectProperty(each.getKey()));
            }
            check(!message.propertyExists("other"), "one too many");
        });
    }

    @Case
    void tenMegabytes() throws Exception {
        byte[] bytes = new byte[10 << 20];
        new Random(2).nextBytes(bytes);
        over(session -> {
            BytesMessage message = session.createBytesMessage();
            message.writeBytes(bytes);
            return message;
        }, message -> {
            byte[] got = new byte[bytes.length];
            same(bytes.length, ((BytesMessage) message).readBytes(got));
            check(Arrays.equals(bytes, got), "other bytes");
        });
    }
}
