// Loaded before the conformance suite, which knows neither tokens nor hosts with names: it speaks to a port of
// loopback. What it sends there goes out as an agent of the wiki sends it. Another Host or Origin than its own is a
// question of the suite, and stays as it is.
import http from "node:http";
import { Agent, setGlobalDispatcher } from "undici";

const { JUDGED_PORT, JUDGED_HOST, JUDGED_TOKEN } = process.env;
const OURS = `127.0.0.1:${JUDGED_PORT}`;

function pairs(headers) {
  if (headers == null) return [];
  if (Array.isArray(headers)) {
    if (headers.every((entry) => Array.isArray(entry))) return headers;
    return headers.flatMap((name, index) => (index % 2 ? [] : [[String(name), String(headers[index + 1])]]));
  }
  return typeof headers[Symbol.iterator] === "function" ? [...headers] : Object.entries(headers);
}

function agents(headers) {
  const sent = new Map([["host", OURS]]);
  for (const [name, value] of pairs(headers)) sent.set(name.toLowerCase(), String(value));
  if (sent.get("host") === OURS) sent.set("host", JUDGED_HOST);
  if (sent.get("origin") === `http://${OURS}`) sent.set("origin", `http://${JUDGED_HOST}`);
  return sent.set("authorization", `Bearer ${JUDGED_TOKEN}`);
}

function asAgent(dispatch) {
  return (options, handler) => {
    if (String(options.origin) !== `http://${OURS}`) return dispatch(options, handler);
    return dispatch({ ...options, headers: [...agents(options.headers)].flat() }, handler);
  };
}

setGlobalDispatcher(new Agent().compose(asAgent));

// Where it needs a header's exact spelling, it asks the platform's own client.
const { request } = http;
http.request = (options, ...more) => {
  if (String(options.port) !== JUDGED_PORT) return request(options, ...more);
  const { host, authorization } = Object.fromEntries(agents({}));
  return request({ ...options, headers: { ...options.headers, host, authorization } }, ...more);
};
