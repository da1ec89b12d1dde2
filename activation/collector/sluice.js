/* sluice.js: first-party events in Segment's shape. No cookies, no dependencies.

   <script async src="https://COLLECTOR/sluice.js" data-write-key="KEY"></script>

   data-consent="required"   nothing is stored or sent before sluice.consent(true); calls made until then wait in memory
   data-page="off"           no page event by itself
   Calls before the script is there: (window.sluice = window.sluice || []).push(["track", "Signed Up", {plan: "pro"}])

   A browser that asks not to be tracked (Do Not Track, Global Privacy Control) is not: nothing is stored, nothing sent. */
(function (window, document, navigator) {
  "use strict";
  var script = document.currentScript;
  if (!script || (window.sluice && window.sluice.track)) return;
  var KEY = script.getAttribute("data-write-key") || "";
  var MUST_ASK = script.getAttribute("data-consent") === "required";
  var HOST = (script.getAttribute("data-host") || new URL(script.src, location.href).origin).replace(/\/+$/, "");
  var DAYS = 30, MOST_WAITING = 500, BATCH = 50, LONGEST = 60000, TRIES = 8;
  var early = Array.isArray(window.sluice) ? window.sluice : [];
  var memory = {}, waiting = [], timer = null, sending = false, tries = 0;

  function untracked() {
    return navigator.doNotTrack === "1" || navigator.doNotTrack === "yes" || window.doNotTrack === "1" || navigator.globalPrivacyControl === true;
  }
  function allowed() {
    var said = read("consent");
    return !untracked() && said !== "refused" && (said === "granted" || !MUST_ASK);
  }
  function read(name) {
    try { return window.localStorage.getItem("sluice_" + name) || memory[name] || null; } catch (_) { return memory[name] || null; }
  }
  function write(name, value) {
    memory[name] = value;
    try {
      if (value === null) window.localStorage.removeItem("sluice_" + name);
      else window.localStorage.setItem("sluice_" + name, value);
    } catch (_) { /* blocked or full: memory does for this page */ }
  }
  function uuid() {
    if (window.crypto && window.crypto.randomUUID) return window.crypto.randomUUID();
    var bytes = window.crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64; bytes[8] = (bytes[8] & 63) | 128;
    return Array.prototype.map.call(bytes, function (b, i) {
      return (i === 4 || i === 6 || i === 8 || i === 10 ? "-" : "") + (b + 256).toString(16).slice(1);
    }).join("");
  }

  /* The campaign somebody came by is kept for DAYS, so that what they do on later pages counts for it. */
  function campaign() {
    var query = new URLSearchParams(location.search), found = {}, any = false;
    ["source", "medium", "campaign", "term", "content"].forEach(function (name) {
      var value = query.get("utm_" + name);
      if (value) { found[name === "campaign" ? "name" : name] = value.slice(0, 200); any = true; }
    });
    if (any) {
      if (allowed()) write("campaign", JSON.stringify({ at: Date.now(), is: found }));
      return found;
    }
    try {
      var kept = JSON.parse(read("campaign") || "null");
      return kept && Date.now() - kept.at < DAYS * 864e5 ? kept.is : undefined;
    } catch (_) { return undefined; }
  }
  function place() {
    return { url: location.href, path: location.pathname, search: location.search, title: document.title, referrer: document.referrer };
  }
  function put(message) {
    message.messageId = "s_" + uuid();
    message.timestamp = new Date().toISOString();
    message.context = {
      library: { name: "sluice.js", version: "1" }, page: place(), userAgent: navigator.userAgent,
      locale: navigator.language, campaign: campaign()
    };
    try { message.context.timezone = Intl.DateTimeFormat().resolvedOptions().timeZone; } catch (_) { /* old browser */ }
    if (waiting.length >= MOST_WAITING) waiting.shift();
    waiting.push(message);
    if (allowed()) soon(20);
  }
  function soon(wait) {
    if (timer === null && !sending) timer = setTimeout(function () { timer = null; send(); }, wait);
  }
  function signed(messages) {
    var anonymous = read("anonymous") || uuid(), user = read("user");
    write("anonymous", anonymous);
    return messages.map(function (message) {
      message.anonymousId = message.anonymousId || anonymous;
      if (user && !message.userId) message.userId = user;
      return message;
    });
  }
  function next() {
    var count = 0, size = 0;
    while (count < waiting.length && count < BATCH) {
      size += JSON.stringify(waiting[count]).length * 3;
      if (count && size > LONGEST) break;
      count += 1;
    }
    return waiting.slice(0, count);
  }
  function body(messages) {
    return JSON.stringify({ writeKey: KEY, sentAt: new Date().toISOString(), batch: messages });
  }
  function send() {
    if (sending || !waiting.length || !allowed()) return;
    var batch = signed(next());
    sending = true;
    /* text/plain spares a question to the server beforehand; keepalive lets it end when the page does. */
    fetch(HOST + "/v1/batch", { method: "POST", body: body(batch), headers: { "content-type": "text/plain" }, keepalive: true, credentials: "omit" })
      .then(function (answer) {
        var again = answer.status === 429 || answer.status >= 500;
        done(batch, again ? Number(answer.headers.get("retry-after")) || 1 : 0);
      }, function () { done(batch, 1); });
  }
  function done(batch, wait) {
    sending = false;
    tries = wait ? tries + 1 : 0;
    if (!wait || tries > TRIES) {
      waiting = waiting.filter(function (message) { return batch.indexOf(message) < 0; });
      tries = 0;
    }
    if (waiting.length) soon(wait ? Math.min(60, wait * Math.pow(2, tries - 1)) * 1000 : 0);
  }
  /* The page goes: what waits is handed to the browser, which takes some 64 KB at a time; the rest is kept for the next page.
     What was being sent is sent once more, and lands once (messageId). */
  function leave() {
    while (waiting.length && allowed()) {
      var batch = signed(next());
      if (!navigator.sendBeacon || !navigator.sendBeacon(HOST + "/v1/batch", new Blob([body(batch)], { type: "text/plain" }))) break;
      waiting = waiting.slice(batch.length);
    }
    if (waiting.length && allowed()) write("waiting", JSON.stringify(withLeft(signed(waiting))));
  }
  /* What an earlier page left, each message once, before these. Anything may stand in the browser's storage. */
  function withLeft(messages) {
    var ids = {}, left = [];
    messages.forEach(function (message) { ids[message.messageId] = true; });
    try { left = JSON.parse(read("waiting")) || []; } catch (_) { /* cut or not ours */ }
    left = Array.isArray(left) ? left.filter(function (message) { return message && message.messageId && !ids[message.messageId]; }) : [];
    return left.concat(messages).slice(-MOST_WAITING);
  }
  function resume() {
    if (!allowed() || !read("waiting")) return;
    waiting = withLeft(waiting);
    write("waiting", null);
    if (waiting.length) soon(20);
  }

  var calls = {
    page: function (name, properties) {
      if (name && typeof name === "object") { properties = name; name = undefined; }
      put({ type: "page", name: name, properties: Object.assign(place(), properties) });
    },
    track: function (event, properties) { put({ type: "track", event: String(event), properties: properties || {} }); },
    identify: function (user, traits) {
      if (user && typeof user === "object") { traits = user; user = undefined; }
      if (user && allowed()) write("user", String(user));
      else if (user) memory.user = String(user);
      put({ type: "identify", userId: user ? String(user) : undefined, traits: traits || {} });
    },
    consent: function (granted) {
      if (granted) { write("consent", "granted"); campaign(); resume(); send(); return; }
      waiting = [];
      ["anonymous", "user", "campaign", "waiting"].forEach(function (name) { write(name, null); });
      write("consent", "refused");
    },
    reset: function () { write("anonymous", null); write("user", null); },
    anonymousId: function () { return allowed() ? signed([{}])[0].anonymousId : undefined; },
    /* A form of the collector, in a frame that is as high as the form. `into` is an element or its selector. */
    form: function (name, into) {
      var element = typeof into === "string" ? document.querySelector(into) : into, frame = document.createElement("iframe");
      if (!element) return;
      var query = new URLSearchParams({ page_url: location.href.slice(0, 1000) }), by = campaign() || {};
      if (allowed()) query.set("anonymous_id", calls.anonymousId());
      Object.keys(by).forEach(function (key) { query.set("utm_" + (key === "name" ? "campaign" : key), by[key]); });
      frame.src = HOST + "/f/" + encodeURIComponent(name) + "/embed?" + query;
      frame.title = name;
      frame.style.cssText = "width:100%;border:0;min-height:20rem";
      window.addEventListener("message", function (event) {
        if (event.origin === new URL(HOST).origin && event.source === frame.contentWindow && event.data && event.data.sluiceHeight > 0)
          frame.style.height = Math.ceil(Number(event.data.sluiceHeight)) + "px";
      });
      element.appendChild(frame);
    }
  };
  function guarded(name) {
    return function () {
      if (name !== "form" && name !== "consent" && (untracked() || read("consent") === "refused")) return undefined;
      return calls[name].apply(null, arguments);
    };
  }
  var api = {};
  Object.keys(calls).forEach(function (name) { api[name] = guarded(name); });
  api.push = function (call) { if (api[call[0]]) api[call[0]].apply(null, call.slice(1)); };
  window.sluice = api;
  document.addEventListener("visibilitychange", function () { if (document.visibilityState === "hidden") leave(); });
  window.addEventListener("pagehide", leave);
  resume();
  if (script.getAttribute("data-page") !== "off") api.page();
  early.forEach(api.push);
})(window, document, navigator);
