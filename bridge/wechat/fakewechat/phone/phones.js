// The phones: people to switch between, a chat, the in-app browser. One instance for each <div data-fake-phone>.

import { ask, at, button, el, hour, icon, moment, order, upload } from './dom.js';
import { words } from './words.js';

export class Phones {
  constructor(root) {
    const asked = new URLSearchParams(location.search);
    this.root = root;
    this.lang = (root.dataset.lang || asked.get('lang') || 'zh').startsWith('en') ? 'en' : 'zh';
    this.t = words[this.lang];
    this.lists = { labels: root.dataset.labels || asked.get('labels'), voices: root.dataset.voices || asked.get('voices') };
    this.user = root.dataset.user || asked.get('user') || '';
    this.phone = null;
    this.shown = []; // ids of the messages in the chat
    this.build();
    this.listen();
  }

  say(key, values = {}) {
    return this.t[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  }

  // ---- the frame ----

  build() {
    this.people = el('div', { class: 'fkp-people', role: 'tablist', 'aria-label': this.t.people });
    this.title = el('h2', { class: 'fkp-title', 'data-test': 'title' });
    this.clock = el('time', { class: 'fkp-time', 'data-test': 'time' });
    this.chat = el('div', { class: 'fkp-chat', 'data-test': 'chat', role: 'log', 'aria-live': 'polite', tabindex: '0', 'aria-label': this.t.people });
    this.keepEnd();
    this.empty = this.buildEmpty();
    this.menu = el('nav', { class: 'fkp-menubar', hidden: true });
    this.foot = this.buildFoot();
    this.webview = this.buildWebview();
    this.sheet = el('div', { class: 'fkp-sheet', 'data-test': 'sheet', role: 'dialog', 'aria-modal': 'true', hidden: true, on: { keydown: (e) => e.key === 'Escape' && this.closeSheet() } });
    this.toast = el('div', { class: 'fkp-toast', 'data-test': 'toast', role: 'status', hidden: true });
    this.bar = el('header', { class: 'fkp-bar' }, this.clock, this.title);
    this.screen = el('section', { class: 'fkp-screen', role: 'tabpanel' }, this.bar, this.webview, this.sheet, this.toast);
    this.root.classList.add('fkp');
    this.root.lang = this.lang === 'en' ? 'en' : 'zh-CN';
    this.root.dataset.test = 'phone';
    this.root.replaceChildren(this.people, this.screen);
  }

  buildEmpty() {
    this.hint = el('p');
    return el('div', { class: 'fkp-empty', 'data-test': 'empty' },
      el('div', { class: 'fkp-face', 'aria-hidden': 'true' }, '家'), el('h3', {}, this.t.notFollowing), this.hint,
      button('scan', this.t.scan, () => this.chooseScan(), { class: 'fkp-primary' }),
      button('follow', this.t.follow, () => this.act('follow', {}), { class: 'fkp-plain' }));
  }

  buildFoot() {
    this.input = el('input', { class: 'fkp-input', 'data-test': 'input', 'aria-label': this.t.input, maxlength: '600', autocomplete: 'off', enterkeyhint: 'send', on: { input: () => this.showSend() } });
    this.send = el('button', { type: 'submit', class: 'fkp-send', 'data-test': 'send', hidden: true }, this.t.send);
    this.plus = button('plus', this.t.more, () => this.togglePanel(), { class: 'fkp-icon', 'aria-expanded': 'false' }, icon('plus'));
    this.panel = el('div', { class: 'fkp-panel', 'data-test': 'panel', hidden: true },
      this.tile('photo', 'photo', () => this.choosePhoto()), this.tile('scan', 'scan', () => this.chooseScan()),
      this.tile('unfollow', 'leave', () => { this.togglePanel(false); this.act('unfollow', {}); }));
    const form = el('form', { class: 'fkp-write', on: { submit: (e) => { e.preventDefault(); this.write(); } } },
      button('voice', this.t.voice, () => this.chooseVoice(), { class: 'fkp-icon' }, icon('voice')), this.input, this.send, this.plus);
    return el('footer', { class: 'fkp-foot' }, form, this.panel);
  }

  tile(name, picture, press) {
    return el('button', { type: 'button', class: 'fkp-tile', 'data-test': name, on: { click: press } }, el('span', {}, icon(picture)), this.t[name]);
  }

  buildWebview() {
    this.pageTitle = el('h3', { 'data-test': 'page-title' });
    // The server lets nothing run in the frame: default-src 'none'. allow-scripts is for Safari, which without it keeps
    // our own listeners on the frame's document from being called; allow-forms, for the submit event, which leads nowhere.
    this.frame = el('iframe', { 'data-test': 'webview', sandbox: 'allow-same-origin allow-scripts allow-forms', title: this.t.page, on: { load: () => this.hearFrame() } });
    return el('div', { class: 'fkp-webview', hidden: true, role: 'dialog', 'aria-label': this.t.page },
      el('header', { class: 'fkp-pagebar' },
        button('page-close', this.t.close, () => this.act('close', {}), { class: 'fkp-icon' }, icon('close')), this.pageTitle,
        button('page-reload', this.t.reload, () => this.act('open', {}), { class: 'fkp-icon' }, icon('reload'))), this.frame);
  }

  // ---- news ----

  // listen hears of changes while the page can be seen. Browsers open six connections to a server, for all its tabs and
  // the pages kept for the way back together; with a line for each of those, the next page could ask nothing any more.
  listen() {
    this.hear();
    document.addEventListener('visibilitychange', () => { if (document.hidden) this.events.close(); else this.hear(); });
  }

  // hear opens the line. Its first message is there at once.
  hear() {
    if (this.events) this.events.close();
    this.events = new EventSource(at('events'));
    this.events.onmessage = () => this.refresh();
    this.events.onerror = () => this.tell(this.t.lost);
  }

  // refresh asks what to show; a change that comes meanwhile makes it ask once more.
  async refresh() {
    if (this.busy) { this.again = true; return; }
    this.busy = true;
    try {
      await this.load();
    } catch (err) {
      this.tell(err.message);
    }
    this.busy = false;
    if (this.again) { this.again = false; this.refresh(); }
  }

  async load() {
    const users = await ask('users');
    if (!users.some((u) => u.key === this.user)) this.user = users.length ? users[0].key : '';
    if (!this.user) return;
    const user = this.user;
    const phone = await ask('phone?user=' + encodeURIComponent(user));
    if (user !== this.user) { this.again = true; return; }
    this.showPeople(users);
    this.show(phone);
    if (phone.unread > 0 && !document.hidden) await order('read', { user });
  }

  show(phone) {
    const other = !this.phone || this.phone.key !== phone.key;
    this.phone = phone;
    this.root.dataset.user = phone.key;
    this.title.textContent = phone.account;
    this.clock.textContent = hour(phone.time);
    this.attach(phone.following);
    this.hint.textContent = this.say('hint', { name: phone.account });
    if (other) this.leavePerson();
    this.showChat(phone.messages);
    this.showMenu(phone.menu || []);
    this.showPage(phone.page);
    this.root.dataset.ready = '';
  }

  // attach keeps only what this person can use in the page: a name in data-test is then never there twice.
  attach(following) {
    if (following === this.attached) return;
    this.attached = following;
    [this.empty, this.chat, this.menu, this.foot].forEach((part) => part.remove());
    this.bar.after(...(following ? [this.chat, this.menu, this.foot] : [this.empty]));
  }

  leavePerson() {
    this.shown = [];
    this.chat.replaceChildren();
    this.input.value = '';
    this.showSend();
    this.togglePanel(false);
    this.closeSheet();
  }

  // ---- people ----

  showPeople(users) {
    const state = JSON.stringify([this.user, users.map((u) => [u.key, u.name, u.unread])]);
    if (state === this.peopleState) return;
    this.peopleState = state;
    const had = this.people.contains(document.activeElement);
    this.people.replaceChildren(...users.map((u) => this.person(u)));
    if (had) this.people.querySelector('[aria-selected=true]').focus();
  }

  person(u) {
    const mine = u.key === this.user;
    const badge = u.unread > 0 && !mine ? el('span', { class: 'fkp-badge', 'data-test': 'unread-' + u.key, 'aria-label': u.unread + ' ' + this.t.unread }, String(Math.min(u.unread, 99))) : null;
    return el('button', {
      type: 'button', role: 'tab', class: 'fkp-person', 'data-test': 'person-' + u.key, 'aria-selected': String(mine), tabindex: mine ? '0' : '-1',
      on: { click: () => this.switchTo(u.key), keydown: (e) => this.alongPeople(e) },
    }, el('span', { class: 'fkp-portrait', 'aria-hidden': 'true' }, [...(u.name || u.key)][0]), u.name || u.key, badge);
  }

  alongPeople(e) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (!step) return;
    const tabs = [...this.people.children];
    tabs[(tabs.indexOf(e.currentTarget) + step + tabs.length) % tabs.length].click();
  }

  switchTo(key) {
    this.user = key;
    delete this.root.dataset.ready;
    this.refresh();
  }

  // ---- chat ----

  showChat(messages) {
    const known = this.shown.length === 0 || messages.some((m) => m.id === this.shown[this.shown.length - 1]);
    if (!known || messages.length === 0) { this.shown = []; this.chat.replaceChildren(); }
    const fresh = messages.filter((m) => !this.shown.length || m.id > this.shown[this.shown.length - 1]);
    for (const m of fresh) {
      const before = messages[messages.indexOf(m) - 1];
      if (!before || new Date(m.at) - new Date(before.at) > 5 * 60 * 1000) this.chat.append(el('div', { class: 'fkp-when' }, moment(m.at, this.phone.time)));
      this.chat.append(this.message(m));
      this.shown.push(m.id);
    }
    if (fresh.length) this.showEnd();
  }

  showEnd() { this.chat.scrollTop = this.chat.scrollHeight; }

  // keepEnd lets the last message stay in sight when the chat becomes taller or lower.
  keepEnd() {
    let atEnd = true, height = 0;
    this.chat.addEventListener('scroll', () => {
      if (this.chat.clientHeight === height) atEnd = this.chat.scrollHeight - this.chat.scrollTop - height < 40;
    });
    new ResizeObserver(() => { height = this.chat.clientHeight; if (atEnd) this.showEnd(); }).observe(this.chat);
  }

  message(m) {
    const attributes = { 'data-test': 'message-' + m.id, 'data-kind': m.kind, class: 'fkp-message fkp-' + m.kind };
    if (m.kind === 'notice') return el('div', attributes, m.text);
    if (m.kind === 'card') return el('article', attributes, this.card(m));
    const own = m.kind === 'own';
    const name = own ? this.phone.name || this.phone.key : this.phone.account;
    return el('div', attributes, el('span', { class: 'fkp-portrait' + (own ? '' : ' fkp-account'), 'aria-hidden': 'true' }, [...name][0]), this.bubble(m));
  }

  bubble(m) {
    if (m.image) return this.picture(m);
    if (m.voice) return el('div', { class: 'fkp-bubble fkp-voice', 'aria-label': this.say('voiceMessage', { n: m.seconds || 1 }) }, icon('sound'), (m.seconds || 1) + '″');
    const bubble = el('div', { class: 'fkp-bubble' }, ...this.rich(m.text || ''));
    for (const o of m.options || []) {
      bubble.append(button('option-' + m.id + '-' + o.id, o.text, () => this.act('tap', { message: m.id, option: o.id }), { class: 'fkp-option' }));
    }
    if (m.tail) bubble.append(el('div', { class: 'fkp-tail' }, m.tail));
    return bubble;
  }

  // rich makes links of addresses and of <a href="…">…</a>, the only markup that WeChat shows in words.
  rich(text) {
    const parts = [];
    const link = /<a\s[^>]*?href="([^"]*)"[^>]*>([^<]*)<\/a>|(https?:\/\/[^\s<>"'，。；！？、）】]+)/g;
    let from = 0;
    for (const found of text.matchAll(link)) {
      parts.push(text.slice(from, found.index));
      const url = (found[1] || found[3]).replaceAll('&amp;', '&');
      parts.push(el('button', { type: 'button', class: 'fkp-link', on: { click: () => this.act('open', { url }) } }, found[2] || found[3]));
      from = found.index + found[0].length;
    }
    return [...parts, text.slice(from)];
  }

  picture(m) {
    const press = button('picture-' + m.id, this.t.picture, () => this.offerPress({ message: m.id }), { class: 'fkp-picture' }, el('img', { src: at(m.image), alt: this.t.picture }));
    press.querySelector('img').addEventListener('load', () => this.showEnd());
    return press;
  }

  card(m) {
    const rows = (m.fields || []).map((f) => el('div', { class: 'fkp-row' }, el('dt', {}, f.label), el('dd', {}, f.value)));
    const open = m.url ? button('card-open-' + m.id, this.t.details, () => this.act('tap', { message: m.id }), { class: 'fkp-details' }) : null;
    return el('div', { class: 'fkp-cardbody' },
      el('header', {}, el('h4', {}, m.title), el('time', {}, moment(m.at, this.phone.time))), el('dl', {}, ...rows), open);
  }

  showMenu(buttons) {
    const state = JSON.stringify(buttons);
    if (state === this.menuState) return;
    this.menuState = state;
    this.menu.hidden = buttons.length === 0;
    this.menu.replaceChildren(...buttons.map((b, n) => this.menuButton(b, n)));
  }

  menuButton(b, n) {
    if (!b.sub_button || !b.sub_button.length) return button('menu-' + n, b.name, () => this.act('tap', { menu: b.key || b.name }));
    return button('menu-' + n, b.name, () => this.openSheet(b.name, b.sub_button.map((sub, i) =>
      button('menu-' + n + '-' + i, sub.name, () => { this.closeSheet(); this.act('tap', { menu: sub.key || sub.name }); }, { class: 'fkp-choice' }))), { 'aria-haspopup': 'dialog' });
  }

  // ---- what a person does ----

  async act(path, body) {
    try {
      return await order(path, { user: this.user, ...body });
    } catch (err) {
      this.tell(err.message);
      return null;
    }
  }

  async write() {
    const text = this.input.value.trim();
    if (!text) return;
    this.input.value = '';
    this.showSend();
    if (!(await this.act('text', { text })) && !this.input.value) { this.input.value = text; this.showSend(); }
  }

  showSend() {
    this.send.hidden = this.input.value.trim() === '';
    this.plus.hidden = !this.send.hidden;
  }

  togglePanel(open = this.panel.hidden) {
    this.panel.hidden = !open;
    this.plus.setAttribute('aria-expanded', String(open));
    if (open) this.showEnd();
  }

  chooseScan() { this.choose('chooseScan', 'labels', 'label', 'image/*', (file) => this.scan(file)); }

  choosePhoto() { this.choose('choosePhoto', 'labels', 'label', 'image/*', (file) => this.post('photo', { image: file })); }

  chooseVoice() { this.choose('chooseVoice', 'voices', 'recording', 'audio/*,.amr', (file) => this.post('voice', { audio: file })); }

  async post(path, files) {
    try {
      return await upload(path, { user: this.user, ...files });
    } catch (err) {
      this.tell(err.message);
      return null;
    }
  }

  async scan(file) {
    this.tell(this.t.scanning);
    this.report(await this.post('scan', { image: file }));
  }

  report(scan) {
    if (!scan) return;
    // A code of the account leads into its chat, also from a page.
    if (scan.kind === 'account' && this.phone.page) this.act('close', {});
    if (scan.kind === 'expired') this.tell(this.t.expired);
    else if (scan.kind === 'text') this.tell(this.t.says + scan.text);
    else this.hush();
  }

  // choose offers the things of a list, and a file of this computer.
  async choose(title, list, test, accept, done) {
    this.togglePanel(false);
    const things = await this.listOf(list);
    const take = async (get) => { this.closeSheet(); const file = await get(); if (file) done(file); };
    const choices = things.map((thing, n) => this.choice(test + '-' + n, thing, () => take(() => this.fetchFile(thing))));
    const file = el('input', { type: 'file', accept, 'data-test': 'file', on: { change: () => take(async () => file.files[0]) } });
    if (!choices.length) choices.push(el('p', { class: 'fkp-nothing' }, this.t.nothing));
    this.openSheet(this.t[title], [...choices, el('label', { class: 'fkp-choice fkp-file' }, this.t.file, file)]);
  }

  choice(test, thing, press) {
    const picture = thing.image ? el('img', { src: new URL(thing.image, document.baseURI).href, alt: '' }) : el('span', { class: 'fkp-soundicon' }, icon('sound'));
    return el('button', { type: 'button', class: 'fkp-choice fkp-thing', 'data-test': test, on: { click: press } }, picture, el('span', {}, thing.name));
  }

  async listOf(name) {
    if (!this.lists[name]) return [];
    try {
      return await (await fetch(new URL(this.lists[name], document.baseURI))).json();
    } catch (err) {
      this.tell(err.message);
      return [];
    }
  }

  async fetchFile(thing) {
    const answer = await fetch(new URL(thing.image || thing.audio, document.baseURI));
    if (answer.ok) return answer.blob();
    this.tell(thing.name + ': HTTP ' + answer.status);
    return null;
  }

  // ---- the open page ----

  showPage(page) {
    this.webview.hidden = !page;
    if (!page) { this.pageID = 0; this.frame.removeAttribute('src'); clearTimeout(this.reloading); return; }
    this.pageTitle.textContent = page.title || new URL(page.url).host;
    if (page.view === this.pageID) return;
    this.pageID = page.view;
    clearTimeout(this.reloading);
    if (page.refresh) this.reloading = setTimeout(() => this.act('open', {}), page.refresh * 1000);
    this.frame.src = at(page.view);
  }

  hearFrame() {
    const page = this.frame.contentDocument;
    if (!page) return;
    page.addEventListener('submit', (e) => { e.preventDefault(); this.submit(e.target, e.submitter); });
    page.addEventListener('click', (e) => this.clickPage(e));
    page.addEventListener('contextmenu', (e) => { if (this.pressPicture(e.target)) e.preventDefault(); });
    page.addEventListener('keydown', (e) => { if (e.key === 'Enter') this.pressPicture(e.target); });
    page.documentElement.dataset.fakeReady = '';
  }

  clickPage(e) {
    const link = e.target.closest('[data-fake-link]');
    if (!link) { this.pressPicture(e.target); return; }
    e.preventDefault();
    const target = this.phone.page.links[Number(link.dataset.fakeLink)];
    if (target) this.act('open', { url: target.url });
  }

  pressPicture(target) {
    const picture = target.closest('[data-fake-image]');
    if (picture) this.offerPress({ image: Number(picture.dataset.fakeImage) });
    return Boolean(picture);
  }

  submit(form, submitter) {
    const data = new FormData(form);
    const fields = {};
    for (const field of form.elements) {
      if (!field.name || field.matches(':disabled, button, [type=submit], [type=image], [type=button], [type=reset], [type=file]')) continue;
      fields[field.name] = data.getAll(field.name);
    }
    const pressed = submitter && submitter.dataset.fakeButton !== undefined ? '#' + submitter.dataset.fakeButton : '';
    this.act('submit', { form: Number(form.dataset.fakeForm), fields, button: pressed });
  }

  offerPress(what) {
    this.openSheet(this.t.picture, [button('press', this.t.press, async () => { this.closeSheet(); this.report(await this.act('press', what)); }, { class: 'fkp-choice' })]);
  }

  // ---- sheets and toasts ----

  openSheet(title, children) {
    this.before = document.activeElement;
    const box = el('div', { class: 'fkp-sheetbox' }, el('h3', {}, title), ...children, button('cancel', this.t.cancel, () => this.closeSheet(), { class: 'fkp-choice fkp-cancel' }));
    this.sheet.setAttribute('aria-label', title);
    this.sheet.replaceChildren(box);
    this.sheet.hidden = false;
    box.querySelector('button, input').focus();
  }

  closeSheet() {
    if (this.sheet.hidden) return;
    this.sheet.hidden = true;
    this.sheet.replaceChildren();
    if (this.before && this.before.isConnected) this.before.focus();
  }

  tell(text) {
    this.toast.textContent = text;
    this.toast.hidden = false;
    clearTimeout(this.hushing);
    this.hushing = setTimeout(() => this.hush(), 4000);
  }

  hush() { this.toast.hidden = true; }
}
