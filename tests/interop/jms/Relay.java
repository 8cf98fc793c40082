import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;

/** Stands between client and broker, to cut what goes through as a broken network does. */
final class Relay implements AutoCloseable {
    private final ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final URI broker;
    private final List<Socket> sockets = new ArrayList<>();

    Relay(String broker) throws IOException {
        this.broker = URI.create(broker);
        daemon(this::accept);
    }

    String url() {
        return "tcp://127.0.0.1:" + server.getLocalPort();
    }

    /** Ends every connection that goes through it. New ones are let through. */
    synchronized void cut() throws IOException {
        for (Socket socket : sockets) {
            socket.close();
        }
        sockets.clear();
    }

    @Override
    public void close() throws IOException {
        server.close();
        cut();
    }

    private void accept() {
        try {
            while (true) {
                pair(server.accept());
            }
        } catch (IOException closed) {
            // The end of the relay.
        }
    }

    private void pair(Socket client) throws IOException {
        Socket peer;
        try {
            peer = new Socket(broker.getHost(), broker.getPort());
        } catch (IOException unreachable) {
            client.close();
            return;
        }
        client.setTcpNoDelay(true);
        peer.setTcpNoDelay(true);
        synchronized (this) {
            sockets.add(client);
            sockets.add(peer);
        }
        daemon(() -> copy(client, peer));
        daemon(() -> copy(peer, client));
    }

    private static void copy(Socket from, Socket to) {
        try (from; to) {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            byte[] buffer = new byte[65_536];
            for (int n = in.read(buffer); n > 0; n = in.read(buffer)) {
                out.write(buffer, 0, n);
            }
        } catch (IOException cut) {
            // Both are closed, as at the end of the stream.
        }
    }

    private static void daemon(Runnable work) {
        Thread thread = new Thread(work, "relay");
        thread.setDaemon(true);
        thread.start();
    }
}
