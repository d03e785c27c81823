/**
 * The live half of cards and tables.
 *
 * A cell's stored output is static HTML whose root carries `data-fusion-card="KEY"`. The kernel beside it creates one
 * widget model without a view; its `initialize` finds those elements, wherever JupyterLab puts them, and lays live
 * controls over them: state, Cancel, and in the end the rows. When the model goes (the kernel is restarted), what was
 * stored shows again. Whatever comes from the kernel is put in as text, never as HTML.
 *
 * Messages to the kernel:   {do: 'attach', keys} and {do: 'cancel' | 'open' | 'page' | 'copy', key, request, …}
 * Messages from the kernel: {is: 'state', key, state} and {is: 'answer' | 'error', request, …}
 */

/**
 * @typedef {object} Card  A job as `card.Card` has it.
 * @property {string} job  The first digits of its id.
 * @property {string} status
 * @property {boolean} is_open  Whether it has not ended.
 * @property {string[]} models
 * @property {number | null} fraction  Done, 0 to 1.
 * @property {string} progress
 * @property {string} outcome
 * @property {string} error
 * @property {string} hint
 * @property {string} url  The engine's page, or ''.
 */

/** @typedef {{card: Card | null, title: string, has_rows: boolean}} State */
/** @typedef {{name: string, type: string, nulls: number, is_number: boolean}} Column */
/** @typedef {{column: number, is_descending: boolean}} Order */
/** @typedef {{column: number | null, operator: string, value: string}} Filter */

export const ATTRIBUTE = 'data-fusion-card';
const ROW_PX = 24;
const TABLE_PX = 420; // the most that a table takes of the page's height
const MAX_PX = 8_000_000; // browsers give up somewhere above 16 million
const PAGE_ROWS = 200;
const MAX_CELLS = 20_000; // in one page: wide results come in shorter ones
const MAX_PAGES = 60; // that are kept
const SCROLL_PAUSE_MS = 40; // before rows are asked for while one scrolls
const TYPING_PAUSE_MS = 400;
const PATIENCE_MS = 4_000; // before a silent kernel is mentioned
const WIDEST_PX = 360;
const CONTAINS = 'contains';
const OPERATORS = [CONTAINS, '=', '<>', '<', '<=', '>', '>=', 'is null', 'is not null'];

/**
 * How a scrollbar of limited height covers all rows.
 *
 * @param {number} rows
 * @param {number} viewPx  Height of what is seen of them.
 * @returns {{height: number, scale: number, most: number}}  Of the scrolled element; rows' pixels for one of it; the
 *   last position, in rows' pixels.
 */
export function scrollGeometry(rows, viewPx, rowPx = ROW_PX, maxPx = MAX_PX) {
  const full = rows * rowPx;
  const height = Math.min(full, maxPx);
  const most = Math.max(0, full - viewPx);
  return { height, scale: height > viewPx ? most / (height - viewPx) : 1, most };
}

/**
 * The numbers of the pages that hold rows from *first* up to, not including, *until*.
 *
 * @returns {number[]}
 */
export function pagesOf(/** @type {number} */ first, /** @type {number} */ until, /** @type {number} */ pageRows) {
  const pages = [];
  for (let page = Math.floor(first / pageRows); page * pageRows < until; page++) {
    pages.push(page);
  }
  return pages;
}

/**
 * What a click on a heading asks for: ascending, then descending, then the stored order again.
 *
 * @param {Order | null} order
 * @param {number} column
 * @returns {Order | null}
 */
export function nextOrder(order, column) {
  if (order === null || order.column !== column) {
    return { column, is_descending: false };
  }
  return order.is_descending ? null : { column, is_descending: true };
}

/** A count with its unit: `1 row`, `12,345 rows`. */
export function countOf(/** @type {number} */ number, /** @type {string} */ what) {
  return `${number.toLocaleString('en-US')} ${what}${number === 1 ? '' : 's'}`;
}

/**
 * An element with attributes and children; texts stay texts.
 *
 * @param {string} tag
 * @param {Record<string, string>} attributes
 * @param {(Node | string)[]} children
 * @returns {any}
 */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function button(/** @type {string} */ text, /** @type {() => void} */ act) {
  const made = make('button', { type: 'button', class: 'fusion-button' }, text);
  made.addEventListener('click', act);
  return made;
}

function setText(/** @type {HTMLElement} */ element, /** @type {string} */ text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
  element.hidden = text === '';
}

/** All cards of one kernel in this page. */
class LivePage {
  constructor(/** @type {any} */ model) {
    this.model = model;
    /** @type {Map<string, State>} */
    this.states = new Map();
    /** @type {Map<Element, View>} */
    this.views = new Map();
    /** @type {Map<string, {done: (answer: any) => void, timer: any}>} */
    this.pending = new Map();
    this.id = Math.random().toString(36).slice(2);
    this.requests = 0;
    this.isAsleep = false;
    this.receive = this.receive.bind(this);
    this.sleep = this.sleep.bind(this);
    model.on('msg:custom', this.receive);
    model.on('comm_live_update', this.sleep);
    this.observer = new MutationObserver(changes => this.look(changes));
    this.observer.observe(document.body, { childList: true, subtree: true });
    this.attachAll();
  }

  close() {
    this.observer.disconnect();
    this.model.off('msg:custom', this.receive);
    this.model.off('comm_live_update', this.sleep);
    this.leave();
  }

  leave() {
    this.pending.forEach(({ timer }) => clearTimeout(timer));
    this.pending.clear();
    this.views.forEach(view => view.leave());
    this.views.clear();
    this.states.clear();
  }

  /**
   * The kernel is gone, or the connection to it: what was stored shows, until the kernel says something again.
   * A question that is asked now waits for the connection.
   */
  sleep() {
    this.leave();
    this.attachAll();
    this.isAsleep = true;
  }

  attachAll() {
    this.attach(document.querySelectorAll(`[${ATTRIBUTE}]`));
  }

  look(/** @type {MutationRecord[]} */ changes) {
    const hosts = new Set();
    for (const change of changes) {
      for (const node of change.addedNodes) {
        if (node instanceof Element && !node.closest('.fusion-live')) {
          node.matches(`[${ATTRIBUTE}]`) && hosts.add(node);
          node.querySelectorAll(`[${ATTRIBUTE}]`).forEach(found => hosts.add(found));
        }
      }
    }
    hosts.size && this.attach(hosts);
  }

  /** Make those live that the kernel has told of, and ask it about the others. */
  attach(/** @type {Iterable<Element>} */ hosts) {
    const keys = new Set();
    for (const host of hosts) {
      const key = host.getAttribute(ATTRIBUTE) ?? '';
      const state = this.states.get(key);
      state ? this.show(host, key, state) : keys.add(key);
    }
    keys.size && this.send({ do: 'attach', keys: [...keys] });
  }

  send(/** @type {any} */ message) {
    try {
      this.isAsleep || this.model.send(message);
    } catch {
      // The connection is closed: nobody will answer, which is said where something waits for it.
    }
  }

  receive(/** @type {any} */ message) {
    if (message.is === 'state') {
      this.isAsleep = false;
      this.states.set(message.key, message.state);
      const selector = `[${ATTRIBUTE}="${CSS.escape(message.key)}"]`;
      document.querySelectorAll(selector).forEach(host => this.show(host, message.key, message.state));
    } else {
      const waiting = this.pending.get(message.request);
      this.pending.delete(message.request);
      clearTimeout(waiting?.timer);
      waiting?.done(message);
    }
  }

  show(/** @type {any} */ host, /** @type {string} */ key, /** @type {State} */ state) {
    if (host.fusionPage !== undefined && host.fusionPage !== this) {
      return; // another kernel's
    }
    let view = this.views.get(host);
    if (view === undefined) {
      // JupyterLab has drawn the output anew: its view goes on in the new element.
      view = [...this.views.values()].find(one => one.key === key && !one.host.isConnected);
      view === undefined ? (view = new View(this, key, host)) : view.moveTo(host);
      this.views.set(host, view);
      host.fusionPage = this;
    }
    view.update(state);
  }

  /**
   * Ask the kernel. *done* gets its answer; *late* is called where it takes long.
   *
   * @param {any} message
   * @param {(answer: any) => void} done
   * @param {() => void} late
   */
  ask(message, done, late) {
    const request = `${this.id}-${++this.requests}`;
    this.pending.set(request, { done, timer: setTimeout(late, PATIENCE_MS) });
    this.send({ ...message, request });
  }
}

/** One live element. */
class View {
  constructor(/** @type {LivePage} */ page, /** @type {string} */ key, /** @type {any} */ host) {
    this.page = page;
    this.key = key;
    /** @type {Table | null} */
    this.table = null;
    this.isTableWanted = true;
    this.build();
    // Keys that are meant for a button or a table are not JupyterLab's shortcuts.
    this.root = make('div', { class: 'fusion-live mathjax_ignore tex2jax_ignore', 'data-lm-suppress-shortcuts': 'true' }, this.card);
    /** @type {any} */
    this.focused = null;
    this.root.addEventListener('focusin', (/** @type {any} */ event) => (this.focused = event.target));
    this.root.addEventListener('focusout', () => this.root.isConnected && (this.focused = null));
    this.enter(host);
  }

  /** Take the place of the static HTML. */
  enter(/** @type {any} */ host) {
    this.host = host;
    this.stored = [...host.childNodes];
    host.classList.add('fusion-is-live');
    host.replaceChildren(this.root);
  }

  /** Show the static HTML again. */
  leave() {
    this.host.classList.remove('fusion-is-live');
    this.host.replaceChildren(...this.stored);
    delete this.host.fusionPage;
  }

  moveTo(/** @type {any} */ host) {
    const focused = this.focused;
    this.page.views.delete(this.host);
    this.leave();
    this.enter(host);
    if (focused?.isConnected && (document.activeElement === document.body || document.activeElement?.contains(host))) {
      focused.focus({ preventScroll: true });
    }
  }

  build() {
    this.status = make('b', { class: 'fusion-status', role: 'status' });
    this.job = make('code');
    this.cancel = button('Cancel', () => this.askCancel());
    this.toggle = button('', () => this.showTable(!this.isTableWanted));
    this.link = make('a', { target: '_blank', rel: 'noopener noreferrer' }, "Engine's page");
    this.models = make('ul', { class: 'fusion-models', 'aria-label': 'Names that it reads' });
    this.bar = make('progress', { max: '1', 'aria-label': 'Progress of the job' });
    this.progress = make('div');
    this.outcome = make('div');
    this.error = make('div', { class: 'fusion-error', role: 'alert' });
    this.notice = make('div', { class: 'fusion-notice', role: 'status' });
    const head = make('div', { class: 'fusion-head' }, this.status, make('span', {}, 'job ', this.job), this.cancel, this.toggle, this.link);
    this.card = make('div', { class: 'fusion-job', role: 'group' }, head, this.models, this.bar, this.progress, this.outcome, this.error, this.notice);
  }

  update(/** @type {State} */ state) {
    this.state = state;
    this.card.hidden = state.card === null;
    state.card && this.updateCard(state.card);
    this.toggle.hidden = !state.has_rows;
    state.has_rows && this.showTable(this.isTableWanted);
    this.table?.place();
  }

  updateCard(/** @type {Card} */ card) {
    this.card.setAttribute('aria-label', `Job ${card.job}`);
    setText(this.status, card.status);
    this.status.dataset.status = card.status;
    setText(this.job, card.job);
    // A button that vanishes takes the focus with it.
    const hadFocus = this.cancel.contains(document.activeElement);
    this.cancel.hidden = !card.is_open;
    this.cancel.disabled = card.status === 'CANCELING';
    this.cancel.setAttribute('aria-label', `Cancel job ${card.job}`);
    hadFocus && !card.is_open && (this.focusable() ?? this.host).focus();
    this.link.hidden = card.url === '';
    card.url && (this.link.href = card.url);
    this.updateModels(card.models);
    this.bar.hidden = !card.is_open;
    card.fraction === null ? this.bar.removeAttribute('value') : (this.bar.value = card.fraction);
    setText(this.progress, card.progress);
    setText(this.outcome, card.outcome);
    setText(this.error, [card.error, card.hint && `Hint: ${card.hint}`].filter(Boolean).join('\n'));
    !card.is_open && setText(this.notice, '');
  }

  focusable() {
    return [this.toggle, this.link].find(element => !element.hidden);
  }

  updateModels(/** @type {string[]} */ names) {
    this.models.hidden = names.length === 0;
    if (this.models.childElementCount !== names.length) {
      this.models.replaceChildren(...names.map(name => make('li', {}, make('code', {}, name))));
    }
  }

  askCancel() {
    this.cancel.disabled = true;
    setText(this.notice, 'Asking for its end …');
    this.ask({ do: 'cancel' }, answer => {
      this.cancel.disabled = answer.is !== 'error';
      setText(this.notice, answer.is === 'error' ? answer.text : '');
    }, text => setText(this.notice, `${text} %fusion cancel ${this.job.textContent} in another notebook works meanwhile.`));
  }

  showTable(/** @type {boolean} */ isWanted) {
    this.isTableWanted = isWanted;
    if (isWanted && this.table === null) {
      this.table = new Table(this);
      this.root.append(this.table.root);
    }
    this.table && (this.table.root.hidden = !isWanted);
    setText(this.toggle, isWanted ? 'Hide rows' : 'Open result');
    this.toggle.setAttribute('aria-expanded', String(isWanted));
    isWanted && this.table?.place();
  }

  /**
   * @param {any} message
   * @param {(answer: any) => void} done
   * @param {(text: string) => void} late
   */
  ask(message, done, late) {
    this.page.ask({ ...message, key: this.key }, done, () => late('The kernel has not answered yet: it works on a cell, or is gone.'));
  }
}

/** The rows of a stored result, of which only those in sight are there. */
class Table {
  constructor(/** @type {View} */ view) {
    this.view = view;
    /** @type {Column[]} */
    this.columns = [];
    this.total = 0;
    this.rows = 0;
    this.top = 0; // in pixels of all rows
    this.left = 0;
    /** @type {Order | null} */
    this.order = null;
    /** @type {Filter | null} */
    this.where = null;
    this.generation = 0;
    /** @type {Map<number, any[][]>} */
    this.pages = new Map();
    /** @type {Set<number>} */
    this.asked = new Set();
    this.build();
    this.open();
  }

  build() {
    this.column = make('select', { 'aria-label': 'Column to filter' });
    this.operator = make('select', { 'aria-label': 'Comparison' }, ...OPERATORS.map(word => make('option', { value: word }, word)));
    this.value = make('input', { type: 'search', placeholder: 'Filter rows', 'aria-label': 'Value to filter by', autocomplete: 'off', spellcheck: 'false' });
    this.copy = button('Copy as CSV', () => this.askCopy());
    this.message = make('span', { class: 'fusion-notice', role: 'status' });
    this.form = make('form', { class: 'fusion-tools', role: 'search', 'aria-label': 'Filter rows' }, this.column, this.operator, this.value, this.copy, this.message);
    this.form.addEventListener('submit', (/** @type {Event} */ event) => {
      event.preventDefault();
      this.filter();
    });
    this.value.addEventListener('input', () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.filter(), TYPING_PAUSE_MS);
    });
    this.column.addEventListener('change', () => this.filter());
    this.operator.addEventListener('change', () => this.filter());
    this.head = make('tr', { 'aria-rowindex': '1' });
    this.body = make('tbody');
    this.cols = make('colgroup');
    this.table = make('table', {}, this.cols, make('thead', {}, this.head), this.body);
    this.pane = make('div', { class: 'fusion-pane' }, this.table);
    this.sizer = make('div', { class: 'fusion-sizer' }, this.pane);
    this.scroller = make('div', { class: 'fusion-scroller', tabindex: '0', role: 'region', 'aria-label': 'Rows of the result' }, this.sizer);
    this.scroller.addEventListener('scroll', () => this.scrolled());
    this.scroller.addEventListener('wheel', (/** @type {WheelEvent} */ event) => this.wheeled(event), { passive: false });
    this.scroller.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => this.pressed(event));
    this.foot = make('div', { class: 'fusion-foot' });
    this.error = make('div', { class: 'fusion-error', role: 'alert', hidden: '' });
    this.root = make('div', { class: 'fusion-rows' }, this.form, this.scroller, this.foot, this.error);
    this.form.hidden = this.scroller.hidden = true;
    new ResizeObserver(() => this.draw()).observe(this.scroller);
  }

  open() {
    setText(this.foot, 'Opening the result …');
    this.view.ask({ do: 'open' }, answer => {
      if (answer.is === 'error') {
        this.fail(answer.text);
        return;
      }
      this.columns = answer.columns;
      this.total = this.rows = answer.rows;
      this.pageRows = Math.max(20, Math.min(PAGE_ROWS, Math.floor(MAX_CELLS / Math.max(1, this.columns.length))));
      this.form.hidden = this.scroller.hidden = false;
      this.column.replaceChildren(make('option', { value: '' }, 'any column'), ...this.columns.map((column, i) => make('option', { value: String(i) }, column.name)));
      this.table.setAttribute('aria-label', this.view.state?.title ?? '');
      this.buildHead();
      this.limitOperators();
      this.draw();
    }, text => setText(this.foot, text));
  }

  fail(/** @type {string} */ text) {
    setText(this.error, text);
    setText(this.foot, '');
    this.form.hidden = this.scroller.hidden = true;
  }

  buildHead() {
    this.cols.replaceChildren(...this.columns.map(() => make('col')));
    this.head.replaceChildren(...this.columns.map((column, i) => {
      const arrow = make('span', { 'aria-hidden': 'true', class: 'fusion-arrow' });
      const sort = make('button', { type: 'button', title: `Sort by ${column.name}` }, make('span', {}, column.name || '(no name)'), arrow);
      sort.addEventListener('click', () => this.sort(i));
      const facts = make('small', {}, column.type, make('br'), column.nulls ? countOf(column.nulls, 'null') : 'no nulls');
      return make('th', { scope: 'col', 'aria-sort': 'none', ...(column.is_number ? { class: 'n' } : {}) }, sort, facts);
    }));
  }

  sort(/** @type {number} */ column) {
    this.order = nextOrder(this.order, column);
    [...this.head.children].forEach((th, i) => {
      const order = this.order?.column === i ? this.order : null;
      th.setAttribute('aria-sort', order === null ? 'none' : order.is_descending ? 'descending' : 'ascending');
      th.querySelector('.fusion-arrow').textContent = order === null ? '' : order.is_descending ? '▼' : '▲';
    });
    this.restart('Sorting …');
  }

  /** Comparisons other than `contains` need a column, and some no value. */
  limitOperators() {
    const isAny = this.column.value === '';
    isAny && (this.operator.value = CONTAINS);
    this.operator.disabled = isAny;
    this.value.hidden = this.operator.value.startsWith('is ');
  }

  filter() {
    clearTimeout(this.typing);
    this.limitOperators();
    const { value } = this.value;
    const operator = this.operator.value;
    const isEmpty = value === '' && !operator.startsWith('is ');
    const where = isEmpty ? null : { column: this.column.value === '' ? null : Number(this.column.value), operator, value };
    if (JSON.stringify(where) !== JSON.stringify(this.where)) {
      this.where = where;
      this.restart('Filtering …');
    }
  }

  /** Other rows, or the same ones in another order: ask anew from the top. */
  restart(/** @type {string} */ text) {
    this.generation++;
    this.pages.clear();
    this.asked.clear();
    this.top = 0;
    setText(this.message, text);
    setText(this.error, '');
    this.request([0]);
  }

  get geometry() {
    return scrollGeometry(this.rows, this.viewPx);
  }

  get viewPx() {
    return Math.max(ROW_PX, this.scroller.clientHeight - this.head.offsetHeight);
  }

  /** Put the scrollbars where they belong: a detached element forgets it. */
  place() {
    if (this.scroller.isConnected && !this.scroller.hidden) {
      this.scroller.scrollLeft = this.left;
      this.draw();
    }
  }

  scrolled() {
    if (!this.scroller.isConnected || this.scroller.clientHeight === 0) {
      return;
    }
    this.left = this.scroller.scrollLeft;
    if (Math.abs(this.scroller.scrollTop - (this.expected ?? 0)) >= 1) {
      this.top = this.scroller.scrollTop * this.geometry.scale;
      this.expected = this.scroller.scrollTop;
      this.drawSoon();
    }
  }

  /** Where the scrollbar is shortened a wheel would skip rows. */
  wheeled(/** @type {WheelEvent} */ event) {
    const { scale, most } = this.geometry;
    const deltaY = event.deltaY * (event.deltaMode === 1 ? ROW_PX : 1);
    const isMoving = deltaY < 0 ? this.top > 0 : this.top < most;
    if (scale > 1.001 && deltaY !== 0 && isMoving && !event.ctrlKey && !event.shiftKey) {
      event.preventDefault();
      this.moveTo(this.top + deltaY);
    }
  }

  pressed(/** @type {KeyboardEvent} */ event) {
    const page = this.viewPx - ROW_PX;
    /** @type {Record<string, number>} */
    const targets = {
      ArrowUp: this.top - ROW_PX,
      ArrowDown: this.top + ROW_PX,
      PageUp: this.top - page,
      PageDown: this.top + page,
      Home: 0,
      End: this.geometry.most
    };
    if (event.target === this.scroller && event.key in targets && !event.altKey) {
      event.preventDefault();
      this.moveTo(targets[event.key]);
    }
  }

  moveTo(/** @type {number} */ top) {
    this.top = top;
    this.drawSoon();
  }

  drawSoon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.draw();
    });
  }

  draw() {
    if (this.columns.length === 0 || !this.scroller.isConnected || this.scroller.hidden || this.root.hidden) {
      return;
    }
    const headPx = this.head.offsetHeight;
    const barPx = this.scroller.offsetHeight - this.scroller.clientHeight;
    this.scroller.style.height = `${Math.min(TABLE_PX, headPx + this.rows * ROW_PX + barPx + 1)}px`;
    const { height, scale, most } = this.geometry;
    this.top = Math.max(0, Math.min(this.top, most));
    this.sizer.style.height = `${height + headPx}px`;
    this.pane.style.height = `${this.scroller.clientHeight}px`;
    this.expected = Math.round(this.top / scale);
    this.scroller.scrollTop !== this.expected && (this.scroller.scrollTop = this.expected);
    this.expected = this.scroller.scrollTop;
    const first = Math.floor(this.top / ROW_PX);
    const until = Math.min(this.rows, first + Math.ceil(this.viewPx / ROW_PX) + 1);
    this.body.style.transform = `translateY(${first * ROW_PX - this.top}px)`;
    this.table.setAttribute('aria-rowcount', String(this.rows + 1));
    this.drawRows(first, until);
    this.drawFoot(first, Math.min(this.rows, Math.floor((this.top + this.viewPx) / ROW_PX)));
    this.requestSoon(first, until);
  }

  drawRows(/** @type {number} */ first, /** @type {number} */ until) {
    while (this.body.rows.length > until - first) {
      this.body.deleteRow(-1);
    }
    for (let i = first; i < until; i++) {
      const tr = this.body.rows[i - first] ?? this.body.insertRow();
      const row = this.pages.get(Math.floor(i / this.pageRows))?.[i % this.pageRows];
      tr.setAttribute('aria-rowindex', String(i + 2));
      tr.classList.toggle('odd', i % 2 === 1);
      this.columns.forEach((column, j) => this.drawCell(tr, j, row === undefined ? undefined : row[j], column.is_number));
    }
    this.pages.size && until > first && this.fixWidths();
  }

  drawCell(/** @type {any} */ tr, /** @type {number} */ j, /** @type {string | null | undefined} */ value, /** @type {boolean} */ isNumber) {
    const td = tr.cells[j] ?? tr.insertCell();
    const text = value === null ? 'NULL' : value ?? '…';
    if (td.textContent !== text) {
      td.textContent = text;
      td.title = text.length > 20 ? text : '';
    }
    td.className = value === null ? (isNumber ? 'null n' : 'null') : value === undefined ? 'later' : isNumber ? 'n' : '';
  }

  /** The first rows decide how wide the columns are, so that they keep still while one scrolls. */
  fixWidths() {
    if (!this.table.classList.contains('fixed')) {
      const widths = [...this.head.children].map(th => Math.min(WIDEST_PX, Math.ceil(th.getBoundingClientRect().width)));
      [...this.cols.children].forEach((col, i) => (col.style.width = `${widths[i]}px`));
      this.table.style.width = `${widths.reduce((a, b) => a + b, 0)}px`;
      this.table.classList.add('fixed');
    }
  }

  drawFoot(/** @type {number} */ first, /** @type {number} */ until) {
    const all = this.where === null ? countOf(this.rows, 'row') : `${this.rows.toLocaleString('en-US')} of ${countOf(this.total, 'row')}`;
    const isPart = until - first < this.rows && until > first;
    setText(this.foot, isPart ? `Rows ${(first + 1).toLocaleString('en-US')} to ${until.toLocaleString('en-US')} of ${all}` : all);
  }

  requestSoon(/** @type {number} */ first, /** @type {number} */ until) {
    const missing = pagesOf(first, until, this.pageRows ?? PAGE_ROWS).filter(page => !this.pages.has(page) && !this.asked.has(page));
    clearTimeout(this.pause);
    if (missing.length) {
      // What was scrolled past is never asked for.
      this.pause = setTimeout(() => this.request(missing), this.pages.size ? SCROLL_PAUSE_MS : 0);
    }
  }

  request(/** @type {number[]} */ pages) {
    for (const page of pages) {
      const { generation } = this;
      this.asked.add(page);
      const message = { do: 'page', first: page * this.pageRows, count: this.pageRows, order: this.order, where: this.where };
      this.view.ask(message, answer => generation === this.generation && this.keep(page, answer), text => setText(this.message, text));
    }
  }

  keep(/** @type {number} */ page, /** @type {any} */ answer) {
    this.asked.delete(page);
    if (answer.is === 'error') {
      setText(this.message, '');
      setText(this.error, answer.text);
      return;
    }
    if (this.pages.size >= MAX_PAGES) {
      this.pages.delete(this.pages.keys().next().value ?? 0);
    }
    this.pages.set(page, answer.rows);
    this.rows = answer.total;
    setText(this.message, '');
    setText(this.error, '');
    this.draw();
  }

  askCopy() {
    setText(this.message, 'Copying …');
    this.view.ask({ do: 'copy', order: this.order, where: this.where }, async answer => {
      if (answer.is === 'error') {
        setText(this.message, answer.text);
        return;
      }
      const isDone = await toClipboard(answer.text);
      const all = answer.rows === answer.total ? countOf(answer.rows, 'row') : `the first ${answer.rows.toLocaleString('en-US')} of ${countOf(answer.total, 'row')}`;
      setText(this.message, isDone ? `Copied ${all}.` : 'The browser does not let this page write to the clipboard.');
    }, text => setText(this.message, text));
  }
}

async function toClipboard(/** @type {string} */ text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Not over plain HTTP; what is older works there.
    const area = make('textarea', { style: 'position:fixed;opacity:0' });
    area.value = text;
    const active = /** @type {any} */ (document.activeElement);
    document.body.append(area);
    area.select();
    const isDone = document.execCommand('copy');
    area.remove();
    active?.focus();
    return isDone;
  }
}

export default {
  /** Called when the model is created, without any view; what it returns, when the model goes. */
  initialize(/** @type {{model: any}} */ { model }) {
    const page = new LivePage(model);
    return () => page.close();
  }
};
