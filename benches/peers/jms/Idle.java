import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import javax.jms.Connection;
import javax.jms.JMSException;
import javax.jms.Session;

/** How much memory a broker takes for connections with a consumer each, of a queue of its own, that do nothing. */
final class Idle {
    /** Opened and closed before the first reading, so that what a broker allocates once is not counted. */
    private static final int WARM = 50;

    private final Settings settings;
    private final Failures failures = new Failures();
    private final Processes broker;

    Idle(Settings settings) {
        this.settings = settings;
        broker = new Processes(settings.brokerPid);
    }

    Map<String, Object> run() throws Exception {
        for (Connection connection : open("warm", WARM)) {
            connection.close();
        }
        long before = settledRss();
        long start = System.nanoTime();
        int count = open("idle", settings.count).size();
        double took = (System.nanoTime() - start) / 1e9;
        long after = settledRss();
        failures.check();
        Map<String, Object> report = new LinkedHashMap<>();
        report.put("mode", "jms-idle");
        report.put("connections", count);
        report.put("rss_before_kib", before);
        report.put("rss_kib", after);
        report.put("bytes_per_connection", (after - before) * 1024.0 / Math.max(count, 1));
        report.put("connects_per_second", count / took);
        return report;
    }

    private List<Connection> open(String name, int count) throws JMSException {
        List<Connection> opened = new ArrayList<>();
        for (int at = 0; at < count; at++) {
            Connection connection = settings.connect(failures);
            opened.add(connection);
            Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
            session.createConsumer(session.createQueue("load." + name + "." + at)).setMessageListener(message -> {});
            connection.start();
        }
        return opened;
    }

    private long settledRss() throws Exception {
        TimeUnit.NANOSECONDS.sleep((long) (settings.settle * 1e9));
        Long rss = broker.rssKib();
        if (rss == null) {
            throw new IllegalArgumentException("--broker-pid of a running broker is needed");
        }
        return rss;
    }
}
