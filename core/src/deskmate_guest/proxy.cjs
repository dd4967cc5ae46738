// Has Node use the proxy of its environment. Loaded before every Node program of a machine that has a way out
// (NODE_OPTIONS); Node from version 24 on does it by itself when NODE_USE_ENV_PROXY is set.
"use strict";
const http = require("node:http");
const https = require("node:https");
const tls = require("node:tls");

const UNDICI = "/usr/share/nodejs/undici"; // Debian's Node comes with it; `fetch` is made of it
const DISPATCHER = Symbol.for("undici.globalDispatcher.1");

const proxy = address(process.env.HTTPS_PROXY);
const direct = new Set((process.env.NO_PROXY || "").split(",").map((name) => name.trim().toLowerCase()));

function address(text) {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

function isDirect(host) {
  return direct.has(String(host || "localhost").replace(/^\[|\]$/g, "").toLowerCase());
}

/** An agent of `https`: each connection is asked of the proxy with CONNECT, then TLS is spoken through it. */
class Tunnel extends https.Agent {
  createConnection(options, done) {
    if (isDirect(options.host) || options.socketPath) return super.createConnection(options, done);
    const target = `${options.host}:${options.port}`;
    const headers = { host: target };
    const ask = http.request({
      host: proxy.hostname, port: proxy.port, method: "CONNECT", path: target, headers, agent: false,
    });
    ask.once("connect", (answer, socket, rest) => {
      if (answer.statusCode !== 200) {
        socket.destroy();
        done(new Error(`the proxy says ${answer.statusCode} ${rest}`.trim()));
        return;
      }
      done(null, tls.connect({ ...options, socket, servername: options.servername || options.host }));
    });
    ask.once("error", done);
    ask.end();
    return undefined;
  }
}

/** An agent of `http`: the proxy is sent the whole URL. */
class Forward extends http.Agent {
  addRequest(request, options, ...rest) {
    if (isDirect(options.host) || options.socketPath) return super.addRequest(request, options, ...rest);
    request.path = `http://${options.host}:${options.port}${request.path}`;
    return super.addRequest(request, { ...options, host: proxy.hostname, port: proxy.port }, ...rest);
  }
}

/** The dispatcher of `fetch`; undici is loaded when a program first fetches, as it takes its time. */
class Dispatcher {
  dispatch(options, handler) {
    return this.#for(new URL(options.origin).hostname).dispatch(options, handler);
  }

  close() {
    return Promise.all([this.#proxied, this.#straight].map((agent) => agent && agent.close()));
  }

  #proxied = null;
  #straight = null;

  #for(host) {
    const { Agent, ProxyAgent } = require(UNDICI);
    if (isDirect(host)) return (this.#straight ??= new Agent());
    return (this.#proxied ??= new ProxyAgent(proxy.href));
  }
}

if (proxy && Number(process.versions.node.split(".")[0]) < 24) {
  https.globalAgent = new Tunnel({ keepAlive: true, timeout: 5000 });
  http.globalAgent = new Forward({ keepAlive: true, timeout: 5000 });
  Object.defineProperty(globalThis, DISPATCHER, {
    value: new Dispatcher(), writable: true, enumerable: false, configurable: false,
  });
}
