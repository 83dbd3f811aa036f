// LangChain4j, which takes a bearer token from its host: uses tools, and continues with the next token.

import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.mcp.client.DefaultMcpClient;
import dev.langchain4j.mcp.client.McpClient;
import dev.langchain4j.mcp.client.transport.McpTransport;
import dev.langchain4j.mcp.client.transport.http.HttpMcpTransport;
import dev.langchain4j.mcp.client.transport.http.StreamableHttpMcpTransport;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import java.util.stream.Collectors;

public class Program {
    public static void main(String[] arguments) throws Exception {
        AtomicReference<String> token = new AtomicReference<>(System.getenv("MCP_TOKEN"));
        Supplier<Map<String, String>> headers = () -> Map.of("Authorization", "Bearer " + token.get());
        McpTransport transport = arguments[1].equals("sse")
                ? new HttpMcpTransport.Builder().sseUrl(arguments[0]).customHeaders(headers).build()
                : new StreamableHttpMcpTransport.Builder().url(arguments[0]).customHeaders(headers).build();
        try (McpClient client = new DefaultMcpClient.Builder().transport(transport).build()) {
            String names = client.listTools().stream()
                    .map(tool -> '"' + tool.name() + '"')
                    .collect(Collectors.joining(","));
            System.out.println("{\"tools\": [" + names + "]}");
            call(client, "hello_mcp", "{}");
            call(client, "save_snippet", "{\"snippetname\": \"greeting\", \"snippet\": \"kept\"}");
            System.out.println("{\"waiting\": true}");
            token.set(new BufferedReader(new InputStreamReader(System.in)).readLine());
            call(client, "get_snippet", "{\"snippetname\": \"greeting\"}");
        }
        System.exit(0);
    }

    private static void call(McpClient client, String name, String values) {
        var request = ToolExecutionRequest.builder().name(name).arguments(values).build();
        String text = client.executeTool(request).resultText();
        System.out.println("{\"tool\": \"" + name + "\", \"text\": \"" + text.replace("\"", "\\\"") + "\"}");
    }
}
