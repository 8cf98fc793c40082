import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.FutureTask;

/**
 * Runs cases against a broker: {@code Main URL [Class | Class.case]...}, the classes of {@link #TOPICS} if none is
 * named. Prints one line for each case and ends with 1 if any failed. {@code Main --list} prints the names.
 */
final class Main {
    static final List<Class<? extends Kit>> TOPICS = List.of(
        Queues.class, Topics.class, Acks.class, Transactions.class, Redelivery.class,
        Bodies.class, Producers.class, Errors.class, Connections.class, Options.class, Differences.class,
        Branches.class, Returning.class, Advisories.class,
        Durable.class, Temporary.class, Browsers.class, Pull.class, Selectors.class,
        Groups.class, Exclusive.class, Composite.class, Wildcards.class, VirtualTopics.class, Scheduled.class,
        NoLocal.class, Priority.class, Expiry.class, History.class, Control.class, Failover.class);

    /** How long one case may take; far more than any needs. */
    static final long CASE_SECONDS = 50;

    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 1 && arguments[0].equals("--list")) {
            TOPICS.forEach(topic -> cases(topic).forEach(test -> System.out.println(name(topic, test))));
            return;
        }
        Kit.url = arguments[0];
        List<String> wanted = List.of(arguments).subList(1, arguments.length);
        int run = 0;
        boolean ok = true;
        for (Class<? extends Kit> topic : TOPICS) {
            for (Method test : cases(topic)) {
                String name = name(topic, test);
                if (wanted.isEmpty() || wanted.contains(name) || wanted.contains(topic.getSimpleName())) {
                    ok &= passes(topic, test, name);
                    run++;
                }
            }
        }
        if (run == 0) {
            System.out.println("no case is named " + wanted);
        }
        System.exit(ok && run > 0 ? 0 : 1);
    }

    private static List<Method> cases(Class<?> topic) {
        return Arrays.stream(topic.getDeclaredMethods()).filter(method -> method.isAnnotationPresent(Case.class)).toList();
    }

    private static String name(Class<?> topic, Method test) {
        return topic.getSimpleName() + "." + test.getName();
    }

    private static boolean passes(Class<? extends Kit> topic, Method test, String name) throws Exception {
        Throwable failure = failure(topic, test);
        if (failure == null) {
            System.out.println("ok " + name);
            return true;
        }
        System.out.println("FAILED " + name + ": " + failure + place(topic, failure.getStackTrace()));
        for (Throwable cause = failure.getCause(); cause != null; cause = cause.getCause()) {
            System.out.println("    because of " + cause);
        }
        return false;
    }

    /** Runs it in a thread of its own, so that one that hangs fails instead. */
    private static Throwable failure(Class<? extends Kit> topic, Method test) throws Exception {
        Kit kit = topic.getDeclaredConstructor().newInstance();
        FutureTask<Throwable> task = new FutureTask<>(() -> thrownBy(kit, test));
        Thread thread = new Thread(task, "case");
        thread.setDaemon(true);
        thread.start();
        try {
            return task.get(CASE_SECONDS, TimeUnit.SECONDS);
        } catch (TimeoutException late) {
            Throwable hangs = new AssertionError("did not end within " + CASE_SECONDS + " s");
            hangs.setStackTrace(thread.getStackTrace());
            return hangs;
        } finally {
            kit.closeAll();
        }
    }

    private static Throwable thrownBy(Kit kit, Method test) throws Exception {
        try {
            test.invoke(kit);
            return null;
        } catch (InvocationTargetException thrown) {
            return thrown.getCause();
        }
    }

    /** Where in the class of the case it happened. */
    private static String place(Class<?> topic, StackTraceElement[] trace) {
        for (StackTraceElement element : trace) {
            if (element.getClassName().startsWith(topic.getName())) {
                return " (" + element.getFileName() + ":" + element.getLineNumber() + ")";
            }
        }
        return "";
    }
}
