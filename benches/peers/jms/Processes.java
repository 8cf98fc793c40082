import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** What a process and all it has started cost, read from /proc. */
final class Processes {
    /** The unit of times in /proc/PID/stat: USER_HZ, 100 a second wherever Linux runs a JVM. */
    private static final double TICKS_PER_SECOND = 100;

    private final long leader;

    Processes(long leader) {
        this.leader = leader;
    }

    static Processes own() {
        return new Processes(ProcessHandle.current().pid());
    }

    /** User and system time of all threads so far; null if there is no such process. */
    Double cpuSeconds() {
        List<Long> ticks = all().map(Processes::ticks).flatMap(Optional::stream).toList();
        return ticks.isEmpty() ? null : ticks.stream().mapToLong(Long::longValue).sum() / TICKS_PER_SECOND;
    }

    /** Resident memory; null if there is no such process. */
    Long rssKib() {
        List<Long> sizes = all().map(Processes::rss).flatMap(Optional::stream).toList();
        return sizes.isEmpty() ? null : (Long) sizes.stream().mapToLong(Long::longValue).sum();
    }

    private Stream<Long> all() {
        return ProcessHandle.of(leader).stream()
            .flatMap(handle -> Stream.concat(Stream.of(handle), handle.descendants()))
            .map(ProcessHandle::pid);
    }

    /** proc(5): behind the name in parentheses, the 12th and 13th fields are utime and stime. */
    private static Optional<Long> ticks(long pid) {
        return read(pid, "stat").map(stat -> {
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
            return Long.parseLong(fields[11]) + Long.parseLong(fields[12]);
        });
    }

    private static Optional<Long> rss(long pid) {
        return read(pid, "status").flatMap(status -> status.lines()
            .filter(line -> line.startsWith("VmRSS:"))
            .map(line -> Long.parseLong(line.replaceAll("\\D", "")))
            .findFirst());
    }

    private static Optional<String> read(long pid, String file) {
        try {
            return Optional.of(Files.readString(Path.of("/proc", Long.toString(pid), file)));
        } catch (IOException gone) {
            return Optional.empty();
        }
    }
}
