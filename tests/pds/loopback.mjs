// A small internet on loopback: every host name is this process's one TLS listener, which passes on by name. Nothing
// leaves the machine, whatever asks.
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import tls from 'node:tls'

const LOOPBACK = '127.0.0.1'
const OURS = new Set([LOOPBACK, 'localhost'])

/** Servers that name no address listen on loopback only, and plain connections lead nowhere else. */
export function stayOnLoopback() {
  const listen = net.Server.prototype.listen
  net.Server.prototype.listen = function (first, ...rest) {
    const options = typeof first === 'object' ? first : { port: first }
    return listen.call(this, { host: LOOPBACK, ...options }, ...rest.filter((each) => typeof each === 'function'))
  }
  const connect = net.Socket.prototype.connect
  net.Socket.prototype.connect = function (...words) {
    const [options] = net._normalizeArgs(Array.isArray(words[0]) ? words[0] : words)
    if (!options.path && !OURS.has(options.host ?? LOOPBACK)) throw new Error(`no way to ${options.host} from a test`)
    return connect.apply(this, words)
  }
}

/** All https that is asked for from here goes to our listener, under the name that was asked for. */
export function connectHere(port) {
  const connect = tls.connect
  tls.connect = (options, ...rest) =>
    connect({ ...options, host: LOOPBACK, port, servername: options.servername || options.host }, ...rest)
}

export async function freePort() {
  const server = net.createServer().listen(0)
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return port
}

/** The TLS listener. `routes` gives the loopback port of a host, or of all that end as a name that begins with a dot. */
export async function openFront(certificateFile, routes) {
  const pem = fs.readFileSync(certificateFile)
  const server = https.createServer({ cert: pem, key: pem }, (request, response) => {
    const host = (request.headers.host ?? '').split(':')[0]
    const port = routes.get(host) ?? routes.get(host.slice(host.indexOf('.')))
    if (port === undefined) return response.writeHead(502).end(`nobody is at ${host}`)
    const headers = { ...request.headers, 'x-forwarded-proto': 'https', 'x-forwarded-for': LOOPBACK, 'x-forwarded-host': host }
    const onward = http.request({ host: LOOPBACK, port, method: request.method, path: request.url, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.rawHeaders)
      answer.pipe(response)
    })
    onward.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end('it is away')))
    response.on('close', () => onward.destroy())
    return request.pipe(onward)
  })
  server.listen(0)
  await once(server, 'listening')
  return server.address().port
}
