// mcp-remote between the server and a host that supports only stdio. It opens the system's browser itself, and tries
// streamable HTTP before SSE at every URL.
import { createInterface } from 'node:readline';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

const [url] = process.argv.slice(2);
const say = (fact) => console.log(JSON.stringify(fact));

const client = new Client({ name: 'host', version: '1.0.0' });
await client.connect(
    new StdioClientTransport({
        command: process.execPath,
        args: ['node_modules/mcp-remote/dist/proxy.js', url, '--allow-http'],
        env: process.env
    })
);
async function call(name, args = {}) {
    const result = await client.callTool({ name, arguments: args });
    say({ tool: name, text: result.content[0].text });
}
say({ tools: (await client.listTools()).tools.map((tool) => tool.name) });
await call('hello_mcp');
await call('save_snippet', { snippetname: 'greeting', snippet: 'kept' });
say({ waiting: true });
for await (const _ of createInterface({ input: process.stdin })) break; // It refreshes when the server answers with 401.
await call('get_snippet', { snippetname: 'greeting' });
await client.close();
process.exit(0);
