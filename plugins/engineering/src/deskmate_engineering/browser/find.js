/* Finds one element for a step, in a world of its own. Returns the element, or says in words why there is none. */
(css, text, last) => {
  const shown = (el) => el.getClientRects().length > 0 && getComputedStyle(el).visibility !== "hidden";
  const plain = (value) => (value || "").replace(/\s+/g, " ").trim();
  let found;
  if (css) {
    try { found = [...document.querySelectorAll(css)]; } catch { return `"${css}" is no CSS selector`; }
  } else {
    const names = (el) => [el.getAttribute("aria-label"), el.placeholder, el.title, el.alt,
      ...(el.labels ? [...el.labels].map((l) => l.textContent) : []),
      el.localName === "input" && ["submit", "button", "reset"].includes(el.type) ? el.value : "",
      ["input", "textarea", "select"].includes(el.localName) ? "" : el.textContent].map(plain);
    const controls = [...document.querySelectorAll("a, button, input, textarea, select, summary, label, [role], [tabindex], [onclick], [contenteditable]")];
    found = controls.filter((el) => el.localName !== "label" || !el.control).filter((el) => names(el).includes(text));
    if (!found.length) found = [...document.querySelectorAll("body *")].filter((el) => !el.children.length && plain(el.textContent) === text);
  }
  const visible = found.filter(shown);
  if (!visible.length) return last ? (found.length ? "what is there is not shown" : "there is nothing like it") : "";
  if (visible.length > 1 && !css) return `${visible.length} controls have this text`;
  return visible[0];
};
