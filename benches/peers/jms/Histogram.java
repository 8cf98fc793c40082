import java.util.LinkedHashMap;
import java.util.Map;

/** Times of one thread, in buckets no wider than 0.8 % of their value. */
final class Histogram {
    private static final int STEPS = 128;
    private static final int STEP_BITS = 7;

    private final long[] buckets = new long[STEPS * (65 - STEP_BITS)];
    private long samples;
    private long max;

    void record(long nanos) {
        long value = Math.max(nanos, 0);
        buckets[bucket(value)]++;
        samples++;
        max = Math.max(max, value);
    }

    void add(Histogram other) {
        for (int at = 0; at < buckets.length; at++) {
            buckets[at] += other.buckets[at];
        }
        samples += other.samples;
        max = Math.max(max, other.max);
    }

    /** In microseconds, or null if nothing was recorded. */
    Map<String, Object> summary() {
        if (samples == 0) {
            return null;
        }
        Map<String, Object> summary = new LinkedHashMap<>();
        summary.put("samples", samples);
        summary.put("p50", at(0.5) / 1000.0);
        summary.put("p99", at(0.99) / 1000.0);
        summary.put("p999", at(0.999) / 1000.0);
        summary.put("max", max / 1000.0);
        return summary;
    }

    private long at(double quantile) {
        long left = (long) Math.ceil(samples * quantile);
        for (int at = 0; at < buckets.length; at++) {
            left -= buckets[at];
            if (left <= 0) {
                return Math.min(highest(at), max);
            }
        }
        return max;
    }

    /** The first two rows of buckets are exact; each further one covers twice the range of the one before. */
    private static int bucket(long value) {
        int shift = Math.max(0, 63 - Long.numberOfLeadingZeros(value | 1) - STEP_BITS);
        return shift * STEPS + (int) (value >>> shift);
    }

    private static long highest(int bucket) {
        int shift = Math.max(0, bucket / STEPS - 1);
        return ((bucket - (long) shift * STEPS + 1) << shift) - 1;
    }
}
