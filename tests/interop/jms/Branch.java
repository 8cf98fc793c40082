import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import javax.transaction.xa.Xid;

/** The name of a branch of a transaction. */
final class Branch implements Xid {
    private final byte[] global;
    private final byte[] qualifier;

    Branch(String global, String qualifier) {
        this.global = global.getBytes(StandardCharsets.UTF_8);
        this.qualifier = qualifier.getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public int getFormatId() {
        return 0x4a4d53;
    }

    @Override
    public byte[] getGlobalTransactionId() {
        return global.clone();
    }

    @Override
    public byte[] getBranchQualifier() {
        return qualifier.clone();
    }

    boolean isAmong(Xid[] others) {
        return Arrays.stream(others).anyMatch(this::is);
    }

    private boolean is(Xid other) {
        return other.getFormatId() == getFormatId()
                && Arrays.equals(other.getGlobalTransactionId(), global)
                && Arrays.equals(other.getBranchQualifier(), qualifier);
    }
}
