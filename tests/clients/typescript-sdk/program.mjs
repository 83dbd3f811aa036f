// The TypeScript SDK with the provider of its own example: signs in, uses tools, and continues when its token has expired.
import { createInterface } from 'node:readline';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { InMemoryOAuthClientProvider } from '@modelcontextprotocol/sdk/examples/client/simpleOAuthClientProvider.js';

const [url, transport] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const listen = async () => (await lines.next()).value;
const say = (fact) => console.log(JSON.stringify(fact));

// As in the example simpleOAuthClient.
const callback = 'http://localhost:8090/callback';
const metadata = {
    client_name: 'Simple OAuth MCP Client',
    redirect_uris: [callback],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_post'
};
const authProvider = new InMemoryOAuthClientProvider(callback, metadata, (address) => say({ open: address }));

async function connect() {
    const client = new Client({ name: 'typescript-sdk', version: '1.0.0' });
    const Transport = transport === 'sse' ? SSEClientTransport : StreamableHTTPClientTransport;
    const connection = new Transport(new URL(url), { authProvider });
    try {
        await client.connect(connection);
        return client;
    } catch (error) {
        if (!(error instanceof UnauthorizedError)) throw error;
        await connection.finishAuth(new URL(await listen()).searchParams.get('code'));
        return connect();
    }
}

const client = await connect();
async function call(name, args = {}) {
    const result = await client.callTool({ name, arguments: args });
    say({ tool: name, text: result.content[0].text });
}
say({ tools: (await client.listTools()).tools.map((tool) => tool.name) });
await call('hello_mcp');
await call('save_snippet', { snippetname: 'greeting', snippet: 'kept' });
say({ waiting: true });
await listen(); // It refreshes when the server answers with 401; it has no clock.
await call('get_snippet', { snippetname: 'greeting' });
await client.close();
process.exit(0);
