import java.util.BitSet;

/** Which messages one consumer got, by producer and number. */
final class Ledger {
    /** Of another run, of another length, or not a bytes message. */
    long foreign;
    private long doubled;
    private long reordered;

    private final BitSet[] seen;
    private final long[] last;

    Ledger(int producers) {
        seen = new BitSet[producers];
        last = new long[producers];
        for (int at = 0; at < producers; at++) {
            seen[at] = new BitSet();
            last[at] = -1;
        }
    }

    void record(int producer, long number) {
        if (seen[producer].get((int) number)) {
            doubled++;
            return;
        }
        seen[producer].set((int) number);
        if (number < last[producer]) {
            reordered++;
        }
        last[producer] = Math.max(last[producer], number);
    }

    /** Takes in the faults another consumer saw. */
    void addFaults(Ledger other) {
        foreign += other.foreign;
        doubled += other.doubled;
        reordered += other.reordered;
    }

    /** Takes in what another consumer of the same queue got. */
    void add(Ledger other) {
        addFaults(other);
        for (int at = 0; at < seen.length; at++) {
            BitSet both = (BitSet) seen[at].clone();
            both.and(other.seen[at]);
            doubled += both.cardinality();
            seen[at].or(other.seen[at]);
        }
    }

    long doubled() {
        return doubled;
    }

    long reordered() {
        return reordered;
    }

    /** How many of the first messages of a producer have not come. */
    long missing(int producer, long sent) {
        return sent - seen[producer].get(0, (int) sent).cardinality();
    }
}
