// A Baileys client driven over standard input and output, one JSON object a
// line. Commands are {"id", "do", "args"} and call the socket's own methods;
// answers are {"id", "result"} or {"id", "error", "code"}; everything else
// printed is an event.
//
//   node client.mjs baileys7 ws://127.0.0.1:3452/ws/chat AUTH_DIR
import { createInterface } from 'node:readline'

const [version, endpoint, authDir] = process.argv.slice(2)
const baileys = await import(version)
const { useMultiFileAuthState, jidNormalizedUser } = baileys
const makeSocket = baileys.makeWASocket ?? baileys.default

const print = (object) =>
  process.stdout.write(JSON.stringify(object, (_, value) =>
    value?.type === 'Buffer' ? Buffer.from(value.data).toString('base64') : typeof value === 'bigint' ? value.toString() : value) + '\n')

const quiet = { level: 'silent', trace() {}, debug() {}, info() {}, warn() {}, error() {}, child: () => quiet }
if (process.env.CLIENT_LOG) {
  for (const level of ['info', 'warn', 'error']) quiet[level] = (...args) => print({ event: 'log', level, args })
}

const { state, saveCreds } = await useMultiFileAuthState(authDir)
let socket
let leaving = false

function connect() {
  socket = makeSocket({
    auth: state,
    waWebSocketUrl: endpoint,
    logger: quiet,
    browser: ['Ubuntu', 'Chrome', '22.04.4'],
    syncFullHistory: false,
    markOnlineOnConnect: false,
    generateHighQualityLinkPreview: false,
  })
  socket.ev.on('creds.update', saveCreds)
  socket.ev.on('connection.update', (update) => {
    if (update.qr) print({ event: 'qr', qr: update.qr })
    if (update.connection === 'open') print({ event: 'open', me: state.creds.me })
    if (update.connection === 'close') {
      const code = update.lastDisconnect?.error?.output?.statusCode
      print({ event: 'close', code })
      // 515 asks for a new connection, right after linking.
      if (code === 515 && !leaving) connect()
    }
  })
  socket.ev.on('messages.upsert', ({ messages }) => {
    for (const message of messages) {
      const content = message.message
      print({
        event: 'message',
        id: message.key.id,
        chat: message.key.remoteJid,
        participant: message.key.participant,
        fromMe: message.key.fromMe,
        text: content?.conversation ?? content?.extendedTextMessage?.text,
        stub: message.messageStubType,
      })
    }
  })
  for (const name of ['groups.upsert', 'groups.update', 'group-participants.update', 'group.join-request']) {
    socket.ev.on(name, (data) => print({ event: name, data }))
  }
}

const commands = {
  async pairingCode(number) {
    return socket.requestPairingCode(number)
  },
  me: async () => ({ id: jidNormalizedUser(state.creds.me?.id), lid: state.creds.me?.lid }),
  async sendText(jid, text) {
    const sent = await socket.sendMessage(jid, { text })
    return sent.key.id
  },
}

connect()

for await (const line of createInterface({ input: process.stdin })) {
  const { id, do: name, args = [] } = JSON.parse(line)
  const call = commands[name] ?? ((...rest) => socket[name](...rest))
  Promise.resolve()
    .then(() => call(...args))
    .then(
      (result) => print({ id, result: result ?? null }),
      (error) => print({ id, error: error.message, code: error.data ?? error.output?.statusCode }),
    )
}
leaving = true
socket.end(undefined)
process.exit(0)
