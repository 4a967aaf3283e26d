/**
 * What the machine can do at this moment: the same clients against a server of Node alone. A limit
 * in seconds means something only beside it.
 */

import { createServer } from 'node:http';

const socketPath = process.argv[2] ?? '';
const text = JSON.stringify([{ group: 'none' }]);
const server = createServer((_, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(text);
});
server.listen({ path: socketPath, backlog: 4096 }, () => process.send?.('listening'));
process.on('disconnect', () => process.exit(0));
