// A process that calls Zernio's SDK as it is told on its standard input, a line
// of JSON each: {"id": 1, "do": "whatsapp.createWhatsAppGroupChat", "args": {…}}.
// It answers {"id": 1, "data": …}, or with the SDK's error and its class.
//
//   node client.mjs <base URL> <key>
import { createInterface } from 'node:readline';
import { Zernio } from '@zernio/node';

const [baseURL, apiKey] = process.argv.slice(2);
const zernio = new Zernio({ apiKey, baseURL });

for await (const line of createInterface({ input: process.stdin })) {
  const { id, do: name, args } = JSON.parse(line);
  const [resource, method] = name.split('.');
  let answer;
  try {
    const { data } = await zernio[resource][method](args);
    answer = { id, data };
  } catch (e) {
    const { statusCode, code, type, param, platform, platformError, fields } = e;
    answer = { id, error: { class: e.name, message: e.message, statusCode, code, type, param, platform, platformError, fields } };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
