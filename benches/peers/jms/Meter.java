import java.lang.management.ManagementFactory;
import java.lang.management.ThreadInfo;
import java.lang.management.ThreadMXBean;
import java.util.HashMap;
import java.util.Map;

/** One reading of all counters; two readings make a window. */
final class Meter {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    final long at = System.nanoTime();
    final long sent;
    final long received;
    final Double brokerCpu;
    final Double clientCpu;
    private final Map<Long, Long> threads = new HashMap<>();
    private final Map<Long, String> names = new HashMap<>();

    Meter(Run run, Processes broker, Processes client) {
        sent = run.sent();
        received = run.received();
        brokerCpu = broker.cpuSeconds();
        clientCpu = client.cpuSeconds();
        for (ThreadInfo thread : THREADS.getThreadInfo(THREADS.getAllThreadIds())) {
            if (thread != null) {
                threads.put(thread.getThreadId(), THREADS.getThreadCpuTime(thread.getThreadId()));
                names.put(thread.getThreadId(), thread.getThreadName());
            }
        }
    }

    double secondsSince(Meter start) {
        return (at - start.at) / 1e9;
    }

    /** Which thread of the client was busiest, and how much of the time; near 1 it is what limits the run. */
    Map.Entry<String, Double> busiestSince(Meter start) {
        return threads.entrySet().stream()
            .map(entry -> Map.entry(entry.getKey(), entry.getValue() - start.threads.getOrDefault(entry.getKey(), 0L)))
            .max(Map.Entry.comparingByValue())
            .map(busiest -> Map.entry(names.get(busiest.getKey()), busiest.getValue() / 1e9 / secondsSince(start)))
            .orElse(Map.entry("none", 0.0));
    }
}
