import java.nio.ByteBuffer;

/** How every payload begins: the run, the producer, the number of the message and when it was sent. */
final class Stamp {
    static final int LENGTH = 32;

    final long run;
    final int producer;
    final long number;
    final long sentAt;

    private Stamp(ByteBuffer bytes) {
        run = bytes.getLong();
        producer = (int) bytes.getLong();
        number = bytes.getLong();
        sentAt = bytes.getLong();
    }

    static void write(byte[] payload, long run, int producer, long number) {
        ByteBuffer.wrap(payload).putLong(run).putLong(producer).putLong(number).putLong(System.nanoTime());
    }

    static Stamp read(byte[] payload) {
        return new Stamp(ByteBuffer.wrap(payload));
    }
}
