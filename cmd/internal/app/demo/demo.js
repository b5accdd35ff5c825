// The page around the phone and the home: the demo's clock, the guide that ticks what has happened, and the language.

const one = (name) => document.querySelector(`[data-test=${name}]`);
const language = new URLSearchParams(location.search).get("lang") === "en" ? "en" : "zh";

async function ask(path, body) {
  const order = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(path, order);
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error);
  return value;
}

// ---- the clock, which the gateway, WeChat and the appliances share ----

let ahead = 0; // milliseconds that the demo's clock is ahead of this computer's

async function readClock() {
  ahead = new Date((await ask("/_fake/clock")).now).getTime() - Date.now();
  showClock();
}

function showClock() {
  const now = new Date(Date.now() + ahead);
  one("clock").textContent = now.toLocaleTimeString("zh-CN", { hour12: false });
  one("clock").dateTime = now.toISOString();
}

async function advance(button) {
  button.disabled = true;
  try {
    await ask("/_fake/clock", { advance: button.dataset.advance });
    await readClock();
    one("note").textContent = "";
  } catch (problem) {
    one("note").textContent = "没有快进成功 · the clock did not move: " + problem.message;
  } finally {
    button.disabled = false;
  }
}

// ---- the guide: a step is done once the phones show that it happened ----

const told = (m) => m.kind !== "own" && m.kind !== "notice";
const names = (m, device) => told(m) && JSON.stringify([m.text, m.fields]).includes(device);
const answers = (m) => m.kind === "own";

// asked is where in a chat the air conditioner's question is: a card that names it, and the choice beneath. -1: nowhere.
function asked(chat) {
  const card = chat.findIndex((m) => m.kind === "card" && names(m, "客厅空调"));
  return card < 0 ? -1 : chat.findIndex((m, n) => n >= card && m.options?.length > 0);
}

function answered(chat) {
  const question = asked(chat);
  const answer = question < 0 ? -1 : chat.findIndex((m, n) => n > question && answers(m));
  return answer >= 0 && chat.some((m, n) => n > answer && names(m, "客厅空调"));
}

const alarmed = (chat) => chat.some((m) => m.kind === "card" && names(m, "燃气报警器"));

function progress(chats) {
  return [
    chats.some((chat) => chat.some((m) => names(m, "客厅空调"))),
    chats.some((chat) => asked(chat) >= 0),
    chats.some(answered),
    chats.filter(alarmed).length > 1,
  ];
}

async function tick() {
  const users = await ask("/_fake/users");
  const phones = await Promise.all(users.map((u) => ask("/_fake/phone?user=" + encodeURIComponent(u.key))));
  showSteps(progress(phones.map((p) => p.messages ?? [])));
}

function showSteps(done) {
  const next = done.indexOf(false);
  document.querySelectorAll(".demo-steps li").forEach((step, n) => {
    step.toggleAttribute("data-done", done[n]);
    if (n === next) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  });
  document.querySelector(".demo-steps").hidden = next < 0;
  one("guide-more").hidden = next >= 0;
}

function fold(folded) {
  one("guide").hidden = folded;
  one("guide-fold").setAttribute("aria-expanded", String(!folded));
  localStorage.setItem("jiaxin-guide", folded ? "folded" : "open");
}

// ---- the phone below or beside: what changes on it moves the guide, and is pointed to where it is out of sight ----

function watchPhone() {
  const phone = document.querySelector("[data-fake-phone]");
  let seen = true, waiting = 0;
  new IntersectionObserver(([entry]) => {
    seen = entry.isIntersecting;
    if (seen) one("news").hidden = true;
  }, { threshold: 0.3 }).observe(phone);
  new MutationObserver((changes) => {
    if (!seen && changes.some((c) => [...c.addedNodes].some((n) => n.matches?.(".fkp-message, .fkp-person")))) one("news").hidden = false;
    clearTimeout(waiting);
    waiting = setTimeout(() => tick().catch(() => {}), 100); // the phone itself tells when WeChat is out of reach
  }).observe(phone, { childList: true, subtree: true });
}

function speak() {
  if (language !== "en") return;
  document.documentElement.lang = "en";
  Object.assign(one("language"), { href: "?", lang: "zh", textContent: "中文" });
}

async function start() {
  speak();
  fold(localStorage.getItem("jiaxin-guide") === "folded");
  one("guide-fold").addEventListener("click", () => fold(!one("guide").hidden));
  for (const button of document.querySelectorAll("[data-advance]")) button.addEventListener("click", () => advance(button));
  watchPhone();
  const info = await ask("/demo/info.json");
  document.querySelector(".demo-empty").hidden = info.home;
  if (info.hold > 0) {
    document.querySelector("[data-hold=zh]").textContent = info.hold + "秒";
    document.querySelector("[data-hold=en]").textContent = info.hold + " seconds later";
  }
  await Promise.all([readClock(), tick()]);
  setInterval(showClock, 1000);
  setInterval(() => readClock().catch(() => {}), 30000);
}

start().catch((problem) => { one("note").textContent = "页面没有接上，请刷新 · please reload the page: " + problem.message; });
