import java.util.concurrent.atomic.AtomicLong;
import javax.jms.BytesMessage;
import javax.jms.Connection;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Session;

/** A consumer with a connection of its own: a listener, or with transactions a thread that receives and commits. */
final class Receiver {
    private static final long END_OF_BATCH_MILLIS = 200;

    final AtomicLong received = new AtomicLong();
    /** From sending to arrival; both ends read one clock. */
    final Histogram latency = new Histogram();
    final Ledger ledger;

    private final Run run;
    private final byte[] payload;
    private long arrived;

    Receiver(Run run) {
        this.run = run;
        ledger = new Ledger(run.settings.producers);
        payload = new byte[run.settings.size];
    }

    void start() throws Exception {
        Connection connection = run.settings.connect(run.failures);
        Session session = run.session(connection);
        MessageConsumer consumer = session.createConsumer(run.destination(session));
        if (run.settings.batch > 0) {
            Thread thread = new Thread(() -> receive(session, consumer), "receiver");
            thread.setDaemon(true);
            thread.start();
        } else {
            consumer.setMessageListener(this::one);
        }
        connection.start();
        run.started.countDown();
    }

    private void one(Message message) {
        try {
            take(message);
            received.lazySet(arrived);
        } catch (JMSException failure) {
            run.failures.record(failure);
        }
    }

    private void receive(Session session, MessageConsumer consumer) {
        try {
            while (!run.failures.any()) {
                Message message = consumer.receive(END_OF_BATCH_MILLIS);
                if (message != null) {
                    take(message);
                }
                long open = arrived - received.get();
                if (open == run.settings.batch || message == null && open > 0) {
                    session.commit();
                    received.lazySet(arrived);
                }
            }
        } catch (JMSException failure) {
            run.failures.record(failure);
        }
    }

    private void take(Message message) throws JMSException {
        arrived++;
        if (!(message instanceof BytesMessage bytes) || bytes.getBodyLength() != payload.length) {
            ledger.foreign++;
            return;
        }
        bytes.readBytes(payload);
        Stamp stamp = Stamp.read(payload);
        if (stamp.run != run.id || stamp.producer < 0 || stamp.producer >= run.settings.producers) {
            ledger.foreign++;
            return;
        }
        if (run.measuring) {
            latency.record(System.nanoTime() - stamp.sentAt);
        }
        ledger.record(stamp.producer, stamp.number);
    }
}
