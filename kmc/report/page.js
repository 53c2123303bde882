"use strict";
// Shows one of the results that are in the page, beside its original. There is no state but that of the controls, the
// divider and the zoom.

const data = JSON.parse(document.getElementById("data").textContent);
const MOST_ZOOM = 16;

const clamp = (value, least, most) => Math.min(most, Math.max(least, value));

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

let toastTimer;
function say(words) {
  const toast = document.querySelector(".toast");
  toast.textContent = words;
  toast.classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => toast.classList.remove("shown"), 1800);
}

async function copy(text, words) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without permission, or where the page is not from a safe place, the old way.
    const before = document.activeElement;
    const area = element("textarea", { style: "position:fixed;opacity:0" });
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    before?.focus();
    if (!copied) return say("The browser does not allow copying");
  }
  say(`${words} copied`);
}

// Two pictures on top of each other: to the left of the divider the original, to the right the result. Both have one
// transform, so they zoom and move in step.
class Stage {
  constructor(viewer) {
    this.viewer = viewer;
    this.stage = viewer.querySelector(".stage");
    this.divider = viewer.querySelector(".divider");
    this.layers = [...viewer.querySelectorAll(".layer")];
    this.images = this.layers.map((layer) => layer.firstElementChild);
    this.output = viewer.querySelector("output");
    this.share = 50;
    this.pointers = new Map();
    this.fit();
    this.listen();
  }

  show(view, result, label) {
    this.view = view;
    const ratio = view.width / view.height;
    this.stage.style.aspectRatio = `${view.width} / ${view.height}`;
    this.stage.style.width = `min(100%, ${(72 * ratio).toFixed(3)}vh)`;
    if (this.images[0].src !== view.original) this.images[0].src = view.original;
    this.images[1].src = result;
    this.images[1].alt = label;
    this.viewer.querySelector(".tag.right").textContent = label;
    this.draw();
  }

  fit() {
    this.zoom = 1;
    this.x = this.y = 0; // of the upper left corner, in widths and heights of the stage
    this.draw();
  }

  // Keeps the place (x, y), in shares of the stage, where it is.
  zoomTo(zoom, x = 0.5, y = 0.5) {
    const next = clamp(zoom, 1, MOST_ZOOM);
    this.x = x - ((x - this.x) * next) / this.zoom;
    this.y = y - ((y - this.y) * next) / this.zoom;
    this.zoom = next;
    this.draw();
  }

  move(x, y) {
    this.x += x;
    this.y += y;
    this.draw();
  }

  slide(share) {
    this.share = clamp(share, 0, 100);
    this.draw();
  }

  draw() {
    this.x = clamp(this.x, 1 - this.zoom, 0);
    this.y = clamp(this.y, 1 - this.zoom, 0);
    const share = Math.round(this.share * 10) / 10;
    this.layers[0].style.clipPath = `inset(0 ${100 - share}% 0 0)`;
    this.layers[1].style.clipPath = `inset(0 0 0 ${share}%)`;
    this.divider.style.left = `${share}%`;
    this.divider.setAttribute("aria-valuenow", Math.round(share));
    this.divider.setAttribute("aria-valuetext", `${Math.round(share)} % original`);
    const place = `translate(${100 * this.x}%, ${100 * this.y}%) scale(${this.zoom})`;
    for (const image of this.images) image.style.transform = place;
    const shown = this.view ? (this.stage.clientWidth * this.zoom) / this.view.width : 0;
    this.stage.classList.toggle("pixels", shown >= 2);
    this.stage.classList.toggle("zoomed", this.zoom > 1);
    this.output.textContent = `${this.zoom.toFixed(1)} x`;
  }

  place(event) {
    const box = this.stage.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  listen() {
    this.divider.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 10 : 2;
      const steps = { ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step, PageDown: -10, PageUp: 10 };
      const ends = { Home: 0, End: 100 };
      if (event.key in steps) this.slide(this.share + steps[event.key]);
      else if (event.key in ends) this.slide(ends[event.key]);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    this.stage.addEventListener("keydown", (event) => this.onKey(event));
    this.stage.addEventListener("pointerdown", (event) => this.onDown(event));
    this.stage.addEventListener("pointermove", (event) => this.onMove(event));
    for (const name of ["pointerup", "pointercancel"]) {
      this.stage.addEventListener(name, (event) => {
        this.pointers.delete(event.pointerId);
        this.stage.classList.remove("held");
      });
    }
    this.stage.addEventListener("dblclick", (event) => {
      if (!this.divider.contains(event.target)) this.zoomTo(this.zoom > 1 ? 1 : 3, ...this.place(event));
    });
    this.stage.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
        event.preventDefault();
        this.zoomTo(this.zoom * Math.exp(-clamp(event.deltaY, -50, 50) / 100), ...this.place(event));
      },
      { passive: false },
    );
    for (const button of this.viewer.querySelectorAll("[data-zoom]")) {
      const factor = { in: 1.5, out: 1 / 1.5 }[button.dataset.zoom];
      button.addEventListener("click", () => (factor ? this.zoomTo(this.zoom * factor) : this.fit()));
    }
    new ResizeObserver(() => this.draw()).observe(this.stage);
  }

  onKey(event) {
    const moves = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") this.zoomTo(this.zoom * 1.5);
    else if (event.key === "-") this.zoomTo(this.zoom / 1.5);
    else if (event.key === "0") this.fit();
    else if (event.key in moves && this.zoom > 1) this.move(...moves[event.key]);
    else return;
    event.preventDefault();
  }

  onDown(event) {
    if (event.button !== 0) return;
    const sliding = this.divider.contains(event.target) || this.zoom === 1;
    this.pointers.set(event.pointerId, { at: this.place(event), sliding });
    this.stage.setPointerCapture(event.pointerId);
    if (sliding) this.divider.focus({ preventScroll: true });
    if (sliding) this.slide(100 * this.place(event)[0]);
    else this.stage.classList.add("held");
  }

  onMove(event) {
    const pointer = this.pointers.get(event.pointerId);
    if (!pointer) return;
    const before = pointer.at;
    pointer.at = this.place(event);
    if (this.pointers.size === 2) {
      const other = [...this.pointers.values()].find((one) => one !== pointer).at;
      const spread = (at) => Math.hypot((at[0] - other[0]) * this.stage.clientWidth, (at[1] - other[1]) * this.stage.clientHeight);
      const middle = [(pointer.at[0] + other[0]) / 2, (pointer.at[1] + other[1]) / 2];
      this.zoomTo((this.zoom * spread(pointer.at)) / Math.max(1, spread(before)), ...middle);
      for (const one of this.pointers.values()) one.sliding = false;
    } else if (pointer.sliding) this.slide(100 * pointer.at[0]);
    else this.move(pointer.at[0] - before[0], pointer.at[1] - before[1]);
  }
}

// One picture of the page: its controls, and what follows from them.
class Picture {
  constructor(main, picture, number) {
    this.main = main;
    this.picture = picture;
    this.number = number;
    this.stage = new Stage(main.querySelector(".viewer"));
    for (const circle of main.querySelectorAll(".charts circle")) this.prepare(circle);
    this.choose(picture.start);
    main.addEventListener("change", (event) => {
      if (event.target.name === `view-${number}`) this.stage.fit();
      this.draw();
    });
    main.addEventListener("click", (event) => this.onClick(event));
  }

  chosen(name) {
    return this.main.querySelector(`input[name="${name}-${this.number}"]:checked`).value;
  }

  get key() {
    return `${this.chosen("space")}|${this.chosen("dither")}|${this.chosen("k")}`;
  }

  choose(key) {
    const [space, dither, k] = key.split("|");
    for (const [name, value] of Object.entries({ space, dither, k })) {
      this.main.querySelector(`input[name="${name}-${this.number}"][value="${value}"]`).checked = true;
    }
    this.draw();
  }

  prepare(circle) {
    const [space, dithered] = circle.dataset.curve.split(", ");
    const key = `${space.toLowerCase()}|${dithered || "plain"}|${circle.dataset.k}`;
    if (key in this.picture.results) circle.dataset.key = key;
  }

  draw() {
    const key = this.key;
    const result = this.picture.results[key];
    const number = Number(this.chosen("view"));
    const view = this.picture.views[number];
    const isError = number === this.picture.views.length - 1;
    this.stage.show(view, result.images[number], isError ? `Error, ${result.label}` : result.label);
    this.main.querySelector(".scale").hidden = !isError;
    this.main.querySelector("figcaption").textContent = view.note;
    this.main.querySelector(".command code").textContent = result.command;
    this.main.querySelector(".tiles").replaceChildren(
      ...result.figures.map(([name, figure, remark]) =>
        element("div", {}, element("dt", {}, name), element("dd", {}, figure), element("dd", {}, remark)),
      ),
    );
    for (const marked of this.main.querySelectorAll(".results tr, .charts circle")) {
      marked.classList.toggle("now", marked.dataset.key === key);
    }
    this.drawPalette(result);
  }

  drawPalette({ colors, shares }) {
    const order = colors.map((_, index) => index);
    if (this.chosen("order") === "share") order.sort((a, b) => shares[b] - shares[a]);
    this.order = order.map((index) => colors[index]);
    this.main.querySelector(".strip").replaceChildren(
      ...order.map((index) => element("i", { style: `background:${colors[index]};flex:${Math.max(shares[index], 1e-6)} 0 0` })),
    );
    this.main.querySelector(".swatches").replaceChildren(
      ...order.map((index) => {
        const share = `${(100 * shares[index]).toFixed(shares[index] < 0.0995 ? 2 : 1)} %`;
        const chip = element("i", { style: `background:${colors[index]}` });
        const words = element("span", {}, element("code", {}, colors[index]), element("small", {}, share));
        const label = `Copy ${colors[index]}, ${share} of the pixels`;
        return element("button", { type: "button", "data-copy": colors[index], "aria-label": label }, chip, words);
      }),
    );
  }

  onClick(event) {
    const swatch = event.target.closest("[data-copy]");
    const row = event.target.closest(".results .link")?.closest("tr");
    const circle = event.target.closest("circle[data-key]");
    if (swatch) copy(swatch.dataset.copy, swatch.dataset.copy);
    else if (event.target.closest(".copy-all")) copy(this.order.join("\n"), `${this.order.length} colours`);
    else if (event.target.closest(".copy")) copy(this.main.querySelector(".command code").textContent, "Command");
    else if (row || circle) this.choose((row || circle).dataset.key);
  }
}

const pictures = [...document.querySelectorAll("main.picture")].map((main, number) => new Picture(main, data[number], number));
const tabs = [...document.querySelectorAll('[role="tab"]')];

function open(number) {
  tabs.forEach((tab, index) => {
    tab.setAttribute("aria-selected", index === number);
    tab.tabIndex = index === number ? 0 : -1;
    pictures[index].main.hidden = index !== number;
  });
}

tabs.forEach((tab, number) => {
  tab.addEventListener("click", () => open(number));
  tab.addEventListener("keydown", (event) => {
    const last = tabs.length - 1;
    const next = { ArrowLeft: number - 1, ArrowRight: number + 1, Home: 0, End: last }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    open((next + tabs.length) % tabs.length);
    tabs[(next + tabs.length) % tabs.length].focus();
  });
});
for (const link of document.querySelectorAll("[data-open]")) {
  link.addEventListener("click", () => {
    open(Number(link.dataset.open));
    document.querySelector(".tabs").scrollIntoView();
  });
}
