// A real did:plc directory (in memory) and a real PDS with its OAuth provider, behind one TLS front.
// usage: node start.mjs <state folder> <certificate with key> <hosts as JSON: {plc, pds}>
// Prints one line of JSON when all answer, then answers each line of JSON on standard input, and ends with it.
import crypto from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import readline from 'node:readline'
import { Secp256k1Keypair } from '@atproto/crypto'
import { PDS } from '@atproto/pds'
import plcLib from '@did-plc/lib'
import plcServer from '@did-plc/server'
import { connectHere, freePort, openFront, stayOnLoopback } from './loopback.mjs'

const [state, certificateFile, hostsText] = process.argv.slice(2)
const hosts = JSON.parse(hostsText)
const rotationKey = await Secp256k1Keypair.create({ exportable: true })
const hex = (bytes) => Buffer.from(bytes).toString('hex')
const secret = () => hex(crypto.randomBytes(32))

fs.mkdirSync(state, { recursive: true })
stayOnLoopback()
const plcPort = await freePort()
const plc = plcServer.PlcServer.create({ db: plcServer.Database.mock(), port: plcPort })
await plc.start()

const pdsPort = await freePort()
const routes = new Map([[hosts.plc, plcPort], [hosts.pds, pdsPort], ['.test', pdsPort]])
const frontPort = await openFront(certificateFile, routes)
connectHere(frontPort)

const pds = await PDS.fromEnv({
  port: pdsPort,
  hostname: hosts.pds,
  devMode: false,
  disableSsrfProtection: true, // it would look names up before it asks, and there are none
  dataDirectory: state,
  blobstoreDiskLocation: path.join(state, 'blobs'),
  didPlcUrl: `http://127.0.0.1:${plcPort}`,
  plcRotationKeyK256PrivateKeyHex: hex(await rotationKey.export()),
  jwtSecret: secret(),
  dpopSecret: secret(),
  adminPassword: secret(),
  inviteRequired: false,
  serviceHandleDomains: [`.${hosts.pds}`, '.test'],
  bskyAppViewUrl: 'https://appview.invalid',
  bskyAppViewDid: 'did:web:appview.invalid',
  modServiceUrl: 'https://mod.invalid',
  modServiceDid: 'did:web:mod.invalid',
  crawlers: [],
  rateLimitsEnabled: false,
  serviceName: 'A PDS of a test',
})
await pds.start()

const directory = new plcLib.Client(`http://127.0.0.1:${plcPort}`)
const deeds = {
  // Pass requests for a host (for all below it, if it begins with a dot) on to a port of this machine.
  route: ({ host, port }) => void routes.set(host, port),
  unroute: ({ host }) => void routes.delete(host),
  // Say in somebody's document what their PDS knows nothing of, by an operation signed as the directory demands.
  claim: ({ did, handle }) => directory.updateHandle(did, rotationKey, handle),
  move: ({ did, endpoint }) => directory.updatePds(did, rotationKey, endpoint),
}

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)
say({ frontPort })
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { deed, ...details } = JSON.parse(line)
  try {
    await deeds[deed](details)
    say({ done: deed })
  } catch (error) {
    say({ failed: String(error) })
  }
}
await pds.destroy()
await plc.destroy()
process.exit(0)
