// opencode: signs in with its command; then its agent calls the tools that a model requests. This program is the model's
// server.
import { execFile, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const [url] = process.argv.slice(2);
const say = (fact) => console.log(JSON.stringify(fact));
const opencode = `${import.meta.dirname}/node_modules/opencode-${process.platform}-${process.arch}/bin/opencode`;
const home = process.env.HOME;

// The model requests one tool after the other, and ends when all of them have returned results.
let script = [];
let listed = false;
async function answer(request, response) {
    let body = '';
    for await (const part of request) body += part;
    const { messages, tools = [] } = JSON.parse(body);
    const names = tools.map((tool) => tool.function.name).filter((name) => name.startsWith('gateway_'));
    const results = messages.filter((message) => message.role === 'tool');
    const [name, args] = names.length ? (script[results.length] ?? []) : [];
    if (names.length && !listed) {
        listed = true;
        say({ tools: names.map((each) => each.replace('gateway_', '')) });
    }
    const call = { index: 0, id: `call-${results.length}`, type: 'function', function: { name: `gateway_${name}`, arguments: JSON.stringify(args) } };
    const delta = name ? { tool_calls: [call] } : { content: 'Done.' };
    if (!name && names.length) {
        for (const [index, result] of results.entries()) {
            const text = typeof result.content === 'string' ? result.content : result.content[0].text;
            say({ tool: script[index][0], text });
        }
    }
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const chunk = (choice) => `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 0, model: 'script', choices: [{ index: 0, ...choice }] })}\n\n`;
    response.write(chunk({ delta: { role: 'assistant', ...delta }, finish_reason: null }));
    response.write(chunk({ delta: {}, finish_reason: name ? 'tool_calls' : 'stop' }));
    response.end('data: [DONE]\n\n');
}
const model = createServer((request, response) => answer(request, response)).listen(0, '127.0.0.1');
await new Promise((done) => model.once('listening', done));

writeFileSync(
    `${home}/opencode.json`,
    JSON.stringify({
        mcp: { gateway: { type: 'remote', url, oauth: { callbackPort: Number(process.env.CALLBACK_PORT) } } },
        provider: {
            local: {
                npm: '@ai-sdk/openai-compatible',
                options: { baseURL: `http://127.0.0.1:${model.address().port}/v1`, apiKey: 'none' },
                models: { script: { tool_call: true } }
            }
        },
        model: 'local/script',
        small_model: 'local/script',
        permission: 'allow',
        share: 'disabled',
        autoupdate: false
    })
);
const options = { cwd: home, env: { ...process.env, OPENCODE_DISABLE_MODELS_FETCH: '1' } };

/** Runs the agent; the model requests these tools. */
function run(...calls) {
    script = calls;
    const process_ = spawn(opencode, ['run', 'Use the tools.'], { ...options, stdio: ['ignore', 'inherit', 'inherit'] });
    return new Promise((done, fail) => process_.once('exit', (code) => (code ? fail(new Error(`status ${code}`)) : done())));
}

await promisify(execFile)(opencode, ['mcp', 'auth', 'gateway'], options);
await run(['hello_mcp', {}], ['save_snippet', { snippetname: 'greeting', snippet: 'kept' }]);
say({ waiting: true });
for await (const _ of createInterface({ input: process.stdin })) break; // It refreshes when the server answers with 401.
await run(['get_snippet', { snippetname: 'greeting' }]);
process.exit(0);
