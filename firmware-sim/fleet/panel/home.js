// Shows the simulated home in every <div data-home>. What the server sends is only ever put in as text.
// One card per appliance is made once and then updated in place, so that the keyboard's focus stays where it is.

const base = new URL(".", import.meta.url);
const drawings = new Map(); // address → promise of the parsed SVG

const words = {
  online: { zh: "在线", en: "online" },
  connecting: { zh: "正在连接…", en: "connecting…" },
  unplugged: { zh: "没插电", en: "unplugged" },
  plug: { zh: "电源", en: "power" },
  deaf: { zh: "不理人", en: "not listening" },
  press: { zh: "绑定键", en: "binding key" },
  pressed: { zh: "按了一下绑定键", en: "the key was pressed" },
  label: { zh: "标签", en: "label" },
  close: { zh: "关闭", en: "close" },
  lost: { zh: "和模拟器断开了，正在重连…", en: "The simulator is out of reach; trying again…" },
  empty: { zh: "家里还没有电器", en: "No appliances yet" },
  waiting: { zh: "条消息还没送到", en: "messages not yet confirmed" },
};

function make(tag, className, test) {
  const el = document.createElement(tag);
  if (className) el.className = className;
  if (test) el.dataset.test = test;
  if (tag === "button") el.type = "button";
  return el;
}

// say fills an element with a phrase: Chinese with small English beneath, or one of them.
function say(el, text, lang) {
  const zh = text.zh ?? "", en = text.en || zh;
  const key = lang + "\n" + zh + "\n" + en;
  if (el.dataset.said === key) return;
  el.dataset.said = key;
  const main = make("span", "main");
  main.textContent = lang === "en" ? en : zh;
  main.lang = lang === "en" ? "en" : "zh-CN";
  el.replaceChildren(main);
  if (lang || en === zh) return;
  const small = make("small");
  small.textContent = en;
  small.lang = "en";
  el.append(small);
  el.title = en; // where a card is too narrow for the small words
}

async function post(body) {
  const answer = await fetch(new URL("act", base), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error);
  return value;
}

function loadDrawing(address) {
  if (!drawings.has(address)) {
    drawings.set(address, fetch(address)
      .then((r) => (r.ok ? r.text() : Promise.reject(new Error(address))))
      .then((t) => new DOMParser().parseFromString(t, "image/svg+xml").documentElement));
  }
  return drawings.get(address);
}

// Card is one appliance on the page.
class Card {
  constructor(home, state) {
    this.home = home;
    this.key = state.key;
    this.lang = home.lang;
    this.el = make("article", "card", `appliance-${state.key}`);
    this.el.append(this.#header(), this.#picture(state), this.#facts(), this.#scenes(state), this.#switches(state), this.#note());
    this.update(state);
  }

  #header() {
    const header = make("header");
    this.name = make("h3");
    this.presence = make("p", "presence");
    header.append(this.name, this.presence);
    return header;
  }

  #picture(state) {
    this.picture = make("div", "picture");
    this.picture.setAttribute("aria-hidden", "true");
    loadDrawing(state.drawing).then((svg) => {
      this.svg = document.importNode(svg, true);
      this.picture.replaceChildren(this.svg);
      this.#draw();
    }).catch(() => {}); // a card without its drawing says everything in words
    return this.picture;
  }

  #facts() {
    this.facts = make("dl", "facts", `state-${this.key}`);
    this.fact = new Map();
    return this.facts;
  }

  #scenes(state) {
    const box = make("div", "scenes");
    for (const scene of state.scenes ?? []) {
      const button = make("button", "scene", `scene-${this.key}-${scene.id}`);
      say(button, scene.name, this.lang);
      button.addEventListener("click", () => this.act({ scene: scene.id }));
      box.append(button);
    }
    return box;
  }

  #switches(state) {
    const box = make("footer");
    this.plug = this.#toggle("plug", () => this.act(this.state.plugged ? { unplug: true } : { plug: true }));
    this.deaf = this.#toggle("deaf", () => this.act({ deaf: !this.state.deaf }));
    this.press = make("button", "key", `press-${this.key}`);
    say(this.press, words.press, this.lang);
    this.press.addEventListener("click", async () => {
      if (await this.act({ press: true })) say(this.note, words.pressed, this.lang);
    });
    box.append(this.plug, this.deaf, this.press, this.#label(state));
    return box;
  }

  #toggle(what, flip) {
    const button = make("button", "toggle", `${what}-${this.key}`);
    button.setAttribute("role", "switch");
    say(button, words[what], this.lang);
    button.addEventListener("click", flip);
    return button;
  }

  #label(state) {
    const button = make("button", "label", `label-${this.key}`);
    button.hidden = !state.label;
    const image = make("img");
    if (state.label) image.src = state.label;
    image.alt = "";
    image.width = image.height = 40;
    const caption = make("span");
    say(caption, words.label, this.lang);
    button.append(image, caption);
    button.addEventListener("click", () => this.home.enlarge(this.state));
    return button;
  }

  #note() {
    this.note = make("p", "note");
    this.note.setAttribute("role", "status");
    return this.note;
  }

  async act(what) {
    this.note.replaceChildren();
    delete this.note.dataset.said;
    delete this.note.dataset.problem;
    try {
      this.update(await post({ device: this.key, ...what }));
      return true;
    } catch (error) {
      this.note.textContent = error.message;
      this.note.dataset.problem = "";
      return false;
    }
  }

  update(state) {
    this.state = state;
    this.el.dataset.online = state.online;
    this.el.dataset.plugged = state.plugged;
    say(this.name, state.name, ""); // in every language: it is what the family calls it
    say(this.presence, this.#presence(state), this.lang);
    this.plug.setAttribute("aria-checked", state.plugged);
    this.deaf.setAttribute("aria-checked", state.deaf);
    for (const property of state.properties ?? []) this.#tell(property);
    this.#draw();
  }

  #presence(state) {
    if (!state.plugged) return words.unplugged;
    if (!state.online) return words.connecting;
    if (!state.waiting) return words.online;
    return { zh: `${state.waiting} ${words.waiting.zh}`, en: `${state.waiting} ${words.waiting.en}` };
  }

  #tell(property) {
    if (!this.fact.has(property.key)) {
      const row = make("div"), name = make("dt"), value = make("dd");
      row.dataset.property = property.key;
      say(name, property.name ?? { zh: property.key }, this.lang);
      row.append(name, value);
      this.facts.append(row);
      this.fact.set(property.key, value);
    }
    const told = property.told.zh === "" ? { zh: "—" } : property.told;
    const value = this.fact.get(property.key), before = value.dataset.said;
    say(value, told, this.lang);
    if (before !== undefined && before !== value.dataset.said) light(value);
  }

  // #draw hands the state to the drawing: data-<property> for its style rules, --<property> for numbers, words for
  // elements with data-text and pictures for those with data-image (each names properties; the first that fits wins).
  #draw() {
    if (!this.svg) return;
    const values = new Map();
    for (const p of this.state.properties ?? []) {
      values.set(p.key, p);
      this.svg.setAttribute(`data-${p.key.replaceAll("_", "-")}`, p.value);
      if (typeof p.value === "number") this.svg.style.setProperty(`--${p.key.replaceAll("_", "-")}`, p.value);
    }
    for (const el of this.svg.querySelectorAll("[data-text]")) this.#write(el, values);
    for (const el of this.svg.querySelectorAll("[data-image]")) this.#show(el, values);
  }

  #write(el, values) {
    const found = el.dataset.text.split(" ").map((k) => values.get(k)).find((p) => p && p.value !== "" && !isPicture(p.value));
    const text = Array.from(found ? found.told[this.lang === "en" ? "en" : "zh"] : "");
    const room = Number(el.dataset.room || 12);
    el.textContent = text.length > room ? text.slice(0, room - 1).join("") + "…" : text.join("");
  }

  #show(el, values) {
    const found = el.dataset.image.split(" ").map((k) => values.get(k)).find((p) => p && isPicture(p.value));
    if (found) el.setAttribute("href", found.value);
    else el.removeAttribute("href");
  }
}

// light marks what has just changed, for a moment.
function light(el) {
  el.classList.remove("changed");
  void el.offsetWidth; // so that a second change starts over
  el.classList.add("changed");
}

function isPicture(value) {
  return typeof value === "string" && /^https?:\/\//.test(value);
}

// Home is one <div data-home>.
class Home {
  constructor(el) {
    this.el = el;
    this.lang = [el.dataset.lang, new URLSearchParams(location.search).get("lang")].find((l) => l === "zh" || l === "en") ?? "";
    this.cards = new Map();
    this.grid = make("div", "grid");
    this.notice = make("p", "notice");
    this.notice.setAttribute("role", "status");
    this.dialog = this.#dialog();
    el.replaceChildren(this.notice, this.grid, this.dialog);
    this.#listen();
  }

  // #listen hears of changes while the page can be seen. Browsers open six connections to a server, for all its tabs and
  // the pages kept for the way back together; with a line for each of those, the next page could ask nothing any more.
  #listen() {
    this.#hear();
    document.addEventListener("visibilitychange", () => (document.hidden ? this.source.close() : this.#hear()));
  }

  // #hear opens the line. What the home is like comes first.
  #hear() {
    this.source?.close();
    const source = new EventSource(new URL("events", base));
    this.source = source;
    source.addEventListener("home", (e) => this.all(JSON.parse(e.data)));
    source.addEventListener("appliance", (e) => this.one(JSON.parse(e.data)));
    source.addEventListener("error", () => {
      this.tell(words.lost);
      // A stream that was refused, and not just lost, is not tried again by the browser itself.
      if (source.readyState === EventSource.CLOSED) setTimeout(() => { if (this.source === source) this.#hear(); }, 3000);
    });
  }

  all(states) {
    const there = new Set(states.map((s) => s.key));
    for (const [key, card] of this.cards) {
      if (there.has(key)) continue;
      card.el.remove();
      this.cards.delete(key);
    }
    states.forEach((s) => this.one(s));
    this.tell(states.length ? null : words.empty);
  }

  one(state) {
    const card = this.cards.get(state.key);
    if (card) {
      card.update(state);
      return;
    }
    const fresh = new Card(this, state);
    this.cards.set(state.key, fresh);
    this.grid.append(fresh.el);
  }

  tell(text) {
    if (text) {
      say(this.notice, text, this.lang);
    } else {
      this.notice.replaceChildren();
      delete this.notice.dataset.said;
    }
  }

  #dialog() {
    const dialog = make("dialog", "enlarged");
    this.enlargedName = make("h3");
    this.enlargedImage = make("img", "", "label-enlarged");
    const close = make("button", "scene", "label-close");
    say(close, words.close, this.lang);
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (e) => { if (e.target === dialog) dialog.close(); });
    dialog.append(this.enlargedName, this.enlargedImage, close);
    return dialog;
  }

  enlarge(state) {
    say(this.enlargedName, state.name, this.lang);
    this.enlargedImage.src = state.label;
    this.enlargedImage.alt = state.name.zh;
    this.dialog.showModal();
  }
}

for (const el of document.querySelectorAll("[data-home]")) new Home(el);
