import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;

/** One run: everybody connects, the load warms up, a window is measured, what is under way arrives. */
final class Load {
    private static final long CONNECT_SECONDS = 60;
    private static final long STALLED_NANOS = 10_000_000_000L;

    private final Settings settings;
    private final Run run;
    private final Processes broker;

    Load(Settings settings, boolean topic) {
        this.settings = settings;
        run = new Run(settings, topic);
        broker = new Processes(settings.brokerPid);
    }

    Map<String, Object> run() throws Exception {
        start();
        sleep(settings.warmup);
        run.measuring = true;
        Meter start = meter();
        sleep(settings.seconds / 2);
        Meter half = meter();
        sleep(settings.seconds / 2);
        Meter end = meter();
        run.measuring = false;
        Long rss = broker.rssKib();
        stop();
        Map<String, Object> report = report(start, half, end);
        report.put("rss_kib", rss);
        faults(report);
        return report;
    }

    private void start() throws Exception {
        for (int at = 0; at < settings.consumers; at++) {
            run.receivers.add(new Receiver(run));
        }
        for (int at = 0; at < settings.producers; at++) {
            run.senders.add(new Sender(run, at));
        }
        for (Receiver receiver : run.receivers) {
            receiver.start();
        }
        run.senders.forEach(Thread::start);
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(CONNECT_SECONDS);
        while (!run.started.await(100, TimeUnit.MILLISECONDS)) {
            run.failures.check();
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("not connected within " + CONNECT_SECONDS + " s");
            }
        }
    }

    /** The producers end; what they sent has to arrive as long as anything still does. */
    private void stop() throws Exception {
        run.stopping = true;
        for (Sender sender : run.senders) {
            sender.join(TimeUnit.NANOSECONDS.toMillis(STALLED_NANOS));
        }
        long before = -1;
        long since = System.nanoTime();
        while (run.received() < run.due() && System.nanoTime() - since < STALLED_NANOS) {
            run.failures.check();
            if (run.received() != before) {
                before = run.received();
                since = System.nanoTime();
            }
            TimeUnit.MILLISECONDS.sleep(5);
        }
        run.failures.check();
        run.failures.closing();
    }

    private Map<String, Object> report(Meter start, Meter half, Meter end) {
        double seconds = end.secondsSince(start);
        long confirmed = end.sent - start.sent;
        long delivered = end.received - start.received;
        boolean consumed = !run.receivers.isEmpty();
        long messages = consumed ? delivered : confirmed;
        long early = consumed ? half.received - start.received : half.sent - start.sent;
        var busiest = end.busiestSince(start);
        Map<String, Object> report = new LinkedHashMap<>();
        report.put("mode", run.topic ? "jms-topic" : "jms-queue");
        report.put("messages", messages);
        report.put("seconds", seconds);
        report.put("rate", messages / seconds);
        report.put("confirmed_rate", confirmed / seconds);
        report.put("delivered_rate", delivered / seconds);
        // Far from 1: the load was not steady yet, and the warm-up should be longer.
        report.put("second_half", (double) (messages - early) / Math.max(early, 1));
        if (start.brokerCpu != null && end.brokerCpu != null) {
            report.put("cpu_us_per_message", (end.brokerCpu - start.brokerCpu) * 1e6 / messages);
            report.put("broker_cores", (end.brokerCpu - start.brokerCpu) / seconds);
        }
        report.put("client_cpu_us_per_message", (end.clientCpu - start.clientCpu) * 1e6 / messages);
        report.put("client_cores", (end.clientCpu - start.clientCpu) / seconds);
        report.put("client_busiest", busiest.getValue());
        report.put("client_busiest_thread", busiest.getKey());
        return report;
    }

    private void faults(Map<String, Object> report) {
        Histogram latency = new Histogram();
        Histogram confirmed = new Histogram();
        run.receivers.forEach(receiver -> latency.add(receiver.latency));
        run.senders.forEach(sender -> confirmed.add(sender.confirmed));
        report.put("latency_us", latency.summary());
        report.put("ack_latency_us", confirmed.summary());
        Ledger all = new Ledger(settings.producers);
        long lost = 0;
        for (Receiver receiver : run.receivers) {
            if (run.topic) {
                lost += missing(receiver.ledger);
                all.addFaults(receiver.ledger);
            } else {
                all.add(receiver.ledger);
            }
        }
        report.put("lost", run.topic || run.receivers.isEmpty() ? lost : missing(all));
        report.put("doubled", all.doubled());
        report.put("reordered", all.reordered());
        report.put("foreign", all.foreign);
    }

    private long missing(Ledger ledger) {
        return LongStream.range(0, settings.producers)
            .map(at -> ledger.missing((int) at, run.senders.get((int) at).sent.get()))
            .sum();
    }

    private Meter meter() {
        return new Meter(run, broker, Processes.own());
    }

    private void sleep(double seconds) throws Exception {
        long end = System.nanoTime() + (long) (seconds * 1e9);
        for (long left = end - System.nanoTime(); left > 0; left = end - System.nanoTime()) {
            run.failures.check();
            TimeUnit.NANOSECONDS.sleep(Math.min(left, 100_000_000));
        }
    }
}
