/* Runs in a world of its own beside the page's, so that nothing a page redefines is used here. Returns JSON. */
(limits) => {
  const findings = [];
  const inside = (node) => node && node.nodeType === 1;
  const label = (el) => {
    const parts = [];
    for (let at = el; inside(at) && parts.length < 6; at = at.parentElement) {
      const name = at.localName;
      if (at.id && !/\s/.test(at.id)) { parts.unshift(`${name}#${at.id}`); break; }
      const same = at.parentElement ? [...at.parentElement.children].filter((c) => c.localName === name) : [at];
      parts.unshift(same.length > 1 ? `${name}:nth-of-type(${same.indexOf(at) + 1})` : name);
    }
    return parts.join(" > ");
  };
  const short = (text, size) => { const t = (text || "").replace(/\s+/g, " ").trim(); return t.length > size ? t.slice(0, size - 1) + "…" : t; };
  const shown = (el) => {
    const style = getComputedStyle(el);
    return style.visibility !== "hidden" && style.display !== "none" && el.getClientRects().length > 0;
  };
  const find = (kind, severity, el, what) => {
    if (findings.length < limits.findings) findings.push({ kind, severity, where: el ? label(el) : "document", what });
  };
  const all = (css) => [...document.querySelectorAll(css)];

  if (!document.doctype) find("no-doctype", "minor", null, "The page has no doctype; browsers fall back to quirks mode.");
  if (!document.documentElement.lang) find("no-language", "minor", document.documentElement, "The page does not say its language (lang).");
  if (!document.title.trim()) find("no-title", "minor", null, "The page has no title.");

  const ids = new Map();
  for (const el of all("[id]")) ids.set(el.id, [...(ids.get(el.id) || []), el]);
  for (const [id, els] of ids) if (id && els.length > 1) find("duplicate-id", "major", els[1], `The id "${short(id, 60)}" occurs ${els.length} times.`);
  for (const el of all("label[for]")) if (!ids.has(el.htmlFor)) find("dangling-label", "major", el, `The label "${short(el.textContent, 40)}" is for "${short(el.htmlFor, 60)}", which is not there.`);
  for (const name of ["aria-labelledby", "aria-describedby", "aria-controls", "aria-owns"])
    for (const el of all(`[${name}]`))
      for (const id of el.getAttribute(name).split(/\s+/).filter(Boolean))
        if (!ids.has(id)) find("dangling-reference", "major", el, `${name} names "${short(id, 60)}", which is not there.`);
  for (const el of all('a[href^="#"]')) {
    let target = el.getAttribute("href").slice(1);
    try { target = decodeURIComponent(target); } catch { /* as it is written */ }
    if (target && target !== "top" && !ids.has(target) && !all("a[name]").some((a) => a.name === target))
      find("dead-anchor", "major", el, `The link "${short(el.textContent, 40)}" leads to #${short(target, 60)}, which is not there.`);
  }
  for (const el of all("img")) {
    if (!el.hasAttribute("alt") && el.getAttribute("role") !== "presentation" && el.getAttribute("aria-hidden") !== "true")
      find("no-alternative", "major", el, "The picture has no alternative text (alt).");
    if (el.getAttribute("src") && el.complete && el.naturalWidth === 0) find("broken-picture", "major", el, `The picture ${short(el.getAttribute("src"), 80)} is not shown.`);
  }
  for (const el of all("a a, a button, button a, button button, a input, button input")) find("nested-control", "major", el, "A control stands inside another control.");
  for (const el of all("form form")) find("nested-form", "major", el, "A form stands inside another form.");
  let level = 0;
  for (const el of all("h1, h2, h3, h4, h5, h6").filter(shown)) {
    const own = Number(el.localName[1]);
    if (level && own > level + 1) find("skipped-heading", "minor", el, `The heading "${short(el.textContent, 40)}" is of level ${own} after one of level ${level}.`);
    level = own;
  }
  const beyond = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (beyond > 1) find("wider-than-window", "minor", null, `The page is ${beyond} pixels wider than the window.`);

  const lines = [];
  let cut = false;
  const walk = (el, depth) => {
    if (lines.length >= limits.nodes) { cut = true; return; }
    const attributes = [...el.attributes].filter((a) => ["id", "class", "href", "src", "type", "name", "role", "for", "alt", "disabled", "hidden"].includes(a.name) || a.name.startsWith("aria-"))
      .slice(0, 8).map((a) => (a.value ? `${a.name}="${short(a.value, 60)}"` : a.name));
    const own = [...el.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data).join(" ");
    const quiet = ["script", "style"].includes(el.localName);
    const text = quiet ? "" : short(own, 80);
    lines.push("  ".repeat(Math.min(depth, 30)) + [el.localName, ...attributes].join(" ") + (text ? `: ${text}` : ""));
    if (el.localName === "svg") return;
    for (const child of el.children) walk(child, depth + 1);
    if (el.shadowRoot) for (const child of el.shadowRoot.children) walk(child, depth + 1);
  };
  walk(document.documentElement, 0);
  return JSON.stringify({
    url: location.href, title: short(document.title, 200), lines, cut, findings,
    text: short(document.body ? document.body.innerText : "", limits.text),
  });
};
