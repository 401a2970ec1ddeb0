// An echo server on a free port, which it prints. It ends with its input.
import { WebSocketServer } from 'ws';

const deflate = process.argv[2] === 'deflate' && { threshold: 0, serverMaxWindowBits: 12, concurrencyLimit: 2 };
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: deflate, maxPayload: 64 << 20 });
server.on('listening', () => console.log(server.address().port));
server.on('connection', (socket) => {
  socket.on('message', (data, binary) => socket.send(data, { binary }));
  socket.on('error', (error) => console.error(error));
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
