import java.io.IOException;
import java.net.URI;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.jms.InvalidClientIDException;
import org.apache.activemq.command.ActiveMQDestination;
import org.apache.activemq.command.ActiveMQQueue;
import org.apache.activemq.command.ActiveMQTextMessage;
import org.apache.activemq.command.Command;
import org.apache.activemq.command.ConnectionControl;
import org.apache.activemq.command.ConnectionId;
import org.apache.activemq.command.ConnectionInfo;
import org.apache.activemq.command.ConsumerControl;
import org.apache.activemq.command.ConsumerId;
import org.apache.activemq.command.ConsumerInfo;
import org.apache.activemq.command.ExceptionResponse;
import org.apache.activemq.command.MessageDispatch;
import org.apache.activemq.command.MessageId;
import org.apache.activemq.command.ProducerId;
import org.apache.activemq.command.ProducerInfo;
import org.apache.activemq.command.Response;
import org.apache.activemq.command.SessionId;
import org.apache.activemq.command.SessionInfo;
import org.apache.activemq.transport.DefaultTransportListener;
import org.apache.activemq.transport.Transport;
import org.apache.activemq.transport.TransportFactory;

/** Clients that come back while their last connection still looks alive, as {@code failover:} does it command by command. */
final class Returning extends Kit {
    private final ConnectionId id = new ConnectionId("ID:" + name("returning") + "-1:1");
    private final ActiveMQDestination queue = new ActiveMQQueue(name());

    /** One transport, without all that a JMS connection does by itself. */
    private final class Wire {
        final BlockingQueue<MessageDispatch> dispatched = new LinkedBlockingQueue<>();
        final Transport transport;
        volatile boolean lost;

        Wire() throws Exception {
            transport = TransportFactory.connect(new URI(url));
            transport.setTransportListener(new DefaultTransportListener() {
                @Override
                public void onCommand(Object command) {
                    if (command instanceof MessageDispatch) {
                        dispatched.add((MessageDispatch) command);
                    }
                }

                @Override
                public void onException(IOException error) {
                    lost = true;
                }
            });
            transport.start();
            keep(transport, transport::stop);
        }

        void tell(Command command) throws IOException {
            transport.oneway(command);
        }

        Response ask(Command command) throws IOException {
            return (Response) transport.request(command, (int) PATIENCE_MS);
        }

        void done(Command command) throws IOException {
            Response response = ask(command);
            check(!(response instanceof ExceptionResponse), "refused: " + response);
        }

        /** Introduces itself, and opens a session. */
        Wire introduced(ConnectionId connection, String client, boolean returns) throws IOException {
            ConnectionControl control = new ConnectionControl();
            control.setFaultTolerant(true);
            tell(control);
            done(info(connection, client, returns));
            done(new SessionInfo(new SessionId(connection, -1)));
            tell(new SessionInfo(new SessionId(connection, 1)));
            return this;
        }

        void send(ProducerId producer, long number) throws Exception {
            ActiveMQTextMessage message = new ActiveMQTextMessage();
            message.setText("m" + number);
            message.setProducerId(producer);
            message.setMessageId(new MessageId(producer, number));
            message.setDestination(queue);
            message.setPersistent(true);
            done(message);
        }

        void consume(ConsumerId consumer, int prefetch) throws IOException {
            ConsumerInfo info = new ConsumerInfo(consumer);
            info.setDestination(queue);
            info.setPrefetchSize(prefetch);
            done(info);
        }

        MessageDispatch next() throws InterruptedException {
            MessageDispatch next = dispatched.poll(PATIENCE_MS, TimeUnit.MILLISECONDS);
            check(next != null, "nothing was dispatched");
            return next;
        }
    }

    private static ConnectionInfo info(ConnectionId connection, String client, boolean returns) {
        ConnectionInfo info = new ConnectionInfo(connection);
        info.setClientId(client);
        info.setFaultTolerant(true);
        info.setFailoverReconnect(returns);
        return info;
    }

    private Wire come(boolean returns) throws Exception {
        return new Wire().introduced(id, id.getValue(), returns);
    }

    private ProducerId producer() {
        return new ProducerId(new SessionId(id, 1), 1);
    }

    private ConsumerId consumer() {
        return new ConsumerId(new SessionId(id, 1), 1);
    }

    @Case
    void theStaleConnectionGoes() throws Exception {
        sendOnce(queue, "a", "b");
        Wire stale = come(false);
        stale.consume(consumer(), 10);
        stale.next();
        same(0, stale.next().getRedeliveryCounter());
        Wire back = come(true);
        back.consume(consumer(), 10);
        for (String text : new String[] {"a", "b"}) {
            MessageDispatch again = back.next();
            same(text, ((ActiveMQTextMessage) again.getMessage()).getText());
            same(1, again.getRedeliveryCounter());
        }
        until("the stale connection is closed", () -> stale.lost);
    }

    @Case
    void anotherConnectionOfTheClientIsRefused() throws Exception {
        come(false);
        ConnectionId other = new ConnectionId(id.getValue() + "0");
        Response response = new Wire().ask(info(other, id.getValue(), false));
        check(response instanceof ExceptionResponse, "let in");
        Throwable why = ((ExceptionResponse) response).getException();
        check(why instanceof InvalidClientIDException, "refused by " + why);
    }

    @Case
    void whatIsSentAgainIsTakenOnce() throws Exception {
        Wire first = come(false);
        first.done(new ProducerInfo(producer()));
        first.send(producer(), 1);
        first.send(producer(), 2);
        Wire back = come(true);
        back.done(new ProducerInfo(producer()));
        back.send(producer(), 2);
        back.send(producer(), 3);
        holds(queue, "m1", "m2", "m3");
    }

    @Case
    void aConnectionThatDoesNotComeBackBeginsAnew() throws Exception {
        Wire first = come(false);
        first.done(new ProducerInfo(producer()));
        first.send(producer(), 1);
        Wire other = come(false);
        other.done(new ProducerInfo(producer()));
        other.send(producer(), 1);
        holds(queue, "m1", "m1");
    }

    @Case
    void aConsumerGetsItsWindowBack() throws Exception {
        sendOnce(queue, "a", "b");
        Wire back = come(true);
        back.consume(consumer(), 0);
        check(back.dispatched.poll(QUIET_MS, TimeUnit.MILLISECONDS) == null, "nobody has asked for it");
        ConsumerControl control = new ConsumerControl();
        control.setConsumerId(consumer());
        control.setDestination(queue);
        control.setPrefetch(1);
        back.tell(control);
        same("a", ((ActiveMQTextMessage) back.next().getMessage()).getText());
        check(back.dispatched.poll(QUIET_MS, TimeUnit.MILLISECONDS) == null, "beyond its window");
    }
}
