// The Java SDK, which takes a bearer token from its host: uses tools, and continues with the next token.

import io.modelcontextprotocol.client.McpClient;
import io.modelcontextprotocol.client.transport.HttpClientSseClientTransport;
import io.modelcontextprotocol.client.transport.HttpClientStreamableHttpTransport;
import io.modelcontextprotocol.client.transport.customizer.McpSyncHttpClientRequestCustomizer;
import io.modelcontextprotocol.spec.McpSchema.CallToolRequest;
import io.modelcontextprotocol.spec.McpSchema.TextContent;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;

public class Program {
    public static void main(String[] arguments) throws Exception {
        URI url = URI.create(arguments[0]);
        // Its base URL is an origin; the path is an endpoint.
        String origin = url.getScheme() + "://" + url.getAuthority();
        AtomicReference<String> token = new AtomicReference<>(System.getenv("MCP_TOKEN"));
        McpSyncHttpClientRequestCustomizer authorize =
                (request, method, address, body, context) -> request.header("Authorization", "Bearer " + token.get());
        var transport = arguments[1].equals("sse")
                ? HttpClientSseClientTransport.builder(origin)
                        .sseEndpoint(url.getPath())
                        .httpRequestCustomizer(authorize)
                        .build()
                : HttpClientStreamableHttpTransport.builder(origin)
                        .endpoint(url.getPath())
                        .httpRequestCustomizer(authorize)
                        .build();
        try (var client = McpClient.sync(transport).build()) {
            client.initialize();
            String names = client.listTools().tools().stream()
                    .map(tool -> '"' + tool.name() + '"')
                    .collect(Collectors.joining(","));
            System.out.println("{\"tools\": [" + names + "]}");
            call(client, "hello_mcp", Map.of());
            call(client, "save_snippet", Map.of("snippetname", "greeting", "snippet", "kept"));
            System.out.println("{\"waiting\": true}");
            token.set(new BufferedReader(new InputStreamReader(System.in)).readLine());
            call(client, "get_snippet", Map.of("snippetname", "greeting"));
        }
        System.exit(0);
    }

    private static void call(io.modelcontextprotocol.client.McpSyncClient client, String name, Map<String, Object> values) {
        var result = client.callTool(new CallToolRequest(name, values));
        String text = ((TextContent) result.content().get(0)).text();
        System.out.println("{\"tool\": \"" + name + "\", \"text\": \"" + text.replace("\"", "\\\"") + "\"}");
    }
}
