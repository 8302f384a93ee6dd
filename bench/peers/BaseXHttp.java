import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executors;
import org.basex.core.Context;
import org.basex.core.MainOptions;
import org.basex.core.StaticOptions;
import org.basex.core.cmd.CreateDB;
import org.basex.io.serial.SerialMethod;
import org.basex.io.serial.Serializer;
import org.basex.io.serial.SerializerOptions;
import org.basex.query.QueryProcessor;
import org.basex.query.iter.Iter;
import org.basex.query.value.item.Item;
import org.basex.util.options.Options.YesNo;

/**
 * BaseX over HTTP, since Debian's package is the library alone: the query is the body of a POST,
 * the reply its serialised result, with a line end between items.
 *
 * <p>Arguments: the port, the document, how many threads.
 */
public final class BaseXHttp {
  private final Context context = new Context(new StaticOptions(false));
  private final SerializerOptions format = new SerializerOptions();

  private BaseXHttp(String document) throws Exception {
    MainOptions options = context.options;
    options.set(MainOptions.MAINMEM, true);
    options.set(MainOptions.CHOP, false);
    options.set(MainOptions.TEXTINDEX, true);
    options.set(MainOptions.ATTRINDEX, true);
    options.set(MainOptions.TOKENINDEX, true);
    options.set(MainOptions.UPDINDEX, false);
    // Longer values would be in no index.
    options.set(MainOptions.MAXLEN, 512);
    // A new database is optimized, and one in memory can't be asked to be.
    new CreateDB("group", document).execute(context);
    format.set(SerializerOptions.METHOD, SerialMethod.XML);
    format.set(SerializerOptions.OMIT_XML_DECLARATION, YesNo.YES);
    format.set(SerializerOptions.INDENT, YesNo.NO);
    format.set(SerializerOptions.ITEM_SEPARATOR, "\n");
  }

  private void answer(HttpExchange exchange) throws IOException {
    String query = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
    int status = 200;
    byte[] reply;
    try {
      reply = resultOf(query);
    } catch (Exception error) {
      status = 500;
      reply = error.toString().getBytes(StandardCharsets.UTF_8);
    }
    exchange.sendResponseHeaders(status, reply.length == 0 ? -1 : reply.length);
    if (reply.length == 0) return;
    // To close the exchange would close its connection.
    try (OutputStream stream = exchange.getResponseBody()) {
      stream.write(reply);
    }
  }

  private byte[] resultOf(String query) throws Exception {
    ByteArrayOutputStream room = new ByteArrayOutputStream(4096);
    try (QueryProcessor processor = new QueryProcessor(query, context);
        Serializer serializer = Serializer.get(room, format)) {
      Iter items = processor.iter();
      for (Item item = items.next(); item != null; item = items.next()) serializer.serialize(item);
    }
    return room.toByteArray();
  }

  public static void main(String[] arguments) throws Exception {
    int port = Integer.parseInt(arguments[0]);
    BaseXHttp peer = new BaseXHttp(arguments[1]);
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 1024);
    server.setExecutor(Executors.newFixedThreadPool(Integer.parseInt(arguments[2])));
    server.createContext("/", peer::answer);
    server.start();
  }
}
