import javax.jms.Destination;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.XASession;
import javax.transaction.xa.XAException;
import javax.transaction.xa.XAResource;
import org.apache.activemq.ActiveMQXAConnection;
import org.apache.activemq.ActiveMQXAConnectionFactory;

/** Transactions that a transaction manager ends. */
final class Branches extends Kit {
    /** Of a transaction of its own. */
    private final String global = name("xa");

    private Branch branch(String qualifier) {
        return new Branch(global, qualifier);
    }

    private ActiveMQXAConnection manager() throws JMSException {
        ActiveMQXAConnection connection =
                keep((ActiveMQXAConnection) new ActiveMQXAConnectionFactory(url).createXAConnection());
        connection.start();
        return connection;
    }

    private XASession managed() throws JMSException {
        return manager().createXASession();
    }

    /** Sends within a branch. */
    private static void sendIn(XASession session, Branch branch, Destination to, String... texts) throws Exception {
        session.getXAResource().start(branch, XAResource.TMNOFLAGS);
        send(session, to, texts);
        session.getXAResource().end(branch, XAResource.TMSUCCESS);
    }

    private static void fails(int code, Action action) {
        same(code, throwing(XAException.class, action).errorCode);
    }

    @Case
    void twoPhases() throws Exception {
        Destination queue = queue();
        XASession session = managed();
        XAResource resource = session.getXAResource();
        XAResource other = managed().getXAResource();
        Branch branch = branch("1");
        sendIn(session, branch, queue, "a", "b");
        holds(queue);
        same(XAResource.XA_OK, resource.prepare(branch));
        holds(queue);
        check(branch.isAmong(other.recover(XAResource.TMSTARTRSCAN)), "it is not recovered");
        other.commit(branch, false);
        holds(queue, "a", "b");
        check(!branch.isAmong(other.recover(XAResource.TMSTARTRSCAN)), "it is over");
        fails(XAException.XAER_NOTA, () -> resource.commit(branch, false));
    }

    @Case
    void onePhase() throws Exception {
        Destination queue = queue();
        XASession session = managed();
        sendIn(session, branch("1"), queue, "a");
        session.getXAResource().commit(branch("1"), true);
        holds(queue, "a");
    }

    @Case
    void nothingToDecide() throws Exception {
        XAResource resource = managed().getXAResource();
        Branch branch = branch("1");
        resource.start(branch, XAResource.TMNOFLAGS);
        resource.end(branch, XAResource.TMSUCCESS);
        same(XAResource.XA_RDONLY, resource.prepare(branch));
        check(!branch.isAmong(resource.recover(XAResource.TMSTARTRSCAN)), "it is over");
    }

    @Case
    void rolledBack() throws Exception {
        Destination queue = queue();
        XASession session = managed();
        XAResource resource = session.getXAResource();
        sendIn(session, branch("1"), queue, "a");
        resource.rollback(branch("1"));
        sendIn(session, branch("2"), queue, "b");
        same(XAResource.XA_OK, resource.prepare(branch("2")));
        resource.rollback(branch("2"));
        holds(queue);
    }

    @Case
    void branchesOfOneTransactionAreDecidedEachByItself() throws Exception {
        Destination queue = queue();
        XASession session = managed();
        XAResource resource = session.getXAResource();
        for (String name : new String[] {"1", "2"}) {
            sendIn(session, branch(name), queue, name);
            same(XAResource.XA_OK, resource.prepare(branch(name)));
        }
        resource.rollback(branch("1"));
        resource.commit(branch("2"), false);
        holds(queue, "2");
    }

    @Case
    void whatWasNotPreparedIsNotCommittedSo() throws Exception {
        Destination queue = queue();
        XASession session = managed();
        sendIn(session, branch("1"), queue, "a");
        fails(XAException.XAER_PROTO, () -> session.getXAResource().commit(branch("1"), false));
    }

    @Case
    void suspendedAndResumed() throws Exception {
        Destination queue = queue();
        XASession session = managed();
        XAResource resource = session.getXAResource();
        Branch branch = branch("1");
        resource.start(branch, XAResource.TMNOFLAGS);
        send(session, queue, "a");
        resource.end(branch, XAResource.TMSUSPEND);
        send(session, queue, "outside");
        resource.start(branch, XAResource.TMRESUME);
        send(session, queue, "b");
        resource.end(branch, XAResource.TMSUCCESS);
        same(XAResource.XA_OK, resource.prepare(branch));
        resource.commit(branch, false);
        holds(queue, "outside", "a", "b");
    }

    @Case
    void joinedByAnotherConnection() throws Exception {
        Destination in = queue();
        Destination out = queue();
        sendOnce(in, "a");
        XASession receives = managed();
        XASession sends = managed();
        check(receives.getXAResource().isSameRM(sends.getXAResource()), "two brokers");
        Branch branch = branch("1");
        MessageConsumer consumer = receives.createConsumer(in);
        receives.getXAResource().start(branch, XAResource.TMNOFLAGS);
        expect(consumer, "a");
        sends.getXAResource().start(branch, XAResource.TMJOIN);
        send(sends, out, "b");
        sends.getXAResource().end(branch, XAResource.TMSUCCESS);
        receives.getXAResource().end(branch, XAResource.TMSUCCESS);
        same(XAResource.XA_OK, receives.getXAResource().prepare(branch));
        receives.getXAResource().commit(branch, false);
        consumer.close();
        holds(out, "b");
        holds(in);
    }

    @Case
    void receivedAgainAfterARollback() throws Exception {
        Destination queue = queue();
        sendOnce(queue, "a", "b");
        XASession session = managed();
        XAResource resource = session.getXAResource();
        MessageConsumer consumer = session.createConsumer(queue);
        Branch first = branch("1");
        resource.start(first, XAResource.TMNOFLAGS);
        expect(consumer, "a");
        resource.end(first, XAResource.TMSUCCESS);
        same(XAResource.XA_OK, resource.prepare(first));
        resource.rollback(first);
        Branch second = branch("2");
        resource.start(second, XAResource.TMNOFLAGS);
        Message again = expect(consumer, "a");
        check(again.getJMSRedelivered(), "not marked as redelivered");
        resource.end(second, XAResource.TMSUCCESS);
        same(XAResource.XA_OK, resource.prepare(second));
        resource.commit(second, false);
        consumer.close();
        holds(queue, "b");
    }

    @Case
    void preparedAndThenLost() throws Exception {
        Destination in = queue();
        Destination out = queue();
        sendOnce(in, "a", "b");
        ActiveMQXAConnection lost = manager();
        XASession session = lost.createXASession();
        MessageConsumer consumer = session.createConsumer(in);
        Branch branch = branch("1");
        session.getXAResource().start(branch, XAResource.TMNOFLAGS);
        expect(consumer, "a");
        send(session, out, "c");
        session.getXAResource().end(branch, XAResource.TMSUCCESS);
        same(XAResource.XA_OK, session.getXAResource().prepare(branch));
        lost.getTransport().stop();
        holds(in, "b");
        holds(out);
        XAResource other = managed().getXAResource();
        check(branch.isAmong(other.recover(XAResource.TMSTARTRSCAN)), "it is not recovered");
        other.commit(branch, false);
        holds(in);
        holds(out, "c");
    }

    @Case
    void notPreparedAndThenLost() throws Exception {
        Destination queue = queue();
        ActiveMQXAConnection lost = manager();
        XASession session = lost.createXASession();
        sendIn(session, branch("1"), queue, "a");
        lost.getTransport().stop();
        XAResource other = managed().getXAResource();
        until("the branch is gone", () -> {
            try {
                other.rollback(branch("1"));
                return false;
            } catch (XAException unknown) {
                return unknown.errorCode == XAException.XAER_NOTA;
            }
        });
        holds(queue);
    }
}
