import javax.jms.JMSException;

/** What went wrong on any thread: the first failure ends the run. */
final class Failures {
    private volatile Exception first;
    private volatile boolean closing;

    void connectionFailed(JMSException failure) {
        if (!closing) {
            record(failure);
        }
    }

    synchronized void record(Exception failure) {
        if (first == null) {
            first = failure;
        }
    }

    /** From now on connections may end. */
    void closing() {
        closing = true;
    }

    boolean any() {
        return first != null;
    }

    void check() throws Exception {
        if (first != null) {
            throw first;
        }
    }
}
