// The AI SDK's MCP client: signs in, uses tools, and continues when its token has expired.
import { createInterface } from 'node:readline';
import { auth, createMCPClient, UnauthorizedError } from '@ai-sdk/mcp';

const [url, type] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const listen = async () => (await lines.next()).value;
const say = (fact) => console.log(JSON.stringify(fact));

const kept = {};
const authProvider = {
    redirectUrl: 'http://127.0.0.1:45321/callback',
    clientMetadata: {
        client_name: 'AI SDK',
        redirect_uris: ['http://127.0.0.1:45321/callback'],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none'
    },
    clientInformation: () => kept.client,
    saveClientInformation: (client) => { kept.client = client; },
    authorizationServerInformation: () => kept.server,
    saveAuthorizationServerInformation: (server) => { kept.server = server; },
    tokens: () => kept.tokens,
    saveTokens: (tokens) => { kept.tokens = tokens; },
    codeVerifier: () => kept.verifier,
    saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
    state: () => crypto.randomUUID(),
    saveState: (state) => { kept.state = state; },
    storedState: () => kept.state,
    redirectToAuthorization: (address) => say({ open: address })
};

async function connect() {
    try {
        return await createMCPClient({ transport: { type, url, authProvider } });
    } catch (error) {
        if (!UnauthorizedError || !(error instanceof UnauthorizedError)) throw error;
        const answer = new URL(await listen()).searchParams;
        await auth(authProvider, {
            serverUrl: url,
            authorizationCode: answer.get('code'),
            callbackState: answer.get('state'),
            callbackIssuer: answer.get('iss')
        });
        return connect();
    }
}

const client = await connect();
const tools = await client.tools();
async function call(name, args = {}) {
    const result = await tools[name].execute(args, { toolCallId: name, messages: [] });
    say({ tool: name, text: result.content[0].text });
}
say({ tools: Object.keys(tools) });
await call('hello_mcp');
await call('save_snippet', { snippetname: 'greeting', snippet: 'kept' });
say({ waiting: true });
await listen(); // It refreshes when the server answers with 401; it has no clock.
await call('get_snippet', { snippetname: 'greeting' });
await client.close();
process.exit(0);
