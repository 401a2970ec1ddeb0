// Sends messages to an echo server and compares what comes back. Its last line is "ok".
import WebSocket from 'ws';

const [, , url, compression, listed] = process.argv;
const sizes = listed.split(',').map(Number);
const options = { maxPayload: 64 << 20 };
if (compression === 'deflate') {
  options.perMessageDeflate = { threshold: 0, clientMaxWindowBits: 10, serverMaxWindowBits: 11 };
} else {
  options.perMessageDeflate = false;
}
const fail = (why) => {
  console.error(why);
  process.exit(1);
};
const socket = new WebSocket(url, options);
const messages = sizes.flatMap((n) => ['é'.repeat(n / 2) + 'x'.repeat(n % 2), Buffer.alloc(n, n % 251)]);
let next = 0;
let ponged = false;
const send = () => {
  if (next === messages.length) {
    socket.close(4321, 'enough');
    return;
  }
  socket.send(messages[next]);
};
socket.on('open', () => {
  const agreed = socket.extensions.includes('permessage-deflate');
  if (agreed !== (compression === 'deflate')) fail(`extensions: "${socket.extensions}"`);
  socket.ping('are you there');
  send();
});
socket.on('pong', (data) => { ponged = data.toString() === 'are you there'; });
socket.on('message', (data, binary) => {
  const sent = messages[next];
  const same = binary ? data.equals(sent) : data.toString() === sent;
  if (binary !== Buffer.isBuffer(sent) || !same) fail(`message ${next} came back changed`);
  next += 1;
  send();
});
socket.on('close', (code, reason) => {
  if (next !== messages.length || !ponged || code !== 4321) fail(`closed: ${code} ${reason} after ${next}, pong ${ponged}`);
  console.log('ok');
});
socket.on('error', fail);
setTimeout(() => fail('timeout'), 30000).unref();
