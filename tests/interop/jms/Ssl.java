import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import javax.jms.Connection;
import javax.jms.JMSException;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TextMessage;
import org.apache.activemq.ActiveMQSslConnectionFactory;

/**
 * Sends a message by a URL and receives it: {@code Ssl URL [trust=STORE] [client=CERTIFICATE.pem,KEY.pem]}. The
 * password of the store is {@code changeit}. Prints {@code received TEXT} or {@code failed WHY}.
 */
final class Ssl {
    private static final String PASSWORD = "changeit";

    public static void main(String[] arguments) throws Exception {
        ActiveMQSslConnectionFactory factory = new ActiveMQSslConnectionFactory(arguments[0]);
        for (int n = 1; n < arguments.length; n++) {
            String[] option = arguments[n].split("=", 2);
            if (option[0].equals("trust")) {
                factory.setTrustStore(option[1]);
                factory.setTrustStorePassword(PASSWORD);
                factory.setTrustStoreType(option[1].endsWith(".jks") ? "JKS" : "PKCS12");
            } else {
                factory.setKeyStore(store(option[1].split(",")).toUri().toString());
                factory.setKeyStorePassword(PASSWORD);
                factory.setKeyStoreType("PKCS12");
            }
        }
        try {
            System.out.println("received " + sentAndReceived(factory));
        } catch (JMSException failed) {
            System.out.println("failed " + failed);
        }
        System.exit(0);
    }

    private static String sentAndReceived(ActiveMQSslConnectionFactory factory) throws JMSException {
        Connection connection = factory.createConnection();
        connection.start();
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        Queue queue = session.createQueue(Kit.name());
        session.createProducer(queue).send(session.createTextMessage("whispered"));
        MessageConsumer consumer = session.createConsumer(queue);
        TextMessage message = (TextMessage) consumer.receive(Kit.PATIENCE_MS);
        connection.close();
        return message.getText();
    }

    /** A store with the certificate and the key of a client. */
    private static Path store(String[] files) throws Exception {
        Certificate[] chain;
        try (var in = Files.newInputStream(Path.of(files[0]))) {
            chain = CertificateFactory.getInstance("X.509").generateCertificates(in).toArray(new Certificate[0]);
        }
        String text = Files.readString(Path.of(files[1]), StandardCharsets.US_ASCII);
        byte[] bytes = Base64.getMimeDecoder().decode(text.replaceAll("-----[A-Z ]+-----", ""));
        PrivateKey key = KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(bytes));
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry("client", key, PASSWORD.toCharArray(), chain);
        Path file = Files.createTempFile("client", ".p12");
        file.toFile().deleteOnExit();
        try (var out = Files.newOutputStream(file)) {
            store.store(out, PASSWORD.toCharArray());
        }
        return file;
    }
}
