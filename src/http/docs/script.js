"use strict";
(() => {
  const METHODS = ["get", "post", "put", "patch", "delete", "head"];
  const $ = (id) => document.getElementById(id);
  const token = $("token");
  let spec = {};

  token.value = sessionStorage.getItem("kindred_token") || "";
  token.addEventListener("input", () => sessionStorage.setItem("kindred_token", token.value.trim()));

  // Only ever text: nothing of the description is read as markup.
  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
    }
    for (const child of children.flat()) if (child !== undefined && child !== null) node.append(child);
    return node;
  }

  function uuid() {
    if (crypto.randomUUID) return crypto.randomUUID();
    return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
  }

  function resolve(schema) {
    for (let depth = 0; schema && schema.$ref && depth < 20; depth++) {
      schema = schema.$ref.split("/").slice(1).reduce((at, key) => (at || {})[key.replace(/~1/g, "/")], spec);
    }
    return schema || {};
  }

  const typesOf = (schema) => [].concat(schema.type || (schema.properties ? "object" : []));
  const notNull = (list) => (list || []).filter((part) => part.type !== "null");
  const choices = (schema) => notNull(schema.oneOf || schema.anyOf);

  function nameOf(schema) {
    if (!schema) return "any";
    if (schema.$ref) return schema.$ref.split("/").pop();
    if (choices(schema).length) {
      const names = choices(schema).map(nameOf);
      return [...new Set(names)].join(" | ") + ((schema.oneOf || schema.anyOf).length > names.length ? " | null" : "");
    }
    if (schema.allOf) return schema.allOf.map(nameOf).join(" & ");
    if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
    if (typesOf(schema).includes("array")) return nameOf(schema.items) + "[]";
    return (typesOf(schema).join(" | ") || "any") + (schema.format ? ` (${schema.format})` : "");
  }

  function example(schema, depth = 0) {
    const whole = resolve(schema);
    if (whole.example !== undefined) return whole.example;
    if (whole.examples && whole.examples.length) return whole.examples[0];
    if (whole.default !== undefined) return whole.default;
    if (whole.const !== undefined) return whole.const;
    if (whole.enum) return whole.enum[0];
    if (depth > 6) return null;
    if (whole.allOf) return Object.assign({}, ...whole.allOf.map((part) => example(part, depth + 1)));
    if (choices(whole).length) return example(choices(whole)[0], depth + 1);
    const type = typesOf(whole).find((name) => name !== "null");
    if (type === "object") {
      const properties = Object.entries(whole.properties || {});
      return Object.fromEntries(properties.map(([name, part]) => [name, example(part, depth + 1)]));
    }
    if (type === "array") return [example(whole.items, depth + 1)];
    if (type === "integer" || type === "number") return whole.minimum || 0;
    if (type === "boolean") return false;
    if (type === "string") return whole.format === "date-time" ? "2026-01-01T00:00:00Z" : "string";
    return null;
  }

  function tree(schema, seen = []) {
    const whole = resolve(schema);
    if (typesOf(whole).includes("array")) return tree(whole.items, seen);
    const parts = whole.allOf || choices(whole);
    if (parts.length) return el("div", {}, parts.map((part) => tree(part, seen)));
    const name = schema && schema.$ref;
    if (!whole.properties || (name && seen.includes(name))) return null;
    const inside = name ? [...seen, name] : seen;
    return el("ul", { class: "tree" }, Object.entries(whole.properties).map(([field, part]) => el("li", {},
      el("code", {}, field), " ",
      el("span", { class: "type" }, nameOf(part) + ((whole.required || []).includes(field) ? "" : ", optional")),
      part.description || resolve(part).description ? " — " + (part.description || resolve(part).description) : "",
      tree(part, inside))));
  }

  const mediaOf = (body) => Object.entries((body && body.content) || {})[0] || [null, {}];
  const shellQuote = (text) => "'" + text.replace(/'/g, "'\\''") + "'";

  function tryIt(method, path, op) {
    const inputs = [];
    const rows = (op.parameters || []).map((parameter) => resolve(parameter)).map((parameter) => {
      const isKey = parameter.name.toLowerCase() === "idempotency-key";
      const input = el("input", {
        value: isKey ? uuid() : (parameter.in === "path" && parameter.example) || "",
        placeholder: nameOf(parameter.schema), "aria-label": parameter.name, oninput: show,
      });
      inputs.push({ parameter, input, isKey });
      return el("tr", {}, el("td", {}, el("code", {}, parameter.name), parameter.required ? " *" : ""),
        el("td", {}, parameter.in), el("td", {}, input), el("td", {}, parameter.description || ""));
    });
    const [kind, media] = mediaOf(op.requestBody && resolve(op.requestBody));
    const body = kind && el("textarea", { "aria-label": "Body", spellcheck: "false", oninput: show });
    if (body) body.value = JSON.stringify(media.example !== undefined ? media.example : example(media.schema), null, 2);
    const curl = el("pre"), answer = el("div");

    function request() {
      let target = path;
      const query = new URLSearchParams(), headers = {};
      for (const { parameter, input } of inputs) {
        const value = input.value;
        if (parameter.in === "path") target = target.replace(`{${parameter.name}}`, encodeURIComponent(value));
        else if (value && parameter.in === "query") query.set(parameter.name, value);
        else if (value && parameter.in === "header") headers[parameter.name] = value;
      }
      if (query.size) target += "?" + query;
      if (op.security && op.security.length && token.value) headers.Authorization = "Bearer " + token.value.trim();
      if (body) headers["Content-Type"] = kind;
      return { target, init: { method: method.toUpperCase(), headers, body: body ? body.value : undefined } };
    }

    function show() {
      const { target, init } = request();
      const parts = [`curl -X ${init.method} ${shellQuote(location.origin + target)}`];
      for (const [name, value] of Object.entries(init.headers)) {
        const shown = name === "Authorization" ? "Bearer $TOKEN" : value;
        parts.push(name === "Authorization" ? `-H "Authorization: ${shown}"` : `-H ${shellQuote(`${name}: ${shown}`)}`);
      }
      if (init.body) parts.push(`-d ${shellQuote(init.body)}`);
      curl.textContent = parts.join(" \\\n  ");
    }

    async function send() {
      const { target, init } = request();
      const started = performance.now();
      answer.replaceChildren("…");
      try {
        const response = await fetch(target, init);
        const text = await response.text();
        let shown = text;
        try {
          const json = JSON.parse(text);
          shown = JSON.stringify(json, null, 2);
          if (json && json.access_token) {
            token.value = json.access_token;
            token.dispatchEvent(new Event("input"));
          }
        } catch { /* not JSON: shown as it is */ }
        const names = ["location", "etag", "retry-after", "x-request-id"].filter((name) => response.headers.get(name));
        answer.replaceChildren(
          el("p", { class: response.ok ? "good" : "bad" },
            `${response.status} ${response.statusText} in ${Math.round(performance.now() - started)} ms`),
          names.length ? el("pre", {}, names.map((name) => `${name}: ${response.headers.get(name)}`).join("\n")) : null,
          el("pre", {}, shown || "(no body)"));
        if (response.ok) for (const { input, isKey } of inputs) if (isKey) input.value = uuid();
      } catch (error) {
        answer.replaceChildren(el("p", { class: "bad" }, String(error)));
      }
      show();
    }

    token.addEventListener("input", show);
    show();
    return [
      rows.length ? [el("h3", {}, "Parameters"), el("table", {}, rows)] : null,
      body ? [el("h3", {}, "Body"), body, tree(media.schema)] : null,
      el("h3", {}, "Try it"), curl, el("button", { type: "button", onclick: send }, "Send"), answer,
    ].flat();
  }

  function responses(op) {
    const rows = Object.entries(op.responses || {}).map(([status, given]) => {
      const response = resolve(given);
      const [, media] = mediaOf(response);
      return el("tr", {}, el("td", {}, status), el("td", {}, response.description || ""),
        el("td", {}, media.schema ? [el("span", { class: "type" }, nameOf(media.schema)),
          status.startsWith("2") ? tree(media.schema) : null] : "no body"));
    });
    return [el("h3", {}, "Answers"), el("table", {}, rows)];
  }

  function operation(method, path, op) {
    const inside = el("div");
    return el("details", {
      class: "op", id: op.operationId,
      "data-text": `${method} ${path} ${op.summary || ""} ${(op.tags || []).join(" ")}`.toLowerCase(),
      // Filled when it is first opened: a long page opens at once.
      ontoggle: () => {
        if (inside.hasChildNodes()) return;
        inside.append(...[op.description ? el("p", {}, op.description) : null, ...tryIt(method, path, op), ...responses(op)]
          .filter((part) => part !== null));
      },
    }, el("summary", {}, el("span", { class: `method ${method}` }, method.toUpperCase()),
      el("span", { class: "path" }, path), op.security && op.security.length ? el("span", { class: "lock" }, "token") : null,
      el("span", { class: "what" }, op.summary || "")), inside);
  }

  function codes() {
    const rows = (spec["x-problem-codes"] || []).map((entry) =>
      el("tr", {}, el("td", {}, String(entry.status)), el("td", {}, el("code", {}, entry.code)), el("td", {}, entry.detail)));
    return el("section", { id: "problem-codes" }, el("h2", {}, "problem codes"),
      el("table", {}, el("tr", {}, ["Status", "Code", "Meaning"].map((name) => el("th", {}, name))), rows));
  }

  function show() {
    const tags = new Map((spec.tags || []).map((tag) => [tag.name, { about: tag.description, operations: [] }]));
    for (const [path, item] of Object.entries(spec.paths)) {
      for (const method of METHODS) {
        if (!item[method]) continue;
        for (const tag of item[method].tags || ["other"]) {
          if (!tags.has(tag)) tags.set(tag, { operations: [] });
          tags.get(tag).operations.push(operation(method, path, item[method]));
        }
      }
    }
    const shown = [...tags].filter(([, tag]) => tag.operations.length);
    $("tags").replaceChildren(...shown.map(([name]) => el("a", { href: "#tag-" + name }, name)),
      el("a", { href: "#problem-codes" }, "problem codes"));
    $("main").replaceChildren(
      el("p", {}, (spec.info.description || ""), " ", el("a", { href: "/openapi.json" }, "openapi.json")),
      ...shown.map(([name, tag]) => el("section", { id: "tag-" + name }, el("h2", {}, name),
        tag.about ? el("p", {}, tag.about) : null, tag.operations)), codes());
    $("search").addEventListener("input", () => {
      const words = $("search").value.toLowerCase().split(/\s+/);
      for (const node of document.querySelectorAll("details.op")) {
        node.hidden = !words.every((word) => node.dataset.text.includes(word));
      }
    });
    if (location.hash) { const at = $(location.hash.slice(1)); if (at) { at.open = true; at.scrollIntoView(); } }
  }

  fetch("/openapi.json").then((response) => response.json()).then((json) => { spec = json; show(); })
    .catch((error) => { $("status").textContent = "openapi.json can't be read: " + error; });
})();
