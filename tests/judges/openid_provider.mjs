// A real OpenID Connect provider on loopback, over TLS: whoever types a name is that person.
// Standard input: one line of JSON (host, cert, key, client). Standard output: its port. Ends with standard input.
import { createServer } from "node:https";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const lines = createInterface({ input: process.stdin });
const { host, cert, key, client } = JSON.parse((await lines[Symbol.asyncIterator]().next()).value);
lines.on("close", () => process.exit(0));
process.stdin.on("end", () => process.exit(0));
process.stdin.resume();

const server = createServer({ cert, key });
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address();
  const provider = new Provider(`https://${host}:${port}`, {
    clients: [client],
    pkce: { required: () => true },
    claims: { openid: ["sub"], profile: ["name", "preferred_username"] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, name: `The ${id}`, preferred_username: id }),
    }),
  });
  server.on("request", provider.callback());
  console.log(port);
});
