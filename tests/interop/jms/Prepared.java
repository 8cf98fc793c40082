import javax.jms.Connection;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TextMessage;
import javax.jms.XAConnection;
import javax.jms.XASession;
import javax.transaction.xa.XAResource;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.ActiveMQXAConnectionFactory;
import org.apache.activemq.command.ActiveMQQueue;

/**
 * Two branches over the end of the broker: {@code Prepared tcp://HOST:PORT prepare} leaves them prepared,
 * {@code finish} finds them, commits the one and rolls back the other, and {@code after} finds nothing.
 */
final class Prepared {
    static final Branch COMMITTED = new Branch("prepared", "1");
    static final Branch ROLLED_BACK = new Branch("prepared", "2");
    static final Queue IN = new ActiveMQQueue("prepared.in");
    static final Queue OUT = new ActiveMQQueue("prepared.out");

    public static void main(String[] arguments) throws Exception {
        ActiveMQXAConnectionFactory factory = new ActiveMQXAConnectionFactory(arguments[0]);
        XAConnection branches = factory.createXAConnection();
        branches.start();
        Connection plain = new ActiveMQConnectionFactory(arguments[0]).createConnection();
        plain.start();
        XASession session = branches.createXASession();
        Session other = plain.createSession(false, Session.AUTO_ACKNOWLEDGE);
        switch (arguments[1]) {
            case "prepare":
                prepare(session, other);
                // Whoever is killed says no goodbye.
                Runtime.getRuntime().halt(0);
                break;
            case "finish":
                finish(session.getXAResource(), other);
                break;
            default:
                Kit.same(0, session.getXAResource().recover(XAResource.TMSTARTRSCAN).length);
                Kit.nothing(other.createConsumer(IN));
                Kit.nothing(other.createConsumer(OUT));
        }
        plain.close();
        branches.close();
    }

    private static void prepare(XASession session, Session other) throws Exception {
        XAResource resource = session.getXAResource();
        Kit.send(other, IN, "one", "two", "three");
        MessageConsumer consumer = session.createConsumer(IN);
        MessageProducer out = session.createProducer(OUT);
        for (Branch branch : new Branch[] {COMMITTED, ROLLED_BACK}) {
            resource.start(branch, XAResource.TMNOFLAGS);
            String text = ((TextMessage) Kit.receive(consumer)).getText();
            out.send(session.createTextMessage("from " + text));
            resource.end(branch, XAResource.TMSUCCESS);
            Kit.same(XAResource.XA_OK, resource.prepare(branch));
        }
        System.out.println("prepared");
    }

    private static void finish(XAResource resource, Session other) throws Exception {
        Kit.check(COMMITTED.isAmong(resource.recover(XAResource.TMSTARTRSCAN)), "the first is lost");
        Kit.check(ROLLED_BACK.isAmong(resource.recover(XAResource.TMSTARTRSCAN)), "the second is lost");
        MessageConsumer in = other.createConsumer(IN);
        Kit.expect(in, "three");
        Kit.nothing(in);
        resource.commit(COMMITTED, false);
        resource.rollback(ROLLED_BACK);
        Kit.same(0, resource.recover(XAResource.TMSTARTRSCAN).length);
        TextMessage again = (TextMessage) Kit.receive(in);
        Kit.same("two", again.getText());
        Kit.check(again.getJMSRedelivered(), "not marked as redelivered");
        Kit.nothing(in);
        MessageConsumer out = other.createConsumer(OUT);
        Kit.expect(out, "from one");
        Kit.nothing(out);
        System.out.println("finished");
    }
}
