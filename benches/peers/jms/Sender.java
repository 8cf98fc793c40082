import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import javax.jms.BytesMessage;
import javax.jms.Connection;
import javax.jms.DeliveryMode;
import javax.jms.JMSException;
import javax.jms.MessageProducer;
import javax.jms.Session;

/** A producer with a connection of its own. */
final class Sender extends Thread {
    private static final long WAIT_FOR_CONSUMERS_NANOS = 50_000;

    final AtomicLong sent = new AtomicLong();
    /** How long the client waited for the broker: for a persistent message, or for a commit. */
    final Histogram confirmed = new Histogram();

    private final Run run;
    private final int number;
    private final byte[] payload;
    private Session session;
    private MessageProducer producer;
    private long next;

    Sender(Run run, int number) {
        super("sender " + number);
        this.run = run;
        this.number = number;
        payload = new byte[run.settings.size];
        setDaemon(true);
    }

    @Override
    public void run() {
        try {
            open();
            long room = 0;
            while (!run.stopping && !run.failures.any()) {
                if (room <= 0) {
                    room = run.room();
                    if (room <= 0) {
                        LockSupport.parkNanos(WAIT_FOR_CONSUMERS_NANOS);
                        continue;
                    }
                }
                room -= run.settings.batch > 0 ? transaction() : single();
            }
        } catch (Exception failure) {
            run.failures.record(failure);
        }
    }

    private void open() throws Exception {
        Connection connection = run.settings.connect(run.failures);
        connection.start();
        session = run.session(connection);
        producer = session.createProducer(run.destination(session));
        producer.setDeliveryMode(run.settings.persistent ? DeliveryMode.PERSISTENT : DeliveryMode.NON_PERSISTENT);
        run.started.countDown();
        run.started.await();
    }

    private int single() throws JMSException {
        BytesMessage message = message();
        long start = System.nanoTime();
        producer.send(message);
        if (run.settings.persistent && run.measuring) {
            confirmed.record(System.nanoTime() - start);
        }
        sent.lazySet(next);
        return 1;
    }

    private int transaction() throws JMSException {
        for (int at = 0; at < run.settings.batch; at++) {
            producer.send(message());
        }
        long start = System.nanoTime();
        session.commit();
        if (run.measuring) {
            confirmed.record(System.nanoTime() - start);
        }
        sent.lazySet(next);
        return run.settings.batch;
    }

    private BytesMessage message() throws JMSException {
        Stamp.write(payload, run.id, number, next++);
        BytesMessage message = session.createBytesMessage();
        message.writeBytes(payload);
        return message;
    }
}
