import javax.jms.Connection;
import javax.jms.ConnectionFactory;
import javax.jms.JMSException;
import org.apache.activemq.ActiveMQConnectionFactory;

/** What the command line asks for. */
final class Settings {
    final String mode;
    String url;
    long brokerPid;
    int producers = 1;
    int consumers = 1;
    int size = 256;
    boolean persistent;
    int batch;
    int ahead = 1000;
    double warmup = 6;
    double seconds = 4;
    int count = 1000;
    double settle = 3;

    private ConnectionFactory factory;

    private Settings(String mode) {
        this.mode = mode;
    }

    static Settings parse(String[] arguments) {
        if (arguments.length == 0) {
            throw new IllegalArgumentException("no mode");
        }
        Settings settings = new Settings(arguments[0]);
        for (int at = 1; at < arguments.length; at++) {
            if (arguments[at].equals("--persistent")) {
                settings.persistent = true;
            } else if (at + 1 < arguments.length) {
                settings.set(arguments[at], arguments[++at]);
            } else {
                throw new IllegalArgumentException(arguments[at] + " needs a value");
            }
        }
        if (settings.url == null) {
            throw new IllegalArgumentException("--url is missing");
        }
        settings.size = Math.max(settings.size, Stamp.LENGTH);
        settings.factory = factory(settings.url);
        return settings;
    }

    private void set(String name, String value) {
        switch (name) {
            case "--url" -> url = value;
            case "--broker-pid" -> brokerPid = Long.parseLong(value);
            case "--producers" -> producers = Integer.parseInt(value);
            case "--consumers" -> consumers = Integer.parseInt(value);
            case "--size" -> size = Integer.parseInt(value);
            case "--batch" -> batch = Integer.parseInt(value);
            case "--ahead" -> ahead = Integer.parseInt(value);
            case "--warmup" -> warmup = Double.parseDouble(value);
            case "--seconds" -> seconds = Double.parseDouble(value);
            case "--count" -> count = Integer.parseInt(value);
            case "--settle" -> settle = Double.parseDouble(value);
            default -> throw new IllegalArgumentException("no option " + name);
        }
    }

    /** The client as it comes: nothing is set that an application would not set, but the time close may take. */
    private static ConnectionFactory factory(String url) {
        ActiveMQConnectionFactory factory = new ActiveMQConnectionFactory(url);
        factory.setCloseTimeout(2000);
        return factory;
    }

    Connection connect(Failures failures) throws JMSException {
        Connection connection = factory.createConnection();
        connection.setExceptionListener(failures::connectionFailed);
        return connection;
    }
}
