// Loaded before the conformance suite, which knows neither tokens nor hosts with names: it speaks to a port of
// loopback. What it sends there goes out as an agent of the wiki sends it. Another Host or Origin than its own is a
// question of the suite, and stays as it is.
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

function asAgent(dispatch) {
  return (options, handler) => {
    if (String(options.origin) !== `http://${OURS}`) return dispatch(options, handler);
    const headers = new Map([["host", OURS]]);
    for (const [name, value] of pairs(options.headers)) headers.set(name.toLowerCase(), String(value));
    if (headers.get("host") === OURS) headers.set("host", JUDGED_HOST);
    if (headers.get("origin") === `http://${OURS}`) headers.set("origin", `http://${JUDGED_HOST}`);
    headers.set("authorization", `Bearer ${JUDGED_TOKEN}`);
    return dispatch({ ...options, headers: [...headers].flat() }, handler);
  };
}

setGlobalDispatcher(new Agent().compose(asAgent));
