// The TypeScript client 2.x: signs in, uses tools, and continues when its token has expired.
import { createInterface } from 'node:readline';
import { Client, SSEClientTransport, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';

const [url, transport] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const listen = async () => (await lines.next()).value;
const say = (fact) => console.log(JSON.stringify(fact));

const kept = {};
const authProvider = {
    redirectUrl: 'http://127.0.0.1:45321/callback',
    clientMetadata: {
        client_name: 'TypeScript client',
        redirect_uris: ['http://127.0.0.1:45321/callback'],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none'
    },
    clientInformation: () => kept.client,
    saveClientInformation: (client) => { kept.client = client; },
    tokens: () => kept.tokens,
    saveTokens: (tokens) => { kept.tokens = tokens; },
    codeVerifier: () => kept.verifier,
    saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
    discoveryState: () => kept.discovery,
    saveDiscoveryState: (discovery) => { kept.discovery = discovery; },
    redirectToAuthorization: (address) => say({ open: address })
};

async function connect() {
    const client = new Client({ name: 'typescript-client', version: '1.0.0' });
    const Transport = transport === 'sse' ? SSEClientTransport : StreamableHTTPClientTransport;
    const connection = new Transport(new URL(url), { authProvider });
    try {
        await client.connect(connection);
        return client;
    } catch (error) {
        if (!(error instanceof UnauthorizedError)) throw error;
        await connection.finishAuth(new URL(await listen()).searchParams);
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
