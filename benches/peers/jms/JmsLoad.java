import java.util.Map;

/** Load of JMS clients on any broker at a tcp:// URL; prints one JSON object for a run. */
public final class JmsLoad {
    private static final String USAGE = """
        java JmsLoad MODE --url tcp://HOST:PORT [--broker-pid PID] [options]
          queue   producers and consumers of one queue
          topic   every consumer gets every message
            --producers N (1)   --consumers N (1)   a connection and a thread each
            --size BYTES (256)  --persistent        else non-persistent, which the client sends without waiting
            --batch N (0)       transactions of N messages on both sides; 0: none, AUTO_ACKNOWLEDGE
            --ahead N (1000)    how far the producers may be ahead of the slowest consumer; no limit without consumers
            --warmup SECONDS (6) --seconds SECONDS (4)
          idle    connections with a consumer each that do nothing
            --count N (1000)    --settle SECONDS (3)""";

    private JmsLoad() {}

    public static void main(String[] arguments) {
        try {
            Settings settings = Settings.parse(arguments);
            System.out.println(Json.of(run(settings)));
            // Threads of the client may be left waiting for a broker that answers no more.
            System.exit(0);
        } catch (IllegalArgumentException wrong) {
            System.err.println(wrong.getMessage() + "\n" + USAGE);
            System.exit(2);
        } catch (Exception failed) {
            System.err.println("JmsLoad: " + failed);
            System.exit(1);
        }
    }

    private static Map<String, Object> run(Settings settings) throws Exception {
        return switch (settings.mode) {
            case "queue" -> new Load(settings, false).run();
            case "topic" -> new Load(settings, true).run();
            case "idle" -> new Idle(settings).run();
            default -> throw new IllegalArgumentException("no mode " + settings.mode);
        };
    }
}
